"""One request and its response, carried out: plan, send, finish, relay, report.

An exchange is the only one who knows both connections. It keeps the snapshot that it was born with, forwards each
piece in the loop turn in which it came, and reports its end exactly once (ADR 0004). Start at :meth:`Exchange.start`.
"""

from __future__ import annotations

from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Final

from devproxy import answers
from devproxy.errors import BadMessage, UpstreamError, UpstreamFault
from devproxy.events import Outcome
from devproxy.gateway.back.pending import PendingConnection
from devproxy.gateway.back.slow import SlowUpstream
from devproxy.gateway.back.sticky import StickyChoice
from devproxy.gateway.exchanges.advice import advice_on_switch, remarks_on, remarks_on_own
from devproxy.gateway.exchanges.failure import CUT_SHORT, LOGIN_CODE, LOGIN_LOST, cut_code, failure, may_be_dead
from devproxy.gateway.exchanges.phase import Phase
from devproxy.gateway.exchanges.report import Report
from devproxy.gateway.exchanges.tunnel import Tunnel
from devproxy.gateway.reload import TunnelOrigin
from devproxy.http.messages import RequestHead, ResponseHead
from devproxy.http1.render import render_own, render_response
from devproxy.plan import Forward, Respond, answers_preflight, edit_response, plan_request, render_request
from devproxy.policy.cors import local_lines

if TYPE_CHECKING:
    from devproxy.answers import Answer
    from devproxy.gateway.shared.seam import ClientStream, Connection, Pool, Server, Upstream
    from devproxy.gateway.shared.state import SharedState
    from devproxy.http.edits import ResponseEdits

# The members by names of their own: looking one up in its class costs as much as ten comparisons.
_PLANNED, _AWAITING_RESPONSE, _RELAYING, _OVER = Phase
_COMPLETE: Final = Outcome.COMPLETE


