"""What the tests of ``devproxy export`` share: the servers of a site, a proxy of each kind that runs what was exported,
and a plain client.

Start at :class:`Servers` and :func:`front`.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from devproxy import config
from devproxy.exporting import Wanted, export, parse_web_origin
from devproxy.http.fields import parse_fields
from devproxy.policy.verdict import Hop
from tests.support.certificates import certificate_files, server_context
from tests.support.processes import Program, free_port, wait_for

PROXIES: Final = ("nginx", "caddy", "haproxy", "traefik")
SHOP: Final = "https://shop.example.org"
PAGE: Final = "http://page.example.org"
"""The same without TLS, for a real browser."""
NGINX: Final = shutil.which("nginx") or "/usr/sbin/nginx"  # Debian keeps them where only root looks
HAPROXY: Final = shutil.which("haproxy") or "/usr/sbin/haproxy"


class Servers(NamedTuple):
    """The ports of a site's servers. ``sockets``: of Socket.IO 4, two; ``old``: of Socket.IO 2."""

    pages: EchoServer
    rest: EchoServer
    other: EchoServer
    secure: EchoServer
    sockets: tuple[int, ...]
    old: int

    def toml(self) -> str:
        """Return a configuration with a route of each kind."""
        sockets = ", ".join(f'"http://127.0.0.1:{port}"' for port in self.sockets)
        return f"""
[server]
allowed_hosts = ["admin.test"]
max_body_bytes = 4000000

[upstreams]
pages = "http://127.0.0.1:{self.pages.port}"
rest = "http://127.0.0.1:{self.rest.port}"
other = "http://127.0.0.1:{self.other.port}"
old = "http://127.0.0.1:{self.old}"
[upstreams.secure]
servers = ["https://localhost:{self.secure.port}"]
tls_ca = "{certificate_files().cert}"
[upstreams.pair]
servers = ["http://127.0.0.1:{self.rest.port}", "http://127.0.0.1:{self.other.port}"]
sticky = "cookie"
[upstreams.sockets]
servers = [{sockets}]
sticky = "socketio"

[[routes]]
path = "/socket.io/"
upstream = "sockets"
cors = {{ origins = ["{SHOP}"] }}

[[routes]]
path = "/v2/socket.io/"
rewrite = "/socket.io/"
upstream = "old"

[[routes]]
path = "/api/"
strip_prefix = true
upstream = "rest"
[routes.cors]
origins = ["{SHOP}", "{PAGE}", "https://*.preview.example.org", "http://localhost:3000"]
methods = ["GET", "POST", "PUT"]
headers = ["Content-Type", "X-Tenant"]
expose = ["ETag"]

[[routes]]
path = "/open/"
upstream = "rest"
[routes.cors]
origins = ["{SHOP}"]
methods = ["*"]
credentials = false

[[routes]]
path = "/closed/"
upstream = "rest"
cors = "strip"

[[routes]]
path = "/own/"
upstream = "rest"
cors = {{ mode = "passthrough", origins = ["{SHOP}"] }}

[[routes]]
path = "/api/"
methods = ["POST"]
match_headers = {{ X-Tenant = "blue*" }}
upstream = "other"
headers.request.set = {{ X-Sent = "by ${{host}}" }}
headers.response.set = {{ X-From = "costs 5$ \\"now\\"" }}
headers.response.remove = ["X-Powered-By"]

[[routes]]
path = "/"
match_host = "admin.test"
upstream = "other"

[[routes]]
path = "/secure/"
upstream = "secure"

[[routes]]
path = "/pair/"
upstream = "pair"

[[routes]]
path_exact = "/health"
upstream = "other"
rewrite = "/status"
host = "upstream"

[[routes]]
path_glob = "/files/**/x-*.map"
upstream = "other"
headers.request.remove = ["Authorization"]

[[routes]]
path_regex = '/v[0-9]{{1,3}}/\\d+'
upstream = "other"

[[routes]]
path = "/"
upstream = "pages"
"""


