"""Messages for the differential and the fuzz tests, and which refusals of other parsers are known and harmless.

Seeded: the same kind and number give the same octets. Start at :class:`Generator`.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

from devproxy.http1.reader import MessageKind
from tests.support.http1_oracles import End, Reading

NEXT_REQUEST = b"GET /next HTTP/1.1\r\nHost: next.test\r\nX-Next: 1\r\n\r\n"
NEXT_RESPONSE = b"HTTP/1.1 299 Next\r\nContent-Length: 4\r\n\r\nnext"

METHODS = (b"GET", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"HEAD", b"PATCH")
TARGETS = (
    b"/",
    b"/socket.io/?EIO=4&transport=polling&sid=abc",
    b"/a%2Fb/../c;d",
    b"//x/y",
    b"http://a.test/p?q",
    b"/?",
)
FIELDS = (
    b"Accept: */*",
    b"Connection: keep-alive",
    b"Connection: close",
    b"Connection: Upgrade, keep-alive",
    b"Connection: x-hop",
    b"Upgrade: websocket",
    b"Upgrade: h2c",
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    b"Cookie: a=b; c=\xc3\xa9",
    b"X-Empty:",
    b"TE: trailers",
    b"Trailer: X-Sum",
    b"Expect: 100-continue",
    b"Content-Type: text/plain;charset=UTF-8",
    b"Content_Length: 3",
    b"X-Content-Length: 7",
    b"Keep-Alive: timeout=5",
    b"Proxy-Connection: keep-alive",
    b"Content-Encoding: gzip",
)
ODD_FIELDS = (b"X-Odd: a\x01b", b"Cookie: \x1b[2J", b"Via: \x7f", b"Access-Control-Request-Method: \x01")
"""Fields with control characters: taken where we do not go by them, refused elsewhere."""
ODD_ANSWER_FIELDS = (b"X-Spaced : 1", b"Connection\t: close", b"Set-Cookie: a=\x02", b"Location: /\x01", b"Host : x")
LENGTHS = (
    b"0", b"5", b"05", b"5 ", b" 5", b"\t5", b"5\t", b"+5", b"-5", b"5,5", b"5, 5", b"5, 6", b"0x5", b"5_0",
    b"5.0", b"", b"5;", b"5 5", b"00000000000000000000005", b"18446744073709551621", b"4294967301", b"\xb25",
    b"5\x0b", b"5\x00", b"V",
)  # fmt: skip
CODINGS = (
    b"chunked", b"Chunked", b" chunked", b"\tchunked", b"chunked ", b"chunked\t", b"xchunked", b"chunkedx",
    b"identity", b"chunked, identity", b"identity, chunked", b"chunked, chunked", b"chunked,", b",chunked",
    b"gzip, chunked", b"gzip", b"chunked, gzip", b"chunked;a=b", b'"chunked"', b"chu\x00nked", b"chunked\x0b",
    b"", b"\xc4\x8bhunked", b"chun\tked",
)  # fmt: skip
SIZE_LINES = (
    b"5", b"05", b"0005", b"5;a", b"5;a=b", b'5;a="b c"', b"5;a;b=c", b"5 ", b" 5", b"5\t", b"5 ;a", b"5; a",
    b"5;", b"5;=", b"5;a=", b"5;\xc3\xa9", b"5;a\x00", b"5;a\nb", b"5;a\rb", b"+5", b"-5", b"0x5", b"5g", b"",
    b"g", b"5\x0b", b"0000000000000005", b"00000000000000005", b"10000000000000005", b"100000000000000005",
    b"5;\"", b"5,5", b"5.", b"6", b"4",
)  # fmt: skip
TRAILERS = (
    b"X-Sum: 1",
    b"X-Sum : 1",
    b" X: y",
    b"Content-Length: 5",
    b"Transfer-Encoding: chunked",
    b"Host: x",
    b"X",
    b"X: \x00",
)
LINE_ENDS = (b"\n", b"\r", b"\r\r\n", b"\n\r", b"\r\n\r\n", b"\r\n ", b"\r\n\t", b"\x0b", b"\x85", b"")
OCTETS = bytes(range(0x20)) + b' :;,="\\#%@/?\x7f\x80\x85\xa0\xad\xff'


class Generator:
    """Builds messages: lines that are right, most of the time, then a few mutations."""

    def __init__(self, kind: MessageKind, seed: int) -> None:
        self._random = random.Random(f"{kind.value} {seed}")
        self._kind = kind

    def stream(self) -> bytes:
        """Return one generated message with another one, that is well-formed, behind it."""
        head, body = self._head(), b""
        roll = self._random.random()
        if roll < 0.4:
            head.append(b"Content-Length: " + (b"5" if self._is_rare(0.6) else self._random.choice(LENGTHS)))
            body = self._random.choice((b"hello", b"hello", b"0\r\n\r\n", b"hi", b"GET /smuggled HTTP/1.1\r\n\r\n"))
        elif roll < 0.8:
            head.append(b"Transfer-Encoding: " + (b"chunked" if self._is_rare(0.75) else self._random.choice(CODINGS)))
            body = self._chunked()
        self._random.shuffle(tail := head[1:])
        message = b"\r\n".join((head[0], *tail)) + b"\r\n\r\n" + body
        for _ in range(self._random.choice((0, 0, 1, 1, 2, 3))):
            message = self._mutate(message, len(message) - len(body))
        return message + (NEXT_REQUEST if self._kind is MessageKind.REQUEST else NEXT_RESPONSE)

    def _is_rare(self, share: float) -> bool:
        return self._random.random() < share

    def _head(self) -> list[bytes]:
        pick = self._random.choice
        version = (
            b"HTTP/1.1"
            if self._is_rare(0.9)
            else pick((b"HTTP/1.0", b"HTTP/1.2", b"HTTP/2.0", b"http/1.1", b"HTTP/0.9"))
        )
        odd = ODD_FIELDS if self._kind is MessageKind.REQUEST else ODD_FIELDS + ODD_ANSWER_FIELDS
        fields = self._random.sample(FIELDS + odd if self._is_rare(0.2) else FIELDS, pick((0, 0, 1, 2, 3)))
        if self._kind is MessageKind.REQUEST:
            host = [b"Host: a.test"] if self._is_rare(0.97) else []
            return [b" ".join((pick(METHODS), pick(TARGETS), version)), *host, *fields]
        status = pick(
            (
                b"200 OK",
                b"200 OK",
                b"201 ",
                b"404 Not Found",
                b"204 No Content",
                b"304 Not Modified",
                b"103 x",
                b"500",
                b"426 U",
            )
        )
        return [version + b" " + status, *fields]

    def _chunked(self) -> bytes:
        body = b""
        for _ in range(self._random.choice((0, 1, 1, 2))):
            line = b"5" if self._is_rare(0.6) else self._random.choice(SIZE_LINES)
            body += line + b"\r\nhello\r\n"
        body += (
            b"0"
            if self._is_rare(0.9)
            else self._random.choice((b"00", b"000", b"0;a", b"0 ", b"-0", b"0x0", b'0;a="b"'))
        )
        return body + b"\r\n" + (b"" if self._is_rare(0.8) else self._random.choice(TRAILERS) + b"\r\n") + b"\r\n"

    def _mutate(self, message: bytes, head_size: int) -> bytes:
        pick, below = self._random.choice, self._random.randrange
        size = len(message) if self._is_rare(0.4) else max(1, min(head_size, len(message)))
        at = below(size)
        match below(8):
            case 0:
                return message[:at] + bytes((pick(OCTETS),)) + message[at:]
            case 1:
                return message[:at] + bytes((pick(OCTETS),)) + message[at + 1 :]
            case 2:
                return message[:at] + message[at + 1 :]
            case 3:
                return self._replace_line_end(message)
            case 4:
                return self._add_line(message, pick(message[:head_size].split(b"\r\n")))
            case 5:
                return self._add_line(message, b"Content-Length: " + pick(LENGTHS))
            case 6:
                return self._add_line(message, b"Transfer-Encoding: " + pick(CODINGS))
            case _:
                return message.replace(b":", pick((b" :", b"\t:", b"::", b":\t", b":  ", b"")), pick((1, 2, -1)))

    def _replace_line_end(self, message: bytes) -> bytes:
        places = [match.start() for match in re.finditer(b"\r\n", message)]
        if not places:
            return message
        at = self._random.choice(places)
        return message[:at] + self._random.choice(LINE_ENDS) + message[at + 2 :]

    @staticmethod
    def _add_line(message: bytes, line: bytes) -> bytes:
        start, end, rest = message.partition(b"\r\n")
        return start + end + line + b"\r\n" + rest


# --- how readings are compared ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class KnownDifference:
    """Why `parsers` may differ from us: `fault` (a pattern) is how they say it, `where` what the octets look like."""

    parsers: tuple[str, ...]
    fault: str
    where: bytes
    reason: str


LLHTTP = ("httptools", "aiohttp")
AIOHTTP = ("aiohttp", "aiohttp in Python")

KNOWN_DIFFERENCES = (
    # Any token is a method (RFC 9110 section 9.1) and goes upstream as it came; llhttp has a list.
    KnownDifference(LLHTTP, "Invalid method|Expected space after method", b"", "a method unknown to llhttp"),
    # Some clients send raw UTF-8 in a target, and some servers take it; where a head ends does not depend on it.
    KnownDifference(
        ("h11", *LLHTTP),
        "illegal request line|Invalid char in url",
        rb"[\x80-\xff][^\r\n]* HTTP/1\.[01]\r\n",
        "raw octets in the target",
    ),
    # RFC 9112 section 2.2 asks servers to skip an empty line before a request line; h11 does not.
    KnownDifference(("h11",), "no request line received", rb"\r\n\r\n\r\n", "an empty line before a request line"),
    # aiohttp refuses these repeated fields; which of them counts is for the application behind us to say.
    KnownDifference(
        AIOHTTP, "Duplicate '(?!Content-Length|Transfer-Encoding|Host)", b"", "a repeated field that frames nothing"
    ),
    # An interim response that says `close` is still followed by the final one (RFC 9110 section 15.2).
    KnownDifference(LLHTTP, "Data after `Connection: close`", rb"^HTTP/1.[01] 1", "close in an interim response"),
    # Pages send control characters (Fetch forbids only CR, LF and NUL) and browsers take them; they frame nothing.
    KnownDifference(
        ("h11", *LLHTTP, "aiohttp in Python"),
        "(?i)invalid header value|illegal header line|illegal status line|invalid http header|bad status line|"
        "invalid character(?! in (content-length|transfer-encoding|chunk))",
        rb"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]",
        "a control in a value or a reason",
    ),
    # Of answers alone. What goes on to the client has none of it: see the fuzz tests.
    KnownDifference(
        ("h11", *AIOHTTP, "httptools"),
        "(?i)illegal header line|invalid header (name|token|field)|invalid http header",
        rb"(?s)^HTTP/1.*\r\n[^\r\n:]+[ \t]:",
        "whitespace before a colon, removed (RFC 9112 section 5.1)",
    ),
    KnownDifference(
        ("h11", *AIOHTTP, "httptools"),
        "Duplicate Content-Length|Invalid character in Content-Length|Content-Length",
        rb"(?is)^HTTP/1.*\r\nContent-Length:[^\r\n]*(,|\r\n.*Content-Length:)",
        "equal lengths, of which one is left (RFC 9110 section 8.6)",
    ),
    KnownDifference(
        ("h11", *AIOHTTP, "httptools"),
        "(?i)invalid http version|bad status line|illegal status line",
        rb"^HTTP/1\.[2-9] |^HTTP/1(?s:.*)\r\n\r\nHTTP/1\.[2-9] ",
        "a later minor version, read as HTTP/1.1 (RFC 9110 section 2.5)",
    ),
    KnownDifference(
        ("h11", *AIOHTTP, "httptools"),
        "(?i)chunk",
        rb"(?s)^HTTP/1.*\r\n[0-9A-Fa-f]+ *(;[^\r\n]*)?\r\n",
        "spaces behind the size of a chunk, and extensions that are none: neither goes on",
    ),
    KnownDifference(
        ("h11", *AIOHTTP, "httptools"),
        "",
        rb"^HTTP/1(?s:.*)\.[0-9] (101|204|304)[^\r\n]*\r\n(?is:.*)(Content-Length|Transfer-Encoding):",
        "a body that is announced where none can be: nothing more is read from that connection",
    ),
    # httptools gives the body of a request that asks for an upgrade to its caller as octets of the other protocol. We
    # forward such a request without its Upgrade, so that no server behind us can read it so.
    KnownDifference(("httptools",), "^$", rb"(?i)\r\nUpgrade:.*\r\n", "an upgrade with a body"),
)


def find_difference(ours: Reading, theirs: Reading) -> str:
    """Return in which way `theirs` disagrees with what `ours` accepted, or an empty string."""
    for mine, other in zip(ours.messages, [*theirs.messages, *[None] * len(ours.messages)], strict=False):
        if not mine.is_complete:
            is_settled = other is not None and other.is_complete
            return "they found an end where we wait" if is_settled and ours.end is End.WAITING else ""
        if other is None:
            return {End.REFUSED: "they refused the head", End.WAITING: "they wait for a head", End.CLOSED: ""}[
                theirs.end
            ]
        # aiohttp's parser in Python raises methods to upper case.
        if mine.start.lower() != other.start.lower():
            return "another message"
        if mine.body != other.body:
            return "another body"
        if not other.is_complete and not mine.is_until_close:
            return "they refused the body" if theirs.end is End.REFUSED else "they wait for more of the body"
    has_more = len(theirs.messages) > len(ours.messages) and theirs.messages[len(ours.messages)].is_complete
    return "they found another message" if has_more and ours.end is End.WAITING else ""


def is_known(name: str, stream: bytes, theirs: Reading) -> bool:
    """Tell whether :data:`KNOWN_DIFFERENCES` accounts for it."""
    return any(
        name in known.parsers and re.search(known.fault, theirs.fault) and re.search(known.where, stream)
        for known in KNOWN_DIFFERENCES
    )
