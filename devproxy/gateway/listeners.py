"""The listening sockets of a running gateway: new addresses are taken before old ones are given up.

Owns which sockets belong to which address of the configuration. Clients that have connected by a listener outlive it.
Start at :meth:`Listeners.add`.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from devproxy.config.model import Listen
from devproxy.gateway.listen import BACKLOG, bind_beside

_LOOPBACK: Final = frozenset(("127.0.0.1", "::1"))


@dataclass(slots=True)
class _Listener:
    """A listening socket. ``host`` and ``port``: its name, known also after its end. ``server``: None: not used yet."""

    sock: socket.socket
    host: str
    port: int
    server: asyncio.Server | None = None


class Listeners:
    """What a gateway listens on. Takes over `sockets`, bound for `listens` in that order; `build` makes a protocol."""

    def __init__(
        self, listens: Sequence[Listen], sockets: Sequence[socket.socket], build: Callable[[], asyncio.Protocol]
    ) -> None:
        self._groups = _grouped(listens, [_listener(sock) for sock in sockets])
        self._build = build
        self._adoptions: set[asyncio.Task[None]] = set()
        self._is_closed = False

    async def open(self) -> None:
        """Accept clients on every socket that does not do so yet."""
        loop = asyncio.get_running_loop()
        for listener in list(self._all()):
            if listener.server is None and not self._is_closed:
                listener.server = await loop.create_server(self._build, sock=listener.sock, backlog=BACKLOG)

    async def add(self, listens: Sequence[Listen]) -> None:
        """Bind those of `listens` that are new, beside all others. Their clients wait until :meth:`open`.

        Raises :class:`BindError` for the first one that cannot be had; none of the new ones is bound then.
        """
        old = [listener.sock for listener in self._all()]
        bound: dict[Listen | None, list[_Listener]] = {}
        is_complete = False
        try:
            for listen in listens:
                if listen not in self._groups:
                    # In a thread: a name may take long to resolve, and so does finding out who holds a port.
                    sockets = await asyncio.to_thread(bind_beside, listen, old)
                    bound[listen] = [_listener(sock) for sock in sockets]
            is_complete = not self._is_closed
        finally:
            if not is_complete:
                for listener in (one for group in bound.values() for one in group):
                    listener.sock.close()
        if is_complete:
            self._groups |= bound

    def release(self, listens: Sequence[Listen]) -> None:
        """Stop listening on whatever is not one of `listens`."""
        for listen in [listen for listen in self._groups if listen not in listens]:
            for listener in self._groups.pop(listen):
                self._release(listener)

    def close(self) -> None:
        """Stop listening for good."""
        self._is_closed = True
        for listener in self._all():
            if listener.server is not None:
                listener.server.close()
            else:
                listener.sock.close()

    def addresses(self) -> list[str]:
        """Return the IP addresses listened on."""
        return [listener.host for listener in self._all()]

    def urls(self) -> tuple[str, ...]:
        """Return a URL for each way in: ``localhost`` stands for the loopback addresses that share a port."""
        return _urls((listener.host, listener.port) for listener in self._all())

    def _all(self) -> Iterator[_Listener]:
        for group in self._groups.values():
            yield from group

    def _release(self, listener: _Listener) -> None:
        """Close a listener, but take those clients first whose connection stands already: closing would reset them."""
        if listener.server is None:
            listener.sock.close()
            return
        loop = asyncio.get_running_loop()
        try:
            rest = listener.sock.dup()
        except OSError:  # no descriptors are left: whoever waits there has to come again
            listener.server.close()
            return
        with rest:
            listener.server.close()
            rest.setblocking(False)
            with suppress(OSError):  # there are no more
                while True:
                    client, _ = rest.accept()
                    client.setblocking(False)
                    task = loop.create_task(self._adopt(client))
                    self._adoptions.add(task)
                    task.add_done_callback(self._adoptions.discard)

    async def _adopt(self, client: socket.socket) -> None:
        await asyncio.get_running_loop().connect_accepted_socket(self._build, client)


def _listener(sock: socket.socket) -> _Listener:
    host, port, *_ = sock.getsockname()
    return _Listener(sock, host, port)


def _grouped(listens: Sequence[Listen], listeners: Sequence[_Listener]) -> dict[Listen | None, list[_Listener]]:
    """Return which of `listeners` stand for which of `listens`; under None what no address accounts for."""
    groups: dict[Listen | None, list[_Listener]] = {}
    rest = list(listeners)
    for listen in listens:
        if not rest:
            break
        group = groups[listen] = [rest.pop(0)]
        first = group[0]
        if listen.host == "localhost" and rest and (rest[0].host, rest[0].port) == ("::1", first.port):
            group.append(rest.pop(0))
    if rest:
        groups[None] = rest
    return groups


def _urls(names: Iterable[tuple[str, int]]) -> tuple[str, ...]:
    urls: dict[str, None] = {}
    for host, port in names:
        if host in _LOOPBACK:
            shown = "localhost"
        elif host in ("::", "0.0.0.0"):
            urls[f"http://localhost:{port}/"] = None
            shown = _own_address() or "localhost"
        else:
            shown = f"[{host}]" if ":" in host else host
        urls[f"http://{shown}:{port}/"] = None
    return tuple(urls)


def _own_address() -> str:
    """Return the address that this machine uses towards others, or "" (nothing is sent: a UDP socket only looks)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect(("192.0.2.1", 9))
        except OSError:
            return ""
        return str(sock.getsockname()[0])
