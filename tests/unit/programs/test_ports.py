"""On which port a program serves: what it says, and what its sockets say."""

from __future__ import annotations

import pytest
from devproxy.programs.ports import Announced, Known, announced, chosen

LINES = {
    "Vite": (
        "  \x1b[32m➜\x1b[39m  \x1b[1mLocal\x1b[22m:   \x1b[36mhttp://localhost:\x1b[1m5174\x1b[22m/\x1b[39m",
        5174,
    ),
    "Next": ("- Local:         http://localhost:3000", 3000),
    "webpack-dev-server": ("<i> [webpack-dev-server] Loopback: http://localhost:8081/, http://[::1]:8081/", 8081),
    "CRA": ("  Local:            http://localhost:3000", 3000),
    "Angular": ("  ➜  Local:   http://localhost:4200/", 4200),
    "Astro": ("┃ Local    http://localhost:4321/", 4321),
    "uvicorn": ("INFO:     Uvicorn running on http://127.0.0.1:8000 (Press CTRL+C to quit)", 8000),
    "Flask": (" * Running on http://127.0.0.1:5000", 5000),
    "Django": ("Starting development server at http://127.0.0.1:8000/", 8000),
    "Rails": ("* Listening on http://127.0.0.1:3000", 3000),
    "every address": ("Server: http://0.0.0.0:8080", 8080),
    "IPv6": ("listening on http://[::]:3000/", 3000),
    "a name": ("http://app.localhost:5173/", 5173),
    "Express": ("Example app listening on port 3000", 3000),
    "Socket.IO": ("listening on *:3001", 3001),
    "Go": ("listening on [::]:8080", 8080),
}


@pytest.mark.parametrize(("line", "port"), LINES.values(), ids=LINES)
def test_ports_are_read_from_what_servers_say(line: str, port: int) -> None:
    assert port in [one.port for one in announced(line)]


@pytest.mark.parametrize(
    "line",
    ["➜  Network: http://192.168.1.20:5173/", "http://localhost:99999/", "GET /port/3000", "ok"],
)
def test_what_is_no_port_of_this_machine_is_not_read(line: str) -> None:
    assert announced(line) == []


def test_https_is_noticed() -> None:
    assert announced("Local: https://localhost:5173/") == [Announced(5173, True, True)]


def test_a_long_line_costs_no_more_than_its_beginning() -> None:
    assert announced("x" * 5_000_000 + "http://localhost:5173/") == []


SAID = (Announced(5174, True),)


def test_the_port_that_was_expected_is_taken_as_soon_as_the_program_has_it() -> None:
    assert chosen(Known(5173, listening={5173, 24678})) == 5173
    assert chosen(Known(5173, listening=set())) is None


def test_a_program_that_moved_on_is_followed_to_the_port_that_it_names() -> None:
    assert chosen(Known(5173, said=SAID, listening={5174, 9229})) == 5174


def test_words_count_only_for_sockets_that_there_are() -> None:
    in_use = (Announced(5173, False), Announced(5174, True))
    assert chosen(Known(None, said=in_use, listening={5174})) == 5174
    assert chosen(Known(None, said=(Announced(3001, True),), listening=set())) is None


def test_one_that_says_nothing_is_given_a_moment() -> None:
    assert chosen(Known(None, listening={4000}, listening_s=0.5)) is None
    assert chosen(Known(None, listening={4000}, listening_s=1.5)) == 4000


def test_a_debugger_is_no_server() -> None:
    assert chosen(Known(None, listening={9229}, listening_s=60)) is None


def test_the_port_of_another_upstream_is_that_ones() -> None:
    both = (Announced(3001, True), Announced(5173, True))
    assert chosen(Known(None, said=both, listening={3001, 5173}, others={3001})) == 5173


def test_without_sockets_to_look_at_a_url_is_believed() -> None:
    assert chosen(Known(5173, said=SAID)) == 5174
    assert chosen(Known(None, said=(Announced(3000, False),))) is None


def test_without_either_what_answers_where_it_was_expected_is_the_program_after_a_while() -> None:
    assert chosen(Known(3000, answers=True, silent_s=1)) is None
    assert chosen(Known(3000, answers=True, silent_s=4)) == 3000