class Exchange:
    """A request being answered. ``is_request_sent``: all of the request's body has come, and is passed on at once."""

    __slots__ = (
        "_deadline",
        "_departure",
        "_forward",
        "_has_retried",
        "_phase",
        "_report",
        "_request_bytes",
        "_response_bytes",
        "_server",
        "_shared",
        "_snapshot",
        "_started_at",
        "_status",
        "_sticky",
        "_upstream",
        "client",
        "is_request_sent",
        "request",
    )

    def __init__(self, shared: SharedState, client: ClientStream, request: RequestHead) -> None:
        self._shared = shared
        self._snapshot = shared.snapshot
        self.client = client
        self._forward: Forward | None = None
        self._upstream: Upstream | None = None
        self._server: Server | None = None
        self._sticky: StickyChoice | None = None
        self._departure: PendingConnection | None = None
        self._phase = _PLANNED
        self._has_retried = False
        self._status = 0
        self._started_at = perf_counter()
        self._request_bytes = 0
        self._response_bytes = 0
        self._report: Report | None = None
        self.request = request

    @property
    def decodes_chunks(self) -> bool:
        """Whether the client cannot read the chunked coding."""
        return self.client.decodes_chunks

    # -- the request's way up -------------------------------------------------------------------------------------

    def start(self, body: bytes, ended: bool, announced_bytes: int = 0) -> None:
        """Plan the exchange and set it going; `body`: what of the request's body came with its head.

        `ended`: nothing follows. `announced_bytes`: how much there is so far of a body whose length was not given.
        """
        self.is_request_sent = ended
        shared = self._shared
        if shared.observers.to_progress:
            self._told.tell_started()
        plan = plan_request(self.request, self._snapshot)
        if isinstance(plan, Respond):
            if plan.delay_s:
                self._depart().delay(plan.delay_s, partial(self._give, plan))
            else:
                self._give(plan)
            return
        self._forward = plan
        if body:
            self._request_bytes = len(body)
            if announced_bytes > self._snapshot.max_body_bytes:
                self._respond(answers.body_too_large(self._snapshot.config.server.max_body_bytes))
                return
        pool = shared.pools[plan.compiled.upstream]
        server = pool.only
        if server is None or plan.is_special:
            self._start_with_care(plan, pool, body)
            return
        self._server = server
        server.outstanding += 1
        connection = server.take_idle(self.client)
        if connection is not None:
            self._send_on(connection, body)
        else:
            self._depart(body).dial(server)

    def _start_with_care(self, plan: Forward, pool: Pool, body: bytes) -> None:
        """Set it going where there is more to do than to send it: something to choose, to remember or to hold back."""
        self._sticky = StickyChoice(pool, self.request, self.client)
        self._server = server = self._sticky.server
        server.outstanding += 1
        fault = plan.compiled.fault
        self._depart(body).set_out(server, 0.0 if fault is None else fault.latency_s)

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
        elif self._departure is not None:
            self._departure.keep(data)

    def request_broken(self, answer: Answer) -> None:
        """The request's body turned out to be invalid or too large: the upstream must not take it for complete."""
        self._drop_upstream()
        if self._phase in (_PLANNED, _AWAITING_RESPONSE):
            self._respond(answer)
        else:
            self._finish(Outcome.ANSWERED, error=answer.code, detail=answer.what)
            self.client.abort(resets=True)

    @property
    def sent_bytes(self) -> int:
        """Octets of the response's body that have been sent to the client, its head counted as one more."""
        return self._response_bytes + (self._status != 0)

    @property
    def is_poll(self) -> bool:
        """Whether this is an Engine.IO poll, which must end upstream as soon as its client has left."""
        return self._forward is not None and self._forward.is_poll

    @property
    def is_bound(self) -> bool:
        """Whether no other server than the one chosen can answer."""
        return self._sticky is not None and self._sticky.is_bound

    def _depart(self, body: bytes = b"") -> PendingConnection:
        """There is no connection yet. Who leaves before there is one cancels this."""
        self._departure = departure = PendingConnection(self._shared.loop, self, body)
        return departure

    def use(self, connection: Connection, server: Server, body: bytes) -> None:
        """Send on `connection`, which may lead to another server than `server`. `body`: what has come so far."""
        assert self._forward is not None
        self._departure = None
        if connection.server_pool is not server:
            server.outstanding -= 1
            self._server = connection.server_pool
            self._server.outstanding += 1
        fault = self._forward.compiled.fault
        rate = 0.0 if fault is None else fault.bytes_per_s
        if self._forward.facts.logs_in:
            connection.bind(self.client)
        self.client.resume_reading()  # first: sending may pause it again
        carrier = connection if self._sticky is None else self._sticky.carry(connection, self)
        self._send_on(
            SlowUpstream(self._shared.loop, self, carrier, rate, self.expect_response) if rate else carrier, body
        )
        connection.server_pool.expect(connection)

    def _send_on(self, connection: Upstream, body: bytes) -> None:
        assert self._forward is not None
        self._upstream = connection
        self._phase = _AWAITING_RESPONSE
        server = connection.server_pool
        head = render_request(self._forward, self.request, self.client.peer, server.server)
        if self._shared.observers.to_progress:
            self._told.tell_sent(self._forward.compiled, server)
        connection.begin(self, head + body if body else head)
        if server.response_timeout_s and self.is_request_sent:
            self.expect_response()

    def expect_response(self) -> None:
        """From here on a silent upstream is timed, if its configuration says so."""
        assert self._server is not None
        limit_s = self._server.response_timeout_s
        if limit_s and self._phase is _AWAITING_RESPONSE and not self._is_sending_slowly:
            self._deadline = self._shared.loop.time() + limit_s
            self._shared.timed.append(self)

    @property
    def _is_sending_slowly(self) -> bool:
        """Whether a fault still holds some of a request that has come whole."""
        return self._upstream is not None and self._upstream.holds_request

    # -- the response's way down ---------------------------------------------------------------------------------

    def interim(self, head: ResponseHead) -> None:
        """Pass on a 1xx response."""
        self.client.inform(self._render(head, self._edit(head)))

    def response(self, head: ResponseHead, body_length: int, payload: bytes, ended: bool) -> None:
        """Send the final response head and what of its body came with it; `ended`: nothing follows."""
        forward, server, client = self._forward, self._server, self.client
        assert forward is not None
        assert server is not None
        if ended:
            self._upstream = None  # it may serve others already: this client's pace must not hold it back
        if forward.fallback and not answers_preflight(forward, self.request, head, client.peer, server.server):
            self._answer_preflight(forward.fallback)
            return
        shared, facts = self._shared, head.facts
        self._phase = _RELAYING
        edits = edit_response(forward, self.request, head, client.peer, server.server)
        if shared.observers.is_watched:
            report = self._told
            report.tell_begun(facts.status)
            if forward.facts.origins or facts.is_remarkable or shared.observers.wants_changes:
                report.remarks = remarks_on(shared, forward, self.request, head, edits, client.peer, server, payload)
        if self._sticky is not None:
            edits = self._bind(self._sticky, edits, payload)
        close = not self.is_request_sent or client.is_ending
        octets, closes = render_response(head, edits, self.request, body_length, close)
        self._status = facts.status
        self._response_bytes = len(payload)
        client.respond(octets, payload, body_length, ended, closes)
        if ended:
            self._finish(_COMPLETE)

    def _edit(self, head: ResponseHead) -> ResponseEdits:
        assert self._forward is not None
        assert self._server is not None
        return edit_response(self._forward, self.request, head, self.client.peer, self._server.server)

    def _render(self, head: ResponseHead, edits: ResponseEdits) -> bytes:
        """Return an interim response or a switch of protocols as it goes to the client."""
        return render_response(head, edits, self.request, 0, False)[0]

    def _answer_preflight(self, fallback: Respond) -> None:
        """The upstream gave a preflight no answer that a browser accepts: the route's policy gives one."""
        self._drop_upstream()
        self._respond(fallback.answer, lines=fallback.lines)

    def response_data(self, data: bytes, ended: bool) -> None:
        """Send a further piece of the response's body; `ended`: nothing follows."""
        self._response_bytes += len(data)
        if self._sticky is not None and self._sticky.seeks_session and self._server is not None:
            self._sticky.see(data, self._server.index)
        if not ended:
            self.client.send(data, False)
            return
        self._upstream = None
        self.client.send(data, True)
        self._finish(_COMPLETE)

    def _bind(self, binding: StickyChoice, edits: ResponseEdits, payload: bytes) -> ResponseEdits:
        """Return `edits` with what binds the client to this server; look for the session it was given."""
        assert self._server is not None
        if payload and binding.seeks_session:
            binding.see(payload, self._server.index)
        return binding.mark(edits, self._server.index)

    def upgraded(self, head: ResponseHead, glued: bytes) -> None:
        """The upstream has switched protocols: join both connections. `glued`: what it sent behind its 101."""
        forward, upstream, server = self._forward, self._upstream, self._server
        assert forward is not None
        assert upstream is not None
        assert server is not None
        edits = self._edit(head)
        marked = edits if self._sticky is None else self._sticky.mark(edits, server.index)
        self._phase = _OVER
        taken = self.client.take_over(self._render(head, marked) + glued)
        tunnel = Tunnel(
            self._shared,
            taken.transport,
            upstream.detach(),
            target=self.request.target,
            protocol=head.facts.upgrade.decode("latin-1"),
            route=forward.compiled.label,
            upstream=forward.compiled.upstream,
            server=server.server.url,
            born=TunnelOrigin(self._snapshot, forward.compiled.route, server.server),
            client_address=self.client.peer.address,
            exchange_id=self._told.exchange_id,
            duration_s=self._told.duration_s,
            on_end=server.end_one,
            fault=forward.compiled.fault,
            advice=advice_on_switch(self._shared, forward, self.request, head, edits, self.client.peer, server),
        )
        tunnel.open(early=taken.early, glued=glued, has_ended=taken.has_ended)

    def upstream_lost(
        self, fault: UpstreamFault, detail: str, *, was_reset: bool, cause: BadMessage | None = None
    ) -> None:
        """The upstream's connection ended before its response did, or the response is not HTTP (`cause`: why)."""
        upstream, self._upstream = self._upstream, None
        assert self._server is not None
        if self._phase is _RELAYING:
            self._cut_response(fault, detail, was_reset=was_reset)
            return
        was_dead = upstream is not None and may_be_dead(upstream, fault)
        if was_dead and upstream is not None and upstream.is_logged_in:
            self._end_with_login()
            return
        if was_dead:
            self._server.close_idle()  # so may be the others, and not every request that takes one can be sent again
        if was_dead and self._may_retry:
            self._has_retried = True
            self._phase = _PLANNED
            self._depart().dial(self._server)
        else:
            self._upstream_failed(UpstreamError(fault, self._server.server.url, detail, cause=cause))

    @property
    def _may_retry(self) -> bool:
        """Whether to send the request again: only what RFC 9110 section 9.2.2 allows, and only once.

        The request is idempotent, has no body and is no poll.
        """
        return self._forward is not None and self._forward.is_retriable and not self._has_retried

    def _end_with_login(self) -> None:
        """The connection has gone on which the client was logged in: its own ends likewise, without an answer.

        So it would be without devproxy. On another connection the request would be another one's, and a client that
        sees its kept connection end begins anew by itself.
        """
        self._finish(Outcome.UPSTREAM_LOST, error=LOGIN_CODE, detail=LOGIN_LOST)
        self.client.abort(resets=False)

    def _cut_response(self, fault: UpstreamFault, detail: str, *, was_reset: bool) -> None:
        """End the client's connection so that it can tell that the body is not complete (RFC 9112 section 8)."""
        self._finish(Outcome.UPSTREAM_LOST, error=cut_code(fault), detail=detail or CUT_SHORT)
        self.client.abort(resets=was_reset)

    def not_connected(self, error: UpstreamError) -> None:
        """Nothing has been sent. A session that lives in the memory of a server that is gone is gone with it."""
        assert self._forward is not None
        self._departure = None
        if self.is_bound and error.fault in answers.NO_CONNECTION:
            self._respond(answers.session_lost(error, upstream=self._forward.compiled.upstream))
        else:
            self._upstream_failed(error)

    def _upstream_failed(self, error: UpstreamError) -> None:
        assert self._forward is not None
        assert self._server is not None
        if self._forward.fallback is not None:
            self._answer_preflight(self._forward.fallback)
            return
        answer, detail = failure(error, self._forward.compiled, self._server, self._shared, self.request)
        self._respond(answer, detail=detail)

    def _give(self, plan: Respond) -> None:
        self._respond(plan.answer, route=plan.route, lines=plan.lines)

    def _respond(
        self, answer: Answer, *, route: str = "", detail: str = "", lines: tuple[bytes, ...] | None = None
    ) -> None:
        """Answer without an upstream. The connection goes on only if the request is complete and asks for that.

        `lines`: that go with the answer; None: those by which a page that the route's policy allows can read it.
        """
        if lines is None:
            lines = () if self._forward is None else local_lines(self._forward.cors)
        client = self.client
        keeps = self.is_request_sent and self.request.facts.keep_alive and not client.is_ending and not answer.close
        composed = answers.compose(answer, self.request)
        data = render_own(*composed, last=lines, request=self.request, keep_alive=keeps)
        client.respond(data, b"", len(data), True, not keeps)
        self._status = answer.status
        self._told.remarks = remarks_on_own(self._shared, answer, route)
        self._response_bytes = len(data)
        self._finish(Outcome.ANSWERED, error=answer.code, detail=detail or answer.what, route=route)

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
        if self._phase is not _AWAITING_RESPONSE or self._server is None:
            return False
        if now < self._deadline:
            return True
        self._drop_upstream()
        limit_s = self._server.response_timeout_s
        detail = f"no response head within {limit_s:g} s"
        self._upstream_failed(UpstreamError(UpstreamFault.RESPONSE_TIMEOUT, self._server.server.url, detail))
        return False

    def client_left(self) -> None:
        """The client is gone: end the upstream's part at once, so that a poll does not overlap with the next one."""
        if self._phase is not _OVER:
            self._drop_upstream()
            self._finish(Outcome.CLIENT_LEFT)

    def stop(self) -> None:
        """End the exchange where it stands, because the client's connection is cut: devproxy stops."""
        if self._phase is not _OVER:
            self._drop_upstream()
            self._finish(Outcome.STOPPED)

    def _drop_upstream(self) -> None:
        if self._departure is not None:
            self._departure.cancel()
            self._departure = None
        if self._upstream is not None:
            self._upstream.abandon()
            self._upstream = None

    def _finish(self, outcome: Outcome, *, error: str = "", detail: str = "", route: str = "") -> None:
        """Report the end, of which the client has been told."""
        self._phase = _OVER
        if self._server is not None:
            self._server.outstanding -= 1
        if self._shared.observers.to_failures:
            self._told.tell_end(
                outcome,
                self._status,
                None if self._forward is None else self._forward.compiled,
                self._server,
                (self._request_bytes, self._response_bytes),
                error=error,
                detail=detail,
                route=route,
            )

    @property
    def _told(self) -> Report:
        """What is told of it, from when somebody looks for the first time."""
        if self._report is None:
            self._report = Report(self._shared, self.request, self.client.peer.address, self._started_at)
        return self._report
