"""Pages that stay on another origin, in real Chromium: REST, sessions and Socket.IO across the one origin's border.

A page on a port of its own calls devproxy, as the route's policy has it: what is allowed works, cookies, preflights,
streams and errors included; what is not allowed is blocked, and says so. The backends know nothing of CORS.
"""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.article import (
    BLOCKED,
    BLOCKED_POLL,
    MISSING,
    NOT_THERE,
    POLLING,
    PREFLIGHT,
    TRANSPORTS,
    UPGRADE_REFUSED,
    WEBSOCKET,
    WILDCARD,
    Stage,
    chosen,
)
from tests.support.gateway_process import GatewayProcess
from tests.support.processes import Json

pytestmark = pytest.mark.asyncio(loop_scope="module")

API = ('path = "/api/"',)
BOTH = ('path = "/socket.io/"', 'path = "/api/"')
COOKIE = "user=Ada"

JSON = {"method": "POST", "headers": {"Content-Type": "application/json"}, "body": '{"a":1}'}
REQUESTS: dict[str, tuple[str, str, dict[str, Any], dict[str, Any]]] = {
    # what the page calls, and what it reads where it may
    "simple": ("read", "/api/echo", {}, {"status": 200}),
    "PUT": (
        "read",
        "/api/echo",
        {"method": "PUT", "headers": {"X-Tenant": "blue"}},
        {"method": "PUT", "tenant": "blue"},
    ),
    "PATCH": ("read", "/api/echo", {"method": "PATCH"}, {"method": "PATCH"}),
    "JSON": ("read", "/api/echo", JSON, {"method": "POST"}),
    "Authorization": ("read", "/api/echo", {"headers": {"Authorization": "Bearer x"}}, {"authorization": "Bearer x"}),
    "redirect": ("read", "/api/old", {}, {"status": 200, "method": "GET"}),
    "failure": ("read", "/api/failure", {}, {"status": 500, "error": "the database is gone"}),
    "missing": ("read", "/api/nothing", {}, {"status": 404}),
    "stream": ("stream", "/api/stream", {}, {"pieces": ["first", "second"]}),
    "EventSource": ("firstEvent", "/api/events", {"withCredentials": True}, {"data": COOKIE}),
}
PREFLIGHTED = {"PUT", "PATCH", "JSON", "Authorization"}
EVERY_REQUEST = pytest.mark.parametrize("request_kind", REQUESTS)


async def ask(stage: Stage, server: str, kind: str) -> dict[str, Any]:
    """Let the page send one of :data:`REQUESTS` with credentials."""
    function, _, init, _ = REQUESTS[kind]
    said: dict[str, Any] = await stage.ask(function, server + target(kind), {"credentials": "include", **init})
    return said


def target(kind: str) -> str:
    """What such a request asks for: a path and a query that no other kind has."""
    return f"{REQUESTS[kind][1]}?{kind}"


def address(gateway: GatewayProcess) -> str:
    """Where the page on another port calls devproxy: the same site as the page, and another origin."""
    return f"http://127.0.0.1:{gateway.port}"


# A page on another port


@EVERY_REQUEST
async def test_directly_a_backend_without_cors_is_blocked(stage: Stage, request_kind: str) -> None:
    await stage.visit(stage.page)

    said = await ask(stage, stage.origin("rest"), request_kind)

    assert "failed" in said
    words = PREFLIGHT + NOT_THERE if request_kind in PREFLIGHTED else MISSING
    await stage.console_line(f"'{stage.origin('rest')}{target(request_kind)}'", f"'{stage.page}' ", words)


@EVERY_REQUEST
async def test_a_page_on_another_local_port_is_allowed_by_default(stage: Stage, request_kind: str) -> None:
    gateway = await stage.gateway("rest", routes=API)
    await stage.visit(stage.page)
    await stage.read(address(gateway) + "/api/cookie", credentials="include")

    said = await ask(stage, address(gateway), request_kind)

    body = said.get("body")
    seen = said | body if isinstance(body, dict) else said
    expected = REQUESTS[request_kind][3]
    assert {name: seen.get(name) for name in expected} == expected, said
    assert "cookie" not in seen or seen["cookie"] == COOKIE
    assert not [line for line in stage.complaints() if "CORS" in line]
    assert said.get("headers", {}).get("x-total") is None, "not exposed by default"


