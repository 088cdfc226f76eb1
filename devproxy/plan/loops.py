"""Whether a response, or an answer of devproxy's own, leads a browser back to the URL that it asked for. Pure.

Start at :func:`loop_by_server` and :func:`loop_by_devproxy`; what they return is counted before anything is said of it
(:mod:`devproxy.policy.redirect_loops`).
"""

from __future__ import annotations

from typing import NamedTuple

from devproxy.config.model import ServerAddress
from devproxy.http.edits import ResponseEdits
from devproxy.http.fields import Field, Role, parse_fields, values_of
from devproxy.http.messages import REDIRECTS, RequestHead, ResponseHead
from devproxy.plan.decisions import Forward
from devproxy.plan.snapshot import Snapshot
from devproxy.policy.headers import without_listed
from devproxy.policy.hop import Front, Peer, front_of_browser
from devproxy.policy.redirect_loops import TIMES, TIMES_WITH_COOKIE, Loop, Way, says_https, way_back


class Return(NamedTuple):
    """One redirect that leads back. ``times``: how many make a loop. ``key``: the URL without its scheme."""

    loop: Loop
    key: bytes
    times: int


def loop_by_server(
    forward: Forward,
    request: RequestHead,
    head: ResponseHead,
    edits: ResponseEdits,
    peer: Peer,
    server: ServerAddress,
    snapshot: Snapshot,
) -> Return | None:
    """Return that `head`, which `server` answered `request` of `peer` with and goes on as `edits` say, leads back."""
    if head.facts.status not in REDIRECTS or not head.facts.has_reference or not request.facts.host:
        return None
    sent = tuple(parse_fields(edits.lines_of(head)))
    location = next(iter(values_of(sent, b"location")), b"")
    front, fields = _front(request, peer, snapshot)
    asked = front.prefix + request.path
    way = way_back(front.origin, asked, location) if location else None
    if way is None:
        return None
    theirs = next(iter(values_of(head.fields, b"location")), b"")
    loop = _loop(way, front, asked, fields, peer, snapshot)._replace(
        names_itself=location != theirs, keeps_host=forward.compiled.toward(server).keeps_host
    )
    times = TIMES_WITH_COOKIE if _sets_new_cookie(request, sent) else TIMES
    return Return(loop, front.origin.partition(b"://")[2] + asked, times)


def loop_by_devproxy(request: RequestHead, peer: Peer, snapshot: Snapshot) -> Return:
    """Return that devproxy itself sends `request` of `peer`, in plain HTTP, to https."""
    front, fields = _front(request, peer, snapshot)
    asked = front.prefix + request.path
    loop = _loop(Way.TO_HTTPS, front, asked, fields, peer, snapshot)._replace(is_own=True)
    return Return(loop, front.origin.partition(b"://")[2] + asked, TIMES)


def _front(request: RequestHead, peer: Peer, snapshot: Snapshot) -> tuple[Front, list[Field]]:
    fields = without_listed(request.fields, request.facts.connection_options)
    return front_of_browser(fields, request.facts.host, peer, snapshot.hop), fields


def _loop(way: Way, front: Front, asked: bytes, fields: list[Field], peer: Peer, snapshot: Snapshot) -> Loop:
    server = snapshot.config.server
    return Loop(
        way=way,
        url=front.origin + asked,
        peer=peer.address,
        trusted=server.trusted_proxies,
        is_trusted=peer.is_trusted(snapshot.hop.proxies),
        says_https=says_https(fields),
        has_tls=server.tls is not False,
    )


def _sets_new_cookie(request: RequestHead, sent: tuple[Field, ...]) -> bool:
    """Tell whether a response sets a cookie that `request` did not have: what it was redirected for may be done."""
    new = {_name(field.value) for field in sent if field.role == Role.SET_COOKIE}
    if not new:
        return False
    had = {_name(pair) for value in values_of(request.fields, b"cookie") for pair in value.split(b";")}
    return not new <= had


def _name(pair: bytes) -> bytes:
    return pair.partition(b"=")[0].strip()
