"""Addresses as people write them -> values: where to listen, and the URLs of servers.

Pure; names are never resolved. A text that is not an address raises :class:`BadText` with what is wrong and what to
write. Standards: RFC 3986 (authority), RFC 1123 section 2.1 (host names), RFC 6454 section 6.2 (origins).
Start at :func:`parse_listen` and :func:`parse_server`.
"""

from __future__ import annotations

import re
from typing import Final

from devproxy.authority.hosts import DEFAULT_PORTS, MAX_PORT, bracketed
from devproxy.authority.origins import ascii_name
from devproxy.config.model import Listen, Proxy, Scheme, ServerAddress
from devproxy.text.bad import BadText
from devproxy.text.safe import has_control, is_unicode, quoted

MAX_SOCKET_PATH_BYTES: Final = 107
"""``sun_path`` of Linux has 108 bytes, one of them for the final NUL."""

_MAX_TEXT: Final = 1024
_MAX_DIGITS: Final = 9
"""Longer numbers are not shown: CPython refuses to convert those of more than 4,300 digits."""
_NAME: Final = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*\.?")
_IPV6: Final = re.compile(r"[0-9A-Fa-f:.]{2,45}(?:%[A-Za-z0-9._-]{1,32})?")
"""With a zone (RFC 4007), which ``ipaddress`` alone would let be anything."""
_HOST_AND_PORT: Final = re.compile(r"(?:[^\s:/?#@\[\]]+|\[[^\s/?#@\[\]]*\]):[^\s:/?#@]*")
_URL: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)(.*)", re.DOTALL)
_HIDDEN: Final = "…"
"""Stands for credentials."""
_PROXY_HELP: Final = 'for example "http://proxy.example:3128"'
_ENCODE: Final = 'encode special characters in user and password: "%40" for "@", "%3A" for ":", "%2F" for "/"'
_SOCKS: Final = "SOCKS is not supported: write the address of an HTTP proxy, or run one that passes requests on to it"
_OTHER_PROXIES: Final = {
    "https": "a proxy that wants TLS itself is not supported: write http:// if it takes plain connections, too",
    **dict.fromkeys(("socks", "socks4", "socks4a", "socks5", "socks5h"), _SOCKS),
}
_WEBSOCKET: Final = {"ws": "http", "wss": "https"}


def parse_listen(text: str | int) -> Listen:
    """Return the address to listen on that `text` names: ``8080``, ``:8080``, ``localhost:8080``, ``[::1]:8080``.

    A bare port means ``localhost``; the port is 0 to 65535, and 0 lets the system choose.
    """
    if isinstance(text, int):
        return Listen(host="localhost", port=_port_number(text, lowest=0))
    if "://" in text:
        rest = text.partition("://")[2].rstrip("/")
        raise BadText(f"{quoted(text)} is a URL, not an address to listen on", f"write {quoted(rest)}")
    if text.isdigit() and text.isascii():
        return Listen(host="localhost", port=_port(text, lowest=0))
    if text[:1].isdigit() and text.isalnum():
        raise BadText(f"{quoted(text)} is not a port", 'for example 8080 or "localhost:8080"')
    host, port = split_authority(text)
    if port is None:
        raise BadText(f"{quoted(text)} has no port", f"write {quoted((host or 'localhost') + ':8080')}")
    if host == "*":
        raise BadText(f"{quoted(text)} is not an address", f'for every address of this machine, write ":{port}"')
    return Listen(host=_host(host) if host else "", port=_port(port, lowest=0))


def parse_server(text: str | int) -> ServerAddress:
    """Return the server that `text` names: a port of localhost, ``host:port``, ``http://host[:port]``,
    ``https://host[:port]`` or ``unix:/path.sock``. The file, the command line and the environment read it here.

    A path other than ``/``, a query, a fragment and user information are refused. ``url`` is normalised.
    """
    if isinstance(text, int):
        return _local(_port_number(text, lowest=1))
    if text[:5].lower() == "unix:":
        return _unix(text)
    if text.isdigit() and text.isascii():
        return _local(_port(text, lowest=1))
    match = _URL.fullmatch(text) if len(text) <= _MAX_TEXT else None
    if match is None:
        return _without_scheme(text)
    written, authority, rest = match[1].lower(), match[2], match[3]
    if written in _WEBSOCKET:
        meant = _WEBSOCKET[written]
        help = f"write {quoted(meant + text[len(written) :])}: a WebSocket begins as an HTTP request"
        raise BadText(f"the scheme of an upstream is http or https, not {written}", help)
    if written not in ("http", "https"):
        raise BadText(f"the scheme of an upstream is http, https or unix, not {quoted(written)}")
    if rest not in ("", "/"):
        help = f"write {quoted(f'{written}://{authority}')}; to add to paths, use `rewrite` in the route"
        raise BadText(f"the URL of an upstream has no path or query, got {quoted(rest)}", help)
    if "@" in authority:
        help = f"write {quoted(f'{written}://' + authority.rpartition('@')[2])} and set Authorization in `headers`"
        raise BadText("the URL of an upstream has no user name or password", help)
    scheme = Scheme(written)
    host, port = split_authority(authority)
    host = _host(host)
    number = DEFAULT_PORTS[scheme] if port is None else _port(port, lowest=1)
    suffix = "" if port is None else f":{number}"
    return ServerAddress(scheme=scheme, host=host, port=number, url=f"{written}://{bracketed(host)}{suffix}")


