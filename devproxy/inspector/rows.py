"""A row of the list: what is known of one exchange, as a value and as JSON. Pure.

What an exchange is for (`kind`) and what is wrong with it (`problem`) is decided here. Start at :class:`Row`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

from devproxy.console.secrets import masked
from devproxy.events import Outcome
from devproxy.realtime.engineio import parse_engine_request, session_id

if TYPE_CHECKING:
    from devproxy.gateway.shared.capture import Capture
    from devproxy.http.messages import RequestFacts

_find_type = re.compile(rb"\r\ncontent-type:[ \t]*([^;\r\n]*)", re.IGNORECASE).search
WAITING: Final = "waiting"
SENT: Final = "sent"
STREAMING: Final = "streaming"
OPEN: Final = "open"
DONE: Final = "done"

_KINDS: Final = {
    b"document": "document",
    b"iframe": "document",
    b"frame": "document",
    b"embed": "document",
    b"object": "document",
    b"script": "script",
    b"worker": "script",
    b"sharedworker": "script",
    b"serviceworker": "script",
    b"style": "style",
    b"image": "image",
    b"font": "font",
    b"audio": "media",
    b"video": "media",
    b"track": "media",
    b"empty": "fetch",
}
"""What ``Sec-Fetch-Dest`` says (W3C Fetch Metadata), in the words of the browsers' network panels."""


@dataclass(slots=True)
class Tunnel:
    """What is known of the tunnel that an exchange became. ``closed_by``: None: it is open."""

    tunnel_id: int
    protocol: str
    sent_bytes: int = 0
    received_bytes: int = 0
    messages: int = 0
    closed_by: str | None = None
    close_code: int | None = None


@dataclass(slots=True)
class Row:
    """One exchange. Texts are decoded; ``None`` is what is not known. ``version``: rises with each change of any row.

    ``is_blocked``: a browser does not let its page have the answer. For the others see ``docs/inspector-api.md``.
    """

    id: int
    started_at: float
    method: str = ""
    target: str = ""
    host: str = ""
    scheme: str = "http"
    http: str = "1.1"
    client: str = ""
    origin: str = ""
    destination: str = ""
    kind: str = "other"
    type: str | None = None
    status: int | None = None
    state: str = WAITING
    route: str = ""
    upstream: str = ""
    server: str = ""
    sent_s: float | None = None
    first_byte_s: float | None = None
    ended_s: float | None = None
    held_s: float | None = None
    request_bytes: int = 0
    response_bytes: int = 0
    outcome: Outcome | None = None
    error: str = ""
    detail: str = ""
    is_blocked: bool = False
    marks: tuple[str, ...] = ()
    session: str | None = None
    tunnel: Tunnel | None = None
    replay_of: int | None = None
    capture: Capture | None = None
    version: int = 0
    weight: int = 0

    @property
    def problem(self) -> str | None:
        """What is wrong with it: ``blocked``, ``failed``, ``refused``; None: nothing."""
        status = self.status or 0
        if self.is_blocked:
            return "blocked"
        if self.outcome is Outcome.UPSTREAM_LOST or status >= 500:
            return "failed"
        return "refused" if status >= 400 else None


def describe_request(row: Row, method: bytes, target: bytes, facts: RequestFacts | None) -> None:
    """Fill in what `row`'s request says."""
    row.method, row.target = text(method), text(target)
    engine = parse_engine_request(target)
    if engine is not None and engine.sid:
        row.session = text(session_id(engine))
    if facts is None:
        return
    row.host = text(facts.host)
    row.origin = text(facts.origins[0]) if facts.origins else ""
    row.destination = text(facts.fetch_dest)
    row.kind = kind_of(method, target, facts, has_engine=engine is not None)


def kind_of(method: bytes, target: bytes, facts: RequestFacts, *, has_engine: bool) -> str:
    """Return what a request is for, as far as it says so itself."""
    if facts.upgrade:
        return "websocket" if facts.upgrade == b"websocket" else "tunnel"
    if method == b"OPTIONS" and facts.origins:
        return "preflight"
    if has_engine:
        return "poll"
    kind = _KINDS.get(facts.fetch_dest)
    if kind == "fetch" or (kind is None and facts.origins):
        return "fetch"
    return kind or "other"


def describe_answer(row: Row, capture: Capture) -> None:
    """Fill in what the answer's head says."""
    head = capture.response
    if head is None:
        return
    match = _find_type(head.block)  # every answer comes here: to take its head apart would cost much more
    if match is not None:
        row.type = text(match[1].strip()).lower()
    if row.type == "text/event-stream" and row.kind in ("fetch", "other"):
        row.kind = "eventsource"


def as_json(row: Row, *, secrets: bool) -> dict[str, Any]:
    """Return `row` as the API gives it; without `secrets` they are masked."""
    tunnel = row.tunnel
    return {
        "id": row.id,
        "version": row.version,
        "state": row.state,
        "method": row.method,
        "target": row.target if secrets else masked(row.target),
        "host": row.host,
        "scheme": row.scheme,
        "http": row.http,
        "client": row.client,
        "origin": row.origin or None,
        "destination": row.destination or None,
        "status": row.status,
        "kind": row.kind,
        "type": row.type,
        "route": row.route or None,
        "upstream": row.upstream or None,
        "server": row.server or None,
        "started_at": row.started_at,
        "times": {
            "sent_s": row.sent_s,
            "first_byte_s": row.first_byte_s,
            "ended_s": row.ended_s,
            "held_s": row.held_s,
        },
        "request_bytes": row.request_bytes,
        "response_bytes": row.response_bytes,
        "outcome": row.outcome,
        "error": row.error,
        "detail": row.detail if secrets else masked(row.detail),
        "problem": row.problem,
        "marks": list(row.marks),
        "session": row.session if secrets or row.session is None else alias(row.session),
        "tunnel": None
        if tunnel is None
        else {
            "protocol": tunnel.protocol,
            "sent_bytes": tunnel.sent_bytes,
            "received_bytes": tunnel.received_bytes,
            "messages": tunnel.messages,
            "closed_by": tunnel.closed_by,
            "close_code": tunnel.close_code,
        },
        "is_kept": row.capture is not None,
        "replay_of": row.replay_of,
    }


def alias(sid: str) -> str:
    """Return what stands for the id of a session where secrets are masked: with the id, another could join it."""
    return "~" + blake2b(sid.encode("utf-8", "surrogateescape"), digest_size=6).hexdigest()


def text(octets: bytes) -> str:
    """Return bytes of the wire as text: UTF-8, or Latin-1 where it is not."""
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return octets.decode("latin-1")
