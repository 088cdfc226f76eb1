"""What a server is, by what it answers; by its program, where it was too slow to. Pure.

The signs are those that the tools really send (``tests/corpus/init`` has what each of them sent, with its version).
Start at :func:`server_of`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from devproxy.doctor.guess import guess_server
from devproxy.doctor.observed import NOT_ASKED, Answer, Failure, Seen
from devproxy.doctor.packets import read_open
from devproxy.doctor.reading import is_engine_answer
from devproxy.doctor.target import parse_target
from devproxy.init import kinds
from devproxy.init.evidence import Engine, Server, Whose
from devproxy.init.kinds import Kind, Role
from devproxy.platforms.listeners import Listener

_SHOWN: Final = 32 * 1024
_PAGES: Final = (
    (b"__sveltekit_", kinds.SVELTEKIT),
    (b"/_nuxt/", kinds.NUXT),
    (b"window.__nuxt__", kinds.NUXT),
    (b'content="astro v', kinds.ASTRO),
    (b"__astro_dev_toolbar__", kinds.ASTRO),
    (b"data-astro-source-file", kinds.ASTRO),
    (b"/_next/", kinds.NEXT),
    (b"__reactroutercontext", kinds.REACT_ROUTER),
    (b"__remixcontext", kinds.REACT_ROUTER),
    (b"<app-root", kinds.ANGULAR),
    (b"ng-version", kinds.ANGULAR),
    (b"/@vite/client", kinds.VITE),
    (b"static/js/bundle.js", kinds.CRA),
    (b"js/chunk-vendors.js", kinds.VUE_CLI),
    (b"<title>webpack app</title>", kinds.WEBPACK),
)
"""In pages. The first that is there decides: what is built on Vite has Vite's own client, too."""
_POWERED: Final = ((b"next.js", kinds.NEXT), (b"nuxt", kinds.NUXT))
_SERVERS: Final = (
    (b"werkzeug", kinds.FLASK),
    (b"wsgiserver", kinds.DJANGO),
    (b"aiohttp", kinds.AIOHTTP),
    (b"puma", kinds.RAILS),
    (b"simplehttp", kinds.STATIC),
)
_PYTHON: Final = (b"uvicorn", b"daphne", b"hypercorn", b"gunicorn", b"granian", b"python")
_PROGRAMS: Final = (
    ("next-server", kinds.NEXT),
    ("puma", kinds.RAILS),
    ("ng serve", kinds.ANGULAR),
    ("webpack", kinds.WEBPACK),
)
"""Names that programs give themselves, as far as the system keeps them (15 characters)."""
_LATE: Final = (Failure.SILENT, Failure.NOT_ASKED)
"""Of a server that was asked, and had not answered when the time was up."""
_HOT_RELOAD: Final = (b"upgrade required", b"websockets request was expected")
"""What answers to a page on a port of its own that is for WebSockets alone: Vite's hot reload, Node's debugger."""


class Heard(NamedTuple):
    """What a port answered. ``polls``: by the path that was asked for a session."""

    listener: Listener
    page: Answer = NOT_ASKED
    polls: tuple[tuple[str, Answer], ...] = ()
    is_tls: bool = False


class _Said(NamedTuple):
    """An answer, as far as it tells who gave it, in lower case."""

    server: bytes
    powered: bytes
    body: bytes
    is_page: bool


def server_of(heard: Heard, whose: Whose, likely: Kind | None = None) -> Server | None:
    """Return what the server of `heard` is; None: it speaks no HTTP.

    `likely`: what the project in whose folder it runs would start, which counts where the answer does not say.
    """
    one, page = heard.listener, heard.page
    likely = likely if likely is not None and _may_be(likely, one.program, page) else None
    engine = engine_of(one.port, page, heard.polls)
    about = Server(
        one.port, "", None, engine=engine, is_tls=heard.is_tls, pid=one.pid, program=one.program, folder=one.folder
    )._replace(whose=whose)
    if not page.is_there:
        kind = _of_program(one.program) or likely
        if page.failure not in _LATE or kind is None:
            return None
        return about._replace(name=kind.name, role=kind.role, kind=kind, answered=False)
    said = _said(page)
    if page.status in (426, 400) and any(words in said.body[:200] for words in _HOT_RELOAD) and engine is None:
        return about._replace(name="WebSockets alone (hot reload, a debugger)")
    kind = kind_of(page) or _of_program(one.program)
    if kind is None or (likely is not None and kind in (kinds.EXPRESS, kinds.PYTHON, kinds.NODE)):
        kind = likely or kind  # webpack's dev server and others are Express's to look at
    if kind is not None:
        return about._replace(name=kind.name, role=kind.role, kind=kind)
    name = guess_server(_seen(one.port, "/socket.io/", page, Answer())).name
    role = Role.FRONTEND if said.is_page and engine is None else Role.BACKEND
    return about._replace(name=engine.name if engine else name, role=role)


