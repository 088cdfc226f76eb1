"""A request that is forwarded, and its response: send, finish, relay, report.

Only the exchange knows both connections. It keeps the snapshot that it was born with, forwards each
piece in the loop turn in which it came, and reports its end exactly once (ADR 0004). Start at :meth:`Exchange.start`.
"""

from __future__ import annotations

from time import time
from typing import TYPE_CHECKING, Final

from devproxy import answers
from devproxy.errors import UpstreamError, UpstreamFault
from devproxy.events import Outcome, TunnelOpened
from devproxy.gateway.back.pending import PendingConnection
from devproxy.gateway.back.slow import SlowUpstream
from devproxy.gateway.back.sticky import StickyChoice
from devproxy.gateway.exchanges.advice import NONE, advice_on_switch, remarks_on
from devproxy.gateway.exchanges.answering import AWAITING_RESPONSE, OVER, PLANNED, RELAYING, Answering
from devproxy.gateway.exchanges.failure import CUT_SHORT, LOGIN_CODE, LOGIN_LOST, OTHER_KEY, cut_code, failure
from devproxy.gateway.exchanges.tunnel import Tunnel
from devproxy.gateway.reload import TunnelOrigin
from devproxy.gateway.shared.capture import Capture
from devproxy.gateway.shared.seam import Loss
from devproxy.http.messages import CHUNKED, RequestHead, ResponseHead
from devproxy.plan import Forward, Respond, answers_preflight, edit_response, render_request
from devproxy.policy.cors import local_lines
from devproxy.policy.verdict.handshake import accept_for

if TYPE_CHECKING:
    from devproxy.answers import Answer
    from devproxy.gateway.exchanges.report import Report
    from devproxy.gateway.shared.capture import Budget
    from devproxy.gateway.shared.seam import ByteStream, ClientStream, Connection, Server, Upstream
    from devproxy.gateway.shared.state import SharedState
    from devproxy.http.edits import ResponseEdits

_COMPLETE: Final = Outcome.COMPLETE


