"""What the console says about reloads."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from devproxy.console.reloads import MAX_CHANGES, applied_lines, missing_trouble, rejected_lines
from devproxy.console.style import Glyphs, Style
from devproxy.events import ConfigApplied, ConfigChange, ConfigMissing, ConfigRejected

PLAIN = Style(False, Glyphs())
COLOURED = Style(True, Glyphs())
APPLIED = ConfigApplied(
    source="devproxy.toml",
    changes=(
        ConfigChange("server", "changed", "drain_s: 3 -> 5"),
        ConfigChange("upstream new", "added", "http://localhost:1"),
        ConfigChange("route /old/", "removed", "to new"),
    ),
    departing_tunnels=0,
    drain_s=5.0,
    urls=(),
    routes=("/",),
    upstreams=("new",),
)


def test_a_reload_is_a_line_with_a_line_for_each_change() -> None:
    assert applied_lines("12:00:00", APPLIED, PLAIN) == [
        "12:00:00 reloaded devproxy.toml: 3 changes",
        "         ~ server drain_s: 3 -> 5",
        "         + upstream new http://localhost:1",
        "         - route /old/ to new",
    ]


def test_a_reload_that_changes_nothing_says_so() -> None:
    lines = applied_lines("12:00:00", replace(APPLIED, changes=()), PLAIN)
    assert lines == ["12:00:00 reloaded devproxy.toml: nothing has changed"]


def test_of_many_changes_the_first_ones_are_shown_and_the_others_counted() -> None:
    changes = tuple(ConfigChange(f"route /{number}/", "added", "to new") for number in range(MAX_CHANGES + 3))
    lines = applied_lines("12:00:00", replace(APPLIED, changes=changes), PLAIN)
    assert len(lines) == 1 + MAX_CHANGES + 1
    assert lines[-1] == "         … and 3 more"


@pytest.mark.parametrize(
    ("tunnels", "drain_s", "words"),
    [
        (1, 3.0, "1 WebSocket closes in 3.0 s: the route is gone or leads elsewhere"),
        (2, 0.0, "2 WebSockets close now: the route is gone or leads elsewhere"),
    ],
)
def test_tunnels_that_have_to_go_are_announced(tunnels: int, drain_s: float, words: str) -> None:
    event = replace(APPLIED, departing_tunnels=tunnels, drain_s=drain_s)
    assert applied_lines("12:00:00", event, PLAIN)[-1].strip() == words


def test_new_addresses_are_shown() -> None:
    event = replace(APPLIED, urls=("http://localhost:9000/",))
    assert applied_lines("12:00:00", event, PLAIN)[-1] == "         listening on http://localhost:9000/"


def test_a_refused_file_is_shown_with_its_whole_report_as_painted_as_it_came() -> None:
    event = ConfigRejected("devproxy.toml", 2, "\x1b[1;31merror\x1b[0m: a\n  --> devproxy.toml:1:1\n")
    assert rejected_lines("12:00:00", event, PLAIN) == [
        "12:00:00 devproxy.toml has 2 problems; still running with the previous configuration",
        "\x1b[1;31merror\x1b[0m: a",
        "  --> devproxy.toml:1:1",
    ]


def test_a_missing_file_is_a_warning_with_what_to_do() -> None:
    trouble = missing_trouble(ConfigMissing("devproxy.toml", "no such file or directory"))
    assert (
        trouble.what
        == "devproxy.toml cannot be read: no such file or directory; still running with the previous configuration"
    )
    assert trouble.help == "put it back, and it is read again immediately"


def test_names_in_a_diff_do_nothing_to_the_terminal() -> None:
    event = replace(APPLIED, source="a\x1b[2J", changes=(ConfigChange("route \x07", "added", "to \x1b]0;x"),))
    text = "".join(applied_lines("12:00:00", event, PLAIN))
    assert text.isprintable()


def test_colour_only_repeats_what_the_signs_say() -> None:
    coloured = applied_lines("12:00:00", APPLIED, COLOURED)
    assert [re.sub(r"\x1b\[[\d;]*m", "", line) for line in coloured] == applied_lines("12:00:00", APPLIED, PLAIN)
