"""What happens to a response: the head for the client, after policy, repairs and the route's own edits.

What is to be done is remembered, by plan and facts: ADR 0008. Start at :func:`edit_response`.
"""

from __future__ import annotations

from typing import Final

from devproxy.authority.origins import web_origin
from devproxy.config.model import CorsMode, ServerAddress
from devproxy.http.edits import FieldRepair, ResponseEdits
from devproxy.http.fields import Field, Role, read_field
from devproxy.http.memory import footprint
from devproxy.http.messages import RequestHead, ResponseFacts, ResponseHead
from devproxy.http1.content import content
from devproxy.plan.decisions import Forward
from devproxy.policy.advice import advice_on_words
from devproxy.policy.cookies import browser_verdict, front_of, repair
from devproxy.policy.cors import VARIES
from devproxy.policy.cors_fields import apply_cors, cors_edits
from devproxy.policy.headers import SWITCHES, late_lines, response_fields, without_listed
from devproxy.policy.hop import Front, Peer, came_by_proxy, front_of_browser
from devproxy.policy.location import Asked, map_back
from devproxy.policy.verdict import Hop, judge_exchange, sends_cookies
from devproxy.realtime.engineio import MAX_EXPLAINED_BYTES, engine_refusal

_MAX_ENCODED: Final = 2 * MAX_EXPLAINED_BYTES
"""Bytes of a body that are looked at, with the chunked coding and compression of so few."""


def edit_response(
    forward: Forward, request: RequestHead, head: ResponseHead, peer: Peer, server: ServerAddress
) -> ResponseEdits:
    """Return what happens to `head`, which `server` answered `request` of `peer` with, on its way to the client."""
    facts = head.facts
    known = forward.edits[forward, facts]  # both by their identity
    if known is None:
        known = _find_edits(forward, facts)
        if forward.is_remembered and facts.is_remembered:
            forward.edits.keep((forward, facts), known)
    return known if known.lines is None else ResponseEdits(_lines(forward, request, head, peer, server))


def _find_edits(forward: Forward, facts: ResponseFacts) -> ResponseEdits:
    """Work out what there is to do to every head with the same `facts`, if it is the same for all."""
    compiled = forward.compiled
    vary = () if facts.varies_on_origin else (VARIES,)
    cors = cors_edits(forward.cors, vary, has_resource_policy=facts.has_resource_policy)
    if (
        cors is None
        or not facts.is_plain
        or compiled.response_edits is not None
        or forward.preflight is not None
        or (facts.has_set_cookie and compiled.repairs_cookies)
        or (facts.has_reference and compiled.locations is not None)
        or (facts.pins and not forward.facts.is_plain)
        or facts.status < 200
        or facts.status == 204
    ):
        return ResponseEdits([])
    dropped = facts.dropped + facts.access_control if cors.takes_access_control else facts.dropped
    if compiled.drops_pins:
        dropped += facts.pins
    return ResponseEdits(None, dropped, cors.added)


def _lines(
    forward: Forward, request: RequestHead, head: ResponseHead, peer: Peer, server: ServerAddress
) -> list[bytes]:
    """Return the field lines for the client, without ``Connection`` but that of a 101 or a 426."""
    compiled, facts = forward.compiled, head.facts
    fields = response_fields(head)
    if facts.pins and _drops_pins(forward, request, peer):
        fields = [field for field in fields if field.role != Role.PIN]
    if (facts.has_set_cookie and compiled.repairs_cookies) or (facts.has_reference and compiled.locations is not None):
        repairs = _Repairs(forward, request, peer, server)
        fields = [field if (repaired := repairs.of(field)) is None else read_field(repaired.line) for field in fields]
    lines = apply_cors(forward.cors, fields, status=head.status, preflight=forward.preflight)
    edits = compiled.response_edits
    if edits is not None:
        lines = [line for line in lines if line.partition(b":")[0].lower() not in edits.leave_out]
        lines += edits.put
        lines += late_lines(edits, peer=peer, host=request.facts.host, server=server)
    if facts.status in (101, 426) and SWITCHES not in lines and (facts.status == 101 or facts.upgrade):
        lines.append(SWITCHES)  # a 426 says which protocol to ask for (RFC 9110 section 15.5.22)
    return lines


def _drops_pins(forward: Forward, request: RequestHead, peer: Peer) -> bool:
    """Tell whether what binds a browser to a server is dropped: not if a proxy is the front that it knows."""
    if not forward.compiled.drops_pins or request.facts.is_plain:
        return forward.compiled.drops_pins
    fields = without_listed(request.fields, request.facts.connection_options)
    return not came_by_proxy(fields, peer, forward.compiled.hop)


class _Repairs:
    """What happens to cookies and URLs in a response, so that they suit the browser that asked."""

    __slots__ = ("_asked", "_cookies", "_front", "_places")

    def __init__(self, forward: Forward, request: RequestHead, peer: Peer, server: ServerAddress) -> None:
        compiled, facts = forward.compiled, request.facts
        front = _front_of(forward, request, peer)
        path = request.path.partition(b"?")[0]
        self._cookies = compiled.toward(server).cookies
        self._places = compiled.locations if facts.host else None
        self._front = front.origin
        self._asked = Asked(path, forward.path.partition(b"?")[0] or path, facts.host, front.prefix)

    def of(self, field: Field) -> FieldRepair | None:
        """Return what takes the place of `field`, or None: it stays."""
        if field.role == Role.SET_COOKIE and self._cookies is not None:
            is_https = self._front.startswith(b"https:")
            return repair(self._cookies, field, outer=self._asked.outer, is_https=is_https)
        if field.role == Role.REFERENCE and self._places is not None:
            return map_back(self._places, field, front=self._front, asked=self._asked)
        return None


