"""What Vite's proxy does, and what devproxy does with the import of it: the same requests reach the same servers."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.e2e.install import CHAT
from tests.support.import_matrix import differences, imported, matrix, port_for_a_tool, recorders, upgrades
from tests.support.processes import Program

CONFIGURATION = """
console.log("noise on standard output {");
export default ({ mode }) => ({
  server: {
    port: PORT,
    strictPort: true,
    proxy: {
      "/api/v2": "http://127.0.0.1:TWO",
      "/api": { target: "http://127.0.0.1:ONE", changeOrigin: true, rewrite: (path) => path.replace(/^\\/api/, "") },
      "/plain": { target: "http://127.0.0.1:ONE" },
      "/plain/later": "http://127.0.0.1:TWO",
      "/slash/": "http://127.0.0.1:TWO",
      "^/v[0-9]+/": { target: "http://127.0.0.1:ONE", changeOrigin: mode === "development" },
      "^/seg(/|$)": { target: "http://127.0.0.1:TWO/base" },
      "/based": { target: "http://127.0.0.1:TWO/base/" },
      "/moved": { target: "http://127.0.0.1:TWO", rewrite: (path) => path.replace("/moved", "/to/here") },
      "/socket.io": { target: "ws://127.0.0.1:ONE", ws: true },
      "/upper": { target: "http://127.0.0.1:ONE", rewrite: (path) => path.toUpperCase() },
      "/by": { target: "http://127.0.0.1:ONE", bypass: (request) => (request.url === "/by/p" ? "/index.html" : null) },
      "/b": { target: "http://127.0.0.1:TWO", ws: true, rewriteWsOrigin: true },
      "/named": { target: "http://127.0.0.1:ONE", headers: { Host: "named.test", Origin: "http://named.test" } },
    },
  },
  plugins: [{ name: "adds-a-proxy", config: () => ({ server: { proxy: { "/plugin": "http://127.0.0.1:TWO" } } }) }],
});
"""

REQUESTS = [
    *matrix("/", "/index.html", "/src/main.js", "/other/path"),
    *matrix("/api/users?x=1", "/api/a/b/", "/api", "/api/", "/api?x=/y", "/api/%2Fa%20b", "/api/v2/x", "/api/v2?y=1"),
    *matrix("/plain", "/plain/", "/plainer", "/plain/later/x?q"),
    *matrix("/slash", "/slash/", "/slash/x"),
    *matrix("/v1/x", "/v22/", "/v1", "/vx/1", methods=["GET"]),
    *matrix("/seg", "/seg/x?y", "/segment", methods=["GET"]),
    *matrix("/based/x", "/moved/x/y?z=1", "/moved", "/moved/", methods=["GET"]),
    *matrix("/socket.io/?EIO=4&transport=polling"),
    *matrix("/bar", "/b/x", "/named/x", "/plugin/x", methods=["GET"]),
    *upgrades("/socket.io/?EIO=4&transport=websocket", "/b/socket", "/bsocket"),
]


@pytest.fixture(scope="module")
def project(node_packages: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("vite")
    (folder / "node_modules").symlink_to(CHAT / "node_modules")
    (folder / "package.json").write_text('{ "type": "module" }')
    (folder / "index.html").write_text("<!doctype html>")
    return folder


def test_the_same_requests_reach_the_same_servers(project: Path) -> None:
    with recorders("one", "two") as (one, two):
        port = port_for_a_tool()
        text = CONFIGURATION.replace("PORT", str(port)).replace("ONE", str(one)).replace("TWO", str(two))
        (project / "vite.config.js").write_text(text)
        found = imported(project, "vite", "--print")
        assert found.returncode == 0, found.stderr
        with Program(
            ["node", CHAT / "node_modules/vite/bin/vite.js"], name="vite", cwd=project, environment={"NO_COLOR": "1"}
        ) as vite:
            vite.line(f":{port}/")
            assert differences(port, found.stdout, REQUESTS, frontend=f"http://localhost:{port}") == []
    assert '"/upper": It rewrites paths in a way' in found.stdout
    assert '"/by": `bypass`: devproxy runs no functions.' in found.stdout
    assert '"/plain/later": It is never reached: "/plain" comes first' in found.stdout


@pytest.mark.parametrize(
    ("configuration", "arguments", "said"),
    [
        ("export default {{", [], "the configuration cannot be read"),
        ('throw new Error("no DB_URL")', [], "help: it says: Error: no DB_URL"),
        ("process.exit(3)", [], "node ended with exit code 3 before it had read the configuration"),
        ("await new Promise(() => setInterval(() => {}, 1000))", ["--timeout", "1"], "node took longer than 1 s"),
        ("export default {}", [], "there is no server.proxy in "),
    ],
    ids=["no JavaScript", "throws", "ends the process", "never ends", "no proxy"],
)
def test_what_cannot_be_read_is_told_and_nothing_is_written(
    configuration: str, arguments: list[str], said: str, project: Path
) -> None:
    (project / "vite.config.js").write_text(configuration)
    found = imported(project, "vite", *arguments)
    assert found.returncode == 1
    assert found.stdout == ""
    assert said in found.stderr
    assert not (project / "devproxy.toml").exists()


def test_a_file_is_written_once_and_checked(project: Path) -> None:
    configuration = project / "vite.config.js"
    configuration.write_text('export default { server: { proxy: { "/api": "http://localhost:3001" } } };')
    written = project / "devproxy.toml"
    first = imported(project, "vite", str(configuration))
    assert (first.returncode, first.stdout) == (0, "ok: devproxy.toml has 2 routes, 2 upstreams\n")
    text = written.read_text()
    again = imported(project, "vite")
    assert again.returncode == 2
    assert "error: devproxy.toml is there already, and is not overwritten" in again.stderr
    assert written.read_text() == text
    written.unlink()


def test_the_script_of_package_json_says_mode_and_port(project: Path) -> None:
    described = project / "package.json"
    before = described.read_text()
    described.write_text('{ "type": "module", "scripts": { "dev": "vite --mode staging --port=4000 --host" } }')
    (project / "vite.config.js").write_text(
        'export default ({ mode }) => ({ server: { proxy: { [`/${mode}`]: "http://localhost:3001" } } });'
    )
    try:
        found = imported(project, "vite", "--print")
    finally:
        described.write_text(before)
    assert 'path_glob = "/staging**"' in found.stdout
    assert 'frontend = "http://localhost:4000"' in found.stdout
