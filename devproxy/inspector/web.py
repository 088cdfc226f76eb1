"""What the handlers of the inspector's API have in common: errors, parameters, bodies, and who asks.

Start at :class:`Problem`.
"""

from __future__ import annotations

import json
from typing import Any, Final

from aiohttp import web

from devproxy.inspector.access import Access
from devproxy.inspector.live import Live
from devproxy.inspector.rows import Row
from devproxy.inspector.written import written

MAX_LIMIT: Final = 500
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "form-action 'none'; frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'"
)
FIELDS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""What every answer says to the browser, whatever it is."""
MAX_PAGES: Final = 64
"""Event streams at a time: people have a few pages open, and a script of the application may try more."""
LIVE: Final = web.AppKey("live", Live)
ABOUT: Final = web.AppKey("about", dict[str, Any])
ACCESS: Final = web.RequestKey("access", Access)


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


def answer_json(document: Any) -> web.Response:
    """Return `document` as an answer."""
    return web.json_response(document, dumps=written)


def wants_secrets(request: web.Request) -> bool:
    """Tell whether `request` asks for what is secret, which it may. Raises :class:`Problem` where it may not."""
    if request.query.get("secrets", "") not in ("1", "true"):
        return False
    if request[ACCESS] is not Access.FULL:
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


async def row_of(request: web.Request) -> Row:
    """Return the row that the path of `request` names, as it is now. Raises :class:`Problem`."""
    live = request.app[LIVE]
    await live.refresh()
    written = request.match_info["id"]
    row = live.store.row(int(written)) if written.isascii() and written.isdigit() and len(written) < 16 else None
    if row is None:
        help = "Only so many are kept, and numbers begin again with each start."
        raise Problem(404, "not-found", f"Exchange {written[:20]} is not known.", help)
    return row
