"""The CORS policy and the guard on the wire: who may read an answer, also one that devproxy gives by itself."""

from __future__ import annotations

import socket
from dataclasses import replace

import pytest
from devproxy.config.model import (
    Cookies,
    Cors,
    CorsMode,
    PathKind,
    PreflightMode,
    Route,
    SameSiteRule,
    SecureRule,
    Server,
)
from devproxy.config.model import Upstream as UpstreamConfig
from tests.support.exchanges import OK, answered, asked, forwarded, values_of
from tests.support.wire import ScriptedUpstream, address_of, config_for, conversation, running

pytestmark = [pytest.mark.both_loops, pytest.mark.both_versions]

PAGE = b"http://localhost:3000"
EVIL = b"https://evil.test"
DEFAULT = Route(kind=PathKind.PREFIX, pattern="/", upstream="backend")
"""A route that says nothing about CORS."""
SERVER = Server(allowed_hosts=("localhost",))
SLOW = UpstreamConfig(name="backend", servers=(), response_timeout_s=0.3)
RESETS = pytest.mark.http1_only("HTTP/2 resets the stream of a malformed request, and a head is never half there")


def request(*lines: bytes, start: bytes = b"GET / HTTP/1.1", origin: bytes = b"", body: bytes = b"") -> bytes:
    fields = (b"Host: localhost", *((b"Origin: " + origin,) if origin else ()), *lines)
    return b"\r\n".join((start, *fields, b"", body))


def preflight(method: bytes = b"PUT", *lines: bytes, origin: bytes = PAGE) -> bytes:
    return request(b"Access-Control-Request-Method: " + method, *lines, start=b"OPTIONS / HTTP/1.1", origin=origin)


def readers(head: bytes) -> tuple[list[bytes], list[bytes]]:
    """Return the values of the two fields that say who may read, and with what."""
    return values_of(head, b"access-control-allow-origin"), values_of(head, b"access-control-allow-credentials")


FOR_PAGE = ([PAGE], [b"true"])
FOR_NOBODY: tuple[list[bytes], list[bytes]] = ([], [])


def status_of(head: bytes) -> int:
    return int(head.split(b" ", 2)[1])


# -- answers of the upstream -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [b"200 OK", b"201 Created", b"302 Found", b"304 Not Modified", b"404 N", b"500 E"])
async def test_every_answer_can_be_read_by_a_page_on_another_local_port(status: bytes) -> None:
    async with conversation(routes=(DEFAULT,), server=SERVER) as talk:
        theirs = b"Access-Control-Allow-Origin: *\r\nVary: Accept\r\nContent-Length: 0\r\n\r\n"
        _, head = await answered(talk, b"HTTP/1.1 " + status + b"\r\n" + theirs, request(origin=PAGE))
        assert readers(head) == FOR_PAGE
        assert values_of(head, b"vary") == [b"Accept", b"Origin"]


async def test_an_answer_to_nobodys_page_varies_all_the_same_and_lets_nobody_read() -> None:
    async with conversation(routes=(DEFAULT,), server=SERVER) as talk:
        theirs = b"HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\nContent-Length: 0\r\n\r\n"
        for _ in range(2):  # the second time it is remembered
            client, server, _ = await forwarded(talk, request())
            server.send(theirs)
            head = await client.head()
            assert (readers(head), values_of(head, b"vary")) == (FOR_NOBODY, [b"Origin"])
            client.close()
            server.close()


async def test_what_is_remembered_for_one_origin_is_not_given_to_another() -> None:
    open_route = replace(DEFAULT, guard=False)
    async with conversation(routes=(open_route,), server=SERVER) as talk:
        for origin, expected in ((PAGE, FOR_PAGE), (EVIL, FOR_NOBODY), (b"", FOR_NOBODY), (PAGE, FOR_PAGE)):
            client, server, _ = await forwarded(talk, request(origin=origin))
            server.send(OK)
            assert readers(await client.head()) == expected
            client.close()
            server.close()


