"""What has passed through tunnels, as messages for the eye: frames joined, inflated, and read as packets.

Works on copies in the inspector's thread, so that hostile frames cost neither the tunnel nor more memory than is
allowed: of a message :data:`~devproxy.inspector.messages.MAX_SHOWN_BYTES` are kept, and inflating ends at
:data:`MAX_INFLATED_BYTES`. Start at :class:`Tunnels`.
"""

from __future__ import annotations

import zlib
from collections import deque
from itertools import count
from typing import TYPE_CHECKING, Final

from devproxy.http.fields import elements_of, values_of
from devproxy.inspector.messages import DOWN, MAX_SHOWN_BYTES, UP, Message, PacketReader
from devproxy.realtime.engineio import parse_engine_request
from devproxy.realtime.frames import Frame, FrameReader

if TYPE_CHECKING:
    from devproxy.events import TunnelData
    from devproxy.gateway.shared.capture import Budget
    from devproxy.inspector.rows import Row

MAX_INFLATED_BYTES: Final = 1 << 20
"""How much is inflated of one message, so that the next one can be read; only a bomb has more and is small."""
MAX_MESSAGES: Final = 20_000
"""Of all tunnels."""
_TAIL: Final = b"\x00\x00\xff\xff"
"""What a sender leaves out at the end of a compressed message (RFC 7692 section 7.2.1)."""
_LATE: Final = "compressed together with messages from before this was looked at"
_BOMB: Final = f"more than {MAX_INFLATED_BYTES >> 20} MiB when inflated"
_CUT: Final = "too long to be inflated"


class _Direction:
    """One direction of one tunnel: joins frames, inflates, reads packets."""

    def __init__(self, name: str, eio: int | None) -> None:
        self.name = name
        self._reader: FrameReader | None = None
        self._inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        self._parts: list[bytes] = []
        self._opcode = 0
        self._size = self._kept = 0
        self._is_compressed = False
        self._packets = None if eio is None else PacketReader(eio)

    def read(self, data: TunnelData) -> list[Frame]:
        """Return the frames that end in `data`; those before the first boundary are passed over."""
        if self._reader is None:
            if not data.is_start:
                return []
            self._reader = FrameReader(is_masked=data.is_from_client, max_payload_bytes=MAX_SHOWN_BYTES)
        return self._reader.read(data.data)

    @property
    def is_lost(self) -> bool:
        """Whether these are no frames."""
        return self._reader is not None and self._reader.is_lost

    def join(self, frame: Frame, number: int, exchange_id: int, at: float) -> Message | None:
        """Return the message that ends with `frame`, or the control frame; None: it goes on."""
        if frame.opcode >= 8:
            payload = frame.payload
            shown: str | bytes | None = payload
            if frame.opcode == 8:
                shown = _closing(payload)
            is_cut = len(payload) < frame.size
            return Message(number, exchange_id, at, self.name, frame.opcode, frame.size, False, shown, is_cut, [])
        if frame.opcode:
            self._opcode, self._is_compressed = frame.opcode, frame.is_compressed
            self._parts, self._size, self._kept = [], 0, 0
        self._size += frame.size
        room = MAX_SHOWN_BYTES - self._kept
        if room > 0:
            self._parts.append(frame.payload[:room])
            self._kept += len(self._parts[-1])
        if not frame.is_final:
            return None
        data, self._parts = b"".join(self._parts), []
        note, is_cut = "", len(data) < self._size
        found: bytes | None = data
        if self._is_compressed:
            found, is_cut, note = self._inflate(data, is_cut=is_cut)
        shown_data = _text(found) if found is not None and self._opcode == 1 else found
        packets = []
        if self._packets is not None and shown_data is not None:
            packets = self._packets.read(shown_data)
        compressed = self._is_compressed
        return Message(
            number, exchange_id, at, self.name, self._opcode, self._size, compressed, shown_data, is_cut, packets, note
        )

    def _inflate(self, data: bytes, *, is_cut: bool) -> tuple[bytes | None, bool, str]:
        """Return a message inflated, whether it is cut, and what is to be said of it."""
        if is_cut:
            self.forget_context()
            return None, True, _CUT
        try:
            found = self._inflater.decompress(data + _TAIL, MAX_INFLATED_BYTES)
        except zlib.error:
            self.forget_context()
            return None, False, _LATE
        if self._inflater.unconsumed_tail:
            self.forget_context()
            return found[:MAX_SHOWN_BYTES], True, _BOMB
        if self._inflater.eof:  # a sender that ends its stream with each message
            self.forget_context()
        return found[:MAX_SHOWN_BYTES], len(found) > MAX_SHOWN_BYTES, ""

    def forget_context(self) -> None:
        """Begin again: what was sent before cannot be referred to any more."""
        self._inflater = zlib.decompressobj(-zlib.MAX_WBITS)


