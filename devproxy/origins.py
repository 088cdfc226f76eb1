"""Web origins and patterns for them (RFC 6454 section 6, Fetch «serialize a request origin»).

Pure. Owns how an origin is written and which patterns take it; never decides what that allows: that is
``policy.cors``. Start at :class:`OriginSet`; :func:`parse_pattern` says what is wrong with a pattern.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

MAX_ORIGIN_BYTES: Final = 255
"""Longest origin that is looked at; a longer one is no browser's."""
MAX_REGEX: Final = 200
"""Longest regular expression of a pattern, in characters."""

_DEFAULT_PORTS: Final = {b"http": b"80", b"https": b"443"}
_LABEL: Final = rb"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?+"
_NAME: Final = _LABEL + rb"(?:\." + _LABEL + rb")*+"
_PORT: Final = rb"(?::([1-9][0-9]{0,4}))?+"

_match_origin = re.compile(rb"([a-z][a-z0-9+.-]*)://(" + _NAME + rb"|\[[0-9a-f:.]{2,45}\])" + _PORT).fullmatch
_match_loose = re.compile(
    rb"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#@\s:\[\]]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?/?"
).fullmatch
_match_pattern = re.compile(
    r"([A-Za-z][A-Za-z0-9+.-]*)://(\*\.)?([^/?#@\s:\[\]*]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}|\*))?"
).fullmatch
_is_loopback = re.compile(
    rb"https?://(?:localhost|" + _NAME + rb"(?<=\.localhost)|127\.0\.0\.1|\[::1\])" + _PORT
).fullmatch
_ends_numeric = re.compile(r"(?:.*\.)?(?:[0-9]+|0[xX][0-9a-fA-F]*)\.?").fullmatch
_is_ipv4 = re.compile(r"(?:(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(?:\.(?!$)|$)){4}").fullmatch

LOOPBACK_RULE: Final = "loopback origins, any port"


class BadOrigin(Exception):
    """A text that is no pattern for origins. ``what`` is wrong, ``help``: what to write instead."""

    def __init__(self, what: str, help: str) -> None:
        super().__init__(what)
        self.what = what
        self.help = help


def parse_origin(value: bytes) -> bytes | None:
    """Return `value` if it is an origin exactly as a browser writes one, else None.

    Lower case, no default port, no slash at the end, at most :data:`MAX_ORIGIN_BYTES`. ``null`` is none: whoever treats
    it does so by name.
    """
    if len(value) > MAX_ORIGIN_BYTES:
        return None
    match = _match_origin(value)
    if match is None:
        return None
    scheme, _, port = match.groups()
    if port is not None and (int(port) > 65535 or _DEFAULT_PORTS.get(scheme) == port):
        return None
    return value


def normalised(text: bytes) -> bytes | None:
    """Return the origin that `text` means, in lower case, without default port and final slash; None: it means none."""
    match = _match_loose(text) if len(text) <= MAX_ORIGIN_BYTES else None
    if match is None:
        return None
    scheme, host, port = match.groups()
    return parse_origin(_serialised(scheme.lower(), host.lower().removesuffix(b"."), port))


def web_origin(scheme: str, host: bytes) -> bytes:
    """Return the origin of `scheme` and `host`, an authority as it stands in Host: without the default port."""
    name, port = host.lower(), None
    if not host.endswith(b"]") and b":" in host:
        name, _, port = host.lower().rpartition(b":")
    return _serialised(scheme.encode(), name, port)


