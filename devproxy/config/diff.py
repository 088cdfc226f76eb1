"""What one configuration changes about another: one value for each key, for the short diff that a reload prints.

Pure. Owns how a change reads. Upstreams are the same by their names, routes by ``conflicts.conditions``.
Never shows the value of a header, nor credentials: they may be secrets. Never decides what a reload keeps: that is
the gateway's.
Start at :func:`diff`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Final, TypeVar

from devproxy.config.conflicts import conditions
from devproxy.config.labels import label, listen_text
from devproxy.config.model import CertificateFiles, Config, HeaderEdits, Listen, Proxy, ServerAddress
from devproxy.events import ConfigChange
from devproxy.text.safe import visible

_Part = TypeVar("_Part")
_Pairs = tuple[tuple[str, str], ...]
_MAX_COMMAND: Final = 60
"""How many characters of a command are shown."""


def diff(old: Config, new: Config) -> tuple[ConfigChange, ...]:
    """Return what `new` changes about `old`: the server, the inspector, then upstreams, routes and programs.

    All texts are printable.
    Within each, what is there now comes in the order of `new`, and what has gone after it in the order of `old`. Lines,
    the order of routes and the name of the file are not changes. Empty: they do the same.
    """
    return (
        *(ConfigChange("server", "changed", detail) for detail in _details(old.server, new.server)),
        *(ConfigChange("inspector", "changed", detail) for detail in _details(old.inspector, new.inspector)),
        *_parts(
            {upstream.name: upstream for upstream in old.upstreams},
            {upstream.name: upstream for upstream in new.upstreams},
            lambda upstream: (f"upstream {visible(upstream.name)}", _listed(upstream.servers)),
        ),
        *_parts(
            {conditions(route): route for route in old.routes},
            {conditions(route): route for route in new.routes},
            lambda route: (f"route {label(route)}", f"to {visible(route.upstream)}"),
        ),
        *_parts(
            {program.name: program for program in old.programs},
            {program.name: program for program in new.programs},
            lambda program: (f"program {visible(program.name)}", visible(" ".join(program.command), _MAX_COMMAND)),
        ),
    )


def _parts(
    old: Mapping[object, _Part], new: Mapping[object, _Part], described: Callable[[_Part], tuple[str, str]]
) -> Iterator[ConfigChange]:
    """Yield what differs between parts by what makes them the same; `described`: what one is, and where it leads."""
    for key, part in new.items():
        what, leads_to = described(part)
        if key not in old:
            yield ConfigChange(what, "added", leads_to)
        else:
            for detail in _details(old[key], part):
                yield ConfigChange(what, "changed", detail)
    for key, part in old.items():
        if key not in new:
            what, led_to = described(part)
            yield ConfigChange(what, "removed", led_to)


_NOT_CONTENT: Final = frozenset(("line", "name", "kind", "pattern", "methods", "match_host", "match_headers"))
"""Fields that say where a part is or which one it is. ``methods`` of a policy are content, not a condition."""
_KEYS: Final = {
    "drops_pins": "strict_transport_security",
    "maps_redirects": "redirects",
    "cookies.maps_path": "cookies.path",
    "cookies.domain_map": "cookies.domain",
    "request_headers": "headers.request",
    "response_headers": "headers.response",
}
"""Where a field of the model is not named like its key in the file."""
_WORDS: Final = {
    ("strict_transport_security", True): "drop",
    ("strict_transport_security", False): "keep",
    ("redirects", True): "map",
    ("redirects", False): "keep",
    ("cookies.path", True): "auto",
    ("cookies.path", False): "keep",
    ("cookies.domain", None): "not written",
    ("cookies.secure", None): "not written",
    ("cookies.same_site", None): "not written",
    ("cookies.domain", ""): "removed",
    ("cors.origins", None): "loopback",
    ("rewrite", None): "none",
    ("proxy", None): "none",
}
"""Values that the file writes in another way, or not at all."""


def _details(old: object, new: object, prefix: str = "") -> Iterator[str]:
    """Yield ``key: old -> new`` for each field that differs; `old` and `new` are of the same class of the model."""
    assert is_dataclass(old)
    for field in fields(old):
        before, after = getattr(old, field.name), getattr(new, field.name)
        if before == after or field.name == "line" or (not prefix and field.name in _NOT_CONTENT):
            continue
        name = _KEYS.get(prefix + field.name, prefix + field.name)
        if isinstance(before, Proxy) and isinstance(after, Proxy) and before.url == after.url:
            yield f"{name}: another user or password"
        elif name == "env":
            yield from _pair_details(before, after, name)
        elif isinstance(before, HeaderEdits):
            yield from _edit_details(before, after, name)
        elif is_dataclass(before) and type(before) is type(after) and not isinstance(before, Proxy):
            yield from _details(before, after, f"{name}.")
        else:
            yield f"{name}: {_text(name, before)} -> {_text(name, after)}"


def _edit_details(old: HeaderEdits, new: HeaderEdits, name: str) -> Iterator[str]:
    """Yield what differs in the edits of header fields, naming the fields without their values."""
    for key, before, after in (("set", old.set, new.set), ("add", old.add, new.add)):
        if before != after:
            yield from _pair_details(before, after, f"{name}.{key}")
    if old.remove != new.remove:
        yield f"{name}.remove: {_listed(old.remove)} -> {_listed(new.remove)}"


def _pair_details(before: _Pairs, after: _Pairs, name: str) -> Iterator[str]:
    """Yield what differs between names with values, which may be secrets."""
    names_before, names_after = [field for field, _ in before], [field for field, _ in after]
    if names_before == names_after:
        changed = [one[0] for one, other in zip(before, after, strict=True) if one != other]
        yield f"{name}: another value for {_listed(changed)}"
    else:
        yield f"{name}: {_listed(names_before)} -> {_listed(names_after)}"


_MAX_LISTED: Final = 4


def _listed(values: tuple[Any, ...] | list[Any]) -> str:
    """Return a few of `values` and how many more there are; ``none`` for none."""
    shown = [_item(value) for value in values[:_MAX_LISTED]]
    more = len(values) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "") if shown else "none"


def _text(name: str, value: object) -> str:
    if isinstance(value, str | bool | None) and (name, value) in _WORDS:
        return _WORDS[name, value]
    return _listed(value) if isinstance(value, tuple) else _item(value)


def _item(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, CertificateFiles):
        return visible(value.cert)
    if isinstance(value, ServerAddress | Proxy):
        return visible(value.url)
    if isinstance(value, Listen):
        return listen_text(value)
    if isinstance(value, tuple):
        return " = ".join(map(_item, value))
    if isinstance(value, float):
        return f"{value:g}"
    return visible(str(value))
