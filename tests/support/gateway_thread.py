"""A gateway in a thread of this process, for tests that drive other programs and wait for them.

    with gateway_thread(config) as gateway:
        run_client(gateway.url)

Owns: the thread, its event loop, and that the gateway is stopped in it. Use :mod:`tests.support.wire` where the test
itself is the client.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import uvloop
from devproxy.config.model import Config, Listen
from devproxy.events import Event, Observer
from devproxy.gateway.app import Gateway
from devproxy.gateway.front.bind import bind
from tests.support.wire import until

T = TypeVar("T")

LIMIT_S = 30.0


class GatewayThread:
    """A running gateway. ``url`` ends with ``/``; ``origin`` does not. ``events``: what it said so far."""

    def __init__(self, url: str, events: list[Event]) -> None:
        self.url = url
        self.origin = url.removesuffix("/")
        self._events = events

    def seen(self, kind: type[T]) -> list[T]:
        """Return the events of one kind so far."""
        return [event for event in list(self._events) if isinstance(event, kind)]


@contextmanager
def gateway_thread(config: Config) -> Iterator[GatewayThread]:
    """Run a gateway for `config` on a loopback port that the system chooses."""
    events: list[Event] = []
    loop = uvloop.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    gateway = Gateway(config, bind((Listen(host="localhost", port=0),)))
    gateway.observe(Observer(events.append))
    try:
        asyncio.run_coroutine_threadsafe(gateway.start(), loop).result(LIMIT_S)
        yield GatewayThread(gateway.urls[0], events)
    finally:
        asyncio.run_coroutine_threadsafe(_stop(gateway), loop).result(LIMIT_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(LIMIT_S)
        loop.close()


async def _stop(gateway: Gateway) -> None:
    await gateway.stop(drain_s=0)
    await until(lambda: gateway.connection_count == 0)