@EVERY_REQUEST
async def test_a_page_that_the_route_does_not_list_is_blocked(stage: Stage, request_kind: str) -> None:
    policy = ("[routes.cors]", 'origins = ["http://localhost:3000"]')
    gateway = await stage.gateway("rest", *policy, routes=API)
    await stage.visit(stage.page)

    said = await ask(stage, address(gateway), request_kind)

    assert "failed" in said
    await stage.console_line(f"'{address(gateway)}{target(request_kind)}'", BLOCKED, NOT_THERE)
    code = "preflight-refused" if request_kind in PREFLIGHTED else "origin-not-allowed"
    await refused(gateway, code, target=target(request_kind))


@EVERY_REQUEST
async def test_a_web_site_is_blocked_by_default(stage: Stage, request_kind: str) -> None:
    gateway = await stage.gateway("rest", routes=API)
    await stage.visit(f"http://evil.test:{stage.page_port}")

    said = await ask(stage, address(gateway), request_kind)

    assert "failed" in said
    await stage.console_line(f"from origin 'http://evil.test:{stage.page_port}'", BLOCKED, NOT_THERE)
    code = "preflight-refused" if request_kind in PREFLIGHTED else "origin-not-allowed"
    await refused(gateway, code, target=target(request_kind))


async def refused(gateway: GatewayProcess, code: str, detail: str = "", *, target: str = "") -> None:
    """Wait until devproxy has said what it refused, with `code` and `detail`; no server has seen anything."""

    def is_refusal(event: Json) -> bool:
        is_it = event["target"].endswith(target) and detail in event["detail"]
        return is_it and (event["status"], event["error"]) == (403, code)

    event = await asyncio.to_thread(gateway.event, "exchange_finished", is_refusal, f"403 {code} {detail}")
    assert event["server"] == ""


async def test_a_page_reads_the_headers_that_the_route_exposes(stage: Stage) -> None:
    policy = ("[routes.cors]", f'origins = ["{stage.page}"]', 'expose = ["ETag", "X-Total"]')
    gateway = await stage.gateway("rest", *policy, routes=API)
    await stage.visit(stage.page)

    said = await stage.read(address(gateway) + "/api/echo", credentials="include")

    assert (said["headers"]["x-total"], said["headers"]["etag"]) == ("3", '"7"')


async def test_a_policy_without_credentials_keeps_the_answer_from_a_page_that_sends_cookies(stage: Stage) -> None:
    policy = ("[routes.cors]", f'origins = ["{stage.page}"]', "credentials = false")
    gateway = await stage.gateway("rest", *policy, routes=API)
    await stage.visit(stage.page)

    without = await stage.read(address(gateway) + "/api/echo")
    with_cookies = await stage.read(address(gateway) + "/api/echo", credentials="include")

    assert without["status"] == 200
    assert with_cookies == {"failed": "TypeError: Failed to fetch"}
    await stage.console_line(BLOCKED, "'Access-Control-Allow-Credentials' header in the response is ''")


async def test_a_preflight_for_what_the_route_does_not_list_is_refused_and_devproxy_says_what(stage: Stage) -> None:
    policy = ("[routes.cors]", f'origins = ["{stage.page}"]', 'methods = ["GET"]', 'headers = ["X-Tenant"]')
    gateway = await stage.gateway("rest", *policy, routes=API)
    await stage.visit(stage.page)

    method = await stage.read(address(gateway) + "/api/echo", method="DELETE")
    header = await stage.read(address(gateway) + "/api/echo", headers={"Authorization": "Bearer x"})

    assert method == header == {"failed": "TypeError: Failed to fetch"}
    await stage.console_line(PREFLIGHT, "It does not have HTTP ok status.")
    await refused(gateway, "preflight-refused", "may not use the method `DELETE` on this route")
    await refused(gateway, "preflight-refused", "may not send `authorization` to this route")


