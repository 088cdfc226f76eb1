"""The variables that a command goes by: those that it was started with, and those of ``--env-file``. Read once.

Start at :func:`read_environment`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from devproxy.cli.refusal import MISUSED, Refused
from devproxy.config.environment import NO_ENVIRONMENT, OTHERS, Environment, Variable
from devproxy.config.problems import ConfigError
from devproxy.gateway.system.files import read_file, reason_of


class VariableFile(NamedTuple):
    """A file of variables, and what it held when it was read. ``path``: as it was named; ``place``: absolute."""

    path: str
    place: str
    text: bytes


class Surrounding(NamedTuple):
    """What a configuration is read by. ``files``: those that some of the variables are from, as they were named."""

    environment: Environment = NO_ENVIRONMENT
    files: tuple[VariableFile, ...] = ()


NOTHING_AROUND: Final = Surrounding()


def read_environment(paths: Sequence[str] = (), process: Mapping[str, str] = os.environ) -> Surrounding:
    """Return the variables of `process` and of the files at `paths`.

    Those of the process go before those of files, and of files the later one before the earlier one, as docker compose
    has it. Raises :class:`Refused` for a file that cannot be read, or with everything that is wrong with it.
    """
    return _surrounding([(path, os.path.abspath(path)) for path in paths], process)


def read_again(old: Surrounding) -> Surrounding:
    """Return the variables of the process and of the files of `old`, as these are now. Raises :class:`Refused`."""
    return _surrounding([(file.path, file.place) for file in old.files], os.environ)


def _surrounding(paths: Sequence[tuple[str, str]], process: Mapping[str, str]) -> Surrounding:
    files = tuple(VariableFile(path, place, _read(path, place)) for path, place in paths)
    variables: dict[str, Variable] = {}
    for file in files:
        variables |= _of_file(file, process)
    return Surrounding({**variables, **{name: Variable(value) for name, value in process.items()}}, files)


def _read(path: str, place: str) -> bytes:
    try:
        return read_file(place)
    except OSError as error:
        what = f"--env-file: cannot read {path}: {reason_of(error)}"
        raise Refused(what, "name another file, or leave it out") from None
    except ValueError:  # a NUL in its name
        raise Refused(f"--env-file: {path} is not the name of a file") from None


def _of_file(file: VariableFile, process: Mapping[str, str]) -> dict[str, Variable]:
    from devproxy.config.dotenv import read_variables

    try:
        lines = read_variables(file.text, process)
    except ConfigError as error:
        raise BadVariables(error, file) from None
    for line in lines:
        if line.name in OTHERS:
            help = "write --config PATH, or set it for the process" if line.name.endswith("CONFIG") else "remove it"
            raise Refused(f"{file.path}:{line.line}: {line.name} cannot be set in a file of variables", help)
    return {line.name: Variable(line.value, f"{file.path}:{line.line}") for line in lines}


class BadVariables(Refused):
    """A file of variables that cannot be used."""

    def __init__(self, error: ConfigError, file: VariableFile) -> None:
        super().__init__(f"{file.path}: {error}", exit_code=MISUSED)
        self.error = error
        self.file = file

    def render(self, *, colour: bool) -> str:
        """Return every problem with its line."""
        from devproxy.config import report

        return report(self.error, self.file.text, self.file.path, colour=colour)
