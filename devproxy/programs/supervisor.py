"""The programs while devproxy runs: started, shown, followed to their ports, started again, ended.

What is done is decided in :mod:`devproxy.programs.changes`. Needs a running loop. Start at :class:`Programs`.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, NamedTuple

from devproxy.config.model import Config, Program, Scheme, ServerAddress
from devproxy.config.programs import follows, local_server
from devproxy.events import ProgramAnswers, ProgramEnded, ProgramOutput, ProgramStarted, Tell, Trouble
from devproxy.platforms.groups import LIMIT_BYTES, Group, start
from devproxy.platforms.keeper import NOT_STARTED
from devproxy.programs.changes import LONG_RUN_S, changes, delay_s, exit_status
from devproxy.programs.environment import Terminal, command_of, environment_for
from devproxy.programs.output import Splitter
from devproxy.programs.watching import PortWatch

STOP_S: Final = 5.0
"""How long programs may take to end when devproxy does, before they are killed."""
INTERRUPTED_S: Final = 3.0
"""How long a program may take to follow Ctrl-C before it is told to end in the other way (SIGTERM)."""
_KILLED_S: Final = 1.0
_PROMPT_S: Final = 0.25
"""After how long a line that has not ended is shown all the same: it may be a question."""
_BACKLOG_BYTES: Final = 1 << 20
"""With so much that is still to be shown, a program has to wait with what it writes next."""
_BACKLOG_S: Final = 0.02
_BREATH_S: Final = 0.01
"""How long a flood waits after each piece, so that what devproxy forwards does not."""


class Setting(NamedTuple):
    """What programs are run with, as it is when one is started. ``folder``: of the configuration.

    ``config``: the configuration as it was read; ``url``: devproxy's own; ``authority``: the file of the authority of
    its certificates, or empty. ``backlog``: how many bytes wait to be shown. ``shares_terminal``: a program that is the
    only one may read devproxy's standard input.
    """

    folder: str
    environment: Mapping[str, str]
    config: Callable[[], Config]
    url: Callable[[], str]
    authority: Callable[[], str]
    terminal: Callable[[], Terminal | None]
    backlog: Callable[[], int]
    shares_terminal: bool


Follow = Callable[[str, ServerAddress], Awaitable[None]]
"""Makes an upstream lead to a server."""


class Programs:
    """Runs programs. `follow`: see :data:`Follow`; `on_change`: is called when one has been started or has ended."""

    def __init__(self, tell: Tell, follow: Follow, setting: Setting, on_change: Callable[[], None]) -> None:
        self._tell = tell
        self._follow = follow
        self._setting = setting
        self._on_change = on_change
        self._runs: dict[str, _Run] = {}
        self._changing = asyncio.Lock()
        self._is_stopping = False
        self.answering: dict[str, asyncio.Event] = {}
        """By upstream: set once its program answers."""

    @property
    def holds_terminal(self) -> bool:
        """Whether one of them reads devproxy's standard input."""
        return any(run.has_terminal and not run.is_over for run in self._runs.values())

    def status_of(self, name: str) -> int | None:
        """Return the exit status of a program that has ended and is not started again; None: it runs."""
        run = self._runs.get(name)
        return run.status if run is not None and run.is_over else None

    def ended(self) -> dict[str, int]:
        """Return the exit status of each program that has ended and is not started again, by name."""
        return {name: run.status for name, run in self._runs.items() if run.is_over}

    async def apply(self, wanted: Sequence[Program]) -> None:
        """Run `wanted`: only what has changed is ended and started."""
        async with self._changing:
            if self._is_stopping:
                return
            todo = changes([run.program for run in self._runs.values()], wanted)
            for program in todo.served:
                self._runs[program.name].serve(program)
            old = [self._runs[name] for name in todo.ended]
            await asyncio.gather(*(run.stop(STOP_S) for run in old))
            for name in todo.ended:
                del self._runs[name]
            for program in todo.started:
                self._begin(program, is_alone=len(wanted) == 1)

    def start_again(self) -> None:
        """Start those that have ended."""
        for run in [run for run in self._runs.values() if run.is_over]:
            self._begin(run.program, is_alone=len(self._runs) == 1)

    def _begin(self, program: Program, *, is_alone: bool) -> None:
        if self._is_stopping:
            return
        if program.upstream:
            self.answering.setdefault(program.upstream, asyncio.Event())
        has_terminal = self._setting.shares_terminal and is_alone
        self._runs[program.name] = _Run(
            program, self._tell, self._follow, self._setting, self._on_change, self.answering, has_terminal=has_terminal
        )
        self._on_change()

    async def stop(self, *, is_interrupted: bool) -> None:
        """End all. `is_interrupted`: by Ctrl-C, which a program that shares the terminal has got as well."""
        self._is_stopping = True
        await asyncio.gather(*(run.stop(STOP_S, is_interrupted=is_interrupted) for run in self._runs.values()))

    async def kill(self) -> None:
        """End all at once."""
        self._is_stopping = True
        await asyncio.gather(*(run.kill() for run in self._runs.values()))

    def pass_on(self, number: int) -> None:
        """Send the signal `number` to each."""
        for run in self._runs.values():
            run.pass_on(number)


