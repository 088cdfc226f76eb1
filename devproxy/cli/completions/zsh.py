"""Completion for zsh, by its ``_arguments``. Start at :func:`script`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from devproxy.cli.completions import Command, Option, Program, Value

_END: Final = """\
        esac ;;
    esac
}

if [[ ${funcstack[1]} == _devproxy ]]; then
    _devproxy "$@"
else
    compdef _devproxy devproxy
fi
"""


def script(program: Program) -> str:
    """Return the script for `program`: to be sourced, or to be found in ``fpath`` as ``_devproxy``."""
    return "".join(_parts(program))


def _parts(program: Program) -> Iterator[str]:
    yield "#compdef devproxy\n# Completion for devproxy in zsh:  source <(devproxy completion zsh)\n\n_devproxy() {\n"
    yield '    local curcontext="$curcontext" state line ret=1\n    local -a commands options\n'
    if program.implied:
        patterns = "|".join(part for name in program.implied for part in (name, f"{name}=*"))
        yield f"    if (( CURRENT > 2 )) && [[ $words[2] == ({patterns}) ]]; then\n"
        yield '        words=("$words[1]" up "${(@)words[2,-1]}"); (( CURRENT++ ))\n    fi\n'
    yield "    commands=(\n"
    for command in program.commands:
        yield f"        {_quoted(f'{command.name}:{command.summary}')}\n"
    yield "    )\n"
    # Only where the command would be: an option known here is none of a command's for `_arguments`.
    yield "    (( CURRENT == 2 )) && options=(\n"
    yield f"        {_quoted('(-h --help)--help[say what there is, and end]')}\n"
    yield f"        {_quoted('(-V --version)--version[print the version, and end]')}\n"
    for name in program.implied:
        yield f"        {_quoted(f'{name}[of devproxy up]')}\n"
    yield "    )\n    _arguments -C $options \\\n"
    yield "        '1: :->command' '*:: :->argument' && ret=0\n"
    yield "    case $state in\n    command) _describe -t commands command commands && ret=0 ;;\n"
    yield "    argument)\n        case $words[1] in\n"
    for command in program.commands:
        yield from _command(command)
    yield _END.replace("        esac ;;\n    esac\n", "        esac ;;\n    esac\n    return ret\n", 1)


def _command(command: Command) -> Iterator[str]:
    specs = [spec for option in command.options for spec in _option(option)]
    for index, value in enumerate(command.positionals):
        is_last = index == len(command.positionals) - 1
        place = "*" if is_last and command.goes_on else str(index + 1)
        # Not the action for "nothing": it keeps options from being completed in the same place.
        specs.append(f"{place}:{_message(value)}:{_action(value).strip() or '()'}")
    listed = " \\\n            ".join(map(_quoted, specs))
    yield f"        {command.name})\n            _arguments -s \\\n            {listed} && ret=0 ;;\n"


def _option(option: Option) -> Iterator[str]:
    others = "" if option.repeats else f"({' '.join(option.names)})"
    for name in option.names:
        takes_equals = name.startswith("--") and len(option.values) == 1
        values = "".join(f":{_message(value)}:{_action(value)}" for value in option.values)
        star = "*" if option.repeats else ""
        yield f"{others}{star}{name}{'=' if takes_equals else ''}[{_escaped(option.summary)}]{values}"


def _message(value: Value) -> str:
    return "file" if value.is_file else "value"


def _action(value: Value) -> str:
    if value.words:
        return f"({' '.join(value.words)})"
    return "_files" if value.is_file else " "


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]").replace(":", "\\:")


def _quoted(text: str) -> str:
    escaped = text.replace("'", "'\\''")
    return f"'{escaped}'"
