"""The rules of a route as values: CORS, cookies, header edits, faults. Part of ``model``; no behaviour here."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final

if TYPE_CHECKING:
    from devproxy.config.key import ABSENT, Key, Type, seconds


class CorsMode(StrEnum):
    """What becomes of a response's ``Access-Control-*`` fields."""

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
    """What becomes of a cookie's ``Secure``; ``AUTO`` follows the scheme of the front."""

    KEEP = "keep"
    AUTO = "auto"
    ALWAYS = "true"
    NEVER = "false"


class SameSiteRule(StrEnum):
    """What becomes of a cookie's ``SameSite``; ``AUTO``: what a browser accepts on the front's scheme."""

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
        Key("Fields to set; every field of the same name is replaced.", default={}, example='{ X-Env = "dev" }'),
        Key(
            "One line of text, in which `${upstream.host}` and its like are replaced.",
            name="set.*",
            types=(Type.STRING,),
            example='"dev"',
        ),
    ] = ()
    add: Annotated[
        tuple[tuple[str, str], ...],
        Key("Fields to add after those that are there.", default={}, example='{ X-Seen-By = "devproxy" }'),
        Key(
            "One line of text, in which `${upstream.host}` and its like are replaced.",
            name="add.*",
            types=(Type.STRING,),
            example='"devproxy"',
        ),
    ] = ()
    remove: Annotated[tuple[str, ...], Key("Names of fields to remove, in any case.", example='["X-Powered-By"]')] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cors:
    """The CORS policy of a route.

    ``origins``: patterns as normalised when they were read; None: every loopback origin (http and https; ``localhost``,
    ``*.localhost``, 127.0.0.1 and [::1]; any port). ``methods`` and ``headers``: ``*`` among them allows what is asked
    for. ``line``: where the policy stands in its file, 1-based; 0 when nothing was written.
    """

    mode: Annotated[
        CorsMode,
        Key(
            "What becomes of the upstream's `Access-Control-*` headers. `rewrite`: this policy's take their place. "
            "`fix`: they stay and are repaired, never widened. `strip`: they go, and no other origin reads anything. "
            "`passthrough`: they stay as they are.",
            example='"fix"',
        ),
    ] = CorsMode.REWRITE
    origins: Annotated[
        tuple[str, ...] | None,
        Key(
            "Origins that are welcome: they may read the answers, and the guard lets their requests pass, in every "
            "mode. `*.` before a host is one or more whole labels, the port `*` is any, `regex:` begins a regular "
            "expression for the whole origin. `[]`: none. Not written: every page of this machine (http and https; "
            "`localhost`, `*.localhost`, 127.0.0.1 and [::1]; any port).",
            example='["http://localhost:3000", "https://*.preview.test", "http://127.0.0.1:*"]',
        ),
    ] = None
    credentials: Annotated[
        bool, Key("Whether their requests may carry cookies (`credentials: 'include'`, `withCredentials`).")
    ] = True
    methods: Annotated[
        tuple[str, ...],
        Key(
            'Methods that a preflight may ask for; `GET` includes HEAD. `"*"`: any.',
            example='["GET", "POST"]',
        ),
    ] = ("GET", "POST", "PUT", "PATCH", "DELETE")
    headers: Annotated[
        tuple[str, ...],
        Key(
            'Request headers that a preflight may ask for. `"*"`: any, each named in the answer, `Authorization` too.',
            example='["Authorization", "Content-Type"]',
        ),
    ] = ("*",)
    expose: Annotated[
        tuple[str, ...],
        Key(
            'Response headers that scripts may read besides the usual ones. `"*"`, for all, needs '
            "`credentials = false`.",
            example='["ETag"]',
        ),
    ] = ()
    max_age_s: Annotated[
        int,
        Key(
            "How long a browser may remember a preflight's answer; Chromium takes at most 7200. 0 or -1: not at all.",
            minimum=-1,
            maximum=86_400,
            example="60",
        ),
    ] = 600
    preflight: Annotated[
        PreflightMode,
        Key(
            "Who answers preflights. `answer`: devproxy, at once, also while the upstream is down. `forward`: the "
            "upstream. `forward-or-answer`: the upstream, and devproxy where it does not allow what this policy "
            "allows. Not written: `answer`; in `fix` `forward-or-answer`, in `passthrough` `forward`.",
            default=ABSENT,
            example='"answer"',
        ),
    ] = PreflightMode.ANSWER
    allow_private_network: Annotated[
        bool,
        Key(
            "Whether a preflight may ask for access from a more public network "
            "(`Access-Control-Request-Private-Network`)."
        ),
    ] = False
    dangerously_allow_null_origin: Annotated[
        bool, Key("Welcome `Origin: null`: sandboxed frames and files, but any web site can send it.")
    ] = False
    dangerously_allow_any_origin: Annotated[bool, Key("Welcome every web site.")] = False
    dangerously_with_credentials: Annotated[
        bool, Key("The second key that either of those needs where `credentials` is true.")
    ] = False
    line: int = 0


