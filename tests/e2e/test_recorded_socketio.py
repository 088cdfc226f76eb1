"""A frontend without its backend: real Socket.IO clients converse with a recording that `devproxy record` has made.

The recording is of real servers, over polling, over polling that upgrades, and over WebSocket alone.
"""

from __future__ import annotations

import os
import signal
import tempfile
from pathlib import Path

import pytest
from tests.e2e.harness import RunClient, StartGateway, StartServer
from tests.support.gateway_process import COMMAND, ENVIRONMENT
from tests.support.processes import Program

WAYS = (["polling"], ["polling", "websocket"], ["websocket"])


@pytest.mark.parametrize("major", [4, 2], ids=["Engine.IO 4", "Engine.IO 3"])
def test_socketio_clients_converse_with_what_was_recorded(
    major: int,
    shared_server: StartServer,
    devproxy: StartGateway,
    node_client: RunClient,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = shared_server("socketio", major=major, options={})
    file = tmp_path / "session.har"
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="dp") as runtime:
        monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
        live = devproxy(backend=str(server.port))
        command = [*COMMAND, "record", str(file), "--secrets", "--url", live.url]
        with Program(command, name="record", environment={**ENVIRONMENT, "XDG_RUNTIME_DIR": runtime}) as recording:
            recording.line("recording ")
            before = [converse(node_client, major, live.url, transports) for transports in WAYS]
            os.kill(recording.pid, signal.SIGINT)
            assert recording.wait(timeout_s=10) == 0
        monkeypatch.undo()
    config = tmp_path / "devproxy.toml"
    config.write_text('upstreams.backend.recording = "session.har"\nroutes = [{ path = "/", upstream = "backend" }]\n')
    replayed = devproxy("--config", config)
    after = [converse(node_client, major, replayed.url, transports) for transports in WAYS]
    for transports in WAYS[1:]:  # a page that is loaded again gets the last session again
        converse(node_client, major, replayed.url, transports)
    assert [one["transports"] for one in after] == [one["transports"] for one in before] == list(WAYS)


def converse(node_client: RunClient, major: int, url: str, transports: list[str]) -> dict[str, list[str]]:
    said = node_client("conversation", major=major, url=url, options={"transports": transports})
    assert said["failed"] == []
    return {"transports": said["transports"]}
