"""SIGTERM and Ctrl-C end devproxy within its drain time and 2 s, whatever its loop does (1: by force)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import pytest
from tests.support.gateway_process import ENVIRONMENT
from tests.support.processes import Program, free_port, wait_for

pytestmark = pytest.mark.alone

DRAIN_S = 0.3
LIMIT_S = DRAIN_S + 2
LISTENS = "the loop is about to hang"
HANGS = {
    "in C, holding the lock, without looking at signals": "def hang(): 7 ** (10 ** 9)",
    "in a regular expression": "import re\ndef hang(): re.match('(a*)*b', 'a' * 60)",
    "in another thread that holds the lock": (
        "import re, threading\n"
        "def hang(): threading.Thread(target=lambda: re.match('(a*)*b', 'a' * 60), daemon=True).start()"
    ),
    "in Python": "def hang():\n    while True: pass",
    "in a system call": "import threading\ndef hang(): threading.Event().wait()",
    "on asyncio's own loop": "def hang():\n    while True: pass",
}
STARTED = """
{hang}
import asyncio, sys
from devproxy.gateway.app import Gateway
started = Gateway.start
async def start(self):
    await started(self)
    def begin():
        print({listens!r}, flush=True)
        hang()
    asyncio.get_running_loop().call_later(0.0, begin)
Gateway.start = start
sys.argv = ["devproxy", "up", "--config", "devproxy.toml", "--loop", {loop!r}]
from devproxy.__main__ import main
main()
"""


def start(folder: Path, hang: str, *, drain_s: float = DRAIN_S) -> Program:
    program = begin(folder, hang, drain_s=drain_s)
    listens(program)
    return program


def begin(folder: Path, hang: str, *, loop: str = "auto", drain_s: float = DRAIN_S) -> Program:
    write_configuration(folder, drain_s)
    code = STARTED.format(hang=hang, listens=LISTENS, loop=loop)
    return Program([sys.executable, "-c", code], name="devproxy", cwd=folder, environment=ENVIRONMENT)


def listens(program: Program) -> None:
    program.line(LISTENS)
    time.sleep(0.05)  # from the line to the hanging


def write_configuration(folder: Path, drain_s: float) -> None:
    (folder / "devproxy.toml").write_text(
        f'[server]\nlisten = "localhost:0"\ndrain_s = {drain_s}\n[upstreams]\nb = "http://localhost:{free_port()}"\n'
        '[[routes]]\npath = "/"\nupstream = "b"\n'
    )


@dataclass
class Ending:
    """How a devproxy whose loop hangs has ended: after how many seconds, with which code, and what it said."""

    took_s: float
    exit_code: int
    said: str


@pytest.fixture(scope="module", params=[signal.SIGTERM, signal.SIGINT], ids=lambda how: how.name)
def endings(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ending]:
    """End a devproxy that hangs in each way by a signal: two at a time, as each may keep a processor busy."""
    found: dict[str, Ending] = {}
    names = list(HANGS)
    for pair in zip(names[::2], names[1::2], strict=True):
        found |= ended({name: tmp_path_factory.mktemp("stuck") for name in pair}, request.param)
    return found


def ended(folders: Mapping[str, Path], how: signal.Signals) -> dict[str, Ending]:
    """End one devproxy for each way to hang."""
    with ExitStack() as running:
        programs: dict[str, Program] = {}
        for name, folder in folders.items():
            programs[name] = begin(folder, HANGS[name], loop="asyncio" if "asyncio" in name else "auto")
            running.callback(programs[name].kill)
        for program in programs.values():
            listens(program)
        children = {name: children_of(program.pid) for name, program in programs.items()}
        begun = time.monotonic()
        for program in programs.values():
            os.kill(program.pid, how)
        took: dict[str, float] = {}

        def have_ended() -> bool:
            now = time.monotonic() - begun
            took.update((name, now) for name in programs.keys() - took if programs[name].exit_code is not None)
            return len(took) == len(programs)

        wait_for(have_ended, "all to end")
        wait_for(lambda: not any(map(is_alive, chain(*children.values()))), "their children to end")
        codes = {name: program.stop() for name, program in programs.items()}  # what they said is complete
        return {name: Ending(took[name], codes[name], "\n".join(programs[name].err)) for name in programs}


@pytest.mark.parametrize("hang", HANGS)
def test_a_loop_that_hangs_is_ended_by_force_and_says_where(endings: dict[str, Ending], hang: str) -> None:
    ending = endings[hang]
    assert ending.took_s < LIMIT_S
    assert ending.exit_code == 1
    assert "error: devproxy did not stop within" in ending.said
    assert "Thread 0x" in ending.said
    assert " in hang" in ending.said or "_run_once" in ending.said or "run_until_complete" in ending.said


def test_no_child_is_left_where_nobody_reads_what_it_says(tmp_path: Path) -> None:
    outer, inner = os.pipe()
    os.set_blocking(inner, False)
    with suppress(BlockingIOError):
        while True:
            os.write(inner, bytes(4096))
    os.set_blocking(inner, True)
    write_configuration(tmp_path, DRAIN_S)
    code = STARTED.format(hang=HANGS["in a regular expression"], listens=LISTENS, loop="auto")
    command = [sys.executable, "-c", code]
    environment = {**os.environ, **ENVIRONMENT}
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=inner) as process:
        assert process.stdout is not None
        assert process.stdout.readline().decode().strip() == LISTENS
        [child] = children_of(process.pid)
        time.sleep(0.05)
        process.terminate()
        assert process.wait(LIMIT_S) == 1
    wait_for(lambda: not is_alive(child), "its child to end")
    os.close(outer)
    os.close(inner)


def test_a_second_ctrl_c_does_not_wait_for_the_drain_time(tmp_path: Path) -> None:
    program = start(tmp_path, HANGS["in a regular expression"], drain_s=60)
    begun = time.monotonic()
    os.kill(program.pid, signal.SIGINT)
    time.sleep(0.2)
    assert program.stop(signal.SIGINT) == 1
    assert time.monotonic() - begun < LIMIT_S


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT], ids=lambda how: how.name)
def test_a_loop_that_is_well_ends_at_once_with_0_and_leaves_no_child(tmp_path: Path, how: signal.Signals) -> None:
    program = start(tmp_path, "def hang(): pass")
    children = children_of(program.pid)
    assert len(children) == 1
    assert program.stop(how) == 0
    assert "by force" not in "\n".join(program.err)
    wait_for(lambda: not any(map(is_alive, children)), "its child to end")


def test_the_child_ends_with_a_parent_that_was_killed_and_the_parent_goes_on_without_it(tmp_path: Path) -> None:
    program = start(tmp_path, "def hang(): pass")
    [child] = children_of(program.pid)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(child, number)  # as a terminal sends them to everybody
    assert is_alive(child)
    assert not open_in(child) & {os.readlink(f"/proc/{program.pid}/fd/{number}") for number in (0, 1)}
    os.kill(child, signal.SIGKILL)
    wait_for(lambda: not is_alive(child), "the child to be gone")
    assert program.exit_code is None
    assert program.stop() == 0
    other = start(tmp_path, "def hang(): pass")
    [child] = children_of(other.pid)
    os.kill(other.pid, signal.SIGKILL)
    wait_for(lambda: not is_alive(child), "the child to end")
    other.kill()


def children_of(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def open_in(pid: int) -> set[str]:
    folder = Path(f"/proc/{pid}/fd")
    return {os.readlink(path) for path in folder.iterdir()}


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
