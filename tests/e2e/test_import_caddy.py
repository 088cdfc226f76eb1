"""What a real Caddy does with its Caddyfile, and what devproxy does with the import of it."""

from __future__ import annotations

import socket
from pathlib import Path

from tests.support.import_matrix import Asked, differences, imported, matrix, port_for_a_tool, recorders, upgrades
from tests.support.processes import Program, wait_for

CONFIGURATION = """
{
  admin off
  auto_https off
  storage file_system FOLDER/storage
}
http://app.test:PORT, http://*.app.test:PORT {
  bind 127.0.0.1
  handle /api/* {
    reverse_proxy 127.0.0.1:ONE
  }
  reverse_proxy 127.0.0.1:TWO
}
http://:PORT {
  bind 127.0.0.1
  encode gzip
  header X-Site 1
  handle_path /strip/* {
    reverse_proxy 127.0.0.1:ONE
  }
  handle /api/* {
    reverse_proxy 127.0.0.1:TWO {
      header_up Host {upstream_hostport}
      header_up -Origin
      header_down -Server
    }
  }
  handle /v1/* {
    rewrite * /base{uri}
    reverse_proxy 127.0.0.1:ONE
  }
  handle /cut* {
    uri strip_prefix /cut
    reverse_proxy 127.0.0.1:TWO
  }
  handle /swap/* {
    uri replace /swap/ /other/
    reverse_proxy 127.0.0.1:ONE {
      header_up Host fixed.test
    }
  }
  @live {
    header Connection *Upgrade*
    header Upgrade websocket
    path /live*
  }
  handle @live {
    reverse_proxy 127.0.0.1:TWO
  }
  @posts {
    method POST PUT
    path /things /things/*
  }
  handle @posts {
    reverse_proxy 127.0.0.1:TWO
  }
  @json path *.json
  handle @json {
    reverse_proxy 127.0.0.1:TWO
  }
  handle {
    reverse_proxy 127.0.0.1:ONE
  }
}
"""

REQUESTS = [
    *matrix("/", "/x/y?z=1", "/strip/x?y", "/api/x", "/api", "/apikey", "/v1/x?y=1", "/v1/"),
    *matrix("/cut/x", "/cut", "/swap/x/y?z", "/live/x", "/things", "/things/1", "/thingsy", "/a/b.json"),
    *upgrades("/live", "/live/x", "/other"),
    *(Asked("GET", path, host=host) for path in ("/", "/api/x", "/apikey") for host in ("app.test", "a.app.test")),
]


def test_the_same_requests_reach_the_same_servers(tmp_path: Path) -> None:
    with recorders("one", "two") as (one, two):
        port = port_for_a_tool()
        text = CONFIGURATION.replace("FOLDER", str(tmp_path)).replace("PORT", str(port))
        (tmp_path / "Caddyfile").write_text(text.replace("ONE", str(one)).replace("TWO", str(two)))
        found = imported(tmp_path, "caddy", "--print")
        assert found.returncode == 0, found.stderr

        def listens() -> bool:
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        environment = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
        command = ["caddy", "run", "--config", "Caddyfile", "--adapter", "caddyfile"]
        with Program(command, name="caddy", cwd=tmp_path, environment=environment):
            wait_for(listens, "caddy")
            assert differences(port, found.stdout, REQUESTS, frontend="") == []
    assert "Not carried over" not in found.stdout
