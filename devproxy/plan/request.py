"""What happens to a request: guard, route, policy, and the head that goes upstream.

What was decided is remembered by what decided it: ADR 0008. Start at :func:`plan_request`; :func:`render_request`
writes the head for the server that was chosen.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from devproxy import answers
from devproxy.answers import Answer
from devproxy.config.model import PreflightMode, Route, ServerAddress
from devproxy.http import own
from devproxy.http.edits import ResponseEdits
from devproxy.http.fields import bad_field_line, has_control, read_field
from devproxy.http.memory import Table
from devproxy.http.messages import RequestFacts, RequestHead
from devproxy.http.methods import IDEMPOTENT, READS
from devproxy.http1.render import plain_head, render_head
from devproxy.plan.compiled import CompiledRoute, Towards
from devproxy.plan.decisions import EditsKey, Forward, Plan, Respond
from devproxy.plan.misreading import find_misreading
from devproxy.plan.snapshot import MIXED_SEGMENTS, RESERVED_PREFIX, Snapshot
from devproxy.policy.cookies import MARK, CookieRules, restore
from devproxy.policy.cors import CorsDecision, decide, local_lines
from devproxy.policy.faults import inject
from devproxy.policy.headers import late_lines, request_lines
from devproxy.policy.hop import Peer
from devproxy.policy.hosts import is_own_origin, judge_source
from devproxy.policy.preflight import Preflight, judge_preflight, read_preflight
from devproxy.realtime.engineio import OPENS, POLL, kind_of
from devproxy.realtime.hot_reload import read_hot_reload, wants_own_origin
from devproxy.routing.table import canonical_path, rewritten_path

HEALTH_PATH: Final = own.HEALTH_PATH.encode()
"""How health is asked for. Container engines do it by names that no configuration lists, so its Host is not judged."""
_SLASH: Final = 0x2F


def plan_request(head: RequestHead, snapshot: Snapshot) -> Plan:
    """Return what happens to the request `head` under `snapshot`. Raises nothing.

    A decision is remembered where it follows from the method, the first segment of a plain path if anything depends on
    that, the special fields (``RequestFacts``), the version and whether this is a poll or opens a session: that is
    nearly always. It is remembered if the facts are. One that a fault leaves to chance is drawn again each time.
    """
    facts, segment = head.facts, head.segment
    if segment is None or (facts.body_length and snapshot.limits_bodies and head.body_length > snapshot.max_body_bytes):
        return _plan(head, snapshot)
    # `in` first tries to read the bytes as a number, and drops the exception: that costs as much again.
    kind = kind_of(head.method, head.path) if head.target.find(b"EIO=") >= 0 else 0
    # The facts, which belong to one version, by their identity.
    key = (facts, snapshot.segments[segment], head.method, kind)
    known = snapshot.plans[key]
    if known is not None:
        return known
    plan = _plan(head, snapshot)
    if isinstance(plan, Forward) and _may_remember(plan, head, segment, snapshot):
        plan.is_remembered = snapshot.plans.keep(key, plan)
    return plan


def _may_remember(plan: Forward, head: RequestHead, segment: bytes, snapshot: Snapshot) -> bool:
    return (
        head.facts.is_remembered
        and plan.is_plain
        and plan.preflight is None
        and not plan.upgrade
        and not plan.facts.logs_in
        and (plan.compiled.fault is None or not plan.compiled.fault.is_by_chance)
        and segment not in MIXED_SEGMENTS
        and head.target[0] == _SLASH
        and snapshot.table.is_settled(head.method, segment, head.facts.host)
    )


def _plan(head: RequestHead, snapshot: Snapshot) -> Plan:
    raw_path, question, query = head.path.partition(b"?")
    own_path = _own_path(raw_path)
    if own_path == HEALTH_PATH and head.method in READS:
        return Respond(answers.health(), own.RESERVED_PREFIX)
    host = snapshot.hosts.judge(head.facts.host)
    if not host.is_allowed:
        return Respond(answers.refused_host(host), "", local_lines(decide(snapshot.default_cors, head.facts.origins)))
    if own_path:
        return _own_page(head, own_path + question + query, snapshot)
    preflight = read_preflight(head)
    refused = _refused_before_routing(head, raw_path, preflight, snapshot) if snapshot.table.runs_expressions else None
    if refused is not None:
        return refused
    route = _route(head, raw_path, snapshot)
    compiled = None if route is None else snapshot.compiled[id(route)]
    decision = decide(snapshot.default_cors if compiled is None else compiled.cors, head.facts.origins)
    refusal = _refusal(head, raw_path, compiled, snapshot)
    if refusal is not None or compiled is None:
        name = "" if compiled is None else compiled.label
        return Respond(refusal or answers.no_route(head), name, local_lines(decision))
    fallback = None if preflight is None else _answer_to(preflight, compiled)
    if fallback is not None and compiled.cors.preflight is PreflightMode.ANSWER:
        return fallback
    answer = (
        (_turned_away(head, compiled, decision) if preflight is None else None)
        or _misread(head, raw_path, compiled, decision, snapshot)
        or (_injected(head, compiled, decision) if preflight is None else None)
    )
    if answer is not None:
        return answer
    path = b""
    route = compiled.route
    if route.rewrite is not None and raw_path != b"*":
        path = rewritten_path(route, raw_path) + question + query
    if head.facts.origins and wants_own_origin(head, route.pattern, route.host) and _is_from_own_page(head):
        compiled = snapshot.own_origin[id(route)]
    return _forward(head, compiled, path, decision, snapshot.edits, preflight, fallback)


def _own_page(head: RequestHead, path: bytes, snapshot: Snapshot) -> Respond:
    """Return what happens to a request below the reserved prefix; `path`: in the form in which routes compare it."""
    if snapshot.pages is None:
        return Respond(answers.reserved_path(head), own.RESERVED_PREFIX)
    compiled = snapshot.pages.route_of(head)
    decision = decide(compiled.cors, head.facts.origins)
    refusal = _refusal(head, path, compiled, snapshot)
    if refusal is not None:
        return Respond(refusal, own.RESERVED_PREFIX)
    preflight = read_preflight(head)
    if preflight is not None:
        return _answer_to(preflight, compiled)
    refused = _turned_away(head, compiled, decision)
    if refused is not None:
        return refused
    forward = _forward(head, compiled, path, decision, snapshot.edits, None, None)
    return Respond(answers.own_page(), own.RESERVED_PREFIX, pages=forward)


def _is_from_own_page(head: RequestHead) -> bool:
    """Tell whether a page of devproxy's own origin sends `head`, which the guard has let pass."""
    facts = head.facts
    is_one = len(facts.origins) == 1 and facts.fetch_site != b"cross-site"
    return is_one and is_own_origin(facts.origins[0], facts.host)


