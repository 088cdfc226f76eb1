"""The verdict against real Chromium: every combination is run in the browser and compared with the prediction.

One page asks for each case at another port, whose server answers with exactly the heads of that case; what the page got
and what the console said must be what :mod:`devproxy.policy.verdict` says. A second page, sandboxed by its
``Content-Security-Policy``, has the origin ``null``.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from devproxy.authority.origins import OPAQUE
from devproxy.config.model import Cors, CorsMode, PathKind, PreflightMode, Route
from devproxy.config.model import Server as ServerConfig
from devproxy.http.fields import make_field
from devproxy.http1.head import parse_request_head, parse_response_head
from devproxy.http1.start_line import Limits
from devproxy.plan import Respond, Snapshot, answers_preflight, compile_snapshot, plan_request
from devproxy.policy.hop import Peer
from devproxy.policy.verdict import REDIRECTS, Hop, PageRequest, RequestKind, Verdict, judge
from tests.support.browser import Page, open_page
from tests.support.heads import head_for_client, render_answer
from tests.support.wire import ScriptedUpstream, address_of, config_for, running

SEED: Final = 20261121
PARALLEL: Final = 8
NOISE: Final = re.compile(r"Failed to load resource: (?:net::ERR_FAILED|the server responded)").match
"""Said besides: the status of every answer from 400 on, and that a request failed for which there are words."""
Lines = tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One scripted answer. ``PAGE`` in a value stands for the page's origin.

    ``location``: the place it redirects to. ``preflight``: the answer to the preflight before it, after a redirect.
    """

    status: int = 200
    lines: Lines = ()
    location: str = ""
    preflight: Answer | None = None


@dataclass(frozen=True, kw_only=True)
class Case:
    """What a page asks, and what it is answered.

    ``credentials``: the mode, as in ``fetch``. ``prefix``: of the path, by which a route is chosen where one is.
    """

    prefix: str = ""
    kind: RequestKind = RequestKind.FETCH
    is_sandboxed: bool = False
    method: str = "GET"
    credentials: str = "omit"
    headers: Lines = ()
    preflight: Answer | None = None
    hops: tuple[Answer, ...] = field(default=(Answer(),))


def origin_line(value: str) -> tuple[str, str]:
    return ("Access-Control-Allow-Origin", value)


def credentials_line(value: str) -> tuple[str, str]:
    return ("Access-Control-Allow-Credentials", value)


ORIGINS: Final[tuple[Lines, ...]] = (
    (),
    (origin_line("PAGE"),),
    (origin_line("*"),),
    (origin_line("PAGE"), origin_line("PAGE")),
    (origin_line("PAGE, PAGE"),),
    (origin_line("*"), origin_line("PAGE")),
    (origin_line("*, *"),),
    (origin_line("http://other.test"),),
    (origin_line("null"),),
    (origin_line("PAGE/"),),
    (origin_line("HTTP://LOCALHOST:1"),),
    (origin_line("http://localhost:80"),),
    (origin_line("localhost:3000"),),
    (origin_line("localhost"),),
    (origin_line("http//localhost"),),
    (origin_line("http://"),),
    (origin_line(""),),
)
CREDENTIALS: Final[tuple[Lines, ...]] = (
    (),
    (credentials_line("true"),),
    (credentials_line("True"),),
    (credentials_line("true"), credentials_line("true")),
    (credentials_line("false"),),
)
GOOD: Final[Lines] = (origin_line("PAGE"), credentials_line("true"))
METHODS: Final = ("", "PUT", "DELETE, PUT", "put", "*", "GET, POST", "PUT;DELETE", "PATCH")
HEADERS: Final = ("", "x-a", "X-A, authorization", "authorization", "*", "*, authorization", "x-b", "x a")


def cases() -> list[Case]:
    return [*simple(), *preflighted(), *redirected(), *sandboxed(), *others()]


