"""What is worth a mark at an exchange, beyond its status: traps that are hard to see from either side. Pure.

Nothing here changes anything. Start at :func:`findings_on`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from devproxy.authority.networks import is_loopback
from devproxy.authority.origins import web_origin
from devproxy.policy.verdict.reach import obstacles

if TYPE_CHECKING:
    from devproxy.config.model import Config
    from devproxy.gateway.shared.capture import Capture

MAX_LOCATION_BYTES: Final = 8192
_REDIRECTS: Final = frozenset((301, 302, 303, 307, 308))


class Finding(NamedTuple):
    """Something to know about an exchange. ``action``: what a button can do about it; None: nothing can."""

    code: str
    title: str
    what: str
    help: str
    action: str | None = None

    def json(self) -> dict[str, Any]:
        """Return it as the API gives it."""
        return self._asdict()


def findings_on(capture: Capture) -> list[Finding]:
    """Return what there is to mark at an exchange that was kept."""
    if not _may_have_some(capture):
        return []
    found = (_oauth(capture), _service_worker(capture), _local_network(capture), _compressed_events(capture))
    return [one for one in found if one is not None]


def _may_have_some(capture: Capture) -> bool:
    """Tell by a glance that takes no head apart: this is asked about every exchange, and nearly none has any."""
    request, head = capture.request, capture.response
    origins = request.facts.origins
    return (
        (head is not None and (head.status in _REDIRECTS or b"event-stream" in head.block))
        or (bool(origins) and not _is_near(origins[0]))
        or b"ervice-" in request.block  # Service-Worker
        or b"etwork:" in request.block  # Access-Control-Request-Private-Network
    )


def _oauth(capture: Capture) -> Finding | None:
    """A redirect elsewhere whose query names an upstream's own address: the login comes back past devproxy."""
    head = capture.response
    if head is None or head.status not in _REDIRECTS:
        return None
    location = (head.first(b"location") or b"")[:MAX_LOCATION_BYTES].decode("latin-1")
    try:
        place = urlsplit(location)
        parameters = parse_qsl(place.query, max_num_fields=100)
    except ValueError:
        return None
    if not place.netloc:
        return None
    own = upstream_authorities(capture.config)
    if place.netloc.lower() in own:
        return None
    for name, value in parameters:
        inner = _authority_of(value)
        if inner in own:
            return Finding(
                "oauth-upstream-address",
                "The login will come back to an upstream's own address",
                f"The redirect to {place.netloc} says `{name}={value[:200]}`. That is upstream `{own[inner]}` itself: "
                "the browser comes back there, past devproxy, without this origin's cookies.",
                "Tell the application its public address: AUTH_URL, NEXTAUTH_URL, `redirect_uri` or the like is to "
                "name devproxy's origin, and so is the list of allowed callbacks at the login's provider. devproxy "
                "does not rewrite it, because the provider compares it.",
            )
    return None


def _authority_of(value: str) -> str:
    for text in (value, unquote(value)):
        if text.lower().startswith(("http://", "https://")):
            try:
                return urlsplit(text).netloc.lower()
            except ValueError:
                return ""
    return ""


def upstream_authorities(config: Config) -> dict[str, str]:
    """Return the names of the upstreams of `config` by the authorities that lead to them; of this machine by all."""
    found: dict[str, str] = {}
    for upstream in config.upstreams:
        for server in upstream.servers:
            if not server.has_port:
                continue
            names = (
                ("localhost", "127.0.0.1", "[::1]", "0.0.0.0") if is_loopback(server.host) else (server.host.lower(),)
            )
            for name in names:
                found[f"{name}:{server.port}"] = upstream.name
    return found


def _service_worker(capture: Capture) -> Finding | None:
    """A worker's script that is not there: another project's worker owns this origin."""
    request = capture.request
    if (request.first(b"service-worker") or b"").strip().lower() != b"script":
        return None
    head = capture.response
    kind = b"" if head is None else (head.first(b"content-type") or b"").lower()
    is_script = head is not None and head.status == 200 and b"javascript" in kind
    if is_script or (head is None and capture.own is None):
        return None
    if capture.own is not None:
        said = str(capture.own.status)
    else:
        said = f"{head.status}, {kind.decode('latin-1') or 'of no type'}" if head is not None else "no answer"
    return Finding(
        "service-worker-missing",
        "A service worker of another project owns this origin",
        f"The browser asked for {request.path.decode('latin-1')[:200]}, the script of a service worker that is "
        f"registered here, and got {said}. Most likely another project ran on this port before; its worker still "
        "answers requests of these pages, from its own cache.",
        "Clear the site's data (the button does it by `Clear-Site-Data`), or unregister the worker in the browser's "
        "developer tools, Application, Service workers.",
        "clear-site-data",
    )


def _local_network(capture: Capture) -> Finding | None:
    """A page from the internet asks this machine: the browser may want the person's permission."""
    request = capture.request
    asks = request.first(b"access-control-request-private-network") or request.first(
        b"access-control-request-local-network"
    )
    origins = request.facts.origins
    is_public = bool(origins) and origins[0].startswith(b"http") and not _is_near(origins[0])
    if not asks and not is_public:
        return None
    what, help = "The browser asks whether a page from elsewhere may reach this machine (Local Network Access).", ""
    if origins:
        target = web_origin(capture.peer.scheme, request.facts.host)
        met = obstacles(origins[0], target, is_websocket=request.facts.upgrade == b"websocket")
        if met:
            what, help = met[-1].verdict.what, met[-1].verdict.fix
    return Finding("local-network-access", "A page of a public site asks this machine", what, help)


@lru_cache(maxsize=64)
def _is_near(origin: bytes) -> bool:
    try:
        host = urlsplit(origin.decode("latin-1")).hostname or ""
    except ValueError:
        return False
    return is_loopback(host) or "." not in host or host.endswith((".local", ".test", ".internal"))


def _compressed_events(capture: Capture) -> Finding | None:
    """An event stream with a content coding: compressors collect, and events come late."""
    head = capture.response
    if head is None or b"text/event-stream" not in (head.first(b"content-type") or b"").lower():
        return None
    encoding = (head.first(b"content-encoding") or b"").strip().lower()
    if encoding in (b"", b"identity"):
        return None
    return Finding(
        "compressed-event-stream",
        "The event stream is compressed",
        f"It has `Content-Encoding: {encoding.decode('latin-1')}`. A compressor that does not flush after each event "
        "holds events back until its buffer is full.",
        "Exclude text/event-stream from compression in the server (Express: compression's `filter`; or call "
        "`res.flush()` after each event).",
    )
