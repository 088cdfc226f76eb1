from __future__ import annotations

import gzip
import sys
import zlib
from importlib import import_module

import pytest
from devproxy.http import codings
from devproxy.http.codings import decoded, missing_library

brotli = import_module("brotli")
zstd = import_module("backports.zstd" if sys.version_info < (3, 14) else "compression.zstd")

LIMIT = 1 << 20
BOMB = bytes(64 << 20)


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (gzip.compress(b"text"), b"gzip"),
        (gzip.compress(b"text"), b" X-Gzip "),
        (zlib.compress(b"text"), b"deflate"),
        (zlib.compress(b"text")[2:-4], b"deflate"),
        (gzip.compress(zlib.compress(b"text")), b"deflate, gzip"),
        (brotli.compress(b"text"), b"br"),
        (zstd.compress(b"text"), b"zstd"),
        (zstd.compress(brotli.compress(b"text")), b"br, zstd"),
        (b"text", b"identity"),
        (b"text", b""),
    ],
    ids=["gzip", "x-gzip", "zlib", "raw", "deflate-gzip", "br", "zstd", "br-zstd", "identity", "none"],
)
def test_codings_are_taken_off(data: bytes, encoding: bytes) -> None:
    found = decoded(data, encoding, LIMIT)
    assert found is not None
    assert (found.data, found.is_whole) == (b"text", True)


@pytest.mark.parametrize("encoding", [b"br", b"zstd", b"gzip, br", b"gzip," * 9, b"deflate", b"exi", b"gzip"])
def test_what_cannot_be_read_is_not(encoding: bytes) -> None:
    assert decoded(b"\xffgarbage", encoding, LIMIT) is None


@pytest.mark.parametrize(
    ("data", "encoding"),
    [(gzip.compress(BOMB), b"gzip"), (brotli.compress(BOMB, quality=1), b"br"), (zstd.compress(BOMB), b"zstd")],
    ids=["gzip", "br", "zstd"],
)
def test_a_bomb_ends_at_the_bound(data: bytes, encoding: bytes) -> None:
    found = decoded(data, encoding, LIMIT)
    assert found is not None
    assert (len(found.data), found.is_whole) == (LIMIT, False)


@pytest.mark.parametrize("encoding", [b"gzip", b"br", b"zstd"])
def test_of_what_is_cut_short_there_is_the_beginning(encoding: bytes) -> None:
    text = b"".join(b"%d: a line that is not like the others\n" % (number * 7919) for number in range(20_000))
    compress = {b"gzip": gzip.compress, b"br": brotli.compress, b"zstd": zstd.compress}[encoding]
    data = compress(text)
    found = decoded(data[: len(data) // 2], encoding, LIMIT)
    assert found is not None
    assert not found.is_whole
    assert found.data
    assert text.startswith(found.data)


def test_a_window_is_no_larger_than_the_web_asks_for() -> None:
    options = {zstd.CompressionParameter.window_log: 27, zstd.CompressionParameter.enable_long_distance_matching: 1}
    compressor = zstd.ZstdCompressor(options=options)
    data = compressor.compress(BOMB[: 20 << 20]) + compressor.flush()
    assert decoded(data, b"zstd", LIMIT) is None


def test_ten_thousand_frames_are_one() -> None:
    found = decoded(zstd.compress(b"") * 10_000, b"zstd", LIMIT)
    assert found is not None
    assert (found.data, found.is_whole) == (b"", False)


def test_without_its_library_a_coding_is_said_to_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not missing_library(b"br, zstd")

    def without(name: str) -> object:
        if name == "brotli":
            raise ImportError(name)
        return import_module(name)

    monkeypatch.setattr(codings, "import_module", without)
    assert missing_library(b"gzip, br")
    assert not missing_library(b"gzip")
    assert decoded(brotli.compress(b"text"), b"br", LIMIT) is None
