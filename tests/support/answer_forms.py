"""Byte forms of answers: what Chromium makes of each, and what devproxy does with it.

One table for all tests. ``page``: what a page gets that asks the server itself, seen in Chromium 156 by
``tests/e2e/test_answers_chromium.py``: status, status text and body; None for a network error. ``sent``: what devproxy
sends to the client of the head, in order, without blank line and body; None: 502, because octets like these can be
framed in two ways or are no HTTP/1, and then ``says`` is a part of what the 502 says, besides the line itself.
"""

from __future__ import annotations

from dataclasses import dataclass

OK = b"HTTP/1.1 200 OK"
BODY = b"body"
LENGTH = b"Content-Length: 4"
CHUNKED = b"Transfer-Encoding: chunked"
CHUNKS = b"4\r\nbody\r\n0\r\n\r\n"

Page = tuple[int, str, str]
GOOD: Page = (200, "OK", "body")


@dataclass(frozen=True)
class Form:
    """One answer. ``method``: of the request. ``line``: what a 502 shows of it."""

    octets: bytes
    page: Page | None
    sent: tuple[bytes, ...] | None = None
    says: str = ""
    line: str = ""
    method: str = "GET"


def head(*lines: bytes, body: bytes = BODY) -> bytes:
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def taken(
    *lines: bytes, sent: tuple[bytes, ...] = (), page: Page = GOOD, body: bytes = BODY, method: str = "GET"
) -> Form:
    """Return a form that devproxy takes; `sent`: the head that goes on, where that is not `lines`."""
    return Form(head(*lines, body=body), page, sent or lines, method=method)


def refused(
    *lines: bytes, says: str, line: str | None = None, page: Page | None = GOOD, body: bytes = BODY, method: str = "GET"
) -> Form:
    """Return a form that devproxy refuses, although browsers may take it; `line`: by default the last one."""
    shown = lines[-1].decode("ascii") if line is None else line
    return Form(head(*lines, body=body), page, None, says, shown, method)


def with_value(value: bytes) -> Form:
    return taken(OK, b"X-A: " + value, LENGTH)


