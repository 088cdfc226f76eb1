"""What listens on a port where there is no ``/proc``: ``lsof`` of macOS, ``netstat`` and ``tasklist`` of Windows.

They take some tenths of a second, and are asked only after something has failed. What they print is read by functions
that run nothing. Start at :func:`listening` and :func:`named`.
"""

from __future__ import annotations

import csv
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from typing import Final, NamedTuple

from devproxy.platforms.system import IS_MACOS, IS_WINDOWS

LIMIT_S: Final = 3.0


class Listening(NamedTuple):
    """A socket that listens. ``address``: ``0.0.0.0`` or ``::`` for every address of the machine."""

    port: int
    address: str
    pid: int


def listening() -> list[Listening]:
    """Return what listens on TCP ports; nothing where the system's tool says nothing."""
    if IS_MACOS:
        return read_lsof(_said("lsof", "-nP", "-iTCP", "-sTCP:LISTEN", "-Fptn"))
    return read_netstat(_said("netstat", "-ano")) if IS_WINDOWS else []


def by_port(found: list[Listening]) -> dict[int, list[str]]:
    """Return the addresses for each port."""
    ports: dict[int, list[str]] = {}
    for one in found:
        ports.setdefault(one.port, []).append(one.address)
    return ports


def named(pid: int) -> tuple[str, str]:
    """Return the name and the working directory of the process `pid`, each empty where the system does not tell."""
    if IS_MACOS:
        fields = {line[:1]: line[1:] for line in _said("lsof", "-a", "-p", str(pid), "-d", "cwd", "-Fcn")}
        return fields.get("c", ""), fields.get("n", "")
    if IS_WINDOWS:
        return read_tasklist(_said("tasklist", "/FI", f"PID eq {pid}", "/FO", "CSV", "/NH")), ""
    return "", ""


def read_lsof(lines: list[str]) -> list[Listening]:
    """Return what `lines` of ``lsof -F ptn`` say.

    ``p4242``, then for each of its sockets ``tIPv4`` or ``tIPv6``, and ``n127.0.0.1:8080`` or ``n*:8080``.
    """
    found: dict[Listening, None] = {}
    pid, is_ipv6 = 0, False
    for line in lines:
        if line[:1] == "p" and line[1:].isdigit():
            pid = int(line[1:])
        elif line[:1] == "t":
            is_ipv6 = line == "tIPv6"
        elif line[:1] == "n" and pid:
            _note(found, line[1:].replace("*:", "[::]:" if is_ipv6 else "0.0.0.0:"), pid)
    return list(found)


def read_netstat(lines: list[str]) -> list[Listening]:
    """Return what `lines` of ``netstat -ano`` say.

    The state is in the language of the system; what listens is known by its foreign port, which is 0.
    """
    found: dict[Listening, None] = {}
    for line in lines:
        columns = line.split()
        if len(columns) >= 5 and columns[0] == "TCP" and columns[2].endswith(":0") and columns[-1].isdigit():
            _note(found, columns[1], int(columns[-1]))
    return list(found)


def read_tasklist(lines: list[str]) -> str:
    """Return the name in `lines` of ``tasklist /FO CSV /NH``: ``"node.exe","4242",…``; empty where there is none."""
    rows: Iterator[list[str]] = (row for row in csv.reader(lines) if len(row) >= 5 and row[1].isdigit())
    return next((row[0].removesuffix(".exe") for row in rows), "")


def _note(found: dict[Listening, None], written: str, pid: int) -> None:
    """Add the socket at `written`, ``host:port``; nothing where that has no port."""
    host, _, port = written.rpartition(":")
    if port.isdigit():
        found[Listening(int(port), host.strip("[]").partition("%")[0], pid)] = None


def _said(*command: str) -> list[str]:
    with suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=LIMIT_S, check=False)
        return done.stdout.decode("utf-8", "replace").splitlines()
    return []
