"""What stands behind every proxy: this nginx for files, and :mod:`bench.streams` for everything that takes its time.

Both are cheap, and their CPU time is not counted.
"""

from __future__ import annotations

from pathlib import Path

MIB = 1 << 20
SMALL = "export const answer = 42; export default function f() { return answer }\\n"
SMALL_BODY = SMALL.replace("\\n", "\n").encode()

NGINX = """daemon off; worker_processes 1; pid {work}/upstream.pid; error_log {work}/upstream.log;
events {{ worker_connections 8192; }}
http {{
  access_log off; sendfile on; keepalive_requests 1000000000; keepalive_timeout 3600s;
  client_body_temp_path {work}/tmp1; proxy_temp_path {work}/tmp2; fastcgi_temp_path {work}/tmp3;
  uwsgi_temp_path {work}/tmp4; scgi_temp_path {work}/tmp5;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      default_type text/javascript; add_header Cache-Control no-cache; add_header ETag '"abc"';
      add_header Access-Control-Allow-Origin *; return 200 "{small}";
    }}
    location /download {{ root {work}/files; }}
  }}
}}
"""


def nginx_config(work: Path, port: int) -> str:
    """Write the files to download below `work`; return the configuration of the upstream nginx."""
    files = work / "files" / "download"
    files.mkdir(parents=True, exist_ok=True)
    (files / "1m").write_bytes(bytes(range(256)) * (MIB // 256))
    return NGINX.format(work=work, port=port, small=SMALL)
