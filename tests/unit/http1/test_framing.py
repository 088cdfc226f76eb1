"""Where bodies end: which messages have one, and the chunked coding (RFC 9112 sections 6 and 7)."""

from __future__ import annotations

import pytest
from devproxy.errors import BadMessage
from devproxy.http.messages import CHUNKED, UNTIL_CLOSE
from devproxy.http1.framing import MAX_SIZE_LINE_BYTES, MAX_TRAILER_BYTES, ChunkedReader
from devproxy.http1.head import parse_response_head
from devproxy.http1.start_line import Limits


def pass_through(data: bytes, *, piece: int = 1 << 20, reader: ChunkedReader | None = None) -> tuple[bytes, bytes]:
    """Feed `data` in pieces; return what is to be forwarded and what stands behind the body."""
    reader = reader or ChunkedReader()
    out = b""
    for start in range(0, len(data), piece):
        passed, rest = reader.feed(data[start : start + piece])
        out += passed
        if reader.is_done:
            return out, rest + data[start + piece :]
    return out, b""


@pytest.mark.parametrize(
    ("status", "framing", "length"),
    [
        (b"200", b"Content-Length: 5", 5),
        (b"200", b"Content-Length: 0", 0),
        (b"200", b"Transfer-Encoding: chunked", CHUNKED),
        (b"200", b"X: y", UNTIL_CLOSE),
        (b"404", b"X: y", UNTIL_CLOSE),
        (b"205", b"X: y", UNTIL_CLOSE),
        (b"304", b"Content-Length: 5", 0),
        (b"304", b"Transfer-Encoding: chunked", 0),
        (b"304", b"X: y", 0),
        (b"204", b"X: y", 0),
        (b"204", b"Content-Length: 0", 0),
        (b"100", b"X: y", 0),
        (b"101", b"Upgrade: websocket", 0),
        (b"103", b"Link: </a>; rel=preload", 0),
    ],
)
def test_the_length_of_a_body_follows_from_status_and_fields(status: bytes, framing: bytes, length: int) -> None:
    head = parse_response_head(b"HTTP/1.1 " + status + b" x\r\n" + framing, Limits())
    assert head.body_length == length


WELL_FORMED = b"5\r\nhello\r\n00A\r\n0123456789\r\n0\r\n\r\n"


@pytest.mark.parametrize("piece", [1, 2, 3, 1000])
def test_a_well_formed_body_passes_unchanged(piece: int) -> None:
    assert pass_through(WELL_FORMED + b"NEXT", piece=piece) == (WELL_FORMED, b"NEXT")


@pytest.mark.parametrize("piece", [1, 2, 3, 1000])
def test_decoding_gives_the_data_alone(piece: int) -> None:
    reader = ChunkedReader(is_decoding=True)
    body = b"5;a=b\r\nhello\r\n1\r\n!\r\n0\r\nX-Sum: 1\r\n\r\n"
    assert pass_through(body + b"NEXT", piece=piece, reader=reader) == (b"hello!", b"NEXT")


def test_data_leaves_in_the_turn_in_which_it_came() -> None:
    reader = ChunkedReader()
    assert reader.feed(b"5\r\nhe") == (b"5\r\nhe", b"")
    assert reader.feed(b"l") == (b"l", b"")
    assert reader.feed(b"lo") == (b"lo", b"")
    assert reader.feed(b"\r") == (b"", b"")
    assert reader.feed(b"\n3") == (b"\r\n", b"")
    assert reader.feed(b"\r\n") == (b"3\r\n", b"")


def test_a_slice_of_a_large_chunk_is_passed_without_a_copy() -> None:
    reader = ChunkedReader()
    reader.feed(b"100000\r\n")
    piece = b"x" * 4096
    assert reader.feed(piece)[0] is piece


@pytest.mark.parametrize("body", [b"3\r\nabc\r\n", b"3\r\nabc\r\n1f\r\n" + b"x" * 31 + b"\r\n0\r\n\r\n", b"0\r\n\r\n"])
def test_whole_chunks_are_passed_without_a_copy(body: bytes) -> None:
    reader = ChunkedReader()
    assert reader.feed(body)[0] is body
    assert reader.is_done == body.endswith(b"0\r\n\r\n")


