"""TLS on a client's connection: what comes is decrypted, what goes is encrypted, and all else is the connection's own.

A layer of our own, because those of the event loops end a connection late, end no direction of it alone, and keep much
for each: ADR 0013. Owns no socket and no decision about HTTP. Start at :class:`TlsStream`.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Protocol

from devproxy.gateway.shared.pressure import Reader, SmallReads

if TYPE_CHECKING:
    from collections.abc import Iterable

RECORD_BYTES: Final = 16 * 1024
"""The most that one record holds (RFC 8446 section 5.1). To ask for more would take that much memory for each."""

_SLICE_BYTES: Final = 64 * 1024
"""So much is given to OpenSSL at once: what it keeps in memory grows with that, and never shrinks again."""


class _Memory(threading.local):
    """Through which OpenSSL takes and gives bytes: the same for all connections of a thread, and empty between calls.

    OpenSSL's own never shrinks, so that each connection would keep what its handshake and its largest answer took.
    """

    def __init__(self) -> None:
        self.incoming = ssl.MemoryBIO()
        self.outgoing = ssl.MemoryBIO()


_memory: Final = _Memory()


class Newcomer(Protocol):
    """Whose connection it is until both sides have agreed on keys."""

    def secured(self, stream: TlsStream, /) -> None:
        """Give `stream` the protocol that is spoken on it."""

    def connection_lost(self, exc: Exception | None, /) -> None:
        """Take the end of a connection that was never secured."""


class TlsStream(Reader, asyncio.Transport):
    """The protocol of `carrier`, which is encrypted, and a transport for the protocol that is spoken inside.

    `newcomer` is notified once when the handshake is done. A client that breaks the rules of TLS, or does not trust us,
    loses its connection; OpenSSL has an alert for it. All calls come from one thread, that of the event loop.
    """

    __slots__ = (
        "_carrier",
        "_deliver",
        "_failure",
        "_has_ended",
        "_has_keys",
        "_has_said_end",
        "_incoming",
        "_newcomer",
        "_outgoing",
        "_protocol",
        "_tls",
    )

    def __init__(self, carrier: asyncio.Transport, context: ssl.SSLContext, newcomer: Newcomer) -> None:
        self._carrier = carrier
        self._newcomer: Newcomer | None = newcomer  # None from when it is told
        self._incoming = _memory.incoming
        self._outgoing = _memory.outgoing
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._has_keys = False
        self._protocol: asyncio.BaseProtocol = asyncio.Protocol()
        self._has_ended = False
        self._has_said_end = False
        self._failure: ssl.SSLError | None = None

    # -- the carrier's side ----------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Take what the client sent: records, which may end anywhere."""
        if len(data) <= _SLICE_BYTES:
            clear = self._decrypt(data)
        else:
            clear = b"".join([self._decrypt(part) for part in _slices(data)])
        # From here on others may be called, which may use the memory for other connections.
        newcomer = self._newcomer
        if newcomer is not None and self._has_keys:
            self._newcomer = None
            newcomer.secured(self)
        if clear:
            self._deliver(clear)
        if self._has_ended and not self._carrier.is_closing():
            self._tell_end()

    def _decrypt(self, data: bytes | memoryview) -> bytes:
        """Return what `data` completes. All that is complete is taken, so nothing waits for the next call."""
        incoming = self._incoming
        incoming.write(data)
        clear: list[bytes] = []
        try:
            if not self._has_keys:
                self._tls.do_handshake()
                self._has_keys = True
            clear.append(self._tls.read(RECORD_BYTES))
            while incoming.pending and clear[-1]:
                clear.append(self._tls.read(RECORD_BYTES))
            if len(clear) == 1 and clear[0] and not self._outgoing.pending:
                return clear[0]  # one whole record, as most that comes
            self._has_ended = not clear[-1]
        except ssl.SSLWantReadError:
            pass  # the rest of a record is on its way
        except ssl.SSLZeroReturnError:
            self._has_ended = True
        except ssl.SSLError as error:
            self._failure = error
        if incoming.pending:
            incoming.read()  # nothing is taken of what follows an end or a fault
        if self._outgoing.pending:
            self._flush()
        if self._failure is not None:
            self._carrier.close()
        return b"".join(clear)

    def eof_received(self) -> bool:
        """Take the end of the connection's direction, with close_notify before it or without.

        Only HTTP's framing tells that nothing is missing; many clients never send a close_notify.
        """
        if self._newcomer is None and not self._has_ended:
            self._tell_end()
        return self._newcomer is None

    def _tell_end(self) -> None:
        self._has_ended = True
        protocol = self._protocol
        assert isinstance(protocol, asyncio.Protocol | asyncio.BufferedProtocol)
        if not protocol.eof_received():
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Pass the loss on."""
        (self._newcomer or self._protocol).connection_lost(exc or self._failure)

    def pause_writing(self) -> None:
        """Pass on that the client reads slowly."""
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        """Pass on that the client has caught up."""
        self._protocol.resume_writing()

    # -- the side of the protocol inside ---------------------------------------------------------------------------

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send `data`, encrypted."""
        if not data or self._carrier.is_closing():
            return
        if len(data) <= _SLICE_BYTES:
            self._tls.write(data)
            self._carrier.write(self._outgoing.read())
        else:
            self._carrier.writelines([self._encrypt(part) for part in _slices(data)])

    def _encrypt(self, data: memoryview) -> bytes:
        self._tls.write(data)
        return self._outgoing.read()

    def _flush(self) -> None:
        octets = self._outgoing.read()
        if octets and not self._has_said_end and not self._carrier.is_closing():
            self._carrier.write(octets)

    def write_eof(self) -> None:
        """Say that nothing more will be sent: close_notify, and the end of the carrier's direction. Reading goes on."""
        self._say_end()
        self._carrier.write_eof()

    def can_write_eof(self) -> bool:
        """Whether one direction can end before the other: as on the carrier."""
        return self._carrier.can_write_eof()

    def _say_end(self) -> None:
        if self._newcomer is None and not self._has_said_end:
            with suppress(ssl.SSLError):  # it would wait for the other side's close_notify, for which there is no time
                self._tls.unwrap()
            self._flush()
            self._has_said_end = True

    def close(self) -> None:
        """Send what is kept and close_notify, then end; what the client does about it is not waited for."""
        if not self._carrier.is_closing():
            self._say_end()
            self._carrier.close()

    def abort(self) -> None:
        """End at once, without close_notify: so the client can tell."""
        self._carrier.abort()

    def is_closing(self) -> bool:
        """Whether it has ended or is about to."""
        return self._carrier.is_closing()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Bound what waits to be sent, encrypted as it is."""
        self._carrier.set_write_buffer_limits(high, low)

    def get_write_buffer_size(self) -> int:
        """Return how many encrypted bytes wait to be sent."""
        return self._carrier.get_write_buffer_size()

    def is_reading(self) -> bool:
        """Whether what comes is taken."""
        return self._carrier.is_reading()

    def pause_reading(self) -> None:
        """Take nothing for now."""
        self._carrier.pause_reading()

    def resume_reading(self) -> None:
        """Take what comes again."""
        self._carrier.resume_reading()

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Return what receives the events."""
        return self._protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Tell `protocol` from now on. Where that reads in small pieces, the carrier does, and not again inside."""
        if isinstance(protocol, SmallReads):
            self._carrier.set_protocol(protocol.before(self))
        elif isinstance(self._protocol, SmallReads):
            self._carrier.set_protocol(self)
        self._protocol = protocol
        inner = protocol.protocol if isinstance(protocol, SmallReads) else protocol
        assert isinstance(inner, asyncio.Protocol)
        self._deliver = inner.data_received

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return what is known by `name`: of the carrier, but for ``ssl_object`` and ``record_bytes``.

        The latter: how many bytes of a record may have been taken without being passed on yet.
        """
        if name == "ssl_object":
            return self._tls
        return RECORD_BYTES if name == "record_bytes" else self._carrier.get_extra_info(name, default)

    def read_on(self) -> None:
        """Go on reading."""
        self._carrier.resume_reading()


def _slices(data: bytes | bytearray | memoryview) -> Iterable[memoryview]:
    view = memoryview(data)
    return (view[start : start + _SLICE_BYTES] for start in range(0, len(view), _SLICE_BYTES))
