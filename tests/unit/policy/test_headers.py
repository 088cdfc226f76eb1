"""Fields that cross, fields that do not, fields that the gateway adds (RFC 9110 sections 7.6 and 7.8)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from devproxy.config.model import HeaderEdits, Scheme, ServerAddress
from devproxy.errors import BadMessage
from devproxy.http.messages import RequestHead, ResponseHead
from devproxy.http1.head import parse_request_head, parse_response_head
from devproxy.http1.render import plain_head
from devproxy.http1.start_line import Limits
from devproxy.policy.headers import (
    Edits,
    compile_edits,
    late_lines,
    request_lines,
    response_fields,
)
from devproxy.policy.hop import Peer
from hypothesis import assume, given, settings
from hypothesis import strategies as st

VIA = b"Via: 1.1 devproxy-0000"
HOST = b"Host: localhost:8080"
OWN = [
    b"X-Forwarded-For: 127.0.0.1",
    b"X-Forwarded-Proto: http",
    b"X-Forwarded-Host: localhost:8080",
    b"X-Forwarded-Port: 8080",
    b"X-Real-IP: 127.0.0.1",
    VIA,
]


def request(*lines: bytes, line: bytes = b"GET / HTTP/1.1", host: bytes = HOST) -> RequestHead:
    return parse_request_head(b"\r\n".join((line, *((host,) if host else ()), *lines)), Limits())


def response(*lines: bytes, line: bytes = b"HTTP/1.1 200 OK") -> ResponseHead:
    return parse_response_head(b"\r\n".join((line, *lines)), Limits())


def up(*lines: bytes, edits: Edits | None = None, line: bytes = b"GET / HTTP/1.1") -> list[bytes]:
    """Return the lines that go upstream for a request of `lines`, without the Host and the gateway's own lines."""
    sent = request_lines(request(*lines, line=line), Peer("127.0.0.1", "http"), VIA, edits)
    assert [own for own in OWN if own not in sent] == []
    return [one for one in sent if one not in (HOST, *OWN)]


def down(*lines: bytes, line: bytes = b"HTTP/1.1 200 OK") -> list[bytes]:
    """Return the lines that go to the client for a response of `lines`."""
    head = response(*lines, line=line)
    return [field.line for field in response_fields(head)]


# -- hop by hop --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        b"Connection: close",
        b"CONNECTION: keep-alive",
        b"Keep-Alive: timeout=5",
        b"Proxy-Connection: keep-alive",
        b"Proxy-Authorization: Basic x",
        b"Proxy-Authenticate: Basic",
        b"Proxy-Authentication-Info: x",
        b"HTTP2-Settings: AAMAAABkAAQAAP__",
        b"TE: trailers",
    ],
)
def test_a_field_of_one_connection_never_crosses(line: bytes) -> None:
    assert up(b"A: 1", line, b"B: 2") == [b"A: 1", b"B: 2"]
    assert down(b"A: 1", line, b"B: 2") == [b"A: 1", b"B: 2"]


def test_every_line_of_a_field_of_one_connection_goes_also_when_it_is_repeated() -> None:
    repeated = (b"Connection: keep-alive", b"A: 1", b"Connection: keep-alive", b"Keep-Alive: 1", b"Keep-Alive: 1")
    assert up(*repeated) == [b"A: 1"]
    assert down(*repeated) == [b"A: 1"]


def test_what_connection_lists_does_not_cross() -> None:
    listed = (b"Connection: close, X-Hop", b"X-HOP: 1", b"A: 1", b"x-hop: 2", b"connection: ,x-other,", b"X-Other: 3")
    assert up(*listed) == [b"A: 1"]
    assert down(*listed) == [b"A: 1"]


def test_connection_cannot_remove_what_says_where_a_message_goes_and_ends() -> None:
    sized = (b"Connection: host, content-length, cookie", b"Content-Length: 2", b"Cookie: a")
    sent = request_lines(request(*sized, line=b"POST / HTTP/1.1"), Peer("127.0.0.1", "http"), VIA, None)
    assert sent[:2] == [HOST, b"Content-Length: 2"]
    chunked = (b"Connection: transfer-encoding", b"Transfer-Encoding: chunked")
    assert up(*chunked, line=b"POST / HTTP/1.1") == [b"Transfer-Encoding: chunked"]
    assert down(b"Connection: content-length", b"Content-Length: 2") == [b"Content-Length: 2"]
    assert down(*chunked) == [b"Transfer-Encoding: chunked"]


