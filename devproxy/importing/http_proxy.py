"""Entries of http-proxy and its like, as Vite, webpack-dev-server, http-proxy-middleware and Angular use it -> rules.

Pure. What an entry says comes as :class:`Entry`, made of the JSON that ``node/common.mjs`` writes, which describes
the options. Owns what each option means for a route. Start at :func:`rules_of`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from devproxy.authority.networks import whereabouts
from devproxy.config.addresses import parse_server
from devproxy.config.drafts import Value
from devproxy.importing.ordering import for_upgrades_alone
from devproxy.importing.rewriting import common_rewrite
from devproxy.importing.rules import Kind, Leftover, Match, Rule, Target
from devproxy.text.bad import BadText

CODE: Final = "$code"
"""The only key of what is in the facts in place of a function or another value that JSON has not: its source."""

_NEEDLESS: Final = frozenset(
    "target changeOrigin ws secure headers cookieDomainRewrite rewrite pathRewrite rewriteWsOrigin proxyTimeout"
    " context path pathFilter autoRewrite protocolRewrite xfwd logLevel logger logProvider preserveHeaderKeyCase"
    " timeout prependPath ignorePath".split()
)
"""Options that are carried over or that devproxy needs none for."""

_WHY_NOT: Final[Mapping[str, str]] = {
    "bypass": "devproxy runs no functions",
    "configure": "devproxy runs no functions; `headers`, `cookies` and `cors` of a route may do what it does",
    "on": "devproxy runs no handlers; `headers`, `cookies` and `cors` of a route may do what they do",
    "router": "devproxy chooses by `path`, `match_host` and `match_headers`: write a route for each case",
    "agent": "devproxy keeps connections itself; where it is for a proxy, write `proxy` below the upstream",
    "auth": 'a password does not belong in this file; if it must: headers.request.set = { Authorization = "Basic …" }',
    "followRedirects": "devproxy passes redirects on, and makes them lead back to its own origin",
    "cookiePathRewrite": "devproxy brings a cookie's Path back below the prefix of its route; see `cookies.path`",
    "hostRewrite": "redirects come back to devproxy's own origin",
    "selfHandleResponse": "devproxy passes answers on as they are",
    "forward": "devproxy sends a request to one server only",
    "buffer": "devproxy sends the body that came",
    "method": "devproxy leaves the method as it is",
    "ssl": "certificates are written below the upstream: tls_ca, tls_cert, tls_key",
    "ca": "write the file of the authority below the upstream: tls_ca",
    "localAddress": "devproxy lets the system choose the address to connect from",
    "toProxy": "devproxy reaches servers through a proxy by `proxy` below the upstream",
    "plugins": "devproxy runs no plugins of other tools",
    "ejectPlugins": "devproxy runs no plugins of other tools",
}
_DECIDES: Final = ("bypass", "router")
"""Options that decide where a request goes, by code or in a way of their own."""

_EVENTS: Final = re.compile(r"on[A-Z]\w*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of a proxy.

    ``label``: as its author would recognise it. ``match``: which paths it takes. ``options``: by name, functions as
    ``{"$code": source}``. ``probes``: paths, with queries, and what the entry's rewriting makes of each; None: it does
    not rewrite. ``comments``: what is known of it besides.
    """

    label: str
    match: Match
    options: Mapping[str, Any]
    probes: tuple[tuple[str, str | None], ...] | None = None
    comments: tuple[str, ...] = field(default=())