class EchoServer:
    """Answers with what it was asked, as JSON; its own CORS is careless. ``may_go_on``: event streams continue."""

    def __init__(self, name: str, *, is_tls: bool = False) -> None:
        self.may_go_on = threading.Event()
        echo = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # head and body in one packet: the second of two would wait for an acknowledgement

            def answer(self) -> None:
                length = int(self.headers.get("Content-Length", "0"))
                body = self.rfile.read(length)
                if self.path == "/blank":
                    self.send_response(200)
                    self.send_header("Content-Type", "text/html")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                if self.path.endswith("/events"):
                    self.stream()
                    return
                self.send_response(302 if self.path.endswith("/redirect") else 200)
                own = f"http://127.0.0.1:{echo.port}"
                said = [("Content-Type", "application/json"), ("X-Powered-By", "echo"), ("ETag", '"1"')]
                said += [("Access-Control-Allow-Origin", "*"), ("Access-Control-Allow-Credentials", "true")]
                if self.path.endswith("/redirect"):
                    said.append(("Location", f"{own}/login"))
                said.append(("Set-Cookie", "session=1; Path=/"))
                fields = {key.lower(): value for key, value in self.headers.items()}
                told = {"server": name, "method": self.command, "target": self.path, "fields": fields}
                data = json.dumps(told | {"bytes": len(body)}).encode()
                for key, value in (*said, ("Content-Length", str(len(data)))):
                    self.send_header(key, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(data)

            def stream(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.write(b"data: first\n\n")
                self.wfile.flush()
                echo.may_go_on.wait(20)
                self.wfile.write(b"data: second\n\n")
                self.close_connection = True

            do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = answer

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = _Quiet(("127.0.0.1", 0), Handler)
        self.port = int(self._server.server_address[1])
        if is_tls:
            # Handshakes are for the thread of each connection: one that is silent must not keep others waiting.
            self._server.socket = server_context().wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        self.may_go_on.set()
        self._server.shutdown()
        self._server.server_close()


class _Quiet(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: proxies reset connections that they no longer need."""


class Answer(NamedTuple):
    """What a client got. ``fields``: names in lower case; of several the last."""

    status: int
    fields: dict[str, str]
    lines: tuple[bytes, ...]
    body: bytes

    @property
    def told(self) -> Any:
        """What an :class:`EchoServer` was asked."""
        return json.loads(self.body)

    @property
    def hop(self) -> Hop:
        """The answer, to be judged."""
        return Hop(status=self.status, fields=tuple(parse_fields(list(self.lines))))


def ask(
    url: str, target: str, fields: Mapping[str, str] = {}, *, method: str = "GET", body: bytes | None = None
) -> Answer:
    """Ask the front at `url` for `target`, which goes out as it is."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)
    try:
        connection.putrequest(method, target, skip_host="Host" in fields, skip_accept_encoding=True)
        for name, value in fields.items():
            connection.putheader(name, value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        response = connection.getresponse()
        data = response.read()
        pairs = response.getheaders()
        lines = tuple(f"{name}: {value}".encode("latin-1") for name, value in pairs)
        return Answer(response.status, {name.lower(): value for name, value in pairs}, lines, data)
    finally:
        connection.close()


def handshake(url: str, target: str, fields: Mapping[str, str] = {}) -> int:
    """Ask for a WebSocket; return the status."""
    parts = urlsplit(url)
    lines = [f"GET {target} HTTP/1.1", f"Host: {parts.netloc}", "Connection: Upgrade", "Upgrade: websocket"]
    lines += ["Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]
    lines += [f"{name}: {value}" for name, value in fields.items()]
    with socket.create_connection((parts.hostname or "", parts.port or 80), timeout=20) as sock:
        sock.sendall("\r\n".join((*lines, "", "")).encode())
        head = b""
        while b"\r\n" not in head and (data := sock.recv(4096)):
            head += data
    return int(head.split(b" ", 2)[1])


class Front(NamedTuple):
    """A running proxy. ``origin``: where it is reached, without a slash at its end. ``text``: what was exported."""

    kind: str
    origin: str
    text: str


@contextmanager
def front(kind: str, toml: str, folder: Path, *, probe: str = "/") -> Iterator[Front]:
    """Run the proxy `kind` with exactly what is exported for it. `probe`: a target that some server answers."""
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    text = export(config.load(toml.encode(), source="devproxy.toml"), kind, Wanted(origins=(parse_web_origin(origin),)))
    folder.mkdir(parents=True, exist_ok=True)
    check, command = _COMMANDS[kind](folder, text, port)
    done = subprocess.run(check, capture_output=True, text=True, check=False, env=_environment(folder))
    assert done.returncode == 0, f"{kind} refuses what was exported:\n{done.stdout}{done.stderr}\n{text}"
    with Program(command, name=kind, cwd=folder, environment={"HOME": str(folder)}):
        # Traefik listens before it has read its file.
        wait_for(lambda: _is_there(port) and ask(origin, probe).status not in (404, 503), f"{kind} to be ready")
        yield Front(kind, origin, text)


def _environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "HOME": str(folder)}


def _is_there(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def _nginx(folder: Path, text: str, port: int) -> tuple[Sequence[str], Sequence[str]]:
    (folder / "site.conf").write_text(text)
    names = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = " ".join(f"{name}_temp_path {folder}/{name};" for name in names)
    (folder / "nginx.conf").write_text(
        f"daemon off; master_process off; pid {folder}/pid; error_log stderr; events {{ worker_connections 256; }}\n"
        f"http {{ access_log off; {paths} include {folder}/site.conf; }}\n"
    )
    command = [NGINX, "-c", str(folder / "nginx.conf"), "-p", str(folder)]
    return [*command, "-t"], command


def _caddy(folder: Path, text: str, port: int) -> tuple[Sequence[str], Sequence[str]]:
    (folder / "site.caddy").write_text(text)
    (folder / "Caddyfile").write_text(f"{{\n\tadmin off\n}}\nimport {folder}/site.caddy\n")
    options = ["--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]
    return ["caddy", "validate", *options], ["caddy", "run", *options]


def _haproxy(folder: Path, text: str, port: int) -> tuple[Sequence[str], Sequence[str]]:
    file = str(folder / "haproxy.cfg")
    Path(file).write_text(text)
    return [HAPROXY, "-c", "-f", file], [HAPROXY, "-db", "-f", file]


def _traefik(folder: Path, text: str, port: int) -> tuple[Sequence[str], Sequence[str]]:
    """Traefik has no check of its own: `test_traefik_has_no_complaint` reads its log."""
    (folder / "site.yml").write_text(text)
    program = Path(sys.executable).with_name("traefik")
    options = [
        f"--entryPoints.web.address=127.0.0.1:{port}",
        "--entryPoints.web.http.encodedCharacters.allowEncodedSlash=true",
        f"--providers.file.filename={folder}/site.yml",
        "--global.checkNewVersion=false",
        "--global.sendAnonymousUsage=false",
    ]
    return [str(program), "version"], [str(program), *options]


_COMMANDS: Final = {"nginx": _nginx, "caddy": _caddy, "haproxy": _haproxy, "traefik": _traefik}


@contextmanager
def site_servers(start: Any) -> Iterator[Servers]:
    """Run the servers of a site. `start`: as the fixture ``shared_server``."""
    with ExitStack() as running:
        pages, rest, other = (EchoServer(name) for name in ("pages", "rest", "other"))
        secure = EchoServer("secure", is_tls=True)
        for echo in (pages, rest, other, secure):
            running.callback(echo.stop)
        cors = {"origin": [SHOP], "credentials": True}
        sockets = tuple(start("socketio", major=4, options={"cors": cors}, number=number).port for number in (1, 2))
        yield Servers(pages, rest, other, secure, sockets=sockets, old=start("socketio", major=2).port)
