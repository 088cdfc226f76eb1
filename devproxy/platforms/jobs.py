"""Job objects of Windows, which end every process in them when the last handle to them is closed: with devproxy.

Has not been run by its authors on Windows: written after Microsoft's documentation of ``CreateJobObjectW``,
``SetInformationJobObject`` (``JOBOBJECT_EXTENDED_LIMIT_INFORMATION``) and ``AssignProcessToJobObject``.
"""

from __future__ import annotations

import ctypes
from typing import Any, Final

_KILL_ON_CLOSE: Final = 0x2000
_EXTENDED_LIMITS: Final = 9
_FLAGS_AT: Final = 16
"""Where ``LimitFlags`` is in the structure: after two times of 64 bits."""
_SIZE: Final = 144 if ctypes.sizeof(ctypes.c_void_p) == 8 else 112
_ACCESS: Final = 0x0100 | 0x0001
"""``PROCESS_SET_QUOTA`` and ``PROCESS_TERMINATE``."""


class Job:
    """The processes below the one with `pid`, itself included, from its next child on."""

    def __init__(self, pid: int, library: Any = None) -> None:
        kernel = self._kernel = library or ctypes.WinDLL("kernel32")  # type: ignore[attr-defined,unused-ignore]
        for name in ("CreateJobObjectW", "OpenProcess"):
            getattr(kernel, name).restype = ctypes.c_void_p
        self._handle = ctypes.c_void_p(kernel.CreateJobObjectW(None, None))
        flags = bytes(_FLAGS_AT) + _KILL_ON_CLOSE.to_bytes(4, "little")
        limits = ctypes.create_string_buffer(flags, _SIZE)
        kernel.SetInformationJobObject(self._handle, _EXTENDED_LIMITS, limits, _SIZE)
        process = ctypes.c_void_p(kernel.OpenProcess(_ACCESS, False, pid))
        kernel.AssignProcessToJobObject(self._handle, process)
        kernel.CloseHandle(process)

    def end(self) -> None:
        """End all of them."""
        self._kernel.TerminateJobObject(self._handle, 1)
