"""`devproxy list` finds what is running, and what has gone leaves nothing behind."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.gateway_process import COMMAND, ENVIRONMENT, GatewayProcess
from tests.support.processes import wait_for

FILE = """
[upstreams]
backend = "http://localhost:1"

[[routes]]
path = "/"
upstream = "backend"

[[routes]]
path = "/api/"
upstream = "backend"
"""


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A runtime folder of this test's own, short enough for sockets."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="dp") as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        yield Path(folder) / "devproxy"


@pytest.fixture
def gateway(runtime: Path, tmp_path: Path) -> Iterator[GatewayProcess]:
    (tmp_path / "devproxy.toml").write_text(FILE)
    process = GatewayProcess(cwd=tmp_path)
    yield process
    process.stop()
    assert os.listdir(runtime) == []


def listed(*arguments: str) -> str:
    environment = {**os.environ, **ENVIRONMENT}
    done = subprocess.run([*COMMAND, "list", *arguments], capture_output=True, text=True, check=True, env=environment)
    assert done.stderr == ""
    return done.stdout


def test_it_says_where_each_listens_and_what_it_serves(gateway: GatewayProcess, tmp_path: Path) -> None:
    (one,) = wait_for(lambda: json.loads(listed("--json")), "a devproxy that is running")
    said: dict[str, Any] = {key: one[key] for key in ("urls", "pid", "routes")}
    assert said == {"urls": [gateway.url], "pid": gateway.program.pid, "routes": ["/api/", "/"]}
    assert os.path.samefile(one["source"], tmp_path / "devproxy.toml")
    assert os.path.samefile(one["folder"], tmp_path)
    text = listed()
    assert text.startswith(f"{gateway.url}  pid {one['pid']}, 2 routes, for ")
    assert str(one["source"]) in text


def test_check_says_that_the_file_is_in_use_and_whether_as_it_is_now(gateway: GatewayProcess, tmp_path: Path) -> None:
    wait_for(lambda: json.loads(listed("--json")), "a devproxy that is running")
    file = tmp_path / "devproxy.toml"
    assert f"devproxy at {gateway.url} (pid {gateway.program.pid}) runs with this file\n" in checked(file)
    file.write_text(FILE.replace("localhost:1", "localhost:2") + "bad = 1\n")
    gateway.event("config_rejected", lambda event: True, "that the file is refused")
    file.write_text(FILE + "# a remark\n")
    assert "runs with an earlier version of this file" in checked(file) or "runs with this file" in checked(file)


def checked(file: Path) -> str:
    environment = {**os.environ, **ENVIRONMENT}
    return subprocess.run([*COMMAND, "check", file], capture_output=True, text=True, check=True, env=environment).stdout


def test_it_says_that_none_is_running(runtime: Path) -> None:
    assert listed() == "no devproxy is running\n"
    assert listed("--json") == "[]\n"
