"""What other systems print about the ports that are listened on. Pure.

Start at :func:`read_lsof` (macOS, BSD) and :func:`read_netstat` (Windows).
"""

from __future__ import annotations

from typing import Final, NamedTuple

ANY: Final = "*"
"""How ``lsof`` writes every address."""


class Row(NamedTuple):
    """A socket that listens. ``name``: of the program; empty where the table does not say."""

    port: int
    address: str
    pid: int = 0
    name: str = ""


def read_lsof(text: str) -> list[Row]:
    """Return the rows of ``lsof -nP -iTCP -sTCP:LISTEN -F pcn``: a field in each line, its first letter says which."""
    rows: list[Row] = []
    pid, name = 0, ""
    for line in text.splitlines():
        kind, value = line[:1], line[1:].strip()
        if kind == "p":
            pid, name = _number(value), ""
        elif kind == "c":
            name = value
        elif kind == "n" and (row := _row(value, pid, name)):
            rows.append(row)
    return rows


def read_cwd(text: str) -> str:
    """Return the folder of ``lsof -a -p PID -d cwd -F n``; empty where it names none."""
    return next((line[1:] for line in text.splitlines() if line.startswith("n/")), "")


def read_netstat(text: str) -> list[Row]:
    """Return the rows of ``netstat -ano -p TCP`` (and ``TCPv6``) of Windows, in whatever language its states are.

    A socket that listens is one whose other end is no address: ``0.0.0.0:0`` or ``[::]:0``.
    """
    rows: list[Row] = []
    for line in text.splitlines():
        columns = line.split()
        if len(columns) >= 4 and columns[0].upper() == "TCP" and columns[2] in ("0.0.0.0:0", "[::]:0", "*:*"):
            if row := _row(columns[1], _number(columns[-1]), ""):
                rows.append(row)
    return rows


def _row(text: str, pid: int, name: str) -> Row | None:
    address, _, port = text.rpartition(":")
    number = _number(port)
    return Row(number, address.strip("[]").partition("%")[0], pid, name) if 0 < number < 65536 and address else None


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else 0
