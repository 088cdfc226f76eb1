"""Web origins: their serialised form, patterns of them, and compiled sets of patterns (RFC 6454; Fetch, HTML).

Owns the question whether two origins are the same and whether a pattern takes one. Origins are compared byte by byte in
the one form in which browsers write them, so what no browser would write (``HTTP://HOST``, ``http://127.1``, a default
port, a trailing slash) is not an origin here and equals nothing. Never decides what an allowed origin may do (that is
``policy.cors``), and never takes ``null``, the serialisation of every opaque origin, for one: :data:`OPAQUE`. Start at
:func:`parse_pattern` and :class:`OriginSet`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from devproxy.authority.hosts import DEFAULT_PORTS, MAX_PORT, is_port
from devproxy.text.bad import BadText
from devproxy.text.regexes import backtracking_fault
from devproxy.text.safe import quoted

OPAQUE: Final = b"null"
"""What a browser sends for a sandboxed frame, ``file:``, ``data:`` and some redirects; any web site can cause it."""

MAX_ORIGIN_BYTES: Final = 255
MAX_REGEX_CHARS: Final = 200

_MAX_HOST: Final = 253
_PREFIX: Final = "regex:"
_DEFAULT_PORTS: Final = {**{scheme: str(port) for scheme, port in DEFAULT_PORTS.items()}, "ftp": "21"}
_DEFAULT_SUFFIXES: Final = {scheme.encode(): b":" + port.encode() for scheme, port in _DEFAULT_PORTS.items()}

# Possessive: one pass, whatever the bytes. A host has no empty label except after a final dot.
_SCHEME: Final = rb"[a-z][a-z0-9+.\-]*+"
_LABEL: Final = rb"[a-z0-9_\-]{1,63}+"
_HOST: Final = rb"\[[0-9a-f:]{2,39}\]|" + _LABEL + rb"(?:\." + _LABEL + rb")*+\.?"
_split = re.compile(rb"(" + _SCHEME + rb")://(" + _HOST + rb")(?::([1-9][0-9]{0,4}))?").fullmatch
_is_host = re.compile(_HOST).fullmatch
_split_loose = re.compile(rb"(" + _SCHEME + rb"://[^/?#@\s]++)/?", re.IGNORECASE).fullmatch
_find_numeric_end = re.compile(r"(?:^|\.)(?:[0-9]+|0x[0-9a-f]*)\.?\Z").search
_is_ipv4 = re.compile(r"(?:(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(?:\.(?!\Z)|\Z)){4}").fullmatch
_split_pattern = re.compile(r"([A-Za-z*][A-Za-z0-9+.\-*]*)://([^/?#]*)(.*)", re.DOTALL).fullmatch

PRIVATE_SUFFIXES: Final = frozenset(
    ("localhost", "test", "example", "invalid", "local", "internal", "localdomain", "lan", "home", "intranet", "corp")
)
"""Single labels that no registry sells (RFC 6761, RFC 6762, and what local networks use)."""
_SHARED_SUFFIXES: Final = frozenset(
    "co.uk org.uk com.au co.jp co.nz com.br co.in co.za github.io gitlab.io vercel.app netlify.app pages.dev "
    "workers.dev herokuapp.com web.app firebaseapp.com onrender.com fly.dev ngrok.io ngrok.app ngrok-free.app "
    "ngrok-free.dev trycloudflare.com azurewebsites.net cloudfront.net amplifyapp.com loca.lt surge.sh glitch.me "
    "repl.co replit.app railway.app".split()
)
"""Names below which anyone can get a name. The best known only: the Public Suffix List has ten thousand."""
_DEVIATIONS: Final = frozenset("\u00df\u03c2\u200c\u200d")
"""Sharp s, final sigma and the joiners: names that have them mean other hosts than they did to RFC 3490."""
_WITHOUT_HOST: Final = frozenset(("file", "data", "blob", "about", "javascript", "mailto"))
_PROBES: Final = (b"https://q7vx0.invalid", b"http://q7vx0.invalid:4711", b"https://q7vx0.j3k9.com")
"""Origins that no author means: a regular expression that matches one of them matches any web site."""


class Parts(NamedTuple):
    """An origin's parts as written. ``host``: IPv6 in brackets. ``port``: empty for the scheme's default."""

    scheme: bytes
    host: bytes
    port: bytes


class Pattern(NamedTuple):
    """Some origins. ``text``: normalised; parsing it again gives the same pattern.

    ``is_below``: ``host`` means all names below it, not the name itself. ``port``: empty for the scheme's default,
    ``*`` for any. ``regex``: takes the place of all of these; it must match the whole origin.
    """

    text: str
    scheme: bytes = b""
    host: bytes = b""
    port: bytes = b""
    is_below: bool = False
    regex: re.Pattern[bytes] | None = None


# -- origins -----------------------------------------------------------------------------------------------------------


def split_origin(value: bytes) -> Parts | None:
    """Return the parts of `value` if it is a tuple origin exactly as a browser serialises it, else None.

    That is scheme, host and port in lower case, the default port left out, addresses in their one canonical form, at
    most :data:`MAX_ORIGIN_BYTES` bytes (HTML, "ASCII serialization of an origin"). Linear time.
    """
    match = _split(value) if len(value) <= MAX_ORIGIN_BYTES else None
    if match is None:
        return None
    scheme, host, port = match.group(1, 2, 3)
    if port and (int(port) > MAX_PORT or _DEFAULT_SUFFIXES.get(scheme) == b":" + port):
        return None
    return Parts(scheme, host, port or b"") if _is_canonical_host(host) else None


def parse_origin(value: bytes) -> bytes | None:
    """Return `value` if it is an origin exactly as a browser serialises it (see :func:`split_origin`), else None."""
    return None if split_origin(value) is None else value


def normalised(text: bytes) -> bytes | None:
    """Return the origin that `text` means but for case, a default port and one slash at the end; else None.

    For what servers send by mistake: a browser compares bytes, so each of these costs the page its answer.
    """
    match = _split_loose(text) if len(text) <= 2 * MAX_ORIGIN_BYTES else None
    return None if match is None else parse_origin(_without_default_port(match[1].lower()))


def web_origin(scheme: str, host: bytes) -> bytes:
    """Return the serialised origin of a page at `scheme` that names `host` (a Host value, port included)."""
    return _without_default_port(scheme.lower().encode() + b"://" + host.lower().removesuffix(b":"))


def _without_default_port(origin: bytes) -> bytes:
    default = _DEFAULT_SUFFIXES.get(origin.partition(b":")[0])
    return origin if default is None else origin.removesuffix(default)


def _is_canonical_host(host: bytes) -> bool:
    """Tell whether a host of the right characters is written as the URL standard's host serialiser writes it."""
    if host.startswith(b"["):
        return _canonical_ipv6(host.decode()) == host.decode()
    if len(host) > _MAX_HOST:
        return False
    # A name whose last label is a number is an IPv4 address to a browser, which writes it as four decimal numbers.
    text = host.decode()
    return _find_numeric_end(text) is None or _is_ipv4(text) is not None


