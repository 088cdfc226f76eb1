"""A running devproxy and the variables that it was started with: which counts, reloads, what others are told."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from devproxy.cli import main
from tests.support.gateway_process import COMMAND, ENVIRONMENT
from tests.support.processes import Json, Program, parsed, wait_for

FILE = """\
[server]
listen = "localhost:${env:FRONT_PORT}"
[upstreams]
backend = "localhost:${env:BACK_PORT}"
web = 1
[[routes]]
path = "/api/"
upstream = "backend"
headers.request.set = { Authorization = "Bearer ${env:TOKEN}" }
[[routes]]
path = "/"
upstream = "web"
"""
DOTENV = "FRONT_PORT=1\nBACK_PORT=3001\nTOKEN='s3$cret'\nDEVPROXY_UPSTREAMS_WEB=5173\n"


@contextmanager
def running(folder: Path, *arguments: str, **environment: str) -> Iterator[tuple[Program, Json]]:
    """``devproxy up`` in `folder`, and its first event."""
    command = [*COMMAND, "up", "--log", "json", *arguments]
    with Program(command, name="devproxy", cwd=folder, environment=ENVIRONMENT | environment) as program:
        yield program, program.json_line(lambda event: event.get("event") == "ready", "that it is ready")


def save(file: Path, text: str) -> None:
    """Replace `file` at once, as editors do: on a busy machine an empty file might be there for a while."""
    (file.parent / "new").write_text(text)
    (file.parent / "new").replace(file)


def said(program: Program, kind: str) -> list[Json]:
    return [event for line in list(program.out) if (event := parsed(line)) and event.get("event") == kind]


def test_variables_hold_while_it_runs_and_their_file_is_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "devproxy.toml").write_text(FILE)
    env_file = tmp_path / ".env"
    env_file.write_text(DOTENV)
    kubernetes = {"DEVPROXY_PORT": "tcp://10.0.0.1:8080", "DEVPROXY_SERVICE_HOST": "10.0.0.1"}
    started_with = {"DEVPROXY_SERVER_LISTEN": "localhost:0", "BACK_PORT": "3009", **kubernetes}
    with running(tmp_path, "--env-file", ".env", **started_with) as (program, ready):
        assert not ready["urls"][0].endswith(":1/"), "a variable goes before the file"
        monkeypatch.chdir(tmp_path)

        # Asked again: on a busy machine the one that runs may not answer in time, and here it alone has the variables.
        wait_for(lambda: main(["explain", ready["urls"][0] + "api/"]) == 0, "devproxy to be asked")
        shown = capsys.readouterr().out
        assert "request to http://localhost:3009" in shown, "the environment goes before --env-file"
        assert "Bearer s3$cret" in shown, "explain goes by what devproxy was started with, not by its own variables"
        wait_for(lambda: main(["explain", ready["urls"][0]]) == 0, "devproxy to be asked")
        assert "upstream web from DEVPROXY_UPSTREAMS_WEB (.env:4)" in capsys.readouterr().out

        save(env_file, DOTENV.replace("5173", "5174"))
        wait_for(lambda: said(program, "config_applied"), "the reload")
        assert "5174" in json.dumps(said(program, "config_applied"))
        assert "cret" not in "".join(program.out), "no event repeats what a header holds"

        save(env_file, "FRONT PORT=1\n")
        wait_for(lambda: said(program, "config_rejected"), "the refusal")
        [rejected] = said(program, "config_rejected")
        assert rejected["source"] == ".env"
        assert ".env:1:1" in rejected["report"]
        assert sum("Kubernetes" in line for line in program.out) == 1, "a service's variables are told once"


def test_without_a_file_and_without_options_variables_are_enough(tmp_path: Path) -> None:
    named = {"DEVPROXY_UPSTREAMS_FRONTEND": "1", "DEVPROXY_UPSTREAMS_BACKEND": "2,3", "DEVPROXY_SERVER_LISTEN": "9"}
    with running(tmp_path, "--listen", "localhost:0", **named) as (_, ready):
        assert not ready["urls"][0].endswith(":9/"), "an option goes before a variable"


def test_a_port_that_is_taken_is_told_with_what_names_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        environment = ENVIRONMENT | {"DEVPROXY_SERVER_LISTEN": f"127.0.0.1:{port}"}
        with Program(
            [*COMMAND, "up", "--backend", "1"], name="devproxy", cwd=tmp_path, environment=environment
        ) as tried:
            wait_for(lambda: any(line.startswith("help") for line in tried.err), "the refusal")
    assert tried.err[0].startswith(f"error: port {port} on 127.0.0.1 is taken by ")
    assert tried.err[0].endswith(" (DEVPROXY_SERVER_LISTEN)")


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"DEVPROXY_SERVER_DRAIN_S": "soon"}, ['expected a number, got "soon"', "--> DEVPROXY_SERVER_DRAIN_S"]),
        ({"FRONT_PORT": "x"}, ['"x" is not a port (the value of FRONT_PORT)', "--> devproxy.toml:2:10"]),
    ],
    ids=["set", "named"],
)
def test_a_wrong_variable_keeps_it_from_starting_and_is_named(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    variables: dict[str, str],
    words: list[str],
) -> None:
    (tmp_path / "devproxy.toml").write_text(FILE)
    monkeypatch.chdir(tmp_path)
    for name, value in ({"FRONT_PORT": "0", "BACK_PORT": "1", "TOKEN": "x"} | variables).items():
        monkeypatch.setenv(name, value)
    assert main(["check"]) == 2
    error = capsys.readouterr().err
    assert all(word in error for word in words)
