"""The ``map`` blocks of nginx: what a request is, as variables that the rest of the file looks at. Pure.

nginx has no conditions on two things at once, and no ``if`` that is safe but for ``return``: what is to be decided is
worked out in maps. Names begin with that of the site, because maps belong to the whole of nginx. Start at
:func:`add_maps`.
"""

from __future__ import annotations

import re
from typing import Final

from devproxy.authority.hosts import DEFAULT_PORTS
from devproxy.authority.origins import Pattern
from devproxy.config.model import PathKind, Sticky
from devproxy.config.placeholders import split_value
from devproxy.exporting.cross import headers_expression, methods_expression, origin_expression
from devproxy.exporting.paths import (
    base_of,
    host_expression,
    literal,
    method_names,
    path_expression,
    value_expression,
)
from devproxy.exporting.site import CorsKind, CorsPolicy, Pool, Rule, Site, is_exact
from devproxy.exporting.values import pieces
from devproxy.exporting.writing import Lines, mark

_BARE: Final = re.compile(r"[^\s\"';{}\\$#]+")
_VARIABLES: Final = {
    "client.address": "$remote_addr",
    "scheme": "$scheme",
}


class Names:
    """What things of a site are called in nginx, and which of them share a map."""

    def __init__(self, site: Site) -> None:
        self.slug = site.slug
        self.route = f"{site.slug}_route"
        self.policies = list(
            dict.fromkeys(
                rule.cors.policy for rule in site.rules if rule.cors.kind is CorsKind.ALLOW and rule.cors.policy
            )
        )
        self.welcomes = list(dict.fromkeys(rule.welcome for rule in site.rules if rule.welcome is not None))
        usual = all(one.port == DEFAULT_PORTS[one.scheme] for one in site.origins)
        self.host = "$host" if usual else "$http_host"

    def pool(self, pool: Pool) -> str:
        """Return the name of its ``upstream`` block."""
        return f"{self.slug}_{pool.name}"

    def affinity(self, pool: Pool) -> str:
        """Return the variable with the cookie that keeps a client at its server; with ``_set``: to be sent."""
        return f"{self.slug}_{pool.name}_client"

    def cors(self, policy: CorsPolicy) -> str:
        """Return what the variables of a policy begin with."""
        return f"{self.slug}_cors_{self.policies.index(policy) + 1}"

    def refused(self, rule: Rule) -> str:
        """Return the variable that says whether a WebSocket comes from a page that may not open one."""
        assert rule.welcome is not None
        return f"{self.slug}_foreign_{self.welcomes.index(rule.welcome) + 1}"

    def target(self, rule: Rule) -> str:
        """Return the variable with the path and query that a route sends upstream."""
        return f"{self.slug}_target_{rule.number}"

    def origin(self, rule: Rule) -> str:
        """Return the variable with the Origin that a route sends upstream."""
        return f"{self.slug}_origin_{rule.number}"

    def value(self, rule: Rule, text: str) -> str:
        """Return the value of a header edit, its placeholders as variables."""
        made = [
            self._variable(part.text) if part.is_of_request else dollars(part.text, self.slug)
            for part in pieces(text, rule)
        ]
        return quoted_value("".join(made), always=True)

    def _variable(self, name: str) -> str:
        variable = self.host if name == "host" else _VARIABLES[name]
        return "${" + variable[1:] + "}"


def dollars(text: str, slug: str) -> str:
    """Return `text` with a variable for each dollar sign, which nginx cannot escape."""
    return text.replace("$", "${" + slug + "_dollar}")


def quoted_value(text: str, *, always: bool = False) -> str:
    """Return `text` as one word of a configuration; variables in it stay variables."""
    if not always and _BARE.fullmatch(text):
        return text
    return f'"{_escaped(text)}"'


