"""Programs on Windows, by what the system would be asked: it has not been run there."""

from __future__ import annotations

import asyncio
import ctypes
import struct
from typing import Any

import pytest
from devproxy.platforms import groups, jobs
from devproxy.platforms.jobs import Job


class Call:
    """A function of a library of Windows; what it is called with is written down."""

    def __init__(self, name: str, calls: list[tuple[str, tuple[Any, ...]]]) -> None:
        self._name, self._calls = name, calls
        self.restype: Any = None

    def __call__(self, *arguments: Any) -> int:
        self._calls.append((self._name, arguments))
        return 77


class Kernel:
    """What ``kernel32`` is asked for."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        self._functions: dict[str, Call] = {}

    def __getattr__(self, name: str) -> Call:
        return self._functions.setdefault(name, Call(name, self.calls))


def test_a_job_ends_what_is_in_it_when_devproxy_does() -> None:
    kernel = Kernel()
    job = Job(4242, kernel)
    names = [name for name, _ in kernel.calls]
    assert names == [
        "CreateJobObjectW", "SetInformationJobObject", "OpenProcess", "AssignProcessToJobObject", "CloseHandle",
    ]  # fmt: skip
    _, (handle, kind, limits, size) = kernel.calls[1]
    assert (handle.value, kind) == (77, 9)
    # JOBOBJECT_BASIC_LIMIT_INFORMATION: two times, then LimitFlags.
    assert struct.unpack_from("=qqI", limits.raw) == (0, 0, 0x2000)
    assert size == len(limits.raw) == (144 if ctypes.sizeof(ctypes.c_void_p) == 8 else 112)
    assert kernel.calls[2][1] == (0x0101, False, 4242)
    assert kernel.CreateJobObjectW.restype is ctypes.c_void_p
    job.end()
    assert kernel.calls[-1][0] == "TerminateJobObject"


class Process:
    """A process of asyncio's, as far as a group needs one."""

    pid = 4242
    stdout = asyncio.StreamReader

    def __init__(self) -> None:
        self.signals: list[int] = []

    def send_signal(self, number: int) -> None:
        self.signals.append(number)


@pytest.mark.parametrize(("has_terminal", "flags"), [(False, 0x200), (True, 0)], ids=["a group", "the console"])
async def test_a_program_is_started_in_a_group_and_a_job(
    has_terminal: bool, flags: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    process, kernel, started = Process(), Kernel(), []

    async def create(*words: str, **options: Any) -> Process:
        started.append((words, options))
        return process

    monkeypatch.setattr(groups, "IS_WINDOWS", True)
    monkeypatch.setattr(asyncio, "create_subprocess_exec", create)
    monkeypatch.setattr(jobs, "Job", lambda pid: Job(pid, kernel))
    group = await groups.start(["sh", "x"], folder="", environment={"PATH": "/bin"}, has_terminal=has_terminal)
    [(words, options)] = started
    assert words == ("/bin/sh", "x")  # by the whole path: npm is npm.cmd there
    assert options["creationflags"] == flags
    assert options["stdin"] == (None if has_terminal else asyncio.subprocess.DEVNULL)
    group.interrupt()
    group.terminate()
    assert process.signals == [1, 1]  # CTRL_BREAK_EVENT
    group.kill()
    assert kernel.calls[-1][0] == "TerminateJobObject"
