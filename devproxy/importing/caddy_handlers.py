"""What ``reverse_proxy`` and ``rewrite`` of Caddy say, as its JSON has them -> rules. Pure.

Start at :func:`rule_of`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from devproxy.config.drafts import Value
from devproxy.importing.http_proxy import address_keys
from devproxy.importing.rewriting import common_rewrite
from devproxy.importing.rules import EVERY_PATH, Kind, Leftover, Match, Rule, Target
from devproxy.text.bad import BadText

ANSWERS: Final[Mapping[str, str]] = {
    "file_server": "devproxy serves no files: name the server that has them",
    "static_response": "devproxy gives no answers of its own",
    "error": "devproxy gives no answers of its own",
    "metrics": "devproxy's own page is at /__devproxy/",
    "acme_server": "devproxy signs no certificates for others",
    "php": "devproxy speaks HTTP only: give the application an HTTP server",
}
"""Handlers that end a request, and why devproxy has no such route."""

TOLD: Final[Mapping[str, str]] = {
    "authentication": "devproxy asks for no passwords",
    "headers": "`headers` of a route edits them; here it depends on what the request is",
    "rewrite": "a path is rewritten by the route that takes it; here it depends on what the request is",
    "request_body": "devproxy has one limit for all routes: max_body_bytes below [server]",
    "map": "routes have no variables",
    "templates": "devproxy leaves bodies as they are",
    "push": "devproxy pushes nothing",
    "rate_limit": "devproxy limits no rates",
}
SILENT: Final = frozenset(
    ("encode", "vars", "tracing", "log_append", "copy_response", "copy_response_headers", "invoke")
)
"""Handlers that have nothing to do with where a request goes, or that devproxy needs none for."""

_UPSTREAM_HOST: Final = (
    *("{http.reverse_proxy.upstream.hostport}", "{http.reverse_proxy.upstream.host}", "{upstream_hostport}"),
    "{http.reverse_proxy.upstream.address}",
)
_OWN_HOST: Final = ("{http.request.host}", "{http.request.hostport}", "{host}", "{hostport}")
_PLACEHOLDERS: Final = {
    "{http.request.host}": "${host}", "{http.request.hostport}": "${host}", "{http.request.scheme}": "${scheme}",
    "{http.request.remote.host}": "${client.address}", "{http.request.remote}": "${client.address}",
}  # fmt: skip
_SENT_ANYWAY: Final = re.compile(r"(?i)x-forwarded-.*|x-real-ip|connection|upgrade")
_URI: Final = re.compile(
    r"(/[^{}?]*?)/?\{http\.request\.(?:orig_)?uri(?:\.path)?\}(?:\?\{http\.request\.uri\.query\})?"
)


class Rewriting(NamedTuple):
    """One step: ``kind``: ``strip``, ``put`` (in front), ``replace`` (text), ``search`` (an expression) or ``set``."""

    kind: str
    text: str
    by: str = ""


def rewriting_of(handler: Mapping[str, Any]) -> list[Rewriting]:
    """Return what the handler ``rewrite`` does, in order; kind ``""`` for what is too involved."""
    found = []
    for name, value in handler.items():
        if name == "handler":
            continue
        if name == "strip_path_prefix":
            found.append(Rewriting("strip", str(value)))
        elif name == "uri" and (match := _URI.fullmatch(str(value))):
            found.append(Rewriting("put", match[1]))
        elif name == "uri" and "{" not in str(value) and "?" not in str(value):
            found.append(Rewriting("set", str(value)))
        elif name in ("uri_substring", "path_regexp"):
            kind = "replace" if name == "uri_substring" else "search"
            found += [Rewriting(kind, str(one.get("find")), str(one.get("replace", ""))) for one in value]
        else:
            found.append(Rewriting("", f"{name} {value}"))
    return found


def rule_of(
    handler: Mapping[str, Any],
    label: str,
    match: Match,
    steps: Sequence[Rewriting],
    response: Mapping[str, Any] | None,
    *,
    sends_own_host: bool = False,
) -> list[Rule | Leftover]:
    """Return the rules of the ``reverse_proxy`` `handler` for `match`, and what else it says.

    `steps`: what happened to the path before. `response`: headers that were set around it. `sends_own_host`: to an
    https server, where nothing else is written. Raises :class:`BadText`.
    """
    if inner := handler.get("rewrite"):
        steps = [*steps, *rewriting_of(inner)]
    target = _target(handler)
    lost: list[Leftover] = []
    usual = "upstream" if sends_own_host and target.servers[0].startswith("https:") else "keep"
    keys = _header_keys(handler.get("headers") or {}, response or {}, target, label, lost, host=usual)
    for name, why in (
        ("handle_response", "answers of the server pass as they are"),
        ("health_checks", "devproxy notices itself whether a server is up"),
    ):
        if name in handler:
            lost.append(Leftover(label, f"`{name}`: {why}."))
    rules = [
        Rule(label=label, match=taken, target=target, rewrite=rewrite, keys=keys, comments=comments)
        for taken, rewrite, comments in _rewritten(match, steps)
    ]
    return [*lost, *rules]


def _target(handler: Mapping[str, Any]) -> Target:
    transport = handler.get("transport") or {}
    if transport.get("protocol", "http") != "http":
        raise BadText(f"it speaks {transport.get('protocol')} with its server, and devproxy HTTP only")
    if handler.get("dynamic_upstreams"):
        raise BadText("it looks its servers up as it goes", "write their addresses")
    tls = transport.get("tls")
    scheme = "http" if tls is None else "https"
    servers = []
    for upstream in handler.get("upstreams") or []:
        dial = str(upstream.get("dial"))
        if "{" in dial:
            raise BadText(f"its server {dial} has a placeholder", "write its address")
        path = re.sub(r"^unix[^/]*/", "", dial) if dial.startswith("unix") else ""
        dial = f"localhost{dial}" if dial.startswith(":") else dial
        servers.append(f"unix:{path}" if path else f"{scheme}://{dial}")
    if not servers:
        raise BadText("it names no server")
    keys: list[tuple[str, Value]] = []
    comments: list[str] = []
    if isinstance(tls, dict):
        if tls.get("insecure_skip_verify"):
            keys.append(("tls_verify", False))
        elif files := tls.get("root_ca_pem_files"):
            keys.append(("tls_ca", tuple(map(str, files))))
    policy = ((handler.get("load_balancing") or {}).get("selection_policy") or {}).get("policy")
    if len(servers) > 1 and policy in ("cookie", "ip_hash", "client_ip_hash", "uri_hash", "header", "query"):
        keys.append(("sticky", "cookie"))
        if policy != "cookie":
            comments.append(f"Caddy chooses by `{policy}`; `sticky` has devproxy's ways.")
    return Target(servers=tuple(dict.fromkeys(servers)), keys=tuple(keys), comments=tuple(comments))


def _rewritten(match: Match, steps: Sequence[Rewriting]) -> list[tuple[Match, str | None, tuple[str, ...]]]:
    """Return what `match` comes to where `steps` rewrite its paths, each with the key ``rewrite`` and comments.

    Raises :class:`BadText` where no route can say it.
    """
    if not steps:
        return [(match, None, ())]
    if any(not step.kind for step in steps):
        raise BadText(f"it rewrites paths by {next(step.text for step in steps if not step.kind)}")
    if match.kind is Kind.EXACT:
        return [(match, _after(match.text, steps), ())]
    if match.kind not in (Kind.STARTS, Kind.SEGMENTS):
        raise BadText("it rewrites paths, which a route can do only after a plain prefix")
    first = steps[0]
    if match == EVERY_PATH and first.kind == "strip":
        # Only what has the prefix is changed, and all else goes the same way as it is.
        rest = _rewritten(Match(Kind.SEGMENTS, ""), steps[1:])
        return [*_rewritten(Match(Kind.SEGMENTS, first.text.rstrip("/")), steps), *rest]
    prefix = match.text.rstrip("/")
    rests = ("/a", "/a/b", "/a/b/", f"/a{prefix}/c", "/v1/x", "/")
    found = common_rewrite([(f"{prefix}{rest}", _after(f"{prefix}{rest}", steps)) for rest in rests], prefix)
    if found is None:
        raise BadText("it rewrites paths in a way that is not the replacement of a prefix")
    return [(match, None if found.text == prefix else f"{found.text}/", found.comments(prefix))]


def _after(path: str, steps: Sequence[Rewriting]) -> str:
    for step in steps:
        if step.kind == "strip" and path.startswith(step.text):
            path = "/" + path[len(step.text) :].lstrip("/")
        elif step.kind == "put":
            path = f"{step.text}{path}"
        elif step.kind == "set":
            path = step.text
        elif step.kind == "replace":
            path = path.replace(step.text, step.by)
        elif step.kind == "search":
            try:
                by = re.sub(r"\$\{?(\d)\}?", r"\\\1", step.by.replace("\\", r"\\"))
                path = re.sub(step.text, by, path)
            except (re.error, IndexError):
                raise BadText(f"it rewrites paths by an expression that Python does not know: {step.text}") from None
    return path


def _header_keys(
    headers: Mapping[str, Any],
    around: Mapping[str, Any],
    target: Target,
    label: str,
    lost: list[Leftover],
    *,
    host: str,
) -> dict[str, Value]:
    """Return the keys for the headers that are changed in both directions. `host`: what is sent if nothing says so."""
    request = headers.get("request") or {}
    origin = "keep"
    changed: dict[str, dict[str, Value]] = {"set": {}, "add": {}}
    for verb in ("set", "add"):
        for name, values in (request.get(verb) or {}).items():
            value = str((values or [""])[0])
            if name.lower() == "host":
                host = "upstream" if value in _UPSTREAM_HOST else "keep" if value in _OWN_HOST else value
                if "{" in host:
                    lost.append(Leftover(label, f"devproxy does not know what is in the Host {value}."))
                    host = "keep"
            elif name.lower() == "origin" and "{" not in value:
                origin = value
            elif _SENT_ANYWAY.fullmatch(name):
                continue
            elif (known := _PLACEHOLDERS.get(value)) or "{" not in value:
                changed[verb][name] = known or value
            else:
                lost.append(Leftover(label, f"The header {name} is not set: devproxy does not know {value}."))
    removed = [str(name) for name in request.get("delete") or ()]
    if any(name.lower() == "origin" for name in removed):
        origin = "remove"
    keys = address_keys(target.servers[0], host, origin)
    kept = [name for name in removed if name.lower() != "origin" and not _SENT_ANYWAY.fullmatch(name)]
    edits = {
        "request": _edits(changed["set"], changed["add"], kept),
        "response": _response_edits([around, headers.get("response") or {}], label, lost),
    }
    edits = {name: edit for name, edit in edits.items() if edit}
    return {**keys, "headers": edits} if edits else keys


def _response_edits(written: Sequence[Mapping[str, Any]], label: str, lost: list[Leftover]) -> dict[str, Value]:
    changed: dict[str, dict[str, Value]] = {"set": {}, "add": {}}
    removed: list[str] = []
    for one in written:
        for verb in ("set", "add"):
            for name, values in (one.get(verb) or {}).items():
                value = str((values or [""])[0])
                if name.lower().startswith("access-control-"):
                    lost.append(
                        Leftover(label, f"The header {name}: devproxy's own `cors` answers pages of this machine.")
                    )
                elif "{" in value:
                    lost.append(Leftover(label, f"The header {name} is not set: devproxy does not know {value}."))
                else:
                    changed[verb][name] = value
        removed += [str(name) for name in one.get("delete") or ()]
    return _edits(changed["set"], changed["add"], removed)


def _edits(set: Mapping[str, Value], add: Mapping[str, Value], remove: Sequence[str]) -> dict[str, Value]:
    return {name: value for name, value in (("set", set), ("add", add), ("remove", tuple(remove))) if value}
