"""Command-line options -> :class:`~devproxy.config.model.Config`: the configuration of those who need no file.

Pure. Problems name the option or the variable and have no line. Start at :func:`from_arguments`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final, TypeVar

from devproxy.config.addresses import parse_listen, parse_server, split_list
from devproxy.config.conflicts import listen_conflicts
from devproxy.config.environment import NO_ENVIRONMENT, Environment, relevant
from devproxy.config.model import Config, Listen, PathKind, Route, Server, ServerAddress, Upstream
from devproxy.config.places import with_said
from devproxy.config.problems import COMMAND_LINE, ConfigError, Path, Problem, Problems
from devproxy.config.routes import check_pattern
from devproxy.text.bad import BadText
from devproxy.text.safe import quoted

_T = TypeVar("_T")

DEFAULT_BACKEND_PATHS: Final = ("/socket.io/", "/api/")


def from_arguments(
    *,
    frontend: str | None,
    backend: str | None,
    backend_paths: Sequence[str],
    listen: Sequence[str],
    program: Sequence[str] = (),
    source: str = COMMAND_LINE,
    environment: Environment = NO_ENVIRONMENT,
) -> Config:
    """Return the configuration that these options state, as strings just as they were typed.

    `frontend` and `backend`: a port, ``host:port`` or a URL, or several with commas between them. With both,
    `backend_paths` (default :data:`DEFAULT_BACKEND_PATHS`) go to the backend and the rest to the frontend; with one of
    them, everything goes there (but with a backend and its paths, only those). `listen`: see ``parse_listen``; empty
    means the default. `program`: the words of a command that is the frontend, wherever that listens, or at `frontend`
    at first. `environment`: says what the options leave out. Raises :class:`ConfigError` with every problem.
    """
    found = Problems(lambda path, at_key: (0, 0, 0))
    written, said, server = _said_around(environment, found)
    problems: list[Problem] = []
    upstreams: list[Upstream] = []
    for name, typed in (("frontend", frontend), ("backend", backend)):
        if typed is not None:
            option = f"--{name}"
            said["upstreams", name] = option
            servers = [_read(parse_server, text, option, problems) for text in split_list(typed)]
            upstreams.append(Upstream(name=name, servers=_distinct(servers, option, problems)))
        elif name in written:
            from devproxy.config.upstreams import build_upstreams

            upstreams += build_upstreams({"upstreams": {name: written[name]}}, found)
        elif program and name == "frontend":
            from devproxy.config.programs import pending_server  # few start a program

            said["upstreams", name] = "--"
            upstreams.append(Upstream(name=name, servers=(pending_server(program),)))
    names = [upstream.name for upstream in upstreams]
    if not names and not found.found:
        what = "no configuration file, and no server to forward to"
        help = "devproxy up --frontend 5173 --backend 3001 (the ports of your servers), or write a devproxy.toml"
        problems.append(Problem(what=what, help=help))
    if backend_paths and names == ["frontend"]:
        problems.append(_problem("--backend-path", "there is no backend", "add --backend 3001 (the port of yours)"))
    paths = _backend_paths(names, backend_paths, problems)
    listens = _listens(listen, problems)
    if problems or found.found:
        raise ConfigError((*problems, *found.in_order()))
    routes = [Route(kind=PathKind.PREFIX, pattern=path, upstream="backend") for path in paths]
    if "frontend" in names:
        routes.append(Route(kind=PathKind.PREFIX, pattern="/", upstream="frontend"))
    if listens:
        server = replace(server, listen=listens)
        said["server", "listen"] = "--listen"
    places: dict[Path, int | str] = {path: place for path, place in said.items() if path[:1] == ("server",)}
    for name in names:
        places["upstreams", name] = said["upstreams", name]
    for index, route in enumerate(routes):
        is_typed = bool(backend_paths) and route.upstream == "backend"
        places["routes", index] = "--backend-path" if is_typed else said["upstreams", route.upstream]
    config = Config(server=server, upstreams=tuple(upstreams), routes=tuple(routes), source=source, said=places)
    if not program:
        return config
    from devproxy.config.programs import typed_program

    return replace(config, programs=(typed_program(program, "frontend"),))


def _said_around(environment: Environment, found: Problems) -> tuple[dict[str, Any], dict[Path, str], Server]:
    """Return what the variables of `environment` say: upstreams as written, where each value was said, the server."""
    if not relevant(environment):
        return {}, {}, Server()
    from devproxy.config.overlay import overlaid  # few have such a variable, and this needs all keys
    from devproxy.config.server import build_server
    from devproxy.config.shape import shaped

    table, said = overlaid({}, environment, found)
    server = build_server(shaped({"server": table.get("server", {})}, found)["server"], found)
    return table.get("upstreams", {}), said, server


def _distinct(
    servers: Sequence[ServerAddress | None], option: str, problems: list[Problem]
) -> tuple[ServerAddress, ...]:
    """Return `servers` without those that could not be read; that one is there twice is a problem."""
    read = [server for server in servers if server is not None]
    for index, server in enumerate(read):
        if server in read[:index]:
            problems.append(_problem(option, f"{quoted(server.url)} is listed twice", "leave one of them out"))
    return tuple(read)


def with_listen(config: Config, listen: Sequence[str], *, tls: bool = False) -> Config:
    """Return `config` listening on the addresses that ``--listen`` names instead of its own; none: on its own.

    `tls`: with ``--tls``; certificates that `config` names stay.
    """
    problems: list[Problem] = []
    listens = _listens(listen, problems)
    if problems:
        raise ConfigError(tuple(problems))
    said: dict[Path, str] = {}
    server = config.server
    if listens:
        said["server", "listen"] = "--listen"
        server = replace(server, listen=listens)
    if tls and not server.tls:
        said["server", "tls"] = "--tls"
        server = replace(server, tls=True)
    return config if server is config.server else replace(config, server=server, said=with_said(config.said, said))


def _backend_paths(names: Sequence[str], written: Sequence[str], problems: list[Problem]) -> list[str]:
    """Return the paths that go to the backend; `names`: of the upstreams that there are."""
    if "backend" not in names:
        return []
    if not written:
        return ["/"] if names == ["backend"] else list(DEFAULT_BACKEND_PATHS)
    paths: dict[str, str] = {}
    for path in written:
        _read(partial(check_pattern, PathKind.PREFIX), path, "--backend-path", problems)
        if path == "/" and "frontend" in names:
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
