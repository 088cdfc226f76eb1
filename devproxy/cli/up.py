"""``devproxy up``: bind first, then import what is slow, then serve until told to stop."""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from devproxy import __version__
from devproxy.cli.loading import Refused, configuration
from devproxy.config import Config, warnings
from devproxy.errors import BindError
from devproxy.gateway.listen import bind

if TYPE_CHECKING:
    from devproxy.console import Console

STOPPED_TWICE: Final = 130


def run(options: argparse.Namespace) -> int:
    """Run ``devproxy up``; return its exit code."""
    config = configuration(options)
    sockets = _bind(config)
    # From here on a browser that comes early waits in the backlog instead of meeting a closed port.
    from devproxy.console import Console

    mode: Literal["human", "json", "quiet"] = "quiet" if options.quiet and options.log == "human" else options.log
    console = Console(config, mode=mode, colour=options.color, version=__version__)
    try:
        return _run_loop(options.loop, serve(config, sockets, console))
    except Exception:
        import traceback

        sys.stderr.write(f"error: devproxy {__version__} failed; this is a bug, please report it\n")
        sys.stderr.write(traceback.format_exc())
        return 1
    finally:
        console.close()


async def serve(config: Config, sockets: list[socket.socket], console: Console) -> int:
    """Serve on `sockets` until a signal comes; return the exit code."""
    import asyncio
    import gc

    from devproxy.events import Ready, Trouble
    from devproxy.gateway.app import Gateway

    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    stop_now = asyncio.Event()

    def on_signal() -> None:
        (stop_now if stop.is_set() else stop).set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal)
    # A terminal that is closed must not stop the traffic of whoever still uses the port.
    loop.add_signal_handler(signal.SIGHUP, lambda: None)
    gateway = Gateway(config, sockets, console.sink, is_terse=console.is_terse)
    console.sink(Ready(gateway.urls, _seconds_since_start()))
    for sentence in warnings(config):
        console.sink(Trouble(sentence))
    await gateway.start()
    gc.collect()
    gc.freeze()
    await stop.wait()
    stopping = loop.create_task(gateway.stop())
    again = loop.create_task(stop_now.wait())
    await asyncio.wait((stopping, again), return_when=asyncio.FIRST_COMPLETED)
    again.cancel()
    if stopping.done():
        return 0
    stopping.cancel()
    gateway.abort()
    return STOPPED_TWICE


def _bind(config: Config) -> list[socket.socket]:
    try:
        return bind(config.server.listen)
    except BindError as error:
        holder = f" by {error.holder}" if error.holder else ""
        raise Refused(
            f"cannot listen on {error.address}: {error.reason}{holder}",
            "choose another port with --listen 8081, or any free one with --listen localhost:0",
            exit_code=1,
        ) from None


def _run_loop(wanted: str, main: Coroutine[Any, Any, int]) -> int:
    """Run `main` on uvloop where it is installed (it is on Linux and macOS), else on asyncio's own loop."""
    import asyncio

    new_loop: Callable[[], asyncio.AbstractEventLoop] | None = None
    if wanted != "asyncio":
        try:
            import uvloop
        except ImportError:
            if wanted == "uvloop":
                raise Refused("uvloop is not installed", "pip install uvloop, or leave --loop out") from None
        else:
            new_loop = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(main)


def _seconds_since_start() -> float:
    """Return the seconds since this process was started, imports and all (Linux; elsewhere its CPU time so far)."""
    with suppress(OSError, ValueError, IndexError, AttributeError):
        started_ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
        return time.clock_gettime(time.CLOCK_BOOTTIME) - started_ticks / os.sysconf("SC_CLK_TCK")
    return time.process_time()
