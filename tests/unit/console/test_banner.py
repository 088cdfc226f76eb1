"""What is shown when devproxy listens."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from devproxy.config import from_arguments, load
from devproxy.config.environment import Environment, Variable
from devproxy.config.model import Config, Cors, Fault
from devproxy.console.banner import banner, is_local
from devproxy.console.style import ASCII_GLYPHS, Glyphs, Style
from devproxy.console.text import columns
from devproxy.events import Ready, UpstreamState

CONFIG = from_arguments(frontend="5173", backend="3001", backend_paths=[], listen=["8080"])
BACKEND, FRONTEND = "http://localhost:3001", "http://localhost:5173"
READY = Ready(("http://localhost:8080/",), 0.0962)
PLAIN = Style(False, Glyphs())


def states(*known: UpstreamState) -> dict[tuple[str, str], UpstreamState]:
    return {(one.upstream, one.server): one for one in known}


BACKEND_UP = UpstreamState("backend", BACKEND, True, "[::1]:3001")
FRONTEND_DOWN = UpstreamState("frontend", FRONTEND, False, "", "Connection refused")


def shown(
    *known: UpstreamState,
    config: Config = CONFIG,
    ready: Ready = READY,
    style: Style = PLAIN,
    width: int | None = 100,
) -> list[str]:
    return banner(config, ready, states(*known), version="0.1.0", style=style, width=width)


def test_the_whole_banner_at_a_glance() -> None:
    assert shown(BACKEND_UP, FRONTEND_DOWN, width=120) == [
        "",
        "  DEVPROXY v0.1.0  ready in 96 ms",
        "",
        "  ➜  Local:   http://localhost:8080/",
        "",
        "  /socket.io/  → http://localhost:3001  cors: rewrite (loopback)  answering on ::1",
        "  /api/        → http://localhost:3001  cors: rewrite (loopback)  answering on ::1",
        "  /            → http://localhost:5173  cors: rewrite (loopback)  ✗ not answering yet (connection refused)",
        "",
        "  from the command line",
        "",
    ]


def test_without_utf8_it_is_ascii() -> None:
    lines = shown(BACKEND_UP, FRONTEND_DOWN, style=Style(False, ASCII_GLYPHS))
    assert all(line.isascii() for line in lines)
    assert "  ->  Local:   http://localhost:8080/" in lines
    assert "x not answering yet" in lines[7]


def test_only_the_port_of_an_address_is_bold() -> None:
    line = shown(style=Style(True, Glyphs()))[3]
    assert "\x1b[36mhttp://localhost:\x1b[0m\x1b[1m" in line
    assert "8080" in line.split("\x1b[1m")[-1]


def test_a_file_is_named() -> None:
    assert "  watching devproxy.toml" in shown(config=replace(CONFIG, source="devproxy.toml"))


def test_a_pipe_is_not_said_to_be_watched() -> None:
    assert "  config /dev/fd/63" in shown(config=replace(CONFIG, source="/dev/fd/63"))


def test_an_address_that_others_can_reach_is_shown_apart() -> None:
    ready = Ready(("http://localhost:8080/", "http://192.168.1.5:8080/"), 0.1)
    lines = shown(ready=ready)
    assert lines[3:6] == [
        "  ➜  Local:   http://localhost:8080/",
        "  ➜  Network: http://192.168.1.5:8080/",
        "",
    ]


def test_listening_for_this_machine_only_shows_no_network() -> None:
    assert not [line for line in shown() if "Network" in line]


def test_in_a_narrow_terminal_each_of_many_servers_has_a_line() -> None:
    text = """\
