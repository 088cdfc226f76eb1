"""How careless servers read a path: where it could lead in their eyes. Pure; knows no route.

devproxy compares paths in the form of RFC 3986, in which ``%2F`` is not a slash, ``\\`` is a byte like any other and
``..;x`` a segment of that name. nginx decodes ``%2F`` before it resolves dot segments, Tomcat cuts ``;x`` off, IIS and
everything that parses paths as the URL standard does for http (Node's ``URL``) take ``\\`` for ``/``, some old decoders
accept a slash in two or three bytes of UTF-8 (RFC 3629 section 10) or as ``%u002f`` (IIS, Jetty), and some servers
merge slashes before they resolve dot segments, others after. What devproxy takes for ``/hooks/..%2Fadmin`` is
``/admin`` to them: another place, with other rules. Encodings are decoded once, as servers do: ``%252F`` is ``%2F`` to
all of them.

Every server has some of these habits, so a path has a reading for each combination of those that matter to it. Start at
:func:`careless_readers`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from itertools import compress, product
from typing import Final, NamedTuple

from devproxy.config.model import Route

Reader = Callable[[bytes], bytes]
"""Gives a path as one kind of server reads it: without dot segments; raw, without query, both ways."""


class Misreading(NamedTuple):
    """A reading of a path that leads elsewhere. ``path``: as it is read. ``route``: that takes it then, None for none.

    ``sent`` and ``meant``: where the chosen route takes that reading too, the path that the server would take from what
    devproxy sends, and the one that it should take; else empty. ``is_countless``: there are too many readings to tell.
    """

    path: bytes
    route: Route | None = None
    sent: bytes = b""
    meant: bytes = b""
    is_countless: bool = False


MAX_READINGS: Final = 16
"""A path that can be read in more ways has four peculiarities, as no program writes by accident."""
MAX_READ_BYTES: Final = 131_072
"""Bytes of all readings of a path together: no other request waits for longer than they take, and 8 KiB, more than most
servers accept, may be read in every way."""

_may_be_read_otherwise = re.compile(rb"[%\\;\xc0\xc1\xe0\xf0]|//").search
"""What no path lacks that has more than one reading. Dot segments alone are read alike by all."""

_LEAD_2: Final = rb"(?:(?:%c0|\xc0)|(?:%e0|\xe0)(?:%80|\x80)|(?:%f0|\xf0)(?:%80|\x80){2})"
_LEAD_5: Final = rb"(?:(?:%c1|\xc1)|(?:%e0|\xe0)(?:%81|\x81)|(?:%f0|\xf0)(?:%80|\x80)(?:%81|\x81))"
_replace_overlong = re.compile(
    rb"(?i:(?=%(?:[cef][01]|u00)|[\xc0\xc1\xe0\xf0])(?:(?P<dot>%u002e|"
    + _LEAD_2
    + rb"(?:%ae|\xae))|%u00(?:2f|5c)|"
    + _LEAD_2
    + rb"(?:%af|\xaf)|"
    + _LEAD_5
    + rb"(?:%9c|\x9c)))"
).sub
_cut_parameter = re.compile(rb"(?:(?<=/)|(?<=/\.)|(?<=/\.\.))(?:;|%3[Bb])[^/]*").sub


def _decode_overlong(path: bytes) -> bytes:
    return _replace_overlong(lambda match: b"." if match["dot"] else b"/", path)


def _decode_slash(path: bytes) -> bytes:
    return path.replace(b"%2f", b"/").replace(b"%2F", b"/")


def _turn_backslash(path: bytes) -> bytes:
    """Return `path` with slashes for backslashes; one that is not encoded never comes this far (``http1.head``)."""
    return path.replace(b"%5c", b"/").replace(b"%5C", b"/").replace(b"\\", b"/")


def _cut_parameters(path: bytes) -> bytes:
    """Return `path` without the parameters of segments that are empty or dots but for them (RFC 3986 section 3.3)."""
    return _cut_parameter(b"", path)


_HABITS: Final = (_decode_overlong, _decode_slash, _turn_backslash, _cut_parameters)
"""In the order in which they happen: what one decodes the next one sees."""


def careless_readers(path: bytes) -> tuple[Reader, ...] | None:
    """Return a reader for each way in which servers differ about `path` (raw, without query): nearly always none.

    None instead of more than :data:`MAX_READINGS` or :data:`MAX_READ_BYTES`. All of it takes linear time.
    """
    if _may_be_read_otherwise(path) is None:
        return ()
    decoded = _with_dots(path)
    habits: list[Reader] = []
    for habit in _HABITS:
        changed = habit(decoded)
        if changed != decoded:
            habits.append(habit)
        decoded = changed
    # Merging matters only where there is something to merge and something to resolve.
    merging = (True, False) if b"//" in decoded and b"/.." in decoded else (True,)
    readings = len(merging) << len(habits)
    if readings > MAX_READINGS or readings * len(path) > MAX_READ_BYTES:
        return None
    return tuple(
        partial(_read, habits=applied, merges=merges)
        for chosen in product((True, False), repeat=len(habits))
        for merges in merging
        if (applied := tuple(compress(habits, chosen))) or not merges
    )


def _with_dots(path: bytes) -> bytes:
    return path.replace(b"%2e", b".").replace(b"%2E", b".")


def _read(path: bytes, *, habits: tuple[Reader, ...], merges: bool) -> bytes:
    """Return `path` as a server with these habits reads it; `merges`: empty segments go before dot segments do."""
    path = _with_dots(path)
    for habit in habits:
        path = habit(path)
    if b"/." not in path:
        return path
    segments = path.split(b"/")[1:]
    kept: list[bytes] = []
    for segment in segments:
        if segment == b"..":
            del kept[-1:]
        elif segment != b"." and (segment or not merges):
            kept.append(segment)
    is_closed = bool(kept) and kept[-1] != b"" and segments[-1] in (b"", b".", b"..")
    return b"/" + b"/".join(kept) + (b"/" if is_closed else b"")
