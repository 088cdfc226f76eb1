"""Asking the devproxys of this person that are running: what each of them is, and by what it serves.

Blocking, with a plain socket: imports no asyncio. Sockets whose process is gone are removed. Start at :func:`running`,
or at :func:`running_with` for the one that has a certain file.
"""

from __future__ import annotations

import json
import os
from typing import Any, Final, NamedTuple

from devproxy.platforms import endpoints

TIMEOUT_S: Final = 2.0
MAX_ANSWER_BYTES: Final = 4 << 20


class Running(NamedTuple):
    """A devproxy that is running, as it says itself.

    ``path``: of its socket or, on Windows, of the note about its pipe. ``urls``: where it listens. ``folder``: its
    working directory. ``source``: its configuration, an absolute path or ``command line``. ``routes``: their labels, in
    the order of precedence. ``since_at``: in seconds since the epoch.
    """

    path: str
    pid: int
    version: str
    urls: tuple[str, ...]
    folder: str
    source: str
    routes: tuple[str, ...]
    since_at: float

    def ask(self, question: str) -> dict[str, Any]:
        """Return its answer to `question`: ``about``, ``configuration`` or ``inspector``. Raises OSError.

        ``configuration``: ``{"source", "text", "options"}``: the text of the file in force (None: from the command
        line alone), and the options of ``devproxy up`` that count besides (``frontend``, ``backend``, ``backend_path``,
        ``listen``, ``tls``). ``inspector``: ``{"socket", "port", "secret", "key", "url"}``, all empty where it is
        switched off: its Unix socket or, where there is none, its port of 127.0.0.1.
        """
        return _ask(self.path, question)


def running(folder: str | None = None) -> list[Running]:
    """Return every devproxy of this person that is running, the oldest first. Raises nothing."""
    found: list[Running] = []
    try:
        paths = endpoints.endpoints(folder)
    except OSError:
        return []
    for path in paths:
        try:
            found.append(_read(path, _ask(path, "about")))
        except ConnectionRefusedError:
            endpoints.remove_stale(path)
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return sorted(found, key=lambda one: one.since_at)


def running_with(source: str, folder: str | None = None) -> Running | None:
    """Return the devproxy that has the configuration `source`, a path; None: there is none."""
    wanted = os.path.realpath(source)
    return next((one for one in running(folder) if os.path.realpath(one.source) == wanted), None)


def _read(path: str, said: dict[str, Any]) -> Running:
    return Running(
        path=path,
        pid=int(said["pid"]),
        version=str(said["version"]),
        urls=tuple(map(str, said["urls"])),
        folder=str(said["folder"]),
        source=str(said["source"]),
        routes=tuple(map(str, said["routes"])),
        since_at=float(said["since_at"]),
    )


def _ask(path: str, question: str) -> dict[str, Any]:
    """Ask the process behind the socket at `path`. Raises OSError, and ValueError for what is no answer."""
    asked = json.dumps({"ask": question}).encode() + b"\n"
    answer = json.loads(endpoints.ask(path, asked, TIMEOUT_S, MAX_ANSWER_BYTES))
    if not isinstance(answer, dict) or "error" in answer:
        raise OSError(0, f"no answer to {question!r}")
    return answer
