"""CORS in production: which of a route's policy is carried over, and origins as expressions. Pure.

A site that is one origin needs no CORS: the browser has nothing to check. What is carried over is what the
configuration lets pages of *other* origins do; that pages of this machine may read is for development. Start at
:func:`cors_rule`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from devproxy.authority.networks import is_loopback
from devproxy.authority.origins import Pattern, parse_pattern
from devproxy.config.model import Cors, CorsMode, PreflightMode, Route
from devproxy.exporting.paths import literal
from devproxy.exporting.site import CorsKind, CorsPolicy, CorsRule, Rule, Site

ONE_ORIGIN: Final = (
    "pages come from this site's own origin, so no CORS is needed, and none is added. That pages of this machine may "
    "read is for development, and left out."
)
"""What is said of a route without a policy for pages of other origins."""
TOKEN: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
"""The expression for the name of a method or a field (RFC 9110 section 5.6.2)."""
_LEFT_OUT: Final = "That pages of this machine may read is for development, and left out."


def cors_rule(route: Route, place: str, *, is_socketio: bool) -> CorsRule:
    """Return what happens about CORS on `route` in production. `place`: of its policy, empty for the default."""
    cors = route.cors
    policy = policy_of(cors)
    written = f" ({place})" if place else ""
    if cors.mode is CorsMode.STRIP:
        return CorsRule(CorsKind.HIDE, f"No page of another origin may read this: the server's headers go{written}.")
    if cors.mode is CorsMode.PASSTHROUGH:
        return CorsRule(CorsKind.NONE, f"CORS is the server's affair: its headers pass as they are{written}.")
    if cors.mode is CorsMode.FIX:
        why = f"CORS is the server's affair: its headers pass as they are{written}. devproxy repaired their form "
        return CorsRule(CorsKind.NONE, f"{why}(mode `fix`); write them right in the server.")
    if policy is None:
        if cors.origins == ():
            return CorsRule(
                CorsKind.HIDE, f"No page of another origin may read this{written}: the server's headers go."
            )
        return CorsRule(CorsKind.NONE, ONE_ORIGIN)
    names = ", ".join(_who(policy))
    if is_socketio:
        why = (
            f"Pages of {names} may read this{written}. Socket.IO sets its own CORS headers, so none are added here: a "
            "second Access-Control-Allow-Origin would block every page. Its `cors` block: devproxy export socketio."
        )
        return CorsRule(CorsKind.OWN, why, policy)
    why = f"Pages of {names} may read this{written}; the server's own headers go, so that none is there twice."
    if cors.preflight is not PreflightMode.ANSWER:
        why += f' Preflights are answered here (`preflight = "{cors.preflight}"` asked the server).'
    return CorsRule(CorsKind.ALLOW, f"{why} {_LEFT_OUT}" if _drops_some(cors) else why, policy)


def policy_of(cors: Cors) -> CorsPolicy | None:
    """Return which pages of other origins may read in production, None for none."""
    origins = foreign_origins(cors)
    if not origins and not cors.dangerously_allow_any_origin and not cors.dangerously_allow_null_origin:
        return None
    return CorsPolicy(
        origins=origins,
        is_any=cors.dangerously_allow_any_origin,
        is_null=cors.dangerously_allow_null_origin,
        credentials=cors.credentials,
        methods=None if "*" in cors.methods else _with_head(cors.methods),
        headers=None if "*" in cors.headers else tuple(sorted({name.lower() for name in cors.headers})),
        expose=cors.expose,
        max_age_s=max(cors.max_age_s, 0),
    )


def foreign_origins(cors: Cors) -> tuple[Pattern, ...]:
    """Return the origins of a policy that are not those of this machine, sorted."""
    patterns = [parse_pattern(text) for text in sorted(cors.origins or ())]
    return tuple(one for one in patterns if not _is_local(one))


def origin_expression(pattern: Pattern) -> str:
    """Return the expression that takes exactly the origins that `pattern` takes."""
    if pattern.regex is not None:
        return f"^(?:{pattern.regex.pattern.decode()})$"
    below = r"(?:[a-z0-9_-]+\.)+" if pattern.is_below else ""
    port = r"(?::[0-9]+)?" if pattern.port == b"*" else f":{pattern.port.decode()}" if pattern.port else ""
    return f"^{pattern.scheme.decode()}://{below}{literal(pattern.host.decode())}{port}$"


def origins_expression(patterns: Iterable[Pattern], *, is_any: bool = False, is_null: bool = False) -> str:
    """Return the expression that takes the origins of all `patterns`; with `is_any` every one but ``null``."""
    if is_any:
        return "." if is_null else "^(?:[^n]|n[^u]|nu[^l]|nul[^l]|null.)"
    parts = [origin_expression(one).removeprefix("^").removesuffix("$") for one in patterns]
    return f"^(?:{'|'.join([*parts, *(('null',) if is_null else ())])})$"


def methods_expression(policy: CorsPolicy) -> str:
    """Return the expression that takes the methods which a preflight may ask for."""
    return f"^(?:{TOKEN if policy.methods is None else '|'.join(map(literal, policy.methods))})$"


def headers_expression(policy: CorsPolicy) -> str:
    """Return the expression that takes lists of the headers which a preflight may ask for; case has to be ignored."""
    names = TOKEN if policy.headers is None else "|".join(map(literal, policy.headers))
    item = f"[ \\t]*(?:{names})?[ \\t]*" if names else "[ \\t]*"
    return f"^{item}(?:,{item})*$"


def without_origins(site: Site, is_usable: Callable[[str], bool], why: str) -> Site:
    """Return `site` without the origins by expression that a target does not understand, and a note that says so.

    `is_usable`: told an expression. `why`: a clause without a full stop.
    """
    left: dict[str, None] = {}

    def kept(patterns: tuple[Pattern, ...]) -> tuple[Pattern, ...]:
        odd = [one for one in patterns if one.regex is not None and not is_usable(one.regex.pattern.decode())]
        left.update(dict.fromkeys(one.text for one in odd))
        return tuple(one for one in patterns if one not in odd)

    def rule_with(rule: Rule) -> Rule:
        policy = rule.cors.policy
        if policy is not None:
            policy = policy._replace(origins=kept(policy.origins))
        welcome = None if rule.welcome is None else kept(rule.welcome)
        return rule._replace(cors=rule.cors._replace(policy=policy), welcome=welcome)

    rules = tuple(map(rule_with, site.rules))
    if not left:
        return site
    return site._replace(rules=rules, notes=(*site.notes, f"origins {', '.join(left)}: {why}."))


def _is_local(pattern: Pattern) -> bool:
    return pattern.regex is None and is_loopback(pattern.host.decode().strip("[]"))


def _drops_some(cors: Cors) -> bool:
    return len(foreign_origins(cors)) < len(cors.origins or ())


def _with_head(methods: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted({*methods, *(("HEAD",) if "GET" in methods else ())}))


def _who(policy: CorsPolicy) -> list[str]:
    names = ["every web site"] if policy.is_any else [one.text for one in policy.origins]
    return [*names, "no origin of their own (null)"] if policy.is_null else names
