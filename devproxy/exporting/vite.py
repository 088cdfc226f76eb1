"""The routes as ``server.proxy`` of Vite, for a project that goes on without devproxy. Pure.

This is for development, not for production: servers are those of the file. Vite takes the first key that matches, and
one that begins with ``^`` is an expression on path *and* query. Start at :func:`write`.
"""

from __future__ import annotations

import json
from typing import Final

from devproxy import __version__
from devproxy.authority.origins import Pattern
from devproxy.config.model import HeaderEdits, PathKind, Scheme, ServerAddress
from devproxy.exporting.cross import origin_expression, without_origins
from devproxy.exporting.paths import base_of, decoded, is_javascript, literal, path_expression
from devproxy.exporting.site import CorsKind, Rule, Site
from devproxy.exporting.socketio import regex_of_node
from devproxy.exporting.values import Rewriting, fixed_value, rewriting
from devproxy.exporting.writing import Lines, heading
from devproxy.policy.addressing import authority_of

_LOOPBACK: Final = r"/^https?:\/\/(?:(?:[^:]+\.)?localhost|127\.0\.0\.1|\[::1\])(?::\d+)?$/"
"""What Vite itself lets read where nothing is said (``defaultAllowedOrigins``)."""


def write(site: Site) -> str:
    """Return the file."""
    site = without_origins(site, is_javascript, "JavaScript's expressions do not have all that they use")
    lines = Lines("//", indent="  ")
    lines.comment(
        f"Vite's `server.proxy`, for the routes of {site.source}. Written by `devproxy export` (devproxy "
        f"{__version__}).",
        "It is for development: put `server` into vite.config.js.",
        "",
        "Not carried over:",
        "- waiting for servers that restart (hold_s), faults, the inspector, the guard: with a proxied WebSocket, Vite "
        "checks neither Host nor Origin, so that every web site can open it.",
        "- CORS for each route: Vite answers preflights itself, by `server.cors`, for all paths alike, and the "
        "server's own headers pass.",
        *(f"- {note}" for note in site.notes if note.startswith("origins")),
    )
    lines.blank()
    lines.open("export default {")
    lines.open("server: {")
    _add_cors(lines, site)
    lines.comment("The first key that matches takes a request; all others are Vite's own.")
    lines.open("proxy: {")
    own = _own_upstream(site)
    for rule in site.rules:
        _add_rule(lines, rule, own)
    lines.close("},")
    lines.close("},")
    lines.close("};")
    return lines.text()


def _own_upstream(site: Site) -> str:
    """Return the name of the upstream that Vite itself is: that of every other path. Empty: it is none."""
    last = site.rules[-1]
    return "" if path_expression(last.route) or last.is_conditional else last.pool.upstream.name


def _add_cors(lines: Lines, site: Site) -> None:
    policies = [rule.cors.policy for rule in site.rules if rule.cors.kind is CorsKind.ALLOW and rule.cors.policy]
    if not policies:
        return
    patterns: dict[Pattern, None] = dict.fromkeys(one for policy in policies for one in policy.origins)
    lines.comment("Pages of other origins that may read, besides those of this machine.")
    origins = [regex_of_node(origin_expression(one)) for one in patterns]
    credentials = ", credentials: true" if any(policy.credentials for policy in policies) else ""
    lines.add(f"cors: {{ origin: [{', '.join([_LOOPBACK, *origins])}]{credentials} }},")


def _add_rule(lines: Lines, rule: Rule, own: str) -> None:
    route = rule.route
    lines.comment(heading(rule))
    if rule.pool.upstream.name == own:
        if not path_expression(route):
            lines.comment("Vite itself; nothing to write.")
        elif _is_possible(rule):
            lines.add(f"{_key(rule)}: {{ target: {_target(rule.pool.servers[0])}, bypass: (request) => request.url }},")
        return
    problems = _problems(rule)
    lines.comment(*problems)
    if not _is_possible(rule) or (not path_expression(route) and not own):
        return
    lines.open(f"{_key(rule)}: {{")
    _add_options(lines, rule)
    lines.close("},")


def _is_possible(rule: Rule) -> bool:
    return not rule.is_conditional and not _is_odd(rule) and rule.pool.servers[0].scheme is not Scheme.UNIX


def _is_odd(rule: Rule) -> bool:
    return rule.route.kind is PathKind.REGEX and not is_javascript(rule.route.pattern)


