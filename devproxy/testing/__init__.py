"""Gateways for tests: in front of an application in this process or of a URL, with their events.

    with running_gateway(app) as gateway:
        httpx.get(f"{gateway.url}/api/items")

Needs the extra ``testing`` where an application is to be served. :mod:`devproxy.pytest_plugin` makes fixtures of it.
Start at :func:`devproxy.testing.gateway.running_gateway`.
"""

from __future__ import annotations

from devproxy.testing.apps import AppFailed as AppFailed
from devproxy.testing.gateway import RunningGateway as RunningGateway
from devproxy.testing.gateway import running_gateway as running_gateway
