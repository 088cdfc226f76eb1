"""`devproxy demo` as its user meets it: one command up, a real Socket.IO client through it, nothing left behind."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import re
import signal
import socket
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import socketio  # type: ignore[import-untyped]
from devproxy import demo
from devproxy.config.model import Listen
from devproxy.demo import supervise
from devproxy.gateway.front.bind import bind
from tests.support.processes import PATIENCE_S, Program, wait_for

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True)
class Demo:
    program: Program
    url: str
    page_port: int
    backend_port: int

    @property
    def backend_url(self) -> str:
        return f"http://127.0.0.1:{self.backend_port}"

    def has_left_nothing(self) -> bool:
        ports = (self.page_port, self.backend_port, int(self.url.rsplit(":", 1)[1]))
        return not any(listens(port) for port in ports)


@pytest.fixture
def running_demo() -> Iterator[Demo]:
    command = [sys.executable, "-m", "devproxy", "demo", "--listen", "localhost:0", "--no-open"]
    with Program(command, name="devproxy demo", environment={"PYTHONPATH": str(ROOT), "NO_COLOR": "1"}) as program:

        def url() -> str | None:
            return next(
                (found[1] for line in program.err if (found := re.search(r"(http://localhost:\d+)/", line))), None
            )

        found = wait_for(lambda: program.exit_code is not None or url(), "the address", timeout_s=2 * PATIENCE_S)
        assert isinstance(found, str), "\n".join(program.err)
        said = "\n".join(program.err)
        ports = [int(re.findall(rf"^\s*{who}\s+http://localhost:(\d+)", said, re.M)[0]) for who in ("page", "backend")]
        yield Demo(program, found, *ports)


async def test_a_client_polls_upgrades_and_exchanges_messages_through_the_demo(running_demo: Demo) -> None:
    async with aiohttp.ClientSession() as session:
        client = socketio.AsyncClient(http_session=session, reconnection=False)
        said: asyncio.Queue[Any] = asyncio.Queue()
        client.on("said", said.put)
        await client.connect(running_demo.url)
        try:
            assert await client.call("echo", {"round": "trip"}) == {"round": "trip"}
            await client.emit("say", "hello")
            assert await asyncio.wait_for(said.get(), PATIENCE_S) == {"from": client.get_sid(), "text": "hello"}
            assert client.transport() == "websocket"
        finally:
            await client.disconnect()


def test_the_page_and_the_rest_resource_share_the_origin(running_demo: Demo) -> None:
    _, page = fetch(f"{running_demo.url}/")
    assert b"<title>devproxy demo" in page
    _, hello = fetch(f"{running_demo.url}/api/hello")
    authority = running_demo.url.removeprefix("http://")
    assert json.loads(hello)["request_fields"]["Host"] == authority
    _, where = fetch(f"{running_demo.url}/demo.json")
    assert json.loads(where) == {
        "direct": f"http://localhost:{running_demo.backend_port}",
        "page": f"http://localhost:{running_demo.page_port}",
    }


def test_the_backend_itself_lets_no_other_origin_read_its_answers(running_demo: Demo) -> None:
    for path in ("/api/hello", "/socket.io/?EIO=4&transport=polling"):
        fields, _ = fetch(running_demo.backend_url + path, origin=running_demo.url)
        assert "access-control-allow-origin" not in {name.lower() for name in fields}


def test_events_arrive_one_by_one(running_demo: Demo) -> None:
    with urllib.request.urlopen(f"{running_demo.url}/api/ticks", timeout=PATIENCE_S) as stream:
        first, second = (read_event(stream) for _ in range(2))
    assert (first["number"], second["number"]) == (1, 2)
    assert second["sent_ms"] > first["sent_ms"]


def test_control_c_ends_the_demo_with_0_and_leaves_no_server_behind(running_demo: Demo) -> None:
    assert running_demo.program.stop(signal.SIGINT, timeout_s=PATIENCE_S) == 0
    assert running_demo.has_left_nothing()
    assert "Traceback" not in "\n".join(running_demo.program.err)


def test_a_demo_that_is_killed_leaves_no_server_behind_either(running_demo: Demo) -> None:
    running_demo.program.kill()
    wait_for(running_demo.has_left_nothing, "the servers to end")


def test_without_its_extra_the_demo_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def find_nothing(name: str) -> None:
        assert name == "socketio"

    monkeypatch.setattr(importlib.util, "find_spec", find_nothing)
    assert demo.run(lambda _: pytest.fail("nothing to start"), open_browser=False) == 1
    said = capfd.readouterr().err
    assert said.startswith("error: `devproxy demo` needs python-socketio")
    assert "help: " in said
    assert "'.[demo]'" in said


def test_a_taken_port_makes_the_demo_take_the_next_one_and_say_so(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    holders = bind([Listen(host="localhost", port=0)])
    try:
        taken = holders[0].getsockname()[1]
        monkeypatch.setattr(supervise, "FIRST_PORT", taken)
        monkeypatch.setattr(supervise, "LAST_PORT", taken + 50)
        chosen = supervise.free_port()
    finally:
        for holder in holders:
            holder.close()
    assert taken < chosen <= taken + 50
    assert f"port {taken} is taken" in capfd.readouterr().err


def fetch(url: str, *, origin: str = "") -> tuple[dict[str, str], bytes]:
    """The fields and the body of an answer, whatever its status."""
    request = urllib.request.Request(url, headers={"Origin": origin} if origin else {})
    opener = urllib.request.build_opener(AnyStatus)
    with opener.open(request, timeout=PATIENCE_S) as answer:
        return dict(answer.headers), answer.read()


class AnyStatus(urllib.request.HTTPErrorProcessor):
    """Takes a 4xx for the answer that it is."""

    def http_response(self, request: urllib.request.Request, response: Any) -> Any:
        return response


def read_event(stream: Any) -> dict[str, Any]:
    """The data of the next Server-Sent Event."""
    for line in iter(stream.readline, b""):
        if line.startswith(b"data: "):
            return dict(json.loads(line.removeprefix(b"data: ")))
    raise AssertionError("the stream ended")


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