async def test_a_switch_of_protocols_carries_no_cors() -> None:
    async with conversation(routes=(DEFAULT,), server=SERVER) as talk:
        upgrade = request(b"Connection: Upgrade", b"Upgrade: websocket", origin=PAGE)
        switch = (
            b"HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nAccess-Control-Allow-Origin: *\r\n\r\n"
        )
        _, head = await answered(talk, switch, upgrade)
        assert readers(head) == FOR_NOBODY


# -- answers of devproxy -----------------------------------------------------------------------------------------------


async def unread(talk_server: Server, octets: bytes) -> bytes:
    """Return the head of the answer to `octets`, with which no request can be made."""
    async with conversation(routes=(DEFAULT,), server=talk_server) as talk:
        client = await asked(talk, octets)
        return await client.head()


@pytest.mark.parametrize(
    ("server", "octets", "status"),
    [
        pytest.param(SERVER, request(b"Content-Length: x", origin=PAGE), 400, marks=RESETS),
        pytest.param(replace(SERVER, head_timeout_s=0.2), request(origin=PAGE)[:-2], 408, marks=RESETS),
        (replace(SERVER, max_body_bytes=1), request(b"Content-Length: 9", start=b"POST / HTTP/1.1", origin=PAGE), 413),
        (replace(SERVER, max_target_bytes=256), request(start=b"GET /" + b"a" * 999 + b" HTTP/1.1", origin=PAGE), 414),
        (SERVER, request(origin=PAGE).replace(b"Host: localhost", b"Host: rebound.test"), 421),
        (replace(SERVER, max_head_bytes=1024), request(b"X: " + b"a" * 2000, origin=PAGE), 431),
    ],
)
async def test_a_refusal_can_be_read_by_an_allowed_page_and_by_no_other(
    server: Server, octets: bytes, status: int
) -> None:
    head = await unread(server, octets)
    assert (status_of(head), readers(head), b"Origin" in values_of(head, b"vary")) == (status, FOR_PAGE, True)
    head = await unread(server, octets.replace(PAGE, EVIL))
    assert (status_of(head), readers(head)) == (status, FOR_NOBODY)


@pytest.mark.http1_only("HTTP/2 resets the stream of a malformed request")
@pytest.mark.parametrize(
    "octets",
    [
        request(b"Content-Length: x", origin=EVIL),
        request(b"Content-Length: x", start=b"GET http://localhost/ HTTP/1.1", origin=EVIL),
        request(b"Transfer-Encoding: chunked", start=b"POST / HTTP/1.1", origin=EVIL, body=b"zz\r\n"),
    ],
)
async def test_a_refusal_takes_the_policy_of_the_route_that_the_host_leads_to(octets: bytes) -> None:
    named = replace(DEFAULT, match_host=("localhost",), cors=Cors(origins=(EVIL.decode(),)))
    async with conversation(routes=(DEFAULT, named), server=SERVER) as talk:
        head = await (await asked(talk, octets)).head()
        assert (status_of(head), readers(head)) == (400, ([EVIL], [b"true"]))
        head = await (await asked(talk, octets.replace(b"localhost", b"127.0.0.1"))).head()
        assert (status_of(head), readers(head)) == (400, FOR_NOBODY)


async def _failing(how: str, talk_request: bytes) -> bytes:
    scripted = ScriptedUpstream()
    if how == "refused":
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            port = int(sock.getsockname()[1])
        async with running(config_for((address_of(port),), routes=(DEFAULT,), server=SERVER), scripted) as talk:
            return await (await asked(talk, talk_request)).head()
    scripted.close()
    async with conversation(routes=(DEFAULT,), server=SERVER, upstream=SLOW) as talk:
        client, server, _ = await forwarded(talk, talk_request)
        if how == "closed":
            server.close()
        return await client.head()


