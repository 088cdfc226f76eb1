"""What the log says under an exchange that a browser would block, and what a verbose one says was changed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from devproxy.config.model import Cookies, Cors, CorsMode, PathKind, Route, SecureRule
from devproxy.console.jsonlines import JsonLines
from devproxy.console.lines import HumanLines
from devproxy.console.style import Glyphs, Style
from devproxy.events import Event, ExchangeFinished, Observer, Outcome, TunnelOpened, Wants
from devproxy.gateway.shared.state import TOLD_FOR_S
from tests.support.exchanges import asked, forwarded
from tests.support.wire import Conversation, config_for, conversation, until

pytestmark = pytest.mark.both_versions

ROUTE = Route(kind=PathKind.PREFIX, pattern="/", upstream="backend", cors=Cors(mode=CorsMode.PASSTHROUGH))
PAGE = b"http://localhost:3000"
EMPTY = b"Content-Length: 0\r\n\r\n"


def asking(*lines: bytes) -> bytes:
    return b"\r\n".join((b"GET / HTTP/1.1", b"Host: localhost:8080", *lines, b"", b""))


async def finished(talk: Conversation, answer: bytes, *lines: bytes) -> ExchangeFinished:
    before = len(talk.finished())
    client, server, _ = await forwarded(talk, asking(*lines))
    server.send(b"HTTP/1.1 200 OK\r\n" + answer + EMPTY)
    await client.head()
    server.close()  # so that the next exchange is the next to connect
    await until(lambda: len(talk.finished()) > before)
    client.close()
    return talk.finished()[-1]


async def test_a_page_that_may_not_read_is_told_of_once_a_minute() -> None:
    async with conversation(routes=(ROUTE,)) as talk:
        origin = b"Origin: " + PAGE
        (advice,) = (await finished(talk, b"", origin)).advice
        assert "No 'Access-Control-Allow-Origin' header is present" in advice
        assert 'mode = "rewrite"' in advice
        again = await finished(talk, b"", origin)
        assert (again.advice, again.has_advice) == ((), True)
        (other,) = (await finished(talk, b"Access-Control-Allow-Origin: *\r\n", origin, b"Cookie: a=1")).advice
        assert "wildcard" in other
        service = talk.gateway._shared
        assert service is not None
        service.told = {key: at - TOLD_FOR_S - 1 for key, at in service.told.items()}
        assert (await finished(talk, b"", origin)).advice == (advice,)


async def test_what_a_browser_takes_without_cookies_is_judged_again_when_there_are_some() -> None:
    any_page = b"Access-Control-Allow-Origin: *\r\n"
    async with conversation(routes=(ROUTE,)) as talk:
        origin = b"Origin: " + PAGE
        taken = await finished(talk, any_page, origin)
        assert (taken.advice, taken.has_advice) == ((), False)
        (advice,) = (await finished(talk, any_page, origin, b"Cookie: a=1")).advice
        assert "wildcard" in advice
        assert (await finished(talk, any_page, origin)).advice == ()


@pytest.mark.parametrize(
    ("answer", "lines"),
    [
        (b"", ()),
        (b"", (b"Origin: http://localhost:8080",)),
        (b"Access-Control-Allow-Origin: " + PAGE + b"\r\n", (b"Origin: " + PAGE,)),
        (b"Set-Cookie: a=1; Path=/\r\n", ()),
    ],
)
async def test_what_a_browser_takes_is_no_matter_for_advice(answer: bytes, lines: tuple[bytes, ...]) -> None:
    async with conversation(routes=(ROUTE,)) as talk:
        assert (await finished(talk, answer, *lines)).advice == ()


async def test_a_refusal_is_told_with_the_line_that_would_allow_it() -> None:
    async with conversation(routes=(ROUTE,)) as talk:
        client = await asked(talk, asking(b"Origin: https://app.test"))
        assert (await client.head()).startswith(b"HTTP/1.1 403 ")
        await until(talk.finished)
        (advice,) = talk.finished()[-1].advice
        assert 'origins = ["https://app.test"]' in advice


async def test_an_upgrade_that_a_browser_does_not_take_is_told_of_once_a_minute() -> None:
    handshake = asking(
        b"Origin: " + PAGE,
        b"Connection: Upgrade",
        b"Upgrade: websocket",
        b"Sec-WebSocket-Version: 13",
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        b"Sec-WebSocket-Protocol: graphql-transport-ws",
    )
    switch = (
        b"HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
    )
    chosen = b"Sec-WebSocket-Protocol: graphql-transport-ws\r\n"
    async with conversation(routes=(ROUTE,)) as talk:
        for answer in (switch, switch, switch + chosen):
            client, server, _ = await forwarded(talk, handshake)
            server.send(answer + b"\r\n")
            await client.head()
            server.close()
            client.close()
        await until(lambda: len(talk.seen(TunnelOpened)) == 3)
        told = [event.advice for event in talk.seen(TunnelOpened)]
    assert "Sent non-empty 'Sec-WebSocket-Protocol' header but no response was received" in told[0][0]
    assert told[1:] == [(), ()]


async def test_a_cookie_that_no_browser_keeps_is_told_of() -> None:
    async with conversation(routes=(ROUTE,)) as talk:
        (advice,) = (await finished(talk, b"Set-Cookie: sid=secret; Domain=api.test\r\n")).advice
        assert "Domain" in advice
        assert "secret" not in advice


async def test_an_answer_that_the_policy_has_repaired_needs_no_advice() -> None:
    async with conversation(routes=(replace(ROUTE, cors=Cors()),)) as talk:
        theirs = b"Access-Control-Allow-Origin: *\r\n"
        assert (await finished(talk, theirs, b"Origin: " + PAGE, b"Cookie: a=1")).advice == ()


async def test_a_verbose_log_says_what_was_changed_and_why() -> None:
    rules = Cookies(domain="", secure=SecureRule.NEVER)
    verbose: list[Event] = []
    async with conversation(routes=(replace(ROUTE, cors=Cors(), cookies=rules),)) as talk:
        answer = b"Set-Cookie: sid=secret; Domain=localhost; Secure\r\nLocation: http://127.0.0.1:%d/x\r\n"
        quiet = await finished(talk, answer % talk.upstream.port)
        talk.gateway.observe(Observer(verbose.append, Wants.ENDS | Wants.CHANGES))
        told = await finished(talk, answer % talk.upstream.port, b"Origin: " + PAGE)
        assert quiet.changes == told.changes == ()
        (told,) = [event for event in verbose if isinstance(event, ExchangeFinished)]
        said = "\n".join(told.changes)
        assert "cors rewrite: " in said
        for word in ("Domain", "Secure", "upstream"):
            assert word in said, said
        assert "secret" not in said


def test_advice_stands_under_its_exchange_and_in_the_json() -> None:
    event = ExchangeFinished(
        b"GET", b"/x", 200, "/", "backend", "", Outcome.COMPLETE, 0.01, 0.01, 0, 0, "", advice=("write this",)
    )
    style = Style(False, Glyphs())
    human = HumanLines(config_for(()), version="0", style=style, width=lambda: 100, clock=lambda: 0.0)
    lines = human.lines(0.0, event) + human.flush()
    assert lines[-1].strip() == "write this"
    assert '"advice":["write this"]' in JsonLines().lines(0.0, event)[0]
    opened = TunnelOpened(1, b"/ws", "websocket", "/", "backend", "", "", 0.01, advice=("write that",))
    assert [*human.lines(0.0, opened), *human.flush()][-1].strip() == "write that"


async def test_a_cookie_is_judged_by_the_front_that_a_trusted_proxy_states() -> None:
    cookie = b"Set-Cookie: a=1; Secure; Domain=tunnel.example\r\n"
    named = b"X-Forwarded-Host: demo.tunnel.example"
    async with conversation(routes=(ROUTE,)) as talk:
        assert (await finished(talk, cookie, named, b"X-Forwarded-Proto: https")).advice == ()
        (advice,) = (await finished(talk, cookie, named)).advice
        assert "`demo.tunnel.example` was reached over plain http" in advice


@pytest.mark.parametrize(
    ("framing", "body"),
    [
        (b"Transfer-Encoding: chunked", b'22\r\n{"code":3,"message":"Bad request"}\r\n0\r\n\r\n'),
        (b"Content-Length: 34", b'{"code":3,"message":"Bad request"}'),
    ],
)
async def test_an_error_of_engine_io_is_told_with_its_code_and_reason(framing: bytes, body: bytes) -> None:
    async with conversation(routes=(ROUTE,)) as talk:
        target = b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: localhost:8080\r\n\r\n"
        client, server, _ = await forwarded(talk, target)
        server.send(b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\n" + framing + b"\r\n\r\n" + body)
        await client.head()
        await until(lambda: bool(talk.finished()))
        (advice,) = talk.finished()[-1].advice
        assert advice.startswith('Engine.IO error 3, "Bad request": the server refused the request')
        server.close()
        client.close()
