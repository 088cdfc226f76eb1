"""A configuration that is mounted as a single file, as into a container: what devproxy says of it, with real mounts."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.support.gateway_process import COMMAND, ENVIRONMENT
from tests.support.processes import Program, free_port

FILE = '[server]\nlisten = "localhost:{port}"\n[upstreams]\nb = "http://localhost:1"\n'
ROUTE = '[[routes]]\npath = "/"\nupstream = "b"\n'
MOUNTING = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'


@pytest.fixture
def unshare() -> str:
    """The program that gives a process mounts of its own. Only root needs none of the system's permissions for that."""
    program = shutil.which("unshare") or "unshare"
    if os.geteuid() != 0 and subprocess.run([program, "-rm", "true"], check=False).returncode:
        pytest.skip("this system does not let its users mount anything")
    return program


@pytest.mark.parametrize("mounted", ["file", "folder"])
def test_a_file_that_was_replaced_outside_is_told(unshare: str, tmp_path: Path, mounted: str) -> None:
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    outside.mkdir()
    inside.mkdir()
    (outside / "devproxy.toml").write_text(FILE.format(port=free_port()) + ROUTE)
    (inside / "devproxy.toml").write_text("")
    pair = [outside, inside] if mounted == "folder" else [outside / "devproxy.toml", inside / "devproxy.toml"]
    options = ["-m"] if os.geteuid() == 0 else ["-rm"]
    command = [unshare, *options, "sh", "-c", MOUNTING, "sh", *map(str, pair), *COMMAND, "up", "--log", "json"]
    with Program([*command, "--config", inside / "devproxy.toml"], name="devproxy", environment=ENVIRONMENT) as program:
        program.json_line(lambda event: event["event"] == "ready", "that it is ready")
        if mounted == "file":
            told = program.json_line(lambda event: "mounted as a single file" in event.get("what", ""), "the mount")
            assert f'volumes: ["./FOLDER:{inside}:ro"]' in told["help"]
        new = outside / "new"
        new.write_text(FILE.format(port=free_port()) + ROUTE)
        new.replace(outside / "devproxy.toml")
        if mounted == "file":
            told = program.json_line(lambda event: "has been replaced outside" in event.get("what", ""), "the old file")
            assert "start the container again" in told["help"]
        else:
            program.json_line(lambda event: event["event"] == "config_applied", "the new file")
            assert not any("mounted" in line for line in program.out)