def _refused_before_routing(
    head: RequestHead, raw_path: bytes, preflight: Preflight | None, snapshot: Snapshot
) -> Respond | None:
    """Return the refusal that `head` gets whichever route takes it, or for what no route should be chosen by."""
    refused = _refused_by_all(head, raw_path, preflight, snapshot)
    if refused is not None or not snapshot.routing_fields:
        return refused
    for field in head.fields:
        if field.name in snapshot.routing_fields and has_control(field.value):
            answer = answers.bad_message(bad_field_line(field.line))
            return Respond(answer, "", local_lines(decide(snapshot.default_cors, head.facts.origins)))
    return None


def _refused_by_all(
    head: RequestHead, raw_path: bytes, preflight: Preflight | None, snapshot: Snapshot
) -> Respond | None:
    """Return the refusal of `head` if every route that could take it refuses it, whatever expressions would say.

    Strangers choose the paths and fields that expressions are compared with, so none is run for a request that it
    cannot let in. The refusal is that of the first of these routes; where one of them lets it in, precedence decides.
    """
    table, host = snapshot.table, head.facts.host
    contenders = table.contenders(head.method, raw_path, host)
    if read_hot_reload(head) is not None:
        contenders += table.contenders(head.method, b"/", host)
    first: Respond | None = None
    for route in contenders:
        compiled = snapshot.compiled[id(route)]
        if preflight is None:
            refusal = _turned_away(head, compiled, decide(compiled.cors, head.facts.origins))
        elif compiled.cors.preflight is PreflightMode.ANSWER:
            answer = _answer_to(preflight, compiled)
            refusal = answer if answer.answer.code else None
        else:
            refusal = None
        if refusal is None:
            return None
        first = first or refusal
    return first


