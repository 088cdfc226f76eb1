"""What was found, as values: servers that run, projects, their routes, addresses that go past devproxy. No judgement.

Start at :class:`Evidence`. Paths of files are relative to the folder that was looked at, with slashes.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from devproxy.init.kinds import Kind, Role
from devproxy.platforms.listeners import Listener


class Place(NamedTuple):
    """Where something is written. ``line``: 1-based; 0: the file as a whole."""

    file: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


class Whose(StrEnum):
    """Whose program a server is, by its working directory."""

    OURS = "this project"
    OTHER = "another folder"
    UNKNOWN = "not known"


class Engine(NamedTuple):
    """A Socket.IO server. ``name``: with its version and what it runs in. ``path``: with a slash at both ends.

    ``eio``: the Engine.IO protocol, 3 or 4; 0: it opened no session.
    """

    name: str
    path: str
    eio: int = 0

    @property
    def short(self) -> str:
        """Its name without what it runs in."""
        return self.name.partition(" (")[0]


class Server(NamedTuple):
    """A port of this machine that answers. ``kind``: None for what is not known; ``name``: what it seems to be.

    ``folder``: the working directory of its program, absolute; empty where it is not known. ``program``: its name.
    ``answered``: False for one that was too slow, and is known by its program alone. ``role``: None where it serves
    nothing for pages: hot reload on a port of its own, a debugger.
    """

    port: int
    name: str
    role: Role | None
    kind: Kind | None = None
    engine: Engine | None = None
    is_tls: bool = False
    pid: int = 0
    program: str = ""
    folder: str = ""
    whose: Whose = Whose.UNKNOWN
    answered: bool = True

    @property
    def url(self) -> str:
        """How it is written in a configuration."""
        return f"{'https' if self.is_tls else 'http'}://localhost:{self.port}"


class Stated(NamedTuple):
    """A port that a file names for a server. ``kind``: the tool, where the file says it."""

    port: int
    role: Role
    place: Place
    kind: Kind | None = None


class App(NamedTuple):
    """A project: a folder with a file that says what it needs. ``folder``: empty for the one that was looked at.

    ``kinds``: its tools, at most one for each role. ``serves_sockets``: it needs a server of Socket.IO. ``scripts``: of
    ``package.json``, those that start a server, by role. ``runner``: what runs them here: ``npm``, ``pnpm``, …
    """

    folder: str
    place: Place
    kinds: tuple[Kind, ...] = ()
    serves_sockets: bool = False
    ports: tuple[Stated, ...] = ()
    scripts: tuple[tuple[Role, str], ...] = ()
    runner: str = "npm"

    def command(self, role: Role) -> str:
        """Return what to type to start its server in `role`; empty where no script does."""
        script = next((name for one, name in self.scripts if one is role), "")
        return f"{self.runner} run {script}" if script else ""

    def kind(self, role: Role) -> Kind | None:
        """Return its tool in `role`."""
        return next((kind for kind in self.kinds if kind.role is role), None)


class Proxied(NamedTuple):
    """Rules of a dev server's own proxy. ``source``: what ``devproxy import`` calls it."""

    source: str
    place: Place


class OwnRoute(NamedTuple):
    """A path that the frontend itself answers without a page. ``path``: of a prefix, without a slash at its end.

    ``glob``: where it has a part that varies right below what the backend gets; empty otherwise.
    """

    path: str
    place: Place
    glob: str = ""


class Declared(NamedTuple):
    """A path that a source declares, or that a page asks for: the part that does not vary, such as ``/api/items``."""

    path: str
    place: Place
    is_asked: bool = False


class Bypass(NamedTuple):
    """An address in a source by which the browser goes past devproxy. ``written``: as it is there, in one line.

    ``instead``: what to write. ``host``: as written, or ``location`` where the page's own host is used; ``port``: 0
    where none is named. ``path``: what follows. ``is_socketio``: the path is a namespace and no path.
    """

    place: Place
    written: str
    instead: str
    host: str
    port: int
    path: str = ""
    is_socketio: bool = False
    is_remote: bool = False


class Scan(NamedTuple):
    """How far the files were read. ``stopped``: why not to the end; empty: all were read. ``too_large``: left out."""

    files: int = 0
    stopped: str = ""
    too_large: tuple[str, ...] = ()


class Evidence(NamedTuple):
    """Everything that was found. ``folder``: the one that was looked at, absolute. ``taken``: every port that listens,
    but for devproxy's own for this project; ``fronts``: where devproxy listens.

    ``tells_listeners``: False where the system does not tell who listens, and usual ports were tried instead.
    ``silent``: of this project, what speaks no HTTP, or did not in time. ``compose``: ports of services. ``unread``:
    files that say something and could not be read, each with why. ``file_above``: the configuration of a folder above
    that counts here.
    """

    folder: str
    servers: tuple[Server, ...] = ()
    taken: frozenset[int] = frozenset()
    fronts: frozenset[int] = frozenset()
    tells_listeners: bool = True
    silent: tuple[Listener, ...] = ()
    apps: tuple[App, ...] = ()
    stated: tuple[Stated, ...] = ()
    compose: tuple[Stated, ...] = ()
    proxied: tuple[Proxied, ...] = ()
    own_routes: tuple[OwnRoute, ...] = ()
    declared: tuple[Declared, ...] = ()
    socket_paths: tuple[Declared, ...] = ()
    bypasses: tuple[Bypass, ...] = ()
    scan: Scan = Scan()
    unread: tuple[tuple[str, str], ...] = ()
    file_above: str = ""
