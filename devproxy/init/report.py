"""What was found, as lines for a terminal: what runs, what the files say, what goes past devproxy. Pure.

Start at :func:`lines_of`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from devproxy.console.style import Style
from devproxy.console.text import columns, cut, padded, widths
from devproxy.init.bypasses import FRONT
from devproxy.init.choosing import shown_folder, what_of
from devproxy.init.evidence import Bypass, Evidence, Server, Whose
from devproxy.init.proposal import Proposal
from devproxy.text.safe import visible

MAX_COLUMNS: Final = 60
"""What is wider does not make a column wider."""
MAX_FAR: Final = 5
"""Most servers of other folders that are shown."""
MAX_ROWS: Final = 30
"""Most lines below one heading: what is left out is counted."""


def lines_of(found: Evidence, proposal: Proposal, style: Style) -> list[str]:
    """Return what to say of what was `found`, and how `proposal` uses it."""
    return [
        *_section("what runs on this machine", _running(found, proposal, style), style),
        *_section("what the files say", _files(found), style),
        *_section("what goes past devproxy", _past(_passing(found, proposal), proposal, style), style),
    ]


def _section(heading: str, rows: Sequence[str], style: Style) -> list[str]:
    return [style.bold(heading), *(f"  {row}" for row in rows), ""]


def _running(found: Evidence, proposal: Proposal, style: Style) -> list[str]:
    reasons = {server.port: reason for server, reason in proposal.choice.left}
    chosen = (proposal.choice.frontend, *proposal.choice.backends)
    names = {one.port: one.name for one in chosen if one is not None and one.is_running}
    listed = [server for server in found.servers if server.role is not None or server.port in names]
    near = [server for server in listed if server.whose is not Whose.OTHER or server.port in names]
    far = [server for server in listed if server not in near]
    shown = [*near[: MAX_ROWS - MAX_FAR], *far[:MAX_FAR]]
    cells = [
        (
            str(server.port),
            visible(_what(server), 60),
            cut(visible(_whose(server, found)), MAX_COLUMNS),
            names.get(server.port, ""),
        )
        for server in shown
    ]
    rows = list(_table(cells, reasons, style))
    if left := len(listed) - len(shown):
        rows.append(f"and {left} more")
    rows += [
        f"{one.port}  {cut(visible(_program(one.program, one.pid, one.folder, found)), MAX_COLUMNS)}  no answer of HTTP"
        for one in found.silent[:MAX_FAR]
    ]
    if far and not proposal.choice.backends and (role := far[0].role) is not None:
        rows.append(f"to use one of another folder, for example: devproxy init --{role.value} {far[0].port}")
    if not found.tells_listeners:
        rows.append("This system does not say which ports are listened on: usual ones were tried.")
    elif not near:
        rows.append("None of this project: start your programs first, and devproxy init sees where they listen.")
    return rows


def _table(cells: Sequence[tuple[str, str, str, str]], reasons: dict[int, str], style: Style) -> Iterator[str]:
    if not cells:
        return
    wide = widths([row[:3] for row in cells])
    for port, what, whose, name in cells:
        end = f"{style.glyphs.to} {style.green(name)}" if name else style.dim(reasons.get(int(port), ""))
        front = "  ".join(padded(text, width) for text, width in zip((port, what, whose), wide, strict=True))
        yield f"{front}  {end}".rstrip()


def _what(server: Server) -> str:
    engine = f" at {server.engine.path}" if server.engine is not None else ""
    tls = " (https)" if server.is_tls else ""
    late = "" if server.answered else " (too slow to answer)"
    return f"{what_of(server)}{engine}{tls}{late}"


def _whose(server: Server, found: Evidence) -> str:
    return _program(server.program, server.pid, server.folder, found)


def _program(name: str, pid: int, folder: str, found: Evidence) -> str:
    if not pid:
        return "whose it is is not known"
    where = f", {shown_folder(folder, found.folder)}" if folder else ""
    return f"{name.partition(' ')[0] or 'a program'} (pid {pid}){where}"


def _files(found: Evidence) -> list[str]:
    rows = []
    for app in found.apps:
        what = ", ".join((*(kind.name for kind in app.kinds), *(("Socket.IO",) if app.serves_sockets else ())))
        rows.append((str(app.place), what or "starts a server"))
        rows += [(str(one.place), f"port {one.port}") for one in app.ports]
    rows += [(str(one.place), f"port {one.port}") for one in (*found.stated, *found.compose)]
    rows += [(str(one.place), f"a dev server's own proxy: devproxy import {one.source}") for one in found.proxied]
    rows += [(str(one.place), f"Socket.IO at {one.path}") for one in found.socket_paths]
    rows += [(str(one.place), f"the frontend answers {one.glob or one.path} itself") for one in found.own_routes]
    shown = [(visible(left), visible(right)) for left, right in dict.fromkeys(rows)]
    lines = _two_columns(shown[:MAX_ROWS])
    if len(shown) > MAX_ROWS:
        lines.append(f"and {len(shown) - MAX_ROWS} more")
    lines += [f"{visible(path)} was not read: {reason}" for path, reason in found.unread[:5]]
    lines += [f"{visible(path)} was not read: larger than 1 MiB" for path in found.scan.too_large[:5]]
    if found.scan.stopped:
        lines.append(
            f"Reading stopped {found.scan.stopped}: start devproxy init in the project's own folder to see all."
        )
    if found.file_above:
        lines.append(f"{visible(found.file_above)} counts here until now; a file here takes its place.")
    return lines or ["no file that says what this project is"]


def _passing(found: Evidence, proposal: Proposal) -> list[Bypass]:
    """Return the addresses that go past devproxy: not those that are devproxy's already."""
    own = found.fronts | {proposal.port}
    return [one for one in found.bypasses if one.is_remote or one.port not in own]


def _past(bypasses: Sequence[Bypass], proposal: Proposal, style: Style) -> list[str]:
    if not bypasses:
        return ["nothing was found: pages ask the address that they came from"]
    front = f"localhost:{proposal.port}"
    cells = [(visible(str(one.place)), one.written) for one in bypasses[:MAX_ROWS]]
    wide = widths(cells)
    most = max((columns(text) for _, text in cells if columns(text) <= MAX_COLUMNS), default=MAX_COLUMNS)
    rows = [
        f"{padded(place, wide[0])}  {padded(written, most)}  {_advice(one, front, style)}"
        for (place, written), one in zip(cells, bypasses, strict=False)
    ]
    if len(bypasses) > MAX_ROWS:
        rows.append(f"and {len(bypasses) - MAX_ROWS} more")
    return rows


def _advice(one: Bypass, front: str, style: Style) -> str:
    instead = one.instead.replace(FRONT, front)
    if one.is_remote:
        return "on another machine: to bring it behind devproxy, name it as an upstream"
    return f"write {style.green(instead)}"


def _two_columns(rows: Sequence[tuple[str, str]]) -> list[str]:
    if not rows:
        return []
    wide = widths(rows)[0]
    return [f"{padded(left, wide)}  {right}" for left, right in rows]
