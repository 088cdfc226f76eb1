"""Redirects that lead a browser back to the URL that it asked for, again and again: found, and the line that ends them.

Pure. One such redirect is no fault: it may set a cookie and be done. So they are counted (:class:`RedirectLoops`), by
client and URL, in bounded memory. Usually a server insists on https, and a proxy in front of devproxy speaks it, but
one of them does not say so or is not believed. Start at :func:`way_back`.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto
from typing import Final, NamedTuple

from devproxy.authority.origins import web_origin
from devproxy.http.fields import Field, elements_of
from devproxy.text.safe import visible

TIMES: Final = 5
"""How many redirects of a client from one URL to itself are a loop. Browsers and curl follow 20 and more."""
TIMES_WITH_COOKIE: Final = 10
"""The same where each sets a cookie that the request did not have: that may be a first visit each time."""
WITHIN_S: Final = 10.0
MAX_URLS: Final = 64
"""URLs that are counted at a time; one more takes the place of that which was met first."""
_MAX_LOCATION_BYTES: Final = 8192
_SHOWN: Final = 120


class Way(Enum):
    """How the URL that is redirected to differs from the one that was asked for."""

    SAME = auto()
    TO_HTTPS = auto()
    TO_HTTP = auto()


def way_back(front: bytes, asked: bytes, location: bytes) -> Way | None:
    """Return how `location` leads a browser back to `asked`, a path with its query, at `front`, a serialised origin.

    None: it leads elsewhere, or in a way that is not worth working out. Linear in the lengths.
    """
    reference = location.partition(b"#")[0]
    if len(reference) > _MAX_LOCATION_BYTES:
        return None
    scheme, _, authority = front.partition(b"://")
    head, separator, rest = reference.partition(b"://")
    if separator and head.lower() in (b"http", b"https"):
        to, target = head.lower(), rest
    elif reference.startswith(b"//"):
        to, target = scheme, reference[2:]
    else:
        return Way.SAME if _resolved(asked, reference) == asked else None
    host, slash, path = target.partition(b"/")
    if b"?" in host:
        host, _, query = host.partition(b"?")
        slash, path = b"/?", query + slash + path
    if (slash or b"/") + path != asked:
        return None
    if web_origin(to.decode(), host) == front:
        return Way.SAME
    if to == scheme or web_origin(to.decode(), host).partition(b"://")[2] != authority:
        return None
    return Way.TO_HTTPS if to == b"https" else Way.TO_HTTP


def _resolved(asked: bytes, reference: bytes) -> bytes:
    """Return the path and query that `reference`, a relative one, means at `asked` (RFC 3986 section 5.2.2).

    Nothing where there are dot segments, which need more than is worth doing here.
    """
    path = asked.partition(b"?")[0]
    if not reference:
        return asked
    if reference.startswith(b"?"):
        return path + reference
    if reference.startswith(b"/"):
        return reference
    if b"./" in reference or reference.startswith(b".") or b":" in reference:
        return b""
    return path[: path.rindex(b"/") + 1] + reference if b"/" in path else b""


class RedirectLoops:
    """Counts redirects that lead back, by client and URL. Holds a bounded number of small entries."""

    __slots__ = ("_met",)

    def __init__(self) -> None:
        self._met: dict[int, tuple[float, int]] = {}

    def meets(self, client: str, url: bytes, now_s: float, *, times: int = TIMES) -> bool:
        """Take note of a redirect of `client` from `url` to itself; tell whether that makes `times` within
        ``WITHIN_S`` seconds. True once for each loop.
        """
        key = hash((client, url))
        first_s, count = self._met.pop(key, (now_s, 0))
        if now_s - first_s > WITHIN_S:
            first_s, count = now_s, 0
        if len(self._met) >= MAX_URLS:
            del self._met[next(iter(self._met))]
        self._met[key] = (first_s, count + 1)
        return count + 1 == times


_STATES_SCHEME: Final = frozenset(
    b"x-forwarded-proto x-forwarded-scheme x-forwarded-protocol x-forwarded-ssl x-url-scheme x-scheme x-proto "
    b"front-end-https forwarded cloudfront-forwarded-proto cf-visitor".split()
)
"""Fields by which proxies say that a request came to them by https."""


def says_https(fields: Sequence[Field]) -> bool:
    """Tell whether one of `fields` says that the request came by https. Any client can: only advice depends on it."""
    for field in fields:
        if field.name in _STATES_SCHEME:
            value = field.value.lower()
            if b"https" in value or elements_of(value)[:1] == [b"on"]:
                return True
    return False


class Loop(NamedTuple):
    """What is known of a loop. ``url``: that was asked for, as the browser knows it as far as devproxy can tell.

    ``peer``: the address that the requests come from; ``is_trusted``: it is one of ``trusted``, as written in
    ``trusted_proxies``. ``says_https``: requests say that they came by https. ``has_tls``: devproxy speaks TLS.
    ``names_itself``: the server named its own address, which was brought back to the front; ``keeps_host``: it is sent
    the Host of the front. ``is_own``: devproxy itself redirects.
    """

    way: Way
    url: bytes
    peer: str
    trusted: tuple[str, ...]
    is_trusted: bool
    says_https: bool
    has_tls: bool
    names_itself: bool = False
    keeps_host: bool = False
    is_own: bool = False


_HEED: Final = (
    "let the server believe `X-Forwarded-Proto`: Django "
    '`SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")`, '
    "Express `app.set('trust proxy', 'loopback')`, Rails `config.assume_ssl = true`, uvicorn `--forwarded-allow-ips`, "
    "Spring `server.forward-headers-strategy=framework`, Laravel `trustProxies`"
)
_SAY_SO: Final = (
    "let that proxy say so: nginx `proxy_set_header X-Forwarded-Proto $scheme;`, HAProxy "
    "`http-request set-header X-Forwarded-Proto https if { ssl_fc }`"
)


def advice_on_loop(loop: Loop) -> str:
    """Return what goes round, and the line that ends it."""
    who = "devproxy" if loop.is_own else "the server"
    shown = visible(loop.url, _SHOWN)
    what = f"a redirect goes round: {who} sends {shown} to {_WHERE[loop.way]}, again and again."
    return f"{what} Fix: {_fix(loop)}."


_WHERE: Final = {
    Way.SAME: "the same URL",
    Way.TO_HTTPS: "the same URL by https, and it comes back as plain http",
    Way.TO_HTTP: "the same URL by plain http, and it comes back by https",
}


def _fix(loop: Loop) -> str:
    if loop.says_https and not loop.is_trusted:
        who = f"a proxy at {loop.peer} says that it is asked by https, and is not believed"
        return f"{who}: write {_trust(loop)} in [server]"
    if loop.way is Way.TO_HTTPS:
        if loop.is_own:
            return f"if a proxy in front speaks https, {_SAY_SO}; or write `tls = false` in [server]"
        if loop.has_tls:
            return _HEED
        return f"write `tls = true` in [server]. If a proxy in front speaks https already, {_SAY_SO}"
    if loop.way is Way.TO_HTTP:
        return f"{_HEED}; or, to stay with plain http, write `tls = false` in [server]"
    if loop.names_itself and loop.keeps_host:
        return 'the server means its own address: write `host = "upstream"` in this route'
    if loop.url.startswith(b"https:"):
        return f"the server was told `X-Forwarded-Proto: https`; {_HEED}"
    return (
        "look at the server's own rules for redirects (https, one host name, a slash at the end), and whether the "
        "browser keeps the cookie that it sets"
    )


def _trust(loop: Loop) -> str:
    from devproxy.authority.networks import is_loopback  # few loops go round

    new = "loopback" if loop.peer == "unix" or is_loopback(loop.peer) else loop.peer
    return f"""`trusted_proxies = [{", ".join(f'"{one}"' for one in (*loop.trusted, new))}]`"""
