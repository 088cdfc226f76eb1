"""The probes, in their order: what is asked next depends on what came back, and everything ends in the time given.

Start at :func:`examine`. Which observation means what is not decided here, but in :mod:`devproxy.doctor.diagnosis`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Final

from devproxy.authority.networks import is_loopback, is_this_machine
from devproxy.doctor.observed import Answer, Failure, Seen, Streamed
from devproxy.doctor.packets import read_open
from devproxy.doctor.reaching import Reached, reach, speaks_tls
from devproxy.doctor.reading import (
    engine_at,
    followed_path,
    is_engine_answer,
    is_refused,
    is_stream,
    may_read,
    wants_old_protocol,
)
from devproxy.doctor.sessions import UNKNOWN_SID, Sessions
from devproxy.doctor.target import Target
from devproxy.doctor.wire import Deadline, Line, Way, Wire, connect

Lines = tuple[tuple[str, str], ...]
STRANGER: Final = b"https://doctor-stranger.example"
"""A web site of which no server can know."""
PATHS: Final = (
    "/socket.io/",
    "/ws/",
    "/ws",
    "/api/socket/",
    "/api/socket",
    "/api/socket.io/",
    "/ws/socket.io/",
    "/socket/",
    "/socket/socket.io/",
    "/api/ws/",
    "/api/socketio/",
    "/api/socketio",
    "/socketio/",
    "/sio/",
    "/io/",
    "/chat/",
    "/chat/socket.io/",
    "/realtime/",
    "/engine.io/",
    "/my-custom-path/",
    "/custom/",
    "/custom-path/",
    "/app/socket.io/",
    "/api/v1/socket.io/",
    "/v1/socket.io/",
    "/backend/socket.io/",
    "/server/socket.io/",
    "/realtime/socket.io/",
    "/socketio/socket.io/",
    "/live/",
    "/notifications/",
)
"""Where Engine.IO is found in the documentation of frameworks, besides the default."""
_PORTS: Final = (3000, 5173, 8080, 4200, 8000, 5000, 3001, 4173, 8081, 1234)
MAX_CANDIDATES: Final = 20
_WAITS_S: Final = 2.0
_HINTS: Final = ("/openapi.json", "/@vite/client", "/sockjs/info", "/echo/info", "/ws/info")
"""Paths that tell what a server is where its first page does not."""


async def examine(
    target: Target,
    *,
    page: bytes,
    where: str,
    deadline: Deadline,
    includes_credentials: bool = False,
    is_page_given: bool = True,
    stranger: bytes = STRANGER,
) -> tuple[Seen, Sessions | None]:
    """Ask `target` everything that takes no patience; return what was seen, and what can hold quiet connections."""
    seen = Seen(where, target, page, stranger, includes_credentials=includes_credentials, is_page_given=is_page_given)
    reached = await reach(target, deadline)
    seen = _with_reached(seen, reached)
    if reached.way is None:
        return seen, None
    examiner = _Examiner(seen, reached.way, deadline)
    await examiner.run()
    return examiner.seen, examiner.sessions if read_open(examiner.seen.polled_page.body) else None


async def hold(seen: Seen, sessions: Sessions) -> Seen:
    """Hold a poll and a WebSocket for as long as there is time; return `seen` with what became known."""
    wants_socket = seen.socket_page.is_open and not seen.is_lone
    poll = asyncio.ensure_future(sessions.idle_poll())
    if wants_socket:
        socket_result, poll_result = await asyncio.gather(sessions.idle_socket(), poll)
        return seen._replace(idle_poll=poll_result, idle_socket=socket_result)
    return seen._replace(idle_poll=await poll)


def _with_reached(seen: Seen, reached: Reached) -> Seen:
    return seen._replace(
        connections=reached.connections,
        elsewhere=reached.elsewhere,
        certificate=reached.certificate,
        other_scheme=reached.other_scheme,
    )


class _Examiner:
    """Asks one server. ``seen``: what is known so far."""

    def __init__(self, seen: Seen, way: Way, deadline: Deadline) -> None:
        self.seen = seen
        self._way = way
        self._deadline = deadline
        self._use(most=4)

    def _use(self, *, most: int) -> None:
        self._wire = Wire(self._way, self._deadline, most=most)
        target = self.seen.target
        self._page = self._lines_for(self.seen.page)
        self._stranger = self._lines_for(self.seen.stranger)
        self._plain = Sessions(self._wire, target, ())
        sends = self.seen.includes_credentials or self.seen.is_same_origin
        self.sessions = Sessions(self._wire, target, self._page, sends_cookies=sends)

    def _lines_for(self, origin: bytes) -> Lines:
        """Return what a browser adds to a request of a page of `origin` (Fetch, Fetch Metadata)."""
        target = self.seen.target
        text = origin.decode("latin-1")
        lines: Lines = (("Origin", text),)
        if text != "null":
            lines += (("Referer", f"{text}/"),)
        if not (target.is_tls or is_loopback(target.host)):
            return lines  # to other addresses in plain HTTP, browsers do not say what they ask for
        site = "same-origin" if origin == target.origin else "same-site" if _is_same_site(origin, target) else None
        return (
            *lines,
            ("Sec-Fetch-Site", site or "cross-site"),
            ("Sec-Fetch-Mode", "cors"),
            ("Sec-Fetch-Dest", "empty"),
        )

    async def run(self) -> None:
        """Ask everything."""
        polled = await self._first_poll()
        self._note(polled=polled)
        if not polled.is_there:
            await self._explain_silence()
            return
        await self._other_address()
        if self._other_scheme_is_likely(polled):
            self._note(other_scheme=await speaks_tls(self._way, self._deadline))
            if self.seen.other_scheme:
                return
        await self._polls()
        if engine_at(self.seen):
            await self._engine()
        else:
            await self._something_else()

    def _note(self, **observed: object) -> None:
        self.seen = self.seen._replace(**observed)  # type: ignore[arg-type]

    async def _gather(self, **asked: Awaitable[object]) -> None:
        """Note the answers to several questions, which are put side by side unless the server is a lone one."""
        if self.seen.is_lone:
            for name, question in asked.items():
                self._note(**{name: await question})
            return
        answers = await asyncio.gather(*asked.values())
        self._note(**dict(zip(asked, answers, strict=True)))

    # -- the first answer

    async def _first_poll(self) -> Answer:
        """Ask for a session while another connection is open and says nothing, as a browser opens them in advance."""
        patience_s = self._deadline.patience_s
        polled, waited = await self._poll_beside_an_idle_one(patience_s)
        if waited and polled.is_there:
            # A server that is slow may have taken that long without the other connection, too.
            alone = await self._plain.poll(())
            patience_s = max(patience_s, 3 * alone.end_s + 0.5)
            if 2 * patience_s > self._deadline.left_s:
                return polled  # no time to be sure of it
            again, waited = await self._poll_beside_an_idle_one(patience_s)
            if waited and again.is_there:
                self._note(is_lone=True)
                self._use(most=1)
        return polled

    async def _poll_beside_an_idle_one(self, patience_s: float) -> tuple[Answer, bool]:
        """Ask for a session beside a connection that says nothing for `patience_s`; return the answer, and whether it
        came only when that connection had ended."""
        patience_s = self._deadline.within(patience_s)
        idle = await connect(self._way._replace(tls=None), patience_s)
        poll = asyncio.ensure_future(self._plain.poll((), within_s=2 * patience_s))
        done, _ = await asyncio.wait([poll], timeout=patience_s)
        if isinstance(idle, Line):
            await idle.close()
        return await poll, not done

    async def _other_address(self) -> None:
        """Ask the other address of ``localhost`` as well: two servers may have one port, each on a family of its "
        "own."""
        good = [each.address for each in self.seen.connections if each.failure is Failure.NONE]
        if not is_this_machine(self.seen.target.host) or len(good) != 2 or self.seen.is_lone:
            return
        other = Wire(self._way._replace(address=good[1]), self._deadline)
        self._note(polled_other=await Sessions(other, self.seen.target, ()).poll(()))

    def _other_scheme_is_likely(self, polled: Answer) -> bool:
        """Tell whether a plain request may have met a server of TLS, by the answers that such servers give."""
        words = polled.body[:2048].lower()
        return not self.seen.target.is_tls and polled.status == 400 and (b"https" in words or b"tls" in words)

    async def _explain_silence(self) -> None:
        if not self.seen.target.is_tls:
            self._note(other_scheme=await speaks_tls(self._way, self._deadline))
            if self.seen.other_scheme:
                return
        plain = await self._wire.ask("GET", self.seen.target.resource)
        self._note(resource=plain)
        if plain.is_there:
            await self._something_else()
            return
        line = await connect(self._way, self._deadline.within(2.0))
        if isinstance(line, Line):
            # Servers of other protocols often speak first: SSH, MySQL, mail.
            try:
                async with asyncio.timeout(self._deadline.within(1.0)):
                    raw = await line.reader.read(256)
            except (TimeoutError, OSError):
                raw = b""
            await line.close()
            if raw:
                self._note(resource=Answer(failure=Failure.NOT_HTTP, raw=raw))

    # -- polls

    async def _polls(self) -> None:
        target = self.seen.target
        asked: dict[str, Awaitable[object]] = {
            "polled_page": self.sessions.poll(self._page),
            "polled_stranger": self._plain.poll(self._stranger),
            "resource_page": self._wire.ask("GET", self._resource(), self._page),
        }
        if is_engine_answer(self.seen.polled) and wants_old_protocol(self.seen):
            asked["polled_old"] = self._plain.poll((), eio=3 if target.eio == 4 else 4)
        await self._gather(**asked)

    def _resource(self) -> str:
        """Return what is asked besides Engine.IO: the URL's own, or the root where that is a namespace."""
        is_namespace = engine_at(self.seen) and self.seen.target.namespace != "/"
        return "/" if is_namespace else self.seen.target.resource

    def _preflight_lines(self, method: str, names: str) -> Lines:
        asked: Lines = (("Access-Control-Request-Method", method), ("Access-Control-Request-Headers", names))
        return tuple(line for line in self._page if line[0] != "Referer") + asked

    # -- a server of Engine.IO

    async def _engine(self) -> None:
        target = self.seen.target
        asks = self._preflight_lines("GET", "x-devproxy-doctor")
        await self._gather(
            preflight=self._wire.ask("OPTIONS", target.engine("polling"), asks),
            unknown_session=self._wire.ask("GET", target.engine("polling", sid=UNKNOWN_SID), self._page),
            socket_page=self.sessions.handshake(self._socket_lines(self.seen.page)),
            socket_stranger=self._plain.handshake(self._socket_lines(self.seen.stranger)),
        )
        if not self.seen.socket_page.is_open:
            await self._refused_sockets()
        opened = read_open(self.seen.polled_page.body)
        if opened and opened.eio == 3 and self.seen.preflight.status == 400:
            self._note(preflight_in=await self.sessions.preflight(asks))
        if not self.seen.is_same_origin and not may_read(self.seen, self.seen.polled_page):
            await self._candidates(target.engine("polling", sid=UNKNOWN_SID))
        if opened is None:
            return
        self._note(session=await self.sessions.whole())
        await self._waiting()
        if not self.seen.is_lone:
            self._note(rounds=await self.sessions.rounds())
            if any(each.unknown for each in self.seen.rounds) and any(
                answer.value("set-cookie") for answer in (self.seen.polled, self.seen.polled_page)
            ):
                helped = await self.sessions.rounds(with_cookies=True)
                is_helped = not any(each.unknown for each in helped)
                self._note(session=self.seen.session._replace(cookies_help=is_helped))

    async def _waiting(self) -> None:
        """See whether a poll that is pending keeps another request waiting."""
        if self.seen.is_lone or self._deadline.left_s < 2 * _WAITS_S:
            return
        pending = asyncio.ensure_future(self.sessions.pending_poll())
        try:
            await asyncio.sleep(0.05)
            target = self.seen.target.engine("polling", sid=UNKNOWN_SID)
            quick = await self._wire.ask("GET", target, within_s=_WAITS_S)
            if quick.is_there or pending.done():
                return
        finally:
            pending.cancel()
            await asyncio.gather(pending, return_exceptions=True)
        again = await self._wire.ask("GET", target, within_s=_WAITS_S)
        self._note(is_lone=again.is_there)

    def _socket_lines(self, origin: bytes) -> Lines:
        return (("Origin", origin.decode("latin-1")),)

    async def _refused_sockets(self) -> None:
        """Ask for the WebSocket that was refused in other ways, to see what it is that is refused."""
        target = self.seen.target
        await self._gather(
            socket_none=self._plain.handshake(()),
            socket_own=self._plain.handshake(self._socket_lines(target.origin)),
            unupgraded=self._wire.ask("GET", target.engine("websocket"), self._page),
        )

    async def _candidates(self, resource: str) -> None:
        """Ask on behalf of other origins, until it is known which may read."""
        origins = [origin for origin in candidates(self.seen.page, self.seen.target) if origin != self.seen.page]
        if self.seen.is_lone:
            return
        answers = await asyncio.gather(
            *(self._wire.ask("GET", resource, self._lines_for(each), within_s=2.0) for each in origins)
        )
        read = [
            origin
            for origin, answer in zip(origins, answers, strict=True)
            if answer.values("access-control-allow-origin") == [origin]
        ]
        self._note(allowed=tuple(read))

    # -- anything else

    async def _something_else(self) -> None:
        """See whether Engine.IO is at another path, and what the URL itself is."""
        target = self.seen.target
        if path := followed_path(self.seen):
            self._note(followed=(path, await self._plain.poll((), path=path)))
            if is_engine_answer(self.seen.followed[1]):
                return
        if not is_refused(self.seen.polled) and not await self._paths():
            return
        await self._gather(
            resource=self._wire.ask("GET", target.resource),
            resource_stranger=self._wire.ask("GET", target.resource, self._stranger),
            resource_preflight=self._wire.ask(
                "OPTIONS", target.resource, self._preflight_lines("POST", "authorization,content-type")
            ),
            socket_resource=self._plain.handshake(self._socket_lines(self.seen.page), target=target.resource),
            preflight=self._wire.ask(
                "OPTIONS", target.engine("polling"), self._preflight_lines("GET", "x-devproxy-doctor")
            ),
        )
        if not self.seen.socket_resource.is_open:
            self._note(socket_none=await self._plain.handshake((), target=target.resource))
        asked = (self.seen.resource, self.seen.resource_page)
        if any(is_stream(answer) or answer.failure is Failure.SILENT for answer in asked):
            self._note(streamed=await self._event_stream())
        if not self.seen.is_same_origin and not may_read(self.seen, self.seen.resource_page):
            await self._candidates(target.resource)
        if not self.seen.is_lone:
            prefix = "" if target.namespace == "/" else target.namespace
            hints = tuple(dict.fromkeys((*_HINTS, f"{prefix}/info", f"{prefix}/negotiate")))
            answers = await asyncio.gather(*(self._wire.ask("GET", path, within_s=2.0) for path in hints))
            self._note(hints=tuple(zip(hints, answers, strict=True)))

    async def _paths(self) -> bool:
        """Ask for a session at other paths; return whether it is still unknown where Engine.IO is."""
        target = self.seen.target
        prefix = "" if target.namespace == "/" else target.namespace
        own = (f"{prefix}/socket.io/", f"{prefix}/", f"{target.path.rstrip('/')}/socket.io/") if prefix else ()
        bare = (target.path.rstrip("/"),) if target.path != "/" else ()
        paths = [path for path in dict.fromkeys((*own, *bare, *PATHS)) if path and path != target.path]
        if self.seen.is_lone:
            paths = paths[:4]
        found: list[tuple[str, Answer]] = []
        for start in range(0, len(paths), 8):
            part = paths[start : start + 8]
            answers = await self._at_each(part)
            found += zip(part, answers, strict=True)
            if any(is_engine_answer(answer) for answer in answers):
                break
        self._note(paths=tuple(found))
        return not any(is_engine_answer(answer) for _, answer in found)

    async def _at_each(self, paths: Sequence[str]) -> list[Answer]:
        if self.seen.is_lone:
            return [await self._plain.poll((), path=path) for path in paths]
        return list(await asyncio.gather(*(self._plain.poll((), path=path) for path in paths)))

    async def _event_stream(self) -> Streamed:
        """Ask for an event stream without and with compression on offer; return when the first event came."""
        waited_s = max(0.5, min(4.0, self._deadline.left_s / 3))
        resource = self.seen.target.resource
        plain = await self._wire.ask("GET", resource, (*self._page, *_EVENTS), within_s=waited_s)
        packed = await self._wire.ask(
            "GET", resource, (*self._page, *_EVENTS, ("Accept-Encoding", "gzip, deflate, br")), within_s=waited_s
        )
        return Streamed(
            plain_s=plain.body_s or -1.0,
            packed_s=packed.body_s or -1.0,
            waited_s=waited_s,
            coding=packed.value("content-encoding"),
        )


