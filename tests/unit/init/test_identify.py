"""What a server is, by what it answers. ``tests/corpus/init`` has what real dev servers sent, with their versions."""

from __future__ import annotations

from pathlib import Path

import pytest
from devproxy.doctor.observed import Answer, Failure
from devproxy.http1.head import parse_response_head
from devproxy.http1.reader import HeadReader, MessageKind
from devproxy.http1.start_line import Limits
from devproxy.init import kinds
from devproxy.init.evidence import Whose
from devproxy.init.identify import Heard, engine_of, kind_of, server_of
from devproxy.init.kinds import Kind, Role
from devproxy.platforms.listeners import Listener

CORPUS = Path(__file__).resolve().parent.parent.parent / "corpus" / "init"
CAPTURED = {
    "angular": kinds.ANGULAR,
    "astro": kinds.ASTRO,
    "create-react-app": kinds.CRA,
    "next": kinds.NEXT,
    "nuxt": kinds.NUXT,
    "rails": kinds.RAILS,
    "react-router": kinds.REACT_ROUTER,
    "sveltekit": kinds.SVELTEKIT,
    "vite": kinds.VITE,
    "webpack-dev-server": kinds.WEBPACK,
}
FILES = sorted(CORPUS.glob("*.http"))


def answer(octets: bytes) -> Answer:
    """An answer as the wire reads it; of a chunked body the sizes of the chunks stay, which no sign is mistaken for."""
    found = HeadReader(MessageKind.RESPONSE, Limits()).feed(octets)
    assert found is not None
    parsed = parse_response_head(found[0], Limits(), b"GET")
    return Answer(parsed.status, tuple(parsed.fields), found[1])


def said(*lines: str, status: str = "200 OK", body: str = "") -> Answer:
    return answer("\r\n".join([f"HTTP/1.1 {status}", *lines, "", body]).encode())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_real_dev_servers_are_known_by_what_they_sent(path: Path) -> None:
    name = path.stem.rpartition("-")[0]
    assert kind_of(answer(path.read_bytes())) is CAPTURED[name]


def test_every_tool_of_the_corpus_was_captured() -> None:
    assert {path.stem.rpartition("-")[0] for path in FILES} == set(CAPTURED)


@pytest.mark.parametrize(
    ("page", "kind"),
    [
        (said("X-Powered-By: Express", status="404 Not Found", body="<pre>Cannot GET /</pre>"), kinds.EXPRESS),
        (said("Server: Werkzeug/3.1.3 Python/3.11.7"), kinds.FLASK),
        (said("server: uvicorn", status="404 Not Found", body='{"detail":"Not Found"}'), kinds.FASTAPI),
        (said("server: uvicorn", status="404 Not Found", body="Not Found"), kinds.PYTHON),
        (said("Server: Python/3.11 aiohttp/3.14.5", status="404 Not Found"), kinds.AIOHTTP),
        (said("Server: WSGIServer/0.2 CPython/3.11.7"), kinds.DJANGO),
        (said("server: daphne", "X-Frame-Options: DENY", "Cross-Origin-Opener-Policy: same-origin"), kinds.DJANGO),
        (said("Server: gunicorn", body="<input name=csrfmiddlewaretoken>"), kinds.DJANGO),
        (said("x-runtime: 0.01", "x-request-id: a"), kinds.RAILS),
        (said("x-powered-by: Next.js", body="anything"), kinds.NEXT),
        (said("content-type: text/html", body="<app-root></app-root> /@vite/client"), kinds.ANGULAR),
        (said("Server: nginx", "content-type: text/html", body="hello"), None),
        (said("Server: uvicorn", body='a page that mentions "/_next/"'), kinds.PYTHON),
    ],
    ids=lambda value: value.name if isinstance(value, Kind) else "nothing" if value is None else "",
)
def test_other_servers_are_known_by_their_heads_and_words(page: Answer, kind: Kind | None) -> None:
    assert kind_of(page) is kind


OPEN = '0{"sid":"abc","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000%s}'


