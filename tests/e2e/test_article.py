"""Every failure of Socket.IO across origins that people report, in real Chromium: directly as reported, then gone.

Directly: the page on a port of its own, the backend on another; what the console and ``connect_error`` say is compared
with the words that people paste into search engines. Through devproxy: the same backend, not a line of it changed.
``test_article_pages.py`` has REST, cookies and pages that stay on another origin.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from tests.e2e.article import (
    BLOCKED,
    BLOCKED_POLL,
    MISSING,
    POLLING,
    TRANSPORTS,
    UPGRADE_REFUSED,
    WEBSOCKET,
    WILDCARD,
    Stage,
    chosen,
)
from tests.e2e.harness import Server, python_server
from tests.e2e.test_python_socketio import SCRIPT

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize(
    ("backend", "credentials", "words"),
    [
        ("plain", False, MISSING),
        ("expressCors", False, MISSING),
        ("wildcard", True, WILDCARD),
        ("array", True, MISSING),
        ("callback", True, MISSING),
        ("duplicate", True, BLOCKED + "The 'Access-Control-Allow-Origin' header contains multiple values 'http://"),
    ],
)
async def test_directly_the_browser_blocks_the_poll_with_the_words_that_people_report(
    stage: Stage, backend: str, credentials: bool, words: str
) -> None:
    await stage.visit(stage.page)

    assert await stage.dial(stage.origin(backend), withCredentials=credentials) == BLOCKED_POLL

    access = f"Access to XMLHttpRequest at '{stage.origin(backend)}/socket.io/?"
    await stage.console_line(access, f"from origin '{stage.page}' ", words)


async def test_directly_the_wildcard_works_until_cookies_are_asked_for(stage: Stage) -> None:
    await stage.visit(stage.page)

    assert (await stage.dial(stage.origin("wildcard")))["connected"]
    assert stage.complaints() == []
    assert await stage.dial(stage.origin("wildcard"), withCredentials=True) == BLOCKED_POLL


@TRANSPORTS
@pytest.mark.parametrize(
    ("backend", "credentials"),
    [("plain", False), ("expressCors", False), ("wildcard", True), ("array", True), ("duplicate", True)],
)
async def test_on_the_one_origin_the_same_backend_just_works(
    stage: Stage, backend: str, credentials: bool, transports: list[str] | None
) -> None:
    gateway = await stage.gateway(backend)
    await stage.visit(gateway.origin)

    said = await stage.dial(withCredentials=credentials, **chosen(transports))

    assert said["connected"], said
    assert said["transport"] == (POLLING if transports == POLLING else WEBSOCKET)[0]
    assert stage.complaints() == []


async def test_express_cors_answers_for_express_and_not_for_socketio(stage: Stage) -> None:
    await stage.visit(stage.page)

    assert (await stage.read(f"{stage.origin('expressCors')}/api/items"))["body"] == [1, 2, 3]
    assert await stage.dial(stage.origin("expressCors")) == BLOCKED_POLL


async def test_directly_a_server_that_looks_at_the_origin_refuses_in_its_own_words(stage: Stage) -> None:
    await stage.visit(stage.page)

    said = await stage.dial(stage.origin("allowRequest"))

    body = f'{{"code":4,"message":"No page of {stage.page} here"}}'
    assert said == {"connected": False, "message": "xhr poll error", "status": 403, "body": body}


@pytest.mark.parametrize("backend", ["callback", "allowRequest"])
async def test_directly_a_server_that_looks_at_the_origin_refuses_the_websocket_with_400(
    stage: Stage, backend: str
) -> None:
    await stage.visit(stage.page)

    said = await stage.dial(stage.origin(backend), transports=WEBSOCKET)

    assert said == {"connected": False, "message": "websocket error", "status": None, "body": None}
    address = stage.origin(backend).replace("http:", "ws:")
    await stage.console_line(f"WebSocket connection to '{address}/socket.io/?", f"failed: {UPGRADE_REFUSED}400")


async def test_on_the_one_origin_a_refusal_by_the_cors_callback_is_read_and_not_taken_for_cors(stage: Stage) -> None:
    """The first poll has no Origin, being a GET of the same origin; the POST and the WebSocket have devproxy's."""
    gateway = await stage.gateway("callback")
    await stage.visit(gateway.origin)

    polled = await stage.dial(transports=POLLING)
    await stage.console_line("Failed to load resource: the server responded with a status of 400 (Bad Request)")
    assert not [line for line in stage.complaints() if "CORS" in line]
    opened = await stage.dial(transports=WEBSOCKET)

    body = '{"code":3,"message":"Bad request"}'
    assert polled == {"connected": False, "message": "xhr post error", "status": 400, "body": body}
    assert opened["message"] == "websocket error"
    await stage.console_line(f"{UPGRADE_REFUSED}400")


