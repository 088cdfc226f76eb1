"""What the system knows of a peer that is not read."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Iterator
from typing import Any

import pytest
from devproxy.gateway.shared.peer_state import peer_state_of, unread_bytes
from devproxy.platforms.sockets import PeerState


class Held(asyncio.Transport):
    """A transport of which nothing is read."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__({"socket": sock})
        self._is_closing = False

    def is_closing(self) -> bool:
        return self._is_closing

    def close(self) -> None:
        self._is_closing = True


Pair = tuple[Held, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """A held transport and its peer."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as peer:
        peer.connect(listener.getsockname())
        sock, _ = listener.accept()
        with sock:
            yield Held(sock), peer


def reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def test_a_peer_that_has_sent_something_is_there(pair: Pair) -> None:
    held, peer = pair
    assert peer_state_of(held) is PeerState.THERE
    peer.send(b"something")
    assert peer_state_of(held) is PeerState.THERE


@pytest.mark.parametrize("how", ["half", "whole"])
def test_a_peer_that_ends_behind_octets_that_nobody_has_read_is_finished(pair: Pair, how: str) -> None:
    held, peer = pair
    peer.send(b"something")
    if how == "half":
        peer.shutdown(socket.SHUT_WR)
    else:
        peer.close()
    assert peer_state_of(held) is PeerState.FINISHED
    assert unread_bytes(held) == len(b"something")


def test_a_peer_that_resets_is_gone(pair: Pair) -> None:
    held, peer = pair
    peer.send(b"something")
    reset(peer)
    assert peer_state_of(held) is PeerState.GONE


def test_of_a_transport_that_is_closing_nothing_is_asked(pair: Pair) -> None:
    held, peer = pair
    reset(peer)
    held.close()
    assert peer_state_of(held) is PeerState.THERE


def test_a_transport_without_a_socket_tells_nothing() -> None:
    class Bare(Held):
        def get_extra_info(self, name: str, default: Any = None) -> Any:
            return None

    with socket.socket() as sock:
        assert peer_state_of(Bare(sock)) is PeerState.THERE
