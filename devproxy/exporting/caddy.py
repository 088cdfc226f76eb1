"""A site as a Caddyfile. Pure.

The routes are ``handle`` blocks within ``route``, which keeps their order. Paths are expressions, because Caddy's own
path matcher ignores case and takes ``/api/*`` without ``/api``. Start at :func:`write`.
"""

from __future__ import annotations

import re
from typing import Final

from devproxy.authority.hosts import bracketed
from devproxy.authority.origins import Pattern
from devproxy.config.model import HeaderEdits, PathKind, Scheme, ServerAddress, Sticky
from devproxy.exporting.cross import (
    ONE_ORIGIN,
    headers_expression,
    methods_expression,
    origins_expression,
    without_origins,
)
from devproxy.exporting.paths import is_plain, literal, method_names, path_expression, value_expression
from devproxy.exporting.reading import authority_files, trusts_system
from devproxy.exporting.site import CorsKind, CorsPolicy, Pool, Rule, Site, WebOrigin
from devproxy.exporting.values import pieces, rewriting
from devproxy.exporting.writing import (
    FILES,
    SOCKETIO_QUIET_S,
    Lines,
    guard_notes,
    heading,
    listed,
    mark,
    opening,
    sticky_words,
)
from devproxy.policy.addressing import authority_of

_VARIABLES: Final = {"client.address": "{remote_host}", "host": "{hostport}", "scheme": "{scheme}"}
_NEEDS_QUOTES: Final = re.compile(r"[\s\"`{}#\\]")


def write(site: Site) -> str:
    """Return the file."""
    site = without_origins(site, is_plain, "Caddy's expressions have no look-around and no references back")
    lines = Lines(indent="\t")
    opening(
        lines,
        site,
        "Caddy",
        "It is a Caddyfile, or imported by one. Try it with `caddy validate --config Caddyfile`. Caddy gets the "
        "certificates itself.",
        notes=guard_notes(site),
    )
    lines.blank()
    lines.add(mark(site.is_assumed).strip() or "", f"{', '.join(_addresses(site))} {{")
    lines.depth += 1
    if all(origin.is_loopback for origin in site.origins):
        lines.add(f"bind {' '.join(dict.fromkeys(_bound(origin) for origin in site.origins))}")
    if site.server.max_body_bytes:
        lines.comment("Largest body of a request, as max_body_bytes says.")
        lines.open("request_body {")
        lines.add(f"max_size {site.server.max_body_bytes}B")
        lines.close()
    policies = list(dict.fromkeys(rule.cors.policy for rule in site.rules if rule.cors.kind is CorsKind.ALLOW))
    welcomes = list(dict.fromkeys(rule.welcome for rule in site.rules if rule.welcome is not None))
    _add_matchers(lines, site, policies, welcomes)
    lines.blank()
    if any(rule.cors.why == ONE_ORIGIN for rule in site.rules):
        lines.comment(f"Where a route says nothing of CORS: {ONE_ORIGIN}")
    lines.open("route {")
    for rule in site.rules:
        _add_rule(lines, site, rule, policies, welcomes)
    if not any(not _condition(rule) for rule in site.rules):
        lines.comment("No route takes any other path.")
        lines.add("respond 404")
    lines.close()
    lines.close()
    return lines.text()


def _addresses(site: Site) -> list[str]:
    main, own = site.origins[0], {origin.host for origin in site.origins}
    asked = [main._replace(host=name) for name in site.names if name not in own]
    return [_address(origin) for origin in (*site.origins, *asked)]


def _address(origin: WebOrigin) -> str:
    return origin.text if origin.scheme == "http" else origin.authority if origin.port == 443 else origin.text


def _bound(origin: WebOrigin) -> str:
    return "127.0.0.1 ::1" if not origin.host[0].isdigit() and origin.host[0] != "[" else origin.host.strip("[]")


def word(text: str) -> str:
    """Return `text` as one word of a Caddyfile."""
    if text and _NEEDS_QUOTES.search(text) is None:
        return text
    if "`" not in text:
        return f"`{text}`"
    return '"' + text.replace('"', '\\"') + '"'


# Matchers


