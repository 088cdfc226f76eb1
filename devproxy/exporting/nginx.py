"""A site as a configuration file of nginx, to be included in its ``http`` block. Pure.

Paths are expressions in the routes' order of precedence, which is also nginx's own order for them. A route that looks
at more than the path is chosen by maps, before nginx looks for a location (:mod:`devproxy.exporting.nginx_maps`). The
request's own target goes to the servers, byte for byte: a ``proxy_pass`` with a path would decode it. Start at
:func:`write`.
"""

from __future__ import annotations

from typing import Final

from devproxy.authority.networks import whereabouts
from devproxy.config.model import HeaderEdits, PathKind, Scheme, ServerAddress, Sticky
from devproxy.exporting.cross import ONE_ORIGIN
from devproxy.exporting.nginx_maps import Names, add_maps, dollars, expression, quoted_value
from devproxy.exporting.paths import base_of, decoded, literal, path_expression
from devproxy.exporting.reading import authority_files, host_of, trusts_system
from devproxy.exporting.site import CorsKind, Pool, Rule, Site
from devproxy.exporting.writing import (
    FILES,
    SOCKETIO_QUIET_S,
    Lines,
    guard_notes,
    heading,
    listed,
    mark,
    opening,
    quiet_s,
    sticky_words,
)
from devproxy.policy.addressing import authority_of

_ACCESS: Final = ("Origin", "Credentials", "Methods", "Headers")
_EXTRAS: Final = ("Access-Control-Expose-Headers", "Access-Control-Max-Age")
_SYSTEM_AUTHORITIES: Final = "/etc/ssl/certs/ca-certificates.crt"


def write(site: Site) -> str:
    """Return the file."""
    lines = Lines()
    opening(
        lines,
        site,
        "nginx",
        "Put it into /etc/nginx/conf.d/, try it with `nginx -t`, and reload. It is the content of the `http` block.",
        notes=guard_notes(site),
    )
    names = Names(site)
    add_maps(lines, site, names)
    for pool in site.pools:
        _add_pool(lines, pool, names)
    _add_redirect(lines, site)
    _add_server(lines, site, names)
    return lines.text()


def _add_pool(lines: Lines, pool: Pool, names: Names) -> None:
    lines.blank()
    cookie = "the cookie that it gets with its first answer"
    how = cookie if pool.sticky is Sticky.COOKIE else "its address"
    lines.comment(*sticky_words(pool, how), *pool.notes)
    if pool.is_several and pool.sticky is Sticky.SOCKETIO:
        lines.comment("Behind another proxy or a CDN, tell nginx the real address: set_real_ip_from, see below.")
    if any(server.scheme is not Scheme.UNIX and whereabouts(server.host).is_public for server in pool.servers):
        lines.comment("nginx looks a name up when it starts, and not again: reload it after a server has moved.")
    lines.open(f"upstream {names.pool(pool)} {{")
    if pool.is_several and pool.sticky is Sticky.COOKIE:
        lines.add(f"hash ${names.affinity(pool)} consistent;")
    elif pool.is_several and pool.sticky is Sticky.SOCKETIO:
        lines.add("hash $remote_addr consistent;")
    elif pool.is_several:
        lines.add("least_conn;")
    for server in pool.servers:
        lines.add(f"server {_address(server)};{mark(pool.is_assumed)}")
    lines.add("keepalive 16;")
    lines.close()


def _address(server: ServerAddress) -> str:
    return quoted_value(f"unix:{server.path}") if server.scheme is Scheme.UNIX else f"{host_of(server)}:{server.port}"


def _add_redirect(lines: Lines, site: Site) -> None:
    """Send plain HTTP to https, where the site is reached by https on its usual port alone."""
    secure = [origin for origin in site.origins if origin.scheme == "https" and origin.port == 443]
    if not secure or any(origin.scheme == "http" and origin.port == 80 for origin in site.origins):
        return
    lines.blank()
    lines.open("server {")
    lines.add("listen 80;", "listen [::]:80;")
    lines.add(f"server_name {' '.join(site.names)};{mark(site.is_assumed)}")
    lines.add("return 301 https://$host$request_uri;")
    lines.close()