def split_list(text: str) -> list[str]:
    """Return the parts of `text` between commas, without the blanks around them: ``3001, 3002``.

    How a list is written on the command line and in the environment. An empty part is kept, to be complained of.
    """
    return [part.strip() for part in text.split(",")]


def _local(port: int) -> ServerAddress:
    return ServerAddress(scheme=Scheme.HTTP, host="localhost", port=port, url=f"http://localhost:{port}")


def _without_scheme(text: str) -> ServerAddress:
    """Return the server at ``host:port``."""
    help = _help_without_scheme(text)
    if len(text) > _MAX_TEXT or not _HOST_AND_PORT.fullmatch(text):
        raise BadText(f"{quoted(text)} is neither a port nor host:port nor a URL", help)
    if text.endswith(":443"):
        raise BadText(
            f"{quoted(text)} has the port of https, and does not say so", f"write {quoted('https://' + text)}"
        )
    return parse_server(f"http://{text}")


def parse_proxy(text: str) -> Proxy:
    """Return the proxy at the URL `text`: ``http://[user[:password]@]host:port``.

    No sentence about it repeats its credentials.
    """
    shown = without_credentials(text)
    match = _URL.fullmatch(text) if len(text) <= _MAX_TEXT else None
    if match is None:
        is_bare = "://" not in text and ":" in text and "@" not in text
        help = f"write {quoted('http://' + text)}" if is_bare else _PROXY_HELP
        raise BadText(f"{quoted(shown)} is not the URL of a proxy", help)
    scheme, rest = match[1].lower(), match[3]
    if scheme != "http":
        raise BadText(f"a proxy is spoken to by http, not by {quoted(scheme)}", _OTHER_PROXIES.get(scheme, _PROXY_HELP))
    if rest not in ("", "/"):
        raise BadText("the URL of a proxy ends with its port", _ENCODE if "@" in rest else _PROXY_HELP)
    userinfo, at, authority = match[2].rpartition("@")
    host, port = split_authority(authority)
    host = _host(host)
    if port is None:
        raise BadText(
            f"{quoted(shown)} has no port", "write it as well: proxies have no usual one (often 3128 or 8080)"
        )
    number = _port(port, lowest=1)
    return Proxy(
        host=host,
        port=number,
        url=f"http://{f'{_HIDDEN}@' if at else ''}{bracketed(host)}:{number}",
        credentials=_credentials(userinfo) if at else "",
    )


def _credentials(userinfo: str) -> str:
    """Return what user and password of a URL (RFC 3986 section 3.2.1) mean to a proxy (RFC 7617 section 2)."""
    from urllib.parse import unquote  # few configurations have any

    user, _, password = (unquote(part) for part in userinfo.partition(":"))
    if not user or ":" in user or has_control(user + password):
        raise BadText(
            "the user of a proxy is missing, or cannot be sent: it has a colon or a control character", _ENCODE
        )
    return f"{user}:{password}"


def without_credentials(text: str) -> str:
    """Return `text`, which may be a URL, without what is before an at sign in it."""
    before, at, after = text.rpartition("@")
    scheme, separator, _ = before.partition("://")
    return f"{scheme}{separator}{_HIDDEN}@{after}" if at and separator else f"{_HIDDEN}@{after}" if at else text


def split_authority(text: str) -> tuple[str, str | None]:
    """Split ``host:port`` into host and port (None: not written). An IPv6 address needs brackets, and keeps them."""
    if text.startswith("["):
        host, bracket, rest = text.partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise BadText(f"{quoted(text)} is not an address", 'an IPv6 address is written "[::1]:8080"')
        return host + bracket, rest[1:] if rest else None
    if text.count(":") > 1:
        raise BadText(f"{quoted(text)} is not an address", 'an IPv6 address is written "[::1]:8080"')
    host, colon, port = text.partition(":")
    return host, port if colon else None


