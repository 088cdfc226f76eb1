"""How a host and its port are written together, and which ports there are. Pure; where a host is: ``networks``."""

from __future__ import annotations

from typing import Final

MAX_PORT: Final = 65535
DEFAULT_PORTS: Final = {"http": 80, "https": 443, "ws": 80, "wss": 443}
"""By scheme (RFC 9110 section 4.2, RFC 6455 section 3): the ports that are left out of an origin and of a Host."""

LOOPBACK_ADDRESSES: Final = ("::1", "127.0.0.1")
"""What ``localhost`` and every name below it mean, in the order to try."""


def bracketed(host: str) -> str:
    """Return `host` as it is written before a colon: an IPv6 address in brackets (RFC 3986 section 3.2.2)."""
    return f"[{host}]" if ":" in host else host


def authority(host: str, port: int) -> str:
    """Return ``host:port``, of a host without brackets."""
    return f"{bracketed(host)}:{port}"


def is_port(text: str | bytes) -> bool:
    """Tell whether `text` is a port to connect to, in digits: 1 to 65535."""
    return text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= MAX_PORT