def _serialised(scheme: bytes, host: bytes, port: bytes | None) -> bytes:
    number = (port or b"").lstrip(b"0")
    if not number or _DEFAULT_PORTS.get(scheme) == number:
        return scheme + b"://" + host
    return scheme + b"://" + host + b":" + number


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern for origins. ``text``: normalised, as shown to people. ``exact``: empty where ``regex`` decides."""

    text: str
    exact: bytes
    regex: re.Pattern[bytes] | None


def parse_pattern(text: str) -> Pattern:
    """Return the pattern that `text` states. Raises :class:`BadOrigin`.

    ``scheme://host`` and ``scheme://host:port``: that origin. ``scheme://*.host``: one or more whole labels before
    ``host``. ``:*``: any port, the default one included. ``regex:…``: the whole origin by ``re.fullmatch``.
    """
    if text.startswith("regex:"):
        return _parse_regex(text)
    if text in ("*", "null") or text.lower() == "null":
        key = "dangerously_allow_any_origin" if text == "*" else "dangerously_allow_null_origin"
        who = "every web site" if text == "*" else "`null`, which every web site can send,"
        raise BadOrigin(f"{who} is not allowed by a pattern", f"if you really mean that, write {key} = true")
    match = _match_pattern(text)
    if match is None:
        raise BadOrigin(*_fault_of(text))
    scheme, wildcard, host, port = match.groups()
    scheme, host = scheme.lower(), _ascii_host(host, text)
    if scheme in ("ws", "wss", "file", "data", "blob", "about"):
        instead = {"ws": "http", "wss": "https"}.get(scheme)
        help = f"write {instead}://{host}: a page's origin is never ws" if instead else "such a page sends Origin: null"
        raise BadOrigin(f"no page has an origin with the scheme `{scheme}`", help)
    if wildcard and "." not in host and host != "localhost":
        raise BadOrigin(f"`*.{host}` takes everybody's hosts below `{host}`", "name a domain of your own: *.app.test")
    if wildcard and (host.startswith("[") or _ends_numeric(host)):
        raise BadOrigin("an IP address has no subdomains", f"write {scheme}://{host}")
    if port not in (None, "*") and not 0 < int(port) <= 65535:
        raise BadOrigin(f"{port} is not a port", "1 to 65535, or * for any")
    name, number = host.encode(), None if port in (None, "*") else port.encode()
    origin = _serialised(scheme.encode(), name, number)
    if not wildcard and port != "*":
        return Pattern(origin.decode(), origin, None)
    head, _, tail = origin.partition(b"://")
    labels = rb"(?:" + _LABEL + rb"\.)++" if wildcard else b""
    any_port = rb"(?::[1-9][0-9]{0,4})?" if port == "*" else b""
    regex = re.compile(head + rb"://" + labels.replace(b"++", b"+") + re.escape(tail) + any_port)
    shown = f"{head.decode()}://{'*.' if wildcard else ''}{tail.decode()}{':*' if port == '*' else ''}"
    return Pattern(shown, b"", regex)


def _parse_regex(text: str) -> Pattern:
    from warnings import catch_warnings, simplefilter

    source = text.removeprefix("regex:")
    if not source.isascii():
        raise BadOrigin("an origin is ASCII: an international name is in its xn-- form", "write that in the expression")
    if not source or len(source) > MAX_REGEX:
        raise BadOrigin(f"a regular expression has 1 to {MAX_REGEX} characters, this one {len(source)}", "")
    try:
        with catch_warnings():
            simplefilter("error")
            regex = re.compile(source.encode())
    except (re.error, Warning, OverflowError, RecursionError, ValueError) as error:
        raise BadOrigin(f"`{source}` is not a regular expression: {error}", "Python's syntax, `re.fullmatch`") from None
    return Pattern(text, b"", regex)


def _fault_of(text: str) -> tuple[str, str]:
    if "://" not in text:
        return (
            f"`{text}` has no scheme",
            f"write http://{text}" if text and " " not in text else "http://localhost:3000",
        )
    if "@" in text:
        return f"`{text}` names a user, which no origin does", "scheme, host and port alone"
    scheme, _, rest = text.partition("://")
    authority = re.split(r"[/?#]", rest)[0]
    if authority != rest:
        return f"`{text}` has a path, which no origin does, not even a slash", f"write {scheme}://{authority}"
    if "*" in rest:
        return f"`{text}`: a `*` stands for whole labels before a name, or for the port", "http://*.app.test:*"
    return f"`{text}` is not an origin", "scheme://host or scheme://host:port"


def _ascii_host(host: str, text: str) -> str:
    if host.startswith("["):
        from ipaddress import AddressValueError, IPv6Address

        try:
            return f"[{IPv6Address(host[1:-1]).compressed}]"
        except AddressValueError:
            raise BadOrigin(f"`{host}` is not an IPv6 address", "http://[::1]:3000") from None
    try:
        name = (host if host.isascii() else host.encode("idna").decode()).lower().removesuffix(".")
    except UnicodeError:
        raise BadOrigin(f"`{host}` is not a host name", "letters, digits and hyphens") from None
    if _ends_numeric(name) and not _is_ipv4(name):
        raise BadOrigin(f"`{host}` is not an IPv4 address as a browser writes it", "four numbers: http://127.0.0.1")
    if re.compile(_NAME).fullmatch(name.encode()) is None:
        raise BadOrigin(f"`{host}` is not a host name", f"in `{text}`: letters, digits and hyphens")
    return name


class OriginSet:
    """Patterns, compiled once and compared with each origin."""

    __slots__ = ("_exact", "_regexes", "takes_loopback")

    def __init__(self, patterns: Iterable[Pattern], *, takes_loopback: bool = False) -> None:
        listed = tuple(patterns)
        self._exact = {pattern.exact: pattern.text for pattern in listed if pattern.exact}
        self._regexes = tuple((pattern.regex, pattern.text) for pattern in listed if pattern.regex is not None)
        self.takes_loopback = takes_loopback

    def rule_for(self, origin: bytes) -> str | None:
        """Return the pattern that takes `origin` (see :func:`parse_origin`), or None."""
        if self.takes_loopback and _is_loopback(origin):
            return LOOPBACK_RULE
        text = self._exact.get(origin)
        if text is not None:
            return text
        return next((text for regex, text in self._regexes if regex.fullmatch(origin)), None)


LOOPBACK: Final = OriginSet((), takes_loopback=True)
"""Every origin of this machine: ``http`` and ``https``; localhost, all below it, 127.0.0.1 and [::1]; any port."""
