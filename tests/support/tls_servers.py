"""Servers that speak TLS, each in a thread of its own: well, badly, or not at all. Start at :func:`tls_server`."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"

Behaviour = Callable[[socket.socket], object]
"""What is done with each connection that is accepted."""


@contextmanager
def serving(behave: Behaviour) -> Iterator[int]:
    """Do `behave` with one connection after another; give the port, on 127.0.0.1."""
    listener = socket.create_server(("127.0.0.1", 0))

    def run() -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            with sock, suppress(OSError):
                sock.settimeout(10)
                behave(sock)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)


def answering(context: ssl.SSLContext, heads: list[bytes] | None = None) -> Behaviour:
    """Return what answers each request over TLS; `heads` gets what was asked."""

    def behave(sock: socket.socket) -> None:
        with context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False) as secure:
            try:
                secure.do_handshake()
            except ssl.SSLError:
                _linger(socket.socket(fileno=secure.detach()))
                return
            data = b""
            while b"\r\n\r\n" not in data:
                piece = secure.recv(65536)
                if not piece:
                    return
                data += piece
            if heads is not None:
                heads.append(data)
            secure.sendall(OK)

    return behave


def _linger(sock: socket.socket) -> None:
    """End this side and wait for the other: closed with bytes unread, it would be reset, and the alert be lost."""
    with sock:
        sock.settimeout(10)
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(65536):
            pass


def plain_http(sock: socket.socket) -> None:
    """Refuse as servers do that take a handshake for a request."""
    sock.recv(4096)
    sock.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")


def closing(sock: socket.socket) -> None:
    """Read the beginning of the handshake, and close."""
    sock.recv(4096)


def resetting(sock: socket.socket) -> None:
    """Read the beginning of the handshake, and reset the connection."""
    sock.recv(16)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
