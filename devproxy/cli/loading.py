"""From the options of a command to a configuration, or to a refusal with the whole report."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from devproxy import config
from devproxy.cli.environment import NOTHING_AROUND, Surrounding, read_environment
from devproxy.cli.files import distrust, find, find_upward, is_named, read
from devproxy.cli.https import unsigned_names
from devproxy.cli.refusal import MISUSED, Refused
from devproxy.config import COMMAND_LINE, Config, ConfigError
from devproxy.config.environment import UPSTREAMS, Environment, relevant
from devproxy.gateway.back.named_files import unusable_files


class BadConfiguration(Refused):
    """A configuration that cannot be used. ``error``: its problems; ``text``: of the file; ``source``: its path."""

    def __init__(self, error: ConfigError, text: bytes, source: str) -> None:
        super().__init__(f"{source}: {error}", exit_code=MISUSED)
        self.error = error
        self.text = text
        self.source = source

    def render(self, *, colour: bool) -> str:
        """Return every problem with its line."""
        return config.report(self.error, self.text, self.source, colour=colour)


class Loaded(NamedTuple):
    """A configuration, and sentences about it that a person should read.

    ``text``: of the file that it came from; None when it came from the command line. ``listen`` and ``tls``: of
    ``--listen`` and ``--tls``, which override what the file says. ``frontend``, ``backend`` and ``backend_paths``: the
    other options that it came from, if not from a file. ``surrounding``: the variables that it was read by.
    ``program``: the words behind ``--``. ``ports``: that were chosen for programs, by their names.
    """

    config: Config
    notices: tuple[str, ...]
    text: bytes | None = None
    listen: tuple[str, ...] = ()
    tls: bool = False
    frontend: str | None = None
    backend: str | None = None
    backend_paths: tuple[str, ...] = ()
    surrounding: Surrounding = NOTHING_AROUND
    program: tuple[str, ...] = ()
    ports: Mapping[str, int] = {}


def configuration(options: argparse.Namespace, *, listen: Sequence[str] = (), tls: bool = False) -> Loaded:
    """Return the configuration that the options of a command lead to: servers named there, else a file.

    `listen` and `tls`: of ``--listen`` and ``--tls``, which override what a file says. Raises :class:`Refused`.
    """
    surrounding = read_environment(options.env_file)
    program = tuple(getattr(options, "program", ()))
    needs_no_file = bool(program) and not is_named(options.config) and find_upward() is None
    if not needs_no_file and not _names_servers(options, surrounding.environment):
        if options.backend_path:
            raise Refused("--backend-path needs --backend", "devproxy up --frontend 5173 --backend 3001")
        path = find(options.config, options.command)
        loaded = load_text(read(path), path, listen=listen, tls=tls, program=program, surrounding=surrounding)
        notices = loaded.notices + notices_on(surrounding.environment, loaded.config)
        return loaded._replace(notices=notices if is_named(options.config) else distrust(path) + notices)
    named = _listening(_named_servers(options, surrounding.environment), listen, tls)
    return Loaded(
        named,
        _ignored_file() + warnings(named) + notices_on(surrounding.environment, named),
        listen=tuple(listen),
        tls=tls,
        frontend=options.frontend,
        backend=options.backend,
        backend_paths=tuple(options.backend_path),
        surrounding=surrounding,
        program=program,
    )


def load_file(path: str, surrounding: Surrounding) -> Config:
    """Return the configuration in the file at `path`, read by the variables of `surrounding`. Raises Refused."""
    return load_text(read(path), path, surrounding=surrounding).config


def load_text(
    text: bytes,
    source: str,
    *,
    listen: Sequence[str] = (),
    tls: bool = False,
    program: Sequence[str] = (),
    surrounding: Surrounding = NOTHING_AROUND,
) -> Loaded:
    """Return the configuration that `text` states, the content of the file `source`. Raises :class:`Refused`.

    `program`: the words of a command that is run in place of the programs of the file.
    """
    try:
        loaded = config.load(text, source=source, environment=surrounding.environment)
    except ConfigError as error:
        raise BadConfiguration(error, text, source) from None
    if found := unusable_files(loaded):
        raise BadConfiguration(config.refusal(text, found), text, source)
    loaded = _listening(loaded, listen, tls)
    if program:
        loaded = config.with_typed_program(loaded, program)
    return Loaded(loaded, warnings(loaded), text, tuple(listen), tls, program=tuple(program), surrounding=surrounding)


def notices_on(environment: Environment, *loaded: Config) -> tuple[str, ...]:
    """Return sentences on variables that are named like devproxy's and mean nothing to it, nor to what was `loaded`."""
    if not relevant(environment):
        return ()
    from devproxy.config.strange_variables import notices

    return notices(environment, [upstream.name for one in loaded for upstream in one.upstreams])


def warnings(loaded: Config) -> tuple[str, ...]:
    """Return what a person should know about `loaded` on this machine, each with its place."""
    return config.warnings(loaded) + tuple(map(str, unsigned_names(loaded)))


def _listening(loaded: Config, listen: Sequence[str], tls: bool) -> Config:
    try:
        return config.with_listen(loaded, listen, tls=tls)
    except ConfigError as error:
        raise BadConfiguration(error, b"", COMMAND_LINE) from None


def _names_servers(options: argparse.Namespace, environment: Environment) -> bool:
    """Tell whether the servers are named without a file: by options or, where there is no file, by variables."""
    if options.frontend is not None or options.backend is not None:
        return True
    variables = [f"{UPSTREAMS}FRONTEND", f"{UPSTREAMS}BACKEND"]
    is_said = any(name in relevant(environment) for name in variables)
    return is_said and not is_named(options.config) and find_upward() is None


def _named_servers(options: argparse.Namespace, environment: Environment) -> Config:
    if options.config is not None:
        raise Refused(
            "--config cannot be combined with --frontend or --backend",
            "leave out --config to use these servers, or leave out the servers to use the file",
        )
    try:
        return config.from_arguments(
            frontend=options.frontend,
            backend=options.backend,
            backend_paths=options.backend_path,
            listen=(),
            environment=environment,
            program=getattr(options, "program", ()),
        )
    except ConfigError as error:
        raise BadConfiguration(error, b"", COMMAND_LINE) from None


def _ignored_file() -> tuple[str, ...]:
    found = find_upward()
    return () if found is None else (f"{found} is not used, because the command line names the servers.",)
