"""What listens on a port of this machine, as far as the system tells: which process, at which addresses.

Start at :func:`holder_of`, :func:`listening_addresses` and :func:`ports_below`.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

_TABLES: Final = ("/proc/net/tcp", "/proc/net/tcp6")
_TCP_LISTEN: Final = "0A"


class Holder(NamedTuple):
    """A process that listens. ``folder``: its working directory, empty where that is another user's business."""

    pid: int
    name: str
    folder: str = ""


def holder_of(port: int) -> Holder | None:
    """Return what listens on TCP `port`; None where nothing does, or where the system does not tell."""
    wanted = {f"socket:[{inode}]" for _, inode in _listening(port)}
    if not wanted:
        return None
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        with suppress(OSError):
            if any(str(descriptor.readlink()) in wanted for descriptor in (process / "fd").iterdir()):
                name, folder = (process / "comm").read_text().strip(), ""
                with suppress(OSError):
                    folder = str((process / "cwd").readlink())
                return Holder(int(process.name), name, folder)
    return None


def listening_addresses(port: int) -> list[str]:
    """Return the addresses at which something listens on TCP `port`, without those that mean every address."""
    found = []
    for written, _ in _listening(port):
        # Four bytes at a time, each in the order of the machine: little-endian wherever Python is common.
        packed = b"".join(bytes.fromhex(written[at : at + 8])[::-1] for at in range(0, len(written), 8))
        if any(packed):
            found.append(socket.inet_ntop(socket.AF_INET if len(packed) == 4 else socket.AF_INET6, packed))
    return found


def ports_below(root: int) -> frozenset[int] | None:
    """Return the TCP ports on which the process `root` and those below it listen; None: the system does not tell."""
    if not Path(_TABLES[0]).exists():
        return None
    wanted: set[str] = set()
    for pid in _tree(root):
        with suppress(OSError):
            for descriptor in (Path("/proc") / str(pid) / "fd").iterdir():
                with suppress(OSError):
                    wanted.add(str(descriptor.readlink()))
    return frozenset(port for port, inode in _all_listening() if f"socket:[{inode}]" in wanted)


def _tree(root: int) -> list[int]:
    """Return `root` and the processes below it (proc(5): ``children``, of each thread)."""
    found = [root]
    for pid in found:
        with suppress(OSError):
            for thread in (Path("/proc") / str(pid) / "task").iterdir():
                with suppress(OSError):
                    found += map(int, (thread / "children").read_text().split())
    return found


def _all_listening() -> Iterator[tuple[int, str]]:
    """Give port and inode of each socket that listens."""
    for table in _TABLES:
        with suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                columns = line.split()
                if columns[3] == _TCP_LISTEN:
                    yield int(columns[1].rpartition(":")[2], 16), columns[9]


def _listening(port: int) -> Iterator[tuple[str, str]]:
    """Give the address, in the table's own hexadecimal form, and the inode of each socket that listens on `port`."""
    for table in _TABLES:
        with suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                columns = line.split()
                address, _, number = columns[1].rpartition(":")
                if columns[3] == _TCP_LISTEN and int(number, 16) == port:
                    yield address, columns[9]
