"""A site as a file for Traefik's file provider (version 3), in YAML. Pure.

Each route is a router, with a priority that is its place in the order of precedence. Start at :func:`write`.
"""

from __future__ import annotations

import json
from typing import Final

from devproxy.config.model import HeaderEdits, PathKind, Scheme, ServerAddress, Sticky
from devproxy.exporting.cross import ONE_ORIGIN, origin_expression, origins_expression, without_origins
from devproxy.exporting.paths import (
    host_expression,
    is_plain,
    method_names,
    path_expression,
    value_expression,
)
from devproxy.exporting.reading import authority_files, trusts_system
from devproxy.exporting.site import CorsKind, CorsPolicy, Pool, Rule, Site
from devproxy.exporting.values import fixed_value, rewriting
from devproxy.exporting.writing import SOCKETIO_QUIET_S, Lines, guard_notes, heading, mark, opening, sticky_words
from devproxy.exporting.yaml import text, words
from devproxy.policy.addressing import authority_of

_COMMON_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_COMMON_HEADERS: Final = ("Accept", "Authorization", "Content-Type", "X-Requested-With")
_FIELDS: Final = ("Origin", "Credentials", "Methods", "Headers")


def write(site: Site) -> str:
    """Return the file."""
    site = without_origins(site, is_plain, "Traefik's expressions have no look-around and no references back")
    lines = Lines(indent="  ")
    opening(
        lines,
        site,
        "Traefik",
        "It is for the file provider of Traefik 3: --providers.file.filename=/etc/traefik/app.yml",
        notes=_notes(site),
    )
    lines.blank()
    _add_static(lines, site)
    kept = [rule for rule in site.rules if _is_possible(rule)]
    lines.blank()
    lines.open("http:")
    lines.open("routers:")
    if any(rule.cors.why == ONE_ORIGIN for rule in site.rules):
        lines.comment(f"Where a router says nothing of CORS: {ONE_ORIGIN}")
    if any(rule.welcome is not None for rule in kept):
        lines.comment(
            "The routers called …-foreign refuse WebSockets of pages that may not open one: browsers have no CORS for "
            "them, so every web site could, with your users' cookies."
        )
    for rule in site.rules:
        _add_router(lines, site, rule, is_kept=rule in kept)
    lines.close("")
    middlewares = [(name, part) for rule in kept for name, part in _middlewares(site, rule)]
    if any(rule.welcome is not None for rule in kept):
        middlewares.append((_refusing(site), ["ipAllowList:", '  sourceRange: ["0.0.0.0/32"]']))
    if middlewares:
        lines.blank()
        lines.open("middlewares:")
        for name, part in dict(middlewares).items():
            lines.open(f"{name}:")
            lines.add(*part)
            lines.close("")
        lines.close("")
    lines.blank()
    lines.open("services:")
    for pool in site.pools:
        _add_service(lines, site, pool, [rule for rule in kept if rule.pool is pool])
    lines.close("")
    _add_transports(lines, site)
    return lines.text()


def _notes(site: Site) -> list[str]:
    """Return what Traefik cannot do."""
    notes = guard_notes(site)
    notes.append(
        "redirects and cookies of servers: Traefik does not rewrite Location and Set-Cookie, so a server has to build "
        "its URLs from X-Forwarded-Host, -Proto and -Prefix."
    )
    if site.server.max_body_bytes:
        notes.append(
            "max_body_bytes: Traefik's `buffering` holds whole bodies, those of streams and answers as well. Limit "
            "them in the server (Socket.IO: maxHttpBufferSize)."
        )
    if site.server.tunnel_idle_timeout_s:
        notes.append("tunnel_idle_timeout_s: Traefik does not end quiet WebSockets.")
    return notes


