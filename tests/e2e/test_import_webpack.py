"""What webpack-dev-server's proxy does, and what devproxy does with the import of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.e2e import install
from tests.support.import_matrix import differences, imported, matrix, port_for_a_tool, recorders, upgrades
from tests.support.processes import Program

CONFIGURATION = """
module.exports = (env, argv) => ({
  mode: argv.mode,
  entry: "./index.js",
  devServer: {
    port: PORT,
    proxy: [
      { context: ["/api", "/auth"], target: "http://127.0.0.1:ONE", changeOrigin: true, ws: true },
      { context: "/strip", target: "http://127.0.0.1:TWO", pathRewrite: { "^/strip": "" } },
      { context: "/moved", target: "http://127.0.0.1:TWO", pathRewrite: { "^/moved/v1": "/one", "^/moved": "/any" } },
      { context: "/slashes", target: "http://127.0.0.1:TWO", pathRewrite: { "^/slashes/": "/" } },
      { context: "/glob/**", target: "http://127.0.0.1:ONE" },
      { context: ["/some/**", "!/some/own/**"], target: "http://127.0.0.1:TWO" },
      { context: "/one/*/end", target: "http://127.0.0.1:TWO" },
      { context: (path) => path.startsWith("/function"), target: "http://127.0.0.1:ONE" },
      { context: "/html", target: "http://127.0.0.1:ONE", bypass: (request) => request.url === "/html/x" ? "/" : null },
      { context: "/a", target: "http://127.0.0.1:TWO", secure: false, headers: { "X-From": "webpack" } },
    ],
  },
});
"""

SERVE = """
const { createRequire } = require("node:module");
const webpack = require("webpack");
const Server = require("webpack-dev-server");
const configuration = require("./webpack.config.js")({}, { mode: "development" });
const server = new Server({ ...configuration.devServer, static: false, open: false }, webpack(configuration));
server.start().then(() => console.log("serving"));
"""

REQUESTS = [
    *matrix("/", "/main.js", "/other"),
    *matrix("/api/users?x=1", "/api", "/apikey", "/auth/x", "/a", "/about"),
    *matrix("/strip/x?y=1", "/strip/a/strip/b", "/slashes/x/y?z", methods=["GET"]),
    *matrix("/glob", "/glob/", "/glob/x/y", "/globe", "/some/x", "/some/own/x", "/one/x/end", "/one/x/y/end"),
    *upgrades("/api/live", "/auth/live"),
]
LEFT = matrix("/moved/v1/x", "/function/x", "/html/y", methods=["GET"])


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        install.ensure(install.IMPORTING)
    except install.NotInstalled as problem:
        pytest.fail(str(problem), pytrace=False)
    folder = tmp_path_factory.mktemp("webpack")
    (folder / "node_modules").symlink_to(install.IMPORTING / "node_modules")
    (folder / "package.json").write_text("{}")
    (folder / "index.js").write_text("")
    (folder / "serve.js").write_text(SERVE)
    return folder


def test_the_same_requests_reach_the_same_servers(project: Path) -> None:
    with recorders("one", "two") as (one, two):
        port = port_for_a_tool()
        text = CONFIGURATION.replace("PORT", str(port)).replace("ONE", str(one)).replace("TWO", str(two))
        (project / "webpack.config.js").write_text(text)
        found = imported(project, "webpack", "--print")
        assert found.returncode == 0, found.stderr
        with Program(["node", "serve.js"], name="webpack-dev-server", cwd=project) as server:
            server.line("serving")
            assert differences(port, found.stdout, REQUESTS, frontend=f"http://localhost:{port}", left=LEFT) == []
    for told in (
        "chooses requests by a function",
        "`bypass`: devproxy runs no functions",
        '"/moved": It rewrites paths',
    ):
        assert told in found.stdout
