"""Commands that answer and end: what they print, where, and with which exit code. Real processes, as typed."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from tests.support.gateway_process import COMMAND, ENVIRONMENT
from tests.support.processes import PATIENCE_S

GOOD = """\
[upstreams]
backend = "http://localhost:3001"
frontend = "http://localhost:5173"

[[routes]]
path = "/api/"
upstream = "backend"
rewrite = "/v1/"

[[routes]]
path = "/"
upstream = "frontend"
"""
BLUE = '\n[[routes]]\npath = "/api/"\nupstream = "frontend"\nmatch_headers = { X-Tenant = "blue" }\n'
HOSTED = '\n[[routes]]\npath = "/api/"\nupstream = "frontend"\nmatch_host = "app.test"\n'
BAD = '[upstreams]\nbackend = "localhost:port"\n\n[[routes]]\npath = "/"\nupstraem = "backend"\n'
SERVERS = ("--frontend", "5173", "--backend", "3001")


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DEVPROXY_CONFIG", "NO_COLOR", "FORCE_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)


def run(
    *arguments: str | Path, cwd: Path, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command that ends by itself."""
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, **ENVIRONMENT, **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def write(directory: Path, text: str) -> Path:
    """Write `text` as the configuration of `directory`."""
    path = directory / "devproxy.toml"
    path.write_text(text)
    return path


