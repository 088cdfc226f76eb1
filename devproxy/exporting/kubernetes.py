"""A site as Kubernetes objects: Services, Ingresses with the annotations of ingress-nginx, HTTPRoutes. Pure.

An HTTPRoute has the same conditions and the same order of precedence as the configuration. An Ingress knows hosts and
paths alone, and its annotations hold for all of it, so routes that need different ones get an Ingress each. Start at
:func:`write`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from devproxy.authority.networks import address_of, whereabouts
from devproxy.config.model import HeaderEdits, PathKind, Scheme, Sticky
from devproxy.exporting.paths import base_of, decoded, literal, method_names, path_expression, value_expression
from devproxy.exporting.site import CorsKind, CorsPolicy, Pool, Rule, Site
from devproxy.exporting.values import fixed_value
from devproxy.exporting.writing import SOCKETIO_QUIET_S, Lines, heading, mark, opening, quiet_s
from devproxy.exporting.yaml import text, words

_NGINX: Final = "nginx.ingress.kubernetes.io/"
_MAX_RULES: Final = 16
"""Of an HTTPRoute."""
_COMMON_HEADERS: Final = ("Accept", "Authorization", "Content-Type", "X-Requested-With")
_COMMON_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def write(site: Site) -> str:
    """Return the file."""
    lines = Lines(indent="  ")
    opening(
        lines,
        site,
        "Kubernetes",
        "Services, then the routes twice: keep the HTTPRoutes (Gateway API 1.5 and later, with any controller that you "
        "have), or the Ingresses, and delete the others.",
        "ingress-nginx was retired in March 2026 and gets no more fixes. Traefik understands its annotations, too "
        "(--providers.kubernetesIngressNGINX).",
        "Try it with `kubectl apply --dry-run=server -f FILE`.",
        notes=_notes(site),
    )
    for pool in site.pools:
        _add_service(lines, pool)
    lines.blank()
    lines.comment(*_route_words(site))
    for group in _by_hosts(site.rules):
        for start in range(0, len(group), _MAX_RULES):
            _add_route(lines, site, group[start : start + _MAX_RULES])
    for number, rules in enumerate(_by_annotations(site), 1):
        _add_ingress(lines, site, number, rules)
    return lines.text()


def _notes(site: Site) -> list[str]:
    notes = [
        (
            "the check of the Origin of WebSockets: neither an Ingress nor an HTTPRoute has one. The server makes it: "
            "devproxy export socketio (`allowRequest`)."
        ),
        "redirects and cookies of servers: a server has to build its URLs from X-Forwarded-*.",
    ]
    if any(rule.cors.kind is CorsKind.HIDE for rule in site.rules):
        notes.append('cors = "strip": the server itself has to send no Access-Control-* headers on these routes.')
    if any(rule.cors.kind is CorsKind.ALLOW for rule in site.rules):
        notes.append(
            "that the server's own Access-Control-* headers go: where a policy is written here, it sends none."
        )
    if any(server.scheme is Scheme.UNIX for pool in site.pools for server in pool.servers):
        notes.append("Unix sockets: a Service is written with port 80.")
    return notes


def _name(value: str) -> str:
    return re.sub(r"[^a-z0-9-]+", "-", value.lower()).strip("-")


# Services


def _add_service(lines: Lines, pool: Pool) -> None:
    server = pool.servers[0]
    is_elsewhere = whereabouts(server.host).is_public and address_of(server.host) is None and not pool.is_several
    lines.blank()
    lines.add("---")
    lines.comment(f"{pool.upstream.name}: {', '.join(one.url for one in pool.servers)}", *pool.notes)
    if pool.is_several:
        lines.comment("Several servers are several pods that the selector finds, all with the same port.")
    lines.add("apiVersion: v1", "kind: Service", "metadata:", f"  name: {_name(pool.name)}", "spec:")
    lines.depth += 1
    port = 443 if pool.is_tls else 80
    if is_elsewhere:
        lines.add("type: ExternalName", f"externalName: {server.host}")
    else:
        lines.add("selector:", f"  app: {_name(pool.name)}{mark(True)}")
    lines.add("ports:", f"  - name: {'https' if pool.is_tls else 'http'}", f"    port: {port}")
    lines.add(f"    targetPort: {server.port or 80}{'' if is_elsewhere else mark(True)}")
    lines.depth -= 1


# HTTPRoutes


def _by_hosts(rules: Iterable[Rule]) -> list[list[Rule]]:
    groups: dict[tuple[str, ...], list[Rule]] = {}
    for rule in rules:
        groups.setdefault(rule.route.match_host, []).append(rule)
    return list(groups.values())


def _route_words(site: Site) -> list[str]:
    """Return what is said of all HTTPRoutes."""
    found = [
        (
            'HTTPRoutes. `request: "0s"` is no limit: some controllers end every request after 15 s otherwise, long '
            "polls and streams too."
        )
    ]
    if any(pool.is_several and pool.sticky is not Sticky.NONE for pool in site.pools):
        found.append(
            "Sticky sessions are in the experimental channel of the Gateway API (`sessionPersistence`) and about to "
            "move; in the standard channel each controller has a way of its own, such as a policy. Without any, use "
            'transports: ["websocket"] in the client.'
        )
    return found


def _add_route(lines: Lines, site: Site, rules: list[Rule]) -> None:
    name = _name(f"{site.slug}-{rules[0].number}")
    hosts = rules[0].route.match_host or site.names
    names = [host for host in hosts if address_of(host.strip("[]")) is None]
    lines.blank()
    lines.add("---")
    lines.add("apiVersion: gateway.networking.k8s.io/v1", "kind: HTTPRoute", "metadata:", f"  name: {name}", "spec:")
    lines.depth += 1
    lines.add("parentRefs:", f"  - name: gateway{mark(True)}")
    if names:
        lines.add(f"hostnames: {words(names)}{mark(site.is_assumed and not rules[0].route.match_host)}")
    lines.open("rules:")
    for rule in rules:
        _add_route_rule(lines, rule)
    lines.close("")
    lines.depth -= 1


def _add_route_rule(lines: Lines, rule: Rule) -> None:
    lines.comment(heading(rule), *rule.notes)
    matches = _matches(rule)
    lines.add("- matches:")
    lines.depth += 2
    for match in matches:
        lines.add(*match)
    lines.depth -= 1
    if filters := _filters(rule):
        lines.add("filters:", *(f"  {line}" for line in filters))
    limit = rule.pool.upstream.response_timeout_s
    lines.add("timeouts:", '  request: "0s"')
    if limit and not (rule.is_socketio and limit <= SOCKETIO_QUIET_S):
        lines.add(f'  backendRequest: "{limit * 1000:.0f}ms"')
    elif limit:
        lines.comment(f"response_timeout_s is left out: a poll of Socket.IO may take {SOCKETIO_QUIET_S} s.")
    if rule.pool.is_several and rule.pool.sticky is not Sticky.NONE:
        lines.comment("A client has to stay at its server; see above.")
        lines.example(f"sessionPersistence: {{ sessionName: client_{rule.pool.name}, type: Cookie }}")
    lines.add("backendRefs:", f"  - name: {_name(rule.pool.name)}", f"    port: {443 if rule.pool.is_tls else 80}")
    lines.depth -= 1


def _matches(rule: Rule) -> list[list[str]]:
    route = rule.route
    match route.kind:
        case PathKind.PREFIX:
            kind, value = "PathPrefix", base_of(decoded(route.pattern)) or "/"
        case PathKind.EXACT:
            kind, value = "Exact", decoded(route.pattern)
        case _:
            kind, value = "RegularExpression", path_expression(route)
    common = ["path:", f"  type: {kind}", f"  value: {text(value)}"]
    if route.match_headers:
        common.append("headers:")
        for name, glob in route.match_headers:
            common += ["  - type: RegularExpression", f"    name: {name}", f"    value: {text(value_expression(glob))}"]
    wanted = [[*common, f"method: {method}"] for method in method_names(route)] or [common]
    return [[f"- {lines[0]}", *(f"  {line}" for line in lines[1:])] for lines in wanted]


def _filters(rule: Rule) -> list[str]:
    """Return the lines of a list of filters."""
    lines: list[str] = []
    if rule.cors.kind is CorsKind.ALLOW and rule.cors.policy is not None:
        lines += _cors_filter(rule.cors.policy)
    rewrite = _rewrite(rule)
    if rewrite:
        lines += ["- type: URLRewrite", "  urlRewrite:", *(f"    {line}" for line in rewrite)]
    prefix = [("X-Forwarded-Prefix", rule.prefix)] if rule.prefix else []
    request = rule.route.request_headers
    lines += _modifier("RequestHeaderModifier", "requestHeaderModifier", request, rule, prefix)
    lines += _modifier("ResponseHeaderModifier", "responseHeaderModifier", rule.route.response_headers, rule, [])
    return lines


def _rewrite(rule: Rule) -> list[str]:
    route, found = rule.route, []
    if rule.host != "keep":
        found.append(f"hostname: {text(rule.host.partition(':')[0])}")
    if route.rewrite is not None:
        base = "/" + route.rewrite.strip("/")
        if route.kind is PathKind.EXACT:
            found += ["path:", "  type: ReplaceFullPath", f"  replaceFullPath: {text(base)}"]
        else:
            found += ["path:", "  type: ReplacePrefixMatch", f"  replacePrefixMatch: {text(base)}"]
    return found


def _cors_filter(policy: CorsPolicy) -> list[str]:
    origins = ["*"] if policy.is_any else [one.text for one in policy.origins if one.regex is None]
    lines = []
    if any(one.regex is not None for one in policy.origins) or policy.is_null:
        lines.append("# Not carried over: origins by expression, and null.")
    if not origins:
        return lines
    methods = policy.methods if policy.methods is not None else ("*",)
    headers = policy.headers if policy.headers is not None else ("*",)
    credentials = policy.credentials and not policy.is_any
    if credentials:
        methods = policy.methods if policy.methods is not None else _COMMON_METHODS
        headers = policy.headers if policy.headers is not None else _COMMON_HEADERS
    assumed = mark(credentials and (policy.methods is None or policy.headers is None))
    lines += ["- type: CORS", "  cors:", f"    allowOrigins: {words(origins)}"]
    lines += [f"    allowMethods: {words(methods)}", f"    allowHeaders: {words(headers)}{assumed}"] if headers else []
    if credentials:
        lines.append("    allowCredentials: true")
    if policy.expose:
        lines.append(f"    exposeHeaders: {words(policy.expose)}")
    return [*lines, *([f"    maxAge: {policy.max_age_s}"] if policy.max_age_s else [])]


def _modifier(kind: str, key: str, edits: HeaderEdits, rule: Rule, more: list[tuple[str, str]]) -> list[str]:
    lines: list[str] = []
    groups: dict[str, list[tuple[str, str]]] = {"set": list(more), "add": []}
    for group, pairs in (("set", edits.set), ("add", edits.add)):
        for name, value in pairs:
            fixed = fixed_value(value, rule)
            if fixed is None:
                lines.append(f"# {name} is left out: its value is one of the request, which no filter can insert.")
            else:
                groups[group].append((name, fixed))
    part: list[str] = []
    for group, pairs_of in groups.items():
        if pairs_of:
            part.append(f"{group}:")
            for name, value in pairs_of:
                part += [f"  - name: {name}", f"    value: {text(value)}"]
    if edits.remove:
        part.append(f"remove: {words(edits.remove)}")
    return lines + ([f"- type: {kind}", f"  {key}:", *(f"    {line}" for line in part)] if part else [])


# Ingresses


def _by_annotations(site: Site) -> list[list[Rule]]:
    groups: dict[tuple[tuple[str, str], ...], list[Rule]] = {}
    for rule in site.rules:
        if not (rule.route.methods or rule.route.match_headers):
            groups.setdefault(tuple(_annotations(site, rule).items()), []).append(rule)
    return list(groups.values())


def _annotations(site: Site, rule: Rule) -> dict[str, str]:
    upstream, pool = rule.pool.upstream, rule.pool
    limit = upstream.response_timeout_s
    read_s = round(limit) if limit and not (rule.is_socketio and limit <= SOCKETIO_QUIET_S) else quiet_s(site)
    found = {
        "proxy-body-size": str(site.server.max_body_bytes),
        "proxy-buffering": "off",
        "proxy-request-buffering": "off",
        "proxy-http-version": "1.1",
        "proxy-read-timeout": str(read_s),
        "proxy-send-timeout": str(quiet_s(site)),
    }
    if upstream.connect_timeout_s:
        found["proxy-connect-timeout"] = str(max(1, round(upstream.connect_timeout_s)))
    if pool.is_several and pool.sticky is not Sticky.NONE:
        found |= {"affinity": "cookie", "affinity-mode": "persistent", "session-cookie-name": f"client_{pool.name}"}
        found |= {"session-cookie-samesite": "Lax", "session-cookie-path": "/"}
    if rule.host != "keep":
        found["upstream-vhost"] = rule.host
    if pool.is_tls:
        found |= {"backend-protocol": "HTTPS", "proxy-ssl-server-name": "on", "proxy-ssl-name": pool.servers[0].host}
        found["proxy-ssl-verify"] = "on" if upstream.tls_verify else "off"
        if upstream.tls_verify:
            found["proxy-ssl-secret"] = f"default/{_name(pool.name)}-ca"
    if rule.prefix:
        found["x-forwarded-prefix"] = rule.prefix
    if _is_expressed(rule):
        found["use-regex"] = "true"
    if rule.route.rewrite is not None:
        found["rewrite-target"] = _rewrite_target(rule)
    if rule.cors.kind is CorsKind.ALLOW and rule.cors.policy is not None:
        found |= _cors_annotations(rule.cors.policy)
    return {name: found[name] for name in sorted(found)}


def _is_expressed(rule: Rule) -> bool:
    return rule.route.kind in (PathKind.GLOB, PathKind.REGEX) or rule.route.rewrite is not None


def _rewrite_target(rule: Rule) -> str:
    assert rule.route.rewrite is not None
    base = "/" + rule.route.rewrite.strip("/")
    return base if rule.route.kind is PathKind.EXACT else f"{base.rstrip('/')}/$2"


def _cors_annotations(policy: CorsPolicy) -> dict[str, str]:
    origins = ["*"] if policy.is_any else [one.text for one in policy.origins if one.regex is None]
    methods = policy.methods if policy.methods is not None else _COMMON_METHODS
    headers = policy.headers if policy.headers is not None else _COMMON_HEADERS
    found = {
        "enable-cors": "true",
        "cors-allow-origin": ", ".join(origins),
        "cors-allow-methods": ", ".join(methods),
        "cors-allow-headers": ", ".join(headers),
        "cors-allow-credentials": "true" if policy.credentials and not policy.is_any else "false",
        "cors-max-age": str(policy.max_age_s),
    }
    return found | ({"cors-expose-headers": ", ".join(policy.expose)} if policy.expose else {})


def _add_ingress(lines: Lines, site: Site, number: int, rules: list[Rule]) -> None:
    lines.blank()
    lines.add("---")
    left = [rule for rule in site.rules if rule.route.methods or rule.route.match_headers]
    if number == 1:
        lines.comment(
            "ingress-nginx compares all paths of a host without regard to case as soon as one of its Ingresses has "
            "use-regex or rewrite-target."
        )
        lines.comment(*(f"Left out, because an Ingress knows no methods or headers: {rule.label}" for rule in left))
    lines.comment(*(heading(rule) for rule in rules))
    lines.add("apiVersion: networking.k8s.io/v1", "kind: Ingress", "metadata:")
    lines.add(f"  name: {_name(f'{site.slug}-{number}')}", "  annotations:")
    for name, value in _annotations(site, rules[0]).items():
        lines.add(f"    {_NGINX}{name}: {text(value)}{mark(name == 'proxy-ssl-secret')}")
    lines.add("spec:")
    lines.depth += 1
    lines.add(f"ingressClassName: nginx{mark(True)}")
    by_host: dict[str, list[Rule]] = {}
    names = [name for name in site.names if address_of(name.strip("[]")) is None]
    own = [origin.host for origin in site.origins]
    for rule in rules:
        for host in rule.route.match_host or names or ("",):
            by_host.setdefault(host, []).append(rule)
    if site.is_https:
        hosts = [host for host in by_host if host]
        lines.add("tls:", f"  - hosts: {words(hosts)}", f"    secretName: {_name(site.slug)}-tls{mark(True)}")
    lines.add("rules:")
    for host, taken in by_host.items():
        indent = "  - "
        if host:
            lines.add(f"  - host: {text(host)}{mark(site.is_assumed and host in own)}")
            indent = "    "
        lines.add(f"{indent}http:", "      paths:")
        for rule in taken:
            lines.add(f"        - path: {text(_ingress_path(rule))}", f"          pathType: {_path_type(rule)}")
            lines.add("          backend:", "            service:", f"              name: {_name(rule.pool.name)}")
            lines.add("              port:", f"                number: {443 if rule.pool.is_tls else 80}")
    lines.depth -= 1


def _path_type(rule: Rule) -> str:
    if _is_expressed(rule):
        return "ImplementationSpecific"
    return "Exact" if rule.route.kind is PathKind.EXACT else "Prefix"


def _ingress_path(rule: Rule) -> str:
    route = rule.route
    if not _is_expressed(rule):
        return base_of(decoded(route.pattern)) or "/" if route.kind is PathKind.PREFIX else decoded(route.pattern)
    if route.kind is PathKind.PREFIX:
        return f"{literal(base_of(decoded(route.pattern)))}(/|$)(.*)"
    return path_expression(route).removeprefix("^")