def check_authority(text: str) -> None:
    """Raise :class:`BadText` unless `text` can be sent as Host: a name or address, with or without a port."""
    host, port = split_authority(text)
    _host(host)
    if port is not None:
        _port(port, lowest=1)


def check_host_pattern(text: str) -> None:
    """Raise :class:`BadText` unless `text` is a name, an address or ``*.name``, without a port."""
    _host(_without_port(text).removeprefix("*."))


def check_domain(text: str) -> None:
    """Raise :class:`BadText` unless `text` can be a cookie's Domain: a name or address, with or without a dot."""
    if "://" in text:
        host = split_authority(_authority(text))[0]
        raise BadText(f"{quoted(text)} is a URL, and a Domain is a name alone", f"write {quoted(host)}")
    _host(_without_port(text, "which the Domain of a cookie cannot have").removeprefix("."))


def parse_allowed_host(text: str) -> str:
    """Return the entry of ``allowed_hosts`` that `text` is: a name, ``.name`` (it and all below it), an address, ``*``.

    Lower case, in the form that browsers send (IDNA), without brackets and final dot. ``*.name`` is ``.name``.
    """
    if text == "*":
        return text
    if "://" in text or "/" in text:
        host, _ = split_authority(_authority(text))
        help = f"write {quoted(host)}" if host else 'for example "app.test"'
        raise BadText(f"{quoted(text)} is more than a host name", help)
    host = f"[{text}]" if _is_bare_ipv6(text) else _without_port(text)
    name = host[1:] if host.startswith("*.") else host
    is_suffix = name.startswith(".")
    if "*" in name:
        raise BadText(f"{quoted(text)} is not a host name", 'for a name and all below it, write ".name"')
    normal = _host(_ascii_name(name.removeprefix("."))).removesuffix(".")
    if is_suffix and _is_ipv4(normal):
        raise BadText(f"there are no names below the address {quoted(normal)}", f"write {quoted(normal)}")
    return f".{normal}" if is_suffix else normal


def parse_trusted_proxy(text: str) -> str:
    """Return the entry of ``trusted_proxies`` that `text` is: ``loopback``, ``private``, or a network in normal form.

    An address is a network of one. IPv4-mapped ones (``::ffff:10.0.0.0/104``) are those of IPv4, as peers are.
    """
    if text in ("loopback", "private"):
        return text
    from ipaddress import IPv4Network, IPv6Network, ip_network  # most configurations need none

    lower = text.lower()
    if lower in ("loopback", "private", "localhost"):
        meant = "loopback" if lower == "localhost" else lower
        raise BadText(f"{quoted(text)} is not an address", f"write {quoted(meant)}")
    if text == "*":
        raise BadText('"*" is not an address', 'to trust every address, write "0.0.0.0/0" and "::/0"')
    bare, slash, bits = text.partition("/")
    bare = bare[1:-1] if bare.startswith("[") and bare.endswith("]") else bare
    network: IPv4Network | IPv6Network
    try:
        network = ip_network(bare + slash + bits, strict=False)
    except ValueError:
        help = 'write "loopback", "private", an address or a network such as "172.16.0.0/12"'
        host, _, _ = bare.rpartition(":")
        if _is_ipv4(host) or host.startswith("["):
            help = f"a client's port changes every time: write {quoted(host.strip('[]'))}"
        raise BadText(f"{quoted(text)} is neither an IP address nor a network", help) from None
    if "%" in text:
        raise BadText(f"{quoted(text)} has a zone", f"write {quoted(text.partition('%')[0])}")
    if ip_network(bare)[0] != network[0]:
        raise BadText(
            f"{quoted(text)} is an address within a network, not the network itself", f"write {quoted(str(network))}"
        )
    if isinstance(network, IPv6Network) and network[0].ipv4_mapped is not None and network.prefixlen >= 96:
        network = IPv4Network((network[0].ipv4_mapped, network.prefixlen - 96))
    return str(network) if network.num_addresses > 1 else str(network[0])


def _without_port(text: str, why: str = "but hosts are compared without it") -> str:
    """Return the host in `text`; raise if a port follows it, and say `why` it must not."""
    host, port = split_authority(text)
    if port is not None:
        raise BadText(f"{quoted(text)} has a port, {why}", f"write {quoted(host)}")
    return host


