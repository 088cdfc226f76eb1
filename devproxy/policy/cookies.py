"""Cookies of a route: ``Set-Cookie`` repaired on the way down, names undone on the way up, and a browser's verdict.

Pure. Owns which attribute becomes what, and why; never the number or the order of lines, never a cookie's value, and
never a byte of an attribute that no rule touches. Standard: RFC 6265bis (draft-ietf-httpbis-rfc6265bis-22), sections
5.6 (parsing), 5.7 (what a browser keeps), 4.1.3 (name prefixes) and 5.1.3 (domain-match). Where Chromium differs it is
followed: ``tests/e2e/test_cookies_chromium.py`` holds both together. Start at :func:`repair`.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from devproxy.config.model import KEEP_DOMAIN, Cookies, Route, SameSiteRule, SecureRule
from devproxy.http.edits import FieldRepair
from devproxy.http.fields import Field, is_token
from devproxy.policy.mount import Mount, mount_of
from devproxy.policy.set_cookie import (
    MAX_ATTRIBUTE_BYTES,
    NO_DOMAIN,
    RESERVED,
    SetCookie,
    broken_promise,
    is_reserved,
    shown,
    split_pair,
)

MARK: Final = b"insecure-"
"""Put before a name such as ``__Host-sid`` if the cookie cannot keep what such a name promises."""

MAX_PAIR_BYTES: Final = 4096
"""Longest name and value, together, that a browser keeps (section 5.6)."""

_WHITESPACE: Final = b" \t"
_is_marked = re.compile(rb"(?:" + MARK + rb")++" + RESERVED).match
_is_domain = re.compile(rb"[A-Za-z0-9._:\[\]-]*+").fullmatch
_is_cookie_path = re.compile(rb"[\x21-\x3a\x3c-\x7e]*+").fullmatch
_is_loopback = re.compile(rb"(?:.+\.)?localhost\.?|127(?:\.[0-9]{1,3}){3}|\[::1\]").fullmatch
_is_address = re.compile(rb"[0-9]{1,3}(?:\.[0-9]{1,3}){3}|\[.*\]").fullmatch


class CookieRules(NamedTuple):
    """The cookie rules of a route, compiled. ``mount``: by which a Path is mapped, or None: it stays.

    With no ``domain_map``, and by default, it does nothing.
    """

    domain_map: dict[bytes, bytes]
    domain: bytes | None = None
    mount: Mount | None = None
    secure: SecureRule = SecureRule.KEEP
    same_site: SameSiteRule = SameSiteRule.KEEP
    prefix: bytes = b""

    @property
    def demotes(self) -> bool:
        """Whether names with a reserved prefix get :data:`MARK` where the cookie breaks what the prefix asks for."""
        return self.secure in (SecureRule.AUTO, SecureRule.NEVER)

    @property
    def renames(self) -> bool:
        """Whether names change on the way down, and back on the way up."""
        return self.demotes or self.prefix != b""


class Front(NamedTuple):
    """Where a page's request went. ``host``: lower case, without port; IPv6 in brackets. See :func:`front_of`."""

    scheme: str
    host: bytes


def front_of(scheme: str, host: bytes) -> Front:
    """Return the front that a request reached by `scheme` (``http`` or ``https``) with `host`, the value of Host."""
    name = host[: host.find(b"]") + 1] if host.startswith(b"[") else host.partition(b":")[0]
    return Front(scheme, name.lower())


def compile_cookies(
    cookies: Cookies, route: Route, *, is_public: bool = False, has_tls: bool = False
) -> CookieRules | None:
    """Return the rules of `cookies` for `route`, or None when there is nothing to do.

    `is_public`: for a server in public, whose cookies are for its own name and for HTTPS: what is not written is
    repaired. `has_tls`: the front speaks HTTPS too, so `secure` that is not written follows its scheme. Raises
    ValueError for a prefix that cannot begin a name or that promises something (``__Host-``), and for a domain that no
    attribute holds.
    """
    if cookies.prefix and (not is_token(cookies.prefix.encode()) or is_reserved(cookies.prefix.encode())):
        raise ValueError(f"cookies.prefix: {cookies.prefix!r} cannot begin the name of every cookie")
    domain = cookies.domain
    if domain is None and is_public and not cookies.domain_map:
        domain = ""
    for name in (domain or "", *(new for _, new in cookies.domain_map)):
        if not _is_domain(name.encode()):
            raise ValueError(f"cookies.domain: {name!r} cannot be a Domain")
    rules = CookieRules(
        domain=None if domain in (None, KEEP_DOMAIN) else domain.encode(),
        domain_map={old.encode(): new.encode() for old, new in cookies.domain_map},
        mount=_mount(route) if cookies.maps_path else None,
        secure=cookies.secure or (SecureRule.AUTO if is_public or has_tls else SecureRule.KEEP),
        same_site=cookies.same_site or (SameSiteRule.AUTO if is_public else SameSiteRule.KEEP),
        prefix=cookies.prefix.encode(),
    )
    return None if rules == CookieRules({}) else rules