def _answer_to(preflight: Preflight, compiled: CompiledRoute) -> Respond:
    """Return devproxy's own answer to a preflight."""
    verdict = judge_preflight(compiled.cors, preflight)
    return Respond(answers.preflight(verdict), compiled.label, verdict.lines)


def _turned_away(head: RequestHead, compiled: CompiledRoute, decision: CorsDecision) -> Respond | None:
    """Return the refusal of `head`, which is not a preflight, because of the web site that caused it, or None."""
    if not compiled.route.guard:
        return None
    cors, is_allowed = compiled.route.cors, decision.is_allowed
    source = judge_source(head.method, head.facts, cors, is_origin_allowed=is_allowed, forms=compiled.forms)
    if source is None:
        return None
    return Respond(answers.refused_source(source, compiled.label), compiled.label, local_lines(decision))


def _misread(
    head: RequestHead, raw_path: bytes, compiled: CompiledRoute, decision: CorsDecision, snapshot: Snapshot
) -> Respond | None:
    """Return the refusal of `head` if a careless server would take its path for another place, or None.

    Not for a path that can be written in one way only: there every server reads the same.
    """
    if head.segment is not None:
        return None

    # What only resembles the reserved prefix goes to its route, and no server has a page there.
    is_like_own = canonical_path(raw_path).startswith(RESERVED_PREFIX[:-1])

    def route_of(path: bytes) -> Route | None:
        if _own_path(path) and not is_like_own:
            return None
        return _route(replace(head, path=path, target=path), path, snapshot)

    misreading = find_misreading(raw_path, compiled.route, route_of)
    if misreading is None:
        return None
    taker = misreading.route
    other = "" if taker is None else snapshot.compiled[id(taker)].label
    if taker is None and _own_path(misreading.path):
        other = own.RESERVED_PREFIX
    answer = answers.ambiguous_path(raw_path, compiled.label, misreading, other)
    return Respond(answer, compiled.label, local_lines(decision))


def _injected(head: RequestHead, compiled: CompiledRoute, decision: CorsDecision) -> Respond | None:
    """Return the error that the route's fault gives `head` instead of forwarding it, or None.

    Not to be asked about preflights: a browser would report a problem of CORS instead of the fault.
    """
    fault = compiled.fault
    injection = None if fault is None else inject(fault, is_upgrade=head.facts.upgrade != b"")
    if fault is None or injection is None:
        return None
    answer = answers.fault_injected(injection, compiled.label)
    return Respond(answer, compiled.label, local_lines(decision), fault.latency_s)


def _route(head: RequestHead, raw_path: bytes, snapshot: Snapshot) -> Route | None:
    """Return the route that takes `head`.

    A hot-reload socket goes where ``/`` goes, to the upstream that serves the page, unless the route leads there anyway
    or names its very path.
    """
    fields = head.fields if snapshot.routing_fields else ()
    route = snapshot.table.match(head.method, raw_path, head.facts.host, fields)
    if route is None or route.pattern == "/":
        return route
    hot_reload = read_hot_reload(head)
    if hot_reload is None or hot_reload.may_go_by(route.pattern):
        return route
    page = snapshot.table.match(head.method, b"/", head.facts.host, fields)
    return route if page is None or page.upstream == route.upstream else page


def _forward(
    head: RequestHead,
    compiled: CompiledRoute,
    path: bytes,
    decision: CorsDecision,
    edits: Table[EditsKey, ResponseEdits],
    preflight: Preflight | None,
    fallback: Respond | None,
) -> Forward:
    facts = head.facts
    kind = kind_of(head.method, head.path)
    polls = kind == POLL
    return Forward(
        compiled=compiled,
        facts=facts,
        path=path,
        is_plain=(
            facts.is_plain
            and compiled.request_edits is None
            and (compiled.restores_cookies is None or not compiled.restores_cookies.prefix)
            and not path
            and head.path is head.target
            and head.version_minor == 1
        ),
        is_retriable=head.method in IDEMPOTENT and facts.body_length == 0 and not polls,
        is_poll=polls,
        upgrade=facts.upgrade,
        cors=decision,
        edits=edits,
        preflight=preflight,
        fallback=fallback if compiled.cors.preflight is PreflightMode.FORWARD_OR_ANSWER else None,
        is_special=compiled.fault is not None or facts.logs_in or kind == OPENS,
    )


