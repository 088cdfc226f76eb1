"""Ports that configurations and sources name for the servers that they start. By text: nothing is run. Pure.

Start at :func:`ports_in`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Final

from devproxy.init import kinds
from devproxy.init.evidence import Place, Stated
from devproxy.init.kinds import Kind, Role
from devproxy.init.manifests import is_port

_CONFIGS: Final[tuple[tuple[str, Kind, tuple[str, ...]], ...]] = (
    ("vite.config", kinds.VITE, ("server",)),
    ("nuxt.config", kinds.NUXT, ("devServer",)),
    ("astro.config", kinds.ASTRO, ("server",)),
    ("webpack.config", kinds.WEBPACK, ("devServer",)),
    ("webpack.dev", kinds.WEBPACK, ("devServer",)),
    ("rspack.config", kinds.WEBPACK, ("devServer",)),
    ("vue.config", kinds.VUE_CLI, ("devServer",)),
    ("angular.json", kinds.ANGULAR, ("serve",)),
)
"""How the names of configurations begin, whose they are, and the keys below which the port is."""
_WINDOW: Final = 1500
"""How far behind such a key, or behind the name of a function, something is looked for, in characters."""
_MAX_PORTS: Final = 20
"""Most ports that one file is taken to name."""
_find_port: Final = re.compile(
    r"[\"']?\bport[\"']?[ \t]{0,20}+[:=][ \t]{0,20}+(?:[\w.(]{1,80}+ ?(?:\|\||\?\?) ?)?[\"']?(\d{2,5}+)\b"
).search
_find_env_port: Final = re.compile(r"^(?:export )?PORT=[\"']?(\d{2,5}+)\b", re.MULTILINE).search
_find_listen: Final = re.compile(r"\.listen\(\s{0,40}+(?:\{\s{0,40}+port:\s{0,40}+)?(\d{2,5}+)\b").finditer
_find_default: Final = re.compile(
    r"\bPORT\b[\"')\]]{0,3}+\s{0,20}+(?:\|\||\?\?|,|=)\s{0,20}+[\"']?(\d{2,5}+)\b(?!\.\d)"  # PORT, "127.0.0.1"
).finditer
_find_run: Final = re.compile(r"\b(?:uvicorn\.run|app\.run|socketio\.run|run_app|run_simple)\(").finditer


def ports_in(name: str, path: str, text: str) -> Iterator[Stated]:
    """Yield the ports that the file called `name` at `path` names for servers."""
    for start, kind, keys in _CONFIGS:
        if name.startswith(start):
            for port, line in _below(text, keys):
                yield Stated(port, kind.role, Place(path, line), kind)
            return
    if name.startswith(".env"):
        if (match := _find_env_port(text)) and is_port(int(match[1])):
            yield Stated(int(match[1]), Role.BACKEND, Place(path, _line(text, match.start())))
        return
    if name.endswith(".py"):
        yield from _of_python(path, text)
    elif name.endswith((".js", ".ts", ".mjs", ".cjs", ".mts", ".cts")):
        yield from _of_node(path, text)


def _below(text: str, keys: tuple[str, ...]) -> Iterator[tuple[int, int]]:
    """Yield the first port that is named below one of `keys`, with its line."""
    for key in keys:
        at = text.find(key)
        match = _find_port(text, at, at + _WINDOW) if at >= 0 else None
        if match is not None and is_port(int(match[1])):
            yield int(match[1]), _line(text, match.start(1))
            return


def _of_python(path: str, text: str) -> Iterator[Stated]:
    for called in islice(_find_run(text), _MAX_PORTS):
        match = _find_port(text, called.end(), called.end() + 200)
        if match is not None and is_port(int(match[1])):
            yield Stated(int(match[1]), Role.BACKEND, Place(path, _line(text, match.start(1))))


def _of_node(path: str, text: str) -> Iterator[Stated]:
    if ".listen(" not in text and "serve(" not in text:
        return
    for match in (*islice(_find_listen(text), _MAX_PORTS), *islice(_find_default(text), _MAX_PORTS)):
        if is_port(int(match[1])):
            yield Stated(int(match[1]), Role.BACKEND, Place(path, _line(text, match.start(1))))


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1
