"""The console as `devproxy up` uses it, on real pipes and a real terminal (a pseudo-terminal)."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from dataclasses import replace
from time import monotonic

import pytest
from devproxy.config import from_arguments
from devproxy.console import Console
from devproxy.events import ExchangeFinished, Outcome, Ready, Stopped, Trouble
from tests.support.ends import tell
from tests.support.screen import Screen

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


MODULE = ExchangeFinished(
    b"GET", b"/a.js", 200, "/", "frontend", "", Outcome.COMPLETE, 0.01, 0.01, 0, 9, "127.0.0.1", destination=b"script"
)
BROKEN = replace(MODULE, status=500)


def sized(terminal: int, columns: int) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))


def read_until(fd: int, holds: Callable[[str], bool]) -> str:
    """Read until what was written so far is enough, for half a minute at most."""
    said, deadline = b"", monotonic() + 30
    while not holds(said.decode()):
        assert select.select([fd], [], [], deadline - monotonic())[0], said
        said += os.read(fd, 65536)
    return said.decode()


def test_in_a_terminal_files_are_counted_in_place_below_what_has_its_own_line(terminal: tuple[int, int]) -> None:
    sized(terminal[1], 80)
    console = Console(CONFIG, fd=terminal[1], colour="never", version="0.1.0")
    for _ in range(3):
        tell(console.observer, MODULE)
    said = read_until(terminal[0], lambda said: "×3 files" in said)
    tell(console.observer, BROKEN)
    for _ in range(1993):
        tell(console.observer, MODULE)
    said += read_until(terminal[0], lambda said: "×1,996 files" in said)
    screen = Screen()
    screen.write(said)
    own, shared = screen.rows
    assert "500  /a.js  server error" in own
    assert "200  ×1,996 files" in shared
    console.close()
    screen.write(read_until(terminal[0], lambda said: "files" in said and said.endswith("\n")))
    assert len(screen.rows) == 3
    assert "×1,996 files" in screen.rows[1]


@pytest.mark.parametrize("kind", ["dumb", "without a size", "a pipe"])
def test_where_nothing_can_be_written_over_files_are_counted_when_all_have_come(
    kind: str, terminal: tuple[int, int], pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, writer = pipe if kind == "a pipe" else terminal
    if kind == "dumb":
        sized(writer, 80)
        monkeypatch.setenv("TERM", "dumb")
    console = Console(CONFIG, fd=writer, colour="never", version="0.1.0")
    for event in (MODULE, BROKEN, MODULE):
        tell(console.observer, event)
    own, shared, end = read_until(reader, lambda said: said.count("\n") == 2).split("\n")
    assert "500  /a.js  server error" in own
    assert "200  ×2 files" in shared
    assert "\x1b" not in own + shared + end
    console.close()


def test_verbose_shows_each_file(pipe: tuple[int, int]) -> None:
    console = Console(CONFIG, fd=pipe[1], version="0.1.0", is_verbose=True)
    for _ in range(3):
        tell(console.observer, MODULE)
    assert read_until(pipe[0], lambda said: said.count("\n") == 3).count("/a.js") == 3
    console.close()


def test_for_programs_nothing_is_folded(pipe: tuple[int, int]) -> None:
    console = Console(CONFIG, mode="json", fd=pipe[1], version="0.1.0")
    for _ in range(3):
        tell(console.observer, MODULE)
    records = [json.loads(line) for line in read_until(pipe[0], lambda said: said.count("\n") == 3).splitlines()]
    assert [record["destination"] for record in records] == ["script"] * 3
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
