"""A gateway from its start to its end, as the signals say. Imported late: it brings asyncio and uvloop.

Start at :func:`run`. The loop is never closed: closing it waits for every name that is still being resolved, for as
long as the resolver takes, and the process is about to end anyway.
"""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from devproxy import __version__
from devproxy.cli.applying import InForce, stop_limit_s
from devproxy.cli.attending import Attending
from devproxy.cli.hints import Hints
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
from devproxy.platforms.keyboard import is_ours
from devproxy.platforms.loops import loop_factory
from devproxy.platforms.terminal import LOOKS_S, Terminal

if TYPE_CHECKING:
    from devproxy.console import Console

CALM_S: Final = 0.3
"""How long after the start the lists of authorities are read, some 10 ms: the first page does not wait for that."""
REPORT: Final = "This is a bug in devproxy: please report it, with this line, where you got devproxy."


class Shown(NamedTuple):
    """Where what happens is shown. ``console``: None where `observer` is all there is. ``output``: what programs write,
    where that is not on ``console``.
    """

    observer: Observer
    console: Console | None = None
    output: Console | None = None


def run(
    loaded: Loaded, sockets: list[socket.socket], shown: Shown, process: Process, *, loop_name: str, opens: bool
) -> int:
    """Serve on `sockets` until a signal comes or the terminal of `process` is closed; return the exit code.

    Also until the program behind ``--`` has ended. `loop_name`: ``auto`` (uvloop where it is installed), ``uvloop`` or
    ``asyncio``. `opens`: a browser is to show the page. In the main thread, once.
    """
    runner = asyncio.Runner(loop_factory=_loop_factory(loop_name))
    return runner.run(_serve(loaded, sockets, shown, process, opens=opens))


class _Asked:
    """Whether devproxy has been told to stop: ``once``, and ``twice``. ``is_interrupted``: by SIGINT at first."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.once, self.twice = loop.create_future(), loop.create_future()
        self.is_interrupted = False
        for number in signals.STOPPING:
            signals.handle(loop, number, partial(self.stop, number))

    def stop(self, number: int = 0) -> None:
        """Take a signal, the first or the second one."""
        due = self.twice if self.once.done() else self.once
        if not due.done():
            self.is_interrupted |= due is self.once and number == signals.INTERRUPT
            due.set_result(None)

    def quit(self) -> None:
        """Stop without a signal; does nothing the second time."""
        if not self.once.done():
            self.once.set_result(None)


async def _serve(loaded: Loaded, sockets: list[socket.socket], shown: Shown, process: Process, *, opens: bool) -> int:
    loop = asyncio.get_running_loop()
    observer = shown.observer
    loop.set_exception_handler(lambda _, context: observer.tell(_trouble(context)))
    asked = _Asked(loop)
    if process.keeper is not None:
        process.keeper.begin(stop_limit_s(loaded.config))
    inspector = open_inspector()
    gateway = Gateway(loaded.config, sockets, pages=None if inspector is None else inspector.pages)
    gateway.observe(observer)
    if shown.output is not None:
        gateway.observe(shown.output.observer)

    def link() -> str:
        has_inspector = inspector is not None and in_force.loaded.config.inspector.enabled
        return inspector.link(gateway.urls[0]) if inspector is not None and has_inspector else ""

    in_force = InForce(gateway, loaded, keeper=process.keeper, prepared=_prepared)
    has_keys = shown.console is not None and shown.output is None
    is_alone = len(loaded.config.programs) == 1  # that program has the terminal
    # Before the first client is taken from the backlog, so that nothing can be reported ahead of it.
    startup_s = seconds_since_start()
    observer.tell(Ready(gateway.urls, startup_s, link(), has_keys and not is_alone and is_ours()))
    for sentence in loaded.notices:
        observer.tell(Trouble(sentence))
    hints = Hints(gateway, lambda: in_force.loaded.config)
    await gateway.start()
    keep_freed_pieces()
    looking = loop.create_task(_tell_distrust(loaded, observer))
    # What start-up has made stays: no collection needs to look at it again. The thresholds suit a server as they are:
    # 71 collections in 150,000 requests that never repeat took 0.2 % of the CPU; without any, memory was the same.
    gc.freeze()
    gc.enable()
    reloader = following = None
    if can_follow(loaded):
        reloader = Reloader(in_force, gateway.tell, is_coloured=shown.console is not None and shown.console.is_coloured)
        following = loop.create_task(reloader.run())
        following.add_done_callback(_raise_in_loop)
    reload = None if reloader is None else reloader.ask
    told = await open_socket(gateway, lambda: in_force.loaded, inspector)
    HangUp(loop, process.terminal, is_ending=asked.once.done, reload=reload)
    attending = Attending(
        gateway,
        in_force,
        shown.console,
        shown.output or shown.console,
        inspector=link,
        reload=reload,
        quit=asked.quit,
        has_keys=has_keys,
        startup_s=startup_s,
    )
    try:
        attending.begin(opens=opens)
        await asked.once
    except BaseException:
        attending.close()
        raise
    attending.leave_keys()
    looking.cancel()
    hints.close()
    if following is not None:
        following.cancel()
    if told is not None:
        told.close()
    if inspector is not None:
        await inspector.close()
    stopping = loop.create_task(_stop(gateway, attending, is_interrupted=asked.is_interrupted))
    await asyncio.wait((stopping, asked.twice), return_when=asyncio.FIRST_COMPLETED)
    if reloader is not None:
        reloader.close()
    if stopping.done():
        stopping.result()
        return attending.status or FINE
    gateway.abort()
    await attending.kill()
    await asyncio.sleep(0)  # what has been cut is closed in the next turn
    return INTERRUPTED


async def _stop(gateway: Gateway, attending: Attending, *, is_interrupted: bool) -> None:
    """Let requests end, then the programs that they may need."""
    await gateway.stop()
    await attending.stop(is_interrupted=is_interrupted)


def _prepared(before: Loaded, loaded: Loaded) -> Loaded:
    """Return `loaded` with ports for its programs, those of `before` where they have one."""
    if not loaded.config.programs:
        return loaded
    from devproxy.cli.programs import with_chosen_ports  # few configurations have any

    return with_chosen_ports(loaded, before.ports)


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
