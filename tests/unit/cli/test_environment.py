"""The variables that a command goes by, and how commands say where a value came from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from devproxy.cli import main
from devproxy.cli.arguments import parse
from devproxy.cli.environment import read_environment
from devproxy.cli.loading import configuration
from devproxy.cli.refusal import MISUSED, Refused
from devproxy.config.environment import Variable
from devproxy.config.places import place_of

FILE = """\
[server]
listen = "localhost:${env:PORT:-7000}"
[upstreams]
backend = "${env:BACKEND}"
[[routes]]
path = "/"
upstream = "backend"
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, empty."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        (folder / name).write_text(text)


def test_the_process_goes_before_files_and_a_later_file_before_an_earlier_one(folder: Path) -> None:
    write(folder, first="A=1\nB=1\nC=1\nE=${D}", second="B=2\nC=2")
    found = read_environment(["first", "second"], {"C": "3", "D": "4"}).environment
    assert found == {
        "A": Variable("1", "first:1"),
        "B": Variable("2", "second:1"),
        "C": Variable("3"),
        "D": Variable("4"),
        "E": Variable("4", "first:4"),
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A=1\nB 2", ["error: there is no `=`", "--> .env:2:1", "help: write B=value"]),
        ("A=1\nDEVPROXY_CONFIG=x", ["error: .env:2: DEVPROXY_CONFIG cannot be set in a file of variables", "--config"]),
    ],
)
def test_a_bad_file_of_variables_is_told_with_its_line(
    folder: Path, text: str, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    write(folder, **{".env": text, "devproxy.toml": FILE})
    assert main(["check", "--env-file", ".env"]) == MISUSED
    said = capsys.readouterr().err
    assert all(word in said for word in words)


@pytest.mark.parametrize(("path", "words"), [("no", "cannot read no: no such file"), (".", "cannot read .: is a dir")])
def test_a_file_of_variables_that_cannot_be_read_is_refused(path: str, words: str) -> None:
    with pytest.raises(Refused, match=words):
        read_environment([path])


def test_check_names_the_variables_that_go_before_the_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(folder, **{".env": "BACKEND=3001\nDEVPROXY_UPSTREAMS_BACKEND=3002\n", "devproxy.toml": FILE})
    monkeypatch.setenv("DEVPROXY_SERVER_LISTEN", ":9000")
    monkeypatch.setenv("DEVPROXY_LISTEN", "1")
    assert main(["check", "--env-file", ".env"]) == 0
    out, err = capsys.readouterr()
    listed = "DEVPROXY_SERVER_LISTEN, DEVPROXY_UPSTREAMS_BACKEND (.env:2) go before the file"
    assert f"note: devproxy.toml: {listed}\n" in out
    assert "warning: DEVPROXY_SERVER_LISTEN: listening on every address (:9000)" in err
    assert "warning: DEVPROXY_LISTEN means nothing to devproxy. To say where to listen" in err
    assert main(["check", "--env-file", ".env", "--json"]) == 0
    [document] = json.loads(capsys.readouterr().out)
    assert document["variables"] == ["DEVPROXY_SERVER_LISTEN", "DEVPROXY_UPSTREAMS_BACKEND (.env:2)"]
    assert len(document["warnings"]) == 2


def test_routes_and_explain_name_the_variable_of_an_upstream(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(folder, **{"devproxy.toml": FILE})
    monkeypatch.setenv("BACKEND", "3001")
    monkeypatch.setenv("DEVPROXY_UPSTREAMS_BACKEND", "3002")
    assert main(["routes", "--test", "GET", "/"]) == 0
    assert "http://localhost:3002/  upstream backend from DEVPROXY_UPSTREAMS_BACKEND\n" in capsys.readouterr().out
    assert main(["explain", "/"]) == 0
    assert "upstream backend from DEVPROXY_UPSTREAMS_BACKEND, cors rewrite (devproxy.toml:5)" in capsys.readouterr().out


def test_without_a_file_variables_name_the_servers(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEVPROXY_UPSTREAMS_FRONTEND", "5173")
    monkeypatch.setenv("DEVPROXY_UPSTREAMS_BACKEND", "3001")
    config = configuration(parse(["up"])).config
    assert [route.pattern for route in config.routes] == ["/socket.io/", "/api/", "/"]
    assert place_of(config, "routes", 2) == "DEVPROXY_UPSTREAMS_FRONTEND"
    write(folder, **{"devproxy.toml": FILE})
    assert [route.pattern for route in configuration(parse(["up"])).config.routes] == ["/"]


def test_flags_go_before_variables_and_these_before_the_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(folder, **{"devproxy.toml": FILE, ".env": "BACKEND=3001\nPORT=7001"})
    options = parse(["up", "--env-file", ".env"])

    def listens(*typed: str) -> tuple[int, str]:
        config = configuration(options, listen=typed).config
        return config.server.listen[0].port, place_of(config, "server", "listen")

    assert listens() == (7001, "devproxy.toml:2")
    monkeypatch.setenv("DEVPROXY_SERVER_LISTEN", "9000")
    assert listens() == (9000, "DEVPROXY_SERVER_LISTEN")
    assert listens("1") == (1, "--listen")
