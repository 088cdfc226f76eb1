"""Whether this person has a screen on which a browser can be opened."""

from __future__ import annotations

import os
from collections.abc import Mapping

from devproxy.platforms.system import IS_MACOS, IS_WINDOWS


def has_screen(environment: Mapping[str, str] = os.environ) -> bool:
    """Tell whether a graphical browser can be expected: not over SSH, and not on a Linux without a desktop."""
    if environment.get("SSH_CONNECTION"):
        return False
    return IS_MACOS or IS_WINDOWS or bool(environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"))