@pytest.mark.parametrize(("how", "status"), [("refused", 503), ("closed", 502), ("silent", 504)])
async def test_a_page_reads_that_the_upstream_failed(how: str, status: int) -> None:
    head = await _failing(how, request(origin=PAGE))
    assert (status_of(head), readers(head), b"Origin" in values_of(head, b"vary")) == (status, FOR_PAGE, True)


# -- preflights --------------------------------------------------------------------------------------------------------


async def test_a_preflight_is_answered_while_the_upstream_is_down() -> None:
    asked_for = preflight(b"PUT", b"Access-Control-Request-Headers: authorization,x-a")
    head = await _failing("refused", asked_for)
    assert (status_of(head), readers(head)) == (204, FOR_PAGE)
    assert values_of(head, b"access-control-allow-methods") == [b"PUT"]
    assert values_of(head, b"access-control-allow-headers") == [b"authorization, x-a"]
    assert values_of(head, b"access-control-max-age") == [b"600"]
    (vary,) = values_of(head, b"vary")
    assert vary == b"Origin, Access-Control-Request-Method, Access-Control-Request-Headers"


async def test_a_preflight_that_asks_too_much_is_refused_with_the_line_to_write_and_reaches_no_server() -> None:
    route = replace(DEFAULT, cors=Cors(headers=("X-Known",), methods=("PUT",)))
    cases = (
        (preflight(origin=EVIL), b"origin"),
        (preflight(b"DELETE"), b"method"),
        (preflight(b"PUT", b"Access-Control-Request-Headers: x-other"), b"header"),
    )
    async with conversation(routes=(route,), server=SERVER) as talk:
        for octets, code in cases:
            client = await asked(talk, octets)
            head = await client.head()
            body = await client.read(int(values_of(head, b"content-length")[0]))
            assert (status_of(head), readers(head)) == (403, FOR_NOBODY if code == b"origin" else FOR_PAGE)
            assert values_of(head, b"x-devproxy-cors")[0].startswith(code)
            assert b"[routes.cors]" in body
        after = await forwarded(talk, request())
        assert after.head.startswith(b"GET ")


async def test_an_ordinary_options_request_goes_to_the_upstream() -> None:
    async with conversation(routes=(DEFAULT,), server=SERVER) as talk:
        _, _, head = await forwarded(talk, request(start=b"OPTIONS / HTTP/1.1", origin=PAGE))
        assert head.startswith(b"OPTIONS / ")


@pytest.mark.parametrize(
    ("rule", "theirs", "status"),
    [
        (PreflightMode.FORWARD, b"HTTP/1.1 405 N", 405),
        (PreflightMode.FORWARD_OR_ANSWER, b"HTTP/1.1 405 N", 204),
        (PreflightMode.FORWARD_OR_ANSWER, b"HTTP/1.1 200 OK", 200),
    ],
)
async def test_a_forwarded_preflight_is_finished_or_answered_here(
    rule: PreflightMode, theirs: bytes, status: int
) -> None:
    route = replace(DEFAULT, cors=Cors(preflight=rule))
    async with conversation(routes=(route,), server=SERVER) as talk:
        _, head = await answered(talk, theirs + b"\r\nContent-Length: 2\r\n\r\nno", preflight())
        assert (status_of(head), readers(head)) == (status, FOR_PAGE)
        assert values_of(head, b"access-control-allow-methods") == [b"PUT"]


LISTED = b"Access-Control-Allow-Methods: PUT\r\nAccess-Control-Allow-Credentials: true\r\n"


