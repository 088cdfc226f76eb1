from __future__ import annotations

import errno
import socket

import pytest
from devproxy.platforms import sockets
from devproxy.platforms.sockets import PeerState, look, number_of, read_rest, unread_bytes, words_of


def of_windows(number: int) -> OSError:
    """What the proactor of Windows raises: its own number, and EINVAL for want of a better one."""
    error = ConnectionRefusedError(errno.EINVAL, "The remote computer refused the network connection")
    error.winerror = number  # type: ignore[attr-defined]
    return error


@pytest.mark.parametrize(
    ("error", "number"),
    [
        (OSError(errno.EHOSTUNREACH, "x"), errno.EHOSTUNREACH),
        (OSError("no number"), 0),
        (of_windows(1225), errno.ECONNREFUSED),
        (of_windows(121), errno.ETIMEDOUT),
        (of_windows(5), errno.EINVAL),
    ],
    ids=["POSIX", "none", "refused", "silent", "another of Windows"],
)
def test_what_happened_has_one_number(error: OSError, number: int) -> None:
    assert number_of(error) == number


def test_what_happened_has_words(monkeypatch: pytest.MonkeyPatch) -> None:
    assert words_of(OSError(errno.ECONNREFUSED, "Connect call failed")) == "connection refused"
    assert words_of(OSError("Something else")) == "something else"
    monkeypatch.setattr(sockets, "IS_WINDOWS", True)
    assert words_of(of_windows(1225)) == "the remote computer refused the network connection"


def test_an_end_behind_unread_bytes_is_seen_without_reading() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert look(ours.fileno()) is PeerState.THERE
        theirs.sendall(b"abc")
        theirs.shutdown(socket.SHUT_WR)
        assert look(ours.fileno()) is PeerState.FINISHED
        assert unread_bytes(ours.fileno()) == 3


@pytest.mark.parametrize("windows", [False, True], ids=["POSIX", "Windows"])
def test_what_is_left_is_read_and_the_socket_stays_open(windows: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "IS_WINDOWS", windows)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.sendall(b"x" * 1000)
        assert read_rest(ours, 1 << 16) == b"x" * 1000
        assert read_rest(ours, 1 << 16) == b""
        theirs.sendall(b"more")
        assert ours.recv(10) == b"more"
