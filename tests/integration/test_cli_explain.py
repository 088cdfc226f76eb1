"""``devproxy explain``: what it prints is what happens, without sending and with."""

from __future__ import annotations

import http.server
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from devproxy.cli import main

READABLE = [("Access-Control-Allow-Origin", "http://localhost:3000"), ("Access-Control-Allow-Credentials", "true")]
HEADS: dict[str, list[tuple[str, str]]] = {
    "/items": [("Access-Control-Allow-Origin", "*"), ("Location", "http://127.0.0.1:PORT/login")],
    "/pass/": [("Access-Control-Allow-Origin", "*"), ("Set-Cookie", "sid=1")],
    "/pass/readable": READABLE,
    "/pass/controls": [("X-Odd", "\x1b[2J\x07"), ("Set-Cookie", "a=\x1bb")],
    "/fix/readable": READABLE,
    "/lists/put": READABLE,
    "/cookies": [("Set-Cookie", "kept=1"), ("Set-Cookie", "lost=1; Domain=api.test")],
}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        assert isinstance(self.server, http.server.HTTPServer)
        self.send_response(200)
        for name, value in HEADS.get(self.path, []):
            self.send_header(name, value.replace("PORT", str(self.server.server_port)))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_PUT(self) -> None:
        self.do_GET()

    def do_OPTIONS(self) -> None:
        """Answer as a framework that does not know OPTIONS, but for one path, which allows PUT alone."""
        knows = self.path == "/lists/put"
        self.send_response(204 if knows else 404)
        for name, value in (*READABLE, ("Access-Control-Allow-Methods", "PUT")) if knows else ():
            self.send_header(name, value)
        if not knows:
            self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def config(tmp_path: Path) -> Iterator[str]:
    """Give the path of a configuration in front of a running server."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        path = tmp_path / "devproxy.toml"
        path.write_text(
            f'[server]\nlisten = "localhost:8099"\n[upstreams]\nb = "http://127.0.0.1:{server.server_port}"\n'
            '[[routes]]\npath = "/api/"\nupstream = "b"\nstrip_prefix = true\n'
            '[[routes]]\npath = "/pass/"\nupstream = "b"\ncors = "passthrough"\n'
            '[[routes]]\npath = "/fix/"\nupstream = "b"\ncors = "fix"\n'
            '[[routes]]\npath = "/lists/"\nupstream = "b"\ncors = { mode = "fix", preflight = "forward" }\n'
            '[[routes]]\npath = "/own/"\nupstream = "b"\ncors = "strip"\nhost = "upstream"\n'
            '[routes.headers.request]\nset = { X-Up = "${upstream.host}" }\n'
            '[[routes]]\npath = "/get/"\nupstream = "b"\ncors = { methods = ["GET"] }\n'
        )
        yield str(path)
        server.shutdown()
        thread.join()


def explained(capsys: pytest.CaptureFixture[str], config: str, *arguments: str) -> tuple[int, str]:
    code = main(["explain", *arguments, "--config", config, "--color", "never"])
    return code, capsys.readouterr().out


def test_what_is_told_follows_the_scheme_by_which_a_browser_comes(
    config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "X-Forwarded-Proto: http " in explained(capsys, config, "/api/items")[1]
    assert "X-Forwarded-Proto: https " in explained(capsys, config, "https://localhost:8099/api/items")[1]
    path = Path(config)
    path.write_text(path.read_text().replace("[server]\n", "[server]\ntls = true\n"))
    assert "X-Forwarded-Proto: https " in explained(capsys, config, "/api/items")[1]
    page = ("http://localhost:8099/api/items", "--header", "Accept: text/html")
    code, out = explained(capsys, config, *page)
    assert code == 0
    assert "devproxy answers this itself: 307" in out
    assert "This page is at https://localhost:8099/api/items." in out


def test_own_pages_are_told_from_what_is_reserved_and_switched_off(
    config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out = explained(capsys, config, "/__devproxy/")
    assert (code, "This is one of devproxy's own pages." in out) == (0, True)
    path = Path(config)
    path.write_text(path.read_text() + "\n[inspector]\nenabled = false\n")
    code, out = explained(capsys, config, "/__devproxy/")
    assert (code, "404 reserved-path" in out) == (1, True)


def test_the_route_and_what_goes_up_are_told_without_asking_anybody(
    config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out = explained(capsys, config, "/api/items?x=1")
    assert code == 0
    assert "route /api/: `/api/items` is `/api` or below it" in out
    assert "- GET /api/items?x=1 HTTP/1.1" in out
    assert "+ GET /items?x=1 HTTP/1.1" in out
    assert "+ X-Forwarded-For: 127.0.0.1" in out
    assert "nothing was sent" in out


def test_an_answer_is_shown_before_and_after_with_the_rule_for_each_difference_and_both_verdicts(
    config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    origin = "http://localhost:3000"
    code, out = explained(capsys, config, "/api/items", "--origin", origin, "--credentials", "include", "--send")
    assert code == 0
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert "- Access-Control-Allow-Origin: * the route's CORS mode" in lines
    assert f"+ Access-Control-Allow-Origin: {origin} the route's CORS mode" in lines
    assert any(line.startswith("+ Location: http://localhost:8099/api/login URLs of") for line in lines)
    assert "through devproxy: a browser lets the page read it" in lines
    assert any(line.startswith("without devproxy: a browser blocks it") for line in lines)
    assert "must not be the wildcard '*' when the request's credentials mode is 'include'." in lines


def test_what_a_browser_would_block_ends_with_1_and_the_lines_to_write(
    config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("/pass/", "--origin", "http://localhost:3000", "--credentials", "include", "--send")
    code, out = explained(capsys, config, *arguments)
    assert code == 1
    assert "through devproxy: a browser blocks it" in out
    assert 'help: [routes.cors] mode = "rewrite"' in out
    assert "cors passthrough: the server's own headers stay as they are" in out


FORM = ("--method", "POST", "--header", "Sec-Fetch-Site: cross-site", "--header", "Sec-Fetch-Mode: navigate")


def test_a_form_that_a_login_page_may_post_is_explained(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out = explained(capsys, config, "/api/items", "--origin", "https://login.example", *FORM)
    assert code == 1
    assert "403 form-not-allowed" in out
    assert 'form_post = ["https://login.example"]' in out
    assert "a browser blocks it" not in out, "CORS does not apply to navigations"
    text = Path(config).read_text()
    Path(config).write_text(text.replace("[[routes]]\n", '[[routes]]\nform_post = ["https://login.example"]\n'))
    for origin in ("https://login.example", "null"):
        code, out = explained(capsys, config, "/api/items", "--origin", origin, *FORM)
        assert code == 0, out
        assert 'that page may post a form here: form_post = ["https://login.example"]' in out
    code, out = explained(capsys, config, "/api/items", "--origin", "https://login.example", "--method", "PUT")
    assert code == 1


def test_a_path_with_two_readings_is_explained(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out = explained(capsys, config, "/api/..%2fsecret")
    assert code == 1
    assert "400 ambiguous-path" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("/api/x", "--origin", "https://evil.test"), ("403 origin-not-allowed", 'origins = ["https://evil.test"]')),
        (("http://evil.test/api/x",), ("421 host-not-allowed", 'allowed_hosts = ["evil.test"]')),
        (("/other",), ("404 no-route", "no route matches it")),
    ],
)
def test_a_refusal_is_told_with_the_line_that_would_allow_it(
    config: str, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], words: tuple[str, ...]
) -> None:
    code, out = explained(capsys, config, *arguments)
    assert code == 1
    for word in words:
        assert word in out


def test_a_preflight_is_judged_before_the_request_that_needs_it(
    config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("--method", "PUT", "--origin", "http://localhost:3000", "--header", "X-A: 1", "--send")
    _, out = explained(capsys, config, "/api/items", *asked)
    assert "through devproxy: a browser lets the page read it" in out
    assert "without devproxy: a browser blocks it" in out
    assert "Response to preflight request doesn't pass access control check" in out


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/pass/readable", "through devproxy: a browser blocks it"),  # the server answers 404 to OPTIONS
        ("/fix/readable", "through devproxy: a browser lets the page read it"),  # devproxy answers in its place
        ("/lists/put", "through devproxy: a browser lets the page read it"),
    ],
)
def test_a_preflight_that_the_server_answers_is_asked_too(
    config: str, capsys: pytest.CaptureFixture[str], path: str, words: str
) -> None:
    asked = ("--method", "PUT", "--origin", "http://localhost:3000", "--credentials", "include")
    _, out = explained(capsys, config, path, *asked, "--send")
    assert words in out


def test_the_preflight_without_devproxy_asks_for_the_path_that_the_server_knows(
    config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _, out = explained(
        capsys, config, "/api/lists/put", "--method", "PUT", "--origin", "http://localhost:3000", "--send"
    )
    assert "without devproxy: a browser lets the page read it" in out


def test_a_forwarded_preflight_that_is_asked_about_itself_gets_its_own_verdict(
    config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = (
        "--method",
        "OPTIONS",
        "--origin",
        "http://localhost:3000",
        "--header",
        "Access-Control-Request-Method: PUT",
    )
    code, out = explained(capsys, config, "/pass/readable", *asked, "--send")
    assert code == 1
    assert "through devproxy: a browser blocks it" in out
    assert "No 'Access-Control-Allow-Origin' header" in out
    code, out = explained(capsys, config, "/lists/put", *asked, "--send")
    assert code == 0
    assert "through devproxy: a browser goes on to the request itself" in out
    assert "without devproxy: a browser goes on to the request itself" in out


def test_a_preflight_that_the_policy_refuses_is_told_with_the_line_to_write(
    config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("--method", "PUT", "--origin", "http://localhost:3000", "--send")
    code, out = explained(capsys, config, "/get/x", *asked)
    assert code == 1
    through, _, _ = out.partition("without devproxy:")
    assert "help: In [routes.cors] at" in through
    assert 'methods = ["GET", "PUT"]' in through


def test_a_path_alone_is_asked_for_where_devproxy_listens(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out = explained(capsys, config, "/own/x", "--origin", "http://localhost:8099", "--send")
    assert code == 0
    assert "+ X-Forwarded-Port: 8099" in out
    assert "a browser lets the page read it: page and answer have the same origin" in out


def test_what_host_changes_is_not_put_down_to_header_edits(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    _, out = explained(capsys, config, "/own/x")
    rules = {line.split()[1]: line for line in out.splitlines() if line.startswith("  +")}
    assert "host, as the route says" in rules["Host:"]
    assert "the address of the client" in rules["X-Forwarded-For:"]
    assert "[routes.headers]" in rules["X-Up:"]


def test_each_fact_of_the_hop_is_put_down_to_what_it_comes_from(
    config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _, out = explained(capsys, config, "/api/x")
    rules = {line.split()[1]: line for line in out.splitlines() if line.startswith("  +")}
    assert rules["X-Real-IP:"].endswith("the address of the client")
    assert rules["X-Forwarded-Host:"].endswith("the origin that the browser asked for")
    assert rules["X-Forwarded-Prefix:"].endswith("the prefix that was removed from the path")


def test_a_navigation_from_another_site_is_not_said_to_share_an_origin(
    config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    headers = ("--header", "Sec-Fetch-Site: cross-site", "--header", "Sec-Fetch-Mode: navigate")
    code, out = explained(capsys, config, "/api/items", *headers, "--send")
    assert code == 0
    assert "have the same origin" not in out
    assert "no Origin, so a browser makes no CORS check" in out


def test_a_cookie_that_a_browser_throws_away_is_told_of(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out = explained(capsys, config, "/api/cookies", "--send")
    assert code == 0
    assert "through devproxy: browsers refuse the cookie `lost`: Domain=`api.test` does not cover `localhost`" in out
    assert "`kept`" not in out


def test_what_cannot_be_asked_is_refused_in_words(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, word in (
        (("/x", "--origin", "localhost:3000"), "--origin: localhost:3000 is not an origin"),
        (("nonsense",), "nonsense is neither a path nor a URL"),
        (("/x", "--header", "no colon"), "that is not a valid HTTP request"),
    ):
        assert main(["explain", *arguments, "--config", config]) == 2
        assert word in capsys.readouterr().err


class _Speaking(threading.Thread):
    """A server of its own kind that gives each request the same answer, 200 and nothing more by default."""

    def __init__(
        self,
        listening: socket.socket,
        context: ssl.SSLContext | None = None,
        *,
        answer: bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    ) -> None:
        super().__init__(daemon=True)
        self._listening, self._tls, self._answer = listening, context, answer

    def run(self) -> None:
        """Serve until the listening socket is closed."""
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            try:
                with client if self._tls is None else self._tls.wrap_socket(client, server_side=True) as end:
                    end.recv(65536)
                    end.sendall(self._answer)
            except OSError:
                client.close()


def test_a_certificate_that_devproxy_would_refuse_is_refused_here_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cert, key, path = tmp_path / "cert.pem", tmp_path / "key.pem", tmp_path / "devproxy.toml"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "2", "-subj", "/CN=localhost", "-keyout", str(key), "-out", str(cert)]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, key)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = _Speaking(listening, context)
        server.start()
        for verify, code in (("true", 1), ("false", 0)):
            path.write_text(
                f'[upstreams.b]\nservers = ["https://127.0.0.1:{listening.getsockname()[1]}"]\ntls_verify = {verify}\n'
                '[[routes]]\npath = "/"\nupstream = "b"\n'
            )
            assert main(["explain", "/", "--send", "--config", str(path)]) == code
            error = capsys.readouterr().err
            assert ("self-signed certificate" in error) == (code == 1)
            assert ("tls_verify = false" in error) == (code == 1)
            assert error.find("tls_ca = ") < error.find("tls_verify = false") or code == 0
        listening.shutdown(socket.SHUT_RDWR)
    server.join()


@pytest.mark.parametrize(
    ("answer", "code", "line"),
    [
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 23\r\n\r\nBlocked request. This host (", 0, 'host = "upstream"'),
        (b"Unauthorized", 1, 'origin = "upstream"'),
    ],
)
def test_a_refusal_in_the_server_s_own_words_leads_to_the_line(
    answer: bytes, code: int, line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "devproxy.toml"
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = _Speaking(listening, answer=answer)
        server.start()
        port = listening.getsockname()[1]
        path.write_text(f'[upstreams]\nb = "http://127.0.0.1:{port}"\n[[routes]]\npath = "/"\nupstream = "b"\n')
        assert main(["explain", "/", "--send", "--config", str(path)]) == code
        assert line in "".join(capsys.readouterr())
        listening.shutdown(socket.SHUT_RDWR)
    server.join()


def test_no_browser_reaches_a_unix_socket_without_devproxy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "devproxy.toml"
    path.write_text(f'[upstreams]\nb = "unix:{tmp_path}/s"\n[[routes]]\npath = "/"\nupstream = "b"\n')
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(f"{tmp_path}/s")
        listening.listen()
        server = _Speaking(listening)
        server.start()
        code, out = explained(capsys, str(path), "/", "--origin", "http://localhost:3000", "--send")
        listening.shutdown(socket.SHUT_RDWR)
    server.join()
    assert code == 0
    assert "through devproxy: a browser lets the page read it" in out
    assert "without devproxy: no browser can reach a Unix socket" in out


def test_a_hot_reload_socket_is_said_to_go_where_the_page_comes_from(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "devproxy.toml"
    path.write_text(
        '[upstreams]\nf = "http://localhost:1"\nb = "http://localhost:2"\n'
        '[[routes]]\npath = "/"\nupstream = "f"\n[[routes]]\npath = "/ws/"\nupstream = "b"\n'
    )
    upgrade = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Protocol: vite-hmr")
    headers = [option for line in upgrade for option in ("--header", line)]
    code, out = explained(capsys, str(path), "/ws/x", *headers)
    assert code == 0
    assert "request to http://localhost:1" in out
    assert "hot-reload socket, which goes to the upstream that serves /: route /, upstream f" in out


def test_a_server_that_is_down_is_told_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    path = tmp_path / "devproxy.toml"
    path.write_text(f'[upstreams]\nb = "http://127.0.0.1:{port}"\n[[routes]]\npath = "/"\nupstream = "b"\n')
    assert main(["explain", "/", "--send", "--config", str(path)]) == 1
    assert "gave no answer" in capsys.readouterr().err


def test_what_a_server_sends_moves_no_cursor(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out = explained(capsys, config, "/pass/controls", "--send", "--origin", "http://localhost:3000")
    assert code in (0, 1)
    assert r"X-Odd: \x1b[2J\x07" in out
    assert "\x1b" not in out
