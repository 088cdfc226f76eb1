"""What a page's event stream carries: batches of what has changed since the last one (HTML, "server-sent events").

There is no queue: each batch is worked out when the page has taken the one before, from versions alone. A page that
reads slowly gets fewer and larger steps, and costs no memory. Start at :func:`stream`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from devproxy.inspector.access import Access
from devproxy.inspector.live import TICK_S, state_json
from devproxy.inspector.messages import as_json as message_json
from devproxy.inspector.rows import as_json
from devproxy.inspector.rules import changes_json
from devproxy.inspector.written import written

if TYPE_CHECKING:
    from devproxy.inspector.live import Live

MAX_ROWS: Final = 500
MAX_MESSAGES: Final = 500
MAX_SESSIONS: Final = 200
KEEP_ALIVE_S: Final = 15.0
_STATES_S: Final = 1.0
"""How often the servers' states are compared: they have no version, as connections come and go all the time."""


async def stream(
    live: Live, epoch: str, after: str, hello: dict[str, Any], *, exchange_id: int | None, secrets: bool
) -> AsyncIterator[bytes]:
    """Give the pieces of a stream: `hello`, then what has changed since `after`, the id of the last event seen.

    An empty `after` begins with what changes from now on. Ends when `live` stops.
    """
    version = version_after(after, epoch)
    yield event("hello", hello, "")
    if after and (version is None or version < live.store.forgotten or version > live.version):
        yield event("missed", {}, f"{epoch}-{live.version}")
        version = None
    seen = live.version if version is None else version
    has_key = hello["access"] == Access.FULL.value
    feed = _Feed(live, epoch, seen, exchange_id=exchange_id, secrets=secrets, has_key=has_key)
    spoke_at = monotonic()
    while not live.is_stopping:
        ticked = live.ticked
        has_more = False
        async for piece in feed.changes():
            spoke_at = monotonic()
            has_more = True
            yield piece
        if monotonic() - spoke_at > KEEP_ALIVE_S:
            spoke_at = monotonic()
            yield b":\n\n"
        if not has_more or feed.is_current:
            await ticked.wait()
        else:
            await asyncio.sleep(TICK_S)  # at most so many batches, also of what has waited
    yield event("bye", {}, f"{epoch}-{live.version}")


class _Feed:
    """How far one page has come. ``is_current``: it has been given everything."""

    def __init__(
        self, live: Live, epoch: str, seen: int, *, exchange_id: int | None, secrets: bool, has_key: bool
    ) -> None:
        self._live = live
        self._epoch = epoch
        self._seen = seen
        self._forgotten = live.store.forgotten
        self._secrets = secrets
        self._exchange_id = exchange_id
        self._has_key = has_key
        self._message = 0
        self._sessions_version = live.sessions.version
        self._configuration: Any = None
        self._states: Any = None
        self._states_at = 0.0
        self.is_current = True

    async def changes(self) -> AsyncIterator[bytes]:
        """Give the events of one batch."""
        store = self._live.store
        if store.forgotten != self._forgotten:
            self._forgotten = store.forgotten
            yield event("cleared", {}, f"{self._epoch}-{store.version}")
        rows = store.changed_since(self._seen, limit=MAX_ROWS)
        self.is_current = len(rows) < MAX_ROWS
        if rows:
            self._seen = rows[-1].version
            document = {"rows": [as_json(row, secrets=self._secrets) for row in rows]}
            yield event("exchanges", document, f"{self._epoch}-{self._seen}")
        if self._live.sessions.version != self._sessions_version:
            changed = self._live.sessions.changed_since(self._sessions_version)
            self._sessions_version = self._live.sessions.version
            yield event(
                "sessions", {"sessions": [one.json(secrets=self._secrets) for one in changed[:MAX_SESSIONS]]}, ""
            )
        if self._exchange_id is not None:
            found, _, _ = self._live.tunnels.messages(self._exchange_id, after=self._message, limit=MAX_MESSAGES)
            if found:
                self._message = found[-1].id
                document = {
                    "messages": [message_json(one, secrets=self._secrets, has_key=self._has_key) for one in found]
                }
                yield event("messages", document, "")
        configuration = changes_json(self._live.gateway.snapshot.config, store)
        if configuration != self._configuration:
            self._configuration = configuration
            yield event("configuration", configuration, "")
        if monotonic() - self._states_at >= _STATES_S:
            self._states_at = monotonic()
            states = state_json(await self._live.server_states(), store.upstreams)
            if states != self._states:
                self._states = states
                yield event("upstreams", states, "")


def event(name: str, data: Any, event_id: str) -> bytes:
    """Return one event as it is written; an empty `event_id` leaves the last one in force."""
    head = f"id: {event_id}\n" if event_id else ""
    return f"{head}event: {name}\ndata: {written(data)}\n\n".encode()


def version_after(event_id: str, epoch: str) -> int | None:
    """Return the version that `event_id` names; None: it is of another start, or no such id."""
    start, dash, number = event_id.rpartition("-")
    return int(number) if dash and start == epoch and number.isdecimal() and len(number) < 16 else None