def _add_matchers(
    lines: Lines, site: Site, policies: list[CorsPolicy | None], welcomes: list[tuple[Pattern, ...]]
) -> None:
    if welcomes:
        lines.blank()
        lines.comment(
            "WebSockets of pages that may not open one: browsers have no CORS for them, so every web site could, with "
            "your users' cookies. No Origin: not a browser."
        )
    for number, welcome in enumerate(welcomes, 1):
        lines.open(f"@foreign_{number} {{")
        lines.add("header_regexp Upgrade (?i)websocket", "header Origin *")
        lines.add(f"not header_regexp Origin {word(origins_expression(welcome))}{mark(site.is_assumed)}")
        lines.close()
    for number, policy in enumerate(policies, 1):
        assert policy is not None
        _add_policy(lines, number, policy)
    for rule in site.rules:
        if parts := _condition(rule):
            lines.blank()
            lines.comment(heading(rule))
            lines.open(f"@route_{rule.number} {{")
            lines.add(*parts)
            lines.close()


def _add_policy(lines: Lines, number: int, policy: CorsPolicy) -> None:
    origins = word(origins_expression(policy.origins, is_any=policy.is_any, is_null=policy.is_null))
    lines.blank()
    lines.comment("Pages of other origins that may read, and preflights that ask for what is allowed, or do not.")
    lines.add(f"@cors_{number} header_regexp Origin {origins}")
    method = word(methods_expression(policy))
    asked = f"header_regexp Access-Control-Request-Method {method}"
    headers = f"header_regexp Access-Control-Request-Headers {word(f'(?i){headers_expression(policy)}')}"
    for name, last in (("allowed", headers), ("allowed_plain", "header !Access-Control-Request-Headers")):
        lines.open(f"@cors_{number}_{name} {{")
        lines.add("method OPTIONS", f"header_regexp Origin {origins}", asked, last)
        lines.close()
    lines.open(f"@cors_{number}_preflight {{")
    lines.add("method OPTIONS", "header Origin *", "header Access-Control-Request-Method *")
    lines.close()


def _condition(rule: Rule) -> list[str]:
    """Return the lines of the matcher of a route; none: it takes everything."""
    route, parts = rule.route, []
    if regex := path_expression(route):
        parts.append(f"path_regexp {word(regex)}")
    if route.methods:
        parts.append(f"method {' '.join(method_names(route))}")
    if route.match_host:
        names = "|".join(
            (r".+\." if host.startswith("*.") else "") + literal(host.removeprefix("*.")) for host in route.match_host
        )
        parts.append(f"header_regexp Host {word(f'(?i)^(?:{names})(?::[0-9]+)?$')}")
    for name, value in route.match_headers:
        parts.append(f"header_regexp {name} {word(value_expression(value))}")
    return parts


# Routes


def _add_rule(
    lines: Lines, site: Site, rule: Rule, policies: list[CorsPolicy | None], welcomes: list[tuple[Pattern, ...]]
) -> None:
    lines.blank()
    lines.comment(heading(rule), *rule.notes)
    if rule.route.kind is PathKind.REGEX and not is_plain(rule.route.pattern):
        lines.comment("Not carried over: Caddy's expressions have no look-around and no references back.")
        lines.example(f"path_regex = '{rule.route.pattern}'")
        return
    lines.open(f"handle @route_{rule.number} {{" if _condition(rule) else "handle {")
    if rule.cors.why != ONE_ORIGIN:
        lines.comment(rule.cors.why)
    if rule.welcome is not None:
        lines.open(f"handle @foreign_{welcomes.index(rule.welcome) + 1} {{")
        lines.add('respond "WebSockets of this Origin are refused." 403')
        lines.close()
    if rule.cors.kind is CorsKind.ALLOW:
        assert rule.cors.policy is not None
        _add_preflights(lines, rule.cors.policy, policies.index(rule.cors.policy) + 1)
    lines.open("handle {")
    if rule.cors.kind is CorsKind.ALLOW:
        assert rule.cors.policy is not None
        number = policies.index(rule.cors.policy) + 1
        _add_allowing(lines, f"header @cors_{number} {{", rule.cors.policy)
        lines.add("header +Vary Origin")
    _add_rewrite(lines, rule)
    _add_proxy(lines, site, rule)
    lines.close()
    if not rule.is_socketio and not _condition(rule):
        lines.comment(FILES)
        lines.example("root * /var/www/app", "try_files {path} /index.html", "file_server")
    lines.close()


