"""What is wrong with an answer, precisely: the fault, the line, the rule; and all of it in one sentence.

Pure. Owns the words about what does not begin as an answer does, and how untrusted bytes are shown to
people: in printable ASCII, shortened, without the values of credentials. Start at :func:`told`.
"""

from __future__ import annotations

import re
from typing import Final

from devproxy.errors import BadMessage, Foreign

MAX_SHOWN: Final = 120
"""Characters of a line that are shown: enough to find it, in one line of a terminal."""

_MAX_KEPT: Final = 256
_MAX_LINES: Final = 3
"""Lines that are shown where several are at fault together."""
_STATUS_SOURCE: Final = "RFC 9112 section 4"

_match_version = re.compile(rb"HTTP/1\.[0-9](?![0-9.])").match
_match_code = re.compile(rb"[1-9][0-9]{2}(?![0-9])").match

# By the ends of names, as in `X-Auth-Token`. Of a cookie its name stays. Only the first bytes of a line get here, so
# that the work is bounded.
_hide_secrets = re.compile(
    rb"(?i)((?:set-)?cookie[ \t]*:[^=;\r\n]{0,80}=|cookie[ \t:]"
    rb"|(?:authorization|authenticate|authentication-info|token|key|secret|password|session)[^!-~]*+:)[^\r\n]+"
).sub

_TLS_STARTS: Final = (b"\x15\x03", b"\x16\x03")
"""An alert and a handshake message (RFC 8446 section 5.1)."""
_FRAMES: Final = {0x04: "SETTINGS", 0x07: "GOAWAY"}
"""What a server that speaks HTTP/2 alone sends first (RFC 9113 sections 3.4, 6.5 and 6.8)."""
_FRAME_HEAD_BYTES: Final = 9


def shown(octets: bytes) -> str:
    """Return `octets` for people: printable ASCII, everything else escaped as ``\\x1b``, at most 120 characters."""
    text = "".join(chr(octet) if 0x20 <= octet < 0x7F else f"\\x{octet:02x}" for octet in octets[: MAX_SHOWN + 1])
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1].rstrip() + "..."


def shown_line(line: bytes) -> str:
    """Return a field line for people, as :func:`shown`; the values of cookies and credentials are left out."""
    return shown(_hide_secrets(rb"\1...", line[:_MAX_KEPT]))


def told(error: BadMessage) -> str:
    """Return in one sentence what is wrong with a message: the fault, the line at fault and the rule it broke."""
    first = error.line.split(b"\r\n", _MAX_LINES)[:_MAX_LINES] if error.line else ()
    lines = " and ".join(f"`{shown_line(line)}`" for line in first)
    told_of = f"{error.reason}: {lines}" if lines else error.reason
    return f"{told_of} ({error.source})" if error.source else told_of


def bad_status_line(octets: bytes) -> BadMessage:
    """Return what is wrong with the beginning of an answer. `octets`: its status line, or as much as has come of it.

    More bytes may follow that line. Tells another protocol, an empty line, a bad version, a bad status code,
    misplaced spaces and control characters apart.
    """
    line = octets.partition(b"\r\n")[0]
    foreign = _foreign(octets)
    if foreign is not None:
        return foreign
    if not line:
        return BadMessage("there is an empty line before the status line", source=_STATUS_SOURCE, line=b"")
    reason, source = _fault_of(line)
    return BadMessage(reason, source=source, line=line[:_MAX_KEPT])


def spoke_first(octets: bytes) -> BadMessage:
    """Return what is wrong with `octets` that a server sent before it was asked: other protocols begin so."""
    line = octets[:_MAX_KEPT].partition(b"\r\n")[0]
    early = BadMessage("an answer came before any request was sent", source="RFC 9112 section 9.3", line=line)
    return _foreign(octets) or early


def ended_within_head(octets: bytes) -> BadMessage:
    """Return what is wrong with a connection that ended after `octets`, the beginning of an answer's head."""
    line = octets[-_MAX_KEPT:].rpartition(b"\n")[2] or octets[-_MAX_KEPT:].rstrip(b"\r\n").rpartition(b"\n")[2]
    return BadMessage("the connection ended in the middle of the answer's head", source="RFC 9112 section 8", line=line)


def _foreign(octets: bytes) -> BadMessage | None:
    """Return the refusal of `octets` that begin another protocol than HTTP/1, or no protocol at all."""
    beginning = octets[:_FRAME_HEAD_BYTES]
    if octets.startswith(_TLS_STARTS):
        return _other(Foreign.TLS, "TLS came instead of a status line", "RFC 8446 section 5.1", beginning)
    if frame := _frame(octets):
        reason = f"an HTTP/2 {frame} frame came instead of a status line"
        return _other(Foreign.HTTP_2, reason, "RFC 9113 section 3.4", beginning)
    line = octets[:_MAX_KEPT].partition(b"\r\n")[0]
    if line.startswith((b"HTTP/2", b"PRI * HTTP/2")):
        return _other(Foreign.HTTP_2, "the status line is of HTTP/2, not of HTTP/1.1", "RFC 9112 section 2.3", line)
    # Blank lines and spaces before a status line, and one in lower case, are faults of an answer.
    if line.strip() and line.strip()[:5].upper() != b"HTTP/"[: len(line.strip())]:
        reason = "this is not an HTTP/1 answer, which begins with a status line"
        return _other(Foreign.UNKNOWN, reason, _STATUS_SOURCE, line.rstrip(b"\r\n"))
    return None


def _other(foreign: Foreign, reason: str, source: str, line: bytes) -> BadMessage:
    return BadMessage(reason, source=source, line=line, foreign=foreign)


def _frame(octets: bytes) -> str:
    """Return the name of the HTTP/2 frame that `octets` begin with, of those that a server sends first; else empty."""
    if len(octets) < _FRAME_HEAD_BYTES or octets[0] or octets[3] not in _FRAMES or any(octets[5:_FRAME_HEAD_BYTES]):
        return ""
    return _FRAMES[octets[3]]


def _fault_of(line: bytes) -> tuple[str, str]:
    """Say in words why `line`, which at least mentions HTTP, is not a status line, and which rule that breaks."""
    if b"\r" in line or b"\n" in line:
        return "the status line contains a bare CR or LF", "RFC 9112 section 2.2"
    if b"\0" in line:
        return "the status line contains a NUL", _STATUS_SOURCE
    if line[:1] in (b" ", b"\t"):
        return "there is whitespace before the status line", _STATUS_SOURCE
    if not line.startswith(b"HTTP/"):
        return "the status line does not begin with `HTTP/` in upper case", "RFC 9112 section 2.3"
    if _match_version(line) is None:
        return "the version in the status line is not HTTP/1.x", "RFC 9112 section 2.3"
    rest = line[8:]
    if not rest.strip():
        return "the status line has no status code", _STATUS_SOURCE
    if rest[:1] != b" " or rest[1:2] in (b" ", b"\t"):
        return "the status line does not have exactly one space between version and status code", _STATUS_SOURCE
    if _match_code(rest, 1) is None:
        return "the status code in the status line is not a number from 100 to 999", "RFC 9110 section 15"
    return "the status line has no space after the status code", _STATUS_SOURCE
