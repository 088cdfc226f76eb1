"""What files of a project say about it: what it needs, what starts it, on which ports. Read as text, never run. Pure.

Start at :func:`app_of`; :data:`MANIFESTS` are the files that say that a folder is a project.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import tomli

from devproxy.init.evidence import App, Place, Stated
from devproxy.init.kinds import DJANGO, KINDS, SOCKET_PACKAGES, Kind, Role, kind_of_command, kind_of_packages

MANIFESTS: Final = (
    *("package.json", "pyproject.toml", "requirements.txt", "requirements-dev.txt", "requirements/base.txt"),
    *("requirements/dev.txt", "Pipfile", "manage.py", "Gemfile"),
)
"""Files that make a folder a project, or say more about it."""
_MAX_PACKAGES: Final = 2000
_MAX_SCRIPTS: Final = 200
_MAX_COMMAND: Final = 4000
_split_commands: Final = re.compile(r"&&|\|\||[;|&\"'\n]").split
_find_port: Final = re.compile(
    r"(?:^|\s)(?:--port[= ]|-p[= ]?|--bind[= ]|-b[= ]|--listen[= ]|PORT=|runserver\s)(?:[\w.\[\]]{1,64}+:)?(\d{2,5}+)\b"
).search
_match_requirement: Final = re.compile(r"[ \t]*([A-Za-z0-9][A-Za-z0-9._-]{0,80}+)").match
_find_gem: Final = re.compile(r"^[ \t]*gem ['\"]([a-z0-9_-]{1,80}+)['\"]", re.MULTILINE).finditer
_is_script: Final = re.compile(r"[\w:.-]{1,40}").fullmatch
_DEV_SCRIPTS: Final = ("dev", "start", "serve", "develop")


def app_of(folder: str, files: Mapping[str, str]) -> App | None:
    """Return the project in `folder`; None: nothing says that it serves anything.

    `files`: its files among :data:`MANIFESTS`, by name, as text. What cannot be read as what it should be says nothing.
    """
    packages: set[str] = set()
    ports: list[Stated] = []
    kinds: set[Kind] = set()
    scripts: dict[Role, str] = {}
    named = ""
    for name in (name for name in MANIFESTS if name in files):
        text, path = files[name], f"{folder}/{name}".lstrip("/")
        named = named or path
        if name == "package.json":
            document = _json(text)
            packages |= set(_npm_packages(document))
            for script, command, place in _commands(document, text, path):
                if (kind := kind_of_command(command.split())) is not None:
                    scripts.setdefault(kind.role, script)
                    kinds |= {kind} if kind.role is Role.FRONTEND else set()
                    ports += _stated(command, kind, place)
        elif name == "pyproject.toml":
            packages |= set(_pyproject_packages(text))
        elif name == "Gemfile":
            packages |= {match[1] for match in _find_gem(text)}
        elif name == "manage.py":
            kinds |= {DJANGO} if "DJANGO_SETTINGS_MODULE" in text else set()
        else:
            packages |= set(_requirements(text))
    known = frozenset(packages)
    found = [kind for role in Role if (kind := _kind(role, known, kinds)) is not None]
    sockets = bool(known & SOCKET_PACKAGES)
    if not found and not ports:
        return None
    return App(folder, Place(named), tuple(found), sockets, tuple(ports), tuple(scripts.items()))


def _kind(role: Role, packages: frozenset[str], commanded: set[Kind]) -> Kind | None:
    """Return the tool in `role`: by the packages, or by what the scripts start where that tells more."""
    return kind_of_packages(packages, role) or next(
        (kind for kind in KINDS if kind in commanded and kind.role is role), None
    )


def _json(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _npm_packages(document: Mapping[str, Any]) -> Iterator[str]:
    for key in ("dependencies", "devDependencies", "peerDependencies", "optionalDependencies"):
        if isinstance(document.get(key), dict) and key != "peerDependencies":
            yield from [str(name).lower() for name in document[key]][:_MAX_PACKAGES]


def _commands(document: Mapping[str, Any], text: str, path: str) -> Iterator[tuple[str, str, Place]]:
    """Yield each single command of the scripts that start something: the script, the command, and its place."""
    scripts = document.get("scripts")
    if not isinstance(scripts, dict):
        return
    chosen = [
        (str(name), script)
        for name, script in list(scripts.items())[:_MAX_SCRIPTS]
        if isinstance(script, str) and _is_script(str(name)) and str(name).partition(":")[0] in _DEV_SCRIPTS
    ]
    for name, script in chosen:
        at = text.find(json.dumps(name))
        line = text.count("\n", 0, at) + 1 if at >= 0 else 0
        for command in _split_commands(script[:_MAX_COMMAND]):
            if command.strip():
                yield name, command, Place(path, line)


def _stated(command: str, kind: Kind, place: Place) -> list[Stated]:
    found = _find_port(command)
    port = int(found[1]) if found else 0
    return [Stated(port, kind.role, place, kind)] if is_port(port) else []


def is_port(number: int) -> bool:
    """Tell whether `number` can be what a dev server listens on."""
    return 80 <= number <= 65535


def _pyproject_packages(text: str) -> Iterator[str]:
    """Yield the packages of ``[project]`` (PEP 621), of groups (PEP 735) and of Poetry."""
    try:
        document: dict[str, Any] = tomli.loads(text)
    except (tomli.TOMLDecodeError, RecursionError, ValueError):
        return
    project = _table(document, "project")
    groups = [project.get("dependencies"), *_table(project, "optional-dependencies").values()]
    groups += _table(document, "dependency-groups").values()
    for group in groups:
        for written in group if isinstance(group, list) else ():
            if isinstance(written, str):
                yield from _requirements(written)
    poetry = _table(_table(document, "tool"), "poetry")
    for table in (poetry, *_table(poetry, "group").values()):
        if isinstance(table, dict):
            yield from (_normal(name) for name in _table(table, "dependencies"))


def _table(document: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = document.get(key)
    return value if isinstance(value, dict) else {}


def _requirements(text: str) -> Iterator[str]:
    """Yield the packages of a ``requirements.txt``, or of a ``Pipfile``: what each line begins with."""
    for line in text.splitlines()[:_MAX_PACKAGES]:
        if (match := _match_requirement(line)) is not None:
            yield _normal(match[1])


def _normal(name: str) -> str:
    """Return the name of a package as PyPI compares it (PEP 503)."""
    return name.lower().replace("_", "-").replace(".", "-")
