"""SIGTERM and Ctrl-C end devproxy within its drain time and 2 s, whatever its loop does (1: by force)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
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
    asyncio.get_running_loop().call_later({after}, begin)
Gateway.start = start
sys.argv = ["devproxy", "up", "--config", "devproxy.toml", "--loop", {loop!r}]
from devproxy.__main__ import main
main()
"""


def start(tmp_path: Path, hang: str, *, loop: str = "auto", drain_s: float = DRAIN_S, after: float = 0.0) -> Program:
    write_configuration(tmp_path, drain_s)
    code = STARTED.format(hang=hang, listens=LISTENS, loop=loop, after=after)
    program = Program([sys.executable, "-c", code], name="devproxy", cwd=tmp_path, environment=ENVIRONMENT)
    program.line(LISTENS)
    time.sleep(0.05)  # from the line to the hanging
    return program


def write_configuration(folder: Path, drain_s: float) -> None:
    (folder / "devproxy.toml").write_text(
        f'[server]\nlisten = "localhost:0"\ndrain_s = {drain_s}\n[upstreams]\nb = "http://localhost:{free_port()}"\n'
        '[[routes]]\npath = "/"\nupstream = "b"\n'
    )


@pytest.fixture(params=sorted(HANGS))
def stuck(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Program]:
    """A devproxy whose loop hangs."""
    program = start(tmp_path, HANGS[request.param])
    try:
        yield program
    finally:
        program.kill()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT], ids=lambda how: how.name)
def test_a_loop_that_hangs_is_ended_by_force_and_says_where(stuck: Program, how: signal.Signals) -> None:
    children = children_of(stuck.pid)
    begun = time.monotonic()
    os.kill(stuck.pid, how)
    wait_for(lambda: stuck.exit_code is not None, "devproxy to end")
    assert time.monotonic() - begun < LIMIT_S
    assert stuck.exit_code == 1
    wait_for(lambda: not any(map(is_alive, children)), "its child to end")
    stuck.stop()  # what it said is complete
    said = "\n".join(stuck.err)
    assert "error: devproxy did not stop within" in said
    assert "Thread 0x" in said
    assert " in hang" in said or "_run_once" in said or "run_until_complete" in said


def test_no_child_is_left_where_nobody_reads_what_it_says(tmp_path: Path) -> None:
    outer, inner = os.pipe()
    os.set_blocking(inner, False)
    with suppress(BlockingIOError):
        while True:
            os.write(inner, bytes(4096))
    os.set_blocking(inner, True)
    write_configuration(tmp_path, DRAIN_S)
    code = STARTED.format(hang=HANGS["in a regular expression"], listens=LISTENS, loop="auto", after=0.0)
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


def test_asyncios_own_loop_is_ended_by_force_too(tmp_path: Path) -> None:
    program = start(tmp_path, HANGS["in Python"], loop="asyncio")
    begun = time.monotonic()
    assert program.stop() == 1
    assert time.monotonic() - begun < LIMIT_S


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
