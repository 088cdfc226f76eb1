"""One route's ``cookies`` -> :class:`~devproxy.config.model.Cookies`.

Pure. Works on a table that ``shape`` has passed. Never looks at a cookie (``policy.cookies`` does). Standard: RFC
6265bis, sections 5.6.3 (Domain) and 4.1.3 (names that begin with a promise). Start at :func:`build_cookies`.
"""

from __future__ import annotations

from typing import Any, Final

from devproxy.config.addresses import check_domain
from devproxy.config.keys import values
from devproxy.config.model import KEEP_DOMAIN, Cookies, SecureRule
from devproxy.config.problems import Path, Problems
from devproxy.config.tokens import is_token
from devproxy.text.bad import BadText
from devproxy.text.safe import quoted

Table = dict[str, Any]

MAX_PREFIX: Final = 40
"""Longest prefix of names, in characters: names and values share 4096 bytes."""

ANY_DOMAIN: Final = "*"
"""In a table of Domains: every one without its own line."""
_RESERVED: Final = ("__host-", "__secure-", "__http-")
"""How names begin that promise something about their cookie."""


def build_cookies(table: Table | None, path: Path, problems: Problems) -> Cookies:
    """Return what `table` at `path` says about ``Set-Cookie``; None: nothing."""
    if table is None:
        return Cookies()
    domain, domain_map = _domain(table, path, problems)
    problems.read(_check_prefix, table.get("prefix", ""), (*path, "prefix"))
    written = table.get("secure")
    secure = None if written is None else SecureRule(str(written).lower() if isinstance(written, bool) else written)
    return Cookies(domain=domain, domain_map=domain_map, secure=secure, **values(table, "routes.*.cookies"))


def _domain(table: Table, path: Path, problems: Problems) -> tuple[str | None, tuple[tuple[str, str], ...]]:
    """Return the one domain for all others, which ``*`` is in a table, and the new ones by the old ones."""
    written = table.get("domain")
    place = (*path, "domain")
    if written is None:
        return None, ()
    if isinstance(written, str):
        return written if written == KEEP_DOMAIN else _checked(written, place, problems), ()
    found: dict[str, str] = {}
    other: str | None = None
    for old, new in written.items():
        if old == ANY_DOMAIN:
            other = _checked(new, (*place, old), problems)
            continue
        problems.read(check_domain, old, (*place, old), at_key=True)
        name = old.lower().removeprefix(".")
        if name in found:
            what = f"{quoted(old)} is listed twice: neither case nor a leading dot matters"
            problems.at_key((*place, old), what, "keep one of them")
        found[name] = _checked(new, (*place, old), problems)
    return other, tuple(found.items())


def _checked(domain: str, path: Path, problems: Problems) -> str:
    """Return `domain` in lower case; empty means that the attribute goes."""
    if domain:
        problems.read(check_domain, domain, path)
    return domain.lower()


def _check_prefix(prefix: str) -> None:
    if len(prefix) > MAX_PREFIX:
        raise BadText(f"the prefix of cookies has at most {MAX_PREFIX} characters, this one has {len(prefix)}")
    if prefix and not is_token(prefix):
        help = 'letters, digits, ".", "-" and "_", for example "shop."'
        raise BadText(f"{quoted(prefix)} cannot begin the name of a cookie", help)
    if prefix.lower().startswith(_RESERVED):
        what = f"{quoted(prefix)} cannot begin the name of every cookie: it makes a promise that few cookies keep"
        raise BadText(what, 'for example "shop."')
