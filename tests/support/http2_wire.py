"""A client that is told what to do in HTTP/1.1 and speaks HTTP/2: one test says what holds of both versions.

It is the front half of a proxy, by a foreign implementation (`h2`): what a test writes in HTTP/1.1 becomes a stream,
and what comes on that becomes HTTP/1.1 again, with names spelled as usual, the usual reason, and the chunked coding
where no length is said. A handshake of a WebSocket becomes an extended CONNECT (RFC 8441). One request is on its way at
a time, in order. What there is in HTTP/1.1 alone (the case of names, reasons, pipelining, half-closed connections) gets
lost on the way: tests of that are marked ``http1_only``.

A test reads when it likes: only what it has read is acknowledged, so that a slow reader is one for devproxy, too. Its
``close`` ends the connection, its ``reset`` first resets the stream, as a browser does it. Start at :class:`Http2Wire`;
tests get one by the marker ``both_versions``.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from typing import Final

import h2.config
import h2.connection
import h2.events
from devproxy.policy.verdict.handshake import accept_for
from tests.support.wire import Wire, soon

Pairs = list[tuple[bytes, bytes]]

MAX_WAITING_BYTES: Final = 1 << 18
"""How much is taken of a test that devproxy gives no window for yet: what a kernel's buffer would take."""
MAX_HEAD_BYTES: Final = 1 << 20
_CHUNKED: Final = -1
_TUNNEL: Final = -2
_OF_A_CONNECTION: Final = frozenset(
    (b"host", b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade", b"http2-settings")
)
_begins_word = re.compile(rb"(?:^|(?<=[-_]))[a-z]")
_SPELLINGS: Final = {
    name.lower(): name
    for name in b"ETag WWW-Authenticate TE DNT X-Real-IP X-UA-Compatible Sec-WebSocket-Key Sec-WebSocket-Version "
    b"Sec-WebSocket-Accept Sec-WebSocket-Protocol Sec-WebSocket-Extensions".split()
}


def spelled(name: bytes) -> bytes:
    """Return the `name` of a field as HTTP/1.1 usually writes it, if it is in lower case."""
    if name != name.lower():
        return name
    return _SPELLINGS.get(name) or _begins_word.sub(lambda found: found[0].upper(), name)


def spelled_head(head: bytes) -> bytes:
    """Return a `head` of HTTP/1.1 whose fields are spelled as usual."""
    start, *lines = head.split(b"\r\n")
    respelled = []
    for line in lines:
        name, colon, value = line.partition(b":")
        respelled.append(spelled(name) + colon + value)
    return b"\r\n".join((start, *respelled))


class SpellingWire(Wire):
    """A server's side of a connection of devproxy's, in a test whose client speaks HTTP/2.

    Heads are read as if names were written as usual. An answer to a handshake is given for the key that came: it is
    devproxy's own, which HTTP/2 does not need of clients, so that no test knows it beforehand.
    """

    _key = b""

    async def head(self) -> bytes:
        head = spelled_head(await super().head())
        _, found, rest = head.partition(b"\r\nSec-WebSocket-Key: ")
        self._key = rest.partition(b"\r\n")[0] if found else b""
        return head

    def send(self, data: bytes) -> None:
        if self._key and data.startswith(b"HTTP/1.1 101 "):
            head, _, glued = data.partition(b"\r\n\r\n")
            lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"sec-websocket-accept:")]
            lines.append(b"Sec-WebSocket-Accept: " + accept_for(self._key))
            data = b"\r\n".join(lines) + b"\r\n\r\n" + glued
        super().send(data)


