"""What is examined: the address as it is given to ``io()``, and what it means on the wire. Pure.

Start at :func:`parse_target`.
"""

from __future__ import annotations

from typing import Final, NamedTuple
from urllib.parse import parse_qs, urlsplit

from devproxy.authority.hosts import DEFAULT_PORTS, authority, bracketed
from devproxy.authority.origins import ascii_name, web_origin
from devproxy.text.safe import visible

DEFAULT_PATH: Final = "/socket.io/"
_SCHEMES: Final = {"http": "http", "https": "https", "ws": "http", "wss": "https"}
_EXAMPLE: Final = "devproxy doctor http://localhost:3001 --origin http://localhost:3000"


class BadTarget(ValueError):
    """An address that cannot be examined. ``help``: what to write instead."""

    def __init__(self, what: str, help: str = _EXAMPLE) -> None:
        super().__init__(what)
        self.help = help


class Target(NamedTuple):
    """A server, and what to ask it. ``host``: a name or an address without brackets. ``resource``: path and query of
    the URL. ``path``: Engine.IO's, which begins and ends with a slash. ``namespace``: Socket.IO's, ``/`` by default.
    ``eio``: the protocol of the client that is asked about, 3 or 4. ``is_websocket``: the URL says ``ws`` or ``wss``.
    """

    scheme: str
    host: str
    port: int
    resource: str = "/"
    path: str = DEFAULT_PATH
    namespace: str = "/"
    eio: int = 4
    is_websocket: bool = False

    @property
    def is_tls(self) -> bool:
        """Whether the URL asks for TLS."""
        return self.scheme == "https"

    @property
    def host_field(self) -> str:
        """The value of ``Host``: the port is left out where it is the scheme's own."""
        if self.port == DEFAULT_PORTS[self.scheme]:
            return bracketed(self.host)
        return authority(self.host, self.port)

    @property
    def origin(self) -> bytes:
        """The origin of a page that this server serves, as a browser writes it."""
        return web_origin(self.scheme, self.host_field.encode())

    @property
    def base(self) -> str:
        """Scheme, host and port."""
        return f"{self.scheme}://{self.host_field}"

    def engine(self, transport: str, *, sid: str = "", eio: int | None = None, path: str = "") -> str:
        """Return the target of a request of Engine.IO, for a new session or the one called `sid`."""
        query = f"EIO={eio or self.eio}&transport={transport}" + (f"&sid={sid}" if sid else "")
        return f"{path or self.path}?{query}"

    def url(self, resource: str, *, is_websocket: bool = False) -> str:
        """Return the URL of `resource` as a browser's console shows it."""
        scheme = ("wss" if self.is_tls else "ws") if is_websocket else self.scheme
        return f"{scheme}://{self.host_field}{resource}"


def parse_target(url: str, *, path: str | None = None, eio: int = 4) -> Target:
    """Return what `url` means: a port, ``host:port`` or a URL, also one that a browser's console shows.

    `path`: Engine.IO's, where it is not the default. Of a URL with ``EIO=`` in its query the path is Engine.IO's and
    the number the protocol. Raises :class:`BadTarget`.
    """
    text = url.strip()
    if text.isascii() and text.isdigit():
        text = f"localhost:{text}"
    if text.startswith(":"):
        text = f"localhost{text}"
    if "://" not in text:
        text = f"http://{text.removeprefix('//')}"
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise BadTarget(f"{visible(url, 80)} is not a URL: {error}") from None
    scheme = _SCHEMES.get(parts.scheme.lower())
    if scheme is None:
        raise BadTarget(f"{visible(parts.scheme, 20)}:// cannot be examined, only http, https, ws and wss")
    if parts.username is not None:
        raise BadTarget(
            "the URL has a user name, which no page sends", "leave it out: the doctor says what asks for it"
        )
    if port == 0 or (parts.netloc.endswith(":") and not parts.hostname):
        raise BadTarget(f"{visible(url, 80)} has no port to connect to")
    host = _host(parts.hostname or "", url)
    query = parse_qs(parts.query)
    resource = _clean(parts.path or "/", url) + (f"?{_clean(parts.query, url)}" if parts.query else "")
    is_engine = "EIO" in query
    if is_engine:
        stated = query["EIO"][0]
        eio = int(stated) if stated in ("3", "4") else eio
    namespace = "/" if is_engine or parts.path in ("", "/") else parts.path.rstrip("/")
    engine_path = path if path is not None else parts.path if is_engine else DEFAULT_PATH
    return Target(
        scheme=scheme,
        host=host,
        port=port or DEFAULT_PORTS[scheme],
        resource="/" if is_engine else resource,
        path=engine_slashes(_clean(engine_path, engine_path)),
        namespace=namespace,
        eio=eio,
        is_websocket=parts.scheme.lower() in ("ws", "wss") and not is_engine,
    )


def engine_slashes(path: str) -> str:
    """Return `path` as Socket.IO's client asks for it: with a slash at both ends."""
    bare = path.strip("/")
    return f"/{bare}/" if bare else "/"


def _host(name: str, url: str) -> str:
    if not name:
        raise BadTarget(f"{visible(url, 80)} names no host")
    if ":" in name:
        return name
    try:
        ascii_host = ascii_name(name)
    except (ValueError, UnicodeError):
        raise BadTarget(f"{visible(name, 60)} is not a host name") from None
    if not ascii_host or not all(char.isalnum() or char in "-._" for char in ascii_host):
        raise BadTarget(f"{visible(name, 60)} is not a host name")
    return ascii_host


def _clean(text: str, url: str) -> str:
    """Return `text` as it goes over the wire: bytes beyond ASCII percent-encoded. Raises :class:`BadTarget`."""
    if any(char <= " " or char == "\x7f" for char in text):
        raise BadTarget(f"{visible(url, 80)} has a space or a control character in it")
    if text.isascii():
        return text
    octets = text.encode("utf-8", "surrogateescape")
    return "".join(chr(octet) if octet < 0x80 else f"%{octet:02X}" for octet in octets)
