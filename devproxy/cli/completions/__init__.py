"""What a shell completes: commands, options and values as the parser has them, and a script for each shell.

Pure: scripts are texts, made from :class:`Command` values alone, and run no devproxy while one types. Start at
:func:`described`; ``bash``, ``zsh`` and ``fish`` write the scripts.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from devproxy.importing.sources import SOURCES

FILES: Final = ("PATH", "FILE", "FOLDER")
"""Metavariables of what is a file or a folder. The path of a URL is called otherwise: ``/PATH/``."""
METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_WORDS: Final = {"METHOD": METHODS, "TOOL": SOURCES}
"""By metavariable: what is usual there, though the parser takes other words as well."""
_MAX_SUMMARY: Final = 70


class Value(NamedTuple):
    """What one argument can be: one of ``words``, or a file; neither: what only the author of the line knows."""

    words: tuple[str, ...] = ()
    is_file: bool = False


class Option(NamedTuple):
    """An option. ``values``: its arguments, none for a flag. ``repeats``: it may be given several times."""

    names: tuple[str, ...]
    summary: str
    values: tuple[Value, ...] = ()
    repeats: bool = False


class Command(NamedTuple):
    """A command. ``positionals``: its arguments without a name; ``goes_on``: the last of them repeats."""

    name: str
    summary: str
    options: tuple[Option, ...] = ()
    positionals: tuple[Value, ...] = ()
    goes_on: bool = False


class Program(NamedTuple):
    """All of it. ``implied``: options that may be written without a command, and those of the command `up`."""

    commands: tuple[Command, ...]
    implied: tuple[str, ...] = ()


def described(parsers: Mapping[str, tuple[str, argparse.ArgumentParser]], implied: Iterable[str] = ()) -> Program:
    """Return what `parsers` take, by the names of their commands, each with its summary."""
    commands = tuple(_command(name, summary, parser) for name, (summary, parser) in parsers.items())
    return Program(commands, tuple(implied))


def _command(name: str, summary: str, parser: argparse.ArgumentParser) -> Command:
    options: list[Option] = []
    positionals: list[Value] = []
    goes_on = False
    for action in parser._actions:
        if action.help == argparse.SUPPRESS:
            continue
        if action.option_strings:
            repeats = isinstance(action, argparse._AppendAction)
            options.append(Option(tuple(action.option_strings), _summary(action), _values(action), repeats))
        else:
            positionals.append(_value(action, 0))
            goes_on = action.nargs in ("*", "+", argparse.REMAINDER)
    return Command(name, summary, tuple(options), tuple(positionals), goes_on)


def _values(action: argparse.Action) -> tuple[Value, ...]:
    count = action.nargs if isinstance(action.nargs, int) else 1
    return tuple(_value(action, index) for index in range(count))


def _value(action: argparse.Action, index: int) -> Value:
    named = action.metavar[index] if isinstance(action.metavar, tuple) else action.metavar or ""
    if action.choices is not None:
        return Value(tuple(map(str, action.choices)))
    return Value(_WORDS[named]) if named in _WORDS else Value(is_file=named in FILES)


def _summary(action: argparse.Action) -> str:
    """Return the first sentence or two of an option's help, as much as a list has room for."""
    text = " ".join((action.help or "").replace("%%", "%").split())
    first = re.split(r"; | \(default", text, maxsplit=1)[0]
    return first if len(first) <= _MAX_SUMMARY else f"{first[: _MAX_SUMMARY - 1].rstrip()}…"
