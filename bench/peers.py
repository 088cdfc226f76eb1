"""The proxies that are compared, each configured to do the same job: forward, stream, upgrade, rewrite CORS fields.

The upstream's own grant to everybody is taken off, an Origin of this machine is allowed with credentials, and every
answer varies by Origin: devproxy's default, and what each of the others is told to do.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from tests.support.certificates import pair_for
from tests.support.processes import free_port

HERE: Final = Path(__file__).parent
CONFIG: Final = "devproxy.toml"
LOG: Final = "devproxy.log"
TLS_PORT: Final = "tls-port"
"""The file that says where a proxy speaks TLS."""
VERSION_FIELD: Final = "X-Bench-Version"
"""Says in an answer which version of the file it was born under, where the file is written anew."""


@dataclass(frozen=True)
class Ports:
    """Where a proxy listens, and where its two upstreams do (:mod:`bench.upstreams`, :mod:`bench.streams`)."""

    listen: int
    files: int
    streams: int


@dataclass(frozen=True)
class Peer:
    """A proxy: its name, what to install where it is missing, and how to start it for some ports."""

    name: str
    install: str
    command: Callable[[Path, Ports], list[str]]
    is_there: Callable[[], bool]
    version: Callable[[], str]


NGINX = """daemon off; worker_processes 1; pid {work}/nginx.pid; error_log {work}/nginx.log crit;
events {{ worker_connections 8192; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 3600s; client_max_body_size 0;
  client_body_temp_path {work}/n1; proxy_temp_path {work}/n2; fastcgi_temp_path {work}/n3;
  uwsgi_temp_path {work}/n4; scgi_temp_path {work}/n5;
  map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
  map $http_origin $allowed {{ default ''; "~^https?://(localhost|127\\.0\\.0\\.1)(:[0-9]+)?$" $http_origin; }}
  map $allowed $credentials {{ default true; '' ''; }}
  upstream files {{ server 127.0.0.1:{ports.files}; keepalive 600; keepalive_requests 1000000000; }}
  upstream streams {{ server 127.0.0.1:{ports.streams}; keepalive 600; keepalive_requests 1000000000; }}
  proxy_http_version 1.1; proxy_buffering off; proxy_request_buffering off; proxy_read_timeout 3600s;
  proxy_set_header Host $http_host; proxy_set_header X-Real-IP $remote_addr;
  proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto $scheme;
  proxy_set_header X-Forwarded-Host $http_host; proxy_set_header X-Forwarded-Port $server_port;
  proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;
  proxy_hide_header Access-Control-Allow-Origin;
  add_header Access-Control-Allow-Origin $allowed always;
  add_header Access-Control-Allow-Credentials $credentials always;
  add_header Vary Origin always;
  server {{
    listen 127.0.0.1:{ports.listen} backlog=4096;
    location /socket.io/ {{ proxy_pass http://streams; }}
    location /api/ {{ proxy_pass http://streams; }}
    location / {{ proxy_pass http://files; }}
  }}
}}
"""

HAPROXY = """global
  maxconn 8192
  nbthread 1
defaults
  mode http
  timeout connect 5s
  timeout client 3600s
  timeout server 3600s
  timeout tunnel 3600s
  option forwardfor
  http-reuse always
frontend front
  bind 127.0.0.1:{ports.listen} backlog 4096
  http-request set-header X-Forwarded-Proto http
  http-request set-var(txn.origin) req.hdr(Origin)
  http-response del-header Access-Control-Allow-Origin
  http-response add-header Vary Origin
  acl allowed var(txn.origin) -m reg ^https?://(localhost|127\\.0\\.0\\.1)(:[0-9]+)?$
  http-response set-header Access-Control-Allow-Origin %[var(txn.origin)] if allowed
  http-response set-header Access-Control-Allow-Credentials true if allowed
  use_backend streams if {{ path_beg /socket.io/ }} || {{ path_beg /api/ }}
  default_backend files
backend files
  server one 127.0.0.1:{ports.files}
backend streams
  server one 127.0.0.1:{ports.streams}
"""

CADDY = """{{
\tadmin off
\tauto_https off
}}
http://:{ports.listen} {{
	bind 127.0.0.1
	@allowed header_regexp Origin ^https?://(localhost|127\\.0\\.0\\.1)(:[0-9]+)?$
	header @allowed Access-Control-Allow-Origin {{http.request.header.Origin}}
	header @allowed Access-Control-Allow-Credentials true
	header Vary Origin
\t@streams path /socket.io/* /api/*
\thandle @streams {{
\t\treverse_proxy 127.0.0.1:{ports.streams} {{
\t\t\tflush_interval -1
\t\t\theader_down -Access-Control-Allow-Origin
\t\t}}
\t}}
\thandle {{
\t\treverse_proxy 127.0.0.1:{ports.files} {{
\t\t\tflush_interval -1
\t\t\theader_down -Access-Control-Allow-Origin
\t\t}}
\t}}
}}
"""

DEVPROXY = """[server]
listen = "127.0.0.1:{ports.listen}"

[upstreams]
files = "http://127.0.0.1:{ports.files}"
streams = "http://127.0.0.1:{ports.streams}"

[[routes]]
path = "/socket.io/"
upstream = "streams"

[[routes]]
path = "/api/"
upstream = "streams"

[[routes]]
path = "/"
upstream = "files"
"""


def _nginx(work: Path, ports: Ports) -> list[str]:
    return ["nginx", "-c", _write(work / "nginx.conf", NGINX.format(work=work, ports=ports))]


def _haproxy(work: Path, ports: Ports) -> list[str]:
    return ["haproxy", "-db", "-f", _write(work / "haproxy.cfg", HAPROXY.format(ports=ports))]


def _caddy(work: Path, ports: Ports) -> list[str]:
    return ["caddy", "run", "--adapter", "caddyfile", "--config", _write(work / "Caddyfile", CADDY.format(ports=ports))]


def _http_proxy(work: Path, ports: Ports) -> list[str]:
    return ["node", str(HERE / "http-proxy.cjs"), str(ports.listen), str(ports.files), str(ports.streams)]


def _vite(work: Path, ports: Ports) -> list[str]:
    return ["node", str(HERE / "vite.mjs"), str(work), str(ports.listen), str(ports.files), str(ports.streams)]


def _devproxy(work: Path, ports: Ports) -> list[str]:
    return [*_up(work, DEVPROXY.format(ports=ports)), "--quiet"]


def _with_50_routes(work: Path, ports: Ports) -> list[str]:
    return [*_up(work, fifty_routes(ports)), "--quiet"]


def _tls(work: Path, port: int) -> tuple[int, str]:
    """Say in `work` that TLS is spoken on `port`; return it, and the file with a certificate and its key."""
    _write(work / TLS_PORT, str(port))
    return port, _write(work / "pair.pem", pair_for("localhost").decode())


def _nginx_tls(work: Path, ports: Ports) -> list[str]:
    """Start nginx with TLS on a port of its own: on one it speaks that or plain HTTP, as the other peers do."""
    port, pem = _tls(work, free_port())
    tls = (
        f"listen 127.0.0.1:{port} ssl http2 backlog=4096; ssl_certificate {pem}; ssl_certificate_key {pem};\n"
        "    http2_max_requests 1000000000; http2_idle_timeout 3600s;"
    )
    config = NGINX.replace("location /socket.io/", f"{tls}\n    location /socket.io/", 1)
    return ["nginx", "-c", _write(work / "nginx.conf", config.format(work=work, ports=ports))]


def _haproxy_tls(work: Path, ports: Ports) -> list[str]:
    port, pem = _tls(work, free_port())
    plain = "  bind 127.0.0.1:{ports.listen} backlog 4096\n"
    bind = f"  bind 127.0.0.1:{port} backlog 4096 ssl crt {pem} alpn h2,http/1.1\n"
    config = HAPROXY.replace(plain, plain + bind, 1)
    return ["haproxy", "-db", "-f", _write(work / "haproxy.cfg", config.format(ports=ports))]


def _caddy_tls(work: Path, ports: Ports) -> list[str]:
    port, pem = _tls(work, free_port())
    front = "http://:{ports.listen} {{\n\tbind 127.0.0.1\n"
    both = (
        f"http://:{{ports.listen}} {{{{\n\tbind 127.0.0.1\n\timport all\n}}}}\nhttps://:{port} {{{{\n\tbind 127.0.0.1\n"
    )
    config = CADDY.replace(front, "(all) {{\n", 1)
    config += both + f"\ttls {pem} {pem}\n\timport all\n}}}}\n"
    config = _write(work / "Caddyfile", config.format(ports=ports))
    return ["caddy", "run", "--adapter", "caddyfile", "--config", config]


def _devproxy_tls(work: Path, ports: Ports) -> list[str]:
    _, pem = _tls(work, ports.listen)
    return [*_up(work, _with_tls(ports, f'{{ cert = "{pem}", key = "{pem}" }}')), "--quiet"]


def _with_tls(ports: Ports, tls: str) -> str:
    return DEVPROXY.format(ports=ports).replace("[server]\n", f"[server]\ntls = {tls}\n", 1)


def _devproxy_local(work: Path, ports: Ports) -> list[str]:
    """Start devproxy with a certificate that it makes itself, by an authority that is kept in a folder of its own."""
    _write(work / TLS_PORT, str(ports.listen))
    return [
        "env",
        "-u",
        "XDG_DATA_HOME",
        "-u",
        "CAROOT",
        f"HOME={work}",
        *_up(work, _with_tls(ports, "true")),
        "--quiet",
    ]


def _reloading(work: Path, ports: Ports) -> list[str]:
    version = f'headers = {{ response = {{ set = {{ {VERSION_FIELD} = "0" }} }} }}\n'
    return [*_up(work, fifty_routes(ports, version)), "--quiet"]


def _with_log(work: Path, ports: Ports) -> list[str]:
    command = shlex.join(_up(work, DEVPROXY.format(ports=ports)))
    return ["sh", "-c", f"exec {command} >{shlex.quote(str(work / LOG))} 2>&1"]


def _watched(work: Path, ports: Ports, *, wants: str) -> list[str]:
    return [sys.executable, "-m", "bench.listening", _write(work / CONFIG, DEVPROXY.format(ports=ports)), wants]


def _up(work: Path, config: str) -> list[str]:
    return [sys.executable, "-m", "devproxy", "up", "--config", _write(work / CONFIG, config)]


def fifty_routes(ports: Ports, last: str = "") -> str:
    """Return a configuration of fifty routes as a large project has them; `last`: more lines for the route ``/``."""
    more = [f'path = "/service{number}/"\nupstream = "streams"\n' for number in range(38)]
    more += [f'path_exact = "/page{number}.html"\nupstream = "files"\n' for number in range(4)]
    more += [f'path_glob = "/assets{number}/**.map"\nupstream = "files"\n' for number in range(3)]
    more += ['path = "/graphql"\nmethods = ["GET", "POST"]\nupstream = "streams"\ncors = "strip"\n']
    more += ['path = "/auth/"\nupstream = "streams"\norigin = "upstream"\nhost = "upstream"\n']
    return DEVPROXY.format(ports=ports) + last + "".join(f"\n[[routes]]\n{route}" for route in more)


def _write(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


def _on_path(name: str) -> Callable[[], bool]:
    return lambda: shutil.which(name) is not None


def _says(*command: str) -> Callable[[], str]:
    def version() -> str:
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        lines = (result.stdout + result.stderr).strip().splitlines()
        return lines[0] if lines else ""

    return version


def _has_package(name: str) -> Callable[[], bool]:
    return lambda: shutil.which("node") is not None and (HERE / "node_modules" / name).is_dir()


def _package_version(name: str) -> Callable[[], str]:
    return _says("node", "-p", f"'{name} ' + require('{HERE}/node_modules/{name}/package.json').version")


def _always() -> bool:
    return True


_devproxy_version = _says(sys.executable, "-m", "devproxy", "--version")

NPM: Final = "npm ci --prefix bench"
PEERS: Final = (
    Peer("nginx", "apt-get install nginx-light", _nginx, _on_path("nginx"), _says("nginx", "-v")),
    Peer("haproxy", "apt-get install haproxy", _haproxy, _on_path("haproxy"), _says("haproxy", "-v")),
    Peer("caddy", "apt-get install caddy", _caddy, _on_path("caddy"), _says("caddy", "version")),
    Peer("http-proxy", NPM, _http_proxy, _has_package("http-proxy"), _package_version("http-proxy")),
    Peer("vite", NPM, _vite, _has_package("vite"), _package_version("vite")),
    Peer("devproxy", "", _devproxy, _always, _devproxy_version),
)
_TLS: Final = {"nginx": _nginx_tls, "haproxy": _haproxy_tls, "caddy": _caddy_tls, "devproxy": _devproxy_tls}
WITH_TLS: Final = {
    peer.name: replace(peer, name=f"{peer.name}-tls", command=_TLS[peer.name]) for peer in PEERS if peer.name in _TLS
}
"""The peers that speak TLS, HTTP/2 too, by their names without it; each speaks plain HTTP as well."""

WITH_50_ROUTES: Final = Peer("devproxy-50-routes", "", _with_50_routes, _always, _devproxy_version)
WITH_LOG: Final = Peer("devproxy-log", "", _with_log, _always, _devproxy_version)
WITH_SINK: Final = Peer("devproxy-sink", "", partial(_watched, wants="ENDS"), _always, _devproxy_version)
WATCHED: Final = Peer("devproxy-watched", "", partial(_watched, wants="NOTHING"), _always, _devproxy_version)
DEVPROXY_LOCAL_TLS: Final = Peer("devproxy-local-tls", "", _devproxy_local, _always, _devproxy_version)
RELOADING: Final = Peer("devproxy-reloading", "", _reloading, _always, _devproxy_version)