def _canonical_ipv6(text: str) -> str | None:
    """Return `text` (in brackets) as the URL standard's IPv6 serialiser writes it, or None if it is not an address.

    Not ``IPv6Address.compressed``: some versions of Python write an IPv4-mapped address with dots.
    """
    from ipaddress import AddressValueError, IPv6Address  # few origins need it

    try:
        if "%" in text:
            raise AddressValueError
        packed = IPv6Address(text[1:-1]).packed
    except AddressValueError:
        return None
    pieces = [packed[index] << 8 | packed[index + 1] for index in range(0, 16, 2)]
    written = ":".join(f"{piece:x}" for piece in pieces)
    runs = [match.span() for match in re.finditer(r"(?<![^:])0(?::0)+(?![^:])", written)]
    if runs:
        start, end = max(runs, key=lambda run: run[1] - run[0])
        written = written[:start].removesuffix(":") + "::" + written[end:].removeprefix(":")
    return f"[{written}]"


# -- patterns ----------------------------------------------------------------------------------------------------------


def parse_pattern(text: str) -> Pattern:
    """Return the pattern that `text` is, normalised: lower case, IDNA, no default port.

    ``scheme://host[:port]`` is one origin; ``*.`` before the host means one or more whole labels; the port ``*``
    is any, the implicit one included; ``regex:`` begins a regular expression that must match the whole serialised
    origin. Raises :class:`BadText` for everything else, with the reason.
    """
    if text[: len(_PREFIX)].lower() == _PREFIX:
        return _parse_regex(text[len(_PREFIX) :])
    match = _split_pattern(text) if len(text) <= 2 * MAX_ORIGIN_BYTES else None
    if match is None:
        raise _without_scheme(text)
    scheme, authority, rest = match[1].lower(), match[2], match[3]
    _check_scheme(text, scheme, f"{authority}{rest}")
    if "@" in authority:
        bare = f"{scheme}://{authority.rpartition('@')[2]}"
        raise BadText("an origin has no user name or password", f"write {quoted(bare)}")
    if rest:
        what = "a slash at its end" if rest == "/" else "a path or query"
        raise BadText(
            f"{quoted(text)} has {what}, and an origin has none", f"write {quoted(f'{scheme}://{authority}')}"
        )
    written_host, port = _split_authority(text, scheme, authority)
    is_below = written_host.startswith("*.")
    host = _parse_host(text, scheme, written_host.removeprefix("*."), is_below=is_below)
    normal = f"{scheme}://{'*.' if is_below else ''}{host}{':' + port if port else ''}"
    if len(normal) > MAX_ORIGIN_BYTES:
        raise BadText(f"an origin has at most {MAX_ORIGIN_BYTES} characters, {quoted(text)} has {len(normal)}")
    return Pattern(text=normal, scheme=scheme.encode(), host=host.encode(), port=port.encode(), is_below=is_below)