def _add_static(lines: Lines, site: Site) -> None:
    lines.comment("The static configuration is yours. It has to say:")
    for scheme in dict.fromkeys(origin.scheme for origin in site.origins):
        entry = _entry(scheme)
        ports = [origin.port for origin in site.origins if origin.scheme == scheme]
        lines.example(
            f"--entryPoints.{entry}.address=:{ports[0]}",
            f"--entryPoints.{entry}.transport.respondingTimeouts.readTimeout=0  (slow uploads; 60 s by default)",
            f"--entryPoints.{entry}.http.encodedCharacters.allowEncodedSlash=true  (if your paths have %2F)",
        )
    if site.is_https and all(origin.scheme == "https" for origin in site.origins):
        lines.example(
            "--entryPoints.web.address=:80 --entryPoints.web.http.redirections.entryPoint.to=websecure",
            "--certificatesResolvers.letsencrypt.acme.email=…  (and its storage and challenge)",
        )
    trusted = [one for one in site.server.trusted_proxies if one not in ("loopback", "private")]
    networks = ",".join(sorted(trusted)) or "192.0.2.0/24"
    entry = _entry(site.origins[0].scheme)
    lines.comment("X-Forwarded-*, X-Real-Ip and WebSockets need nothing. Behind another proxy or a CDN:")
    lines.example(f"--entryPoints.{entry}.forwardedHeaders.trustedIPs={networks}")


def _entry(scheme: str) -> str:
    return "websecure" if scheme == "https" else "web"


def _is_possible(rule: Rule) -> bool:
    return (rule.route.kind is not PathKind.REGEX or is_plain(rule.route.pattern)) and not any(
        server.scheme is Scheme.UNIX for server in rule.pool.servers
    )


def _name(site: Site, rule: Rule) -> str:
    return f"{site.slug}-{rule.number}".replace("_", "-")


def _refusing(site: Site) -> str:
    return f"{site.slug}-no-access".replace("_", "-")


def _service(site: Site, pool: Pool) -> str:
    return f"{site.slug}-{pool.name}".replace("_", "-")


# Routers


def quoted(value: str) -> str:
    """Return `value` as a string of Traefik's rules."""
    return f"`{value}`" if "`" not in value else json.dumps(value)


def _rule(site: Site, rule: Rule) -> str:
    route = rule.route
    if route.match_host:
        hosts = [f"HostRegexp({quoted(f'(?i){host_expression(host)}')})" for host in route.match_host]
    else:
        hosts = [f"Host({quoted(host)})" for host in site.plain_hosts]
        below = [name for name in site.names if name.startswith("*.")]
        hosts += [f"HostRegexp({quoted(f'(?i){host_expression(name)}')})" for name in below]
    parts = [hosts[0] if len(hosts) == 1 else f"({' || '.join(hosts)})"]
    regex = path_expression(route)
    parts.append(f"PathRegexp({quoted(regex)})" if regex else "PathPrefix(`/`)")
    if route.methods:
        methods = [f"Method({quoted(method)})" for method in method_names(route)]
        parts.append(methods[0] if len(methods) == 1 else f"({' || '.join(methods)})")
    parts += [f"HeaderRegexp({quoted(name)}, {quoted(value_expression(value))})" for name, value in route.match_headers]
    return " && ".join(parts)


def _add_router(lines: Lines, site: Site, rule: Rule, *, is_kept: bool) -> None:
    lines.blank()
    lines.comment(heading(rule), *rule.notes)
    if not is_kept:
        lines.comment(
            "Not carried over: Traefik's expressions have no look-around and no references back, and it reaches no "
            "Unix sockets."
        )
        return
    if rule.cors.why != ONE_ORIGIN:
        lines.comment(rule.cors.why)
    priority = (len(site.rules) - rule.number + 1) * 10
    names = [name for name, _ in _middlewares(site, rule)]
    if rule.welcome is not None:
        welcome = quoted(origins_expression(rule.welcome))
        foreign = (
            f"{_rule(site, rule)} && HeaderRegexp(`Upgrade`, `(?i)websocket`) && HeaderRegexp(`Origin`, `.`) "
            f"&& !HeaderRegexp(`Origin`, {welcome})"
        )
        _add_route(lines, site, f"{_name(site, rule)}-foreign", foreign, priority + 1, [_refusing(site)], rule.pool)
    _add_route(lines, site, _name(site, rule), _rule(site, rule), priority, names, rule.pool)


