"""The end of an exchange in the two forms in which observers are told of it."""

from __future__ import annotations

from typing import Any

from devproxy.console.writer import Lines
from devproxy.events import Entry, Event, ExchangeFinished, Observer, is_plain_end
from devproxy.http.messages import RequestFacts


def end_of(event: ExchangeFinished) -> tuple[Any, ...]:
    """Return the shortest form of what `event` tells, as a plain tuple."""
    facts = RequestFacts(upgrade=event.protocol.encode("latin-1"), fetch_dest=event.destination, is_remembered=True)
    entry = Entry(
        exchange_id=event.exchange_id,
        method=event.method,
        target=event.target,
        facts=facts,
        client=event.client,
        scheme="http",
        http=b"1.1",
        started=0.0,
        ended=event.duration_s,
        first_byte_s=event.first_byte_s,
        status=event.status,
        route=event.route,
        upstream=event.upstream,
        server=event.server,
        outcome=event.outcome,
        request_bytes=event.request_bytes,
        response_bytes=event.response_bytes,
        error=event.error,
        detail=event.detail,
        has_advice=event.has_advice,
        capture=None,
    )
    return tuple(entry)


def tell(observer: Observer, event: Event) -> None:
    """Tell `observer` of `event` as the gateway does."""
    is_plain = isinstance(event, ExchangeFinished) and is_plain_end(event.outcome, event.has_advice)
    if isinstance(event, ExchangeFinished) and observer.keep is not None:
        observer.keep(end_of(event))
    if not is_plain or observer.keep is None:
        observer.tell(event)


def lines_of(lines: Lines, at: float, event: Event) -> list[str]:
    """Return what `lines` makes of `event` where the ends of exchanges are given in the shortest form."""
    if isinstance(event, ExchangeFinished) and is_plain_end(event.outcome, event.has_advice):
        return lines.ended(at, end_of(event))
    return lines.lines(at, event)
