"""Asking the devproxys of this person that are running: what each of them is, and by what it serves.

Blocking, with a plain socket: imports no asyncio. Sockets whose process is gone are removed. Start at :func:`running`,
or at :func:`running_with` for the one that has a certain file.
"""

from __future__ import annotations

import json
import os
import socket
from contextlib import closing, suppress
from typing import Any, Final, NamedTuple

from devproxy.running.folder import check_folder, owner, runtime_folder

TIMEOUT_S: Final = 2.0
MAX_ANSWER_BYTES: Final = 4 << 20
_SUFFIX: Final = ".sock"


class Running(NamedTuple):
    """A devproxy that is running, as it says itself.

    ``path``: of its socket. ``urls``: where it listens. ``folder``: its working directory. ``source``: its
    configuration, an absolute path or ``command line``. ``routes``: their labels, in the order of precedence.
    ``since_at``: in seconds since the epoch.
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
        ``listen``, ``tls``). ``inspector``: ``{"socket", "secret", "key", "url"}``, all empty where it is switched off.
        """
        return _ask(self.path, question)


def running(folder: str | None = None) -> list[Running]:
    """Return every devproxy of this person that is running, the oldest first. Raises nothing."""
    place = runtime_folder() if folder is None else folder
    found: list[Running] = []
    try:
        check_folder(place, owner())
        names = sorted(name for name in os.listdir(place) if name.endswith(_SUFFIX))
    except OSError:
        return []
    for name in names:
        if not name.removesuffix(_SUFFIX).isdecimal():
            continue
        path = os.path.join(place, name)
        try:
            found.append(_read(path, _ask(path, "about")))
        except ConnectionRefusedError:
            _remove_stale(place, name)
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


def _remove_stale(place: str, name: str) -> None:
    """Remove a socket that no process listens on, and what the inspector of the same process has left."""
    for one in (name, f"{name.removesuffix(_SUFFIX)}.inspector{_SUFFIX}"):
        with suppress(OSError):
            os.unlink(os.path.join(place, one))


def _ask(path: str, question: str) -> dict[str, Any]:
    """Ask the process behind the socket at `path`. Raises OSError, and ValueError for what is no answer."""
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as sock:
        sock.settimeout(TIMEOUT_S)
        sock.connect(path)
        sock.sendall(json.dumps({"ask": question}).encode() + b"\n")
        received = bytearray()
        while piece := sock.recv(65536):
            received += piece
            if len(received) > MAX_ANSWER_BYTES:
                raise OSError(0, "the answer is too long")
    answer = json.loads(received)
    if not isinstance(answer, dict) or "error" in answer:
        raise OSError(0, f"no answer to {question!r}")
    return answer