def repair_of(
    forward: Forward, request: RequestHead, field: Field, peer: Peer, server: ServerAddress
) -> FieldRepair | None:
    """Return what takes the place of `field`, which `server` sent in answer to `request` of `peer`, and why.

    None: the rules for cookies and places leave it.
    """
    return _Repairs(forward, request, peer, server).of(field)


def _front_of(forward: Forward, request: RequestHead, peer: Peer) -> Front:
    """Return the front as the browser knows it that sent `request`, by way of `peer`."""
    facts = request.facts
    if facts.is_plain:  # so no field claims anything about the hop
        return Front(web_origin(peer.scheme, facts.host), b"")
    fields = without_listed(request.fields, facts.connection_options)
    return front_of_browser(fields, facts.host, peer, forward.compiled.hop)


def advice_on(
    forward: Forward, request: RequestHead, head: ResponseHead, edits: ResponseEdits, peer: Peer
) -> tuple[str, ...]:
    """Return what a browser does with a response if that is not what its page wants: a sentence for each cause.

    `edits`: what happens to `head` on its way to the client, `peer`. Each sentence ends with what to write. What is to
    be said of CORS is worked out once for all responses to the same plan with the same facts that are asked for by the
    same scheme, of a cookie for each.
    """
    known = forward.edits[forward, head.facts]
    verdicts = None if known is None else known.verdicts
    has_cookies = head.facts.has_set_cookie or forward.compiled.response_edits is not None
    is_known = verdicts is not None and verdicts[0] == peer.scheme
    sent = Hop.after(head, edits) if has_cookies or not is_known else None
    if verdicts is None or not is_known:
        assert sent is not None
        without = _verdict(request, sent, peer, with_cookies=False)
        verdicts = (peer.scheme, without, _verdict(request, sent, peer, with_cookies=True))
        if known is not None and forward.edits.memory.charge(footprint(verdicts)):
            known.verdicts = verdicts
    _, without, with_cookies = verdicts
    advice = with_cookies if without != with_cookies and sends_cookies(request) else without
    if sent is not None and has_cookies:
        advice += _cookie_advice(sent, _front_of(forward, request, peer).origin)
    return advice


def _verdict(request: RequestHead, sent: Hop, peer: Peer, *, with_cookies: bool) -> tuple[str, ...]:
    verdict = judge_exchange(request, sent, scheme=peer.scheme, with_cookies=with_cookies)
    return () if verdict is None else (f"a browser says: {verdict.text} {verdict.what} Fix: {verdict.fix}",)


def _cookie_advice(sent: Hop, origin: bytes) -> tuple[str, ...]:
    scheme, _, authority = origin.partition(b"://")
    front = front_of(scheme.decode(), authority)
    cookies = (field.value for field in sent.fields if field.role == Role.SET_COOKIE)
    return tuple(words for value in cookies if (words := browser_verdict(value, front=front)))


def advice_on_body(forward: Forward, path: bytes, head: ResponseHead, body: bytes, server: ServerAddress) -> str:
    """Return what `server` means by refusing a request, and what to do; empty where it did not, or that is unknown.

    Known are Engine.IO's errors and the words for a Host or an Origin that it does not know. `path`: that the client
    asked for. `body`: of the answer `head`, as far as it came with it, with or without the chunked coding.
    """
    status = head.status
    if status >= 400 and b"EIO=" in path and (body or head.facts.body_length == 0):
        said = content(head, body[:_MAX_ENCODED], MAX_EXPLAINED_BYTES, is_decoded=None)
        if (said or not body) and (words := engine_refusal(status, said)):
            return words
    towards = forward.compiled.toward(server)
    keeps_origin = towards.origin_line is None
    return advice_on_words(status, body, path, keeps_host=towards.keeps_host, keeps_origin=keeps_origin)


def answers_preflight(
    forward: Forward, request: RequestHead, head: ResponseHead, peer: Peer, server: ServerAddress
) -> bool:
    """Tell whether the upstream's answer `head` to the preflight `request` goes to the page.

    Not where it fails (Fetch section 4.8, step 7), or where a browser would refuse it as the policy leaves it, although
    the policy allows what was asked: then ``forward.fallback`` goes. True where there is no fallback.
    """
    if forward.fallback is None:
        return True
    if not 200 <= head.status < 300:
        return False
    if forward.fallback.answer.status != 204:
        return True
    sent = Hop.after(head, edit_response(forward, request, head, peer, server))
    return judge_exchange(request, sent, scheme=peer.scheme) is None


def changes_to(
    forward: Forward, request: RequestHead, head: ResponseHead, peer: Peer, server: ServerAddress
) -> tuple[str, ...]:
    """Return what devproxy changed in `head`, which `server` sent, and why, a clause each: policy, cookies, places."""
    found: list[str] = []
    repairs = _Repairs(forward, request, peer, server)
    if forward.facts.origins or head.facts.access_control:
        mode = forward.cors.policy.cors.mode
        kept = "the server's own headers stay as they are"
        found.append(f"cors {mode}: {kept if mode is CorsMode.PASSTHROUGH else forward.cors.reason}")
    if head.facts.pins and _drops_pins(forward, request, peer):
        found.append(
            "strict_transport_security = drop: it would apply to everything else that is served under this name"
        )
    for field in head.fields:
        change = repairs.of(field)
        found += () if change is None else change.reasons
    return tuple(found)
