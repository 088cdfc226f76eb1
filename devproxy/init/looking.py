"""Looking at a folder and at what runs: everything that a proposal is made of. Reads, asks, changes nothing.

Start at :func:`look`.
"""

from __future__ import annotations

import asyncio
import os
from typing import Final
from urllib.parse import urlsplit

from devproxy.doctor.probing import PATHS
from devproxy.init.asking import ask_all
from devproxy.init.evidence import App, Evidence, Server, Whose
from devproxy.init.identify import Heard, server_of
from devproxy.init.kinds import Kind, Role
from devproxy.init.listening import worth_asking
from devproxy.init.project import Project, app_around, read_project
from devproxy.init.proposal import SOCKET_PATH
from devproxy.init.tree import read_tree
from devproxy.platforms.listeners import Listener, listeners
from devproxy.running.asking import running

FAR_S: Final = 1.0
"""How long the programs of other folders are waited for, which are only shown."""
LATER_S: Final = 1.5
"""How long a server of Socket.IO that is not where it should be is looked for at other paths."""


async def look(folder: str, *, file_above: str = "") -> Evidence:
    """Return what there is, for the project in `folder`, an absolute path. Raises OSError where it cannot be read.

    `file_above`: the configuration that counts in `folder` now, from a folder above. Takes 8 seconds at most.
    """
    fronts = await asyncio.to_thread(_fronts, folder)
    own = frozenset(fronts)
    found = await asyncio.to_thread(listeners)
    listened = worth_asking(found, lambda one: whose_is(one, folder) is Whose.OURS, own, os.getpid())
    far = [one for one in listened.ports if whose_is(one.folder, folder) is Whose.OTHER]
    near = [one for one in listened.ports if one not in far]
    tree, *heard = await asyncio.gather(
        asyncio.to_thread(read_tree, folder), ask_all(near, (SOCKET_PATH,)), ask_all(far, (SOCKET_PATH,), FAR_S)
    )
    project = await asyncio.to_thread(read_project, tree.names, tree.texts)
    servers = _servers([one for part in heard for one in part], folder, project.apps)
    servers = await _with_sockets(servers, near, folder, project)
    answering = {server.port for server in servers}
    return Evidence(
        folder=folder,
        servers=tuple(sorted(servers)),
        taken=(listened.taken | answering | own) - {port for port, is_ours in fronts.items() if is_ours},
        fronts=own,
        tells_listeners=listened.is_known,
        silent=tuple(one for one in near if one.port not in answering and whose_is(one.folder, folder) is Whose.OURS),
        scan=tree.scan,
        unread=tree.unread,
        file_above=file_above,
        **project._asdict(),
    )


def _fronts(folder: str) -> dict[int, bool]:
    """Return the ports at which the devproxys of this user listen, and whether each is one of this project."""
    return {
        port: whose_is(one.folder, folder) is Whose.OURS
        for one in running()
        for url in one.urls
        if (port := urlsplit(url).port) is not None
    }


async def _with_sockets(servers: list[Server], near: list[Listener], folder: str, project: Project) -> list[Server]:
    """Return `servers` with what the project's own answer at other paths of Socket.IO: those that its sources name, and
    usual ones, where it needs a server of Socket.IO and none has answered."""
    is_missing = not any(one.engine is not None and _is_ours(one) for one in servers)
    paths = [one.path for one in project.socket_paths]
    paths += PATHS if is_missing and any(app.serves_sockets for app in project.apps) else ()
    lacking = {one.port for one in servers if one.engine is None and _is_ours(one)}
    if not paths or not lacking:
        return servers
    again = await ask_all([one for one in near if one.port in lacking], list(dict.fromkeys(paths)), LATER_S)
    found = {one.port: one for one in _servers(again, folder, project.apps) if one.engine is not None}
    return [found.get(one.port, one) for one in servers]


def _is_ours(server: Server) -> bool:
    return server.whose is Whose.OURS and server.role is Role.BACKEND


def _servers(heard: list[Heard], folder: str, apps: tuple[App, ...]) -> list[Server]:
    return [server for one in heard if (server := _server(one, folder, apps)) is not None]


def _server(heard: Heard, folder: str, apps: tuple[App, ...]) -> Server | None:
    whose = whose_is(heard.listener.folder, folder)
    return server_of(heard, whose, _likely(heard.listener.folder, folder, apps) if whose is Whose.OURS else None)


def _likely(program_folder: str, folder: str, apps: tuple[App, ...]) -> Kind | None:
    """Return the tool of the project that a program runs in, where that has one only."""
    path = os.path.relpath(program_folder, folder).replace(os.sep, "/")
    app = app_around(apps, "" if path == "." else path) if not path.startswith("..") else None
    found = [kind for role in Role if app is not None and (kind := app.kind(role)) is not None]
    return found[0] if len(found) == 1 else None


def whose_is(program_folder: str, folder: str) -> Whose:
    """Return whose program runs in `program_folder`, for the project in `folder`: both absolute; empty: not known.

    A project is what one checkout holds, or the folder itself where it is in none. Another worktree is another project,
    wherever it is; a submodule is none.
    """
    if not program_folder or program_folder == "/":
        return Whose.UNKNOWN
    root, place = _root_of(folder), os.path.realpath(program_folder)
    while place != root:
        parent = os.path.dirname(place)
        if parent == place or _is_worktree(place):
            return Whose.OTHER
        place = parent
    return Whose.OURS


def _root_of(folder: str) -> str:
    """Return the folder of the checkout that `folder` is in; `folder` where there is none, or it is all of a home."""
    start = place = os.path.realpath(folder)
    while not os.path.exists(os.path.join(place, ".git")):
        parent = os.path.dirname(place)
        if parent == place:
            return start
        place = parent
    return start if place == os.path.realpath(os.path.expanduser("~")) else place


def _is_worktree(folder: str) -> bool:
    """Tell whether `folder` is a second checkout of a repository: its ``.git`` is a file that says of which."""
    try:
        with open(os.path.join(folder, ".git"), encoding="utf-8", errors="replace") as file:
            return "/worktrees/" in file.read(4096).replace("\\", "/")
    except OSError:
        return False
