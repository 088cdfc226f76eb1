"""A gateway in the event loop of another program.

    async with devproxy.Gateway("devproxy.toml") as gateway:
        print(gateway.url)

Owns its life, and that it changes nothing of the process: no signal, no handler of the loop, no stream, no logger, no
setting of the allocator or the garbage collector. What serves is :class:`devproxy.gateway.app.Gateway`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from inspect import iscoroutinefunction
from time import perf_counter
from typing import TYPE_CHECKING, NoReturn

from devproxy import config as configurations
from devproxy.config.problems import COMMAND_LINE, ConfigError, Problem
from devproxy.embedding.configuration import (
    ConfigurationError,
    Listening,
    Source,
    configuration_of,
    from_servers,
)
from devproxy.errors import CertificateProblem
from devproxy.events import Event, Observer, Ready, Tell, Wants
from devproxy.gateway.app import Gateway as Core
from devproxy.gateway.front.bind import bind

if TYPE_CHECKING:
    from types import TracebackType

    from devproxy.config.model import Config
    from devproxy.events import ConfigApplied
    from devproxy.gateway.app import ServerState
    from devproxy.gateway.shared.observers import Observation as CoreObservation


class Observation:
    """One observer while it looks: a context manager, and :meth:`close` ends it."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._inner: CoreObservation | None = None
        self._is_closed = False

    def begin(self, core: Core) -> None:
        """Look at `core`, unless this has been closed."""
        if not self._is_closed:
            self._inner = core.observe(self._observer)

    def close(self) -> None:
        """Stop observing: from now on nothing is told. Idempotent."""
        self._is_closed = True
        if self._inner is not None:
            self._inner.close()

    def __enter__(self) -> Observation:
        """Look until the end of the block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Look no more."""
        self.close()


