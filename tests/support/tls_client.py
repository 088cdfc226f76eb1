"""A client that speaks TLS without a socket: bytes go in and come out by hand. Start at :class:`TlsClient`."""

from __future__ import annotations

import ssl

from tests.support.memory_transport import MemoryTransport


def trusting_context() -> ssl.SSLContext:
    """Return a context of a client that takes any certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


class TlsClient:
    """The other end of `transport`. ``received``: what has come, decrypted; ``is_told_the_end``: by a close_notify."""

    def __init__(self, transport: MemoryTransport, context: ssl.SSLContext | None = None) -> None:
        self._transport = transport
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = (context or trusting_context()).wrap_bio(self._incoming, self._outgoing, server_hostname="localhost")
        self._taken = 0
        self.received = b""
        self.is_told_the_end = False

    def shake_hands(self) -> None:
        """Agree on keys, in as many rounds as that takes."""
        for _ in range(4):
            try:
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                self._transport.receive(self._outgoing.read())
                self._take_in()
            else:
                break
        self._transport.receive(self._outgoing.read())
        self.read()

    def sealed(self, data: bytes) -> bytes:
        """Return `data` encrypted, to be delivered in whatever pieces."""
        self.tls.write(data)
        return self._outgoing.read()

    def send(self, data: bytes) -> None:
        """Deliver `data`."""
        self._transport.receive(self.sealed(data))

    def farewell(self) -> bytes:
        """Return a close_notify."""
        try:
            self.tls.unwrap()
        except ssl.SSLWantReadError:
            pass
        return self._outgoing.read()

    def read(self) -> bytes:
        """Take in what was written; return all that has come so far."""
        self._take_in()
        while not self.is_told_the_end:
            try:
                data = self.tls.read(65536)
            except ssl.SSLWantReadError:
                break
            except ssl.SSLZeroReturnError:
                data = b""
            self.is_told_the_end = not data
            self.received += data
        return self.received

    def _take_in(self) -> None:
        self._incoming.write(self._transport.written[self._taken :])
        self._taken = len(self._transport.written)
