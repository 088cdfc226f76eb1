"""Addresses in sources by which a browser goes past devproxy, and what to write instead. By text. Pure.

Found are addresses of this machine where a call or a name says that the browser uses them: ``io("http://…")``,
``new WebSocket("ws://…")``, ``fetch("http://localhost:3001/…")``, ``baseURL: "…"``, ``const API_URL = "…"``, and
variables of ``.env`` files that pages are built with. Start at :func:`bypasses_in`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from devproxy.authority.networks import is_loopback
from devproxy.init.evidence import Bypass, Place
from devproxy.text.safe import visible

MAX_SHOWN: Final = 100
FRONT: Final = "{front}"
"""Stands for devproxy's host and port, which are chosen later."""
_HOST: Final = (
    r"localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1\]|[\w-]{1,60}+\.localhost"
    r"|\$\{(?:window\.|document\.|globalThis\.|self\.)?location\.hostname\}"
)
_find_address: Final = re.compile(
    r"[\"'`](?:(?P<scheme>https?|wss?)://|//)?(?P<host>" + _HOST + r")"
    r"(?::(?P<port>\d{1,5}+|\$\{[\w.]{1,60}+\}))?(?P<path>/[^\"'`\s<>]{0,300}+)?(?=[\"'`\s<>?#])"
).finditer
_find_joined: Final = re.compile(
    r"[\"'`](?P<scheme>https?|wss?)://[\"'`]\s?\+\s?(?:window\.|document\.|globalThis\.|self\.)?location\.hostname"
    r"\s?\+\s?[\"'`]:(?P<port>\d{1,5}+)(?P<path>/[^\"'`\s<>]{0,300}+)?(?=[\"'`])"
).finditer
_HINTS: Final = ("localhost", "127.0.0.1", "0.0.0.0", "[::1]", "location.hostname")
_ends_with_io: Final = re.compile(
    r"\b(?:io|io\.connect|lookup|socketIOClient|openSocket|new Manager)\(\s{0,40}+$"
).search
_ends_with_socket: Final = re.compile(r"\bnew (?:Reconnecting)?WebSocket\(\s{0,40}+$").search
_ends_with_source: Final = re.compile(r"\bnew EventSource\(\s{0,40}+$").search
_ends_with_fetch: Final = re.compile(r"\b\$?fetch\(\s{0,40}+$").search
_ends_with_call: Final = re.compile(
    r"\b(?:axios|ky|http|\$http|api|client)(?:\.\w{2,10}+)?\(\s{0,40}+$",
).search
_ends_with_base: Final = re.compile(r"\b(?:baseURL|baseUrl|prefixUrl|uri)[\"']?:\s{0,20}+$").search
_ends_with_name: Final = re.compile(
    r"\b\w{0,40}(?:url|host|endpoint|origin|api|server|backend|base|socket|ws|uri)\w{0,20}+(?::\s{0,3}+string)?"
    r"\s{0,3}+(?:=|:|\|\||\?\?)\s{0,20}+$",
    re.IGNORECASE,
).search
_ends_with_or: Final = re.compile(r"(?:\|\||\?\?)\s{0,20}+$").search
_ends_with_attribute: Final = re.compile(r"\s(?:src|action)=$").search
_CALLS: Final = (
    (_ends_with_io, "io"),
    (_ends_with_socket, "WebSocket"),
    (_ends_with_source, "EventSource"),
    (_ends_with_fetch, "fetch"),
    (_ends_with_call, "call"),
    (_ends_with_base, "base"),
    (_ends_with_name, "name"),
    (_ends_with_or, "name"),
    (_ends_with_attribute, "name"),
)
"""What is right before an address that a browser uses, nearest first."""
_CALLED: Final = ("io", "WebSocket", "EventSource", "fetch", "call")
LOCATION: Final = "location"
"""Stands for the page's own host."""
_has_other_word: Final = re.compile(
    r"\b(?:cors|origin|origins|allowed\w{0,20}+|target|console|log|logger|listen|print)\b"
).search
"""Words on the same line, before the address, by which it is none that is called."""
_BEFORE: Final = 160
_match_variable: Final = re.compile(
    r"(?:export )?([A-Za-z_]\w{0,100}+)=[\"']?((?:https?|wss?)://[^\s\"'#]{1,300}+)"
).match
_split_url: Final = re.compile(
    r"(https?|wss?)://(\[[0-9A-Fa-f:.]{2,45}+\]|[^/:?#]{1,255}+)(?::(\d{1,5}+))?([/?#].*)?"
).fullmatch
_PUBLIC: Final = (
    "VITE_",
    "NEXT_PUBLIC_",
    "NUXT_PUBLIC_",
    "REACT_APP_",
    "PUBLIC_",
    "VUE_APP_",
    "NG_APP_",
    "GATSBY_",
    "EXPO_PUBLIC_",
)
"""How variables are called that end up in pages."""
_is_asked: Final = re.compile(r"API|BACKEND|SERVER|SOCKET|WS|BASE|HOST|ENDPOINT|GATEWAY|ORIGIN").search
_NOT_ASKED: Final = ("SITE", "APP_URL", "NEXTAUTH", "AUTH_URL", "CDN", "ASSET")
_RENDERED: Final = ("NEXT_PUBLIC_", "NUXT_PUBLIC_", "PUBLIC_")
"""Variables that a server uses as well, which renders pages: a path alone is no address there."""