def _add_server(lines: Lines, site: Site, names: Names) -> None:
    lines.blank()
    lines.open("server {")
    _add_listen(lines, site)
    lines.blank()
    _add_common(lines, site)
    chosen = [rule for rule in site.rules if rule.is_conditional]
    if chosen:
        lines.blank()
        lines.comment("Routes that look at more than the path.")
        for rule in chosen:
            lines.add(f'if (${names.route} = "{rule.number}") {{ rewrite ^ /.route-{rule.number} last; }}')
    if any(rule.cors.why == ONE_ORIGIN for rule in site.rules):
        lines.blank()
        lines.comment(f"Where a location says nothing of CORS: {ONE_ORIGIN}")
    for rule in site.rules:
        lines.blank()
        _add_location(lines, site, rule, names)
    if not any(not rule.is_conditional and not path_expression(rule.route) for rule in site.rules):
        lines.blank()
        lines.comment("No route takes any other path.")
        lines.add("location / { return 404; }")
    lines.close()


def _add_listen(lines: Lines, site: Site) -> None:
    for scheme, port, is_local in dict.fromkeys((one.scheme, one.port, one.is_loopback) for one in site.origins):
        ssl = " ssl" if scheme == "https" else ""
        families = ("127.0.0.1:", "[::1]:") if is_local else ("", "[::]:")
        lines.add(*(f"listen {family}{port}{ssl};" for family in families))
    lines.add(f"server_name {' '.join(site.names)};{mark(site.is_assumed)}")
    if site.is_https:
        folder = f"/etc/letsencrypt/live/{site.origins[0].host}"
        lines.add(f"ssl_certificate {folder}/fullchain.pem;{mark(True)}")
        lines.add(f"ssl_certificate_key {folder}/privkey.pem;{mark(True)}")
        lines.add("# http2 on;  # nginx 1.25.1 and later")


def _add_common(lines: Lines, site: Site) -> None:
    """Add what holds for every location that does not say otherwise."""
    lines.comment("WebSockets and kept connections; what the server learns about the client.")
    lines.add("proxy_http_version 1.1;")
    _add_request_fields(lines, site, host="keep")
    trusted = [one for one in site.server.trusted_proxies if one not in ("loopback", "private")]
    lines.comment(
        "The client's own X-Forwarded-For is not believed. Behind a proxy or a CDN, name its addresses, so that "
        "$remote_addr is the client's:"
    )
    if trusted:
        lines.add(*(f"set_real_ip_from {network};" for network in sorted(trusted)))
        lines.add("real_ip_header X-Forwarded-For;", "real_ip_recursive on;")
    else:
        lines.add("# set_real_ip_from 192.0.2.0/24; real_ip_header X-Forwarded-For; real_ip_recursive on;")
    lines.comment("Bytes leave as they come, both ways: long-polling, event streams, uploads.")
    lines.add("proxy_buffering off;", "proxy_request_buffering off;")
    size = site.server.max_body_bytes
    lines.comment(
        "Largest body of a request; 0: no limit but the server's own (nginx would refuse more than 1 MiB)."
        if not size
        else "Largest body of a request, as max_body_bytes says."
    )
    lines.add(f"client_max_body_size {size};")
    lines.comment(
        f"For how long a connection may be quiet; Socket.IO needs more than its pingInterval + pingTimeout "
        f"({SOCKETIO_QUIET_S} s)."
    )
    lines.add(f"proxy_read_timeout {quiet_s(site)}s;", f"proxy_send_timeout {quiet_s(site)}s;")


def _add_request_fields(lines: Lines, site: Site, *, host: str, origin: str = "keep", prefix: str = "") -> None:
    own = Names(site).host
    sent = own if host == "keep" else host
    lines.add(
        f"proxy_set_header Host {sent};",
        "proxy_set_header Upgrade $http_upgrade;",
        f"proxy_set_header Connection ${site.slug}_connection;",
        "proxy_set_header X-Real-IP $remote_addr;",
        "proxy_set_header X-Forwarded-For $remote_addr;",
        "proxy_set_header X-Forwarded-Proto $scheme;",
        "proxy_set_header X-Forwarded-Port $server_port;",
        f"proxy_set_header X-Forwarded-Host {own};",
    )
    if prefix:
        lines.add(f"proxy_set_header X-Forwarded-Prefix {quoted_value(dollars(prefix, site.slug))};")
    if origin != "keep":
        lines.add(f"proxy_set_header Origin {origin};")