class Exchange(Answering):
    """A request that goes to an upstream, as `plan` says."""

    __slots__ = (
        "_deadline",
        "_has_retried",
        "_pending",
        "_plan",
        "_server",
        "_sticky",
        "_upstream",
    )

    def __init__(self, shared: SharedState, client: ClientStream, request: RequestHead, plan: Forward) -> None:
        current = shared.current
        pool = current.pools[plan.compiled.upstream]
        server = pool.only
        self._sticky: StickyChoice | None = None
        if server is None or plan.is_special:
            self._sticky = StickyChoice(pool, request, client)
            server = self._sticky.server
        self._server: Server = server
        self._shared = shared
        self._snapshot = current.snapshot
        self._plan = plan
        self._upstream: Upstream | None = None
        self._pending: PendingConnection | None = None
        self._phase = PLANNED
        self._has_retried = False
        self._status = 0
        self._started_at = shared.clock()
        self._first_byte_s = 0.0
        self._request_bytes = 0
        self._response_bytes = 0
        self._report: Report | None = None
        self.client = client
        self.request = request

    # -- the request's way up -------------------------------------------------------------------------------------

    def start(self, body: bytes, ended: bool, announced_bytes: int = 0) -> None:
        """Send the request on an idle connection, or get one."""
        self.is_request_sent = ended
        server = self._server
        server.outstanding += 1
        if body:
            self._request_bytes = len(body)
            if announced_bytes > self._snapshot.max_body_bytes:
                self._refuse(answers.body_too_large(self._snapshot.config.server.max_body_bytes))
                return
        if self._sticky is not None:
            fault = self._plan.compiled.fault
            self._wait_for_connection(body).set_out(server, 0.0 if fault is None else fault.latency_s)
            return
        connection = server.take_idle(self.client)
        if connection is not None:
            self._send_on(connection, body)
        else:
            self._wait_for_connection(body).dial(server)

    def take_idle(self, server: Server) -> Connection | None:
        """Return an idle connection to `server` that will do, or None."""
        return server.take_idle(self.client) if self._sticky is None else self._sticky.take_idle(server, self.client)

    def request_data(self, data: bytes, ended: bool, announced_bytes: int = 0) -> None:
        """Pass on a further piece of the request's body; the rest as for :meth:`start`."""
        self._request_bytes += len(data)
        self.is_request_sent = ended
        if announced_bytes > self._snapshot.max_body_bytes:  # one of a known length is refused by its plan
            self.request_broken(answers.body_too_large(self._snapshot.config.server.max_body_bytes))
            return
        if self._upstream is not None:
            if data:
                self._upstream.send(data)
            if ended:
                self.expect_response()
        elif self._pending is not None:
            self._pending.keep(data)

    def request_broken(self, answer: Answer) -> None:
        """The request's body turned out to be invalid or too large: the upstream must not take it for complete."""
        self._drop()
        if self._phase in (PLANNED, AWAITING_RESPONSE):
            self._refuse(answer)
        else:
            self._report_end(Outcome.ANSWERED, error=answer.code, detail=answer.what)
            self.client.abort(resets=True)

    @property
    def is_poll(self) -> bool:
        """Whether this is an Engine.IO poll, which must end upstream as soon as its client has left."""
        return self._plan.is_poll

    @property
    def is_bound(self) -> bool:
        """Whether no other server than the one chosen can answer."""
        return self._sticky is not None and self._sticky.is_bound

    def _wait_for_connection(self, body: bytes = b"") -> PendingConnection:
        """No connection yet; if the client leaves first, this is cancelled."""
        self._pending = pending = PendingConnection(self._shared.loop, self, bytearray(body))
        return pending

    def use(self, connection: Connection, server: Server, body: bytes) -> None:
        """Send on `connection`, which may lead to another server than `server`. `body`: what has come so far."""
        self._pending = None
        if connection.server_pool is not server:
            server.outstanding -= 1
            self._server = connection.server_pool
            self._server.outstanding += 1
        fault = self._plan.compiled.fault
        rate = 0.0 if fault is None else fault.bytes_per_s
        if self._plan.facts.logs_in:
            connection.bind(self.client)
        self.client.resume_reading()  # first: sending may pause it again
        carrier = connection if self._sticky is None else self._sticky.carry(connection, self)
        self._send_on(
            SlowUpstream(self._shared.loop, self, carrier, rate, self.expect_response) if rate else carrier, body
        )
        connection.server_pool.expect(connection)

    def _send_on(self, connection: Upstream, body: bytes) -> None:
        self._upstream = connection
        self._phase = AWAITING_RESPONSE
        server = connection.server_pool
        head = render_request(self._plan, self.request, self.client.peer, server.server)
        connection.begin(self, head + body if body else head)
        if server.response_timeout_s and self.is_request_sent:
            self.expect_response()

    def expect_response(self) -> None:
        """From here on a silent upstream is timed, if its configuration says so."""
        limit_s = self._server.response_timeout_s
        if limit_s and self._phase is AWAITING_RESPONSE and not self._is_sending_slowly:
            self._deadline = self._shared.loop.time() + limit_s
            self._shared.timed.append(self)

    @property
    def _is_sending_slowly(self) -> bool:
        """Whether a fault still holds some of a request that has come whole."""
        return self._upstream is not None and self._upstream.holds_request

    # -- the response's way down ---------------------------------------------------------------------------------

    def interim(self, head: ResponseHead) -> None:
        """Pass on a 1xx response."""
        edits = self._edit(head)
        if self._shared.observers.is_watched_closely:
            self._told.tell_response_head(head, edits)
        self.client.inform(head, edits)

    def response(self, head: ResponseHead, body_length: int, payload: bytes, ended: bool) -> None:
        """Send the final response head and what of its body came with it; `ended`: nothing follows."""
        forward, server, client = self._plan, self._server, self.client
        if ended:
            self._upstream = None  # it may serve others already: this client's pace must not hold it back
        if forward.fallback and not answers_preflight(forward, self.request, head, client.peer, server.server):
            self._told.tell_head(self._shared.observers, head.block, is_request=False, is_sent=False)
            self._answer_preflight(forward.fallback)
            return
        shared, facts = self._shared, head.facts
        self._phase = RELAYING
        edits = edit_response(forward, self.request, head, client.peer, server.server)
        if self._sticky is not None:
            edits = self._bind(self._sticky, edits, payload)
        self._status = facts.status
        if shared.observers.is_watched:
            self._first_byte_s = first_byte_s = shared.clock() - self._started_at
            if shared.observers.is_watched_closely:
                is_chunked = body_length == CHUNKED and not client.decodes_chunks
                self._told.tell_response(head, edits, payload, first_byte_s, ended=ended, is_chunked=is_chunked)
            may_be_blocked = forward.facts.origins and not edits.is_known_to_be_fine(client.peer.scheme)
            if may_be_blocked or facts.is_remarkable or shared.observers.wants_changes:
                remarks = remarks_on(shared, forward, self.request, head, edits, client.peer, server, payload)
                if remarks is not NONE:
                    self._told.remarks = remarks
                if shared.observers.to_evidence and (facts.status >= 400 or remarks.has_advice):
                    self._tell_evidence(head, edits)
        self._response_bytes = len(payload)
        client.respond(head, edits, body_length, payload, ended)
        if ended:
            self._report_end(_COMPLETE)

    def _edit(self, head: ResponseHead) -> ResponseEdits:
        return edit_response(self._plan, self.request, head, self.client.peer, self._server.server)

    def _answer_preflight(self, fallback: Respond) -> None:
        """The upstream gave a preflight no answer that a browser accepts: the route's policy gives one."""
        self._drop()
        self._respond(fallback.answer, fallback.lines)

    def response_data(self, data: bytes, ended: bool) -> None:
        """Send a further piece of the response's body; `ended`: nothing follows."""
        self._response_bytes += len(data)
        if self._sticky is not None and self._sticky.seeks_session:
            self._sticky.see(data, self._server.index)
        if not ended:
            self.client.send(data, False)
            return
        self._upstream = None
        self.client.send(data, True)
        self._report_end(_COMPLETE)

    def _bind(self, binding: StickyChoice, edits: ResponseEdits, payload: bytes) -> ResponseEdits:
        """Return `edits` with what binds the client to this server; look for the session it was given."""
        if payload and binding.seeks_session:
            binding.see(payload, self._server.index)
        return binding.mark(edits, self._server.index)

    def upgraded(self, head: ResponseHead, glued: bytes, stream: ByteStream) -> None:
        """The upstream has switched protocols: join both connections. `glued`: what it sent after its 101."""
        key = self.client.handshake_key
        if key and head.first(b"sec-websocket-accept") != accept_for(key):
            stream.abort()
            self.upstream_lost(Loss(UpstreamFault.BAD_RESPONSE, OTHER_KEY))
            return
        forward, server = self._plan, self._server
        edits = self._edit(head)
        marked = edits if self._sticky is None else self._sticky.mark(edits, server.index)
        self._told.tell_response_head(head, marked)
        if self._told.capture is not None:
            self._told.tell_evidence(self._told.capture)
        self._phase = OVER
        taken = self.client.take_over(head, marked, glued)
        opened = TunnelOpened(
            self._shared.next_tunnel_id(),
            self.request.target,
            head.facts.upgrade.decode("latin-1"),
            forward.compiled.label,
            forward.compiled.upstream,
            server.server.url,
            self.client.peer.address,
            self._told.duration_s,
            advice_on_switch(self._shared, forward, self.request, head, edits, self.client.peer, server),
            self._told.exchange_id,
            time(),
        )
        origin = TunnelOrigin(self._snapshot, forward.compiled.route, server.server)
        tunnel = Tunnel(
            self._shared, taken.stream, stream, opened, origin, on_end=server.end_one, fault=forward.compiled.fault
        )
        tunnel.open(early=taken.early, glued=glued, has_ended=taken.has_ended)

    def upstream_lost(self, loss: Loss) -> None:
        """The upstream's connection ended before its response did, or the response is not HTTP."""
        self._upstream = None
        if self._phase is RELAYING:
            self._cut_response(loss)
        elif loss.may_be_unread and loss.was_logged_in:
            self._end_with_login()
        else:
            if loss.may_be_unread:  # so may be the others, and not every request that takes one can be sent again
                self._server.close_idle()
            if loss.may_be_unread and self._may_retry:
                self._has_retried = True
                self._phase = PLANNED
                self._wait_for_connection().dial(self._server)
                return
            url = self._server.server.url
            self._upstream_failed(UpstreamError(loss.fault, url, loss.detail, cause=loss.cause, tls=loss.tls))

    @property
    def _may_retry(self) -> bool:
        """Whether to send the request again: only what RFC 9110 section 9.2.2 allows, and only once.

        The request is idempotent, has no body and is not a poll.
        """
        return self._plan.is_retriable and not self._has_retried

    def _end_with_login(self) -> None:
        """The connection has gone on which the client was logged in: its own ends likewise, without an answer.

        So it would be without devproxy. On another connection the request would be another one's, and a client that
        sees its kept connection end starts again on its own.
        """
        self._report_end(Outcome.UPSTREAM_LOST, error=LOGIN_CODE, detail=LOGIN_LOST)
        self.client.abort(resets=False)

    def _capture(self, budget: Budget | None) -> Capture:
        capture = Capture(self._snapshot.config, self.request, self.client.peer, self._plan, budget)
        if self._phase is not PLANNED:
            capture.server = self._server.server
        return capture

    def _cut_response(self, loss: Loss) -> None:
        """End the client's connection so that it can tell that the body is not complete (RFC 9112 section 8)."""
        if self._shared.observers.to_evidence:
            self._tell_evidence()
        self._report_end(Outcome.UPSTREAM_LOST, error=cut_code(loss.fault), detail=loss.detail or CUT_SHORT)
        self.client.abort(resets=loss.was_reset)

    def not_connected(self, error: UpstreamError) -> None:
        """Nothing has been sent. A session that lives in the memory of a server that is gone is gone with it."""
        self._pending = None
        if self.is_bound and error.fault in answers.NO_CONNECTION:
            self._refuse(answers.session_lost(error, upstream=self._plan.compiled.upstream))
        else:
            self._upstream_failed(error)

    def _upstream_failed(self, error: UpstreamError) -> None:
        if self._plan.fallback is not None:
            self._answer_preflight(self._plan.fallback)
            return
        answer, detail = failure(error, self._plan.compiled, self._server, self._shared, self.request)
        self._refuse(answer, detail)

    def _refuse(self, answer: Answer, detail: str = "") -> None:
        """Answer by oneself, so that a page that the route's policy allows can read it."""
        self._respond(answer, local_lines(self._plan.cors), detail=detail)

    # -- pressure, time and endings ------------------------------------------------------------------------------

    def pause_response(self) -> None:
        """The client takes its response slowly: read no more of it."""
        if self._upstream is not None:
            self._upstream.pause_reading()

    def resume_response(self) -> None:
        """The client has caught up."""
        if self._upstream is not None:
            self._upstream.resume_reading()

    def pause_request(self) -> None:
        """The upstream takes the request slowly: read no more of it."""
        self.client.pause_reading()

    def resume_request(self) -> None:
        """The upstream has caught up."""
        self.client.resume_reading()

    def look_at_clock(self, now: float) -> bool:
        """Answer when the upstream has been silent for ``response_timeout_s``; return whether it is still awaited."""
        if self._phase is not AWAITING_RESPONSE:
            return False
        if now < self._deadline:
            return True
        self._drop()
        limit_s = self._server.response_timeout_s
        detail = f"no response head within {limit_s:g} s"
        self._upstream_failed(UpstreamError(UpstreamFault.RESPONSE_TIMEOUT, self._server.server.url, detail))
        return False

    def _drop(self) -> None:
        if self._pending is not None:
            self._pending.cancel()
            self._pending = None
        if self._upstream is not None:
            self._upstream.abandon()
            self._upstream = None

    def _report_end(self, outcome: Outcome, *, error: str = "", detail: str = "") -> None:
        self._phase = OVER
        server = self._server
        server.outstanding -= 1
        observers = self._shared.observers
        # What is complete is no failure unless there are remarks on it, which are kept in the report.
        if observers.wants_ends and (observers.wants_every_end or outcome is not _COMPLETE or self._report is not None):
            compiled = self._plan.compiled
            self._tell_end(
                outcome, compiled.label, compiled.upstream, server.server.url, error, detail or compiled.fault_note
            )
