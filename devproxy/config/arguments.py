"""Command-line options -> :class:`~devproxy.config.model.Config`: the configuration of those who need no file.

Pure. Problems name the option and have no place. Start at :func:`from_arguments`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from devproxy.config.addresses import BadAddress, parse_endpoint, parse_listen
from devproxy.config.conflicts import listen_conflicts
from devproxy.config.model import Config, Listen, PathKind, Route, Server, Upstream
from devproxy.config.problems import COMMAND_LINE, ConfigError, Path, Problem
from devproxy.config.routes import RESERVED, path_fault
from devproxy.http.own import is_reserved

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
        upstream
        for name, text in (("frontend", frontend), ("backend", backend))
        if text is not None and (upstream := _upstream(name, text, problems)) is not None
    ]
    if frontend is None and backend is None:
        what = "neither a configuration nor a server to forward to"
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


def with_listen(config: Config, listen: Sequence[str]) -> Config:
    """Return `config` listening on the addresses that ``--listen`` names instead of its own; none: unchanged."""
    problems: list[Problem] = []
    listens = _listens(listen, problems)
    if problems:
        raise ConfigError(tuple(problems))
    if not listens:
        return config
    kept = {path: place for path, place in config.said.items() if path[:2] != ("server", "listen")}
    said = {**kept, ("server", "listen"): "--listen"}
    return replace(config, server=replace(config.server, listen=listens), said=said)


def _upstream(name: str, text: str, problems: list[Problem]) -> Upstream | None:
    try:
        return Upstream(name=name, servers=(parse_endpoint(text),))
    except BadAddress as error:
        problems.append(_problem(f"--{name}", error.what, error.help))
        return None


def _backend_paths(
    frontend: str | None, backend: str | None, written: Sequence[str], problems: list[Problem]
) -> list[str]:
    if backend is None:
        return []
    if not written:
        return ["/"] if frontend is None else list(DEFAULT_BACKEND_PATHS)
    paths: dict[str, str] = {}
    for path in written:
        fault = path_fault(path)
        if fault is None and is_reserved(path):
            fault = RESERVED
        if fault is None and path == "/" and frontend is not None:
            fault = ('"/" leaves nothing to the frontend', "leave out --frontend, or name the paths of the backend")
        if fault is not None:
            problems.append(_problem("--backend-path", *fault))
        paths.setdefault(path.removesuffix("/"), path)  # /api and /api/ are one prefix
    return list(paths.values())


def _listens(written: Sequence[str], problems: list[Problem]) -> tuple[Listen, ...]:
    listens: list[Listen] = []
    for text in written:
        try:
            listen = parse_listen(text)
        except BadAddress as error:
            problems.append(_problem("--listen", error.what, error.help))
            continue
        conflict = listen_conflicts(listen, listens)
        if conflict:
            problems.append(_problem("--listen", conflict, "leave one of them out"))
        listens.append(listen)
    return tuple(listens)


def _problem(option: str, what: str, help: str) -> Problem:
    return Problem(what=f"{option}: {what}", help=help)
