"""The server of the inspector's page and API: aiohttp on a socket that only the gateway is to reach.

Runs on a loop of its own, in a thread of its own. Every request has come through the gateway, which has judged its Host
and its source and says where it came from; who may see what is :mod:`devproxy.inspector.access`'s to decide, and what
there is to see :mod:`devproxy.inspector.resources`'. Start at :func:`serve`.
"""

from __future__ import annotations

import asyncio
import hmac
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from devproxy.inspector.access import Access, judge
from devproxy.inspector.live import Live
from devproxy.inspector.resources import add_resources
from devproxy.inspector.web import ABOUT, ACCESS, FIELDS, LIVE, Problem, needs_key
from devproxy.plan.pages import PEER_FIELD, SECRET_FIELD, WAY_FIELD

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler

PREFIX: Final = "/__devproxy"
KEY_FIELD: Final = "X-Devproxy-Key"
MAX_REQUEST_BYTES: Final = 16 << 20
_PAGE: Final = Path(__file__).parent / "page"
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
    app[LIVE] = live
    app[ABOUT] = about
    app.router.add_get(f"{PREFIX}/", _index)
    app.router.add_get(PREFIX + "/page/{name:.+}", _file)
    add_resources(app, f"{PREFIX}/api")
    return app


# -- who may ---------------------------------------------------------------------------------------------------------


def _guard(key: str, secret: str) -> Any:
    """Return what comes before every handler: it lets in what the gateway sends, and turns problems into answers."""

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not hmac.compare_digest(request.headers.get(SECRET_FIELD, "").encode("utf-8", "replace"), secret.encode()):
            return web.Response(status=404, headers=FIELDS)
        request[ACCESS] = access = judge(
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
            request.app[LIVE].report(error)
            what = f"The inspector has failed at this: {type(error).__name__}: {error}"
            return _error(Problem(500, "internal", what, "This is a bug in devproxy: please report it."))
        if not answer.prepared:
            answer.headers.update(FIELDS)
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
    return web.json_response(document, status=problem.status, headers=FIELDS)


# -- the page --------------------------------------------------------------------------------------------------------


async def _index(request: web.Request) -> web.StreamResponse:
    return _page_file("index.html")


async def _file(request: web.Request) -> web.StreamResponse:
    return _page_file(request.match_info["name"])


def _page_file(name: str) -> web.Response:
    parts = name.split("/")
    path = _PAGE.joinpath(*parts)
    if any(part == "" or part.startswith(".") for part in parts) or "\0" in name or path.suffix not in _TYPES:
        raise Problem(404, "not-found", "There is no such page.")
    try:
        content = path.read_bytes()
    except OSError:
        raise Problem(404, "not-found", "There is no such page.") from None
    return web.Response(body=content, content_type=_TYPES[path.suffix], charset=_charset(path.suffix))


def _charset(suffix: str) -> str | None:
    kind = _TYPES[suffix]
    return "utf-8" if kind.startswith("text/") or kind.endswith(("+xml", "+json")) else None
