"""The resources of single exchanges: all there is to say of one, its bodies, and copies of its request.

Start at :func:`add_exchanges`.
"""

from __future__ import annotations

import asyncio
import base64
import json
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from devproxy.errors import BadMessage
from devproxy.http.codings import Decoded, missing_library
from devproxy.inspector.access import Access
from devproxy.inspector.bodies import content_of, decoded
from devproxy.inspector.copies import as_curl, as_fetch, fields_of
from devproxy.inspector.details import detail_json
from devproxy.inspector.har import archive, entry
from devproxy.inspector.masking import masked_body
from devproxy.inspector.messages import as_json as message_json
from devproxy.inspector.web import (
    ABOUT,
    ACCESS,
    LIVE,
    MAX_LIMIT,
    Problem,
    answer_json,
    body_of,
    needs_key,
    number,
    row_of,
    wants_secrets,
)

if TYPE_CHECKING:
    from devproxy.gateway.shared.capture import Capture
    from devproxy.inspector.rows import Row

MAX_ENTRIES: Final = 10_000
_REPLACED: Final = ("content-length", "transfer-encoding", "expect", "trailer")
"""Fields that say how long a body is and how it comes: of a body that is there whole."""


def add_exchanges(app: web.Application, prefix: str) -> None:
    """Add the resources of exchanges below `prefix` to `app`."""
    one = f"{prefix}/exchanges/{{id}}"
    app.router.add_get(one, _exchange)
    app.router.add_get(f"{one}/body/{{which:request|response}}", _body)
    app.router.add_get(f"{one}/copy", _copy)
    app.router.add_get(f"{one}/messages", _messages)
    app.router.add_post(f"{one}/replay", _replay)
    app.router.add_get(f"{prefix}/har", _har)


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
    if without is None and missing_library(encoding.encode("latin-1")):
        answer.headers["X-Devproxy-Missing"] = "brotli and backports.zstd"
    return answer


def masked_bytes(data: bytes, view: str, charset: str) -> bytes:
    """Return the content of a body without secrets. Raises :class:`Problem` where only the key opens it."""
    if view == "image":
        return data
    shown = masked_body(data, view, charset)
    if shown is None:
        raise needs_key()
    return shown.encode("utf-8", "replace")


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
        "messages": [message_json(one, secrets=secrets, has_key=request[ACCESS] is Access.FULL) for one in found],
        "more": has_more,
        "dropped": dropped,
    }
    return answer_json(document)


async def _replay(request: web.Request) -> web.StreamResponse:
    row, wanted = await row_of(request), await body_of(request)
    live = request.app[LIVE]
    try:
        block, body = again(row, wanted)
    except UnicodeEncodeError:
        raise Problem(400, "bad-request", "A text has half a surrogate pair in it (`\\ud800`).") from None
    scheme = row.scheme
    try:
        number = await live.on_loop(lambda: live.gateway.replay(block, body, scheme))
    except BadMessage as error:
        raise Problem(400, "bad-request", f"That is no request: {error.reason}.") from None
    live.store.replays[number] = row.id
    return answer_json({"id": number})


async def _har(request: web.Request) -> web.StreamResponse:
    live, secrets = request.app[LIVE], wants_secrets(request)
    await live.refresh()
    written = request.query.get("ids")
    if written is None:
        rows = list(live.store.all())
    else:
        ids = [one.strip() for one in written.split(",")]
        if not all(one.isascii() and one.isdigit() and len(one) < 16 for one in ids) or len(ids) > MAX_ENTRIES:
            raise Problem(400, "bad-request", f"`ids` is to be at most {MAX_ENTRIES} numbers with commas between.")
        found = (live.store.row(int(one)) for one in dict.fromkeys(ids))
        rows = [row for row in found if row is not None]
    entries = []
    for count, row in enumerate(rows, 1):
        messages, _, _ = live.tunnels.messages(row.id, after=0, limit=MAX_ENTRIES)
        entries.append(entry(row, messages, secrets=secrets))
        if count % 50 == 0:
            await asyncio.sleep(0)
    version = str(request.app[ABOUT].get("version", ""))
    answer = web.Response(text=json.dumps(archive(entries, version), indent=1), content_type="application/json")
    answer.headers["Content-Disposition"] = 'attachment; filename="devproxy.har"'
    return answer


def again(row: Row, wanted: dict[str, Any]) -> tuple[bytes, bytes]:
    """Return the head and the body of the request of `row`, with what `wanted` changes. Raises :class:`Problem`."""
    kept = row.capture
    fields = wanted.get("fields")
    if kept is None and fields is None:
        _kept(row)
    if fields is None and kept is not None:
        pairs = fields_of(kept, secrets=True)
    else:
        is_good = isinstance(fields, list) and all(
            isinstance(one, list) and len(one) == 2 and all(isinstance(part, str) for part in one) for one in fields
        )
        if not is_good:
            raise Problem(400, "bad-request", '`fields` is to be a list of `["Name", "value"]`.')
        pairs = [(name, value) for name, value in fields or ()]
    method, target = wanted.get("method", row.method), wanted.get("target", row.target)
    if not isinstance(method, str) or not isinstance(target, str):
        raise Problem(400, "bad-request", "`method` and `target` are to be text.")
    body = _wanted_body(kept, wanted)
    lines = [f"{method} {target} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in pairs if name.lower() not in _REPLACED]
    if body or any(name.lower() in _REPLACED for name, _ in pairs):
        lines.append(f"Content-Length: {len(body)}")
    if any("\r" in line or "\n" in line for line in lines):
        raise Problem(400, "bad-request", "A line of the head has a line break in it.")
    return "\r\n".join(lines).encode("utf-8", "surrogateescape"), body


def _wanted_body(kept: Capture | None, wanted: dict[str, Any]) -> bytes:
    if isinstance(wanted.get("body"), str):
        return str(wanted["body"]).encode("utf-8", "surrogateescape")
    if isinstance(wanted.get("body_base64"), str):
        try:
            return base64.b64decode(wanted["body_base64"], validate=True)
        except ValueError:
            raise Problem(400, "bad-request", "`body_base64` is not base64.") from None
    if kept is None or kept.request_body is None:
        return b""
    if not kept.request_body.is_complete or kept.request_body.kept != kept.request_body.size:
        help = "Give a body with `body` or `body_base64`."
        raise Problem(409, "not-possible", "Not all of the request's body was kept.", help)
    return content_of(kept.request_body, is_answer=False)


def _kept(row: Row) -> Capture:
    if row.capture is None:
        help = "Heads and bodies are kept while a page is open, or with `capture = true` in [inspector]."
        raise Problem(409, "not-possible", "No more than its row was kept of this exchange.", help)
    return row.capture
