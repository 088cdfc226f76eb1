"""Which servers a configuration should name: those that run for this project, else those that its files speak of. Pure.

Start at :func:`choose`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from devproxy.init.evidence import App, Engine, Evidence, Server, Whose
from devproxy.init.kinds import Kind, Role
from devproxy.init.project import app_around

MAX_BACKENDS: Final = 6
DEFAULT_PORT: Final = 8080
_sub_odd: Final = re.compile(r"[^a-z0-9]+").sub


class Chosen(NamedTuple):
    """A server that is to be an upstream. ``why``: a sentence. ``app``: the project that it belongs to.

    ``is_running``: it answers now.
    """

    name: str
    url: str
    port: int
    why: str
    kind: Kind | None = None
    engine: Engine | None = None
    app: App | None = None
    is_running: bool = True
    serves_sockets: bool = False

    @property
    def is_tls(self) -> bool:
        """Whether its certificate is that of a dev server."""
        return self.url.startswith("https:")


class Choice(NamedTuple):
    """``left``: the servers that answer and are not chosen, each with the reason."""

    frontend: Chosen | None
    backends: tuple[Chosen, ...]
    left: tuple[tuple[Server, str], ...]

    def free_port(self, taken: Iterable[int]) -> int:
        """Return where devproxy is to listen: at its usual port, or at the next one that no other program has."""
        used = {one.port for one in (self.frontend, *self.backends) if one is not None}.union(taken)
        return next(port for port in range(DEFAULT_PORT, 65536) if port not in used)


class Given(NamedTuple):
    """A server that was named on the command line. ``port``: 0 for a socket. ``is_bare``: by its port alone."""

    url: str
    port: int
    is_bare: bool = False


def choose(found: Evidence, frontend: Given | None = None, backend: Given | None = None) -> Choice:
    """Return the servers that `found` speaks for. `frontend`, `backend`: what was named, which counts first."""
    usable = [server for server in found.servers if server.role is not None and _may_be_chosen(server, found)]
    page = _frontend(found, usable, frontend, backend)
    behind = _backends(found, usable, page, backend)
    page = _aware_of_others(found, page) if page is not None else None
    behind = [_aware_of_others(found, one) for one in behind]
    ports = {one.port for one in (page, *behind) if one is not None and one.is_running}
    left = tuple((server, _why_not(server, found)) for server in found.servers if server.port not in ports)
    return Choice(page, tuple(_named(behind)), left)


def _may_be_chosen(server: Server, found: Evidence) -> bool:
    """Tell whether `server` may be this project's: it runs there; or, where that is not known, files say so."""
    if server.whose is not Whose.UNKNOWN:
        return server.whose is Whose.OURS
    is_blind = all(one.whose is Whose.UNKNOWN for one in found.servers) and not found.apps
    return is_blind or server.port in _named_ports(found) or _is_used(server, found)


def _is_used(server: Server, found: Evidence) -> bool:
    """Tell whether a project here needs what `server` is; of one that does not show what it is, whether it may be."""
    needed = {kind for app in found.apps for kind in app.kinds}
    if server.engine is not None and any(app.serves_sockets for app in found.apps):
        return True
    if server.kind is None:
        return any(kind.role is server.role for kind in needed)
    return server.kind in needed


def _named_ports(found: Evidence) -> set[int]:
    """Return the ports that the project's files name, whatever for."""
    stated = (*found.stated, *found.compose, *(port for app in found.apps for port in app.ports))
    return {one.port for one in stated} | {one.port for one in found.bypasses if one.port and not one.is_remote}


def _why_not(server: Server, found: Evidence) -> str:
    if server.role is None:
        return "serves no pages"
    if server.whose is Whose.OTHER:
        return "another folder's"
    if not _may_be_chosen(server, found):
        return "nothing here says that it belongs to this project"
    return "another one was chosen"


def _frontend(found: Evidence, usable: list[Server], given: Given | None, backend: Given | None) -> Chosen | None:
    if given is not None:
        return _given(found, given, Role.FRONTEND)
    running = [server for server in usable if server.role is Role.FRONTEND and server.port != _port(backend)]
    running.sort(
        key=lambda server: (server.whose is not Whose.OURS, not server.answered, server.kind is None, server.port)
    )
    if running:
        return _running(found, running[0], "frontend")
    for app in sorted(found.apps, key=lambda app: (not app.command(Role.FRONTEND), app.folder.count("/"), app.folder)):
        kind = app.kind(Role.FRONTEND)
        if kind is not None:
            return _of_app(found, app, kind)
    stated = next((one for one in found.compose if one.role is Role.FRONTEND), None)
    if stated is not None:
        return _not_running("frontend", stated.port, f"{stated.place} publishes it")
    return None


def _port(given: Given | None) -> int:
    return given.port if given is not None else 0


def _backends(found: Evidence, usable: list[Server], page: Chosen | None, given: Given | None) -> list[Chosen]:
    if given is not None:
        return [_given(found, given, Role.BACKEND)]
    running = [
        server for server in usable if server.role is Role.BACKEND and (page is None or server.port != page.port)
    ]
    running.sort(key=lambda server: (server.whose is not Whose.OURS, server.port))
    chosen = [_running(found, server, "backend") for server in _one_for_each_program(running)]
    taken = {one.port for one in chosen} | ({page.port} if page is not None else set())
    for app in found.apps:
        kind = app.kind(Role.BACKEND)
        runs = any(one.app == app for one in chosen)
        if kind is not None and not runs:
            one = _of_app(found, app, kind, is_certain=bool(chosen))
            if one is not None and one.port not in taken:
                chosen.append(one)
                taken.add(one.port)
    asked_for = {one.port for one in found.bypasses if one.port and not one.is_remote}
    for stated in found.compose:
        is_asked = stated.port in asked_for or not asked_for
        if stated.role is Role.BACKEND and stated.port not in taken and is_asked:
            chosen.append(_not_running("backend", stated.port, f"{stated.place} publishes it"))
            taken.add(stated.port)
    if not chosen:
        asked = next((one for one in found.bypasses if one.port and not one.is_remote and one.port not in taken), None)
        if asked is not None:
            chosen.append(_not_running("backend", asked.port, f"{asked.place} asks it"))
    return chosen[:MAX_BACKENDS]


