"""Sessions of Engine.IO that a probe opens, uses as a client would, and closes: no message but those that connect.

Start at :class:`Sessions`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from devproxy.doctor.observed import JOIN_S, Answer, Failure, Handshake, Idle, Joining, Opened, Round, Session
from devproxy.doctor.packets import (
    CLOSE,
    PING,
    PONG,
    connect_packet,
    read_join,
    read_open,
    read_open_packet,
    split_payload,
    written,
)
from devproxy.doctor.target import Target
from devproxy.doctor.wire import Line, Socket, Wire
from devproxy.realtime.engineio import is_unknown_session

UNKNOWN_SID: Final = "devproxy-doctor"
"""A session that no server has: asked for, it shows who answers, and opens nothing."""
ROUNDS: Final = 4
FIRST_MESSAGE_S: Final = 2.0
_JOINS_FROM_S: Final = 30.0
"""A session that joins no namespace is closed after 45 s (``connectTimeout``): one that is held for longer joins."""
_ENOUGH_S: Final = 0.9
_TEXT: Final = ("Content-Type", "text/plain;charset=UTF-8")
Lines = Sequence[tuple[str, str]]


class Sessions:
    """Opens sessions at `target` with the fields `lines` in each request."""

    def __init__(self, wire: Wire, target: Target, lines: Lines, *, sends_cookies: bool = False) -> None:
        self._wire = wire
        self._target = target
        self._lines = tuple(lines)
        self._sends_cookies = sends_cookies

    def _after(self, answer: Answer) -> Sessions:
        """Return what goes on with the session that `answer` opened: with its cookies where the page sends some."""
        cookies = _cookies_of(answer) if self._sends_cookies else ()
        return Sessions(self._wire, self._target, (*self._lines, *cookies)) if cookies else self

    @property
    def _patience_s(self) -> float:
        deadline = self._wire.deadline
        return deadline.within(deadline.patience_s)

    async def poll(
        self, lines: Lines, *, eio: int | None = None, path: str = "", within_s: float | None = None
    ) -> Answer:
        """Ask for a session as the first poll does, and close it if one is opened; return the answer."""
        async with self._wire.line() as line:
            if isinstance(line, Answer):
                return line
            target = self._target.engine("polling", eio=eio, path=path)
            span_s = self._patience_s if within_s is None else within_s
            answer = self._wire.fair(await line.ask("GET", target, lines, within_s=span_s, keeps=True))
            opened = read_open(answer.body) if answer.status == 200 else None
            if opened is not None:
                await self._leave(opened, line, path=path, lines=lines)
            return answer

    async def handshake(self, lines: Lines, *, eio: int | None = None, target: str = "") -> Handshake:
        """Ask for a WebSocket, read its first message, and close it."""
        asked = target or self._target.engine("websocket", eio=eio)
        async with self._wire.socket(asked, lines) as (shaken, socket):
            if socket is None:
                return shaken
            first = await socket.receive(self._wire.deadline.within(FIRST_MESSAGE_S))
            if first is not None and read_open_packet(first, 4) is not None:
                await socket.send(CLOSE)
            if first is None and not socket.ended and self._wire.deadline.left_s <= 0:
                first = ""  # it was not waited for
            return shaken._replace(first=first, ended=socket.ended)

    async def whole(self) -> Session:
        """Open a session, join the namespace, upgrade as far as the probe, and close it."""
        async with self._wire.line() as first:
            if isinstance(first, Answer):
                return Session()
            opened, answer = await self._open(first)
            if opened is None:
                return Session()
            session = Session(opened=opened)
            try:
                # A server of protocol 3 joins `/` on its own, and says so behind the open packet.
                joining = read_join(split_payload(answer.body)[0], self._target.namespace)
                own = self._after(answer)
                session = session._replace(join=joining) if joining else await own._joined(session, opened)
                if session.join.result == "joined" and "websocket" in opened.upgrades:
                    session = await own._upgraded(session, opened)
            finally:
                await self._leave(opened, first)
            return session

    async def _open(self, line: Line, lines: Lines = ()) -> tuple[Opened | None, Answer]:
        target = self._target.engine("polling")
        within_s = self._patience_s
        answer = await line.ask("GET", target, (*self._lines, *lines), within_s=within_s, keeps=True)
        return (read_open(answer.body) if answer.status == 200 else None), answer

    async def _joined(self, session: Session, opened: Opened) -> Session:
        """Send CONNECT and poll until the namespace has answered."""
        loop, namespace = asyncio.get_running_loop(), self._target.namespace
        start = loop.time()
        lost: list[Answer] = []
        if opened.eio == 4 or namespace != "/":
            sent = await self._post(opened, connect_packet(namespace))
            if is_unknown_session(sent.status, sent.body):
                return session._replace(lost=(sent,))
            if sent.status != 200:
                return session._replace(join=Joining("not sent", _told(sent)))
        while (left_s := self._wire.deadline.within(JOIN_S - (loop.time() - start))) > 0:
            answer = await self._get(opened, left_s)
            if is_unknown_session(answer.status, answer.body):
                lost.append(answer)
                break
            if answer.status != 200:
                waited_s = loop.time() - start
                result = "silent" if answer.failure is Failure.SILENT else "broken"
                return session._replace(join=Joining(result, _told(answer), waited_s), lost=tuple(lost))
            packets, _ = split_payload(answer.body)
            joining = read_join(packets, namespace)
            if joining is not None:
                return session._replace(join=joining._replace(waited_s=loop.time() - start))
            if PING in packets and opened.eio == 4:
                await self._post(opened, PONG)
            if CLOSE in packets:
                return session._replace(join=Joining("refused", "the session was closed", loop.time() - start))
        return session._replace(lost=tuple(lost), join=Joining("silent", "", loop.time() - start))

    async def _upgraded(self, session: Session, opened: Opened) -> Session:
        """Probe a WebSocket for the session while a poll is pending, as a client does; the upgrade is not completed."""
        loop = asyncio.get_running_loop()
        pending = asyncio.ensure_future(self._get(opened, self._patience_s))
        try:
            await asyncio.sleep(0.02)  # the poll is to be at the server before the probe
            target = self._target.engine("websocket", sid=opened.sid, eio=opened.eio)
            async with self._wire.socket(target, self._lines) as (shaken, socket):
                if socket is None:
                    lost = (shaken.answer,) if _is_lost(shaken.answer) else ()
                    return session._replace(upgrade=shaken, lost=session.lost + lost)
                start = loop.time()
                await socket.send(f"{PING}probe")
                said = await socket.receive(self._patience_s)
                waited_s = loop.time() - start
                # What did not come counts only if it was waited for.
                late = -1.0 if waited_s >= _ENOUGH_S else 0.0
                probe_s = waited_s if said is not None else late
                shaken = shaken._replace(first=said, ended=socket.ended)
                poll_s = 0.0
                if said is not None:
                    done, _ = await asyncio.wait([pending], timeout=self._patience_s)
                    waited_s = loop.time() - start
                    poll_s = waited_s if done else -1.0 if waited_s >= _ENOUGH_S else 0.0
                return session._replace(upgrade=shaken, probe_s=probe_s, poll_s=poll_s)
        finally:
            pending.cancel()
            with suppress(asyncio.CancelledError):
                await pending

    async def rounds(self, *, with_cookies: bool = False) -> tuple[Round, ...]:
        """Open several sessions and ask for each over new connections; say whether the server knows it each time."""
        return tuple([await self._round(number, with_cookies=with_cookies) for number in range(ROUNDS)])

    async def _round(self, number: int, *, with_cookies: bool) -> Round:
        async with self._wire.line() as first:
            if isinstance(first, Answer):
                return Round()
            opened, answer = await self._open(first)
            if opened is None:
                return Round()
            cookies = _cookies_of(answer) if with_cookies or self._sends_cookies else ()
            known = unknown = 0
            target = self._target.engine("websocket", sid=opened.sid, eio=opened.eio)
            async with self._wire.socket(target, (*self._lines, *cookies)) as (shaken, _):
                is_known = shaken.is_open or not (_is_lost(shaken.answer) or not shaken.answer.is_there)
                known, unknown = known + is_known, unknown + _is_lost(shaken.answer)
            kept = None
            if not unknown:
                # A WebSocket that was refused says nothing where a proxy takes Upgrade off: the POST does.
                sent = await self._post(opened, CLOSE, cookies)
                known, unknown = known + (sent.status == 200), unknown + _is_lost(sent)
            if unknown:
                if number % 2:
                    # Two servers that take turns would otherwise answer the same one each time.
                    await self._ask_on(first, UNKNOWN_SID, cookies)
                again = await self._post_on(first, opened, CLOSE, cookies)
                kept = again.status == 200 if again.is_there else None
            return Round(known, unknown, kept)

    async def pending_poll(self) -> None:
        """Open a session and poll it, for as long as no one takes this away; close it then."""
        async with self._wire.line() as first:
            if isinstance(first, Answer):
                return
            opened, _ = await self._open(first)
            if opened is None:
                return
            try:
                while (await self._get(opened, self._wire.deadline.left_s)).status == 200:
                    pass
            finally:
                await self._leave(opened, first)

    # -- quiet connections

    async def idle_poll(self) -> Idle:
        """Hold a poll until the server has to speak, or until time is up."""
        loop = asyncio.get_running_loop()
        async with self._wire.line() as first:
            if isinstance(first, Answer):
                return Idle()
            opened, answer = await self._open(first)
            if opened is None or opened.eio != 4:
                return Idle()
            own = self._after(answer)
            needed_s, limit_s = opened.idle_s, self._wire.deadline.left_s - 0.3
            start = loop.time()
            try:
                if min(needed_s, limit_s) > _JOINS_FROM_S:
                    await own._post(opened, connect_packet(self._target.namespace))
                while (left_s := min(needed_s, limit_s) - (loop.time() - start)) > 0:
                    polled = await own._get(opened, left_s)
                    if polled.failure is Failure.SILENT:
                        break
                    if polled.status != 200:
                        return Idle(loop.time() - start, needed_s, _told(polled))
                    packets, _ = split_payload(polled.body)
                    if PING in packets:
                        await own._post(opened, PONG)
                    if CLOSE in packets:
                        break
                    if not packets:
                        return Idle(loop.time() - start, needed_s, "an answer without a packet")
            finally:
                await self._leave(opened, first)
            return Idle(loop.time() - start, needed_s)

    async def idle_socket(self) -> Idle:
        """Hold a WebSocket that says nothing but what it is asked for."""
        loop = asyncio.get_running_loop()
        target = self._target.engine("websocket")
        async with self._wire.socket(target, self._lines) as (_, socket):
            if socket is None:
                return Idle()
            first = await socket.receive(self._wire.deadline.within(FIRST_MESSAGE_S))
            opened = read_open_packet(first, 4) if first else None
            if opened is None:
                return Idle()
            needed_s, limit_s = opened.idle_s, self._wire.deadline.left_s - 0.3
            start = loop.time()
            if min(needed_s, limit_s) > _JOINS_FROM_S:
                await socket.send(connect_packet(self._target.namespace))
            while (left_s := min(needed_s, limit_s) - (loop.time() - start)) > 0:
                said = await socket.receive(left_s)
                if said == PING:
                    await socket.send(PONG)
                elif said == CLOSE:
                    return Idle(loop.time() - start, needed_s)
                elif said is None and socket.ended.startswith("close "):
                    return Idle(loop.time() - start, needed_s)  # the server's own end, by a Close frame
                elif said is None and socket.ended:
                    return Idle(loop.time() - start, needed_s, socket.ended)
            await _say_goodbye(socket)
            return Idle(loop.time() - start, needed_s)

    # -- requests of a session

    async def preflight(self, lines: Lines) -> Answer:
        """Send a preflight for a poll of a session, as a version 2 client's would be."""
        async with self._wire.line() as first:
            if isinstance(first, Answer):
                return first
            opened, answer = await self._open(first)
            if opened is None:
                return answer
            try:
                target = self._target.engine("polling", sid=opened.sid, eio=opened.eio)
                return await self._wire.ask("OPTIONS", target, lines)
            finally:
                await self._leave(opened, first)

    async def _get(self, opened: Opened, within_s: float) -> Answer:
        async with self._wire.line() as line:
            if isinstance(line, Answer):
                return line
            target = self._target.engine("polling", sid=opened.sid, eio=opened.eio)
            return await line.ask("GET", target, self._lines, within_s=within_s)

    async def _post(self, opened: Opened, packet: str, lines: Lines = ()) -> Answer:
        async with self._wire.line() as line:
            if isinstance(line, Answer):
                return line
            return await self._post_on(line, opened, packet, lines)

    async def _post_on(self, line: Line, opened: Opened, packet: str, lines: Lines = (), path: str = "") -> Answer:
        target = self._target.engine("polling", sid=opened.sid, eio=opened.eio, path=path)
        within_s = max(0.5, self._wire.deadline.within(2.0))
        asked = (*self._lines, *lines, _TEXT)
        return await line.ask("POST", target, asked, written(packet, opened.eio), within_s=within_s, keeps=True)

    async def _ask_on(self, line: Line, sid: str, lines: Lines = ()) -> Answer:
        target = self._target.engine("polling", sid=sid)
        return await line.ask("GET", target, (*self._lines, *lines), within_s=self._patience_s, keeps=True)

    async def _leave(self, opened: Opened, line: Line, *, path: str = "", lines: Lines | None = None) -> None:
        """Close the session, over the connection that opened it where that still is of use."""
        sender = self if lines is None else Sessions(self._wire, self._target, lines)
        if line.is_usable and (await sender._post_on(line, opened, CLOSE, path=path)).is_there:
            return
        async with self._wire.line() as other:
            if isinstance(other, Line):
                await sender._post_on(other, opened, CLOSE, path=path)


async def _say_goodbye(socket: Socket) -> None:
    await socket.send(CLOSE)


def _is_lost(answer: Answer) -> bool:
    return is_unknown_session(answer.status, answer.body)


def _told(answer: Answer) -> str:
    """Return in a few words how `answer` is none that a session expects."""
    return str(answer.status) if answer.is_there else str(answer.failure)


def _cookies_of(answer: Answer) -> tuple[tuple[str, str], ...]:
    pairs = [value.partition(b";")[0].strip().decode("latin-1") for value in answer.values("set-cookie")]
    return (("Cookie", "; ".join(pairs)),) if pairs else ()
