"""``devproxy export`` on the command line: what it refuses, and where it writes."""

from __future__ import annotations

from pathlib import Path

import pytest
from devproxy.cli import main
from devproxy.cli.refusal import MISUSED

SERVERS = ("--frontend", "5173", "--backend", "3001")


@pytest.mark.parametrize(
    ("arguments", "what", "help"),
    [
        (["apache", *SERVERS], "TARGET: invalid choice: 'apache'", "devproxy export --help"),
        (["nginx", *SERVERS, "--origin", "app.example.com"], "--origin: ", "http://app.example.com"),
        (["nginx", *SERVERS, "--origin", "https://*.example.com"], "--origin: ", "for example https://app.example.com"),
        (
            ["nginx", *SERVERS, "--server", "http://10.0.0.5"],
            "--server is NAME=URL",
            "--server backend=http://10.0.0.5",
        ),
        (["nginx", *SERVERS, "--server", "api=http://10.0.0.5"], "there is no upstream api", "frontend, backend"),
        (["nginx", *SERVERS, "--server", "backend=10.0.0.5"], "--server: ", "nor a URL"),
        (["nginx", *SERVERS, "--socketio-path", "/ws/"], "no route has this path", "/socket.io/"),
        (["nginx", *SERVERS, "--socketio-path", "ws"], "a path begins with a slash", "--socketio-path /ws"),
        (["nginx", *SERVERS, "--output", "no/such/folder/x"], "cannot write no/such/folder/x", "export nginx --print"),
        (["nginx", *SERVERS, "--print", "--output", "x"], "--output: not allowed with", "devproxy export --help"),
        ([], "the following arguments are required: TARGET", "devproxy export --help"),
    ],
)
def test_what_is_wrong_is_said_with_what_to_type(
    arguments: list[str], what: str, help: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", *arguments]) != 0
    said = capsys.readouterr()
    assert said.out == ""
    assert what in said.err
    assert help in said.err


def test_a_file_that_is_there_is_never_written_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["export", "nginx", *SERVERS, "--output", "app.conf"]) == 0
    assert capsys.readouterr().out == "written: app.conf\n"
    written = Path("app.conf").read_text(encoding="utf-8")
    assert main(["export", "nginx", *SERVERS, "--print"]) == 0
    assert capsys.readouterr().out == written
    assert main(["export", "caddy", *SERVERS, "--output", "app.conf"]) == MISUSED
    assert "app.conf is there already" in capsys.readouterr().err
    assert Path("app.conf").read_text(encoding="utf-8") == written


def test_servers_and_origins_of_production_are_written(capsys: pytest.CaptureFixture[str]) -> None:
    servers = ["--server", "backend=http://10.0.0.5:3001", "--server", "backend=http://10.0.0.6:3001"]
    assert main(["export", "nginx", *SERVERS, *servers, "--origin", "https://shop.example.org"]) == 0
    text = capsys.readouterr().out
    assert "server 10.0.0.5:3001;\n" in text
    assert "server 10.0.0.6:3001;\n" in text
    assert "server 127.0.0.1:5173;  # REPLACE\n" in text
    assert "server_name shop.example.org;\n" in text
