"""How a program's processes are started, signalled and ended together on this system: the only module that knows.

Where there is ``fork``, a keeper does it (:mod:`devproxy.platforms.keeper`). On Windows the program gets a console
group of its own and a job object, which ends all that is in it when devproxy does. Start at :func:`start`.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from devproxy.platforms import keeper
from devproxy.platforms.system import IS_WINDOWS

LIMIT_BYTES: Final = 1 << 16
"""What is read of a program's output before it is shown; more waits in the pipe, and the program with it."""
_KEEPER: Final = os.path.realpath(keeper.__file__)
_NEW_GROUP: Final = 0x00000200
_BREAK: Final = 1
"""``CREATE_NEW_PROCESS_GROUP`` and ``CTRL_BREAK_EVENT`` of Windows."""


class Group:
    """A program and all the processes below it. ``output``: what they write; it ends when they have."""

    def __init__(self, process: asyncio.subprocess.Process, control: int, job: Any = None) -> None:
        self._process = process
        self._control = control
        self._job = job
        assert process.stdout is not None
        self.output: asyncio.StreamReader = process.stdout
        self.pid = process.pid

    async def wait(self) -> int:
        """Wait until none is left; return what the program ended with, negative for a signal."""
        try:
            return await self._process.wait()
        finally:
            if self._control >= 0:
                os.close(self._control)
                self._control = -1

    def interrupt(self) -> None:
        """Tell all of them what Ctrl-C tells those that have the terminal."""
        if self._job is not None:
            self.terminate()
        else:
            self._say(keeper.INTERRUPT)

    def terminate(self) -> None:
        """Tell all of them to end."""
        if self._job is not None:
            with suppress(OSError):
                self._process.send_signal(_BREAK)
            return
        self._say(keeper.TERMINATE)

    def kill(self) -> None:
        """End all of them at once."""
        if self._job is not None:
            self._job.end()
            return
        self._say(keeper.KILL)

    def pass_on(self, number: int) -> None:
        """Send the signal `number` to the program itself."""
        if self._job is None:
            self._say(keeper.PASS_ON + bytes((number,)))

    def _say(self, words: bytes) -> None:
        if self._control >= 0:
            with suppress(OSError):
                os.write(self._control, words)


async def start(command: Sequence[str], *, folder: str, environment: Mapping[str, str], has_terminal: bool) -> Group:
    """Start `command` in `folder`. `has_terminal`: it reads devproxy's standard input and stays in its process group.

    Raises OSError where it cannot be started.
    """
    if IS_WINDOWS:
        return await _start_in_job(command, folder, environment, has_terminal)
    told, control = os.pipe()
    words = [sys.executable, "-I", "-S", _KEEPER, str(told)]
    try:
        process = await asyncio.create_subprocess_exec(
            *words,
            "shared" if has_terminal else "own",
            *command,
            stdin=None if has_terminal else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            limit=LIMIT_BYTES,
            cwd=folder or None,
            env=environment,
            pass_fds=(told,),
        )
    except BaseException:
        os.close(control)
        raise
    finally:
        os.close(told)
    return Group(process, control)


async def _start_in_job(
    command: Sequence[str], folder: str, environment: Mapping[str, str], has_terminal: bool
) -> Group:
    import shutil

    from devproxy.platforms.jobs import Job

    found = shutil.which(command[0], path=environment.get("PATH"))
    process = await asyncio.create_subprocess_exec(
        found or command[0],
        *command[1:],
        stdin=None if has_terminal else asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        limit=LIMIT_BYTES,
        cwd=folder or None,
        env=environment,
        creationflags=0 if has_terminal else _NEW_GROUP,
    )
    return Group(process, -1, Job(process.pid))


def find(command: str, folder: str, path: str) -> str:
    """Return where the program `command` is, by the `path` of its environment; empty: it is nowhere."""
    if os.path.dirname(command):
        there = os.path.join(folder, command)
        return there if os.access(there, os.X_OK) and not os.path.isdir(there) else ""
    import shutil  # brings compression, which nothing else here needs

    return shutil.which(command, path=path) or ""
