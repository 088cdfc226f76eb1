"""``devproxy up``: bind first, then import what is slow, then serve until told to stop.

Owns the order of the start and what holds for the process as a whole. What serves, and what a signal then means, is
:mod:`devproxy.cli.serving`: imported once the addresses are bound, so that a browser that comes early waits in the
backlog instead of meeting a closed port. Start at :func:`run`.
"""

from __future__ import annotations

import argparse
import gc
import os
import signal
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from devproxy import __version__
from devproxy.authority.hosts import MAX_PORT
from devproxy.cli.ending import Keeper, watch_over
from devproxy.cli.loading import Loaded, configuration
from devproxy.cli.refusal import FAILED, FINE, Refused
from devproxy.cli.terminal import Terminal
from devproxy.config.model import Listen
from devproxy.errors import BindError
from devproxy.gateway.front.bind import bind

if TYPE_CHECKING:
    from devproxy.console import Console, Mode

MAX_OPEN_FILES: Final = 65536


def run(options: argparse.Namespace) -> int:
    """Run ``devproxy up``; return its exit code. Raises :class:`Refused` for what keeps it from starting."""
    gc.disable()  # collections find nothing while modules are imported, and are a tenth of the start
    terminal = _prepare_process()
    keeper = watch_over()
    try:
        loaded = configuration(options, listen=options.listen)
        return _serve(loaded, _bind(loaded.config.server.listen), options, keeper, terminal)
    except KeyboardInterrupt:
        return FINE  # told to stop before there was anything to stop


def _serve(
    loaded: Loaded,
    sockets: list[socket.socket],
    options: argparse.Namespace,
    keeper: Keeper | None,
    terminal: Terminal,
) -> int:
    from devproxy.console import Console

    console = Console(
        loaded.config,
        mode=_mode(options),
        colour=options.color,
        version=__version__,
        is_verbose=options.verbose,
    )
    try:
        return _run_loop(loaded, sockets, console, options.loop, keeper, terminal)
    except Refused:
        raise
    except Exception as error:
        console.close()
        _report(error)
        return FAILED
    finally:
        console.close()


def _run_loop(
    loaded: Loaded,
    sockets: list[socket.socket],
    console: Console,
    loop_name: str,
    keeper: Keeper | None,
    terminal: Terminal,
) -> int:
    from devproxy.cli import serving

    return serving.run(
        loaded,
        sockets,
        console.observer,
        loop_name=loop_name,
        keeper=keeper,
        terminal=terminal,
        is_coloured=console.is_coloured,
    )


def _mode(options: argparse.Namespace) -> Mode:
    if options.log == "json":
        return "json"
    return "quiet" if options.quiet else "human"


def _bind(listens: Sequence[Listen]) -> list[socket.socket]:
    try:
        return bind(listens)
    except BindError as error:
        raise _cannot_listen(error) from None


def _cannot_listen(error: BindError) -> Refused:
    host, _, port = error.address.rpartition(":")
    any_free = "or on any free one:  devproxy up --listen localhost:0"
    if error.reason != "the port is taken":
        what = f"cannot listen on {error.address}: {error.reason}"
        return Refused(what, "listen elsewhere:  devproxy up --listen localhost:8080", any_free, exit_code=FAILED)
    holder = f" by {error.holder}" if error.holder else ""
    next_port = int(port) + 1 if int(port) < MAX_PORT else 8080
    listen = str(next_port) if host in ("127.0.0.1", "[::1]") else f"{host}:{next_port}"
    return Refused(
        f"port {port} on {host} is taken{holder}",
        f"listen on another port:  devproxy up --listen {listen}",
        any_free,
        exit_code=FAILED,
    )


# The process


def _prepare_process() -> Terminal:
    # The first process of a container has no default actions: without a handler, SIGTERM would do nothing.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    terminal = Terminal()  # takes SIGHUP over
    _occupy_standard_descriptors()
    _allow_many_connections()
    return terminal


def _occupy_standard_descriptors() -> None:
    """Open what is closed of the first three: after ``2>&-`` the log would else be written to some client's socket."""
    descriptor = os.open(os.devnull, os.O_RDWR)
    while descriptor <= 2:
        descriptor = os.dup(descriptor)
    os.close(descriptor)


def _allow_many_connections() -> None:
    """Raise the soft limit of open files, often 1024: every exchange and every tunnel needs two of them."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (ValueError, OSError):
            return  # macOS has another limit, below the one that it tells


def _report(error: Exception) -> None:
    import traceback

    python = f"Python {sys.version.split()[0]}, {sys.platform}"
    words = (
        f"error: internal error in devproxy {__version__} ({python}): {type(error).__name__}: {error}\n"
        f"{''.join(traceback.format_exception(error))}"
        "help: this is a bug in devproxy: please report it, with these lines, where you have devproxy from\n"
    )
    with suppress(OSError):  # the terminal may be gone
        sys.stderr.write(words)
