"""The threat model of SECURITY.md: one attack of each kind against a gateway that is configured as by default.

The guard, the grammar and the masks have their own tests beside what implements them; these say that they are on, for
requests and for handshakes alike, and that nothing of what is refused reaches a server.
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from devproxy.config.model import Config, Listen, PathKind, Route, Server
from devproxy.console import Console
from devproxy.events import Event
from tests.support.exchanges import OK, answered, asked, forwarded, lines_of, shown, values_of
from tests.support.wire import Conversation, ScriptedUpstream, address_of, config_for, running

pytestmark = [pytest.mark.both_loops, pytest.mark.both_versions]

DEFAULT = Route(kind=PathKind.PREFIX, pattern="/", upstream="backend")
LOCAL = b"localhost"


@asynccontextmanager
async def guarded(
    route: Route = DEFAULT, *, trusted_proxies: tuple[str, ...] = ("loopback",)
) -> AsyncIterator[Conversation]:
    """Run a gateway with the defaults: the guard on, no other Host than this machine's, CORS for this machine alone."""
    upstream = ScriptedUpstream()
    server = Server(listen=(Listen(host="127.0.0.1", port=0),), trusted_proxies=trusted_proxies)
    config = config_for((address_of(upstream.port),), routes=(route,))
    async with running(Config(server=server, upstreams=config.upstreams, routes=config.routes), upstream) as talk:
        yield talk


def request(*lines: bytes, target: bytes = b"/", host: bytes = LOCAL, method: bytes = b"GET") -> bytes:
    return b"\r\n".join((method + b" " + target + b" HTTP/1.1", b"Host: " + host, *lines, b"", b""))


def handshake(*lines: bytes, host: bytes = LOCAL) -> bytes:
    return request(
        b"Connection: Upgrade",
        b"Upgrade: websocket",
        b"Sec-WebSocket-Version: 13",
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        *lines,
        target=b"/socket.io/?EIO=4&transport=websocket",
        host=host,
    )


async def assert_refused(talk: Conversation, octets: bytes, status: int, code: bytes) -> None:
    """Check that devproxy itself answers so, and that the next request is the first that the server sees."""
    head = await (await asked(talk, octets)).head()
    assert int(head[9:12]) == status, head
    assert values_of(head, b"x-devproxy-error") == [code]
    after = await forwarded(talk, request(target=b"/after"))
    assert after.head.startswith(b"GET /after ")


# -- DNS rebinding ---------------------------------------------------------------------------------------------------

REBOUND = (
    b"evil.test",
    b"evil.test:8080",
    b"localhost.evil.test",
    b"127.0.0.1.nip.io",
    b"0x7f.1",
    b"0.0.0.0",
    b"[::ffff:7f00:1]",
)


@pytest.mark.parametrize("host", REBOUND)
@pytest.mark.parametrize("build", [request, handshake], ids=["a request", "a handshake"])
async def test_a_name_that_was_made_to_resolve_to_this_machine_is_refused(
    build: Callable[..., bytes], host: bytes
) -> None:
    async with guarded() as talk:
        await assert_refused(talk, build(host=host), 421, b"host-not-allowed")


async def test_a_rebound_page_learns_that_devproxy_is_up_and_nothing_else() -> None:
    async with guarded() as talk:
        client = await asked(talk, request(target=b"/__devproxy/health", host=b"evil.test"))
        head = await client.head()
        assert head.startswith(b"HTTP/1.1 200 ")
        assert {line.partition(b":")[0].lower() for line in lines_of(head)} == {
            *(b"content-type", b"content-length", b"cache-control", b"x-content-type-options")
        }
        assert await client.read(int(values_of(head, b"content-length")[0])) == b'{"status": "ok"}\n'


@pytest.mark.parametrize("method", [b"POST", b"PUT", b"OPTIONS", b"TRACE"])
@pytest.mark.parametrize("path", [b"/__devproxy/health", b"/__devproxy/%68ealth", b"//__devproxy/health?a"])
async def test_whatever_is_not_a_question_for_health_is_judged_by_its_host(method: bytes, path: bytes) -> None:
    async with guarded() as talk:
        line = method + b" " + path + b" HTTP/1.1\r\nHost: evil.test\r\n\r\n"
        await assert_refused(talk, line, 421, b"host-not-allowed")


async def test_a_rebound_page_is_not_told_which_hosts_are_allowed() -> None:
    route = replace(DEFAULT, match_host=("private.test",))
    async with guarded(route) as talk:
        client = await asked(talk, request(host=b"evil.test"))
        head = await client.head()
        body = await client.read(int(values_of(head, b"content-length")[0]))
        assert b"evil.test" in body
        assert b"private" not in head + body