def _parse_regex(source: str) -> Pattern:
    from warnings import catch_warnings, simplefilter  # few configurations have such patterns

    if not source.isascii() or len(source) > MAX_REGEX_CHARS:
        what = f"a regular expression of origins has at most {MAX_REGEX_CHARS} characters, all of them ASCII"
        raise BadText(what, "split it into several, or write the host as xn--")
    try:
        with catch_warnings():
            simplefilter("error")  # what Python only warns about (a "possible nested set") is ambiguous
            regex = re.compile(source.encode())
    except (re.error, Warning, OverflowError, RecursionError) as error:
        raise BadText(f"{quoted(source)} is not a regular expression: {error}") from None
    # Before anything is compared: an Origin is what any web site likes.
    fault = backtracking_fault(source.encode(), MAX_ORIGIN_BYTES)
    if fault is not None:
        raise BadText(f"{quoted(source)} is too slow: {fault[0]}", fault[1])
    if (taken := next(filter(regex.fullmatch, _PROBES), None)) is not None:
        help = "name the part that is yours: 'regex:https://pr-[0-9]+\\.app\\.example'; or, if every web site may read "
        raise BadText(
            f"{quoted(source)} matches any web site, for example {taken.decode()}",
            help + "this route, set `dangerously_allow_any_origin = true`",
        )
    return Pattern(text=_PREFIX + source, regex=regex)


def _without_scheme(text: str) -> BadText:
    """Return what is wrong with a text that does not begin with a scheme."""
    if len(text) > 2 * MAX_ORIGIN_BYTES:
        return BadText(f"an origin has at most {MAX_ORIGIN_BYTES} characters, {quoted(text)} has {len(text)}")
    if text == "*":
        help = "name the origins; or, if every web site may read this route, set `dangerously_allow_any_origin = true`"
        return BadText('"*" is every web site', help)
    if text.lower() == "null":
        help = "or, if that is meant, set `dangerously_allow_null_origin = true`"
        return BadText('any web site can send "null"', f"name the origins; {help}")
    what = f"{quoted(text)} has no scheme" if text else "the origin is empty"
    bare = text.lstrip("/")
    is_host = bare and re.fullmatch(r"[\w.\-*\[\]:]+", bare)
    return BadText(what, f"write {quoted(f'http://{bare}')}" if is_host else 'for example "http://localhost:3000"')


def _check_scheme(text: str, scheme: str, rest: str) -> None:
    if "*" in scheme:
        raise BadText(
            f"{quoted(text)} has no scheme of its own",
            f"write both: {quoted(f'http://{rest}')}, {quoted(f'https://{rest}')}",
        )
    if scheme in ("ws", "wss"):
        page = "http" if scheme == "ws" else "https"
        help = f"write {quoted(f'{page}://{rest}')}: the Origin of a WebSocket is that of its page"
        raise BadText(f"no page has an origin of the scheme {scheme}", help)
    if scheme in _WITHOUT_HOST:
        help = "serve the page over http; or, if any web site may, set `dangerously_allow_null_origin = true`"
        raise BadText(f"a page of the scheme {scheme} sends `Origin: null`, as any web site can", help)


def _split_authority(text: str, scheme: str, authority: str) -> tuple[str, str]:
    """Return host and port (normalised: empty for the default) of `authority`."""
    match = re.fullmatch(r"((?:\*\.)?\[[^\]]*\]|[^:\[\]]*)(?::([^:]*))?", authority)
    if match is None:
        raise BadText(f"{quoted(text)} is not an origin", 'an IPv6 address is written "http://[::1]:8080"')
    host, port = match[1], match[2]
    if port is None or port == "*":
        return host, port or ""
    if not is_port(port):
        help = (
            f"write {quoted(f'{scheme}://{host}:*')} for any port"
            if "*" in port
            else "a port is a number from 1 to 65535"
        )
        raise BadText(f"{quoted(port)} is not a port", help)
    number = str(int(port))
    return host, "" if number == _DEFAULT_PORTS.get(scheme) else number


