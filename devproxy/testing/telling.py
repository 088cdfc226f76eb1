"""An event as one line of plain text, for the report of a test. Pure."""

from __future__ import annotations

from devproxy.events import Event, ExchangeFinished, Trouble, TunnelClosed, TunnelOpened, UpstreamState
from devproxy.text.safe import visible


def line_of(event: Event) -> str:
    """Return what `event` says, printable; empty for what a test's report is better without."""
    return visible(_said(event))


def _said(event: Event) -> str:
    match event:
        case ExchangeFinished():
            where = event.upstream or "devproxy"
            what = f"{event.method.decode('latin-1')} {event.target.decode('latin-1')}"
            why = ": ".join(part for part in (event.error, event.detail) if part)
            parts = (f"{event.status or '-'} {where} {event.duration_s * 1000:.0f} ms", why, *event.advice)
            return f"{what} -> {'; '.join(part for part in parts if part)}"
        case TunnelOpened():
            return f"{event.protocol} {event.target.decode('latin-1')} -> {event.upstream} opened"
        case TunnelClosed():
            target = event.target.decode("latin-1")
            return f"{event.protocol} {target} closed by {event.closed_by} after {event.duration_s:.2f} s"
        case UpstreamState(is_up=False):
            return f"{event.upstream} at {event.server} is down: {event.detail}"
        case Trouble():
            return f"{event.what} ({event.help})" if event.help else event.what
    return ""