def _may_be(kind: Kind, program: str, page: Answer) -> bool:
    """Tell whether `program`, which answered with `page`, may be `kind`. What answers data to ``/`` is no frontend."""
    is_data = page.is_there and b"json" in page.value("content-type").lower()
    return kinds.runs(program, kind) and not (is_data and kind.role is Role.FRONTEND)


def kind_of(page: Answer) -> Kind | None:
    """Return the tool that answered ``GET /`` with `page`; None: it does not show."""
    said = _said(page)
    if kind := next((kind for words, kind in _POWERED if words in said.powered), None):
        return kind
    if page.value("x-sveltekit-page"):
        return kinds.SVELTEKIT
    is_python = any(words in said.server for words in _PYTHON)
    if not is_python and (kind := next((kind for words, kind in _PAGES if words in said.body), None)):
        return kind
    if _is_django(page, said):
        return kinds.DJANGO
    if kind := next((kind for words, kind in _SERVERS if words in said.server), None):
        return kind
    if page.value("x-runtime") and page.value("x-request-id"):
        return kinds.RAILS
    if is_python:
        # Starlette, which FastAPI is made of, answers "Not Found" in plain text; FastAPI in JSON.
        is_fastapi = b"uvicorn" in said.server and (b'{"detail":' in said.body[:40] or b"swagger" in said.body)
        return kinds.FASTAPI if is_fastapi else kinds.PYTHON
    if b"express" in said.powered and page.value("cross-origin-resource-policy") == b"same-origin" and said.is_page:
        return kinds.WEBPACK
    if b"express" in said.powered or b"<pre>cannot get /" in said.body:
        return kinds.EXPRESS
    if said.body.startswith(b'{"message":"route get:/ not found","error":"not found","statuscode":404}'):
        return kinds.FASTIFY
    return None


def engine_of(port: int, page: Answer, polls: Sequence[tuple[str, Answer]]) -> Engine | None:
    """Return the server of Socket.IO that one of `polls` found."""
    for path, polled in polls:
        if is_engine_answer(polled):
            opened = read_open(polled.body) if polled.status == 200 else None
            name = guess_server(_seen(port, path, page, polled)).name
            if opened is not None and opened.eio == 4 and "maxPayload" in opened.keys:
                name = name.replace("3 or 4", "4")  # it is told since Socket.IO 4.4
            return Engine(name, path, opened.eio if opened else 0)
    return None


def _seen(port: int, path: str, page: Answer, polled: Answer) -> Seen:
    target = parse_target(f"http://localhost:{port}", path=path)
    return Seen("direct", target, b"http://localhost", b"", polled=polled, resource=page)


def _said(page: Answer) -> _Said:
    is_page = b"html" in page.value("content-type").lower() and page.status < 400
    return _Said(page.value("server").lower(), page.value("x-powered-by").lower(), page.body[:_SHOWN].lower(), is_page)


def _is_django(page: Answer, said: _Said) -> bool:
    """Tell whether Django answered: by its words, or by the headers of its security middleware."""
    if any(words in said.body for words in (b"csrfmiddlewaretoken", b"disallowedhost", b"djdt", b"using the urlconf")):
        return True
    is_served = any(words in said.server for words in (b"wsgiserver", *_PYTHON))
    return is_served and (
        page.value("x-frame-options").upper() == b"DENY" and page.value("cross-origin-opener-policy") == b"same-origin"
    )


def _of_program(name: str) -> Kind | None:
    return next((kind for start, kind in _PROGRAMS if name.startswith(start)), None)
