"""The paths that a frontend's framework answers itself, without a page: found by the names of its files. Pure.

Next (``route.ts``, ``pages/api``), Nuxt (``server/api``, ``server/routes``), SvelteKit (``+server.ts``), Astro
(endpoints), React Router and Remix (resource routes). Start at :func:`own_routes`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import quote

from devproxy.init import kinds
from devproxy.init.evidence import OwnRoute, Place
from devproxy.init.kinds import Kind

_CODE: Final = re.compile(r"(.*)\.(?:js|jsx|ts|tsx|mjs|mts|cjs)").fullmatch
_METHOD: Final = re.compile(
    r"(.*)\.(?:get|post|put|patch|delete|head|options|connect|trace)(?:\.(?:dev|prod))?"
).fullmatch
_DYNAMIC: Final = "*"
_REST: Final = "**"
_SAFE: Final = "-._~!$&'()+,;=:@"
"""What a path may have as it is (RFC 3986, pchar), but for the signs of a glob."""


def own_routes(kind: Kind, folder: str, files: Iterable[str]) -> list[OwnRoute]:
    """Return the paths that the project of `kind` in `folder` answers itself, in the order of the paths.

    `files`: all of its files, relative to `folder`, with slashes.
    """
    found: dict[str, OwnRoute] = {}
    for file in sorted(files):
        segments = _segments(kind, file)
        if segments is None:
            continue
        static = next((place for place, segment in enumerate(segments) if segment in (_DYNAMIC, _REST)), len(segments))
        path = "/" + "/".join(segments[:static])
        glob = "/" + "/".join(segments) if static < len(segments) else ""
        found.setdefault(glob or path, OwnRoute(path, Place(f"{folder}/{file}".lstrip("/")), glob))
    return sorted(found.values(), key=lambda route: (route.path, route.glob))


def _segments(kind: Kind, file: str) -> list[str] | None:
    """Return the parts of the path that `file` answers; None: it answers none on its own."""
    match = _CODE(file)
    if match is None:
        return None
    parts = match[1].split("/")
    if kind is kinds.NEXT:
        return _of_next(parts[1:] if parts[0] == "src" else parts)
    if kind is kinds.NUXT:
        return _of_nuxt(parts)
    if kind is kinds.SVELTEKIT and parts[:2] == ["src", "routes"] and parts[-1] == "+server":
        return list(_bracketed(parts[2:-1]))
    if kind is kinds.ASTRO and parts[:2] == ["src", "pages"] and not any(part.startswith("_") for part in parts):
        return list(_bracketed(_without_index(parts[2:])))
    if kind is kinds.REACT_ROUTER and parts[:2] == ["app", "routes"] and not file.endswith(("x", ".server.ts")):
        return _of_react_router(parts[2:])
    return None


def _of_next(parts: list[str]) -> list[str] | None:
    if parts[:2] == ["pages", "api"]:
        return ["api", *_bracketed(_without_index(parts[2:]))]
    is_route = parts[0] == "app" and parts[-1] == "route"
    if not is_route or any(part.startswith("_") for part in parts):
        return None
    return list(_bracketed(part for part in parts[1:-1] if not part.startswith("@")))


def _of_nuxt(parts: list[str]) -> list[str] | None:
    if len(parts) < 3 or parts[0] != "server" or parts[1] not in ("api", "routes"):
        return None
    method = _METHOD(parts[-1])
    last = method[1] if method else parts[-1]
    inner = list(_bracketed(_without_index([*parts[2:-1], last])))
    return ["api", *inner] if parts[1] == "api" else inner


def _of_react_router(parts: list[str]) -> list[str] | None:
    """Return the path of a flat route: ``api.items.$id`` is ``/api/items/*``; a folder has it in its ``route``."""
    if len(parts) == 2 and parts[1] == "route":
        parts = parts[:1]
    if len(parts) != 1:
        return None
    names = parts[0].replace("[.]", "\0").split(".")
    kept = [name.replace("\0", ".").rstrip("_") for name in names if not name.startswith("_")]
    return [_REST if name == "$" else _DYNAMIC if name.startswith("$") else _encoded(name) for name in kept if name]


def _without_index(parts: list[str]) -> list[str]:
    return parts[:-1] if parts and parts[-1] == "index" else parts


def _bracketed(parts: Iterable[str]) -> Iterator[str]:
    """Yield the segments of a path: ``[id]`` is one that varies, ``[...rest]`` any number; ``(group)`` is none."""
    for part in parts:
        if part.startswith("(") and part.endswith(")"):
            continue
        if part.startswith(("[...", "[[...")):
            yield _REST
        elif part.startswith("[["):
            yield _REST  # may be missing, which a single star cannot say
        elif "[" in part:
            yield _DYNAMIC
        else:
            yield _encoded(part)


def _encoded(part: str) -> str:
    return quote(part, safe=_SAFE, errors="replace")
