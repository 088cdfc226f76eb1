"""Hot-reload sockets of frontend dev servers: how their handshakes look. Pure; never decides where they go.

The page's dev server opens them, whatever the application's routes are, so a broad route can take them
away from the dev server by accident. Vite says by its subprotocol who it is; others are known by paths that no
application would choose. ``/ws`` is a name that a backend is as likely to have, so it belongs to any route that takes
it. Engine.IO is never mistaken for one: every client of it sends ``EIO`` in the query.

Also which other requests a dev server accepts only from its own origin. Start at :func:`read_hot_reload`.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from devproxy.http.fields import elements_of
from devproxy.http.messages import RequestHead
from devproxy.realtime.engineio import parse_engine_request

NEXT: Final = "Next"
WEBPACK: Final = "webpack-dev-server"
MOVED_WEBPACK_PATH: Final = b"/_webpack/hmr"
"""Where the help says to put webpack's socket when :data:`COMMON_PATH` is another program's."""

SUBPROTOCOLS: Final = frozenset((b"vite-hmr", b"vite-ping"))
PATHS: Final = {
    b"/_next/webpack-hmr": NEXT,
    b"/_next/hmr": NEXT,
    b"/ng-cli-ws": "Angular",
    b"/rsbuild-hmr": "Rsbuild",
    b"/_bun/hmr": "Bun",
    b"/storybook-server-channel": "Storybook",
    MOVED_WEBPACK_PATH: WEBPACK,
}
"""Paths of handshakes that belong to one tool, and to which: Next 12 and later (renamed in 16,
vercel/next.js#91415), Angular's webpack builder, Rsbuild (``dev.client.path``), Bun, Storybook."""
PREFIXES: Final = (b"/sockjs-node/",)
"""webpack-dev-server 3, whose SockJS also asks by plain requests."""
COMMON_PATH: Final = b"/ws"
"""Of webpack-dev-server 4 and 5 and Rspack (``client.webSocketURL.pathname``), and of many a backend."""
_ENDINGS: Final = (b"/_next/hmr", b"/_next/webpack-hmr")
"""What comes after Next's ``basePath``. The upstream that serves that path serves the page."""


class HotReload(NamedTuple):
    """What asks for hot reload.

    ``tool``: the dev server whose page asks. ``path``: what a route has to name to take the request away from the
    upstream that serves ``/``; empty where it goes as any other request does. ``is_common``: an application may use
    that path too.
    """

    tool: str
    path: bytes = b""
    is_common: bool = False

    def may_go_by(self, pattern: str) -> bool:
        """Tell whether a route that takes the request may have it: its `pattern` begins with the path, in full."""
        claimed = self.path.removesuffix(b"/")
        return pattern.encode().startswith(claimed) if claimed else not self.path or pattern == "/"


_SOCKJS: Final = HotReload(WEBPACK, PREFIXES[0])
_AT_PATH: Final = {path: HotReload(tool, path) for path, tool in PATHS.items()} | {
    COMMON_PATH: HotReload(WEBPACK, is_common=True)
}
_NEXT_BELOW: Final = HotReload(NEXT)


def read_hot_reload(head: RequestHead) -> HotReload | None:
    """Return what `head` has to do with hot reload: it opens such a socket, or belongs to one of SockJS; else None."""
    if head.path.startswith(PREFIXES):
        return _SOCKJS
    if head.facts.upgrade != b"websocket" or parse_engine_request(head.path) is not None:
        return None
    path = head.path.partition(b"?")[0]
    if _speaks_vite(head):
        return HotReload("Vite", path)
    return _AT_PATH.get(path) or (_NEXT_BELOW if path.endswith(_ENDINGS) else None)


def wants_own_origin(head: RequestHead, pattern: str, host: str) -> bool:
    """Tell whether `head` is for a dev server that knows its own origin alone.

    It takes a route with `pattern` and the key `host`. Where that sends another Host than the server's own, only Next
    is meant, which looks at nothing but the Origin: for webpack-dev-server Host and Origin have to agree. Of a
    handshake at a common path that is known if only the upstream that serves ``/`` wants it.
    """
    if head.facts.upgrade != b"websocket":
        # Next gives fonts and source positions of its error overlay to no other origin.
        return has_own_segment(b"/" + head.path.partition(b"?")[0][1:].partition(b"/")[0])
    hot_reload = read_hot_reload(head)
    if hot_reload is None or (hot_reload.is_common and pattern != "/"):
        return False
    return host in ("auto", "upstream") or hot_reload.tool == NEXT


def has_own_segment(segment: bytes) -> bool:
    """Tell whether plain requests below the first `segment` of a path, with its slash, may be Next's own."""
    return segment == b"/_next" or segment.startswith(b"/__nextjs")


def takes_common_path(head: RequestHead, pattern: str) -> bool:
    """Tell whether `head` opens a WebSocket at :data:`COMMON_PATH` and takes a route with `pattern`, not ``/``."""
    hot_reload = read_hot_reload(head)
    return hot_reload is not None and hot_reload.is_common and pattern != "/"


def _speaks_vite(head: RequestHead) -> bool:
    offered = head.first(b"sec-websocket-protocol") or b""
    return not SUBPROTOCOLS.isdisjoint(elements_of(offered.lower()))
