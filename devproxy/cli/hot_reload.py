"""What ``check``, ``routes --test`` and ``explain`` say of hot-reload sockets: which rule chose the upstream that gets
one, and why.

Start at :func:`words_on` (one request) and :func:`note_on` (a whole configuration).
"""

from __future__ import annotations

from dataclasses import replace

from devproxy.config.model import Route
from devproxy.http.messages import RequestHead
from devproxy.plan import Forward, Snapshot, plan_request
from devproxy.policy.advice import WEBPACK_ADVICE
from devproxy.realtime.hot_reload import COMMON_PATH, HotReload, read_hot_reload
from devproxy.routing.table import label
from devproxy.text.safe import visible


def words_on(snapshot: Snapshot, head: RequestHead) -> str:
    """Return what a WebSocket at the path of `head` has to do with hot reload and which upstream gets it; empty for
    nothing.

    A plain request for such a path is taken as a question about the socket, too.
    """
    handshake = replace(head, facts=replace(head.facts, upgrade=b"websocket"))
    hot_reload = read_hot_reload(handshake)
    plan = None if hot_reload is None else plan_request(handshake, snapshot)
    if hot_reload is None or not isinstance(plan, Forward):
        return ""
    by_path = snapshot.table.match(head.method, head.path.partition(b"?")[0], head.host, head.fields)
    return visible(_words(hot_reload, by_path, plan.compiled.route))


def _words(hot_reload: HotReload, by_path: Route | None, route: Route) -> str:
    where = f"route {label(route)}, upstream {route.upstream}"
    if hot_reload.is_common and route.pattern != "/":
        return f"the routes decide where a WebSocket here goes: {where}. {WEBPACK_ADVICE}"
    who = f"a WebSocket here is {hot_reload.tool}'s hot-reload socket"
    if hot_reload.is_common:
        return f"{who}, or an application's, and only the route / matches it: {where}"
    if by_path is not None and by_path is not route:
        return (
            f"{who}, which goes to the upstream that serves /: {where} (route {label(by_path)} does not name its path)"
        )
    return f"{who}: {where}"


def note_on(snapshot: Snapshot) -> str:
    """Return a sentence on the route that takes ``/ws`` from the upstream that serves the page; empty if there is
    none."""
    names = [name.removeprefix("*.") for route in snapshot.config.routes for name in route.match_host]
    for name in ("localhost", *names):
        page = snapshot.table.match(b"GET", b"/", name.encode(), ())
        route = snapshot.table.match(b"GET", COMMON_PATH, name.encode(), ())
        if page is not None and route is not None and page.upstream != route.upstream and route.pattern != "/":
            return visible(
                f'/ws goes to "{route.upstream}" because the route {label(route)} matches it. {WEBPACK_ADVICE}'
            )
    return ""
