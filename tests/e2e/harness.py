"""What the end-to-end tests share: Node and Python programs that are servers, and clients that run one scenario."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from tests.e2e.install import CHAT, NODE
from tests.support.gateway_process import GatewayProcess
from tests.support.processes import Json, Program, free_port

SCENARIO_LIMIT_S = 115.0
"""A client's own limit is 90 s or more; this one only catches a client that hangs."""


class Server(Program):
    """A server program that has said its port: ``port``, and ``url`` (``http://127.0.0.1:PORT/``)."""

    def __init__(self, command: list[str | Path], *, name: str) -> None:
        super().__init__(command, name=name)
        try:
            self.port: int = self.json_line(lambda said: "port" in said, "its port")["port"]
        except BaseException:
            self.stop()
            raise
        self.url = f"http://127.0.0.1:{self.port}/"


class StartServer(Protocol):
    """Start (or share) a server: a script of ``node/servers`` with its settings."""

    def __call__(self, script: str, **settings: object) -> Server: ...


class StartGateway(Protocol):
    """Start devproxy for the simple case, or with any other arguments of ``devproxy up``."""

    def __call__(
        self,
        *arguments: str | Path,
        frontend: str = "",
        backend: str = "",
        backend_paths: tuple[str, ...] = (),
        cwd: Path | None = None,
    ) -> GatewayProcess: ...


Configured = Callable[[str], GatewayProcess]
"""Start devproxy with the text of a ``devproxy.toml``, as a user writes it."""

RunClient = Callable[..., Any]
"""Run a script of ``node/clients`` with its settings to the end and return its result."""


def node_command(folder: str, script: str, settings: Mapping[str, object]) -> list[str | Path]:
    """How to start one of the scripts below ``node/``."""
    return ["node", NODE / folder / f"{script}.mjs", json.dumps(settings)]


def node_server(script: str, settings: dict[str, object]) -> Server:
    return Server(node_command("servers", script, settings), name=f"server {script}")


def python_server(script: Path, settings: dict[str, object]) -> Server:
    return Server([sys.executable, script, json.dumps(settings)], name=f"server {script.name}")


def run_node(folder: str, script: str, settings: Mapping[str, object]) -> Any:
    """Run a script to its end; its failure is the test's failure, its result what is returned."""
    with Program(node_command(folder, script, settings), name=script) as program:
        said: Json = program.json_line(
            lambda line: "result" in line or "failure" in line, "a result", timeout_s=SCENARIO_LIMIT_S
        )
        assert "failure" not in said, f"{script} failed: {said['failure']}"
        program.wait()
        return said["result"]


class ChatExample(Program):
    """A running copy of ``examples/chat`` in ``folder``: ``npm run dev``, on ports that nobody else has.

    Its ``devproxy.toml`` is the example's but for those ports, so that ``devproxy up`` works in ``folder``.
    """

    def __init__(self, folder: Path) -> None:
        ports = {"5173": str(free_port()), "3001": str(free_port())}
        shutil.copytree(CHAT, folder, symlinks=True, copy_function=link_or_copy, ignore=shutil.ignore_patterns(".vite"))
        for file in ("devproxy.toml", "src/greeting.js", "server.mjs"):
            rewrite(folder / file, ports)  # a file of its own: a link would change the example itself
        self.folder = folder
        page_port, chat_port = ports.values()
        environment = {"PAGE_PORT": page_port, "PORT": chat_port, "NO_COLOR": "1"}
        super().__init__(["npm", "run", "dev"], name="npm run dev", cwd=folder, environment=environment)
        try:
            self.line(f"http://localhost:{page_port}/")
            self.line(f"http://localhost:{chat_port}/")
        except BaseException:
            self.stop()
            raise

    def edit_greeting(self, text: str) -> None:
        """Save ``src/greeting.js`` with another text, as an editor does: at no moment it is empty."""
        file = self.folder / "src" / "greeting.js"
        new = file.with_name(".greeting.new")
        new.write_text(f"export const greeting = {json.dumps(text)};\n")
        new.replace(file)


def link_or_copy(source: str, target: str) -> None:
    """Forty megabytes of packages need not be copied where the file system can link them."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def rewrite(file: Path, replacements: dict[str, str]) -> None:
    text = file.read_text()
    for old, new in replacements.items():
        text = text.replace(f"localhost:{old}", f"localhost:{new}")
    file.unlink()
    file.write_text(text)
