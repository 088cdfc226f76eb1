"""The programs of a configuration before they are run: whether they may be, whether they are there, and on which port.

Start at :func:`check` and :func:`with_chosen_ports`.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from shlex import quote
from typing import Final

from devproxy import config
from devproxy.cli.loading import BadConfiguration, Loaded
from devproxy.cli.refusal import Refused
from devproxy.config.model import AUTO_PORT, Program
from devproxy.config.programs import with_ports
from devproxy.platforms.groups import find
from devproxy.platforms.keeper import NOT_FOUND, NOT_STARTED
from devproxy.platforms.writers import others_can_write
from devproxy.programs.environment import command_of

_TRIES: Final = 20


def folder_of(loaded: Loaded) -> str:
    """Return the folder from which the programs of `loaded` are run: that of the file; of typed ones, this one."""
    return os.getcwd() if loaded.text is None or loaded.program else os.path.dirname(os.path.abspath(_source(loaded)))


def check(loaded: Loaded) -> None:
    """Raise :class:`Refused` where the programs of `loaded` must not be run, or are not there."""
    if not loaded.config.programs:
        return
    if loaded.program:
        _check_typed(loaded.config.programs[0], os.environ.get("PATH", os.defpath))
        return
    if reasons := distrust(loaded):
        raise Refused(*reasons)
    assert loaded.text is not None
    if found := tuple(_missing(loaded)):
        raise BadConfiguration(config.refusal(loaded.text, found), loaded.text, _source(loaded))


def distrust(loaded: Loaded) -> tuple[str, ...]:
    """Return why the programs of the file of `loaded` are not run, and what to do, a line each; empty: they may be."""
    if loaded.text is None or loaded.program or not loaded.config.programs:
        return ()
    source = _source(loaded)
    if not os.path.exists(os.path.realpath(source)):
        return ()  # a pipe that this user's shell has made, such as --config <(…)
    try:
        reasons = others_can_write(source)
    except OSError as error:
        reasons = (f"{source} cannot be looked at: {error.strerror}", "save it again")
    if not reasons:
        return ()
    what, *help = reasons
    start = f"or start what it runs yourself:  {' '.join(command_of(loaded.config.programs[0]))}"
    return (f"{source} says what to run ([run]), and {what}", *help, start)


def _source(loaded: Loaded) -> str:
    return loaded.config.source


def _check_typed(program: Program, path: str) -> None:
    name = program.command[0]
    if find(name, os.getcwd(), path):
        return
    if _is_unusable_file(name, ""):
        raise Refused(f"{name} cannot be executed", f"chmod +x {quote(name)}", exit_code=NOT_STARTED)
    ways = ["give its path, or install it"]
    if any((folder / "node_modules" / ".bin" / name).exists() for folder in (Path.cwd(), *Path.cwd().parents)):
        ways = [f"it is in node_modules:  devproxy up -- npx {' '.join(program.command)}"]
    elif " " in name:
        ways = [f"without the quotes:  devproxy up -- {name}"]
    raise Refused(f"there is no program {name or 'without a name'}", *ways, exit_code=NOT_FOUND)


def _missing(loaded: Loaded) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
    """Give what is wrong with the commands and folders of the file: path, what, help."""
    base = folder_of(loaded)
    for program in loaded.config.programs:
        at: tuple[str | int, ...] = ("run", program.name)
        folder = os.path.join(base, program.folder)
        if not os.path.isdir(folder):
            yield (*at, "folder"), f"there is no folder {folder}", "paths begin at the folder of the configuration"
            continue
        path = dict(program.env).get("PATH") or os.environ.get("PATH", os.defpath)
        name = program.command[0]
        if find(name, folder, path):
            continue
        there = os.path.join(folder, "node_modules", ".bin", name)
        what = f"there is no program {name}"
        help = f"write npx {name} …" if os.path.exists(there) else "give its path, or install it"
        at_command = at if at in loaded.config.said and (*at, "command") not in loaded.config.said else (*at, "command")
        if _is_unusable_file(name, folder):
            what, help = f"{name} cannot be executed", f"chmod +x {quote(os.path.join(folder, name))}"
        yield at_command, what, help


def _is_unusable_file(name: str, folder: str) -> bool:
    """Tell whether `name` is the path of a file that is no program."""
    return bool(os.path.dirname(name)) and os.path.isfile(os.path.join(folder, name))


def with_chosen_ports(loaded: Loaded, known: Mapping[str, int]) -> Loaded:
    """Return `loaded` with a port for each program that is to get one, and what they serve there.

    `known`: ports that were chosen before, by program; they stay.
    """
    wanting = [program.name for program in loaded.config.programs if program.port == AUTO_PORT]
    if not wanting:
        return loaded
    taken = {server.port for upstream in loaded.config.upstreams for server in upstream.servers}
    ports: dict[str, int] = {}
    for name in wanting:
        ports[name] = known.get(name) or _free_port(taken | set(ports.values()))
    return loaded._replace(config=with_ports(loaded.config, ports), ports=ports)


def _free_port(taken: set[int]) -> int:
    """Return a port that is free on both loopback addresses, and not in `taken`. Raises OSError where there is none."""
    for _ in range(_TRIES):
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            port = int(one.getsockname()[1])
            if port in taken:
                continue
            with suppress(OSError), socket.socket(socket.AF_INET6) as other:
                try:
                    other.bind(("::1", port))
                except OSError as error:
                    import errno

                    if error.errno == errno.EADDRINUSE:
                        continue
            return port
    raise OSError("no port of this machine is free")
