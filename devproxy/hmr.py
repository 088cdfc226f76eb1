"""Hot-reload sockets of frontend dev servers: how their handshakes look. Pure; never decides where they go.

Whoever serves the page opens them, without asking the application where its routes lie, so a broad route can take them
away from the dev server by accident. Vite says by its subprotocol who it is; the others are known by their paths.
Engine.IO is never mistaken for one: every client of it sends ``EIO`` in the query. Start at :func:`is_hmr_handshake`.
"""

from __future__ import annotations

from typing import Final

from devproxy.engineio import parse_engine_request
from devproxy.messages import RequestHead

SUBPROTOCOLS: Final = frozenset((b"vite-hmr", b"vite-ping"))
PATHS: Final = (b"/_next/webpack-hmr", b"/_next/hmr", b"/ws", b"/ng-cli-ws", b"/rsbuild-hmr")
"""Next (12 and later; renamed in 16, vercel/next.js#91415), webpack-dev-server 4 and 5 and Rspack
(``client.webSocketURL.pathname``), Angular's webpack builder, Rsbuild (``dev.client.path``)."""
PREFIXES: Final = (b"/sockjs-node/",)
"""webpack-dev-server 3, whose SockJS also asks by plain requests."""


def is_hmr_handshake(head: RequestHead) -> bool:
    """Tell whether `head` opens a hot-reload socket (or belongs to one, for SockJS)."""
    if head.upgrade != b"websocket":
        return head.path.startswith(PREFIXES)
    if parse_engine_request(head.path) is not None:
        return False
    path = head.path.partition(b"?")[0]
    return path in PATHS or path.startswith(PREFIXES) or _speaks_vite(head)


def _speaks_vite(head: RequestHead) -> bool:
    offered = head.first(b"sec-websocket-protocol") or b""
    return not SUBPROTOCOLS.isdisjoint(name.strip(b" \t") for name in offered.lower().split(b","))
