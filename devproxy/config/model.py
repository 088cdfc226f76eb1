"""The configuration as values, and what each key of the file means. Built only by :func:`devproxy.config.load`.

Units are in the names. A key is declared once, on its field: the annotation says what it means and what it may be, the
field its type and default. ``keys`` reads the annotations when a file is read; here they cost nothing. The rules of a
route (CORS, cookies, headers, faults) are in ``policies``, and can be had from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final

from devproxy.config.policies import KEEP_DOMAIN as KEEP_DOMAIN
from devproxy.config.policies import Cookies as Cookies
from devproxy.config.policies import Cors as Cors
from devproxy.config.policies import CorsMode as CorsMode
from devproxy.config.policies import Fault as Fault
from devproxy.config.policies import HeaderEdits as HeaderEdits
from devproxy.config.policies import PreflightMode as PreflightMode
from devproxy.config.policies import SameSiteRule as SameSiteRule
from devproxy.config.policies import SecureRule as SecureRule

if TYPE_CHECKING:
    from devproxy.config.key import Key, Type, path_pattern, seconds

MAX_TARGET_BYTES: Final = 1 << 20
"""What ``max_target_bytes`` can be at most."""


class PathKind(StrEnum):
    """How a route's path pattern is compared with the raw path of a request (without its query)."""

    EXACT = "path_exact"
    PREFIX = "path"
    GLOB = "path_glob"
    REGEX = "path_regex"


class Sticky(StrEnum):
    """What keeps a client at the server that it began with."""

    NONE = "none"
    SOCKETIO = "socketio"
    COOKIE = "cookie"