async def test_a_sandboxed_frame_is_blocked_until_a_dangerous_key_lets_it_in(stage: Stage, tmp_path: Path) -> None:
    null = ("[routes.cors]", "dangerously_allow_null_origin = true", "dangerously_with_credentials = true")
    let_in = ("[[routes]]", 'path_exact = "/api/echo"', 'upstream = "backend"', *null)
    file = tmp_path / "devproxy.toml"
    file.write_text(stage.config("rest", routes=API) + "\n".join(let_in))
    gateway = await asyncio.to_thread(GatewayProcess, "--config", file)
    try:
        await stage.visit(stage.page)
        for credentials in ("omit", "include"):
            url, init = address(gateway) + "/api/failure", {"credentials": credentials}
            assert await stage.ask("readSandboxed", url, init) == {"failed": "TypeError: Failed to fetch"}
            await stage.console_line(f"'{url}' from origin 'null' ", MISSING)

            said = await stage.ask("readSandboxed", address(gateway) + "/api/echo", init)
            assert (said["status"], said["body"]["origin"]) == (200, "null")
        [warned] = gateway.events("trouble")
        assert "dangerously_allow_null_origin: any web site can use it, with your cookies" in warned["what"]
    finally:
        await stage.leave()
        assert await asyncio.to_thread(gateway.program.stop) == 0


# Socket.IO from a page on another port


@TRANSPORTS
@pytest.mark.parametrize(
    ("backend", "lines"),
    [
        ("plain", ()),
        ("expressCors", ()),
        ("wildcard", ()),
        ("wildcard", ('cors = "fix"',)),
        ("array", ()),
        ("duplicate", ()),
        ("duplicate", ('cors = "fix"',)),
        ("callback", ('origin = "remove"',)),
        ("allowRequest", ('origin = "https://app.example.com"',)),
    ],
)
async def test_socketio_of_a_page_on_another_port_works(
    stage: Stage, backend: str, lines: tuple[str, ...], transports: list[str] | None
) -> None:
    gateway = await stage.gateway(backend, *lines)
    await stage.visit(stage.page)

    said = await stage.dial(address(gateway), withCredentials=True, **chosen(transports))

    assert said["connected"], said
    assert stage.complaints() == []


@pytest.mark.parametrize(
    ("backend", "words"),
    [("plain", MISSING), ("wildcard", WILDCARD), ("array", MISSING), ("duplicate", "contains multiple values")],
)
async def test_passthrough_shows_what_the_backend_says_by_itself(stage: Stage, backend: str, words: str) -> None:
    gateway = await stage.gateway(backend, 'cors = "passthrough"')
    await stage.visit(stage.page)

    assert await stage.dial(address(gateway), withCredentials=True) == BLOCKED_POLL
    await stage.console_line(f"{address(gateway)}/socket.io/?", words)
    if backend != "wildcard":  # devproxy cannot see the credentials mode of a request without a cookie
        await advised(gateway, words.removeprefix(BLOCKED))


async def test_extra_headers_of_socketio_need_a_preflight_which_devproxy_answers(stage: Stage) -> None:
    headers = {"extraHeaders": {"Authorization": "Bearer x"}}
    await stage.visit(stage.page)
    assert await stage.dial(stage.origin("plain"), **headers) == BLOCKED_POLL
    await stage.console_line(PREFLIGHT)

    gateway = await stage.gateway("plain")
    await stage.visit(stage.page)
    said = await stage.dial(address(gateway), withCredentials=True, **headers)

    assert said["connected"], said
    assert any(event["method"] == "OPTIONS" for event in gateway.events("exchange_finished"))
    assert stage.complaints() == []


@pytest.mark.parametrize("mode", ["rewrite", "fix", "strip", "passthrough"])
async def test_a_page_that_is_not_listed_is_refused_by_name_in_every_mode(stage: Stage, mode: str) -> None:
    policy = ("[routes.cors]", f'mode = "{mode}"', 'origins = ["http://localhost:3000"]')
    gateway = await stage.gateway("wildcard", *policy)
    await stage.visit(stage.page)

    polled = await stage.dial(address(gateway), transports=POLLING)
    opened = await stage.dial(address(gateway), transports=WEBSOCKET)

    assert polled == BLOCKED_POLL
    await stage.console_line(MISSING)
    assert opened["message"] == "websocket error"
    await stage.console_line(f"{UPGRADE_REFUSED}403")
    await refused(gateway, "origin-not-allowed", stage.page)
    await refused(gateway, "websocket-origin-not-allowed", stage.page)


# One session for REST and for the handshake

