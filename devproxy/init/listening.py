"""Which ports are worth asking what they are. Start at :func:`worth_asking`. Pure: the listeners are given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from devproxy.platforms.listeners import Listener

USUAL_PORTS: Final = (
    *(3000, 3001, 3002, 3003, 4000, 4200, 4321, 5000, 5001, 5173, 5174, 5175, 4173),
    *(8000, 8001, 8080, 8081, 8787, 8888, 9000, 1234, 1337),
)
"""Where dev servers listen if they are not told where: tried where the system does not tell who listens, and first."""
_NO_HTTP: Final = frozenset(
    map(
        int,
        "22 25 53 110 111 143 389 465 587 631 993 995 1433 1521 2049 2181 2375 3306 3389 4369 5353 5432 5433 5672 5900"
        " 6000 6379 6380 9042 9092 9229 11211 25672 26379 27017 27018 33060".split(),
    )
)
"""Ports of databases, mail, queues and such, which complain in their logs about what they do not understand."""
_NO_SERVERS: Final = (
    *("postgres", "mysqld", "mariadbd", "redis-server", "valkey-server", "mongod", "memcached", "sshd", "cupsd"),
    *("systemd", "rpcbind", "dnsmasq", "beam.smp", "Xorg", "Xtigervnc", "chrome", "chromium", "firefox", "rapportd"),
)
"""Programs that serve no pages, as the system names them, or how these names begin."""
MAX_PORTS: Final = 64


class Listened(NamedTuple):
    """What listens. ``is_known``: False where the system did not tell, and ``ports`` are those that are usual.

    ``ports``: those worth asking, at most :data:`MAX_PORTS`; ``taken``: all.
    """

    ports: tuple[Listener, ...]
    taken: frozenset[int]
    is_known: bool = True


def worth_asking(
    found: Sequence[Listener] | None,
    is_near: Callable[[str], bool],
    without: frozenset[int],
    own_pid: int,
) -> Listened:
    """Return which of `found` to ask; None: the system does not tell what listens.

    `is_near`: tells whether programs of a folder come first. `without`: ports that are known already. `own_pid`: of the
    process that asks.
    """
    if found is None:
        ports = [Listener(port, "") for port in USUAL_PORTS if port not in without]
        return Listened(tuple(ports), frozenset(), is_known=False)
    worth = [
        one
        for one in found
        if one.port not in without | _NO_HTTP and one.pid != own_pid and not one.program.startswith(_NO_SERVERS)
    ]
    worth.sort(key=lambda one: (not is_near(one.folder), one.port not in USUAL_PORTS, one.port))
    return Listened(tuple(worth[:MAX_PORTS]), frozenset(one.port for one in found))