@pytest.mark.parametrize(
    ("cors", "theirs", "by_us"),
    [
        (Cors(), b"", True),  # as Express does by itself: 200, `Allow` and nothing more
        (Cors(), b"Access-Control-Allow-Origin: http://localhost:4000\r\n" + LISTED, True),
        (Cors(), b"Access-Control-Allow-Origin: http://localhost:3000\r\nAccess-Control-Allow-Methods: GET\r\n", True),
        (Cors(), b"Access-Control-Allow-Origin: http://localhost:3000\r\n" + LISTED, False),
        (Cors(), b"Access-Control-Allow-Origin: HTTP://localhost:3000/\r\n" + LISTED, False),
        (Cors(methods=("GET",)), b"", False),  # the policy would refuse it too: the server has the word
        (Cors(origins=()), b"", False),
    ],
)
async def test_a_forwarded_preflight_is_answered_here_where_the_server_does_not_allow_what_the_policy_allows(
    cors: Cors, theirs: bytes, by_us: bool
) -> None:
    fixed = replace(cors, mode=CorsMode.FIX, preflight=PreflightMode.FORWARD_OR_ANSWER)
    async with conversation(routes=(replace(DEFAULT, cors=fixed),), server=SERVER) as talk:
        _, head = await answered(talk, b"HTTP/1.1 200 OK\r\n" + theirs + b"Content-Length: 2\r\n\r\nno", preflight())
        assert status_of(head) == (204 if by_us else 200)
        if by_us:
            assert (readers(head), values_of(head, b"access-control-allow-methods")) == (FOR_PAGE, [b"PUT"])


async def test_a_forwarded_preflight_to_a_server_that_is_down_is_answered_here() -> None:
    route = replace(DEFAULT, cors=Cors(preflight=PreflightMode.FORWARD_OR_ANSWER))
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = int(sock.getsockname()[1])
    upstream = UpstreamConfig(name="backend", servers=(address_of(port),), hold_s=0.0)
    async with running(config_for((), routes=(route,), server=SERVER, upstream=upstream), ScriptedUpstream()) as talk:
        head = await (await asked(talk, preflight())).head()
        assert (status_of(head), readers(head)) == (204, FOR_PAGE)


# -- the guard ---------------------------------------------------------------------------------------------------------

SOCKET = (b"Connection: Upgrade", b"Upgrade: websocket")
FOREIGN = b"Sec-Fetch-Site: cross-site"


@pytest.mark.parametrize(
    ("octets", "code"),
    [
        (request(origin=EVIL), b"origin-not-allowed"),
        (request(*SOCKET, origin=EVIL), b"websocket-origin-not-allowed"),
        (request(*SOCKET, origin=b"null"), b"websocket-origin-not-allowed"),
        (request(FOREIGN, b"Sec-Fetch-Mode: no-cors"), b"cross-site"),
    ],
)
async def test_a_request_that_a_foreign_site_caused_is_refused_before_any_server_sees_it(
    octets: bytes, code: bytes
) -> None:
    async with conversation(routes=(DEFAULT,), server=SERVER) as talk:
        head = await (await asked(talk, octets)).head()
        assert (status_of(head), values_of(head, b"x-devproxy-error"), readers(head)) == (403, [code], FOR_NOBODY)
    async with conversation(routes=(replace(DEFAULT, guard=False),), server=SERVER) as talk:
        assert (await forwarded(talk, octets)).head.startswith(b"GET ")


@pytest.mark.parametrize(
    "octets",
    [
        request(),
        request(*SOCKET),
        request(*SOCKET, origin=b"http://localhost"),
        request(*SOCKET, origin=PAGE),
        request(FOREIGN, b"Sec-Fetch-Mode: navigate", b"Sec-Fetch-Dest: document"),
    ],
)
async def test_programs_own_pages_and_navigations_pass(octets: bytes) -> None:
    async with conversation(routes=(DEFAULT,), server=SERVER) as talk:
        assert (await forwarded(talk, octets)).head.startswith(b"GET ")


