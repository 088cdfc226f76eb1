"""Keys in a terminal: who gets them, what they do, and that the terminal is as it was afterwards."""

from __future__ import annotations

import json
import os
import shlex
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.support.gateway_process import COMMAND
from tests.support.in_terminal import InTerminal, in_terminal
from tests.support.processes import wait_for
from tests.support.programs import script

UP = [*COMMAND, "up", "--listen", "localhost:0", "--color", "never"]
SHELL = ["bash", "--norc", "--noprofile", "-i"]
HELP = "show URLs and routes"


@contextmanager
def up(folder: Path, *arguments: str) -> Iterator[InTerminal]:
    with in_terminal([*UP, *arguments], folder) as program:
        yield program


def wait_for_end(program: InTerminal) -> None:
    wait_for(lambda: program.has_ended, "that it ends", timeout_s=15)


def test_keys_do_what_help_says_and_q_quits(tmp_path: Path) -> None:
    with up(tmp_path, "--backend", "9") as program:
        program.hears("press h for help")
        program.types("h")
        program.hears(HELP)
        program.types("u")
        program.hears("Inspect:", 2)
        program.types("r")
        program.hears("no file to read again")
        program.types("i")
        program.hears("inspector: http://localhost:")
        program.types("c")
        program.hears("\x1b[3J")
        assert not program.is_as_usual
        program.types("\x1b[A\x1b[5~z")
        program.types("q")
        program.hears("stopped")
        wait_for_end(program)
        assert program.is_as_usual


@pytest.mark.parametrize("how", ["\x03", "SIGTERM", "SIGINT"], ids=["Ctrl-C", "SIGTERM", "SIGINT"])
def test_the_terminal_is_as_it_was(how: str, tmp_path: Path) -> None:
    with up(tmp_path, "--backend", "9") as program:
        program.hears("press h for help")
        wait_for(lambda: not program.is_as_usual, "that keys are read")
        if how in signal.Signals.__members__:
            os.kill(program.pid, signal.Signals[how])
        else:
            program.types(how)
        program.hears("stopped")
        wait_for_end(program)
        assert program.is_as_usual


def test_r_reads_the_file_again(tmp_path: Path) -> None:
    (tmp_path / "devproxy.toml").write_text(
        '[upstreams]\nx = "http://localhost:9"\n[[routes]]\npath = "/"\nupstream = "x"\n'
    )
    with up(tmp_path) as program:
        program.hears("press h for help")
        program.types("r")
        program.hears("reloaded devproxy.toml: nothing has changed")


def test_keys_work_again_after_ctrl_z_and_fg(tmp_path: Path) -> None:
    with in_terminal(SHELL, tmp_path) as shell:
        shell.types(f"{shlex.join([*UP, '--backend', '9'])}; echo status $?\n")
        shell.hears("press h for help")
        shell.types("\x1a")
        shell.hears("Stopped")
        shell.types("fg\n")
        shell.hears("fg\r\n")
        shell.types("h")
        shell.hears(HELP)
        shell.types("q")
        shell.hears("stopped")
        shell.types("stty -a\n")
        shell.hears(" icanon ")


def test_in_the_background_it_runs_without_keys_and_gets_them_in_the_foreground(tmp_path: Path) -> None:
    with in_terminal(SHELL, tmp_path) as shell:
        shell.types(f"{shlex.join([*UP, '--backend', '9'])} &\n")
        shell.hears("from the command line")
        assert "press h for help" not in shell.said
        shell.types("jobs\n")
        shell.hears("Running")
        shell.types("fg\n")
        shell.hears("fg\r\n")
        shell.types("h")
        shell.hears(HELP)
        shell.types("q")
        shell.hears("stopped")
        shell.types("stty -a\n")
        shell.hears(" icanon ")
        shell.hears(" echo ")


def test_without_a_terminal_as_standard_input_there_are_no_keys(tmp_path: Path) -> None:
    with in_terminal([*SHELL[:3], "-c", f"{shlex.join([*UP, '--backend', '9'])} </dev/null"], tmp_path) as program:
        program.hears("from the command line")
        program.types("h\x03")
        program.hears("stopped")
        assert HELP not in program.said
        assert "press h" not in program.said