@pytest.mark.parametrize("extension", [b";a", b";a=b", b';a="b c,;"', b";a;b=1;c", b';a=""'])
def test_extensions_are_dropped(extension: bytes) -> None:
    assert pass_through(b"1" + extension + b"\r\nx\r\n0" + extension + b"\r\n\r\n")[0] == b"1\r\nx\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    "size_line",
    [
        b"",
        b" 1",
        b"1 ",
        b"\t1",
        b"1\t",
        b"+1",
        b"-1",
        b"0x1",
        b"1h",
        b"g",
        b"1_0",
        b"1,1",
        b"1.0",
        b"\xb2",
        b"0000000000000001",
        b"fffffffffffffffff",
        b"1 ;a",
        b"1; a",
        b"1;",
        b"1;;a",
        b"1;a=",
        b"1;a= b",
        b'1;a="b',
        b'1;a="b"c',
        b'1;a="\\""',
        b"1;a\0",
        b"1;a\n",
        b"1;a\r",
        b"1;\xe9",
        b"1\r",
        b"1\n",
    ],
)
@pytest.mark.parametrize("piece", [1, 1000])
def test_a_bad_size_line_is_refused(size_line: bytes, piece: int) -> None:
    with pytest.raises(BadMessage):
        pass_through(size_line + b"\r\nx\r\n0\r\n\r\n", piece=piece)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"1\nx\r\n0\r\n\r\n", id="LF behind the size"),
        pytest.param(b"1\r\nx\n0\r\n\r\n", id="LF behind the data"),
        pytest.param(b"1\r\nx\r\n0\n\r\n", id="LF behind the last size"),
        pytest.param(b"1\r\nx\r\n0\r\n\n", id="LF at the end"),
        pytest.param(b"1\r\nx\r\n0\r\nA: b\n\r\n", id="LF behind a trailer"),
        pytest.param(b"1\r\nxy\r\n0\r\n\r\n", id="more data than said"),
        pytest.param(b"1\r\nx0\r\n\r\n", id="no line end behind the data"),
        pytest.param(b"1\r\nx\r\r\n0\r\n\r\n", id="CR CR LF behind the data"),
        pytest.param(b"1\r\nx\rz0\r\n\r\n", id="a CR alone behind the data"),
        pytest.param(b"1\rx\r\n0\r\n\r\n", id="a CR alone behind the size"),
    ],
)
@pytest.mark.parametrize("piece", [1, 1000])
def test_a_bad_line_end_is_refused(body: bytes, piece: int) -> None:
    with pytest.raises(BadMessage):
        pass_through(body, piece=piece)


def test_trailers_pass() -> None:
    body = b"0\r\nX-Sum: 1\r\nx-other:2\r\n\r\n"
    assert pass_through(body) == (body, b"")


@pytest.mark.parametrize(
    "trailer",
    [b"Connection: x", b"TE: trailers", b"X-Forwarded-For: 1.2.3.4", b"Upgrade: x", b"Trailer: y"],
)
def test_trailers_about_routing_or_the_connection_are_dropped(trailer: bytes) -> None:
    assert pass_through(b"0\r\n" + trailer + b"\r\nX: y\r\n\r\n")[0] == b"0\r\nX: y\r\n\r\n"


def test_trailers_that_a_connection_field_listed_are_dropped() -> None:
    reader = ChunkedReader(dropped_trailers=(b"x-hop",))
    assert pass_through(b"0\r\nX-Hop: 1\r\nX: y\r\n\r\n", reader=reader)[0] == b"0\r\nX: y\r\n\r\n"


@pytest.mark.parametrize(
    "trailer", [b"Content-Length: 5", b"transfer-encoding: chunked", b"Host: b", b" X: y", b"X : y", b"X", b"X: \0"]
)
def test_trailers_about_framing_or_outside_the_grammar_are_refused(trailer: bytes) -> None:
    with pytest.raises(BadMessage):
        pass_through(b"0\r\n" + trailer + b"\r\n\r\n")