class _Run:
    """One program: its runs, one after the other. ``status``: of the last one."""

    def __init__(
        self,
        program: Program,
        tell: Tell,
        follow: Follow,
        setting: Setting,
        on_change: Callable[[], None],
        answering: dict[str, asyncio.Event],
        *,
        has_terminal: bool,
    ) -> None:
        self.program = program
        self.has_terminal = has_terminal
        self.status = 0
        self._tell = tell
        self._follow = follow
        self._setting = setting
        self._on_change = on_change
        self._answering = answering
        self._group: Group | None = None
        self._watch: PortWatch | None = None
        self._watching: asyncio.Task[None] | None = None
        self._began_at = 0.0
        self._is_ending = False
        self._task = asyncio.get_running_loop().create_task(self._keep_running())
        self._task.add_done_callback(_report)

    @property
    def is_over(self) -> bool:
        """Whether it has ended and is not started again."""
        return self._task.done()

    async def _keep_running(self) -> None:
        loop = asyncio.get_running_loop()
        failures = 0
        try:
            while True:
                began_at = loop.time()
                code = await self._once()
                self.status = exit_status(code)
                if self._is_ending:
                    return
                after_s = loop.time() - began_at
                failures = 0 if after_s >= LONG_RUN_S else failures
                pause_s = delay_s(self.program.restart, self.status, failures)
                by_signal = signal.Signals(-code).name if code < 0 else ""
                self._tell(ProgramEnded(self.program.name, self.status, by_signal, after_s, pause_s))
                if pause_s is None:
                    return
                failures += 1
                await asyncio.sleep(pause_s)
        finally:
            asyncio.get_running_loop().call_soon(self._on_change)

    async def _once(self) -> int:
        """Run the program to its end; return what it ended with, negative for a signal."""
        program, setting = self.program, self._setting
        self._began_at = asyncio.get_running_loop().time()
        environment = environment_for(
            program,
            setting.environment,
            url=setting.url(),
            authority=setting.authority(),
            terminal=setting.terminal(),
        )
        folder = os.path.join(setting.folder, program.folder)
        command = command_of(program)
        try:
            group = await start(command, folder=folder, environment=environment, has_terminal=self.has_terminal)
        except OSError as error:
            place = f" in {folder}" if error.filename == folder else ""
            what = f"the program {program.name} cannot be started{place}: {error.strerror or error}"
            self._tell(Trouble(what, "see `command` and `folder` below [run] in the configuration"))
            return NOT_STARTED
        self._group = group
        self._tell(ProgramStarted(program.name, " ".join(command), group.pid))
        self._watch = watch = PortWatch(group.pid, self._others)
        self.serve(self.program)
        try:
            await self._show(group, watch)
            return await group.wait()
        finally:
            self._group = self._watch = None
            self.serve(self.program)

    def serve(self, program: Program) -> None:
        """Go on as `program`, of which the process is the same; find the port for what it serves now, while it runs."""
        if self._watching is not None:
            self._watching.cancel()
        if self.program.upstream in self._answering:
            self._answering[self.program.upstream].clear()
        self.program, self._watching = program, None
        if self._watch is not None and (program.upstream or program.port):
            self._watching = asyncio.get_running_loop().create_task(self._follow_to_port(self._watch))
            self._watching.add_done_callback(_report)

    def _expected(self) -> int | None:
        """Return the port that the configuration says the program takes; None: it says nothing."""
        if self.program.port:
            return self.program.port
        servers = [one.servers for one in self._setting.config().upstreams if one.name == self.program.upstream]
        return servers[0][0].port or None if servers and servers[0] else None

    def _others(self) -> set[int]:
        """Return the ports of the upstreams that the program does not serve, and devproxy's own: it may print these."""
        config = self._setting.config()
        others = [one for one in config.upstreams if one.name != self.program.upstream]
        own = {int(port) for port in (self._setting.url().rpartition(":")[2],) if port.isdecimal()}
        return own | {one.port for one in config.server.listen} | {one.port for up in others for one in up.servers}

    async def _follow_to_port(self, watch: PortWatch) -> None:
        """Whenever the program has a new port, have its upstream lead there, and say so."""
        last = 0
        while True:
            expected = self._expected()
            port = await watch.found(expected)
            if port != last:
                upstream, url = self.program.upstream, await self._lead_to(port, watch.is_tls(port))
                if upstream:
                    self._answering.setdefault(upstream, asyncio.Event()).set()
                after_s = asyncio.get_running_loop().time() - self._began_at
                moved_from = expected if expected and port != expected else 0
                self._tell(ProgramAnswers(self.program.name, upstream, url, port, after_s, moved_from))
            last = port
            await watch.left(port)

    async def _lead_to(self, port: int, is_tls: bool | None) -> str:
        """Have what the program serves lead to `port`, and return the URL; empty: it serves nothing.

        `is_tls`: whether the program says that it speaks https there; None: then that stays as it is.
        """
        config, name = self._setting.config(), self.program.upstream
        server = next((one.servers[0] for one in config.upstreams if one.name == name), None)
        if server is None:
            return ""
        if follows(config, name):
            scheme = server.scheme if is_tls is None else Scheme.HTTPS if is_tls else Scheme.HTTP
            if (port, scheme) != (server.port, server.scheme):
                server = local_server(port, scheme)
            await self._follow(name, server)
        return server.url

    async def _show(self, group: Group, watch: PortWatch) -> None:
        """Show what the program writes until it writes no more."""
        splitter = Splitter()
        while True:
            try:
                async with asyncio.timeout(_PROMPT_S if splitter.is_waiting else None):
                    data = await group.output.read(LIMIT_BYTES)
            except TimeoutError:
                self._say(splitter.flush(), watch)
                continue
            if not data:
                break
            self._say(splitter.take(data), watch)
            await self._let_others_catch_up(len(data))
        self._say(splitter.end(), watch)

    async def _let_others_catch_up(self, taken: int) -> None:
        """Wait until what was written is nearly shown, and a moment after `taken` bytes that fill a whole piece.

        Not once the program is to end: what shows its lines may be stuck.
        """
        # Not by an event: the console, which shows the lines in a thread of its own, has no loop to set one in.
        while not self._is_ending and self._setting.backlog() > _BACKLOG_BYTES:  # noqa: ASYNC110
            await asyncio.sleep(_BACKLOG_S)
        if taken == LIMIT_BYTES:
            await asyncio.sleep(_BREATH_S)

    def _say(self, lines: list[str], watch: PortWatch) -> None:
        if lines:
            watch.hear(lines)
            self._tell(ProgramOutput(self.program.name, tuple(lines)))

    async def stop(self, limit_s: float, *, is_interrupted: bool = False) -> None:
        """End it within `limit_s` seconds, and after that by force."""
        self._is_ending = True
        if self._group is None:
            await self._give_up()
            return
        if is_interrupted:
            if not self.has_terminal:  # else it has got it from there
                self._group.interrupt()
            if await self._has_ended(INTERRUPTED_S):
                return
        if self._group is not None:
            self._group.terminate()
        if not await self._has_ended(limit_s):
            what = f"{self.program.name} did not end within {limit_s:g} s of being told to, and was killed"
            self._tell(Trouble(what))
            await self.kill()

    async def kill(self) -> None:
        """End it at once."""
        self._is_ending = True
        if self._group is None:
            await self._give_up()
            return
        self._group.kill()
        if not await self._has_ended(_KILLED_S):
            await self._give_up()

    async def _give_up(self) -> None:
        self._task.cancel()
        await asyncio.wait((self._task,))

    async def _has_ended(self, limit_s: float) -> bool:
        done, _ = await asyncio.wait((self._task,), timeout=limit_s)
        return bool(done)

    def pass_on(self, number: int) -> None:
        """Send the signal `number` to the program itself."""
        if self._group is not None:
            self._group.pass_on(number)


def _report(task: asyncio.Task[None]) -> None:
    """Report what ended `task`, unless it was cancelled, as any other exception that nothing has caught."""
    if not task.cancelled() and (error := task.exception()) is not None:
        context = {"message": "a program is no longer attended to", "exception": error}
        task.get_loop().call_exception_handler(context)
