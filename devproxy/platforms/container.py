"""Where devproxy runs, as far as its advice depends on it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_MARKS: Final = (".dockerenv", "run/.containerenv")
"""Files that Docker and Podman put into every container."""
_VARIABLES: Final = ("KUBERNETES_SERVICE_HOST", "container")
"""Set by Kubernetes, and by the container interface of systemd that Podman and LXC follow."""


def is_in_container(root: Path = Path("/"), environment: Mapping[str, str] = os.environ) -> bool:
    """Tell whether this process runs in a container, where ``localhost`` is not the user's machine.

    `root`: of the file system. An unknown kind of container is taken for none: only advice depends on it.
    """
    return any(environment.get(name) for name in _VARIABLES) or any((root / mark).exists() for mark in _MARKS)
