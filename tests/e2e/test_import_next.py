"""What the rewrites of a real Next do, and what devproxy does with the import of them."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from tests.e2e import install
from tests.support.import_matrix import differences, imported, matrix, port_for_a_tool, recorders, upgrades
from tests.support.processes import Program, wait_for

CONFIGURATION = """
module.exports = {
  async redirects() {
    return [{ source: "/api/old", destination: "/api/new", permanent: false }];
  },
  async rewrites() {
    return {
      beforeFiles: [{ source: "/api/v2/:path*", destination: "http://127.0.0.1:TWO/:path*" }],
      afterFiles: [
        { source: "/api/:path*", destination: "http://127.0.0.1:ONE/api/:path*" },
        { source: "/cut/:path*", destination: "http://127.0.0.1:TWO/:path*" },
        { source: "/moved/:path+", destination: "http://127.0.0.1:TWO/to/here/:path+" },
        { source: "/auth/(.*)", destination: "http://127.0.0.1:ONE/auth/$1" },
        { source: "/users/:id/posts", destination: "http://127.0.0.1:ONE/users/:id/posts" },
        { source: "/items/:id(\\\\d+)", destination: "http://127.0.0.1:TWO/items/:id" },
        { source: "/number/:id", destination: "http://127.0.0.1:TWO/:id" },
        { source: "/exact", destination: "http://127.0.0.1:TWO/other" },
        { source: "/page", destination: "/" },
      ],
      fallback: [{ source: "/rest/:path*", destination: "http://127.0.0.1:ONE/rest/:path*" }],
    };
  },
};
"""

REQUESTS = [
    *matrix("/", "/page", "/nowhere", "/api/hello", "/api/old", "/api/file.txt", methods=["GET"]),
    *matrix("/api/users?x=1", "/api/a/b", "/api/v2/x?y=1"),
    *matrix("/api", "/apikey", "/cut/x?y=1", "/cut/a/b", "/moved/x", "/exact", methods=["GET"]),
    *matrix("/users/5/posts", "/users/5/likes", "/items/5", "/items/x", methods=["GET"]),
    *upgrades("/api/live"),
]
LEFT = matrix("/auth/x", "/number/5", "/rest/x", methods=["GET"])


def test_the_same_requests_reach_the_same_servers() -> None:
    try:
        install.ensure(install.NEXT)
    except install.NotInstalled as problem:
        pytest.fail(str(problem), pytrace=False)
    program = install.NEXT / "node_modules" / "next" / "dist" / "bin" / "next"
    with (
        recorders("one", "two") as (one, two),
        tempfile.TemporaryDirectory(dir=install.NEXT, prefix=".run-", ignore_cleanup_errors=True) as name,
    ):
        folder, port = Path(name), port_for_a_tool()
        (folder / "next.config.js").write_text(CONFIGURATION.replace("ONE", str(one)).replace("TWO", str(two)))
        (folder / "package.json").write_text(f'{{ "scripts": {{ "dev": "next dev -p {port}" }} }}')
        for path, text in (
            ("pages/index.js", "export default () => null;"),
            ("pages/api/hello.js", "export default (request, response) => response.json({});"),
            ("public/api/file.txt", ""),
        ):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        found = imported(folder, "next", "--print")
        assert found.returncode == 0, found.stderr
        command: list[str | Path] = ["node", program, "dev", "-H", "localhost", "-p", str(port)]
        environment = {"NEXT_TELEMETRY_DISABLED": "1", "NO_COLOR": "1"}
        with Program(command, name="next dev", cwd=folder, environment=environment) as running:
            wait_for(lambda: any("Ready in" in line for line in running.out), "that Next is ready")
            assert differences(port, found.stdout, REQUESTS, frontend=f"http://localhost:{port}", left=LEFT) == []
    assert '"/auth/(.*)": It has a group without a name' in found.stdout
    assert '"/rest/:path*": A fallback takes' in found.stdout
