"""What ``explain --send`` says of servers that begin to answer and never come to an end."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from time import monotonic

import pytest
from devproxy.cli import probing
from devproxy.cli.probing import Asked, head_of_answer
from devproxy.cli.refusal import Refused
from devproxy.config.model import Proxy, Scheme, ServerAddress, Upstream
from devproxy.http1.start_line import Limits

PATIENCE_S = 0.3


@contextmanager
def server(begin: bytes, more: bytes) -> Iterator[int]:
    """Answer with `begin`, then with `more` again and again while anybody listens; give the port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            with suppress(OSError):
                sock, _ = listening.accept()
                with sock:
                    sock.recv(65536)
                    sock.sendall(begin)
                    while not stopped.wait(0.02):
                        sock.sendall(more)

        stopped = threading.Event()
        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            stopped.set()
            thread.join(5)


def refusal_of(ask: Callable[[], object]) -> str:
    start = monotonic()
    with pytest.raises(Refused) as refused:
        ask()
    assert monotonic() - start < 5
    return refused.value.what


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probing, "TIMEOUT_S", PATIENCE_S)


@pytest.mark.parametrize(
    ("begin", "more"),
    [(b"HTTP/1.1 200 OK\r\nX-Slow: ", b"a"), (b"", b"HTTP/1.1 100 Continue\r\n\r\n")],
    ids=["head", "interim"],
)
def test_an_answer_that_does_not_end_is_not_waited_for(begin: bytes, more: bytes) -> None:
    with server(begin, more) as port:
        address = ServerAddress(scheme=Scheme.HTTP, host="127.0.0.1", port=port, url=f"http://127.0.0.1:{port}")
        asked = Asked(address, Upstream(name="a", servers=(address,)), "/")
        what = refusal_of(lambda: head_of_answer(asked, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", Limits()))
    assert what.endswith("it began to answer, and the head of the answer did not end within 0.3 s")


def test_a_proxy_that_does_not_end_its_answer_is_not_waited_for() -> None:
    with server(b"HTTP/1.1 200 OK\r\nX-Slow: ", b"a") as port:
        address = ServerAddress(scheme=Scheme.HTTP, host="far.example", port=80, url="http://far.example")
        proxy = Proxy(host="127.0.0.1", port=port, url=f"http://127.0.0.1:{port}")
        asked = Asked(address, Upstream(name="a", servers=(address,), proxy=proxy), "/")
        what = refusal_of(lambda: head_of_answer(asked, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", Limits()))
    assert f"http://127.0.0.1:{port}" in what
