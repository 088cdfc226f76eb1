"""Which configuration a test's gateway serves by."""

from __future__ import annotations

import devproxy
import pytest
from devproxy.config.model import Config
from devproxy.testing.apps import check_app
from devproxy.testing.gateway import made, replaced


def leads(config: Config) -> dict[str, str]:
    return {route.pattern: config.upstream(route.upstream).servers[0].url for route in config.routes}


def test_everything_goes_to_the_only_upstream_whatever_its_name() -> None:
    assert leads(made({"backend": "3001"}, None)) == {"/": "http://localhost:3001"}
    assert leads(made({"shop": "http://127.0.0.1:1"}, None)) == {"/": "http://127.0.0.1:1"}


def test_a_frontend_and_a_backend_get_what_the_command_line_gives_them() -> None:
    back, front = "http://localhost:3001", "http://localhost:5173"
    assert leads(made({"backend": "3001", "frontend": "5173"}, None)) == {
        "/socket.io/": back,
        "/api/": back,
        "/": front,
    }


def test_routes_lead_to_the_backend_unless_they_say_otherwise() -> None:
    routes = [{"path": "/a", "cors": "strip"}, {"path": "/b", "upstream": "other"}]
    assert leads(made({"backend": "1", "other": "2"}, routes)) == {
        "/a": "http://localhost:1",
        "/b": "http://localhost:2",
    }
    assert leads(made({"only": "1"}, [{"path": "/a"}])) == {"/a": "http://localhost:1"}


def test_what_is_not_said_is_asked_for() -> None:
    with pytest.raises(TypeError, match=r"which of backend, x\? Say so with routes="):
        made({"backend": "1", "x": "2"}, None)
    with pytest.raises(TypeError, match="give what the gateway is in front of"):
        made({}, None)
    with pytest.raises(devproxy.ConfigurationError, match=r"upstreams\.backend: "):
        made({"backend": "what is this"}, None)


def test_a_project_keeps_its_rules_and_gets_the_servers_under_test() -> None:
    text = """
    [server]
    tls = true
    [upstreams]
    frontend = "http://localhost:5173"
    [upstreams.backend]
    servers = ["https://api.example", "https://api2.example"]
    tls_verify = false
    proxy = "http://proxy.example:3128"
    hold_s = 0
    [[routes]]
    path = "/api/"
    upstream = "backend"
    cors = "strip"
    [[routes]]
    path = "/"
    upstream = "frontend"
    """
    config = replaced(devproxy.loads(text), {"backend": "3001"})
    assert leads(config) == {"/api/": "http://localhost:3001", "/": "http://localhost:5173"}
    backend = config.upstream("backend")
    assert (backend.proxy, backend.tls_verify, backend.hold_s, len(backend.servers)) == (None, True, 0, 1)
    assert config.server.tls is False
    assert config.routes[0].cors.mode == "strip"


def test_a_server_that_is_none_is_said_to_be() -> None:
    config = made({"backend": "3001"}, None)
    with pytest.raises(KeyError, match="no upstream 'back', only backend"):
        replaced(config, {"back": "1"})
    with pytest.raises(ValueError, match="what is this"):
        replaced(config, {"backend": "what is this"})


def test_what_is_no_application_is_refused_with_what_to_do() -> None:
    def wsgi(environ: object, start_response: object) -> None: ...

    async def asgi(scope: object, receive: object, send: object) -> None: ...

    check_app(asgi)
    with pytest.raises(TypeError, match="WSGI"):
        check_app(wsgi)
    with pytest.raises(TypeError, match="got dict"):
        check_app({})
