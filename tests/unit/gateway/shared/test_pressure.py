"""Many who take slowly or bring much: all are read in small pieces until there are few, and everybody has turns."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

import pytest
import uvloop
from devproxy.gateway.shared.pressure import LITTLE_BYTES, MANY_BUSY, MANY_SLOW, TURN_BYTES, Pressure
from tests.support.wire import until

SIZE = 256_000


class Reader(asyncio.Protocol):
    """Notes the sizes of what comes, and whether it ends."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.is_lost = False

    def data_received(self, data: bytes) -> None:
        self.sizes.append(len(data))

    def connection_lost(self, _: Exception | None) -> None:
        self.is_lost = True


def is_high(pressure: Pressure) -> bool:
    """Ask anew: a type checker takes for granted that a member stays as it was asserted."""
    return pressure.is_high


class Pair:
    """A transport with its reader, and the socket of its peer."""

    def __init__(self, transport: asyncio.Transport, reader: Reader, peer: socket.socket) -> None:
        self.transport = transport
        self.reader = reader
        self.peer = peer

    async def read_from(self, size: int) -> list[int]:
        """Have the peer send `size` octets at once; return in what pieces they are read."""
        self.reader.sizes.clear()
        self.transport.pause_reading()
        assert self.peer.send(b"x" * size) == size
        self.transport.resume_reading()
        await until(lambda: sum(self.reader.sizes) >= size)
        return self.reader.sizes


async def pairs(count: int, stack: ExitStack) -> list[Pair]:
    loop = asyncio.get_running_loop()
    made = []
    for _ in range(count):
        ours, peer = socket.socketpair()
        stack.callback(peer.close)
        reader = Reader()
        transport, _ = await loop.create_connection(lambda reader=reader: reader, sock=ours)  # type: ignore[misc]
        stack.callback(transport.abort)
        made.append(Pair(transport, reader, peer))
    return made


@contextmanager
def both_loops() -> Iterator[list[asyncio.Runner]]:
    with asyncio.Runner() as plain, asyncio.Runner(loop_factory=uvloop.new_event_loop) as fast:
        yield [plain, fast]


def test_under_pressure_everybody_is_read_in_small_pieces_and_as_before_once_there_are_few() -> None:
    async def scene() -> None:
        with ExitStack() as stack:
            pressure = Pressure(asyncio.get_running_loop())
            members = await pairs(MANY_SLOW + 2, stack)
            for one in members:
                pressure.admit(one.transport)
            for one in members[: MANY_SLOW - 1]:
                pressure.fall_behind(one.transport)
            assert not is_high(pressure)
            assert max(await members[-1].read_from(4 * LITTLE_BYTES)) > LITTLE_BYTES
            pressure.fall_behind(members[MANY_SLOW - 1].transport)
            assert is_high(pressure)
            for one in (members[0], members[-1]):
                assert await one.read_from(2 * LITTLE_BYTES + 1) == [LITTLE_BYTES, LITTLE_BYTES, 1]
            late = (await pairs(1, stack))[0]
            pressure.admit(late.transport)
            assert max(await late.read_from(4 * LITTLE_BYTES)) == LITTLE_BYTES

            for one in members[: MANY_SLOW // 2]:
                pressure.catch_up(one.transport)
            pressure.look()
            pressure.look()
            assert not is_high(pressure)
            for one in (members[0], members[-1], late):
                assert max(await one.read_from(4 * LITTLE_BYTES)) > LITTLE_BYTES
                one.peer.close()
                await until(partial(getattr, one.reader, "is_lost"))

    with both_loops() as runners:
        for runner in runners:
            runner.run(scene())


def test_a_transport_that_gets_another_protocol_under_pressure_is_read_by_that_one() -> None:
    async def scene() -> None:
        with ExitStack() as stack:
            pressure = Pressure(asyncio.get_running_loop())
            members = await pairs(MANY_SLOW, stack)
            for one in members:
                pressure.admit(one.transport)
                pressure.fall_behind(one.transport)
            first = members[0]
            old, first.reader = first.reader, Reader()
            pressure.hand_over(first.transport, first.reader)
            assert await first.read_from(2 * LITTLE_BYTES) == [LITTLE_BYTES, LITTLE_BYTES]
            assert old.sizes == []
            for one in members:
                pressure.dismiss(one.transport)
            pressure.look()
            assert not is_high(pressure)

    with both_loops() as runners:
        for runner in runners:
            runner.run(scene())


def test_many_who_bring_much_raise_the_pressure_before_anybody_is_slow() -> None:
    async def scene() -> None:
        with ExitStack() as stack:
            pressure = Pressure(asyncio.get_running_loop())
            for one in await pairs(MANY_BUSY, stack):
                pressure.admit(one.transport)
                assert not is_high(pressure)
                pressure.take_turn(one.transport, SIZE, one.transport.resume_reading)
            assert is_high(pressure)
            pressure.look()
            pressure.look()
            assert not is_high(pressure), "nobody has brought much since the last look"

    with both_loops() as runners:
        for runner in runners:
            runner.run(scene())


@pytest.mark.parametrize("count", [1, 5])
def test_who_brings_more_than_its_share_of_a_turn_is_read_on_in_the_next(count: int) -> None:
    async def scene() -> None:
        with ExitStack() as stack:
            pressure = Pressure(asyncio.get_running_loop())
            members = await pairs(count, stack)
            resumed = 0

            def go_on() -> None:
                nonlocal resumed
                resumed += 1
                for one in members:
                    one.transport.resume_reading()

            reads = 0
            while members[0].transport.is_reading():
                pressure.take_turn(members[0].transport, SIZE, go_on)
                reads += 1
                assert reads <= TURN_BYTES // SIZE + 1
            assert resumed == 0
            await asyncio.sleep(0.01)
            assert resumed == 1
            assert members[0].transport.is_reading()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(scene())
