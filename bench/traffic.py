"""The bytes of the benchmark: requests as a browser sends them for the modules of a page, and their answers.

``vary.lua`` sends the same over wrk. Pure: no clock and no chance, so that the same count gives the same bytes.
"""

from __future__ import annotations

from email.utils import formatdate
from typing import Final

SMALL_BODY: Final = b"export const answer = 42; export default function f() { return answer }\n"
AUTHORITY: Final = "localhost:8080"
OTHER_ORIGIN: Final = "http://localhost:5173"
"""The page on another local port that a share of the requests comes from: what ``rewrite`` allows by default."""

ORIGIN_EVERY: Final = 4
"""One request in so many is such a page's."""

AGENT: Final = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"
FIRST_LOAD_PATH: Final = b"/api/src/file"
LENGTHS: Final = 8000
SHORTEST: Final = 100
FIRST_CHANGE: Final = 1_500_000_000
"""Seconds since the epoch: when the file with the number 0 was changed last."""
_FILE: Final = b"export const value = 'text of a file';\n" * 210
COMMON: Final = "Date: Sat, 21 Nov 2026 09:00:00 GMT\r\n"


def module_request(number: int, *, origin: str = "", salt: int = 0) -> bytes:
    """Return the GET for module `number`: query, Referer, Cookie and If-None-Match differ from one to the next.

    `origin`: of the page where that is not devproxy's own. `salt`: another gives lines that no other has.
    """
    page = origin or f"http://{AUTHORITY}"
    lines = [
        f"GET /src/module{number}.js?t={1_700_000_000_000 + salt * 1_000_003 + number * 37} HTTP/1.1",
        f"Host: {AUTHORITY}",
        "Connection: keep-alive",
        'sec-ch-ua-platform: "Linux"',
        f"User-Agent: {AGENT}",
        "Accept: */*",
        *([f"Origin: {origin}"] if origin else []),
        f"Sec-Fetch-Site: {'same-site' if origin else 'same-origin'}",
        "Sec-Fetch-Mode: cors",
        "Sec-Fetch-Dest: script",
        f"Referer: {page}/src/page{number % 397 + salt * 397}.js",
        "Accept-Encoding: gzip, deflate, br, zstd",
        "Accept-Language: en-US,en;q=0.9",
        f"Cookie: session={number % 97 * 7919 + salt * 1_000_003}; theme=dark",
        f'If-None-Match: W/"{number * 104_729 + salt * 1_000_003}"',
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def module_answer() -> bytes:
    """Return what the upstream for small files answers."""
    head = (
        f"HTTP/1.1 200 OK\r\nServer: nginx\r\n{COMMON}Content-Type: text/javascript\r\n"
        f"Content-Length: {len(SMALL_BODY)}\r\nConnection: keep-alive\r\nCache-Control: no-cache\r\n"
        'ETag: "abc"\r\nAccess-Control-Allow-Origin: *\r\n\r\n'
    )
    return head.encode() + SMALL_BODY


def new_answer(number: int) -> bytes:
    """Return an answer of which ETag and, among :data:`LENGTHS` numbers in a row, length are those of no other."""
    body = b"x" * (1000 + number % LENGTHS)
    head = (
        f"HTTP/1.1 200 OK\r\nServer: nginx\r\n{COMMON}Content-Type: text/javascript\r\n"
        f"Content-Length: {len(body)}\r\nConnection: keep-alive\r\nCache-Control: no-cache\r\n"
        f'ETag: "{number:x}"\r\n'
        "Access-Control-Allow-Origin: *\r\n\r\n"
    )
    return head.encode() + body


def first_load_request(number: int) -> bytes:
    """Return the GET for file `number` of which no other number shares target, Referer, cookie or tag."""
    lines = [
        f"GET {FIRST_LOAD_PATH.decode()}{number}.js?v={number * 37:x} HTTP/1.1",
        f"Host: {AUTHORITY}",
        "Connection: keep-alive",
        'sec-ch-ua-platform: "Linux"',
        f"User-Agent: {AGENT}",
        "Accept: */*",
        "Sec-Fetch-Site: same-origin",
        "Sec-Fetch-Mode: cors",
        "Sec-Fetch-Dest: script",
        f"Referer: http://{AUTHORITY}/src/page{number}.js",
        "Accept-Encoding: gzip, deflate, br, zstd",
        "Accept-Language: en-US,en;q=0.9",
        f"Cookie: session={number * 7919:x}; theme=dark",
        f'If-None-Match: W/"{number * 104_729:x}"',
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def first_load_size(number: int) -> int:
    """Return how many bytes the body of file `number` has: :data:`LENGTHS` lengths in turn."""
    return SHORTEST + number % LENGTHS


def first_load_answer(number: int) -> bytes:
    """Return the answer to :func:`first_load_request`: tag and time are those of no other number, so is its length
    among :data:`LENGTHS` numbers in a row."""
    size = first_load_size(number)
    changed = formatdate(FIRST_CHANGE + number, usegmt=True)
    head = (
        f"HTTP/1.1 200 OK\r\nServer: nginx\r\n{COMMON}Content-Type: text/javascript\r\nContent-Length: {size}\r\n"
        f'Last-Modified: {changed}\r\nConnection: keep-alive\r\nETag: "{number:x}"\r\nCache-Control: no-cache\r\n'
        "Access-Control-Allow-Origin: *\r\n\r\n"
    )
    return head.encode() + _FILE[:size]


def poll_request(session: str, *, body: bytes = b"", stamp: str = "0", origin: str = "") -> bytes:
    """Return an Engine.IO poll of `session`: a POST of `body`, or without one the GET that waits for packets."""
    method = "POST" if body else "GET"
    extra = f"Content-Type: text/plain;charset=UTF-8\r\nContent-Length: {len(body)}\r\n" if body else ""
    from_page = f"Origin: {origin}\r\n" if origin else ""
    head = (
        f"{method} /socket.io/?EIO=4&transport=polling&t={stamp}&sid={session} HTTP/1.1\r\nHost: {AUTHORITY}\r\n"
        f"Connection: keep-alive\r\n{extra}User-Agent: {AGENT}\r\nAccept: */*\r\n{from_page}"
        f"Accept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-US,en;q=0.9\r\n\r\n"
    )
    return head.encode() + body


def answer(body: bytes) -> bytes:
    """Return a 200 of plain text with `body`, as a Socket.IO server writes it."""
    head = (
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=UTF-8\r\nCache-Control: no-store\r\n"
        f"Content-Length: {len(body)}\r\nAccess-Control-Allow-Origin: *\r\n{COMMON}Connection: keep-alive\r\n"
        "Keep-Alive: timeout=5\r\n\r\n"
    )
    return head.encode() + body
