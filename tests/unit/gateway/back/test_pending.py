"""A request that has no connection yet: what comes of it meanwhile goes with it, or is dropped."""

from __future__ import annotations

from typing import Any, cast

from devproxy.errors import UpstreamError, UpstreamFault
from devproxy.gateway.back.pending import MAX_PENDING_BYTES, PendingConnection
from tests.support.streams import MemoryServer, MemoryUpstream, Stage


class Waits:
    """Who waits at a server. ``used``: the connection and what was sent on it; ``error``: why there was none."""

    is_bound = False

    def __init__(self) -> None:
        self.stage = Stage()
        self.request = self.stage.request
        self.used: list[tuple[object, bytes]] = []
        self.error: UpstreamError | None = None
        self.is_paused = False
        self.pending = PendingConnection(cast("Any", self.stage.loop), cast("Any", self), bytearray())

    def take_idle(self, server: MemoryServer) -> MemoryUpstream | None:
        return server.take_idle(self)

    def use(self, connection: object, server: object, body: bytes) -> None:
        self.used.append((connection, body))

    def not_connected(self, error: UpstreamError) -> None:
        self.error = error

    def pause_request(self) -> None:
        self.is_paused = True

    def set_out(self, delay_s: float = 0.0) -> None:
        self.pending.set_out(cast("Any", self.stage.server), delay_s)


def test_what_has_come_of_the_body_goes_with_the_request() -> None:
    waits = Waits()
    waits.set_out(1.0)
    waits.pending.keep(b"one ")
    waits.pending.keep(b"two")
    waits.stage.loop.turn(0.9)
    assert not waits.used, "it is held back on purpose"
    waits.stage.loop.turn(0.2)
    assert waits.used == [(waits.stage.connection, b"one two")]


def test_an_idle_connection_is_taken_before_one_is_dialled() -> None:
    waits = Waits()
    idle = MemoryUpstream(waits.stage.server)
    waits.stage.server.idle.append(idle)
    waits.set_out()
    assert waits.used == [(idle, b"")]
    assert waits.stage.server.fresh, "nobody was dialled"


def test_more_than_a_little_of_a_body_waits_in_the_kernel() -> None:
    waits = Waits()
    waits.pending.keep(bytes(MAX_PENDING_BYTES))
    assert not waits.is_paused
    waits.pending.keep(b"1")
    assert waits.is_paused


def test_who_leaves_meanwhile_has_not_been_there() -> None:
    waits = Waits()
    waits.set_out(1.0)
    waits.pending.cancel()
    waits.stage.loop.turn(2.0)
    assert not waits.used


def test_who_cannot_connect_is_told_why() -> None:
    waits = Waits()
    waits.stage.server.failure = UpstreamError(UpstreamFault.REFUSED, "http://a")
    waits.set_out()
    assert waits.error is waits.stage.server.failure
