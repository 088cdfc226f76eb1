"""The page's server: a stand-in for a frontend dev server. It does not know about devproxy.

Run as ``python -m devproxy.demo.page BACKEND_PORT``.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from aiohttp import web

from devproxy.demo.serve import serve

_STATIC: Final = Path(__file__).with_name("static")


def application(backend_port: int) -> web.Application:
    """Return the page's server; the page learns from it where the backend is, so that it can try it directly."""
    direct = f"http://localhost:{backend_port}"
    policy = f"default-src 'self'; connect-src 'self' {direct} ws://localhost:{backend_port}; img-src 'self' data:"

    async def where(request: web.Request) -> web.Response:
        own_port = request.transport.get_extra_info("sockname")[1] if request.transport else 0
        return web.json_response({"direct": direct, "page": f"http://localhost:{own_port}"})

    async def index(_: web.Request) -> web.FileResponse:
        return web.FileResponse(_STATIC / "index.html")

    async def add_fields(_: web.Request, response: web.StreamResponse) -> None:
        response.headers.update({"Cache-Control": "no-store", "Content-Security-Policy": policy})

    made = web.Application()
    made.on_response_prepare.append(add_fields)
    made.router.add_get("/demo.json", where)
    made.router.add_get("/", index)
    made.router.add_static("/", _STATIC)
    return made


if __name__ == "__main__":
    serve(application(int(sys.argv[1])))
