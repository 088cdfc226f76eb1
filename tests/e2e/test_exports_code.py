"""What ``devproxy export socketio`` and ``vite`` write, run: real Socket.IO servers whose Origin check the doctor finds
nothing wrong with, and a real Vite that sends requests where devproxy sends them.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import pytest
from devproxy import config
from devproxy.doctor.diagnosis import diagnose
from devproxy.doctor.run import run_doctor
from devproxy.doctor.target import parse_target
from devproxy.exporting import Wanted, export, parse_web_origin
from tests.e2e import install
from tests.e2e.exported import Front, Servers, ask, front, handshake, site_servers
from tests.e2e.harness import Configured, RunClient, Server, StartServer
from tests.support.processes import Program, free_port, wait_for

APP: Final = "http://app.example.com"
SHOP: Final = "http://shop.example.org"
OPENING: Final = "/socket.io/?EIO=4&transport=websocket"
POLLING: Final = "/socket.io/?EIO=4&transport=polling"


def page_of(servers: tuple[str, ...], cors: str) -> str:
    """What is exported for Socket.IO at `servers`, with a policy."""
    names = ", ".join(f'"{url}"' for url in servers)
    toml = f'[upstreams.chat]\nservers = [{names}]\n[[routes]]\npath = "/socket.io/"\nupstream = "chat"\n{cors}'
    wanted = Wanted(origins=(parse_web_origin(APP),))
    return export(config.load(toml.encode(), source="devproxy.toml"), "socketio", wanted)


def code_of(page: str, language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", page, re.DOTALL)
    assert found is not None
    return found[1]


NODE_END: Final = """
io.on("connection", (socket) => {
  const { port } = httpServer.address();
  socket.emit("welcome", { port });
  socket.on("say", (text) => io.emit("said", { text, port }));
});
httpServer.listen(0, "127.0.0.1", () => console.log(JSON.stringify({ port: httpServer.address().port })));
"""
PYTHON_END: Final = """
import asyncio, json, sys
import uvicorn


