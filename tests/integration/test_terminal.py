"""A terminal that is closed ends devproxy; SIGHUP means "read the file again" as long as there is one."""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import sys
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from tests.support.gateway_process import COMMAND, GatewayProcess
from tests.support.in_terminal import InTerminal, in_terminal
from tests.support.processes import free_port, wait_for

ROUTE = '[[routes]]\npath = "/"\nupstream = "backend"\n'
UP = [*COMMAND, "up", "--log", "json"]


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def holder_of(port: int) -> int:
    """Return the process that listens on `port`, by asking the system as devproxy's own help does."""
    from devproxy.gateway.front.bind import find_holder

    name = find_holder(port)
    return int(name.rpartition("pid ")[2].rstrip(")")) if name else 0


def command_for(port: int) -> list[str]:
    return [*UP, "--listen", str(port), "--backend", "9"]


def stop(port: int) -> None:
    """End by its own number the devproxy that was to survive."""
    os.kill(holder_of(port), signal.SIGTERM)
    wait_for(lambda: not listens(port), "that it has ended")


def test_devproxy_ends_with_its_terminal(tmp_path: Path) -> None:
    port = free_port()
    with in_terminal(command_for(port), tmp_path) as program:
        program.hears('"ready"')
        program.close_terminal()
        wait_for(lambda: program.has_ended, "that devproxy ends", timeout_s=10)
        assert not listens(port)


@pytest.mark.parametrize("how", ["{}", "{} &", "{} 2>/dev/null", "(exec {})", "{} | cat"])
def test_devproxy_ends_with_the_terminal_of_the_shell_that_started_it(how: str, tmp_path: Path) -> None:
    port = free_port()
    with in_terminal(["bash", "--norc", "--noprofile", "-i"], tmp_path) as shell:
        shell.types(how.format(shlex.join(command_for(port))) + "\n")
        wait_for(lambda: listens(port), "that it listens")
        shell.close_terminal()
        wait_for(lambda: not listens(port), "that devproxy ends", timeout_s=10)


def test_devproxy_ends_when_its_shell_is_killed(tmp_path: Path) -> None:
    port = free_port()
    with in_terminal(["bash", "--norc", "--noprofile", "-i"], tmp_path) as shell:
        shell.types(shlex.join(command_for(port)) + "\n")
        shell.hears('"ready"')
        os.kill(shell.pid, signal.SIGKILL)
        wait_for(lambda: not listens(port), "that devproxy ends", timeout_s=10)


def test_devproxy_that_was_stopped_by_ctrl_z_ends_with_its_terminal(tmp_path: Path) -> None:
    port = free_port()
    with in_terminal(["bash", "--norc", "--noprofile", "-i"], tmp_path) as shell:
        shell.types(shlex.join(command_for(port)) + "\n")
        shell.hears('"ready"')
        shell.types("\x1a")
        shell.hears("Stopped")
        shell.close_terminal()
        wait_for(lambda: not listens(port), "that devproxy ends", timeout_s=10)


@pytest.mark.parametrize("how", ["nohup {} >log 2>&1 &", "setsid {} >log 2>&1 </dev/null &"])
def test_devproxy_that_was_detached_stays(how: str, tmp_path: Path) -> None:
    port = free_port()
    with in_terminal(["bash", "--norc", "--noprofile", "-i"], tmp_path) as shell:
        shell.types(how.format(shlex.join(command_for(port))) + "\n")
        wait_for(lambda: listens(port) and '"ready"' in (tmp_path / "log").read_text(), "that it serves")
        pid = holder_of(port)
        shell.close_terminal()
        wait_for(lambda: shell.has_ended, "that the shell ends")
        os.kill(pid, signal.SIGHUP)
        time.sleep(3)
        assert holder_of(port) == pid
    stop(port)


def test_in_a_terminal_sighup_reloads(tmp_path: Path) -> None:
    (tmp_path / "devproxy.toml").write_text(
        f'[server]\nlisten = "localhost:0"\n[upstreams]\nbackend = "http://a.test"\n{ROUTE}'
    )
    with in_terminal(UP, tmp_path) as program:
        program.hears('"ready"')
        for count in (1, 2):
            os.kill(program.pid, signal.SIGHUP)
            program.hears('"config_applied"', count)
        time.sleep(2.5)
        assert not program.has_ended
        program.close_terminal()
        wait_for(lambda: program.has_ended, "that devproxy ends", timeout_s=10)


