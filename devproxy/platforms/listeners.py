"""Which ports of this machine are listened on, and by whose program: asks the system, connects to nothing.

Linux says it in ``/proc``, macOS by ``lsof``, Windows by ``netstat``, which knows no folders. Start at
:func:`listeners`.
"""

from __future__ import annotations

import subprocess
from typing import Final, NamedTuple

from devproxy.platforms.holders import EVERY_ADDRESS, holders_of, listening_ports
from devproxy.platforms.listener_tables import ANY, Row, read_cwd, read_lsof, read_netstat
from devproxy.platforms.system import SYSTEM

_LOOPBACK: Final = ("127.", "::1", "::ffff:127.")
_LIMIT_S: Final = 2.0
_MAX_FOLDERS: Final = 64
"""Most programs whose folder is asked for, where each takes a command of its own."""


class Listener(NamedTuple):
    """A port that is listened on. ``address``: one to connect to. ``folder``: of the program; empty: not known."""

    port: int
    address: str
    pid: int = 0
    program: str = ""
    folder: str = ""


def listeners(system: str = SYSTEM) -> list[Listener] | None:
    """Return what can be reached from this machine, on loopback addresses or on every address, by port.

    None where the system does not tell.
    """
    found = _of_linux() if system.startswith("linux") else None
    return _of_commands(system) if found is None else found


def _of_linux() -> list[Listener] | None:
    ports = listening_ports()
    if ports is None:
        return None
    chosen = {port: address for port, addresses in sorted(ports.items()) if (address := _reachable(addresses))}
    holders = holders_of(frozenset(chosen))
    return [
        Listener(port, address, *holders[port]) if port in holders else Listener(port, address)
        for port, address in chosen.items()
    ]


def _of_commands(system: str) -> list[Listener] | None:
    """Ask the command that the system has for it; None where there is none, or it fails."""
    if system == "win32":
        texts = [_said("netstat", "-ano", "-p", protocol) for protocol in ("TCP", "TCPv6")]
        rows = [row for text in texts for row in read_netstat(text)]
    else:
        rows = read_lsof(_said("lsof", "-nP", "-iTCP", "-sTCP:LISTEN", "-F", "pcn"))
    by_port: dict[int, list[Row]] = {}
    for row in rows:
        by_port.setdefault(row.port, []).append(row)
    pids = list(dict.fromkeys(row.pid for row in rows if row.pid))[:_MAX_FOLDERS]
    folders = {} if system == "win32" else {pid: _folder(pid) for pid in pids}
    return [
        Listener(port, address, of_port[0].pid, of_port[0].name, folders.get(of_port[0].pid, ""))
        for port, of_port in sorted(by_port.items())
        if (address := _reachable([row.address for row in of_port]))
    ] or None


def _folder(pid: int) -> str:
    return read_cwd(_said("lsof", "-a", "-p", str(pid), "-d", "cwd", "-F", "n"))


def _said(*command: str) -> str:
    """Return what `command` prints; empty where it is not there, fails or takes too long."""
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=_LIMIT_S, check=False, stdin=subprocess.DEVNULL, errors="replace"
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout


def _reachable(addresses: list[str]) -> str:
    """Return where to connect: a loopback address, also for what listens on every one; empty: on others alone."""
    for address in addresses:
        if address.startswith(_LOOPBACK):
            return address.removeprefix("::ffff:")
    if EVERY_ADDRESS[0] in addresses or ANY in addresses:
        return "127.0.0.1"
    return "::1" if EVERY_ADDRESS[1] in addresses else ""
