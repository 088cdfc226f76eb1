"""What setupProxy.js does with http-proxy-middleware 3 and 2 in Express, and devproxy with the import of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.e2e import install
from tests.support.import_matrix import differences, imported, matrix, port_for_a_tool, recorders, upgrades
from tests.support.processes import Program

SETUP = """
const { createProxyMiddleware } = require("http-proxy-middleware");
console.log("noise");
module.exports = function (app) {
  app.use("/api", createProxyMiddleware({ target: "http://127.0.0.1:ONE", changeOrigin: true }));
  app.use("/twice", createProxyMiddleware({ target: "http://127.0.0.1:TWO/twice" }));
  app.use("/cut", createProxyMiddleware({ target: "http://127.0.0.1:TWO", pathRewrite: { "^/cut": "" } }));
  app.use("/live", createProxyMiddleware({ target: "http://127.0.0.1:ONE", ws: true }));
  app.use(FILTERED("/plain", { target: "http://127.0.0.1:TWO" }));
  app.use(FILTERED(["/many", "/more"], { target: "http://127.0.0.1:ONE" }));
  app.use("/code", (request, response, next) => next());
  app.get("/api/mock", (request, response) => response.json({}));
};
"""

SERVE = """
const app = require("express")();
require("./src/setupProxy.js")(app);
app.use((request, response) => response.status(404).end());
app.listen(Number(process.argv[2]), "127.0.0.1", () => console.log("serving"));
"""

REQUESTS = [
    *matrix("/", "/other", "/src/x.js"),
    *matrix("/api/users?x=1", "/api/a/b/", "/apikey", "/api/mock"),
    *matrix("/twice/x", "/cut/x?y", "/live/x", methods=["GET"]),
    *matrix("/plain", "/plain/x", "/plainer", "/many/x", "/more?y", methods=["GET"]),
    *upgrades("/live/socket?x=1"),
]


def project(folder: Path, version: str) -> Path:
    try:
        install.ensure(install.IMPORTING)
    except install.NotInstalled as problem:
        pytest.fail(str(problem), pytrace=False)
    packages = install.IMPORTING / "node_modules"
    (folder / "node_modules").mkdir()
    (folder / "node_modules/express").symlink_to(packages / "express")
    (folder / "node_modules/http-proxy-middleware").symlink_to(packages / version)
    (folder / "src").mkdir()
    (folder / "package.json").write_text('{ "proxy": "http://localhost:4321" }')
    (folder / "serve.js").write_text(SERVE)
    return folder


@pytest.mark.parametrize("version", ["http-proxy-middleware", "http-proxy-middleware-v2"], ids=["3", "2"])
def test_the_same_requests_reach_the_same_servers(version: str, tmp_path: Path) -> None:
    folder = project(tmp_path, version)
    (folder / "package.json").write_text("{}")
    filtered = (
        "createProxyMiddleware("
        if version.endswith("v2")
        else "((f, o) => createProxyMiddleware({ ...o, pathFilter: f }))("
    )
    with recorders("one", "two") as (one, two):
        port = port_for_a_tool()
        text = SETUP.replace("ONE", str(one)).replace("TWO", str(two)).replace("FILTERED(", filtered)
        (folder / "src/setupProxy.js").write_text(text)
        found = imported(folder, "cra", "--print")
        assert found.returncode == 0, found.stderr
        with Program(["node", "serve.js", str(port)], name="express", cwd=folder) as server:
            server.line("serving")
            assert differences(port, found.stdout, REQUESTS, frontend="http://localhost:3000") == []
    assert '"/code": It is code of its own' in found.stdout


def test_the_key_in_package_json_sends_what_is_not_get(tmp_path: Path) -> None:
    folder = project(tmp_path, "http-proxy-middleware")
    found = imported(folder, "cra", "--print")
    assert found.returncode == 0, found.stderr
    assert 'methods = ["POST", "PUT", "PATCH", "DELETE"]' in found.stdout
    assert "so keep the key" in found.stdout
