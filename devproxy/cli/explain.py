"""``devproxy explain``: one request, from the page to the server and back, with the rule for every difference.

Uses the same plan, policy and repairs as a running devproxy, and the same verdict of what a browser does with
the result, with devproxy and without. Nothing is sent unless ``--send`` asks for it. Start at :func:`run`.
"""

from __future__ import annotations

import argparse
import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from devproxy.answers import Answer, compose
from devproxy.authority.hosts import authority, bracketed
from devproxy.authority.origins import OPAQUE, parse_origin, web_origin
from devproxy.cli.hot_reload import words_on
from devproxy.cli.refusal import FAILED, FINE, Refused, put
from devproxy.cli.routes import compiled, place_of_route, read_request
from devproxy.config.model import Config, Scheme, ServerAddress
from devproxy.console.style import Style
from devproxy.console.text import columns, padded
from devproxy.http.fields import Role, parse_fields, read_field
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
    PageRequest,
    RequestKind,
    Verdict,
    asks_first,
    judge,
    judge_exchange,
    unsafe_names,
)
from devproxy.routing.table import label
from devproxy.text.safe import visible

_EXAMPLE: Final = "devproxy explain /api/items --origin http://localhost:3000"
_INDENT: Final = "    "
_MAX_LINE: Final = 64
_WHY_UP: Final = {
    Role.HOST: "host, as the route says",
    Role.ORIGIN: "origin, as the route says",
    Role.VIA: "every gateway names itself (RFC 9110 section 7.6.3)",
    Role.FORWARDED_FOR: "the address of the client",
    Role.FORWARDED: "the origin that the browser asked for",
    Role.LOOK_ALIKE: "some servers take it for a field that devproxy sets or relies on",
    **dict.fromkeys(
        (Role.CONNECTION, Role.KEEP_ALIVE, Role.HOP_BY_HOP, Role.TE),
        "concerns one connection only (RFC 9110 section 7.6.1)",
    ),
}
_WHY_NAMED: Final = {
    b"x-real-ip": "the address of the client",
    b"x-forwarded-prefix": "the prefix that was removed from the path",
}
"""Fields that say something else than others of their role."""
_WHY_DOWN: Final = {
    Role.VARY: "the answer depends on the Origin",
    Role.ACCESS_CONTROL: "the route's CORS mode",
    Role.SET_COOKIE: "the route's cookie rules",
    Role.REFERENCE: "URLs of an upstream are mapped back to devproxy's origin",
    Role.RESOURCE_POLICY: "the route is only for pages of devproxy's own origin",
    Role.PIN: 'strict_transport_security = "drop" in [server]',
}


def run(options: argparse.Namespace) -> int:
    """Run ``devproxy explain``; return 1 when the request is refused or a browser would block its answer."""
    snapshot, style = compiled(options)
    head = _request(options, _front(snapshot.config))
    peer = Peer("127.0.0.1", _scheme(options.url, snapshot.config))
    report = Report(snapshot, head, style, peer, with_credentials=options.credentials == "include")
    put("\n".join(report.lines(sends=options.send)) + "\n")
    return FAILED if report.is_refused else FINE


def _scheme(url: str, config: Config) -> str:
    """Return the scheme of `url`; of a path alone: the one by which browsers come to devproxy."""
    scheme, separator, _ = url.partition("://")
    return scheme.lower() if separator else "http" if config.server.tls is False else "https"


def _front(config: Config) -> str:
    """Return the authority by which a browser asks for a path alone: where devproxy listens first."""
    listen = config.server.listen[0]
    host = bracketed(listen.host or "localhost")
    return host if listen.port in (0, 80) else f"{host}:{listen.port}"


