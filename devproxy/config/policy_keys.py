"""The keys of a route's policies: CORS, cookies, header edits, faults. Part of the table in ``keys``. Pure."""

from __future__ import annotations

from typing import Final

from devproxy.config.cors import ANY_KEY, CREDENTIALS_KEY, NULL_KEY
from devproxy.config.key import Key, Type, names, seconds, switch, table, word
from devproxy.config.model import Cors, CorsMode, Fault, Preflight, SameSiteRule, SecureRule

_NO_CORS = Cors()
_NO_FAULT = Fault()


_CORS_KEYS: Final = (
    Key(
        path="routes.*.cors",
        types=(Type.STRING, Type.TABLE),
        choices=tuple(mode.value for mode in CorsMode),
        example='"passthrough"',
        meaning="Which pages of other origins may read what this route answers. Short form: the mode. Long form: a "
        "table.",
    ),
    word(
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
    switch(
        "routes.*.cors.credentials",
        _NO_CORS.credentials,
        "Whether their requests may carry cookies (`credentials: 'include'`, `withCredentials`).",
    ),
    names(
        "routes.*.cors.methods",
        _NO_CORS.methods,
        '["GET", "POST"]',
        'Methods that a preflight may ask for; `GET` includes HEAD. `"*"`: any.',
    ),
    names(
        "routes.*.cors.headers",
        _NO_CORS.headers,
        '["Authorization", "Content-Type"]',
        'Request headers that a preflight may ask for. `"*"`: any, each named in the answer, `Authorization` too.',
    ),
    names(
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
    switch(
        "routes.*.cors.allow_private_network",
        _NO_CORS.allow_private_network,
        "Whether a preflight may ask for access from a more public network (`Access-Control-Request-Private-Network`).",
    ),
    switch(
        f"routes.*.cors.{NULL_KEY}",
        _NO_CORS.dangerously_allow_null_origin,
        "Welcome `Origin: null`: sandboxed frames and files, but any web site can send it.",
    ),
    switch(f"routes.*.cors.{ANY_KEY}", _NO_CORS.dangerously_allow_any_origin, "Welcome every web site."),
    switch(
        f"routes.*.cors.{CREDENTIALS_KEY}",
        _NO_CORS.dangerously_with_credentials,
        "The second key that either of those needs where `credentials` is true.",
    ),
)


def _edits(direction: str, whose: str) -> tuple[Key, ...]:
    base = f"routes.*.headers.{direction}"
    value = "One line of text, in which `${upstream.host}` and its like are replaced."
    return (
        table(
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
    table("routes.*.cookies", "What becomes of `Set-Cookie`."),
    Key(
        path="routes.*.cookies.domain",
        types=(Type.STRING, Type.MAP),
        example='""',
        meaning='The Domain attribute. `""`: taken off. A name: put in place of the upstream\'s. A table: new values '
        'by old ones, for example `{ "api.example.com" = "" }`; `"*"` is every other. `"keep"`: left as it is. Not '
        "written: left as it is, but taken off where a public server set it.",
    ),
    Key(
        path="routes.*.cookies.domain.*",
        types=(Type.STRING,),
        example='""',
        meaning='In a table each value is the new Domain; `""` takes it off.',
    ),
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
        choices=tuple(rule.value for rule in SecureRule),
        example='"auto"',
        meaning="The Secure attribute: `keep`, `auto` (follows the scheme of the front), `true` (put there) or `false` "
        "(taken off). Not written: `keep`; `auto` where a public server set it.",
    ),
    Key(
        path="routes.*.cookies.same_site",
        types=(Type.STRING,),
        choices=tuple(rule.value for rule in SameSiteRule),
        ignores_case=True,
        example='"auto"',
        meaning="The SameSite attribute: `keep`, `auto` (`None` becomes `Lax` where there is no Secure), or a value, "
        "in any case. Not written: `keep`; `auto` where a public server set it.",
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
    table("routes.*.fault", "Trouble made on purpose."),
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
    switch("routes.*.fault.refuse_upgrade", False, "Whether WebSocket handshakes (and other upgrades) are refused."),
    seconds(
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

POLICY_KEYS: Final = (
    *_CORS_KEYS,
    *_COOKIE_KEYS,
    table("routes.*.headers", "Edits of header fields, after everything else devproxy does to them."),
    *_edits("request", "the request's"),
    *_edits("response", "the response's"),
    *_FAULT_KEYS,
)
