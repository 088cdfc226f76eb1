"""A request of an Engine.IO session, on its way to the one process among several that knows the session.

Processes that share an address (PM2's cluster mode, Node's ``cluster``, ``--workers``) differ only in their answers: a
process that does not have a session says so, with 400, and has done nothing else. So the request is sent again on other
connections, idle ones and new ones, until one of them takes it. Start at :meth:`SessionSearch.response`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from devproxy.errors import UpstreamError
from devproxy.gateway.back.relay import Relay
from devproxy.http1.content import content
from devproxy.realtime.engineio import MAX_EXPLAINED_BYTES, is_unknown_session
from devproxy.routing.balance import Balancer, Process

if TYPE_CHECKING:
    from devproxy.gateway.shared.seam import Asker, ByteStream, Connection, Loss
    from devproxy.http.messages import ResponseHead

MAX_ATTEMPTS: Final = 128
"""Connections that are tried for one request. Of 8 processes that take turns at random, all but one in 10^7 is met."""

MAX_SEEKING_S: Final = 15.0
MAX_KEPT_BYTES: Final = 1024 * 1024
"""Bytes of a request's body that are kept to be sent again. A longer one gets the first answer."""


def process_at(connection: Connection) -> Process:
    """Return the process at the other end of `connection`: an unknown one if nothing is known of it yet."""
    process = connection.process
    if process is None:
        process = connection.process = Process()
    return process.root


class SessionSearch(Relay):
    """The request of `asker` for the session `sid`, first on `connection`; empty: for a new one."""

    __slots__ = ("_attempts", "_balancer", "_held", "_kept", "_kept_bytes", "_sid", "_task", "_until")

    _connection: Connection

    def __init__(self, asker: Asker, connection: Connection, balancer: Balancer, sid: bytes) -> None:
        super().__init__(asker, connection)
        self._balancer = balancer
        self._sid = sid
        self._kept: list[bytes] = []
        self._kept_bytes = 0
        self._held: tuple[ResponseHead, int, bytes] | None = None
        self._attempts = 0
        self._until = 0.0
        self._task: asyncio.Task[None] | None = None

    # -- what the exchange sees of a connection --------------------------------------------------------------------

    def begin(self, asker: Asker, data: bytes) -> None:
        """Send `data` for `asker`, and keep it. An answer whose session has to be read must not be compressed."""
        self._asker = asker
        if not self._sid:
            lines = data.split(b"\r\n")
            data = b"\r\n".join(line for line in lines if line[:16].lower() != b"accept-encoding:")
        self._kept_bytes = -data.find(b"\r\n\r\n") - 4  # the head does not count
        self._keep(data)
        self._connection.begin(self, data)

    def send(self, data: bytes) -> None:
        """Send a further piece of the request's body, at once or with all of it on the next connection."""
        self._keep(data)
        if self._task is None and not self._is_released:
            self._connection.send(data)
        elif self._task is not None and not self._kept:
            self._give_up()

    def _keep(self, data: bytes) -> None:
        self._kept_bytes += len(data)
        if self._kept_bytes <= MAX_KEPT_BYTES:
            self._kept.append(data)
        else:
            self._kept.clear()

    def pause_reading(self) -> None:
        """The client takes its response slowly, but has nothing to take of one that is held."""
        if self._held is None:
            super().pause_reading()

    def resume_reading(self) -> None:
        """The client has caught up."""
        if self._held is None:
            super().resume_reading()

    def abandon(self) -> None:
        """The client has left: look no further."""
        if self._task is not None:
            self._task.cancel()
        else:
            super().abandon()

    # -- what the connection sees of an exchange -------------------------------------------------------------------

    def response(self, head: ResponseHead, body_length: int, payload: bytes, ended: bool) -> None:
        """Pass on an answer; hold one that may say that the session is not known until all of it has come."""
        self._is_released = ended
        if self._sid and (head.status == 400 or (head.status == 403 and self.request.upgrade)):
            self._held = head, body_length, b""
            self.response_data(payload, ended)
            return
        if head.status < 400:
            self._accept()
        self._asker.response(head, body_length, payload, ended)

    def response_data(self, data: bytes, ended: bool) -> None:
        """Take a further piece of the response's body; `ended`: nothing follows."""
        self._is_released = self._is_released or ended
        if self._held is None:
            self._asker.response_data(data, ended)
            return
        head, body_length, seen = self._held
        seen += data
        self._held = head, body_length, seen
        if not ended and len(seen) <= MAX_EXPLAINED_BYTES:
            return
        # An ASGI server turns any refusal of an upgrade into a 403 without words.
        if ended and (
            head.status == 403
            or is_unknown_session(
                head.status, content(head, seen, MAX_EXPLAINED_BYTES, is_decoded=self.client.decodes_chunks)
            )
        ):
            self._refuse()
        else:
            self._pass_on(ended=ended)

    def upgraded(self, head: ResponseHead, glued: bytes, stream: ByteStream) -> None:
        """Pass on that the upstream has switched protocols: it knows the session."""
        self._accept()
        super().upgraded(head, glued, stream)

    def upstream_lost(self, loss: Loss) -> None:
        """Pass on the loss; nothing that is held has been passed on before it."""
        self._held = None
        super().upstream_lost(loss)

    # -- the search ------------------------------------------------------------------------------------------------

    def _accept(self) -> None:
        """The session lives where this connection leads to."""
        if not self._sid:
            return
        sessions, process = self._balancer.sessions, process_at(self._connection)
        known = sessions.process_of(self._sid)
        self._connection.process = process = process if known is None else known.join(process)
        self._balancer.learn(self._sid, self._connection.server_pool.index, process)

    def _refuse(self) -> None:
        """Try another connection, unless nothing is known of the session or enough were tried."""
        process = self._balancer.sessions.process_of(self._sid)
        loop = asyncio.get_running_loop()
        if not self._attempts:
            self._until = loop.time() + MAX_SEEKING_S
        self._attempts += 1
        if process is not None:
            here = process_at(self._connection)
            if here is process:
                # It had the session and has closed it, as it does to a silent client. No other has it.
                process = None
            else:
                here.differ(process)
        if process is None or process.is_gone or not self._kept:
            self._give_up()
        elif self._attempts >= MAX_ATTEMPTS or loop.time() >= self._until:
            process.is_gone = True
            self._give_up()
        else:
            self._task = loop.create_task(self._try_next(process))

    async def _try_next(self, process: Process) -> None:
        server = self._connection.server_pool
        connection = server.take_for(process, self.client)
        try:
            connection = connection or await server.connect()
        except UpstreamError:
            self._task = None
            self._give_up()
            return
        self._task = None
        self._held = None
        self._is_released = False
        self._connection = connection
        self._asker.resume_request()  # the slow reader is no longer asked
        connection.begin(self, b"".join(self._kept))
        server.expect(connection)

    def _give_up(self) -> None:
        """No process has the session: let the client hear so, so that it begins a new one."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self._balancer.sessions.forget(self._sid)
        self._pass_on(ended=True)

    def _pass_on(self, *, ended: bool) -> None:
        assert self._held is not None
        (head, body_length, seen), self._held = self._held, None
        self._asker.response(head, body_length, seen, ended)
