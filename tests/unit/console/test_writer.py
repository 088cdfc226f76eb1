"""The writer against real pipes: full, closed, slow, in order."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from time import monotonic, sleep

import pytest
from devproxy.console.writer import MAX_QUEUED, MAX_QUEUED_BYTES, MAX_TAKEN, Lines, Writer
from devproxy.events import Entry, Event, ExchangeFinished, Outcome, Trouble
from devproxy.http.messages import RequestFacts
from tests.support.ends import end_of

DEADLINE_S = 30.0


class PlainLines(Lines):
    """Each event as its text; the writer is what is tested here."""

    batch = 32
    pause_s = 0.001

    def lines(self, at: float, event: Event) -> list[str]:
        match event:
            case Trouble():
                return [event.what]
            case ExchangeFinished():
                return [event.target.decode()]
            case _:
                raise AssertionError(event)

    def dropped(self, at: float, count: int) -> list[str]:
        return [f"dropped {count}"]


class HoldingLines(PlainLines):
    """Holds everything back until its deadline or the end."""

    def __init__(self, deadline: float) -> None:
        self._deadline: float | None = deadline
        self.held: list[str] = []

    @property
    def deadline(self) -> float | None:
        return self._deadline

    def lines(self, at: float, event: Event) -> list[str]:
        self.held += super().lines(at, event)
        return []

    def due(self) -> list[str]:
        self._deadline = None
        return self.held

    flush = due


class Reader:
    """Reads a descriptor in a thread of its own until the other end is closed."""

    def __init__(self, fd: int) -> None:
        self.data = b""
        self._fd = fd
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while piece := os.read(self._fd, 65536):
            self.data += piece

    def wait_for(self, end: str) -> None:
        wait_until(lambda: self.data.endswith(f"{end}\n".encode()))

    def lines_to_the_end(self) -> list[str]:
        self._thread.join(DEADLINE_S)
        assert not self._thread.is_alive()
        return self.data.decode().splitlines()


def exchange(target: str) -> ExchangeFinished:
    return ExchangeFinished(b"GET", target.encode(), 200, "/", "", "", Outcome.COMPLETE, 0.0, 0.0, 0, 0, "")


Pipe = tuple[int, int]


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    ends = os.pipe()
    yield ends
    for fd in ends:
        try:
            os.close(fd)
        except OSError:
            pass  # the test has closed it


def read_all(fd: int) -> list[str]:
    """Read until the other end is closed."""
    data = b""
    while piece := os.read(fd, 65536):
        data += piece
    return data.decode().splitlines()


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = monotonic() + DEADLINE_S
    while not holds():
        assert monotonic() < deadline, "did not come true in time"
        sleep(0.005)


def start(fd: int, lines: PlainLines | None = None, encoding: str = "utf-8") -> Writer:
    return Writer(fd, lines or PlainLines(), encoding=encoding)


def closed_in(writer: Writer) -> float:
    began = monotonic()
    writer.close()
    return monotonic() - began


def thread_count() -> int:
    return sum(thread.name == "devproxy-console" for thread in threading.enumerate())


def test_lines_come_out_in_the_order_in_which_the_events_went_in(pipe: Pipe) -> None:
    writer = start(pipe[1])
    for number in range(3000):
        writer.put(Trouble(str(number)))
    writer.close()
    os.close(pipe[1])
    assert read_all(pipe[0]) == [str(number) for number in range(3000)]


def test_events_that_give_no_line_cost_no_pause_and_none_is_lost(pipe: Pipe) -> None:
    class Counting(PlainLines):
        pause_s = 3600.0

        def lines(self, at: float, event: Event) -> list[str]:
            self.count = getattr(self, "count", 0) + 1
            return [str(self.count)] if self.count == 5 * MAX_TAKEN else []

    writer = start(pipe[1], Counting())
    for _ in range(5 * MAX_TAKEN):
        writer.put(Trouble("x"))
    assert os.read(pipe[0], 100) == b"%d\n" % (5 * MAX_TAKEN)
    writer.close()


def test_a_line_appears_without_any_further_event(pipe: Pipe) -> None:
    writer = start(pipe[1])
    writer.put(Trouble("hello"))
    assert os.read(pipe[0], 100) == b"hello\n"
    writer.close()


def test_a_full_pipe_keeps_neither_the_caller_nor_close_waiting(pipe: Pipe) -> None:
    writer = start(pipe[1])
    began = monotonic()
    for _ in range(5000):
        writer.put(Trouble("x" * 200))
    assert monotonic() - began < 5.0
    assert closed_in(writer) < 10.0
    wait_until(lambda: thread_count() == 0)


def test_a_blocking_pipe_stays_blocking(pipe: Pipe) -> None:
    writer = start(pipe[1])
    writer.put(Trouble("x" * 100_000))
    writer.close()
    assert os.get_blocking(pipe[1])


def test_what_does_not_fit_into_a_nonblocking_pipe_is_written_when_there_is_room(pipe: Pipe) -> None:
    os.set_blocking(pipe[1], False)
    writer = start(pipe[1])
    lines = [f"{number}:" + "x" * 10_000 for number in range(50)]
    for line in lines:
        writer.put(Trouble(line))
    reader = Reader(pipe[0])
    reader.wait_for(lines[-1])
    writer.close()
    os.close(pipe[1])
    assert reader.lines_to_the_end() == lines


def test_lines_beyond_the_queue_are_dropped_and_counted(pipe: Pipe) -> None:
    writer = start(pipe[1])
    writer.put(Trouble("first" + "x" * 200_000))  # more than a pipe holds: the writer stands still
    assert os.read(pipe[0], 5) == b"first"
    for number in range(MAX_QUEUED + 312):
        writer.put(exchange(str(number)))
    reader = Reader(pipe[0])
    reader.wait_for("dropped 312")
    writer.put(exchange("last"))
    writer.close()
    os.close(pipe[1])
    assert reader.lines_to_the_end()[1:] == [*map(str, range(MAX_QUEUED)), "dropped 312", "last"]


def test_long_targets_that_nobody_reads_take_bounded_memory(pipe: Pipe) -> None:
    writer = start(pipe[1])
    writer.put(Trouble("first" + "x" * 200_000))
    assert os.read(pipe[0], 5) == b"first"
    kept = MAX_QUEUED_BYTES // 32_768
    for _ in range(kept + 40):
        writer.put(exchange("y" * 32_768))
    writer.put(Trouble("it burns"))
    reader = Reader(pipe[0])
    reader.wait_for("dropped 40")
    writer.put(exchange("last"))
    writer.close()
    os.close(pipe[1])
    assert reader.lines_to_the_end()[-3:] == ["it burns", "dropped 40", "last"]


def test_what_matters_more_than_traffic_finds_room_behind_it(pipe: Pipe) -> None:
    writer = start(pipe[1])
    writer.put(Trouble("first" + "x" * 200_000))
    assert os.read(pipe[0], 5) == b"first"
    for number in range(MAX_QUEUED + 1):
        writer.put(exchange(str(number)))
    writer.put(Trouble("it burns"))
    reader = Reader(pipe[0])
    reader.wait_for("dropped 1")
    writer.close()
    os.close(pipe[1])
    assert reader.lines_to_the_end()[-2:] == ["it burns", "dropped 1"]


def test_even_what_matters_does_not_pile_up_without_end(pipe: Pipe) -> None:
    writer = start(pipe[1])
    writer.put(Trouble("first" + "x" * 200_000))
    assert os.read(pipe[0], 5) == b"first"
    for number in range(2 * MAX_QUEUED + 3):
        writer.put(Trouble(str(number)))
    reader = Reader(pipe[0])
    reader.wait_for("dropped 3")
    writer.close()
    os.close(pipe[1])
    assert len(reader.lines_to_the_end()) == 2 * MAX_QUEUED + 2


def test_ends_in_their_shortest_form_share_the_bound_and_the_order_of_all_others(pipe: Pipe) -> None:
    writer = start(pipe[1])
    writer.put(Trouble("first" + "x" * 200_000))
    assert os.read(pipe[0], 5) == b"first"
    writer.put(exchange("event"))
    for number in range(MAX_QUEUED + 40):
        writer.keep(end_of(exchange(str(number))))
    writer.put(Trouble("it burns"))
    reader = Reader(pipe[0])
    wait_until(lambda: b"\ndropped " in reader.data)
    writer.close()
    os.close(pipe[1])
    _, *kept, trouble, dropped = reader.lines_to_the_end()
    assert kept == ["event", *(str(number) for number in range(len(kept) - 1))]
    assert 0.9 * MAX_QUEUED < len(kept) <= MAX_QUEUED
    assert (trouble, dropped) == ("it burns", f"dropped {MAX_QUEUED + 41 - len(kept)}")


def test_an_end_of_which_more_is_told_is_left_to_that(pipe: Pipe) -> None:
    writer = start(pipe[1])
    for change in ({"outcome": Outcome.CLIENT_LEFT}, {"has_advice": True}):
        writer.keep(end_of(replace(exchange("twice"), **change)))
    writer.keep(end_of(exchange("once")))
    writer.close()
    os.close(pipe[1])
    assert Reader(pipe[0]).lines_to_the_end() == ["once"]


def test_what_only_one_request_states_counts_with_its_end(pipe: Pipe) -> None:
    writer = start(pipe[1])
    writer.put(Trouble("first" + "x" * 200_000))
    assert os.read(pipe[0], 5) == b"first"
    end = list(end_of(exchange("large")))
    end[Entry._fields.index("facts")] = RequestFacts(via=b"x" * (MAX_QUEUED_BYTES // 4))
    for _ in range(10):
        writer.keep(tuple(end))
    reader = Reader(pipe[0])
    reader.wait_for("dropped 6")
    writer.close()
    os.close(pipe[1])


def test_a_reader_that_leaves_ends_the_writing_silently(pipe: Pipe, capfd: pytest.CaptureFixture[str]) -> None:
    writer = start(pipe[1])
    os.close(pipe[0])
    writer.put(Trouble("to nobody"))
    wait_until(lambda: thread_count() == 0)
    for _ in range(MAX_QUEUED * 2):
        writer.put(Trouble("nor this"))
    assert closed_in(writer) < 0.5
    assert capfd.readouterr() == ("", "")


def test_a_reader_that_leaves_a_full_pipe_ends_the_writing(pipe: Pipe) -> None:
    writer = start(pipe[1])
    writer.put(Trouble("x" * 1_000_000))
    os.read(pipe[0], 1)
    os.close(pipe[0])
    wait_until(lambda: thread_count() == 0)
    writer.close()


def test_a_closed_descriptor_ends_the_writing_silently(pipe: Pipe, capfd: pytest.CaptureFixture[str]) -> None:
    writer = start(pipe[1])
    os.close(pipe[1])
    writer.put(Trouble("into the void"))
    wait_until(lambda: thread_count() == 0)
    writer.close()
    assert capfd.readouterr() == ("", "")


def test_closing_writes_what_is_left_and_may_be_done_twice(pipe: Pipe) -> None:
    writer = start(pipe[1])
    for number in range(100):
        writer.put(Trouble(str(number)))
    writer.close()
    writer.close()
    writer.put(Trouble("too late"))
    os.close(pipe[1])
    assert read_all(pipe[0]) == [str(number) for number in range(100)]
    assert thread_count() == 0


def test_held_back_lines_come_when_their_time_is_over(pipe: Pipe) -> None:
    writer = start(pipe[1], HoldingLines(monotonic() + 0.05))
    writer.put(Trouble("held"))
    assert os.read(pipe[0], 100) == b"held\n"
    writer.close()


def test_closing_does_not_wait_for_held_back_lines(pipe: Pipe) -> None:
    writer = start(pipe[1], HoldingLines(monotonic() + 3600))
    writer.put(Trouble("held"))
    writer.close()
    os.close(pipe[1])
    assert read_all(pipe[0]) == ["held"]


def test_what_the_encoding_lacks_is_written_escaped(pipe: Pipe) -> None:
    writer = start(pipe[1], encoding="ascii")
    writer.put(Trouble("a → b"))
    writer.close()
    os.close(pipe[1])
    assert read_all(pipe[0]) == ["a \\u2192 b"]
