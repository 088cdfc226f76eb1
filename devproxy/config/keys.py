"""The table of keys: every key of ``devproxy.toml`` with its type, default, bounds and meaning. Stands once, here.

Validation (``shape``), the JSON Schema, the Markdown reference and ``config.example.toml`` (``documents``) are all read
from :data:`KEYS`, so that they cannot drift apart. What needs more than one key to judge (an upstream that exists, a
route that is there twice) is not here but in ``routes`` and ``conflicts``.

In a path, ``*`` stands for any name below a map and for any element of an array: ``upstreams.*.servers``.
"""

from __future__ import annotations

from typing import Final

from devproxy.config.key import ABSENT as ABSENT
from devproxy.config.key import Key as Key
from devproxy.config.key import Type as Type
from devproxy.config.key import octets, seconds, table
from devproxy.config.model import MAX_TARGET_BYTES, Server, Sticky, Upstream
from devproxy.config.policy_keys import POLICY_KEYS

RELEASE: Final = "0.1"
"""The release whose reserved keys these are, as named in problems."""

_SERVER = Server()
_UPSTREAM = Upstream(name="", servers=())
_MIB: Final = 1024 * 1024
_PATH_PATTERN: Final = "^/"


_SERVER_KEYS: Final = (
    table("server", "How devproxy itself listens."),
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
        meaning="Hosts that devproxy answers to besides `localhost`, `*.localhost`, IP addresses (but not 0.0.0.0, "
        "`::` and IPv6 that spells an IPv4 address) and the names it listens on: names, `.name` (the name and all "
        'below it), without a port. `["*"]`: any, which lets any web site read your servers (DNS rebinding).',
    ),
    Key(
        path="server.trusted_proxies",
        types=(Type.LIST,),
        default=list(_SERVER.trusted_proxies),
        example='["loopback", "192.168.1.20", "172.16.0.0/12"]',
        meaning="Proxies in front of devproxy whose `X-Forwarded-*` and `X-Real-IP` are passed on: `loopback` (this "
        "machine), `private` (private, link-local and carrier networks), addresses and networks. What anybody else "
        "says is replaced. `[]`: nobody is believed. The guard never goes by them.",
    ),
    Key(
        path="server.tls",
        types=(Type.BOOLEAN, Type.TABLE),
        default=False,
        example="true",
        reserved="remove the line; browsers treat http://localhost as a secure context",
        meaning='`true`: HTTPS with a locally trusted certificate; or `{ cert = "…", key = "…" }`.',
    ),
    seconds(
        "server.drain_s",
        _SERVER.drain_s,
        "When devproxy stops: how long requests that are still running may take to finish.",
        maximum=3600,
    ),
    seconds(
        "server.head_timeout_s",
        _SERVER.head_timeout_s,
        "How long a client may take to send a request head before it gets 408; 0: for ever.",
    ),
    seconds(
        "server.idle_timeout_s",
        _SERVER.idle_timeout_s,
        "How long a client's connection may stay open between requests; 0: for ever.",
    ),
    seconds(
        "server.tunnel_idle_timeout_s",
        _SERVER.tunnel_idle_timeout_s,
        "After how long without a byte in either direction a WebSocket (or any other tunnel) is closed; 0: never.",
    ),
    octets(
        "server.max_target_bytes",
        _SERVER.max_target_bytes,
        "Longest request target (path and query) in octets; a longer one gets 414.",
        minimum=256,
        maximum=MAX_TARGET_BYTES,
    ),
    octets(
        "server.max_head_bytes",
        _SERVER.max_head_bytes,
        "Largest head of a request or a response in octets; a larger request gets 431, a larger response becomes 502. "
        "At this default, a response may have 262144, as in browsers.",
        minimum=1024,
        maximum=16 * _MIB,
    ),
    octets(
        "server.max_fields",
        _SERVER.max_fields,
        "Most header fields in a head; a request with more gets 431, a response with more becomes 502. At this "
        "default, a response may have 1000.",
        minimum=16,
        maximum=10_000,
    ),
    octets(
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
        "without a path. `localhost` and names below it are tried as ::1 and 127.0.0.1. More than one: the one with "
        "fewest requests running.",
    ),
    Key(
        path="upstreams.*.tls_verify",
        types=(Type.BOOLEAN,),
        default=_UPSTREAM.tls_verify,
        meaning="Whether the certificate of an `https` server is checked. `false` accepts any; to trust an authority "
        "of your own instead, start devproxy with `SSL_CERT_FILE=/path/to/ca.pem`.",
    ),
    Key(
        path="upstreams.*.sticky",
        types=(Type.STRING,),
        default=_UPSTREAM.sticky.value,
        choices=tuple(sticky.value for sticky in Sticky),
        example='"socketio"',
        meaning="With more than one server: what keeps a client at the server it began with. `socketio`: the session "
        "of Engine.IO, `sid` in the query; also among several processes behind one address. `cookie`: a cookie that "
        "devproxy sets.",
    ),
    seconds(
        "upstreams.*.hold_s",
        _UPSTREAM.hold_s,
        "For how long after a server that was up has gone safe requests and WebSocket handshakes wait for it; 0: they "
        "get 503 at once, as all others do.",
        maximum=600,
    ),
    seconds(
        "upstreams.*.connect_timeout_s",
        _UPSTREAM.connect_timeout_s,
        "How long connecting may take, TLS included, before the client gets 504; 0: as long as the system tries.",
    ),
    seconds(
        "upstreams.*.response_timeout_s",
        _UPSTREAM.response_timeout_s,
        "How long a server may take from the end of the request to its response head before the client gets 504; "
        "0: for ever, which long-polling and breakpoints need.",
    ),
    seconds(
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
    table("routes.*", "One route. It needs exactly one of `path`, `path_exact`, `path_glob` and `path_regex`."),
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
        "Matches the whole path by a regular expression in Python's syntax (`re.fullmatch`). One that some path would "
        "keep busy, such as `/.*/.*/x`, is refused: write `/[^/]*/` for `/.*/`.",
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
        default="auto",
        example='"upstream"',
        meaning="The Host sent upstream: `keep` (as the browser sent it), `upstream` (the server's own) or a name. "
        "`auto`: `upstream` for a server with a public name or address, `keep` for one of this machine, of a private "
        "network, or with a name that no registry sells (without a dot, `.local`, `.internal`, `.test`). With "
        "`upstream`, a server that compares the Origin with the Host, as Django does, needs "
        '`origin = "upstream"` too.',
    ),
    Key(
        path="routes.*.origin",
        types=(Type.STRING,),
        default="auto",
        example='"http://localhost:3001"',
        meaning="The Origin sent upstream when the browser sent one: `keep`, `upstream` (the server's own), `remove` "
        "or an origin such as `http://localhost:3001`. `auto`: `upstream` for a public server that is sent its own "
        "Host, and for hot reload of devproxy's own pages; else `keep`.",
    ),
    Key(
        path="routes.*.guard",
        types=(Type.BOOLEAN,),
        default=True,
        example="false",
        meaning="Whether requests that a foreign web site causes are refused (403): those from origins that `cors` "
        "does not welcome, and forms that `form_post` does not. Links, and requests that no browser sends, pass.",
    ),
    Key(
        path="routes.*.form_post",
        types=(Type.LIST,),
        default=[],
        example='["https://login.example"]',
        meaning="Origins whose pages may post a form here though they are another site: logins that come back that way "
        "(`response_mode=form_post`, SAML). Written as `origins` of `cors`, which they do not change. Browsers hide "
        'the origin of an `https` page from plain http (`Origin: null`, which `"null"` lets in by itself). So an '
        "`https` origin lets in the forms of every page that is hidden: give the callback a route of its own.",
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

KEYS: Final[dict[str, Key]] = {key.path: key for key in (*_SERVER_KEYS, *_UPSTREAM_KEYS, *_ROUTE_KEYS, *POLICY_KEYS)}
"""Every key by its path, in the order in which documents show them."""


def _group(keys: dict[str, Key]) -> dict[str, dict[str, Key]]:
    grouped: dict[str, dict[str, Key]] = {}
    for key in keys.values():
        parent, _, name = key.path.rpartition(".")
        grouped.setdefault(parent, {})[name] = key
    return grouped


CHILDREN: Final[dict[str, dict[str, Key]]] = _group(KEYS)
"""The keys directly below a path, by name; ``""`` for the top of the file."""
