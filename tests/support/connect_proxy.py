"""An HTTP proxy that knows CONNECT alone and takes every name for this machine. Start at :func:`connect_proxy`."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from tests.support.tls_servers import serving

OPENED = b"HTTP/1.1 200 Connection established\r\n\r\n"


@dataclass
class ConnectProxy:
    """``port``: on 127.0.0.1. ``heads``: of the requests that came. ``answer``: sent instead of opening a tunnel.

    ``glued``: sent right after the head that opens one, as if the server had spoken.
    """

    port: int = 0
    heads: list[bytes] = field(default_factory=list)
    answer: bytes | None = None
    is_silent: bool = False
    glued: bytes = b""
    _ends: list[socket.socket] = field(default_factory=list)
    _threads: list[threading.Thread] = field(default_factory=list)

    @property
    def targets(self) -> list[bytes]:
        """What was asked for."""
        return [head.split(b" ")[1] for head in self.heads]

    def behave(self, sock: socket.socket) -> None:
        """Answer one connection; a tunnel goes on in a thread of its own."""
        head = b""
        while b"\r\n\r\n" not in head:
            data = sock.recv(65536)
            if not data:
                return
            head += data
        self.heads.append(head)
        if self.is_silent:
            sock.recv(1)
        elif self.answer is not None:
            sock.sendall(self.answer)
            with suppress(OSError):
                while sock.recv(65536):  # until the other side has had enough
                    pass
        else:
            self._open(head, sock.dup())

    def _open(self, head: bytes, client: socket.socket) -> None:
        method, target, version = head.split(b"\r\n", 1)[0].split(b" ")
        assert (method, version) == (b"CONNECT", b"HTTP/1.1")
        assert b"\r\nHost: " + target + b"\r\n" in head
        try:
            server = socket.create_connection(("127.0.0.1", int(target.rpartition(b":")[2])))
        except OSError:
            client.close()
            return
        client.settimeout(None)
        self._ends += [client, server]
        client.sendall(OPENED + self.glued)
        self._threads.append(threading.Thread(target=_relay, args=(client, server), daemon=True))
        self._threads[-1].start()

    def close(self) -> None:
        """End every tunnel."""
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)


def _relay(client: socket.socket, server: socket.socket) -> None:
    """Pass on what comes from either side until both have ended."""
    sinks = {client: server, server: client}
    with client, server, suppress(OSError):
        while sinks:
            for source in select.select(list(sinks), [], [])[0]:
                data = source.recv(65536)
                if data:
                    sinks[source].sendall(data)
                else:
                    sinks.pop(source).shutdown(socket.SHUT_WR)


@contextmanager
def connect_proxy() -> Iterator[ConnectProxy]:
    """Run such a proxy."""
    proxy = ConnectProxy()
    try:
        with serving(proxy.behave) as proxy.port:
            yield proxy
    finally:
        proxy.close()