def simple() -> Iterator[Case]:
    for origins, mode in itertools.product(ORIGINS, ("omit", "include")):
        yield Case(credentials=mode, hops=(Answer(lines=(*origins, credentials_line("true"))),))
    for origins, said in itertools.product(ORIGINS[1:3], CREDENTIALS):
        yield Case(credentials="include", hops=(Answer(lines=(*origins, *said)),))
        yield Case(kind=RequestKind.XHR, credentials="include", hops=(Answer(lines=(*origins, *said)),))
    for status in (201, 204, 206, 400, 401, 403, 404, 413, 431, 500, 502, 503, 504):
        yield Case(hops=(Answer(status=status, lines=GOOD),))
        yield Case(hops=(Answer(status=status),))
    for headers in ((("content-type", "text/plain"),), (("accept", "text/x"),), (("accept-language", "de"),)):
        yield Case(method="POST", headers=headers, hops=(Answer(lines=GOOD),))


def preflighted() -> Iterator[Case]:
    chance = random.Random(SEED)
    asked: tuple[tuple[str, Lines], ...] = (
        ("PUT", ()),
        ("put", ()),
        ("patch", ()),
        ("PATCH", ()),
        ("GET", (("x-a", "1"),)),
        ("GET", (("authorization", "Bearer x"),)),
        ("POST", (("content-type", "application/json"),)),
        ("GET", (("accept-language", "a" * 129),)),
        ("DELETE", (("x-a", "1"), ("authorization", "x"))),
    )
    for (method, headers), mode in itertools.product(asked, ("omit", "include")):
        for _ in range(5):
            allowed = (
                *chance.choice((GOOD, GOOD, GOOD, *(lines for lines in ORIGINS))),
                *((("Access-Control-Allow-Methods", listed),) if (listed := chance.choice(METHODS)) else ()),
                *((("Access-Control-Allow-Headers", named),) if (named := chance.choice(HEADERS)) else ()),
            )
            status = chance.choice((200, 204, 204, 204, 299, 301, 302, 307, 400, 401, 404, 405, 500))
            preflight = Answer(status=status, lines=allowed, location="same" if status in REDIRECTS else "")
            yield Case(
                method=method, headers=headers, credentials=mode, preflight=preflight, hops=(Answer(lines=GOOD),)
            )


def redirected() -> Iterator[Case]:
    for status, place, first, last in itertools.product(
        (302, 307), ("same", "page", "third"), (GOOD, ()), (GOOD, (), (origin_line("null"), credentials_line("true")))
    ):
        yield Case(
            credentials="include",
            hops=(Answer(status=status, lines=first, location=place), Answer(lines=last)),
        )
    for place in ("same-user", "third-user"):
        yield Case(hops=(Answer(status=302, lines=GOOD, location=place), Answer(lines=GOOD)))
    yield Case(
        hops=(
            Answer(status=302, lines=GOOD, location="third"),
            Answer(status=302, lines=(origin_line("null"),), location="same"),
            Answer(lines=(origin_line("*"),)),
        )
    )


def sandboxed() -> Iterator[Case]:
    for origins, mode in itertools.product(ORIGINS, ("omit", "include")):
        yield Case(is_sandboxed=True, credentials=mode, hops=(Answer(lines=(*origins, credentials_line("true"))),))


def others() -> Iterator[Case]:
    stream = ("Content-Type", "text/event-stream")
    for origins, mode in itertools.product(ORIGINS[:6], ("omit", "include")):
        lines = (*origins, credentials_line("true"), stream)
        yield Case(kind=RequestKind.EVENT_SOURCE, credentials=mode, hops=(Answer(lines=lines),))
    for origins in ORIGINS[:3]:
        yield Case(kind=RequestKind.NO_CORS, hops=(Answer(lines=origins),))


# -- what the model says -----------------------------------------------------------------------------------------------


@dataclass
class World:
    """Where the parts of the test listen."""

    page: str
    target: str
    third: str

    def place(self, name: str, number: int, hop: int) -> str:
        """Return the URL of a case's `hop` at the place called `name`."""
        name, _, user = name.partition("-")
        origin = {"same": self.target, "page": self.page, "third": self.third}[name]
        return f"{origin.replace('//', '//a:b@') if user else origin}/case/{number}/{hop}"

    def origin_of(self, name: str) -> bytes:
        return self.place(name.partition("-")[0], 0, 0).partition("/case")[0].encode()


