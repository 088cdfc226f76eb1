"""A configuration of nginx: ``server``, ``location`` and ``upstream`` blocks as crossplane reads them.

nginx takes ``=`` first, then the longest prefix if it has ``^~``, then the first ``~`` that is found, then the longest
prefix. Start at :func:`draft`; :func:`read` is the only part that does I/O, and ``nginx_proxies`` knows what a location
with ``proxy_pass`` says.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from devproxy.config.addresses import check_host_pattern
from devproxy.config.drafts import Draft, Value
from devproxy.importing.asked import Asked, Failed
from devproxy.importing.drafting import draft_of
from devproxy.importing.js_regexes import path_expression
from devproxy.importing.nginx_proxies import NOT_PROXIED, Block, Directive, Location, Scope, rule_of, told_in
from devproxy.importing.rules import Kind, Leftover, Match, Rule
from devproxy.importing.sources import FILES
from devproxy.text.bad import BadText

_READER: Final = (
    "import crossplane, json, sys; "
    "json.dump(crossplane.parse(sys.argv[1], combine=True, check_ctx=False, check_args=False), sys.stdout)"
)
"""Files of ``conf.d`` and snippets are read, too, which are not whole configurations."""

_STATIC: Final = ("root", "alias", "try_files", "index", "autoindex")
_STATIC_ROUTE: Final = (
    '[[routes]]\npath = "{path}"\nupstream = "frontend"   # a dev server, or any server of these files'
)
_OTHERS_ROUTE: Final = "Its requests go to the next route that matches, until there is one for them."


def read(asked: Asked) -> dict[str, Any]:
    """Return the directives of the configuration. Raises :class:`Failed`."""
    import json

    from devproxy.importing.running import output_of, read_facts

    if find_spec("crossplane") is None:
        raise Failed(
            "crossplane, which reads nginx's configurations, is not installed",
            f"{shlex.quote(sys.executable)} -m pip install crossplane",
        )
    file = asked.file or _found(asked.folder)
    command = [sys.executable, "-P", "-c", _READER, str(file)]  # -P: no module of this folder
    payload = read_facts(output_of(command, asked.folder, asked.limit_s).encode())
    for error in payload.get("errors") or []:
        raise Failed(f"{file} cannot be read: {error.get('error') or json.dumps(error)}", "try:  nginx -t -c FILE")
    return {"file": str(file), "parsed": (payload.get("config") or [{}])[0].get("parsed") or []}


def _found(folder: Path) -> Path:
    for name in FILES["nginx"]:
        if (folder / name).is_file():
            return folder / name
    raise Failed("there is no nginx.conf in this folder", "name it:  devproxy import nginx /etc/nginx/nginx.conf")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Server:
    """A ``server`` block. ``names``: of ``server_name``; ``is_default``: for all other hosts, too."""

    block: Block
    scope: Scope
    names: tuple[str, ...]
    is_default: bool
    label: str


def draft(facts: dict[str, Any]) -> Draft:
    """Return the draft for `facts`. Raises :class:`Failed` where no request is passed on."""
    top = [Directive.of(one) for one in facts["parsed"]]
    http = [inner for one in top if one.name == "http" for inner in one.block] or top
    upstreams = {one.args[0]: one.block for one in http if one.name == "upstream" and one.args}
    scope = Scope(upstreams=upstreams).within(http)
    servers = list(_servers(http, scope))
    if not servers and any(one.name == "location" for one in http):
        servers = [_Server(block=http, scope=scope, names=(), is_default=True, label="this file")]
    used = [one for one in servers if any(_passes(one.block))]
    if not used:
        raise Failed(
            f"nothing in {facts['file']} is passed on by proxy_pass",
            "to begin without it:  devproxy up --frontend 5173 --backend 3001  (the ports of your servers)",
        )
    rules: list[Rule] = []
    lost = told_in(http, "http")
    names: list[str] = []
    for server in sorted(used, key=lambda one: one.is_default):
        hosts = _hosts(server, lost)
        names += hosts
        if not hosts and not server.is_default:
            why = (
                "It has no name by which devproxy could tell it from another: give it a file and a devproxy of its own."
            )
            lost.append(Leftover(server.label, why))
            continue
        found = _of_server(server)
        conditions = () if server.is_default else tuple(hosts)
        rules += [replace(one, hosts=conditions) for one in found if isinstance(one, Rule)]
        lost += [one for one in found if isinstance(one, Leftover)]
    keys: dict[str, Value] = {"allowed_hosts": [name.replace("*.", ".") for name in names]} if names else {}
    head = [
        f"Made by `devproxy import nginx` of {facts['file']}.",
        "Not here, and no comment on it: gzip, caches, logs, buffers, time limits, TLS. `$host` comes with its port.",
    ]
    return draft_of(rules, lost, head=head, server=keys)


def _servers(http: Sequence[Directive], scope: Scope) -> Iterator[_Server]:
    blocks = [one for one in http if one.name == "server"]
    default = next((one for one in blocks if _listens_by_default(one)), None)
    proxying = [one for one in blocks if any(_passes(one.block))]
    if default not in proxying:
        default = proxying[0] if proxying else None
    for one in blocks:
        names = tuple(name for inner in one.block if inner.name == "server_name" for name in inner.args)
        yield _Server(
            block=one.block,
            scope=scope.within(one.block),
            names=names,
            is_default=one is default,
            label=f"server {' '.join(names)} ({one.place})",
        )


def _listens_by_default(server: Directive) -> bool:
    return any(one.name == "listen" and {"default_server", "default"} & set(one.args) for one in server.block)


def _passes(block: Iterable[Directive]) -> Iterator[Directive]:
    """Yield each ``proxy_pass`` in `block` and what is inside it."""
    for one in block:
        if one.name == "proxy_pass":
            yield one
        yield from _passes(one.block)


def _hosts(server: _Server, lost: list[Leftover]) -> list[str]:
    """Return the names of `server` as ``match_host`` has them; what it cannot have goes to `lost`."""
    hosts: list[str] = []
    for name in server.names:
        if name in ("_", "", "localhost") or name.startswith("$"):
            continue
        try:
            if name.startswith("."):
                hosts += [name[1:], f"*{name}"]
            else:
                check_host_pattern(name)
                hosts.append(name)
        except BadText as error:
            lost.append(Leftover(server.label, f"The name {name} cannot be a host here: {error.what}."))
    return hosts


def _of_server(server: _Server) -> list[Rule | Leftover]:
    """Return the rules of the locations of `server`, in the order in which nginx decides, and what no route can say."""
    found: list[Rule | Leftover] = [*told_in(server.block, server.label)]
    locations = list(_locations(server.block, server.scope))
    named = {one.path: one for one in locations if one.path.startswith("@")}
    others = [one for one in locations if not one.path.startswith("@")]
    for one in sorted(others, key=_precedence):
        found += _of_location(one, named)
    for one in others:
        if one.modifier == "" and any(
            other.modifier == "^~" and one.path.startswith(other.path) for other in others if other is not one
        ):
            found.append(Leftover(one.label, "It lies within a `^~` location, which here takes its requests."))
    return found


def _precedence(location: Location) -> tuple[int, int]:
    """Return what sorts locations as nginx asks them; expressions keep their order."""
    rank = {"=": 0, "^~": 1, "~": 2, "~*": 2}.get(location.modifier, 3)
    return rank, 0 if rank == 2 else -len(location.path)


def _locations(block: Sequence[Directive], scope: Scope) -> Iterator[Location]:
    for one in block:
        if one.name != "location" or not one.args:
            continue
        modifier, path = (one.args[0], one.args[1]) if len(one.args) > 1 else ("", one.args[0])
        for sign in ("^~", "~*", "=", "~"):  # written without a space
            if not modifier and path.startswith(sign):
                modifier, path = sign, path[len(sign) :]
        inner = scope.within(one.block)
        yield Location(
            modifier=modifier,
            path=path,
            block=one.block,
            scope=inner,
            label=f"location {f'{modifier} ' if modifier else ''}{path} ({one.place})",
        )
        yield from _locations(one.block, inner)


def _of_location(location: Location, named: dict[str, Location]) -> list[Rule | Leftover]:
    try:
        match = _match(location)
    except BadText as error:
        help = f" ({error.help})" if error.help else ""
        return [Leftover(location.label, f"devproxy cannot have it: {error.what}{help}.")]
    passing = location
    comments: tuple[str, ...] = ()
    if (falls_back := location.argument("try_files")) and falls_back.startswith("@") and falls_back in named:
        passing = named[falls_back]
        comments = ("nginx looks for a file first; devproxy asks the server for everything.",)
    if not passing.has("proxy_pass"):
        return [_not_passed(location)]
    try:
        rules = rule_of(passing, match)
    except BadText as error:
        help = f" ({error.help})" if error.help else ""
        return [Leftover(location.label, f"{error.what[:1].upper()}{error.what[1:]}{help}.")]
    told = told_in(passing.block, location.label)
    told += told_in(location.block, location.label) if passing is not location else []
    return [
        *told,
        *(
            replace(one, label=location.label, comments=(*one.comments, *comments)) if isinstance(one, Rule) else one
            for one in rules
        ),
    ]


def _match(location: Location) -> Match:
    if location.modifier == "=":
        return Match(Kind.EXACT, location.path)
    if location.modifier in ("~", "~*"):
        return Match(Kind.REGEX, path_expression(location.path, ignores_case=location.modifier == "~*"))
    return Match(Kind.STARTS, location.path)


def _not_passed(location: Location) -> Leftover:
    """Return why `location`, which passes nothing on, is not carried over."""
    for one in location.block:
        if one.name in NOT_PROXIED:
            return Leftover(location.label, f"`{one.name}`: {NOT_PROXIED[one.name]}. {_OTHERS_ROUTE}", one.text)
    path = location.path if location.modifier in ("", "^~") else "/"
    code = "\n".join(one.text for one in location.block if one.name in _STATIC)
    why = f"nginx serves files here, and devproxy none: name the server that has them. {_OTHERS_ROUTE}"
    return Leftover(location.label, why, f"{code}\n{_STATIC_ROUTE.format(path=path)}".strip())