class Scheme(StrEnum):
    """How a server is spoken to."""

    HTTP = "http"
    HTTPS = "https"
    UNIX = "unix"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listen:
    """An address to listen on: ``host`` is a name, an IP address or ``""`` for all; port 0: the system's choice."""

    host: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerAddress:
    """One server of an upstream. ``url``: as shown to people. ``path``: of the socket, for ``unix`` only."""

    scheme: Scheme
    host: str
    port: int
    url: str
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """A named set of servers that answer alike."""

    name: str
    servers: Annotated[
        tuple[ServerAddress, ...],
        Key(
            "URLs of servers that answer alike: `http://host:port`, `https://host:port` or `unix:/path.sock`, "
            "without a path. `localhost` and names below it are tried as ::1 and 127.0.0.1. More than one: the one "
            "with fewest requests running.",
            types=(Type.LIST,),
            required=True,
            example='["http://localhost:3001"]',
            pattern="^[A-Za-z]+:/",
        ),
    ]
    tls_verify: Annotated[
        bool,
        Key(
            "Whether the certificate of an `https` server is checked. `false` accepts any; to trust an authority "
            "of your own instead, start devproxy with `SSL_CERT_FILE=/path/to/ca.pem`."
        ),
    ] = True
    sticky: Annotated[
        Sticky,
        Key(
            "With more than one server: what keeps a client at the server it began with. `socketio`: the session "
            "of Engine.IO, `sid` in the query; also among several processes behind one address. `cookie`: a cookie "
            "that devproxy sets.",
            example='"socketio"',
        ),
    ] = Sticky.NONE
    hold_s: Annotated[
        float,
        seconds(
            "For how long after a server that was up has gone safe requests and WebSocket handshakes wait for it; 0: "
            "they get 503 at once, as all others do.",
            maximum=600,
        ),
    ] = 10.0
    connect_timeout_s: Annotated[
        float,
        seconds(
            "How long connecting may take, TLS included, before the client gets 504; 0: as long as the system tries."
        ),
    ] = 5.0
    response_timeout_s: Annotated[
        float,
        seconds(
            "How long a server may take from the end of the request to its response head before the client gets 504; "
            "0: for ever, which long-polling and breakpoints need."
        ),
    ] = 0.0
    idle_timeout_s: Annotated[
        float,
        seconds(
            "How long an unused connection is kept for the next request, where the server does not announce it itself "
            "(`Keep-Alive: timeout`). Should be less than the server keeps it (Node: 5 s). 0: not at all."
        ),
    ] = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Which requests, to which upstream, under which rules.

    ``host`` and ``origin``: ``auto``, ``keep``, ``upstream``, ``remove`` (origin only), or the value to send.
    ``rewrite``: what the matched prefix is replaced by; ``strip_prefix`` is ``rewrite = "/"``, so None means neither.
    ``guard``: requests from foreign web sites are refused. ``form_post``: patterns of origins whose pages may post a
    form here all the same, ``null`` for those that hide theirs. ``maps_redirects``: ``Location`` and its like that
    point at an upstream come back to the one origin. ``line``: where the route starts in its file, 1-based; 0 when it
    came from the command line.
    """

    kind: PathKind
    pattern: Annotated[
        str,
        path_pattern(
            "Matches by prefix, in whole segments: `/api` and `/api/` both take `/api` and everything below `/api/`, "
            "and neither takes `/apikey`.",
            '"/api/"',
            name="path",
        ),
        path_pattern("Matches this path and no other.", '"/favicon.ico"', name="path_exact"),
        path_pattern(
            "Matches the whole path: `*` is any run of characters within a segment, `**` any run of characters, `?` "
            "one character that is not a slash.",
            '"/assets/**.map"',
            name="path_glob",
        ),
        path_pattern(
            "Matches the whole path by a regular expression in Python's syntax (`re.fullmatch`). One that some path "
            "would keep busy, such as `/.*/.*/x`, is refused: write `/[^/]*/` for `/.*/`.",
            "'/v[0-9]+/.*'",
            "",
            name="path_regex",
        ),
    ]
    upstream: Annotated[
        str,
        Key("The name of the upstream, as written below `[upstreams]`.", required=True, example='"backend"'),
    ]
    methods: Annotated[
        tuple[str, ...],
        Key(
            "Only requests with one of these methods, of which `GET` includes HEAD; empty: any.",
            example='["GET", "HEAD"]',
        ),
    ] = ()
    match_host: Annotated[
        tuple[str, ...],
        Key(
            "Only requests whose Host is one of these names, compared without port; `*.name` is any name below "
            "`name`. Empty: any. (What is sent upstream is `host`.)",
            types=(Type.STRING, Type.LIST),
            default=[],
            example='["app.test", "*.app.test"]',
        ),
    ] = ()
    match_headers: Annotated[
        tuple[tuple[str, str], ...],
        Key("Only requests with all of these header fields.", default={}, example='{ X-Tenant = "blue*" }'),
        Key(
            'A glob for the field\'s value: `*` is any run of characters, `?` any one. `"*"`: present.',
            name="match_headers.*",
            types=(Type.STRING,),
            example='"blue*"',
        ),
    ] = ()
    rewrite: Annotated[
        str | None,
        Key(
            'Whether the matched path is cut off before the request goes upstream: with `path = "/api/"`, '
            '`/api/users` arrives as `/users`. Short for `rewrite = "/"`. Only with `path` and `path_exact`.',
            name="strip_prefix",
            types=(Type.BOOLEAN,),
            default=False,
        ),
        Key(
            'What the matched path is replaced by: with `path = "/api/"` and `rewrite = "/v1/"`, `/api/users` '
            "arrives as `/v1/users`. Only with `path` and `path_exact`, not together with `strip_prefix`.",
            example='"/v1/"',
            pattern="^/",
        ),
    ] = None
    host: Annotated[
        str,
        Key(
            "The Host sent upstream: `keep` (as the browser sent it), `upstream` (the server's own) or a name. "
            "`auto`: `upstream` for a server with a public name or address, `keep` for one of this machine, of a "
            "private network, or with a name that no registry sells (without a dot, `.local`, `.internal`, `.test`). "
            "With `upstream`, a server that compares the Origin with the Host, as Django does, needs "
            '`origin = "upstream"` too.',
            example='"upstream"',
        ),
    ] = "auto"
    origin: Annotated[
        str,
        Key(
            "The Origin sent upstream when the browser sent one: `keep`, `upstream` (the server's own), `remove` "
            "or an origin such as `http://localhost:3001`. `auto`: `upstream` for a public server that is sent its own "
            "Host, and for hot reload of devproxy's own pages; else `keep`.",
            example='"http://localhost:3001"',
        ),
    ] = "auto"
    guard: Annotated[
        bool,
        Key(
            "Whether requests that a foreign web site causes are refused (403): those from origins that `cors` "
            "does not welcome, and forms that `form_post` does not. Links, and requests that no browser sends, pass."
        ),
    ] = True
    form_post: Annotated[
        tuple[str, ...],
        Key(
            "Origins whose pages may post a form here though they are another site: logins that come back that way "
            "(`response_mode=form_post`, SAML). Written as `origins` of `cors`, which they do not change. Browsers "
            'hide the origin of an `https` page from plain http (`Origin: null`, which `"null"` lets in by itself). So '
            "an `https` origin lets in the forms of every page that is hidden: give the callback a route of its own.",
            example='["https://login.example"]',
        ),
    ] = ()
    maps_redirects: Annotated[
        bool,
        Key(
            "`map`: `Location`, `Content-Location`, `Refresh` and `Link` that point at an upstream come back to "
            "the one origin. `keep`: they stay as they are.",
            name="redirects",
            words={"map": True, "keep": False},
            example='"keep"',
        ),
    ] = True
    cors: Annotated[
        Cors,
        Key(
            "Which pages of other origins may read what this route answers. Short form: the mode. Long form: a table.",
            types=(Type.STRING, Type.TABLE),
            choices=tuple(mode.value for mode in CorsMode),
            example='"passthrough"',
        ),
    ] = field(default_factory=Cors)
    cookies: Annotated[Cookies, Key("What becomes of `Set-Cookie`.")] = field(default_factory=Cookies)
    request_headers: Annotated[
        HeaderEdits,
        Key(
            "Edits of header fields, after everything else devproxy does to them.",
            name="headers",
            types=(Type.TABLE,),
        ),
        Key(
            "Edits of the request's headers: `remove`, then `set`, then `add`.",
            name="headers.request",
            example='{ set = { X-Env = "dev" } }',
        ),
    ] = field(default_factory=HeaderEdits)
    response_headers: Annotated[
        HeaderEdits,
        Key(
            "Edits of the response's headers: `remove`, then `set`, then `add`.",
            name="headers.response",
            example='{ set = { X-Env = "dev" } }',
        ),
    ] = field(default_factory=HeaderEdits)
    fault: Annotated[Fault, Key("Trouble made on purpose.")] = field(default_factory=Fault)
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """How devproxy itself listens.

    ``allowed_hosts``: lower case; ``.name`` is the name and all below it, ``*`` any. ``trusted_proxies``: ``loopback``,
    ``private``, and networks as ``ipaddress`` writes them. A time-out of 0 means none; sizes are octets, 0
    ``max_body_bytes`` is no limit.
    """

    listen: Annotated[
        tuple[Listen, ...],
        Key(
            "Where to listen: an address or a list of them. `localhost` means 127.0.0.1 and ::1; a bare port means "
            "that port of `localhost`; `:8080` means every address of this machine, so that others can connect; port 0 "
            "lets the system choose.",
            types=(Type.STRING, Type.INTEGER, Type.LIST),
            items=(Type.STRING, Type.INTEGER),
            default="localhost:8080",
            example='["localhost:8080", "192.168.1.20:8080"]',
        ),
    ] = (Listen(host="localhost", port=8080),)
    allowed_hosts: Annotated[
        tuple[str, ...],
        Key(
            "Hosts that devproxy answers to besides `localhost`, `*.localhost`, IP addresses (but not 0.0.0.0, "
            "`::` and IPv6 that spells an IPv4 address) and the names it listens on: names, `.name` (the name and all "
            'below it), without a port. `["*"]`: any, which lets any web site read your servers (DNS rebinding).',
            example='["app.test", ".example.test"]',
        ),
    ] = ()
    trusted_proxies: Annotated[
        tuple[str, ...],
        Key(
            "Proxies in front of devproxy whose `X-Forwarded-*` and `X-Real-IP` are passed on: `loopback` (this "
            "machine), `private` (private, link-local and carrier networks), addresses and networks. What anybody else "
            "says is replaced. `[]`: nobody is believed. The guard never goes by them.",
            example='["loopback", "192.168.1.20", "172.16.0.0/12"]',
        ),
    ] = ("loopback",)
    tls: Annotated[
        bool,
        Key(
            '`true`: HTTPS with a locally trusted certificate; or `{ cert = "…", key = "…" }`.',
            types=(Type.BOOLEAN, Type.TABLE),
            default=False,
            example="true",
            reserved="remove the line; browsers treat http://localhost as a secure context",
        ),
    ] = False
    drain_s: Annotated[
        float,
        seconds("When devproxy stops: how long requests that are still running may take to finish.", maximum=3600),
    ] = 3.0
    head_timeout_s: Annotated[
        float, seconds("How long a client may take to send a request head before it gets 408; 0: for ever.")
    ] = 10.0
    idle_timeout_s: Annotated[
        float, seconds("How long a client's connection may stay open between requests; 0: for ever.")
    ] = 75.0
    tunnel_idle_timeout_s: Annotated[
        float,
        seconds(
            "After how long without a byte in either direction a WebSocket (or any other tunnel) is closed; 0: never."
        ),
    ] = 0.0
    max_target_bytes: Annotated[
        int,
        Key(
            "Longest request target (path and query) in bytes; a longer one gets 414.",
            minimum=256,
            maximum=MAX_TARGET_BYTES,
        ),
    ] = 32768
    max_head_bytes: Annotated[
        int,
        Key(
            "Largest head of a request or a response in bytes; a larger request gets 431, a larger response becomes "
            "502. At this default, a response may have 262144, as in browsers.",
            minimum=1024,
            maximum=1 << 24,
        ),
    ] = 65536
    max_fields: Annotated[
        int,
        Key(
            "Most header fields in a head; a request with more gets 431, a response with more becomes 502. At this "
            "default, a response may have 1000.",
            minimum=16,
            maximum=10_000,
        ),
    ] = 256
    max_body_bytes: Annotated[
        int,
        Key(
            "Largest request body in bytes; a larger one gets 413. 0: no limit, whatever the upstream says.",
            minimum=0,
            maximum=2**53,
        ),
    ] = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A whole, valid configuration. Every route's upstream exists. ``source``: the file's path, or "command line".

    ``said``: where each key stands, by its path in the file: the 1-based line, or the option of the command line. No
    part of what the configuration says: ``places.place_of`` reads it.
    """

    server: Annotated[Server, Key("How devproxy itself listens.")]
    upstreams: Annotated[
        tuple[Upstream, ...],
        Key("The servers behind devproxy, by a name of your choice.", types=(Type.MAP,), required=True),
        Key(
            "One upstream. Short form: the URL of its server. Long form: a table with `servers`.",
            name="upstreams.*",
            types=(Type.STRING, Type.TABLE),
            example='"http://localhost:5173"',
            pattern="^[A-Za-z]+:/",
        ),
    ]
    routes: Annotated[
        tuple[Route, ...],
        Key(
            "Which requests go to which upstream. Their order in the file does not matter: the more specific route "
            "wins.",
            types=(Type.ARRAY,),
            required=True,
        ),
        Key(
            "One route. It needs exactly one of `path`, `path_exact`, `path_glob` and `path_regex`.",
            name="routes.*",
            types=(Type.TABLE,),
        ),
    ]
    source: str = "command line"
    said: Mapping[tuple[str | int, ...], int | str] = field(default_factory=dict, compare=False, repr=False)
