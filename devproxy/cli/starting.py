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
from typing import TYPE_CHECKING

from devproxy import __version__
from devproxy.authority.hosts import MAX_PORT
from devproxy.cli.loading import Loaded, configuration
from devproxy.cli.process import Process
from devproxy.cli.refusal import FAILED, Refused
from devproxy.config.model import Listen
from devproxy.errors import BindError, CertificateProblem
from devproxy.gateway.front.bind import bind

if TYPE_CHECKING:
    from devproxy.console import Mode


def start(options: argparse.Namespace, process: Process) -> int:
    """Serve as `options` say; return the exit code. Raises :class:`Refused` for what keeps devproxy from starting."""
    loaded = configuration(options, listen=options.listen, tls=options.tls)
    return _serve(loaded, _bind(loaded.config.server.listen), options, process)


def _serve(loaded: Loaded, sockets: list[socket.socket], options: argparse.Namespace, process: Process) -> int:
    from devproxy.console import Console

    console = Console(
        loaded.config, mode=_mode(options), colour=options.color, version=__version__, is_verbose=options.verbose
    )
    try:
        from devproxy.cli import serving

        return serving.run(
            loaded, sockets, console.observer, process, loop_name=options.loop, is_coloured=console.is_coloured
        )
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
    any_free = "or on any free port:  add --listen localhost:0"
    if error.reason != "the port is taken":
        what = f"cannot listen on {error.address}: {error.reason}"
        return Refused(what, "listen elsewhere:  add --listen localhost:8080", any_free, exit_code=FAILED)
    holder = f" by {error.holder}" if error.holder else ""
    next_port = int(port) + 1 if int(port) < MAX_PORT else 8080
    listen = str(next_port) if host in ("127.0.0.1", "[::1]") else f"{host}:{next_port}"
    return Refused(
        f"port {port} on {host} is taken{holder}",
        f"listen on another port:  add --listen {listen}",
        any_free,
        exit_code=FAILED,
    )


def _report(error: Exception) -> None:
    import traceback

    python = f"Python {sys.version.split()[0]}, {sys.platform}"
    words = (
        f"error: internal error in devproxy {__version__} ({python}): {type(error).__name__}: {error}\n"
        f"{''.join(traceback.format_exception(error))}"
        "help: this is a bug in devproxy: please report it, with these lines, where you got devproxy\n"
    )
    with suppress(OSError):  # the terminal may be gone
        sys.stderr.write(words)
