"""What is reported when no usable response came from an upstream, or half of one: the error, and what is known of it.

Sends nothing: the exchange does. Start at :func:`failure`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from devproxy import answers
from devproxy.authority.networks import is_loopback
from devproxy.errors import UpstreamFault
from devproxy.gateway.back.hold import may_wait
from devproxy.policy.proxy_advice import unused_proxy
from devproxy.policy.tls_advice import certificate_text, tls_settings
from devproxy.realtime.hot_reload import takes_common_path

if TYPE_CHECKING:
    from devproxy.answers import Answer
    from devproxy.config.model import Config
    from devproxy.errors import UpstreamError
    from devproxy.gateway.shared.seam import Server
    from devproxy.gateway.shared.state import SharedState
    from devproxy.http.messages import RequestHead
    from devproxy.plan.compiled import CompiledRoute

CUT_SHORT: Final = "the server closed the connection before its answer was complete"

OTHER_KEY: Final = "the Sec-WebSocket-Accept of its 101 does not belong to the Sec-WebSocket-Key that it was sent"

LOGIN_CODE: Final = "login-lost"
LOGIN_LOST: Final = (
    "the server closed the connection that was logged in (NTLM, Negotiate); the client has to log in again"
)


def cut_code(fault: UpstreamFault) -> str:
    """Return the code for the report on a response of which the client has the head already."""
    return "upstream-closed-in-mid-body" if fault is UpstreamFault.CLOSED_EARLY else fault.value


def program_of(config: Config, upstream: str) -> str:
    """Return the name of the program that devproxy runs for `upstream`; empty: it runs none."""
    return next((program.name for program in config.programs if program.upstream == upstream), "")


def failure(
    error: UpstreamError,
    compiled: CompiledRoute,
    server: Server,
    shared: SharedState,
    request: RequestHead,
) -> tuple[Answer, str]:
    """Return the answer to `request`, which `server` did not answer, and the detail for its report."""
    is_own = server.server.has_port and is_loopback(server.server.host)
    answer = answers.upstream_failed(
        error,
        upstream=compiled.upstream,
        route=compiled.label,
        absence=server.pool.absence(error.waited_s, may_wait=may_wait(request)),
        program=program_of(shared.current.snapshot.config, compiled.upstream),
        is_own_container=shared.is_in_container and is_own,
        unused_proxy=None if server.pool.upstream.proxy else unused_proxy(server.server, os.environ),
        is_webpack_perhaps=takes_common_path(request, compiled.route.pattern),
        tls=tls_settings(server.pool.upstream, server.server),
    )
    details = dict.fromkeys(f"{address}: {outcome}" for address, outcome in error.tried)
    certificate = "" if error.tls is None else certificate_text(error.tls.certificate)
    return answer, "; ".join(filter(None, (", ".join(details) or error.detail, certificate)))