def _authority(text: str) -> str:
    """Return what is between scheme and path in a text that is more than an authority."""
    return re.split(r"[/?#]", text.rpartition("://")[2], maxsplit=1)[0].rpartition("@")[2]


def _is_bare_ipv6(text: str) -> bool:
    return text.count(":") > 1 and not text.startswith("[")


def _ascii_name(text: str) -> str:
    """Return `text` as it goes over the wire: an international name in its xn-- form (RFC 3490), else unchanged."""
    if text.isascii():
        return text
    try:
        return ascii_name(text)
    except ValueError:
        raise BadText(f"{quoted(text)} is not a host name with one xn-- form", "write its xn-- form") from None


def check_origin(text: str) -> None:
    """Raise :class:`BadText` unless `text` is a serialised origin: scheme, host, port, and nothing more."""
    match = _URL.fullmatch(text) if len(text) <= _MAX_TEXT else None
    if match is None or match[1] not in ("http", "https"):
        raise BadText(
            f"{quoted(text)} is not an origin",
            'write "auto", "keep", "upstream", "remove" or an origin: "http://localhost:3001"',
        )
    if match[3]:
        raise BadText("an origin ends with its host or port", f"write {quoted(f'{match[1]}://{match[2]}')}")
    check_authority(match[2])


def _unix(text: str) -> ServerAddress:
    path = text[5:]
    if path.startswith("//"):
        path = path[2:]
    if not path.startswith("/") or has_control(path):
        raise BadText(f"{quoted(text)} does not name a socket by its absolute path", 'write "unix:/run/app.sock"')
    if not is_unicode(path):
        raise BadText(f"{quoted(text)} has bytes that are not UTF-8", "give the socket another name")
    octets = len(path.encode())
    if octets > MAX_SOCKET_PATH_BYTES:
        what = f"the path of a unix socket has at most {MAX_SOCKET_PATH_BYTES} bytes, this one has {octets}"
        raise BadText(what, "put the socket into a directory with a shorter path")
    return ServerAddress(scheme=Scheme.UNIX, host="localhost", port=0, url=f"unix:{path}", path=path)


def _help_without_scheme(text: str) -> str:
    """Say how `text` is written as a URL, if it only lacks the scheme."""
    from devproxy.authority.networks import whereabouts  # a file without faults needs none of it

    host = text.partition(":")[0]
    if _NAME.fullmatch(host) or text.startswith("["):
        is_public = host == text and whereabouts(host).is_public
        return f"write {quoted(('https://' if is_public else 'http://') + text)}"
    return 'write "http://localhost:3001", "https://host" or "unix:/path.sock"'


def _host(text: str) -> str:
    """Return the host in `text` in lower case and without brackets; raise unless it is a name or an IP address."""
    if text.startswith("["):
        return _ipv6(text)
    if not text:
        raise BadText("the host is missing", "for this machine, write localhost")
    if not text.isascii():
        raise BadText(f"the host {quoted(text)} is not ASCII", f"write {quoted(_ascii_name(text))}")
    if len(text) > 253 or _NAME.fullmatch(text) is None:
        raise BadText(f"{quoted(text)} is not a host name")
    last = text.rstrip(".").rpartition(".")[2]
    if last.isdigit() and not _is_ipv4(text):
        raise BadText(f"{quoted(text)} is not an IPv4 address")
    return text.lower()


def _ipv6(text: str) -> str:
    from ipaddress import AddressValueError, IPv6Address  # most configurations need none

    try:
        if _IPV6.fullmatch(text[1:-1]) is None:
            raise AddressValueError
        IPv6Address(text[1:-1])
    except AddressValueError:
        raise BadText(f"{quoted(text)} is not an IPv6 address") from None
    return text[1:-1].lower()


def _is_ipv4(text: str) -> bool:
    parts = text.split(".")
    return len(parts) == 4 and all(part.isdigit() and len(part) <= 3 and int(part) <= 255 for part in parts)


def _port(text: str, *, lowest: int) -> int:
    if not (text.isascii() and text.isdigit()):
        raise BadText(f"{quoted(text)} is not a port" if text else "the port is missing after the colon")
    return _port_number(int(text) if len(text) <= _MAX_DIGITS else 10**_MAX_DIGITS, lowest=lowest)


def _port_number(number: int, *, lowest: int) -> int:
    if not lowest <= number <= MAX_PORT:
        shown = str(number) if abs(number) < 10**_MAX_DIGITS else "a number of many digits"
        raise BadText(f"a port is a number from {lowest} to {MAX_PORT}, got {shown}")
    return number
