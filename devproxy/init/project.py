"""What the files of a project say, together. Pure: the files are given as text.

Start at :func:`read_project`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Final, NamedTuple

from devproxy.init.bypasses import bypasses_in
from devproxy.init.compose import NAMES, services_of
from devproxy.init.declared import MAX_SOCKET_PATHS, declared_in, socket_paths_in
from devproxy.init.evidence import App, Bypass, Declared, OwnRoute, Place, Proxied, Stated
from devproxy.init.kinds import Role
from devproxy.init.manifests import MANIFESTS, app_of
from devproxy.init.own_routes import own_routes
from devproxy.init.said_ports import ports_in
from devproxy.init.sources import Side, is_test, side_of

MAX_BYPASSES: Final = 200
_NO_SERVICES: Final = (
    "postgres",
    "mysql",
    "mariadb",
    "redis",
    "valkey",
    "mongo",
    "rabbitmq",
    "kafka",
    "memcached",
    "mailpit",
)
"""Parts of the names of images that serve no pages."""
_LOCKS: Final = (
    ("package-lock.json", "npm"),
    ("pnpm-lock.yaml", "pnpm"),
    ("yarn.lock", "yarn"),
    ("bun.lock", "bun"),
    ("bun.lockb", "bun"),
)
_find_proxy: Final = re.compile(r"^[^/#\n*]{0,200}[\"']?\bproxy[\"']?\s?:", re.MULTILINE).search
_find_middleware: Final = re.compile(r"\bcreateProxyMiddleware\(|\bproxy\(").search
_find_package_proxy: Final = re.compile(r'^  "proxy":', re.MULTILINE).search
_find_proxy_config: Final = re.compile(r'"proxyConfig"').search
_find_rewrites: Final = re.compile(r"\brewrites\b\s?[(:]").search
_PROXIES: Final = (
    ("vite", ("vite.config",), _find_proxy),
    ("cra", ("setupProxy",), _find_middleware),
    ("cra", ("package.json",), _find_package_proxy),
    ("angular", ("angular.json",), _find_proxy_config),
    ("next", ("next.config",), _find_rewrites),
    ("webpack", ("webpack.config", "webpack.dev", "rspack.config", "vue.config"), _find_proxy),
)
"""Where dev servers have rules of their own: what ``devproxy import`` calls it, the files, what is in them."""


class Project(NamedTuple):
    """See the fields of the same names of :class:`devproxy.init.evidence.Evidence`."""

    apps: tuple[App, ...] = ()
    stated: tuple[Stated, ...] = ()
    compose: tuple[Stated, ...] = ()
    proxied: tuple[Proxied, ...] = ()
    own_routes: tuple[OwnRoute, ...] = ()
    declared: tuple[Declared, ...] = ()
    socket_paths: tuple[Declared, ...] = ()
    bypasses: tuple[Bypass, ...] = ()


def read_project(names: Sequence[str], texts: Mapping[str, str]) -> Project:
    """Return what the files say. `names`: all files; `texts`: those that were read, by path."""
    apps = tuple(app._replace(runner=_runner(app.folder, names)) for app in _apps(texts))
    stated: list[Stated] = []
    declared: list[Declared] = []
    sockets: dict[str, Declared] = {}
    bypasses: list[Bypass] = []
    for path, text in texts.items():
        name, side = path.rpartition("/")[2], side_of(path, text)
        if (side is not Side.BROWSER or name.startswith(".env")) and not is_test(path):
            stated += ports_in(name, path, text)
        if side is Side.SERVER or name == "routes.rb":
            declared += declared_in(path, text)
        if side is Side.BROWSER and len(bypasses) < MAX_BYPASSES and not _is_backends(apps, path):
            bypasses += islice(bypasses_in(path, text), MAX_BYPASSES)
        for found in socket_paths_in(path, text) if side is not Side.NONE and not name.startswith(".env") else ():
            sockets.setdefault(found.path, found)
    return Project(
        apps=apps,
        stated=tuple(stated),
        compose=tuple(_compose(texts)),
        proxied=tuple(_proxied(texts)),
        own_routes=tuple(_own_routes(apps, names)),
        declared=tuple(declared),
        socket_paths=tuple(sockets.values())[:MAX_SOCKET_PATHS],
        bypasses=tuple(bypasses[:MAX_BYPASSES]),
    )


def app_around(apps: Iterable[App], path: str) -> App | None:
    """Return the project that the file or folder at `path` belongs to: the one whose folder is deepest."""
    around = [app for app in apps if not app.folder or path == app.folder or path.startswith(f"{app.folder}/")]
    return max(around, key=lambda app: len(app.folder), default=None)


def _apps(texts: Mapping[str, str]) -> tuple[App, ...]:
    folders: dict[str, dict[str, str]] = {}
    for path, text in texts.items():
        for manifest in MANIFESTS:
            if path == manifest or path.endswith(f"/{manifest}"):
                folder = path.removesuffix(manifest).rstrip("/")
                folders.setdefault(folder, {})[manifest] = text
    found = [app for folder, files in sorted(folders.items()) if (app := app_of(folder, files)) is not None]
    # A project for tests alone is no part of what runs, unless there is no other.
    return tuple([app for app in found if not is_test(app.place.file)] or found)


def _runner(folder: str, names: Sequence[str]) -> str:
    """Return what runs the scripts of the project in `folder`: told by the lock file there, or in a folder above."""
    known = frozenset(names)
    while True:
        prefix = f"{folder}/" if folder else ""
        for file, runner in _LOCKS:
            if prefix + file in known:
                return runner
        if not folder:
            return "npm"
        folder = folder.rpartition("/")[0]


def _is_backends(apps: tuple[App, ...], path: str) -> bool:
    """Tell whether `path` belongs to a project that has a backend and no pages."""
    app = app_around(apps, path)
    return app is not None and bool(app.kinds) and app.kind(Role.FRONTEND) is None


def _own_routes(apps: tuple[App, ...], names: Sequence[str]) -> Iterable[OwnRoute]:
    for app in apps:
        kind = app.kind(Role.FRONTEND)
        if kind is not None:
            prefix = f"{app.folder}/" if app.folder else ""
            files = [name.removeprefix(prefix) for name in names if name.startswith(prefix)]
            yield from own_routes(kind, app.folder, files)


def _compose(texts: Mapping[str, str]) -> Iterable[Stated]:
    for path, text in texts.items():
        if path not in NAMES and path.rpartition("/")[2] not in NAMES:
            continue
        for service in services_of(text):
            if not any(part in service.image.rpartition("/")[2] for part in _NO_SERVICES):
                role = Role.FRONTEND if service.name in ("frontend", "web", "client", "ui", "app") else Role.BACKEND
                yield from (Stated(port, role, Place(path, service.line)) for port, _ in service.ports)


def _proxied(texts: Mapping[str, str]) -> Iterable[Proxied]:
    for path, text in texts.items():
        name = path.rpartition("/")[2]
        for source, starts, find in _PROXIES:
            match = find(text) if name.startswith(starts) else None
            if match is not None and (source != "cra" or name != "package.json" or '"react-scripts"' in text):
                yield Proxied(source, Place(path, text.count("\n", 0, match.start()) + 1))