[upstreams.backend]
servers = ["http://backend-one.test:3001", "http://backend-two.test:3001"]
[[routes]]
path = "/socket.io/"
upstream = "backend"
"""
    lines = shown(config=load(text.encode(), source="devproxy.toml"), width=60)
    assert lines[5:8] == [
        "  /socket.io/  → http://backend-one.test:3001,",
        "                 http://backend-two.test:3001",
        "    no answer so far",
    ]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://localhost:8080/", True),
        ("http://app.localhost:8080/", True),
        ("http://127.0.0.1:8080/", True),
        ("http://127.8.8.8:8080/", True),
        ("http://[::1]:8080/", True),
        ("http://192.168.1.5:8080/", False),
        ("http://[fe80::1]:8080/", False),
        ("http://localhost.example:8080/", False),
        ("http://dev.test:8080/", False),
    ],
)
def test_loopback_is_told_from_the_rest(url: str, expected: bool) -> None:
    assert is_local(url) is expected


def test_a_server_of_which_nothing_is_known_is_neither_up_nor_down() -> None:
    lines = shown(BACKEND_UP)
    assert lines[7].endswith("no answer so far")
    assert not [line for line in lines if "✗" in line]


def test_of_several_servers_it_is_said_how_many_do_not_answer() -> None:
    config = load(
        b"[upstreams.app]\nservers = ['http://localhost:1', 'http://localhost:2']\n"
        b"[[routes]]\npath = '/'\nupstream = 'app'\n",
        source="devproxy.toml",
    )
    servers = [server.url for server in config.upstreams[0].servers]
    lines = shown(
        UpstreamState("app", servers[0], True),
        UpstreamState("app", servers[1], False, "", "Connection refused"),
        config=config,
        width=None,
    )
    (row,) = [line for line in lines if "→" in line]
    assert "http://localhost:1, http://localhost:2" in row
    assert row.endswith("✗ 1 of 2 not answering yet (connection refused)")


@pytest.mark.parametrize("width", [60, 80, 100, 140])
def test_the_banner_fits_the_terminal(width: int) -> None:
    lines = shown(BACKEND_UP, FRONTEND_DOWN, width=width)
    assert max(map(columns, lines)) <= width
    assert any("not answering yet (connection refused)" in line for line in lines)


def test_the_address_that_answers_is_left_out_before_anything_else() -> None:
    up = replace(BACKEND_UP, address="127.0.0.1:3001"), replace(FRONTEND_DOWN, is_up=True, address="[::1]:5173")
    whole = shown(*up, width=None)[5:8]
    assert [line.rpartition("  ")[2] for line in whole] == ["answering on 127.0.0.1"] * 2 + ["answering on ::1"]
    width = max(map(columns, whole))
    assert shown(*up, width=width)[5:8] == whole
    assert shown(*up, width=width - 1)[5:8] == [line.partition(" on ")[0] for line in whole]


def test_an_address_that_stands_in_the_url_is_not_repeated() -> None:
    config = load(
        b"[upstreams]\napp = 'http://[::1]:1'\n[[routes]]\npath = '/'\nupstream = 'app'\n", source="devproxy.toml"
    )
    [row] = [
        line for line in shown(UpstreamState("app", "http://[::1]:1", True, "[::1]:1"), config=config) if "→" in line
    ]
    assert row.endswith("  answering")


def test_what_a_server_said_cannot_steer_the_terminal() -> None:
    lines = shown(replace(FRONTEND_DOWN, detail="\x1b]0;owned\x07"), BACKEND_UP)
    assert all(line.isprintable() for line in lines)


def with_first_route(**changes: Any) -> Config:
    first, *others = CONFIG.routes
    return replace(CONFIG, routes=(replace(first, **changes), *others))


def test_a_route_with_a_fault_is_marked_at_every_width() -> None:
    config = with_first_route(fault=Fault(latency_ms=250.0, error_rate=0.1))
    for width in (None, 120, 60, 30):
        lines = shown(BACKEND_UP, FRONTEND_DOWN, config=config, width=width)
        assert [line for line in lines if "  fault: 250 ms late, 10% get 503" in line and "answering" in line], width


def test_a_fault_stands_out_in_colour() -> None:
    config = with_first_route(fault=Fault(refuse_upgrade=True))
    [line] = [line for line in shown(config=config, style=Style(True, Glyphs())) if "fault" in line]
    assert "\x1b[33mfault: upgrades refused\x1b[0m" in line


def test_a_guard_that_is_off_and_the_number_of_origins_are_shown() -> None:
    config = with_first_route(guard=False, cors=Cors(origins=("http://a.test", "http://b.test")))
    [line] = [line for line in shown(BACKEND_UP, FRONTEND_DOWN, config=config, width=None) if "guard" in line]
    assert "cors: rewrite (2 origins), guard: off" in line


def test_the_last_line_says_which_variables_go_before_the_rest() -> None:
    named = {"DEVPROXY_SERVER_LISTEN": Variable("1"), "DEVPROXY_UPSTREAMS_BACKEND": Variable("2", ".env:3")}
    text = b'[upstreams]\nbackend = 1\n[[routes]]\npath = "/"\nupstream = "backend"\n'
    both = "DEVPROXY_SERVER_LISTEN, DEVPROXY_UPSTREAMS_BACKEND (.env:3)"
    for config, last in [
        (load(text, source="devproxy.toml", environment=named), f"watching devproxy.toml, with {both}"),
        (typed(frontend="1", environment=named), f"from the command line and {both}"),
        (typed(frontend=None, environment=named), f"from {both}"),
        (typed(frontend="1", environment={}), "from the command line"),
    ]:
        assert shown(config=config)[-2].strip() == last


def typed(*, frontend: str | None, environment: Environment) -> Config:
    return from_arguments(frontend=frontend, backend=None, backend_paths=[], listen=[], environment=environment)


def test_a_program_that_runs_no_more_is_not_waited_for() -> None:
    text = b"""
[run]
frontend = "npm run dev"
[upstreams]
frontend = 5173
[[routes]]
path = "/"
upstream = "frontend"
"""
    config = load(text, source="devproxy.toml")
    for ended, words in (
        ({}, "waits for its program frontend"),
        ({"frontend": 1}, "its program frontend has ended with status 1"),
    ):
        lines = banner(config, READY, {}, version="0.1.0", style=PLAIN, width=120, ended=ended)
        assert any(line.endswith(words) for line in lines), lines
