"""What listens on a port of this machine, as far as the system tells: which process, at which addresses.

Start at :func:`holder_of`, :func:`listening_addresses` and :func:`ports_below`; for all ports at once, at
:func:`listening_ports`.
"""

from __future__ import annotations

import socket
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from devproxy.platforms.system import IS_LINUX

_TABLES: Final = ("/proc/net/tcp", "/proc/net/tcp6")
_TCP_LISTEN: Final = "0A"
EVERY_ADDRESS: Final = ("0.0.0.0", "::")


class Holder(NamedTuple):
    """A process that listens. ``folder``: its working directory, empty where that is another user's business."""

    pid: int
    name: str
    folder: str = ""


def holder_of(port: int) -> Holder | None:
    """Return what listens on TCP `port`; None where nothing does, or where the system does not tell."""
    return holders_of((port,)).get(port)


def holders_of(ports: Collection[int]) -> dict[int, Holder]:
    """Return what listens on each of the TCP `ports`, as far as something does and the system tells."""
    if not IS_LINUX:
        return _holders_elsewhere(ports)
    wanted = {f"socket:[{inode}]": port for port, _, inode in _listening() if port in ports}
    left, found = set(wanted.values()), dict[int, Holder]()
    processes = Path("/proc").iterdir() if left else ()
    for process in processes:
        if not left:
            break
        if not process.name.isdigit():
            continue
        with suppress(OSError):
            for descriptor in (process / "fd").iterdir():
                with suppress(OSError):  # it may be closed by now
                    port = wanted.get(str(descriptor.readlink()))
                    if port is not None and port in left:
                        found[port] = _holder(process)
                        left.remove(port)
    return found


def _holders_elsewhere(ports: Collection[int]) -> dict[int, Holder]:
    from devproxy.platforms import port_tools  # runs programs, for which no start needs to wait

    found: dict[int, Holder] = {}
    known: dict[int, Holder] = {}
    for one in port_tools.listening():
        if one.port in ports and one.port not in found:
            if one.pid not in known:
                name, folder = port_tools.named(one.pid)
                known[one.pid] = Holder(one.pid, name or "a program", folder)
            found[one.port] = known[one.pid]
    return found


def _holder(process: Path) -> Holder:
    name, folder = (process / "comm").read_text().strip(), ""
    with suppress(OSError):
        folder = str((process / "cwd").readlink()).removesuffix(" (deleted)")
    return Holder(int(process.name), name, folder)


def listening_ports() -> dict[int, list[str]] | None:
    """Return every TCP port that something listens on, with the addresses; None where the system does not tell."""
    if not IS_LINUX:
        from devproxy.platforms import port_tools

        return port_tools.by_port(port_tools.listening()) or None
    if not any(Path(table).exists() for table in _TABLES):
        return None
    found: dict[int, list[str]] = {}
    for port, written, _ in _listening():
        found.setdefault(port, []).append(_address(written))
    return found


def listening_addresses(port: int) -> list[str]:
    """Return the addresses at which something listens on TCP `port`, without those that mean every address."""
    if not IS_LINUX:
        return [address for address in (listening_ports() or {}).get(port, []) if address not in EVERY_ADDRESS]
    return [
        address
        for number, written, _ in _listening()
        if number == port and (address := _address(written)) not in EVERY_ADDRESS
    ]


def _address(written: str) -> str:
    """Return the address that is `written` in the table's own hexadecimal form."""
    # Four bytes at a time, each in the order of the machine: little-endian wherever Python is common.
    packed = b"".join(bytes.fromhex(written[at : at + 8])[::-1] for at in range(0, len(written), 8))
    return socket.inet_ntop(socket.AF_INET if len(packed) == 4 else socket.AF_INET6, packed)


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
    return frozenset(port for port, _, inode in _listening() if f"socket:[{inode}]" in wanted)


def _tree(root: int) -> list[int]:
    """Return `root` and the processes below it (proc(5): ``children``, of each thread)."""
    found = [root]
    for pid in found:
        with suppress(OSError):
            for thread in (Path("/proc") / str(pid) / "task").iterdir():
                with suppress(OSError):
                    found += map(int, (thread / "children").read_text().split())
    return found


def _listening() -> Iterator[tuple[int, str, str]]:
    """Give port, address in the table's own hexadecimal form, and inode of each socket that listens.

    Linux lists those first (``tcp_seq_start`` in net/ipv4/tcp_ipv4.c), and behind them every connection, of which a
    machine under load has tens of thousands: these are not read.
    """
    for table in _TABLES:
        with suppress(OSError), Path(table).open() as lines:
            next(lines, "")
            for line in lines:
                columns = line.split()
                if columns[3] != _TCP_LISTEN:
                    break
                address, _, number = columns[1].rpartition(":")
                yield int(number, 16), address, columns[9]
