"""What ties one exchange to a server or a process: why it was chosen, and what has to be remembered.

Decides nothing: :mod:`devproxy.routing.balance` does. There is a binding only where there is something to choose, or
where a session may begin, so that an exchange with any other upstream pays nothing for it. Start at
:class:`StickyChoice`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from devproxy.gateway.back.session_search import SessionSearch, process_at
from devproxy.realtime.engineio import MAX_OPEN_BYTES, opened_session
from devproxy.routing.balance import Choice, Reason

if TYPE_CHECKING:
    from devproxy.gateway.shared.seam import Asker, ClientStream, Connection, Pool, Server, Upstream
    from devproxy.http.edits import ResponseEdits
    from devproxy.http.messages import RequestHead


class StickyChoice:
    """``is_bound``: no other server than the one chosen can answer. ``seeks_session``: the answer will name one.

    ``sid``: of the session that the request belongs to, where sessions are kept together; else empty.
    """

    __slots__ = ("_balancer", "_choice", "_connection", "_pool", "_seen", "is_bound", "seeks_session", "sid")

    def __init__(self, pool: Pool, request: RequestHead, client: ClientStream) -> None:
        login = client.logins.get(pool)
        choice = pool.choose(request) if login is None else Choice(login.server_pool.index, Reason.LOGIN)
        self._pool = pool
        self._balancer = pool.balancer
        self._choice = choice
        self._connection: Connection | None = None
        self._seen = b""
        self.is_bound = choice.is_bound
        self.seeks_session = pool.balancer.opens_session(request)
        self.sid = pool.balancer.session_of(request)

    @property
    def server(self) -> Server:
        """The server that was chosen."""
        return self._pool.servers[self._choice.server]

    def take_idle(self, server: Server, client: ClientStream) -> Connection | None:
        """Return an idle connection that may lead to the process of the session, or None."""
        process = self._balancer.sessions.process_of(self.sid)
        if process is None or self._choice.reason is Reason.LOGIN:
            return server.take_idle(client)
        return server.take_for(process, client)

    def carry(self, connection: Connection, asker: Asker) -> Upstream:
        """Return what sends on `connection` for `asker`: itself, or what takes care of the session.

        Credentials of a connection (NTLM, Negotiate) are never sent on a second one: that would be logged in too, and
        belong to no client.
        """
        self._connection = connection
        is_of_session = bool(self.sid) or (self.seeks_session and self._balancer.keeps_sessions)
        if not is_of_session or connection.owner is not None:
            return connection
        return SessionSearch(asker, connection, self._balancer, self.sid)

    def mark(self, edits: ResponseEdits, index: int) -> ResponseEdits:
        """Return `edits` of a response of the server `index` with a cookie where the client needs a new one.

        It does when it came without, or when its server is gone and another has answered.
        """
        if not self._balancer.cookie or self._choice == (index, Reason.COOKIE):
            return edits
        return edits.ending_with(self._balancer.cookie_line(index))

    def see(self, data: bytes, index: int) -> None:
        """Look for the id of a new session in `data`, a piece of the body that the server `index` answers with."""
        self._seen += data[:MAX_OPEN_BYTES]
        sid = opened_session(self._seen)
        if sid and self._connection is not None:
            if self._balancer.keeps_sessions:
                self._balancer.learn(sid, index, process_at(self._connection))
            else:
                self._pool.learn_session(sid, self._connection)
        if sid or len(self._seen) >= MAX_OPEN_BYTES:
            self._seen = b""
            self.seeks_session = False