def predicted(case: Case, world: World) -> Verdict:
    page = OPAQUE if case.is_sandboxed else world.page.encode()

    def hop(answer: Answer, before: Answer | None = None) -> Hop:
        lines, place, target = list(answer.lines), b"", b""
        if answer.location:
            place, target = world.place(answer.location, 0, 1).encode(), world.origin_of(answer.location)
            lines.append(("Location", place.decode()))
        fields = tuple(
            make_field(name.encode(), value.replace("PAGE", page.decode()).encode()) for name, value in lines
        )
        preflight = None if before is None else hop(before)
        return Hop(status=answer.status, fields=fields, location=place, target=target, preflight=preflight)

    request = PageRequest(
        kind=case.kind,
        method=case.method.encode(),
        page=page,
        target=world.target.encode(),
        includes_credentials=case.credentials == "include",
        headers=tuple((name.encode(), value.encode()) for name, value in case.headers),
    )
    first, *others = case.hops
    hops = [hop(first), *(hop(answer, answer.preflight or case.preflight) for answer in others)]
    return judge(request, hops, hop(case.preflight) if case.preflight else None)


# -- the servers -------------------------------------------------------------------------------------------------------

SCRIPT: Final = """
const run = async (number, prefix, kind, method, credentials, headers) => {
  const url = `${TARGET}${prefix}/case/${number}/0`;
  if (kind === "EventSource") return await new Promise((done) => {
    const source = new EventSource(url, { withCredentials: credentials === "include" });
    source.onopen = () => { source.close(); done(true); };
    source.onerror = () => { source.close(); done(false); };
  });
  if (kind === "XMLHttpRequest") return await new Promise((done) => {
    const request = new XMLHttpRequest();
    request.open(method, url);
    request.withCredentials = credentials === "include";
    for (const [name, value] of headers) request.setRequestHeader(name, value);
    request.onload = () => done(true);
    request.onerror = () => done(false);
    request.send();
  });
  const mode = kind === "no-cors" ? "no-cors" : "cors";
  try { await fetch(url, { method, mode, credentials, headers }); return true; } catch { return false; }
};
const runAll = async (cases, parallel) => {
  const results = {}, waiting = [...cases];
  const worker = async () => {
    for (let next; (next = waiting.shift()); ) results[next[0]] = await run(...next);
  };
  await Promise.all(Array.from({ length: parallel }, worker));
  return results;
};
"""


class Server:
    """Answers ``/case/NUMBER/HOP`` with what the case says, and ``/`` and ``/sandbox`` with the page."""

    def __init__(self, listed: list[Case]) -> None:
        self._cases = listed
        self.world: World | None = None

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                lines = head.split("\r\n")
                method, target, _ = lines[0].split(" ")
                names = {line.partition(":")[0].lower() for line in lines[1:]}
                writer.write(self._answer(method, target, names))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _answer(self, method: str, target: str, names: set[str]) -> bytes:
        assert self.world is not None
        if "/case/" not in target:
            script = f"<!doctype html><script>const TARGET = {json.dumps(self.world.target)};{SCRIPT}</script>"
            policy = "Content-Security-Policy: sandbox allow-scripts\r\n" if target == "/sandbox" else ""
            return (
                f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n{policy}Content-Length: {len(script)}\r\n\r\n{script}"
            ).encode()
        number, hop = (int(part) for part in target.partition("/case/")[2].split("/"))
        case = self._cases[number]
        is_preflight = method == "OPTIONS" and "access-control-request-method" in names
        answer = case.hops[min(hop, len(case.hops) - 1)]
        if is_preflight:
            answer = answer.preflight or case.preflight or answer
        page = "null" if case.is_sandboxed else self.world.page
        fields = [f"{name}: {value.replace('PAGE', page)}" for name, value in answer.lines]
        if answer.location:
            fields.append(f"Location: {self.world.place(answer.location, number, hop + 1)}")
        has_body = answer.status != 204
        body = ":\n\n" if has_body else ""
        fields += [f"Content-Length: {len(body)}"] if has_body else []
        return "\r\n".join((f"HTTP/1.1 {answer.status} X", *fields, "", body)).encode()


@asynccontextmanager
async def served(listed: list[Case]) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        server, origins = Server(listed), []
        for _ in range(3):
            listening = await asyncio.start_server(server.handle, "127.0.0.1", 0)
            stack.callback(listening.close)
            origins.append(f"http://localhost:{listening.sockets[0].getsockname()[1]}")
        server.world = World(*origins)
        yield server.world


