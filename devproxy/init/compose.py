"""The services of a compose file and the ports that they publish on this machine. Pure.

A reader of the part of YAML in which compose files are written, and no more: mappings and lists by indentation, lists
in brackets, plain and quoted texts. What is written otherwise is not found, and nothing is guessed. Start at
:func:`services_of`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

NAMES: Final = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
_MAX_LINES: Final = 5000
_match_key: Final = re.compile(r"( *)(- +)?([\"']?)([\w.-]{1,100}+)\3 *:(?: +(.*)|)$").match
_sub_variable: Final = re.compile(r"\$\{[A-Za-z_]\w{0,80}+:?-([^${}]{0,80}+)\}").sub
_match_short: Final = re.compile(
    r"(?:(?:\[[0-9A-Fa-f:]{2,40}+\]|[\d.]{7,15}+):)?(\d{1,5}+):(\d{1,5}+)(?:/tcp)?"
).fullmatch


class Service(NamedTuple):
    """A service. ``ports``: on this machine and in its container. ``image``: empty for one that is built.

    ``line``: of its name.
    """

    name: str
    line: int
    image: str = ""
    ports: tuple[tuple[int, int], ...] = ()


class _Line(NamedTuple):
    """A line with something in it. ``text``: without indentation and comment."""

    number: int
    indent: int
    text: str


def services_of(text: str, environment: Mapping[str, str] | None = None) -> list[Service]:
    """Return the services of the compose file `text`. ``${NAME:-default}`` is its default."""
    lines = list(_lines(text))
    top = [place for place, line in enumerate(lines) if line.indent == 0 and line.text.startswith("services:")]
    if not top:
        return []
    block = _block(lines, top[0])
    found: list[Service] = []
    for place, line in enumerate(block):
        if line.indent == block[0].indent and (key := _match_key(line.text)) and not key[5]:
            found.append(_service(key[4], line.number, _block(block, place)))
    return found


def _service(name: str, number: int, lines: list[_Line]) -> Service:
    image, ports = "", list[tuple[int, int]]()
    for place, line in enumerate(lines):
        key = _match_key(line.text) if line.indent == lines[0].indent else None
        if key is None:
            continue
        if key[4] == "image":
            image = _plain(key[5] or "")
        elif key[4] == "ports":
            inline = (key[5] or "").strip()
            items = inline.strip("[]").split(",") if inline.startswith("[") else []
            ports += [pair for item in items if (pair := _short(_plain(item)))]
            ports += _listed(_block(lines, place, lists_too=True))
    return Service(name, number, image, tuple(ports))


def _listed(lines: list[_Line]) -> Iterator[tuple[int, int]]:
    """Yield the ports of a list: of the short form, and of the long one, a mapping for each."""
    published, target = 0, 0
    for line in lines:
        is_new = line.text.startswith("-")
        item = line.text[1:].strip() if is_new else line.text
        if is_new and published and target:
            yield published, target
        if is_new:
            published = target = 0
        key = _match_key(item)
        if key is not None and key[4] in ("published", "target"):
            value = _plain(key[5] or "")
            number = int(value) if value.isascii() and value.isdigit() and len(value) < 6 else 0
            number = number if number < 65536 else 0
            published, target = (number, target) if key[4] == "published" else (published, number)
        elif is_new and (pair := _short(_plain(item))):
            yield pair
    if published and target:
        yield published, target


def _short(text: str) -> tuple[int, int] | None:
    match = _match_short(text)
    return (int(match[1]), int(match[2])) if match and 0 < int(match[1]) < 65536 else None


def _block(lines: list[_Line], place: int, *, lists_too: bool = False) -> list[_Line]:
    """Return the lines below the one at `place`: indented further, or with `lists_too` a list that is not."""
    found: list[_Line] = []
    for line in lines[place + 1 :]:
        is_item = lists_too and line.indent == lines[place].indent and line.text.startswith("-")
        if line.indent <= lines[place].indent and not is_item:
            break
        found.append(line)
    return found


def _lines(text: str) -> Iterator[_Line]:
    for number, line in enumerate(text.splitlines()[:_MAX_LINES], 1):
        bare = _without_comment(line).rstrip()
        if bare.strip() and not bare.startswith(("---", "%")):
            yield _Line(number, len(bare) - len(bare.lstrip(" ")), _sub_variable(r"\1", bare.strip()))


def _without_comment(line: str) -> str:
    """Return `line` without its comment: ``#`` at its start or behind a space, and not within quotation marks."""
    quote = ""
    for place, char in enumerate(line):
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'":
            quote = char
        elif char == "#" and (not place or line[place - 1] in " \t"):
            return line[:place]
    return line


def _plain(text: str) -> str:
    text = text.strip()
    return text[1:-1] if len(text) > 1 and text[0] in "\"'" and text[-1] == text[0] else text