class _Address(NamedTuple):
    """An address in a text. ``at``: where its quotation mark is; ``end``: behind the closing one."""

    host: str
    port: int
    path: str
    at: int
    end: int


def bypasses_in(path: str, text: str) -> Iterator[Bypass]:
    """Yield the addresses in the source at `path` that go past devproxy; ``instead`` may hold :data:`FRONT`."""
    if path.rpartition("/")[2].startswith(".env"):
        yield from _in_environment(path, text)
        return
    line, counted = 1, 0
    for address in _addresses(text):
        before = text[max(0, address.at - _BEFORE) : address.at]
        context, start = next(
            ((name, match.group().strip()) for search, name in _CALLS if (match := search(before))), ("", "")
        )
        same_line = before.rpartition("\n")[2]
        is_comment = same_line.lstrip().startswith(("//", "*", "#", "<!--"))
        is_none = context in ("name", "call") and _has_other_word(same_line)
        if is_comment or is_none or not (context or address.host == LOCATION):
            continue
        line, counted = line + text.count("\n", counted, address.at), address.at
        written, instead = _rewritten(text, address, context, start)
        yield Bypass(
            place=Place(path, line),
            written=visible(written, MAX_SHOWN),
            instead=visible(instead, MAX_SHOWN),
            host=address.host,
            port=address.port,
            path=address.path,
            is_socketio=context == "io",
        )


def _addresses(text: str) -> Iterator[_Address]:
    if not any(hint in text for hint in _HINTS):
        return
    found = [*_find_address(text), *_find_joined(text)]
    for match in sorted(found, key=lambda match: match.start()):
        parts = match.groupdict()
        port = parts["port"] or ""
        host = parts.get("host") or LOCATION
        if not parts["scheme"] and not port:
            continue  # the name of a host alone
        is_closed = text[match.end() : match.end() + 1] == text[match.start()]
        yield _Address(
            host=LOCATION if host.startswith("$") else host.strip("[]"),
            port=_number(port),
            path=parts["path"] or "",
            at=match.start(),
            end=match.end() + is_closed,
        )


def _rewritten(text: str, address: _Address, context: str, start: str) -> tuple[str, str]:
    """Return what is written, from the call or the name on, and what to write instead. `start`: what is before it."""
    quote, path = text[address.at], address.path
    literal = " ".join(text[address.at : address.end].split())
    literal += "" if literal.endswith(quote) else "…" + quote
    if context not in _CALLED:
        start = " ".join(start.split())
        start += "" if not start or (start.endswith("=") and start[-2:] != " =") else " "
        return f"{start}{literal}", f"{start}{quote}{path}{quote}"
    call = _call_of(text[max(0, address.at - _BEFORE) : address.at].rstrip())
    follows = text[address.end : address.end + _BEFORE].lstrip()
    has_more = follows.startswith(",") and not follows[1:].lstrip().startswith(")")
    if context == "io":
        namespace = f"{quote}{path}{quote}" if path not in ("", "/") else ""
        inside = ", ".join(part for part in (namespace, "…" if has_more else "") if part)
        return f"{call}{literal}{', …' if has_more else ''})", f"{call}{inside})"
    tail = ", …)" if has_more else ")"
    return f"{call}{literal}{tail}", f"{call}{quote}{path or '/'}{quote}{tail}"


def _number(text: str) -> int:
    """Return the port that `text` is; 0: none."""
    port = int(text) if text.isascii() and text.isdigit() else 0
    return port if port < 65536 else 0


def _call_of(before: str) -> str:
    """Return the call that `before` ends with, such as ``new WebSocket(``."""
    head = before.removesuffix("(").rstrip()
    place = len(head)
    while place and (head[place - 1].isalnum() or head[place - 1] in "_.$"):
        place -= 1
    is_new = head[:place].endswith("new ")
    return f"{'new ' if is_new else ''}{head[place:]}("


def _in_environment(path: str, text: str) -> Iterator[Bypass]:
    for number, line in enumerate(text.splitlines(), 1):
        match = _match_variable(line.strip())
        if match is None or (parts := _split_url(match[2])) is None:
            continue
        name, scheme, host = match[1], parts[1], parts[2].strip("[]")
        is_public = name.startswith(_PUBLIC)
        is_local = is_loopback(host) or host in ("0.0.0.0", "host.docker.internal")
        is_api = bool(_is_asked(name)) and not any(word in name for word in _NOT_ASKED)
        if not (is_api or (is_public and is_local)) or not (is_public or name.endswith(("_API_URL", "API_URL"))):
            continue
        if not is_local and not name.endswith("API_URL"):
            continue
        rest = (parts[4] or "").rstrip("/")
        needs_address = name.startswith(_RENDERED) or not is_public
        base = f"{'ws' if scheme.startswith('ws') else 'http'}://{FRONT}"
        instead = f"{name}={base}{rest}" if needs_address or scheme.startswith("ws") else f"{name}={rest}"
        yield Bypass(
            place=Place(path, number),
            written=visible(f"{name}={match[2]}", MAX_SHOWN),
            instead=visible(instead, MAX_SHOWN),
            host=host,
            port=_number(parts[3] or ""),
            path=rest,
            is_remote=not is_local,
        )
