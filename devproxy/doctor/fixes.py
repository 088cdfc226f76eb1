"""What to write about a problem, by the name of the program that it is written in. Pure.

Start at :func:`fixes_for`. The snippets are whole enough to paste: the page's origin and the server's address are those
of the run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from devproxy.doctor import fixes_connections, fixes_origins
from devproxy.doctor.facts import Facts
from devproxy.doctor.observed import Seen
from devproxy.doctor.problems import Code


def fixes_for(code: Code, seen: Seen, *, is_engine: bool = True) -> dict[str, str]:
    """Return what to write about `code`, by the name of what it is written in. `is_engine`: it is about Socket.IO."""
    facts = Facts(seen)
    fix = _FIXES[code](facts)
    if is_engine or code not in _CORS_CODES:
        return fix
    return fixes_origins.rest_cors(facts)


_CORS_CODES: Final = frozenset(
    (
        Code.CORS_MISSING,
        Code.CORS_ORIGIN_NOT_ALLOWED,
        Code.CORS_WILDCARD_CREDENTIALS,
        Code.CORS_CREDENTIALS_MISSING,
        Code.CORS_ORIGIN_MALFORMED,
        Code.CORS_OPEN,
    )
)
_FIXES: Final[dict[Code, Callable[[Facts], dict[str, str]]]] = {
    Code.UNREACHABLE: fixes_connections.unreachable,
    Code.ADDRESS_FAMILY: fixes_connections.address,
    Code.SCHEME_MISMATCH: fixes_connections.scheme,
    Code.CERTIFICATE_UNTRUSTED: fixes_connections.certificate,
    Code.SINGLE_CONNECTION: fixes_connections.lone,
    Code.NOT_SOCKETIO: fixes_connections.not_socketio,
    Code.PATH_REDIRECT: fixes_connections.path,
    Code.PATH_WRONG: fixes_connections.path,
    Code.AUTH_REQUIRED: fixes_connections.auth,
    Code.EIO_VERSION: fixes_connections.version,
    Code.POLLING_DISABLED: fixes_connections.polling,
    Code.ORIGIN_CHECKED: fixes_origins.origin_checked,
    Code.CORS_DUPLICATE: fixes_origins.duplicate,
    Code.CORS_ORIGIN_MALFORMED: fixes_origins.cors,
    Code.CORS_MISSING: fixes_origins.cors,
    Code.CORS_ORIGIN_NOT_ALLOWED: fixes_origins.cors,
    Code.CORS_WILDCARD_CREDENTIALS: fixes_origins.cors,
    Code.CORS_CREDENTIALS_MISSING: fixes_origins.cors,
    Code.PREFLIGHT_WRONG_LAYER: fixes_origins.preflight,
    Code.PREFLIGHT_REFUSED: fixes_origins.preflight,
    Code.NOT_STICKY: fixes_connections.sticky,
    Code.UPGRADE_STRIPPED: fixes_connections.stripped,
    Code.UPGRADE_REFUSED: fixes_connections.upgrade,
    Code.NAMESPACE_REFUSED: fixes_connections.namespace,
    Code.TIMEOUT_SHORT: fixes_connections.timeout,
    Code.BUFFERED: fixes_connections.buffered,
    Code.COOKIE_DROPPED: fixes_origins.cookie,
    Code.WEBSOCKET_OPEN: fixes_origins.websocket_open,
    Code.CORS_OPEN: fixes_origins.cors_open,
}
