"""Which system this is. Outside of this folder only ``trust`` asks: each system has stores of its own."""

from __future__ import annotations

import sys
from typing import Final

SYSTEM: Final[str] = sys.platform
"""``linux``, ``darwin``, ``win32`` or another name that Python has for its system."""

# Plain values: type checkers take a comparison with `sys.platform` as a promise and skip what is for other systems.
IS_LINUX: Final = SYSTEM.startswith("linux")
IS_MACOS: Final = SYSTEM == "darwin"
IS_WINDOWS: Final = SYSTEM == "win32"
