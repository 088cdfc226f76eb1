"""The table of keys: every key of ``devproxy.toml`` with its type, default, bounds and meaning. Stands once, here.

Validation (``shape``), the JSON Schema, the Markdown reference and ``config.example.toml`` (``documents``) are all read
from :data:`KEYS`, so that they cannot drift apart. What needs more than one key to judge (an upstream that exists, a
route that is there twice) is not here but in ``routes`` and ``conflicts``.

In a path, ``*`` stands for any name below a map and for any element of an array: ``upstreams.*.servers``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Final

from devproxy.config.model import (
    Cors,
    CorsMode,
    Fault,
    Preflight,
    SameSiteRule,
    SecureRule,
    Server,
    Sticky,
    Upstream,
)

RELEASE: Final = "0.1"
"""The release whose reserved keys these are, as named in problems."""

NULL_KEY: Final = "dangerously_allow_null_origin"
ANY_KEY: Final = "dangerously_allow_any_origin"
CREDENTIALS_KEY: Final = "dangerously_with_credentials"


class Type(StrEnum):
    """What a value may be; the value is the phrase that problems use."""

    BOOLEAN = "a boolean"
    INTEGER = "an integer"
    NUMBER = "a number"
    STRING = "a string"
    LIST = "a list"
    TABLE = "a table"
    """With the keys that the table of keys lists below it."""
    MAP = "a table of names"
    """Names are chosen by the author of the file; each value is described by ``path + ".*"``."""
    ARRAY = "an array of tables"


class _Absent(Enum):
    ABSENT = None


ABSENT: Final = _Absent.ABSENT
"""Default of a key that means something other than any value when it is not written."""


@dataclass(slots=True, kw_only=True)
class Key:
    """One key.

    ``types``: any of them will do. ``items``: what a list may hold. ``choices``: the strings allowed, all if empty;
    with ``ignores_case`` in any case. ``minimum`` / ``maximum``: inclusive.
    ``reserved``: what to do instead, when this release refuses anything but the default; empty for a key that works.
    ``example``: the right-hand side in TOML. ``pattern``: for editors only (JSON Schema); ``load`` says it better.
    """

    path: str
    types: tuple[Type, ...]
    meaning: str
    default: object = ABSENT
    items: tuple[Type, ...] = (Type.STRING,)
    choices: tuple[str, ...] = ()
    ignores_case: bool = False
    minimum: float | None = None
    maximum: float | None = None
    reserved: str = ""
    example: str = ""
    pattern: str = ""
    required: bool = False

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition(".")[2]

    @property
    def is_container(self) -> bool:
        """Whether it holds other keys and nothing else."""
        return all(kind in (Type.TABLE, Type.MAP, Type.ARRAY) for kind in self.types)


_SERVER = Server()
_UPSTREAM = Upstream(name="", servers=())
_DAY: Final = 86_400.0
_MIB: Final = 1024 * 1024
_PATH_PATTERN: Final = "^/"


def _seconds(path: str, default: float, meaning: str, *, maximum: float = 7 * _DAY) -> Key:
    return Key(path=path, types=(Type.NUMBER,), default=default, minimum=0, maximum=maximum, meaning=meaning)


def _octets(path: str, default: int, meaning: str, *, minimum: int, maximum: int) -> Key:
    return Key(path=path, types=(Type.INTEGER,), default=default, minimum=minimum, maximum=maximum, meaning=meaning)


def _table(path: str, meaning: str, *, example: str = "") -> Key:
    return Key(path=path, types=(Type.TABLE,), meaning=meaning, example=example)


_SERVER_KEYS: Final = (
    _table("server", "How devproxy itself listens."),
    Key(
        path="server.listen",
        types=(Type.STRING, Type.INTEGER, Type.LIST),
        items=(Type.STRING, Type.INTEGER),
        default="localhost:8080",
        example='["localhost:8080", "192.168.1.20:8080"]',
        meaning="Where to listen: an address or a list of them. `localhost` means 127.0.0.1 and ::1; a bare port means "
        "that port of `localhost`; `:8080` means every address of this machine, so that others can connect; port 0 "
        "lets the system choose.",
    ),
    Key(
        path="server.allowed_hosts",
        types=(Type.LIST,),
        default=[],
        example='["app.test", ".example.test"]',
        meaning="Hosts that devproxy answers to besides `localhost`, `*.localhost` and the addresses it listens on: "
        'names, `.name` (the name and all below it), IP addresses, without a port. `["*"]`: any, which lets any web '
        "site read your servers (DNS rebinding).",
    ),
    Key(
        path="server.tls",
        types=(Type.BOOLEAN, Type.TABLE),
        default=False,
        example="true",
        reserved="remove the line; browsers treat http://localhost as a secure context",
        meaning='`true`: HTTPS with a locally trusted certificate; or `{ cert = "…", key = "…" }`.',
    ),
    _seconds(
        "server.drain_s",
        _SERVER.drain_s,
        "When devproxy stops: how long requests that are still running may take to finish.",
        maximum=3600,
    ),
    _seconds(
        "server.head_timeout_s",
        _SERVER.head_timeout_s,
        "How long a client may take to send a request head before it gets 408; 0: for ever.",
    ),
    _seconds(
        "server.idle_timeout_s",
        _SERVER.idle_timeout_s,
        "How long a client's connection may stay open between requests; 0: for ever.",
    ),
    _seconds(
        "server.tunnel_idle_timeout_s",
        _SERVER.tunnel_idle_timeout_s,
        "After how long without a byte in either direction a WebSocket (or any other tunnel) is closed; 0: never.",
    ),
    _octets(
        "server.max_target_bytes",
        _SERVER.max_target_bytes,
        "Longest request target (path and query) in octets; a longer one gets 414.",
        minimum=256,
        maximum=_MIB,
    ),
    _octets(
        "server.max_head_bytes",
        _SERVER.max_head_bytes,
        "Largest head of a request or a response in octets; a larger request gets 431.",
        minimum=1024,
        maximum=16 * _MIB,
    ),
    _octets(
        "server.max_fields",
        _SERVER.max_fields,
        "Most header fields in a head; a request with more gets 431.",
        minimum=16,
        maximum=10_000,
    ),
    _octets(
        "server.max_body_bytes",
        _SERVER.max_body_bytes,
        "Largest request body in octets; a larger one gets 413. 0: no limit, whatever the upstream says.",
        minimum=0,
        maximum=2**53,
    ),
)

_UPSTREAM_KEYS: Final = (
    Key(
        path="upstreams",
        types=(Type.MAP,),
        required=True,
        meaning="The servers behind devproxy, by a name of your choice.",
    ),
    Key(
        path="upstreams.*",
        types=(Type.STRING, Type.TABLE),
        example='"http://localhost:5173"',
        pattern="^[A-Za-z]+:/",
        meaning="One upstream. Short form: the URL of its server. Long form: a table with `servers`.",
    ),
    Key(
        path="upstreams.*.servers",
        types=(Type.LIST,),
        required=True,
        example='["http://localhost:3001"]',
        pattern="^[A-Za-z]+:/",
        meaning="URLs of servers that answer alike: `http://host:port`, `https://host:port` or `unix:/path.sock`, "
        "without a path. `localhost` is tried as ::1 and 127.0.0.1. More than one: the one with fewest requests "
        "running.",
    ),
    Key(
        path="upstreams.*.tls_verify",
        types=(Type.BOOLEAN,),
        default=_UPSTREAM.tls_verify,
        meaning="Whether the certificate of an `https` server is checked. `false` accepts a self-signed one.",
    ),
    Key(
        path="upstreams.*.sticky",
        types=(Type.STRING,),
        default=_UPSTREAM.sticky.value,
        choices=tuple(sticky.value for sticky in Sticky),
        example='"socketio"',
        meaning="With more than one server: what keeps a client at the server it began with. `socketio`: the session "
        "of Engine.IO, `sid` in the query. `cookie`: a cookie that devproxy sets.",
    ),
    _seconds(
        "upstreams.*.hold_s",
        _UPSTREAM.hold_s,
        "How long safe requests and WebSocket handshakes wait for a server that was up and now refuses; 0: they get "
        "503 at once, as all others do.",
        maximum=600,
    ),
    _seconds(
        "upstreams.*.connect_timeout_s",
        _UPSTREAM.connect_timeout_s,
        "How long connecting may take, TLS included, before the client gets 504; 0: as long as the system tries.",
    ),
    _seconds(
        "upstreams.*.response_timeout_s",
        _UPSTREAM.response_timeout_s,
        "How long a server may take from the end of the request to its response head before the client gets 504; "
        "0: for ever, which long-polling and breakpoints need.",
    ),
    _seconds(
        "upstreams.*.idle_timeout_s",
        _UPSTREAM.idle_timeout_s,
        "How long an unused connection is kept for the next request, where the server does not announce it itself "
        "(`Keep-Alive: timeout`). Should be less than the server keeps it (Node: 5 s). 0: not at all.",
    ),
)


def _path_key(name: str, meaning: str, example: str, pattern: str = _PATH_PATTERN) -> Key:
    return Key(path=f"routes.*.{name}", types=(Type.STRING,), example=example, pattern=pattern, meaning=meaning)


_ROUTE_KEYS: Final = (
    Key(
        path="routes",
        types=(Type.ARRAY,),
        required=True,
        meaning="Which requests go to which upstream. Their order in the file does not matter: the more specific route "
        "wins.",
    ),
    _table("routes.*", "One route. It needs exactly one of `path`, `path_exact`, `path_glob` and `path_regex`."),
    _path_key(
        "path",
        "Matches by prefix, in whole segments: `/api` and `/api/` both take `/api` and everything below `/api/`, and "
        "neither takes `/apikey`.",
        '"/api/"',
    ),
    _path_key("path_exact", "Matches this path and no other.", '"/favicon.ico"'),
    _path_key(
        "path_glob",
        "Matches the whole path: `*` is any run of characters within a segment, `**` any run of characters, `?` one "
        "character that is not a slash.",
        '"/assets/**.map"',
    ),
    _path_key(
        "path_regex",
        "Matches the whole path by a regular expression in Python's syntax (`re.fullmatch`).",
        "'/v[0-9]+/.*'",
        pattern="",
    ),
    Key(
        path="routes.*.upstream",
        types=(Type.STRING,),
        required=True,
        example='"backend"',
        meaning="The name of the upstream, as written below `[upstreams]`.",
    ),
    Key(
        path="routes.*.methods",
        types=(Type.LIST,),
        default=[],
        example='["GET", "HEAD"]',
        meaning="Only requests with one of these methods, of which `GET` includes HEAD; empty: any.",
    ),
    Key(
        path="routes.*.match_host",
        types=(Type.STRING, Type.LIST),
        default=[],
        example='["app.test", "*.app.test"]',
        meaning="Only requests whose Host is one of these names, compared without port; `*.name` is any name below "
        "`name`. Empty: any. (What is sent upstream is `host`.)",
    ),
    Key(
        path="routes.*.match_headers",
        types=(Type.MAP,),
        default={},
        example='{ X-Tenant = "blue*" }',
        meaning="Only requests with all of these header fields.",
    ),
    Key(
        path="routes.*.match_headers.*",
        types=(Type.STRING,),
        example='"blue*"',
        meaning='A glob for the field\'s value: `*` is any run of characters, `?` any one. `"*"`: present.',
    ),
    Key(
        path="routes.*.strip_prefix",
        types=(Type.BOOLEAN,),
        default=False,
        example="true",
        meaning='Whether the matched path is cut off before the request goes upstream: with `path = "/api/"`, '
        '`/api/users` arrives as `/users`. Short for `rewrite = "/"`. Only with `path` and `path_exact`.',
    ),
    Key(
        path="routes.*.rewrite",
        types=(Type.STRING,),
        example='"/v1/"',
        pattern=_PATH_PATTERN,
        meaning='What the matched path is replaced by: with `path = "/api/"` and `rewrite = "/v1/"`, `/api/users` '
        "arrives as `/v1/users`. Only with `path` and `path_exact`, not together with `strip_prefix`.",
    ),
    Key(
        path="routes.*.host",
        types=(Type.STRING,),
        default="keep",
        example='"upstream"',
        meaning="The Host sent upstream: `keep` (as the browser sent it), `upstream` (the server's own) or a name.",
    ),
    Key(
        path="routes.*.origin",
        types=(Type.STRING,),
        default="keep",
        example='"http://localhost:3001"',
        meaning="The Origin sent upstream when the browser sent one: `keep`, `upstream` (the server's own), `remove` "
        "or an origin such as `http://localhost:3001`.",
    ),
    Key(
        path="routes.*.guard",
        types=(Type.BOOLEAN,),
        default=True,
        example="false",
        meaning="Whether requests that a foreign web site causes are refused (403): those from origins that `cors` "
        "does not welcome. Links, and requests that no browser sends, pass.",
    ),
    Key(
        path="routes.*.redirects",
        types=(Type.STRING,),
        default="map",
        choices=("map", "keep"),
        example='"keep"',
        meaning="`map`: `Location`, `Content-Location`, `Refresh` and `Link` that point at an upstream come back to "
        "the one origin. `keep`: they stay as they are.",
    ),
)

_NO_CORS = Cors()
_NO_FAULT = Fault()


def _switch(path: str, default: bool, meaning: str) -> Key:
    return Key(
        path=path, types=(Type.BOOLEAN,), default=default, example="false" if default else "true", meaning=meaning
    )


def _word(path: str, choices: type[StrEnum], default: str, example: str, meaning: str) -> Key:
    values = tuple(choice.value for choice in choices)
    return Key(path=path, types=(Type.STRING,), default=default, choices=values, example=example, meaning=meaning)


def _names(path: str, default: tuple[str, ...], example: str, meaning: str) -> Key:
    return Key(path=path, types=(Type.LIST,), default=list(default), example=example, meaning=meaning)


_CORS_KEYS: Final = (
    Key(
        path="routes.*.cors",
        types=(Type.STRING, Type.TABLE),
        choices=tuple(mode.value for mode in CorsMode),
        example='"passthrough"',
        meaning="Which pages of other origins may read what this route answers. Short form: the mode. Long form: a "
        "table.",
    ),
    _word(
        "routes.*.cors.mode",
        CorsMode,
        _NO_CORS.mode.value,
        '"fix"',
        "What becomes of the upstream's `Access-Control-*` headers. `rewrite`: this policy's take their place. `fix`: "
        "they stay and are repaired, never widened. `strip`: they go, and no other origin reads anything. "
        "`passthrough`: they stay as they are.",
    ),
    Key(
        path="routes.*.cors.origins",
        types=(Type.LIST,),
        example='["http://localhost:3000", "https://*.preview.test", "http://127.0.0.1:*"]',
        meaning="Origins that are welcome: they may read the answers, and the guard lets their requests pass, in every "
        "mode. `*.` before a host is one or more whole labels, the port `*` is any, `regex:` begins a regular "
        "expression for the whole origin. `[]`: none. Not written: every page of this machine (http and https; "
        "`localhost`, `*.localhost`, 127.0.0.1 and [::1]; any port).",
    ),
    _switch(
        "routes.*.cors.credentials",
        _NO_CORS.credentials,
        "Whether their requests may carry cookies (`credentials: 'include'`, `withCredentials`).",
    ),
    _names(
        "routes.*.cors.methods",
        _NO_CORS.methods,
        '["GET", "POST"]',
        'Methods that a preflight may ask for; `GET` includes HEAD. `"*"`: any.',
    ),
    _names(
        "routes.*.cors.headers",
        _NO_CORS.headers,
        '["Authorization", "Content-Type"]',
        'Request headers that a preflight may ask for. `"*"`: any, each named in the answer, `Authorization` too.',
    ),
    _names(
        "routes.*.cors.expose",
        _NO_CORS.expose,
        '["ETag"]',
        'Response headers that scripts may read besides the usual ones. `"*"`, for all, needs `credentials = false`.',
    ),
    Key(
        path="routes.*.cors.max_age_s",
        types=(Type.INTEGER,),
        default=_NO_CORS.max_age_s,
        minimum=-1,
        maximum=86_400,
        example="60",
        meaning="How long a browser may remember a preflight's answer; Chromium takes at most 7200. 0 or -1: not at "
        "all.",
    ),
    Key(
        path="routes.*.cors.preflight",
        types=(Type.STRING,),
        choices=tuple(who.value for who in Preflight),
        example='"answer"',
        meaning="Who answers preflights. `answer`: devproxy, at once, also while the upstream is down. `forward`: the "
        "upstream. `forward-or-answer`: the upstream, and devproxy where it does not allow what this policy allows. "
        "Not written: `answer`; in `fix` `forward-or-answer`, in `passthrough` `forward`.",
    ),
    _switch(
        "routes.*.cors.allow_private_network",
        _NO_CORS.allow_private_network,
        "Whether a preflight may ask for access from a more public network (`Access-Control-Request-Private-Network`).",
    ),
    _switch(
        f"routes.*.cors.{NULL_KEY}",
        _NO_CORS.dangerously_allow_null_origin,
        "Welcome `Origin: null`: sandboxed frames and files, but any web site can send it.",
    ),
    _switch(f"routes.*.cors.{ANY_KEY}", _NO_CORS.dangerously_allow_any_origin, "Welcome every web site."),
    _switch(
        f"routes.*.cors.{CREDENTIALS_KEY}",
        _NO_CORS.dangerously_with_credentials,
        "The second key that either of those needs where `credentials` is true.",
    ),
)


def _edits(direction: str, whose: str) -> tuple[Key, ...]:
    base = f"routes.*.headers.{direction}"
    value = "One line of text, in which `${upstream.host}` and its like are replaced."
    return (
        _table(
            base, f"Edits of {whose} headers: `remove`, then `set`, then `add`.", example='{ set = { X-Env = "dev" } }'
        ),
        Key(
            path=f"{base}.set",
            types=(Type.MAP,),
            default={},
            example='{ X-Env = "dev" }',
            meaning="Fields to set; every field of the same name is replaced.",
        ),
        Key(path=f"{base}.set.*", types=(Type.STRING,), example='"dev"', meaning=value),
        Key(
            path=f"{base}.add",
            types=(Type.MAP,),
            default={},
            example='{ X-Seen-By = "devproxy" }',
            meaning="Fields to add after those that are there.",
        ),
        Key(path=f"{base}.add.*", types=(Type.STRING,), example='"devproxy"', meaning=value),
        Key(
            path=f"{base}.remove",
            types=(Type.LIST,),
            default=[],
            example='["X-Powered-By"]',
            meaning="Names of fields to remove, in any case.",
        ),
    )


_COOKIE_KEYS: Final = (
    _table("routes.*.cookies", "What becomes of `Set-Cookie`."),
    Key(
        path="routes.*.cookies.domain",
        types=(Type.STRING, Type.MAP),
        example='""',
        meaning='The Domain attribute. `""`: taken off. A name: put in place of the upstream\'s. A table: new values '
        'by old ones, for example `{ "api.example.com" = "" }`. Not written: left as it is.',
    ),
    Key(path="routes.*.cookies.domain.*", types=(Type.STRING,), example='""', meaning="The new Domain."),
    Key(
        path="routes.*.cookies.path",
        types=(Type.STRING,),
        default="auto",
        choices=("auto", "keep"),
        example='"keep"',
        meaning="The Path attribute. `auto`: a Path below what the route's prefix is replaced by comes back below the "
        "prefix. `keep`: left as it is.",
    ),
    Key(
        path="routes.*.cookies.secure",
        types=(Type.STRING, Type.BOOLEAN),
        default=SecureRule.KEEP.value,
        choices=tuple(rule.value for rule in SecureRule),
        example='"auto"',
        meaning="The Secure attribute: `keep`, `auto` (follows the scheme of the front), `true` (put there) or `false` "
        "(taken off).",
    ),
    Key(
        path="routes.*.cookies.same_site",
        types=(Type.STRING,),
        default=SameSiteRule.KEEP.value,
        choices=tuple(rule.value for rule in SameSiteRule),
        ignores_case=True,
        example='"auto"',
        meaning="The SameSite attribute: `keep`, `auto` (`None` becomes `Lax` where there is no Secure), or a value, "
        "in any case.",
    ),
    Key(
        path="routes.*.cookies.prefix",
        types=(Type.STRING,),
        default="",
        example='"shop."',
        meaning="Put before the name of every cookie on the way down and taken off on the way up, so that projects on "
        "one host stop logging each other out. At most 40 characters.",
    ),
)

_FAULT_KEYS: Final = (
    _table("routes.*.fault", "Trouble made on purpose."),
    Key(
        path="routes.*.fault.latency_ms",
        types=(Type.NUMBER,),
        default=0,
        minimum=0,
        maximum=600_000,
        example="200",
        meaning="How long every request is delayed, in milliseconds.",
    ),
    Key(
        path="routes.*.fault.error_rate",
        types=(Type.NUMBER,),
        default=0,
        minimum=0,
        maximum=1,
        example="0.1",
        meaning="The share of requests that are answered with `error_status` instead of being forwarded.",
    ),
    Key(
        path="routes.*.fault.error_status",
        types=(Type.INTEGER,),
        default=_NO_FAULT.error_status,
        minimum=400,
        maximum=599,
        example="500",
        meaning="The status of those.",
    ),
    _switch("routes.*.fault.refuse_upgrade", False, "Whether WebSocket handshakes (and other upgrades) are refused."),
    _seconds(
        "routes.*.fault.drop_after_s",
        _NO_FAULT.drop_after_s,
        "The age at which a WebSocket (or any other tunnel) is reset; 0: never.",
    ),
    Key(
        path="routes.*.fault.bandwidth_kib_s",
        types=(Type.NUMBER,),
        default=0,
        minimum=0,
        maximum=1024 * 1024,
        example="64",
        meaning="How much passes in a second, in KiB, in each direction of a connection; 0: no limit.",
    ),
    Key(
        path="routes.*.fault.seed",
        types=(Type.INTEGER,),
        default=_NO_FAULT.seed,
        minimum=0,
        maximum=2**53,
        example="7",
        meaning="Decides which requests fail: the same seed, the same ones.",
    ),
)

_OTHER_ROUTE_KEYS: Final = (
    *_COOKIE_KEYS,
    _table("routes.*.headers", "Edits of header fields, after everything else devproxy does to them."),
    *_edits("request", "the request's"),
    *_edits("response", "the response's"),
    *_FAULT_KEYS,
)

KEYS: Final[dict[str, Key]] = {
    key.path: key for key in (*_SERVER_KEYS, *_UPSTREAM_KEYS, *_ROUTE_KEYS, *_CORS_KEYS, *_OTHER_ROUTE_KEYS)
}
"""Every key by its path, in the order in which documents show them."""


def _group(keys: dict[str, Key]) -> dict[str, dict[str, Key]]:
    grouped: dict[str, dict[str, Key]] = {}
    for key in keys.values():
        parent, _, name = key.path.rpartition(".")
        grouped.setdefault(parent, {})[name] = key
    return grouped


CHILDREN: Final[dict[str, dict[str, Key]]] = _group(KEYS)
"""The keys directly below a path, by name; ``""`` for the top of the file."""
