"""Whatever comes from the wire costs every function of the data path time in proportion to its length.

The one timed test that there is: the best of 7 runs with 64 KiB takes at most 6 times the best of 7 with 16 KiB. Every
function is fed: those that take nothing but octets and texts by their signatures, the others by the flows below, and a
test holds that there is none that neither reaches.
"""

from __future__ import annotations

import cProfile
import gc
import inspect
import pkgutil
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from typing import Any
from zlib import crc32

import pytest
from devproxy import answers, config
from devproxy.console.folding import Folding
from devproxy.console.jsonlines import JsonLines
from devproxy.console.lines import HumanLines
from devproxy.console.style import Style, glyphs_for
from devproxy.errors import (
    BadMessage,
    DevproxyError,
    ProxyCause,
    ProxyFailure,
    SeenCertificate,
    TlsCause,
    TlsFailure,
)
from devproxy.events import ExchangeFinished, Outcome, Trouble, TunnelOpened, UpstreamState
from devproxy.http.fields import read_field
from devproxy.http1.connect import ConnectAnswer, no_answer, refusal
from devproxy.http1.framing import ChunkedReader
from devproxy.http1.head import parse_request_head, parse_response_head, recall_request_head, recall_response_head
from devproxy.http1.reader import HeadReader, MessageKind
from devproxy.http1.refusals import told
from devproxy.http2 import frames, hpack
from devproxy.http2.connection import ServerConnection
from devproxy.plan import (
    Forward,
    Respond,
    advice_on,
    advice_on_body,
    answers_preflight,
    changes_to,
    compile_snapshot,
    edit_response,
    lines_for_malformed,
    plan_request,
    render_request,
)
from devproxy.plan.differences import request_differences, response_differences
from devproxy.plan.loops import loop_by_devproxy, loop_by_server
from devproxy.plan.plain import plan_plain_request
from devproxy.plan.response import repair_of
from devproxy.policy.frontend_routes import advice_on_api, framework_of
from devproxy.policy.hop import Peer
from devproxy.policy.proxy_advice import words_on_proxy
from devproxy.policy.redirect_loops import Way, advice_on_loop, says_https, way_back
from devproxy.policy.tls_advice import Settings, certificate_text, facts_of_certificate, words_on_tls
from devproxy.realtime.websocket import FrameTracker
from devproxy.routing.balance import Balancer
from tests.support.ends import end_of
from tests.support.heads import head_for_client, render_answer
from tests.support.http2 import CLIENT_PREFACE, GET, POST, block_of, data, headers

KIB = 1024
MOST = 6.0
RUNS = 7
TOO_SHORT_S = 0.004
"""What is done sooner, with 64 KiB, is not measured any further: an input of that size cannot hold up anybody."""
TOO_SHORT_FLOW_S = 0.06
"""The same of a flow, which is some dozens of inputs."""

UNITS = (
    *(
        b"a",
        b" ",
        b"\t",
        b"/",
        b".",
        b"..",
        b"%",
        b"%3B",
        b"%25",
        b"%2F%2F",
        b"%40",
        b"@",
        b":",
        b"=",
        b"&",
        b";",
        b",",
    ),
    *(
        b"a,",
        b"a, ",
        b" ,",
        b"a=b; ",
        b"a=b&",
        b"&token=",
        b"&token=x",
        b";a=b",
        b"?",
        b"#",
        b"<",
        b"<a>,",
        b'"',
        b'\\"',
    ),
    *(b"\\", b"a.", b"a-", b"1.", b"0", b"//", b"//a@", b"/../", b"/..", b"/;", b"..;/", b"%2e%2e/", b"eyJ", b"eyJa."),
    *(b"\xc0\xae", b"\xe9", b"\xff", b"(", b"[", b"{", b"'", b"insecure-", b"localhost.", b"http://", b"x\n", b"\r"),
    *(b"http://localhost:3000 ", b"Origin, ", b"*, ", b"chunked, ", b"gzip;q=0, ", b"for=a;", b"\x00", b"0;a=b\r\n"),
    *(b"1\r\na\r\n", b'0{"sid":"', b'"sid":', b"EIO=4&", b"&sid=", b"\x81\x00", b"\r\n", b"a: b\r\n", b"\r\norigin: "),
)
ENDS = (b"", b"x", b"\n", b"!", b'"')


