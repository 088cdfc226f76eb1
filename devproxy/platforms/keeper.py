"""Runs one program and leaves none of its processes behind: a script, started by :mod:`devproxy.platforms.groups`.

It stays between devproxy and the program, holds the end of a pipe to devproxy, and learns by that pipe that the program
is to end, or that devproxy is gone, by whatever: then all processes of the program are told to end, and killed after a
moment. On Linux it adopts those whose parent has ended (``PR_SET_CHILD_SUBREAPER``), so that even one that has gone
into a session of its own is found; elsewhere it ends the program's group. It ends as the program did. Imports nothing
of devproxy, so that it runs without the environment's packages.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import sys
import time
from typing import Final

GRACE_S: Final = 2.0
"""How long what is left of a program may take to end on its own before it is killed."""
NOT_FOUND: Final = 127
NOT_STARTED: Final = 126
"""What shells give for a program that is not there, or cannot be started (POSIX, XCU 2.8.2)."""
_SUBREAPER: Final = 36
_IGNORED: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
"""A terminal sends signals to the whole group: they are for the program, and this process outlives it."""
_LOOK_S: Final = 0.05
INTERRUPT, TERMINATE, KILL, PASS_ON = b"I", b"T", b"K", b"S"
"""What devproxy writes: Ctrl-C for all, end all, kill all, or a signal's number (one byte) for the program itself."""


def main(control: int, owns_group: bool, command: list[str]) -> int:
    """Run `command` until none of its processes is left; return its exit status, negative for a signal.

    `control`: the pipe. `owns_group`: the program gets a process group of its own; else it stays in this one, which has
    the terminal.
    """
    os.set_inheritable(control, False)
    keeper = _Keeper(control, owns_group=owns_group, adopts=_adopt())
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    reset = (*_IGNORED, signal.SIGPIPE, signal.SIGCHLD)
    try:
        if owns_group:
            pid = os.posix_spawnp(command[0], command, os.environ, setsigdef=reset, setpgroup=0)
        else:
            pid = os.posix_spawnp(command[0], command, os.environ, setsigdef=reset)
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        return NOT_FOUND if error.errno == errno.ENOENT else NOT_STARTED
    _let_go_of_standard_descriptors()
    return keeper.keep(pid, woken)


class _Keeper:
    def __init__(self, control: int, *, owns_group: bool, adopts: bool) -> None:
        self._control: int | None = control
        self._owns_group = owns_group
        self._adopts = adopts
        self._pid = 0
        self._status: int | None = None
        self._kill_at: float | None = None

    def keep(self, pid: int, woken: int) -> int:
        self._pid = pid
        while not (self._reap() and self._is_alone()):
            if self._status is not None and self._kill_at is None:
                self._end(signal.SIGTERM)
            left_s = None if self._kill_at is None else max(self._kill_at - time.monotonic(), 0.0)
            if left_s == 0.0:
                self._end(signal.SIGKILL)
            timeout_s = None if left_s is None else max(min(left_s, 1.0), _LOOK_S)
            watched = [woken] if self._control is None else [woken, self._control]
            ready, _, _ = select.select(watched, (), (), timeout_s)
            if woken in ready:
                os.read(woken, 512)
            if self._control in ready:
                self._obey()
        return self._status or 0

    def _reap(self) -> bool:
        """Collect what has ended; tell whether no child is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return True
            if pid == 0:
                return False
            if pid == self._pid:
                self._status = os.waitstatus_to_exitcode(status)

    def _is_alone(self) -> bool:
        """Tell whether no process of the program is left, once there is no child."""
        if self._adopts or not self._owns_group:
            return True
        try:
            os.killpg(self._pid, 0)
        except OSError:
            return True
        return False

    def _obey(self) -> None:
        assert self._control is not None
        said = os.read(self._control, 512)
        if not said:
            self._control = None
        position = 0
        while position < len(said):
            letter = said[position : position + 1]
            position += 1
            if letter == PASS_ON and position < len(said):
                with contextlib.suppress(OSError):
                    os.kill(self._pid, said[position])
                position += 1
            elif letter == INTERRUPT:
                self._signal(signal.SIGINT)
            elif letter == TERMINATE:
                self._signal(signal.SIGTERM)
            elif letter == KILL:
                self._end(signal.SIGKILL)
        if not said:
            self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        """Send `number` to all, and have what is left killed in a moment."""
        self._signal(number)
        self._kill_at = time.monotonic() + (GRACE_S if number == signal.SIGTERM else _LOOK_S)

    def _signal(self, number: signal.Signals) -> None:
        if self._adopts:
            targets = descendants(os.getpid())
        elif self._owns_group:
            with contextlib.suppress(OSError):
                os.killpg(self._pid, number)
            return
        else:
            targets = [self._pid] if self._status is None else []
        for pid in targets:
            with contextlib.suppress(OSError):
                os.kill(pid, number)
                if number != signal.SIGKILL:
                    os.kill(pid, signal.SIGCONT)  # one that was stopped would else never know


def descendants(root: int) -> list[int]:
    """Return the processes below `root`, parents first, as ``/proc`` has them now."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    # The second field is a name in brackets, which may hold anything (proc(5)).
                    parent = int(file.read().rpartition(b")")[2].split()[1])
            except (OSError, ValueError, IndexError):
                continue
            children.setdefault(parent, []).append(int(name))
    found = list(children.get(root, ()))
    for pid in found:
        found += children.get(pid, ())
    return found


def _adopt() -> bool:
    """Become the parent of every process of the program whose own parent ends; tell whether that is so."""
    if not sys.platform.startswith("linux") or not os.path.exists("/proc/self/stat"):
        return False
    try:
        import ctypes

        return bool(ctypes.CDLL(None, use_errno=True).prctl(_SUBREAPER, 1, 0, 0, 0) == 0)
    except (ImportError, OSError, AttributeError):
        return False


def _let_go_of_standard_descriptors() -> None:
    """The program alone holds them: what reads its output then learns that it has ended."""
    null = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(null, number)
    os.close(null)


def _end_as(status: int) -> None:
    """End with `status`; by the signal that ended the program, if one did, and without a core of its own."""
    if status < 0:
        with contextlib.suppress(ImportError, OSError, ValueError):
            import resource

            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with contextlib.suppress(OSError, ValueError):
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
        os._exit(128 - status)
    os._exit(status)


if __name__ == "__main__":
    _end_as(main(int(sys.argv[1]), sys.argv[2] == "own", sys.argv[3:]))
