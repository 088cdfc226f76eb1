"""``devproxy explain --send`` does what a browser does, in its order, and says what a silent server did."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from devproxy.cli import main, probing
from devproxy.policy.verdict.handshake import accept_for
from tests.support.gateway_process import COMMAND, ENVIRONMENT, GatewayProcess
from tests.support.processes import wait_for

PAGE = "http://localhost:5173"
ALLOWS = (
    b"HTTP/1.1 204 No Content\r\nAccess-Control-Allow-Origin: http://localhost:5173\r\nAccess-Control-Allow-Methods: "
)
NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
FINE = b"HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: http://localhost:5173\r\nContent-Length: 2\r\n\r\nok"
BAD_REQUEST = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    b'22\r\n{"code":3,"message":"Bad request"}\r\n0\r\n\r\n'
)


class Server(threading.Thread):
    """Answers each request, one on a connection, by `answer`. ``asked``: the heads that came; None: no answer."""

    def __init__(self, answer: Callable[[bytes], bytes | None]) -> None:
        super().__init__(daemon=True)
        self.asked: list[bytes] = []
        self._answer = answer
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._silenced: list[socket.socket] = []
        self.port = self._listening.getsockname()[1]

    def run(self) -> None:
        """Serve until :meth:`stop`."""
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            head = client.recv(65536)
            self.asked.append(head)
            answer = self._answer(head)
            if answer is None:
                self._silenced.append(client)
            else:
                client.sendall(answer)
                client.close()

    def stop(self) -> None:
        """End the thread."""
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.join()
        for client in self._silenced:
            client.close()

    @property
    def methods(self) -> list[bytes]:
        """The methods that it was asked with."""
        return [head.partition(b" ")[0] for head in self.asked]


@pytest.fixture
def serve() -> Iterator[Callable[[Callable[[bytes], bytes | None]], Server]]:
    """Give what starts a server; it stops at the end of the test."""
    servers: list[Server] = []

    def start(answer: Callable[[bytes], bytes | None]) -> Server:
        servers.append(Server(answer))
        servers[-1].start()
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


Serve = Callable[[Callable[[bytes], "bytes | None"]], Server]


def configuration(folder: Path, port: int, cors: str = "") -> str:
    path = folder / "devproxy.toml"
    text = f'[upstreams]\nbackend = "http://127.0.0.1:{port}"\n[[routes]]\npath = "/api/"\nupstream = "backend"\n{cors}'
    path.write_text(text + '\n[[routes]]\npath = "/socket.io/"\nupstream = "backend"\n')
    return str(path)


def explained(capsys: pytest.CaptureFixture[str], config: str, *arguments: str) -> tuple[int, str, str]:
    code = main(["explain", *arguments, "--config", config, "--color", "never"])
    return code, *capsys.readouterr()


def deleting(head: bytes, allowed: bytes) -> bytes:
    return ALLOWS + allowed + b"\r\n\r\n" if head.startswith(b"OPTIONS") else FINE


@pytest.mark.parametrize(
    ("cors", "server_allows", "asked"),
    [
        ('cors = { methods = ["GET"] }', b"DELETE", [b"OPTIONS"]),  # devproxy refuses; the server is asked without it
        ('cors = "passthrough"', b"GET", [b"OPTIONS", b"OPTIONS"]),
        ('cors = "passthrough"', b"DELETE", [b"OPTIONS", b"DELETE", b"OPTIONS"]),
        ("", b"GET", [b"DELETE", b"OPTIONS"]),
    ],
)
def test_a_request_whose_preflight_fails_is_not_sent(
    serve: Serve,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    cors: str,
    server_allows: bytes,
    asked: list[bytes],
) -> None:
    server = serve(lambda head: deleting(head, server_allows))
    config = configuration(tmp_path, server.port, cors)
    arguments = ("/api/1", "--method", "DELETE", "--origin", PAGE, "--send")
    code, out, _ = explained(capsys, config, *arguments)
    assert server.methods == asked
    is_sent = b"DELETE" in asked
    assert code == (0 if is_sent else 1)
    assert ("it was not sent, because a browser does not send it either" in out) != is_sent
    server.asked.clear()
    assert explained(capsys, config, *arguments, "--force")[0] == code
    assert b"DELETE" in server.methods


def test_what_devproxy_itself_says_to_a_preflight_is_told_without_sending(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("/api/1", "--method", "DELETE", "--origin", PAGE)
    code, out, _ = explained(capsys, configuration(tmp_path, 1), *asked)
    assert code == 0
    assert "the preflight through devproxy: a browser goes on to the request itself" in out
    code, out, _ = explained(capsys, configuration(tmp_path, 1, 'cors = { methods = ["GET"] }'), *asked)
    assert code == 1
    assert "through devproxy: a browser blocks it" in out
    assert "DELETE" in out.partition("help:")[2]


SOCKET = "ws://localhost:8080/socket.io/?EIO=4&transport=websocket"


def test_a_websocket_is_judged_as_chromium_judges_it(
    serve: Serve, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server = serve(lambda head: BAD_REQUEST)
    code, out, _ = explained(capsys, configuration(tmp_path, server.port), SOCKET, "--send")
    assert code == 1
    assert b"Upgrade: websocket" in server.asked[0]
    assert b"Origin: http://localhost:8080" in server.asked[0]
    assert "Error during WebSocket handshake: Unexpected response code: 400" in out
    assert '    {"code":3,"message":"Bad request"}' in out
    assert 'help: Engine.IO error 3, "Bad request": the server refused the request' in out


def test_a_websocket_that_opens_is_told_of(serve: Serve, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def switched(head: bytes) -> bytes:
        key = next(line[19:] for line in head.split(b"\r\n") if line.startswith(b"Sec-WebSocket-Key: "))
        lines = (b"HTTP/1.1 101 Switching Protocols", b"Connection: Upgrade", b"Upgrade: websocket")
        return b"\r\n".join((*lines, b"Sec-WebSocket-Accept: " + accept_for(key), b"", b""))

    server = serve(switched)
    code, out, _ = explained(capsys, configuration(tmp_path, server.port), SOCKET, "--send")
    assert code == 0, out
    assert "through devproxy: a browser opens the WebSocket" in out


def test_a_websocket_that_devproxy_refuses_is_judged_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = explained(capsys, configuration(tmp_path, 1), SOCKET, "--origin", "https://evil.example")
    assert code == 1
    assert "devproxy answers this itself: 403" in out
    assert "Unexpected response code: 403" in out
    assert 'origins = ["https://evil.example"]' in out.partition("Unexpected response code")[2]


@pytest.mark.parametrize(
    ("asked", "instead"),
    [
        ("http://localhost:3001/api/items?x=1", "http://localhost:8080/api/items?x=1"),
        ("127.0.0.1:3001/api/items", "http://localhost:8080/api/items"),
        ("ws://localhost:3001/socket.io/?EIO=4", "ws://localhost:8080/socket.io/?EIO=4"),
    ],
)
def test_a_server_s_own_address_is_called_that_before_anything_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], asked: str, instead: str
) -> None:
    _, out, _ = explained(capsys, configuration(tmp_path, 3001), asked, "--origin", f"{PAGE}/")
    first, *_ = out.splitlines()
    assert first.endswith("is not devproxy: it is a server of upstream backend itself")
    assert f"help: ask devproxy: {instead}\n" in out
    assert f"Origin: {PAGE}\n" in out, "a slash at the end of an origin is taken"


def test_devproxy_s_own_address_is_not_taken_for_a_server_s(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for asked in ("http://localhost:8080/api/items", "localhost:8080/api/items", "/api/items"):
        assert "is not devproxy" not in explained(capsys, configuration(tmp_path, 8080), asked)[1]


def test_a_page_from_elsewhere_needs_a_person_s_permission(
    serve: Serve, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server = serve(lambda head: FINE)
    cors = 'cors = { origins = ["https://*.preview.test"] }'
    config = configuration(tmp_path, server.port, cors)
    code, out, _ = explained(capsys, config, "/api/items", "--origin", "https://pr-1.preview.test", "--send")
    assert code == 0
    assert "through devproxy: a browser may block it before it is sent, if the person does not allow it" in out
    assert "Permission was denied for this request to access the `loopback` address space." in out
    assert "through devproxy: a browser lets the page read it" in out


def test_a_request_that_a_browser_blocks_by_itself_is_not_sent(
    serve: Serve, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server = serve(lambda head: FINE)
    config = configuration(tmp_path, server.port, 'cors = { origins = ["http://203.0.113.9"] }')
    code, out, _ = explained(capsys, config, "/api/items", "--origin", "http://203.0.113.9", "--send")
    assert code == 1
    assert server.methods == []
    assert "not a secure context" in out
    assert explained(capsys, config, "/api/items", "--origin", "http://203.0.113.9", "--send", "--force")[0] == 1
    assert server.methods == [b"GET"]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"", "it took the request, and closed the connection without an answer"),
        (None, "it took the request and said nothing for 0.2 s"),
        (b"nonsense\r\n\r\n", "gave no answer: "),
    ],
    ids=["closes", "stays silent", "is no HTTP"],
)
def test_a_server_that_does_not_answer_is_told_of_below_its_route(
    serve: Serve,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    answer: bytes | None,
    words: str,
) -> None:
    monkeypatch.setattr(probing, "TIMEOUT_S", 0.2)
    server = serve(lambda head: answer)
    code, out, error = explained(capsys, configuration(tmp_path, server.port), "/api/items", "--send")
    assert code == 1
    assert "route /api/" in out
    assert "upstream backend" in out
    assert words in error
    assert "help: " in error


def test_a_server_that_refuses_is_not_said_to_have_closed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        code, out, error = explained(capsys, configuration(tmp_path, sock.getsockname()[1]), "/api/items", "--send")
    assert code == 1
    assert "route /api/" in out
    assert "nothing listens there" in error


def test_the_running_devproxy_is_asked_by_what_it_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="dp") as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        configuration(tmp_path, 3001)
        process = GatewayProcess(cwd=tmp_path)

        def ask(url: str, cwd: Path) -> str:
            environment = {**os.environ, **ENVIRONMENT}
            command = [*COMMAND, "explain", url]
            return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=cwd).stdout

        try:
            said = f"as the devproxy at {process.url} does it (pid {process.program.pid})"
            wait_for(lambda: said in ask("/api/items", tmp_path), "its own words")
            assert f"Host: {process.url.partition('//')[2].rstrip('/')}" in ask("/api/items", tmp_path)
            (tmp_path / "devproxy.toml").write_text("broken")
            elsewhere = Path(folder)
            assert "route /api/" in ask(f"{process.url}/api/items", elsewhere), "by its address, from anywhere"
            assert "route /api/" in ask("/api/items", tmp_path), "what is in force counts, not what the file says now"
        finally:
            process.stop()