def _add_route(
    lines: Lines, site: Site, name: str, rule: str, priority: int, middlewares: list[str], pool: Pool
) -> None:
    lines.open(f"{name}:")
    lines.add(f"rule: {text(rule)}{mark(site.is_assumed)}", f"priority: {priority}")
    lines.add(f"entryPoints: {words(dict.fromkeys(_entry(origin.scheme) for origin in site.origins))}")
    if middlewares:
        lines.add(f"middlewares: {words(middlewares)}")
    lines.add(f"service: {_service(site, pool)}")
    if site.is_https:
        lines.open("tls:")
        lines.add(f"certResolver: letsencrypt{mark(True)}")
        lines.close("")
    lines.close("")


# Middlewares


def _middlewares(site: Site, rule: Rule) -> list[tuple[str, list[str]]]:
    """Return the name and the lines of each middleware of a router, in the order in which they work."""
    name, found = _name(site, rule), []
    if headers := _headers(rule, passes_host=_passes_host(site, rule.pool)):
        found.append((f"{name}-headers", ["headers:", *(f"  {line}" for line in headers)]))
    if (made := rewriting(rule.route)) is not None:
        path = made.path.replace("$", "$$")
        regex, path = (f"{made.regex}(.*)$", f"{path}$1") if made.keeps_rest else (made.regex, path)
        lines = ["replacePathRegex:", f"  regex: {text(regex)}", f"  replacement: {text(path)}"]
        found.append((f"{name}-path", lines))
    return found


def _headers(rule: Rule, *, passes_host: bool) -> list[str]:
    sent: dict[str, str] = {}
    notes: list[str] = []
    if rule.prefix:
        sent["X-Forwarded-Prefix"] = rule.prefix
    if rule.host != "keep" and passes_host:
        sent["Host"] = rule.host
    if rule.origin != "keep":
        sent["Origin"] = "" if rule.origin == "remove" else rule.origin
        if rule.origin != "remove":
            notes.append("# Origin is set on every request: Traefik cannot set it only where there is one.")
    notes += _edited(rule, rule.route.request_headers, sent)
    got = {f"Access-Control-Allow-{name}": "" for name in _FIELDS} if _hides(rule) else {}
    notes += _edited(rule, rule.route.response_headers, got)
    lines = notes
    if sent:
        lines += ["customRequestHeaders:", *(f"  {name}: {text(value)}" for name, value in sent.items())]
    if got:
        lines += ["customResponseHeaders:", *(f"  {name}: {text(value)}" for name, value in got.items())]
    if rule.cors.kind is CorsKind.ALLOW:
        assert rule.cors.policy is not None
        lines += _policy(rule.cors.policy)
    return lines


def _hides(rule: Rule) -> bool:
    return rule.cors.kind in (CorsKind.HIDE, CorsKind.ALLOW)


def _edited(rule: Rule, edits: HeaderEdits, found: dict[str, str]) -> list[str]:
    """Put the edits into `found`; return comments on what Traefik cannot do."""
    notes: list[str] = []
    found.update(dict.fromkeys(edits.remove, ""))
    for name, value in (*edits.set, *edits.add):
        fixed = fixed_value(value, rule)
        if fixed is None:
            notes.append(f"# {name} is left out: its value is one of the request, which Traefik cannot insert.")
        else:
            found[name] = fixed
    notes += [f"# {name} replaces what is there: Traefik cannot add a second line." for name, _ in edits.add]
    return notes


