"""TLS on a client's connection, in memory: what crosses it, how each direction ends, and what breaks it."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
import uvloop
from devproxy.gateway.front.tls import TlsStream
from devproxy.gateway.shared.pressure import LITTLE_BYTES, MANY_SLOW, Pressure, Reader
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.certificates import server_context
from tests.support.memory_transport import MemoryTransport
from tests.support.tls_client import TlsClient, trusting_context
from tests.support.wire import until


class Inside(Reader):
    """Notes what it is told, in order."""

    stream: TlsStream

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.told: list[str] = []
        self.error: Exception | None = None

    def secured(self, stream: TlsStream) -> None:
        self.stream = stream
        self.told.append("secured")
        stream.set_protocol(self)

    def data_received(self, data: bytes) -> None:
        self.pieces.append(data)

    def eof_received(self) -> bool:
        self.told.append("end")
        return True

    def pause_writing(self) -> None:
        self.told.append("pause")

    def resume_writing(self) -> None:
        self.told.append("resume")

    def connection_lost(self, exc: Exception | None) -> None:
        self.told.append("lost")
        self.error = exc

    def read_on(self) -> None:
        self.stream.resume_reading()


class Secure:
    """Both ends of a connection; ``carrier``: what is between them, encrypted."""

    def __init__(self, loop: asyncio.AbstractEventLoop, carrier: type[MemoryTransport] = MemoryTransport) -> None:
        self.inside = Inside()
        self.carrier = carrier(loop, asyncio.Protocol())
        self.carrier.set_protocol(TlsStream(self.carrier, server_context(), self.inside))
        self.client = TlsClient(self.carrier)

    @property
    def received(self) -> bytes:
        return b"".join(self.inside.pieces)


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    made = asyncio.new_event_loop()
    yield made
    made.close()


@pytest.fixture
def both(loop: asyncio.AbstractEventLoop) -> Secure:
    """A connection whose keys are agreed on."""
    made = Secure(loop)
    made.client.shake_hands()
    assert made.inside.told == ["secured"]
    return made


def settle(loop: asyncio.AbstractEventLoop) -> None:
    loop.call_soon(loop.stop)
    loop.run_forever()


def test_bytes_cross_both_ways_however_they_are_cut(both: Secure) -> None:
    for byte in both.client.sealed(b"one") + both.client.sealed(b"two"):
        both.carrier.receive(bytes((byte,)))
    assert both.received == b"onetwo"
    both.inside.stream.write(b"thr")
    both.inside.stream.write(bytearray(b"ee"))
    assert both.client.read() == b"three"


class Bytewise(MemoryTransport):
    """Delivers one byte at a time."""

    def receive(self, data: bytes) -> None:
        for byte in data:
            super().receive(bytes((byte,)))


class Late(MemoryTransport):
    """Delivers nothing more, from the first answer on, until it is told to."""

    held = b""

    def receive(self, data: bytes) -> None:
        if self.written:
            self.held += data
        else:
            super().receive(data)

    def deliver(self, data: bytes) -> None:
        super().receive(self.held + data)


def test_keys_are_agreed_on_byte_by_byte(loop: asyncio.AbstractEventLoop) -> None:
    both = Secure(loop, Bytewise)
    both.client.shake_hands()
    both.client.send(b"data")
    assert (both.inside.told, both.received) == (["secured"], b"data")


def test_data_may_come_with_the_last_of_the_handshake(loop: asyncio.AbstractEventLoop) -> None:
    both = Secure(loop, Late)
    both.client.shake_hands()
    assert isinstance(both.carrier, Late)
    both.carrier.deliver(both.client.sealed(b"early"))
    assert (both.inside.told, both.received) == (["secured"], b"early")


@pytest.mark.parametrize("size", [16_384, 65_536, 65_537, 1_000_000])
def test_what_is_large_crosses_whole_and_comes_in_one_piece(both: Secure, size: int) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    both.client.send(data[:size])
    assert both.inside.pieces == [data[:size]]
    both.inside.stream.write(data[:size])
    assert both.client.read() == data[:size]


def test_nothing_is_written_for_nothing(both: Secure) -> None:
    before = both.carrier.written
    both.inside.stream.write(b"")
    assert both.carrier.written == before


def test_our_direction_ends_alone_and_what_comes_is_still_read(both: Secure) -> None:
    both.inside.stream.write(b"answer")
    both.inside.stream.write_eof()
    assert both.client.read() == b"answer"
    assert both.client.is_told_the_end
    assert both.carrier.has_ended
    both.client.send(b"the rest of an upload")
    assert both.received == b"the rest of an upload"
    assert both.inside.told == ["secured"]
    both.inside.stream.close()
    assert both.carrier.is_closing()


def test_a_close_says_so_and_waits_for_nobody(both: Secure, loop: asyncio.AbstractEventLoop) -> None:
    both.inside.stream.close()
    both.client.read()
    assert both.client.is_told_the_end
    settle(loop)
    assert both.inside.told == ["secured", "lost"]
    assert both.inside.error is None
    both.inside.stream.write(b"too late")
    both.inside.stream.close()


def test_an_abort_does_not_look_like_an_end(both: Secure) -> None:
    both.inside.stream.write(b"half")
    both.inside.stream.abort()
    assert both.client.read() == b"half"
    assert not both.client.is_told_the_end
    assert both.carrier.is_aborted


@pytest.mark.parametrize("ways", [("farewell",), ("fin",), ("farewell", "fin")])
def test_the_end_of_the_other_direction_is_told_once(both: Secure, ways: tuple[str, ...]) -> None:
    both.client.send(b"last")
    for way in ways:
        if way == "fin":
            both.carrier.receive_eof()
        else:
            both.carrier.receive(both.client.farewell())
    assert both.inside.told == ["secured", "end"]
    both.inside.stream.write(b"answer")
    assert both.client.read() == b"answer"


def test_data_and_the_end_in_one_piece_come_in_order(both: Secure) -> None:
    both.carrier.receive(both.client.sealed(b"last") + both.client.farewell())
    assert (both.received, both.inside.told) == (b"last", ["secured", "end"])


@pytest.mark.parametrize("rubbish", [b"GET / HTTP/1.1\r\n\r\n", b"\x17\x03\x03\x00\x20" + bytes(32)])
def test_what_is_no_record_ends_the_connection_with_the_reason(
    both: Secure, loop: asyncio.AbstractEventLoop, rubbish: bytes
) -> None:
    both.carrier.receive(rubbish)
    assert both.carrier.is_closing()
    both.inside.stream.write(b"to nobody")
    settle(loop)
    assert both.inside.told == ["secured", "lost"]
    assert isinstance(both.inside.error, ssl.SSLError)


@pytest.mark.parametrize("rubbish", [b"\x16" + bytes(100), b"\x16\x03\x01\x00\x05hello", b"\x16\xff\xff\xff\xff" * 9])
def test_what_is_no_handshake_ends_the_connection(loop: asyncio.AbstractEventLoop, rubbish: bytes) -> None:
    both = Secure(loop)
    both.carrier.receive(rubbish)
    assert both.carrier.is_closing()
    settle(loop)
    assert both.inside.told == ["lost"]


def test_a_client_that_does_not_trust_us_ends_the_connection(loop: asyncio.AbstractEventLoop) -> None:
    both = Secure(loop)
    both.client = TlsClient(both.carrier, ssl.create_default_context())
    with pytest.raises(ssl.SSLCertVerificationError):
        both.client.shake_hands()
    both.carrier.receive(both.client._outgoing.read())
    settle(loop)
    assert both.inside.told == ["lost"]


def test_an_end_in_the_middle_of_a_handshake_is_the_end(loop: asyncio.AbstractEventLoop) -> None:
    both = Secure(loop)
    both.carrier.receive(b"\x16\x03\x01\x02")
    both.carrier.receive_eof()
    settle(loop)
    assert both.inside.told == ["lost"]


@settings(deadline=None)
@given(st.data())
def test_whatever_comes_in_place_of_tls_nothing_is_raised_and_nothing_is_made_up(data: st.DataObject) -> None:
    loop = asyncio.new_event_loop()
    try:
        both = Secure(loop)
        is_secured = data.draw(st.booleans())
        if is_secured:
            both.client.shake_hands()
            octets = both.client.sealed(b"first") + both.client.sealed(b"second") + both.client.farewell()
        else:
            with suppress(ssl.SSLWantReadError):
                both.client.tls.do_handshake()
            octets = both.client._outgoing.read()
        place = data.draw(st.integers(0, len(octets) - 1))
        mutated = octets[:place] + data.draw(st.binary(max_size=4)) + octets[place + data.draw(st.integers(0, 4)) :]
        start = 0
        while start < len(mutated):
            end = start + data.draw(st.integers(1, len(mutated)))
            both.carrier.receive(mutated[start:end])
            start = end
        both.carrier.receive_eof()
        settle(loop)
        assert b"firstsecond".startswith(both.received)
        assert both.carrier.is_closing() or is_secured
    finally:
        loop.close()


def test_a_slow_client_is_told_to_who_writes(both: Secure) -> None:
    carried = both.carrier.get_protocol()
    carried.pause_writing()
    carried.resume_writing()
    assert both.inside.told == ["secured", "pause", "resume"]


class Peer:
    """A client on a socket that agrees on keys with `inside`."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = trusting_context().wrap_bio(self._incoming, self._outgoing, server_hostname="localhost")

    async def shake_hands(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await loop.sock_sendall(self._sock, self._outgoing.read())
                self._incoming.write(await loop.sock_recv(self._sock, 65536))
            else:
                return await loop.sock_sendall(self._sock, self._outgoing.read())

    async def send(self, data: bytes) -> None:
        self._tls.write(data)
        await asyncio.get_running_loop().sock_sendall(self._sock, self._outgoing.read())


async def pieces_read(pressure: Pressure) -> list[int]:
    """Return the sizes of the pieces in which 100,000 bytes are read before many take slowly, meanwhile and after."""
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    inside, peer = Inside(), Peer(theirs)
    transport, _ = await loop.create_connection(asyncio.Protocol, sock=ours)
    transport.set_protocol(TlsStream(transport, server_context(), inside))
    await peer.shake_hands()
    await until(lambda: inside.told)
    pressure.admit(inside.stream)
    others = [MemoryTransport(loop, Inside()) for _ in range(MANY_SLOW)]
    largest = []
    for change in (pressure.catch_up, pressure.fall_behind, pressure.catch_up):
        for one in others:
            change(one)
        pressure.look()
        inside.pieces.clear()
        inside.stream.pause_reading()
        sending = loop.create_task(peer.send(bytes(100_000)))
        await until(sending.done)
        inside.stream.resume_reading()
        await until(lambda: sum(map(len, inside.pieces)) == 100_000)
        largest.append(max(map(len, inside.pieces)))
    pressure.dismiss(inside.stream)
    inside.stream.abort()
    theirs.close()
    return largest


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_while_many_move_much_it_is_read_in_small_pieces(new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def run() -> list[int]:
        return await pieces_read(Pressure(asyncio.get_running_loop()))

    with asyncio.Runner(loop_factory=new_loop) as runner:
        before, meanwhile, after = runner.run(run())
    assert before > 2 * LITTLE_BYTES
    assert meanwhile <= 2 * LITTLE_BYTES
    assert after > 2 * LITTLE_BYTES


# One memory for all connections of a thread


@settings(deadline=None)
@given(cuts=st.lists(st.tuples(st.integers(0, 2), st.integers(1, 400)), max_size=60))
def test_connections_that_are_in_the_middle_of_a_record_do_not_disturb_each_other(
    cuts: list[tuple[int, int]],
) -> None:
    loop = asyncio.new_event_loop()
    all_of_them = [Secure(loop) for _ in range(3)]
    for number, one in enumerate(all_of_them):
        one.client.shake_hands()
        one.inside.stream.write(b"welcome %d" % number)
    left = [one.client.sealed(bytes((65 + number,)) * 700) for number, one in enumerate(all_of_them)]
    for number, size in (*cuts, (0, 10_000), (1, 10_000), (2, 10_000)):
        all_of_them[number].carrier.receive(left[number][:size])
        left[number] = left[number][size:]
        all_of_them[number].inside.stream.write(b"!")
    for number, one in enumerate(all_of_them):
        assert one.received == bytes((65 + number,)) * 700
        assert set(one.client.read()) == set(b"welcome %d!" % number)
    loop.close()


def test_what_is_told_of_a_new_connection_may_end_others(loop: asyncio.AbstractEventLoop, both: Secure) -> None:
    another = Secure(loop, Late)
    secured = another.inside.secured

    def and_end(stream: TlsStream) -> None:
        secured(stream)
        both.inside.stream.close()

    another.inside.secured = and_end  # type: ignore[method-assign]
    another.client.shake_hands()
    assert isinstance(another.carrier, Late)
    another.carrier.deliver(another.client.sealed(b"early"))  # comes with the end of the handshake
    another.inside.stream.write(b"answer")
    assert (another.received, another.client.read()) == (b"early", b"answer")
    both.client.read()
    assert both.client.is_told_the_end


@pytest.mark.parametrize("rest", [b"\x17\x03\x03\x00\x10" + bytes(16), b"GET / HTTP/1.1\r\n\r\n" * 9])
def test_what_is_left_of_a_connection_that_broke_the_rules_reaches_no_other(
    loop: asyncio.AbstractEventLoop, both: Secure, rest: bytes
) -> None:
    broken = Secure(loop)
    broken.client.shake_hands()
    broken.carrier.receive(rest + rest)
    assert broken.carrier.is_closing()
    both.client.send(b"data")
    both.inside.stream.write(b"answer")
    assert (both.received, both.client.read()) == (b"data", b"answer")
