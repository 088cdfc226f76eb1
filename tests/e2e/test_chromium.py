"""The chat example in real Chromium, served through devproxy on one port."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.harness import ChatExample, StartGateway, run_node

COMMANDS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def chromium() -> str:
    command = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, COMMANDS)), None)
    if command is None:
        pytest.fail("Chromium is needed: Debian and Ubuntu: apt install chromium; or set CHROMIUM=/path", pytrace=False)
    return command


def test_the_chat_example_works_in_chromium(
    chromium: str, chat_example: ChatExample, devproxy: StartGateway, tmp_path: Path
) -> None:
    gateway = devproxy(cwd=chat_example.folder)
    settings = {
        "url": gateway.url,
        "chromium": chromium,
        "folder": str(chat_example.folder),
        "profile": str(tmp_path / "profile"),
        "screenshots": os.environ.get("SCREENSHOTS"),  # a folder, when somebody wants to look
    }

    seen: Any = run_node("browser", "chat", settings)

    assert seen["complaints"] == []
    assert seen["foreign"] == []
    assert seen["transportShown"] == "polling → websocket"
    assert seen["rename"] == 200
    assert seen["author"].startswith("guest-")
    assert seen["isUploadIntact"]
    assert seen["isStillTheSameDocument"]
    assert seen["isStillTheSameAfterRestart"]
    assert seen["webSocketsOpenedByTheEdit"] == 0
    assert any("token=" in url for url in seen["webSockets"]), "Vite's HMR WebSocket did not go through devproxy"
    assert any("/socket.io/" in url for url in seen["webSockets"])
