"""Completion for fish 3.0 and later. Start at :func:`script`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from devproxy.cli.completions import Command, Option, Program, Value

_HELPERS: Final = """\
# Completion for devproxy in fish:  devproxy completion fish | source

# The command of the line, empty before it; options of `up` may come without one.
function __devproxy_command
    set -l words (commandline -opc)
    set -e words[1]
    if contains -- -- $words
        return
    end
    if set -q words[1]
        if string match -q -- '-*' $words[1]
            echo up
        else
            echo $words[1]
        end
    end
end

function __devproxy_is
    set -l command (__devproxy_command)
    test "$argv[1]" = "$command"
end

function __devproxy_starts
    test (count (commandline -opc)) -eq 1
end

# __devproxy_at COMMAND POSITION OPTION...: at that argument of the command, of which OPTION... take a value.
function __devproxy_at
    __devproxy_is $argv[1]; or return 1
    set -l taking $argv[3..-1]
    set -l position 0
    set -l pending no
    for word in (commandline -opc)[3..-1]
        if test $pending = yes
            set pending no
        else if contains -- $word $taking
            set pending yes
        else if not string match -q -- '-*' $word
            set position (math $position + 1)
        end
    end
    test $argv[2] = any; or test $position -eq $argv[2]
end

complete -c devproxy -f
complete -c devproxy -n 'contains -- -- (commandline -opc)' -F
complete -c devproxy -n __devproxy_starts -s h -l help -d 'say what there is, and end'
complete -c devproxy -n __devproxy_starts -s V -l version -d 'print the version, and end'
"""


def script(program: Program) -> str:
    """Return the script for `program`."""
    return "".join(_parts(program))


def _parts(program: Program) -> Iterator[str]:
    yield _HELPERS
    for command in program.commands:
        yield f"complete -c devproxy -n __devproxy_starts -a {command.name} -d {_quoted(command.summary)}\n"
    for name in program.implied:
        yield f"complete -c devproxy -n __devproxy_starts -l {name.removeprefix('--')} -d 'of devproxy up'\n"
    for command in program.commands:
        for option in command.options:
            yield _option(command, option)
        yield from _positionals(command)


def _option(command: Command, option: Option) -> str:
    names = " ".join(f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in option.names)
    line = f"complete -c devproxy -n '__devproxy_is {command.name}' {names} -d {_quoted(option.summary)}"
    return f"{line} {_action(option.values[0])}\n" if option.values else f"{line}\n"


def _positionals(command: Command) -> Iterator[str]:
    taking = " ".join(name for option in command.options if option.values for name in option.names)
    for index, value in enumerate(command.positionals):
        is_last = index == len(command.positionals) - 1
        place = "any" if is_last and command.goes_on else str(index)
        if value.words or value.is_file:
            condition = _quoted(f"__devproxy_at {command.name} {place} {taking}".rstrip())
            action = "-F" if value.is_file else f"-a {_quoted(' '.join(value.words))}"
            yield f"complete -c devproxy -n {condition} {action}\n"


def _action(value: Value) -> str:
    if value.words:
        return f"-x -a {_quoted(' '.join(value.words))}"
    return "-r -F" if value.is_file else "-x"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
