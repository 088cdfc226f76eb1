"""``devproxy up`` in a process that is prepared: bind, then import what is slow, then serve until told to stop.

What serves, and what a signal then means, is :mod:`devproxy.cli.serving`: imported once the addresses are bound, so
that a browser that comes early waits in the backlog instead of finding a closed port. Start at :func:`start`.
"""

from __future__ import annotations

import argparse
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from devproxy import __version__
from devproxy.authority.hosts import MAX_PORT, authority
from devproxy.cli.guesses import listening_on
from devproxy.cli.loading import Loaded, configuration
from devproxy.cli.process import Process
from devproxy.cli.refusal import FAILED, Refused
from devproxy.config.model import Config, Listen
from devproxy.config.places import is_option, place_of
from devproxy.errors import BindError, CertificateProblem
from devproxy.gateway.front.bind import PORT_TAKEN, bind
from devproxy.platforms.system import SYSTEM

if TYPE_CHECKING:
    from devproxy.console import Mode

STDOUT: Final = 1
"""Where the events go that are data, with ``--log json``: so that ``| jq`` gets them, and no errors."""
STDERR: Final = 2
AUTO: Final = "auto"
"""What ``--listen`` says for the next port that is free."""
MAX_STEPS: Final = 100
"""How many ports are tried for that."""


def start(options: argparse.Namespace, process: Process) -> int:
    """Serve as `options` say; return the exit code. Raises :class:`Refused` for what keeps devproxy from starting."""
    loaded, sockets = _listen(options)
    if loaded.config.programs:
        from devproxy.cli import programs  # few configurations have any

        programs.check(loaded)
        loaded = programs.with_chosen_ports(loaded, {})
    return _serve(loaded, sockets, options, process)


def _listen(options: argparse.Namespace) -> tuple[Loaded, list[socket.socket]]:
    """Return the configuration and its sockets: with ``--listen auto`` the first that are free from its ports on."""
    is_auto = AUTO in options.listen
    if is_auto and len(options.listen) > 1:
        raise Refused(
            "--listen auto cannot be combined with another --listen",
            "leave the other --listen out, or name every address",
        )
    loaded = configuration(options, listen=() if is_auto else options.listen, tls=options.tls)
    try:
        return loaded, bind(loaded.config.server.listen)
    except BindError as error:
        listens, sockets = _next_free(loaded.config) if error.reason == PORT_TAKEN else ([], [])
        written = [_written(listen) for listen in listens]
        if is_auto and written:
            return configuration(options, listen=written, tls=options.tls), sockets
        for sock in sockets:
            sock.close()
        raise _cannot_listen(error, written, options.typed, _said_in(loaded.config)) from None


def _serve(loaded: Loaded, sockets: list[socket.socket], options: argparse.Namespace, process: Process) -> int:
    from devproxy.console import Console

    mode = _mode(options)
    console = Console(
        loaded.config,
        mode=mode,
        fd=STDOUT if mode == "json" else STDERR,
        colour=options.color,
        version=__version__,
        is_verbose=options.verbose,
    )
    output = None
    if mode == "json":  # programs may come with a later text of the file, too
        output = Console(loaded.config, mode="programs", fd=STDERR, colour=options.color, version=__version__)
    try:
        from devproxy.cli import serving

        shown = serving.Shown(console.observer, console, output)
        return serving.run(loaded, sockets, shown, process, loop_name=options.loop, opens=options.open)
    except Refused:
        raise
    except CertificateProblem as problem:
        raise Refused(problem.what, problem.help, exit_code=FAILED) from None
    except Exception as error:
        console.close()
        _report(error)
        return FAILED
    finally:
        console.close()
        if output is not None:
            output.close()


def _mode(options: argparse.Namespace) -> Mode:
    if options.log == "json":
        return "json"
    return "quiet" if options.quiet else "human"


def _next_free(config: Config) -> tuple[list[Listen], list[socket.socket]]:
    """Return what `config` listens on, all ports moved up as little as makes them free, and the sockets.

    Empty: none is near. The ports of its servers are not free, even while these are not running.
    """
    servers = {server.port for upstream in config.upstreams for server in upstream.servers}
    for step in range(1, MAX_STEPS + 1):
        moved = [
            listen if listen.port == 0 else replace(listen, port=listen.port + step) for listen in config.server.listen
        ]
        if any(listen.port > MAX_PORT for listen in moved):
            break
        if any(listen.port in servers for listen in moved):
            continue
        try:
            return moved, bind(moved)
        except BindError:
            continue
    return [], []


def _written(listen: Listen) -> str:
    """Return `listen` as one types it after ``--listen``."""
    return str(listen.port) if listen.host == "localhost" else authority(listen.host, listen.port)


def _said_in(config: Config) -> str:
    """Return where it was said where to listen, if that is not on the command line, before the reader's eyes."""
    place = place_of(config, "server", "listen") if ("server", "listen") in config.said else ""
    return "" if not place or is_option(place) else f" ({place})"


def _cannot_listen(error: BindError, free: Sequence[str], typed: Sequence[str], said_in: str) -> Refused:
    """Return what to say; `free`: what to listen on instead, `typed`: the command and its arguments.

    `said_in`: what says where to listen, in brackets; empty for the command line and for the default.
    """
    host, _, port = error.address.rpartition(":")
    any_free = f"or on any free port:  {listening_on(typed, ['localhost:0'])}"
    if error.reason != PORT_TAKEN:
        what = f"cannot listen on {error.address}: {error.reason}{said_in}"
        return Refused(
            what, f"listen elsewhere:  {listening_on(typed, ['localhost:8080'])}", any_free, exit_code=FAILED
        )
    holder = f" by {error.holder}" if error.holder else ""
    ways = [any_free]
    if free:
        ways = [
            f"listen on the next free port:  {listening_on(typed, free)}",
            f"or let devproxy find one each time:  {listening_on(typed, [AUTO])}",
        ]
    return Refused(f"port {port} on {host} is taken{holder}{said_in}", *ways, exit_code=FAILED)


def _report(error: Exception) -> None:
    import traceback

    python = f"Python {sys.version.split()[0]}, {SYSTEM}"
    words = (
        f"error: internal error in devproxy {__version__} ({python}): {type(error).__name__}: {error}\n"
        f"{''.join(traceback.format_exception(error))}"
        "help: this is a bug in devproxy: please report it, with these lines, where you got devproxy\n"
    )
    with suppress(OSError):  # the terminal may be gone
        sys.stderr.write(words)