def _mount(route: Route) -> Mount | None:
    """Return where the Paths of `route` are, as far as they change there and a browser can know them."""
    mount = mount_of(route)
    # A path may contain a semicolon, but it ends an attribute; what is not ASCII a browser would not recognise.
    return None if mount is None or mount.base == mount.prefix or not _is_cookie_path(mount.prefix) else mount


# -- down --------------------------------------------------------------------------------------------------------------


def repair(rules: CookieRules, field: Field, *, outer: bytes = b"", is_https: bool = False) -> FieldRepair | None:
    """Return what the Set-Cookie line `field` becomes, or None when it goes on as it is. No reason holds its value.

    `outer`: the prefix that a proxy in front of devproxy removes. `is_https`: the browser speaks HTTPS to the front,
    which ``auto`` follows.
    A line that no browser can read (empty, or with a tab within a name or value) goes on as it is. Raises nothing.
    """
    lead, colon, value = field.line.partition(b":")
    cookie = SetCookie(lead + colon, value)
    if cookie.is_malformed:
        return None
    _repair_domain(rules, cookie)
    _repair_path(rules, cookie, outer)
    _choose_same_site(rules, cookie)
    _repair_secure(rules, cookie, is_https=is_https)
    if rules.demotes or rules.same_site is SameSiteRule.AUTO:
        _repair_what_needs_secure(rules, cookie)
    _repair_name(rules, cookie)
    return FieldRepair(cookie.line(), tuple(cookie.reasons)) if cookie.reasons else None


def _repair_domain(rules: CookieRules, cookie: SetCookie) -> None:
    old = cookie.get(b"domain")
    if not old:
        return  # an empty one means the same as none
    new = rules.domain_map.get(old.removeprefix(b".").lower(), rules.domain)
    if new == b"":
        cookie.remove(b"domain", f"Domain={shown(old)} was removed (cookies.domain)")
    elif new is not None and new != old:
        cookie.put(b"Domain", new, f"Domain={shown(old)} became {shown(new)} (cookies.domain)")


def _repair_path(rules: CookieRules, cookie: SetCookie, outer: bytes) -> None:
    """Bring a Path back below the route's prefix. ``/`` stays: it means the whole site, in the one origin too."""
    old = cookie.get(b"path")
    if rules.mount is None or not old or old == b"/" or not old.startswith(b"/"):
        return  # what is not a path means the folder of the requested address
    found = rules.mount.front_path(old, outer)
    new = old if found is None else found or b"/"
    if new != old and len(new) <= MAX_ATTRIBUTE_BYTES:
        cookie.put(b"Path", new, f"Path={shown(old)} became {shown(new)}, as the route rewrites paths")


def _choose_same_site(rules: CookieRules, cookie: SetCookie) -> None:
    if rules.same_site in (SameSiteRule.KEEP, SameSiteRule.AUTO):
        return
    wanted = rules.same_site.value.encode()
    old = cookie.get(b"samesite")
    if old is None or old.lower() != wanted:
        written = wanted.capitalize()
        cookie.put(b"SameSite", written, f'SameSite became {shown(written)} (cookies.same_site = "{rules.same_site}")')


def _repair_secure(rules: CookieRules, cookie: SetCookie, *, is_https: bool) -> None:
    has_it = cookie.has(b"secure")
    match rules.secure:
        case SecureRule.NEVER if has_it:
            cookie.remove(b"secure", "Secure was removed (cookies.secure = false)")
        case SecureRule.ALWAYS if not has_it:
            cookie.put(b"Secure", None, "Secure was added (cookies.secure = true)")
        case SecureRule.AUTO if has_it and not is_https:
            cookie.remove(
                b"secure", 'Secure was removed: devproxy is reached over plain http (cookies.secure = "auto")'
            )
        case SecureRule.AUTO if not has_it and is_https and (why := _need_of_secure(cookie)):
            cookie.put(b"Secure", None, f'Secure was added: {why} needs it (cookies.secure = "auto")')


def _need_of_secure(cookie: SetCookie) -> str:
    """Say what in `cookie` browsers accept with Secure only; empty for nothing."""
    if (cookie.get(b"samesite") or b"").lower() == b"none":
        return "SameSite=None"
    if cookie.has(b"partitioned"):
        return "Partitioned"
    return f"the name {shown(cookie.name)}" if is_reserved(cookie.name) else ""


def _repair_what_needs_secure(rules: CookieRules, cookie: SetCookie) -> None:
    """Keep a cookie without Secure acceptable: ``SameSite=None`` becomes ``Lax``, ``Partitioned`` goes.

    A ``same_site`` that the route names is kept, whatever browsers do with it.
    """
    if cookie.has(b"secure"):
        return
    is_ours = rules.same_site in (SameSiteRule.KEEP, SameSiteRule.AUTO)
    if is_ours and (cookie.get(b"samesite") or b"").lower() == b"none":
        cookie.put(b"SameSite", b"Lax", "SameSite=None became Lax: browsers accept None only with Secure")
    if rules.demotes and cookie.has(b"partitioned"):
        cookie.remove(b"partitioned", "Partitioned was removed: browsers accept it only with Secure")


