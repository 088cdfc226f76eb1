"""What the inspector does on request: send again, write a HAR, test paths, record."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import websockets
from devproxy.config import load
from tests.integration.test_inspector import file_for, serving
from tests.support.gateway_process import COMMAND, ENVIRONMENT, GatewayProcess
from tests.support.har import SCHEMA
from tests.support.inspecting import Inspected, inspected
from tests.support.processes import Program


@pytest.fixture(scope="module")
def backend() -> Iterator[int]:
    with serving() as port:
        yield port


@pytest.fixture(scope="module")
def page(backend: int) -> Iterator[Inspected]:
    with inspected(file_for(backend, "[inspector]\ncapture = true\n")) as running:
        yield running


# -- send again


def test_a_request_is_sent_again_as_it_was(page: Inspected) -> None:
    page.ask("POST", "/again?x=1", body={"a": 1}, fields={"X-One": "1"})
    row = page.rows()[-1]
    number = page.post(f"exchanges/{row['id']}/replay").json["id"]
    done = page.wait(lambda: [one for one in page.rows() if one["id"] == number and one["state"] == "done"], "its end")
    assert (done[0]["replay_of"], done[0]["status"], done[0]["request_bytes"]) == (row["id"], 200, row["request_bytes"])
    before, after = (page.get(f"exchanges/{one}")["request"]["received"] for one in (row["id"], number))
    assert [field for field in after["fields"] if field[0] == "X-One"] == [["X-One", "1"]]
    assert after["start"] == before["start"]


def test_it_may_be_changed_before(page: Inspected) -> None:
    page.ask("GET", "/first")
    row = page.rows()[-1]
    host = ["Host", f"localhost:{page.port}"]
    wanted = {"method": "PUT", "target": "/missing", "fields": [host, ["X-New", "ü"]], "body": "text"}
    answer = page.post(f"exchanges/{row['id']}/replay", wanted)
    number = answer.json["id"]
    done = page.wait(lambda: [one for one in page.rows() if one["id"] == number and one["state"] == "done"], "its end")
    assert (done[0]["method"], done[0]["target"], done[0]["request_bytes"]) == ("PUT", "/missing", 4)


def test_the_guard_judges_it_like_any_other(page: Inspected) -> None:
    page.ask("GET", "/guarded")
    row = page.rows()[-1]
    wanted = {"fields": [["Host", f"localhost:{page.port}"], ["Origin", "https://evil.example"]]}
    number = page.post(f"exchanges/{row['id']}/replay", wanted).json["id"]
    done = page.wait(lambda: [one for one in page.rows() if one["id"] == number], "its row")
    assert (done[0]["status"], done[0]["problem"]) == (403, "blocked")


@pytest.mark.parametrize(
    "wanted",
    [
        {"method": "G ET"},
        {"target": "no slash"},
        {"fields": [["Host", "a\r\nX: y"]]},
        {"fields": [["Host"]]},
        {"fields": "Host: a"},
        {"fields": [["Host", "a"], ["Host", "b"]]},
        {"fields": [["Host", "localhost"], ["Upgrade", "websocket"], ["Connection", "upgrade"]]},
        {"method": 1},
        {"body_base64": "?"},
        {"fields": [["X-A", "\ud800"]]},
        {"body": "\ud800"},
    ],
    ids=lambda value: json.dumps(value)[:50],
)
def test_what_is_no_request_is_not_sent(page: Inspected, wanted: dict[str, Any]) -> None:
    page.ask("GET", "/x")
    row = page.rows()[-1]
    answer = page.post(f"exchanges/{row['id']}/replay", wanted)
    assert (answer.status, answer.json["error"]) == (400, "bad-request")
    assert page.rows()[-1]["id"] == row["id"]


# -- HAR


def test_the_archive_is_har_and_has_no_secrets(page: Inspected) -> None:
    page.post("clear")
    page.ask("GET", "/x?token=geheim", fields={"Cookie": "sid=geheim"})
    page.ask("POST", "/form", body={"password": "geheim"}, fields={"Content-Type": "application/json"})
    page.ask("GET", "/missing")
    document = page.get("har")
    jsonschema.validate(document, SCHEMA)
    assert "geheim" not in json.dumps(document)
    first, second, third = document["log"]["entries"]
    assert first["request"]["url"] == f"http://localhost:{page.port}/x?token=…"
    assert second["request"]["postData"]["text"] == '{"password": "…"}'
    assert (third["response"]["status"], third["response"]["statusText"]) == (404, "Not Found")
    assert json.loads(first["response"]["content"]["text"])["path"].startswith("/x?token=")
    whole = page.get(f"har?secrets=1&ids={page.rows()[0]['id']}")
    assert [one["request"]["cookies"] for one in whole["log"]["entries"]] == [[{"name": "sid", "value": "geheim"}]]
    assert page.ask("GET", "/__devproxy/api/har?secrets=1").status == 403
    assert page.ask("GET", "/__devproxy/api/har?ids=1,x").status == 400


def test_the_messages_of_a_websocket_are_in_it_as_chrome_has_them() -> None:
    async def echo(connection: websockets.ServerConnection) -> None:
        async for message in connection:
            await connection.send(message)

    async def converse() -> None:
        async with websockets.serve(echo, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            file = file_for(port, "[inspector]\ncapture = true\n")
            await asyncio.to_thread(through, file)

    def through(file: str) -> None:
        with inspected(file) as running:
            asyncio.run(talk(running.port))
            row = running.wait(lambda: [one for one in running.rows() if one["state"] == "done"], "its end")[0]
            said = running.get(f"exchanges/{row['id']}/messages")["messages"]
            shown = [(one["direction"], one["kind"], one["is_compressed"]) for one in said if one["kind"] != "close"]
            assert shown == [("up", "message", True), ("down", "message", True)] * 40 + [
                ("up", "message", True),
                ("down", "message", True),
            ]
            assert said[2]["text"] == "hello 1 " + "x" * 100
            document = running.get("har")
            jsonschema.validate(document, SCHEMA)
            (one,) = document["log"]["entries"]
            assert one["request"]["url"] == f"ws://localhost:{running.port}/ws"
            assert one["_resourceType"] == "websocket"
            messages = one["_webSocketMessages"]
            assert [(each["type"], each["opcode"]) for each in messages[:2]] == [("send", 1), ("receive", 1)]
            assert messages[0]["data"] == "hello 0 " + "x" * 100
            assert (messages[-1]["opcode"], messages[-1]["data"]) == (2, "AAEC")

    async def talk(port: int) -> None:
        async with websockets.connect(f"ws://localhost:{port}/ws") as client:
            for number in range(40):
                await client.send(f"hello {number} " + "x" * 100)
                await client.recv()
            await client.send(b"\0\1\2")
            await client.recv()

    asyncio.run(converse())


# -- rules


def test_the_tester_says_which_route_takes_a_path(page: Inspected) -> None:
    said = page.get("routes/test?method=GET&path=/api/x&host=localhost")
    assert (said["route"], said["upstream"], said["answer"]) == ("/", "backend", None)
    (verdict,) = said["verdicts"]
    assert verdict["is_chosen"]
    refused = page.get("routes/test?path=/&host=evil.example")
    assert (refused["answer"]["status"], refused["answer"]["code"]) == (421, "host-not-allowed")
    assert page.ask("GET", "/__devproxy/api/routes/test?path=no").status == 400


def test_routes_and_upstreams_are_shown_as_they_are(page: Inspected, backend: int) -> None:
    said = page.get("routes")
    (route,) = said["routes"]
    assert (route["label"], route["cors"], route["source"]["line"]) == ("/", "rewrite (loopback)", 3)
    (upstream,) = said["upstreams"]
    assert (upstream["servers"][0]["url"], upstream["servers"][0]["is_up"]) == (f"http://127.0.0.1:{backend}", True)


def test_reloads_are_told_with_what_they_changed(backend: int) -> None:
    with inspected(file_for(backend)) as running:
        config = load(file_for(backend, 'cors = "strip"\n').encode(), source="devproxy.toml")
        asyncio.run_coroutine_threadsafe(running.gateway.apply(config), running.loop).result(10)
        said = running.get("configuration")
        assert said["reloads"][0]["changes"][0]["detail"] == "cors.mode: rewrite -> strip"
        assert said["rejected"] is None


# -- devproxy record


def test_a_recording_is_made_without_the_page(backend: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="dp") as runtime:
        monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
        (tmp_path / "devproxy.toml").write_text(file_for(backend))
        gateway = GatewayProcess(cwd=tmp_path)
        file = tmp_path / "session.har"
        command = [*COMMAND, "record", str(file), "--url", gateway.url]
        environment = {**ENVIRONMENT, "XDG_RUNTIME_DIR": runtime}
        with Program(command, name="record", environment=environment) as recording:
            recording.line("recording ")
            for number in range(3):
                fetch(gateway.port, f"/{number}?token=geheim")
            os.kill(recording.pid, signal.SIGINT)
            recording.line("3 requests in ")
            assert recording.wait(timeout_s=10) == 0  # at once, not with the next event, which is 15 s away
        gateway.stop()
        document = json.loads(file.read_text())
        jsonschema.validate(document, SCHEMA)
        assert [one["request"]["url"].rpartition("/")[2] for one in document["log"]["entries"]] == [
            f"{number}?token=…" for number in range(3)
        ]
        assert all(one["response"]["content"]["text"] for one in document["log"]["entries"])


def fetch(port: int, target: str) -> None:
    urllib.request.urlopen(f"http://localhost:{port}{target}", timeout=10).close()