KEEP_DOMAIN: Final = "keep"
"""Leaves a cookie's Domain as it is. No browser takes a Domain of one label that is not the host itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cookies:
    """What becomes of the ``Set-Cookie`` lines of a route's responses.

    ``domain``, ``secure`` and ``same_site`` are None where nothing is written: the attribute stays as it is, but is
    repaired where a public server set it. ``domain``: ``keep`` leaves the attribute, ``""`` removes it, else its new
    value; ``domain_map``: new values by old ones (lower case, no leading dot), which go first. ``maps_path``: a Path
    below what the route's prefix is replaced by comes back below the prefix. ``prefix``: put before every name on the
    way down, taken off on the way up.
    """

    domain: Annotated[
        str | None,
        Key(
            'The Domain attribute. `""`: taken off. A name: put in place of the upstream\'s. A table: new values '
            'by old ones, for example `{ "api.example.com" = "" }`; `"*"` is every other. `"keep"`: left as it is. Not '
            "written: left as it is, but taken off where a public server set it.",
            types=(Type.STRING, Type.MAP),
            example='""',
        ),
    ] = None
    domain_map: Annotated[
        tuple[tuple[str, str], ...],
        Key(
            'In a table each value is the new Domain; `""` takes it off.',
            name="domain.*",
            types=(Type.STRING,),
            example='""',
        ),
    ] = ()
    maps_path: Annotated[
        bool,
        Key(
            "The Path attribute. `auto`: a Path below what the route's prefix is replaced by comes back below the "
            "prefix. `keep`: left as it is.",
            name="path",
            words={"auto": True, "keep": False},
            example='"keep"',
        ),
    ] = True
    secure: Annotated[
        SecureRule | None,
        Key(
            "The Secure attribute: `keep`, `auto` (follows the scheme of the front), `true` (put there) or `false` "
            "(taken off). Not written: `keep`; `auto` where a public server set it.",
            types=(Type.STRING, Type.BOOLEAN),
            example='"auto"',
        ),
    ] = None
    same_site: Annotated[
        SameSiteRule | None,
        Key(
            "The SameSite attribute: `keep`, `auto` (`None` becomes `Lax` where there is no Secure), or a value, "
            "in any case. Not written: `keep`; `auto` where a public server set it.",
            ignores_case=True,
            example='"auto"',
        ),
    ] = None
    prefix: Annotated[
        str,
        Key(
            "Put before the name of every cookie on the way down and taken off on the way up, so that projects on "
            "one host stop logging each other out. At most 40 characters.",
            example='"shop."',
        ),
    ] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Trouble made on purpose. All zero: none.

    ``error_rate``: the share of requests, 0 to 1, that are answered with ``error_status`` instead of being forwarded.
    ``drop_after_s``: the age at which a tunnel is reset. ``seed``: of the choice which requests fail.
    """

    latency_ms: Annotated[
        float,
        Key("How long every request is delayed, in milliseconds.", minimum=0, maximum=600_000, example="200"),
    ] = 0.0
    error_rate: Annotated[
        float,
        Key(
            "The share of requests that are answered with `error_status` instead of being forwarded.",
            minimum=0,
            maximum=1,
            example="0.1",
        ),
    ] = 0.0
    error_status: Annotated[int, Key("The status of those.", minimum=400, maximum=599, example="500")] = 503
    refuse_upgrade: Annotated[bool, Key("Whether WebSocket handshakes (and other upgrades) are refused.")] = False
    drop_after_s: Annotated[
        float, seconds("The age at which a WebSocket (or any other tunnel) is reset; 0: never.")
    ] = 0.0
    bandwidth_kib_s: Annotated[
        float,
        Key(
            "How much passes in a second, in KiB, in each direction of a connection; 0: no limit.",
            minimum=0,
            maximum=1024 * 1024,
            example="64",
        ),
    ] = 0.0
    seed: Annotated[
        int,
        Key("Decides which requests fail: the same seed, the same ones.", minimum=0, maximum=2**53, example="7"),
    ] = 0
