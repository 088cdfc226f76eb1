"""A Caddyfile: the routes that Caddy itself makes of it (``caddy adapt``), of which the first that answers wins.

Start at :func:`draft`; :func:`read` is the only part that does I/O, and ``caddy_handlers`` knows what a
``reverse_proxy`` says.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from devproxy.config.drafts import Draft, Value
from devproxy.config.model import PathKind
from devproxy.config.routes import check_pattern
from devproxy.importing.asked import Asked, Failed
from devproxy.importing.caddy_handlers import ANSWERS, SILENT, TOLD, Rewriting, rewriting_of, rule_of
from devproxy.importing.drafting import draft_of
from devproxy.importing.ordering import covers
from devproxy.importing.rules import EVERY_PATH, Kind, Leftover, Match, Rule
from devproxy.importing.sources import FILES
from devproxy.text.bad import BadText


def read(asked: Asked) -> dict[str, Any]:
    """Return what Caddy makes of the file. Raises :class:`Failed`."""
    from devproxy.importing.running import content_of, output_of, program, read_facts

    caddy = program("caddy", "it is what reads its configuration: https://caddyserver.com/docs/install")
    file = asked.file or _found(asked.folder)
    if file.suffix == ".json":
        text = content_of(file)
    else:
        command = [caddy, "adapt", "--config", str(file), "--adapter", "caddyfile"]
        text = output_of(command, asked.folder, asked.limit_s).encode()
    version = output_of([caddy, "version"], asked.folder, asked.limit_s)
    return {"file": str(file), "config": read_facts(text), "version": version}


def _found(folder: Path) -> Path:
    for name in FILES["caddy"]:
        if (folder / name).is_file():
            return folder / name
    raise Failed("there is no Caddyfile in this folder", "name it:  devproxy import caddy /etc/caddy/Caddyfile")


_OWN_HOST_SINCE: Final = (2, 11)
"""The version since which an https server is sent its own Host."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """What holds for a handler: the conditions of the routes around it, what they rewrite, and headers they set."""

    match: Match = EVERY_PATH
    hosts: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    rewriting: tuple[Rewriting, ...] = ()
    response: Mapping[str, Any] | None = None

    @property
    def label(self) -> str:
        """How the author knows it."""
        path = self.match.text if self.match != EVERY_PATH else "*"
        return " ".join([*self.hosts[:1], path if self.match.kind is not Kind.STARTS else f"{path}*"])

    @property
    def takes_all(self) -> bool:
        """Whether it has no condition."""
        return self.match == EVERY_PATH and not (self.hosts or self.methods or self.headers)


class _Walk:
    """Collects ``found`` on the way through the routes, in the order in which Caddy tries them."""

    def __init__(self, *, sends_own_host: bool = False) -> None:
        self._sends_own_host = sends_own_host
        self.found: list[Rule | Leftover] = []

    def routes(self, routes: Sequence[Mapping[str, Any]], place: _Place) -> bool:
        """Take `routes`; return whether nothing gets past them."""
        for route in routes:
            try:
                places = _matched(place, route.get("match") or [{}])
            except BadText as error:
                code = str(route.get("match"))
                self.found.append(Leftover(place.label, f"{error.what[:1].upper()}{error.what[1:]}.", code))
                continue
            handlers = route.get("handle") or []
            if not _answers(handlers) and len(places) == 1 and not route.get("match"):
                place = self._prepared(handlers, places[0])
                continue
            if not _answers(handlers):
                self._lost(handlers, places[0])
                continue
            ends = [self._handlers(handlers, one) for one in places]
            if any(end and one.takes_all for end, one in zip(ends, places, strict=True)):
                return True
            if places == [place] and all(ends):
                return True
        return False

    def _prepared(self, handlers: Sequence[Mapping[str, Any]], place: _Place) -> _Place:
        """Return `place` after `handlers`, which answer nothing."""
        for handler in handlers:
            name = str(handler.get("handler"))
            if name == "rewrite":
                place = replace(place, rewriting=(*place.rewriting, *rewriting_of(handler)))
            elif name == "headers" and set(handler) <= {"handler", "response"}:
                place = replace(place, response={**(place.response or {}), **(handler.get("response") or {})})
            else:
                self._lost([handler], place)
        return place

    def _lost(self, handlers: Sequence[Mapping[str, Any]], place: _Place) -> None:
        for handler in handlers:
            name = str(handler.get("handler"))
            if name == "subroute":
                for route in handler.get("routes") or []:
                    self._lost(route.get("handle") or [], place)
            elif name not in SILENT:
                why = TOLD.get(name, "devproxy has nothing like it")
                self.found.append(Leftover(place.label, f"`{name}`: {why}."))

    def _handlers(self, handlers: Sequence[Mapping[str, Any]], place: _Place) -> bool:
        """Take `handlers` one after the other; return whether they always answer."""
        for handler in handlers:
            name = str(handler.get("handler"))
            if name == "subroute":
                if self.routes(handler.get("routes") or [], place):
                    return True
            elif name == "reverse_proxy":
                self._proxy(handler, place)
                return True
            elif name in ANSWERS:
                why = f"`{name}`: {ANSWERS[name]}. Its requests go to the next route that matches."
                self.found.append(Leftover(place.label, why))
                return True
            else:
                place = self._prepared([handler], place)
        return False

    def _proxy(self, handler: Mapping[str, Any], place: _Place) -> None:
        try:
            found = rule_of(
                handler,
                place.label,
                place.match,
                place.rewriting,
                place.response,
                sends_own_host=self._sends_own_host,
            )
        except BadText as error:
            help = f" ({error.help})" if error.help else ""
            self.found.append(Leftover(place.label, f"{error.what[:1].upper()}{error.what[1:]}{help}."))
            return
        for one in found:
            if isinstance(one, Rule):
                one = replace(one, hosts=place.hosts, methods=place.methods, headers=place.headers)
            self.found.append(one)


def _answers(handlers: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether one of `handlers`, or of those inside them, gives an answer."""
    for handler in handlers:
        name = handler.get("handler")
        if name == "reverse_proxy" or name in ANSWERS:
            return True
        if name == "subroute" and any(_answers(route.get("handle") or []) for route in handler.get("routes") or []):
            return True
    return False


