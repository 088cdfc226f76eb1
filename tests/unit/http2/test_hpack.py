from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import hpack as oracle
import pytest
from devproxy.http.memory import MEMORY
from devproxy.http2.hpack import STATIC, TABLE_BYTES, CompressionFault, Decoder, encode
from devproxy.http2.lines import Aside, Malformed
from hpack.table import HeaderTable
from tests.support.http2 import pairs

GET = [(b":method", b"GET"), (b":scheme", b"http"), (b":path", b"/"), (b":authority", b"www.example.com")]
NO_CACHE = [*GET, (b"cache-control", b"no-cache")]
OTHER = [
    (b":method", b"GET"),
    (b":scheme", b"https"),
    (b":path", b"/index.html"),
    (b":authority", b"www.example.com"),
    (b"custom-key", b"custom-value"),
]
OF_THE_STANDARD = {
    "C.2.1": [("400a637573746f6d2d6b65790d637573746f6d2d686561646572", [(b"custom-key", b"custom-header")])],
    "C.2.2": [("040c2f73616d706c652f70617468", [(b":path", b"/sample/path")])],
    "C.2.3": [("100870617373776f726406736563726574", [(b"password", b"secret")])],
    "C.2.4": [("82", [(b":method", b"GET")])],
    "C.3": [
        ("828684410f7777772e6578616d706c652e636f6d", GET),
        ("828684be58086e6f2d6361636865", NO_CACHE),
        ("828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565", OTHER),
    ],
    "C.4": [
        ("828684418cf1e3c2e5f23a6ba0ab90f4ff", GET),
        ("828684be5886a8eb10649cbf", NO_CACHE),
        ("828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf", OTHER),
    ],
}


STORY: dict[str, Any] = json.loads((Path(__file__).parents[2] / "corpus" / "hpack" / "story_24.json").read_text())
"""One conversation as the encoders of other programs write it (http2jp/hpack-test-case)."""


@pytest.mark.parametrize("encoder", STORY["blocks"])
def test_what_the_encoders_of_others_write_is_read(encoder: str) -> None:
    decoder = Decoder()
    for block, fields in zip(STORY["blocks"][encoder], STORY["headers"], strict=True):
        expected = [(name.encode(), value.encode()) for name, value in fields]
        assert pairs(decoder.decode(bytes.fromhex(block))) == expected


@pytest.mark.parametrize("name", OF_THE_STANDARD)
def test_the_examples_of_the_standard_are_decoded(name: str) -> None:
    for _ in range(3):  # and again when they are remembered
        decoder = Decoder()
        for block, fields in OF_THE_STANDARD[name]:
            assert pairs(decoder.decode(bytes.fromhex(block))) == fields


DATE = b"Mon, 21 Oct 2013 20:13:21 GMT"
LATER = b"Mon, 21 Oct 2013 20:13:22 GMT"
PLACE = (b"location", b"https://www.example.com")
COOKIE = b"foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1"
RESPONSES = [
    (
        (
            "4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d546e17"
            "68747470733a2f2f7777772e6578616d706c652e636f6d"
        ),
        [(b":status", b"302"), (b"cache-control", b"private"), (b"date", DATE), PLACE],
    ),
    ("4803333037c1c0bf", [(b":status", b"307"), (b"cache-control", b"private"), (b"date", DATE), PLACE]),
    (
        (
            "88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f6f3d"
            "4153444a4b48514b425a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b2076657273696f6e3d31"
        ),
        [
            (b":status", b"200"),
            (b"cache-control", b"private"),
            (b"date", LATER),
            PLACE,
            (b"content-encoding", b"gzip"),
            (b"set-cookie", COOKIE),
        ],
    ),
]


def test_entries_leave_a_table_of_256_bytes_as_the_standard_shows() -> None:
    decoder = Decoder()
    decoder.decode(b"\x3f\xe1\x01")  # appendix C.5 has a table of 256 bytes
    for block, fields in RESPONSES:
        assert pairs(decoder.decode(bytes.fromhex(block))) == fields
    assert decoder._size == 215
    assert len(decoder._sizes) == 3


def test_the_static_table_is_that_of_the_standard() -> None:
    assert tuple(HeaderTable.STATIC_TABLE) == STATIC


@pytest.mark.parametrize(
    ("block", "why"),
    {
        "80": "an index is 0",
        "be": "has no entry",
        "ff00": "has no entry",
        "ffffffffff0f": "has no entry",
        "ff80808080808001": "too large",
        "ffffffffffffffffffff": "too large",
        "ff": "ends within",
        "ffff": "ends within",
        "7e00": "has no entry",
        "40": "ends within",
        "4001": "ends within",
        "400161": "ends within",
        "40016105": "ends within",
        "418cf1e3c2e5": "ends within",
        "41ff": "ends within",
        "4184ffffffff": "the code for its end",
        "41821fff": "within a code",
        "8220": "after a field",
        "3fe21f": "larger than allowed",
        "202020": "after a field",
        "3f": "ends within",
    }.items(),
)
def test_what_cannot_be_decoded_is_refused(block: str, why: str) -> None:
    for _ in range(3):
        with pytest.raises(CompressionFault, match=why):
            Decoder().decode(bytes.fromhex(block))


