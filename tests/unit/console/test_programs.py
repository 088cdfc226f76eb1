"""How the lines of programs are shown, and what is said of programs."""

from __future__ import annotations

from devproxy.console.jsonlines import JsonLines
from devproxy.console.programs import OutputLines, ProgramLines, answers_words, ended_words
from devproxy.console.style import Style, glyphs_for
from devproxy.events import ProgramAnswers, ProgramEnded, ProgramOutput, Stopped

PLAIN = Style(False, glyphs_for("utf-8"))
COLOURED = Style(True, glyphs_for("utf-8"))
RED = "\x1b[31mx\x1b[0m"


def test_names_are_as_wide_as_the_widest_and_lines_end_without_spaces() -> None:
    lines = ProgramLines(["api", "frontend"], PLAIN)
    assert lines.lines(ProgramOutput("api", ("one", ""))) == ["api      │ one", "api      │"]
    assert lines.lines(ProgramOutput("frontend", (RED,))) == ["frontend │ x"]


def test_each_name_has_a_colour_of_its_own_and_keeps_it() -> None:
    lines = ProgramLines(["a", "b"], COLOURED)
    [one], [other], [again] = (lines.lines(ProgramOutput(name, (RED,))) for name in ("a", "b", "a"))
    assert one == again == f"\x1b[36ma │\x1b[0m {RED}\x1b[0m"
    assert other.startswith("\x1b[35mb │")


def test_a_program_that_comes_later_has_its_place() -> None:
    lines = ProgramLines(["a"], PLAIN)
    assert lines.lines(ProgramOutput("later", ("x",))) == ["later │ x"]
    assert lines.lines(ProgramOutput("a", ("x",))) == ["a     │ x"]


def test_without_signs_there_is_a_bar() -> None:
    assert ProgramLines(["a"], Style(False, glyphs_for("ascii"))).lines(ProgramOutput("a", ("x",))) == ["a | x"]


def test_beside_json_the_lines_go_elsewhere_and_nothing_else_does() -> None:
    output = OutputLines(ProgramLines(["a"], PLAIN))
    assert output.lines(0, ProgramOutput("a", ("x",))) == ["a │ x"]
    assert output.lines(0, Stopped(0)) == []
    assert JsonLines().lines(0, ProgramOutput("a", ("x",))) == []


def test_that_it_answers_is_said_with_the_port_and_that_it_moved() -> None:
    event = ProgramAnswers("frontend", "frontend", "http://localhost:5174", 5174, 1.234)
    assert answers_words(event, PLAIN) == "frontend answers on 5174 after 1.2 s"
    event.expected = 5173
    assert answers_words(event, PLAIN) == "frontend answers on 5174, not on 5173, after 1.2 s"


def test_that_it_has_ended_is_said_with_its_status_and_whether_it_comes_again() -> None:
    assert ended_words(ProgramEnded("api", 0, "", 61), PLAIN) == "api ended with status 0 after 1m 01s"
    event = ProgramEnded("api", 137, "SIGKILL", 0.25, 0.5)
    assert ended_words(event, PLAIN) == "api ended with status 137 (SIGKILL) after 250 ms; starting it again in 500 ms"
