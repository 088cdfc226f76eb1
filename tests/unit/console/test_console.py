"""The console as `devproxy up` uses it, on real pipes and a real terminal (a pseudo-terminal)."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator

import pytest
from devproxy.config import from_arguments
from devproxy.console import Console
from devproxy.events import Ready, Stopped, Trouble

CONFIG = from_arguments(frontend="5173", backend="3001", backend_paths=[], listen=["8080"])
READY = Ready(("http://localhost:8080/",), 0.0962)


@pytest.fixture(autouse=True)
def _no_wishes_of_whoever_runs_the_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    yield reader, writer
    os.close(reader)
    os.close(writer)


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    screen, terminal = pty.openpty()
    yield screen, terminal
    os.close(screen)
    os.close(terminal)


def test_for_programs_the_ready_line_comes_first_and_at_once(pipe: tuple[int, int]) -> None:
    console = Console(CONFIG, mode="json", fd=pipe[1], version="0.1.0")
    console.observer.tell(READY)
    record = json.loads(os.read(pipe[0], 4096))
    assert list(record)[:2] == ["ts", "event"]
    assert (record["event"], record["urls"], record["startup_s"]) == ("ready", ["http://localhost:8080/"], 0.0962)
    console.close()


def test_the_banner_comes_without_any_word_from_the_upstreams(pipe: tuple[int, int]) -> None:
    console = Console(CONFIG, fd=pipe[1], version="0.1.0")
    console.observer.tell(READY)
    assert "ready in 96 ms" in os.read(pipe[0], 4096).decode()
    console.close()


def test_a_pipe_gets_no_colour(pipe: tuple[int, int]) -> None:
    console = Console(CONFIG, fd=pipe[1], version="0.1.0")
    console.observer.tell(Trouble("it burns"))
    assert os.read(pipe[0], 4096) == b"warning: it burns\n"
    console.close()


def test_a_pipe_gets_colour_when_asked_for(pipe: tuple[int, int]) -> None:
    console = Console(CONFIG, fd=pipe[1], colour="always", version="0.1.0")
    console.observer.tell(Trouble("it burns"))
    assert os.read(pipe[0], 4096) == b"\x1b[33mwarning:\x1b[0m it burns\n"
    console.close()


def test_a_terminal_gets_colour(terminal: tuple[int, int]) -> None:
    console = Console(CONFIG, fd=terminal[1], version="0.1.0")
    console.observer.tell(Trouble("it burns"))
    assert os.read(terminal[0], 4096) == b"\x1b[33mwarning:\x1b[0m it burns\r\n"
    console.close()


def test_no_color_is_respected_on_a_terminal(terminal: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    console = Console(CONFIG, fd=terminal[1], version="0.1.0")
    console.observer.tell(Trouble("it burns"))
    assert os.read(terminal[0], 4096) == b"warning: it burns\r\n"
    console.close()


def test_quiet_has_no_banner(pipe: tuple[int, int]) -> None:
    console = Console(CONFIG, mode="quiet", fd=pipe[1], version="0.1.0")
    console.observer.tell(READY)
    console.observer.tell(Stopped(0))
    console.observer.tell(Trouble("it burns"))
    assert os.read(pipe[0], 4096) == b"warning: it burns\n"
    console.close()


SCRIPT = """
from devproxy.config import from_arguments
from devproxy.console import Console
from devproxy.events import Trouble
config = from_arguments(frontend="1", backend="2", backend_paths=[], listen=["8080"])
console = Console(config, version="1")
console.observer.tell(Trouble("caf\\u00e9 \\u2192 bar"))
console.close()
"""


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [("utf-8", "warning: café → bar\n".encode()), ("ascii", b"warning: caf\\xe9 \\u2192 bar\n")],
)
def test_the_encoding_of_standard_error_is_respected(encoding: str, expected: bytes) -> None:
    environ = {**os.environ, "PYTHONIOENCODING": encoding}
    done = subprocess.run([sys.executable, "-c", SCRIPT], env=environ, capture_output=True, check=True, timeout=60)
    assert done.stderr == expected


def test_the_console_needs_neither_the_loop_nor_the_gateway() -> None:
    unwanted = ["asyncio", "aiohttp", "uvloop", "devproxy.gateway", "devproxy.plan"]
    code = f"import sys, devproxy.console; print([name for name in {unwanted} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=60, text=True)
    assert done.stdout == "[]\n"
