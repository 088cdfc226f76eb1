"""A request as people name it: a path, a URL of http or ws as a console prints it, or what an address bar shows.

It is read by the grammar that reads a real request. Start at :func:`read_target` and :func:`read_request`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from devproxy.cli.refusal import Refused
from devproxy.errors import BadMessage
from devproxy.http.messages import RequestHead
from devproxy.http1.head import parse_request_head
from devproxy.http1.start_line import Limits

_SCHEMES: Final = {"http": "http", "https": "https", "ws": "http", "wss": "https"}
# What an address bar shows: a host with a port, `localhost`, or a name with a dot that a path follows.
_is_bare = re.compile(
    r"(?:\[[0-9A-Fa-f:.]+\]|[^\s/?#:@]+):[0-9]+(?:[/?#].*)?|localhost(?:[/?#].*)?|[^\s/?#:@]+\.[^\s/?#:@.]+/.*",
    re.DOTALL,
).fullmatch
_MAX_PORT: Final = 65_535
_NORMALIZED: Final = frozenset(("DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT"))
_EXAMPLE_KEY: Final = "dGhlIHNhbXBsZSBub25jZQ=="
"""Of a handshake: RFC 6455 section 1.3. Any will do, as nothing is sent after it."""
_HANDSHAKE: Final = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    f"Sec-WebSocket-Key: {_EXAMPLE_KEY}",
)


class Target(NamedTuple):
    """What a request is for. ``scheme``: ``http``, ``https`` or, for a path alone, empty, as ``authority`` is.

    ``path``: with its query, without its fragment; ``*`` is one as well. ``is_websocket``: the scheme was that of a
    WebSocket.
    """

    scheme: str
    authority: str
    path: str
    is_websocket: bool = False


def read_target(what: str, text: str, example: str) -> Target:
    """Return what `text` names. Raises :class:`Refused`.

    `what`: the option or command that a refusal names; `example`: what would be right.
    """
    scheme, separator, rest = text.partition("://")
    if not separator and not text.startswith("/") and _is_bare(text):
        scheme, separator, rest = "http", "://", text
    rest = rest.partition("#")[0]
    if separator and scheme.lower() in _SCHEMES:
        end = min((at for at in (rest.find("/"), rest.find("?")) if at >= 0), default=len(rest))
        authority, path = _read_authority(what, text, rest[:end], example), rest[end:]
        path = path if path.startswith("/") else f"/{path}"
        return Target(_SCHEMES[scheme.lower()], authority, path, scheme.lower() in ("ws", "wss"))
    path = text.partition("#")[0]
    if not path.startswith("/") and path != "*":
        raise Refused(f"{what}: {text} is neither a path nor a URL", example)
    return Target("", "", path)


def _read_authority(what: str, text: str, authority: str, example: str) -> str:
    """Return `authority` as browsers send it; a name outside ASCII as its punycode (RFC 3490, WHATWG URL)."""
    if "@" in authority:
        bare = text.replace(authority, authority.rpartition("@")[2], 1)
        raise Refused(f"{what}: {text} has a user name in it, and a page cannot ask for such a URL", f"write {bare}")
    host, colon, port = authority.rpartition(":")
    if not colon or authority.endswith("]"):
        host, port = authority, ""
    if port and not (port.isascii() and port.isdigit() and int(port[:6]) <= _MAX_PORT):
        raise Refused(f"{what}: {port} in {text} is no port: a port is a number up to {_MAX_PORT}", example)
    if not host.isascii():
        try:
            host = host.encode("idna").decode()
        except UnicodeError:
            raise Refused(f"{what}: {host} is not a host name", example) from None
    return f"{host}:{port}" if port else host


def method_as_fetch_sends(method: str) -> str:
    """Return `method` as ``fetch()`` sends it (Fetch section 2.2.1, "normalize"): ``patch`` stays as it is."""
    return method.upper() if method.upper() in _NORMALIZED else method


def as_browsers_send(path: str) -> str:
    """Return a path with its query as browsers send it: spaces and what is not ASCII encoded (WHATWG URL)."""
    octets = path.encode("utf-8", "surrogateescape")
    return "".join(f"%{octet:02X}" if octet == 0x20 or octet >= 0x80 else chr(octet) for octet in octets)


def read_request(
    what: str,
    method: str,
    target: Target,
    headers: Sequence[str],
    example: str,
    *,
    host: str | None = None,
    default_host: str = "localhost",
) -> RequestHead:
    """Return the request that options describe, read as if it had come over the wire.

    `what` and `example`: as for :func:`read_target`. The Host is `host`, else what `target` or one of `headers` names,
    else `default_host`. A handshake gets the fields that a browser sends. Raises :class:`Refused`.
    """
    host = host or target.authority or None
    names = {text.partition(":")[0].strip().lower() for text in headers}
    lines = [f"{method} {target.path} HTTP/1.1", *headers]
    if host is not None or "host" not in names:
        lines.insert(1, f"Host: {host or default_host}")
    if target.is_websocket:
        lines += [line for line in _HANDSHAKE if line.partition(":")[0].lower() not in names]
    try:
        return parse_request_head("\r\n".join(lines).encode("utf-8", "surrogateescape"), Limits())
    except BadMessage as error:
        raise Refused(f"{what}: that is not a valid HTTP request: {error.reason}", example) from None