def _aware_of_others(found: Evidence, one: Chosen) -> Chosen:
    """Return `one` with a word on the program that has its port, where that is another's."""
    if one.is_running:
        return one
    server = next((server for server in found.servers if server.port == one.port), None)
    if server is None or one.why.startswith("named by"):
        return one
    whose = f" of {shown_folder(server.folder, found.folder)}" if server.folder else ""
    return one._replace(why=f"{one.why}: the {server.name}{whose} has that port")


def _one_for_each_program(servers: list[Server]) -> list[Server]:
    """Return `servers` with one port for each program: some open further ports that are nothing for pages."""
    kept: dict[object, Server] = {}
    for server in servers:
        key = server.pid or f"port {server.port}"
        if key not in kept or (kept[key].engine is None and server.engine is not None):
            kept[key] = server
    return list(kept.values())


def _given(found: Evidence, given: Given, role: Role) -> Chosen:
    server = next((one for one in found.servers if one.port == given.port), None) if given.port else None
    why = f"named by --{role.value}"
    if server is None:
        return Chosen(role.value, given.url, given.port, f"{why}; it did not answer", is_running=False)
    return _running(found, server, role.value)._replace(url=server.url if given.is_bare else given.url)


def _running(found: Evidence, server: Server, name: str) -> Chosen:
    what = what_of(server)
    where = f" in {shown_folder(server.folder, found.folder)}" if server.folder else ""
    late = "" if server.answered else "; it was too slow to answer"
    why = f"{what}, running now{where}{late}"
    app = app_around(found.apps, _relative(server.folder, found.folder)) if server.whose is Whose.OURS else None
    serves = app is not None and app.serves_sockets and server.role is Role.BACKEND
    return Chosen(name, server.url, server.port, why, server.kind, server.engine, app, serves_sockets=serves)


def what_of(server: Server) -> str:
    """Return what `server` is, in words."""
    if server.engine is None or server.name == server.engine.name:
        return server.name
    return f"{server.name}, with {server.engine.short}" if server.kind is not None else server.engine.name


def _of_app(found: Evidence, app: App, kind: Kind, *, is_certain: bool = False) -> Chosen | None:
    """Return the server that `app` would start. `is_certain`: only where a file names its port."""
    why = f"{app.place} needs {kind.name}"
    stated = _stated(found, app, kind.role)
    serves = app.serves_sockets and kind.role is Role.BACKEND
    if stated is None and (is_certain or not kind.port):
        return None
    port, said = stated or (kind.port, f"{kind.port} is its usual port")
    name = kind.role.value
    return _not_running(name, port, f"{why}; {said}")._replace(kind=kind, app=app, serves_sockets=serves)


def _stated(found: Evidence, app: App, role: Role) -> tuple[int, str] | None:
    """Return the port that files name for `app` in `role`, and where."""
    of_app = [one for one in found.stated if app_around(found.apps, one.place.file) == app]
    for one in (*app.ports, *of_app):
        is_environment = one.place.file.rpartition("/")[2].startswith(".env")
        if one.role is role or (is_environment and len(app.kinds) == 1 and role is app.kinds[0].role):
            return one.port, f"{one.place} names the port"
    if role is Role.BACKEND:
        for bypass in found.bypasses:
            if bypass.port and not bypass.is_remote and len([one for one in found.apps if one.kind(role)]) == 1:
                return bypass.port, f"{bypass.place} asks this port"
    return None


def _not_running(name: str, port: int, why: str) -> Chosen:
    return Chosen(name, f"http://localhost:{port}", port, f"{why}; not running now", is_running=False)


def _named(backends: list[Chosen]) -> Iterable[Chosen]:
    """Yield `backends` with a name for each: ``backend`` for one alone, else what its folder or its tool is called."""
    used = {"frontend"}
    for one in backends:
        folder = one.app.folder.rpartition("/")[2] if one.app is not None else ""
        tool = one.kind.name if one.kind is not None else "socketio" if one.engine is not None else ""
        wanted = "backend" if len(backends) == 1 else _slug(folder) or _slug(tool) or "backend"
        name, number = wanted, 2
        while name in used:
            name, number = f"{wanted}-{number}", number + 1
        used.add(name)
        yield one._replace(name=name)


def _slug(text: str) -> str:
    return _sub_odd("-", text.lower()).strip("-")[:40]


def shown_folder(path: str, folder: str) -> str:
    """Return the absolute `path` as people write it who are in `folder`."""
    relative = _relative(path, folder)
    if not relative:
        return "this folder"
    return path if relative.startswith("../..") else relative


def _relative(path: str, folder: str) -> str:
    """Return `path` relative to `folder`, with slashes; empty for `folder` itself."""
    relative = os.path.relpath(path, folder).replace(os.sep, "/") if path else ".."
    return "" if relative == "." else relative