def _policy(policy: CorsPolicy) -> list[str]:
    exact = [*policy.exact, *(["null"] if policy.is_null else [])]
    regexes = ["^https?://.+$"] if policy.is_any else [origin_expression(one) for one in policy.patterns]
    lines: list[str] = []
    if policy.methods is None or (policy.headers is None and policy.credentials):
        lines.append("# Traefik cannot repeat what a preflight asks for, and `*` does not count with credentials: name")
        lines.append("# the methods and headers that your pages use.")
    if exact:
        lines.append(f"accessControlAllowOriginList: {words(exact)}")
    if regexes:
        lines.append(f"accessControlAllowOriginListRegex: {words(regexes)}")
    methods = policy.methods if policy.methods is not None else _COMMON_METHODS
    headers = policy.headers
    if headers is None:
        headers = _COMMON_HEADERS if policy.credentials else ("*", "Authorization")
    assumed = mark(policy.headers is None and policy.credentials)
    lines.append(f"accessControlAllowMethods: {words(methods)}{mark(policy.methods is None)}")
    if headers:
        lines.append(f"accessControlAllowHeaders: {words(headers)}{assumed}")
    if policy.credentials:
        lines.append("accessControlAllowCredentials: true")
    if policy.expose:
        lines.append(f"accessControlExposeHeaders: {words(policy.expose)}")
    return [*lines, f"accessControlMaxAge: {policy.max_age_s}", "addVaryHeader: true"]


# Services


def _add_service(lines: Lines, site: Site, pool: Pool, rules: list[Rule]) -> None:
    if not rules:
        return
    lines.blank()
    lines.comment(*sticky_words(pool, "a cookie"), *pool.notes)
    if pool.is_several and pool.sticky is Sticky.SOCKETIO:
        lines.comment(
            "Clients that keep no cookies, and pages of other origins without withCredentials, need "
            'transports: ["websocket"].'
        )
    lines.open(f"{_service(site, pool)}:")
    lines.open("loadBalancer:")
    lines.open("servers:")
    lines.add(*(f"- url: {text(_url(server))}{mark(pool.is_assumed)}" for server in pool.servers))
    lines.close("")
    lines.add(f"passHostHeader: {'true' if _passes_host(site, pool) else 'false'}")
    lines.add(f"serversTransport: {_service(site, pool)}")
    lines.comment("Bytes leave as they come.")
    lines.open("responseForwarding:")
    lines.add('flushInterval: "1ms"')
    lines.close("")
    if pool.is_several and pool.sticky is not Sticky.NONE:
        lines.open("sticky:")
        lines.open("cookie:")
        lines.add(f"name: client_{pool.name}", "httpOnly: true", "sameSite: lax")
        if site.is_https:
            lines.add("secure: true")
        lines.close("")
        lines.close("")
    lines.close("")
    lines.close("")


def _passes_host(site: Site, pool: Pool) -> bool:
    """Tell whether a service passes the Host on, its own or one that a route has set: each server's own otherwise."""
    return any(
        rule.host not in {authority_of(server) for server in pool.servers} for rule in site.rules if rule.pool is pool
    )


def _url(server: ServerAddress) -> str:
    return f"{server.scheme}://{authority_of(server)}"


def _add_transports(lines: Lines, site: Site) -> None:
    lines.blank()
    lines.open("serversTransports:")
    for pool in site.pools:
        if any(server.scheme is Scheme.UNIX for server in pool.servers):
            continue
        upstream = pool.upstream
        lines.open(f"{_service(site, pool)}:")
        if pool.is_tls:
            lines.add(f"serverName: {text(pool.servers[0].host)}")
            if not upstream.tls_verify:
                lines.add("insecureSkipVerify: true")
            elif not trusts_system(upstream):
                lines.add(f"rootCAs: {words(authority_files(upstream))}{mark(True)}")
            if upstream.tls_cert:
                lines.open("certificates:")
                lines.add(f"- certFile: {text(upstream.tls_cert)}{mark(True)}")
                lines.add(f"  keyFile: {text(upstream.tls_key or upstream.tls_cert)}{mark(True)}")
                lines.close("")
        limit = upstream.response_timeout_s
        if limit and limit <= SOCKETIO_QUIET_S and any(rule.is_socketio for rule in site.rules if rule.pool is pool):
            lines.comment(f"response_timeout_s is left out: a poll of Socket.IO may take {SOCKETIO_QUIET_S} s.")
            limit = 0.0
        lines.open("forwardingTimeouts:")
        lines.add(f'dialTimeout: "{upstream.connect_timeout_s:g}s"', f'responseHeaderTimeout: "{limit:g}s"')
        lines.close("")
        lines.close("")
    lines.close("")
