"""Where programs keep a person's data on each system."""

from __future__ import annotations

import os
from collections.abc import Mapping

from devproxy.platforms.system import SYSTEM


def data_folder(program: str, home: str, environment: Mapping[str, str] = os.environ, system: str = SYSTEM) -> str:
    """Return the folder in which `program` keeps a person's data, by the rules of mkcert 1.4 (``getCAROOT``)."""
    if system == "win32" and environment.get("LOCALAPPDATA"):
        return os.path.join(environment["LOCALAPPDATA"], program)
    if environment.get("XDG_DATA_HOME"):
        return os.path.join(environment["XDG_DATA_HOME"], program)
    if system == "darwin":
        return os.path.join(home, "Library", "Application Support", program)
    return os.path.join(home, ".local", "share", program)