def _problems(rule: Rule) -> list[str]:
    """Return what Vite cannot do for a route."""
    found = list(rule.notes)
    if rule.is_conditional:
        found.append("Left out: Vite's keys see the path alone, not methods, hosts or headers.")
    if _is_odd(rule):
        found.append("Left out: JavaScript's expressions do not have all that this one uses.")
    if rule.pool.servers[0].scheme is Scheme.UNIX:
        found.append("Left out: the server is behind a Unix socket.")
    if not path_expression(rule.route) and rule.pool.upstream.name:
        found.append("Left out: it takes every path, those of Vite's own modules too.")
    if rule.pool.is_several:
        found.append("Vite knows one server for a key; this is the first one.")
    if rule.prefix:
        found.append("Cookies of a server that does not know its prefix keep their Path.")
    return found


def _key(rule: Rule) -> str:
    """Return the key: an expression on path and query."""
    route = rule.route
    match route.kind:
        case PathKind.PREFIX:
            expression = f"^{literal(base_of(decoded(route.pattern)))}(?:[/?]|$)"
        case _:
            expression = f"{path_expression(route).removesuffix('$')}(?:\\?|$)"
    return json.dumps(expression)


def _target(server: ServerAddress) -> str:
    return json.dumps(f"{server.scheme}://{authority_of(server)}")


def _add_options(lines: Lines, rule: Rule) -> None:
    server, upstream = rule.pool.servers[0], rule.pool.upstream
    own_host = rule.host != "keep"
    lines.add(f"target: {_target(server)},", "ws: true,", "xfwd: true,")
    lines.add(f"changeOrigin: {'true' if own_host else 'false'},")
    if rule.pool.is_tls and not upstream.tls_verify:
        lines.add("secure: false,")
    if (made := rewriting(rule.route)) is not None:
        lines.add(f"rewrite: {_rewrite(made)},")
    if rule.route.maps_redirects:
        lines.add("autoRewrite: true,  // a redirect to the server comes back here")
    if upstream.response_timeout_s:
        lines.add(f"proxyTimeout: {upstream.response_timeout_s * 1000:g},")
    sent, sets = _request_fields(rule)
    if sent:
        lines.add(f"headers: {{ {', '.join(f'{json.dumps(name)}: {json.dumps(value)}' for name, value in sent)} }},")
    got = _response_calls(rule)
    if sets or got:
        lines.open("configure: (proxy) => {")
        if sets:
            lines.open('for (const event of ["proxyReq", "proxyReqWs"]) {')
            lines.open("proxy.on(event, (request) => {")
            lines.add(*sets)
            lines.close("});")
            lines.close()
        if got:
            lines.open('proxy.on("proxyRes", (response) => {')
            lines.add(*got)
            lines.close("});")
        lines.close("},")


def _rewrite(made: Rewriting) -> str:
    regex = made.regex if made.keeps_rest else "^[^?]*"
    return f"(path) => path.replace({regex_of_node(regex)}, {json.dumps(made.path.replace('$', '$$'))})"


def _request_fields(rule: Rule) -> tuple[list[tuple[str, str]], list[str]]:
    """Return the fields that are always sent, and the calls that change what the browser sent."""
    sent = [("X-Forwarded-Prefix", rule.prefix)] if rule.prefix else []
    calls: list[str] = []
    if rule.host not in ("keep", authority_of(rule.pool.servers[0])):
        sent.append(("Host", rule.host))
    if rule.origin == "remove":
        calls.append('request.removeHeader("origin");')
    elif rule.origin != "keep":
        calls.append(f'if (request.getHeader("origin")) request.setHeader("origin", {json.dumps(rule.origin)});')
    edits = rule.route.request_headers
    calls += [f"request.removeHeader({json.dumps(name)});" for name in edits.remove]
    for name, value in (*edits.set, *edits.add):
        if (text := fixed_value(value, rule)) is None:
            calls.append(f"// {name} is left out: its value is one of the request.")
        else:
            sent.append((name, text))
    return sent, calls


def _response_calls(rule: Rule) -> list[str]:
    edits: HeaderEdits = rule.route.response_headers
    calls = [f"delete response.headers[{json.dumps(name.lower())}];" for name in edits.remove]
    for name, value in (*edits.set, *edits.add):
        if (text := fixed_value(value, rule)) is None:
            calls.append(f"// {name} is left out: its value is one of the request.")
        else:
            calls.append(f"response.headers[{json.dumps(name.lower())}] = {json.dumps(text)};")
    return calls