def texts(size: int) -> Iterator[bytes]:
    for unit in UNITS:
        yield (unit * (size // len(unit) + 1))[:size]


CONFIG = config.load(
    b"""
[server]
tls = true
max_target_bytes = 1_048_576
max_head_bytes = 4_194_304
max_fields = 10000
[upstreams]
b = { servers = ["http://localhost:3001", "http://localhost:3002"], sticky = "cookie" }
s = { servers = ["http://localhost:3003", "http://localhost:3004"], sticky = "socketio" }
[[routes]]
path = "/api/"
rewrite = "/v1/"
upstream = "b"
cookies = { domain = "", secure = "auto", same_site = "auto", prefix = "p_" }
cors = { mode = "fix", origins = ["http://localhost:*", 'regex:https://.*\\.app\\.[a-z.]*test'] }
headers = { response = { set = { "X-A" = "${host}" } } }
[[routes]]
path_regex = '/v[0-9]+/.*/[^/]*\\.(js|css)'
upstream = "b"
[[routes]]
path_glob = "/g/**/a*b*/*.js"
match_host = "*.app.test"
match_headers = { Accept = "*a*b*c*" }
upstream = "b"
[[routes]]
path = "/socket.io/"
upstream = "s"
cors = { preflight = "forward-or-answer" }
[[routes]]
path = "/"
upstream = "b"
""",
    source="x",
)
SNAPSHOT = compile_snapshot(CONFIG, "0000")
BARE = compile_snapshot(replace(CONFIG, routes=CONFIG.routes[:3]), "0000")
LIMITS = SNAPSHOT.limits
PEER = Peer("127.0.0.1", "http")
SERVER = CONFIG.upstreams[0].servers[0]


@dataclass
class Idle:
    """A server that is up and has nothing to do."""

    is_up: bool | None = True
    outstanding: int = 0


STANDINGS = [Idle(), Idle()]
PLAIN_STYLE = Style(False, glyphs_for("utf-8"))
START = b"GET /api/a HTTP/1.1\r\nHost: localhost:8080\r\n"
REQUEST_NAMES = (
    *(b"Origin", b"Cookie", b"Connection", b"Via", b"Upgrade", b"Accept", b"X-Forwarded-For", b"X-Forwarded-Host"),
    *(b"Forwarded", b"Sec-WebSocket-Protocol", b"Access-Control-Request-Headers", b"TE", b"Transfer-Encoding"),
)
RESPONSE_NAMES = (
    *(b"Link", b"Location", b"Refresh", b"Set-Cookie", b"Vary", b"Connection", b"Keep-Alive", b"Upgrade", b"X"),
    *(b"Access-Control-Allow-Origin", b"Access-Control-Allow-Headers", b"Access-Control-Allow-Credentials"),
    *(b"Access-Control-Expose-Headers", b"Access-Control-Allow-Methods", b"Content-Length", b"Transfer-Encoding"),
    *(b"Sec-WebSocket-Accept", b"Sec-WebSocket-Extensions", b"Content-Type", b"Cross-Origin-Resource-Policy"),
)


def some_of(names: tuple[bytes, ...], text: bytes) -> tuple[bytes, ...]:
    """All `names` for a short text, for a long one a quarter of them, by what it begins with: there are many texts."""
    return names if len(text) < KIB else names[crc32(text[:16]) % 4 :: 4]


def request(octets: bytes) -> None:
    """All that a request meets, from its first octet to the log."""
    octets += b"\r\n\r\n"
    try:
        recalled = recall_request_head(octets, LIMITS)
        found = HeadReader(MessageKind.REQUEST, LIMITS).feed(octets)
        head = recalled[0] if recalled else parse_request_head((found or (b"",))[0], LIMITS)
    except BadMessage as error:
        lines = lines_for_malformed(octets, SNAPSHOT)
        render_answer(answers.bad_message(error), None, keep_alive=False, lines=lines)
        told(error)
        return
    elsewhere = plan_request(head, BARE)
    if isinstance(elsewhere, Respond):
        render_answer(elsewhere.answer, head, keep_alive=True, lines=elsewhere.lines)
    plan_plain_request(head, SNAPSHOT, PEER)
    plan = plan_request(head, SNAPSHOT)
    if isinstance(plan, Respond):
        for wanted in (head, None):
            render_answer(plan.answer, wanted, keep_alive=True, lines=plan.lines)
        return
    render_request(plan, head, PEER, SERVER)
    for upstream in CONFIG.upstreams:
        Balancer(upstream).choose(head, STANDINGS)
        Balancer(upstream).opens_session(head)


def response(octets: bytes, asked: bytes = START) -> None:
    """All that a response meets."""
    octets += b"\r\n\r\n"
    head = parse_request_head(asked.rstrip(b"\r\n"), LIMITS)
    plan = plan_request(head, SNAPSHOT)
    assert isinstance(plan, Forward)
    try:
        recalled = recall_response_head(octets, LIMITS)
        found = HeadReader(MessageKind.RESPONSE, LIMITS).feed(octets)
        answer = recalled[0] if recalled else parse_response_head((found or (b"",))[0], LIMITS)
    except BadMessage as error:
        answers.bad_message(error)
        return
    length = 0 if head.method == b"HEAD" else answer.body_length
    head_for_client(plan, head, answer, PEER, SERVER, body_length=length, close=False)
    head_for_client(plan, head, answer, PEER, SERVER, body_length=length, close=True)
    with suppress(BadMessage):
        advice_on(plan, head, answer, edit_response(plan, head, answer, PEER, SERVER), PEER)
        answers_preflight(plan, head, answer, PEER, SERVER)
    changes_to(plan, head, answer, PEER, SERVER)


def in_target(text: bytes) -> None:
    for start in (b"/", b"/api/", b"/v1/", b"/g/", b"/?", b"/socket.io/?EIO=4&transport=polling&sid=", b"http://"):
        request(b"GET " + start + text + b" HTTP/1.1\r\nHost: localhost")


def in_start_lines(text: bytes) -> None:
    request(text)
    request(b"GET " + text)
    response(text)
    response(b"HTTP/1.1 200 " + text)


def in_host(text: bytes) -> None:
    request(b"GET /api/ HTTP/1.1\r\nHost: " + text + b"\r\nOrigin: http://localhost:1")


def in_request_fields(text: bytes) -> None:
    for name in some_of(REQUEST_NAMES, text):
        request(START + name + b": " + text)
        request(
            START + b"Origin: http://evil.example\r\nConnection: upgrade\r\nUpgrade: websocket\r\n" + name + b":" + text
        )


def in_many_request_lines(text: bytes) -> None:
    pieces = [text[index : index + 16] for index in range(0, len(text) // 4, 16)]
    for name in some_of(REQUEST_NAMES, text):
        request(START + b"\r\n".join(name + b": " + piece for piece in pieces))


def in_response_fields(text: bytes) -> None:
    page = START + b"Origin: http://localhost:3000\r\nCookie: a=b\r\n"
    asking = page.replace(b"GET", b"OPTIONS").replace(b"/api/a", b"/socket.io/a")
    asking += b"Access-Control-Request-Method: PUT\r\nAccess-Control-Request-Headers: " + text[:4096]
    for name in some_of(RESPONSE_NAMES, text):
        field = name + b": " + text
        response(b"HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\n" + field, page)
        with suppress(AssertionError, BadMessage):
            response(b"HTTP/1.1 204 No Content\r\nAccess-Control-Allow-Origin: *\r\n" + field, asking)


def in_handshakes(text: bytes) -> None:
    page = (
        START.replace(b"/api/a", b"/ws")
        + b"Origin: http://localhost:3000\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    )
    for name in (b"Sec-WebSocket-Protocol", b"Sec-WebSocket-Key"):
        for answer in (b"Sec-WebSocket-Accept", b"Sec-WebSocket-Protocol", b"Sec-WebSocket-Extensions", b"Upgrade"):
            asked = page + name + b": " + text
            try:
                parse_request_head(asked, LIMITS)
            except BadMessage:
                continue
            response(
                b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                + answer
                + b": "
                + text,
                asked,
            )


def in_a_refusal(text: bytes) -> None:
    head = parse_request_head(START.rstrip(), LIMITS)
    plan = plan_request(head, SNAPSHOT)
    assert isinstance(plan, Forward)
    for status in (b"400", b"403", b"404", b"502"):
        for field in (b"Content-Length: 1", b"Transfer-Encoding: chunked", b"Content-Encoding: gzip"):
            answer = parse_response_head(b"HTTP/1.1 " + status + b" No\r\n" + field, LIMITS, b"GET")
            for target in (text, b"/socket.io/?EIO=4&" + text):
                advice_on_body(plan, target, answer, text, SERVER)


def in_what_is_shown_of_heads(text: bytes) -> None:
    """What differs between two heads, of one long line or of many."""
    head = parse_request_head(START.rstrip(), LIMITS)
    plan = plan_request(head, SNAPSHOT)
    assert isinstance(plan, Forward)
    pieces = [b"X: " + text[index : index + 16] for index in range(0, len(text) // 4, 16)]
    for start, lines in ((b"GET / HTTP/1.1", [b"Cookie: " + text]), (b"GET / HTTP/1.1", pieces)):
        before, after = [start, *lines], [start, *reversed(lines), b"Set-Cookie: " + text]
        with suppress(BadMessage):
            request_differences(before, after, plan.compiled)
        with suppress(BadMessage):
            response_differences(before, after, plan, head, PEER, SERVER)
    with suppress(BadMessage):
        repair_of(plan, head, read_field(b"Location: " + text), PEER, SERVER)


def in_redirects(text: bytes) -> None:
    """Whether a place leads back, and what is said where it does."""
    asked = parse_request_head(START.rstrip(), LIMITS)
    plan = plan_request(asked, SNAPSHOT)
    assert isinstance(plan, Forward)
    for start in (b"", b"/", b"http://localhost:8080/", b"https://"):
        lines = (b"HTTP/1.1 302 Found", b"Location: " + start + text, b"Set-Cookie: " + text)
        with suppress(BadMessage):
            head = parse_response_head(b"\r\n".join(lines), LIMITS)
            edits = edit_response(plan, asked, head, PEER, SERVER)
            loop_by_server(plan, asked, head, edits, PEER, SERVER, SNAPSHOT)
        way_back(b"http://localhost:8080", b"/" + text, start + text)
    found = loop_by_devproxy(asked, PEER, SNAPSHOT)
    for way in Way:
        advice_on_loop(found.loop._replace(way=way, url=text, peer=text.decode("latin-1")))
    with suppress(BadMessage):
        says_https([read_field(b"Forwarded: " + text), read_field(b"X-Forwarded-Ssl: " + text)])


def in_answers_of_proxies(text: bytes) -> None:
    """What a proxy says to CONNECT."""
    for start in (b"", b"HTTP/1.1 407 " + text, b"HTTP/1.1 200 OK\r\nProxy-Authenticate: "):
        try:
            answered = ConnectAnswer().feed(start + text + b"\r\n\r\n")
        except BadMessage as error:
            no_answer(error, "http://proxy.test:3128")
        else:
            assert answered is not None
            words_on_proxy(refusal(answered, "http://proxy.test:3128"), "[upstreams.b]")
    words = text.decode("latin-1")
    for cause in ProxyCause:
        words_on_proxy(ProxyFailure(cause, "http://proxy.test:3128", words, (words,)), "[upstreams.b]")


def in_pages_of_frontends(text: bytes) -> None:
    """What a frontend says it is, and what is told of a path below ``/api/`` that it may have."""
    for name in (b"x-powered-by", b"x-sveltekit-page", text):
        advice_on_api(framework_of(((name, text),), text), text, b"/api/" + text)


def in_certificates(text: bytes) -> None:
    """What is said of a server's certificate that is not trusted."""
    words = text.decode("latin-1")
    certificate = SeenCertificate(words, words, tuple(words.split(",")), words, words)
    for cause in TlsCause:
        words_on_tls(TlsFailure(cause, words, certificate), Settings("b", "[upstreams.b]"))
    facts_of_certificate(certificate)
    certificate_text(certificate)


def in_many_response_lines(text: bytes) -> None:
    pieces = [text[index : index + 16] for index in range(0, len(text) // 4, 16)]
    for name in some_of(RESPONSE_NAMES, text):
        for status in (b"200 OK", b"101 Switching Protocols"):
            response(b"HTTP/1.1 " + status + b"\r\n" + b"\r\n".join(name + b": " + piece for piece in pieces))


def in_pieces(text: bytes) -> None:
    """Heads and chunked bodies that come an octet at a time."""
    for kind, start in ((MessageKind.REQUEST, START), (MessageKind.RESPONSE, b"HTTP/1.1 200 OK\r\n")):
        reader = HeadReader(kind, LIMITS)
        with suppress(BadMessage):
            for octet in memoryview(start + b"a: " + text[: len(text) // 4]):
                reader.feed(bytes((octet,)))
    chunked = ChunkedReader(dropped_trailers=(b"a",))
    with suppress(BadMessage):
        for octet in memoryview(text[: len(text) // 4]):
            chunked.feed(bytes((octet,)))


def in_a_chunked_body(text: bytes) -> None:
    for start in (b"", b"0\r\n", b"1;a="):
        for is_decoding in (False, True):
            with suppress(BadMessage):
                ChunkedReader(is_decoding=is_decoding, dropped_trailers=tuple(text.split(b","))).feed(start + text)


def in_frames(text: bytes) -> None:
    for is_masked in (False, True):
        FrameTracker(is_masked=is_masked).advance(text)


def in_frames_of_http2(text: bytes) -> None:
    for start in (b"", CLIENT_PREFACE, CLIENT_PREFACE + headers(1, POST, ended=False)):
        server = ServerConnection(LIMITS)
        server.receive(start + text)
        server = ServerConnection(LIMITS)
        for octet in memoryview(start + text[: len(text) // 16]):
            server.receive(bytes((octet,)))
    server = ServerConnection(LIMITS)
    server.receive(CLIENT_PREFACE + headers(1, POST, ended=False))
    for at in range(0, len(text), 64):
        server.receive(data(1, text[at : at + 64]))
        server.acknowledge(1, 64)
    for at in range(0, len(text), 256):
        server.receive(frames.write_ping_ack(text[at : at + 8]))


def in_blocks_of_http2(text: bytes) -> None:
    """As one field, as many, and as a block."""
    pieces = [text[at : at + 16] for at in range(0, len(text) // 4, 16)]
    for fields in (
        [*GET, (b"x", text)],
        [*GET, (text, b"x")],
        [*GET[:2], (b":path", b"/" + text), GET[3]],
        [*GET, *((b"cookie", piece) for piece in pieces)],
        [*GET, *((b"x", piece) for piece in pieces)],
        [*GET, *((b"content-length", piece) for piece in pieces)],
        [(b":method", b"CONNECT"), (b":protocol", text), *GET[1:]],
    ):
        _take_block(block_of(fields))
    for start in (b"", b"\x40\x01a", b"\x40\x01a\x00\x7e", b"\x3f\x01"):
        _take_block(start + text)
    _take_block(b"".join(b"\x40\x01a" + bytes((len(piece) | 0x80,)) + piece for piece in pieces) + b"\xbe" * len(text))


def _take_block(block: bytes) -> None:
    for start in (b"", headers(1, POST, ended=False)):
        pieces = [block[at : at + 16_384] for at in range(0, len(block), 16_384)]
        server = ServerConnection(LIMITS, offers_protocols=True)
        server.receive(CLIENT_PREFACE + start)
        server.receive(frames.write_head(frames.HEADERS, 1, 1, len(pieces[0])) + pieces[0])
        for piece in pieces[1:]:
            server.receive(frames.write_head(frames.CONTINUATION, 0, 1, len(piece)) + piece)
        server.receive(frames.write_head(frames.CONTINUATION, 4, 1, 0))
    with suppress(hpack.CompressionFault):
        hpack.Decoder().decode(block)


def in_responses_of_http2(text: bytes) -> None:
    server = ServerConnection(LIMITS)
    server.receive(CLIENT_PREFACE + headers(1, GET))
    server.inform(1, [b"HTTP/1.1 103 Early Hints", b"Link: " + text])
    server.respond(1, [b"HTTP/1.1 200 OK", b"X: " + text, *(b"Y: " + piece for piece in text.split(b","))], b"", False)
    for at in range(0, len(text), 64):
        server.send(1, text[at : at + 64], False)
    server.send_trailers(1, [b"X: " + text])
    for _ in range(len(text) // 64):
        server.receive(frames.write_window_update(1, 16) + frames.write_window_update(0, 16))
    server.go_away(takes_more=False)
    server.take()


def _unlimited() -> None:
    return None


def in_the_log(text: bytes) -> None:
    words = text.decode("latin-1")
    ended = ExchangeFinished(
        b"GET",
        text,
        502,
        "/",
        "b",
        "http://b",
        Outcome.ANSWERED,
        0.1,
        0.1,
        1,
        1,
        "127.0.0.1",
        "code",
        words,
        (words,),
        (words,),
    )
    opened = TunnelOpened(1, text, "realtime.websocket", "/", "b", "http://b", "127.0.0.1", 0.1, (words,))
    state = UpstreamState("b", "http://b", False, "", words)
    narrow, wide = (
        HumanLines(CONFIG, version="0", style=PLAIN_STYLE, width=width, clock=lambda: 0.0)
        for width in (partial(int, 100), _unlimited)
    )
    for event in (ended, opened, state, Trouble(words, words)):
        narrow.rendered(0.0, event)
    wide.rendered(0.0, ended)
    poll = replace(ended, target=b"/?EIO=4&" + text, status=200, outcome=Outcome.COMPLETE, detail="")
    Folding().add(0.0, end_of(poll), 0.0)
    for event in (ended, opened, state, Trouble(words, words)):
        JsonLines().lines(0.0, event)


FLOWS: dict[str, Callable[[bytes], object]] = {
    flow.__name__: flow
    for flow in (
        *(in_target, in_start_lines, in_host, in_request_fields, in_many_request_lines, in_response_fields),
        *(in_many_response_lines, in_pieces, in_a_chunked_body, in_frames, in_the_log),
        *(in_what_is_shown_of_heads, in_certificates, in_answers_of_proxies),
        *(in_redirects, in_pages_of_frontends),
        *(in_handshakes, in_a_refusal, in_frames_of_http2, in_blocks_of_http2, in_responses_of_http2),
    )
}

MODULES = (
    *(
        "http.fields",
        "http.messages",
        "authority.origins",
        "realtime.engineio",
        "routing.balance",
        "realtime.hot_reload",
        "routing.table",
        "answers",
        "authority.networks",
    ),
    *("console.secrets", "console.text", "console.lines", "console.layout"),
)
PACKAGES = ("http1", "http2", "policy", "plan")
SIMPLE = {"bytes", "str", "int", "float", "bool", "bytes | None", "bytes | bytearray", "int | None"}


def functions() -> dict[str, Callable[..., object]]:
    """Every public function of the data path, by module and name."""
    names = list(MODULES)
    for package in PACKAGES:
        module = import_module(f"devproxy.{package}")
        names += [
            each.name.removeprefix("devproxy.")
            for each in pkgutil.walk_packages(module.__path__, f"devproxy.{package}.")
        ]
    found: dict[str, Callable[..., object]] = {}
    for name in names:
        for attribute, value in vars(import_module(f"devproxy.{name}")).items():
            is_own = inspect.isfunction(value) and value.__module__ == f"devproxy.{name}"
            if is_own and not attribute.startswith("_"):
                found[f"{name}.{attribute}"] = value
    return found


def by_signature(function: Callable[..., object]) -> Callable[[bytes], object] | None:
    """Return a feed of what takes nothing but octets, texts and numbers, or None."""
    parameters = [each for each in inspect.signature(function).parameters.values() if each.default is each.empty]
    kinds = [str(each.annotation) for each in parameters]
    if not {"bytes", "str", "bytes | None", "bytes | bytearray"} & set(kinds) or not set(kinds) <= SIMPLE:
        return None

    def feed(text: bytes) -> None:
        values: dict[str, Any] = {"bytes": text, "bytes | None": text, "bytes | bytearray": text, "bool": True}
        values |= {"str": text.decode("latin-1"), "int": 400, "int | None": 80, "float": 1.0}
        arguments = {each.name: values[str(each.annotation)] for each in parameters}
        positional = [arguments.pop(each.name) for each in parameters if each.kind is each.POSITIONAL_OR_KEYWORD]
        with suppress(DevproxyError, ValueError, struct.error, answers_to_bad_origins()):
            function(*positional, **arguments)

    return feed


def answers_to_bad_origins() -> type[Exception]:
    from devproxy.text.bad import BadText

    return BadText


FROM_THE_FILE = {
    "authority.origins.parse_pattern",
    "authority.origins.ascii_name",
    "routing.balance.cookie_name",
    "routing.balance.server_id",
    "authority.networks.is_this_machine",
}
"""What sees texts of the configuration alone."""
FUNCTIONS = functions()
SIMPLY_FED = {
    name: feed
    for name, function in FUNCTIONS.items()
    if name not in FROM_THE_FILE and (feed := by_signature(function)) is not None
}
FEEDS = {**FLOWS, **SIMPLY_FED}
NOT_FED = {
    "plan.snapshot.compile_snapshot": "at a reload",
    "plan.compiled.at_own_origin": "at a reload",
    "plan.compiled.response_limits": "at a reload",
    "policy.hop.known_peers": "at a start",
    "routing.table.stripped_prefix": "of a route",
    "console.text.widths": "for `devproxy routes` and the banner",
    "answers.head_timeout": "a number",
    "answers.body_too_large": "a number",
    "answers.loop_detected": "a route",
    "answers.fault_injected": "a fault of the file",
    "answers.health": "nothing",
    "answers.own_page": "nothing",
    "policy.proxy_advice.advice_on_unused": "of the environment",
    "policy.proxy_advice.unused_proxy": "of the environment",
    "plan.pages.pages_upstream": "of devproxy's own pages",
    "policy.tls_advice.tls_settings": "of the file",
    "policy.folders.advice_on_folder": "folders, as the system tells them",
    "answers.asterisk_options": "nothing",
    "answers.method_refused": "the method is a token, shown by 200 octets",
    "answers.reserved_path": "shown by 200 octets, as in no_route",
    "authority.networks.is_in": "an address",
    "policy.addressing.addressing_text": "for `devproxy routes`",
    "policy.faults.inject": "no octets",
    "policy.faults.compile_fault": "of the file",
    "policy.hop.came_by_proxy": "asks what front_of_browser does, which is fed",
    "policy.headers.late_lines": "a Host that the grammar took, in a line of the file",
    "policy.verdict.page.judge": "for `devproxy explain`",
    "policy.verdict.page.asks_first": "for `devproxy explain`",
    "policy.verdict.safelist.needs_preflight": "for `devproxy explain`",
    "policy.preflight.access_lines": "what `judge_preflight` grants",
    "console.lines.closed_row": "as opened_row, without advice",
    "console.lines.fold_row": "numbers; the row is that of exchange_row, which is fed",
    "console.lines.ending_words": "numbers",
    "console.lines.shortage_lines": "numbers",
    "console.lines.dropped_words": "numbers",
    "console.lines.waiting_words": "shown_target, which is fed",
    "policy.advice.advice_on_absence": "numbers",
    "policy.advice.facts_of_absence": "numbers",
    "http1.start_line.target_too_long": "nothing",
    "routing.balance.least_outstanding": "no octets",
    "realtime.hot_reload.takes_common_path": "compares with the paths of the file",
    "policy.addressing.web_origin_of": "of the file",
}


def test_every_function_of_the_data_path_is_fed() -> None:
    """Those that a flow reaches count; what is left has to say here why it sees nothing of the wire."""
    pieces = [*texts(64), b"http://localhost:3000", b"/", b"a", b"realtime.websocket", b"/__devproxy/x", b"..%2fapi"]
    profile = cProfile.Profile(subcalls=False, builtins=False)
    with profile:
        for feed in FEEDS.values():
            for text in pieces:
                feed(text)
    seen = {called.code for called in profile.getstats()}
    unfed = {name for name, function in FUNCTIONS.items() if inspect.unwrap(function).__code__ not in seen}
    unfed -= {name for name in unfed if name.rpartition(".")[2].startswith("compile_")} | FROM_THE_FILE | set(NOT_FED)
    assert unfed == set(), "feed these, or say below NOT_FED why they see nothing of the wire"
    assert set(NOT_FED) <= set(FUNCTIONS)


def best(feed: Callable[[bytes], object], text: bytes, runs: int) -> float:
    found = float("inf")
    for _ in range(runs):
        started = time.thread_time()
        feed(text)
        found = min(found, time.thread_time() - started)
    return found


@pytest.mark.parametrize("name", FEEDS)
def test_what_is_four_times_as_long_takes_at_most_six_times_as_long(name: str) -> None:
    feed = FEEDS[name]
    too_short_s = TOO_SHORT_FLOW_S if name in FLOWS else TOO_SHORT_S
    slow = []
    gc.collect()
    gc.disable()
    try:
        for unit, short, long in zip(UNITS, texts(16 * KIB), texts(64 * KIB), strict=True):
            if name.endswith("_fields") and b"\n" in unit:
                continue  # those are many short fields: another flow
            for end in ENDS if name not in FLOWS else ENDS[1:2]:
                took = best(feed, long + end, 1)
                if took <= too_short_s or took <= MOST * best(feed, short + end, 1):
                    continue
                # A single run may have been interrupted, and the machine may be slower for a while: the verdict is that
                # of the best runs, side by side, three times.
                for _ in range(3):
                    took, base = best(feed, long + end, RUNS), best(feed, short + end, RUNS)
                    if took <= MOST * base:
                        break
                else:
                    slow.append((unit, end, base, took))
    finally:
        gc.enable()
    assert not slow


@pytest.mark.parametrize("name", FLOWS)
def test_no_shape_of_any_length_does_more_than_being_refused(name: str) -> None:
    for kibibytes in (1, 2):
        for text in texts(kibibytes * KIB):
            FLOWS[name](text)
