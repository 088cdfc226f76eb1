"""What a client is told when no usable response came from an upstream: the error, and what the gateway knows of it.

Sends nothing: the exchange does. Start at :func:`failure`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from devproxy import answers
from devproxy.gateway.surroundings import is_loopback

if TYPE_CHECKING:
    from devproxy.answers import Answer
    from devproxy.errors import UpstreamError
    from devproxy.gateway.pool import ServerPool
    from devproxy.gateway.service import Service
    from devproxy.plan.snapshot import CompiledRoute


def failure(error: UpstreamError, compiled: CompiledRoute, server: ServerPool, service: Service) -> tuple[Answer, str]:
    """Return the answer to a request that `server` did not answer, and the detail for its report."""
    answer = answers.upstream_failed(
        error,
        upstream=compiled.upstream,
        route=compiled.label,
        was_up=server.pool.has_been_up,
        is_own_container=service.is_in_container and is_loopback(server.server),
    )
    details = dict.fromkeys(f"{address}: {outcome}" for address, outcome in error.tried)
    return answer, ", ".join(details) or error.detail