async def test_a_rebound_page_is_not_of_the_own_origin_although_origin_and_host_agree() -> None:
    async with guarded() as talk:
        octets = handshake(b"Origin: http://evil.test", b"Sec-Fetch-Site: same-origin", host=b"evil.test")
        await assert_refused(talk, octets, 421, b"host-not-allowed")


# -- cross-site WebSocket hijacking, cross-site requests -------------------------------------------------------------


@pytest.mark.parametrize("origin", [b"https://evil.test", b"http://localhost.evil.test", b"null", b"file://"])
async def test_a_web_socket_of_another_site_is_refused(origin: bytes) -> None:
    async with guarded() as talk:
        await assert_refused(talk, handshake(b"Origin: " + origin), 403, b"websocket-origin-not-allowed")


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ((b"Origin: https://evil.test", b"Sec-Fetch-Site: cross-site", b"Sec-Fetch-Mode: cors"), b"origin-not-allowed"),
        ((b"Sec-Fetch-Site: cross-site", b"Sec-Fetch-Mode: no-cors", b"Sec-Fetch-Dest: image"), b"cross-site"),
        ((b"Sec-Fetch-Site: cross-site", b"Sec-Fetch-Mode: no-cors", b"Sec-Fetch-Dest: script"), b"cross-site"),
    ],
    ids=["fetch", "an image", "a script"],
)
async def test_a_request_of_another_site_is_refused(lines: tuple[bytes, ...], code: bytes) -> None:
    async with guarded() as talk:
        await assert_refused(talk, request(*lines), 403, code)


FORM = (b"Sec-Fetch-Site: cross-site", b"Sec-Fetch-Mode: navigate", b"Content-Length: 0")
LOGIN = b"Origin: https://login.example"


@pytest.mark.parametrize("kind", [b"application/x-www-form-urlencoded", b"text/plain", b"multipart/form-data"])
@pytest.mark.parametrize("destination", [b"document", b"iframe"])
@pytest.mark.parametrize("origin", [b"Origin: https://evil.test", b"Origin: null", b"X: y"])
async def test_a_form_of_another_site_is_refused(origin: bytes, destination: bytes, kind: bytes) -> None:
    async with guarded() as talk:
        lines = (*FORM, origin, b"Sec-Fetch-Dest: " + destination, b"Content-Type: " + kind)
        await assert_refused(talk, request(*lines, method=b"POST"), 403, b"form-not-allowed")


async def test_the_page_that_refuses_a_form_has_the_very_line_that_lets_it_in() -> None:
    octets = request(*FORM, LOGIN, b"Sec-Fetch-Dest: document", method=b"POST")
    async with guarded() as talk:
        client = await asked(talk, octets)
        head = await client.head()
        assert head.startswith(b"HTTP/1.1 403 ")
        assert values_of(head, b"content-type") == [b"text/html; charset=utf-8"]
        page = await client.read(int(values_of(head, b"content-length")[0]))
        assert 'below [[routes]]: form_post = ["https://login.example"]' in shown(page)
    async with guarded(replace(DEFAULT, form_post=("https://login.example",))) as talk:
        assert (await forwarded(talk, octets)).head.startswith(b"POST / ")
        other = octets.replace(b"login.example", b"evil.example")
        await assert_refused(talk, other, 403, b"form-not-allowed")


@pytest.mark.parametrize("origin", [LOGIN, b"Origin: null"])
@pytest.mark.parametrize("host", [b"localhost:8080", b"10.0.2.2:8080"])
async def test_a_login_comes_back_where_its_route_says_so(origin: bytes, host: bytes) -> None:
    """Browsers hide the origin of a page of https from plain http, and say nothing else to other hosts."""
    said = (*FORM, b"Sec-Fetch-Dest: document") if host.startswith(b"localhost") else FORM[2:]
    octets = request(*said, origin, host=host, method=b"POST", target=b"/auth/callback")
    callback = Route(
        kind=PathKind.EXACT, pattern="/auth/callback", upstream="backend", form_post=("https://login.example",)
    )
    async with guarded(callback) as talk:
        assert (await forwarded(talk, octets)).head.startswith(b"POST /auth/callback ")
        fetched = request(LOGIN, *FORM[::2], b"Sec-Fetch-Mode: cors", method=b"POST", target=b"/auth/callback")
        head = await (await asked(talk, fetched)).head()
        assert values_of(head, b"x-devproxy-error") == [b"origin-not-allowed"]
    async with guarded() as talk:
        head = await (await asked(talk, octets)).head()
        assert head.startswith(b"HTTP/1.1 403 ")