def _repair_name(rules: CookieRules, cookie: SetCookie) -> None:
    if rules.prefix:
        cookie.rename(rules.prefix + cookie.name, "the route's prefix was put before the name (cookies.prefix)")
    if not rules.demotes:
        return
    if missing := broken_promise(cookie):
        why = f"{shown(cookie.name)} asks for {missing}, and browsers refuse a cookie that breaks that"
        cookie.rename(MARK + cookie.name, f"{shown(MARK)} was prepended: {why}")
    elif _is_marked(cookie.name):
        # A server's own name that looks like one of ours: one more mark, so that undoing gives it back.
        cookie.rename(
            MARK + cookie.name, f"{shown(MARK)} was prepended: it looks like a name that devproxy has changed"
        )


# -- up ----------------------------------------------------------------------------------------------------------------


def restore(rules: CookieRules, field: Field) -> bytes | None:
    """Return the Cookie line that goes up for `field`: None when as it is, empty when no line goes up.

    Where the route has a prefix, only cookies that have it go up: the others are another project's, or the page's own.
    Of a name in both forms, the one that was repaired here goes up. Spacing and order stay as they were.
    """
    if not rules.renames:
        return None
    lead, colon, value = field.line.partition(b":")
    pieces = value.split(b";")
    restored = [(new, new is old) for old in pieces if (new := _restored(rules, old)) is not None]
    repaired = {split_pair(piece)[0] for piece, is_same in restored if not is_same}
    kept = [piece for piece, is_same in restored if not (is_same and split_pair(piece)[0] in repaired)]
    if kept == pieces:
        return None
    return lead + colon + b";".join(kept) if any(piece.strip(_WHITESPACE) for piece in kept) else b""


def _restored(rules: CookieRules, piece: bytes) -> bytes | None:
    """Return a pair of a Cookie line as the upstream knows it, `piece` itself when that is it, None for not at all."""
    name, value = split_pair(piece)
    known = name.removeprefix(MARK) if rules.demotes and _is_marked(name) else name
    if not known.startswith(rules.prefix):
        return None
    known = known[len(rules.prefix) :]
    if known == name:
        return piece
    lead = piece[: len(piece) - len(piece.lstrip(_WHITESPACE))]
    # A cookie without a name is sent as its value alone (section 5.8.3), unless that would read as name and value.
    return lead + (known + b"=" + value if known or b"=" in value else value)


# -- a browser's verdict -----------------------------------------------------------------------------------------------


def browser_verdict(set_cookie_value: bytes, *, front: Front) -> str:
    """Say why a browser refuses this cookie on `front` and what to write about it; empty when it takes it.

    One sentence, without a full stop; the first reason of several. As Chromium judges a same-site response: whatever
    is on loopback counts as secure. Not judged: what depends on other cookies or on the page, and public suffixes of
    several labels (``co.uk``), for which a browser has a list.
    """
    cookie = SetCookie(b"", set_cookie_value)
    if cookie.is_malformed:
        return "browsers refuse a Set-Cookie that is empty or has a control character in it: fix it where it is set"
    if not cookie.name and is_reserved(cookie.value):
        return "browsers refuse a cookie without a name whose value begins like `__Host-`: fix it where it is set"
    why = _oversize(cookie) or _foreign_domain(cookie, front) or _insecure(cookie, front) or _unkept(cookie)
    return f"browsers refuse the cookie {shown(cookie.name)}: {why}" if why else ""


def _oversize(cookie: SetCookie) -> str:
    size = len(cookie.name) + len(cookie.value)
    is_within = size <= MAX_PAIR_BYTES
    return (
        ""
        if is_within
        else f"name and value have {size} bytes, and {MAX_PAIR_BYTES} are allowed; keep the data on the server"
    )


def _foreign_domain(cookie: SetCookie, front: Front) -> str:
    domain = (cookie.get(b"domain") or b"").lower()
    name = domain.removeprefix(b".")
    if not domain or name == front.host:
        return ""
    # A single label is a public suffix: no host but itself may use it, so `localhost` does not cover `app.localhost`.
    if b"." in name.strip(b".") and front.host.endswith(b"." + name) and not _is_address(front.host):
        return ""
    return f'Domain={shown(domain)} does not cover {shown(front.host)}; add cookies.domain = ""'


def _insecure(cookie: SetCookie, front: Front) -> str:
    if front.scheme == "https" or _is_loopback(front.host) or not cookie.has(b"secure"):
        return ""
    return f'it has Secure, and {shown(front.host)} was reached over plain http; add cookies.secure = "auto"'


def _unkept(cookie: SetCookie) -> str:
    """Say what `cookie` has, or is called, that needs another attribute which it has not."""
    if missing := broken_promise(cookie):
        fix = 'cookies.domain = ""' if missing == NO_DOMAIN else 'cookies.secure = "auto"'
        return f"its name asks for {missing}; add {fix}"
    if cookie.has(b"secure"):
        return ""
    if (cookie.get(b"samesite") or b"").lower() == b"none":
        return 'SameSite=None needs Secure; add cookies.same_site = "auto"'
    return 'Partitioned needs Secure; add cookies.secure = "auto"' if cookie.has(b"partitioned") else ""
