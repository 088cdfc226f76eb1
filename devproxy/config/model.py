"""The configuration as values, and what each key of the file means. Built only by :func:`devproxy.config.load`.

Units are in the names. A key is declared once, on its field: the annotation says what it may be, the field its type and
default, and the docstring below what it means, as the reference shows it. ``keys`` reads the annotations when a file is
read, ``documents`` the docstrings when the schema is asked for. The annotations are not strings here (there is no
``from __future__ import annotations``): compiling them when they are read would be a twentieth of a start.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Final

from devproxy.config.key import ABSENT, Key, Type, element, path_pattern, seconds

MAX_TARGET_BYTES: Final = 1 << 20
"""What ``max_target_bytes`` can be at most."""

SYSTEM: Final = "system"
"""Stands for the authorities that this machine trusts."""


class PathKind(StrEnum):
    """How a route's path pattern is compared with the raw path of a request (without its query).

    In order of precedence: among routes for the same hosts, the kind decides before anything else.
    """

    EXACT = "path_exact"
    """Matches this path and no other."""
    REGEX = "path_regex"
    """Matches the whole path by a regular expression in Python's syntax (`re.fullmatch`). One that some path would keep
    busy, such as `/.*/.*/x`, is refused: write `/[^/]*/` for `/.*/`."""
    GLOB = "path_glob"
    """Matches the whole path: `*` is any run of characters within a segment, `**` any run of characters, `?` one
    character that is not a slash."""
    PREFIX = "path"
    """Matches by prefix, in whole segments: `/api` and `/api/` both take `/api` and everything below `/api/`, and
    neither takes `/apikey`."""


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
    RECORDING = "recording"
    """It is no program: what a file recorded is given again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listen:
    """An address to listen on: ``host`` is a name, an IP address or ``""`` for all; port 0: the system's choice."""

    host: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerAddress:
    """One server of an upstream. ``url``: as shown to people. ``path``: of the socket or the recording, where it is
    one of these.
    """

    scheme: Scheme
    host: str
    port: int
    url: str
    path: str = ""

    @property
    def has_port(self) -> bool:
        """Whether it is reached by a host and a port; else it is on this machine, and its host is ``localhost``."""
        return self.scheme is not Scheme.UNIX and self.scheme is not Scheme.RECORDING


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """A proxy between devproxy and servers. ``url``: as shown to people, without credentials.

    ``credentials``: ``user:password``, decoded; empty for none. Never shown.
    """

    host: str
    port: int
    url: str
    credentials: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """A named set of servers that answer alike."""

    name: str
    servers: Annotated[
        tuple[ServerAddress, ...],
        Key(
            types=(Type.STRING, Type.INTEGER, Type.LIST),
            items=(Type.STRING, Type.INTEGER),
            required=True,
            instead="recording",
            example='["http://localhost:3001"]',
        ),
    ]
    """Servers that answer alike, one or a list: `http://host:port`, `https://host:port` or `unix:/path.sock`, without a
    path; `host:port` for http, a port alone for one of this machine. `localhost` and names below it are tried as ::1
    and 127.0.0.1. More than one: the one with fewest requests running."""
    recording: Annotated[str, Key(example='"session.har"')] = ""
    """In place of `servers`: a HAR file, from the folder of the configuration, whose answers are given again, so that
    the frontend runs without this server. By method, path and query, in the recorded order. What is not in it gets 502.
    It is read again when it has changed."""
    tls_verify: Annotated[bool, Key()] = True
    """Whether the certificate of an `https` server is checked. `false` accepts any; to trust an authority of your own
    instead, name it in `tls_ca`."""
    tls_ca: Annotated[
        tuple[str, ...], Key(types=(Type.STRING, Type.LIST), default=SYSTEM, example='"certs/ca.pem"')
    ] = (SYSTEM,)
    """Who has to have signed the certificate of an `https` server: `system`, which is whom this machine trusts, a file
    of certificates in PEM, a folder of such files, or a list of these. The server's own certificate will do, too. Paths
    begin at the folder of the configuration. Files are read again when they have changed."""
    tls_cert: Annotated[str, Key(example='"certs/client.pem"')] = ""
    """A file with the certificate, and its chain, that devproxy shows to `https` servers that ask for one, in PEM."""
    tls_key: Annotated[str, Key(example='"certs/client-key.pem"')] = ""
    """A file with the key of `tls_cert`, in PEM, without a password. Not written: it is in the same file."""
    proxy: Annotated[
        Proxy | None, Key(types=(Type.STRING,), example='"http://proxy.example:3128"', pattern="^[Hh][Tt][Tt][Pp]://")
    ] = None
    """An HTTP proxy through which the servers are reached, by CONNECT: `http://host:port`, or
    `http://user:password@host:port` with special characters percent-encoded. Not for servers of this machine. The
    variable `HTTPS_PROXY` and its like are not used."""
    sticky: Annotated[Sticky, Key(example='"socketio"')] = Sticky.NONE
    """With more than one server: what keeps a client at the server it began with. `socketio`: the session of Engine.IO,
    `sid` in the query; also among several processes behind one address. `cookie`: a cookie that devproxy sets."""
    hold_s: Annotated[float, seconds(maximum=600)] = 10.0
    """For how long after a server that was up has gone safe requests and WebSocket handshakes wait for it; 0: they get
    503 at once, as all others do."""
    connect_timeout_s: Annotated[float, seconds()] = 5.0
    """How long connecting may take, TLS included, before the client gets 504; 0: as long as the system tries."""
    response_timeout_s: Annotated[float, seconds()] = 0.0
    """How long a server may take from the end of the request to its response head before the client gets 504; 0: for
    ever, which long-polling and breakpoints need."""
    idle_timeout_s: Annotated[float, seconds()] = 4.0
    """How long an unused connection is kept for the next request, where the server does not announce it itself
    (`Keep-Alive: timeout`). Should be less than the server keeps it (Node: 5 s). 0: not at all."""