@pytest.mark.parametrize("piece", [1, 1 << 20])
@pytest.mark.parametrize(
    ("trailer", "is_odd"),
    [
        (b"Content-Length: 5", True),
        (b"transfer-encoding: chunked", True),
        (b"Host: b", True),
        (b"Connection : x", False),
    ],
)
def test_a_trailer_of_an_answer_that_has_no_place_there_is_dropped(trailer: bytes, is_odd: bool, piece: int) -> None:
    reader = ChunkedReader(is_answer=True)
    body = b"0\r\nX-A : 1\r\n" + trailer + b"\r\nX-B: 2\r\n\r\n"
    assert pass_through(body + b"NEXT", piece=piece, reader=reader) == (b"0\r\nX-A: 1\r\nX-B: 2\r\n\r\n", b"NEXT")
    assert reader.has_odd_trailers is is_odd


@pytest.mark.parametrize("trailer", [b"X: a\rb", b"X: \0", b"X: y\r", b" X: y", b"X", b"X A: y", b"Content-Length : 5"])
def test_a_trailer_outside_the_grammar_is_refused_in_an_answer_as_well(trailer: bytes) -> None:
    with pytest.raises(BadMessage):
        pass_through(b"0\r\n" + trailer + b"\r\n\r\n", reader=ChunkedReader(is_answer=True))


@pytest.mark.parametrize("piece", [1, 1000, 1 << 20])
@pytest.mark.parametrize(("excess", "is_accepted"), [(0, True), (1, False)])
def test_a_size_line_is_bounded(excess: int, is_accepted: bool, piece: int) -> None:
    line = b"1;" + b"a" * (MAX_SIZE_LINE_BYTES - 2 + excess)
    body = line + b"\r\nx\r\n0\r\n\r\n"
    if is_accepted:
        assert pass_through(body, piece=piece)[0] == b"1\r\nx\r\n0\r\n\r\n"
    else:
        with pytest.raises(BadMessage):
            pass_through(body, piece=piece)


@pytest.mark.parametrize("piece", [1, 1000, 1 << 20])
@pytest.mark.parametrize(("excess", "is_accepted"), [(0, True), (1, False)])
@pytest.mark.parametrize("count", [1, 4])
def test_trailers_are_bounded_together(excess: int, is_accepted: bool, piece: int, count: int) -> None:
    lines = [b"A: " + b"x" * (MAX_TRAILER_BYTES // count - 3)] * (count - 1)
    lines.append(b"A: " + b"x" * (MAX_TRAILER_BYTES // count - 3 + excess))
    body = b"0\r\n" + b"".join(line + b"\r\n" for line in lines) + b"\r\n"
    if is_accepted:
        assert pass_through(body, piece=piece) == (body, b"")
    else:
        with pytest.raises(BadMessage):
            pass_through(body, piece=piece)


@pytest.mark.parametrize("state", [b"", b"1\r\nx\r\n", b"0\r\n"])
def test_a_line_that_never_ends_is_refused(state: bytes) -> None:
    reader = ChunkedReader()
    reader.feed(state)
    with pytest.raises(BadMessage, match="too long"):
        reader.feed(b"a" * (MAX_TRAILER_BYTES + 2))


def test_an_unfinished_body_is_not_done() -> None:
    reader = ChunkedReader()
    reader.feed(WELL_FORMED[:-1])
    assert not reader.is_done
    reader.feed(WELL_FORMED[-1:])
    assert reader.is_done


def test_octets_behind_a_finished_body_are_given_back() -> None:
    reader = ChunkedReader()
    assert reader.feed(b"0\r\n\r\n") == (b"0\r\n\r\n", b"")
    assert reader.feed(b"NEXT") == (b"", b"NEXT")


@pytest.mark.parametrize("piece", [1, 4, 1000])
@pytest.mark.parametrize("is_decoding", [False, True])
def test_the_data_of_a_body_is_counted_however_it_is_chunked_and_comes(piece: int, is_decoding: bool) -> None:
    body = b"5\r\nhello\r\n1;a=b\r\n!\r\nA\r\n0123456789\r\n0\r\nA: trailer\r\n\r\nNEXT"
    reader = ChunkedReader(is_decoding=is_decoding)
    for start in range(0, len(body), piece):
        reader.feed(body[start : start + piece])
    assert reader.announced_bytes == 16


def test_a_chunk_counts_as_soon_as_its_size_is_known() -> None:
    reader = ChunkedReader()
    reader.feed(b"ffff\r\nx")
    assert reader.announced_bytes == 0xFFFF
