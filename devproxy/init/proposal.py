"""Which paths go to which server, and why: evidence and a choice of servers -> routes. Pure.

The frontend gets everything that no backend is known to answer; what its framework answers itself stays with it. Start
at :func:`propose`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from devproxy.config.arguments import DEFAULT_BACKEND_PATHS
from devproxy.config.model import PathKind
from devproxy.config.routes import check_pattern
from devproxy.init import kinds
from devproxy.init.choosing import Choice, Chosen
from devproxy.init.declared import static_part
from devproxy.init.evidence import Declared, Evidence, OwnRoute
from devproxy.init.kinds import Role
from devproxy.init.project import app_around
from devproxy.text.bad import BadText

SOCKET_PATH, API_PATH = DEFAULT_BACKEND_PATHS
MAX_PREFIXES: Final = 12
MAX_OWN_ROUTES: Final = 40
_PAGES_OWN: Final = frozenset(
    ("/assets", "/static", "/public", "/src", "/dist", "/node_modules", "/_next", "/_nuxt", "/@vite", "/favicon.ico")
)
"""First segments of paths that pages are made of: whatever else declares them, they belong to the frontend."""


_NAMED: Final = "You named this path."


class Routed(NamedTuple):
    """A route. ``why``: sentences."""

    kind: PathKind
    pattern: str
    upstream: str
    why: tuple[str, ...]


class Proposal(NamedTuple):
    """What is proposed. ``port``: of devproxy. ``notes``: sentences on what cannot be a route."""

    port: int
    choice: Choice
    routes: tuple[Routed, ...]
    notes: tuple[str, ...] = ()

    @property
    def backend_paths(self) -> tuple[str, ...]:
        """The paths that go to the first backend, without those of the frontend within them."""
        first = self.choice.backends[0].name if self.choice.backends else ""
        return tuple(route.pattern for route in self.routes if route.upstream == first)


class _Prefix(NamedTuple):
    """A path below which everything goes to a backend. ``path``: with a slash at its end, unless it is a file's."""

    path: str
    why: str


def propose(found: Evidence, choice: Choice, port: int, backend_paths: Sequence[str] = ()) -> Proposal:
    """Return the routes for the servers of `choice`. `port`: of devproxy. `backend_paths`: what was asked for, which
    counts in place of what the sources say, for the first backend."""
    frontend = choice.frontend
    if frontend is None:
        return _without_frontend(found, choice, port, backend_paths)
    own = _own_of(found, frontend)
    routes: list[Routed] = []
    notes: list[str] = []
    taken = {""}  # everything, which is the frontend's
    for index, backend in enumerate(choice.backends):
        wanted = [_Prefix(path, _NAMED) for path in backend_paths] if backend_paths and not index else None
        prefixes = _socket_prefixes(found, backend, choice) if wanted is None else []
        prefixes += _prefixes(found, backend, choice, own, notes) if wanted is None else wanted
        for prefix in prefixes:
            if _bare(prefix.path) in taken or not _is_pattern(PathKind.PREFIX, prefix.path):
                continue
            taken.add(_bare(prefix.path))
            routes.append(Routed(PathKind.PREFIX, prefix.path, backend.name, (prefix.why,)))
        if not any(route.upstream == backend.name for route in routes):
            notes.append(
                f"No path of `{backend.name}` is known. Give it one, and remove the number signs:\n{_example(backend)}"
            )
    if not choice.backends:
        notes.append("No backend was found. If there is one:  devproxy init --print --backend 3001  (its port)")
    kept = list(_own_within(own, [route.pattern for route in routes], frontend))
    why = (
        f"Everything else: pages, their files, and hot reload ({frontend.kind.name})."
        if frontend.kind
        else "Everything else.",
    )
    everything = Routed(PathKind.PREFIX, "/", frontend.name, why)
    return Proposal(port, choice, (*kept, *routes, everything), tuple(notes))


def _without_frontend(found: Evidence, choice: Choice, port: int, backend_paths: Sequence[str]) -> Proposal:
    """Return routes where no frontend is known: the first backend gets what was asked for, or everything."""
    routes: list[Routed] = []
    notes: list[str] = []
    for index, backend in enumerate(choice.backends):
        if not index:
            why = "Everything: no frontend was found." if not backend_paths else _NAMED
            paths = {_bare(path): path for path in backend_paths} or {"": "/"}  # /api and /api/ are one prefix
            routes += [Routed(PathKind.PREFIX, path, backend.name, (why,)) for path in paths.values()]
            continue
        prefixes = [*_socket_prefixes(found, backend, choice), *_prefixes(found, backend, choice, [], notes)]
        known = {_bare(route.pattern) for route in routes}
        routes += [
            Routed(PathKind.PREFIX, prefix.path, backend.name, (prefix.why,))
            for prefix in prefixes
            if _bare(prefix.path) not in known and _is_pattern(PathKind.PREFIX, prefix.path)
        ]
    return Proposal(port, choice, tuple(sorted(routes, key=lambda route: route.pattern == "/")), tuple(notes))


def _socket_prefixes(found: Evidence, backend: Chosen, choice: Choice) -> list[_Prefix]:
    if backend.engine is not None:
        return [_Prefix(backend.engine.path, f"{backend.engine.name} answers there.")]
    if not backend.is_running and (backend.serves_sockets or (backend.app is None and len(choice.backends) == 1)):
        stated = next(iter(found.socket_paths), None)
        if stated is not None:
            return [_Prefix(stated.path, f"Socket.IO: {stated.place} says this path.")]
        return [_Prefix(SOCKET_PATH, "Socket.IO, where its path is not changed.")]
    if backend.serves_sockets and not any(one.engine is not None for one in choice.backends):
        return [_Prefix(SOCKET_PATH, "Socket.IO, which did not answer here when it was asked: is it at another path?")]
    return []


