"""What stands below the lines of a terminal, on a screen."""

from __future__ import annotations

from devproxy.console.foot import EVERY_S, Foot
from tests.support.screen import Screen


class Terminal:
    """A screen with a foot. ``foot``: what it is to show; ``now``: seconds; ``is_ours``: no shell has it."""

    def __init__(self) -> None:
        self.screen = Screen()
        self.shown: list[str] = []
        self.now = 100.0
        self.is_ours = True
        self.foot = Foot(lambda: self.shown, lambda: self.is_ours)

    def draw(self, *lines: str, foot: list[str]) -> list[str]:
        self.now += EVERY_S
        self.shown = foot
        self.screen.write(self.foot.drawn("".join(f"{line}\n" for line in lines), self.now))
        return self.screen.rows


def test_the_foot_is_written_over_in_place() -> None:
    terminal = Terminal()
    assert terminal.draw(foot=["x1", "y1"]) == ["x1", "y1"]
    assert terminal.draw(foot=["x2", "y1"]) == ["x2", "y1"]
    assert terminal.draw(foot=["x3"]) == ["x3"]


def test_lines_stand_above_the_foot_in_order() -> None:
    terminal = Terminal()
    terminal.draw("first", foot=["x1", "y1"])
    assert terminal.draw("second", "third", foot=["x2"]) == ["first", "second", "third", "x2"]
    assert terminal.draw("x2", foot=[]) == ["first", "second", "third", "x2", ""]


def test_without_a_foot_nothing_but_the_lines_is_written() -> None:
    assert Foot(list, lambda: True).drawn("a\nb\n", 1.0) == "a\nb\n"


def test_what_has_not_changed_is_not_written_again() -> None:
    terminal = Terminal()
    terminal.draw(foot=["x1"])
    terminal.now += EVERY_S
    assert terminal.foot.drawn("", terminal.now) == ""
    assert terminal.foot.due is None


def test_a_foot_that_changes_all_the_time_is_written_ten_times_a_second_and_the_last_change_too() -> None:
    terminal = Terminal()
    terminal.draw(foot=["x1"])
    terminal.shown = ["x2"]
    assert terminal.foot.drawn("", terminal.now + EVERY_S / 2) == ""
    assert terminal.foot.due == terminal.now + EVERY_S
    assert "x2" in terminal.foot.drawn("", terminal.foot.due)
    assert terminal.foot.due is None


def test_lines_do_not_wait_for_the_foot() -> None:
    terminal = Terminal()
    terminal.draw(foot=["x1"])
    terminal.shown = ["x2"]
    terminal.screen.write(terminal.foot.drawn("line\n", terminal.now))
    assert terminal.screen.rows == ["line", "x2"]


def test_what_is_typed_on_the_foot_is_gone_with_it() -> None:
    terminal = Terminal()
    terminal.draw(foot=["x1"])
    terminal.screen.write("^C")
    assert terminal.draw("stopping", foot=[]) == ["stopping", ""]


def test_return_leaves_an_older_foot_and_erases_no_line() -> None:
    terminal = Terminal()
    terminal.draw("line", foot=["x1", "y1"])
    terminal.screen.write("\n\n")
    assert terminal.draw(foot=["x2", "y1"]) == ["line", "x1", "y1", "x2", "y1"]


def test_a_shell_that_has_the_terminal_back_keeps_its_line() -> None:
    terminal = Terminal()
    terminal.draw("line", foot=["x1"])
    terminal.screen.write("\n$ half a comm")
    terminal.is_ours = False
    assert terminal.draw(foot=["x2"]) == ["line", "x1", "$ half a comm"]
    terminal.screen.write("\n")
    assert terminal.draw("another", foot=["x2"]) == ["line", "x1", "$ half a comm", "another", ""]
    terminal.is_ours = True
    assert terminal.draw(foot=["x3"])[-2:] == ["another", "x3"]