READER = """
import signal, sys, time
count = 0
def interrupted(*_):
    global count
    count += 1
signal.signal(signal.SIGINT, interrupted)
print("is a terminal:", sys.stdin.isatty(), flush=True)
print("got", sys.stdin.readline().strip(), flush=True)
while not count:
    time.sleep(0.01)
time.sleep(0.4)
print("interrupted", count, flush=True)
sys.exit(6)
"""


def test_one_program_has_the_terminal_and_ctrl_c_reaches_both_once(tmp_path: Path) -> None:
    command = shlex.join([*UP, "--", *script(tmp_path, READER)])
    with in_terminal([*SHELL[:3], "-c", f"{command}; echo status $?"], tmp_path) as program:
        program.hears("is a terminal: True")
        assert "press h" not in program.said
        program.types("hello\n")
        program.hears("got hello")
        program.types("\x03")
        program.hears("interrupted 1")
        program.hears("status 6")
        assert HELP not in program.said


RAW = """
import sys, time, tty
tty.setraw(0)
print("raw", flush=True)
time.sleep(600)
"""


def test_a_program_that_is_killed_leaves_the_terminal_as_it_was(tmp_path: Path) -> None:
    with up(tmp_path, "--", *script(tmp_path, RAW)) as program:
        program.hears("raw")
        assert not program.is_as_usual
        os.kill(program.pid, signal.SIGTERM)
        program.hears("stopped")
        wait_for_end(program)
        assert program.is_as_usual


def test_several_programs_have_no_input_and_the_keys_are_devproxys(tmp_path: Path) -> None:
    command = json.dumps(script(tmp_path, "import sys; print('read', repr(sys.stdin.read()))"))
    (tmp_path / "devproxy.toml").write_text(
        f'[run]\na = {command}\nb = {command}\n[upstreams]\nx = "http://localhost:9"\n'
        '[[routes]]\npath = "/"\nupstream = "x"\n'
    )
    with up(tmp_path) as program:
        program.hears("press h for help")
        program.hears("a │ read ''")
        program.hears("b │ read ''")
        program.hears("ended with status 0", 2)
        program.types("h")
        program.hears(HELP)
        program.types("r")
        program.hears("a │ read ''", 2)
        program.types("q")
        program.hears("stopped")
        wait_for_end(program)
        assert program.is_as_usual


def test_when_the_program_of_the_terminal_has_ended_the_keys_are_devproxys(tmp_path: Path) -> None:
    (tmp_path / "devproxy.toml").write_text(
        '[run]\na = ["sh", "-c", "echo here; read line; exit 3"]\n[upstreams]\nx = "http://localhost:9"\n'
        '[[routes]]\npath = "/"\nupstream = "x"\n'
    )
    with up(tmp_path) as program:
        program.hears("here")
        program.types("h\n")
        program.hears("a ended with status 3")
        wait_for(lambda: not program.is_as_usual, "that keys are read")
        assert HELP not in program.said
        program.types("h")
        program.hears(HELP)
        program.types("q")
        wait_for_end(program)


HANGING = """
import asyncio, sys
from devproxy.gateway.app import Gateway
started = Gateway.start
async def start(self):
    await started(self)
    def hang():
        print("hangs", flush=True)
        while True: pass
    asyncio.get_running_loop().call_later(0.3, hang)
Gateway.start = start
sys.argv = ["devproxy", "up", "--listen", "localhost:0", "--config", "devproxy.toml"]
from devproxy.__main__ import main
main()
"""


def test_a_devproxy_that_has_to_be_ended_by_force_leaves_the_terminal_usable(tmp_path: Path) -> None:
    (tmp_path / "devproxy.toml").write_text(
        '[server]\ndrain_s = 0.1\n[upstreams]\nx = "http://localhost:9"\n[[routes]]\npath = "/"\nupstream = "x"\n'
    )
    with in_terminal([sys.executable, "-c", HANGING], tmp_path) as program:
        program.hears("hangs")
        assert not program.is_as_usual
        program.types("\x03")
        program.hears("was terminated by force")
        wait_for_end(program)
        assert program.is_as_usual