TAKEN: dict[str, Form] = {
    "an ordinary answer": taken(OK, b"X-A: b", LENGTH),
    # the status line
    "HTTP/1.2": taken(b"HTTP/1.2 200 OK", LENGTH, sent=(OK, LENGTH)),
    "HTTP/1.9": taken(b"HTTP/1.9 200 OK", LENGTH, sent=(OK, LENGTH)),
    "HTTP/1.2 with chunks": taken(b"HTTP/1.2 200 OK", CHUNKED, sent=(OK, CHUNKED), body=CHUNKS),
    "no reason": taken(b"HTTP/1.1 200", LENGTH, page=(200, "", "body")),
    "a space and no reason": taken(b"HTTP/1.1 200 ", LENGTH, page=(200, "", "body")),
    "spaces behind the reason": taken(b"HTTP/1.1 200 OK  ", LENGTH),
    "status 600": taken(b"HTTP/1.1 600 OK", LENGTH, page=(600, "OK", "body")),
    "status 999": taken(b"HTTP/1.1 999 OK", LENGTH, page=(999, "OK", "body")),
    "an escape in the reason": taken(b"HTTP/1.1 200 O\x1bK", LENGTH, page=(200, "O\x1bK", "body")),
    "raw octets in the reason": taken(b"HTTP/1.1 200 O\xe9K", LENGTH, page=(200, "O\xe9K", "body")),
    # values
    **{f"the control {octet:#04x} in a value": with_value(b"a%cb" % octet) for octet in (*range(1, 9), 0x0B, 0x0C)},
    **{f"the control {octet:#04x} in a value": with_value(b"a%cb" % octet) for octet in (*range(0x0E, 0x20), 0x7F)},
    "controls at both ends of a value": with_value(b"\x0bb\x0c"),
    "a control in a cookie": taken(OK, b"Set-Cookie: a=\x01b", LENGTH),
    "a control in a type": taken(OK, b"Content-Type: text/\x01plain", LENGTH),
    # whitespace before a colon
    "a space before a colon": taken(OK, b"X-A : b", LENGTH, sent=(OK, b"X-A: b", LENGTH)),
    "a tab before a colon": taken(OK, b"X-A\t: b", LENGTH, sent=(OK, b"X-A: b", LENGTH)),
    "much before a colon": taken(OK, b"X-A \t :b", LENGTH, sent=(OK, b"X-A:b", LENGTH)),
    "a space and a control": taken(OK, b"X-A : a\x01", LENGTH, sent=(OK, b"X-A: a\x01", LENGTH)),
    # lengths
    "a list of equal lengths": taken(OK, b"Content-Length: 4, 4", sent=(OK, LENGTH)),
    "a list without spaces": taken(OK, b"content-length:4,4,4", sent=(OK, b"content-length: 4")),
    "equal lengths on two lines": taken(OK, LENGTH, b"X-A: b", LENGTH, sent=(OK, LENGTH, b"X-A: b")),
    "equal lengths in another case": taken(OK, LENGTH, b"content-length: 4", sent=(OK, LENGTH)),
    "a line and a list": taken(OK, LENGTH, b"Content-Length: 4,4", sent=(OK, LENGTH)),
    "a length with a zero before it": taken(OK, b"Content-Length: 04"),
    # answers without a body
    "HEAD with length and coding": taken(
        OK, LENGTH, CHUNKED, sent=(OK, CHUNKED), page=(200, "OK", ""), body=b"", method="HEAD"
    ),
    "HEAD with equal lengths": taken(
        OK, b"Content-Length: 4, 4", sent=(OK, LENGTH), page=(200, "OK", ""), body=b"", method="HEAD"
    ),
    "204 with a length": taken(b"HTTP/1.1 204 N", LENGTH, sent=(b"HTTP/1.1 204 N",), page=(204, "N", ""), body=b""),
    "204 with a coding": taken(b"HTTP/1.1 204 N", CHUNKED, sent=(b"HTTP/1.1 204 N",), page=(204, "N", ""), body=b""),
    "204 with the last chunk": taken(
        b"HTTP/1.1 204 N", CHUNKED, sent=(b"HTTP/1.1 204 N",), page=(204, "N", ""), body=b"0\r\n\r\n"
    ),
    "204 with both": taken(
        b"HTTP/1.1 204 N", LENGTH, CHUNKED, sent=(b"HTTP/1.1 204 N",), page=(204, "N", ""), body=b""
    ),
    "304 with a coding": taken(b"HTTP/1.1 304 N", CHUNKED, sent=(b"HTTP/1.1 304 N",), page=(304, "N", ""), body=b""),
    "304 with both": taken(
        b"HTTP/1.1 304 N", LENGTH, CHUNKED, sent=(b"HTTP/1.1 304 N", LENGTH), page=(304, "N", ""), body=b""
    ),
    "204 with another coding": taken(
        b"HTTP/1.1 204 N", b"Transfer-Encoding: gzip", sent=(b"HTTP/1.1 204 N",), page=(204, "N", ""), body=b""
    ),
    "204 with an empty length": taken(
        b"HTTP/1.1 204 N", b"Content-Length:", sent=(b"HTTP/1.1 204 N",), page=(204, "N", ""), body=b""
    ),
    "204 with a space before the colon of a length": taken(
        b"HTTP/1.1 204 N", b"Content-Length : 0", sent=(b"HTTP/1.1 204 N",), page=(204, "N", ""), body=b""
    ),
    "204 with a coding in HTTP/1.0": taken(
        b"HTTP/1.0 204 N", CHUNKED, sent=(b"HTTP/1.1 204 N",), page=(204, "N", ""), body=b""
    ),
    "304 with identity": taken(
        b"HTTP/1.1 304 N",
        b"Transfer-Encoding: identity",
        LENGTH,
        sent=(b"HTTP/1.1 304 N", LENGTH),
        page=(304, "N", ""),
        body=b"",
    ),
    "304 with chunked on two lines": taken(
        b"HTTP/1.1 304 N", CHUNKED, CHUNKED, sent=(b"HTTP/1.1 304 N",), page=(304, "N", ""), body=b""
    ),
    "304 with a length of words": taken(
        b"HTTP/1.1 304 N", b"Content-Length: 4s", sent=(b"HTTP/1.1 304 N",), page=(304, "N", ""), body=b""
    ),
    # options of the connection
    "options that are no list": taken(OK, b"Connection: keep-alive; timeout=5", LENGTH, sent=(OK, LENGTH)),
    "an option with a value": taken(OK, b"Connection: keep-alive, timeout=5", LENGTH, sent=(OK, LENGTH)),
    "an option beyond ASCII": taken(OK, b"Connection: \xe9", LENGTH, sent=(OK, LENGTH)),
    "an option that is listed beside what is none": taken(
        OK, b"Connection: a b, x-hop", b"X-Hop: 1", LENGTH, sent=(OK, LENGTH)
    ),
    # an upgrade that is asked for
    "426": taken(
        b"HTTP/1.1 426 U",
        b"Connection: Upgrade",
        b"Upgrade: websocket",
        LENGTH,
        sent=(b"HTTP/1.1 426 U", b"Upgrade: websocket", LENGTH, b"Connection: Upgrade"),
        page=(426, "U", "body"),
    ),
    # chunks
    "spaces behind a size": taken(OK, CHUNKED, body=b"4   \r\nbody\r\n0  \r\n\r\n"),
    "spaces before an extension": taken(OK, CHUNKED, body=b"4 ;a=b\r\nbody\r\n0\r\n\r\n"),
    "an extension that is none": taken(OK, CHUNKED, body=b"4; a b==\x01\xe9\r\nbody\r\n0;\r\n\r\n"),
    "a size in upper case with zeros": taken(OK, CHUNKED, body=b"0004\r\nbody\r\n000\r\n\r\n"),
    "a control in a trailer": taken(OK, CHUNKED, body=b"4\r\nbody\r\n0\r\nX-A: \x01\r\n\r\n"),
    "a space before the colon of a trailer": taken(OK, CHUNKED, body=b"4\r\nbody\r\n0\r\nX-A : b\r\n\r\n"),
    "a trailer with a length": taken(OK, CHUNKED, body=b"4\r\nbody\r\n0\r\nContent-Length: 4\r\n\r\n"),
    # size
    "a head of 250 KiB": taken(OK, b"X-A: " + b"a" * 256_000, LENGTH),
    "999 fields": taken(OK, *(b"X-%d: a" % number for number in range(998)), LENGTH),
}

