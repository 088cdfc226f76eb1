"""What tests of HTTP/2 need: frames as a client sends them, and what came back taken apart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import hpack
from devproxy.http1.start_line import Limits
from devproxy.http2 import frames
from devproxy.http2.connection import ServerConnection
from devproxy.http2.events import Event
from devproxy.http2.frames import Setting
from devproxy.http2.lines import Aside, Entry

Pairs = list[tuple[bytes, bytes]]

GET: Pairs = [(b":method", b"GET"), (b":scheme", b"https"), (b":path", b"/"), (b":authority", b"localhost")]
POST: Pairs = [(b":method", b"POST"), *GET[1:]]


def pairs(entries: Iterable[Entry]) -> Pairs:
    """Return names and values of fields that were decoded."""
    found = []
    for entry in entries:
        if isinstance(entry, Aside):
            found.append((entry.name, entry.value))
        else:
            name, _, value = entry.removeprefix(b"\r\n").partition(b": ")
            found.append((name, value))
    return found


def block_of(fields: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return a block that holds `fields` as they are, and needs no table."""
    return b"".join(b"\0" + string(name) + string(value) for name, value in fields)


def string(octets: bytes) -> bytes:
    """Return a string of HPACK, without the Huffman code."""
    if len(octets) < 0x7F:
        return bytes((len(octets),)) + octets
    number, head = len(octets) - 0x7F, bytearray((0x7F,))
    while number >= 0x80:
        head.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*head, number)) + octets


def frame(kind: int, flags: int, stream_id: int, payload: bytes = b"") -> bytes:
    """Return a frame, whether or not there may be such a one."""
    return frames.write_head(kind, flags, stream_id, len(payload)) + payload


def headers(stream_id: int, fields: Iterable[tuple[bytes, bytes]], *, ended: bool = True) -> bytes:
    """Return HEADERS."""
    flags = frames.END_HEADERS | (frames.END_STREAM if ended else 0)
    return frame(frames.HEADERS, flags, stream_id, block_of(fields))


def data(stream_id: int, octets: bytes, *, ended: bool = False) -> bytes:
    """Return DATA."""
    return frame(frames.DATA, frames.END_STREAM if ended else 0, stream_id, octets)


CLIENT_PREFACE = frames.PREFACE + frames.write_settings(())


@dataclass
class Frame:
    """A frame that came."""

    kind: int
    flags: int
    stream_id: int
    payload: bytes


def frames_in(octets: bytes) -> Iterator[Frame]:
    """Take apart what a server sent."""
    position = 0
    while position < len(octets):
        length = int.from_bytes(octets[position : position + 3], "big")
        kind, flags = octets[position + 3 : position + 5]
        stream_id = int.from_bytes(octets[position + 5 : position + 9], "big")
        start, position = position + 9, position + 9 + length
        assert position <= len(octets)
        yield Frame(kind, flags, stream_id, octets[start:position])


class Talk:
    """A connection that has begun: what its client sends, and what comes back. `settings`: what the client says."""

    def __init__(
        self,
        *,
        limits: Limits | None = None,
        max_streams: int = 250,
        offers_protocols: bool = False,
        settings: Iterable[tuple[int, int]] = (),
    ) -> None:
        self.server = ServerConnection(limits or Limits(), max_streams=max_streams, offers_protocols=offers_protocols)
        self.decoder = hpack.Decoder()
        self.server.take()
        assert self.server.receive(frames.PREFACE + frames.write_settings(settings)) == []
        self.server.take()

    def receive(self, *octets: bytes) -> list[Event]:
        """Let the server receive `octets` at once."""
        return self.server.receive(b"".join(octets))

    def sent(self) -> list[Frame]:
        """Return what the server has sent since the last time."""
        return list(frames_in(self.server.take()))

    def goaway(self) -> int | None:
        """Return the code of a GOAWAY that was sent now, or None."""
        codes = [int.from_bytes(one.payload[4:8], "big") for one in self.sent() if one.kind == frames.GOAWAY]
        return codes[0] if codes else None

    def resets(self) -> dict[int, int]:
        """Return the codes of the RST_STREAM that were sent now, by stream."""
        return {
            one.stream_id: int.from_bytes(one.payload, "big") for one in self.sent() if one.kind == frames.RST_STREAM
        }


WINDOW = Setting.INITIAL_WINDOW_SIZE
