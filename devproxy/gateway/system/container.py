"""Where devproxy runs, as far as its advice depends on it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from devproxy.authority.networks import is_loopback
from devproxy.config.model import Scheme, ServerAddress

_MARKS: Final = (".dockerenv", "run/.containerenv")
"""Files that Docker and Podman put into every container."""
_VARIABLES: Final = ("KUBERNETES_SERVICE_HOST", "container")
"""Set by Kubernetes, and by the container interface of systemd that Podman and LXC follow."""
_PROXIES: Final = ("https_proxy", "http_proxy", "all_proxy")
"""Variables in which curl and others look for a proxy, in either case; the first is that of an ``https`` server."""


def is_in_container(root: Path = Path("/"), environment: Mapping[str, str] = os.environ) -> bool:
    """Tell whether this process runs in a container, where ``localhost`` is not the user's machine.

    `root`: of the file system. An unknown kind of container is taken for none: only advice depends on it.
    """
    return any(environment.get(name) for name in _VARIABLES) or any((root / mark).exists() for mark in _MARKS)


def proxy_variable(server: ServerAddress, environment: Mapping[str, str] = os.environ) -> str:
    """Return the variable that names a proxy by which other programs would ask `server`; empty where none does.

    Not for what is on this machine, nor for what ``NO_PROXY`` leaves out (names, and those below them).
    """
    if server.scheme is Scheme.UNIX or is_loopback(server.host):
        return ""
    values = {name.lower(): (name, value.strip()) for name, value in environment.items() if value.strip()}
    host = f".{server.host.lower()}"
    for left_out in values.get("no_proxy", ("", ""))[1].lower().split(","):
        name = left_out.strip().lstrip("*.").partition(":")[0]
        if left_out.strip() == "*" or (name and host.endswith(f".{name}")):
            return ""
    order = _PROXIES if server.scheme is Scheme.HTTPS else (_PROXIES[1], _PROXIES[0], _PROXIES[2])
    return next((values[name][0] for name in order if name in values), "")
