"""How the C library's allocator treats the pieces of bodies that pass through (glibc only).

A read brings up to 256 KiB. By default glibc maps such a piece afresh from the kernel and gives it back at once, which
costs a page fault for every 4 KiB: a third of the CPU time of a download. Told to keep a little, it does not.
"""

from __future__ import annotations

from typing import Final

from devproxy.platforms.system import IS_LINUX

_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
KEPT_BYTES: Final = 16 << 20
"""Bytes of freed memory that may stay with the process."""

_LARGEST_PIECE_BYTES: Final = 1 << 20


def keep_freed_pieces() -> bool:
    """Let the allocator reuse freed pieces of bodies; False if that is unknown (it is not glibc)."""
    if not IS_LINUX:
        return False
    import ctypes  # some milliseconds, which a start that is already serving can spare

    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(_M_TRIM_THRESHOLD, KEPT_BYTES) and mallopt(_M_MMAP_THRESHOLD, _LARGEST_PIECE_BYTES))