def rules_of(entry: Entry) -> list[Rule | Leftover]:
    """Return the rules of `entry`, in their order, and what of it cannot be carried over."""
    options = entry.options
    for name in _DECIDES:
        if options.get(name):
            return [Leftover(entry.label, f"`{name}`: {_WHY_NOT[name]}.", code_of(options[name]), entry.match)]
    try:
        target, base = target_of(options)
        rewrite, said = _rewrite(entry, base)
    except BadText as error:
        why = error.what[:1].upper() + error.what[1:] + (f"; {error.help}" if error.help else "") + "."
        code = code_of(options.get("rewrite")) or code_of(options.get("pathRewrite"))
        return [Leftover(entry.label, why, code, entry.match)]
    keys: dict[str, Value] = {}
    comments = [*entry.comments, *said]
    lost: list[Leftover] = []
    host = "upstream" if options.get("changeOrigin") else "keep"
    origin = "keep"
    headers, host, origin = _headers(options.get("headers"), host, origin, entry.label, lost)
    keys |= address_keys(target.servers[0], host, origin)
    if headers:
        keys["headers"] = {"request": {"set": headers}}
        if any(re.search(r"auth|cookie|token|secret|key", name, re.IGNORECASE) for name in headers):
            comments.append("If a value below is a secret, keep this file out of version control.")
    domain = options.get("cookieDomainRewrite")
    if isinstance(domain, str):
        keys["cookies"] = {"domain": domain}
    elif isinstance(domain, dict) and CODE not in domain:
        changes = {str(name).lower().removeprefix("."): str(value or "") for name, value in domain.items()}
        keys["cookies"] = {"domain": changes}
    lost += _lost_options(entry)
    rule = Rule(
        label=entry.label,
        match=entry.match,
        target=target,
        rewrite=rewrite,
        takes_upgrades=bool(options.get("ws")) or is_websocket(options),
        keys=keys,
        comments=comments,
    )
    if options.get("rewriteWsOrigin") and rule.takes_upgrades:
        return [*lost, _with_own_origin(rule), rule]
    return [*lost, rule]


def code_of(value: object) -> str:
    """Return the source of what JSON cannot hold; empty for anything else."""
    return str(value[CODE]) if isinstance(value, dict) and CODE in value else ""


def is_websocket(options: Mapping[str, Any]) -> bool:
    """Tell whether the target is written as that of a WebSocket."""
    target = options.get("target")
    return isinstance(target, str) and target.startswith(("ws:", "wss:"))


def target_of(options: Mapping[str, Any]) -> tuple[Target, str]:
    """Return where `options` lead, and the path there that is put before every path; ``""`` for none.

    Raises :class:`BadText` for what cannot be the server of an upstream.
    """
    target = options.get("target")
    if not target:
        raise BadText("it names no `target`")
    if code := code_of(target):
        raise BadText(f"its `target` is made by code: {code}", "write a route for each server")
    if isinstance(target, dict):
        if path := target.get("socketPath"):
            return _target(f"unix:{path}", options), ""
        protocol = str(target.get("protocol") or "http:").removesuffix(":")
        host = str(target.get("host") or target.get("hostname") or "localhost")
        port = target.get("port")
        target = f"{protocol}://{host}" + (f":{port}" if port and ":" not in host else "")
        target += str(options["target"].get("path") or options["target"].get("pathname") or "")
    if not isinstance(target, str):
        raise BadText("its `target` is neither text nor a table")
    return split_target(target, options)


def split_target(text: str, options: Mapping[str, Any]) -> tuple[Target, str]:
    """Return the server at the URL `text`, and the path of the URL without a slash at its end."""
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:
        raise BadText(f"its target {text} is no URL") from None
    scheme = {"ws": "http", "wss": "https"}.get(url.scheme, url.scheme)
    if "@" in url.netloc:
        help = (
            'a password does not belong in this file; if it must: headers.request.set = { Authorization = "Basic …" }'
        )
        raise BadText("its target has a user name or a password in it", help)
    if url.query or url.fragment:
        raise BadText(f"its target {text} has a query, and devproxy adds nothing to queries")
    host = url.netloc.rpartition(":")[0] if port is not None else url.netloc.removesuffix(":")
    netloc = host if port is None else f"{host}:{port}"
    return _target(f"{scheme}://{netloc}", options), url.path.rstrip("/")


def _target(server: str, options: Mapping[str, Any]) -> Target:
    address = parse_server(server)
    keys: list[tuple[str, Value]] = []
    comments: list[str] = []
    if options.get("secure") is False and address.url.startswith("https:"):
        keys.append(("tls_verify", False))
        comments.append("`secure: false`: any certificate will do. To trust one of your own, name it in tls_ca.")
    limit = options.get("proxyTimeout")
    if isinstance(limit, int | float) and not isinstance(limit, bool) and 0 < limit < 6e8:
        keys.append(("response_timeout_s", limit / 1000))
    return Target(servers=(address.url,), keys=tuple(keys), comments=tuple(comments))


