"""What goes on beside the traffic while devproxy serves: its programs, the keys of its terminal, a page to be opened.

Knows when which of them has the terminal. Start at :class:`Attending`.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Final

from devproxy.cli.applying import InForce
from devproxy.cli.loading import Loaded
from devproxy.console import Console
from devproxy.events import Ready, Trouble, UpstreamState
from devproxy.gateway.app import Gateway
from devproxy.platforms import keyboard, signals

if TYPE_CHECKING:
    from devproxy.cli.keys import Keys
    from devproxy.programs.environment import Terminal
    from devproxy.programs.supervisor import Programs

OPEN_S: Final = 60.0
"""How long a page that is to be opened waits for its program."""
_BESIDE: Final = 3
"""Columns between the name of a program and its line."""


class Attending:
    """Attends to what `in_force` says, until it is stopped. `output`: where lines of programs are shown.

    `inspector`: gives its link; `quit`: ends devproxy; `has_keys`: keys of the terminal, if there is one, are for
    devproxy, unless a program reads it. In the main thread; needs a running loop.
    """

    def __init__(
        self,
        gateway: Gateway,
        in_force: InForce,
        console: Console | None,
        output: Console | None,
        *,
        inspector: Callable[[], str],
        reload: Callable[[], None] | None,
        quit: Callable[[], None],
        has_keys: bool,
        startup_s: float,
    ) -> None:
        self._gateway = gateway
        self._in_force = in_force
        self._console = console
        self._output = output
        self._inspector = inspector
        self._quit = quit
        self._loop = asyncio.get_running_loop()
        self._programs: Programs | None = None
        self._keyboard: keyboard.Keyboard | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._shares_terminal = keyboard.is_ours()
        self._reload = reload
        self._has_keys = has_keys
        self._startup_s = startup_s
        in_force.on_taken = self._take

    @cached_property
    def _keys(self) -> Keys:
        from devproxy.cli.keys import Deeds, Keys  # only a terminal has keys

        deeds = Deeds(
            page=lambda: self._gateway.urls[0],
            inspector=self._inspector,
            reload=self._reload,
            start_again=self._start_again,
            overview=self._overview,
            quit=self._quit,
            can_clear=self._console is not None and self._console.is_terminal,
        )
        return Keys(deeds, self._gateway.tell)

    def begin(self, *, opens: bool) -> None:
        """Start the programs, take the keys, and open the page if that is wanted."""
        self._take(self._in_force.loaded)
        if keyboard.is_possible():
            self._keyboard = keyboard.Keyboard(self._keys.press, self._is_terminal_free)
        if opens:
            self._spawn(self._open())

    def _is_terminal_free(self) -> bool:
        return self._has_keys and (self._programs is None or not self._programs.holds_terminal)

    def _take(self, loaded: Loaded) -> None:
        """Run the programs of `loaded`."""
        wanted = loaded.config.programs
        if self._programs is None and not wanted:
            return
        from devproxy.cli.programs import distrust  # few configurations have any

        if reasons := distrust(loaded):
            what, *help = reasons
            until = "its programs stay as they are until that is mended and it is read again (r, or SIGHUP)"
            self._gateway.tell(Trouble(f"{what}: {until}", "; ".join(help)))
            return
        if self._programs is None:
            self._programs = self._new_programs(loaded)
        self._spawn(self._programs.apply(wanted))

    def _new_programs(self, loaded: Loaded) -> Programs:
        from devproxy.cli.authorities import authorities_for_node
        from devproxy.cli.programs import folder_of
        from devproxy.programs.supervisor import Programs, Setting

        if loaded.program:
            for number in signals.PASSED_ON:
                signals.handle(self._loop, number, partial(self._pass_on, number))
        setting = Setting(
            folder=folder_of(loaded),
            environment=dict(os.environ),
            config=lambda: self._in_force.loaded.config,
            url=lambda: self._gateway.urls[0].rstrip("/"),
            authority=lambda: authorities_for_node(self._in_force.loaded.config),
            terminal=self._terminal,
            backlog=lambda: 0 if self._output is None else self._output.backlog,
            shares_terminal=self._shares_terminal,
        )
        return Programs(self._gateway.tell, self._in_force.follow, setting, self._on_change)

    def _pass_on(self, number: int) -> None:
        if self._programs is not None:
            self._programs.pass_on(number)

    def _terminal(self) -> Terminal | None:
        from devproxy.programs.environment import Terminal

        output = self._output
        if output is None or not output.is_terminal or (width := output.width) is None:
            return None
        names = max((len(program.name) for program in self._in_force.loaded.config.programs), default=0)
        return Terminal(width - names - _BESIDE, output.is_coloured)

    def _on_change(self) -> None:
        """A program has been started, or has ended."""
        if self._keyboard is not None:
            self._keyboard.settle()
        if self.status is not None:
            self._quit()

    @property
    def status(self) -> int | None:
        """With what the program behind ``--`` has ended; None: it runs, or there is none."""
        loaded = self._in_force.loaded
        if not loaded.program or self._programs is None:
            return None
        return self._programs.status_of(loaded.config.programs[0].name)

    def _start_again(self) -> None:
        if self._programs is not None:
            self._programs.start_again()

    def _overview(self) -> list[str]:
        states = {
            (one.upstream, one.url): UpstreamState(one.upstream, one.url, one.is_up, one.address, "")
            for one in self._gateway.server_states()
            if one.is_up is not None
        }
        ready = Ready(self._gateway.urls, self._startup_s, self._inspector())
        ended = {} if self._programs is None else self._programs.ended()
        config = self._gateway.snapshot.config
        return [] if self._console is None else self._console.overview(config, ready, states, ended)

    async def _open(self) -> None:
        """Open the page once the programs that it needs answer."""
        await asyncio.sleep(0)  # they are about to be started
        if self._programs is not None:
            waiting = [asyncio.ensure_future(event.wait()) for event in self._programs.answering.values()]
            if waiting:
                await asyncio.wait(waiting, timeout=OPEN_S)
                for one in waiting:
                    one.cancel()
        self._keys.open(self._gateway.urls[0])

    async def stop(self, *, is_interrupted: bool) -> None:
        """End the programs. `is_interrupted`: by the terminal's Ctrl-C."""
        if self._programs is not None:
            await self._programs.stop(is_interrupted=is_interrupted)
        self.close()

    async def kill(self) -> None:
        """End the programs at once."""
        if self._programs is not None:
            await self._programs.kill()
        self.close()

    def leave_keys(self) -> None:
        """Read no more keys."""
        self._has_keys = False
        if self._keyboard is not None:
            self._keyboard.settle()

    def close(self) -> None:
        """Leave the terminal as it was before devproxy and its programs. Idempotent."""
        if self._keyboard is not None:
            self._keyboard.close()
            self._keyboard = None

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._loop.call_exception_handler({"message": "programs", "exception": error})
