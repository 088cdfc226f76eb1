"""What a location of nginx with ``proxy_pass`` says: where to, with which path, Host and headers. Pure.

Owns what each directive means for a route. Start at :func:`rule_of`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from devproxy.config.addresses import check_authority
from devproxy.config.drafts import Value
from devproxy.importing.http_proxy import address_keys
from devproxy.importing.rewriting import common_rewrite
from devproxy.importing.rules import Kind, Leftover, Match, Rule, Target
from devproxy.text.bad import BadText

_URL: Final = re.compile(r"(https?)://(?:unix:([^:]+)(?::(/.*)?)?|(\[[^\]]+\]|[^/:]+)(?::(\d+))?(/.*)?)")
_LISTS: Final = ("proxy_set_header", "add_header", "proxy_hide_header", "proxy_cookie_domain")
_SETTINGS: Final = (
    *("proxy_ssl_verify", "proxy_ssl_trusted_certificate", "proxy_ssl_certificate", "proxy_ssl_certificate_key"),
    *("proxy_redirect", "proxy_read_timeout"),
)
_SENT_ANYWAY: Final = re.compile(
    r"(?i)x-forwarded-.*|x-real-ip|forwarded|connection|upgrade|via|accept-encoding|x-scheme"
)
_KEEPS_HOST: Final = ("$host", "$http_host", "$host:$server_port", "$http_host:$server_port", "$host:$port")
_PLACEHOLDERS: Final = {
    "$host": "${host}", "$http_host": "${host}", "$remote_addr": "${client.address}", "$scheme": "${scheme}",
}  # fmt: skip

NOT_PROXIED: Final[Mapping[str, str]] = {
    "return": "nginx answers itself, which devproxy does not",
    "fastcgi_pass": "devproxy speaks HTTP only: give the application an HTTP server",
    "uwsgi_pass": "devproxy speaks HTTP only: start uWSGI with `--http`",
    "scgi_pass": "devproxy speaks HTTP only: give the application an HTTP server",
    "grpc_pass": "devproxy has no way for gRPC",
    "stub_status": "devproxy has its own page of what happens, at /__devproxy/",
}
_TOLD: Final[Mapping[str, str]] = {
    "if": "routes have no conditions but `methods`, `match_host` and `match_headers`",
    "auth_basic": "devproxy asks for no passwords",
    "auth_request": "devproxy asks no other server first",
    "limit_req": "devproxy limits no rates; `fault` can make a server slow",
    "limit_conn": "devproxy limits no connections",
    "limit_rate": "see `fault.bandwidth_kib_s`",
    "allow": "devproxy refuses no addresses; it listens on this machine alone unless `listen` says otherwise",
    "deny": "devproxy refuses no addresses; it listens on this machine alone unless `listen` says otherwise",
    "sub_filter": "devproxy leaves bodies as they are",
    "mirror": "devproxy sends a request to one server only",
    "error_page": "answers of the server pass as they are",
    "proxy_intercept_errors": "answers of the server pass as they are",
    "proxy_method": "devproxy leaves the method as it is",
    "proxy_cookie_path": "devproxy brings a cookie's Path back below the prefix of its route; see `cookies.path`",
    "proxy_pass_request_headers": "devproxy passes headers on; `headers.request` edits them",
    "proxy_cache": "devproxy keeps no answers",
    "client_max_body_size": "devproxy has one limit for all routes: max_body_bytes below [server]",
    "rewrite": "a path is rewritten by `rewrite` in a route with `path`",
    "satisfy": "devproxy asks for no passwords",
    "internal": "devproxy has no requests of its own",
    "set": "routes have no variables",
}
_CODE: Final = re.compile(r"\w+_by_lua\w*|js_\w+|perl\w*")


@dataclass(frozen=True, slots=True)
class Directive:
    """One directive: ``place``: file and line."""

    name: str
    args: tuple[str, ...]
    block: tuple[Directive, ...]
    place: str

    @classmethod
    def of(cls, written: Mapping[str, Any]) -> Directive:
        """Return the directive that crossplane's `written` describes."""
        file = str(written.get("file") or "").rpartition("/")[2]
        return cls(
            str(written.get("directive")),
            tuple(map(str, written.get("args") or ())),
            tuple(cls.of(one) for one in written.get("block") or ()),
            f"{file}:{written.get('line')}",
        )

    @property
    def text(self) -> str:
        """The directive as it is written, without what is in its block."""
        end = " { … }" if self.block else ";"
        return " ".join([self.name, *(f'"{arg}"' if " " in arg or not arg else arg for arg in self.args)]) + end


