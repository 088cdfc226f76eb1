"""The page's server: a stand-in for a frontend dev server. It knows nothing of devproxy.

Run as ``python -m devproxy.demo.page BACKEND_PORT``.
"""

from __future__ import annotations

import sys
from importlib.resources import files
from typing import Final

from aiohttp import web

from devproxy.demo.serve import serve

CONTENT_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}


def application(backend_port: int) -> web.Application:
    """Return the page's server; the page learns from it where the backend is, so that it can try it directly."""
    direct = f"http://localhost:{backend_port}"
    policy = f"default-src 'self'; connect-src 'self' {direct} ws://localhost:{backend_port}; img-src 'self' data:"
    pages = {f"/{name}": (body, CONTENT_TYPES[suffix]) for name, suffix, body in _static_files()}
    pages["/"] = pages["/index.html"]

    async def where(request: web.Request) -> web.Response:
        own_port = request.transport.get_extra_info("sockname")[1] if request.transport else 0
        return web.json_response({"direct": direct, "page": f"http://localhost:{own_port}"})

    async def answer(request: web.Request) -> web.Response:
        if request.path not in pages:
            raise web.HTTPNotFound
        body, content_type = pages[request.path]
        headers = {"Content-Type": content_type, "Cache-Control": "no-store", "Content-Security-Policy": policy}
        return web.Response(body=body, headers=headers)

    made = web.Application()
    made.router.add_get("/demo.json", where)
    made.router.add_get("/{path:.*}", answer)
    return made


def _static_files() -> list[tuple[str, str, bytes]]:
    """Return ``(name, suffix, content)`` of every file that the page consists of."""
    folder = files("devproxy.demo").joinpath("static")
    return [(file.name, file.name[file.name.rindex(".") :], file.read_bytes()) for file in folder.iterdir()]


if __name__ == "__main__":
    serve(application(int(sys.argv[1])))