def expression(regex: str) -> str:
    """Return a regular expression as one word, quoted where it has to be."""
    text = re.sub(r"\\(?=[\"'\\trn])", r"\\\\", regex)
    if re.search(r"[\s\"';{}#]", regex) is None:
        return text
    return '"' + text.replace('"', '\\"') + '"'


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def add_maps(lines: Lines, site: Site, names: Names) -> None:
    """Add every map that the rest of the file looks at."""
    lines.blank()
    lines.comment("Connection: upgrade for WebSockets alone, and nothing else; plain requests share kept connections.")
    _add_map(lines, "$http_upgrade", f"{site.slug}_connection", [("default", "''"), ("~*^websocket$", "upgrade")])
    if "$" in "".join(_literals(site)):
        lines.blank()
        lines.comment("nginx cannot escape a dollar sign.")
        lines.add(f'geo ${site.slug}_dollar {{ default "$"; }}')
    for pool in site.pools:
        if pool.is_several and pool.sticky is Sticky.COOKIE:
            _add_affinity(lines, site, pool, names)
    if names.welcomes:
        lines.blank()
        lines.comment(
            "Pages that may open a WebSocket, for which browsers have no CORS: without this check every web site "
            "could, with your users' cookies. No Origin: not a browser."
        )
    for number, welcome in enumerate(names.welcomes, 1):
        _add_foreign(lines, site, f"{site.slug}_foreign_{number}", welcome)
    for policy in names.policies:
        _add_policy(lines, policy, names.cors(policy))
    for rule in site.rules:
        _add_target(lines, site, rule, names)
        if rule.origin not in ("keep", "remove"):
            lines.blank()
            lines.comment(f"The Origin that the server of {rule.label} is sent, where the browser sent one.")
            _add_map(lines, "$http_origin", names.origin(rule), [("''", "''"), ("default", quoted_value(rule.origin))])
    _add_routing(lines, site, names)


def _literals(site: Site) -> list[str]:
    """Return the texts in which a dollar sign would have to be itself."""
    found = [rule.prefix for rule in site.rules]
    for rule in site.rules:
        for edits in (rule.route.request_headers, rule.route.response_headers):
            found += [piece for _, value in (*edits.set, *edits.add) for piece in split_value(value)[::2]]
        found.append(rule.route.rewrite or "")
    return found


def _add_map(lines: Lines, source: str, name: str, rows: list[tuple[str, str]]) -> None:
    lines.open(f"map {source} ${name} {{")
    lines.add(*(f"{key} {value};" for key, value in rows))
    lines.close()


def _add_affinity(lines: Lines, site: Site, pool: Pool, names: Names) -> None:
    cookie = f"client_{pool.name}"
    secure = "; Secure" if site.is_https else ""
    lines.blank()
    lines.comment(f"Which server of {pool.upstream.name}: by a cookie, which the first answer sets.")
    name = names.affinity(pool)
    _add_map(lines, f"$cookie_{cookie}", name, [("default", f"$cookie_{cookie}"), ("''", "$request_id")])
    setting = f'"{cookie}=$request_id; Path=/; HttpOnly; SameSite=Lax{secure}"'
    _add_map(lines, f"$cookie_{cookie}", f"{name}_set", [("default", "''"), ("''", setting)])


def _pattern_rows(patterns: tuple[Pattern, ...], value: str) -> list[tuple[str, str]]:
    return [(f'"{one.text}"' if is_exact(one) else _key(origin_expression(one)), value) for one in patterns]


def _key(regex: str) -> str:
    """Return an expression as the key of a map."""
    text = re.sub(r"\\(?=[\"'\\trn])", r"\\\\", regex)
    return '"~' + text.replace('"', '\\"') + '"'


def _add_foreign(lines: Lines, site: Site, name: str, welcome: tuple[Pattern, ...]) -> None:
    own = {origin.text for origin in site.origins}
    lines.open(f"map $http_origin ${name}_page {{")
    lines.add("default 1;", "'' 0;")
    for one, (key, value) in zip(welcome, _pattern_rows(welcome, "0"), strict=True):
        lines.add(f"{key} {value};{mark(site.is_assumed and one.text in own)}")
    lines.close()
    _add_map(lines, f'"$http_upgrade ${name}_page"', name, [("default", "0"), ('"~*^websocket 1$"', "1")])


