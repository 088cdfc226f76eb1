"""Which names a certificate carries, and which an authority of this machine may sign. Pure.

A browser refuses a wildcard whose parent is a single label (``*.localhost``, ``*.test``), and one name outside of an
authority's constraints makes the whole certificate worthless (RFC 5280 section 4.2.1.10). So there is a certificate for
the machine itself and one for each further name, which the client states before it sees any (SNI, RFC 6066 section 3).
Start at :func:`served_names` and :func:`names_for`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from devproxy.authority.networks import LOOPBACK, PRIVATE, address_of, is_in, is_this_machine
from devproxy.config.model import Config
from devproxy.config.notices import Notice
from devproxy.config.places import place_of
from devproxy.config.problems import Path
from devproxy.text.safe import visible

PERMITTED_NAMES: Final = ("localhost", "test", "local", "internal", "home.arpa")
"""What devproxy's authority may sign, with all below: no one can own these names (RFC 6761, 6762, 8375; ICANN)."""
PERMITTED_NETWORKS: Final = (*LOOPBACK, *PRIVATE)
MACHINE: Final = ("localhost", "127.0.0.1", "::1")
"""What the certificate of the machine itself always carries."""

_MAX_NAME: Final = 250
"""Two characters less than a name may have (RFC 1035 section 2.3.4): a wildcard below it is one, too."""
_is_name = re.compile(r"[a-z0-9_-]{1,63}+(?:\.[a-z0-9_-]{1,63}+)*+").fullmatch


class ServedNames(NamedTuple):
    """What devproxy is asked for, in lower case and without a final dot.

    ``machine``: what the certificate for clients that state no other name carries. ``names``: they and all
    below them get their own. ``takes_any``: so does every other name that a client asks for.
    """

    machine: tuple[str, ...] = MACHINE
    names: frozenset[str] = frozenset()
    takes_any: bool = False


def served_names(config: Config, addresses: Iterable[str] = ()) -> ServedNames:
    """Return what `config` says that devproxy is asked for. `addresses`: further ones at which it can be reached."""
    machine, names = dict.fromkeys(MACHINE), set[str]()
    for text in addresses:
        if (address := address_of(text)) is not None and not address.is_unspecified:
            machine[str(address)] = None
    for _, name in _written(config):
        if address_of(name) is not None:
            machine[name] = None
        else:
            names.add(name)
    return ServedNames(tuple(machine), frozenset(names - machine.keys()), "*" in config.server.allowed_hosts)


def names_for(server_name: str, served: ServedNames) -> tuple[str, ...]:
    """Return the names of the certificate that is due to a client that asks for `server_name` (the value of SNI).

    Empty: that of the machine will do. Otherwise one name, with the wildcard below it where browsers take one.
    """
    name = server_name.lower().removesuffix(".")
    if name in served.machine or len(name) > _MAX_NAME or _is_name(name) is None or address_of(name) is not None:
        return ()
    parent = name.partition(".")[2]
    if name in served.names or parent == "localhost":
        base = name
    elif is_this_machine(name) or any(name.endswith(f".{known}") for known in served.names):
        base = parent if "." in parent else name
    elif served.takes_any:
        base = name
    else:
        return ()
    return (base, f"*.{base}") if "." in base else (base,)


def may_sign(name: str, allowed: Iterable[str] = ()) -> bool:
    """Tell whether devproxy's authority may sign `name` (or an address): always, or as one of `allowed`."""
    address = address_of(name)
    if address is not None:
        return is_in(PERMITTED_NETWORKS, address) or str(address) in allowed
    bare = name.removeprefix("*.")
    return any(bare == known or bare.endswith(f".{known}") for known in (*PERMITTED_NAMES, *allowed))


def name_to_allow(text: str) -> str:
    """Return the name or address that a person means an authority to sign by `text`; empty where it is neither."""
    name = _bare(text)
    return name if address_of(name) is not None or (len(name) <= _MAX_NAME and _is_name(name)) else ""


def unsigned(config: Config, allowed: Iterable[str]) -> tuple[Notice, ...]:
    """Return a notice for each name in `config` that devproxy's authority, made to sign `allowed` too, may not sign."""
    found: dict[str, Notice] = {}
    for path, name in _written(config):
        if name not in found and not may_sign(name, allowed):
            shown = visible(name)
            found[name] = Notice(
                path,
                f"browsers will not trust https://{shown}: devproxy's certificate authority may sign names of this "
                f"machine and of private use alone. For one that may sign this name too: "
                f"devproxy trust --allow {shown} --install",
                place_of(config, *path),
            )
    return tuple(found.values())


def _written(config: Config) -> Iterator[tuple[Path, str]]:
    """Give each name and address that `config` is reached by, as certificates have it, and where it was said."""
    for listen in config.server.listen:
        if name := _bare(listen.host):
            yield ("server", "listen"), name
    for index, host in enumerate(config.server.allowed_hosts):
        if name := _bare(host):
            yield ("server", "allowed_hosts", index), name
    for number, route in enumerate(config.routes):
        for index, host in enumerate(route.match_host):
            if name := _bare(host):
                yield ("routes", number, "match_host", index), name


def _bare(host: str) -> str:
    """Return the name or address that `host` of a configuration means; empty for those that mean any."""
    name = host.lower().removeprefix("*").removeprefix(".").removesuffix(".").strip("[]")
    address = address_of(name)
    if address is None:
        return name
    return "" if address.is_unspecified else str(address)
