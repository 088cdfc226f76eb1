"""Which requests a browser asks about first: methods and headers that need permission (Fetch sections 2.2.1 and 2.2.2).

Pure. Start at :func:`needs_preflight`. The standard's lists, and what Chromium does besides: it is the one whose words
the verdict repeats.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from devproxy.http.fields import elements_of

Headers = Iterable[tuple[bytes, bytes]]
"""What a page's script sets: names in lower case, with their values."""

SAFELISTED_METHODS: Final = frozenset((b"GET", b"HEAD", b"POST"))
MAX_SAFELISTED_VALUE: Final = 128
"""Bytes of a value up to which its header needs no permission."""

_NORMALISED_METHODS: Final = frozenset((b"DELETE", b"GET", b"HEAD", b"OPTIONS", b"POST", b"PUT"))
_SAFELISTED_TYPES: Final = frozenset((b"application/x-www-form-urlencoded", b"multipart/form-data", b"text/plain"))
_CLIENT_HINTS: Final = frozenset((b"device-memory", b"downlink", b"dpr", b"ect", b"rtt", b"viewport-width", b"width"))
"""Chromium asks about none of these; the standard does not name them."""
_FORBIDDEN: Final = frozenset(
    b"accept-charset accept-encoding access-control-request-headers access-control-request-method "
    b"access-control-request-private-network connection content-length cookie cookie2 date dnt expect host keep-alive "
    b"origin referer set-cookie te trailer transfer-encoding upgrade via".split()
)
"""Fetch, "forbidden request-header": the browser drops them when a script sets them."""
_METHOD_OVERRIDES: Final = frozenset((b"x-http-method", b"x-http-method-override", b"x-method-override"))
_FORBIDDEN_METHODS: Final = frozenset((b"connect", b"trace", b"track"))

_has_unsafe_octet = re.compile(rb"[\x00-\x08\x0a-\x1f\"():<>?@\[\\\]{}\x7f]").search
_is_language = re.compile(rb"[0-9A-Za-z *,\-.;=]*").fullmatch
_match_range = re.compile(rb"bytes=([0-9]+)-([0-9]*)").fullmatch


def needs_preflight(method: bytes, headers: Headers) -> bool:
    """Tell whether a browser asks before it sends a request to another origin (Fetch section 4.8)."""
    return normalised_method(method) not in SAFELISTED_METHODS or bool(unsafe_names(headers))


def normalised_method(method: bytes) -> bytes:
    """Return `method` as ``fetch`` sends it: some in upper case, ``patch`` as it is (Fetch, "normalize a method")."""
    return method.upper() if method.upper() in _NORMALISED_METHODS else method


def unsafe_names(headers: Headers) -> list[bytes]:
    """Return the names that need permission, sorted (Fetch, "CORS-unsafe request-header names")."""
    return sorted({name for name, value in headers if not _is_safelisted(name, value) and is_sent(name, value)})


def is_sent(name: bytes, value: bytes) -> bool:
    """Tell whether a browser sends this header for a script (Fetch, "forbidden request-header")."""
    if name in _METHOD_OVERRIDES:
        return _FORBIDDEN_METHODS.isdisjoint(elements_of(value.lower()))
    return name not in _FORBIDDEN and not name.startswith((b"proxy-", b"sec-"))


def _is_safelisted(name: bytes, value: bytes) -> bool:
    """Tell whether a header needs no permission (Fetch, "CORS-safelisted request-header")."""
    if name == b"user-agent":
        return True  # a script may set it, and Chromium does not ask
    if len(value) > MAX_SAFELISTED_VALUE:
        return False
    if name == b"accept":
        return _has_unsafe_octet(value) is None
    if name in (b"accept-language", b"content-language"):
        return _is_language(value) is not None
    if name == b"content-type":
        return _has_unsafe_octet(value) is None and value.partition(b";")[0].strip().lower() in _SAFELISTED_TYPES
    if name == b"range":
        match = _match_range(value)
        return match is not None and (not match[2] or int(match[1]) <= int(match[2]))
    return name in _CLIENT_HINTS or (name == b"save-data" and value.lower() == b"on")