def address_keys(server: str, host: str, origin: str) -> dict[str, Value]:
    """Return the keys that send `host` and `origin` (as in a route) to `server`, but for what `auto` does anyway."""
    address = parse_server(server)
    is_public = not address.path and whereabouts(address.host).is_public
    usual_host = "upstream" if is_public else "keep"
    usual_origin = "upstream" if is_public and host == "upstream" else "keep"
    keys: dict[str, Value] = {}
    if host != usual_host:
        keys["host"] = host
    if origin != usual_origin:
        keys["origin"] = origin
    return keys


def _rewrite(entry: Entry, base: str) -> tuple[str | None, tuple[str, ...]]:
    """Return the key ``rewrite`` for what `entry` does to paths before they follow `base`, and comments on it.

    None: nothing. Raises :class:`BadText` where no key can say it.
    """
    options = entry.options
    if options.get("prependPath") is False:
        base = ""
    if options.get("ignorePath"):
        if entry.match.kind is Kind.EXACT:
            return base or "/", ()
        raise BadText("`ignorePath` sends every path to one path", "write a route with `path_exact` for each")
    prefix = (
        entry.match.text.removesuffix("/") if entry.match.kind in (Kind.STARTS, Kind.SEGMENTS, Kind.EXACT) else None
    )
    if entry.probes is None:
        if not base:
            return None, ()
        if prefix is None:
            raise BadText(f"its target has a path, `{base}`, which devproxy puts before no path but a prefix")
        return f"{base}{prefix}/", ()
    found = common_rewrite(entry.probes, prefix)
    if found is None:
        raise BadText(
            "it rewrites paths in a way that is not the replacement of a prefix, which is what `rewrite` does"
        )
    if not base and found.text == prefix:
        return None, ()
    if prefix is None:
        if not base:
            return None, ()
        raise BadText(f"its target has a path, `{base}`, which devproxy puts before no path but a prefix")
    text = base + found.text
    takes_bare = not entry.match.text.endswith("/")
    said = found._replace(keeps_bare=found.keeps_bare and takes_bare).comments(prefix)
    return f"{text}/" if text else "/", said


def _headers(
    written: object, host: str, origin: str, label: str, lost: list[Leftover]
) -> tuple[dict[str, Value], str, str]:
    """Return the request headers that the option `written` sets, and Host and Origin where it sets these."""
    headers: dict[str, Value] = {}
    if not isinstance(written, dict):
        return headers, host, origin
    if code := code_of(written):
        lost.append(Leftover(label, "`headers` is made by code.", code))
        return headers, host, origin
    for name, value in written.items():
        if not isinstance(value, str | int | float):
            lost.append(
                Leftover(label, f"The header `{name}` is not set: its value is not plain text.", code_of(value))
            )
        elif name.lower() == "host":
            host = host if host == "upstream" else str(value)
        elif name.lower() == "origin":
            origin = str(value)
        else:
            headers[name] = str(value).replace("${", "$${")
    return headers, host, origin


def _lost_options(entry: Entry) -> list[Leftover]:
    lost = []
    for name, value in entry.options.items():
        is_event = _EVENTS.fullmatch(name) is not None
        if name in _NEEDLESS or (value in (None, False, "", {}, []) and not is_event):
            continue
        why = _WHY_NOT["on"] if is_event else _WHY_NOT.get(name, "devproxy does not know this option")
        lost.append(Leftover(entry.label, f"`{name}`: {why}.", code_of(value)))
    return lost


def _with_own_origin(rule: Rule) -> Rule:
    for_upgrades = for_upgrades_alone(
        rule, "`rewriteWsOrigin` sends the server's own Origin, here always as http or https."
    )
    keys = {**{name: value for name, value in rule.keys.items() if name != "origin"}, "origin": "upstream"}
    return Rule(
        label=f"{rule.label} (WebSockets)",
        match=rule.match,
        target=rule.target,
        rewrite=rule.rewrite,
        headers=for_upgrades.headers,
        keys=keys,
        comments=for_upgrades.comments,
    )
