"""What stands behind every proxy: this nginx for files, and :mod:`bench.streams` for everything that takes its time.

Both are cheap, and their CPU time is not counted.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from bench import page
from bench.traffic import SMALL_BODY

MIB: Final = 1 << 20

NGINX: Final = """daemon off; worker_processes 1; pid {work}/upstream.pid; error_log {work}/upstream.log;
events {{ worker_connections 8192; }}
http {{
  access_log off; sendfile on; open_file_cache max=4096; default_type text/javascript;
  keepalive_requests 1000000000; keepalive_timeout 3600s;
  client_body_temp_path {work}/tmp1; proxy_temp_path {work}/tmp2; fastcgi_temp_path {work}/tmp3;
  uwsgi_temp_path {work}/tmp4; scgi_temp_path {work}/tmp5;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    add_header Cache-Control no-cache; add_header Access-Control-Allow-Origin *;
    location / {{
      add_header Cache-Control no-cache; add_header Access-Control-Allow-Origin *; add_header ETag '"abc"';
      return 200 "{small}";
    }}
    location /download {{ root {work}/files; }}
    location /src/app/ {{ root {work}/files; }}
    location /node_modules/ {{ root {work}/files; }}
  }}
}}
"""


def nginx_config(work: Path, port: int) -> str:
    """Write the files to download below `work`; return the configuration of the upstream nginx."""
    files = work / "files"
    download = files / "download"
    download.mkdir(parents=True, exist_ok=True)
    (download / "1m").write_bytes(bytes(range(256)) * (MIB // 256))
    modules = page.modules()
    for number, module in enumerate(modules):
        path = files / module.path[1:]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(page.body(modules, number))
    (files / page.DOCUMENT[1:]).write_text(page.document())
    return NGINX.format(work=work, port=port, small=SMALL_BODY.decode().replace("\n", "\\n"))