def _add_policy(lines: Lines, policy: CorsPolicy, name: str) -> None:
    lines.blank()
    lines.comment("Pages of other origins that may read: the Origin itself, never `*`; empty for all others.")
    rows = [("default", "$http_origin" if policy.is_any else "''")]
    if policy.is_any:
        rows.append(("''", "''"))
    if policy.is_any or policy.is_null:
        rows.append(("null", "null" if policy.is_null else "''"))
    rows += _pattern_rows(policy.origins, "$http_origin")
    _add_map(lines, "$http_origin", f"{name}_origin", rows)
    if policy.credentials:
        _add_map(lines, f"${name}_origin", f"{name}_credentials", [("default", "true"), ("''", "''")])
    lines.comment("Preflights: may that method and these headers be used?")
    _add_map(
        lines,
        "$http_access_control_request_method",
        f"{name}_method",
        [("default", "refused"), ("''", "none"), (_key(methods_expression(policy)), "allowed")],
    )
    asked = _key(headers_expression(policy)).replace('"~', '"~*', 1)
    _add_map(
        lines,
        "$http_access_control_request_headers",
        f"{name}_headers",
        [("default", "refused"), ("''", "allowed"), (asked, "allowed")],
    )
    _add_map(
        lines,
        f'"$request_method $http_origin ${name}_origin ${name}_method ${name}_headers"',
        f"{name}_preflight",
        [
            ("default", "''"),
            ('"~^OPTIONS \\S+ \\S+ allowed allowed$"', "allowed"),
            ('"~^OPTIONS \\S+ \\S* (?:allowed|refused) "', "refused"),
        ],
    )


def _add_target(lines: Lines, site: Site, rule: Rule, names: Names) -> None:
    route = rule.route
    if route.rewrite is None:
        return
    base = route.rewrite.strip("/")
    text = dollars(_escaped(f"/{base}" if base else ""), site.slug)
    if route.kind is PathKind.EXACT:
        closing = "/" if base and route.rewrite.endswith("/") else "" if base else "/"
        regex, value = "^[^?]*(.*)$", f"{text}{closing}$1"
    elif base:
        prefix = literal(base_of(route.pattern))
        regex, value = f"^{prefix}((?:[/?].*)?)$", f"{text}$1"
    else:
        regex, value = f"^{literal(base_of(route.pattern))}/*(.*)$", "/$1"
    lines.blank()
    lines.comment(f"What {rule.label} sends: the target as it came, but for the prefix. Empty: written in another way.")
    _add_map(lines, "$request_uri", names.target(rule), [("default", "''"), (_key(regex), f'"{value}"')])


def _add_routing(lines: Lines, site: Site, names: Names) -> None:
    """Add the choice among routes up to the last one that looks at more than the path."""
    last = max((rule.number for rule in site.rules if rule.is_conditional), default=0)
    if not last:
        return
    lines.blank()
    lines.comment("Which route takes a request, where more than its path counts; empty: the location says.")
    flags: list[str] = []
    for rule in site.rules[:last]:
        parts = _add_conditions(lines, rule, f"{site.slug}_is_{rule.number}")
        if len(parts) != 1:
            flag, ones = f"{site.slug}_is_{rule.number}", "1" * len(parts)
            _add_map(lines, f'"{"".join(f"${part}" for part in parts)}"', flag, [("default", "0"), (ones or "''", "1")])
            parts = [flag]
        flags += parts
    rows = [("default", "''")]
    for index, rule in enumerate(site.rules[:last]):
        rows.append((f'"~^{"0" * index}1"', str(rule.number) if rule.is_conditional else "''"))
    _add_map(lines, f'"{"".join(f"${flag}" for flag in flags)}"', names.route, rows)


def _add_conditions(lines: Lines, rule: Rule, name: str) -> list[str]:
    """Add a map for each condition of a route; return their variables, each of which is 1 where it holds."""
    route, found = rule.route, []
    lines.comment(f"{rule.number}: {rule.label}")

    def add(source: str, suffix: str, keys: list[str]) -> None:
        _add_map(lines, source, f"{name}_{suffix}", [("default", "0"), *((key, "1") for key in keys)])
        found.append(f"{name}_{suffix}")

    if regex := path_expression(route):
        add("$uri", "path", [_key(regex)])
    if route.methods:
        add("$request_method", "method", [f'"{method}"' for method in method_names(route)])
    if route.match_host:
        add("$host", "host", [_key(host_expression(host)) for host in route.match_host])
    for number, (field, value) in enumerate(route.match_headers, 1):
        variable = "$http_" + field.lower().replace("-", "_")
        add(variable, f"header_{number}", [_key(value_expression(value)) if value.strip("*") else '"~."'])
    return found