@pytest.mark.parametrize(
    "lines",
    [
        (b"Origin: http://localhost", b"Sec-Fetch-Site: same-origin"),
        (b"Origin: null", b"Sec-Fetch-Site: same-origin"),
        (b"Origin: http://localhost:3000", b"Sec-Fetch-Site: same-site"),
        (b"Origin: null", b"Sec-Fetch-Site: same-site"),
        (),
    ],
    ids=["an own page", "one that hides", "another port", "one that hides", "a program"],
)
async def test_forms_of_this_machine_pass(lines: tuple[bytes, ...]) -> None:
    async with guarded() as talk:
        navigates = (b"Sec-Fetch-Mode: navigate", b"Sec-Fetch-Dest: document") if lines else ()
        octets = request(*lines, *navigates, b"Content-Length: 0", method=b"POST")
        assert (await forwarded(talk, octets)).head.startswith(b"POST / ")


async def test_links_of_another_site_pass_and_forms_that_ask_for_a_page() -> None:
    async with guarded() as talk:
        octets = request(*FORM[:2], b"Sec-Fetch-Dest: document", b"Origin: https://evil.test")
        assert (await forwarded(talk, octets)).head.startswith(b"GET / ")


async def test_an_own_page_of_a_name_of_ones_own_that_hides_is_told_the_safe_line() -> None:
    route = replace(DEFAULT, match_host=("app.test",))
    async with guarded(route) as talk:
        octets = request(b"Origin: null", b"Content-Length: 0", host=b"app.test", method=b"POST")
        client = await asked(talk, octets)
        head = await client.head()
        body = json.loads(await client.read(int(values_of(head, b"content-length")[0])))
        assert body["error"] == "origin-not-allowed"
        line = '[routes.headers.response] set = { "Referrer-Policy" = "same-origin" }'
        assert line in body["help"].partition("dangerously_")[0]


async def test_another_site_can_read_no_answer_even_if_the_server_allows_it() -> None:
    answer = (
        b"HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\nAccess-Control-Allow-Credentials: true\r\n"
        b"Content-Length: 2\r\n\r\nok"
    )
    async with guarded() as talk:
        _, head = await answered(talk, answer, request())
        assert not [line for line in lines_of(head) if line.lower().startswith(b"access-control-")]
    async with guarded(replace(DEFAULT, guard=False)) as talk:
        _, head = await answered(talk, answer, request(b"Origin: https://evil.test", b"Sec-Fetch-Site: cross-site"))
        assert head.startswith(b"HTTP/1.1 200 ")
        assert not [line for line in lines_of(head) if line.lower().startswith(b"access-control-allow")]


# -- smuggling -------------------------------------------------------------------------------------------------------

