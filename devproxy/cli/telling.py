"""What a running devproxy tells the other programs of its user: the answers of its runtime socket.

:mod:`devproxy.running` carries them. Start at :func:`open_socket`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from time import time
from typing import Any

from devproxy import __version__
from devproxy.cli.loading import Loaded
from devproxy.gateway.app import Gateway
from devproxy.inspector.service import NO_INSPECTOR, Inspector
from devproxy.platforms.clock import seconds_since_start
from devproxy.routing.table import RouteTable, label
from devproxy.running.serving import RuntimeSocket


async def open_socket(
    gateway: Gateway, loaded: Callable[[], Loaded], inspector: Inspector | None
) -> RuntimeSocket | None:
    """Return a socket that answers what is asked about `gateway`; None where the system gives no folder for it.

    `loaded`: gives what is in force. The `inspector` gets to know the same, and begins to keep what happens.
    """
    since_at = time() - seconds_since_start()
    process = {"pid": os.getpid(), "version": __version__, "folder": _folder(), "since_at": since_at}

    def about() -> dict[str, Any]:
        return {
            **process,
            "urls": list(gateway.urls),
            "source": source_of(loaded()),
            "routes": [label(route) for route in RouteTable(loaded().config.routes).routes],
        }

    if inspector is not None:
        inspector.attach(gateway, process, lambda: loaded().text)
    answers: dict[str, Callable[[], dict[str, Any]]] = {
        "about": about,
        "configuration": lambda: _configuration(loaded(), gateway),
        "inspector": lambda: NO_INSPECTOR if inspector is None else inspector.answer(gateway),
    }
    try:
        sock = RuntimeSocket(answers)
        await sock.start()
    except OSError:
        return None
    return sock


def source_of(loaded: Loaded) -> str:
    """Return the absolute path of the file in force, or ``command line``."""
    source = loaded.config.source
    return source if loaded.text is None else os.path.abspath(source)


def _configuration(loaded: Loaded, gateway: Gateway) -> dict[str, Any]:
    text = "" if loaded.text is None else loaded.text.decode("utf-8", "replace")
    served = {program.upstream for program in loaded.config.programs}
    from devproxy.config.variables import used  # not before another command asks

    return {
        "servers": {state.upstream: state.url for state in gateway.server_states() if state.upstream in served},
        "source": source_of(loaded),
        "text": None if loaded.text is None else text,
        "options": {
            "frontend": loaded.frontend,
            "backend": loaded.backend,
            "backend_path": list(loaded.backend_paths),
            "listen": list(loaded.listen),
            "tls": loaded.tls,
            "program": list(loaded.program),
        },
        "environment": {name: list(one) for name, one in used(text, loaded.surrounding.environment).items()},
    }


def _folder() -> str:
    try:
        return os.getcwd()
    except OSError:
        return ""  # it has been deleted
