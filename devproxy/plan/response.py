"""What becomes of a response: the head for the client, after policy, repairs and the route's own edits.

What is to be done is remembered, by plan and facts: ADR 0008. Start at :func:`finish_response`.
"""

from __future__ import annotations

from devproxy.authority.origins import web_origin
from devproxy.config.model import ServerAddress
from devproxy.http.fields import Field, Role, read_field
from devproxy.http.memory import footprint
from devproxy.http.messages import CHUNKED, UNTIL_CLOSE, RequestHead, ResponseHead
from devproxy.http1.head import parse_response_head
from devproxy.plan.compiled import FRONT_SCHEME
from devproxy.plan.decisions import Finish, Forward
from devproxy.policy.advice import advice_on_words
from devproxy.policy.cookies import Change as CookieChange
from devproxy.policy.cookies import browser_verdict, front_of, repair
from devproxy.policy.cors import VARIES
from devproxy.policy.cors_fields import apply_cors, cors_edits
from devproxy.policy.headers import SWITCHES, late_lines, plain_head, response_fields, without_listed
from devproxy.policy.hop import Front, Peer, front_of_browser
from devproxy.policy.location import Asked, map_back
from devproxy.policy.location import Change as LocationChange
from devproxy.policy.verdict import judge_exchange, sends_cookies


def finish_response(
    forward: Forward,
    request: RequestHead,
    head: ResponseHead,
    peer: Peer,
    server: ServerAddress,
    *,
    body_length: int,
    close: bool,
) -> tuple[bytes, bool]:
    """Return the response head for the client, and whether the client's connection ends with the body.

    `peer`: who asked; `server`: who answered. `body_length`: of the body that follows (see ``response_body_length``).
    `close`: the client's connection cannot go on in any case, for example because its request is not complete. An
    interim response (1xx) never ends a connection. A chunked body loses its coding on the way to a client that speaks
    HTTP/1.0, whose connection then ends with it.
    """
    key = (forward, head.facts)  # both by their identity
    known = forward.finishes[key]
    if known is None:
        known = _find_finish(forward, request, head, body_length)
        if forward.is_remembered and head.facts.is_remembered:
            forward.finishes.keep(key, known)
    if known.is_plain and not close:
        return plain_head(head.block, known.dropped) + known.tail, False
    is_old_client = request.version_minor == 0
    decodes = is_old_client and body_length == CHUNKED
    closes = head.status >= 200 and (close or not request.facts.keep_alive or body_length == UNTIL_CLOSE or decodes)
    lines = _lines(forward, request, head, peer, server)
    if head.facts.status in (101, 426) and SWITCHES not in lines and (head.status == 101 or head.facts.upgrade):
        lines.append(SWITCHES)  # a 426 says which protocol to ask for (RFC 9110 section 15.5.22)
    if closes:
        lines.append(b"Connection: close")
    elif is_old_client and head.status >= 200:
        lines.append(b"Connection: keep-alive")
    start = head.start if head.version_minor else b"HTTP/1.1" + head.start[8:]
    return b"\r\n".join((start, *lines, b"", b"")), closes


def _find_finish(forward: Forward, request: RequestHead, head: ResponseHead, body_length: int) -> Finish:
    """Work out what there is to do to `head`, and to every other with the same facts.

    The facts belong to one status and one version, and the plan to one method, so they settle how the body ends.
    """
    facts, compiled = head.facts, forward.compiled
    vary = () if facts.varies_on_origin else (VARIES,)
    edits = cors_edits(forward.cors, vary, has_resource_policy=facts.has_resource_policy)
    is_plain = (
        facts.is_plain
        and compiled.response_edits is None
        and forward.preflight is None
        and not (facts.has_set_cookie and compiled.repairs_cookies)
        and not (facts.has_reference and compiled.locations is not None)
        and head.version_minor == request.version_minor == 1
        and head.status >= 200
        and head.status != 204
        and request.facts.keep_alive
        and body_length != UNTIL_CLOSE
    )
    if not is_plain or edits is None:
        return Finish(facts, False)
    dropped = facts.dropped + facts.access_control if edits.takes_access_control else facts.dropped
    return Finish(facts, True, dropped, b"\r\n".join((*edits.added, b"\r\n")))


def _lines(
    forward: Forward, request: RequestHead, head: ResponseHead, peer: Peer, server: ServerAddress
) -> list[bytes]:
    """Return the field lines for the client, without ``Connection`` but that of a 101."""
    compiled, facts = forward.compiled, head.facts
    fields = response_fields(
        head,
        keeps_chunked=request.version_minor == 1 and head.status != 304,
        is_bodiless=head.status < 200 or head.status == 204,
    )
    if (facts.has_set_cookie and compiled.repairs_cookies) or (facts.has_reference and compiled.locations is not None):
        repairs = _Repairs(forward, request, peer, server)
        fields = [_changed(field, repairs.of(field)) for field in fields]
    lines = apply_cors(forward.cors, fields, status=head.status, preflight=forward.preflight)
    edits = compiled.response_edits
    if edits is not None:
        lines = [line for line in lines if line.partition(b":")[0].lower() not in edits.leave_out]
        lines += edits.put
        lines += late_lines(edits, peer=peer, host=request.facts.host, server=server)
    return lines


