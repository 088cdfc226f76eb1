"""``devproxy health --upstreams``: whether the servers behind a devproxy can be reached, asked from here.

Imported only for that: a health check without it costs a tenth. Start at :func:`ask_upstreams`.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from devproxy.authority.hosts import authority
from devproxy.cli.environment import read_environment
from devproxy.cli.files import find_upward
from devproxy.cli.in_force import in_force_at
from devproxy.cli.loading import load_file
from devproxy.cli.probing import Asked, why_unreachable
from devproxy.cli.refusal import FAILED, Refused

if TYPE_CHECKING:
    from argparse import Namespace
    from types import SimpleNamespace

    from devproxy.config import Config

_AT_ONCE: Final = 16
_THIS_MACHINE: Final = ("localhost", "127.0.0.1", "::1")


def ask_upstreams(options: Namespace | SimpleNamespace, host: str, port: int) -> list[str]:
    """Return a sentence for each server of every upstream, of the devproxy at `host` and `port`.

    A server counts once a connection to it is open, with TLS where its URL says so, by way of its proxy; nothing is
    sent to it. Raises :class:`Refused`, with exit code 1 where a server cannot be reached, with every such server, and
    with 2 where it is not known which servers there are.
    """
    config = _config(options, host, port)
    folder = os.path.dirname(os.path.abspath(config.source))
    asked = [Asked(server, upstream, folder) for upstream in config.upstreams for server in upstream.servers]
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        reasons = list(threads.map(why_unreachable, asked))
    failed = [
        (f"{one.upstream.name} does not answer ({one.server.url}: {reason[0]})", reason[1])
        for one, reason in zip(asked, reasons, strict=True)
        if reason is not None
    ]
    if failed:
        helps = dict.fromkeys(help for _, help in failed)
        raise Refused("; ".join(what for what, _ in failed), *helps, exit_code=FAILED)
    return [f"{one.upstream.name} answers on {one.server.url}" for one in asked]


def _config(options: Namespace | SimpleNamespace, host: str, port: int) -> Config:
    if options.config is not None:
        return load_file(options.config, read_environment(options.env_file))
    hosts = _THIS_MACHINE if host in ("", "0.0.0.0", "::", *_THIS_MACHINE) else (host,)
    running = in_force_at([authority(one, port) for one in hosts])
    if running is not None:
        return running
    is_named = options.url is not None or options.where is not None or options.listen is not None
    if not is_named and (found := os.environ.get("DEVPROXY_CONFIG") or find_upward()):
        return load_file(found, read_environment(options.env_file))
    raise Refused(
        f"the upstreams of the devproxy at {authority(host or 'localhost', port)} are not known: "
        "it is not one that this user runs on this machine",
        "name its configuration:  add --config devproxy.toml",
    )
