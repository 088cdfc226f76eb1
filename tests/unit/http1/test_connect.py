"""Asking a proxy for a tunnel: what is sent, and that no answer, in whatever pieces, does harm."""

from __future__ import annotations

from base64 import b64decode

import pytest
from devproxy.errors import BadMessage, ProxyCause
from devproxy.http1.connect import MAX_ANSWER_BYTES, Answered, ConnectAnswer, connect_request, no_answer, refusal
from hypothesis import given
from hypothesis import strategies as st

PROXY = "http://…@proxy.test:3128"


def test_a_request_names_the_server_twice_and_who_asks_if_known() -> None:
    assert connect_request("api.test:443", "") == b"CONNECT api.test:443 HTTP/1.1\r\nHost: api.test:443\r\n\r\n"
    head = connect_request("[fd00::1]:443", "mé:p:w")
    assert head.startswith(b"CONNECT [fd00::1]:443 HTTP/1.1\r\nHost: [fd00::1]:443\r\nProxy-Authorization: Basic ")
    assert b64decode(head.split(b"Basic ")[1].strip()) == "mé:p:w".encode()


@pytest.mark.parametrize(
    ("data", "answered"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", Answered(200, "OK", (), b"")),
        (b"HTTP/1.0 200 Connection established\r\n\r\nhi", Answered(200, "Connection established", (), b"hi")),
        (b"HTTP/1.1 200 \r\nContent-Length: 5\r\n\r\nhello", Answered(200, "", (), b"hello")),
        (b"HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n", Answered(204, "No", (), b"")),
        (
            b"HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic realm=x\r\nproxy-authenticate: NTLM\r\n\r\n",
            Answered(407, "Who", ("basic", "ntlm"), b""),
        ),
    ],
)
def test_an_answer_is_read_whatever_pieces_it_comes_in(data: bytes, answered: Answered) -> None:
    assert ConnectAnswer().feed(data) == answered
    reading = ConnectAnswer()
    end = data.index(b"\r\n\r\n") + 4
    assert [reading.feed(data[index : index + 1]) for index in range(end - 1)] == [None] * (end - 1)
    assert reading.feed(data[end - 1 :]) == answered
    assert answered.is_open == (answered.status < 300)


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-x\r\n",
        b"\x05\xff",
        b"<html>",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: " + b"x" * MAX_ANSWER_BYTES,
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 100 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nnot a field\r\n\r\n",
    ],
)
def test_what_is_no_answer_is_refused(data: bytes) -> None:
    with pytest.raises(BadMessage) as refused:
        ConnectAnswer().feed(data)
    failure = no_answer(refused.value, PROXY)
    assert failure.cause is ProxyCause.BAD_ANSWER
    assert failure.reason.isprintable()


@given(st.lists(st.binary(max_size=64), max_size=20))
def test_no_bytes_do_harm(pieces: list[bytes]) -> None:
    reading = ConnectAnswer()
    try:
        for piece in pieces:
            if reading.feed(piece) is not None:
                return
    except BadMessage:
        return


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        (407, ProxyCause.LOGIN_WANTED),
        (401, ProxyCause.REFUSED),
        (403, ProxyCause.REFUSED),
        (302, ProxyCause.REFUSED),
        (500, ProxyCause.REFUSED),
        (502, ProxyCause.SERVER_UNREACHABLE),
        (503, ProxyCause.SERVER_UNREACHABLE),
        (504, ProxyCause.SERVER_UNREACHABLE),
    ],
)
def test_the_status_says_why_there_is_no_tunnel(status: int, cause: ProxyCause) -> None:
    failure = refusal(Answered(status, "Why\x1b[2J" + "y" * 500, (), b""), PROXY)
    assert (failure.cause, failure.proxy) == (cause, PROXY)
    assert failure.reason.startswith(rf"{status} Why\x1b[2J")
    assert len(failure.reason) < 200
