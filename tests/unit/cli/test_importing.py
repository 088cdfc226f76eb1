"""``devproxy import`` as it is typed."""

from __future__ import annotations

from pathlib import Path

import pytest
from devproxy.cli import main

COMPOSE = 'services:\n  api:\n    ports: ["3001:3001"]\n  web:\n    ports: ["5173:5173"]\n'


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_file_is_written_where_none_was(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "compose.yaml").write_text(COMPOSE)
    assert main(["import", "compose"]) == 0
    assert capsys.readouterr().out == "ok: devproxy.toml has 3 routes, 2 upstreams\n"
    text = (folder / "devproxy.toml").read_text()
    assert main(["import", "compose"]) == 2
    assert "is there already" in capsys.readouterr().err
    assert main(["import", "compose", "--print"]) == 0
    assert capsys.readouterr().out == text
    assert (folder / "devproxy.toml").read_text() == text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], ["import from which tool?", "devproxy import compose", "the tools are vite, cra"]),
        (["apache"], ["there is no import from apache", "devproxy import compose"]),
        (["compose.yaml"], ["compose.yaml of which tool?", "devproxy import compose compose.yaml"]),
        (["."], [". of which tool?", "devproxy import compose ."]),
        (["compose", "none"], ["there is no none"]),
        (["compose", "--timeout", "soon"], ["--timeout is a number of seconds up to 3600, not soon"]),
        (["compose", "--timeout", "nan"], ["--timeout is a number of seconds up to 3600, not nan"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_command_line_that_is_not_clear_is_refused(
    arguments: list[str], said: list[str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "compose.yaml").write_text(COMPOSE)
    assert main(["import", *arguments]) == 2
    errors = capsys.readouterr().err
    assert [part for part in said if part not in errors] == []
    assert not (folder / "devproxy.toml").exists()


def test_what_cannot_be_carried_over_is_announced(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "compose.yaml").write_text(COMPOSE + "  db:\n    image: postgres\n")
    assert main(["import", "compose", str(folder / "compose.yaml")]) == 0
    assert "warning: some of it is not carried over" in capsys.readouterr().err


def test_nothing_is_written_where_nothing_can_be_carried_over(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "nginx.conf").write_text("server { location / { proxy_pass http://$name; } }")
    assert main(["import", "nginx"]) == 1
    assert "nothing of it can be carried over" in capsys.readouterr().err
    assert not (folder / "devproxy.toml").exists()
    assert main(["import", "nginx", "--print"]) == 1
    assert "names its server by a variable" in capsys.readouterr().out
