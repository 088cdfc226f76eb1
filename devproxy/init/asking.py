"""Asking what listens what it is: ``GET /``, and a poll that begins a session of Socket.IO. Nothing else is sent.

All are asked side by side, within one limit of time. Start at :func:`ask_all`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from devproxy.authority.hosts import LOOPBACK_ADDRESSES
from devproxy.doctor.observed import Answer, Failure
from devproxy.doctor.reaching import context
from devproxy.doctor.wire import Deadline, Way, Wire
from devproxy.init.identify import Heard
from devproxy.platforms.listeners import Listener

LIMIT_S: Final = 2.5
_CONNECT_S: Final = 0.5
_AT_ONCE: Final = 24
_PAGE: Final = (("Accept", "text/html,application/xhtml+xml,*/*;q=0.8"),)
"""As a browser asks for a page: some dev servers give none to others."""
_NO_PLAIN: Final = (Failure.NOT_HTTP, Failure.CLOSED)


async def ask_all(ports: Sequence[Listener], paths: Sequence[str], limit_s: float = LIMIT_S) -> list[Heard]:
    """Ask each of `ports` for its page, and at each of `paths` for a session. Takes `limit_s` seconds at most.

    `paths`: of Engine.IO, with a slash at both ends. What does not answer in time is there without an answer; what
    cannot be connected to is not there.
    """
    deadline, turns = Deadline(limit_s), asyncio.Semaphore(_AT_ONCE)

    async def ask(one: Listener) -> Heard | None:
        async with turns:
            return await _ask(one, paths, deadline)

    heard = await asyncio.gather(*map(ask, ports))
    return [one for one in heard if one is not None]


async def _ask(one: Listener, paths: Sequence[str], deadline: Deadline) -> Heard | None:
    for address in (one.address,) if one.address else LOOPBACK_ADDRESSES:
        wire = Wire(Way(address, one.port, f"localhost:{one.port}"), deadline, connect_s=_CONNECT_S)
        page, is_tls = await wire.ask("GET", "/", _PAGE, within_s=deadline.left_s), False
        if page.failure in (Failure.REFUSED, Failure.UNREACHABLE, Failure.NOT_CONNECTED):
            continue
        if page.failure in _NO_PLAIN or _wants_tls(page):
            way = wire.way._replace(tls=context(verifies=False), name="localhost")
            secure = Wire(way, deadline, connect_s=_CONNECT_S)
            answer = await secure.ask("GET", "/", _PAGE, within_s=deadline.left_s)
            if answer.is_there:
                wire, page, is_tls = secure, answer, True
        polls = await _polls(wire, paths, deadline) if page.is_there else ()
        return Heard(one._replace(address=address), page, polls, is_tls)
    return None


async def _polls(wire: Wire, paths: Sequence[str], deadline: Deadline) -> tuple[tuple[str, Answer], ...]:
    asked = [f"{path}?EIO=4&transport=polling" for path in paths]
    answers = await asyncio.gather(*(wire.ask("GET", target, within_s=deadline.left_s) for target in asked))
    return tuple(zip(paths, answers, strict=True))


def _wants_tls(page: Answer) -> bool:
    """Tell whether a plain request met a server of TLS, by what such servers answer."""
    words = page.body[:2048].lower()
    return page.status == 400 and (b"https" in words or b"tls" in words)