class Http2Wire(Wire):
    """The client's side of a connection, on top of `inner`, over which it speaks HTTP/2.

    `carrier`: it is one of several on the connection of that one, which tells it what comes. ``says_chunks``: a body
    without a length is written in the chunked coding.
    """

    says_chunks = True

    def __init__(self, inner: Wire, carrier: Http2Wire | None = None) -> None:
        super().__init__(inner.sock)
        self._inner = inner
        self._carrier = carrier
        self.h2: h2.connection.H2Connection = _new_connection() if carrier is None else carrier.h2
        self._moved = asyncio.Event()
        self._frames = b""
        """Of what came, the beginning of a frame that is not complete."""
        self._unsent = b""
        self._is_open = True
        self._error: OSError | None = None
        # What the test has written and is not on its way yet.
        self._text = bytearray()
        self._has_finished = False
        # The exchange.
        self._stream = 0
        self._method = b""
        self._body_left = self._chunk_left = 0
        self._upgrade = self._key = b""
        self._closes = False
        self._has_sent_all = True
        self._has_answer = True
        self._is_chunked = False
        self._trailers: Pairs = []
        # What the test has not read yet, and what is acknowledged once it has.
        self._came = b""
        self._unread: dict[int, int] = {}
        self._is_over = False
        if carrier is None:
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # browsers write frames one by one, too
            self.h2.initiate_connection()
            self._loop.add_reader(self.sock.fileno(), self._on_readable)
            self._take(inner.opened(b""))  # what came with the end of the handshake

    # -- what the test does ------------------------------------------------------------------------------------------

    def send_some(self, data: bytes) -> int:
        taken = data[: MAX_WAITING_BYTES - len(self._text)]
        if data and not taken:
            raise BlockingIOError
        if not self._is_open:
            raise BrokenPipeError
        self._text += taken
        self._advance()
        return len(taken)

    async def send_all(self, data: bytes) -> None:
        while data:
            try:
                data = data[self.send_some(data) :]
            except BlockingIOError:
                await self._wait()

    async def _receive(self) -> bytes:
        while not self._came:
            if self._error is not None:
                raise self._error
            if self._is_over:
                return b""
            await self._wait()
        data, self._came = self._came, b""
        unread, self._unread = self._unread, {}
        for stream, size in unread.items():
            self.h2.acknowledge_received_data(size, stream)
        self._flush()
        return data

    async def _wait(self) -> None:
        self._moved.clear()
        await soon(self._moved.wait())

    def finish(self) -> None:
        """Send nothing more: the end of a tunnel's stream, of a request that is not complete, or of all requests."""
        self._has_finished = True
        self._advance()

    def close(self) -> None:
        self._flush()
        self._leave()
        self._close_connection()

    def reset(self) -> None:
        """Reset the stream and leave, or reset the connection where no exchange is on its way."""
        is_idle = self._has_answer and self._has_sent_all
        if not is_idle:
            self.h2.reset_stream(self._stream, 8)
            self._flush()
        self._leave()
        if is_idle and self._carrier is None:
            self._inner.reset()
        else:
            self._close_connection()

    def discard(self) -> None:
        self._leave()
        super().discard()

    def _leave(self) -> None:
        if self._is_open and self._carrier is None:
            self._loop.remove_reader(self.sock.fileno())
            self._loop.remove_writer(self.sock.fileno())
        self._is_open = False
        self._is_over = True
        self._moved.set()

    def _close_connection(self) -> None:
        if self._carrier is None:
            self._inner.close()

    # -- requests ----------------------------------------------------------------------------------------------------

    def _advance(self) -> None:
        """Send as much of what the test has written as can be sent."""
        while self._is_open:
            if self._has_sent_all:
                if not self._has_answer or not self._opens():
                    break
            elif not self._sends_on():
                break
        self._flush()
        if self._has_finished and self._has_sent_all and self._has_answer:
            self._end()

    def _opens(self) -> bool:
        """Begin the next request; tell whether there is one."""
        head, end, rest = bytes(self._text.lstrip(b"\r\n")).partition(b"\r\n\r\n")
        if not end:
            return False
        self._text = bytearray(rest)
        start, *lines = head.split(b"\r\n")
        self._method, target, _ = start.split(b" ", 2)
        fields = [(name.lower(), value.strip(b" \t")) for name, _, value in (line.partition(b":") for line in lines)]
        said = dict(fields)
        options = {one.strip().lower() for name, value in fields if name == b"connection" for one in value.split(b",")}
        self._upgrade = said.get(b"upgrade", b"") if b"upgrade" in options else b""
        self._key = said.get(b"sec-websocket-key", b"") if self._upgrade else b""
        self._closes = b"close" in options
        self._has_answer = False
        self._trailers = []
        if self._upgrade:
            self._body_left = _TUNNEL
        elif b"transfer-encoding" in said:
            self._body_left = _CHUNKED
        else:
            self._body_left = int(said.get(b"content-length", b"0"))
        self._has_sent_all = not self._body_left
        scheme, separator, path = target.partition(b"://")
        if separator and b"/" not in scheme:
            authority, slash, rest = path.partition(b"/")
            hosts, target = [authority], slash + rest or b"/"
        else:
            scheme = b"http" if type(self._inner) is Wire else b"https"
            hosts = [value for name, value in fields if name == b"host"]
        pseudo = [(b":method", b"CONNECT" if self._upgrade else self._method), (b":path", target), (b":scheme", scheme)]
        pseudo += [(b":authority", host) for host in hosts]
        if self._upgrade:
            pseudo.append((b":protocol", self._upgrade))
        self._stream = self.h2.get_next_available_stream_id()
        left_out = _OF_A_CONNECTION | options - {b"te"} | ({b"sec-websocket-key"} if self._upgrade else set())
        crossing = (pair for pair in fields if pair[0] not in left_out)
        self.h2.send_headers(self._stream, [*pseudo, *_with_te(crossing)], end_stream=self._has_sent_all)
        return True

    def _sends_on(self) -> bool:
        """Send some of a body or of a tunnel; tell whether anything of it was sent."""
        if self._body_left == _CHUNKED:
            return self._sends_chunked()
        size = len(self._text) if self._body_left == _TUNNEL else min(len(self._text), self._body_left)
        taken = self._sends_data(size)
        if self._body_left > 0:
            self._body_left -= taken
        ends = not self._body_left or (self._has_finished and not self._text)
        if ends:
            self._ends_request()
        return bool(taken) or ends

    def _sends_chunked(self) -> bool:
        """Send on in a body that the test writes in the chunked coding."""
        if self._chunk_left > 2:
            taken = self._sends_data(min(len(self._text), self._chunk_left - 2))
            self._chunk_left -= taken
            return taken > 0
        if self._chunk_left:  # of a chunk that is sent, the CRLF
            count = min(len(self._text), self._chunk_left)
            del self._text[:count]
            self._chunk_left -= count
            return count > 0
        line, end, _ = bytes(self._text[:1000]).partition(b"\r\n")
        if not end:
            return self._has_finished and not self._text and self._ends_request()
        size = int(line.partition(b";")[0], 16)
        if size:
            del self._text[: len(line) + 2]
            self._chunk_left = size + 2
            return True
        trailers, end, rest = bytes(self._text[len(line) :]).partition(b"\r\n\r\n")
        if not end:
            return False
        self._text = bytearray(rest)
        pairs = [one.partition(b":") for one in trailers.split(b"\r\n") if one]
        return self._ends_request([(name.lower(), value.strip()) for name, _, value in pairs])

    def _sends_data(self, most: int) -> int:
        """Send at most `most` bytes of what is written, as DATA; return how many there was a window for."""
        taken = 0
        while taken < most:
            room = min(self.h2.local_flow_control_window(self._stream), self.h2.max_outbound_frame_size, most - taken)
            if room <= 0:
                break
            self.h2.send_data(self._stream, bytes(self._text[taken : taken + room]))
            taken += room
        del self._text[:taken]
        return taken

    def _ends_request(self, trailers: Pairs | None = None) -> bool:
        if trailers:
            self.h2.send_headers(self._stream, trailers, end_stream=True)
        else:
            self.h2.send_data(self._stream, b"", end_stream=True)
        self._has_sent_all = True
        return True

    # -- the connection ----------------------------------------------------------------------------------------------

    def _flush(self) -> None:
        """Send what there is, and the rest as soon as the kernel takes it."""
        if self._carrier is not None:
            self._carrier._flush()
            return
        octets = self.h2.data_to_send()
        if not self._is_open:
            return
        self._unsent += self._inner.sealed(octets) if octets else b""
        try:
            while self._unsent:
                self._unsent = self._unsent[self.sock.send(self._unsent) :]
        except BlockingIOError:
            self._loop.add_writer(self.sock.fileno(), self._flush)
            return
        except OSError:  # reading says what it is
            self._unsent = b""
        self._loop.remove_writer(self.sock.fileno())

    def _on_readable(self) -> None:
        try:
            octets = self.sock.recv(262144)
        except BlockingIOError:
            return
        except OSError as error:
            self._error = error
            self._leave()
            return
        self._take(self._inner.opened(octets))
        if not octets:
            if not self._has_answer and self._body_left != _TUNNEL:
                self._error = ConnectionResetError("the connection has ended before its answer")
            self._leave()
            self._close_connection()
        self._moved.set()

    def _take(self, octets: bytes) -> None:
        """Take what is complete, one frame after another: `h2` takes GOAWAY for the end of everything."""
        frames = self._frames + octets
        while len(frames) >= 9 and len(frames) >= (size := 9 + int.from_bytes(frames[:3], "big")):
            one, frames = frames[:size], frames[size:]
            for event in self.h2.receive_data(one):
                self._note(event)
        self._frames = frames
        self._advance()

    # -- answers -----------------------------------------------------------------------------------------------------

    def _note(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.ConnectionTerminated):
            self.h2.state_machine.state = h2.connection.ConnectionState.CLIENT_OPEN
        elif isinstance(event, h2.events.DataReceived):
            size = event.flow_controlled_length or 0
            stream = event.stream_id or 0
            self._unread[stream] = self._unread.get(stream, 0) + size
            if event.data and stream == self._stream:
                self._came += b"%x\r\n%b\r\n" % (len(event.data), event.data) if self._is_chunked else event.data
        elif getattr(event, "stream_id", None) != self._stream:
            return
        elif isinstance(event, h2.events.InformationalResponseReceived):
            self._came += _head_of(event.headers)
        elif isinstance(event, h2.events.ResponseReceived):
            self._note_head(event.headers)
        elif isinstance(event, h2.events.TrailersReceived):
            self._trailers = event.headers
        elif isinstance(event, h2.events.StreamEnded):
            self._note_end()
        elif isinstance(event, h2.events.StreamReset):
            self._note_reset(int(event.error_code or 0))

    def _note_head(self, pairs: Pairs) -> None:
        fields = dict(pairs)
        status = int(fields[b":status"])
        if self._upgrade and status == 200:
            switched = [(b":status", b"101"), (b"connection", b"Upgrade"), (b"upgrade", self._upgrade)]
            if self._key:
                switched.append((b"sec-websocket-accept", accept_for(self._key)))
            self._came += _head_of([*switched, *pairs[1:]])
            return
        has_body = self._method != b"HEAD" and status not in (204, 304)
        self._is_chunked = has_body and self.says_chunks and b"content-length" not in fields
        more = [(b"transfer-encoding", b"chunked")] if self._is_chunked else []
        more += [(b"connection", b"close")] if self._closes else []
        self._came += _head_of([*pairs, *more])
        if self._upgrade:  # it is refused, and what follows is the next request
            self._body_left, self._upgrade = 0, b""
            if not self._has_sent_all:
                self._ends_request()

    def _note_end(self) -> None:
        if self._is_chunked:
            self._is_chunked = False
            self._came += b"\r\n".join((b"0", *_lines_of(self._trailers), b"", b""))
        self._has_answer = True
        if self._upgrade or self._closes or (self._has_finished and not self._text):
            self._end()

    def _note_reset(self, code: int) -> None:
        if self._has_answer and not code:
            if not self._has_sent_all:  # it wants no more of the request
                self._has_sent_all = True
                self._end()
            return
        self._has_answer = self._has_sent_all = True
        self._error = ConnectionResetError(f"the stream was reset with the code {code}")

    def _end(self) -> None:
        """Let the test read the end of the connection, and end it unless a tunnel still carries what the test sends."""
        self._is_over = True
        if self._has_sent_all and self._is_open:
            self._leave()
            self._close_connection()


def _new_connection() -> h2.connection.H2Connection:
    config = h2.config.H2Configuration(
        header_encoding=None, validate_outbound_headers=False, normalize_outbound_headers=False
    )
    made = h2.connection.H2Connection(config)
    made.decoder.max_header_list_size = MAX_HEAD_BYTES
    return made


def _with_te(fields: Iterable[tuple[bytes, bytes]]) -> Iterator[tuple[bytes, bytes]]:
    """Leave out what HTTP/2 does not allow of `TE` (RFC 9113 section 8.2.2)."""
    for name, value in fields:
        if name != b"te" or value.lower() == b"trailers":
            yield name, value


def _head_of(pairs: Pairs) -> bytes:
    status = int(pairs[0][1])
    try:
        reason = "Switching Protocols" if status == 101 else HTTPStatus(status).phrase
    except ValueError:
        reason = ""
    return b"\r\n".join((f"HTTP/1.1 {status} {reason}".encode(), *_lines_of(pairs[1:]), b"", b""))


def _lines_of(pairs: Pairs) -> Iterator[bytes]:
    for name, value in pairs:
        yield spelled(name) + b": " + value