def _request(options: argparse.Namespace, front: str) -> RequestHead:
    """Return the request as a browser sends it, as far as the options tell. `front`: the Host, if they name none."""
    lines: list[str] = list(options.header)
    if options.origin is not None:
        origin = options.origin.encode("utf-8", "surrogateescape")
        if origin != OPAQUE and parse_origin(origin) is None:
            raise Refused(f"--origin: {visible(options.origin)} is not an origin as a browser writes it", _EXAMPLE)
        lines.append(f"Origin: {options.origin}")
    return read_request("explain", options.method, options.url, None, lines, _EXAMPLE, default_host=front)


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

    def lines(self, *, sends: bool) -> Iterator[str]:
        """Give the report, line by line; `sends`: ask the server, and say what comes back."""
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
        yield from self._differences(before, sent[:-4].split(b"\r\n"), plan, _WHY_UP)
        if not sends:
            yield ""
            yield style.dim("nothing was sent; --send sends it, and shows the answer and what a browser does with it")
            return
        yield from self._answer(plan, server, sent)

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
        yield f"{self._style.dim(f'upstream {visible(route.upstream)}, cors {route.cors.mode} ({visible(place)})')}"
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
        yield from (_INDENT + visible(line) for line in plan.lines)
        if self._is_cross_origin and not self._is_preflight and not self._is_navigation:
            yield ""
            yield from self._judged(self._read(answer, plan.lines), sends=False)

    def _read(self, answer: Answer, lines: tuple[bytes, ...]) -> Hop:
        composed = compose(answer, self._head, lines)
        return Hop(status=composed.status, fields=tuple(parse_fields(composed.lines)))

    def _server(self, plan: Forward) -> ServerAddress:
        return self._snapshot.config.upstream(plan.compiled.upstream).servers[0]

    def _ask(self, plan: Forward, octets: bytes) -> tuple[ResponseHead, bytes]:
        """Send `octets` to the server of `plan`; return the head of its final answer, and how a refusal goes on.

        Raises :class:`Refused`.
        """
        from devproxy.cli.probing import Asked, head_of_answer

        config = self._snapshot.config
        asked = Asked(self._server(plan), config.upstream(plan.compiled.upstream), os.path.dirname(config.source))
        return head_of_answer(asked, octets, self._snapshot.response_limits)

    def _answer(self, plan: Forward, server: ServerAddress, sent: bytes) -> Iterator[str]:
        theirs, body = self._ask(plan, sent)
        edits = edit_response(plan, self._head, theirs, self._peer, server)
        ours = Hop.after(theirs, edits)
        octets, _ = render_response(theirs, edits, self._head, 0, False)
        yield ""
        yield self._style.bold("answer to the browser")
        yield from self._differences([theirs.start, *theirs.lines], octets[:-4].split(b"\r\n"), plan, _WHY_DOWN)
        for change in changes_to(plan, self._head, theirs, self._peer, server):
            yield f"{_INDENT}{self._style.dim(visible(change))}"
        if advice := advice_on_body(plan, self._head.path, theirs.status, body, server):
            yield f"{self._style.cyan('help:')} {visible(advice)}"
        yield from self._verdicts(ours, Hop.of(theirs), plan)
        front = front_of(self._peer.scheme, self._head.host)
        for field in ours.fields:
            if field.role == Role.SET_COOKIE and (words := browser_verdict(field.value, front=front)):
                yield f"through devproxy: {visible(words)}"

    # -- verdicts

    @property
    def _is_preflight(self) -> bool:
        return self._head.method == b"OPTIONS" and self._head.first(b"access-control-request-method") is not None

    @property
    def _is_cross_origin(self) -> bool:
        origins = self._head.facts.origins
        return bool(origins) and origins[0] != web_origin(self._peer.scheme, self._head.host)

    def _verdicts(self, ours: Hop, theirs: Hop, plan: Forward) -> Iterator[str]:
        """Say what a browser does with the answer, with devproxy and without."""
        yield ""
        if self._is_navigation and self._is_cross_origin:
            yield f"{self._style.green('a browser shows it')}: CORS does not apply to navigations"
        elif self._is_preflight and self._is_cross_origin:
            for where, answer in (("through devproxy", ours), ("without devproxy", theirs)):
                verdict = judge_exchange(self._head, answer, scheme=self._peer.scheme) or ALLOWED
                self.is_refused = self.is_refused or (answer is ours and verdict.is_blocked)
                yield from self._verdict(where, verdict, "goes on to the request itself")
        elif self._is_cross_origin:
            yield from self._judged(ours, sends=True)
            yield from self._judged_without(theirs, plan)
        elif self._head.facts.fetch_site in (b"", b"same-origin", b"none"):
            yield f"{self._style.green('a browser lets the page read it')}: page and answer have the same origin"
        else:
            yield "the request has no Origin, so a browser makes no CORS check"

    def _judged_without(self, theirs: Hop, plan: Forward) -> Iterator[str]:
        """Say what a browser would make of the answer if its page asked the server itself."""
        server = self._server(plan)
        if server.scheme is Scheme.UNIX:
            yield "without devproxy: no browser can reach a Unix socket"
            return
        asked = authority(server.host, server.port).encode()
        target = web_origin("https" if server.scheme is Scheme.HTTPS else "http", asked)
        preflight = None
        if asks_first(self._page(target)):
            block = self._preflight_block(plan.path or self._head.path, asked)
            preflight = Hop.of(self._ask(plan, block + b"\r\n\r\n")[0])
        yield from self._verdict("without devproxy", self._judge(target, theirs, preflight))

    def _judged(self, ours: Hop, *, sends: bool) -> Iterator[str]:
        """Say what a browser does with the answer through devproxy; `sends`: ask the server the preflight, if it is
        due.

        If devproxy itself refuses that, the words are its own: they name the line to write.
        """
        preflight, refusal = self._own_preflight(sends=sends)
        verdict = self._judge(web_origin(self._peer.scheme, self._head.host), ours, preflight)
        if refusal is not None and verdict.is_blocked:
            verdict = verdict._replace(what=refusal.what, fix=refusal.help)
        self.is_refused = self.is_refused or verdict.is_blocked
        yield from self._verdict("through devproxy", verdict)

    def _verdict(self, where: str, verdict: Verdict, good: str = "lets the page read it") -> Iterator[str]:
        style = self._style
        if not verdict.is_blocked:
            yield f"{where}: {style.green(f'a browser {good}')}"
            return
        yield f"{where}: {style.red('a browser blocks it')} {style.dim(f'({verdict.step})')}"
        yield f"{_INDENT}{visible(verdict.text)}"
        yield f"{_INDENT}{visible(verdict.what)}"
        yield f"{_INDENT}{style.cyan('help:')} {visible(verdict.fix)}"

    def _page(self, target: bytes) -> PageRequest:
        head = self._head
        own = (b"host", b"origin", b"cookie", b"connection")
        set_by_page = (field for field in head.fields if field.name not in own and not field.name.startswith(b"sec-"))
        return PageRequest(
            kind=RequestKind.WEBSOCKET if head.upgrade else RequestKind.FETCH,
            method=head.method,
            page=head.facts.origins[0],
            target=target,
            includes_credentials=self._with_credentials,
            headers=tuple((field.name, field.value) for field in set_by_page),
        )

    def _judge(self, target: bytes, answer: Hop, preflight: Hop | None) -> Verdict:
        return judge(self._page(target), [answer], preflight)

    def _own_preflight(self, *, sends: bool) -> tuple[Hop | None, Answer | None]:
        """Return the answer to the preflight that a browser sends first, and devproxy's own if that refuses it.

        None where no preflight is due, and where only the server could answer and nothing is to be sent.
        """
        target = web_origin(self._peer.scheme, self._head.host)
        if not asks_first(self._page(target)):
            return None, None
        block = self._preflight_block(self._head.path, self._head.host)
        head = parse_request_head(block, self._snapshot.limits)
        plan: Plan | None = self._plan(head)
        if isinstance(plan, Forward) and sends:
            server = self._server(plan)
            theirs, _ = self._ask(plan, render_request(plan, head, self._peer, server))
            if answers_preflight(plan, head, theirs, self._peer, server):
                return Hop.after(theirs, edit_response(plan, head, theirs, self._peer, server)), None
        if isinstance(plan, Forward):
            plan = plan.fallback
        if plan is None:
            return None, None
        return self._read(plan.answer, plan.lines), plan.answer if plan.answer.status >= 400 else None

    def _preflight_block(self, path: bytes, host: bytes) -> bytes:
        page = self._page(b"")
        names = b",".join(unsafe_names(page.headers))
        lines = [b"OPTIONS %b HTTP/1.1" % path, b"Host: " + host, b"Origin: " + page.page]
        lines.append(b"Access-Control-Request-Method: " + page.method)
        return b"\r\n".join((*lines, *((b"Access-Control-Request-Headers: " + names,) if names else ())))

    # -- differences

    def _differences(
        self, before: Sequence[bytes], after: Sequence[bytes], plan: Forward, why: dict[Role, str]
    ) -> Iterator[str]:
        """Give every line of both heads: as it was, gone (-) or new (+), with the rule for what changed."""
        left = Counter(after)
        rows: list[tuple[str, bytes]] = []
        for line in before:
            rows.append((" " if left[line] else "-", line))
            left[line] -= left[line] > 0
        for line in after:
            if left[line] > 0:
                rows.append(("+", line))
                left[line] -= 1
        # A start line that changed comes first, next to the old one.
        rows.sort(key=lambda row: row[1] not in (before[0], after[0]))
        width = min(_MAX_LINE, max(columns(visible(line)) for _, line in rows))
        for sign, line in rows:
            shown = visible(line)
            if sign == " ":
                yield f"{_INDENT}{self._style.dim(shown)}"
                continue
            paint = self._style.red if sign == "-" else self._style.green
            yield f"  {paint(sign)} {padded(shown, width)}  {self._style.dim(self._rule(line, before[0], plan, why))}"

    def _rule(self, line: bytes, start: bytes, plan: Forward, why: dict[Role, str]) -> str:
        if line.endswith(b" HTTP/1.1") or line.startswith(b"HTTP/1."):
            return "strip_prefix or rewrite, as the route says" if why is _WHY_UP else "the version"
        field = read_field(line)
        edits = plan.compiled.request_edits if why is _WHY_UP else plan.compiled.response_edits
        if edits is not None and (
            field.name in edits.leave_out
            or line in edits.put
            or any(field.name == template.name.lower() for template in edits.late)
        ):
            return "[routes.headers]"
        if field.role == Role.END_TO_END and field.name == b"cookie":
            return "the route's cookie rules"
        if why is _WHY_UP and plan.compiled.is_at_own_origin and field.role in (Role.HOST, Role.ORIGIN):
            return "the server's own, because hot reload expects it from devproxy's pages"
        if why is _WHY_UP and field.role == Role.FORWARDED and field.name in _WHY_NAMED:
            return _WHY_NAMED[field.name]
        return why.get(Role(field.role), "concerns one connection only" if field.role > Role.ACCESS_CONTROL else "")


def form_rule(plan: Forward, head: RequestHead) -> str:
    """Return what lets `head` in where ``form_post`` alone does: a form of a page that CORS does not know."""
    origins, forms = head.facts.origins, plan.compiled.forms
    if head.method != b"POST" or len(origins) != 1 or plan.cors.is_allowed or not plan.compiled.route.guard:
        return ""
    if is_own_origin(origins[0], head.host) or not forms.allows(origins[0]):
        return ""
    hides = " (a page of https hides its origin from plain http)" if origins[0] == OPAQUE else ""
    return f"form_post = {json.dumps(forms.written)}{hides}"