INNER = b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
SMUGGLED = {
    "CL.TE": (b"Content-Length: 44\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "TE.CL": (b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n", 400),
    "TE.TE": (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n", 400),
    "a space before the colon": (b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400),
    "a bare LF": (b"X: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
}


@pytest.mark.http1_only("it is read differently by the framing of HTTP/1.1")
@pytest.mark.parametrize(("fields", "status"), SMUGGLED.values(), ids=SMUGGLED)
async def test_a_request_that_two_servers_read_differently_is_refused(fields: bytes, status: int) -> None:
    async with guarded() as talk:
        octets = b"POST / HTTP/1.1\r\nHost: localhost\r\n" + fields + INNER
        await assert_refused(talk, octets, status, b"bad-request")


async def test_a_request_within_a_body_stays_a_body() -> None:
    async with guarded() as talk:
        octets = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(INNER) + INNER
        client, server, head = await forwarded(talk, octets)
        assert head.startswith(b"POST / ")
        assert await server.read(len(INNER)) == INNER
        server.send(OK)
        assert (await client.head()).startswith(b"HTTP/1.1 200 ")
        assert await client.read(2) == b"ok"
        assert await client.is_silent(0.05), "one request, one answer"


# -- header injection ------------------------------------------------------------------------------------------------

INJECTED = (b"a\nX-Evil: 1", b"a\rX-Evil: 1", b"a\0b", b"a\x1b[2Jb")
MALFORMED = pytest.mark.http1_only("HTTP/2 resets the stream of a malformed request: `test_http2_attacks.py`")


@pytest.mark.parametrize("value", [*(pytest.param(value, marks=MALFORMED) for value in INJECTED[:3]), INJECTED[3]])
async def test_a_field_value_cannot_become_a_line_of_its_own_on_the_way_up(value: bytes) -> None:
    async with guarded() as talk:
        await assert_refused(talk, request(b"X-Forwarded-Host: " + value), 400, b"bad-request")


@pytest.mark.parametrize("value", INJECTED)
async def test_a_field_value_cannot_become_a_line_of_its_own_on_the_way_down(value: bytes) -> None:
    async with guarded() as talk:
        _, head = await answered(talk, b"HTTP/1.1 200 OK\r\nLocation: " + value + b"\r\n\r\n", request())
        assert head.startswith(b"HTTP/1.1 502 ")
        assert b"X-Evil" not in head


async def test_encoded_line_ends_in_a_path_stay_encoded_in_what_devproxy_writes() -> None:
    async with guarded() as talk:
        _, server, head = await forwarded(talk, request(target=b"/a%0d%0aX-Evil:%201"))
        assert head.startswith(b"GET /a%0d%0aX-Evil:%201 HTTP/1.1\r\n")
        assert not values_of(head, b"x-evil")
        server.close()


async def test_what_a_client_says_of_itself_does_not_reach_the_server_beside_what_devproxy_says() -> None:
    async with guarded(trusted_proxies=()) as talk:
        _, server, head = await forwarded(talk, request(b"X-Real-IP: 10.0.0.1", b"X-Forwarded-Proto: https"))
        assert values_of(head, b"x-real-ip") == [b"127.0.0.1"]
        assert values_of(head, b"x-forwarded-proto") == [b"http"]
        server.close()


NOT_WRITTEN = pytest.mark.http1_only("CONNECT is written otherwise in HTTP/2: `test_http2.py`")

# -- use as an open proxy --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "method", "status", "code"),
    [
        (b"http://evil.test/", b"GET", 421, b"host-not-allowed"),
        (b"http://localhost@evil.test/", b"GET", 400, b"bad-request"),
        pytest.param(b"ftp://evil.test/", b"GET", 400, b"bad-request", marks=MALFORMED),
        pytest.param(b"evil.test:443", b"CONNECT", 501, b"bad-request", marks=NOT_WRITTEN),
        pytest.param(b"localhost:22", b"CONNECT", 501, b"bad-request", marks=NOT_WRITTEN),
    ],
)
async def test_a_target_never_chooses_a_server(target: bytes, method: bytes, status: int, code: bytes) -> None:
    async with guarded() as talk:
        await assert_refused(talk, request(target=target, method=method), status, code)


@pytest.mark.parametrize("authority", [b"localhost:1", b"169.254.169.254"])
async def test_an_absolute_target_that_passes_goes_where_its_path_goes(authority: bytes) -> None:
    async with guarded() as talk:
        _, server, head = await forwarded(talk, request(target=b"http://" + authority + b"/a?b"))
        assert head.startswith(b"GET /a?b HTTP/1.1\r\n"), "to the route's server, not to the one that it names"
        server.close()


async def test_a_redirect_is_handed_on_and_not_followed() -> None:
    async with guarded() as talk:
        answer = b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n"
        _, head = await answered(talk, answer, request())
        assert head.startswith(b"HTTP/1.1 302 ")
        assert values_of(head, b"location") == [b"http://169.254.169.254/"]


# -- secrets in logs -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["human", "json"])
async def test_no_secret_of_a_request_is_logged(mode: str) -> None:
    secret = b"hunter2"
    async with guarded() as talk:
        octets = request(
            b"Authorization: Bearer " + secret,
            b"Cookie: session=" + secret,
            target=b"/a?token=" + secret + b"&next=%2Fb%3Fcode%3D" + secret + b"&sid=" + secret + b"&x=shown",
        )
        client, server, _ = await forwarded(talk, octets)
        server.send(b"HTTP/1.1 200 OK\r\nSet-Cookie: session=" + secret + b"\r\nContent-Length: 7\r\n\r\n" + secret)
        await client.head()
        await client.read(7)
        await (await asked(talk, request(target=b"http://me:" + secret + b"@localhost/"))).head()
        log = logged(mode, talk.events)
    assert b"x=shown" in log
    assert secret not in log


def logged(mode: str, events: list[Event]) -> bytes:
    """Return what the console writes for `events`."""
    reader, writer = os.pipe()
    config = config_for((address_of(1),))
    console = Console(config, mode="json" if mode == "json" else "human", fd=writer, colour="never", version="0")
    for event in events:
        console.observer.tell(event)
    console.close()
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        written = pipe.read()
    if mode == "json":
        assert [json.loads(line) for line in written.splitlines()]
    return written