Block = Sequence[Directive]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What holds in a block, from what is around it. ``lists``: a block that writes one drops that of its parent."""

    upstreams: Mapping[str, Block]
    lists: Mapping[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)
    settings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def within(self, block: Block) -> Scope:
        """Return what holds in `block`, which this one is around."""
        lists = {name: tuple(one.args for one in block if one.name == name) for name in _LISTS}
        settings = {one.name: one.args for one in block if one.name in _SETTINGS}
        return Scope(
            upstreams=self.upstreams,
            lists={**self.lists, **{name: found for name, found in lists.items() if found}},
            settings={**self.settings, **settings},
        )

    def setting(self, name: str) -> str:
        """Return the first argument of `name`; empty where it is not there."""
        return (*self.settings.get(name, ()), "")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """A ``location``: ``modifier``: ``=``, ``^~``, ``~``, ``~*`` or nothing."""

    modifier: str
    path: str
    block: Block
    scope: Scope
    label: str

    def has(self, name: str) -> bool:
        """Tell whether it has the directive `name` itself."""
        return any(one.name == name for one in self.block)

    def argument(self, name: str) -> str:
        """Return the last argument of the directive `name`; empty where there is none."""
        return next((one.args[-1] for one in self.block if one.name == name and one.args), "")


class _Goal(NamedTuple):
    """``uri``: what follows the server in ``proxy_pass``; None: nothing. ``own_host``: what ``$proxy_host`` is."""

    target: Target
    uri: str | None
    own_host: str


def rule_of(location: Location, match: Match) -> list[Rule | Leftover]:
    """Return the rule of `location`, which takes `match`, and what else it says. Raises :class:`BadText`."""
    goal = _goal(location)
    rewrite, comments = _rewrite(location, match, goal.uri)
    lost: list[Leftover] = []
    keys = _header_keys(location, goal, lost)
    domains = [args for args in location.scope.lists.get("proxy_cookie_domain", ()) if len(args) > 1]
    if domains and not any("~" in args[0] or "$" in "".join(args) for args in domains):
        keys["cookies"] = {"domain": {args[0].removeprefix("."): args[1] for args in domains}}
    rule = Rule(label=location.label, match=match, target=goal.target, rewrite=rewrite, keys=keys, comments=comments)
    return [*lost, rule]


def told_in(block: Block, label: str) -> list[Leftover]:
    """Return what `block` says that no route can, besides where requests go."""
    lost = []
    for one in block:
        if one.args[:1] == ("off",) or (one.name == "rewrite" and one.args[-1:] == ("break",)):
            continue
        if why := _TOLD.get(one.name):
            inner = "".join(f"\n    {each.text}" for each in one.block)
            lost.append(Leftover(label, f"`{one.name}`: {why}.", one.text + inner))
        elif _CODE.fullmatch(one.name):
            lost.append(Leftover(label, f"`{one.name}`: devproxy runs no code.", one.text))
    return lost


def _goal(location: Location) -> _Goal:
    written = location.argument("proxy_pass")
    if "$" in written:
        raise BadText(f"`proxy_pass {written}` names its server by a variable", "write a route for each server")
    match = _URL.fullmatch(written)
    if match is None:
        raise BadText(f"`proxy_pass {written}` is no address that devproxy knows")
    scheme, socket, socket_uri, host, port, uri = match.groups()
    keys: list[tuple[str, Value]] = []
    comments: list[str] = []
    if scheme == "https":
        keys, comments = _tls(location.scope)
    if socket:
        return _Goal(Target(servers=(f"unix:{socket}",)), socket_uri, "localhost")
    if (block := location.scope.upstreams.get(host)) is None:
        server = f"{scheme}://{host}" + (f":{port}" if port else "")
        return _Goal(Target(servers=(server,), keys=tuple(keys), comments=tuple(comments)), uri, "")
    servers, said = _servers(block, scheme)
    if len(servers) > 1 and any(one.name in ("ip_hash", "hash", "sticky") for one in block):
        keys.append(("sticky", "socketio" if "socket.io" in location.path else "cookie"))
        said.append("nginx keeps a client at its server in a way of its own; `sticky` has devproxy's.")
    return _Goal(Target(servers=servers, name=host, keys=tuple(keys), comments=(*comments, *said)), uri, host)


def _tls(scope: Scope) -> tuple[list[tuple[str, Value]], list[str]]:
    keys: list[tuple[str, Value]] = []
    comments: list[str] = []
    if scope.setting("proxy_ssl_verify") != "on":
        keys.append(("tls_verify", False))
        comments.append(
            "nginx does not check certificates unless `proxy_ssl_verify` is on. To check it, remove tls_verify."
        )
    elif found := scope.setting("proxy_ssl_trusted_certificate"):
        keys.append(("tls_ca", found))
    for name, key in (("proxy_ssl_certificate", "tls_cert"), ("proxy_ssl_certificate_key", "tls_key")):
        if found := scope.setting(name):
            keys.append((key, found))
    return keys, comments


def _servers(block: Block, scheme: str) -> tuple[tuple[str, ...], list[str]]:
    """Return the URLs of the servers of an ``upstream`` block, and comments. Raises :class:`BadText` for none."""
    lines = [one.args for one in block if one.name == "server" and one.args and "down" not in one.args]
    primary = [args for args in lines if "backup" not in args]
    comments = []
    if len(primary) < len(lines) and primary:
        spare = ", ".join(args[0] for args in lines if "backup" in args)
        comments.append(f"A spare server is not carried over: {spare}.")
    if any(arg.startswith("weight=") for args in primary for arg in args[1:]):
        comments.append("Weights are not carried over: the server with the least to do gets a request.")
    servers = tuple(
        dict.fromkeys(args[0] if args[0].startswith("unix:") else f"{scheme}://{args[0]}" for args in primary or lines)
    )
    if not servers:
        raise BadText("its upstream has no server")
    return servers, comments


def _rewrite(location: Location, match: Match, uri: str | None) -> tuple[str | None, tuple[str, ...]]:
    """Return the key ``rewrite`` for what `location` does to paths, and comments. Raises :class:`BadText`."""
    breaking = [one for one in location.block if one.name == "rewrite" and one.args[-1:] == ("break",)]
    if breaking:
        if match.kind not in (Kind.STARTS, Kind.SEGMENTS, Kind.EXACT):
            raise BadText("it rewrites paths, which a route can do only after a plain prefix")
        return _rewritten_by(breaking, match)
    if uri is None:
        return None, ()
    if match.kind is Kind.EXACT:
        return uri, ()
    if match.kind is not Kind.STARTS:
        raise BadText("it has a path in `proxy_pass`, which a route can replace only a plain prefix by")
    text = match.text
    if text.endswith("/") == uri.endswith("/") or text == "/":
        if text == "/" and not uri.endswith("/"):
            raise BadText(f"nginx puts `{uri}` in front of paths without a slash between them")
        return (uri if uri != text else None), ()
    if uri == "/":
        return "/", (f"nginx sends `//x` for `{text}/x`; here it is `/x`.",)
    if text.endswith("/"):
        raise BadText(f"nginx replaces `{text}` by `{uri}` without a slash between that and what follows")
    return uri, (f"nginx sends `{uri}/x` for `{text}/x`; here it is `{uri}x`.",)


def _rewritten_by(lines: Sequence[Directive], match: Match) -> tuple[str | None, tuple[str, ...]]:
    """Return the key ``rewrite`` for what ``rewrite … break`` does, and comments. Raises :class:`BadText`."""
    prefix = match.text.rstrip("/")
    rests = ("/a", "/a/b", "/a/b/", f"/a{prefix}/c", "/v1/x", "/") if match.kind is not Kind.EXACT else ("",)
    try:
        patterns = [(re.compile(line.args[0]), line.args[1]) for line in lines]
    except (re.error, IndexError):
        raise BadText("its `rewrite` has an expression that Python does not know") from None
    probes = [(f"{prefix}{rest}", _rewritten(f"{prefix}{rest}", patterns)) for rest in rests]
    if match.kind is Kind.EXACT:
        return probes[0][1], ()
    found = common_rewrite(probes, prefix)
    if found is None:
        raise BadText("its `rewrite` is not the replacement of a prefix, which is what devproxy's is")
    return None if found.text == prefix else f"{found.text}/", found.comments(prefix)


def _rewritten(path: str, patterns: Sequence[tuple[re.Pattern[str], str]]) -> str:
    for pattern, replacement in patterns:
        if match := pattern.search(path):
            return re.sub(r"\$(\d)", lambda number: match[int(number[1])] or "", replacement)
    return path


def _header_keys(location: Location, goal: _Goal, lost: list[Leftover]) -> dict[str, Value]:
    """Return the keys for the headers that `location` sets in both directions."""
    request_set: dict[str, Value] = {}
    request_remove: list[str] = []
    host, origin = "$proxy_host", "keep"
    for name, value in (args for args in location.scope.lists.get("proxy_set_header", ()) if len(args) == 2):
        if name.lower() == "host":
            host = value
        elif name.lower() == "origin":
            origin = "remove" if not value else "keep" if value == "$http_origin" else value
        elif _SENT_ANYWAY.fullmatch(name) or value == f"$http_{name.lower().replace('-', '_')}":
            continue
        elif not value:
            request_remove.append(name)
        elif (known := _PLACEHOLDERS.get(value)) or "$" not in value:
            request_set[name] = known or value
        else:
            why = f"The header {name} is not set: devproxy does not know what is in {value}."
            lost.append(Leftover(location.label, why))
    sent = _host_key(host, goal, location.label, lost)
    keys = address_keys(goal.target.servers[0], sent, origin)
    response = _response_keys(location, lost)
    request = {name: value for name, value in (("set", request_set), ("remove", request_remove)) if value}
    both = {name: value for name, value in (("request", request), ("response", response)) if value}
    return {**keys, "headers": both} if both else keys


def _host_key(written: str, goal: _Goal, label: str, lost: list[Leftover]) -> str:
    if written in _KEEPS_HOST:
        return "keep"
    if written == "$proxy_host":
        if not goal.own_host:
            return "upstream"
        written = goal.own_host
    if "$" not in written:
        try:
            check_authority(written)
        except BadText:
            lost.append(Leftover(label, f"nginx sends the Host {written}, which is no name of a host."))
        else:
            return written
    else:
        lost.append(Leftover(label, f"devproxy does not know what is in the Host {written}."))
    return "keep"


def _response_keys(location: Location, lost: list[Leftover]) -> dict[str, Value]:
    added: dict[str, Value] = {}
    for name, value, *_ in (args for args in location.scope.lists.get("add_header", ()) if len(args) > 1):
        if name.lower().startswith("access-control-"):
            why = f"`add_header {name}`: devproxy's own `cors` answers pages of this machine."
            lost.append(Leftover(location.label, why))
        elif "$" in value:
            lost.append(Leftover(location.label, f"The header {name} is not added: devproxy does not know {value}."))
        else:
            added[name] = value
    removed: list[str] = [args[0] for args in location.scope.lists.get("proxy_hide_header", ()) if args]
    return {name: value for name, value in (("add", added), ("remove", removed)) if value}
