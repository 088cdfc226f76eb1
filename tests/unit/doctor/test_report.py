"""A diagnosis as people and programs get it."""

from __future__ import annotations

import json

from devproxy.console.style import ASCII_GLYPHS, Glyphs, Style
from devproxy.doctor.problems import Check, Code, Diagnosis, Problem, Severity
from devproxy.doctor.report import document_of, lines_of

PROBLEM = Problem(
    Code.CORS_MISSING,
    "no answer has the header",
    why="`cors` is not set. " + "It has to be. " * 12,
    browser="Access to XMLHttpRequest … has been blocked",
    fix={"node": "new Server(httpServer);", "python-socketio": "one\ntwo", "devproxy": "devproxy up"},
    evidence=("200 \x1b[31m",),
)
WARNING = Problem(Code.CORS_OPEN, "open", severity=Severity.WARNING, where="through")
DIAGNOSIS = Diagnosis(
    "http://localhost:3001/",
    "http://localhost:3000",
    "Socket.IO",
    (PROBLEM, WARNING),
    (
        Check("CORS", "problem", "no header"),
        Check("idle", "not checked", "no time"),
        Check("path", "ok", "/", "through"),
    ),
)


def test_people_get_each_check_and_each_problem_with_what_to_write() -> None:
    text = "\n".join(lines_of(DIAGNOSIS, Style(False, Glyphs()), through="http://localhost:8080"))
    assert "  ✗ CORS  no header" in text
    assert "  - idle  not checked: no time" in text
    assert "through http://localhost:8080\n  ✓ path  /" in text
    assert "error: cors-missing: no answer has the header" in text
    assert "warning: cors-open (through): open" in text
    assert "Socket.IO (Node): new Server(httpServer);" in text
    assert text.endswith("1 error, 1 warning")
    assert "\x1b" not in text


def test_only_the_fixes_of_the_stack_that_it_seems_to_be_are_shown() -> None:
    text = "\n".join(lines_of(DIAGNOSIS, Style(False, Glyphs()), stack="node"))
    assert "devproxy: devproxy up" in text
    assert "python-socketio" not in text


def test_explanations_are_wrapped_and_snippets_are_not() -> None:
    lines = list(lines_of(DIAGNOSIS, Style(False, Glyphs())))
    assert max(len(line) for line in lines if "It has to be." in line) <= 100


def test_a_terminal_without_utf_8_gets_ascii_signs() -> None:
    text = "\n".join(lines_of(DIAGNOSIS, Style(False, ASCII_GLYPHS), through="x"))
    assert "  x CORS" in text
    assert "  + path" in text


def test_programs_get_all_of_it() -> None:
    said = json.loads(json.dumps(document_of(DIAGNOSIS)))
    assert said["problems"][0]["code"] == "cors-missing"
    assert said["problems"][0]["fix"]["python-socketio"] == "one\ntwo"
    assert said["problems"][1]["severity"] == "warning"
    assert said["checked"][1] == {"name": "idle", "result": "not checked", "why": "no time", "where": "direct"}


def test_nothing_wrong_is_said_in_so_many_words() -> None:
    nothing = DIAGNOSIS._replace(problems=(), checks=())
    assert list(lines_of(nothing, Style(False, Glyphs())))[-1] == "no problem found"
