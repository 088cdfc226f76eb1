"""A client that speaks HTTP/2 by a foreign implementation (`h2`), over a wire that is read and written by hand.

Start at :func:`http2_client`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar, cast

import h2.config
import h2.connection
import h2.events
import h2.settings
from tests.support.wire import Conversation, Wire

E = TypeVar("E", bound=h2.events.Event)
Headers = list[tuple[str, str]]


@dataclass
class Response:
    """What came on one stream. ``interim``: the statuses of 1xx heads; ``reset``: the code of a reset, None: none."""

    status: int = 0
    fields: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    trailers: dict[str, str] = field(default_factory=dict)
    interim: list[int] = field(default_factory=list)
    has_ended: bool = False
    reset: int | None = None


class Http2Client:
    """A client on `wire`. ``takes_data``: the windows are opened again for what comes."""

    def __init__(self, wire: Wire, *, window: int | None = None) -> None:
        self.wire = wire
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        if window is not None:
            self.h2.local_settings.initial_window_size = window
        self.h2.initiate_connection()
        self.responses: dict[int, Response] = {}
        self.events: list[h2.events.Event] = []
        self.takes_data = True
        self.flush()

    def flush(self) -> None:
        """Send what there is to send, small enough for the kernel."""
        octets = self.h2.data_to_send()
        if octets:
            self.wire.send(octets)

    async def flush_all(self) -> None:
        """Send what there is to send."""
        await self.wire.send_all(self.h2.data_to_send())

    def request(
        self, path: str = "/", *fields: tuple[str, str], method: str = "GET", body: bytes = b"", ended: bool = True
    ) -> int:
        """Send a request; return the number of its stream."""
        stream_id = self.h2.get_next_available_stream_id()
        head = [(":method", method), (":scheme", "https"), (":authority", "localhost"), (":path", path), *fields]
        return self.open(stream_id, head, body, ended=ended)

    def open(self, stream_id: int, head: Headers, body: bytes = b"", *, ended: bool = True) -> int:
        """Send `head` as it is, and `body`."""
        self.responses[stream_id] = Response()
        self.h2.send_headers(stream_id, head, end_stream=ended and not body)
        if body:
            self.h2.send_data(stream_id, body, end_stream=ended)
        self.flush()
        return stream_id

    def websocket(self, path: str = "/", *fields: tuple[str, str]) -> int:
        """Ask for a WebSocket (RFC 8441)."""
        more = ((":protocol", "websocket"), ("sec-websocket-version", "13"))
        stream_id = self.h2.get_next_available_stream_id()
        head = [(":method", "CONNECT"), more[0], (":scheme", "https"), (":authority", "localhost"), (":path", path)]
        return self.open(stream_id, [*head, more[1], *fields], ended=False)

    def send(self, stream_id: int, data: bytes, *, ended: bool = False) -> None:
        """Send a piece of a body."""
        self.h2.send_data(stream_id, data, end_stream=ended)
        self.flush()

    def reset(self, stream_id: int, code: int = 8) -> None:
        """Reset a stream."""
        self.h2.reset_stream(stream_id, code)
        self.flush()

    async def until(self, condition: Callable[[], object]) -> None:
        """Take what comes until `condition` holds."""
        while not condition():
            await self.wire._read_on()
            self._take()

    def _take(self) -> None:
        """Take what is complete, one frame after another: `h2` takes GOAWAY for the end of everything."""
        size = 9 + int.from_bytes(self.wire._buffer[:3], "big")
        while len(self.wire._buffer) >= max(size, 9):
            data, self.wire._buffer = self.wire._buffer[:size], self.wire._buffer[size:]
            for event in self.h2.receive_data(data):
                self.events.append(event)
                stream_id = getattr(event, "stream_id", None)
                if stream_id in self.responses:
                    self._note(event, self.responses[stream_id])
                if isinstance(event, h2.events.ConnectionTerminated):
                    self.h2.state_machine.state = h2.connection.ConnectionState.CLIENT_OPEN
            size = 9 + int.from_bytes(self.wire._buffer[:3], "big")
        self.flush()

    def _note(self, event: h2.events.Event, response: Response) -> None:
        if isinstance(event, h2.events.ResponseReceived):
            response.fields = dict(cast("Headers", event.headers))
            response.status = int(response.fields.pop(":status"))
        elif isinstance(event, h2.events.InformationalResponseReceived):
            response.interim.append(int(dict(cast("Headers", event.headers))[":status"]))
        elif isinstance(event, h2.events.TrailersReceived):
            response.trailers = dict(cast("Headers", event.headers))
        elif isinstance(event, h2.events.DataReceived):
            response.body += event.data or b""
            if self.takes_data:
                self.h2.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id or 0)
        elif isinstance(event, h2.events.StreamEnded):
            response.has_ended = True
        elif isinstance(event, h2.events.StreamReset):
            response.reset = int(event.error_code or 0)

    async def response(self, stream_id: int) -> Response:
        """Return the response on a stream, once it is over in whatever way."""
        found = self.responses[stream_id]
        await self.until(lambda: found.has_ended or found.reset is not None)
        return found

    async def head(self, stream_id: int) -> Response:
        """Return the response on a stream, once its head is there."""
        found = self.responses[stream_id]
        await self.until(lambda: found.status or found.reset is not None)
        return found

    def seen(self, kind: type[E]) -> list[E]:
        """Return the events of one kind so far."""
        return [event for event in self.events if isinstance(event, kind)]


async def http2_client(talk: Conversation, *, is_secure: bool = False, window: int | None = None) -> Http2Client:
    """Return a new client of `talk`: by prior knowledge, or as ALPN has it."""
    return Http2Client(await talk.client(is_secure=is_secure, alpn=("h2",)), window=window)
