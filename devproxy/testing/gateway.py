"""A gateway in a thread of its own, for tests: plain functions and coroutines use it alike.

Owns which configuration it serves (that of a project with the servers under test in it, or one made for the test) and
the events that it has told. Start at :func:`running_gateway`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any, Final, TypeVar

from devproxy.config.addresses import parse_server
from devproxy.config.arguments import DEFAULT_BACKEND_PATHS
from devproxy.config.model import Config, Upstream
from devproxy.embedding.configuration import Source, load
from devproxy.embedding.gateway import Gateway
from devproxy.events import Event, Wants
from devproxy.testing.apps import App, ServedApp, served
from devproxy.testing.threads import LIMIT_S, LoopThread
from devproxy.text.bad import BadText

Target = App | str | int
"""What a request is to reach: an ASGI application, or the URL or the port of a server that runs."""
E = TypeVar("E")

DEFAULT: Final = "backend"
"""The name of the upstream that a target without one is."""
WAIT_S: Final = 5.0


class RunningGateway:
    """A gateway that serves. Its methods may be called in any thread.

    ``url``, ``urls``: where it is reached, without a slash at the end. ``apps``: the applications behind it, by the
    names of their upstreams.
    """

    def __init__(self, gateway: Gateway, thread: LoopThread, apps: Mapping[str, ServedApp]) -> None:
        self._gateway = gateway
        self._thread = thread
        self._told: list[Event] = []
        self._has_told = threading.Condition()
        self.apps = apps

    @property
    def url(self) -> str:
        """Where it is reached: ``http://localhost:41233``."""
        return self._gateway.url

    @property
    def urls(self) -> tuple[str, ...]:
        """A URL for each way in."""
        return self._gateway.urls

    @property
    def config(self) -> Config:
        """What it serves by."""
        return self._gateway.config

    @property
    def events(self) -> list[Event]:
        """What it has told so far, from its beginning, the ends of what has been answered among it.

        See :mod:`devproxy.events`.
        """
        self._thread.take_turns()  # what a client has read was written in a turn that is told of at its end
        with self._has_told:
            return self._told.copy()

    @property
    def app_errors(self) -> list[BaseException]:
        """The exceptions that the applications behind it have raised so far."""
        return [error for app in self.apps.values() for error in app.errors]

    def seen(self, kind: type[E]) -> list[E]:
        """Return the events of one kind so far."""
        return [event for event in self.events if isinstance(event, kind)]

    def wait_for(
        self, kind: type[E], where: Callable[[E], object] = lambda event: True, *, timeout_s: float = WAIT_S
    ) -> E:
        """Return the first event of `kind`, from the beginning, that `where` is true for; wait for it if need be.

        The end of a tunnel, and of an exchange whose client reads slowly, come when both sides have ended. Raises
        TimeoutError with what has been told after `timeout_s` seconds.
        """
        looked_at = 0
        found: list[E] = []

        def is_there() -> bool:
            nonlocal looked_at
            new, looked_at = self._told[looked_at:], len(self._told)
            found.extend(event for event in new if isinstance(event, kind) and where(event))
            return bool(found)

        with self._has_told:
            if not self._has_told.wait_for(is_there, timeout_s):
                told = "".join(f"\n  {event}" for event in self._told[-20:])
                raise TimeoutError(f"no {kind.__name__} like that within {timeout_s:g} s; the last events:{told}")
        return found[0]

    def reload(self, config: Source) -> None:
        """Serve by `config` from now on; what runs ends as it began."""
        self._thread.run(self._gateway.reload(config))

    def _tell(self, event: Event) -> None:
        with self._has_told:
            self._told.append(event)
            self._has_told.notify_all()