async def test_a_name_that_was_rebound_reaches_no_server_unless_a_route_names_it() -> None:
    rebound = request().replace(b"Host: localhost", b"Host: rebound.test:8080")
    async with conversation(routes=(DEFAULT,), server=SERVER) as talk:
        head = await (await asked(talk, rebound)).head()
        assert (status_of(head), values_of(head, b"x-devproxy-error")) == (421, [b"host-not-allowed"])
        absolute = request(start=b"GET http://rebound.test/ HTTP/1.1")
        assert status_of(await (await asked(talk, absolute)).head()) == 421
    async with conversation(routes=(replace(DEFAULT, match_host=("rebound.test",)),), server=SERVER) as talk:
        assert (await forwarded(talk, rebound)).head.startswith(b"GET ")


async def test_a_route_for_own_pages_alone_says_so_to_browsers() -> None:
    closed = replace(DEFAULT, cors=Cors(origins=()))
    for route, theirs, expected in (
        (closed, b"", [b"same-origin"]),
        (closed, b"Cross-Origin-Resource-Policy: cross-origin\r\n", [b"cross-origin"]),
        (DEFAULT, b"", []),
        (replace(DEFAULT, cors=Cors(origins=(), credentials=False, dangerously_allow_any_origin=True)), b"", []),
        (replace(DEFAULT, cors=Cors(origins=(), credentials=False, dangerously_allow_null_origin=True)), b"", []),
    ):
        async with conversation(routes=(route,), server=SERVER) as talk:
            answer = b"HTTP/1.1 200 OK\r\n" + theirs + b"Content-Length: 0\r\n\r\n"
            _, head = await answered(talk, answer, request())
            assert values_of(head, b"cross-origin-resource-policy") == expected


# -- repairs -----------------------------------------------------------------------------------------------------------


async def test_a_redirect_to_the_upstream_comes_back_to_the_one_origin() -> None:
    route = replace(DEFAULT, pattern="/api/", rewrite="/")
    async with conversation(routes=(route,), server=SERVER) as talk:
        place = b"Location: http://127.0.0.1:%d/login?next=1\r\n" % talk.upstream.port
        answer = b"HTTP/1.1 302 Found\r\n" + place + b"Content-Length: 0\r\n\r\n"
        _, head = await answered(talk, answer, request(start=b"GET /api/x HTTP/1.1"))
        assert values_of(head, b"location") == [b"http://localhost/api/login?next=1"]
    async with conversation(routes=(replace(route, maps_redirects=False),), server=SERVER) as talk:
        answer = b"HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n"
        _, head = await answered(talk, answer, request(start=b"GET /api/x HTTP/1.1"))
        assert values_of(head, b"location") == [b"/login"]


async def test_cookies_are_repaired_on_the_way_down_and_undone_on_the_way_up() -> None:
    rules = Cookies(domain="", secure=SecureRule.AUTO, same_site=SameSiteRule.AUTO, prefix="p_")
    async with conversation(routes=(replace(DEFAULT, cookies=rules),), server=SERVER) as talk:
        cookie = b"Set-Cookie: sid=1; Domain=api.test; Secure; SameSite=None; HttpOnly"
        _, head = await answered(
            talk, b"HTTP/1.1 200 OK\r\n" + cookie + b"\r\nSet-Cookie: b=2\r\nContent-Length: 0\r\n\r\n", request()
        )
        first, second = values_of(head, b"set-cookie")
        assert first.startswith(b"p_sid=1;")
        assert b"Domain" not in first
        assert b"Secure" not in first
        assert b"SameSite=Lax" in first
        assert second == b"p_b=2"
    async with conversation(routes=(replace(DEFAULT, cookies=rules),), server=SERVER) as talk:
        _, _, head = await forwarded(talk, request(b"Cookie: p_sid=1; other=3"))
        assert values_of(head, b"cookie") == [b"sid=1"]


async def test_a_client_is_told_nothing_by_a_policy_that_it_did_not_ask() -> None:
    """``curl`` gets the upstream's answer as it is, but for ``Vary``."""
    async with conversation(routes=(DEFAULT,), server=SERVER) as talk:
        client, head = await answered(talk, OK, request())
        assert head == b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nVary: Origin\r\n\r\n"
        assert await client.read(2) == b"ok"