AUTO = ("[routes.cookies]", 'domain = ""', 'secure = "auto"', 'same_site = "auto"')
BEHIND_TLS = ("[routes.headers.request]", 'set = { "X-Forwarded-Proto" = "https" }')
SESSIONS = {
    # express-session's `cookie`: what it needs on the route
    "lax": (),
    "strict": (),
    "none": AUTO,
    "foreignDomain": AUTO,
    "secure": (*AUTO, *BEHIND_TLS),
}


async def users(stage: Stage, server: str, transports: list[str] | None) -> dict[str, Any]:
    """Log in, and ask REST and the handshake who one is."""
    login = await stage.read(f"{server}/api/login?name=Ada", method="POST", credentials="include")
    assert login["body"] == {"user": "Ada"}
    rest = await stage.read(f"{server}/api/me", credentials="include")
    handshake = await stage.dial(f"{server}/", withCredentials=True, **chosen(transports))
    return {"rest": rest["body"]["user"], "handshake": handshake["user"]}


@pytest.mark.parametrize("backend", SESSIONS)
async def test_directly_the_session_cookie_of_another_site_is_lost_without_a_word(stage: Stage, backend: str) -> None:
    """CORS is all right here: every answer may be read. The browser does not keep the cookie."""
    await stage.visit(f"http://localhost:{stage.page_port}")

    assert await users(stage, stage.origin(backend), None) == {"rest": None, "handshake": None}
    assert not [line for line in stage.complaints() if "CORS" in line]


@TRANSPORTS
@pytest.mark.parametrize("backend", SESSIONS)
async def test_on_the_one_origin_rest_and_the_handshake_share_the_session(
    stage: Stage, backend: str, transports: list[str] | None
) -> None:
    gateway = await stage.gateway(backend, *SESSIONS[backend], routes=BOTH)
    await stage.visit(gateway.origin)

    assert await users(stage, "", transports) == {"rest": "Ada", "handshake": "Ada"}
    assert stage.complaints() == []


@pytest.mark.parametrize(
    ("backend", "words"),
    [
        ("none", 'SameSite=None needs Secure; add cookies.same_site = "auto"'),
        ("foreignDomain", 'Domain=`app.example.com` does not cover `localhost`; add cookies.domain = ""'),
    ],
)
async def test_on_the_one_origin_such_a_cookie_is_lost_until_the_route_repairs_it_and_devproxy_says_so(
    stage: Stage, backend: str, words: str
) -> None:
    gateway = await stage.gateway(backend, routes=BOTH)
    await stage.visit(gateway.origin)

    assert await users(stage, "", None) == {"rest": None, "handshake": None}
    await advised(gateway, f"browsers refuse the cookie `connect.sid`: {words}")


async def test_a_session_that_insists_on_https_sets_no_cookie_at_all(stage: Stage) -> None:
    gateway = await stage.gateway("secure", routes=BOTH)
    await stage.visit(gateway.origin)

    assert await users(stage, "", None) == {"rest": None, "handshake": None}


async def advised(gateway: GatewayProcess, words: str) -> None:
    """Wait until devproxy's log says `words` under an exchange."""

    def is_told(event: Json) -> bool:
        return any(words in line for line in event["advice"])

    await asyncio.to_thread(gateway.event, "exchange_finished", is_told, f"the advice {words}")


# The backend is down


async def test_a_backend_that_is_down_is_a_503_that_every_allowed_page_reads(stage: Stage) -> None:
    with socket.socket() as taken:  # bound and not listening: whoever connects is refused, and nobody else gets it
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        await stage.visit(stage.page)
        assert await stage.read(f"http://127.0.0.1:{port}/api/items") == {"failed": "TypeError: Failed to fetch"}
        assert await stage.dial(f"http://127.0.0.1:{port}") == BLOCKED_POLL
        await stage.console_line("Failed to load resource: net::ERR_CONNECTION_REFUSED")

        gateway = await stage.gateway(port, routes=BOTH)
        for page, server in ((gateway.origin, gateway.origin), (stage.page, address(gateway))):
            await stage.visit(page)
            said = await stage.read(f"{server}/api/items", method="PUT", credentials="include")
            polled = await stage.dial(server, withCredentials=True)

            assert said["status"] == 503, said
            assert said["body"]["error"] == "upstream-refused"
            assert f"127.0.0.1:{port}: connection refused" in str(said["body"])
            assert (polled["message"], polled["status"]) == ("xhr poll error", 503)
            assert not [line for line in stage.complaints() if "CORS" in line]
