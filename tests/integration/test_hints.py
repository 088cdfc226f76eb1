"""What is told of the surroundings: a frontend with API routes of its own, a server of another checkout."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from devproxy.cli.hints import place_of_folder
from devproxy.policy.folders import Place
from tests.support.gateway_process import COMMAND, ENVIRONMENT
from tests.support.processes import Json, Program, parsed, wait_for

SERVER = """
import http.server, json, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        found = self.path == "/"
        self.send_response(200 if found else 404)
        for name, value in json.loads(sys.argv[1]).items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *_):
        pass
server = http.server.HTTPServer(("127.0.0.1", int(sys.argv[2])), Handler)
print(json.dumps({"port": server.server_port}), flush=True)
server.serve_forever()
"""


@contextmanager
def server(folder: Path, headers: str = "{}", port: int = 0) -> Iterator[int]:
    """A server that was started in `folder`: its page, with `headers`, and 404 for everything else."""
    with Program([sys.executable, "-c", SERVER, headers, str(port)], name="server", cwd=folder) as program:
        yield int(program.json_line(lambda said: "port" in said, "its port")["port"])


@contextmanager
def devproxy(folder: Path, *arguments: str) -> Iterator[tuple[Program, str]]:
    command = [*COMMAND, "up", "--listen", "localhost:0", "--log", "json", *arguments]
    with Program(command, name="devproxy", cwd=folder, environment=ENVIRONMENT) as program:
        ready = program.json_line(lambda event: event.get("event") == "ready", "that it is ready")
        yield program, ready["urls"][0]


def troubles(program: Program) -> list[Json]:
    return [event for line in list(program.out) if (event := parsed(line)) and event.get("event") == "trouble"]


def status_of(url: str) -> int:
    try:
        with urlopen(url) as answer:
            return int(answer.status)
    except HTTPError as error:
        error.close()
        return error.code


@pytest.mark.parametrize(
    ("headers", "arguments", "is_told"),
    [
        ('{"X-Powered-By": "Next.js"}', (), True),
        ('{"x-sveltekit-page": "true"}', (), True),
        ('{"X-Powered-By": "Express"}', (), False),
        ('{"X-Powered-By": "Next.js"}', ("--backend-path", "/api/"), False),
    ],
    ids=["next", "sveltekit", "another", "named"],
)
def test_the_first_404_of_the_backend_names_the_option(
    tmp_path: Path, headers: str, arguments: tuple[str, ...], is_told: bool
) -> None:
    with server(tmp_path, headers) as front, server(tmp_path) as back:
        named = ("--frontend", f"127.0.0.1:{front}", "--backend", f"127.0.0.1:{back}", *arguments)
        with devproxy(tmp_path, *named) as (program, url):
            for path in ("socket.io/x", "api/a", "api/b", "api/c"):
                assert status_of(url + path) == 404
            if is_told:
                wait_for(lambda: troubles(program), "the hint")
            assert status_of(url + "api/d") == 404
            said = troubles(program)
            assert len(said) == is_told
            if is_told:
                assert "the backend answered GET /api/" in said[0]["what"]
                assert "--backend-path /socket.io/" in said[0]["help"]


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=x", "-c", "user.email=x@x.test", "-c", "init.defaultBranch=main")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def worktrees(tmp_path: Path) -> tuple[Path, Path]:
    """A repository and a worktree of it."""
    main, other = tmp_path / "shop", tmp_path / "shop-fix"
    main.mkdir()
    git(main, "init")
    git(main, "commit", "--allow-empty", "-m", "first")
    git(main, "worktree", "add", str(other))
    (main / "web").mkdir()
    (other / "api").mkdir()
    return main, other


def test_a_server_of_another_worktree_is_told_with_its_folder(worktrees: tuple[Path, Path]) -> None:
    main, other = worktrees
    with server(other / "api") as port, devproxy(main / "web", "--backend", f"127.0.0.1:{port}") as (program, _):
        wait_for(lambda: troubles(program), "the hint")
        [told] = troubles(program)
        assert f"backend at http://127.0.0.1:{port} is answered by python" in told["what"]
        assert f"in {other / 'api'}, not in {main}" in told["what"]
        assert "another worktree of this repository" in told["help"]


def test_a_server_of_this_checkout_is_not_told(worktrees: tuple[Path, Path]) -> None:
    main, _ = worktrees
    with server(main) as port, devproxy(main / "web", "--backend", f"127.0.0.1:{port}") as (program, url):
        assert status_of(url) == 200
        assert not troubles(program)


def test_the_checkout_of_a_folder_is_found(worktrees: tuple[Path, Path], tmp_path: Path) -> None:
    main, other = worktrees
    history = str(main / ".git")
    assert place_of_folder(str(main / "web")) == Place(str(main / "web"), str(main), history)
    assert place_of_folder(str(other / "api")) == Place(str(other / "api"), str(other), history)
    assert place_of_folder(str(tmp_path)) == Place(str(tmp_path))
    assert place_of_folder("") == Place("")
    (other / ".git").write_text("nonsense \0")
    assert place_of_folder(str(other)).root == str(other)