async def main():
    settings = dict(host="127.0.0.1", port=0, log_level="error", timeout_graceful_shutdown=0)
    server = uvicorn.Server(uvicorn.Config(app, **settings))
    running = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    print(json.dumps({"port": server.servers[0].sockets[0].getsockname()[1]}), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    server.should_exit = True
    await running


asyncio.run(main())
"""


@contextmanager
def node(folder: Path, code: str, **environment: str) -> Iterator[Server]:
    """Run exported code in a folder that has Socket.IO, Redis and the adapter."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "node_modules").exists():
        (folder / "node_modules").symlink_to(install.SCALED / "node_modules")
    (folder / "server.mjs").write_text(code + NODE_END)
    with ExitStack() as running:
        for name, value in environment.items():
            running.callback(os.environ.pop, name, None)
            os.environ[name] = value
        yield running.enter_context(Server(["node", folder / "server.mjs"], name="exported server"))


@contextmanager
def python(folder: Path, code: str) -> Iterator[Server]:
    (folder / "server.py").write_text(code + PYTHON_END)
    with Server([sys.executable, folder / "server.py"], name="exported server") as server:
        yield server


POLICY: Final = f'cors = {{ origins = ["{SHOP}", "http://*.preview.example.org"] }}\n'
LANGUAGES: Final = {"js": node, "py": python}


def problems(server: Server, *pages: str) -> list[str]:
    """What the doctor says of a server to pages of some origins, asked at the same time."""

    async def asked() -> list[str]:
        target = parse_target(f"http://127.0.0.1:{server.port}")
        runs = [run_doctor(target, page=page.encode(), includes_credentials=True, limit_s=1.5) for page in pages]
        return [str(problem.code) for seen in await asyncio.gather(*runs) for problem in diagnose(seen).problems]

    return asyncio.run(asked())


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_doctor_finds_nothing_wrong_with_the_exported_server(
    node_packages: None, tmp_path: Path, language: str
) -> None:
    code = code_of(page_of(("http://127.0.0.1:3001",), POLICY), language)
    with LANGUAGES[language](tmp_path, code) as server:
        assert problems(server, SHOP, "http://x.preview.example.org") == []
        assert handshake(server.url, OPENING, {"Origin": APP}) == 101
        assert handshake(server.url, OPENING, {"Origin": "https://evil.example"}) in (400, 403)
        assert ask(server.url, POLLING, {"Origin": "https://evil.example"}).status in (400, 403)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_site_of_one_origin_has_no_cors_and_lets_no_other_in(
    node_packages: None, tmp_path: Path, language: str
) -> None:
    page = page_of(("http://127.0.0.1:3001",), "")
    assert "no `cors` block is needed" in page
    code = code_of(page, language)
    assert language == "py" or "cors" not in code.replace("[routes.cors]", "")
    with LANGUAGES[language](tmp_path, code) as server:
        assert ask(server.url, POLLING).status == 200
        assert handshake(server.url, OPENING) == 101
        assert handshake(server.url, OPENING, {"Origin": APP}) == 101
        assert handshake(server.url, OPENING, {"Origin": SHOP}) in (400, 403)


def test_several_exported_servers_behind_an_exported_proxy_are_one(
    node_packages: None, tmp_path: Path, node_client: RunClient
) -> None:
    port = free_port()
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    code = code_of(page_of(("http://127.0.0.1:1", "http://127.0.0.1:2"), ""), "js")
    with ExitStack() as running:
        redis = running.enter_context(Program(command, name="redis-server", cwd=tmp_path))
        redis.line("Ready to accept connections")
        url = f"redis://127.0.0.1:{port}"
        servers = [running.enter_context(node(tmp_path / name, code, REDIS_URL=url)) for name in ("one", "two")]
        urls = ", ".join(f'"http://127.0.0.1:{server.port}"' for server in servers)
        toml = f'[upstreams.chat]\nservers = [{urls}]\n[[routes]]\npath = "/socket.io/"\nupstream = "chat"\n'
        with front("haproxy", toml, tmp_path / "haproxy", probe=POLLING) as proxy:
            said = node_client("company", url=f"{proxy.origin}/", clients=6)
    assert {len(heard) for heard in said["heardFrom"]} == {2}, "each client hears what both servers emit"
    assert len(set(said["ports"])) == 2
    assert said["disconnects"] == 0


# -- Vite --------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def servers(shared_server: StartServer) -> Iterator[Servers]:
    with site_servers(shared_server) as running:
        yield running


@pytest.fixture(scope="module")
def vite(node_packages: None, servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """A real Vite with exactly what is exported."""
    folder, port = tmp_path_factory.mktemp("vite"), free_port()
    text = export(config.load(servers.toml().encode(), source="devproxy.toml"), "vite")
    (folder / "vite.config.mjs").write_text(text)
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "index.html").write_text("<title>Vite's own</title>")
    (folder / "node_modules").symlink_to(install.CHAT / "node_modules")
    program_file = folder / "node_modules" / "vite" / "bin" / "vite.js"
    command: list[str | Path] = ["node", program_file, "--port", str(port), "--strictPort", "--host", "127.0.0.1"]
    with Program(command, name="vite", cwd=folder, environment={"NO_COLOR": "1"}) as program:
        program.line("Local:")
        origin = f"http://127.0.0.1:{port}"
        wait_for(lambda: ask(origin, "/", {"Host": f"127.0.0.1:{port}"}).status == 200, "Vite")
        yield Front("vite", origin, text)


TARGETS: Final = {
    "a prefix that is cut off": "/api/items/1?q=a%2Fb",
    "the prefix alone": "/api?x=1",
    "an exact path": "/health?deep=1",
    "a glob": "/files/a/b/x-1.map",
    "an expression": "/v12/7?x",
    "a prefix that stays": "/open/x?y=/api/",
}


@pytest.mark.parametrize("name", TARGETS)
def test_vite_sends_a_request_where_devproxy_sends_it(
    vite: Front, shared_gateway: Configured, servers: Servers, name: str
) -> None:
    told = [ask(origin, TARGETS[name]).told for origin in (vite.origin, shared_gateway(servers.toml()).origin)]
    assert told[0]["server"] == told[1]["server"]
    assert told[0]["target"] == told[1]["target"]
    is_own = told[1]["fields"]["host"] == f"127.0.0.1:{servers.other.port}"
    assert (told[0]["fields"]["host"] == f"127.0.0.1:{servers.other.port}") is is_own


@pytest.mark.parametrize("target", ["/", "/apikey", "/v1234/7"])
def test_vite_answers_everything_else_itself(vite: Front, target: str) -> None:
    assert b"Vite's own" in ask(vite.origin, target, {"Accept": "text/html"}).body


def test_a_real_client_upgrades_through_vite(vite: Front, node_client: RunClient) -> None:
    said = node_client("conversation", major=2, url=f"{vite.origin}/", options={"path": "/v2/socket.io/"})
    assert said["failed"] == []
    assert said["transports"] == ["polling", "websocket"]
