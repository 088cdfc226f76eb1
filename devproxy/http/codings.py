"""Content codings (RFC 9110 section 8.4.1), taken off for people to read; what is forwarded never comes here. Pure.

gzip and deflate by Python's own zlib; br and zstd where a library for them is there (the extra ``inspector``; zstd is
in Python from 3.14 on). Whatever was sent, decoding ends within a bound. Start at :func:`decoded`.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from importlib import import_module
from typing import Any, Final, NamedTuple

from devproxy.http.fields import elements_of

MAX_CODINGS: Final = 3
"""Codings on top of one another that are looked into."""
_ZSTD_WINDOW_LOG: Final = 23
"""8 MiB: what a decoder of the web has to have (RFC 9659 section 3), and no more."""


class Decoded(NamedTuple):
    """A body without its content coding. ``coding``: what was taken off, empty: nothing. ``is_whole``: all of it."""

    data: bytes
    coding: str
    is_whole: bool


def decoded(data: bytes, encoding: bytes, limit: int) -> Decoded | None:
    """Return `data`, which may be cut short, without the codings that `encoding`, a ``Content-Encoding``, lists.

    At most `limit` bytes. None: a coding is not known here (:func:`missing_library`), or the data is not in it.
    """
    codings = elements_of(encoding.lower())
    if len(codings) > MAX_CODINGS:
        return None
    is_whole = True
    for coding in reversed(codings):
        if coding == b"identity":
            continue
        way = _WAYS.get(coding)
        found = None if way is None else way(data, limit)
        if found is None:
            return None
        data, is_whole = found
    return Decoded(data, encoding.decode("latin-1"), is_whole)


def missing_library(encoding: bytes) -> bool:
    """Tell whether a coding in `encoding` is one whose library is not installed here."""
    codings = elements_of(encoding.lower())
    return (b"br" in codings and _library("brotli") is None) or (b"zstd" in codings and _zstd() is None)


def _gunzip(data: bytes, limit: int) -> tuple[bytes, bool] | None:
    return _by_zlib(data, limit, zlib.MAX_WBITS | 16)


def _inflate(data: bytes, limit: int) -> tuple[bytes, bool] | None:
    # `deflate` means zlib, and some send it without the wrapper (RFC 9110 section 8.4.1.2).
    return _by_zlib(data, limit, zlib.MAX_WBITS) or _by_zlib(data, limit, -zlib.MAX_WBITS)


def _by_zlib(data: bytes, limit: int, way: int) -> tuple[bytes, bool] | None:
    inflater = zlib.decompressobj(way)
    try:
        found = inflater.decompress(data, limit)
    except zlib.error:
        return None
    return found, inflater.eof


def _by_brotli(data: bytes, limit: int) -> tuple[bytes, bool] | None:
    library = _library("brotli")
    if library is None:
        return None
    decompressor = library.Decompressor()
    found = bytearray()
    try:
        more = data
        while len(found) < limit:
            piece = decompressor.process(more, output_buffer_limit=limit - len(found))
            if not piece:
                break
            found += piece
            more = b""
    except library.error:
        if not found:
            return None
    return bytes(found[:limit]), decompressor.is_finished() and len(found) <= limit


def _by_zstd(data: bytes, limit: int) -> tuple[bytes, bool] | None:
    library = _zstd()
    if library is None:
        return None
    decompressor = library.ZstdDecompressor(options={library.DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG})
    try:
        # The first frame alone, which is all that servers send: there may be as many as there are nine bytes.
        found = decompressor.decompress(data, limit)
    except library.ZstdError:
        return None
    return found, decompressor.eof and not decompressor.unused_data


_WAYS: Final[dict[bytes, Callable[[bytes, int], tuple[bytes, bool] | None]]] = {
    b"gzip": _gunzip,
    b"x-gzip": _gunzip,
    b"deflate": _inflate,
    b"br": _by_brotli,
    b"zstd": _by_zstd,
}


def _zstd() -> Any:
    return _library("compression.zstd") or _library("backports.zstd")


def _library(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        return None
