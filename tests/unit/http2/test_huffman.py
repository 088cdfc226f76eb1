from __future__ import annotations

from contextlib import suppress

import pytest
from devproxy.http2 import huffman
from hpack.huffman import HuffmanEncoder
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH

ENCODER = HuffmanEncoder(REQUEST_CODES, REQUEST_CODES_LENGTH)

EXAMPLES = {  # RFC 7541 appendix C.4 and C.6
    "f1e3c2e5f23a6ba0ab90f4ff": b"www.example.com",
    "a8eb10649cbf": b"no-cache",
    "25a849e95ba97d7f": b"custom-key",
    "25a849e95bb8e8b4bf": b"custom-value",
    "6402": b"302",
    "aec3771a4b": b"private",
    "d07abe941054d444a8200595040b8166e082a62d1bff": b"Mon, 21 Oct 2013 20:13:21 GMT",
    "9d29ad171863c78f0b97c8e9ae82ae43d3": b"https://www.example.com",
    "640eff": b"307",
    "9bd9ab": b"gzip",
    "94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007": (
        b"foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1"
    ),
    "": b"",
}


@pytest.mark.parametrize("encoded", EXAMPLES)
def test_the_examples_of_the_standard_are_decoded(encoded: str) -> None:
    assert huffman.decode(bytes.fromhex(encoded)) == EXAMPLES[encoded]


def test_every_octet_is_decoded_wherever_it_begins() -> None:
    for octet in range(256):
        for before in (b"", b"0", b"00", b"000", b"X", b"&", b"\0", b"0\xff"):
            string = before + bytes((octet,)) * 3
            assert huffman.decode(ENCODER.encode(string)) == string


@pytest.mark.parametrize(
    "encoded",
    [
        b"\xff\xff\xff\xff",  # the code for the end
        b"\xff\xff\xff\xfc",
        b"\x1f\xff",  # `a` and eleven bits of padding
        b"\xff",  # eight bits of padding
        b"\x18",  # padding that is not ones: `a` and 000
        b"\xfe",
    ],
    ids=lambda one: one.hex(),
)
def test_what_does_not_end_as_a_string_is_refused(encoded: bytes) -> None:
    with pytest.raises(ValueError, match=r"the string|the code"):
        huffman.decode(encoded)


def test_no_more_steps_are_kept_than_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huffman, "MAX_STEPS", 50)
    huffman._Kept.steps = 50
    string = bytes(range(256))
    for _ in range(2):
        assert huffman.decode(ENCODER.encode(string)) == string
        assert 0 < sum(step is not None for row in huffman._rows for step in row) == huffman._Kept.steps <= 50


def test_a_string_that_was_decoded_before_is_cut_as_one_that_was_not() -> None:
    encoded = ENCODER.encode(b"https://localhost:8080/")

    def outcomes() -> list[bytes | None]:
        found: list[bytes | None] = []
        for cut in range(1, len(encoded) + 1):
            with suppress(ValueError):
                found.append(huffman.decode(encoded[:cut]))
                continue
            found.append(None)
        return found

    first = outcomes()
    assert outcomes() == first
    assert None in first
    assert all(b"https://localhost:8080/".startswith(one) for one in first if one is not None)


@pytest.mark.parametrize("length", [4095, 4096, 4097, 8192, 50_000])
def test_a_long_string_is_decoded_as_short_ones_are(length: int) -> None:
    string = bytes(32 + number * 7 % 95 for number in range(length))
    encoded = ENCODER.encode(string)
    for _ in range(2):  # with steps that were not needed yet, and with all of them
        assert huffman.decode(encoded) == string
    with pytest.raises(ValueError, match=r"within a code|code for its end"):
        huffman.decode(encoded + b"\xff\xff\xff\xff\xff")
