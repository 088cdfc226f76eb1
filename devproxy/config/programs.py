"""The programs of the file -> :class:`~devproxy.config.model.Program`, and the one of the command line.

Pure: whether there is such a program, or such a folder, is not known here. Works on tables that ``shape`` has passed.
Start at :func:`build_programs`; :func:`split_command` says how a string becomes a command.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from devproxy.config.keys import values
from devproxy.config.model import AUTO_PORT, Config, PathKind, Program, Scheme, ServerAddress, Upstream
from devproxy.config.problems import Path, Problems, key_text, suggestion
from devproxy.config.shape import Table
from devproxy.text.bad import BadText
from devproxy.text.safe import has_control, quoted, visible

PORT: Final = "{port}"
"""What is replaced by the port in a command."""
MAX_PROGRAMS: Final = 32
MAX_NAME: Final = 32
"""Longest name of a program: it is shown before each line that the program writes."""
NO_PORT_YET: Final = 0
"""The port of a server of which is not known yet where it listens: no connection to it succeeds."""

_ASSIGNMENT: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
_SHELL: Final = re.compile(r"[|&;<>()`\n\r]+|\$[{(\w]\w*")
_AT_START: Final = re.compile(r"~|#")
_EXPANSION: Final = re.compile(r"\$[{(\w]\w*|`")
_PLAIN: Final = re.compile(r"[^\s'\"\\|&;<>()`$~#]+")
_DOUBLE: Final = re.compile(r'"((?:[^"\\]|\\.)*+)"', re.DOTALL)
_ESCAPE: Final = re.compile(r'\\([$`"\\\n])')
"""Within double quotes a backslash is one before these alone (XCU 2.2.3)."""


def build_programs(table: Table, upstreams: Sequence[Upstream], problems: Problems) -> tuple[Program, ...]:
    """Return the programs that the table ``run`` states; only worth something where `problems` say nothing of them."""
    if len(table) > MAX_PROGRAMS:
        problems.at_key(("run",), f"at most {MAX_PROGRAMS} programs, got {len(table)}")
        return ()
    programs: list[Program] = []
    for name, written in table.items():
        program = _program(name, written, upstreams, problems)
        if program is None:
            continue
        first = next((one for one in programs if program.upstream and one.upstream == program.upstream), None)
        if first is not None and _has_one_server(program.upstream, upstreams):
            what = f"{quoted(first.name)} and {quoted(name)} both serve the upstream {quoted(program.upstream)}"
            problems.at_key(("run", name), what, 'write upstream = "" in the one that does not')
        programs.append(program)
    return tuple(programs)


def _program(name: str, written: Any, upstreams: Sequence[Upstream], problems: Problems) -> Program | None:
    path: Path = ("run", name)
    if not name or has_control(name) or len(name) > MAX_NAME:
        help = f"letters, digits and hyphens, at most {MAX_NAME}"
        problems.at_key(path, f"{quoted(name)} is not a name for a program", help)
    table: Table = written if isinstance(written, dict) else {"command": written}
    at_command: Path = (*path, "command") if isinstance(written, dict) else path
    if "command" not in table:
        if not problems.excuses(path, "command"):
            problems.at_key(path, f"the program {quoted(name)} has no command", 'for example command = "npm run dev"')
        return None
    command = _command(table["command"], at_command, problems)
    _check_environment(table.get("env", {}), (*path, "env"), problems)
    if has_control(table.get("folder", "")):
        problems.at_value((*path, "folder"), "this is not the name of a folder", 'for example folder = "frontend"')
    port = AUTO_PORT if table.get("port") == "auto" else table.get("port")
    if port is None and any(PORT in word for word in command) and not problems.is_bad(*path, "port"):
        help = f'write port = "auto" below [run.{key_text(name)}], or the port itself'
        problems.at_value(at_command, f"`{PORT}` is the port of the program, and none is written", help)
    upstream = _served(name, table, upstreams, problems)
    fields = {"command": command, "port": port, "upstream": upstream}
    return Program(name=name, **({} if not isinstance(written, dict) else values(table, "run.*")) | fields)


def _command(written: str | list[str], path: Path, problems: Problems) -> tuple[str, ...]:
    if isinstance(written, str):
        return problems.read(split_command, written, path) or ()
    if not written or not written[0]:
        problems.at_value(path, "the command is empty", 'for example ["npm", "run", "dev"]')
    elif any("\0" in word for word in written):
        problems.at_value(path, "no word of a command holds a NUL character")
    return tuple(written)


def split_command(text: str) -> tuple[str, ...]:
    """Return the words of `text` as a POSIX shell splits them (XCU 2.2): at spaces, without quotes and backslashes.

    Raises :class:`BadText` for what only a shell understands: operators, variables, ``~``, comments, assignments
    before the command.
    """
    words: list[str] = []
    word: list[str] | None = None
    rest = text.strip()
    if not rest or "\0" in rest:
        raise BadText("the command is empty", 'for example "npm run dev"')
    while rest:
        char = rest[0]
        if char in " \t":
            if word is not None:
                words.append("".join(word))
            word, rest = None, rest[1:]
            continue
        piece, rest = _piece(rest, text, is_start=word is None)
        word = [*(word or ()), piece]
    words.append("".join(word or ()))
    if _ASSIGNMENT.match(words[0]):
        name, _, value = words[0].partition("=")
        raise BadText(f"{quoted(words[0])} is a variable, not a program", f"write env = {{ {name} = {quoted(value)} }}")
    return tuple(words)


def _piece(rest: str, text: str, *, is_start: bool) -> tuple[str, str]:
    """Return what `rest`, a part of `text`, begins with, unquoted, and what comes after it. `is_start`: of a word."""
    char = rest[0]
    if char == "'":
        inner, quote, after = rest[1:].partition("'")
        if not quote:
            raise _unclosed(text)
        return inner, after
    if char == '"':
        quoted_piece = _DOUBLE.match(rest)
        if quoted_piece is None:
            raise _unclosed(text)
        if expansion := _EXPANSION.search(_ESCAPE.sub("", quoted_piece[1])):
            raise _for_a_shell(expansion[0], text)
        return _ESCAPE.sub(lambda escape: escape[1], quoted_piece[1]), rest[quoted_piece.end() :]
    if char == "\\":
        if len(rest) == 1:
            raise _unclosed(text)
        return rest[1], rest[2:]
    found = _SHELL.match(rest) or (_AT_START.match(rest) if is_start else None)
    if found is not None:
        raise _for_a_shell(found[0], text)
    plain = _PLAIN.match(rest)
    return (plain[0], rest[plain.end() :]) if plain else (char, rest[1:])


def _unclosed(text: str) -> BadText:
    return BadText(f"{quoted(text)} has a quote that is not closed, or ends with a backslash")


def _for_a_shell(what: str, text: str) -> BadText:
    words = f'["sh", "-c", {quoted(text, 200)}]'
    return BadText(
        f"{quoted(what)} in a command means something to a shell alone", f"if a shell is to read it: {words}"
    )


def _check_environment(table: Table, path: Path, problems: Problems) -> None:
    for name, value in table.items():
        if not name or "=" in name or has_control(name):
            problems.at_key((*path, name), f"{quoted(name)} is not a name for a variable", "for example NODE_ENV")
        if "\0" in value:
            problems.at_value((*path, name), "no variable holds a NUL character")


def _served(name: str, table: Table, upstreams: Sequence[Upstream], problems: Problems) -> str:
    """Return the upstream that the program serves; empty for none."""
    names = [upstream.name for upstream in upstreams]
    written = table.get("upstream")
    if written is None:
        return name if name in names else ""
    if written and written not in names and not problems.has_any_in("upstreams", written):
        meant = suggestion(written, names)
        help = f"did you mean {quoted(meant)}?" if meant else f"write it below [upstreams]: {key_text(written)} = …"
        problems.at_value(("run", name, "upstream"), f"there is no upstream {quoted(written)}", help)
    return str(written)


def _has_one_server(name: str, upstreams: Sequence[Upstream]) -> bool:
    return any(upstream.name == name and len(upstream.servers) == 1 for upstream in upstreams)


def typed_program(command: Sequence[str], upstream: str) -> Program:
    """Return the program whose `command` was typed, which serves `upstream`; ``{port}`` in it asks for a port."""
    port = AUTO_PORT if any(PORT in word for word in command) else None
    return Program(name=upstream or "program", command=tuple(command), upstream=upstream, port=port)


def with_typed_program(config: Config, command: Sequence[str]) -> Config:
    """Return `config` with the program that was typed as `command` in place of its own.

    It serves the upstream that every path without a route of its own goes to; where there is none, the only one.
    """
    if not command:
        return config
    served = next((one.upstream for one in config.routes if (one.kind, one.pattern) == (PathKind.PREFIX, "/")), "")
    if not served and len(config.upstreams) == 1:
        served = config.upstreams[0].name
    return replace(config, programs=(typed_program(command, served),))


def pending_server(command: Sequence[str]) -> ServerAddress:
    """Return the address of the program typed as `command`, as long as is not known where it listens."""
    words = visible(" ".join(command), 40)
    return ServerAddress(scheme=Scheme.HTTP, host="localhost", port=NO_PORT_YET, url=f"(port of {words})")


def with_ports(config: Config, ports: dict[str, int]) -> Config:
    """Return `config` with the `ports` that were chosen, by program; what they serve is moved there."""
    programs = tuple(
        replace(program, port=ports[program.name]) if program.port == AUTO_PORT and program.name in ports else program
        for program in config.programs
    )
    moved = {
        program.upstream: local_server(program.port)
        for program in programs
        if program.upstream and program.port and follows(config, program.upstream)
    }
    return with_servers(replace(config, programs=programs), moved)


def local_server(port: int, scheme: Scheme = Scheme.HTTP) -> ServerAddress:
    """Return the server at `port` of this machine."""
    return ServerAddress(scheme=scheme, host="localhost", port=port, url=f"{scheme}://localhost:{port}")


def follows(config: Config, upstream: str) -> bool:
    """Tell whether `upstream` follows its program: it has one server, on this machine and no socket."""
    from devproxy.authority.networks import is_loopback  # few configurations have programs

    servers = next((one.servers for one in config.upstreams if one.name == upstream), ())
    return len(servers) == 1 and servers[0].scheme is not Scheme.UNIX and is_loopback(servers[0].host)


def with_servers(config: Config, servers: Mapping[str, ServerAddress]) -> Config:
    """Return `config` with other `servers`, by upstream, where these have one."""
    if not any(one.name in servers and one.servers != (servers[one.name],) for one in config.upstreams):
        return config
    upstreams = tuple(
        replace(one, servers=(servers[one.name],)) if one.name in servers else one for one in config.upstreams
    )
    return replace(config, upstreams=upstreams)