@TRANSPORTS
@pytest.mark.parametrize("backend", ["callback", "allowRequest"])
@pytest.mark.parametrize("origin", ["https://app.example.com", "remove"])
async def test_the_route_sends_the_origin_that_the_server_expects(
    stage: Stage, backend: str, origin: str, transports: list[str] | None
) -> None:
    gateway = await stage.gateway(backend, f'origin = "{origin}"')
    await stage.visit(gateway.origin)

    said = await stage.dial(**chosen(transports))

    assert said["connected"], said
    assert said["origin"] == (origin if transports == WEBSOCKET and origin != "remove" else None)
    assert stage.complaints() == []


async def test_a_cors_option_keeps_no_web_site_from_a_websocket_but_devproxy_does(stage: Stage) -> None:
    gateway = await stage.gateway("array")
    await stage.visit(f"http://evil.test:{stage.page_port}")
    path = "/socket.io/?EIO=4&transport=websocket"

    directly = await stage.ask("webSocket", f"ws://127.0.0.1:{stage.port('array')}{path}")
    through = await stage.ask("webSocket", f"ws://127.0.0.1:{gateway.port}{path}")

    assert (directly, through) == ("open", "refused")
    await stage.console_line(f"WebSocket connection to 'ws://127.0.0.1:{gateway.port}/", f"{UPGRADE_REFUSED}403")
    refused = await asyncio.to_thread(
        gateway.event, "exchange_finished", lambda event: event["status"] == 403, "that it was refused"
    )
    assert refused["error"] == "websocket-origin-not-allowed"


# Paths and namespaces


@pytest.mark.parametrize(("backend", "path"), [("ws", "/ws"), ("apiSocket", "/api/socket")])
async def test_a_custom_path_that_the_client_does_not_know_is_a_404_behind_cors_words(
    stage: Stage, backend: str, path: str
) -> None:
    await stage.visit(stage.page)

    assert await stage.dial(stage.origin(backend)) == BLOCKED_POLL
    await stage.console_line("/socket.io/", MISSING)
    assert await stage.dial(stage.origin(backend), path=path) == BLOCKED_POLL
    await stage.console_line(f"{path}/?EIO=4", MISSING)


@TRANSPORTS
@pytest.mark.parametrize(
    ("backend", "path", "route"),
    [("ws", "/ws", 'path_exact = "/ws/"'), ("apiSocket", "/api/socket", 'path = "/api/"')],
)
async def test_a_custom_path_works_on_the_one_origin(
    stage: Stage, backend: str, path: str, route: str, transports: list[str] | None
) -> None:
    gateway = await stage.gateway(backend, routes=(route,))
    await stage.visit(gateway.origin)

    said = await stage.dial(path=path, **chosen(transports))

    assert said["connected"], said
    assert said["url"] == f"{path}/"
    assert stage.complaints() == []


async def test_a_websocket_at_a_path_that_nobody_handles_is_closed_without_a_word_or_by_devproxy_with_words(
    stage: Stage,
) -> None:
    gateway = await stage.gateway("apiSocket")
    await stage.visit(gateway.origin)

    assert (await stage.dial(stage.origin("apiSocket"), transports=WEBSOCKET))["connected"] is False
    await stage.console_line("Connection closed before receiving a handshake response")
    assert (await stage.dial(transports=WEBSOCKET))["connected"] is False
    await stage.console_line(f"{UPGRADE_REFUSED}502")


async def test_on_the_one_origin_a_wrong_path_is_a_404_that_the_page_reads(stage: Stage) -> None:
    gateway = await stage.gateway("apiSocket")
    await stage.visit(gateway.origin)

    said = await stage.dial()

    assert (said["message"], said["status"]) == ("xhr poll error", 404)
    assert "Cannot GET /socket.io/" in said["body"]
    assert not [line for line in stage.complaints() if "CORS" in line]


@TRANSPORTS
async def test_a_namespace_is_no_path_and_needs_no_route(stage: Stage, transports: list[str] | None) -> None:
    await stage.visit(stage.page)
    if transports != WEBSOCKET:
        assert await stage.dial(stage.origin("plain") + "/admin", **chosen(transports)) == BLOCKED_POLL
        await stage.console_line(f"{stage.origin('plain')}/socket.io/?", MISSING)

    gateway = await stage.gateway("plain")
    await stage.visit(gateway.origin)
    admin = await stage.dial("/admin", **chosen(transports))
    unknown = await stage.dial("/nobody", transports=transports or POLLING)

    assert (admin["namespace"], admin["url"]) == ("/admin", "/socket.io/")
    assert unknown["message"] == "Invalid namespace"
    assert stage.complaints() == []


