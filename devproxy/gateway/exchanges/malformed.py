"""What is not a request, answered and reported: there is no exchange for it. Start at :func:`refuse`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from devproxy.answers import Answer, compose
from devproxy.answers.rendering import Composed
from devproxy.events import Entry, ExchangeFinished, Outcome
from devproxy.plan import lines_for_malformed

if TYPE_CHECKING:
    from devproxy.gateway.shared.state import SharedState
    from devproxy.http.messages import RequestHead
    from devproxy.policy.hop import Peer


def refuse(
    shared: SharedState, peer: Peer, answer: Answer, reason: str, octets: bytes, head: RequestHead | None
) -> Composed:
    """Report that `peer` gets `answer`, for `reason`; return it to be written.

    `octets`: the request as far as it came; `head`: if that could be read.
    """
    composed = compose(answer, head, lines_for_malformed(octets, shared.current.snapshot))
    event = ExchangeFinished(
        method=head.method if head else b"",
        target=head.target if head else b"",
        status=answer.status,
        route="",
        upstream="",
        server="",
        outcome=Outcome.ANSWERED,
        duration_s=0.0,
        first_byte_s=0.0,
        request_bytes=0,
        response_bytes=len(composed.body),
        client=peer.address,
        error=answer.code,
        detail=reason or answer.what,
        exchange_id=shared.next_exchange_id(),
    )
    now = shared.clock()
    for keep in shared.observers.keepers:
        keep(_entry(event, peer, head, now))
    shared.observers.tell_end(event)
    return composed


def _entry(event: ExchangeFinished, peer: Peer, head: RequestHead | None, now: float) -> Entry:
    return Entry(
        exchange_id=event.exchange_id,
        method=event.method,
        target=event.target,
        facts=head.facts if head else None,
        client=event.client,
        scheme=peer.scheme,
        http=peer.version,
        started=now,
        ended=now,
        first_byte_s=0.0,
        status=event.status,
        route="",
        upstream="",
        server="",
        outcome=event.outcome,
        request_bytes=0,
        response_bytes=event.response_bytes,
        error=event.error,
        detail=event.detail,
        has_advice=False,
        capture=None,
    )
