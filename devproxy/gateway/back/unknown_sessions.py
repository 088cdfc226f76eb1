"""Engine.IO sessions that turn up at a process that does not know them, where no key keeps them together.

Owns the few sessions opened last and what issued them, to tell a restart (nothing to do: clients reconnect) from
several processes behind one address (there is a key for that). Start at :meth:`UnknownSessions.meet`.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from devproxy.events import Trouble
from devproxy.http1.content import content
from devproxy.realtime.engineio import MAX_EXPLAINED_BYTES, is_unknown_session, parse_engine_request, session_id

if TYPE_CHECKING:
    from devproxy.config.model import Upstream
    from devproxy.gateway.shared.seam import Connection
    from devproxy.http.messages import RequestHead, ResponseHead

MAX_REMEMBERED: Final = 256


class UnknownSessions:
    """The sessions of one upstream without ``sticky = "socketio"``."""

    __slots__ = ("_is_told", "_opened_on", "_refused", "_upstream")

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._opened_on: OrderedDict[bytes, Connection] = OrderedDict()
        self._refused = b""
        self._is_told = False

    def learn(self, sid: bytes, connection: Connection) -> None:
        """Remember that `sid` was given out on `connection`."""
        if not self._is_told:
            self._opened_on[sid] = connection
            if len(self._opened_on) > MAX_REMEMBERED:
                self._opened_on.popitem(last=False)

    def meet(self, request: RequestHead, head: ResponseHead, body: bytes) -> Trouble | None:
        """Return what is to be said about an answer of 400, once: that the process that opened the session is still
        alive. One session may have been closed while a request of it was on its way; a second one was not."""
        engine = parse_engine_request(request.path)
        if engine is None or not engine.sid:
            return None
        sid = session_id(engine)
        opened_on = self._opened_on.get(sid)
        if opened_on is None or not opened_on.is_open:
            return None
        if not is_unknown_session(head.status, content(head, body, MAX_EXPLAINED_BYTES, is_decoded=None)):
            return None
        if self._refused in (b"", sid):
            self._refused = sid
            return None
        self._is_told = True
        self._opened_on.clear()
        name = self._upstream.name
        places = " and ".join(server.url for server in self._upstream.servers)
        return Trouble(
            f"{name}: {places} does not know an Engine.IO session that it issued itself: several processes answer "
            "there (PM2's cluster mode, Node's cluster, workers), and each knows only its own sessions",
            f'write sticky = "socketio" below [upstreams.{name}], so that a session stays with its process',
        )
