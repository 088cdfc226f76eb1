"""The resources of single exchanges: all there is to say of one, its bodies, and copies of its request.

Start at :func:`add_exchanges`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from devproxy.inspector.bodies import Decoded, content_of, decoded
from devproxy.inspector.copies import as_curl, as_fetch
from devproxy.inspector.details import detail_json
from devproxy.inspector.masking import masked_form, masked_text
from devproxy.inspector.messages import as_json as message_json
from devproxy.inspector.web import LIVE, MAX_LIMIT, Problem, answer_json, needs_key, number, row_of, wants_secrets

if TYPE_CHECKING:
    from devproxy.gateway.shared.capture import Capture
    from devproxy.inspector.rows import Row

_SHOWN: Final = ("json", "text", "events", "engineio")
"""Views of bodies in which secrets can be found and masked."""


def add_exchanges(app: web.Application, prefix: str) -> None:
    """Add the resources of exchanges below `prefix` to `app`."""
    one = f"{prefix}/exchanges/{{id}}"
    app.router.add_get(one, _exchange)
    app.router.add_get(f"{one}/body/{{which:request|response}}", _body)
    app.router.add_get(f"{one}/copy", _copy)
    app.router.add_get(f"{one}/messages", _messages)


async def _exchange(request: web.Request) -> web.StreamResponse:
    row = await row_of(request)
    return answer_json(detail_json(row, secrets=wants_secrets(request)))


async def _body(request: web.Request) -> web.StreamResponse:
    row, which = await row_of(request), request.match_info["which"]
    capture, document = _kept(row), detail_json(row, secrets=True)
    described: dict[str, Any] | None = document[which]["body"]
    if described is None:
        raise Problem(404, "not-found", f"Nothing of the body of this {which} was kept.")
    data = _content(capture, which)
    encoding: str = described["encoding"]
    without = decoded(data, encoding.encode("latin-1")) if encoding else Decoded(data, "", True)
    said = "no" if without is None else without.coding
    if not wants_secrets(request):
        if without is None and encoding:
            raise needs_key()  # nothing can be masked in what cannot be read
        data = masked_bytes(data if without is None else without.data, described["view"], described["charset"])
    elif request.query.get("as") == "decoded" and without is not None:
        data = without.data
    answer = web.Response(body=data, content_type="application/octet-stream")
    answer.headers["X-Devproxy-Complete"] = str(bool(described["is_complete"])).lower()
    answer.headers["X-Devproxy-Decoded"] = said or "identity"
    return answer


def masked_bytes(data: bytes, view: str, charset: str) -> bytes:
    """Return the content of a body without secrets. Raises :class:`Problem` where only the key opens it."""
    if view == "image":
        return data
    if view not in (*_SHOWN, "form"):
        raise needs_key()
    try:
        shown = data.decode(charset, "replace")
    except LookupError:
        shown = data.decode("utf-8", "replace")
    return (masked_form(shown) if view == "form" else masked_text(shown)).encode("utf-8", "replace")


def _content(capture: Capture, which: str) -> bytes:
    if which == "request":
        return b"" if capture.request_body is None else content_of(capture.request_body, is_answer=False)
    if capture.own is not None:
        return capture.own.body
    return b"" if capture.response_body is None else content_of(capture.response_body, is_answer=True)


async def _copy(request: web.Request) -> web.StreamResponse:
    row, secrets = await row_of(request), wants_secrets(request)
    ways = {"curl": as_curl, "fetch": as_fetch}
    way = ways.get(request.query.get("as", "curl"))
    if way is None:
        raise Problem(400, "bad-request", "`as` is to be `curl` or `fetch`.")
    return web.Response(text=way(_kept(row), secrets=secrets), content_type="text/plain", charset="utf-8")


async def _messages(request: web.Request) -> web.StreamResponse:
    row, secrets = await row_of(request), wants_secrets(request)
    after, limit = number(request, "after", least=0) or 0, number(request, "limit", most=MAX_LIMIT) or MAX_LIMIT
    found, has_more, dropped = request.app[LIVE].tunnels.messages(row.id, after=after, limit=limit)
    document = {
        "messages": [message_json(one, secrets=secrets) for one in found],
        "more": has_more,
        "dropped": dropped,
    }
    return answer_json(document)


def _kept(row: Row) -> Capture:
    if row.capture is None:
        help = "Heads and bodies are kept while a page is open, or with `capture = true` in [inspector]."
        raise Problem(409, "not-possible", "No more than its row was kept of this exchange.", help)
    return row.capture