REFUSED: dict[str, Form] = {
    # no HTTP/1
    "a word": Form(b"Unauthorized", None, None, "not an HTTP/1 answer", "Unauthorized"),
    "a page alone": Form(b"<!doctype html><title>x</title>", None, None, "not an HTTP/1 answer", "<!doctype html>"),
    "another protocol": Form(b"SSH-2.0-OpenSSH_9.2\r\n\r\n", None, None, "not an HTTP/1 answer", "SSH-2.0-OpenSSH_9.2"),
    "a status without a version": refused(b"200 OK", says="not an HTTP/1 answer", page=None),
    "a TLS alert": Form(b"\x15\x03\x03\x00\x02\x02\x28", None, None, "TLS", r"\x15\x03\x03\x00\x02\x02("),
    "a TLS handshake": Form(b"\x16\x03\x01\x00\x05hello\r\n\r\n", None, None, "TLS", r"\x16\x03\x01\x00\x05hell"),
    "HTTP/2 settings": Form(
        b"\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x64",
        None,
        None,
        "HTTP/2 SETTINGS frame",
        r"\x00\x00\x06\x04\x00\x00\x00\x00\x00",
    ),
    "HTTP/2 going away": Form(
        b"\x00\x00\x08\x07\x00\x00\x00\x00\x00" + bytes(8), None, None, "HTTP/2 GOAWAY frame", r"\x00\x00\x08\x07"
    ),
    # the status line
    "HTTP/2.0": refused(b"HTTP/2.0 200 OK", LENGTH, says="HTTP/2", line="HTTP/2.0 200 OK"),
    "HTTP/1.10": refused(b"HTTP/1.10 200 OK", LENGTH, says="version", line="HTTP/1.10 200 OK"),
    "HTTP/0.9": refused(b"HTTP/0.9 200 OK", LENGTH, says="version", line="HTTP/0.9 200 OK"),
    "HTTP/1": refused(b"HTTP/1 200 OK", LENGTH, says="version", line="HTTP/1 200 OK"),
    "lower case": refused(b"http/1.1 200 OK", LENGTH, says="upper case", line="http/1.1 200 OK"),
    "no status": refused(b"HTTP/1.1", LENGTH, says="has no status code", line="HTTP/1.1"),
    "a word for a status": refused(
        b"HTTP/1.1 OK", LENGTH, says="from 100 to 999", line="HTTP/1.1 OK", page=(200, "", "body")
    ),
    "status 99": refused(
        b"HTTP/1.1 99 OK", LENGTH, says="from 100 to 999", line="HTTP/1.1 99 OK", page=(99, "OK", "body")
    ),
    "status 099": refused(
        b"HTTP/1.1 099 OK", LENGTH, says="from 100 to 999", line="HTTP/1.1 099 OK", page=(99, "OK", "body")
    ),
    "status 1000": refused(
        b"HTTP/1.1 1000 OK", LENGTH, says="from 100 to 999", line="HTTP/1.1 1000 OK", page=(1000, "OK", "body")
    ),
    "two spaces": refused(b"HTTP/1.1  200 OK", LENGTH, says="exactly one space", line="HTTP/1.1  200 OK"),
    "a tab for a space": refused(
        b"HTTP/1.1\t200 OK", LENGTH, says="exactly one space", line=r"HTTP/1.1\x09200 OK", page=(200, "", "body")
    ),
    "no space behind the status": refused(b"HTTP/1.1 200OK", LENGTH, says="no space after", line="HTTP/1.1 200OK"),
    "an empty line first": Form(b"\r\n" + head(OK, LENGTH), GOOD, None, "an empty line before", ""),
    "a space first": refused(b" HTTP/1.1 200 OK", LENGTH, says="whitespace before", line=" HTTP/1.1 200 OK"),
    "a NUL in the reason": refused(b"HTTP/1.1 200 O\0K", LENGTH, says="NUL", line=r"HTTP/1.1 200 O\x00K", page=None),
    "a CR in the reason": refused(
        b"HTTP/1.1 200 O\rK", LENGTH, says="bare CR or LF", line=r"HTTP/1.1 200 O\x0dK", page=(200, "O", "body")
    ),
    # field lines
    "a NUL in a value": refused(OK, LENGTH, b"X-A: a\0b", says="NUL", line=r"X-A: a\x00b", page=None),
    "a CR in a value": refused(OK, LENGTH, b"X-A: a\rb", says="bare CR or LF", line=r"X-A: a\x0db"),
    "an LF in a value": refused(OK, LENGTH, b"X-A: a\nb", says="bare CR or LF", line=r"X-A: a\x0ab"),
    "lines that end in LF": Form(
        b"HTTP/1.1 200 OK\nContent-Length: 4\n\nbody",
        GOOD,
        None,
        "bare CR or LF",
        r"HTTP/1.1 200 OK\x0aContent-Length: 4",
    ),
    "a folded line": refused(OK, LENGTH, b"X-A: a", b" b", says="folding", line=" b"),
    "a line without a colon": refused(OK, LENGTH, b"X-A", says="no colon"),
    "a length without a colon": refused(OK, b"Content-Length 4", says="no colon"),
    "no name": refused(OK, LENGTH, b": b", says="not a token"),
    "a space in a name": refused(OK, LENGTH, b"X A: b", says="not a token"),
    "a control in a name": refused(OK, LENGTH, b"X\x01A: b", says="not a token", line=r"X\x01A: b"),
    "a name beyond ASCII": refused(OK, LENGTH, b"X-\xe9: b", says="not a token", line=r"X-\xe9: b"),
    "a space before the colon of a length": refused(OK, b"Content-Length : 4", says="between a header name"),
    "a tab before the colon of a coding": refused(
        OK,
        b"Transfer-Encoding\t: chunked",
        says="between a header name",
        line=r"Transfer-Encoding\x09: chunked",
        body=CHUNKS,
    ),
    "a control in an option": refused(
        OK, LENGTH, b"Connection: clo\x01se", says="control", line=r"Connection: clo\x01se"
    ),
    "a control in a place": refused(OK, LENGTH, b"Location: /a\x1b[2Jb", says="control", line=r"Location: /a\x1b[2Jb"),
    "a control in an allowed origin": refused(
        OK, LENGTH, b"Access-Control-Allow-Origin: *\x01", says="control", line=r"Allow-Origin: *\x01"
    ),
    "a control in a length": refused(OK, b"Content-Length: 4\x01", says="control", line=r"Content-Length: 4\x01"),
    "a control in a coding": refused(
        OK, b"Transfer-Encoding: chunked\x01", says="control", line=r"Transfer-Encoding: chunked\x01"
    ),
    # lengths and codings
    "differing lengths in a list": refused(OK, b"Content-Length: 4, 5", says="list of lengths", page=None),
    "differing lengths on two lines": refused(
        OK,
        LENGTH,
        b"Content-Length: 5",
        says="more than one Content-Length",
        line="Content-Length: 4` and `Content-Length: 5",
        page=None,
    ),
    "differing lengths of a HEAD": refused(
        OK, LENGTH, b"Content-Length: 5", says="more than one Content-Length", page=None, body=b"", method="HEAD"
    ),
    "lengths that differ in a zero": refused(OK, b"Content-Length: 04, 4", says="list of lengths", page=None),
    "a list that ends in a comma": refused(OK, b"Content-Length: 4,", says="list of lengths", page=None),
    "a signed length": refused(OK, b"Content-Length: +4", says="not a number"),
    "a negative length": refused(OK, b"Content-Length: -1", says="not a number"),
    "an empty length": refused(OK, b"Content-Length:", says="not a number"),
    "a length of words": refused(OK, b"Content-Length: 4s", says="not a number"),
    "a length behind a tab": refused(OK, b"Content-Length:\t4", says="a tab", line=r"Content-Length:\x094"),
    "a length beyond all bounds": refused(OK, b"Content-Length: " + b"9" * 19, says="too long"),
    "length and coding": refused(
        OK,
        LENGTH,
        CHUNKED,
        says="there are both",
        line="Content-Length: 4` and `Transfer-Encoding: chunked",
        body=CHUNKS,
    ),
    "an unknown coding": refused(OK, b"Transfer-Encoding: gzip, chunked", says="`chunked` is known", body=CHUNKS),
    "identity": refused(OK, b"Transfer-Encoding: identity", says="not `chunked`"),
    "chunked twice": refused(OK, b"Transfer-Encoding: chunked, chunked", says="not `chunked`", body=CHUNKS),
    "chunked on two lines": refused(
        OK,
        CHUNKED,
        CHUNKED,
        says="more than one Transfer-Encoding",
        line="Transfer-Encoding: chunked` and `T",
        body=CHUNKS,
    ),
    "chunked not last": refused(OK, b"Transfer-Encoding: chunked, gzip", says="not `chunked`", body=CHUNKS),
    "chunks in HTTP/1.0": refused(
        b"HTTP/1.0 200 OK", CHUNKED, says="HTTP/1.0", body=CHUNKS, page=(200, "OK", CHUNKS.decode())
    ),
    "an interim answer with a length": refused(
        b"HTTP/1.1 103 E", LENGTH, says="a 103 announces a body", body=head(OK, LENGTH)
    ),
    # size
    "a head beyond 256 KiB": refused(
        OK, b"X-A: " + b"a" * 262_144, LENGTH, says="`max_head_bytes`", line="", page=None
    ),
    "1,001 fields": refused(OK, *(b"X-%d: a" % number for number in range(1000)), LENGTH, says="`max_fields`", line=""),
}
