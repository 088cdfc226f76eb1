"""The modules of a page as Vite serves it unbundled: paths, sizes, and the requests of a browser that loads it again.

Pure, and the same every time. The upstream has them as files (:mod:`bench.upstreams`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bench.traffic import AGENT, AUTHORITY

MODULES: Final = 2000
DOCUMENT: Final = "/src/app/index.html"
CONNECTIONS: Final = 6
"""What browsers open to one origin over HTTP/1.1."""

SMALLEST: Final = 1 << 10
LARGEST: Final = 30 << 10

_FOLDERS: Final = ("components", "views", "stores", "composables", "layouts", "api", "utils", "icons")
_NAMES: Final = ("User", "Order", "Invoice", "Chart", "Table", "Dialog", "Menu", "Search", "Editor", "Upload", "Toast")
_ENDINGS: Final = (".vue", ".ts", ".vue?vue&type=style&index=0&lang.css", ".tsx", ".js")
_DEPENDENCY_EVERY: Final = 5
"""One module in so many is a dependency that Vite has bundled beforehand, asked for with the hash of all of them."""


@dataclass(frozen=True, slots=True)
class Module:
    """``target``: as requested, path and query; ``size``: bytes of its body; ``request``: the whole head."""

    target: str
    size: int
    request: bytes

    @property
    def path(self) -> str:
        """Where the file is, without the query."""
        return self.target.partition("?")[0]


def modules(count: int = MODULES) -> list[Module]:
    """Return `count` modules in the order in which a browser asks for them: each was imported by one before it."""
    made: list[Module] = []
    for number in range(count):
        target = _target(number)
        referer = made[number // 9].target if made else "/"
        made.append(Module(target, _size(number, count), _request(number, target, referer)))
    return made


def body(page: Sequence[Module], number: int) -> bytes:
    """Return what the file of module `number` of `page` holds: its number first, so that no other can be taken for it.

    It imports the modules whose Referer it is; the rest is a comment, which may end anywhere.
    """
    imports = "".join(f'import "{module.target}";\n' for module in page[max(1, number * 9) : number * 9 + 9])
    size = page[number].size
    return (mark(number) + imports.encode() + b"//" + b" text of a module, such as it is" * (size // 30))[:size]


def document() -> str:
    """Return the page that imports all modules; ``loaded``: when they have run, in ms since it was asked for."""
    return f'<script type="module">import "{_target(0)}"; window.loaded = performance.now()</script>'


def mark(number: int) -> bytes:
    """Return how the body of module `number` begins."""
    return b"/* module %d */\n" % number


def _target(number: int) -> str:
    if number % _DEPENDENCY_EVERY == 0:
        return f"/node_modules/.vite/deps/{_NAMES[number % 11].lower()}-chunk{number}.js?v=5f2e81c7"
    folder, name, ending = _FOLDERS[number % 8], _NAMES[number % 11], _ENDINGS[number % 5 if number % 7 else 1]
    changed = ("&" if "?" in ending else "?") + f"t={1_700_000_000_000 + number * 37}" if number % 3 == 0 else ""
    return f"/src/app/{folder}/{name}{number}{ending}{changed}"


def _size(number: int, count: int) -> int:
    share = (number * 7919 % count) / count
    return SMALLEST + int(share * share * (LARGEST - SMALLEST))  # most are small


def _request(number: int, target: str, referer: str) -> bytes:
    is_dependency = number % _DEPENDENCY_EVERY == 0
    lines = [
        f"GET {target} HTTP/1.1",
        f"Host: {AUTHORITY}",
        "Connection: keep-alive",
        'sec-ch-ua-platform: "Linux"',
        f"User-Agent: {AGENT}",
        'sec-ch-ua: "Chromium";v="156", "Not?A_Brand";v="24"',
        "sec-ch-ua-mobile: ?0",
        "Accept: */*",
        "Sec-Fetch-Site: same-origin",
        "Sec-Fetch-Mode: cors",
        "Sec-Fetch-Dest: script",
        f"Referer: http://{AUTHORITY}{referer}",
        "Accept-Encoding: gzip, deflate, br, zstd",
        "Accept-Language: en-US,en;q=0.9",
        "Cookie: session=7919; theme=dark",
        # The module has changed since: the answer is a 200. Dependencies are not asked about, their hash is their name.
        *([] if is_dependency else [f'If-None-Match: W/"{number * 104_729:x}"']),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
