"""The resources of the inspector's API but for single exchanges: what there is, as ``docs/inspector-api.md`` has it.

Start at :func:`add_resources`.
"""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web

from devproxy.errors import BadMessage
from devproxy.inspector.access import Access
from devproxy.inspector.exchanges import add_exchanges
from devproxy.inspector.feed import stream
from devproxy.inspector.live import Live, state_json
from devproxy.inspector.rows import as_json
from devproxy.inspector.rules import configuration_json, routes_json, test_json
from devproxy.inspector.web import (
    ABOUT,
    ACCESS,
    FIELDS,
    LIVE,
    MAX_LIMIT,
    MAX_PAGES,
    Problem,
    answer_json,
    body_of,
    number,
    wants_secrets,
)


def add_resources(app: web.Application, prefix: str) -> None:
    """Add the resources below `prefix` to `app`."""
    get, post = app.router.add_get, app.router.add_post
    get(f"{prefix}/about", _about)
    get(f"{prefix}/exchanges", _exchanges)
    get(f"{prefix}/routes", _routes)
    get(f"{prefix}/routes/test", _test)
    get(f"{prefix}/configuration", _configuration)
    get(f"{prefix}/sessions", _sessions)
    get(f"{prefix}/sessions/{{sid}}", _session)
    get(f"{prefix}/events", _events)
    post(f"{prefix}/clear", _clear)
    post(f"{prefix}/capture", _capture)
    post(f"{prefix}/clear-site-data", _clear_site_data)
    add_exchanges(app, prefix)


def about(live: Live, static: dict[str, Any], access: Access) -> dict[str, Any]:
    """Return what ``api/about`` says, and the first event of a stream."""
    config = live.gateway.snapshot.config
    return {
        **static,
        "access": access.value,
        "urls": list(live.gateway.urls),
        "source": config.source,
        "capture": live.captures,
        "max_mib": config.inspector.max_mib,
        "is_complete": live.is_complete,
        "last_event_id": f"{static['epoch']}-{live.version}",
    }


async def _about(request: web.Request) -> web.StreamResponse:
    live = request.app[LIVE]
    await live.refresh()
    return answer_json(about(live, request.app[ABOUT], request[ACCESS]))


async def _exchanges(request: web.Request) -> web.StreamResponse:
    live, secrets = request.app[LIVE], wants_secrets(request)
    before, limit = number(request, "before"), number(request, "limit", most=MAX_LIMIT) or 200
    await live.refresh()
    found, has_more = live.store.latest(before=before, limit=limit)
    document = {
        "exchanges": [as_json(row, secrets=secrets) for row in found],
        "more": has_more,
        "total": len(live.store),
        "last_event_id": f"{request.app[ABOUT]['epoch']}-{live.version}",
    }
    return answer_json(document)


async def _routes(request: web.Request) -> web.StreamResponse:
    live = request.app[LIVE]
    await live.refresh()
    upstreams = state_json(await live.server_states(), live.store.upstreams)
    return answer_json({"routes": routes_json(live.gateway.snapshot.config, live.store), "upstreams": upstreams})


async def _test(request: web.Request) -> web.StreamResponse:
    live, query = request.app[LIVE], request.query
    method, path, host = query.get("method", "GET"), query.get("path", "/"), query.get("host", "localhost")
    try:
        return answer_json(test_json(live.gateway.snapshot, method, path, host, query.getall("header", [])))
    except BadMessage as error:
        raise Problem(400, "bad-request", f"That is no request: {error.reason}.") from None


async def _configuration(request: web.Request) -> web.StreamResponse:
    live, secrets = request.app[LIVE], wants_secrets(request)
    await live.refresh()
    text = await live.on_loop(live.text)
    return answer_json(configuration_json(live.gateway.snapshot.config, live.store, text, secrets=secrets))


async def _sessions(request: web.Request) -> web.StreamResponse:
    live, secrets = request.app[LIVE], wants_secrets(request)
    await live.refresh()
    return answer_json({"sessions": [one.json(secrets=secrets) for one in live.sessions.latest(200)]})


async def _session(request: web.Request) -> web.StreamResponse:
    live = request.app[LIVE]
    await live.refresh()
    session = live.sessions.get(request.match_info["sid"])
    if session is None:
        raise Problem(404, "not-found", "This session is not known.")
    return answer_json(session.json(secrets=wants_secrets(request)))


async def _events(request: web.Request) -> web.StreamResponse:
    live, static = request.app[LIVE], request.app[ABOUT]
    exchange_id, secrets = number(request, "exchange"), wants_secrets(request)
    after = request.headers.get("Last-Event-ID") or request.query.get("last_event_id", "")
    answer = web.StreamResponse(headers={**FIELDS, "Content-Type": "text/event-stream"})
    if live.looking >= MAX_PAGES:
        raise Problem(409, "not-possible", f"{MAX_PAGES} pages of the inspector are open.", "Close some of them.")
    await live.look()
    try:
        await answer.prepare(request)
        hello = about(live, static, request[ACCESS])
        async for piece in stream(live, static["epoch"], after, hello, exchange_id=exchange_id, secrets=secrets):
            await answer.write(piece)
    except (ConnectionError, asyncio.CancelledError):
        pass  # the page has gone
    finally:
        live.look_away()
    return answer


async def _clear(request: web.Request) -> web.StreamResponse:
    live = request.app[LIVE]
    await live.refresh()
    live.clear()
    return answer_json({})


async def _capture(request: web.Request) -> web.StreamResponse:
    document = await body_of(request)
    if not isinstance(document.get("on"), bool):
        raise Problem(400, "bad-request", '`{"on": true}` or `{"on": false}` is expected.')
    await request.app[LIVE].set_capturing(document["on"])
    return answer_json({})


async def _clear_site_data(request: web.Request) -> web.StreamResponse:
    answer = answer_json({})
    answer.headers["Clear-Site-Data"] = '"cache", "cookies", "storage"'
    return answer
