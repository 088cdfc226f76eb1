"""What a program has for a configuration, a path or a mapping, as a :class:`Config`; or the whole report.

Reads the file that is named, the files and variables that it names (``${env:NAME}``), and nothing else: no
``DEVPROXY_…`` variable and no ``devproxy.toml`` that was not asked for. Start at :func:`configuration_of`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, NoReturn

from devproxy import config as configurations
from devproxy.config.environment import PREFIX, Environment, Variable
from devproxy.config.mappings import from_mapping, refusal_of_mapping
from devproxy.config.model import Config, Listen, Server
from devproxy.config.problems import COMMAND_LINE, ConfigError, Problem
from devproxy.gateway.back.named_files import unusable_files
from devproxy.gateway.system.files import read_file, reason_of

Source = str | os.PathLike[str] | Mapping[str, Any] | Config
"""The path of a ``devproxy.toml``; the same keys as a mapping; or a :class:`Config` that was loaded before."""
Listening = str | int | Sequence[str | int]
"""An address, or several, as ``listen`` below ``[server]``: ``"localhost:0"``, ``8080``, ``":8080"``."""

ANYWHERE: Final = (Listen(host="localhost", port=0),)
"""Where a gateway listens that was not told where: a port of both loopback addresses that the system chooses."""


class ConfigurationError(ConfigError):
    """A configuration that cannot be used.

    ``report``, which is also the exception's text: every problem with what is wrong, where, and what to do, in plain
    text of several lines. ``problems``: the same as values. ``source``: the path of the file; ``"mapping"``,
    ``"arguments"`` or ``"text"`` where there is none.
    """

    def __init__(self, problems: tuple[Problem, ...], report: str, source: str) -> None:
        super().__init__(problems)
        self.report = report
        self.source = source

    def __str__(self) -> str:
        """Return the report."""
        return self.report


def load(source: Source) -> Config:
    """Return the configuration that `source` states. Raises :class:`ConfigurationError` with the whole report.

    `source`: the path of a ``devproxy.toml``, or a mapping with the keys of one: ``{"upstreams": {"backend":
    "http://127.0.0.1:3001"}, "routes": [{"path": "/", "upstream": "backend"}]}``. Raises TypeError for anything else.
    """
    if isinstance(source, Config):
        return source
    if isinstance(source, Mapping):
        return _from_mapping(source)
    if isinstance(source, str | os.PathLike):
        return _from_file(os.fspath(source))
    raise TypeError(
        f"a configuration is a path, a mapping or a devproxy.Config, not {type(source).__name__}; "
        "for TOML text use devproxy.loads(text)"
    )


def loads(text: str, *, source: str = "text") -> Config:
    """Return the configuration that `text`, TOML, states. `source`: what the report calls it.

    The files that it names are looked for from the folder of `source`, as if that were its path. Raises
    :class:`ConfigurationError` with the whole report.
    """
    return _from_text(text.encode("utf-8", "surrogatepass"), source, source)


def from_servers(
    frontend: str | int | None, backend: str | int | None, backend_paths: Sequence[str], listen: Listening | None
) -> Config:
    """Return the configuration that the options of the same names would state.

    See :meth:`devproxy.embedding.gateway.Gateway.to`. Raises :class:`ConfigurationError`.
    """
    try:
        return configurations.from_arguments(
            frontend=None if frontend is None else str(frontend),
            backend=None if backend is None else str(backend),
            backend_paths=tuple(backend_paths),
            listen=_written(listen),
        )
    except ConfigError as error:
        _refuse(error, b"", COMMAND_LINE, "arguments")


def configuration_of(source: Source, listen: Listening | None) -> Config:
    """Return what `source` states, listening on `listen`; None: where it says, else on a port that the system chooses.

    Raises :class:`ConfigurationError`.
    """
    config = load(source)
    if listen is not None:
        try:
            return configurations.with_listen(config, _written(listen))
        except ConfigError as error:
            _refuse(error, b"", COMMAND_LINE, "arguments")
    is_said = ("server", "listen") in config.said or config.server.listen != Server().listen
    return config if is_said else replace(config, server=replace(config.server, listen=ANYWHERE))


def _written(listen: Listening | None) -> tuple[str, ...]:
    if listen is None:
        return ()
    written = (str(listen),) if isinstance(listen, str | int) else tuple(map(str, listen))
    if not written:
        raise ConfigError((Problem("--listen: there is no address to listen on", 'write listen="localhost:0"'),))
    return written


def _from_file(path: str) -> Config:
    try:
        text = read_file(path)
    except OSError as error:
        problem = Problem(what=f"cannot read {path}: {reason_of(error)}", help="name the file of a configuration")
        _refuse(ConfigError((problem,)), b"", COMMAND_LINE, path)
    except ValueError:  # a NUL in its name
        problem = Problem(what="this is not the name of a file", help="for TOML text use devproxy.loads(text)")
        _refuse(ConfigError((problem,)), b"", COMMAND_LINE, path)
    # Absolute: the program may change its working directory, and the files that it names are read again later.
    return _from_text(text, os.path.abspath(path), path)


def _from_text(text: bytes, source: str, shown: str) -> Config:
    try:
        config = configurations.load(text, source=source, environment=_environment())
        if found := unusable_files(config):
            raise configurations.refusal(text, found)
    except ConfigError as error:
        _refuse(error, text, shown, shown)
    return config


def _environment() -> Environment:
    """Return what ``${env:NAME}`` means. What is said to a devproxy of its own (``DEVPROXY_…``) is not for this one."""
    return {name: Variable(value) for name, value in os.environ.items() if not name.startswith(PREFIX)}


def _from_mapping(table: Mapping[str, Any]) -> Config:
    try:
        config = from_mapping(table)
        if found := unusable_files(config):
            raise refusal_of_mapping(found)
    except ConfigError as error:
        _refuse(error, b"", COMMAND_LINE, "mapping")
    return config


def _refuse(error: ConfigError, text: bytes, shown: str, source: str) -> NoReturn:
    report = configurations.report(error, text, shown, colour=False)
    raise ConfigurationError(error.problems, report.rstrip("\n"), source) from None
