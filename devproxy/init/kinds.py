"""What a server or a project can be: the tools that ``devproxy init`` tells apart, and what follows from each. Pure.

Start at :data:`KINDS`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple


class Role(StrEnum):
    """What a server is for: pages (``frontend``), or what pages ask (``backend``)."""

    FRONTEND = "frontend"
    BACKEND = "backend"


class Kind(NamedTuple):
    """One tool. ``port``: where it listens where nothing else is said; 0: no port is usual.

    ``packages``: of npm, PyPI or RubyGems, in lower case; a project that needs one of them uses the tool. ``commands``:
    what starts it, the first words of a command line.
    """

    name: str
    role: Role
    port: int
    packages: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()


_F, _B = Role.FRONTEND, Role.BACKEND

NEXT: Final = Kind("Next", _F, 3000, ("next",), ("next",))
NUXT: Final = Kind("Nuxt", _F, 3000, ("nuxt", "nuxt3", "nuxt-edge"), ("nuxt", "nuxi"))
SVELTEKIT: Final = Kind("SvelteKit", _F, 5173, ("@sveltejs/kit",))
ASTRO: Final = Kind("Astro", _F, 4321, ("astro",), ("astro",))
REACT_ROUTER: Final = Kind("React Router", _F, 5173, ("@react-router/dev", "@remix-run/dev"), ("react-router", "remix"))
ANGULAR: Final = Kind("Angular", _F, 4200, ("@angular/cli", "@angular/build"), ("ng",))
CRA: Final = Kind("Create React App", _F, 3000, ("react-scripts",), ("react-scripts", "react-app-rewired", "craco"))
VUE_CLI: Final = Kind("Vue CLI", _F, 8080, ("@vue/cli-service",), ("vue-cli-service",))
VITE: Final = Kind("Vite", _F, 5173, ("vite", "rolldown-vite"), ("vite",))
PARCEL: Final = Kind("Parcel", _F, 1234, ("parcel",), ("parcel",))
WEBPACK: Final = Kind(
    "webpack-dev-server", _F, 8080, ("webpack-dev-server",), ("webpack", "webpack-dev-server", "rspack")
)
STATIC: Final = Kind("Python's http.server", _F, 8000)
NEST: Final = Kind("NestJS", _B, 3000, ("@nestjs/core",), ("nest",))
EXPRESS: Final = Kind("Express", _B, 3000, ("express",))
FASTIFY: Final = Kind("Fastify", _B, 3000, ("fastify",), ("fastify",))
KOA: Final = Kind("Koa", _B, 3000, ("koa",))
HONO: Final = Kind("Hono", _B, 3000, ("@hono/node-server",))
NODE: Final = Kind("Node", _B, 3000, ("socket.io", "ws"), ("node", "nodemon", "tsx", "ts-node", "bun", "deno"))
DJANGO: Final = Kind("Django", _B, 8000, ("django",))
FASTAPI: Final = Kind("FastAPI", _B, 8000, ("fastapi", "starlette"), ("fastapi",))
FLASK: Final = Kind("Flask", _B, 5000, ("flask", "flask-socketio", "quart"), ("flask",))
AIOHTTP: Final = Kind("aiohttp", _B, 8080, ("aiohttp",))
PYTHON: Final = Kind(
    "Python",
    _B,
    8000,
    ("python-socketio", "uvicorn"),
    ("python", "python3", "uvicorn", "gunicorn", "hypercorn", "daphne"),
)
RAILS: Final = Kind("Rails", _B, 3000, ("rails",), ("rails", "bin/rails", "puma"))

KINDS: Final = (
    *(NEXT, NUXT, SVELTEKIT, ASTRO, REACT_ROUTER, ANGULAR, CRA, VUE_CLI, VITE, PARCEL, WEBPACK, STATIC),
    *(NEST, EXPRESS, FASTIFY, KOA, HONO, NODE, DJANGO, FASTAPI, FLASK, AIOHTTP, PYTHON, RAILS),
)
"""Of those that a project names in one role, the first is meant: SvelteKit, Astro and others bring Vite along."""

_OF_NODE: Final = frozenset((NEST, EXPRESS, FASTIFY, KOA, HONO, NODE))
_NO_NODE: Final = (
    *("python", "uvicorn", "gunicorn", "hypercorn", "daphne", "granian", "flask", "ruby", "puma", "bundle", "rails"),
    *("java", "php", "perl", "dotnet", "beam", "nginx", "caddy", "httpd", "apache"),
)
"""How the names of programs begin that run no JavaScript."""

SOCKET_PACKAGES: Final = frozenset(("socket.io", "python-socketio", "flask-socketio", "@nestjs/platform-socket.io"))
"""What serves Socket.IO."""


def runs(program: str, kind: Kind) -> bool:
    """Tell whether `program`, as the system names it, may be what runs `kind`: Python runs no Vite, Node no Django."""
    is_javascript = kind in _OF_NODE or (kind.role is Role.FRONTEND and kind is not STATIC)
    return not program.startswith(_NO_NODE if is_javascript else "node")


def kind_of_packages(packages: frozenset[str], role: Role) -> Kind | None:
    """Return the tool in `role` that a project with `packages` uses; None: none that is known."""
    return next((kind for kind in KINDS if kind.role is role and packages.intersection(kind.packages)), None)


def kind_of_command(words: list[str]) -> Kind | None:
    """Return the tool that a command line starts, by its first word that is one's name.

    ``npx vite``, ``node_modules/.bin/next dev``, ``python -m uvicorn app:app``: what comes first is only a way to start
    it, so a tool counts before the program that runs it.
    """
    names = [word.rpartition("/")[2] if not word.startswith("bin/") else word for word in words[:6]]
    found = [kind for name in names for kind in KINDS if name in kind.commands]
    if "runserver" in words:
        return DJANGO
    return next((kind for kind in found if kind not in (NODE, PYTHON)), found[0] if found else None)
