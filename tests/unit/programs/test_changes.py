"""Which programs a reload ends and starts, and when one that has ended is started again."""

from __future__ import annotations

from dataclasses import replace

import pytest
from devproxy.config.model import Program, Restart
from devproxy.programs.changes import changes, delay_s, exit_status

PAGE = Program(name="page", command=("npm", "run", "dev"), upstream="frontend")
API = Program(name="api", command=("python", "server.py"))


def test_a_program_that_is_the_same_goes_on() -> None:
    todo = changes([PAGE, API], [API, PAGE])
    assert (todo.ended, todo.started, todo.served) == ((), (), ())


@pytest.mark.parametrize(
    "other",
    [
        replace(PAGE, command=("npm", "start")),
        replace(PAGE, folder="web"),
        replace(PAGE, env=(("A", "1"),)),
        replace(PAGE, port=5173),
    ],
    ids=["command", "folder", "env", "port"],
)
def test_only_a_program_that_would_run_otherwise_is_ended_and_started(other: Program) -> None:
    todo = changes([PAGE, API], [other, API])
    assert (todo.ended, todo.started, todo.served) == (("page",), (other,), ())


def test_what_it_serves_and_whether_it_comes_again_needs_no_new_process() -> None:
    other = replace(PAGE, upstream="", restart=Restart.ALWAYS)
    todo = changes([PAGE], [other])
    assert (todo.ended, todo.started, todo.served) == ((), (), (other,))


def test_programs_come_and_go() -> None:
    assert changes([], [PAGE]).started == (PAGE,)
    assert changes([PAGE, API], [API]).ended == ("page",)


@pytest.mark.parametrize(("code", "status"), [(0, 0), (7, 7), (-9, 137), (-15, 143)])
def test_the_exit_status_is_that_of_a_shell(code: int, status: int) -> None:
    assert exit_status(code) == status


def test_never_is_never_and_on_failure_is_not_after_success() -> None:
    assert delay_s(Restart.NEVER, 1, 0) is None
    assert delay_s(Restart.ON_FAILURE, 0, 0) is None
    assert delay_s(Restart.ALWAYS, 0, 0) == 0.5


def test_the_pause_doubles_up_to_half_a_minute() -> None:
    assert [delay_s(Restart.ON_FAILURE, 1, failures) for failures in range(8)] == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert delay_s(Restart.ON_FAILURE, 1, 10_000) == 30
