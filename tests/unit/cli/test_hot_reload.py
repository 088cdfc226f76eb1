"""What the commands say of hot-reload sockets: which rule chose, and what webpack's dev server wants."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from devproxy.cli import main

UPSTREAMS = '[upstreams]\npage = "http://localhost:5173"\nchat = "http://localhost:3001"\n'
PAGE = '[[routes]]\npath = "/"\nupstream = "page"\n'
SOCKET = ("--header", "Connection: Upgrade", "--header", "Upgrade: websocket")


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "devproxy.toml"


def said_by(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(list(arguments)) == 0
    return "".join(capsys.readouterr())


@pytest.mark.parametrize("condition", ['path = "/ws/"', 'path = "/ws"', 'path_exact = "/ws"', 'path_glob = "/w*"'])
@pytest.mark.parametrize("host", ["", 'match_host = "app.test"\n'])
def test_check_says_who_gets_ws_and_what_webpack_wants(
    written: Path, capsys: pytest.CaptureFixture[str], condition: str, host: str
) -> None:
    written.write_text(f'{UPSTREAMS}{PAGE}[[routes]]\n{condition}\n{host}upstream = "chat"\n')
    said = said_by(capsys, "check")
    assert "warning" not in said
    assert said.count("\n") == 2
    assert '/ws goes to "chat" because the route ' in said
    assert "webSocketURL" in said
    (document,) = json.loads(said_by(capsys, "check", "--json"))
    assert document["warnings"] == []
    assert "webSocketURL" in document["notes"][0]


@pytest.mark.parametrize("route", ['path_exact = "/ws/"\nupstream = "chat"', 'path = "/ws/"\nupstream = "page"'])
def test_check_says_nothing_where_the_page_s_server_gets_ws(
    written: Path, capsys: pytest.CaptureFixture[str], route: str
) -> None:
    written.write_text(f'{UPSTREAMS}{PAGE}[[routes]]\n{route}\n[[routes]]\npath = "/api/"\nupstream = "chat"\n')
    assert said_by(capsys, "check").startswith("ok: ")


def test_the_recipe_for_a_path_of_socket_io_prints_no_warning(capsys: pytest.CaptureFixture[str]) -> None:
    said = said_by(
        capsys, "routes", "--frontend", "5173", "--backend", "3001", "--backend-path", "/ws/", "--backend-path", "/api/"
    )
    assert "warning" not in said


@pytest.mark.parametrize("command", [("routes", "--test", "GET"), ("explain",)])
@pytest.mark.parametrize("headers", [(), SOCKET])
def test_which_rule_chose_is_said_of_ws(
    written: Path, capsys: pytest.CaptureFixture[str], command: tuple[str, ...], headers: tuple[str, ...]
) -> None:
    written.write_text(f'{UPSTREAMS}{PAGE}[[routes]]\npath = "/ws/"\nupstream = "chat"\n')
    said = said_by(capsys, *command, "/ws", *headers)
    assert "route /ws/, upstream chat" in said
    assert "webSocketURL" in said
    written.write_text(UPSTREAMS + PAGE + '[[routes]]\npath = "/api/"\nupstream = "chat"\n')
    said = said_by(capsys, *command, "/ws", *headers)
    assert "only the route / matches it: route /, upstream page" in said


@pytest.mark.parametrize("command", [("routes", "--test", "GET"), ("explain",)])
def test_which_rule_chose_is_said_of_the_socket_of_a_dev_server(
    written: Path, capsys: pytest.CaptureFixture[str], command: tuple[str, ...]
) -> None:
    written.write_text(f'{UPSTREAMS}{PAGE}[[routes]]\npath = "/_next/"\nupstream = "chat"\n')
    said = said_by(capsys, *command, "/_next/hmr?id=1", *SOCKET)
    assert "Next's hot-reload socket, which goes to the upstream that serves /: route /, upstream page" in said
    assert "localhost:5173" in said
    assert "hot reload" not in said_by(capsys, *command, "/_next/image")


def test_explain_says_why_host_and_origin_of_hot_reload_are_the_server_s_own(
    written: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written.write_text(UPSTREAMS + PAGE + '[[routes]]\npath = "/api/"\nupstream = "chat"\n')
    target = "http://127.0.0.1:8080/_next/hmr"
    lines = said_by(capsys, "explain", target, *SOCKET, "--origin", "http://127.0.0.1:8080").splitlines()
    for sent in ("+ Host: localhost:5173", "+ Origin: http://localhost:5173"):
        (line,) = (line for line in lines if sent in line)
        assert "hot reload" in line