# Versions


@pytest.mark.parametrize("backend", ["plain", "allowEIO3"])
async def test_directly_a_client_of_version_2_meets_cors_before_it_learns_about_versions(
    stage: Stage, backend: str
) -> None:
    await stage.visit(stage.page)

    said = await stage.dial(stage.origin(backend), major=2)

    assert (said["message"], said["status"]) == ("xhr poll error", 0)
    await stage.console_line(f"{stage.origin(backend)}/socket.io/?EIO=3", MISSING)


async def test_on_the_one_origin_a_client_of_version_2_is_told_about_versions(stage: Stage) -> None:
    gateway = await stage.gateway("plain")
    await stage.visit(gateway.origin)

    said = await stage.dial(major=2)
    answer = await stage.read("/socket.io/?EIO=3&transport=polling")

    assert (said["message"], said["status"]) == ("xhr poll error", 400)
    assert (answer["status"], answer["body"]) == (400, {"code": 5, "message": "Unsupported protocol version"})
    assert not [line for line in stage.complaints() if "CORS" in line]


async def test_directly_a_client_of_version_2_asks_with_cookies_without_being_told_to(stage: Stage) -> None:
    await stage.visit(stage.page)

    assert (await stage.dial(stage.origin("wildcard"), major=2))["connected"] is False
    await stage.console_line(f"{stage.origin('wildcard')}/socket.io/?EIO=3", WILDCARD)


@TRANSPORTS
async def test_on_the_one_origin_allow_eio3_is_all_that_a_client_of_version_2_needs(
    stage: Stage, transports: list[str] | None
) -> None:
    gateway = await stage.gateway("allowEIO3")
    await stage.visit(gateway.origin)

    said = await stage.dial(major=2, **chosen(transports))

    assert said["connected"], said
    assert stage.complaints() == []


# python-socketio


@pytest.fixture(scope="module")
def python_backend() -> Iterator[Server]:
    with python_server(SCRIPT, {}) as server:
        yield server


async def test_directly_python_socketio_refuses_the_page(stage: Stage, python_backend: Server) -> None:
    backend = f"http://127.0.0.1:{python_backend.port}"
    await stage.visit(stage.page)

    polled = await stage.dial(backend)
    opened = await stage.dial(backend, transports=WEBSOCKET)

    assert polled == BLOCKED_POLL
    await stage.console_line(f"{backend}/socket.io/", MISSING)
    assert opened["message"] == "websocket error"
    await stage.console_line("WebSocket connection to", f"{UPGRADE_REFUSED}400")


@TRANSPORTS
@pytest.mark.parametrize("host", ["keep", "upstream"])
async def test_on_the_one_origin_python_socketio_accepts_its_own_page(
    stage: Stage, python_backend: Server, host: str, transports: list[str] | None
) -> None:
    gateway = await stage.gateway(python_backend.port, f'host = "{host}"')
    await stage.visit(gateway.origin)

    said = await stage.dial(**chosen(transports))

    assert said["connected"], said
    assert stage.complaints() == []


async def test_python_socketio_says_itself_whom_it_refuses_and_the_page_reads_it(
    stage: Stage, python_backend: Server
) -> None:
    gateway = await stage.gateway(python_backend.port)
    await stage.visit(stage.page)

    said = await stage.dial(f"http://127.0.0.1:{gateway.port}", transports=POLLING)

    assert (said["message"], said["status"]) == ("xhr poll error", 400)
    assert said["body"] == f'"{stage.page} is not an accepted origin."'


@TRANSPORTS
@pytest.mark.parametrize("lines", [('origin = "remove"',), ('origin = "upstream"', 'host = "upstream"')], ids="-".join)
async def test_a_route_can_introduce_a_page_of_another_origin_to_python_socketio(
    stage: Stage, python_backend: Server, lines: tuple[str, ...], transports: list[str] | None
) -> None:
    gateway = await stage.gateway(python_backend.port, *lines)
    await stage.visit(stage.page)

    said = await stage.dial(f"http://127.0.0.1:{gateway.port}", withCredentials=True, **chosen(transports))

    assert said["connected"], said
    assert stage.complaints() == []