class Gateway:
    """A devproxy that serves from :meth:`start` to :meth:`stop`, or within ``async with``; once.

    `config`: the path of a ``devproxy.toml``, a mapping with its keys, or a :class:`~devproxy.Config`; see also
    :meth:`to`. `listen`: where to listen, as below ``[server]``, whatever `config` says; None: where `config` says, and
    where that says nothing on a port of ``localhost`` that the system chooses.

    Every gateway has connections, sessions, pools and a configuration of its own. All methods but the constructor
    belong to the thread of the loop in which it was started. There is no page at ``/__devproxy/``, and ``devproxy
    list`` does not show it. Raises :class:`ConfigurationError` with the whole report.
    """

    def __init__(self, config: Source, *, listen: Listening | None = None) -> None:
        self._listen = listen
        self._config = configuration_of(config, listen)
        self._core: Core | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._has_ended = False
        self._changing = asyncio.Lock()
        self._observations: list[Observation] = []

    @classmethod
    def to(
        cls,
        *,
        frontend: str | int | None = None,
        backend: str | int | None = None,
        backend_paths: Sequence[str] = (),
        listen: Listening | None = None,
    ) -> Gateway:
        """Return a gateway for these servers, each a port, ``host:port`` or a URL: as ``devproxy up`` with its options.

        With both, `backend_paths` (``/socket.io/`` and ``/api/`` where none are named) go to the backend and the rest
        to the frontend; with one of them, everything goes there. Raises :class:`ConfigurationError`.
        """
        return cls(from_servers(frontend, backend, backend_paths, listen), listen=listen)

    # -- life ----------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Listen, and accept clients. Returns when that is so; whether upstreams are up is found out meanwhile.

        Raises :class:`~devproxy.BindError` where an address cannot be had, :class:`ConfigurationError` where the
        certificates for ``tls`` cannot; then nothing stays open. Raises RuntimeError the second time.
        """
        if self._loop is not None:
            raise RuntimeError("a Gateway serves once: make another one")
        began = perf_counter()
        self._loop = asyncio.get_running_loop()
        sockets = bind(self._config.server.listen)
        try:
            core = self._core = Core(self._config, sockets)
        except BaseException as error:
            for sock in sockets:
                sock.close()
            if isinstance(error, CertificateProblem):
                self._refuse(error)
            raise
        for observation in self._observations:
            observation.begin(core)
        # Before the first client is taken from the backlog, so that nothing can be reported ahead of it.
        core.tell(Ready(core.urls, perf_counter() - began))
        try:
            await core.start()
        except BaseException:
            self.abort()
            await core.settle()
            raise

    async def stop(self, drain_s: float | None = None) -> int:
        """Stop accepting, let what runs finish for at most `drain_s` seconds (default: the configuration's), close.

        WebSockets are closed with a Close frame. Returns how many exchanges were cut. When it returns or raises, no
        socket and no task of the gateway is left. Cancelled, it cuts everything at once. Idempotent.
        """
        core = self._core
        if core is None or self._has_ended:
            return 0
        self._has_ended = True
        try:
            return await core.stop(drain_s)
        finally:
            core.abort()
            await core.settle()

    def abort(self) -> None:
        """Close everything at once; what is closed ends within the next turns of the loop. Idempotent."""
        self._has_ended = True
        if self._core is not None:
            self._core.abort()

    async def __aenter__(self) -> Gateway:
        """Serve until the end of the block."""
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop: as :meth:`stop` does, and at once if the block raised or was cancelled."""
        await self.stop(None if kind is None else 0)

    # -- what it is ----------------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """Where it is reached, without a slash at the end: ``http://localhost:41233``. The first of :attr:`urls`."""
        return self.urls[0]

    @property
    def urls(self) -> tuple[str, ...]:
        """A URL for each way in, without a slash at the end. Raises RuntimeError before the start."""
        if self._core is None:
            raise RuntimeError("this Gateway has not been started: its port is not known yet")
        return tuple(url.rstrip("/") for url in self._core.urls)

    @property
    def config(self) -> Config:
        """What holds: that of the constructor, or of the last :meth:`reload`."""
        return self._config

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should know about the configuration: the sentences that ``devproxy check`` prints."""
        return configurations.warnings(self._config)

    def servers(self) -> list[ServerState]:
        """Return how each server of each upstream is: up or not, how much runs there; in the order of the
        configuration. Raises RuntimeError while it does not serve."""
        return self._serving().server_states()

    # -- while it serves -----------------------------------------------------------------------------------------

    def observe(self, observer: Observer | Tell, wants: Wants = Wants.ENDS) -> Observation:
        """Tell `observer` what happens, until what is returned is closed or its ``with`` block ends.

        `observer`: a function that is called with each record of :mod:`devproxy.events`, in the turn of the loop in
        which it happened, and must return at once; ``queue.put_nowait`` of an :class:`asyncio.Queue` is one. `wants`:
        what of the traffic it is told; what belongs to no exchange, such as a server that goes away, it is told in any
        case. Or an :class:`~devproxy.events.Observer`, which says both.

        Before the start it misses nothing; later it is told first what runs, as if it had been there from the
        beginning. One that raises hurts neither the gateway nor other observers: its first exception goes to the
        exception handler of the loop, which logs it by default; it is called again with what comes next.
        """
        if not isinstance(observer, Observer):
            if iscoroutinefunction(observer):
                raise TypeError(
                    "an observer is a plain function; to await events, observe with the put_nowait of an asyncio.Queue"
                )
            observer = Observer(observer, wants)
        observation = Observation(observer._replace(tell=_as_exception(observer.tell)))
        if self._core is None:
            self._observations.append(observation)
        else:
            observation.begin(self._core)
        return observation

    async def reload(self, config: Source) -> ConfigApplied:
        """Serve by `config` from now on; what runs ends as it began. Returns what has changed.

        An upstream that is the same keeps its connections and sessions. An address that `config` does not say, and the
        `listen` of the constructor, stay as they are. Raises :class:`ConfigurationError` or
        :class:`~devproxy.BindError`; then nothing has changed. Calls wait for each other. Raises RuntimeError while it
        does not serve.
        """
        self._serving()
        async with self._changing:
            # In a thread: a long file takes its time, and traffic goes on.
            wanted = await asyncio.to_thread(configuration_of, config, self._listen)
            try:
                applied = await self._serving().apply(wanted, is_strict=True)
            except CertificateProblem as problem:
                self._refuse(problem)
            if applied is None:
                raise RuntimeError("this Gateway has been stopped")
            self._config = wanted
            return applied

    def _serving(self) -> Core:
        """Return what serves, or raise RuntimeError."""
        if self._core is None or self._has_ended:
            raise RuntimeError("this Gateway does not serve " + ("any more" if self._has_ended else "yet"))
        if asyncio.get_running_loop() is not self._loop:
            raise RuntimeError("this Gateway belongs to another event loop")
        return self._core

    def _refuse(self, problem: CertificateProblem) -> NoReturn:
        found = (Problem(problem.what, problem.help),)
        report = configurations.report(ConfigError(found), b"", COMMAND_LINE, colour=False)
        raise ConfigurationError(found, report.rstrip("\n"), self._config.source) from problem

    def __repr__(self) -> str:
        """Return where it is reached, or what has become of it."""
        if self._has_ended:
            return "<devproxy.Gateway, stopped>"
        return f"<devproxy.Gateway at {self.url}>" if self._core is not None else "<devproxy.Gateway, not started>"


def _as_exception(tell: Tell) -> Tell:
    """Return `tell`, of which no exception but those that end a program gets past the gateway's guard.

    What tests raise (``pytest.fail``) is no ``Exception``, and would break the connection that it is told of.
    """

    def told(event: Event) -> None:
        try:
            tell(event)
        except (Exception, KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            raise RuntimeError(f"an observer has ended with {type(error).__name__}") from error

    return told