def _add_allowing(lines: Lines, start: str, policy: CorsPolicy, *more: str) -> None:
    lines.open(start)
    lines.add("Access-Control-Allow-Origin {header.Origin}")
    if policy.credentials:
        lines.add("Access-Control-Allow-Credentials true")
    if policy.expose and not more:
        lines.add(f'Access-Control-Expose-Headers "{listed(policy.expose)}"')
    lines.add(*more)
    lines.close()


def _add_preflights(lines: Lines, policy: CorsPolicy, number: int) -> None:
    varies = 'Vary "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"'
    asked = "Access-Control-Allow-Headers {header.Access-Control-Request-Headers}"
    for name, more in (("allowed", (asked,)), ("allowed_plain", ())):
        lines.open(f"handle @cors_{number}_{name} {{")
        method = "Access-Control-Allow-Methods {header.Access-Control-Request-Method}"
        _add_allowing(lines, "header {", policy, method, *more, f"Access-Control-Max-Age {policy.max_age_s}", varies)
        lines.add("respond 204")
        lines.close()
    lines.open(f"handle @cors_{number}_preflight {{")
    _add_allowing(lines, f"header @cors_{number} {{", policy)
    lines.add(f"header {varies}", "respond 403")
    lines.close()


def _add_rewrite(lines: Lines, rule: Rule) -> None:
    if (made := rewriting(rule.route)) is not None:
        lines.add(f"uri path_regexp {word(made.regex)} {word(_braceless(made.path).replace('$', '$$'))}")


def _braceless(path: str) -> str:
    """Return `path` without braces, in which Caddy would see a placeholder."""
    return path.replace("{", "%7B").replace("}", "%7D")


def _add_proxy(lines: Lines, site: Site, rule: Rule) -> None:
    pool = rule.pool
    lines.comment(*sticky_words(pool, "a cookie" if pool.sticky is Sticky.COOKIE else "its address"), *pool.notes)
    servers = " ".join(map(_server, pool.servers))
    if pool.is_assumed:
        lines.add(mark(True).strip())
    lines.open(f"reverse_proxy {servers} {{")
    if pool.is_several:
        _add_balance(lines, pool)
    lines.comment("Bytes leave as they come. From Caddy 2.7 on, WebSockets outlive a reload:")
    lines.add("flush_interval -1", "# stream_close_delay 5m")
    trusted = [one for one in site.server.trusted_proxies if one != "loopback"]
    if trusted:
        lines.add(f"trusted_proxies {' '.join('private_ranges' if one == 'private' else one for one in trusted)}")
    else:
        lines.comment("Behind another proxy or a CDN, whose X-Forwarded-For is to be believed:")
        lines.add("# trusted_proxies 192.0.2.0/24")
    lines.add("header_up X-Real-IP {remote_host}")
    _add_request_fields(lines, rule)
    _add_response_fields(lines, rule)
    _add_transport(lines, site, rule)
    lines.close()


def _server(server: ServerAddress) -> str:
    if server.scheme is Scheme.UNIX:
        return word(f"unix/{server.path}")
    return f"{server.scheme}://{bracketed(server.host)}:{server.port}"


def _add_balance(lines: Lines, pool: Pool) -> None:
    if pool.sticky is Sticky.COOKIE:
        lines.add(f"lb_policy cookie client_{pool.name}")
    elif pool.sticky is Sticky.SOCKETIO:
        lines.add("lb_policy ip_hash  # behind another proxy, from Caddy 2.7 on: client_ip_hash; or: cookie client")
    else:
        lines.add("lb_policy least_conn")
    lines.add("fail_duration 5s")


