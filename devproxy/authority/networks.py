"""Where a host is, told by its name or address alone: on this machine, in a private network, or out in public. Pure.

Nothing is resolved: what a resolver says depends on the day and the network, and a rule that depended on it could not
be read in a file. Standards: RFC 1918, 3927, 4193, 4291 and 6598 (addresses), RFC 6761, 6762, 8375 and 9476 (names).
Start at :func:`whereabouts`; :func:`is_in` is for addresses of peers.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, NamedTuple

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

LOOPBACK: Final = tuple(map(ip_network, ("127.0.0.0/8", "::1/128")))
PRIVATE: Final = tuple(
    map(
        ip_network,
        ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10", "fc00::/7", "fe80::/10"),
    )
)
"""Networks whose addresses mean another machine everywhere: private, link-local, and those of carriers (RFC 6598),
which overlay networks such as Tailscale use too."""

_PRIVATE_SUFFIXES: Final = frozenset(
    "alt corp home internal intranet invalid lan local localdomain onion private test home.arpa".split()
)
"""Names below which no registry sells any (RFC 2606, 6762 appendix G, 7686, 8375, 9476; ICANN's ``internal``).
``example`` is not among them: it means a public name wherever it is written."""


class Whereabouts(NamedTuple):
    """Where a host is. ``reason``: a clause without a full stop that begins with the host."""

    is_public: bool
    reason: str


def address_of(text: str) -> Address | None:
    """Return the IP address that `text` is (no brackets, with or without a zone), IPv4-mapped ones as IPv4, or None."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def is_in(networks: Iterable[Network], address: Address) -> bool:
    """Tell whether `address` is in one of `networks`."""
    return any(address in network for network in networks)


def is_this_machine(name: str) -> bool:
    """Tell whether `name` is ``localhost`` or below it, in any case, with or without a final dot (RFC 6761, 6.3).

    Such a name is never asked a resolver about, because some know it as something else or not at all.
    """
    bare = name.lower().removesuffix(".")
    return bare == "localhost" or bare.endswith(".localhost")


def is_loopback(host: str) -> bool:
    """Tell whether `host`, a name or an address without brackets, means the machine that asks, and no other."""
    if is_this_machine(host):
        return True
    address = address_of(host)
    return address is not None and is_in(LOOPBACK, address)


@lru_cache(maxsize=256)
def whereabouts(host: str) -> Whereabouts:
    """Return where `host` is: a name or an IP address without brackets, as in a server's URL."""
    address = address_of(host)
    if address is not None:
        return _of_address(host, address)
    name = host.lower().removesuffix(".")
    if is_this_machine(name):
        return Whereabouts(False, f"{host} is this machine")
    if "." not in name:
        return Whereabouts(False, f"{host} is a name without a dot")
    suffix = name.rpartition(".")[2]
    if suffix in _PRIVATE_SUFFIXES or name.endswith(".home.arpa"):
        return Whereabouts(False, f"{host} is a name for private use")
    return Whereabouts(True, f"{host} is a public name")


def _of_address(host: str, address: Address) -> Whereabouts:
    if is_in(LOOPBACK, address) or address.is_unspecified:
        return Whereabouts(False, f"{host} is this machine")
    if is_in(PRIVATE, address):
        return Whereabouts(False, f"{host} is a private address")
    return Whereabouts(True, f"{host} is a public address")
