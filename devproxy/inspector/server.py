"""The server of the inspector's page and API: aiohttp on a socket that only the gateway is to reach.

Runs on a loop of its own, in a thread of its own. Every request has come through the gateway, which has judged its Host
and its source and says where it came from; who may see what is :mod:`devproxy.inspector.access`'s to decide. Resources
are described in ``docs/inspector-api.md``. Start at :func:`serve`.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from devproxy.inspector.access import Access, judge
from devproxy.inspector.feed import stream
from devproxy.inspector.live import Live, state_json
from devproxy.inspector.rows import as_json
from devproxy.plan.pages import PEER_FIELD, SECRET_FIELD, WAY_FIELD

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler

PREFIX: Final = "/__devproxy"
KEY_FIELD: Final = "X-Devproxy-Key"
MAX_REQUEST_BYTES: Final = 16 << 20
MAX_LIMIT: Final = 500
_PAGE: Final = Path(__file__).parent / "page"
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "form-action 'none'; frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'"
)
_FIELDS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_TYPES: Final = {
    ".css": "text/css",
    ".html": "text/html",
    ".ico": "image/x-icon",
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
}

Facts = Callable[[], dict[str, Any]]
"""Gives what ``api/about`` says of this devproxy, but for what the server itself knows."""
_LIVE: Final = web.AppKey("live", Live)
_ABOUT: Final = web.AppKey("about", dict[str, Any])
_ACCESS: Final = web.RequestKey("access", Access)


class Problem(Exception):
    """An error of the API; see ``docs/inspector-api.md``."""

    def __init__(self, status: int, code: str, what: str, help: str = "") -> None:
        super().__init__(what)
        self.status = status
        self.code = code
        self.what = what
        self.help = help


def needs_key() -> Problem:
    """Return the problem of what only the key allows."""
    help = "Open the inspector by the link in devproxy's banner; it carries the key."
    return Problem(403, "key-needed", "This needs the key.", help)


async def serve(sock: socket.socket, live: Live, *, key: str, secret: str, about: dict[str, Any]) -> None:
    """Serve on `sock` until `live` stops. `secret`: what the gateway sends with each request."""
    live.begin()
    runner = web.AppRunner(application(live, key=key, secret=secret, about=about), access_log=None)
    await runner.setup()
    await web.SockSite(runner, sock).start()
    while not live.is_stopping:
        await live.ticked.wait()
    await asyncio.sleep(0.05)  # streams say that they end
    await runner.cleanup()


def application(live: Live, *, key: str, secret: str, about: dict[str, Any]) -> web.Application:
    """Return the application that shows `live`."""
    app = web.Application(client_max_size=MAX_REQUEST_BYTES, middlewares=[_guard(key, secret)])
    app[_LIVE] = live
    app[_ABOUT] = about
    get, post = app.router.add_get, app.router.add_post
    get(f"{PREFIX}/", _index)
    get(PREFIX + "/page/{name:.+}", _file)
    get(f"{PREFIX}/api/about", _about)
    get(f"{PREFIX}/api/exchanges", _exchanges)
    get(f"{PREFIX}/api/routes", _routes)
    get(f"{PREFIX}/api/events", _events)
    post(f"{PREFIX}/api/clear", _clear)
    post(f"{PREFIX}/api/capture", _capture)
    post(f"{PREFIX}/api/clear-site-data", _clear_site_data)
    return app


# -- who may ---------------------------------------------------------------------------------------------------------


def _guard(key: str, secret: str) -> Any:
    """Return what comes before every handler: it lets in what the gateway sends, and turns problems into answers."""

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not hmac.compare_digest(request.headers.get(SECRET_FIELD, "").encode(), secret.encode()):
            return web.Response(status=404, headers=_FIELDS)
        request[_ACCESS] = access = judge(
            request.headers.get(KEY_FIELD),
            key,
            peer=request.headers.get(PEER_FIELD, ""),
            host=request.host,
            way=request.headers.get(WAY_FIELD, ""),
        )
        try:
            if request.path.startswith(f"{PREFIX}/api/"):
                _admit(request, access)
            answer = await handler(request)
        except Problem as problem:
            return _error(problem)
        except web.HTTPException as error:
            return _error(_of_http(error, request))
        except Exception as error:
            request.app[_LIVE].report(error)
            what = f"The inspector has failed at this: {type(error).__name__}: {error}"
            return _error(Problem(500, "internal", what, "This is a bug in devproxy: please report it."))
        if not answer.prepared:
            answer.headers.update(_FIELDS)
        return answer

    return guard


def _admit(request: web.Request, access: Access) -> None:
    if access is Access.WRONG_KEY:
        help = "devproxy has been started again since: open the link in its banner."
        raise Problem(401, "wrong-key", "This is not the key of this devproxy.", help)
    if access is Access.NEEDS_KEY:
        raise Problem(401, "key-needed", "From here the inspector opens only with its key.", needs_key().help)
    if request.method not in ("GET", "HEAD") and access is not Access.FULL:
        raise needs_key()


def _of_http(error: web.HTTPException, request: web.Request) -> Problem:
    if error.status == 413:
        return Problem(413, "too-large", f"A body may have {MAX_REQUEST_BYTES >> 20} MiB.")
    if error.status == 405:
        return Problem(405, "not-found", f"{request.method} is not for this.")
    return Problem(error.status if error.status >= 400 else 404, "not-found", "There is no such page.")


def _error(problem: Problem) -> web.Response:
    document = {"error": problem.code, "what": problem.what, "help": problem.help}
    return web.json_response(document, status=problem.status, headers=_FIELDS)


def _json(document: Any) -> web.Response:
    return web.json_response(document, dumps=_dumps)


def _dumps(document: Any) -> str:
    return json.dumps(document, separators=(",", ":"))


def wants_secrets(request: web.Request) -> bool:
    """Tell whether `request` asks for what is secret, which it may. Raises :class:`Problem` where it may not."""
    if request.query.get("secrets", "") not in ("1", "true"):
        return False
    if request[_ACCESS] is not Access.FULL:
        raise needs_key()
    return True


def number(request: web.Request, name: str, *, least: int = 1, most: int | None = None) -> int | None:
    """Return the whole number in the query of `request`; None: it is not there. Raises :class:`Problem`."""
    written = request.query.get(name)
    if written is None:
        return None
    if not written.isascii() or not written.isdigit() or len(written) > 15:
        raise Problem(400, "bad-request", f"`{name}` is to be a whole number.")
    found = int(written)
    if found < least or (most is not None and found > most):
        bounds = f"from {least} to {most}" if most is not None else f"of at least {least}"
        raise Problem(400, "bad-request", f"`{name}` is to be a number {bounds}.")
    return found


# -- the page --------------------------------------------------------------------------------------------------------


async def _index(request: web.Request) -> web.StreamResponse:
    return _page_file("index.html")


async def _file(request: web.Request) -> web.StreamResponse:
    return _page_file(request.match_info["name"])


def _page_file(name: str) -> web.Response:
    parts = name.split("/")
    path = _PAGE.joinpath(*parts)
    if any(part in ("", ".", "..") or part.startswith(".") for part in parts) or path.suffix not in _TYPES:
        raise Problem(404, "not-found", "There is no such page.")
    try:
        content = path.read_bytes()
    except OSError:
        raise Problem(404, "not-found", "There is no such page.") from None
    return web.Response(body=content, content_type=_TYPES[path.suffix], charset=_charset(path.suffix))


def _charset(suffix: str) -> str | None:
    kind = _TYPES[suffix]
    return "utf-8" if kind.startswith("text/") or kind.endswith(("+xml", "+json")) else None


# -- resources -------------------------------------------------------------------------------------------------------


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
    live = request.app[_LIVE]
    await live.refresh()
    return _json(about(live, request.app[_ABOUT], request[_ACCESS]))


async def _exchanges(request: web.Request) -> web.StreamResponse:
    live, secrets = request.app[_LIVE], wants_secrets(request)
    before, limit = number(request, "before"), number(request, "limit", most=MAX_LIMIT) or 200
    await live.refresh()
    found, has_more = live.store.latest(before=before, limit=limit)
    document = {
        "exchanges": [as_json(row, secrets=secrets) for row in found],
        "more": has_more,
        "total": len(live.store),
        "last_event_id": f"{request.app[_ABOUT]['epoch']}-{live.version}",
    }
    return _json(document)


async def _routes(request: web.Request) -> web.StreamResponse:
    live = request.app[_LIVE]
    await live.refresh()
    return _json({"upstreams": state_json(await live.server_states(), live.store.upstreams)})


async def _events(request: web.Request) -> web.StreamResponse:
    live, static = request.app[_LIVE], request.app[_ABOUT]
    exchange_id, secrets = number(request, "exchange"), wants_secrets(request)
    after = request.headers.get("Last-Event-ID") or request.query.get("last_event_id", "")
    answer = web.StreamResponse(headers={**_FIELDS, "Content-Type": "text/event-stream"})
    await live.look()
    try:
        await answer.prepare(request)
        hello = about(live, static, request[_ACCESS])
        async for piece in stream(live, static["epoch"], after, hello, exchange_id=exchange_id, secrets=secrets):
            await answer.write(piece)
    except (ConnectionError, asyncio.CancelledError):
        pass  # the page has gone
    finally:
        live.look_away()
    return answer


async def _clear(request: web.Request) -> web.StreamResponse:
    live = request.app[_LIVE]
    await live.refresh()
    live.store.clear()
    return _json({})


async def _capture(request: web.Request) -> web.StreamResponse:
    document = await body_of(request)
    if not isinstance(document.get("on"), bool):
        raise Problem(400, "bad-request", '`{"on": true}` or `{"on": false}` is expected.')
    await request.app[_LIVE].set_capturing(document["on"])
    return _json({})


async def _clear_site_data(request: web.Request) -> web.StreamResponse:
    answer = _json({})
    answer.headers["Clear-Site-Data"] = '"cache", "cookies", "storage"'
    return answer


async def body_of(request: web.Request) -> dict[str, Any]:
    """Return the object of JSON in the body of `request`, empty where there is no body. Raises :class:`Problem`."""
    octets = await request.read()
    try:
        document = json.loads(octets) if octets.strip() else {}
    except (ValueError, RecursionError):
        raise Problem(400, "bad-request", "The body is to be JSON.") from None
    if not isinstance(document, dict):
        raise Problem(400, "bad-request", "The body is to be an object of JSON.")
    return document
