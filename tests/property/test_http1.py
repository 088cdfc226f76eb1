"""Properties of the HTTP/1.1 floor: pieces do not matter, nothing but BadMessage comes out, the work stays linear."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest
from devproxy.errors import BadMessage
from devproxy.http.fields import Field, parse_field, read_field
from devproxy.http.memory import MEMORY
from devproxy.http.messages import RequestHead, ResponseHead
from devproxy.http1.framing import ChunkedReader
from devproxy.http1.head import parse_request_head, parse_response_head, recall_request_head, recall_response_head
from devproxy.http1.reader import HeadReader, MessageKind
from devproxy.http1.start_line import Limits
from hypothesis import given, settings
from hypothesis import strategies as st

LIMITS = Limits(max_target_bytes=60, max_head_bytes=200, max_fields=6)
REFUSED = None

# --- octets that look enough like HTTP to get somewhere ---------------------------------------------------------------

FRAGMENTS = st.sampled_from(
    [
        b"GET / HTTP/1.1\r\n",
        b"OPTIONS * HTTP/1.0\r\n",
        b"POST http://a.test/x?y HTTP/1.1\r\n",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.0 304\r\n",
        b"Host: a.test\r\n",
        b"Content-Length: 5\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Connection: close, upgrade\r\n",
        b"Upgrade: websocket\r\n",
        b"Keep-Alive: timeout=5\r\n",
        b"Expect: 100-continue\r\n",
        b"X-Long: " + b"x" * 60 + b"\r\n",
        b"/" * 70,
        b"\r\n",
        b"\r\n\r\n",
        b"\r",
        b"\n",
        b" ",
        b":",
        b"5\r\nhello\r\n",
        b"a;b=c\r\n0123456789\r\n",
        b"0\r\n",
        b"0\r\n\r\n",
        b"X-Sum: 1\r\n\r\n",
    ]
)
HTTP_LIKE = st.lists(FRAGMENTS | st.binary(max_size=4), max_size=12).map(b"".join)


@st.composite
def split(draw: st.DrawFn, source: st.SearchStrategy[bytes]) -> list[bytes]:
    """Octets of `source`, cut anywhere into pieces (some of them empty)."""
    data = draw(source)
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=8)))
    return [data[start:end] for start, end in pairwise([0, *cuts, len(data)])]


def read_heads(pieces: list[bytes], kind: MessageKind) -> list[object]:
    """Read head after head as a connection would (bodies are taken for none); the last entry says how it ended."""
    heads: list[object] = []
    reader = HeadReader(kind, LIMITS)
    try:
        for piece in pieces:
            found = reader.feed(piece)
            while found is not None:
                heads.append(parse_head(found[0], kind))
                found = reader.feed(found[1])
    except BadMessage:
        return [*heads, REFUSED]
    return [*heads, reader.has_started]


def parse_head(block: bytes, kind: MessageKind, limits: Limits = LIMITS) -> RequestHead | ResponseHead:
    return parse_request_head(block, limits) if kind is MessageKind.REQUEST else parse_response_head(block, limits)


def read_chunked(pieces: list[bytes], *, is_decoding: bool) -> tuple[bytes, bytes, bool] | None:
    """Return what passed, what stands behind the body and whether that was reached; None for a refusal."""
    reader = ChunkedReader(is_decoding=is_decoding)
    passed = behind = b""
    try:
        for piece in pieces:
            out, rest = reader.feed(piece)
            passed += out
            behind += rest
    except BadMessage:
        return REFUSED
    return passed, behind, reader.is_done


@pytest.mark.parametrize("kind", MessageKind)
@settings(max_examples=400)
@given(pieces=split(HTTP_LIKE))
def test_heads_are_the_same_in_whatever_pieces_they_come(kind: MessageKind, pieces: list[bytes]) -> None:
    data = b"".join(pieces)
    whole = read_heads([data], kind)
    assert read_heads(pieces, kind) == whole
    assert read_heads([data[at : at + 1] for at in range(len(data))], kind) == whole


@pytest.mark.parametrize("is_decoding", [False, True])
@settings(max_examples=400)
@given(pieces=split(HTTP_LIKE))
def test_chunked_bodies_are_the_same_in_whatever_pieces_they_come(is_decoding: bool, pieces: list[bytes]) -> None:
    data = b"".join(pieces)
    whole = read_chunked([data], is_decoding=is_decoding)
    assert read_chunked(pieces, is_decoding=is_decoding) == whole
    assert read_chunked([data[at : at + 1] for at in range(len(data))], is_decoding=is_decoding) == whole


def refusal(read: Callable[[], object]) -> BadMessage | None:
    """Return how `read` is refused, None when it is not; any other exception gets through."""
    try:
        read()
    except BadMessage as refused:
        return refused
    return None


@given(st.binary() | HTTP_LIKE)
def test_any_octets_are_a_request_head_or_a_bad_message(block: bytes) -> None:
    refused = refusal(lambda: parse_request_head(block, LIMITS))
    if refused is None:
        request = parse_request_head(block, LIMITS)
        assert request.path[:1] == b"/" or request.path == b"*"
        assert block.endswith(b"\r\n".join(field.line for field in request.fields)) or request.target[:1] != b"/"
    else:
        assert refused.status in (400, 414, 417, 431, 501, 505)
        assert refused.reason
        assert refused.source


@given(st.binary() | HTTP_LIKE)
def test_any_octets_are_a_response_head_or_a_bad_message(block: bytes) -> None:
    refused = refusal(lambda: parse_response_head(block, LIMITS))
    if refused is None:
        response = parse_response_head(block, LIMITS)
        assert 100 <= response.status <= 999
        assert response.body_length >= -2
    else:
        assert refused.reason
        assert refused.source


@given(st.binary() | HTTP_LIKE, st.binary() | HTTP_LIKE)
def test_any_octets_are_a_chunked_body_or_a_bad_message(data: bytes, more: bytes) -> None:
    for is_decoding in (False, True):
        read_chunked([data, more], is_decoding=is_decoding)


# --- fields -----------------------------------------------------------------------------------------------------------

LINES = st.binary(max_size=20) | st.builds(
    lambda name, colon, value: name + colon + value,
    st.sampled_from([b"Host", b"content-length", b"X-A", b"Access-Control-Allow-Origin", b"", b"A B", b"\xc3\xa9"]),
    st.sampled_from([b":", b": ", b" :", b""]),
    st.binary(max_size=12) | st.text("abc \t,;=", max_size=8).map(str.encode),
)


def outcome(read: Callable[[bytes], Field], line: bytes) -> Field | str:
    try:
        return read(line)
    except BadMessage as refused:
        return refused.reason


@settings(max_examples=500)
@given(st.lists(LINES, max_size=4))
def test_a_remembered_field_is_what_the_grammar_alone_gives(lines: list[bytes]) -> None:
    for line in [*lines, *lines]:
        assert outcome(parse_field, line) == outcome(read_field, line)


@st.composite
def heads(draw: st.DrawFn, kind: MessageKind) -> bytes:
    """Heads whose fields decide something, many of them contradictory."""
    starts = {MessageKind.REQUEST: [b"GET / HTTP/1.1", b"POST http://b.test/ HTTP/1.1", b"GET / HTTP/1.0"]}
    starts[MessageKind.RESPONSE] = [
        *(b"HTTP/1.1 200 OK", b"HTTP/1.1 204 x", b"HTTP/1.1 101 x", b"HTTP/1.0 200 OK"),
        *(b"X-Hop: 1\r\nHTTP/1.1 200 OK", b"\r\nHTTP/1.1 200 OK", b"Content-Length: 5\r\nHTTP/1.1 200 OK"),
        *(b"HTTP/1.2 200 OK", b"HTTP/1.1 304 \x1b"),
    ]
    lines = [
        b"Host: a.test",
        b"host:b.test",
        b"Content-Length: 0",
        b"Content-Length: 5",
        b"content-length:6 ",
        b"Content-Length: 5, 5",
        b"Content-Length:\t5",
        b"HTTP/1.1 200 OK",
        b"Set-Cookie: a=1",
        b"Cookie: a\0",
        b"Cookie : a",
        b"Transfer-Encoding: chunked",
        b"Connection: close",
        b"Connection: upgrade, x-hop",
        b"Upgrade: websocket",
        b"Expect: 100-continue",
        b"Keep-Alive: timeout=5",
        b"X-Hop: 1",
        b"TE: trailers",
        b"X-Odd: \x01",
    ]
    if kind is MessageKind.RESPONSE:
        lines += [b"Content-Length: 5, 5", b"X-Spaced : 1", b"Set-Cookie: \x7f", b"Content-Length : 5"]
    return b"\r\n".join([draw(st.sampled_from(starts[kind])), *draw(st.lists(st.sampled_from(lines), max_size=5))])


def judge(block: bytes, kind: MessageKind, limits: Limits = LIMITS) -> object:
    try:
        return parse_head(block, kind, limits)
    except BadMessage as refused:
        return refused.reason


@pytest.mark.parametrize("kind", MessageKind)
@settings(max_examples=400)
@given(data=st.data())
def test_what_was_read_before_never_changes_how_a_head_is_read(kind: MessageKind, data: st.DataObject) -> None:
    blocks = data.draw(st.lists(heads(kind), min_size=1, max_size=4))
    expected = []
    for block in blocks:
        MEMORY.forget()
        expected.append(judge(block, kind))
    MEMORY.forget()
    assert [judge(block, kind) for block in blocks] == expected
    assert [judge(block, kind) for block in blocks] == expected


@settings(max_examples=400)
@given(st.lists(heads(MessageKind.REQUEST), min_size=1, max_size=4), st.binary(max_size=20))
def test_a_request_head_that_is_recalled_is_the_one_that_would_be_read(blocks: list[bytes], behind: bytes) -> None:
    MEMORY.forget()
    for block in blocks:
        read = [judge(block, MessageKind.REQUEST, Limits()) for _ in range(2)][-1]  # what comes twice is remembered
        is_familiar = isinstance(read, RequestHead) and block.startswith(b"GET / HTTP/1.1")
        assert recall_request_head(block + b"\r\n\r\n", Limits()) == ((read, b"") if is_familiar else None)
        recalled = recall_request_head(block + b"\r\n\r\n" + behind, Limits())
        if not behind.endswith(b"\r\n\r\n"):  # which looks like the end of a head
            assert recalled == ((read, behind) if is_familiar else None)
        assert recall_request_head(block, Limits()) is None, "the head is not complete"


@settings(max_examples=400)
@given(heads(MessageKind.RESPONSE), st.sampled_from([b"GET", b"HEAD"]))
def test_what_was_put_right_needs_no_putting_right_again(block: bytes, method: bytes) -> None:
    try:
        read = parse_response_head(block, Limits(), method)
    except BadMessage:
        return
    assert parse_response_head(read.block, Limits()) == read


@settings(max_examples=400)
@given(st.lists(heads(MessageKind.RESPONSE), min_size=1, max_size=4), st.binary(max_size=20))
def test_a_response_head_that_is_recalled_is_the_one_that_would_be_read(blocks: list[bytes], behind: bytes) -> None:
    MEMORY.forget()
    for block in blocks:
        read = [judge(block, MessageKind.RESPONSE, Limits()) for _ in range(2)][-1]
        recalled = recall_response_head(block + b"\r\n\r\n" + behind, Limits())
        is_as_it_came = isinstance(read, ResponseHead) and read.block == block
        assert recalled == ((read, behind) if is_as_it_came else None), "what has to be put right takes the long way"
        assert recall_response_head(block, Limits()) is None, "the head is not complete"


@given(LINES)
def test_a_field_never_carries_a_line_end_or_a_nul(line: bytes) -> None:
    field = outcome(read_field, line)
    if isinstance(field, Field):
        assert not set(field.line) & set(b"\r\n\0")
        assert field.value == field.value.strip(b" \t")
        assert field.line.lower().startswith(field.name + b":")


# --- the chunked coding -----------------------------------------------------------------------------------------------

EXTENSIONS = st.sampled_from([b"", b"", b";a", b";a=b", b';a="b c"', b";a;b=1"])
TRAILERS = st.sampled_from([b"X-Sum: 1", b"x-other:2", b"Connection: x", b"TE: trailers"])


@st.composite
def chunked_bodies(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """Return data, and one of the ways to send it."""
    chunks = draw(st.lists(st.binary(min_size=1, max_size=40), max_size=5))
    wire = b""
    for chunk in chunks:
        size = b"%x" % len(chunk)
        size = draw(st.sampled_from([size, size.upper(), size.rjust(4, b"0")]))
        wire += size + draw(EXTENSIONS) + b"\r\n" + chunk + b"\r\n"
    trailers = b"".join(trailer + b"\r\n" for trailer in draw(st.lists(TRAILERS, max_size=3)))
    return b"".join(chunks), wire + b"0" + draw(EXTENSIONS) + b"\r\n" + trailers + b"\r\n"


def decode_naively(wire: bytes) -> bytes:
    """Decode a chunked body by the letter of RFC 9112 section 7.1.3, knowing nothing of the reader under test."""

    def chunks() -> Iterator[bytes]:
        rest = wire
        while True:
            line, _, rest = rest.partition(b"\r\n")
            size = int(line.decode("ascii"), 16)
            if size == 0:
                assert rest == b"\r\n" or (rest.endswith(b"\r\n\r\n") and rest.count(b"\r\n\r\n") == 1)
                return
            yield rest[:size]
            assert rest[size : size + 2] == b"\r\n"
            rest = rest[size + 2 :]

    return b"".join(chunks())


@settings(max_examples=300)
@given(st.data(), chunked_bodies(), st.binary(max_size=8))
def test_a_chunked_body_keeps_its_data_on_the_way(
    data: st.DataObject, body: tuple[bytes, bytes], behind: bytes
) -> None:
    content, wire = body
    pieces = data.draw(split(st.just(wire + behind)))
    passed = read_chunked(pieces, is_decoding=False)
    assert passed is not None
    assert decode_naively(passed[0]) == content
    assert passed[1:] == (behind, True)
    assert read_chunked(pieces, is_decoding=True) == (content, behind, True)


@given(chunked_bodies())
def test_what_has_passed_once_passes_again_unchanged(body: tuple[bytes, bytes]) -> None:
    passed = read_chunked([body[1]], is_decoding=False)
    assert passed is not None
    assert read_chunked([passed[0]], is_decoding=False) == (passed[0], b"", True)


@given(chunked_bodies())
def test_a_body_that_is_cut_short_is_never_taken_for_whole(body: tuple[bytes, bytes]) -> None:
    for end in range(len(body[1])):
        read = read_chunked([body[1][:end]], is_decoding=False)
        assert read is not None
        assert not read[2]


# --- linear work ------------------------------------------------------------------------------------------------------

SIZE = 65_536
WIDE = Limits(max_target_bytes=SIZE, max_head_bytes=2 * SIZE, max_fields=SIZE)


def request_of(*lines: bytes) -> bytes:
    return b"\r\n".join((b"POST / HTTP/1.1", b"Host: a", *lines))


ADVERSARIAL_REQUESTS = {
    "a name without end": request_of(b"a" * SIZE),
    "a name that ends badly": request_of(b"a" * SIZE + b" : b"),
    "a value of spaces": request_of(b"X:" + b" " * SIZE + b"\0"),
    "a value of tabs and spaces": request_of(b"X:" + b" \t" * (SIZE // 2) + b"x"),
    "commas in Connection": request_of(b"Connection: " + b"," * SIZE),
    "tokens in Connection": request_of(b"Connection: " + b"a," * (SIZE // 2)),
    "commas in Transfer-Encoding": request_of(b"Transfer-Encoding: " + b"chunked," * (SIZE // 8)),
    "digits in Content-Length": request_of(b"Content-Length: " + b"9" * SIZE),
    "a long Host": request_of()[:-1] + b"a." * (SIZE // 2) + b"\xff",
    "percent signs in Host": request_of()[:-1] + b"%" * SIZE,
    "a target of slashes": b"GET " + b"/" * SIZE + b"\0 HTTP/1.1",
    "spaces in the request line": b"GET " + b" " * SIZE + b"HTTP/1.1",
    "versions in the request line": b"GET /" + b" HTTP/1.1" * (SIZE // 9),
    "a long authority": b"GET http://" + b"a:" * (SIZE // 2) + b"/ HTTP/1.1",
    "many short fields": request_of(*[b"a:"] * (SIZE // 4)),
}


def assert_quick(work: Callable[[], object]) -> None:
    """Linear work on 64 KiB takes milliseconds, quadratic work minutes: the bound only has to lie far between."""
    start = time.process_time()
    work()
    assert time.process_time() - start < 5


@pytest.mark.parametrize("name", ADVERSARIAL_REQUESTS)
def test_long_hostile_lines_are_judged_quickly(name: str) -> None:
    assert_quick(lambda: refusal(lambda: parse_request_head(ADVERSARIAL_REQUESTS[name], WIDE)))


@pytest.mark.parametrize("name", ADVERSARIAL_REQUESTS)
def test_hostile_heads_that_come_octet_by_octet_are_read_quickly(name: str) -> None:
    def read() -> None:
        reader = HeadReader(MessageKind.REQUEST, WIDE)
        for octet in ADVERSARIAL_REQUESTS[name]:
            assert reader.feed(bytes((octet,))) is None

    assert_quick(lambda: refusal(read))


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b"1" + b";a=" * (SIZE // 3), id="extensions without a value"),
        pytest.param(b"1" + b';a="' * (SIZE // 4), id="open quotes"),
        pytest.param(b"1;" + b"a" * SIZE, id="a long extension"),
        pytest.param(b"0" * SIZE, id="zeros"),
        pytest.param(b"0\r\nX: " + b"x" * SIZE, id="a long trailer"),
    ],
)
@pytest.mark.parametrize("piece", [1, 2 * SIZE])
def test_hostile_chunk_lines_are_judged_quickly(line: bytes, piece: int) -> None:
    def read() -> None:
        body = line + b"\r\n"
        assert read_chunked([body[at : at + piece] for at in range(0, len(body), piece)], is_decoding=False) is REFUSED

    assert_quick(read)


def test_a_flood_of_empty_lines_is_skipped_quickly() -> None:
    reader = HeadReader(MessageKind.REQUEST, WIDE)
    assert_quick(lambda: reader.feed(b"\r\n" * (4 * SIZE)))
    assert not reader.has_started