@pytest.mark.parametrize("has_file", [True, False])
def test_without_a_terminal_sighup_ends_nothing(has_file: bool, tmp_path: Path) -> None:
    if has_file:
        (tmp_path / "devproxy.toml").write_text(f'[upstreams]\nbackend = "http://a.test"\n{ROUTE}')
    gateway = GatewayProcess(*(() if has_file else ("--backend", "9")), cwd=tmp_path)
    os.kill(gateway.program.pid, signal.SIGHUP)
    if has_file:
        gateway.event("config_applied", lambda _: True, "that it has read the file again")
    time.sleep(2.5)
    assert gateway.program.exit_code is None
    gateway.stop()


def test_sighup_until_the_very_end_does_not_change_how_devproxy_ends(tmp_path: Path) -> None:
    gateway = GatewayProcess("--backend", "9", cwd=tmp_path)
    program = gateway.program
    os.kill(program.pid, signal.SIGTERM)
    last = time.monotonic() + 10
    while program.exit_code is None and time.monotonic() < last:
        os.kill(program.pid, signal.SIGHUP)
    gateway.stop()


def test_the_demo_leaves_nobody_behind_in_a_closed_terminal(tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "devproxy", "demo", "--listen", f"localhost:{port}", "--no-open", "--log", "json"]
    with in_terminal(command, tmp_path) as program:
        program.hears("command   devproxy up")
        ports = [int(word.rstrip(",")) for word in program.said.split("command")[1].split() if word.isdigit()]
        program.hears('"ready"')
        program.close_terminal()
        wait_for(lambda: program.has_ended, "that the demo ends", timeout_s=15)
        for one in (port, *ports):
            assert not listens(one)


# What is counted in place


class Page(BaseHTTPRequestHandler):
    """Has everything but ``/missing.png``."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(404 if self.path == "/missing.png" else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def page() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        server.daemon_threads = True
        Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def ask(port: int, *targets: str, destination: str = "empty") -> None:
    """Ask devproxy for `targets`, one after the other, as a browser does."""
    client = HTTPConnection("127.0.0.1", port, timeout=30)
    for target in targets:
        client.request("GET", target, headers={"Sec-Fetch-Dest": destination})
        client.getresponse().read()
    client.close()


POLL = "/socket.io/?EIO=4&transport=polling&sid=abc"


def shown(program: InTerminal) -> list[str]:
    """What is to be seen of the log, without times."""
    return [re.sub(r" *→ .*", "", row[9:]) for row in program.rows if re.match(r"..:..:.. (GET|stop)|\^C", row)]


def test_a_page_is_counted_in_place_and_what_matters_stands_above_it(page: int, tmp_path: Path) -> None:
    port = free_port()
    up = [*COMMAND, "up", "--color", "never", "--listen", str(port), "--frontend", str(page), "--backend", str(page)]
    with in_terminal(up, tmp_path) as program:
        program.hears("from the command line")
        ask(port, "/", destination="document")
        ask(port, POLL, POLL)
        program.hears("×2 polls")
        ask(port, *(f"/src/{number}.js" for number in range(50)), destination="script")
        ask(port, "/missing.png", destination="image")
        ask(port, "/src/last.css", destination="style")
        program.hears("×51 files")
        page_lines = ["GET     200  /", "GET     404  /missing.png  client error"]
        files, polls = "GET     200  ×51 files", "GET     200  ×2 polls"
        assert shown(program) in ([*page_lines, polls, files], [*page_lines, files, polls])
        program.types("\x03")
        program.hears("stopped")
        assert sorted(shown(program)[:4]) == sorted([*page_lines, polls, files])
        assert shown(program)[4:] == ["stopping", "stopped"]


def test_a_shell_that_has_its_terminal_back_is_not_written_over(page: int, tmp_path: Path) -> None:
    port = free_port()
    up = [*COMMAND, "up", "--color", "never", "--listen", str(port), "--frontend", str(page), "--backend", str(page)]
    with in_terminal(["bash", "--norc", "--noprofile", "--noediting", "-i"], tmp_path) as shell:
        shell.types(shlex.join(up) + "\n")
        shell.hears("from the command line")
        ask(port, POLL, POLL)
        shell.hears("×2 polls")
        shell.types("\x1a")
        shell.hears("Stopped")
        shell.types("bg\n")
        shell.hears("up --color never", 3)
        shell.hears("&\r\n$ ")
        shell.types("half a command")
        ask(port, POLL)
        time.sleep(0.5)
        shell.types(" and the rest")
        shell.hears("and the rest")
        assert shell.rows[-1] == "$ half a command and the rest"
        shell.types("\x15fg\n")
        shell.hears("up --color never", 4)
        ask(port, POLL)
        shell.hears("×4 polls")
