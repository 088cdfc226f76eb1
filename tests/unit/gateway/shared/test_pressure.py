"""Many who take slowly or bring much: all are read in small pieces until there are few, and everybody has turns."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import pairwise
from typing import cast

import uvloop
from devproxy.gateway.shared import pressure as module
from devproxy.gateway.shared.pressure import LITTLE_BYTES, MANY_BUSY, MANY_SLOW, READERS_PER_TURN, TURN_BYTES, Pressure
from tests.support.wire import until

SIZE = 256_000


class Reader(module.Reader):
    """Notes the sizes of what comes, and whether it ends."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self.is_held_back = False
        self.sizes: list[int] = []
        self.is_lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def read_on(self) -> None:
        if not self.is_held_back:
            self.transport.resume_reading()

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
            first.reader.transport = first.transport
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
                pressure.take_turn(one.transport, SIZE)
            assert is_high(pressure)
            pressure.look()
            pressure.look()
            assert not is_high(pressure), "nobody has brought much since the last look"

    with both_loops() as runners:
        for runner in runners:
            runner.run(scene())


def test_when_a_turn_is_used_up_all_who_bring_much_wait_and_read_on_a_few_in_each_turn() -> None:
    async def scene() -> None:
        with ExitStack() as stack:
            pressure = Pressure(asyncio.get_running_loop())
            members = await pairs(2 * READERS_PER_TURN + 1, stack)
            members[0].reader.is_held_back = True
            quiet = (await pairs(1, stack))[0]
            for one in members:
                pressure.take_turn(one.transport, 1)
            assert all(one.transport.is_reading() for one in members)
            pressure.take_turn(members[-1].transport, TURN_BYTES)
            assert not any(one.transport.is_reading() for one in members)
            assert quiet.transport.is_reading()
            pressure.dismiss(members[1].transport)
            seen = []
            for _ in range(4):
                await asyncio.sleep(0)
                seen.append(sum(one.transport.is_reading() for one in members))
            few = READERS_PER_TURN
            assert max(b - a for a, b in pairwise([0, *seen])) <= few
            assert seen[0] >= few - 1
            assert seen[-1] == len(members) - 2
            assert not members[0].transport.is_reading(), "its octets are not taken"

    with both_loops() as runners:
        for runner in runners:
            runner.run(scene())


def test_the_share_of_a_turn_lasts_for_the_turn_however_much_time_passes_in_it() -> None:
    async def scene() -> None:
        with ExitStack() as stack:
            pressure = Pressure(asyncio.get_running_loop())
            one = (await pairs(1, stack))[0]
            for _ in range(TURN_BYTES // SIZE + 1):
                wait_until = time.monotonic() + 0.002
                while time.monotonic() < wait_until:
                    pass  # the loop's own clock goes on
                pressure.take_turn(one.transport, SIZE)
            assert not one.transport.is_reading()
            await asyncio.sleep(0.01)
            assert one.transport.is_reading()
            pressure.take_turn(one.transport, TURN_BYTES // 2)
            await asyncio.sleep(0.01)
            pressure.take_turn(one.transport, TURN_BYTES // 2 + 1)
            assert one.transport.is_reading(), "each turn has its own"

    with both_loops() as runners:
        for runner in runners:
            runner.run(scene())