class _Tunnel:
    def __init__(self, eio: int | None, *, has_context: dict[bool, bool]) -> None:
        self.directions = {True: _Direction(UP, eio), False: _Direction(DOWN, eio)}
        self.has_context = has_context
        self.messages: deque[Message] = deque()
        self.dropped = 0
        self.number = count(1)


class Tunnels:
    """The messages of each tunnel. `budget`: what is dropped is given back to it."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._tunnels: dict[int, _Tunnel] = {}
        self._order: deque[tuple[_Tunnel, Message]] = deque()
        self._kept_bytes = 0

    def take(self, row: Row, at: float, data: TunnelData) -> list[Message]:
        """Take what passed through the tunnel of `row`, and return the messages that end with it."""
        self._budget.freed += len(data.data)
        if row.tunnel is None or row.tunnel.protocol != "websocket":
            return []
        tunnel = self._tunnels.get(row.id)
        if tunnel is None:
            engine = parse_engine_request(row.target.encode("utf-8", "surrogateescape"))
            eio = None if engine is None else 3 if engine.eio == b"3" else 4
            tunnel = self._tunnels[row.id] = _Tunnel(eio, has_context=_contexts(row))
        direction = tunnel.directions[data.is_from_client]
        found: list[Message] = []
        for frame in direction.read(data):
            message = direction.join(frame, 0, row.id, at)
            if message is None:
                continue
            message.id = next(tunnel.number)
            if message.is_compressed and not tunnel.has_context[data.is_from_client]:
                direction.forget_context()
            self._keep(tunnel, message)
            found.append(message)
        return found

    def keep(self, row: Row, messages: list[Message]) -> None:
        """Keep the packets that were in the bodies of an exchange of the polling transport."""
        if messages and row.id not in self._tunnels:
            tunnel = self._tunnels[row.id] = _Tunnel(None, has_context={})
            for message in messages:
                self._keep(tunnel, message)

    def messages(self, exchange_id: int, *, after: int, limit: int) -> tuple[list[Message], bool, int]:
        """Return at most `limit` messages of a tunnel with larger ids than `after`; and whether there are more.

        The number says how many older ones are no longer kept.
        """
        tunnel = self._tunnels.get(exchange_id)
        if tunnel is None:
            return [], False, 0
        found = [one for one in tunnel.messages if one.id > after]
        return found[:limit], len(found) > limit, tunnel.dropped

    def __len__(self) -> int:
        return len(self._tunnels)

    def clear(self, exchange_ids: set[int]) -> None:
        """Forget all tunnels but those of `exchange_ids`."""
        for gone in [one for one in self._tunnels if one not in exchange_ids]:
            del self._tunnels[gone]

    def _keep(self, tunnel: _Tunnel, message: Message) -> None:
        tunnel.messages.append(message)
        self._order.append((tunnel, message))
        size = message.kept_bytes
        self._kept_bytes += size
        self._budget.kept += size
        limit = self._budget.max_bytes // 4
        while len(self._order) > MAX_MESSAGES or (self._kept_bytes > limit and len(self._order) > 1):
            other, oldest = self._order.popleft()
            if other.messages and other.messages[0] is oldest:
                other.messages.popleft()
                other.dropped += 1
            self._kept_bytes -= oldest.kept_bytes
            self._budget.freed += oldest.kept_bytes


def _contexts(row: Row) -> dict[bool, bool]:
    """Return for each direction whether messages refer to those before them (RFC 7692 section 7.1.1)."""
    head = None if row.capture is None else row.capture.response
    values = b"" if head is None else b",".join(values_of(head.fields, b"sec-websocket-extensions")).lower()
    parameters = {part.strip() for one in elements_of(values) for part in one.split(b";")}
    return {
        True: b"client_no_context_takeover" not in parameters,
        False: b"server_no_context_takeover" not in parameters,
    }


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _closing(payload: bytes) -> str:
    """Return the code and the reason of a Close frame (RFC 6455 section 5.5.1)."""
    if len(payload) < 2:
        return ""
    return f"{int.from_bytes(payload[:2])} {_text(payload[2:])}".strip()
