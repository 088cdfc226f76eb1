"""Completion for bash 3.2 and later, without the package bash-completion. Start at :func:`script`."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote
from typing import Final

from devproxy.cli.completions import Command, Program, Value

_START: Final = """\
# Completion for devproxy in bash:  source <(devproxy completion bash)

_devproxy_words() {
    local word
    while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -W "$1" -- "$cur")
}

_devproxy_files() {
    local word
    while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -f -- "$cur")
    compopt -o filenames 2>/dev/null || :
}

_devproxy() {
    local line="${COMP_LINE:0:COMP_POINT}" cur command option='' word
    local -i first=2 last i pending=0 nth=0 position=0
    local -a words
    read -r -a words <<< "$line"
    [[ $line == *[[:space:]] ]] && words+=('')
    last=$(( ${#words[@]} - 1 ))
    cur="${words[last]}"
    command="${words[1]}"
    COMPREPLY=()
"""

_LOOP: Final = """\
    for (( i = first; i < last; i++ )); do
        word="${words[i]}"
        if (( pending > 0 )); then
            pending=$(( pending - 1 )); nth=$(( nth + 1 )); continue
        fi
        if [[ $word == -- ]]; then
            compopt -o default 2>/dev/null || :
            return
        fi
        option="$word" nth=0
        case "$command $word" in
"""

_AFTER: Final = """\
            *' -'*) ;;
            *) position=$(( position + 1 )) ;;
        esac
    done
    if (( pending == 0 )) && [[ $cur == --*=* ]]; then
        option="${cur%%=*}" cur="${cur#*=}" pending=1 nth=0
    fi
    if (( pending > 0 )); then
        case "$command $option $nth" in
"""

_POSITIONALS: Final = """\
        esac
        return
    fi
    if [[ $cur == -* ]]; then
        case "$command" in
"""

_END: Final = """\
    esac
}

complete -F _devproxy devproxy
"""


def script(program: Program) -> str:
    """Return the script for `program`."""
    return "".join(_parts(program))


def _parts(program: Program) -> Iterator[str]:
    yield _START
    names = [command.name for command in program.commands]
    if program.implied:
        patterns = "|".join(part for name in program.implied for part in (name, f"{name}=*"))
        yield f'    case "$command" in {patterns}) command=up first=1 ;; esac\n'
    tops = " ".join([*names, "--help", "--version", *program.implied])
    yield f"    if (( last <= 1 )) && [[ $cur != --*=* ]]; then _devproxy_words {quote(tops)}; return; fi\n"
    yield _LOOP
    for count in (1, 2, 3):
        taking = [quote(f"{command} {name}") for command, name, values in _taking(program) if len(values) == count]
        if taking:
            yield f"            {'|'.join(taking)}) pending={count} ;;\n"
    yield _AFTER
    for command, name, values in _taking(program):
        for nth, value in enumerate(values):
            if action := _action(value):
                yield f"            {quote(f'{command} {name} {nth}')}) {action} ;;\n"
    yield _POSITIONALS
    for one in program.commands:
        listed = " ".join(name for option in one.options for name in option.names)
        yield f"            {one.name}) _devproxy_words {quote(listed)} ;;\n"
    yield '        esac\n        return\n    fi\n    case "$command $position" in\n'
    for one in program.commands:
        yield from _positionals(one)
    yield _END


def _taking(program: Program) -> Iterator[tuple[str, str, tuple[Value, ...]]]:
    """Give command, name and values of each option that takes some."""
    for command in program.commands:
        for option in command.options:
            if option.values:
                for name in option.names:
                    yield command.name, name, option.values


def _positionals(command: Command) -> Iterator[str]:
    for index, value in enumerate(command.positionals):
        is_last = index == len(command.positionals) - 1
        pattern = f"{quote(command.name + ' ')}*" if is_last and command.goes_on else quote(f"{command.name} {index}")
        if action := _action(value):
            yield f"        {pattern}) {action} ;;\n"


def _action(value: Value) -> str:
    if value.words:
        return f"_devproxy_words {quote(' '.join(value.words))}"
    return "_devproxy_files" if value.is_file else ""