def _matched(place: _Place, sets: Sequence[Mapping[str, Any]]) -> list[_Place]:
    """Return `place` under each of `sets`, one of which has to hold. Raises :class:`BadText` for what no route asks."""
    found = []
    for wanted in sets:
        for name in wanted:
            if name not in ("path", "host", "method", "header"):
                raise BadText(f"it asks for `{name}`, and routes only for path, method, host and headers")
        inner = place
        if hosts := tuple(map(str, wanted.get("host") or ())):
            inner = replace(inner, hosts=hosts)
        if methods := tuple(map(str, wanted.get("method") or ())):
            inner = replace(inner, methods=methods)
        for name, values in (wanted.get("header") or {}).items():
            if values is None or len(values) != 1:
                raise BadText(f"it asks for more than one value of the header {name}, or for none")
            inner = replace(inner, headers=_with_header(inner.headers, name, str(values[0])))
        paths = [_path(str(path)) for path in wanted.get("path") or ()]
        found += [replace(inner, match=_both(place, path)) for path in paths] if paths else [inner]
    return found


def _with_header(headers: tuple[tuple[str, str], ...], name: str, value: str) -> tuple[tuple[str, str], ...]:
    """Return `headers` and one more; those by which Caddyfiles tell WebSockets are asked for as devproxy sees them."""
    if name.lower() == "connection" or (name.lower() == "upgrade" and "websocket" in value.lower()):
        name, value = "Sec-WebSocket-Version", "*"
    return tuple(dict.fromkeys((*headers, (name, value))))


def _path(text: str) -> Match:
    """Return what the pattern `text` of Caddy takes. Raises :class:`BadText`."""
    if "{" in text:
        raise BadText(f"its path {text} has a placeholder")
    stars = text.count("*")
    if text in ("*", "/*"):
        return EVERY_PATH
    if not stars:
        return Match(Kind.EXACT, text)
    if stars == 1 and text.endswith("*"):
        return Match(Kind.STARTS, text[:-1])
    inner = text.strip("*")
    if "*" not in inner and text.startswith("*"):
        expression = ".*" + "".join(
            f"\\{char}" if not char.isalnum() and char not in "/-_~" else char for char in inner
        )
        return Match(Kind.REGEX, expression + (".*" if text.endswith("*") else ""))
    check_pattern(PathKind.GLOB, text)
    return Match(Kind.GLOB, text)


def _both(place: _Place, match: Match) -> Match:
    """Return what both `place` and `match` take. Raises :class:`BadText` where that is neither of them."""
    if place.rewriting:
        raise BadText(f"it compares the path with {match.text} after it was rewritten")
    if covers(place.match, match):
        return match
    if covers(match, place.match):
        return place.match
    raise BadText(f"it asks for {match.text} within {place.match.text}")


def draft(facts: dict[str, Any]) -> Draft:
    """Return the draft for `facts`. Raises :class:`Failed` where no request is passed on."""
    version = re.search(r"(\d+)\.(\d+)", str(facts.get("version") or ""))
    walk = _Walk(sends_own_host=version is not None and (int(version[1]), int(version[2])) >= _OWN_HOST_SINCE)
    try:
        servers = ((facts["config"].get("apps") or {}).get("http") or {}).get("servers") or {}
        for server in servers.values():
            walk.routes(server.get("routes") or [], _Place())
    except (AttributeError, TypeError):
        raise Failed(
            f"{facts['file']} is JSON, but not what Caddy reads", "try:  caddy validate --config FILE"
        ) from None
    # Sites of several addresses are told apart by their hosts alone: those with hosts go first.
    rules = sorted((one for one in walk.found if isinstance(one, Rule)), key=lambda one: not one.hosts)
    lost = [one for one in walk.found if isinstance(one, Leftover)]
    if not rules and not lost:
        raise Failed(
            f"nothing in {facts['file']} is passed on by reverse_proxy",
            "to begin without it:  devproxy up --frontend 5173 --backend 3001  (the ports of your servers)",
        )
    hosts = tuple(dict.fromkeys(host for rule in rules for host in rule.hosts))
    if len({rule.hosts for rule in rules}) == 1:  # one site: by whichever name it is asked for
        rules = [replace(rule, hosts=()) for rule in rules]
    names: list[Value] = [host.replace("*.", ".") for host in hosts if host != "localhost"]
    head = [
        f"Made by `devproxy import caddy` of {facts['file']}.",
        "Not here, and no comment on it: TLS, compression, logs. Caddy compares paths in any case, devproxy exactly.",
    ]
    return draft_of(rules, lost, head=head, server={"allowed_hosts": names} if names else {})
