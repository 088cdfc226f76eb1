"""What listens on a port of this machine, as far as the system tells: which process, at which addresses.

Start at :func:`holder_of` and :func:`listening_addresses`.
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


def _listening(port: int) -> Iterator[tuple[str, str]]:
    """Give the address, in the table's own hexadecimal form, and the inode of each socket that listens on `port`."""
    for table in _TABLES:
        with suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                columns = line.split()
                address, _, number = columns[1].rpartition(":")
                if columns[3] == _TCP_LISTEN and int(number, 16) == port:
                    yield address, columns[9]
