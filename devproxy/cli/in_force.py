"""The configuration by which a running devproxy serves: its file as it read it, and the options it was started with.

Start at :func:`in_force`.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from typing import Any

from devproxy import config
from devproxy.cli.environment import Surrounding
from devproxy.cli.files import ENVIRONMENT, find_upward
from devproxy.cli.loading import Loaded, load_text
from devproxy.config import Config, ConfigError, ServerAddress
from devproxy.config.addresses import parse_server
from devproxy.config.environment import Variable
from devproxy.config.programs import with_servers
from devproxy.running.asking import Running, running, running_with


def in_force(options: argparse.Namespace, authority: str) -> tuple[Loaded, Running] | None:
    """Return by what the running devproxy serves that a request is for, and which that is; None: there is none.

    `authority`: of the request; empty where it names none. It is the devproxy that is reached by that or, without it,
    that has the nearest file. Options that name a configuration of their own ask for no other.
    """
    if options.config is not None or options.frontend is not None or options.backend is not None:
        return None
    one = _reached_by(authority) if authority else None
    if one is None and (path := os.environ.get(ENVIRONMENT) or find_upward()):
        one = running_with(path)
    loaded = _loaded(one)
    return None if one is None or loaded is None else (loaded, one)


def in_force_at(authorities: Sequence[str]) -> Config | None:
    """Return by what the running devproxy serves that is reached by one of `authorities`; None: there is none."""
    loaded = _loaded(next(filter(None, map(_reached_by, authorities)), None))
    return None if loaded is None else loaded.config


def _reached_by(authority: str) -> Running | None:
    wanted = f"://{authority.lower()}/"
    return next((one for one in running() if any(f"{url.rstrip('/')}/".endswith(wanted) for url in one.urls)), None)


def _loaded(one: Running | None) -> Loaded | None:
    """Return the configuration by which `one` serves; None: there is none, it is stopping, or of another version."""
    try:
        return None if one is None else _read(one.ask("configuration"))
    except (OSError, ValueError, KeyError, TypeError, ConfigError):
        return None


def _read(said: dict[str, Any]) -> Loaded:
    """Return the configuration that a devproxy says it has. Raises ValueError, KeyError or ConfigError."""
    options, text, program = said["options"], said["text"], said["options"].get("program", [])
    listen, tls = options["listen"], options["tls"]
    environment = {name: Variable(*one) for name, one in said["environment"].items()}
    if text is not None:
        around = Surrounding(environment)
        loaded = load_text(text.encode(), said["source"], listen=listen, tls=tls, program=program, surrounding=around)
    else:
        named = config.from_arguments(
            frontend=options["frontend"],
            backend=options["backend"],
            backend_paths=options["backend_path"],
            listen=(),
            program=program,
            environment=environment,
        )
        loaded = Loaded(config.with_listen(named, listen, tls=tls), ())
    return loaded._replace(config=with_servers(loaded.config, _servers(said.get("servers", {}))))


def _servers(urls: dict[str, str]) -> dict[str, ServerAddress]:
    """Return the servers that upstreams really lead to, because their programs listen there."""
    return {name: parse_server(url) for name, url in urls.items() if "://" in url}