def _parse_host(text: str, scheme: str, host: str, *, is_below: bool) -> str:
    """Return `host` as a browser writes it; raise unless it is a name or an address that a pattern may have."""
    if host == "*":
        help = "name the hosts; or, if every web site may read this route, set `dangerously_allow_any_origin = true`"
        raise BadText(f"{quoted(text)} means every web site", help)
    if "*" in host:
        help = f'`*` stands for whole labels at the beginning: "{scheme}://*.example.test"'
        raise BadText(f"{quoted(text)} has `*` within the host", help)
    if host.startswith("["):
        canonical = None if is_below else _canonical_ipv6(host)
        if canonical is None:
            raise BadText(f"{quoted(host)} is not an IPv6 address")
        return canonical
    name = _ascii_name(host)
    if len(name) > _MAX_HOST or _is_host(name.encode()) is None:
        raise BadText(f"{quoted(host)} is not a host name" if host else "the host is missing")
    if _find_numeric_end(name):
        _check_ipv4(name, is_below=is_below)
    elif is_below:
        _check_suffix(text, name)
    return name


def ascii_name(host: str) -> str:
    """Return `host` in lower case and, where it is not ASCII, in the form that goes over the wire (RFC 3490).

    Raises ValueError where there is none, and for what browsers write in another way: with RFC 3490 ``faß`` is
    ``fass``, which is another owner's name today (UTS 46 section 7, "deviations").
    """
    name = host.lower()
    if host.isascii():
        return name
    if not _DEVIATIONS.isdisjoint(name):
        raise ValueError("a character that RFC 3490 maps to others and browsers keep")
    return name.encode("idna").decode().lower()


def _ascii_name(host: str) -> str:
    try:
        return ascii_name(host)
    except ValueError:
        help = "write its xn-- form, as the browser's console shows it for `location.origin`"
        raise BadText(f"{quoted(host)} is not a host name with one xn-- form", help) from None


def _check_ipv4(name: str, *, is_below: bool) -> None:
    if is_below:
        raise BadText(f"there are no names below the address {quoted(name)}", "name the address itself")
    if not _is_ipv4(name):
        help = 'a browser writes an address as four numbers: "127.0.0.1"'
        raise BadText(f"{quoted(name)} is not how a browser writes an IPv4 address", help)


def _check_suffix(text: str, name: str) -> None:
    bare = name.removesuffix(".")
    if ("." not in bare and bare not in PRIVATE_SUFFIXES) or bare in _SHARED_SUFFIXES:
        help = "name at least one label that is yours; `regex:` can say what its name looks like"
        raise BadText(
            f"{quoted(text)} matches other people's web sites: names below {quoted(bare)} are open to all", help
        )


# -- sets --------------------------------------------------------------------------------------------------------------


class OriginSet:
    """Patterns, compiled. Immutable; a look-up costs a fixed number of steps and one more per ``*.`` and ``regex:``."""

    __slots__ = ("_any_port", "_below", "_exact", "_regexes")

    def __init__(self, patterns: Iterable[Pattern]) -> None:
        self._exact: dict[Parts, str] = {}
        self._any_port: dict[tuple[bytes, bytes], str] = {}
        self._below: list[tuple[bytes, bytes, bytes, str]] = []
        self._regexes: list[tuple[re.Pattern[bytes], str]] = []
        for pattern in patterns:
            if pattern.regex is not None:
                self._regexes.append((pattern.regex, pattern.text))
            elif pattern.is_below:
                self._below.append((pattern.scheme, b"." + pattern.host, pattern.port, pattern.text))
            elif pattern.port == b"*":
                self._any_port.setdefault((pattern.scheme, pattern.host), pattern.text)
            else:
                self._exact.setdefault(Parts(pattern.scheme, pattern.host, pattern.port), pattern.text)

    def rule_for(self, origin: bytes) -> str | None:
        """Return the text of the pattern that takes `origin` (as it came in the field), or None."""
        parts = split_origin(origin)
        if parts is None:
            return None
        rule = self._exact.get(parts) or self._any_port.get((parts.scheme, parts.host))
        if rule is not None:
            return rule
        for scheme, ending, port, text in self._below:
            # The ending begins with a dot, and no label of a host is empty, so what comes before it is whole labels.
            if parts.scheme == scheme and parts.host.endswith(ending) and port in (b"*", parts.port):
                return text
        return next((text for regex, text in self._regexes if regex.fullmatch(origin)), None)


LOOPBACK: Final = OriginSet(
    Pattern(
        text=f"{scheme}://{below}{host}:*", scheme=scheme.encode(), host=host.encode(), port=b"*", is_below=below != ""
    )
    for scheme in ("http", "https")
    for below, host in (("", "localhost"), ("*.", "localhost"), ("", "127.0.0.1"), ("", "[::1]"))
)
"""Every page that a server on this machine serves, by whatever port: the default of a CORS policy."""
