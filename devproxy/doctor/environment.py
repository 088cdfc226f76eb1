"""Looking around on this machine: what :mod:`devproxy.doctor.surroundings` judges. Reads, connects, changes nothing.

Start at :func:`look_around`.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import sys
import time
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import devproxy
from devproxy.authority.hosts import LOOPBACK_ADDRESSES
from devproxy.authority.networks import address_of, is_loopback, is_this_machine
from devproxy.config import Config
from devproxy.config.model import Scheme, ServerAddress
from devproxy.doctor.resolving import resolve
from devproxy.doctor.surroundings import Named, Server, Surroundings, Upstream
from devproxy.platforms.children import PROGRAM_SUFFIX
from devproxy.platforms.container import is_in_container
from devproxy.platforms.holders import holder_of
from devproxy.platforms.limits import most_open_files
from devproxy.platforms.loops import open_unix
from devproxy.platforms.sockets import words_of
from devproxy.running.asking import Running, running

CONNECT_S: Final = 2.0
RESOLVE_S: Final = 2.0
MAX_NAMES: Final = 50
_DAY_S: Final = 86_400.0


async def look_around(
    config: Config | None,
    text: bytes | None,
    *,
    source: str = "",
    fault: str = "",
    notices: Sequence[str] = (),
    distrust: tuple[str, str] = ("", ""),
) -> Surroundings:
    """Return what is around. `config` and `text`: of the configuration at `source`, None where it is not to be read."""
    folder = os.path.dirname(config.source) if config is not None else ""
    upstreams = await asyncio.gather(*(_upstream(name, server, folder) for name, server in _servers(config)))
    names = await asyncio.gather(*(_named(name, where) for name, where in _names(config)))
    own = _own_program()
    return Surroundings(
        source=source,
        fault=fault,
        notices=tuple(notices),
        project=_folder_of(source),
        upstreams=tuple(upstreams),
        names=tuple(names),
        servers=tuple(_server(one, source, text) for one in running()),
        first_on_path=_resolved(shutil.which("devproxy") or ""),
        own=own,
        in_container=is_in_container(),
        has_ipv6=_has_ipv6(),
        behind_s=_behind_s(),
        open_files=_open_files(),
        has_tls=config is not None and config.server.tls is not False,
        distrust=distrust,
    )


def _folder_of(source: str) -> str:
    return os.path.dirname(os.path.realpath(source)) if source else ""


def _servers(config: Config | None) -> list[tuple[str, ServerAddress]]:
    upstreams = config.upstreams if config is not None else ()
    return [(upstream.name, server) for upstream in upstreams for server in upstream.servers]


async def _upstream(name: str, server: ServerAddress, folder: str) -> Upstream:
    """Connect to a server, and find whose it is where that is this machine."""
    url = server.url
    if server.scheme is Scheme.RECORDING:
        return Upstream(name, url, await asyncio.to_thread(_unread, os.path.join(folder, server.path)))
    if server.scheme is Scheme.UNIX:
        failure = await _failure(open_unix(server.path))
        return Upstream(name, url, failure)
    try:
        hosts = LOOPBACK_ADDRESSES if is_this_machine(server.host) else await resolve(server.host, RESOLVE_S)
    except (OSError, UnicodeError) as error:
        return Upstream(name, url, f"its name is not found: {error}")
    failures = [await _failure(asyncio.open_connection(host, server.port)) for host in hosts]
    failure = "" if "" in failures else failures[-1]
    if failure or not is_loopback(server.host):
        return Upstream(name, url, failure)
    holder = await asyncio.to_thread(holder_of, server.port)
    if holder is None:
        return Upstream(name, url)
    return Upstream(name, url, holder=f"{holder.name} (pid {holder.pid})", folder=holder.folder)


def _unread(path: str) -> str:
    """Return why the recording at `path` cannot be used; empty if it can."""
    from devproxy.gateway.back.recorded import read_file  # few upstreams are one
    from devproxy.recordings.archive import BadRecording

    try:
        read_file(path)
    except BadRecording as bad:
        return f"line {bad.line}: {bad.what}" if bad.line else bad.what
    return ""


async def _failure(connecting: Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]) -> str:
    """Return why a connection could not be made; empty if it was."""
    try:
        async with asyncio.timeout(CONNECT_S):
            _, writer = await connecting
    except TimeoutError:
        return f"no connection in {CONNECT_S:g} s"
    except (OSError, UnicodeError) as error:
        return words_of(error) if isinstance(error, OSError) else str(error).lower()
    writer.close()
    return ""


def _names(config: Config | None) -> list[tuple[str, str]]:
    """Return the names that devproxy answers to and that have to be resolved, each with the key that names it."""
    if config is None:
        return []
    found = [(name, "allowed_hosts") for name in config.server.allowed_hosts]
    found += [(host, "match_host") for route in config.routes for host in route.match_host]
    literal = [
        (name.rpartition(":")[0] or name if name.rpartition(":")[2].isdigit() else name, where) for name, where in found
    ]
    kept = [
        (name, where)
        for name, where in literal
        if name and not set(name) & set("*[]") and not name.startswith(".") and address_of(name) is None
    ]
    return list({name: (name, where) for name, where in kept if not is_this_machine(name)}.values())[:MAX_NAMES]


async def _named(name: str, where: str) -> Named:
    try:
        addresses = tuple(await resolve(name, RESOLVE_S))
    except (OSError, UnicodeError):
        return Named(name, where)
    return Named(name, where, addresses, all(map(_is_here, addresses)))


def _is_here(address: str) -> bool:
    """Tell whether `address` is one of this machine's: only such a one can be listened on."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with suppress(OSError), socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.bind((address, 0))
        return True
    return False


def _server(one: Running, source: str, text: bytes | None) -> Server:
    is_ours = bool(source) and os.path.realpath(one.source) == os.path.realpath(source)
    is_current = False
    if is_ours and text is not None:
        with suppress(OSError, ValueError):
            is_current = one.ask("configuration").get("text") == text.decode("utf-8", "replace")
    return Server(one.pid, one.urls, one.folder, one.source, is_ours, is_current)


def _own_program() -> str:
    """Return the program that runs: the one beside this Python, where there is one."""
    beside = Path(sys.executable).with_name(f"devproxy{PROGRAM_SUFFIX}")
    return _resolved(str(beside)) if beside.exists() else f"{sys.executable} -m devproxy"


def _resolved(path: str) -> str:
    return os.path.realpath(path) if path else ""


def _has_ipv6() -> bool:
    with suppress(OSError), socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
        probe.bind(("::1", 0))
        return True
    return False


def _behind_s() -> float:
    """Return by how much the clock is behind the time at which devproxy was installed; a day may pass for a zone."""
    try:
        written = os.stat(devproxy.__file__).st_mtime
    except OSError:
        return 0.0
    return max(0.0, written - time.time() - _DAY_S)


def _open_files() -> int:
    try:
        most = most_open_files()
    except (OSError, ValueError):
        return 0
    return 1 << 30 if most is None else most
