"""``devproxy explain``: one request, from the page to the server and back, with the rule for every difference.

Uses the same plan, policy and repairs as a running devproxy, and the same verdict of what a browser does with
the result, with devproxy and without. Nothing is sent unless ``--send`` asks for it, and then in a browser's order:
what a browser would not send, because its preflight fails or the browser itself blocks it, is not sent either. Start
at :func:`run`.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Generator, Iterator
from typing import Final, NamedTuple

from devproxy.answers import Answer, compose
from devproxy.authority.hosts import authority
from devproxy.authority.origins import OPAQUE, normalised, web_origin
from devproxy.cli.behind import own_authority, own_scheme, place_behind
from devproxy.cli.bodies import body_lines
from devproxy.cli.differences import INDENT, differences
from devproxy.cli.hot_reload import words_on
from devproxy.cli.in_force import in_force
from devproxy.cli.refusal import FAILED, FINE, Refused, put
from devproxy.cli.routes import compiled, place_of_route, upstream_text
from devproxy.cli.typed_request import Target, as_browsers_send, method_as_fetch_sends, read_request, read_target
from devproxy.config.model import Config, Scheme, ServerAddress
from devproxy.console.style import Style
from devproxy.http.fields import Role, elements_of, parse_fields, values_of
from devproxy.http.messages import RequestHead, ResponseHead
from devproxy.http1.head import parse_request_head
from devproxy.http1.render import render_response
from devproxy.plan import (
    Forward,
    Plan,
    Respond,
    Snapshot,
    advice_on_body,
    answers_preflight,
    changes_to,
    edit_response,
    plan_plain_request,
    plan_request,
    render_request,
)
from devproxy.policy.addressing import addressing_text
from devproxy.policy.cookies import browser_verdict, front_of
from devproxy.policy.hop import Peer
from devproxy.policy.hosts import is_own_origin
from devproxy.policy.verdict import (
    ALLOWED,
    Hop,
    Obstacle,
    PageRequest,
    RequestKind,
    Verdict,
    asks_first,
    judge,
    judge_exchange,
    obstacles,
    unsafe_names,
)
from devproxy.routing.table import label
from devproxy.text.safe import visible

_EXAMPLE: Final = "devproxy explain /api/items --origin http://localhost:3000"


def run(options: argparse.Namespace) -> int:
    """Run ``devproxy explain``; return 1 when the request is refused, or a browser would block its answer."""
    target = read_target("explain", options.url, _EXAMPLE)
    target = target._replace(path=as_browsers_send(target.path))
    found = in_force(options, target.authority)
    snapshot, style = compiled(options, None if found is None else found[0])
    if found is not None:
        put(style.dim(visible(f"as the devproxy at {found[1].urls[0]} does it (pid {found[1].pid})")) + "\n")
    front = own_authority(snapshot.config) if found is None else found[1].urls[0].partition("//")[2].rstrip("/")
    place = place_behind(snapshot.config, target, front)
    if place is not None:
        put("\n".join(place.lines(style)) + "\n\n")
        target = place.target
    head = _request(options, target, snapshot.config, front)
    peer = Peer("127.0.0.1", target.scheme or own_scheme(snapshot.config))
    report = Report(snapshot, head, style, peer, with_credentials=options.credentials == "include")
    for line in report.lines(sends=options.send, forces=options.force):
        put(line + "\n")
    return FAILED if report.is_refused else FINE


def _request(options: argparse.Namespace, target: Target, config: Config, front: str) -> RequestHead:
    """Return the request as a browser sends it, as far as the options tell. `front`: the Host, if they name none."""
    lines: list[str] = list(options.header)
    if options.origin is not None:
        lines.append(f"Origin: {_origin(options.origin)}")
    elif target.is_websocket and not any(line.lower().startswith("origin:") for line in lines):
        scheme = target.scheme or own_scheme(config)
        lines.append(f"Origin: {web_origin(scheme, (target.authority or front).encode()).decode()}")
    return read_request("explain", method_as_fetch_sends(options.method), target, lines, _EXAMPLE, default_host=front)


def _origin(text: str) -> str:
    """Return the origin that `text` is, as a browser writes it. Raises :class:`Refused`."""
    written = text.encode("utf-8", "surrogateescape")
    origin = written if written == OPAQUE else normalised(written)
    if origin is None:
        raise Refused(f"--origin: {visible(text)} is not an origin as a browser writes it", _EXAMPLE)
    return origin.decode()


# -- the report -------------------------------------------------------------------------------------------------------


class Preflight(NamedTuple):
    """The preflight of a request through devproxy. ``answer``: None where only the server knows it, and was not asked.

    ``refusal``: devproxy's own answer, where that refuses it, or the handshake of a WebSocket.
    """

    answer: Hop | None = None
    refusal: Answer | None = None


class Report:
    """What happens to a request of `peer`. ``is_refused``: devproxy refuses it, or a browser would block the answer."""

    def __init__(
        self, snapshot: Snapshot, head: RequestHead, style: Style, peer: Peer, *, with_credentials: bool
    ) -> None:
        self._peer = peer
        self._snapshot = snapshot
        self._head = head
        self._style = style
        self._with_credentials = with_credentials
        self._is_navigation = head.facts.fetch_mode == b"navigate"
        self.is_refused = False

    def lines(self, *, sends: bool, forces: bool = False) -> Iterator[str]:
        """Give the report, line by line; `sends`: ask the server, and say what comes back.

        `forces`: even where a browser would not send the request.
        """
        head, style = self._head, self._style
        yield f"{style.bold(visible(head.method))} {visible(head.target)}  {style.dim(self._who())}"
        plan = self._plan(head)
        yield from self._route(plan)
        if isinstance(plan, Respond):
            yield from self._respond(plan)
            return
        if rule := form_rule(plan, head):
            self._is_navigation = True
            yield f"that page may post a form here: {visible(rule)}"
        server = self._server(plan)
        sent = render_request(plan, head, self._peer, server)
        yield ""
        proxy = self._snapshot.config.upstream(plan.compiled.upstream).proxy
        way = "" if proxy is None else f" by way of the proxy {visible(proxy.url)}"
        yield style.bold(f"request to {visible(server.url)}{way}")
        before = [b"%b %b HTTP/1.1" % (head.method, head.path), *head.lines]
        yield from differences(before, sent[:-4].split(b"\r\n"), plan, style, is_request=True)
        yield from self._in_order(plan, server, sent, sends=sends, forces=forces)

    def _in_order(
        self, plan: Forward, server: ServerAddress, sent: bytes, *, sends: bool, forces: bool
    ) -> Iterator[str]:
        """Go on as a browser does: whether it sends anything, the preflight, the request, the answer."""
        style = self._style
        preflight = self._own_preflight(sends=sends)
        is_stopped = yield from self._before_sending(preflight)
        if not sends:
            yield ""
            yield style.dim("nothing was sent; --send sends it, and shows the answer and what a browser does with it")
        elif is_stopped and not forces:
            yield style.dim("it was not sent, because a browser does not send it either; --force sends it all the same")
            yield from self._preflight_without(plan)
        else:
            yield from self._answer(plan, server, sent, preflight)

    def _before_sending(self, preflight: Preflight) -> Generator[str, None, bool]:
        """Say what a browser does before it sends the request; return whether it does not get to that."""
        if not self._is_cross_origin or self._is_navigation:
            return False
        yield from self._hindered("through devproxy", found := self._obstacles(self._own_origin))
        is_stopped = any(one.is_certain for one in found)
        if preflight.answer is not None and not self._is_preflight:
            verdict = self._on_preflight(preflight)
            is_stopped = is_stopped or verdict.is_blocked
            where = "through devproxy" if verdict.is_blocked else "the preflight through devproxy"
            yield ""
            yield from self._verdict(where, verdict, "goes on to the request itself")
        self.is_refused = self.is_refused or is_stopped
        return is_stopped

    def _plan(self, head: RequestHead) -> Plan:
        if self._peer.scheme == "https":
            return plan_request(head, self._snapshot)
        return plan_plain_request(head, self._snapshot, self._peer)

    def _who(self) -> str:
        origins = self._head.facts.origins
        return f"Host: {visible(self._head.host)}" + (f"  Origin: {visible(origins[0])}" if origins else "")

    def _route(self, plan: Plan) -> Iterator[str]:
        head = self._head
        path = head.path.partition(b"?")[0]
        verdicts = self._snapshot.table.explain(head.method, path, head.host, head.fields)
        chosen = next((verdict for verdict in verdicts if verdict.chosen), None)
        if chosen is None:
            yield "no route matches it (devproxy routes --test says why)"
            return
        route = chosen.route
        yield f"route {self._style.green(visible(label(route)))}: {visible(', '.join(chosen.reasons))}"
        place = place_of_route(self._snapshot.config, route) or self._snapshot.config.source
        upstream = upstream_text(self._snapshot.config, route.upstream)
        yield f"{self._style.dim(f'{upstream}, cors {route.cors.mode} ({visible(place)})')}"
        servers = self._snapshot.config.upstream(route.upstream).servers
        yield self._style.dim(visible(", ".join(addressing_text(route, servers, is_full=True))))
        if words := words_on(self._snapshot, head):
            yield f"{self._style.cyan('hot reload:')} {words}"

    def _respond(self, plan: Respond) -> Iterator[str]:
        """Say what devproxy itself answers, and what a browser does with it."""
        answer, style = plan.answer, self._style
        code = f" {answer.code}" if answer.code else ""
        self.is_refused = answer.status >= 400
        paint = style.red if self.is_refused else style.green
        yield ""
        yield f"{paint('devproxy answers this itself:')} {answer.status}{code}"
        yield from (visible(text) for text in (answer.what, answer.help) if text)
        yield from (INDENT + visible(line) for line in plan.lines)
        if self._is_websocket or (self._is_cross_origin and not self._is_preflight and not self._is_navigation):
            yield from self._hindered("through devproxy", self._obstacles(self._own_origin))
            yield ""
            own = self._own_preflight(sends=False)
            if self._is_websocket:
                own = Preflight(refusal=answer)
            yield from self._judged(self._read(answer, plan.lines), own)

    def _read(self, answer: Answer, lines: tuple[bytes, ...]) -> Hop:
        composed = compose(answer, self._head, lines)
        return Hop(status=composed.status, fields=tuple(parse_fields(composed.lines)))

    def _server(self, plan: Forward) -> ServerAddress:
        return self._snapshot.config.upstream(plan.compiled.upstream).servers[0]

    def _ask(self, plan: Forward, octets: bytes) -> tuple[ResponseHead, bytes]:
        """Send `octets` to the server of `plan`; return the head of its final answer, and how the body begins.

        Raises :class:`Refused`.
        """
        from devproxy.cli.probing import Asked, head_of_answer

        config = self._snapshot.config
        asked = Asked(self._server(plan), config.upstream(plan.compiled.upstream), os.path.dirname(config.source))
        return head_of_answer(asked, octets, self._snapshot.response_limits)

    def _answer(self, plan: Forward, server: ServerAddress, sent: bytes, preflight: Preflight) -> Iterator[str]:
        theirs, body = self._ask(plan, sent)
        edits = edit_response(plan, self._head, theirs, self._peer, server)
        ours = Hop.after(theirs, edits)
        octets, _ = render_response(theirs, edits, self._head, 0, False)
        style = self._style
        yield ""
        yield style.bold("answer to the browser")
        shown = octets[:-4].split(b"\r\n")
        yield from differences([theirs.start, *theirs.lines], shown, plan, style, is_request=False)
        for change in changes_to(plan, self._head, theirs, self._peer, server):
            yield f"{INDENT}{style.dim(visible(change))}"
        yield from body_lines(theirs, body, style)
        if advice := advice_on_body(plan, self._head.path, theirs, body, server):
            yield f"{style.cyan('help:')} {visible(advice)}"
        yield from self._verdicts(ours, Hop.of(theirs), plan, preflight)
        front = front_of(self._peer.scheme, self._head.host)
        for field in ours.fields:
            if field.role == Role.SET_COOKIE and (words := browser_verdict(field.value, front=front)):
                yield f"through devproxy: {visible(words)}"

    # -- verdicts

    @property
    def _is_websocket(self) -> bool:
        return self._head.facts.upgrade == b"websocket"

    @property
    def _is_preflight(self) -> bool:
        return self._head.method == b"OPTIONS" and self._head.first(b"access-control-request-method") is not None

    @property
    def _own_origin(self) -> bytes:
        return web_origin(self._peer.scheme, self._head.host)

    @property
    def _is_cross_origin(self) -> bool:
        origins = self._head.facts.origins
        return bool(origins) and origins[0] != self._own_origin

    def _obstacles(self, target: bytes) -> tuple[Obstacle, ...]:
        return obstacles(self._head.facts.origins[0], target, is_websocket=self._is_websocket)

    def _verdicts(self, ours: Hop, theirs: Hop, plan: Forward, preflight: Preflight) -> Iterator[str]:
        """Say what a browser does with the answer, with devproxy and without."""
        yield ""
        if self._is_websocket and self._head.facts.origins:
            yield from self._judged(ours, preflight)
            yield from self._judged_without(theirs, plan)
        elif self._is_navigation and self._is_cross_origin:
            yield f"{self._style.green('a browser shows it')}: CORS does not apply to navigations"
        elif self._is_preflight and self._is_cross_origin:
            for where, answer in (("through devproxy", ours), ("without devproxy", theirs)):
                verdict = judge_exchange(self._head, answer, scheme=self._peer.scheme) or ALLOWED
                self.is_refused = self.is_refused or (answer is ours and verdict.is_blocked)
                yield from self._verdict(where, verdict, "goes on to the request itself")
        elif self._is_cross_origin:
            yield from self._judged(ours, preflight)
            yield from self._judged_without(theirs, plan)
        elif self._head.facts.fetch_site in (b"", b"same-origin", b"none"):
            yield f"{self._style.green('a browser lets the page read it')}: page and answer have the same origin"
        else:
            yield "the request has no Origin, so a browser makes no CORS check"

    def _judged_without(self, theirs: Hop, plan: Forward) -> Iterator[str]:
        """Say what a browser would make of the answer if its page asked the server itself."""
        if (target := self._origin_behind(plan)) is None:
            is_file = self._server(plan).scheme is Scheme.RECORDING
            yield f"without devproxy: no browser can reach a {'recording' if is_file else 'Unix socket'}"
            return
        yield from self._hindered("without devproxy", self._obstacles(target))
        preflight = self._asked_without(plan) if asks_first(self._page(target)) else None
        yield from self._verdict("without devproxy", self._judge(target, theirs, preflight))

    def _preflight_without(self, plan: Forward) -> Iterator[str]:
        """Say what a browser would make of the server's own answer to the preflight."""
        if (target := self._origin_behind(plan)) is not None and asks_first(self._page(target)):
            verdict = self._judge(target, Hop(200, tuple(parse_fields(self._permission()))), self._asked_without(plan))
            where = "without devproxy" if verdict.is_blocked else "the preflight without devproxy"
            yield from self._verdict(where, verdict, "goes on to the request itself")

    def _permission(self) -> list[bytes]:
        """Return the lines that let the page read an answer, for one that is not known."""
        origin = self._head.facts.origins[0]
        return [b"Access-Control-Allow-Origin: " + origin, b"Access-Control-Allow-Credentials: true"]

    def _origin_behind(self, plan: Forward) -> bytes | None:
        """Return the origin of the server itself; None for a Unix socket."""
        server = self._server(plan)
        if not server.has_port:
            return None
        return web_origin("https" if server.scheme is Scheme.HTTPS else "http", self._authority_behind(plan))

    def _authority_behind(self, plan: Forward) -> bytes:
        server = self._server(plan)
        return authority(server.host, server.port).encode()

    def _asked_without(self, plan: Forward) -> Hop:
        """Return the server's answer to the preflight that a page would send it without devproxy."""
        block = self._preflight_block(plan.path or self._head.path, self._authority_behind(plan))
        return Hop.of(self._ask(plan, block + b"\r\n\r\n")[0])

    def _judged(self, ours: Hop, preflight: Preflight) -> Iterator[str]:
        """Say what a browser does with the answer through devproxy.

        If devproxy itself refuses the preflight, the words are its own: they name the line to write.
        """
        verdict = self._with_own_words(self._judge(self._own_origin, ours, preflight.answer), preflight)
        self.is_refused = self.is_refused or verdict.is_blocked
        yield from self._verdict("through devproxy", verdict)

    def _on_preflight(self, preflight: Preflight) -> Verdict:
        """Return the verdict on `preflight` alone, as if the answer to the request itself were fine."""
        fine = Hop(200, tuple(parse_fields(self._permission())))
        return self._with_own_words(self._judge(self._own_origin, fine, preflight.answer), preflight)

    def _with_own_words(self, verdict: Verdict, preflight: Preflight) -> Verdict:
        if preflight.refusal is None or not verdict.is_blocked:
            return verdict
        return verdict._replace(what=preflight.refusal.what, fix=preflight.refusal.help)

    def _hindered(self, where: str, found: tuple[Obstacle, ...]) -> Iterator[str]:
        """Say what keeps, or may keep, the request from leaving the browser."""
        for verdict, condition in found:
            may = f"may block it before it is sent, {condition}" if condition else "blocks it before it is sent"
            yield ""
            yield f"{where}: {self._style.red(f'a browser {visible(may)}')} {self._style.dim(f'({verdict.step})')}"
            yield from self._words(verdict)

    def _verdict(self, where: str, verdict: Verdict, good: str = "") -> Iterator[str]:
        style = self._style
        if not verdict.is_blocked:
            good = good or ("opens the WebSocket" if self._is_websocket else "lets the page read it")
            yield f"{where}: {style.green(f'a browser {good}')}"
            return
        yield f"{where}: {style.red('a browser blocks it')} {style.dim(f'({verdict.step})')}"
        yield from self._words(verdict)

    def _words(self, verdict: Verdict) -> Iterator[str]:
        yield from (f"{INDENT}{visible(text)}" for text in (verdict.text, verdict.what) if text)
        yield f"{INDENT}{self._style.cyan('help:')} {visible(verdict.fix)}"

    def _page(self, target: bytes) -> PageRequest:
        head = self._head
        own = (b"host", b"origin", b"cookie", b"connection")
        set_by_page = (field for field in head.fields if field.name not in own and not field.name.startswith(b"sec-"))
        named = values_of(head.fields, b"sec-websocket-protocol")
        return PageRequest(
            kind=RequestKind.WEBSOCKET if self._is_websocket else RequestKind.FETCH,
            method=head.method,
            page=head.facts.origins[0],
            target=target,
            includes_credentials=self._with_credentials,
            headers=tuple((field.name, field.value) for field in set_by_page),
            key=head.first(b"sec-websocket-key") or b"",
            protocols=tuple(elements_of(b",".join(named))) if self._is_websocket else None,
        )

    def _judge(self, target: bytes, answer: Hop, preflight: Hop | None) -> Verdict:
        return judge(self._page(target), [answer], preflight)

    def _own_preflight(self, *, sends: bool) -> Preflight:
        """Return the preflight that a browser sends first, if one is due; `sends`: where it answers, ask the server."""
        if not self._head.facts.origins or not self._is_cross_origin or not asks_first(self._page(self._own_origin)):
            return Preflight()
        block = self._preflight_block(self._head.path, self._head.host)
        head = parse_request_head(block, self._snapshot.limits)
        plan: Plan | None = self._plan(head)
        if isinstance(plan, Forward) and not sends:
            return Preflight()
        if isinstance(plan, Forward):
            server = self._server(plan)
            theirs, _ = self._ask(plan, render_request(plan, head, self._peer, server))
            if answers_preflight(plan, head, theirs, self._peer, server):
                return Preflight(Hop.after(theirs, edit_response(plan, head, theirs, self._peer, server)))
            plan = plan.fallback
        if plan is None:
            return Preflight()
        return Preflight(self._read(plan.answer, plan.lines), plan.answer if plan.answer.status >= 400 else None)

    def _preflight_block(self, path: bytes, host: bytes) -> bytes:
        page = self._page(b"")
        names = b",".join(unsafe_names(page.headers))
        lines = [b"OPTIONS %b HTTP/1.1" % path, b"Host: " + host, b"Origin: " + page.page]
        lines.append(b"Access-Control-Request-Method: " + page.method)
        return b"\r\n".join((*lines, *((b"Access-Control-Request-Headers: " + names,) if names else ())))


def form_rule(plan: Forward, head: RequestHead) -> str:
    """Return what lets `head` in where ``form_post`` alone does: a form of a page that CORS does not know."""
    origins, forms = head.facts.origins, plan.compiled.forms
    if head.method != b"POST" or len(origins) != 1 or plan.cors.is_allowed or not plan.compiled.route.guard:
        return ""
    if is_own_origin(origins[0], head.host) or not forms.allows(origins[0]):
        return ""
    hides = " (a page of https hides its origin from plain http)" if origins[0] == OPAQUE else ""
    return f"form_post = {json.dumps(forms.written)}{hides}"
