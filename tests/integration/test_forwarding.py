"""What of a head crosses the gateway, read on the wire: methods, targets, fields both ways, authority, edits, CORS."""

from __future__ import annotations

from dataclasses import replace

import pytest
from devproxy.config.model import Cors, CorsMode, HeaderEdits
from tests.support.exchanges import GET, OK, answered, forwarded, lines_of, own_lines_of, values_of
from tests.support.wire import OPEN, WAY, conversation

pytestmark = [pytest.mark.both_loops, pytest.mark.both_versions]

EVERYTHING = OPEN


# -- methods and targets ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", [b"FOO", b"PURGE", b"get", b"PROPFIND", b"M-SEARCH", b"QUERY", b"!#$%&'*+-.^_`|~"])
async def test_a_method_that_nobody_knows_passes_as_it_is(method: bytes) -> None:
    async with conversation() as talk:
        client, server, head = await forwarded(talk, method + b" /x HTTP/1.1\r\nHost: a\r\n\r\n")
        assert head.startswith(method + b" /x HTTP/1.1\r\n")
        server.send(OK)
        await client.head()
        assert await client.read(2) == b"ok"


@pytest.mark.parametrize(
    "target",
    [
        b"/",
        b"//",
        b"/a//b///c",
        b"/a%2Fb%2f%5c",
        b"/a/../b/./c",
        b"/..",
        b"/a;v=1;w/b",
        b"/a?",
        b"/a??b?c",
        b"/a?b=/../c&d=%00#"[:-1],
        b"/a?b\\c",
        b"/caf\xc3\xa9?q=\xe4\xb8\xad",
        b"/latin\xe9",
        b"/%zz%4",
        b"/100%",
        b"/%41%7e~",
        b'/"<>^`{|}',
        b"/[x]@y:80",
        b"/" + b"x" * 30000,
    ],
)
async def test_the_octets_of_a_target_pass_unchanged(target: bytes) -> None:
    async with conversation() as talk:
        _, _, head = await forwarded(talk, b"GET " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n")
        assert head.partition(b"\r\n")[0] == b"GET " + target + b" HTTP/1.1"


async def test_the_asterisk_of_options_passes() -> None:
    async with conversation() as talk:
        _, _, head = await forwarded(talk, b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n")
        assert head.startswith(b"OPTIONS * HTTP/1.1\r\nHost: a\r\n")


@pytest.mark.http1_only("HTTP/2 has no absolute targets")
@pytest.mark.parametrize(
    ("target", "passed", "host"),
    [
        (b"http://other:81/p//q?r", b"/p//q?r", b"other:81"),
        (b"HTTP://Other", b"/", b"Other"),
        (b"https://other?q", b"/?q", b"other"),
    ],
)
async def test_the_authority_of_an_absolute_target_replaces_the_host(target: bytes, passed: bytes, host: bytes) -> None:
    async with conversation() as talk:
        _, _, head = await forwarded(talk, b"GET " + target + b" HTTP/1.1\r\nX: 1\r\nhost: liar\r\nY: 2\r\n\r\n")
        assert head.startswith(b"GET " + passed + b" HTTP/1.1\r\n")
        assert own_lines_of(head) == [b"X: 1", b"Host: " + host, b"Y: 2"]
        assert values_of(head, b"x-forwarded-host") == [host]


# -- fields ----------------------------------------------------------------------------------------------------------

ODD_LINES = [
    b"x-lower: 1",
    b"X-UPPER: 2",
    b"X-Twice: b",
    b"Accept: */*",
    b"X-Twice: a",
    b"x-twice:no space",
    b"X-Space:   around \t ",
    b"X-Empty:",
    b"X-Latin: caf\xe9 \xff",
    b"X-UTF8: caf\xc3\xa9 \xf0\x9f\x8e\x89",
    b'X-Quoted: "a, b"; c',
    b"X_Under.score!#$%&'*+-^`|~: token",
    b"Cookie: a=b; c=d",
    b"Cookie: e=f",
    b"Authorization: Basic eA==",
]


@pytest.mark.http1_only("names have no case in HTTP/2, and the host comes first")
async def test_order_case_repetition_and_octets_of_a_requests_fields_are_kept() -> None:
    async with conversation() as talk:
        _, _, head = await forwarded(talk, b"\r\n".join((b"GET / HTTP/1.1", *ODD_LINES, b"hOST: a", b"Z: z", b"", b"")))
        assert own_lines_of(head) == [*ODD_LINES, b"hOST: a", b"Z: z"]


@pytest.mark.http1_only("names have no case in HTTP/2, and there is no reason")
@pytest.mark.parametrize("ending", [b"Content-Length: 0", b"Transfer-Encoding: chunked"])
async def test_order_case_repetition_and_octets_of_an_answers_fields_are_kept(ending: bytes) -> None:
    cookies = [
        b"Set-Cookie: a=1; Path=/; HttpOnly",
        b"set-cookie: b=2; Secure; SameSite=None",
        b"Set-Cookie: a=1; Path=/",
    ]
    answer = [*ODD_LINES, *cookies, ending, b"Server: x", b"Date: never"]
    async with conversation() as talk:
        _, head = await answered(talk, b"\r\n".join((b"HTTP/1.1 299 \xe9trange  reason", *answer, b"", b"")))
        assert head.partition(b"\r\n")[0] == b"HTTP/1.1 299 \xe9trange  reason"
        assert lines_of(head) == answer


async def test_fields_of_one_connection_do_not_go_up() -> None:
    async with conversation() as talk:
        _, _, head = await forwarded(
            talk,
            b"GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, X-Hop\r\nconnection: x-other\r\n"
            b"Keep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nProxy-Authorization: Basic eA==\r\n"
            b"TE: gzip\r\nTrailer: X\r\nUpgrade: odd\r\nX-Hop: 1\r\nX-OTHER: 2\r\nx-hop: 3\r\nX-Stays: 4\r\n\r\n",
        )
        assert own_lines_of(head) == [b"Host: a", b"X-Stays: 4"]


async def test_fields_of_one_connection_do_not_go_down() -> None:
    async with conversation() as talk:
        _, head = await answered(
            talk,
            b"HTTP/1.1 200 OK\r\nConnection: X-Hop, keep-alive\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\n"
            b"Proxy-Connection: close\r\nProxy-Authenticate: Basic\r\nTE: x\r\nUpgrade: h2c\r\n"
            b"X-Stays: 2\r\nContent-Length: 0\r\n\r\n",
        )
        assert lines_of(head) == [b"X-Stays: 2", b"Content-Length: 0"]


@pytest.mark.http1_only("HTTP/2 has no Connection")
@pytest.mark.parametrize("option", [b"Host", b"Content-Length", b"X-Forwarded-For", b"Via"])
async def test_a_connection_option_cannot_take_away_what_the_gateway_vouches_for(option: bytes) -> None:
    async with conversation() as talk:
        request = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nConnection: " + option + b"\r\n\r\nhi"
        _, server, head = await forwarded(talk, request)
        assert len(values_of(head, option.lower())) == 1
        assert await server.read(2) == b"hi"


async def test_the_server_learns_who_asked_and_how() -> None:
    async with conversation() as talk:
        _, _, head = await forwarded(talk, b"GET / HTTP/1.1\r\nHost: shop.test:8080\r\n\r\n")
        added = lines_of(head)[1:]
        assert added[:-1] == [
            b"X-Forwarded-For: 127.0.0.1",
            b"X-Forwarded-Proto: http",
            b"X-Forwarded-Host: shop.test:8080",
            b"X-Forwarded-Port: 8080",
            b"X-Real-IP: 127.0.0.1",
        ]
        assert added[-1].startswith(b"Via: %b devproxy-" % WAY.version)


async def test_requests_on_one_connection_for_several_hosts_are_told_apart() -> None:
    async with conversation() as talk:
        client, server, _ = await forwarded(talk, GET)
        for host in (b"b:1", b"c", b"b:1"):
            server.send(OK)
            await client.head()
            await client.read(2)
            client.send(b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")
            head = await server.head()
            assert values_of(head, b"host") == values_of(head, b"x-forwarded-host") == [host]


# -- authority, edits and CORS ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", ["keep", "upstream", "app.test:99"])
async def test_the_host_goes_up_as_the_route_says(rule: str) -> None:
    async with conversation(routes=(replace(EVERYTHING, host=rule),)) as talk:
        _, _, head = await forwarded(talk, b"GET / HTTP/1.1\r\nHost: asked\r\nA: 1\r\nOrigin: http://asked\r\n\r\n")
        own = b"127.0.0.1:%d" % talk.upstream.port
        sent = {"keep": b"asked", "upstream": own}.get(rule, rule.encode())
        assert own_lines_of(head) == [b"Host: " + sent, b"A: 1", b"Origin: http://asked"]
        assert values_of(head, b"x-forwarded-host") == [b"asked"]


@pytest.mark.parametrize("rule", ["keep", "upstream", "remove", "https://app.test"])
@pytest.mark.parametrize("upgrade", [b"", b"Connection: Upgrade\r\nUpgrade: websocket\r\n"])
async def test_the_origin_goes_up_as_the_route_says(rule: str, upgrade: bytes) -> None:
    async with conversation(routes=(replace(EVERYTHING, origin=rule),)) as talk:
        request = b"GET / HTTP/1.1\r\nHost: a\r\nOrigin: http://asked\r\n" + upgrade + b"\r\n"
        _, _, head = await forwarded(talk, request)
        own = b"http://127.0.0.1:%d" % talk.upstream.port
        sent = {"keep": [b"http://asked"], "upstream": [own], "remove": []}.get(rule, [rule.encode()])
        assert values_of(head, b"origin") == sent
        _, _, head = await forwarded(talk, GET)
        assert values_of(head, b"origin") == []


async def test_edits_of_a_route_are_applied_both_ways() -> None:
    up = HeaderEdits(set=(("X-Set", "new"), ("X-Forwarded-Proto", "https")), add=(("X-Add", "2"),), remove=("X-Gone",))
    down = HeaderEdits(set=(("Cache-Control", "no-store"),), add=(("Set-Cookie", "c=3"),), remove=("Server",))
    route = replace(EVERYTHING, request_headers=up, response_headers=down)
    async with conversation(routes=(route,)) as talk:
        client, server, head = await forwarded(
            talk,
            b"GET / HTTP/1.1\r\nHost: a\r\nx-set: old\r\nX-Add: 1\r\nx-gone: 1\r\nX-GONE: 2\r\nX-Set: older\r\n\r\n",
        )
        assert own_lines_of(head) == [b"Host: a", b"X-Add: 1", b"X-Set: new", b"X-Add: 2"]
        assert values_of(head, b"x-forwarded-proto") == [b"https"]
        server.send(
            b"HTTP/1.1 200 OK\r\nserver: x\r\ncache-control: public\r\nSet-Cookie: a=1\r\nContent-Length: 0\r\n\r\n"
        )
        assert lines_of(await client.head()) == [
            b"Set-Cookie: a=1",
            b"Content-Length: 0",
            b"Cache-Control: no-store",
            b"Set-Cookie: c=3",
        ]


@pytest.mark.parametrize("mode", [CorsMode.STRIP, CorsMode.PASSTHROUGH])
@pytest.mark.parametrize(
    ("asked_with", "status"),
    [
        (b"", b"200 OK\r\nContent-Length: 0"),
        (b"", b"204 No Content"),
        (b"Connection: Upgrade\r\nUpgrade: websocket\r\n", b"101 S\r\nConnection: Upgrade\r\nUpgrade: websocket"),
    ],
    ids=["200", "204", "101"],
)
async def test_cors_fields_of_an_answer_pass_only_where_the_route_lets_them(
    mode: CorsMode, asked_with: bytes, status: bytes
) -> None:
    cors = [b"Access-Control-Allow-Origin: *", b"Access-Control-Allow-Credentials: true", b"Access-Control-Odd: 1"]
    async with conversation(routes=(replace(EVERYTHING, cors=Cors(mode=mode)),)) as talk:
        request = b"GET / HTTP/1.1\r\nHost: a\r\nOrigin: http://b\r\nAccess-Control-Request-Method: PUT\r\n"
        client, server, head = await forwarded(talk, request + asked_with + b"\r\n")
        assert values_of(head, b"access-control-request-method") == [b"PUT"]
        server.send(b"\r\n".join((b"HTTP/1.1 " + status, *cors, b"Vary: Origin", b"", b"")))
        lines = lines_of(await client.head())
        passed = cors if mode is CorsMode.PASSTHROUGH else []
        is_final = not status.startswith(b"101")
        added = [b"Cross-Origin-Resource-Policy: same-origin"] if is_final and mode is CorsMode.STRIP else []
        assert lines == [*status.split(b"\r\n")[1:], *passed, b"Vary: Origin", *added]
