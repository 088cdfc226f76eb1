"""A gateway from its start to its end, as the signals say. Imported late: it brings asyncio and uvloop.

Start at :func:`run`. The loop is never closed: closing it waits for every name that is still being resolved, for as
long as the resolver takes, and the process is about to end anyway.
"""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from devproxy import __version__
from devproxy.cli.https import distrust
from devproxy.cli.loading import Loaded
from devproxy.cli.process import Process
from devproxy.cli.refusal import FINE, INTERRUPTED, Refused
from devproxy.cli.reloading import Reloader, can_follow
from devproxy.cli.telling import open_socket
from devproxy.events import Observer, Ready, Trouble
from devproxy.gateway.app import Gateway
from devproxy.inspector.service import open_inspector
from devproxy.platforms import signals
from devproxy.platforms.allocator import keep_freed_pieces
from devproxy.platforms.clock import seconds_since_start
from devproxy.platforms.loops import loop_factory
from devproxy.platforms.terminal import LOOKS_S, Terminal

CALM_S: Final = 0.3
"""How long after the start the lists of authorities are read, some 10 ms: the first page does not wait for that."""
REPORT: Final = "This is a bug in devproxy: please report it, with this line, where you got devproxy."


def run(
    loaded: Loaded,
    sockets: list[socket.socket],
    observer: Observer,
    process: Process,
    *,
    loop_name: str,
    is_coloured: bool,
) -> int:
    """Serve on `sockets` until a signal comes or the terminal of `process` is closed; return the exit code.

    `loop_name`: ``auto`` (uvloop where it is installed), ``uvloop`` or ``asyncio``. `is_coloured`: whether `observer`
    shows reports in colour. In the main thread, once.
    """
    runner = asyncio.Runner(loop_factory=_loop_factory(loop_name))
    return runner.run(_serve(loaded, sockets, observer, process, is_coloured=is_coloured))


async def _serve(
    loaded: Loaded, sockets: list[socket.socket], observer: Observer, process: Process, *, is_coloured: bool
) -> int:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: observer.tell(_trouble(context)))
    first, second = loop.create_future(), loop.create_future()

    def on_signal() -> None:
        due = second if first.done() else first
        if not due.done():
            due.set_result(None)

    for number in signals.STOPPING:
        signals.handle(loop, number, on_signal)
    if process.keeper is not None:
        process.keeper.begin(loaded.config.server.drain_s)
    inspector = open_inspector()
    gateway = Gateway(loaded.config, sockets, pages=None if inspector is None else inspector.pages)
    gateway.observe(observer)
    # Before the first client is taken from the backlog, so that nothing can be reported ahead of it.
    has_inspector = inspector is not None and loaded.config.inspector.enabled
    link = inspector.link(gateway.urls[0]) if inspector is not None and has_inspector else ""
    observer.tell(Ready(gateway.urls, seconds_since_start(), link))
    for sentence in loaded.notices:
        observer.tell(Trouble(sentence))
    await gateway.start()
    keep_freed_pieces()
    looking = loop.create_task(_tell_distrust(loaded, observer))
    # What start-up has made stays: no collection needs to look at it again. The thresholds suit a server as they are:
    # 71 collections in 150,000 requests that never repeat took 0.2 % of the CPU; without any, memory was the same.
    gc.freeze()
    gc.enable()
    reloader = following = None
    if can_follow(loaded):
        reloader = Reloader(gateway, loaded, gateway.tell, is_coloured=is_coloured, keeper=process.keeper)
        following = loop.create_task(reloader.run())
        following.add_done_callback(_raise_in_loop)
    told = await open_socket(gateway, lambda: loaded if reloader is None else reloader.loaded, inspector)
    HangUp(loop, process.terminal, is_ending=first.done, reload=None if reloader is None else reloader.ask)
    await first
    looking.cancel()
    if following is not None:
        following.cancel()
    if told is not None:
        told.close()
    if inspector is not None:
        await inspector.close()
    stopping = loop.create_task(gateway.stop())
    await asyncio.wait((stopping, second), return_when=asyncio.FIRST_COMPLETED)
    if reloader is not None:
        reloader.close()
    if stopping.done():
        stopping.result()
        return FINE
    gateway.abort()
    await asyncio.sleep(0)  # what has been cut is closed in the next turn
    return INTERRUPTED


async def _tell_distrust(loaded: Loaded, observer: Observer) -> None:
    """Tell which programs do not trust the certificates: what lists they have is looked up while devproxy serves."""
    if loaded.config.server.tls is not True:
        return
    await asyncio.sleep(CALM_S)
    if (trouble := await asyncio.to_thread(distrust, loaded.config)) is not None:
        observer.tell(trouble)


class HangUp:
    """What SIGHUP means while devproxy serves: the same as SIGTERM where the terminal is gone, else `reload`.

    `reload`: None where there is no file. `is_ending`: tells whether devproxy ends already: from then on the signal
    means nothing. In the main thread. A terminal that was closed while devproxy started is noticed as well.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        terminal: Terminal,
        *,
        is_ending: Callable[[], bool],
        reload: Callable[[], None] | None,
    ) -> None:
        self._loop = loop
        self._terminal = terminal
        self._is_ending = is_ending
        self._reload = reload
        # Never removed: the loop would put the default back, and a request for a reload at the end would kill it.
        if signals.HANG_UP is not None:
            signals.handle(loop, signals.HANG_UP, self._take)
        if terminal.has_hung_up:
            self._take()

    def _take(self) -> None:
        if self._is_ending():
            return
        if self._reload is not None and not self._terminal.is_gone:
            self._reload()
        for seconds in LOOKS_S:
            self._loop.call_later(seconds, self._look)

    def _look(self) -> None:
        if self._terminal.is_gone and not self._is_ending():
            signals.ask_to_stop()


def _raise_in_loop(task: asyncio.Task[None]) -> None:
    """Report what ended `task`, unless it was cancelled, like any other exception that nothing has caught."""
    if not task.cancelled() and (error := task.exception()) is not None:
        context = {"message": "devproxy no longer watches the configuration file", "exception": error}
        task.get_loop().call_exception_handler(context)


def _loop_factory(name: str) -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        return loop_factory(with_uvloop=name != "asyncio")
    except ImportError:
        if name == "uvloop":
            raise Refused("uvloop is not installed", "pip install uvloop, or leave out --loop") from None
        return None


def _trouble(context: dict[str, Any]) -> Trouble:
    """Return what to say about an exception that nothing has caught: a callback's or a task's."""
    error = context.get("exception")
    what = f"internal error in devproxy {__version__}: {context.get('message', '')}"
    if isinstance(error, BaseException):
        place, trace = "", error.__traceback__
        while trace is not None:
            place, trace = f" ({Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno})", trace.tb_next
        what += f": {type(error).__name__}: {error}{place}"
    return Trouble(what, REPORT)