def test_the_table_may_change_its_size_twice_where_a_block_begins() -> None:
    decoder = Decoder()
    decoder.decode(bytes.fromhex("400161016240016301644001650166"))
    assert pairs(decoder.decode(b"\x3f\x03\x3f\x24\xbe")) == [(b"e", b"f")]
    with pytest.raises(CompressionFault):
        decoder.decode(b"\xbf")


def test_every_entry_of_a_full_table_can_be_referred_to() -> None:
    decoder, encoder = Decoder(), oracle.Encoder()
    fields = [(b"%d" % number, b"x" * 4) for number in range(200)]
    decoder.decode(encoder.encode(fields))
    kept = TABLE_BYTES // 39
    assert kept > 66, "some have indices of two bytes"
    assert pairs(decoder.decode(encoder.encode(fields[-kept:]))) == fields[-kept:]
    assert len(encoder.encode(fields[-kept:])) < 2 * kept
    with pytest.raises(CompressionFault):
        decoder.decode(b"\xff" + bytes((62 + kept - 127,)))


def test_a_field_larger_than_the_table_empties_it() -> None:
    decoder = Decoder()
    decoder.decode(bytes.fromhex("4001610162"))
    long = b"x" * TABLE_BYTES
    encoder = oracle.Encoder()
    encoder.encode([("a", "b")])
    assert pairs(decoder.decode(encoder.encode([(b"long", long)]))) == [(b"long", long)]
    with pytest.raises(CompressionFault):
        decoder.decode(b"\xbe")


def test_the_name_of_a_malformed_field_can_be_referred_to() -> None:
    decoder = Decoder()
    (entry,) = decoder.decode(b"\x40\x01a\x03b\nc")
    assert isinstance(entry, Malformed)
    assert decoder.decode(b"\x7e\x01d") == [b"\r\na: d"]


def test_a_short_reference_to_a_long_field_is_not_copied() -> None:
    decoder = Decoder()
    decoder.decode(b"\x40\x01a" + b"\x7f\x81\x1e" + b"x" * 3968)
    found = decoder.decode(b"\xbe" * 60_000)
    assert len(found) == 60_000
    assert all(one is found[0] for one in found)


def test_only_what_comes_again_is_remembered() -> None:
    MEMORY.forget()
    block = b"\x04\x06/seen!"
    before = MEMORY.used_bytes
    Decoder().decode(block)
    encode([b"X-Once: only"])
    assert MEMORY.used_bytes == before
    Decoder().decode(block)
    encode([b"X-Once: only"])
    assert MEMORY.used_bytes > before
    after = MEMORY.used_bytes
    Decoder().decode(block)
    encode([b"X-Once: only"])
    assert MEMORY.used_bytes == after


def test_a_response_becomes_a_block_that_others_read() -> None:
    lines = [
        b"HTTP/1.1 200 OK",
        b"Content-Type: text/html",
        b"Connection: keep-alive, X",
        b"Keep-Alive: timeout=5",
        b"Transfer-Encoding: chunked",
        b"Upgrade: h2c",
        b"Proxy-Connection: close",
        b"X-Empty:",
        b"X-Spaced:\t a b \t",
        b"Set-Cookie: a=b",
        b"Set-Cookie: c=d",
        b"X-Long: " + b"y" * 5000,
        b"x-latin: \xe9",
    ]
    for _ in range(3):
        assert oracle.Decoder().decode(encode(lines), raw=True) == [
            (b":status", b"200"),
            (b"content-type", b"text/html"),
            (b"x-empty", b""),
            (b"x-spaced", b"a b"),
            (b"set-cookie", b"a=b"),
            (b"set-cookie", b"c=d"),
            (b"x-long", b"y" * 5000),
            (b"x-latin", b"\xe9"),
        ]


@pytest.mark.parametrize("status", [b"103", b"200", b"204", b"206", b"304", b"400", b"404", b"418", b"500", b"999"])
def test_every_status_is_written_as_it_is(status: bytes) -> None:
    for phrase in (b" What", b" ", b""):
        block = encode([b"HTTP/1.1 " + status + phrase])
        assert oracle.Decoder().decode(block, raw=True) == [(b":status", status)]


def test_an_empty_line_is_no_field() -> None:
    assert encode([b"HTTP/1.1 204 No Content", b""]) == b"\x89"


def test_the_encoder_never_adds_to_a_table() -> None:
    peer = oracle.Decoder()
    for number in range(50):
        peer.decode(encode([b"HTTP/1.1 200 OK", b"Server: a", b"X-Number: %d" % number]))
    assert not peer.header_table.dynamic_entries


@pytest.mark.parametrize("index", range(1, len(STATIC) + 1))
def test_what_a_short_literal_comes_to_is_what_any_literal_of_that_field_comes_to(index: int) -> None:
    name = STATIC[index - 1][0]
    for value in (b"x", b"", b" x", b"a\0"):
        short = bytes((0x40 | index,)) + bytes((len(value),)) + value
        spelled = b"\x40" + bytes((len(name),)) + name + bytes((len(value),)) + value
        (one,), (other,) = Decoder().decode(short), Decoder().decode(spelled)
        assert (one, type(one), vars(one) if isinstance(one, Aside) else None) == (
            other,
            type(other),
            vars(other) if isinstance(other, Aside) else None,
        )