def _add_request_fields(lines: Lines, rule: Rule) -> None:
    if rule.host != "keep":
        lines.add(f"header_up Host {word(rule.host)}")
    elif rule.pool.is_tls:
        lines.add("header_up Host {hostport}")
    if rule.origin == "remove":
        lines.add("header_up -Origin")
    elif rule.origin != "keep":
        lines.add(f"header_up Origin ^.*$ {rule.origin}")
    if rule.prefix:
        lines.add(f"header_up X-Forwarded-Prefix {word(_braceless(rule.prefix))}")
    _add_edits(lines, "header_up", rule.route.request_headers, rule)


def _add_edits(lines: Lines, directive: str, edits: HeaderEdits, rule: Rule) -> None:
    lines.add(*(f"{directive} -{name}" for name in edits.remove))
    for sign, pairs in (("", edits.set), ("+", edits.add)):
        for name, text in pairs:
            value = _value(text, rule)
            if value is None:
                lines.comment(f"{name} is left out: Caddy reads braces in its value as a placeholder.")
            else:
                lines.add(f"{directive} {sign}{name} {value}")


def _value(text: str, rule: Rule) -> str | None:
    """Return the value of a header edit, None where it has braces of its own."""
    parts = pieces(text, rule)
    if any("{" in part.text for part in parts if not part.is_of_request):
        return None
    return word("".join(_VARIABLES[part.text] if part.is_of_request else part.text for part in parts))


def _add_response_fields(lines: Lines, rule: Rule) -> None:
    if rule.cors.kind in (CorsKind.HIDE, CorsKind.ALLOW):
        lines.add("header_down -Access-Control-*")
    base = _braceless(rule.prefix).replace("$", "$$")
    if rule.route.maps_redirects:
        for server in dict.fromkeys(rule.pool.servers):
            scheme = "https" if server.scheme is Scheme.HTTPS else "http"
            own = word(f"^{scheme}://{literal(authority_of(server))}/")
            lines.add(f"header_down Location {own} {word(f'{base}/')}")
        if base:
            _add_prefixing(lines, "Location", "^", base, "$")
    if base and rule.route.cookies.maps_path:
        _add_prefixing(lines, "Set-Cookie", r"(?i)(;\s*path=)", base, ";|$")
    _add_edits(lines, "header_down", rule.route.response_headers, rule)


def _add_prefixing(lines: Lines, field: str, before: str, base: str, end: str) -> None:
    """Put the prefix before a path, and take it off again where the server had it there already."""
    kept = "${1}" if before != "^" else ""
    first = "${2}" if kept else "${1}"
    lines.add(f"header_down {field} {word(f'{before}/([^/]|{end})')} {word(f'{kept}{base}/{first}')}")
    plain = literal(base.replace("$$", "$"))
    lines.add(f"header_down {field} {word(f'{before}{plain}{plain}(/|{end})')} {word(f'{kept}{base}{first}')}")


def _add_transport(lines: Lines, site: Site, rule: Rule) -> None:
    upstream = rule.pool.upstream
    parts: list[str] = []
    if upstream.connect_timeout_s:
        parts.append(f"dial_timeout {upstream.connect_timeout_s:g}s")
    limit = upstream.response_timeout_s
    if limit and not (rule.is_socketio and limit <= SOCKETIO_QUIET_S):
        parts.append(f"response_header_timeout {limit:g}s")
    elif limit:
        lines.comment(f"response_timeout_s is left out: a poll of Socket.IO may take {SOCKETIO_QUIET_S} s.")
    if rule.pool.is_tls:
        parts.append("tls")
        files = authority_files(upstream)
        if not upstream.tls_verify:
            parts.append("tls_insecure_skip_verify")
        elif files and not trusts_system(upstream):
            parts.append(f"tls_trusted_ca_certs {' '.join(map(word, files))}{mark(True)}")
        if upstream.tls_cert:
            key = upstream.tls_key or upstream.tls_cert
            parts.append(f"tls_client_auth {word(upstream.tls_cert)} {word(key)}{mark(True)}")
    if site.server.tunnel_idle_timeout_s:
        lines.comment("tunnel_idle_timeout_s is left out: Caddy does not end quiet WebSockets.")
    if parts:
        lines.open("transport http {")
        lines.add(*parts)
        lines.close()
