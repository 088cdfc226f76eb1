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
from devproxy.init.project import app_around, read_project
from devproxy.init.proposal import SOCKET_PATH
from devproxy.init.tree import read_tree
from devproxy.platforms.listeners import listeners
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
    tree, found = await asyncio.gather(asyncio.to_thread(read_tree, folder), asyncio.to_thread(listeners))
    listened = worth_asking(found, lambda one: whose_is(one, folder) is Whose.OURS, own, os.getpid())
    project = read_project(tree.names, tree.texts)
    paths = list(dict.fromkeys([SOCKET_PATH, *(found.path for found in project.socket_paths)]))
    far = [one for one in listened.ports if whose_is(one.folder, folder) is Whose.OTHER]
    near = [one for one in listened.ports if one not in far]
    asked = await asyncio.gather(ask_all(near, paths), ask_all(far, (SOCKET_PATH,), FAR_S))
    heard = [one for part in asked for one in part]
    servers = _servers(heard, folder, project.apps)
    if any(app.serves_sockets for app in project.apps) and not any(one.engine and _is_ours(one) for one in servers):
        again = [one for one in listened.ports if one.port in {server.port for server in servers if _is_ours(server)}]
        found_later = _servers(await ask_all(again, PATHS, LATER_S), folder, project.apps)
        servers = list({one.port: one for one in (*servers, *(one for one in found_later if one.engine))}.values())
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
