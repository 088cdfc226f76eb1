"""On which port a program really listens: from what it writes, and from the sockets that it has. Pure.

A dev server whose port is taken moves on (Vite: 5173, then 5174) and says so in a line. On Linux its sockets tell more
than its words, and words alone are believed only where the system tells nothing of sockets. Start at
:func:`announced` and :func:`chosen`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

from devproxy.text.ansi import plain

CALM_S: Final = 1.0
"""How long after its first socket a program may take to say which one is meant, where that is not plain."""
SILENT_S: Final = 3.0
"""How long a program may say nothing before the port that was expected, and answers, is taken for its own."""
_NOT_SERVERS: Final = frozenset((*range(9229, 9240), 24678))
"""Ports of debuggers (Node's inspector) and of Vite's hot reload in middleware mode: nothing that pages ask."""
_MAX_LINE: Final = 1000

_each_url: Final = re.compile(
    r"(https?)://(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1?\]|[a-z0-9-]{1,63}+\.localhost):(\d{1,5}+)(?![\d.])",
    re.IGNORECASE,
).findall
_each_port: Final = re.compile(
    r"(?:\bport\b[ :=]{1,3}|[*]:|\b0\.0\.0\.0:|\[::\]:|\blocalhost:|127\.0\.0\.1:)(\d{2,5})\b", re.I
).findall


class Announced(NamedTuple):
    """A port that a program has named. ``is_url``: by a whole URL; ``is_tls``: of https."""

    port: int
    is_url: bool
    is_tls: bool = False


def announced(line: str) -> list[Announced]:
    """Return the ports of this machine that a line of output names."""
    text = plain(line[:_MAX_LINE])
    urls = [Announced(int(port), True, scheme.lower() == "https") for scheme, port in _each_url(text)]
    named = {one.port for one in urls}
    words = [Announced(int(port), False) for port in _each_port(text) if int(port) not in named]
    return [one for one in (*urls, *words) if 0 < one.port < 65536]


class Known(NamedTuple):
    """What is known of a program's ports.

    ``expected``: where its upstream says that it listens; None: that is open. ``said``: what it has announced.
    ``listening``: the ports of its sockets; None: the system does not tell. ``others``: ports of other upstreams.
    ``silent_s``: since its last line; ``listening_s``: since its first socket, or 0. ``answers``: what is expected
    accepts connections, whichever program that is.
    """

    expected: int | None
    said: Sequence[Announced] = ()
    listening: Collection[int] | None = None
    others: Collection[int] = ()
    silent_s: float = 0.0
    listening_s: float = 0.0
    answers: bool = False


def chosen(known: Known) -> int | None:
    """Return the port on which the program serves, as soon as that is known; None: not yet."""
    if known.listening is None:
        return _from_words(known)
    candidates = [port for port in sorted(known.listening) if port not in known.others]
    if known.expected in known.listening:
        return known.expected
    for is_url in (True, False):
        for one in known.said:
            if one.is_url is is_url and one.port in candidates:
                return one.port
    if known.listening_s < CALM_S:
        return None
    return next((port for port in candidates if port not in _NOT_SERVERS), None)


def _from_words(known: Known) -> int | None:
    urls = [one.port for one in known.said if one.is_url and one.port not in known.others]
    if known.expected is not None and known.expected in urls:
        return known.expected
    if urls:
        return urls[0]
    return known.expected if known.answers and known.silent_s >= SILENT_S else None