async def asked(page: Page, url: str, listed: list[tuple[int, Case]]) -> dict[int, bool]:
    await page.goto(url)
    await page.until("typeof runAll === 'function' && document.readyState === 'complete'")
    rows: list[Any] = [
        [number, case.prefix, str(case.kind), case.method, case.credentials, case.headers] for number, case in listed
    ]
    results = await page.evaluate(f"runAll({json.dumps(rows)}, {PARALLEL})")
    return {int(number): got for number, got in results.items()}


def disagreement(number: int, case: Case, got: bool, reports: list[tuple[str, str]], verdict: Verdict) -> str:
    """Return in which way the browser and the verdict differ, or nothing."""
    said = [text for url, text in reports if f"/case/{number}/" in url + text and not NOISE(text)]
    if verdict.text.startswith("EventSource's"):  # words that name no URL
        said += [text for _, text in reports if text.startswith("EventSource's")]
    if got == verdict.is_blocked:
        return f"{number}: Chromium {'allowed' if got else 'blocked'}, the verdict is {verdict}: {case}: {said}"
    if verdict.is_blocked and verdict.text and not any(verdict.text in text for text in said):
        return f"{number}: expected «{verdict.text}», Chromium said {said}: {case}"
    if not verdict.text and said:
        return f"{number}: the verdict has no words, but Chromium said {said}: {case}"
    return ""


async def compared(listed: list[Case], page: Page, world: World, verdicts: list[Verdict]) -> list[str]:
    """Run `listed` in the browser and return every disagreement with `verdicts`."""
    numbered = list(enumerate(listed))
    results = await asked(page, f"{world.page}/", [(n, case) for n, case in numbered if not case.is_sandboxed])
    results |= await asked(page, f"{world.page}/sandbox", [(n, case) for n, case in numbered if case.is_sandboxed])
    wrong: list[str] = []
    for _ in range(40):  # the console speaks a little later than the page
        wrong = [
            words
            for number, case in numbered
            if (words := disagreement(number, case, results[number], page.reports, verdicts[number]))
        ]
        if not wrong:
            break
        await asyncio.sleep(0.1)
    return wrong


async def test_chromium_does_what_the_verdict_says_and_says_it_in_these_words() -> None:
    listed = cases()
    assert len(listed) >= 150
    async with served(listed) as world, open_page() as page:
        verdicts = [predicted(case, world) for case in listed]
        wrong = await compared(listed, page, world, verdicts)
    assert not wrong, f"{len(wrong)} of {len(listed)}:\n" + "\n".join(wrong[:12])
    assert {verdict.is_blocked for verdict in verdicts} == {True, False}


# -- through devproxy --------------------------------------------------------------------------------------------------

MODES: Final = {
    "/rewrite": Cors(mode=CorsMode.REWRITE),
    "/open": Cors(mode=CorsMode.REWRITE, credentials=False, dangerously_allow_any_origin=True),
    "/closed": Cors(mode=CorsMode.REWRITE, origins=()),
    "/fix": Cors(mode=CorsMode.FIX, preflight=PreflightMode.FORWARD_OR_ANSWER),
    "/strip": Cors(mode=CorsMode.STRIP),
    "/passthrough": Cors(mode=CorsMode.PASSTHROUGH, preflight=PreflightMode.FORWARD),
}


def routes() -> tuple[Route, ...]:
    return tuple(
        Route(kind=PathKind.PREFIX, pattern=f"{prefix}/", upstream="backend", cors=cors, guard=prefix != "/open")
        for prefix, cors in MODES.items()
    )


def through_devproxy() -> Iterator[Case]:
    for prefix, origins, mode in itertools.product(MODES, ORIGINS[:10], ("omit", "include")):
        yield Case(prefix=prefix, credentials=mode, hops=(Answer(lines=(*origins, credentials_line("true"))),))
    for prefix, origins in itertools.product(MODES, ORIGINS[:4]):
        yield Case(prefix=prefix, is_sandboxed=True, hops=(Answer(lines=origins),))
    headers = (("authorization", "x"), ("x-a", "1"))
    listed = (*GOOD, ("Access-Control-Allow-Methods", "*"), ("Access-Control-Allow-Headers", "*"))
    elsewhere = (("Access-Control-Allow-Origin", "http://localhost:9"), *listed[1:])
    for prefix, preflight in itertools.product(
        MODES, (Answer(status=204, lines=listed), Answer(status=404, lines=listed), Answer(), Answer(lines=elsewhere))
    ):
        yield Case(
            prefix=prefix,
            method="PUT",
            credentials="include",
            headers=headers,
            preflight=preflight,
            hops=(Answer(lines=GOOD),),
        )