def test_connection_cannot_remove_what_the_gateway_says_itself() -> None:
    listed = b"Connection: x-forwarded-for, x-forwarded-host, x-forwarded-proto, x-forwarded-port, x-real-ip, via"
    assert up(listed, b"X-Forwarded-For: 6.6.6.6", b"Via: 1.0 old") == []


def test_a_transfer_coding_is_written_in_one_way_whatever_its_case() -> None:
    assert up(b"Transfer-Encoding:  CHUNKED", line=b"POST / HTTP/1.1") == [b"Transfer-Encoding: chunked"]
    assert down(b"transfer-encoding: Chunked ") == [b"Transfer-Encoding: chunked"]


def test_lines_cross_as_the_octets_they_came_in() -> None:
    odd = (b"a:1", b"B:   2\t", b"c: \xff\xfe", b"D:", b"x: y", b"X: y", b"Cookie: a=1", b"cookie: b=2")
    assert up(*odd) == list(odd)
    assert down(*odd) == list(odd)


# -- forwarding fields -------------------------------------------------------------------------------------------------


def test_a_request_tells_who_asked_for_which_host() -> None:
    assert request_lines(request(), Peer("127.0.0.1", "http"), VIA, None) == [HOST, *OWN]


def test_an_empty_forwarded_for_counts_for_nothing() -> None:
    assert request_lines(request(b"X-Forwarded-For:"), Peer("127.0.0.1", "http"), VIA, None) == [HOST, *OWN]


@pytest.mark.parametrize(
    ("address", "shown"),
    [("127.0.0.1", b"127.0.0.1"), ("::1", b"::1"), ("::ffff:10.0.0.7", b"10.0.0.7"), ("unix", b"unix")],
)
def test_the_address_of_a_client_is_plain_also_when_it_came_mapped(address: str, shown: bytes) -> None:
    sent = request_lines(request(), Peer(address, "http"), VIA, None)
    assert b"X-Forwarded-For: " + shown in sent
    assert b"X-Real-IP: " + shown in sent


@pytest.mark.parametrize(
    ("host", "scheme", "port"),
    [
        (b"a.test", "http", b"80"),
        (b"a.test", "https", b"443"),
        (b"a.test:81", "https", b"81"),
        (b"[::1]", "http", b"80"),
        (b"[::1]:8080", "http", b"8080"),
    ],
)
def test_the_port_told_is_the_one_that_the_browser_used(host: bytes, scheme: str, port: bytes) -> None:
    sent = request_lines(request(host=b"Host: " + host), Peer("127.0.0.1", scheme), VIA, None)
    assert b"X-Forwarded-Port: " + port in sent
    assert b"X-Forwarded-Host: " + host in sent
    assert b"X-Forwarded-Proto: " + scheme.encode() in sent


def test_what_a_route_sets_or_removes_has_no_look_alike_beside_it() -> None:
    edits = compile_edits(HeaderEdits(set=(("X-Tenant", "a"),), remove=("X_User",)))
    sent = up(b"X_Tenant: b", b"x.tenant: c", b"X-Tenant: d", b"X-User: e", b"X_Other: f", edits=edits)
    assert sent == [b"X_Other: f", b"X-Tenant: a"]


def test_a_connection_that_changes_its_host_is_told_so_each_time() -> None:
    peer = Peer("127.0.0.1", "http")
    hosts = [b"a.test", b"b.test:9", b"a.test"]
    told = [request_lines(request(host=b"Host: " + host), peer, VIA, None)[3] for host in hosts]
    assert told == [b"X-Forwarded-Host: " + host for host in hosts]


def test_via_is_added_behind_those_of_earlier_proxies_and_never_to_a_response() -> None:
    sent = request_lines(request(b"Via: 1.0 fred, 1.1 p.test"), Peer("127.0.0.1", "http"), VIA, None)
    assert [line for line in sent if line.startswith(b"Via")] == [b"Via: 1.0 fred, 1.1 p.test", VIA]
    assert down(b"Via: 1.1 origin") == [b"Via: 1.1 origin"]


# -- TE, Trailer, Upgrade, Expect --------------------------------------------------------------------------------------


@pytest.mark.parametrize("te", [b"TE: trailers", b"te: gzip;q=0.5, Trailers", b"TE: trailers, deflate"])
def test_trailers_are_asked_for_upstream_when_the_client_takes_them(te: bytes) -> None:
    assert up(te, b"Connection: TE, close") == [b"TE: trailers", b"Connection: TE"]


def test_other_codings_are_not_asked_for() -> None:
    assert up(b"TE: gzip", b"Connection: TE") == []