_EVENTS: Final = (("Accept", "text/event-stream"), ("Cache-Control", "no-cache"))


def candidates(page: bytes, target: Target) -> tuple[bytes, ...]:
    """Return origins that a list of a developer's server may well have, nearest to `page` first."""
    scheme, _, rest = page.partition(b"://")
    host, colon, port = rest.rpartition(b":") if b":" in rest.replace(b"[::1]", b"") else (rest, b"", b"")
    other_host = {b"localhost": b"127.0.0.1", b"127.0.0.1": b"localhost"}.get(host)
    near = [(b"https" if scheme == b"http" else b"http") + b"://" + rest]
    if other_host:
        near.append(scheme + b"://" + other_host + colon + port)
    near.append(target.origin)
    usual = [b"http://localhost:%d" % number for number in _PORTS]
    usual += [b"http://127.0.0.1:%d" % number for number in _PORTS[:3]] + [
        b"http://localhost",
        b"https://localhost:3000",
    ]
    return tuple(dict.fromkeys((*near, *usual)))[:MAX_CANDIDATES]


def _is_same_site(origin: bytes, target: Target) -> bool:
    """Tell whether a page of `origin` and `target` have scheme and host in common: a site, as far as no list is "
    "asked."""
    scheme, _, rest = origin.partition(b"://")
    host = rest[: rest.find(b"]") + 1] if rest.startswith(b"[") else rest.partition(b":")[0]
    return scheme.decode("latin-1") == target.scheme and host.decode("latin-1").strip("[]") == target.host
