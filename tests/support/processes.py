"""Other programs, started and ended by a test: their output line by line, their JSON lines parsed, nothing left behind.

Owns: starting a process in a group of its own, collecting what it prints without ever blocking it, waiting for a line
with a deadline, and ending it by its own process id. Never: looks for processes by name, sleeps a fixed time, chooses
what a line means. Start reading at :class:`Program`.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self, TypeVar

Json = dict[str, Any]
T = TypeVar("T")

PATIENCE_S = 30.0
"""How long anything may take that normally takes well under a second: a deadline for a slow machine, never a pace."""


class ProgramFailed(AssertionError):
    """A program ended, or did not say in time what it was expected to say. The text carries everything it printed."""


def wait_for(condition: Callable[[], T], what: str, *, timeout_s: float = PATIENCE_S) -> T:
    """Ask ``condition`` until it answers something true and return that; ``what`` is said when it never does."""
    deadline = time.monotonic() + timeout_s
    while not (answer := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"after {timeout_s:.0f} s still waiting for {what}")
        time.sleep(0.01)
    return answer


def free_port() -> int:
    """A loopback port nobody listened on a moment ago, for programs that cannot be told to let the system choose."""
    with socket.socket(socket.AF_INET6) as probe:
        probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        probe.bind(("::", 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    """Tell whether a program takes connections at a port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Program:
    """One running program. Use it in a ``with`` block, or call :meth:`stop` yourself.

    ``name`` says in failures which program it was. Its standard input is a pipe that stays open while the test lives:
    programs that end with their input never outlive even a killed test run.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        name: str,
        cwd: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.out: list[str] = []
        self.err: list[str] = []
        self._changed = threading.Condition()
        self._process = subprocess.Popen(
            [str(part) for part in command],
            cwd=cwd,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self._readers = [
            threading.Thread(target=self._collect, args=(stream, lines), daemon=True)
            for stream, lines in ((self._process.stdout, self.out), (self._process.stderr, self.err))
        ]
        for reader in self._readers:
            reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The program's process id."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative: the signal that ended it."""
        return self._process.poll()

    def json_line(
        self, matches: Callable[[Json], bool], what: str, *, start: int = 0, timeout_s: float = PATIENCE_S
    ) -> Json:
        """Wait for a JSON object on standard output, from line ``start`` on, that ``matches``, and return it."""
        return self._wait_for(lambda: _first(self.out[start:], matches), what, timeout_s)

    def line(self, contains: str, *, timeout_s: float = PATIENCE_S) -> str:
        """Wait for a line on standard output that contains a text, and return it."""
        return self._wait_for(lambda: next((line for line in self.out if contains in line), None), contains, timeout_s)

    def write_line(self, line: str) -> None:
        """Write a line to its standard input."""
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()

    def wait(self, *, timeout_s: float = PATIENCE_S) -> int:
        """Wait until it ends by itself; returns its exit code."""
        try:
            code = self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise ProgramFailed(self._report(f"did not end within {timeout_s:.0f} s")) from None
        self._finish_reading()
        return code

    def stop(self, how: signal.Signals = signal.SIGTERM, *, timeout_s: float = 15.0) -> int:
        """Ask it to end and wait; if it does not, kill its group. Returns the exit code (negative: a signal)."""
        if self._process.poll() is None:
            self._process.send_signal(how)
        try:
            code = self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            code = self._process.wait()
        self._end_group()
        self._finish_reading()
        return code

    def kill(self) -> None:
        """End it the way a crash does: SIGKILL, at once, nothing said."""
        self._process.kill()
        self._process.wait()
        self._end_group()
        self._finish_reading()

    def _end_group(self) -> None:
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return  # it left no children

    def _finish_reading(self) -> None:
        for reader in self._readers:
            reader.join()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()

    def _collect(self, stream: IO[bytes], lines: list[str]) -> None:
        for line in stream:
            with self._changed:
                lines.append(line.decode(errors="replace").rstrip("\r\n"))
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

    def _wait_for(self, find: Callable[[], T | None], what: str, timeout_s: float) -> T:
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while (found := find()) is None:
                if self._is_silent():
                    raise ProgramFailed(self._report(f"ended with code {self.exit_code} before {what}"))
                if not self._changed.wait(min(0.25, deadline - time.monotonic())) and time.monotonic() > deadline:
                    raise ProgramFailed(self._report(f"did not say within {timeout_s:.0f} s: {what}"))
        return found

    def _is_silent(self) -> bool:
        return self._process.poll() is not None and not any(reader.is_alive() for reader in self._readers)

    def _report(self, what: str) -> str:
        return "\n".join([f"{self.name} {what}", "--- stdout", *self.out[-40:], "--- stderr", *self.err[-40:]])


def _first(lines: Sequence[str], matches: Callable[[Json], bool]) -> Json | None:
    for line in lines:
        value = parsed(line)
        if value is not None and matches(value):
            return value
    return None


def parsed(line: str) -> Json | None:
    """A line as a JSON object, or None when it is something else."""
    if not line.startswith("{"):
        return None
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