def _prefixes(
    found: Evidence, backend: Chosen, choice: Choice, own: Sequence[OwnRoute], notes: list[str]
) -> list[_Prefix]:
    """Return what else `backend` gets: the paths that its sources declare and that pages ask it for; else ``/api/``."""
    said = [one for one in _said(found, backend, choice) if not _is_socket(one.path, found, backend)]
    depth = 2 if _shares_first(found, backend, choice, said) else 1
    first: dict[str, Declared] = {}
    for one in said:
        first.setdefault(_head(one.path, depth), one)
    prefixes = [
        _Prefix(
            _bare(path) if all(each.path == _bare(path) for each in said if _head(each.path, depth) == path) else path,
            f"{one.place} {'asks for it' if one.is_asked else 'declares it'}.",
        )
        for path, one in first.items()
    ]
    if len(prefixes) > MAX_PREFIXES:
        left = ", ".join(prefix.path for prefix in prefixes[MAX_PREFIXES:][:MAX_PREFIXES])
        notes.append(f"`{backend.name}` has further paths, each of which needs a route: {left}.")
    prefixes = prefixes[:MAX_PREFIXES]
    is_only_sockets = bool(choice.backends[1:]) and (backend.engine is not None or backend.serves_sockets)
    if not prefixes and not is_only_sockets:
        prefixes = [_Prefix(API_PATH, "The usual path of an API: change it if yours has another one.")]
    whole = next((one for one in own if one.glob == f"{_bare(API_PATH)}/**" or one.glob == "/**"), None)
    if whole is not None and any(_bare(prefix.path) == _bare(API_PATH) for prefix in prefixes):
        notes.append(f"{whole.place} answers everything below {API_PATH}, so nothing of that goes to `{backend.name}`.")
        prefixes = [prefix for prefix in prefixes if _bare(prefix.path) != _bare(API_PATH)]
    return prefixes


def _said(found: Evidence, backend: Chosen, choice: Choice) -> Iterator[Declared]:
    """Yield the paths that are known of `backend`."""
    backends = len(choice.backends)
    for declared in found.declared:
        app = app_around(found.apps, declared.place.file)
        if app == backend.app if backend.app is not None else backends == 1:
            yield declared
    for bypass in found.bypasses:
        path = static_part(bypass.path)
        is_asked = bypass.port == backend.port or (not bypass.port and backends == 1)
        if path and is_asked and not bypass.is_socketio and not bypass.is_remote:
            yield Declared(path, bypass.place, is_asked=True)


def _is_socket(path: str, found: Evidence, backend: Chosen) -> bool:
    known = {_bare(SOCKET_PATH), *(_bare(one.path) for one in found.socket_paths)}
    known |= {_bare(backend.engine.path)} if backend.engine is not None else set()
    return _head(path, 1).rstrip("/") in _PAGES_OWN - ({"/static"} if backend.kind is kinds.DJANGO else set()) or any(
        _bare(path) == one or path.startswith(f"{one}/") for one in known
    )


def _shares_first(found: Evidence, backend: Chosen, choice: Choice, said: Sequence[Declared]) -> bool:
    """Tell whether another backend has paths that begin with the same segment."""
    own = {_head(one.path, 1) for one in said}
    others = (one for other in choice.backends if other != backend for one in _said(found, other, choice))
    return any(_head(one.path, 1) in own for one in others)


def _head(path: str, depth: int) -> str:
    """Return the first segments of `path`, at most `depth`: with a slash at the end, unless it looks like a file."""
    segments = path.strip("/").split("/")[:depth]
    is_file = len(segments) == len(path.strip("/").split("/")) and "." in segments[-1]
    return "/" + "/".join(segments) + ("" if is_file else "/")


def _own_of(found: Evidence, frontend: Chosen) -> list[OwnRoute]:
    """Return the routes of the frontend's own project; of all where it is not known which that is."""
    if frontend.app is None or frontend.app.kind(Role.FRONTEND) is None:
        return list(found.own_routes)
    return [one for one in found.own_routes if app_around(found.apps, one.place.file) == frontend.app]


def _own_within(own: Sequence[OwnRoute], patterns: Sequence[str], frontend: Chosen) -> Iterator[Routed]:
    """Yield routes for what the frontend answers itself within `patterns`, which go to backends."""
    covered: list[str] = []
    seen: set[tuple[PathKind, str]] = set()
    name = frontend.kind.name if frontend.kind is not None else "the frontend"
    for one in own:
        around = next(
            (each for each in map(_bare, patterns) if one.path == each or one.path.startswith(f"{each}/")), None
        )
        if around is None or any(one.path == each or one.path.startswith(f"{each}/") for each in covered):
            continue
        why = (f"{name} answers it: {one.place}.",)
        if one.path != around:
            covered.append(one.path)
            kind, pattern = PathKind.PREFIX, one.path
        elif one.glob:
            kind, pattern = PathKind.GLOB, one.glob
        else:
            kind, pattern = PathKind.EXACT, one.path
        if len(covered) <= MAX_OWN_ROUTES and (kind, pattern) not in seen and _is_pattern(kind, pattern):
            seen.add((kind, pattern))
            yield Routed(kind, pattern, frontend.name, why)


def _is_pattern(kind: PathKind, pattern: str) -> bool:
    """Tell whether `pattern` can be in a configuration."""
    try:
        check_pattern(kind, pattern)
    except BadText:
        return False
    return True


def _bare(path: str) -> str:
    return path.rstrip("/")


def _example(backend: Chosen) -> str:
    return f'    [[routes]]\n    path = "/{backend.name}/"\n    upstream = "{backend.name}"'
