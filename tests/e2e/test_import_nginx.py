"""What a real nginx does with its configuration, and what devproxy does with the import of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.import_matrix import (
    Asked,
    differences,
    imported,
    matrix,
    port_for_a_tool,
    recorders,
    upgrades,
)
from tests.support.processes import Program, wait_for

CONFIGURATION = """
daemon off; worker_processes 1; pid FOLDER/pid; error_log stderr error;
events {}
http {
  access_log off;
  client_body_temp_path FOLDER/body; proxy_temp_path FOLDER/proxy;
  fastcgi_temp_path FOLDER/fastcgi; uwsgi_temp_path FOLDER/uwsgi; scgi_temp_path FOLDER/scgi;
  map $http_upgrade $connection_upgrade { default upgrade; '' close; }
  upstream backend { server 127.0.0.1:ONE; keepalive 4; }
  include FOLDER/servers.conf;
}
"""

SERVERS = """
server {
  listen 127.0.0.1:PORT default_server;
  server_name _;
  proxy_http_version 1.1;
  proxy_set_header Host $http_host;
  proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
  location / { proxy_pass http://backend; }
  location = /exact { proxy_pass http://127.0.0.1:TWO/found; }
  location /api/ { proxy_pass http://127.0.0.1:TWO/; }
  location /v1/ { proxy_pass http://127.0.0.1:TWO/version/one/; }
  location /plain { proxy_pass http://127.0.0.1:TWO; }
  location /plain/deeper { proxy_pass http://backend; }
  location /named { proxy_set_header X-Own 1; proxy_pass http://backend; }
  location /direct { proxy_set_header Origin ""; proxy_pass http://127.0.0.1:TWO; }
  location /fixed { proxy_set_header Host fixed.test; proxy_pass http://backend; }
  location ^~ /pictures/ { proxy_pass http://127.0.0.1:TWO; }
  location ~ ^/(img|css)/.*\\.(png|css)$ { proxy_pass http://127.0.0.1:TWO; }
  location ~* \\.PNG$ { proxy_pass http://backend; }
  location /cut/ { rewrite ^/cut/(.*)$ /$1 break; proxy_pass http://backend; }
  location /socket.io/ {
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $connection_upgrade;
    proxy_set_header Host $host;
    proxy_pass http://127.0.0.1:TWO;
  }
  location /outer/ {
    proxy_pass http://backend;
    location /outer/inner/ { proxy_pass http://127.0.0.1:TWO; }
  }
}
server {
  listen 127.0.0.1:PORT;
  server_name app.test *.app.test;
  location / { proxy_set_header Host $http_host; proxy_pass http://127.0.0.1:TWO; }
  location /api/ { proxy_set_header Host $http_host; proxy_pass http://backend/app/; }
}
"""

REQUESTS = [
    *matrix("/", "/x/y?z=1", "/exact", "/exact/", "/api/x?y=1", "/api/", "/apikey", "/v1/x/", "/v1/"),
    *matrix("/plain", "/plainer/x", "/plain/deeper/x", "/plain/x", "/named/x", "/direct", "/fixed/x", methods=["GET"]),
    *matrix("/pictures/a.png", "/img/a.png", "/css/x/a.css", "/plain/a.png", "/A.Png", "/exact.png", methods=["GET"]),
    *matrix("/cut/x/y?z", "/cut/", "/socket.io/?EIO=4", "/outer/x", "/outer/inner/x", methods=["GET"]),
    *upgrades("/socket.io/?EIO=4&transport=websocket"),
    *(Asked("GET", path, host=host) for path in ("/", "/api/x", "/exact") for host in ("app.test", "a.app.test")),
]


@contextmanager
def nginx(folder: Path, port: int) -> Iterator[None]:
    import socket

    def listens() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    with Program(["nginx", "-p", folder, "-c", folder / "nginx.conf"], name="nginx", cwd=folder):
        wait_for(listens, "nginx")
        yield


def test_the_same_requests_reach_the_same_servers(tmp_path: Path) -> None:
    with recorders("one", "two") as (one, two):
        port = port_for_a_tool()
        for name, text in (("nginx.conf", CONFIGURATION), ("servers.conf", SERVERS)):
            text = text.replace("FOLDER", str(tmp_path)).replace("PORT", str(port))
            (tmp_path / name).write_text(text.replace("ONE", str(one)).replace("TWO", str(two)))
        found = imported(tmp_path, "nginx", "--print")
        assert found.returncode == 0, found.stderr
        with nginx(tmp_path, port):
            assert differences(port, found.stdout, REQUESTS, frontend="") == []
    assert "Not carried over" not in found.stdout
