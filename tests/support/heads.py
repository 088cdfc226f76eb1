"""What a client gets, from the plan to the octets."""

from __future__ import annotations

from devproxy.answers import Answer, compose
from devproxy.config.model import ServerAddress
from devproxy.http.messages import RequestHead, ResponseHead
from devproxy.http1.render import render_own, render_response
from devproxy.plan import Forward, edit_response
from devproxy.policy.hop import Peer


def head_for_client(
    forward: Forward,
    request: RequestHead,
    head: ResponseHead,
    peer: Peer,
    server: ServerAddress,
    *,
    body_length: int,
    close: bool,
) -> tuple[bytes, bool]:
    """Return `head` as the client gets it in HTTP/1.1, and whether its connection ends with the body."""
    edits = edit_response(forward, request, head, peer, server)
    return render_response(head, edits, request, body_length, close)


def render_answer(
    answer: Answer, head: RequestHead | None, *, keep_alive: bool, lines: tuple[bytes, ...] = ()
) -> bytes:
    """Return devproxy's own `answer` to `head` as the client gets it in HTTP/1.1."""
    goes_on = keep_alive and not answer.close
    status, composed, body, _ = compose(answer, head, lines)
    return render_own(
        status, composed, body, closes=not goes_on, version_minor=1 if head is None else head.version_minor
    )
