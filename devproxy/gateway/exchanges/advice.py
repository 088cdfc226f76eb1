"""What is said about an answer besides the fact of it: what a browser does with it, and what was changed.

Owns when to say it (advice once per cause and minute, changes if an observer wants to see them), not what. Start at
:func:`remarks_on`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from devproxy.http.messages import REDIRECTS
from devproxy.plan import advice_on, advice_on_body, changes_to, loop_by_devproxy, loop_by_server
from devproxy.policy.redirect_loops import advice_on_loop

if TYPE_CHECKING:
    from devproxy.answers import Answer
    from devproxy.gateway.shared.seam import Server
    from devproxy.gateway.shared.state import SharedState
    from devproxy.http.edits import ResponseEdits
    from devproxy.http.messages import RequestHead, ResponseHead
    from devproxy.plan import Forward
    from devproxy.plan.loops import Return
    from devproxy.policy.hop import Peer

_ADVISED: Final = (400, 403, 421, 502, 504)
"""Answers of the guard, to preflights and to paths with two readings, and those for upstreams that need something
changed: the log says what."""


class Remarks(NamedTuple):
    """``advice``, ``changes`` and ``has_advice`` of :class:`~devproxy.events.ExchangeFinished`."""

    advice: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    has_advice: bool = False


NONE: Final = Remarks()


def remarks_on(
    shared: SharedState,
    forward: Forward,
    request: RequestHead,
    head: ResponseHead,
    edits: ResponseEdits,
    peer: Peer,
    server: Server,
    payload: bytes = b"",
) -> Remarks:
    """Return the remarks on a response that goes to the client as `edits` say; `head`: as `server` sent it.

    `payload`: what came of its body with its head. Without an Origin, a cookie and a refusal there is nothing to
    advise, and nearly every answer has none of them.
    """
    facts, wants_changes = head.facts, shared.observers.wants_changes
    if facts.status == 400:
        server.pool.note_refusal(request, head, payload)
    advice = advice_on(forward, request, head, edits, peer)
    if facts.is_remarkable and (words := advice_on_body(forward, request.path, head, payload, server.server)):
        advice = (*advice, words)
    if facts.status in REDIRECTS:
        snapshot = shared.current.snapshot
        found = loop_by_server(forward, request, head, edits, peer, server.server, snapshot)
        advice = (*advice, *_on_return(shared, found))
    if not advice and not wants_changes:
        return NONE
    return Remarks(
        shared.untold(forward.compiled.label, advice) if advice else (),
        changes_to(forward, request, head, peer, server.server) if wants_changes else (),
        bool(advice),
    )


def _on_return(shared: SharedState, found: Return | None) -> tuple[str, ...]:
    """Return the advice on a redirect that leads back, when it has done so often enough to be a loop."""
    if found is None or not shared.loops.meets(found.loop.peer, found.key, shared.loop.time(), times=found.times):
        return ()
    return (advice_on_loop(found.loop),)


def advice_on_switch(
    shared: SharedState,
    forward: Forward,
    request: RequestHead,
    head: ResponseHead,
    edits: ResponseEdits,
    peer: Peer,
    server: Server,
) -> tuple[str, ...]:
    """Return the advice on a 101 that goes on as `edits` say: why a browser does not take it, if one asks."""
    return remarks_on(shared, forward, request, head, edits, peer, server).advice if forward.facts.origins else ()


def remarks_on_own(shared: SharedState, answer: Answer, route: str, request: RequestHead, peer: Peer) -> Remarks:
    """Return the remarks on an answer of devproxy's own to `request` of `peer`."""
    if answer.status in REDIRECTS:
        words = _on_return(shared, loop_by_devproxy(request, peer, shared.current.snapshot))
        return Remarks(shared.untold(route, words), has_advice=True) if words else NONE
    if answer.status not in _ADVISED or not answer.help:
        return NONE
    return Remarks(shared.untold(route, (answer.help,)), has_advice=True)