class CorsMode(StrEnum):
    """What happens to a response's ``Access-Control-*`` fields."""

    PASSTHROUGH = "passthrough"
    STRIP = "strip"
    REWRITE = "rewrite"
    FIX = "fix"


class PreflightMode(StrEnum):
    """Who answers CORS preflights."""

    ANSWER = "answer"
    FORWARD = "forward"
    FORWARD_OR_ANSWER = "forward-or-answer"


class SecureRule(StrEnum):
    """What happens to a cookie's ``Secure``; ``AUTO`` follows the scheme of the front."""

    KEEP = "keep"
    AUTO = "auto"
    ALWAYS = "true"
    NEVER = "false"


class SameSiteRule(StrEnum):
    """What happens to a cookie's ``SameSite``; ``AUTO``: what a browser accepts on the front's scheme."""

    KEEP = "keep"
    AUTO = "auto"
    STRICT = "strict"
    LAX = "lax"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderEdits:
    """Fields to remove, then to set (replacing all of that name), then to add; names keep the case as written."""

    set: Annotated[
        tuple[tuple[str, str], ...],
        Key(default={}, example='{ X-Env = "dev" }'),
        element(
            "set.*",
            '"dev"',
            "One line of text, in which `${upstream.host}` and its like are replaced.",
            has_placeholders=True,
        ),
    ] = ()
    """Fields to set; every field of the same name is replaced."""
    add: Annotated[
        tuple[tuple[str, str], ...],
        Key(default={}, example='{ X-Seen-By = "devproxy" }'),
        element(
            "add.*",
            '"devproxy"',
            "One line of text, in which `${upstream.host}` and its like are replaced.",
            has_placeholders=True,
        ),
    ] = ()
    """Fields to add after those that are there."""
    remove: Annotated[tuple[str, ...], Key(example='["X-Powered-By"]')] = ()
    """Names of fields to remove, in any case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cors:
    """The CORS policy of a route.

    ``origins``: patterns as normalised when they were read; None: every loopback origin (http and https; ``localhost``,
    ``*.localhost``, 127.0.0.1 and [::1]; any port). ``methods`` and ``headers``: ``*`` among them allows what is asked
    for. ``line``: where the policy is in its file, 1-based; 0 when nothing was written.
    """

    mode: Annotated[CorsMode, Key(example='"fix"')] = CorsMode.REWRITE
    """What happens to the upstream's `Access-Control-*` headers. `rewrite`: this policy's replace them. `fix`: they
    stay and are repaired, never widened. `strip`: they go, and no other origin reads anything. `passthrough`: they stay
    as they are."""
    origins: Annotated[
        tuple[str, ...] | None, Key(example='["http://localhost:3000", "https://*.preview.test", "http://127.0.0.1:*"]')
    ] = None
    """Origins that are welcome: they may read the answers, and the guard lets their requests pass, in every mode. `*.`
    before a host is one or more whole labels, the port `*` is any, `regex:` begins a regular expression for the whole
    origin. `[]`: none. Not written: every page of this machine (http and https; `localhost`, `*.localhost`, 127.0.0.1
    and [::1]; any port)."""
    credentials: Annotated[bool, Key()] = True
    """Whether their requests may carry cookies (`credentials: 'include'`, `withCredentials`)."""
    methods: Annotated[tuple[str, ...], Key(example='["GET", "POST"]')] = ("GET", "POST", "PUT", "PATCH", "DELETE")
    """Methods that a preflight may ask for; `GET` includes HEAD. `"*"`: any."""
    headers: Annotated[tuple[str, ...], Key(example='["Authorization", "Content-Type"]')] = ("*",)
    """Request headers that a preflight may ask for. `"*"`: any, each named in the answer, `Authorization` too."""
    expose: Annotated[tuple[str, ...], Key(example='["ETag"]')] = ()
    """Response headers that scripts may read besides the usual ones. `"*"`, for all, needs `credentials = false`."""
    max_age_s: Annotated[int, Key(minimum=-1, maximum=86_400, example="60")] = 600
    """How long a browser may remember a preflight's answer; Chromium takes at most 7200. 0 or -1: not at all."""
    preflight: Annotated[PreflightMode, Key(default=ABSENT, example='"answer"')] = PreflightMode.ANSWER
    """Who answers preflights. `answer`: devproxy, at once, also while the upstream is down. `forward`: the upstream.
    `forward-or-answer`: the upstream, and devproxy where it does not allow what this policy allows. Not written:
    `answer`; in `fix` `forward-or-answer`, in `passthrough` `forward`."""
    allow_private_network: Annotated[bool, Key()] = False
    """Whether a preflight may ask for access from a more public network (`Access-Control-Request-Private-Network`)."""
    dangerously_allow_null_origin: Annotated[bool, Key()] = False
    """Welcome `Origin: null`: sandboxed frames and files, but any web site can send it."""
    dangerously_allow_any_origin: Annotated[bool, Key()] = False
    """Welcome every web site."""
    dangerously_with_credentials: Annotated[bool, Key()] = False
    """The second key that either of those needs where `credentials` is true."""
    line: int = 0


