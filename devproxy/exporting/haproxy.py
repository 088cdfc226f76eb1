"""A site as a configuration of HAProxy. Pure.

The frontend chooses the route once, in order of precedence, and remembers it: every later rule asks for that. Strings
are in single quotes, in which HAProxy changes nothing. Start at :func:`write`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from devproxy.config.model import HeaderEdits, Scheme, ServerAddress, Sticky
from devproxy.exporting.cross import ONE_ORIGIN, headers_expression, methods_expression, origins_expression
from devproxy.exporting.paths import host_expression, literal, method_names, path_expression, value_expression
from devproxy.exporting.reading import authority_files, host_of, trusts_system
from devproxy.exporting.site import CorsKind, CorsPolicy, Pool, Rule, Site, WebOrigin
from devproxy.exporting.values import pieces, rewriting
from devproxy.exporting.writing import (
    QUIET_S,
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

_PLAIN: Final = re.compile(r"[A-Za-z0-9_./:@,=+-]+")
_VARIABLES: Final = {
    "client.address": "%[src]",
    "host": "%[req.hdr(host)]",
    "scheme": "%[ssl_fc,iif(https,http)]",
}
_VARIES: Final = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"


def write(site: Site) -> str:
    """Return the file."""
    lines = Lines()
    opening(
        lines,
        site,
        "HAProxy",
        "It is a whole haproxy.cfg (2.6 and later). Try it with `haproxy -c -f haproxy.cfg`. `global` is yours.",
        notes=[*guard_notes(site), "`.` and `..` in paths: they are compared as they come, and passed on."],
    )
    _add_defaults(lines, site)
    lines.blank()
    lines.open(f"frontend {site.slug}")
    _add_frontend(lines, site)
    lines.close("")
    for pool in site.pools:
        lines.blank()
        _add_backend(lines, site, pool)
    return lines.text()


def string(text: str) -> str:
    """Return `text` as one word in which nothing has a meaning."""
    return text if _PLAIN.fullmatch(text) else "'" + text.replace("'", "'\\''") + "'"


def taking(rules: Iterable[Rule]) -> str:
    """Return the condition that one of `rules` takes the request."""
    return "{ var(txn.route) -m str " + " ".join(str(rule.number) for rule in rules) + " }"


def _add_defaults(lines: Lines, site: Site) -> None:
    server = site.server
    lines.blank()
    lines.open("defaults")
    lines.add("mode http")
    lines.comment(
        "For how long a connection may be quiet; Socket.IO needs more than its pingInterval + pingTimeout "
        f"({SOCKETIO_QUIET_S} s), and WebSockets are quiet for long."
    )
    lines.add(f"timeout client {QUIET_S}s", f"timeout server {QUIET_S}s")
    lines.add(f"timeout tunnel {server.tunnel_idle_timeout_s or QUIET_S:g}s", "timeout connect 5s")
    if server.head_timeout_s:
        lines.add(f"timeout http-request {server.head_timeout_s:g}s")
    if server.idle_timeout_s:
        lines.add(f"timeout http-keep-alive {server.idle_timeout_s:g}s")
    lines.close("")


def _add_frontend(lines: Lines, site: Site) -> None:
    lines.add(*_binds(site))
    if any(origin.scheme == "https" and origin.port == 443 for origin in site.origins) and not any(
        origin.scheme == "http" for origin in site.origins
    ):
        lines.add("bind :80", "http-request redirect scheme https code 301 unless { ssl_fc }")
    if site.server.max_body_bytes:
        lines.comment("Largest body of a request, as max_body_bytes says; one without a length is not measured.")
        lines.add(
            f"http-request deny deny_status 413 if {{ req.hdr_val(content-length) gt {site.server.max_body_bytes} }}"
        )
    _add_facts(lines, site)
    lines.blank()
    lines.comment("Which route takes a request: the first of these. The path is compared without percent-encoding.")
    for rule in site.rules:
        lines.comment(f"{rule.number}: {heading(rule)}", *rule.notes)
        found = "" if rule.number == 1 else " if !{ var(txn.route) -m found }"
        parts = " ".join(_condition(rule))
        joined = f"{found} {parts}" if found else f" if {parts}" if parts else ""
        lines.add(f"http-request set-var(txn.route) str({rule.number}){joined}".rstrip())
    lines.add("http-request return status 404 unless { var(txn.route) -m found }")
    _add_foreign(lines, site)
    _add_cors(lines, site)
    _add_requests(lines, site)
    lines.blank()
    for pool in site.pools:
        lines.add(f"use_backend {_name(site, pool)} if {taking(rule for rule in site.rules if rule.pool is pool)}")


def _binds(site: Site) -> list[str]:
    groups: dict[tuple[str, int, bool], list[WebOrigin]] = {}
    for origin in site.origins:
        groups.setdefault((origin.scheme, origin.port, origin.is_loopback), []).append(origin)
    lines: list[str] = []
    for (scheme, port, is_local), origins in groups.items():
        ssl = ""
        if scheme == "https":
            names = " ".join(f"crt /etc/haproxy/certs/{origin.host}.pem" for origin in origins)
            ssl = f" ssl {names} alpn h2,http/1.1{mark(True)}"
        both = (f"127.0.0.1:{port}", f"[::1]:{port}") if is_local else (f":{port}", f"[::]:{port} v6only")
        lines += [f"bind {address}{ssl}" for address in both]
    return lines


def _add_facts(lines: Lines, site: Site) -> None:
    lines.blank()
    lines.comment("What servers learn about the client. Its own claims are not believed; behind a proxy or a CDN, name")
    lines.comment("its addresses, so that src is the client's:")
    trusted = [one for one in site.server.trusted_proxies if one not in ("loopback", "private")]
    rule = "http-request set-src req.hdr_ip(x-forwarded-for,-1) if { src"
    lines.add(f"{rule} {' '.join(sorted(trusted))} }}" if trusted else f"# {rule} 192.0.2.0/24 }}")
    lines.add(
        "http-request set-header X-Forwarded-For %[src]",
        "http-request set-header X-Real-IP %[src]",
        "http-request set-header X-Forwarded-Proto %[ssl_fc,iif(https,http)]",
        "http-request set-header X-Forwarded-Host %[req.hdr(host)]",
        "http-request set-header X-Forwarded-Port %[dst_port]",
    )


def _condition(rule: Rule) -> list[str]:
    route, parts = rule.route, []
    if regex := path_expression(route):
        parts.append(f"{{ path,url_dec -m reg {string(regex)} }}")
    if route.methods:
        parts.append(f"{{ method {' '.join(method_names(route))} }}")
    if route.match_host:
        hosts = " ".join(string(host_expression(host)) for host in route.match_host)
        parts.append(f"{{ req.hdr(host),lower,field(1,:) -m reg {hosts} }}")
    for name, value in route.match_headers:
        parts.append(f"{{ req.fhdr({name}) -m reg {string(value_expression(value))} }}")
    return parts


def _add_foreign(lines: Lines, site: Site) -> None:
    groups: dict[tuple[object, ...], list[Rule]] = {}
    for rule in site.rules:
        if rule.welcome is not None:
            groups.setdefault(rule.welcome, []).append(rule)
    if not groups:
        return
    lines.blank()
    lines.comment(
        "WebSockets of pages that may not open one are refused: browsers have no CORS for them, so every web site "
        "could, with your users' cookies. No Origin: not a browser."
    )
    for rules in groups.values():
        assert rules[0].welcome is not None
        welcome = string(origins_expression(rules[0].welcome))
        lines.add(
            "http-request deny deny_status 403 if { req.hdr(upgrade) -m str -i websocket } "
            f"{{ req.fhdr(origin) -m found }} !{{ req.fhdr(origin) -m reg {welcome} }} {taking(rules)}"
            f"{mark(site.is_assumed)}"
        )


def _add_cors(lines: Lines, site: Site) -> None:
    lines.blank()
    if any(rule.cors.why == ONE_ORIGIN for rule in site.rules):
        lines.comment(f"Where nothing is said of CORS: {ONE_ORIGIN}")
    groups: dict[CorsPolicy, list[Rule]] = {}
    hidden: list[Rule] = []
    for rule in site.rules:
        if rule.cors.why != ONE_ORIGIN:
            lines.comment(f"{rule.number}: {rule.cors.why}")
        if rule.cors.kind in (CorsKind.HIDE, CorsKind.ALLOW):
            hidden.append(rule)
        if rule.cors.kind is CorsKind.ALLOW:
            assert rule.cors.policy is not None
            groups.setdefault(rule.cors.policy, []).append(rule)
    if hidden:
        lines.add(f"http-response del-header Access-Control- -m beg if {taking(hidden)}")
    for number, (policy, rules) in enumerate(groups.items(), 1):
        _add_policy(lines, number, policy, taking(rules))


def _add_policy(lines: Lines, number: int, policy: CorsPolicy, taken: str) -> None:
    origins = string(origins_expression(policy.origins, is_any=policy.is_any, is_null=policy.is_null))
    asked = "{ req.fhdr(access-control-request-method) -m found }"
    method = string(methods_expression(policy))
    headers = f"cors_{number}_headers"
    allows = "hdr Access-Control-Allow-Origin %[var(txn.cors)]"
    if policy.credentials:
        allows += " hdr Access-Control-Allow-Credentials true"
    granted = (
        f"{allows} hdr Access-Control-Allow-Methods %[req.fhdr(access-control-request-method)] "
        "hdr Access-Control-Allow-Headers %[req.fhdr(access-control-request-headers)] "
        f"hdr Access-Control-Max-Age {policy.max_age_s}"
    )
    varies = f"hdr Vary {string(_VARIES)}"
    preflight = f"if METH_OPTIONS {taken}"
    named = "req.fhdr(access-control-request-headers)"
    lines.add(
        f"acl {headers} {named} -m reg -i {string(headers_expression(policy))}",
        f"acl {headers} req.fhdr_cnt(access-control-request-headers) eq 0",
        f"http-request set-var(txn.cors) req.fhdr(origin) if {taken} {{ req.fhdr(origin) -m reg {origins} }}",
        f"http-request return status 204 {granted} {varies} {preflight} {{ var(txn.cors) -m found }} "
        f"{{ req.fhdr(access-control-request-method) -m reg {method} }} {headers}",
        f"http-request return status 403 {allows} {varies} {preflight} {{ var(txn.cors) -m found }} {asked}",
        f"http-request return status 403 {varies} {preflight} {{ req.fhdr(origin) -m found }} {asked}",
        f"http-request set-var(txn.varies) str({number}) if {taken}",
    )
    answered = f"if {{ var(txn.varies) -m str {number} }}"
    allowed = f"{answered} {{ var(txn.cors) -m found }}"
    lines.add(
        f"http-after-response add-header Vary Origin {answered}",
        f"http-after-response set-header Access-Control-Allow-Origin %[var(txn.cors)] {allowed}",
    )
    if policy.credentials:
        lines.add(f"http-after-response set-header Access-Control-Allow-Credentials true {allowed}")
    if policy.expose:
        names = string(listed(policy.expose))
        lines.add(f"http-after-response set-header Access-Control-Expose-Headers {names} {allowed}")


def _add_requests(lines: Lines, site: Site) -> None:
    """Add what each route changes in requests and answers."""
    for rule in site.rules:
        part = Lines()
        _add_rule(part, rule)
        if text := part.text().strip():
            lines.blank()
            lines.comment(f"{rule.number}: {heading(rule)}")
            lines.add(*text.splitlines())


def _add_rule(lines: Lines, rule: Rule) -> None:
    route, taken = rule.route, f"if {taking([rule])}"
    if rule.prefix:
        lines.add(f"http-request set-header X-Forwarded-Prefix {string(rule.prefix.replace('%', '%%'))} {taken}")
    if (made := rewriting(route)) is not None:
        path = made.path.replace("%", "%%").replace("\\", "\\\\")  # `\1` would be a group
        regex, path = (f"{made.regex}(.*)$", f"{path}\\1") if made.keeps_rest else (made.regex, path)
        lines.add(f"http-request replace-path {string(regex)} {string(path)} {taken}")
    if rule.host != "keep":
        lines.add(f"http-request set-header Host {string(rule.host)} {taken}")
    if rule.origin == "remove":
        lines.add(f"http-request del-header Origin {taken}")
    elif rule.origin != "keep":
        lines.add(f"http-request set-header Origin {string(rule.origin)} {taken} {{ req.fhdr(origin) -m found }}")
    _add_edits(lines, "http-request", route.request_headers, rule, taken)
    _add_places(lines, rule, taken)
    _add_edits(lines, "http-response", route.response_headers, rule, taken)


def _add_edits(lines: Lines, phase: str, edits: HeaderEdits, rule: Rule, taken: str) -> None:
    lines.add(*(f"{phase} del-header {name} {taken}" for name in edits.remove))
    lines.add(*(f"{phase} set-header {name} {_value(value, rule)} {taken}" for name, value in edits.set))
    lines.add(*(f"{phase} add-header {name} {_value(value, rule)} {taken}" for name, value in edits.add))


def _value(text: str, rule: Rule) -> str:
    parts = pieces(text, rule)
    return string(
        "".join(_VARIABLES[part.text] if part.is_of_request else part.text.replace("%", "%%") for part in parts)
    )


def _add_places(lines: Lines, rule: Rule, taken: str) -> None:
    """Add that paths of a server that does not know its prefix come back below it."""
    base = rule.prefix.replace("%", "%%")
    if not base:
        return
    inside = f"/(?!{literal(rule.prefix[1:])}(?:/|;|$)|/)"
    if rule.route.maps_redirects:
        lines.add(f"http-response replace-header Location {string(f'^{inside}(.*)$')} {string(f'{base}/')}\\1 {taken}")
    if rule.route.cookies.maps_path:
        path = string(f"^(.*; *[Pp]ath=){inside}(.*)$")
        lines.add(f"http-response replace-header Set-Cookie {path} \\1{string(f'{base}/')}\\2 {taken}")


# Backends


def _name(site: Site, pool: Pool) -> str:
    return f"{site.slug}_{pool.name}"


def _add_backend(lines: Lines, site: Site, pool: Pool) -> None:
    how = "a cookie" if pool.sticky is Sticky.COOKIE else "the session's id, which is read in the answer that opens it"
    lines.comment(*sticky_words(pool, how), *pool.notes)
    lines.open(f"backend {_name(site, pool)}")
    if pool.is_several:
        _add_balance(lines, site, pool)
    upstream = pool.upstream
    if upstream.connect_timeout_s:
        lines.add(f"timeout connect {upstream.connect_timeout_s:g}s")
    limit = upstream.response_timeout_s
    carries = any(rule.is_socketio for rule in site.rules if rule.pool is pool)
    if limit and carries and limit <= SOCKETIO_QUIET_S:
        lines.comment(f"response_timeout_s is left out: a poll of Socket.IO may take {SOCKETIO_QUIET_S} s.")
    elif limit:
        lines.comment("response_timeout_s; in HAProxy it also ends a stream that is quiet for that long.")
        lines.add(f"timeout server {limit:g}s")
    _add_redirects(lines, site, pool)
    for number, server in enumerate(pool.servers, 1):
        lines.add(f"server s{number} {_server(pool, server)}{_chosen_by(pool, number)}{mark(pool.is_assumed)}")
    lines.close("")


def _add_redirects(lines: Lines, site: Site, pool: Pool) -> None:
    """Add that redirects which name a server lead to the site."""
    rules = [rule for rule in site.rules if rule.pool is pool]
    mapped = [rule for rule in rules if rule.route.maps_redirects]
    if not mapped:
        return
    taken = "" if mapped == rules else f" if {taking(mapped)}"
    for server in pool.servers:
        scheme = "https" if server.scheme is Scheme.HTTPS else "http"
        own = string(f"^{scheme}://{literal(authority_of(server))}/(.*)$")
        lines.add(f"http-response replace-header Location {own} /\\1{taken}")


def _chosen_by(pool: Pool, number: int) -> str:
    """Return by what a server of several is chosen."""
    if not pool.is_several or pool.sticky is Sticky.NONE:
        return ""
    return f" cookie s{number}" if pool.sticky is Sticky.COOKIE else f" id {number}"


def _add_balance(lines: Lines, site: Site, pool: Pool) -> None:
    lines.add("balance leastconn")
    if pool.sticky is Sticky.COOKIE:
        secure = " secure" if site.is_https else ""
        lines.add(f'cookie client_{pool.name} insert indirect nocache httponly{secure} attr "SameSite=Lax"')
    elif pool.sticky is Sticky.SOCKETIO:
        lines.comment(
            "No cookie is needed, so clients that keep none work, too. Several HAProxys share the table by `peers`."
        )
        name, opens = _name(site, pool), "{ var(txn.opens) -m bool }"
        lines.add(
            "stick-table type string len 64 size 100k expire 1h store gpt0",
            "http-request track-sc0 url_param(sid) if { url_param(sid) -m found }",
            "http-request set-var(txn.opens) bool(true) if { url_param(transport) -m str polling } "
            "!{ url_param(sid) -m found }",
            f"http-request del-header Accept-Encoding if {opens}",
            f"http-response wait-for-body time 5s at-least 64 if {opens}",
            "http-response set-var(txn.sid) 'res.body,field(4,\\\")' if " + opens,
            f"http-response track-sc0 var(txn.sid) if {opens} {{ var(txn.sid) -m found }}",
            f"http-response sc-set-gpt0(0) srv_id if {opens} {{ var(txn.sid) -m found }}",
            *(
                f"use-server s{number} if {{ url_param(sid),table_gpt0({name}) eq {number} }}"
                for number in range(1, len(pool.servers) + 1)
            ),
        )


def _server(pool: Pool, server: ServerAddress) -> str:
    where = string(f"unix@{server.path}") if server.scheme is Scheme.UNIX else f"{host_of(server)}:{server.port}"
    if server.scheme is not Scheme.HTTPS:
        return f"{where} check"
    upstream = pool.upstream
    tls = f"ssl sni str({server.host})"
    files = authority_files(upstream)
    if not upstream.tls_verify:
        tls += " verify none"
    else:
        path = files[0] if files and not trusts_system(upstream) else "@system-ca"
        tls += f" verify required verifyhost {server.host} ca-file {string(path)}"
    if upstream.tls_cert:
        tls += f" crt {string(upstream.tls_cert)}"
    return f"{where} {tls} check"
