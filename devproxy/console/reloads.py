"""What is said when the configuration changes while devproxy runs: a short diff, or the report of what is wrong.

Pure. Start at :func:`applied_lines`.
"""

from __future__ import annotations

from typing import Final

from devproxy.console.secrets import masked
from devproxy.console.style import Style
from devproxy.console.text import counted, duration
from devproxy.events import ConfigApplied, ConfigMissing, ConfigRejected, Trouble
from devproxy.text.safe import visible

MAX_CHANGES: Final = 12
"""Changes that are shown one by one."""

_INDENT: Final = " " * 9
"""As wide as the time and the space after it."""

_SIGNS: Final = {"added": "+", "removed": "-", "changed": "~"}


def applied_lines(time: str, event: ConfigApplied, style: Style) -> list[str]:
    """Return that another configuration holds, and a line for each thing that it changes.

    None where a program has moved: it is said that it answers.
    """
    if event.cause:
        return []
    summary = counted(len(event.changes), "change") if event.changes else "nothing has changed"
    lines = [f"{time} {style.green('reloaded')} {visible(event.source)}: {summary}"]
    paints = {"added": style.green, "removed": style.red, "changed": style.yellow}
    for change in event.changes[:MAX_CHANGES]:
        sign = paints[change.kind](_SIGNS[change.kind])
        lines.append(f"{_INDENT}{sign} {style.bold(visible(change.what))} {visible(masked(change.detail))}")
    if len(event.changes) > MAX_CHANGES:
        lines.append(f"{_INDENT}{style.glyphs.cut} and {len(event.changes) - MAX_CHANGES} more")
    if event.urls:
        lines.append(f"{_INDENT}listening on {', '.join(map(visible, event.urls))}")
    if event.departing_tunnels:
        when = f"in {duration(event.drain_s)}" if event.drain_s else "now"
        tunnels = counted(event.departing_tunnels, "WebSocket")
        verb = "closes" if event.departing_tunnels == 1 else "close"
        lines.append(f"{_INDENT}{tunnels} {verb} {when}: the route is gone or leads elsewhere")
    return lines


def rejected_lines(time: str, event: ConfigRejected, style: Style) -> list[str]:
    """Return that the file does not load, and the whole report, painted already."""
    found = counted(event.problems, "problem")
    head = f"{time} {visible(event.source)} {style.red(f'has {found}')}; still running with the previous configuration"
    return [head, *event.report.rstrip("\n").split("\n")]


def missing_trouble(event: ConfigMissing) -> Trouble:
    """Return the warning that there is no file any more."""
    what = f"{event.source} cannot be read: {event.reason}; still running with the previous configuration"
    return Trouble(what, "put it back, and it is read again immediately")