def _add_location(lines: Lines, site: Site, rule: Rule, names: Names) -> None:
    lines.comment(heading(rule), *rule.notes)
    lines.open(f"{_condition(rule)} {{")
    if rule.is_conditional:
        lines.add("internal;")
    if rule.welcome is not None:
        lines.add(f'if (${names.refused(rule)}) {{ return 403 "WebSockets of this Origin are refused.\\n"; }}')
    if rule.cors.kind is not CorsKind.NONE or rule.cors.why != ONE_ORIGIN:
        lines.comment(rule.cors.why)
    _add_cors(lines, site, rule, names)
    _add_way(lines, site, rule, names)
    if rule.pool.is_several and rule.pool.sticky is Sticky.COOKIE:
        lines.add(f"add_header Set-Cookie ${names.affinity(rule.pool)}_set always;")
    lines.close()
    if not rule.is_socketio and not path_expression(rule.route) and not rule.is_conditional:
        lines.comment(FILES)
        lines.example("location / { root /var/www/app; try_files $uri $uri/ /index.html; }")


def _condition(rule: Rule) -> str:
    if rule.is_conditional:
        return f"location = /.route-{rule.number}"
    regex = path_expression(rule.route)
    if not regex:
        return "location /"
    if rule.route.kind is PathKind.EXACT:
        return f"location = {quoted_value(decoded(rule.route.pattern))}"
    return f"location ~ {expression(regex)}"


def _add_cors(lines: Lines, site: Site, rule: Rule, names: Names) -> None:
    if rule.cors.kind not in (CorsKind.HIDE, CorsKind.ALLOW):
        return
    lines.add(*(f"proxy_hide_header Access-Control-Allow-{name};" for name in _ACCESS))
    lines.add(*(f"proxy_hide_header {name};" for name in _EXTRAS))
    policy = rule.cors.policy
    if policy is None:
        return
    name = names.cors(policy)
    allows = (
        f"add_header Access-Control-Allow-Origin ${name}_origin always;",
        *((f"add_header Access-Control-Allow-Credentials ${name}_credentials always;",) if policy.credentials else ()),
    )
    varies = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"
    lines.open(f'if (${name}_preflight = "allowed") {{')
    lines.add(
        *allows,
        "add_header Access-Control-Allow-Methods $http_access_control_request_method always;",
        "add_header Access-Control-Allow-Headers $http_access_control_request_headers always;",
        f"add_header Access-Control-Max-Age {policy.max_age_s} always;",
        f'add_header Vary "{varies}" always;',
        "return 204;",
    )
    lines.close()
    lines.open(f'if (${name}_preflight = "refused") {{')
    lines.add(*allows, f'add_header Vary "{varies}" always;', "return 403;")
    lines.close()
    lines.add(*allows, "add_header Vary Origin always;")
    if policy.expose:
        lines.add(f'add_header Access-Control-Expose-Headers "{listed(policy.expose)}" always;')


