"""A ``devproxy.toml`` that is still to be written: values with the comments of a person, as TOML text. Pure.

``devproxy import`` and ``devproxy init`` say what they found as a :class:`Draft`; :func:`text_of` writes it. The text
is the same for the same draft: keys come in the order of the reference. Whether the values are good is for
:func:`devproxy.config.load` to say, which reads the text back. Standard: TOML 1.0.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from devproxy.config.keys import CHILDREN
from devproxy.config.problems import key_text
from devproxy.text.safe import MAX_SHOWN, quoted, visible

Value: TypeAlias = "bool | int | float | str | Sequence[Value] | Mapping[str, Value]"
"""What a key can be set to. Sequences become arrays, mappings inline tables."""

Comments: TypeAlias = Sequence[str]
"""Sentences, each a comment of one or more lines. A line that begins with a space is laid out already: not wrapped."""

_WIDTH: Final = 110


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftUpstream:
    """One upstream: the URLs of its servers, other keys by name, and what is written above it."""

    name: str
    servers: Sequence[str]
    keys: Mapping[str, Value] = field(default_factory=dict)
    comments: Comments = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftRoute:
    """One route: its keys by name (``path``, ``upstream`` and the others), and what is written above it."""

    keys: Mapping[str, Value]
    comments: Comments = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A whole file. ``head`` and ``tail``: what is written above and below everything else. ``server``: its keys."""

    upstreams: Sequence[DraftUpstream]
    routes: Sequence[DraftRoute]
    server: Mapping[str, Value] = field(default_factory=dict)
    head: Comments = ()
    tail: Comments = ()


def text_of(draft: Draft) -> str:
    """Return the text of `draft`. Raises ValueError for text that no file in UTF-8 can hold: half a surrogate pair."""
    blocks = [_comment_lines(draft.head)]
    if draft.server:
        blocks.append(["[server]", *_key_lines(draft.server, "server")])
    blocks.append(list(_upstream_lines(draft.upstreams)))
    blocks += [[*_comment_lines(one.comments), "[[routes]]", *_key_lines(one.keys, "routes.*")] for one in draft.routes]
    blocks.append(_comment_lines(draft.tail))
    text = "\n".join("\n".join(lines) + "\n" for lines in blocks if lines)
    return text


def _upstream_lines(upstreams: Sequence[DraftUpstream]) -> Iterator[str]:
    """Yield the upstreams: those of one server and no keys in a line each, then the tables of the others."""
    short = [one for one in upstreams if len(one.servers) == 1 and not one.keys]
    if short:
        yield "[upstreams]"
    for one in short:
        yield from _comment_lines(one.comments)
        yield f"{_name(one.name)} = {_written(one.servers[0])}"
    is_first = not short
    for one in upstreams:
        if one not in short:
            if not is_first:
                yield ""
            is_first = False
            yield from _comment_lines(one.comments)
            yield f"[upstreams.{_name(one.name)}]"
            yield from _key_lines({"servers": one.servers, **one.keys}, "upstreams.*")


def _key_lines(keys: Mapping[str, Value], table: str) -> Iterator[str]:
    """Yield a line for each of `keys` of `table`, in the order of the reference; a long list takes several."""
    order = {name: place for place, name in enumerate(CHILDREN[table])}
    for name in sorted(keys, key=lambda name: (order.get(name, len(order)), name)):
        value = keys[name]
        line = f"{_name(name)} = {_written(value)}"
        if len(line) > _WIDTH and isinstance(value, Sequence) and not isinstance(value, str):
            line = "\n".join([f"{_name(name)} = [", *(f"    {_written(item)}," for item in value), "]"])
        yield line


def _name(name: str) -> str:
    """Return `name` as a key, however long it is."""
    name.encode()  # raises for what no file can hold
    return key_text(name) if len(name) <= MAX_SHOWN else quoted(name, len(name))


def _written(value: Value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        value.encode()
        # As a literal string an expression needs no second escaping.
        is_plain = value.isprintable() and "'" not in value
        return f"'{value}'" if is_plain and "\\" in value else quoted(value, len(value))
    if isinstance(value, Mapping):
        pairs = ", ".join(f"{_name(name)} = {_written(item)}" for name, item in value.items())
        return f"{{ {pairs} }}" if pairs else "{}"
    return f"[{', '.join(map(_written, value))}]"


def _comment_lines(comments: Comments) -> list[str]:
    lines = []
    for sentence in comments:
        for line in sentence.split("\n"):
            line = visible(line.rstrip())
            is_laid_out = line.startswith(" ") or not line
            lines += [line] if is_laid_out else textwrap.wrap(line, _WIDTH, break_long_words=False)
    return [f"# {line}".rstrip() for line in lines]
