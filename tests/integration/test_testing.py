"""Gateways in tests of other projects: in front of applications, of URLs, in pytest with and without asyncio."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import socketio  # type: ignore[import-untyped]
from devproxy.events import ExchangeFinished, TunnelClosed, TunnelOpened
from devproxy.testing import AppFailed, running_gateway
from fastapi import FastAPI, WebSocket
from tests.support.processes import free_port
from websockets.sync.client import connect

pytest_plugins = ["pytester"]

ROOT = Path(__file__).resolve().parent.parent.parent


def read(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return str(answer.read().decode())


def an_app(steps: list[str] | None = None) -> FastAPI:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        (steps if steps is not None else []).append("begin")
        yield
        (steps if steps is not None else []).append("end")

    app = FastAPI(lifespan=lifespan)

    @app.get("/items")
    async def items() -> list[int]:
        return [1, 2]

    @app.get("/broken")
    async def broken() -> None:
        raise ZeroDivisionError("no items")

    @app.websocket("/echo")
    async def echo(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text("you said " + await socket.receive_text())

    return app


def test_an_application_is_served_from_its_lifespans_begin_to_its_end() -> None:
    steps: list[str] = []
    threads = set(threading.enumerate())
    with running_gateway(an_app(steps)) as gateway:
        assert steps == ["begin"]
        assert json.loads(read(f"{gateway.url}/items")) == [1, 2]
        end = gateway.wait_for(ExchangeFinished)
        assert (end.target, end.status, end.upstream) == (b"/items", 200, "backend")
        with connect(gateway.url.replace("http", "ws") + "/echo") as socket:
            socket.send("hello")
            assert socket.recv() == "you said hello"
        gateway.wait_for(TunnelClosed)
        assert [event.target for event in gateway.seen(TunnelOpened)] == [b"/echo"]
        assert gateway.app_errors == []
    assert steps == ["begin", "end"]
    assert set(threading.enumerate()) == threads


def test_what_an_application_raises_can_be_seen() -> None:
    with running_gateway(an_app()) as gateway:
        with pytest.raises(urllib.error.HTTPError, match="500") as refused:
            read(f"{gateway.url}/broken")
        refused.value.close()
        assert [str(error) for error in gateway.app_errors] == ["no items"]
        with pytest.raises(TimeoutError, match=r"(?s)no ExchangeFinished like that within 0\.01 s.*status=500"):
            gateway.wait_for(ExchangeFinished, lambda end: end.status == 418, timeout_s=0.01)


def test_an_application_that_does_not_start_says_why() -> None:
    @asynccontextmanager
    async def lifespan(app: FastAPI | None) -> AsyncIterator[None]:
        if app is not None:
            raise ZeroDivisionError("no database")
        yield

    threads = set(threading.enumerate())
    with pytest.raises(AppFailed) as caught, running_gateway(FastAPI(lifespan=lifespan)):
        pass
    assert str(caught.value.__cause__) == "no database"
    assert set(threading.enumerate()) == threads


def test_a_socketio_application_polls_and_upgrades_through_the_projects_own_configuration(tmp_path: Path) -> None:
    file = tmp_path / "devproxy.toml"
    file.write_text(
        '[server]\nlisten = "localhost:1"\n[upstreams]\nbackend = "http://localhost:1"\nfrontend = "http://localhost:2"\n'
        '[[routes]]\npath = "/socket.io/"\nupstream = "backend"\n[[routes]]\npath = "/"\nupstream = "frontend"\n'
    )
    server = socketio.AsyncServer(async_mode="asgi", cors_allowed_origins=[])
    app = socketio.ASGIApp(server)
    with running_gateway(config=file, upstreams={"backend": app, "frontend": an_app()}) as gateway:
        assert json.loads(read(f"{gateway.url}/items")) == [1, 2]
        opened = json.loads(read(f"{gateway.url}/socket.io/?EIO=4&transport=polling")[1:])
        url = f"{gateway.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket&sid={opened['sid']}"
        with connect(url) as socket:
            socket.send("2probe")
            assert socket.recv() == "3probe"


def test_a_url_and_a_port_will_do() -> None:
    with running_gateway(an_app()) as inner:
        for target in (inner.url, int(inner.url.rpartition(":")[2])):
            with running_gateway(target, routes=[{"path": "/", "strip_prefix": False}]) as outer:
                assert json.loads(read(f"{outer.url}/items")) == [1, 2]
                outer.reload(
                    {"upstreams": {"x": inner.url}, "routes": [{"path": "/x/", "upstream": "x", "rewrite": "/"}]}
                )
                assert json.loads(read(f"{outer.url}/x/items")) == [1, 2]


def test_what_cannot_be_is_said_at_the_call() -> None:
    with pytest.raises(TypeError, match="not both"), running_gateway("1", routes=[], config={}):
        pass
    config = {"upstreams": {"x": "http://localhost:1"}, "routes": [{"path": "/", "upstream": "x"}]}
    with pytest.raises(KeyError, match="no upstream 'backend', only x"), running_gateway("1", config=config):
        pass


TESTS = '''
import asyncio
import logging
import urllib.error
import urllib.request
import pytest


async def app(scope, receive, send):
    """An application without a lifespan."""
    assert scope["type"] == "http"
    if scope["path"] == "/broken":
        raise ZeroDivisionError("no items")
    await send({{"type": "http.response.start", "status": 200, "headers": []}})
    await send({{"type": "http.response.body", "body": scope["path"].encode()}})


def read(url):
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.read()
    except urllib.error.HTTPError as error:
        error.close()
        raise AssertionError(f"got {{error.code}}") from None


@pytest.fixture(scope="session")
def site(devproxy_gateway_factory):
    return devproxy_gateway_factory(app)


def test_plain(devproxy_gateway, site):
    gateway = devproxy_gateway(app, routes=[{{"path": "/api/", "strip_prefix": True}}])
    assert read(gateway.url + "/api/x") == b"/x"
    assert read(site.url + "/api/x") == b"/api/x"
    assert len(logging.root.handlers) == len([one for one in logging.root.handlers if "pytest" in type(one).__module__])


async def test_with_asyncio(devproxy_gateway, site):
    gateway = devproxy_gateway(app)
    assert await asyncio.to_thread(read, gateway.url + "/y") == b"/y"
    assert await asyncio.to_thread(read, site.url + "/y") == b"/y"


def test_that_fails(devproxy_gateway):
    read(devproxy_gateway(app).url + "/broken")


def test_of_what_is_away(devproxy_gateway):
    read(devproxy_gateway({port}).url + "/away")
'''


def test_the_fixtures_work_in_plain_tests_and_with_asyncio_and_show_what_happened(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makepyfile(TESTS.format(port=free_port()))
    pytester.makeini(
        "[pytest]\nasyncio_mode = auto\nfilterwarnings = error\nasyncio_default_fixture_loop_scope = function\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    result = pytester.runpytest_subprocess("-p", "devproxy.pytest_plugin", "-p", "no:cacheprovider", timeout=60)
    result.assert_outcomes(passed=2, failed=2)
    said = result.stdout.str()
    assert "GET /broken -> 500 backend" in said
    assert "ZeroDivisionError: no items" in said
    assert "GET /away -> 503 backend" in said
    assert "upstream-refused" in said


def test_the_plugin_costs_nothing_where_it_is_not_used() -> None:
    program = (
        "import sys, pytest; before = set(sys.modules); import devproxy.pytest_plugin\n"
        "print(sorted(name for name in set(sys.modules) - before if not name.startswith('_')))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['devproxy', 'devproxy.pytest_plugin']"