def _add_way(lines: Lines, site: Site, rule: Rule, names: Names) -> None:
    """Add where the request goes, and as what."""
    pool, upstream = rule.pool, rule.pool.upstream
    target = ""
    if rule.route.rewrite is not None:
        target = f"${names.target(rule)}"
        lines.add(f'if ({target} = "") {{ return 400; }}')
    elif rule.is_conditional:
        target = "$request_uri"
    lines.add(f"proxy_pass {'https' if pool.is_tls else 'http'}://{names.pool(pool)}{target};")
    _add_redirects(lines, rule, names)
    origin = "keep"
    if rule.origin != "keep":
        origin = '""' if rule.origin == "remove" else f"${names.origin(rule)}"
    edits = rule.route.request_headers
    if rule.host != "keep" or origin != "keep" or rule.prefix or edits != HeaderEdits():
        host = rule.host if rule.host == "keep" else f"{quoted_value(rule.host)}"
        _add_request_fields(lines, site, host=host, origin=origin, prefix=rule.prefix)
        _add_request_edits(lines, rule, names)
    _add_response_edits(lines, rule, names)
    if pool.is_tls:
        _add_tls(lines, rule)
    if upstream.connect_timeout_s:
        lines.add(f"proxy_connect_timeout {max(1, round(upstream.connect_timeout_s))}s;")
    limit = round(upstream.response_timeout_s)
    if limit and rule.is_socketio and limit <= SOCKETIO_QUIET_S:
        lines.comment(f"response_timeout_s = {limit} is left out: a poll of Socket.IO may take {SOCKETIO_QUIET_S} s.")
    elif limit:
        lines.comment("response_timeout_s; in nginx it also ends a stream or WebSocket that is quiet for that long.")
        lines.add(f"proxy_read_timeout {limit}s;")


def _add_redirects(lines: Lines, rule: Rule, names: Names) -> None:
    """Add that redirects to a server, and paths of one that does not know its prefix, come back to the site."""
    route = rule.route
    base = base_of(rule.prefix)
    mapped = route.maps_redirects
    if not mapped:
        lines.add("proxy_redirect off;")
    own = [f"{'https' if one.scheme is Scheme.HTTPS else 'http'}://{authority_of(one)}" for one in rule.pool.servers]
    if mapped:
        for url in dict.fromkeys(own):
            lines.add(f"proxy_redirect {quoted_value(f'{url}/')} {quoted_value(dollars(f'{base}/', names.slug))};")
    if base and route.rewrite is not None and route.rewrite.strip("/") == "":
        inside = f"^/(?!{literal(base[1:])}(?:/|$)|/)(?<rest>.*)$"
        back = quoted_value(dollars(base, names.slug) + "/$rest")
        if mapped:
            lines.add(f"proxy_redirect {expression(f'~{inside}')} {back};")
        if route.cookies.maps_path:
            lines.add(f"proxy_cookie_path {expression(f'~{inside}')} {back};")


def _add_request_edits(lines: Lines, rule: Rule, names: Names) -> None:
    edits = rule.route.request_headers
    lines.add(*(f'proxy_set_header {name} "";' for name in edits.remove))
    lines.add(*(f"proxy_set_header {name} {names.value(rule, value)};" for name, value in edits.set))
    for name, value in edits.add:
        lines.comment(f"`add` of {name}: nginx cannot add a second line, so it replaces the client's.")
        lines.add(f"proxy_set_header {name} {names.value(rule, value)};")


def _add_response_edits(lines: Lines, rule: Rule, names: Names) -> None:
    edits = rule.route.response_headers
    hidden = dict.fromkeys((*edits.remove, *(name for name, _ in edits.set)))
    lines.add(*(f"proxy_hide_header {name};" for name in hidden))
    lines.add(*(f"add_header {name} {names.value(rule, value)} always;" for name, value in (*edits.set, *edits.add)))


def _add_tls(lines: Lines, rule: Rule) -> None:
    upstream, server = rule.pool.upstream, rule.pool.servers[0]
    lines.add("proxy_ssl_server_name on;", f"proxy_ssl_name {server.host};")
    if upstream.tls_verify:
        files = authority_files(upstream)
        path = files[0] if files and not trusts_system(upstream) else _SYSTEM_AUTHORITIES
        lines.add("proxy_ssl_verify on;", "proxy_ssl_verify_depth 5;")
        lines.add(f"proxy_ssl_trusted_certificate {quoted_value(path)};{mark(True)}")
        if len(files) > 1 or (files and trusts_system(upstream)):
            lines.comment(f"tls_ca names more than nginx takes; put into one file: {listed(upstream.tls_ca)}")
    if upstream.tls_cert:
        lines.add(f"proxy_ssl_certificate {quoted_value(upstream.tls_cert)};{mark(True)}")
        key = upstream.tls_key or upstream.tls_cert
        lines.add(f"proxy_ssl_certificate_key {quoted_value(key)};{mark(True)}")