class _Repairs:
    """What becomes of cookies and places in a response, as the browser that asked is to see them."""

    __slots__ = ("_asked", "_cookies", "_front", "_is_https", "_places")

    def __init__(self, forward: Forward, request: RequestHead, peer: Peer, server: ServerAddress) -> None:
        compiled, facts = forward.compiled, request.facts
        front = _front_of(forward, request, peer)
        path = request.path.partition(b"?")[0]
        self._cookies = compiled.toward(server).cookies
        self._places = compiled.locations if facts.host else None
        self._front = front.origin
        self._is_https = front.origin.startswith(b"https:")
        self._asked = Asked(path, forward.path.partition(b"?")[0] or path, facts.host, front.prefix)

    def of(self, field: Field) -> CookieChange | LocationChange | None:
        """Return what takes the place of `field`, or None: it stays."""
        if field.role == Role.SET_COOKIE and self._cookies is not None:
            return repair(self._cookies, field, outer=self._asked.outer, is_https=self._is_https)
        if field.role == Role.REFERENCE and self._places is not None:
            return map_back(self._places, field, front=self._front, asked=self._asked)
        return None


def _front_of(forward: Forward, request: RequestHead, peer: Peer) -> Front:
    """Return the front as the browser knows it that sent `request`, by way of `peer`."""
    facts = request.facts
    if facts.is_plain:  # so nobody claims anything about the hop
        return Front(web_origin(peer.scheme, facts.host), b"")
    fields = without_listed(request.fields, facts.connection_options)
    return front_of_browser(fields, facts.host, peer, forward.compiled.hop)


def _changed(field: Field, change: CookieChange | LocationChange | None) -> Field:
    return field if change is None else read_field(change.line)


def advice_on(forward: Forward, request: RequestHead, head: ResponseHead, octets: bytes, peer: Peer) -> tuple[str, ...]:
    """Return what a browser makes of a response where that is not what its page wants: a sentence for each cause.

    `octets`: the head as the client, `peer`, gets it. Each sentence ends with what to write. What is to be said of CORS
    is worked out once for all responses to the same plan with the same facts, of a cookie for each.
    """
    compiled = forward.compiled
    known = forward.finishes[forward, head.facts]
    verdicts = None if known is None else known.verdicts
    has_cookies = head.facts.has_set_cookie or compiled.response_edits is not None
    sent = parse_response_head(octets[:-4], compiled.limits) if verdicts is None or has_cookies else None
    if verdicts is None:
        assert sent is not None
        verdicts = (_verdict(request, sent, with_cookies=False), _verdict(request, sent, with_cookies=True))
        if known is not None and forward.finishes.memory.charge(footprint(verdicts)):
            known.verdicts = verdicts
    without, with_cookies = verdicts
    advice = with_cookies if without != with_cookies and sends_cookies(request) else without
    if sent is not None and sent.facts.has_set_cookie:
        advice += _cookie_advice(sent, _front_of(forward, request, peer).origin)
    return advice


def _verdict(request: RequestHead, sent: ResponseHead, *, with_cookies: bool) -> tuple[str, ...]:
    verdict = judge_exchange(request, sent, scheme=FRONT_SCHEME, with_cookies=with_cookies)
    return () if verdict is None else (f"a browser says: {verdict.text} {verdict.what} {verdict.fix}",)


def _cookie_advice(sent: ResponseHead, origin: bytes) -> tuple[str, ...]:
    scheme, _, authority = origin.partition(b"://")
    front = front_of(scheme.decode(), authority)
    cookies = (field.value for field in sent.fields if field.role == Role.SET_COOKIE)
    return tuple(words for value in cookies if (words := browser_verdict(value, front=front)))


def advice_on_body(forward: Forward, path: bytes, status: int, body: bytes, server: ServerAddress) -> str:
    """Return what to do where `server` refuses the Host or the Origin it was sent; empty where it does not.

    `path`: that the client asked for. `body`: as far as it came with its head.
    """
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
    octets, _ = finish_response(forward, request, head, peer, server, body_length=0, close=False)
    sent = parse_response_head(octets[:-4], forward.compiled.limits)
    return judge_exchange(request, sent, scheme=FRONT_SCHEME) is None


def changes_to(
    forward: Forward, request: RequestHead, head: ResponseHead, peer: Peer, server: ServerAddress
) -> tuple[str, ...]:
    """Return what devproxy changed in `head`, which `server` sent, and why, a clause each: policy, cookies, places."""
    found: list[str] = []
    repairs = _Repairs(forward, request, peer, server)
    if forward.facts.origins or head.facts.access_control:
        found.append(f"cors {forward.cors.mode}: {forward.cors.reason}")
    for field in head.fields:
        change = repairs.of(field)
        found += () if change is None else change.reasons
    return tuple(found)