def what_devproxy_makes_of(case: Case, world: World, snapshot: Snapshot, number: int) -> Verdict:
    """Return the verdict on what the plan and the policy let through."""
    page = "null" if case.is_sandboxed else world.page
    credentials = case.credentials == "include"

    def hop(method: str, answer: Answer, *lines: str) -> Hop:
        site = "cross-site" if case.is_sandboxed else "same-site"
        own = (f"Host: {world.target[7:]}", f"Origin: {page}", f"Sec-Fetch-Site: {site}", "Sec-Fetch-Mode: cors")
        start = f"{method} {case.prefix}/case/{number}/0 HTTP/1.1"
        head = parse_request_head("\r\n".join((start, *own, *lines)).encode(), Limits())
        plan = plan_request(head, snapshot)
        fields = [f"{name}: {value.replace('PAGE', page)}" for name, value in answer.lines]
        if isinstance(plan, Respond):
            octets = render_answer(plan.answer, head, keep_alive=True, lines=plan.lines)
        else:
            block = "\r\n".join((f"HTTP/1.1 {answer.status} X", *fields)).encode()
            response = parse_response_head(block, Limits())
            peer, server = Peer("127.0.0.1", "http"), snapshot.config.upstreams[0].servers[0]
            if plan.fallback is not None and not answers_preflight(plan, head, response, peer, server):
                octets = render_answer(plan.fallback.answer, head, keep_alive=True, lines=plan.fallback.lines)
            else:
                octets, _ = head_for_client(plan, head, response, peer, server, body_length=0, close=False)
        seen = parse_response_head(octets.partition(b"\r\n\r\n")[0], Limits())
        return Hop(status=seen.status, fields=tuple(seen.fields))

    asks = f"Access-Control-Request-Method: {case.method}"
    names = "Access-Control-Request-Headers: " + ",".join(sorted(name for name, _ in case.headers))
    request = PageRequest(
        method=case.method.encode(),
        page=page.encode(),
        target=world.target.encode(),
        includes_credentials=credentials,
        headers=tuple((name.encode(), value.encode()) for name, value in case.headers),
    )
    preflight = hop("OPTIONS", case.preflight, asks, names) if case.preflight else None
    return judge(request, [hop(case.method, case.hops[0])], preflight)


async def test_through_devproxy_chromium_does_what_policy_and_verdict_say_together() -> None:
    listed = list(through_devproxy())
    assert len(listed) >= 40
    async with served(listed) as world, open_page() as page:
        backend = address_of(int(world.target.rpartition(":")[2]), host="localhost")
        config = config_for((backend,), routes=routes(), server=ServerConfig(allowed_hosts=("localhost",)))
        async with running(config, ScriptedUpstream()) as talk:
            world.target = f"http://localhost:{talk.port}"
            snapshot = compile_snapshot(config, "0000")
            verdicts = [what_devproxy_makes_of(case, world, snapshot, number) for number, case in enumerate(listed)]
            wrong = await compared(listed, page, world, verdicts)
    assert not wrong, f"{len(wrong)} of {len(listed)}:\n" + "\n".join(wrong[:12])
    by_mode = {
        prefix: {verdict.is_blocked for case, verdict in zip(listed, verdicts, strict=True) if case.prefix == prefix}
        for prefix in MODES
    }
    assert by_mode["/closed"] == by_mode["/strip"] == {True}
    assert False in by_mode["/rewrite"]


def test_the_cases_meet_every_words_of_the_verdict() -> None:
    world = World("http://localhost:1", "http://localhost:2", "http://localhost:3")
    texts = {predicted(case, world).text for case in cases()}
    for words in ("No 'Access", "multiple values", "invalid value", "not equal to", "wildcard", "must be 'true'"):
        assert any(words in text for text in texts), words
    for words in ("HTTP ok status", "Redirect is not", "Cannot parse", "Method ", "Request header field", "username"):
        assert any(words in text for text in texts), words