# -- the command line --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [(), ("up",), ("check",), ("routes",), ("schema",), ("health",), ("demo",)])
def test_help_fits_a_terminal_of_80_columns(arguments: Sequence[str], tmp_path: Path) -> None:
    result = run(*arguments, "--help", cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith(" ".join(("usage: devproxy", *arguments)))
    assert max(map(len, result.stdout.splitlines())) <= 80


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "devproxy up --frontend 5173 --backend 3001"),
        (("chekc",), "did you mean devproxy check?"),
        (("up", "--lisen", "8081"), "did you mean --listen?"),
        (("up", "--listen", "nowhere", *SERVERS), "--listen"),
        (("up", "--backend-path", "/ws/"), "--backend-path needs --backend"),
        (("routes", "--host", "a", *SERVERS), "--test"),
        (("routes", *SERVERS, "--test", "GET", "apikey"), "neither a path nor a URL"),
        (("routes", *SERVERS, "--test", "GET", "/a b"), "that is not a valid HTTP request"),
        (("routes", *SERVERS, "--test", "GET", "/", "--header", "no colon"), "that is not a valid HTTP request"),
    ],
)
def test_a_wrong_command_line_says_what_to_type_and_ends_with_2(
    arguments: Sequence[str], said: str, tmp_path: Path
) -> None:
    result = run(*arguments, cwd=tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("error: ")
    assert "\nhelp: " in result.stderr
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_a_port_out_of_range_is_told_with_its_option_and_the_range(tmp_path: Path) -> None:
    result = run("up", "--backend", "99999", cwd=tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == "error: --backend: a port is a number from 1 to 65535, got 99999\n"


# -- check -------------------------------------------------------------------------------------------------------------


def test_check_counts_what_a_right_file_holds(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    result = run("check", cwd=tmp_path)
    assert (result.returncode, result.stdout, result.stderr) == (0, "ok: devproxy.toml: 2 routes, 2 upstreams\n", "")


def test_check_prints_warnings_apart_from_the_verdict(tmp_path: Path) -> None:
    write(tmp_path, '[server]\nlisten = ":8080"\n\n' + GOOD)
    result = run("check", cwd=tmp_path)
    assert (result.returncode, result.stdout) == (0, "ok: devproxy.toml: 2 routes, 2 upstreams\n")
    assert result.stderr.startswith("warning: ")


@pytest.mark.parametrize("command", ["check", "up", "routes"])
def test_each_command_tells_every_problem_of_a_file_with_its_place(command: str, tmp_path: Path) -> None:
    write(tmp_path, BAD)
    result = run(command, cwd=tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    assert "--> devproxy.toml:2:11" in result.stderr
    assert "--> devproxy.toml:6:1" in result.stderr


def test_check_as_json_gives_places_as_numbers(tmp_path: Path) -> None:
    write(tmp_path, BAD)
    result = run("check", "--json", cwd=tmp_path)
    assert result.returncode == 2
    (document,) = json.loads(result.stdout)
    assert (document["file"], document["ok"]) == ("devproxy.toml", False)
    assert {(2, 11), (6, 1)} <= {(problem["line"], problem["column"]) for problem in document["problems"]}


def test_check_judges_each_of_several_files_and_ends_with_2_if_one_is_wrong(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    (tmp_path / "bad.toml").write_text(BAD)
    result = run("check", "bad.toml", "devproxy.toml", cwd=tmp_path)
    assert (result.returncode, result.stdout) == (2, "ok: devproxy.toml: 2 routes, 2 upstreams\n")
    assert "--> bad.toml:2:11" in result.stderr


@pytest.mark.parametrize(("name", "reason"), [("missing.toml", "no such file"), (".", "is a directory")])
def test_a_file_that_cannot_be_read_is_named_with_the_reason(name: str, reason: str, tmp_path: Path) -> None:
    result = run("check", name, cwd=tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    assert f"error: cannot read {name}: {reason}" in result.stderr


def test_the_nearest_file_upward_wins(tmp_path: Path) -> None:
    write(tmp_path, BAD)
    below = tmp_path / "web"
    below.mkdir()
    write(below, GOOD)
    assert run("check", cwd=below).returncode == 0


@pytest.mark.parametrize(
    ("options", "environment", "is_coloured"),
    [
        ((), {}, False),
        ((), {"FORCE_COLOR": "1"}, True),
        ((), {"NO_COLOR": "1"}, False),
        (("--color", "always"), {"NO_COLOR": "1"}, True),
        (("--color", "never"), {"FORCE_COLOR": "1"}, False),
    ],
)
def test_colour_of_a_report_follows_the_option_then_the_environment(
    options: Sequence[str], environment: Mapping[str, str], is_coloured: bool, tmp_path: Path
) -> None:
    write(tmp_path, BAD)
    result = run("check", *options, cwd=tmp_path, environment=environment)
    assert result.returncode == 2
    assert ("\x1b[" in result.stderr) is is_coloured


# -- routes ------------------------------------------------------------------------------------------------------------


def test_routes_are_listed_in_order_of_precedence(tmp_path: Path) -> None:
    write(tmp_path, GOOD + BLUE)
    result = run("routes", cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    listed = [line.split()[0] for line in result.stdout.splitlines()]
    assert listed == ["/api/", "/api/", "/"]
    assert "X-Tenant" in result.stdout.splitlines()[0]


@pytest.mark.parametrize("target", ["/api/users?page=2", "http://localhost:8080/api/users?page=2"])
def test_a_tested_request_shows_who_takes_it_and_the_path_as_it_is_sent(target: str, tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    result = run("routes", "--test", "GET", target, cwd=tmp_path)
    assert result.returncode == 0
    (chosen,) = [line for line in result.stdout.splitlines() if line.startswith("=>")]
    assert "/api/" in chosen
    assert "http://localhost:3001/v1/users?page=2" in result.stdout


def test_a_route_that_takes_forms_is_shown_as_one_and_a_form_that_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "devproxy.toml").write_text(GOOD.replace('rewrite = "/v1/"', 'form_post = ["https://login.example"]'))
    assert "form_post: https://login.example" in run("routes", cwd=tmp_path).stdout
    form = ("--header", "Sec-Fetch-Site: cross-site", "--header", "Sec-Fetch-Mode: navigate")
    tested = ("routes", "--test", "POST", "/api/callback", *form, "--header")
    assert run(*tested, "Origin: https://login.example", cwd=tmp_path).returncode == 0
    refused = run(*tested, "Origin: https://evil.test", cwd=tmp_path)
    assert refused.returncode == 1
    assert 'form_post = ["https://login.example", "https://evil.test"]' in refused.stdout


def test_a_path_that_only_begins_alike_goes_elsewhere_and_the_reason_is_told(tmp_path: Path) -> None:
    result = run("routes", *SERVERS, "--test", "GET", "/apikey", cwd=tmp_path)
    assert result.returncode == 0
    assert "http://localhost:5173/apikey" in result.stdout
    assert "`/apikey` is not below the segment `/api`" in result.stdout


def test_a_request_that_no_route_takes_ends_with_1(tmp_path: Path) -> None:
    result = run("routes", "--backend", "3001", "--backend-path", "/api/", "--test", "GET", "/", cwd=tmp_path)
    assert result.returncode == 1
    assert not any(line.startswith("=>") for line in result.stdout.splitlines())


@pytest.mark.parametrize(
    ("route", "options"),
    [
        (BLUE, ("--header", "X-Tenant: blue")),
        (HOSTED, ("--host", "app.test")),
        (HOSTED, ("--host", "app.test:8080")),
        (HOSTED, ("--header", "Host: app.test")),
    ],
)
def test_a_test_sees_the_host_and_the_header_that_were_typed(
    route: str, options: Sequence[str], tmp_path: Path
) -> None:
    write(tmp_path, GOOD + route)
    test = ("routes", "--test", "GET", "/api/")
    assert "http://localhost:3001/v1/" in run(*test, cwd=tmp_path).stdout
    assert "http://localhost:5173/api/" in run(*test, *options, cwd=tmp_path).stdout


def test_a_host_in_the_url_counts_as_typed(tmp_path: Path) -> None:
    write(tmp_path, GOOD + HOSTED)
    result = run("routes", "--test", "GET", "http://app.test:8080/api/", cwd=tmp_path)
    assert "http://localhost:5173/api/" in result.stdout


def test_what_a_route_is_tested_with_never_reaches_the_terminal_unescaped(tmp_path: Path) -> None:
    result = run("routes", *SERVERS, "--test", "GET", "/\x1b]0;owned\x07", cwd=tmp_path)
    assert "\x1b" not in result.stdout + result.stderr