@pytest.mark.parametrize(
    ("body", "status", "name", "eio"),
    [
        (OPEN % ',"maxPayload":1000000', 200, "Socket.IO 4 (Node)", 4),
        (OPEN % "", 200, "Socket.IO 3 or 4 (Node)", 4),
        ("85:" + OPEN % "", 200, "Socket.IO 2 (Node)", 3),
        ('0{"sid":"a","upgrades":[],"pingTimeout":20000,"pingInterval":25000}', 200, "python-socketio", 4),
        ('{"code":0,"message":"Transport unknown"}', 400, "Socket.IO 3 or 4 (Node)", 0),
    ],
    ids=["4", "3", "2", "python", "websocket-only"],
)
def test_the_version_of_socketio_is_read_from_its_first_packet(body: str, status: int, name: str, eio: int) -> None:
    polled = said("content-type: text/plain", status=f"{status} x", body=body)
    found = engine_of(3001, said(), [("/ws/", polled)])
    assert found is not None
    assert (found.name, found.path, found.eio) == (name, "/ws/", eio)


def test_a_page_where_a_session_was_asked_for_is_none() -> None:
    assert engine_of(5173, said(), [("/socket.io/", said("content-type: text/html", body="<html>"))]) is None


def heard(page: Answer, program: str = "node", folder: str = "/p") -> Heard:
    return Heard(Listener(3000, "127.0.0.1", 7, program, folder), page)


def test_express_in_the_folder_of_a_tool_that_is_made_of_it_is_that_tool() -> None:
    page = said("X-Powered-By: Express", "content-type: text/html", body="<html>")
    found = server_of(heard(page), Whose.OURS, kinds.WEBPACK)
    assert found is not None
    assert (found.kind, found.role) == (kinds.WEBPACK, Role.FRONTEND)


def test_what_is_too_slow_is_known_by_its_program_or_its_folder() -> None:
    late = Answer(failure=Failure.SILENT)
    by_name, by_folder = (
        server_of(heard(late, "next-server (v1"), Whose.OURS),
        server_of(heard(late), Whose.OURS, kinds.CRA),
    )
    assert by_name is not None
    assert by_folder is not None
    assert (by_name.kind, by_name.answered, by_folder.kind) == (kinds.NEXT, False, kinds.CRA)
    assert server_of(heard(late), Whose.OURS) is None


@pytest.mark.parametrize(
    ("page", "program", "likely", "kind"),
    [
        (said("Server: BaseHTTP/0.6 Python/3.11", "content-type: text/html"), "python3", kinds.VITE, kinds.PYTHON),
        (said("content-type: application/json; charset=utf-8", body="{}"), "node", kinds.VITE, None),
        (said("content-type: text/html", body="<p>"), "node", kinds.DJANGO, None),
        (said("content-type: text/html", body="<p>"), "node", kinds.VITE, kinds.VITE),
        (said("content-type: text/html", body="<p>"), "python3.11", kinds.DJANGO, kinds.DJANGO),
        (said("content-type: application/json", body="{}"), "node", kinds.EXPRESS, kinds.EXPRESS),
        (Answer(failure=Failure.SILENT), "python", kinds.VITE, None),
    ],
    ids=["python-vite", "json-vite", "node-django", "node-vite", "python-django", "json-express", "late-python-vite"],
)
def test_what_a_project_would_start_counts_for_a_program_that_can_be_it(
    page: Answer, program: str, likely: Kind, kind: Kind | None
) -> None:
    found = server_of(heard(page, program), Whose.OURS, likely)
    assert (found.kind if found is not None else None) is kind


def test_what_speaks_no_http_is_no_server() -> None:
    assert server_of(heard(Answer(failure=Failure.NOT_HTTP)), Whose.OURS, kinds.VITE) is None


def test_a_port_for_websockets_alone_serves_no_pages() -> None:
    found = server_of(heard(said(status="426 Upgrade Required", body="Upgrade Required")), Whose.OURS)
    assert found is not None
    assert found.role is None


def test_an_unknown_server_is_a_frontend_if_it_has_a_page() -> None:
    page = server_of(heard(said("content-type: text/html", body="<html>")), Whose.OURS)
    api = server_of(heard(said("content-type: application/json", body="{}")), Whose.OURS)
    assert page is not None
    assert api is not None
    assert (page.role, api.role) == (Role.FRONTEND, Role.BACKEND)