def _own_path(raw_path: bytes) -> bytes:
    """Return `raw_path` in the form in which routes compare it if that is below the reserved prefix, else nothing."""
    if b"%" not in raw_path and b"__devproxy/" not in raw_path:
        return b""
    path = canonical_path(raw_path)
    return path if path.startswith(RESERVED_PREFIX) else b""


def _refusal(head: RequestHead, raw_path: bytes, compiled: CompiledRoute | None, snapshot: Snapshot) -> Answer | None:
    """Return the answer to a request that must never be forwarded, whatever its source, or None."""
    if compiled is None:
        return answers.asterisk_options() if raw_path == b"*" else answers.no_route(head)
    if head.method == b"TRACE":
        return answers.method_refused(head)
    if head.body_length > snapshot.max_body_bytes:
        return answers.body_too_large(snapshot.config.server.max_body_bytes)
    if snapshot.via_token in head.facts.via:
        return answers.loop_detected(compiled.label)
    return None


def render_request(forward: Forward, head: RequestHead, peer: Peer, server: ServerAddress) -> bytes:
    """Return the request head for `server`, ready to send, blank line included. `peer`: who sent `head`."""
    compiled = forward.compiled
    if forward.is_plain:
        octets = plain_head(head.block, forward.facts.dropped) + peer.tail(forward.facts.host, compiled.via_line)
        if not compiled.edits_head:
            return octets
        is_marked = compiled.restores_cookies is not None and MARK in octets
        if not compiled.edits_authority and not is_marked:
            return octets
        start, *lines = octets[:-4].split(b"\r\n")
        if is_marked and compiled.restores_cookies is not None:
            lines = _with_restored_cookies(lines, compiled.restores_cookies)
    else:
        lines = request_lines(head, peer, compiled.via_line, compiled.request_edits, compiled.hop)
        if compiled.restores_cookies is not None:
            lines = _with_restored_cookies(lines, compiled.restores_cookies)
        if compiled.request_edits is not None:
            lines += late_lines(compiled.request_edits, peer=peer, host=forward.facts.host, server=server)
        start = b"%b %b HTTP/1.1" % (head.method, forward.path or head.path)
    if compiled.edits_authority or not forward.facts.host:
        lines = _with_authority(lines, compiled.toward(server), forward.facts)
    return render_head(start, lines)


def _with_restored_cookies(lines: list[bytes], rules: CookieRules) -> list[bytes]:
    """Return `lines` with the names of cookies as the upstream set them; a Cookie that holds none is left out."""
    restored: list[bytes] = []
    for line in lines:
        if line[:7].lower() == b"cookie:":
            changed = restore(rules, read_field(line))
            line = line if changed is None else changed
        if line:
            restored.append(line)
    return restored


def _with_authority(lines: list[bytes], towards: Towards, facts: RequestFacts) -> list[bytes]:
    """Return `lines` with Host and Origin as the route sends them to a server. A missing Origin stays missing.

    A missing Host, which HTTP/1.0 allows, becomes the server's: HTTP/1.1 needs one (RFC 9112 section 3.2).
    """
    edited: list[bytes] = []
    has_host = False
    origin_line = towards.origin_line
    if towards.keeps_foreign_origin and not all(is_own_origin(origin, facts.host) for origin in facts.origins):
        origin_line = None
    for line in lines:
        name = line.partition(b":")[0].lower()
        if name == b"host":
            has_host = True
            edited.append(line if towards.keeps_host else towards.host_line)
        elif name == b"origin" and origin_line is not None:
            edited += (origin_line,) if origin_line else ()
        else:
            edited.append(line)
    if not has_host:
        edited.insert(0, towards.host_line)
    return edited
