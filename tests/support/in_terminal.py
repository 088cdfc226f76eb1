"""A program in a terminal of its own, as a person has it: what it shows, what is typed, and the state of the terminal.

Owns: the pseudo-terminal and its program. Never: knows which program that is. Start reading at :func:`in_terminal`.
"""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.support.gateway_process import ENVIRONMENT
from tests.support.screen import Screen


class InTerminal:
    """A program with a terminal of its own, 80 columns wide, as its session's leader. ``said``: what it wrote there."""

    def __init__(self, command: list[str], cwd: Path) -> None:
        self.pid, self._master = pty.fork()
        if self.pid == 0:
            os.chdir(cwd)
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
            environment = {**os.environ, **ENVIRONMENT, "HISTFILE": "", "PS1": "$ "}
            environment.pop("CI", None)  # Vite and others take no keys where it is set, whatever has the terminal
            os.execvpe(command[0], command, environment)
        self.said = ""
        self._is_over = False

    def hears(self, words: str, count: int = 1) -> None:
        """Wait until it has written `words` so often."""
        deadline = time.monotonic() + 30
        while self.said.count(words) < count:
            assert time.monotonic() < deadline, self.said
            if select.select([self._master], [], [], 0.1)[0]:
                with suppress(OSError):
                    self.said += os.read(self._master, 65536).decode(errors="replace")

    @property
    def rows(self) -> list[str]:
        """What is to be seen."""
        screen = Screen()
        screen.write(self.said)
        return screen.rows

    def types(self, text: str) -> None:
        os.write(self._master, text.encode())

    @property
    def is_as_usual(self) -> bool:
        """Whether keys are echoed, and come line by line."""
        modes = termios.tcgetattr(self._master)[3]
        return bool(modes & termios.ECHO and modes & termios.ICANON)

    def close_terminal(self) -> None:
        os.close(self._master)
        self._master = -1

    @property
    def has_ended(self) -> bool:
        if not self._is_over:
            self._is_over = os.waitpid(self.pid, os.WNOHANG)[0] != 0
        return self._is_over

    def end(self) -> None:
        if not self.has_ended:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        if self._master >= 0:
            os.close(self._master)


@contextmanager
def in_terminal(command: list[str], cwd: Path) -> Iterator[InTerminal]:
    program = InTerminal(command, cwd)
    try:
        yield program
    finally:
        program.end()
