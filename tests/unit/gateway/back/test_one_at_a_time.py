"""Whether a server takes one connection at a time, told from who is answered, on a clock that the test turns."""

from __future__ import annotations

from typing import Any, cast

from devproxy.gateway.back.one_at_a_time import EAGER_S, LOOK_S, ORDER_MARGIN_S, PATIENCE_S, OneAtATime
from tests.support.clock import Clock


class Connection:
    """One that was dialled for a request. ``is_silent``: no byte of the answer has come."""

    def __init__(self) -> None:
        self.is_silent = True
        self.is_open = True

    def close(self) -> None:
        self.is_open = False


class Server:
    """``given_way``: how often what is idle has been closed; ``keeps``: whether connections may be kept."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.given_way = 0
        self.keeps = True
        self.suspicion = OneAtATime(cast("Any", self.clock), self._give_way, self._keep)

    def _give_way(self) -> None:
        self.given_way += 1

    def _keep(self, keeps: bool) -> None:
        self.keeps = keeps

    def ask(self) -> Connection:
        connection = Connection()
        self.suspicion.expect(cast("Any", connection))
        return connection

    def answer(self, connection: Connection) -> None:
        connection.is_silent = False
        self.suspicion.note(cast("Any", connection))


def test_who_is_answered_soon_makes_nobody_give_way() -> None:
    server = Server()
    server.ask().is_silent = False
    server.clock.turn(10)
    assert (server.given_way, server.keeps) == (0, True)


def test_who_is_silent_on_a_new_connection_makes_what_is_idle_give_way() -> None:
    server = Server()
    waits = server.ask()
    server.clock.turn(LOOK_S + 0.01)
    assert server.given_way == 1
    assert not server.keeps, "until it has been answered"
    server.answer(waits)
    assert server.keeps


def test_a_suspicion_that_proved_right_needs_no_proof_for_a_while() -> None:
    server = Server()
    waits = server.ask()
    server.clock.turn(LOOK_S + 0.01)
    server.answer(waits)
    server.ask()
    assert server.given_way == 2
    server.clock.turn(EAGER_S)
    server.suspicion.forget()
    server.ask()
    given_way = server.given_way
    server.clock.turn(LOOK_S / 2)
    assert server.given_way == given_way


def test_who_is_answered_before_one_that_was_dialled_sooner_shows_that_several_are_served() -> None:
    server = Server()
    server.ask()
    server.clock.turn(LOOK_S + ORDER_MARGIN_S)
    server.answer(server.ask())
    assert server.keeps
    assert not server.suspicion.is_waiting
    given_way = server.given_way
    server.ask()
    server.clock.turn(PATIENCE_S / 2)
    assert server.given_way == given_way, "and is silent for other reasons"


def test_a_server_that_is_gone_may_come_back_as_one_of_another_kind() -> None:
    server = Server()
    server.ask()
    server.clock.turn(LOOK_S + 0.01)
    server.suspicion.forget()
    assert server.keeps
    assert not server.suspicion.is_waiting