KEEP_DOMAIN: Final = "keep"
"""Leaves a cookie's Domain as it is. No browser takes a Domain of one label that is not the host itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cookies:
    """What happens to the ``Set-Cookie`` lines of a route's responses.

    ``domain``, ``secure`` and ``same_site`` are None where nothing is written: the attribute stays as it is, but is
    repaired where a public server set it. ``domain``: ``keep`` leaves the attribute, ``""`` removes it, else its new
    value; ``domain_map``: new values by old ones (lower case, no leading dot), which go first. ``maps_path``: a Path
    below what the route's prefix is replaced by comes back below the prefix. ``prefix``: put before every name on the
    way down, removed on the way up.
    """

    domain: Annotated[str | None, Key(types=(Type.STRING, Type.MAP), example='""')] = None
    """The Domain attribute. `""`: removed. A name: replaces the upstream's. A table: new values by old ones,
    for example `{ "api.example.com" = "" }`; `"*"` is every other. `"keep"`: left as it is. Not written: left as it is,
    but removed if a public server set it."""
    domain_map: Annotated[tuple[tuple[str, str], ...], Key(name="domain.*", types=(Type.STRING,), example='""')] = ()
    """In a table each value is the new Domain; `""` removes it."""
    maps_path: Annotated[bool, Key(name="path", words={"auto": True, "keep": False}, example='"keep"')] = True
    """The Path attribute. `auto`: a Path below what the route's prefix is replaced by comes back below the prefix.
    `keep`: left as it is."""
    secure: Annotated[SecureRule | None, Key(types=(Type.STRING, Type.BOOLEAN), example='"auto"')] = None
    """The Secure attribute: `keep`, `auto` (follows the scheme of the front), `true` (put there) or `false` (taken
    off). Not written: `keep`; `auto` where a public server set it."""
    same_site: Annotated[SameSiteRule | None, Key(ignores_case=True, example='"auto"')] = None
    """The SameSite attribute: `keep`, `auto` (`None` becomes `Lax` where there is no Secure), or a value, in any case.
    Not written: `keep`; `auto` where a public server set it."""
    prefix: Annotated[str, Key(example='"shop."')] = ""
    """Put before the name of every cookie on the way down and removed on the way up, so that projects on one host
    stop logging each other out. At most 40 characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Trouble made on purpose. All zero: none.

    ``error_rate``: the share of requests, 0 to 1, that are answered with ``error_status`` instead of being forwarded.
    ``drop_after_s``: the age at which a tunnel is reset. ``seed``: of the choice which requests fail.
    """

    latency_ms: Annotated[float, Key(minimum=0, maximum=600_000, example="200")] = 0.0
    """How long every request is delayed, in milliseconds."""
    error_rate: Annotated[float, Key(minimum=0, maximum=1, example="0.1")] = 0.0
    """The share of requests that are answered with `error_status` instead of being forwarded."""
    error_status: Annotated[int, Key(minimum=400, maximum=599, example="500")] = 503
    """The status of those."""
    refuse_upgrade: Annotated[bool, Key()] = False
    """Whether WebSocket handshakes (and other upgrades) are refused."""
    drop_after_s: Annotated[float, seconds()] = 0.0
    """The age at which a WebSocket (or any other tunnel) is reset; 0: never."""
    bandwidth_kib_s: Annotated[float, Key(minimum=0, maximum=1024 * 1024, example="64")] = 0.0
    """How much passes in a second, in KiB, in each direction of a connection; 0: no limit."""
    seed: Annotated[int, Key(minimum=0, maximum=2**53, example="7")] = 0
    """Decides which requests fail: the same seed, the same ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Which requests, to which upstream, under which rules.

    ``host`` and ``origin``: ``auto``, ``keep``, ``upstream``, ``remove`` (origin only), or the value to send.
    ``rewrite``: what the matched prefix is replaced by; ``strip_prefix`` is ``rewrite = "/"``, so None means neither.
    ``guard``: requests from foreign web sites are refused. ``form_post``: patterns of origins whose pages may post a
    form here nevertheless, ``null`` for those that hide theirs. ``maps_redirects``: ``Location`` and its like that
    point at an upstream come back to the one origin. ``line``: where the route starts in its file, 1-based; 0 when it
    came from the command line.
    """

    kind: PathKind
    pattern: Annotated[
        str,
        path_pattern(PathKind.PREFIX, '"/api/"'),
        path_pattern(PathKind.EXACT, '"/favicon.ico"'),
        path_pattern(PathKind.GLOB, '"/assets/**.map"'),
        path_pattern(PathKind.REGEX, "'/v[0-9]+/.*'", "", is_expression=True),
    ]
    upstream: Annotated[str, Key(required=True, example='"backend"')]
    """The name of the upstream, as written below `[upstreams]`."""
    methods: Annotated[tuple[str, ...], Key(example='["GET", "HEAD"]')] = ()
    """Only requests with one of these methods, of which `GET` includes HEAD; empty: any."""
    match_host: Annotated[
        tuple[str, ...], Key(types=(Type.STRING, Type.LIST), default=[], example='["app.test", "*.app.test"]')
    ] = ()
    """Only requests whose Host is one of these names, compared without port; `*.name` is any name below `name`. Empty:
    any. (What is sent upstream is `host`.)"""
    match_headers: Annotated[
        tuple[tuple[str, str], ...],
        Key(default={}, example='{ X-Tenant = "blue*" }'),
        element(
            "match_headers.*",
            '"blue*"',
            'A glob for the field\'s value: `*` is any run of characters, `?` any one. `"*"`: present.',
        ),
    ] = ()
    """Only requests with all of these header fields."""
    rewrite: Annotated[
        str | None,
        Key(
            'Whether the matched path is cut off before the request goes upstream: with `path = "/api/"`, '
            '`/api/users` arrives as `/users`. Short for `rewrite = "/"`. Only with `path` and `path_exact`.',
            name="strip_prefix",
            types=(Type.BOOLEAN,),
            default=False,
        ),
        Key(example='"/v1/"', pattern="^/"),
    ] = None
    """What the matched path is replaced by: with `path = "/api/"` and `rewrite = "/v1/"`, `/api/users` arrives as
    `/v1/users`. Only with `path` and `path_exact`, not together with `strip_prefix`."""
    host: Annotated[str, Key(example='"upstream"')] = "auto"
    """The Host sent upstream: `keep` (as the browser sent it), `upstream` (the server's own) or a name. `auto`:
    `upstream` for a server with a public name or address, `keep` for one of this machine, of a private network, or with
    a name that no registry sells (without a dot, `.local`, `.internal`, `.test`). With `upstream`, a server that
    compares the Origin with the Host, as Django does, needs `origin = "upstream"` too."""
    origin: Annotated[str, Key(example='"http://localhost:3001"')] = "auto"
    """The Origin sent upstream when the browser sent one: `keep`, `upstream` (the server's own), `remove` or an origin
    such as `http://localhost:3001`. `auto`: `upstream` for a public server that is sent its own Host, and for hot
    reload of devproxy's own pages; else `keep`."""
    guard: Annotated[bool, Key()] = True
    """Whether requests that a foreign web site causes are refused (403): those from origins that `cors` does not
    welcome, and forms that `form_post` does not. Links, and requests that no browser sends, pass."""
    form_post: Annotated[tuple[str, ...], Key(example='["https://login.example"]')] = ()
    """Origins whose pages may post a form here though they are another site: logins that come back that way
    (`response_mode=form_post`, SAML). Written as `origins` of `cors`, which they do not change. Browsers hide the
    origin of an `https` page from plain http (`Origin: null`, which `"null"` alone lets in). So an `https` origin
    lets in the forms of every page that is hidden: give the callback a route of its own."""
    maps_redirects: Annotated[bool, Key(name="redirects", words={"map": True, "keep": False}, example='"keep"')] = True
    """`map`: `Location`, `Content-Location`, `Refresh` and `Link` that point at an upstream come back to the one
    origin. `keep`: they stay as they are."""
    cors: Annotated[
        Cors,
        Key(types=(Type.STRING, Type.TABLE), choices=tuple(mode.value for mode in CorsMode), example='"strip"'),
    ] = field(default_factory=Cors)
    """Which pages of other origins may read what this route answers. Short form: the mode. Long form: a table."""
    cookies: Annotated[Cookies, Key()] = field(default_factory=Cookies)
    """What happens to `Set-Cookie`."""
    request_headers: Annotated[
        HeaderEdits,
        Key(
            "Edits of header fields, after everything else devproxy does to them.", name="headers", types=(Type.TABLE,)
        ),
        Key(name="headers.request", example='{ set = { X-Env = "dev" } }'),
    ] = field(default_factory=HeaderEdits)
    """Edits of the request's headers: `remove`, then `set`, then `add`."""
    response_headers: Annotated[HeaderEdits, Key(name="headers.response", example='{ set = { X-Env = "dev" } }')] = (
        field(default_factory=HeaderEdits)
    )
    """Edits of the response's headers: `remove`, then `set`, then `add`."""
    fault: Annotated[Fault, Key()] = field(default_factory=Fault)
    """Trouble made on purpose."""
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateFiles:
    """A certificate of the user's and its key."""

    cert: Annotated[str, Key(required=True, example='"certs/dev.pem"')]
    """A file with your certificate and its chain, in PEM, from the folder of the configuration. Both files are read
    again when they have changed."""
    key: Annotated[str, Key(required=True, example='"certs/dev-key.pem"')]
    """A file with its key, in PEM, without a password."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """How devproxy itself listens.

    ``allowed_hosts``: lower case; ``.name`` is the name and all below it, ``*`` any. ``trusted_proxies``: ``loopback``,
    ``private``, and networks as ``ipaddress`` writes them. A time-out of 0 means none; sizes are bytes, 0
    ``max_body_bytes`` is no limit.
    """

    listen: Annotated[
        tuple[Listen, ...],
        Key(
            types=(Type.STRING, Type.INTEGER, Type.LIST),
            items=(Type.STRING, Type.INTEGER),
            default="localhost:8080",
            example='["localhost:8080", "192.168.1.20:8080"]',
        ),
    ] = (Listen(host="localhost", port=8080),)
    """Where to listen: an address or a list of them. `localhost` means 127.0.0.1 and ::1; a bare port means that port
    of `localhost`; `:8080` means every address of this machine, so that others can connect; port 0 lets the system
    choose."""
    allowed_hosts: Annotated[tuple[str, ...], Key(example='["app.test", ".example.test"]')] = ()
    """Hosts that devproxy answers to besides `localhost`, `*.localhost`, IP addresses (but not 0.0.0.0, `::` and IPv6
    that spells an IPv4 address) and the names it listens on: names, `.name` (the name and all below it), without a
    port. `["*"]`: any, which lets any web site read your servers (DNS rebinding)."""
    trusted_proxies: Annotated[tuple[str, ...], Key(example='["loopback", "192.168.1.20", "172.16.0.0/12"]')] = (
        "loopback",
    )
    """Proxies in front of devproxy whose `X-Forwarded-*` and `X-Real-IP` are passed on: `loopback` (this machine),
    `private` (private, link-local and carrier networks), addresses and networks. What any other peer says is replaced.
    `[]`: none. The guard never uses these fields."""
    tls: Annotated[bool | CertificateFiles, Key(types=(Type.BOOLEAN, Type.TABLE), default=False, example="true")] = (
        False
    )
    """HTTPS, on the same port as plain HTTP. `true`: with certificates of this machine, which `devproxy trust` makes
    browsers trust; or `{ cert = "…", key = "…" }`. Plain requests for pages are sent to `https://`, all others are
    served as they are."""
    drops_pins: Annotated[bool, Key(name="strict_transport_security", words={"drop": True, "keep": False})] = True
    """`drop`: `Strict-Transport-Security` and `Alt-Svc` of an upstream do not reach the browser, which would keep to
    them for everything that is ever served under this name, unless the request came by way of one of
    `trusted_proxies`. `keep`: they stay as they are."""
    drain_s: Annotated[float, seconds(maximum=3600)] = 3.0
    """When devproxy stops: how long requests that are still running may take to finish."""
    head_timeout_s: Annotated[float, seconds()] = 10.0
    """How long a client may take to send a request head before it gets 408; 0: forever."""
    idle_timeout_s: Annotated[float, seconds()] = 75.0
    """How long a client's connection may stay open between requests; 0: forever."""
    tunnel_idle_timeout_s: Annotated[float, seconds()] = 0.0
    """After how long without a byte in either direction a WebSocket (or any other tunnel) is closed; 0: never."""
    max_target_bytes: Annotated[int, Key(minimum=256, maximum=MAX_TARGET_BYTES)] = 32768
    """Longest request target (path and query) in bytes; a longer one gets 414."""
    max_head_bytes: Annotated[int, Key(minimum=1024, maximum=1 << 24)] = 65536
    """Largest head of a request or a response in bytes; a larger request gets 431, a larger response becomes 502. At
    this default, a response may have 262144, as in browsers."""
    max_fields: Annotated[int, Key(minimum=16, maximum=10_000)] = 256
    """Most header fields in a head; a request with more gets 431, a response with more becomes 502. At this default, a
    response may have 1000."""
    max_body_bytes: Annotated[int, Key(minimum=0, maximum=2**53)] = 0
    """Largest request body in bytes; a larger one gets 413. 0: no limit, whatever the upstream says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspector:
    """The page at ``/__devproxy/``, and what is kept for it."""

    enabled: Annotated[bool, Key()] = True
    """Whether `/__devproxy/` shows what happens. `false`: there is no page, and nothing is kept."""
    capture: Annotated[bool, Key()] = False
    """Whether heads, bodies and WebSocket messages are kept also while no page is open, so that they are there when it
    is opened afterwards. Costs up to a quarter more CPU for each request."""
    max_mib: Annotated[int, Key(minimum=1, maximum=4096)] = 64
    """How much is kept at most, in MiB; what is oldest goes first."""


class Restart(StrEnum):
    """When a program that has ended is started again."""

    NEVER = "never"
    ON_FAILURE = "on-failure"
    ALWAYS = "always"


AUTO_PORT: Final = 0
"""Stands for a port that is still to be chosen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A program that `devproxy up` starts.

    ``command``: the program and its arguments, with ``{port}`` still in them. ``upstream``: the one that it serves,
    empty for none. ``port``: None: it chooses its own; :data:`AUTO_PORT`: one is chosen for it.
    """

    name: str
    command: Annotated[tuple[str, ...], Key(types=(Type.STRING, Type.LIST), required=True, example='"npm run dev"')]
    """The program and its arguments: a list, or a string that is split at spaces as in a shell, quotes included. No
    shell reads it: for `&&`, pipes and variables write `["sh", "-c", "…"]`. `{port}` is replaced by `port`."""
    folder: Annotated[str, Key(example='"frontend"')] = ""
    """Where it runs, from the folder of the configuration. Not written: there."""
    env: Annotated[
        tuple[tuple[str, str], ...],
        Key(default={}, example='{ NODE_ENV = "development" }'),
        element("env.*", '"development"', "The value of the variable."),
    ] = ()
    """Variables of its environment, besides those that devproxy itself has."""
    upstream: Annotated[str, Key(types=(Type.STRING,), example='"backend"')] = ""
    """The upstream that it serves, which then follows the port that the program really takes. Not written: the one with
    the program's name, if there is one."""
    port: Annotated[
        int | None,
        Key(types=(Type.INTEGER, Type.STRING), choices=("auto",), minimum=1, maximum=65535, example='"auto"'),
    ] = None
    """The port that it is to take, which it gets as `PORT` and as `{port}` in `command`; `auto`: a free one. Not
    written: it chooses its own, and devproxy finds out which."""
    restart: Annotated[Restart, Key(example='"on-failure"')] = Restart.NEVER
    """When it is started again after it has ended, at once at first and then less and less often: `never`, `on-failure`
    or `always`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A whole, valid configuration. Every route's upstream exists. ``source``: the file's path, or "command line".

    ``said``: where each key is, by its path in the file: the 1-based line, or the option or variable that set it. No
    part of what the configuration says: ``places.place_of`` reads it.
    """

    server: Annotated[Server, Key()]
    """How devproxy itself listens."""
    upstreams: Annotated[
        tuple[Upstream, ...],
        Key(types=(Type.MAP,), required=True),
        Key(
            "One upstream. Short form: its server, or a list of them. Long form: a table with `servers`.",
            name="upstreams.*",
            types=(Type.STRING, Type.INTEGER, Type.LIST, Type.TABLE),
            items=(Type.STRING, Type.INTEGER),
            example='"http://localhost:5173"',
        ),
    ]
    """The servers behind devproxy, by a name of your choice."""
    routes: Annotated[
        tuple[Route, ...],
        Key(types=(Type.ARRAY,), required=True),
        Key(
            "One route. It needs exactly one of `path`, `path_exact`, `path_glob` and `path_regex`.",
            name="routes.*",
            types=(Type.TABLE,),
        ),
    ]
    """Which requests go to which upstream. Their order in the file does not matter: the more specific route wins."""
    inspector: Annotated[Inspector, Key()] = Inspector()
    """What `/__devproxy/` shows, and what is kept for it."""
    programs: Annotated[
        tuple[Program, ...],
        Key(name="run", types=(Type.MAP,)),
        Key(
            "One program. Short form: its command. Long form: a table.",
            name="run.*",
            types=(Type.STRING, Type.LIST, Type.TABLE),
            example='"npm run dev"',
        ),
    ] = ()
    """The programs that `devproxy up` starts with itself and ends with itself, by a name of your choice."""
    source: str = "command line"
    said: Mapping[tuple[str | int, ...], int | str] = field(default_factory=dict, compare=False, repr=False)

    def upstream(self, name: str) -> Upstream:
        """Return the upstream called `name`, as a route calls it."""
        return next(upstream for upstream in self.upstreams if upstream.name == name)