@contextmanager
def running_gateway(
    target: Target | None = None,
    /,
    *,
    upstreams: Mapping[str, Target] | None = None,
    routes: Sequence[Mapping[str, Any]] | None = None,
    config: Source | None = None,
    wants: Wants = Wants.ENDS,
) -> Iterator[RunningGateway]:
    """Run a gateway in front of `target` until the end of the block, on a port that the system chooses.

    `target`: the upstream ``backend``. `upstreams`: further ones, by their names. `routes`: as in a ``devproxy.toml``,
    where those without ``upstream`` lead to ``backend``; not given, everything goes to the only upstream, or with
    ``frontend`` and ``backend`` the usual paths to the backend and the rest to the frontend. `config`: a configuration
    instead of routes, of which only the servers of the upstreams named here are replaced, and which is served in plain
    HTTP. `wants`: which events are kept.

    Raises :class:`~devproxy.ConfigurationError`, and :class:`~devproxy.testing.apps.AppFailed` where an application
    does not start.
    """
    targets = ({} if target is None else {DEFAULT: target}) | dict(upstreams or {})
    if config is not None and routes is not None:
        raise TypeError("give routes or a config, not both: a config has its routes")
    with ExitStack() as stack:
        apps: dict[str, ServedApp] = {}
        addresses: dict[str, str] = {}
        for name, one in targets.items():
            if isinstance(one, str | int):
                addresses[name] = str(one)
                continue
            apps[name] = stack.enter_context(served(one))
            addresses[name] = apps[name].url
        wanted = made(addresses, routes) if config is None else replaced(load(config), addresses)
        gateway = Gateway(wanted, listen="localhost:0")
        thread = stack.enter_context(LoopThread("devproxy-gateway"))
        running = RunningGateway(gateway, thread, apps)
        gateway.observe(running._tell, wants)
        stack.callback(lambda: thread.run(gateway.stop(drain_s=0), LIMIT_S))
        thread.run(gateway.start())
        yield running


def made(addresses: Mapping[str, str], routes: Sequence[Mapping[str, Any]] | None) -> Config:
    """Return the configuration of upstreams at `addresses` (by their names) with `routes`; None: the usual ones.

    Raises :class:`~devproxy.ConfigurationError`, TypeError where there are no usual ones.
    """
    if routes is None:
        routes = _usual_routes(list(addresses))
    only = next(iter(addresses)) if len(addresses) == 1 else DEFAULT
    return load(
        {
            "upstreams": dict(addresses),
            "routes": [{"upstream": only, **route} for route in routes],
        }
    )


def _usual_routes(names: Sequence[str]) -> list[dict[str, Any]]:
    if len(names) == 1:
        return [{"path": "/", "upstream": names[0]}]
    if sorted(names) == ["backend", "frontend"]:
        to_backend = [{"path": path, "upstream": "backend"} for path in DEFAULT_BACKEND_PATHS]
        return [*to_backend, {"path": "/", "upstream": "frontend"}]
    if not names:
        raise TypeError("give what the gateway is in front of: an ASGI application, a URL, a port, or a config")
    raise TypeError(f"which requests go to which of {', '.join(names)}? Say so with routes=[…]")


def replaced(config: Config, addresses: Mapping[str, str]) -> Config:
    """Return `config`, of which the upstreams named in `addresses` have these servers, served in plain HTTP.

    Raises KeyError for an upstream that `config` has not.
    """
    names = [upstream.name for upstream in config.upstreams]
    for name in addresses:
        if name not in names:
            raise KeyError(f"the configuration has no upstream {name!r}, only {', '.join(names)}")
    upstreams = tuple(
        _at(upstream, addresses[upstream.name]) if upstream.name in addresses else upstream
        for upstream in config.upstreams
    )
    return replace(config, upstreams=upstreams, server=replace(config.server, tls=False))


def _at(upstream: Upstream, address: str) -> Upstream:
    """Return `upstream` with the one server at `address`, reached straight and trusted as this machine does."""
    plain = Upstream(name=upstream.name, servers=())
    try:
        server = parse_server(address)
    except BadText as error:
        raise ValueError(f"{error.what}; {error.help}") from None
    return replace(
        upstream,
        servers=(server,),
        recording="",
        proxy=None,
        tls_ca=plain.tls_ca,
        tls_cert="",
        tls_key="",
        tls_verify=True,
    )
