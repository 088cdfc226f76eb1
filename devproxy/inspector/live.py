"""What is known right now: drains the recorder into the store, asks the gateway what runs, and keeps time.

Lives in the inspector's thread, and reaches the gateway's loop only by :meth:`Live.on_loop`. While a page looks, this
happens ten times a second; otherwise when something is asked for. Start at :class:`Live`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Any, Final, TypeVar

from devproxy.events import Event, Observer, Trouble, TunnelClosed, TunnelData, Wants
from devproxy.inspector.sessions import Sessions
from devproxy.inspector.store import MAX_ROWS, Store
from devproxy.inspector.tunnels import Tunnels

if TYPE_CHECKING:
    from devproxy.gateway.app import Gateway, ServerState
    from devproxy.inspector.recorder import Recorder

TICK_S: Final = 0.1
LINGER_S: Final = 5.0
"""For how long everything is kept after the last page has gone: it may be loading again."""
_BATCH: Final = 200
"""Ends taken before others have their turn: taking holds the interpreter's lock, which the gateway needs too."""

T = TypeVar("T")


class Live:
    """The state that pages are shown. `loop`: the gateway's. `captures`: whether to keep everything without a page.

    `text`: gives the text of the file in force, in the gateway's thread.

    ``ticked``: is set and replaced with each tick. ``all_gone``: is set in the gateway's loop when the last page goes.
    ``is_stopping``: pages are to go.
    """

    def __init__(
        self,
        gateway: Gateway,
        recorder: Recorder,
        loop: asyncio.AbstractEventLoop,
        *,
        captures: bool,
        text: Callable[[], bytes | None],
    ) -> None:
        self.gateway = gateway
        self.text = text
        self._recorder = recorder
        self._loop = loop
        self._own_loop: asyncio.AbstractEventLoop | None = None
        self.store = Store(recorder.budget, since_at=recorder.since_at, since=recorder.since)
        self.sessions = Sessions()
        self.tunnels = Tunnels(recorder.budget)
        self.captures = captures
        self._looking = 0
        self._looked_at = 0.0
        self._ticking: asyncio.Task[None] | None = None
        self._refreshing = asyncio.Lock()
        self.ticked = asyncio.Event()
        self.all_gone = asyncio.Event()
        self.is_stopping = False

    def begin(self) -> None:
        """Take note of the loop that this lives on."""
        self._own_loop = asyncio.get_running_loop()

    @property
    def looking(self) -> int:
        """How many pages look."""
        return self._looking

    @property
    def is_complete(self) -> bool:
        """Whether heads, bodies and frames are kept now."""
        return self._recorder.is_capturing

    @property
    def version(self) -> int:
        """The version of the latest change of any row."""
        return self.store.version

    def clear(self) -> None:
        """Forget everything that has ended."""
        self.store.clear()
        self.sessions.clear()
        self.tunnels.clear({row.id for row in self.store.all()})

    async def on_loop(self, work: Callable[[], T]) -> T:
        """Return what `work` returns, called in the gateway's thread. It must return at once."""
        done: Future[T] = Future()

        def do() -> None:
            if not done.set_running_or_notify_cancel():
                return
            try:
                done.set_result(work())
            except Exception as error:
                done.set_exception(error)

        self._loop.call_soon_threadsafe(do)
        return await asyncio.wrap_future(done)

    async def look(self) -> None:
        """A page looks from now on: keep everything."""
        self._looking += 1
        await self.on_loop(lambda: self._recorder.capture(has_reader=True))
        if self._ticking is None or self._ticking.done():
            self._ticking = asyncio.create_task(self._tick())
        await self.refresh()

    def look_away(self) -> None:
        """A page has gone."""
        self._looking -= 1
        self._looked_at = time()
        if not self._looking:
            self._loop.call_soon_threadsafe(self.all_gone.set)

    async def set_capturing(self, captures: bool) -> None:
        """Keep everything also without a page, or no more."""
        self.captures = captures
        await self.on_loop(self.settle)

    def stop_soon(self) -> None:
        """Have the pages go: devproxy stops. May be called in any thread."""
        self.is_stopping = True
        if self._own_loop is not None:
            with suppress(RuntimeError):  # it has ended
                self._own_loop.call_soon_threadsafe(self._wake)

    def report(self, error: Exception) -> None:
        """Tell in the terminal that something here has failed; everything else goes on."""
        trace = error.__traceback__
        place = ""
        while trace is not None:
            place, trace = f" ({Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno})", trace.tb_next
        what = f"the inspector has failed: {type(error).__name__}: {error}{place}"
        help = "this is a bug in devproxy: please report it, with this line; everything else goes on"
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self.gateway.tell, Trouble(what, help))

    async def refresh(self) -> None:
        """Take everything that has been told, and learn what runs."""
        async with self._refreshing:
            running: list[Event] = []
            if self.is_complete:
                await self.on_loop(lambda: self.gateway.tell_running(Observer(running.append, Wants.PROGRESS)))
            await self._drain()
            for event in running:
                self.store.take(0.0, event)

    async def _drain(self) -> None:
        recorder, store = self._recorder, self.store
        recorder.is_drained = True
        while recorder.evidence:
            store.take_evidence(recorder.evidence.popleft())
        closed: list[tuple[float, TunnelClosed]] = []
        while recorder.others:
            at, event = recorder.others.popleft()
            if isinstance(event, TunnelClosed):
                closed.append((at, event))  # what passed before comes first
            else:
                store.take(at, event)
        count = 0
        ends = recorder.ends
        while ends:
            with suppress(IndexError):
                row = store.take_end(ends.popleft())
                self.tunnels.keep(row, self.sessions.take_row(row))
            count += 1
            if count % _BATCH == 0:
                await asyncio.sleep(0)
        while recorder.frames:
            with suppress(IndexError):
                self._take_frame(*recorder.frames.popleft())
            count += 1
            if count % _BATCH == 0:
                await asyncio.sleep(0)
        if len(self.tunnels) > 2 * MAX_ROWS:
            self.tunnels.clear({row.id for row in store.all()})
        for at, event in closed:
            store.take(at, event)
            closed_row = store.row(event.exchange_id)
            if closed_row is not None:
                self.sessions.take_end_of_tunnel(closed_row, at)

    def _take_frame(self, at: float, data: TunnelData) -> None:
        row = self.store.row_of_tunnel(data.tunnel_id)
        if row is None or row.tunnel is None:
            self._recorder.budget.freed += len(data.data)
            return
        if data.is_from_client:
            row.tunnel.sent_bytes += len(data.data)
        else:
            row.tunnel.received_bytes += len(data.data)
        for message in self.tunnels.take(row, at, data):
            row.tunnel.messages += 1
            self.sessions.take_message(row, message)
        self.store.touch(row)

    async def server_states(self) -> list[ServerState]:
        """Return how the servers of all upstreams are."""
        return await self.on_loop(self.gateway.server_states)

    async def _tick(self) -> None:
        """Refresh ten times a second while a page looks, and for a moment after."""
        while not self.is_stopping and (self._looking or time() - self._looked_at < LINGER_S):
            try:
                await self.refresh()
            except Exception as error:
                self.report(error)  # what made it fail is taken already; pages go on with what comes
            self._wake()
            await asyncio.sleep(TICK_S)
        await self.on_loop(self.settle)

    def settle(self) -> None:
        """Keep as much as is wanted when no page looks; in the gateway's thread."""
        if self._looking:
            return
        if self.captures:
            self._recorder.capture(has_reader=False)
        else:
            self._recorder.stop_capturing()

    def _wake(self) -> None:
        self.ticked.set()
        self.ticked = asyncio.Event()


def state_json(states: list[ServerState], known: dict[tuple[str, str], tuple[float, Any]]) -> list[dict[str, Any]]:
    """Return upstreams with their servers as the API gives them. `known`: since when each is as it is."""
    found: dict[str, dict[str, Any]] = {}
    for one in states:
        upstream = found.setdefault(one.upstream, {"name": one.upstream, "sticky": str(one.sticky), "servers": []})
        at, event = known.get((one.upstream, one.url), (None, None))
        upstream["servers"].append(
            {
                "url": one.url,
                "is_up": one.is_up,
                "address": one.address,
                "detail": "" if event is None else event.detail,
                "since_at": at,
                "running": one.running,
                "idle": one.idle,
                "sessions": one.sessions,
            }
        )
    return list(found.values())