def test_a_trailer_field_goes_along_with_chunks_alone() -> None:
    assert up(b"Trailer: X-A", b"Transfer-Encoding: chunked", line=b"POST / HTTP/1.1") == [
        b"Trailer: X-A",
        b"Transfer-Encoding: chunked",
    ]
    assert up(b"Trailer: X-A") == []


def test_an_upgrade_goes_up_with_the_one_connection_option_that_it_needs() -> None:
    asked = (b"Connection: keep-alive, Upgrade", b"A: 1", b"Upgrade: websocket", b"Sec-WebSocket-Key: k")
    assert up(*asked) == [b"A: 1", b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Key: k"]


def test_several_upgrade_lines_share_one_connection_line() -> None:
    assert up(b"Connection: upgrade", b"Upgrade: a", b"Upgrade: b") == [
        b"Connection: Upgrade",
        b"Upgrade: a",
        b"Upgrade: b",
    ]


@pytest.mark.parametrize(
    "asked",
    [
        (b"Upgrade: websocket",),
        (b"Connection: Upgrade", b"Upgrade: h2c", b"HTTP2-Settings: AA"),
        (b"Connection: upgrade",),
    ],
)
def test_an_upgrade_that_is_none_does_not_go_up(asked: tuple[bytes, ...]) -> None:
    assert up(*asked) == []


def test_an_upgrade_of_an_http_1_0_client_or_of_a_request_with_a_body_does_not_go_up() -> None:
    asked = (b"Connection: Upgrade", b"Upgrade: websocket")
    assert up(*asked, line=b"GET / HTTP/1.0") == []
    assert up(*asked, b"Content-Length: 1", line=b"POST / HTTP/1.1") == [b"Content-Length: 1"]


@pytest.mark.parametrize(
    ("status", "crossing"),
    [
        (b"101 S", [b"Upgrade: websocket", b"Connection: Upgrade"]),
        (b"426 U", [b"Upgrade: websocket"]),
        (b"200 OK", []),
    ],
)
def test_upgrade_goes_down_where_it_means_something(status: bytes, crossing: list[bytes]) -> None:
    assert down(b"Upgrade: websocket", b"Connection: upgrade", line=b"HTTP/1.1 " + status) == crossing


def test_an_expectation_goes_up_unless_the_client_speaks_http_1_0() -> None:
    asked = (b"Expect: 100-Continue", b"Content-Length: 1")
    assert up(*asked, line=b"POST / HTTP/1.1") == list(asked)
    assert up(*asked, line=b"POST / HTTP/1.0") == [b"Content-Length: 1"]


# -- the response ------------------------------------------------------------------------------------------------------


def test_the_access_control_fields_of_a_preflight_go_up() -> None:
    asked = (b"Origin: http://a", b"Access-Control-Request-Method: PUT", b"Access-Control-Request-Headers: x")
    assert up(*asked, line=b"OPTIONS / HTTP/1.1") == list(asked)


def test_a_response_without_a_body_has_no_length_and_no_coding() -> None:
    assert down(b"Content-Length: 0", b"A: 1", line=b"HTTP/1.1 204 N") == [b"A: 1"]


# -- edits -------------------------------------------------------------------------------------------------------------


def test_edits_remove_then_set_then_add() -> None:
    written = HeaderEdits(set=(("X-Set", "new"),), add=(("X-Add", "more"), ("X-Gone", "back")), remove=("X-Gone",))
    edits = compile_edits(written)
    lines = (b"x-set: old", b"A: 1", b"X-Set: older", b"X-ADD: first", b"x-gone: 1")
    put = [b"X-Set: new", b"X-Add: more", b"X-Gone: back"]
    assert up(*lines, edits=edits) == [b"A: 1", b"X-ADD: first", *put]


def test_no_edits_cost_nothing() -> None:
    assert compile_edits(HeaderEdits()) is None


def test_edits_cannot_smuggle_a_line() -> None:
    with pytest.raises(BadMessage):
        compile_edits(HeaderEdits(set=(("X", "a\r\nY: b"),)))


SERVER = ServerAddress(scheme=Scheme.HTTP, host="127.0.0.1", port=3001, url="http://127.0.0.1:3001")
LOCAL = Peer("127.0.0.1", "http")


def late(
    *values: str,
    server: ServerAddress = SERVER,
    host: bytes = b"localhost:8080",
    peer: Peer = LOCAL,
) -> list[bytes]:
    """Return the values of the lines that are known with the server."""
    edits = compile_edits(HeaderEdits(add=tuple(("X", value) for value in values)))
    assert edits is not None
    return [line.removeprefix(b"X: ") for line in late_lines(edits, peer=peer, host=host, server=server)]


def test_a_placeholder_stands_for_a_fact_of_the_exchange() -> None:
    assert late("${upstream.host}:${upstream.port}") == [b"127.0.0.1:3001"]
    assert late("at ${upstream.url}!") == [b"at http://127.0.0.1:3001!"]
    assert late("${scheme}://${host}", "${client.address}") == [b"http://localhost:8080", b"127.0.0.1"]


def test_an_ipv6_server_stands_in_brackets_and_a_socket_is_localhost() -> None:
    six = ServerAddress(scheme=Scheme.HTTP, host="::1", port=3001, url="http://[::1]:3001")
    assert late("${upstream.host}:${upstream.port}", server=six) == [b"[::1]:3001"]
    socket = ServerAddress(scheme=Scheme.UNIX, host="", port=0, url="unix:/run/a.sock", path="/run/a.sock")
    assert late("${upstream.host}|${upstream.port}|${upstream.url}", server=socket) == [b"localhost||unix:/run/a.sock"]


def test_edits_without_a_placeholder_are_ready_and_with_one_they_keep_their_order() -> None:
    ready = compile_edits(HeaderEdits(set=(("A", "$1 {host} $${host}"),)))
    assert ready == Edits(frozenset((b"a",)), (b"A: $1 {host} ${host}",))
    assert late_lines(ready, peer=Peer("127.0.0.1", "http"), host=b"a", server=SERVER) == []
    mixed = compile_edits(
        HeaderEdits(set=(("X", "${scheme}"),), add=(("X", "plain"), ("Y", "$${scheme}")), remove=("Z",))
    )
    assert mixed is not None
    assert mixed.put == ()
    assert mixed.leave_out == {b"x", b"z"}
    lines = late_lines(mixed, peer=Peer("127.0.0.1", "https"), host=b"a", server=SERVER)
    assert lines == [b"X: https", b"X: plain", b"Y: ${scheme}"]


def test_a_substituted_value_smuggles_no_line() -> None:
    server = ServerAddress(scheme=Scheme.UNIX, host="", port=0, url="unix:/a\r\nY: b\0\x7f", path="/a")
    assert late("${upstream.url}", server=server) == [b"unix:/aY: b"]
    assert late("${host}", host=b"a\r\nY: b") == [b"aY: b"]
    assert late("${client.address}", peer=Peer("fe80::1%\r\nY: b", "http")) == [b"fe80::1%Y: b"]


@pytest.mark.parametrize("value", ["${nobody}", "${host", "${}"])
def test_a_placeholder_that_does_not_exist_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="placeholder"):
        compile_edits(HeaderEdits(set=(("X", value),)))


