"""What a server seems to be, by what it sends. Pure; a guess is for people and for the fix that is shown first.

Start at :func:`guess_server`.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from devproxy.doctor.observed import Answer, Seen
from devproxy.doctor.packets import read_open
from devproxy.doctor.reading import engine_at, refusal_of
from devproxy.text.safe import visible


class Guess(NamedTuple):
    """``name``: what it seems to be, with ``via`` in front of it: a proxy that names itself. ``stack``: whose fixes are
    shown: ``node``, ``python`` or nothing. ``is_other_protocol``: it speaks something else that keeps connections open.
    """

    name: str
    via: str = ""
    stack: str = ""
    is_other_protocol: bool = False

    def __str__(self) -> str:
        return f"{self.name}, behind {self.via}" if self.via else self.name


_PROXIES: Final = (
    (b"nginx", "nginx"),
    (b"openresty", "nginx (OpenResty)"),
    (b"caddy", "Caddy"),
    (b"apache", "Apache"),
    (b"cloudflare", "Cloudflare"),
    (b"envoy", "Envoy"),
    (b"haproxy", "HAProxy"),
    (b"traefik", "Traefik"),
    (b"varnish", "Varnish"),
    (b"awselb", "an AWS load balancer"),
    (b"microsoft-iis", "IIS"),
    (b"lighttpd", "lighttpd"),
)
_PYTHON: Final = (
    (b"werkzeug", "Flask (Werkzeug)"),
    (b"gunicorn", "gunicorn"),
    (b"uvicorn", "uvicorn"),
    (b"hypercorn", "Hypercorn"),
    (b"daphne", "Daphne"),
    (b"aiohttp", "aiohttp"),
    (b"wsgiserver", "Django"),
    (b"tornadoserver", "Tornado"),
    (b"eventlet", "eventlet"),
    (b"gevent", "gevent"),
    (b"waitress", "waitress"),
    (b"simplehttp", "Python's http.server"),
    (b"basehttp", "Python's http.server"),
    (b"python", "a Python server"),
)
_PAGES: Final = (
    (b"/@vite/client", "Vite's dev server"),
    (b"__next", "Next"),
    (b"/_next/", "Next"),
    (b"/_nuxt/", "Nuxt"),
    (b"webpack-dev-server", "webpack's dev server"),
    (b"/__webpack_hmr", "webpack's dev server"),
    (b"ng-version", "Angular's dev server"),
    (b"<app-root", "Angular's dev server"),
    (b"bundle.js", "a page of a dev server"),
    (b"welcome to nginx", "nginx"),
)
_BANNERS: Final = (
    (b"SSH-", "an SSH server"),
    (b"-ERR", "Redis"),
    (b"-DENIED", "Redis"),
    (b"220 ", "a mail or FTP server"),
    (b"* OK", "a mail server (IMAP)"),
    (b"\x00\x00", "an HTTP/2 server that speaks no HTTP/1.1 (gRPC)"),
    (b"\x15\x03", "a TLS server"),
)


def guess_server(seen: Seen) -> Guess:
    """Return what the server of `seen` seems to be."""
    answers = [
        answer
        for answer in (seen.polled, seen.polled_page, seen.resource, seen.resource_page, seen.unknown_session)
        if answer.is_there
    ]
    via = next((name for answer in answers if (name := _named(answer, _PROXIES))), "")
    python = next((name for answer in answers if (name := _named(answer, _PYTHON))), "")
    if any(answer.value("x-devproxy-error") or b"devproxy" in answer.value("via").lower() for answer in answers):
        via = "devproxy"
    if engine_at(seen):
        return _engine(seen, python, via)
    if not answers:
        raw = seen.polled.raw or seen.resource.raw
        banner = next((name for start, name in _BANNERS if raw.startswith(start)), "")
        if not banner and raw[5:40].isascii() and b"mysql" in raw.lower():
            banner = "MySQL"
        return Guess(banner or (f"something that says {visible(raw, 40)!r}" if raw else "unknown"))
    return _other(seen, answers, python, via)


def _engine(seen: Seen, python: str, via: str) -> Guess:
    opened = next(
        (
            found
            for answer in (seen.polled_page, seen.polled, seen.polled_old)
            if answer.status == 200 and (found := read_open(answer.body))
        ),
        None,
    )
    refusals = [refusal for answer in (seen.polled, seen.polled_page) if (refusal := refusal_of(answer))]
    keys = opened.keys if opened else ()
    is_python = any(refusal.is_python for refusal in refusals) or (
        "pingTimeout" in keys and "pingInterval" in keys and keys.index("pingTimeout") < keys.index("pingInterval")
    )
    if is_python or (python and not refusals and opened is None):
        if python.startswith("Flask"):
            return Guess("Flask-SocketIO", via, "python")
        return Guess(f"python-socketio ({python})" if python else "python-socketio", via, "python")
    # A server of version 4 names `maxPayload`, also to an old client that it takes.
    version = "2" if opened and opened.eio == 3 and "maxPayload" not in keys else "3 or 4"
    if opened is None and not refusals:
        return Guess("Socket.IO", via)
    express = any(b"express" in a.value("x-powered-by").lower() for a in (seen.resource, seen.resource_page))
    return Guess(f"Socket.IO {version} (Node{', Express' if express else ''})", via, "node")


def _other(seen: Seen, answers: list[Answer], python: str, via: str) -> Guess:
    hints = {path: answer for path, answer in seen.hints if answer.is_there}
    bodies = b"\n".join(answer.body[:16384].lower() for answer in answers)
    infos = [answer.body for path, answer in hints.items() if path.endswith("/info")]
    if b"welcome to sockjs" in bodies or any(b'"websocket"' in body and b'"entropy"' in body for body in infos):
        return Guess("SockJS", via, "node", is_other_protocol=True)
    negotiated = [answer.body[:4096].lower() for path, answer in hints.items() if path.endswith("/negotiate")]
    if b"connection id required" in bodies or any(b"connectionid" in body for body in negotiated):
        return Guess("SignalR", via, is_other_protocol=True)
    if seen.socket_resource.is_open:
        stack = "python" if python else ""
        return Guess(f"a plain WebSocket server{f' ({python})' if python else ''}", via, stack, is_other_protocol=True)
    if any(answer.status == 426 for answer in (seen.resource, seen.resource_page)):
        return Guess("a plain WebSocket server", via, is_other_protocol=True)
    openapi = hints.get("/openapi.json")
    powered = b" ".join(answer.value("x-powered-by").lower() for answer in answers)
    page = _page(hints.get("/@vite/client"), bodies, powered)
    if page and not python:
        return Guess(page, via if page != "nginx" else "", "node")
    if (openapi and openapi.status == 200 and b'"openapi"' in openapi.body) or (
        python == "uvicorn" and b'{"detail":"not found"}' in bodies
    ):
        return Guess("FastAPI", via, "python")
    if b"express" in powered or b"cannot get /" in bodies:
        return Guess("Express", via, "node")
    if b"csrfmiddlewaretoken" in bodies or b"disallowedhost" in bodies:
        return Guess("Django", via, "python")
    if python:
        return Guess(python, via, "python")
    name = _by_kind(answers, bodies, powered)
    return Guess(name, via if via != name else "")


def _page(vite: Answer | None, bodies: bytes, powered: bytes) -> str:
    if vite and vite.status == 200 and b"javascript" in vite.value("content-type").lower():
        return "Vite's dev server"
    return "Next" if b"next.js" in powered else next((name for words, name in _PAGES if words in bodies), "")


def _by_kind(answers: list[Answer], bodies: bytes, powered: bytes) -> str:
    if b"graphql" in bodies or b"must provide query string" in bodies:
        return "a GraphQL server"
    if b"php" in powered:
        return "a PHP server"
    if any(b"json" in answer.value("content-type") for answer in answers if answer.status < 400):
        return "a REST server"
    server = next((value for answer in answers if (value := answer.value("server"))), b"")
    return f"a web server ({visible(server, 40)})" if server else "a web server"


def _named(answer: Answer, names: tuple[tuple[bytes, str], ...]) -> str:
    server = answer.value("server").lower()
    return next((name for start, name in names if start in server), "")
