"""The facts of the hop: the client, by which scheme, for which host and port, below which prefix. Pure.

Owns all that a request tells its server about the way that it took: ``X-Forwarded-*``, ``X-Real-IP``, ``Forwarded``
(RFC 7239), and the other names under which proxies state such facts (``Role.FORWARDED``). A connection establishes the
facts; where the peer is a proxy that ``trusted_proxies`` names, its own statements replace them. No other peer's are
believed, and no rule of devproxy's own uses any of them: the guard judges Host, Origin and ``Sec-Fetch-*`` alone.

Start at :class:`Peer` and :func:`hop_lines`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from devproxy.authority.hosts import DEFAULT_PORTS, is_port
from devproxy.authority.networks import LOOPBACK, PRIVATE, Network, address_of, is_in
from devproxy.authority.origins import web_origin
from devproxy.http.fields import Field, Role, elements_of

_DEFAULT_PORTS: Final = {scheme.encode(): str(port).encode() for scheme, port in DEFAULT_PORTS.items()}
_FOR: Final = b"x-forwarded-for"
_PROTO: Final = b"x-forwarded-proto"
_HOST: Final = b"x-forwarded-host"
_PORT: Final = b"x-forwarded-port"
_PREFIX: Final = b"x-forwarded-prefix"
_REAL_IP: Final = b"x-real-ip"
_FORWARDED: Final = b"forwarded"
_OWN: Final = frozenset((_FOR, _PROTO, _HOST, _PORT, _PREFIX, _REAL_IP, _FORWARDED))
"""Fields that are always rewritten; other statements of a trusted proxy pass as they came."""
VIA_VERSION: Final = b"1.1"
"""What a ``Via`` of ours says unless a peer spoke another version of HTTP."""
_MAX_VALUE_BYTES: Final = 255
MAX_PEERS: Final = 256
"""Peers that are remembered, each with what it gives rise to for :data:`MAX_TAILS` hosts."""
MAX_TAILS: Final = 16
# Plain integers: an IntEnum member costs a look-up for every comparison.
_FIRST_CLAIM: Final = int(Role.FORWARDED_FOR)
_LAST_CLAIM: Final = int(Role.FORWARDED)

# One pass each: no two of their parts can take the same byte.
_is_authority = re.compile(rb"(?:\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._~-]+)(?::[0-9]{1,5})?").fullmatch
_is_prefix = re.compile(rb"(?:/[A-Za-z0-9._~!$&'()*+;=:@%-]+)+/?").fullmatch
_has_dot_segment = re.compile(rb"/(?:\.|%2[Ee]){1,2}(?:/|\Z)").search
_is_visible = re.compile(rb"[!#-+\--:<-~]+").fullmatch  # no quotation mark, comma or semicolon: they would begin a part
_split_node = re.compile(rb"(\[[0-9A-Fa-f:.]+\]|[0-9.]+)(?::([0-9]{1,5}))?").fullmatch
_is_obfuscated = re.compile(rb"_[A-Za-z0-9._-]+").fullmatch


class TrustedProxies(NamedTuple):
    """The peers whose word about a request counts. Built by :func:`compile_trusted`."""

    networks: tuple[Network, ...] = ()

    def takes(self, address: str) -> bool:
        """Tell whether a peer at `address` is trusted: an IP address, maybe with a zone, or ``unix``.

        A client of a Unix socket is on this machine, so it counts as a loopback address.
        """
        if address == "unix":
            return LOOPBACK[0] in self.networks
        found = address_of(address)
        return found is not None and is_in(self.networks, found)


def compile_trusted(written: Sequence[str]) -> TrustedProxies:
    """Return the proxies that ``trusted_proxies`` names: ``loopback``, ``private``, addresses and networks."""
    from ipaddress import ip_network

    named = {"loopback": LOOPBACK, "private": PRIVATE}
    return TrustedProxies(tuple(network for text in written for network in named.get(text) or (ip_network(text),)))


class Hop(NamedTuple):
    """What a route knows about the hop beforehand. ``prefix``: what it removes from paths, ``/api``; empty for
    nothing."""

    proxies: TrustedProxies = TrustedProxies()
    prefix: bytes = b""


NOBODY: Final = Hop()


class Peer:
    """The client's end of a connection, and the forwarding fields that it gives rise to.

    ``address``: an IP address, IPv4-mapped ones in their IPv4 form, or ``unix``. ``scheme``: ``http`` or ``https``,
    also for WebSockets: python-socketio compares it with the Origin's, which is never ``ws``. ``version``: of HTTP,
    ``1.1`` or ``2.0``, which ``Via`` tells.
    """

    __slots__ = ("_is_trusted", "_proxies", "_tails", "address", "scheme", "version")

    def __init__(self, address: str, scheme: str, version: bytes = VIA_VERSION) -> None:
        self.address = address.removeprefix("::ffff:") if "." in address else address
        self.scheme = scheme
        self.version = version
        self._tails: dict[tuple[bytes, bytes], bytes] = {}
        self._proxies: TrustedProxies | None = None
        self._is_trusted = False

    def is_trusted(self, proxies: TrustedProxies) -> bool:
        """Tell whether `proxies` take this peer. Remembered, as a connection sees few configurations."""
        if proxies is not self._proxies:
            self._is_trusted = proxies.takes(self.address)
            self._proxies = proxies
        return self._is_trusted

    def forwarding_lines(self, host: bytes) -> list[bytes]:
        """Return ``X-Forwarded-For/-Proto/-Host/-Port`` and ``X-Real-IP`` for a request that names `host`.

        The port is the one the browser used, as it is in Host.
        """
        scheme, address = self.scheme.encode(), self.address.encode()
        return _lines(address, scheme, host, _port_of(host, scheme), address)

    def via(self, line: bytes) -> bytes:
        """Return `line`, a ``Via`` of ours, with the version of HTTP that this peer spoke (RFC 9110 section 7.6.3)."""
        return line if self.version is VIA_VERSION else line.replace(VIA_VERSION, self.version, 1)

    def tail(self, host: bytes, via: bytes) -> bytes:
        """Return the forwarding fields, `via` and the blank line: what ends a plain request.

        Remembered for the last few hosts: a peer keeps to them.
        """
        try:
            return self._tails[host, via]
        except KeyError:
            return self._make_tail(host, via)

    def _make_tail(self, host: bytes, via: bytes) -> bytes:
        tail = b"\r\n".join((*self.forwarding_lines(host), self.via(via), b"", b""))
        if len(host) <= _MAX_VALUE_BYTES:
            if len(self._tails) >= MAX_TAILS:
                self._tails.clear()
            self._tails[host, via] = tail
        return tail


def known_peers() -> Callable[..., Peer]:
    """Return what gives the :class:`Peer` for an address, a scheme and a version: all connections of one share it.

    Each gateway has its own, as a peer remembers what the configuration makes of it.
    """
    return lru_cache(MAX_PEERS)(Peer)


def _lines(chain: bytes, proto: bytes, host: bytes, port: bytes, real_ip: bytes) -> list[bytes]:
    return [
        b"X-Forwarded-For: " + chain,
        b"X-Forwarded-Proto: " + proto,
        *([b"X-Forwarded-Host: " + host] if host else ()),
        b"X-Forwarded-Port: " + port,
        b"X-Real-IP: " + real_ip,
    ]


def _port_of(host: bytes, scheme: bytes) -> bytes:
    _, colon, port = host.rpartition(b":")
    return port if colon and is_port(port) else _DEFAULT_PORTS[scheme.lower()]


def hop_lines(fields: Iterable[Field], host: bytes, peer: Peer, hop: Hop) -> list[bytes]:
    """Return the forwarding fields for a request with `fields` and `host`, its Host, that `peer` sent.

    `fields`: without those that ``Connection`` lists. What no part of the grammar of its field is, a list where one
    value is due, and a port out of range count as not said: the connection's own fact is used then. Of a list the first
    counts, which is nearest to the client. Linear in the size of the fields.
    """
    said = _said(fields, peer, hop)
    if said is None:
        own = peer.forwarding_lines(host)
        return [*own, b"X-Forwarded-Prefix: " + hop.prefix] if hop.prefix else own
    address = peer.address.encode()
    chain = [part if _is_node(part) else b"unknown" for part in said.get(_FOR, ())] + [address]
    proto, host = _front(said, host, peer)
    port = _first(said.get(_PORT), is_port) or _port_of(host, proto)
    real_ip = _first(said.get(_REAL_IP), _is_address) or address
    lines = _lines(b", ".join(chain), proto, host, port, real_ip)
    prefix = _outer_prefix(said.get(_PREFIX, ())) + hop.prefix
    if prefix:
        lines.append(b"X-Forwarded-Prefix: " + prefix)
    if _FORWARDED in said:
        lines.append(_forwarded_line(chain, proto, host))
    return lines


class Front(NamedTuple):
    """How the browser reached the first proxy. ``origin``: serialised; ``prefix``: what stood before each path."""

    origin: bytes
    prefix: bytes


def front_of_browser(fields: Iterable[Field], host: bytes, peer: Peer, hop: Hop) -> Front:
    """Return the front as the browser knows it: devproxy's own, or that of the proxies before it that are trusted.

    The arguments are those of :func:`hop_lines`.
    """
    said = _said(fields, peer, hop)
    if said is None:
        return Front(web_origin(peer.scheme, host), b"")
    proto, host = _front(said, host, peer)
    scheme = "https" if proto.lower() in (b"https", b"wss") else "http"
    port = _first(said.get(_PORT), is_port)
    return Front(web_origin(scheme, _with_port(host, port)), _outer_prefix(said.get(_PREFIX, ())))


def _with_port(host: bytes, port: bytes) -> bytes:
    """Return `host` with the `port` that a proxy states (empty: none), unless it has one.

    80 and 443 are left out: stated with the other's scheme, they are those of a hop in between.
    """
    _, colon, own = host.rpartition(b":")
    is_told = port and port not in _DEFAULT_PORTS.values() and not (colon and is_port(own))
    return host + b":" + port if is_told else host


def came_by_proxy(fields: Iterable[Field], peer: Peer, hop: Hop) -> bool:
    """Tell whether a trusted proxy says something about the way of a request with `fields`, which `peer` sent."""
    return _said(fields, peer, hop) is not None


def _said(fields: Iterable[Field], peer: Peer, hop: Hop) -> dict[bytes, list[bytes]] | None:
    """Return what a trusted proxy states: the elements of each field by its name; None for nothing."""
    claims = [field for field in fields if _FIRST_CLAIM <= field.role <= _LAST_CLAIM]
    if not claims or not peer.is_trusted(hop.proxies):
        return None
    said: dict[bytes, list[bytes]] = {}
    for claim in claims:
        said.setdefault(claim.name, []).extend(elements_of(claim.value))
    return said


def _front(said: dict[bytes, list[bytes]], host: bytes, peer: Peer) -> tuple[bytes, bytes]:
    """Return scheme and authority by which the browser asked."""
    return _first(said.get(_PROTO), _is_scheme) or peer.scheme.encode(), _first(said.get(_HOST), _is_host) or host


def crosses(field: Field, peer: Peer, hop: Hop) -> bool:
    """Tell whether `field`, a claim about the hop, goes upstream as it came: no rewritten one, of a trusted proxy."""
    return field.name not in _OWN and peer.is_trusted(hop.proxies)


def _first(values: Sequence[bytes] | None, is_valid: Callable[[bytes], object]) -> bytes:
    """Return the first of `values` if it is valid, else nothing: what follows it is of another hop."""
    return values[0] if values and len(values[0]) <= _MAX_VALUE_BYTES and is_valid(values[0]) else b""


def _is_scheme(value: bytes) -> bool:
    return value.lower() in _DEFAULT_PORTS


def _is_host(value: bytes) -> bool:
    if _is_authority(value) is None:
        return False
    host, colon, port = value.rpartition(b":")
    return not colon or value.endswith(b"]") or (host != b"" and is_port(port))


def _is_address(value: bytes) -> bool:
    return _is_node(value) and address_of(value.decode().removeprefix("[").removesuffix("]")) is not None


def _is_node(value: bytes) -> bool:
    return len(value) <= _MAX_VALUE_BYTES and _is_visible(value) is not None


def _outer_prefix(values: Sequence[bytes]) -> bytes:
    """Return the prefix that proxies in front have removed: each adds its own after that of the one before it."""
    if sum(map(len, values)) > _MAX_VALUE_BYTES or not all(value == b"/" or _is_path(value) for value in values):
        return b""
    return b"".join(value.removesuffix(b"/") for value in values)


def _is_path(value: bytes) -> bool:
    return _is_prefix(value) is not None and _has_dot_segment(value) is None


def _forwarded_line(chain: Sequence[bytes], proto: bytes, host: bytes) -> bytes:
    """Return the ``Forwarded`` that says what the ``X-Forwarded-*`` say.

    Readers look for scheme and host in the first element, in the last, or anywhere; so every element has them.
    """
    what = (b';host="%b"' % host if host else b"") + b";proto=" + proto
    return b"Forwarded: " + b", ".join(b"for=" + _node(part) + what for part in chain)


def _node(value: bytes) -> bytes:
    """Return an element of ``X-Forwarded-For`` as a node of RFC 7239 section 6; what is none is ``unknown``."""
    if _is_obfuscated(value):
        return value
    bare = value.decode("ascii")
    address = address_of(bare)
    if address is not None:
        return value if address.version == 4 and ":" not in bare else f'"[{bare.partition("%")[0]}]"'.encode()
    match = _split_node(value)
    if match is None or not _is_address(match[1]):
        return b"unknown"
    return b'"%b"' % value if match[2] is None or is_port(match[2]) else b'"%b"' % match[1]