def test_edits_may_take_away_and_replace_what_the_gateway_would_say() -> None:
    edits = compile_edits(HeaderEdits(set=(("X-Forwarded-Proto", "https"),), remove=("X-Real-IP", "Via")))
    sent = request_lines(request(b"Via: 1.0 old"), Peer("127.0.0.1", "http"), VIA, edits)
    assert [line for line in sent if line.startswith(b"X-Forwarded-Proto")] == [b"X-Forwarded-Proto: https"]
    assert not any(line.startswith(b"X-Real-IP") for line in sent)
    assert VIA in sent  # by which a loop is recognised


# -- properties --------------------------------------------------------------------------------------------------------

NAMES = st.sampled_from(
    [
        b"A",
        b"B",
        b"X-Hop",
        b"Cookie",
        b"Via",
        b"Origin",
        b"Keep-Alive",
        b"TE",
        b"Trailer",
        b"Upgrade",
        b"X-Forwarded-For",
        b"X-Forwarded-Host",
        b"X-Real-IP",
        b"Proxy-Connection",
        b"Access-Control-Max-Age",
        b"Expect",
    ]
)
VALUES = st.sampled_from([b"1", b"", b"a, b", b"websocket", b"trailers", b"\xff", b"100-continue"])
LINES = st.builds(
    lambda name, value: name + b": " + value,
    NAMES.flatmap(lambda name: st.sampled_from([name, name.lower(), name.upper()])),
    VALUES,
)
OPTIONS = st.lists(
    st.sampled_from(
        [b"close", b"keep-alive", b"Upgrade", b"x-hop", b"a", b"HOST", b"te", b"content-length", b"cookie"]
    ),
    min_size=1,
    max_size=4,
).map(lambda options: b"Connection: " + b", ".join(options))
FRAMING = st.sampled_from([(), (b"Content-Length: 3",), (b"Transfer-Encoding: chunked",)])
PROTECTED = frozenset((b"host", b"content-length", b"transfer-encoding"))
NEVER_CROSSING = frozenset((b"connection", b"keep-alive", b"proxy-connection"))
LOOKED_AT = frozenset((b"te", b"trailer", b"upgrade", b"expect", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip"))


def name_of(line: bytes) -> bytes:
    return line.partition(b":")[0].lower()


def built(
    parse: Callable[..., RequestHead] | Callable[..., ResponseHead], lines: list[bytes], start: bytes
) -> RequestHead | ResponseHead | None:
    try:
        return parse(*lines, line=start)
    except BadMessage:
        return None


HEADS = st.tuples(st.lists(LINES, max_size=6), st.lists(OPTIONS, max_size=2), FRAMING).flatmap(
    lambda parts: st.permutations([*parts[0], *parts[1], *parts[2]])
)


def crossing(lines: list[bytes], listed: frozenset[bytes]) -> list[bytes]:
    """Return those of `lines` that cross by RFC 9110 alone, whatever the message."""
    gone = (listed - PROTECTED) | NEVER_CROSSING | LOOKED_AT
    return [line for line in lines if name_of(line) not in gone]


def listed_in(lines: list[bytes]) -> frozenset[bytes]:
    values = [line.partition(b":")[2].lower() for line in lines if name_of(line) == b"connection"]
    return frozenset(token.strip() for value in values for token in value.split(b","))


@given(HEADS)
@settings(derandomize=True, deadline=None, max_examples=400)
def test_nothing_that_connection_lists_goes_up_and_all_else_keeps_its_order_and_number(lines: list[bytes]) -> None:
    head = built(request, lines, b"POST / HTTP/1.1")
    assume(isinstance(head, RequestHead))
    assert isinstance(head, RequestHead)
    sent = request_lines(head, Peer("127.0.0.1", "http"), VIA, None)
    listed = listed_in(lines)
    own_word = len(sent) - sent[::-1].index(VIA)
    for line in sent[: own_word - len(OWN)]:
        assert name_of(line) not in listed - PROTECTED - {b"upgrade"}
        assert name_of(line) not in NEVER_CROSSING or line == b"Connection: Upgrade"
    ordinary = [line for line in sent[: own_word - len(OWN)] if name_of(line) not in LOOKED_AT | {b"connection"}]
    assert ordinary == [HOST, *crossing(lines, listed)]


@given(HEADS)
@settings(derandomize=True, deadline=None, max_examples=400)
def test_nothing_that_connection_lists_goes_down_and_all_else_keeps_its_order_and_number(lines: list[bytes]) -> None:
    head = built(response, lines, b"HTTP/1.1 200 OK")
    assume(isinstance(head, ResponseHead))
    assert isinstance(head, ResponseHead)
    sent = [field.line for field in response_fields(head)]
    listed = listed_in(lines)
    assert not [line for line in sent if name_of(line) in (listed - PROTECTED) | NEVER_CROSSING]
    assert [line for line in sent if name_of(line) not in LOOKED_AT] == crossing(lines, listed)


def test_lines_that_are_there_more_than_once_are_all_left_out() -> None:
    lines = b"GET / HTTP/1.1\r\nConnection: close\r\nConnection: close\r\nHost: a\r\nConnection: close"
    head = parse_request_head(lines, Limits())
    assert plain_head(head.block, head.facts.dropped) == b"GET / HTTP/1.1\r\nHost: a\r\n"


@given(HEADS)
@settings(derandomize=True, deadline=None, max_examples=400)
def test_the_short_way_gives_what_the_long_way_gives(lines: list[bytes]) -> None:
    """A plain head only loses lines: taking them out of the octets equals writing the others anew."""
    peer = Peer("127.0.0.1", "http")
    asked = built(request, lines, b"POST / HTTP/1.1")
    if isinstance(asked, RequestHead) and asked.facts.is_plain:
        long = b"\r\n".join((b"POST / HTTP/1.1", *request_lines(asked, peer, VIA, None), b"", b""))
        assert plain_head(asked.block, asked.facts.dropped) + peer.tail(asked.host, VIA) == long
    answered = built(response, lines, b"HTTP/1.1 200 OK")
    if isinstance(answered, ResponseHead) and answered.facts.is_plain:
        rest = [field.line for field in response_fields(answered)]
        assert plain_head(answered.block, answered.facts.dropped) == b"\r\n".join((b"HTTP/1.1 200 OK", *rest, b""))
