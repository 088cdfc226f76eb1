"""`devproxy up -- npm run dev` with a real npm and a real Vite, whose port is taken; and what is left of them."""

from __future__ import annotations

import json
import os
import signal
import socket
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.install import CHAT
from tests.support.gateway_process import COMMAND, ENVIRONMENT
from tests.support.in_terminal import in_terminal
from tests.support.processes import Program, free_port, wait_for
from tests.support.programs import marked

UP = [*COMMAND, "up", "--listen", "localhost:0"]


@pytest.fixture
def project(node_packages: None, tmp_path: Path) -> Path:
    """A page with Vite in a folder of its own: what stands in the arguments of every process of it."""
    (tmp_path / "node_modules").symlink_to(CHAT / "node_modules")
    (tmp_path / "index.html").write_text("<title>page</title>")
    return tmp_path


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which another server of this machine listens already."""
    port = free_port()
    with socket.create_server(("127.0.0.1", port)), socket.create_server(("::1", port), family=socket.AF_INET6):
        yield port


def with_script(project: Path, dev: str) -> list[str]:
    package = {"name": "page", "private": True, "type": "module", "scripts": {"dev": dev}}
    (project / "package.json").write_text(json.dumps(package))
    return ["npm", "run", "dev"]


def processes_in(folder: Path) -> list[int]:
    """npm has no path in its arguments, so it is known by where it runs."""
    found = set(marked(str(folder)))
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if os.path.samefile(entry / "cwd", folder):
                    found.add(int(entry.name))
            except OSError:
                continue
    return sorted(found)


def page_of(url: str) -> str:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return str(answer.read().decode())


def test_vite_is_followed_to_the_port_that_it_takes(project: Path, taken: int) -> None:
    command = with_script(project, f"vite --port {taken}")
    arguments = [*UP, "--log", "json", "--frontend", str(taken), "--", *command]
    with Program(arguments, name="devproxy", cwd=project, environment=ENVIRONMENT) as program:
        said = program.json_line(lambda one: one["event"] == "program_answers", "that Vite answers")
        assert said["port"] > taken
        assert said["expected"] == taken
        url = program.json_line(lambda one: one["event"] == "ready", "ready")["urls"][0]
        assert "<title>page</title>" in page_of(url)
        assert any("Port" in line and "in use" in line for line in program.err)
        assert any(line.startswith("frontend │") and "VITE" in line for line in program.err)


@pytest.mark.parametrize("how", ["SIGKILL", "SIGTERM"])
def test_npm_and_vite_end_with_devproxy(how: str, project: Path, taken: int) -> None:
    command = with_script(project, f"vite --port {taken}")
    arguments = [*UP, "--log", "json", "--", *command]
    with Program(arguments, name="devproxy", cwd=project, environment=ENVIRONMENT) as program:
        program.json_line(lambda one: one["event"] == "program_answers", "that Vite answers")
        others = set(processes_in(project)) - {program.pid}
        assert len(others) >= 3  # npm, its shell, Vite
        os.kill(program.pid, signal.Signals[how])
        wait_for(lambda: program.exit_code is not None, "that devproxy ends", timeout_s=15)
        wait_for(lambda: not processes_in(project), "that npm and Vite are gone", timeout_s=5)


@pytest.mark.parametrize("how", ["once", "twice", "closed"])
def test_npm_and_vite_end_with_the_terminals_ctrl_c_and_with_the_terminal(how: str, project: Path, taken: int) -> None:
    command = with_script(project, f"vite --port {taken}")
    with in_terminal([*UP, "--color", "never", "--", *command], project) as terminal:
        terminal.hears("frontend answers on")
        terminal.types("h\n")
        terminal.hears("press r + enter")  # Vite has the keys
        if how == "closed":
            terminal.close_terminal()
        else:
            terminal.types("\x03" * (1 if how == "once" else 2))
            terminal.hears("stopping")
        wait_for(lambda: terminal.has_ended, "that devproxy ends", timeout_s=15)
        wait_for(lambda: not processes_in(project), "that npm and Vite are gone", timeout_s=5)
