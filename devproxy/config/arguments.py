"""Command-line options -> :class:`~devproxy.config.model.Config`: the configuration of those who need no file.

Pure. Problems name the option and have no place. Start at :func:`from_arguments`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Final, TypeVar

from devproxy.config.addresses import parse_endpoint, parse_listen
from devproxy.config.conflicts import listen_conflicts
from devproxy.config.model import Config, Listen, PathKind, Route, Server, Upstream
from devproxy.config.problems import COMMAND_LINE, ConfigError, Path, Problem
from devproxy.config.routes import check_pattern
from devproxy.text.bad import BadText

_T = TypeVar("_T")

DEFAULT_BACKEND_PATHS: Final = ("/socket.io/", "/api/")


def from_arguments(
    *,
    frontend: str | None,
    backend: str | None,
    backend_paths: Sequence[str],
    listen: Sequence[str],
    source: str = COMMAND_LINE,
) -> Config:
    """Return the configuration that these options state, as strings just as they were typed.

    `frontend` and `backend`: a port, ``host:port`` or a URL. With both, `backend_paths` (default
    :data:`DEFAULT_BACKEND_PATHS`) go to the backend and the rest to the frontend; with one of them, everything goes
    there (but with a backend and its paths, only those). `listen`: see ``parse_listen``; empty means the default.
    Raises :class:`ConfigError` with every problem.
    """
    problems: list[Problem] = []
    upstreams = [
        Upstream(name=name, servers=(address,))
        for name, text in (("frontend", frontend), ("backend", backend))
        if text is not None and (address := _read(parse_endpoint, text, f"--{name}", problems)) is not None
    ]
    if frontend is None and backend is None:
        what = "no configuration file, and no server to forward to"
        help = "devproxy up --frontend 5173 --backend 3001 (the ports of your servers), or write a devproxy.toml"
        problems.append(Problem(what=what, help=help))
    if backend_paths and backend is None and frontend is not None:
        problems.append(_problem("--backend-path", "there is no backend", "add --backend 3001 (the port of yours)"))
    paths = _backend_paths(frontend, backend, backend_paths, problems)
    listens = _listens(listen, problems)
    if problems:
        raise ConfigError(tuple(problems))
    routes = [Route(kind=PathKind.PREFIX, pattern=path, upstream="backend") for path in paths]
    if frontend is not None:
        routes.append(Route(kind=PathKind.PREFIX, pattern="/", upstream="frontend"))
    server = Server(listen=listens) if listens else Server()
    said: dict[Path, int | str] = {("upstreams", upstream.name): f"--{upstream.name}" for upstream in upstreams}
    for index, route in enumerate(routes):
        said["routes", index] = (
            "--backend-path" if backend_paths and route.upstream == "backend" else f"--{route.upstream}"
        )
    if listens:
        said["server", "listen"] = "--listen"
    return Config(server=server, upstreams=tuple(upstreams), routes=tuple(routes), source=source, said=said)


def with_listen(config: Config, listen: Sequence[str], *, tls: bool = False) -> Config:
    """Return `config` listening on the addresses that ``--listen`` names instead of its own; none: on its own.

    `tls`: with ``--tls``; certificates that `config` names stay.
    """
    problems: list[Problem] = []
    listens = _listens(listen, problems)
    if problems:
        raise ConfigError(tuple(problems))
    said = dict(config.said)
    server = config.server
    if listens:
        said = {path: place for path, place in said.items() if path[:2] != ("server", "listen")}
        said["server", "listen"] = "--listen"
        server = replace(server, listen=listens)
    if tls and not server.tls:
        said["server", "tls"] = "--tls"
        server = replace(server, tls=True)
    return config if server is config.server else replace(config, server=server, said=said)


def _backend_paths(
    frontend: str | None, backend: str | None, written: Sequence[str], problems: list[Problem]
) -> list[str]:
    if backend is None:
        return []
    if not written:
        return ["/"] if frontend is None else list(DEFAULT_BACKEND_PATHS)
    paths: dict[str, str] = {}
    for path in written:
        _read(partial(check_pattern, PathKind.PREFIX), path, "--backend-path", problems)
        if path == "/" and frontend is not None:
            help = "leave out --frontend, or name the paths of the backend"
            problems.append(_problem("--backend-path", '"/" leaves nothing to the frontend', help))
        paths.setdefault(path.removesuffix("/"), path)  # /api and /api/ are one prefix
    return list(paths.values())


def _listens(written: Sequence[str], problems: list[Problem]) -> tuple[Listen, ...]:
    listens: list[Listen] = []
    for text in written:
        listen = _read(parse_listen, text, "--listen", problems)
        if listen is not None:
            if conflict := listen_conflicts(listen, listens):
                problems.append(_problem("--listen", conflict, "leave one of them out"))
            listens.append(listen)
    return tuple(listens)


def _read(parse: Callable[[str], _T], text: str, option: str, problems: list[Problem]) -> _T | None:
    """Return what `parse` makes of `text`, a value of `option`; None, with a problem, if it raises BadText."""
    try:
        return parse(text)
    except BadText as error:
        problems.append(_problem(option, error.what, error.help))
        return None


def _problem(option: str, what: str, help: str) -> Problem:
    return Problem(what=f"{option}: {what}", help=help)
