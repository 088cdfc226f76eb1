"""What the inspector says of one exchange: heads, what differs and by which rule, verdict, bodies."""

from __future__ import annotations

import gzip
import http.client
import http.server
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from tests.support.inspecting import Inspected, inspected

ORIGIN = "http://localhost:3000"


class Backend(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_GET(self) -> None:
        received = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path.startswith("/api/gzip"):
            self._answer(gzip.compress(b'{"password": "hunter2", "name": "x"}'), ("Content-Encoding", "gzip"))
        elif self.path.startswith("/api/login"):
            assert isinstance(self.server, http.server.HTTPServer)
            place = f"https://login.example/auth?redirect_uri=http%3A%2F%2Flocalhost%3A{self.server.server_port}"
            self._answer(b"", ("Location", place), status=302)
        elif self.path.startswith("/api/echo"):
            self._answer(received + b"|" + repr(self.headers.items()).encode(), ("Set-Cookie", "sid=abc; Path=/"))
        else:
            self._answer(b"{}", ("Access-Control-Allow-Origin", "*"), ("X-Powered-By", "Express"))

    do_POST = do_PUT = do_OPTIONS = do_GET

    def _answer(self, body: bytes, *fields: tuple[str, str], status: int = 200) -> None:
        self.send_response_only(status)
        for name, value in (*fields, ("Content-Type", "application/json"), ("Content-Length", str(len(body)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture(scope="module")
def running() -> Iterator[Inspected]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Backend)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True, kwargs={"poll_interval": 0.01}).start()
    file = f"""\
[inspector]
capture = true

[upstreams]
backend = "http://127.0.0.1:{server.server_port}"

[[routes]]
path = "/api/"
upstream = "backend"
host = "upstream"

[routes.headers.request]
set = {{ X-Env = "dev" }}

[routes.headers.response]
remove = ["X-Powered-By"]

[[routes]]
path = "/open/"
upstream = "backend"
cors = "passthrough"
strip_prefix = true
"""
    with inspected(file) as page:
        yield page
    server.shutdown()
    server.server_close()


def detail(page: Inspected, path: str, **fields: str) -> dict[str, Any]:
    """Ask for `path`, and return all that the inspector says of that."""
    page.ask("GET", path, fields={name.replace("_", "-"): value for name, value in fields.items()})
    row = page.rows()[-1]
    found: dict[str, Any] = page.get(f"exchanges/{row['id']}")
    return found


def change(side: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [one for one in side["changes"] if one["name"] == name]
    return dict(found)


def test_each_difference_names_the_rule_the_file_and_the_line(running: Inspected) -> None:
    said = detail(running, "/api/items", Origin=ORIGIN)
    request, response = said["request"], said["response"]
    host = change(request, "Host")
    assert (host["what"], host["before"], host["rule"]) == ("changed", f"localhost:{running.port}", "host")
    assert host["source"] == {"file": "devproxy.toml", "line": 10, "key": "routes.0.host"}
    env = change(request, "X-Env")
    assert (env["what"], env["after"]) == ("added", "dev")
    assert env["source"] == {"file": "devproxy.toml", "line": 13, "key": "routes.0.headers.request.set.X-Env"}
    gone = change(response, "X-Powered-By")
    assert (gone["what"], gone["before"], gone["source"]["line"]) == ("removed", "Express", 16)
    allowed = change(response, "Access-Control-Allow-Origin")
    assert (allowed["what"], allowed["before"], allowed["after"]) == ("changed", "*", ORIGIN)
    assert allowed["rule"] == "cors"
    assert allowed["source"] == {"file": "devproxy.toml", "line": 7, "key": "routes.0"}, "the route it belongs to"
    via = change(request, "Via")
    assert via["source"] is None
    assert said["route_source"] == {"file": "devproxy.toml", "line": 7, "key": "routes.0"}


def test_heads_are_those_that_came_and_those_that_went_on(running: Inspected) -> None:
    said = detail(running, "/open/x?y=1", Origin=ORIGIN)
    assert said["request"]["received"]["start"] == "GET /open/x?y=1 HTTP/1.1"
    assert said["request"]["sent"]["start"] == "GET /x?y=1 HTTP/1.1"
    (start,) = [one for one in said["request"]["changes"] if one["name"] is None]
    assert (start["rule"], start["source"]["key"]) == ("strip_prefix", "routes.1.strip_prefix")
    assert ["Access-Control-Allow-Origin", "*"] in said["response"]["sent"]["fields"]


def test_what_the_console_says_has_no_secret_of_the_target(running: Inspected) -> None:
    said = detail(running, "/api/items?token=hunter2", Origin=ORIGIN, Cookie="a=b")
    assert "/api/items?token=…" in said["verdict"]["console"]
    assert "hunter2" not in str(said)


def test_a_verdict_is_given_with_devproxy_and_without(running: Inspected) -> None:
    verdict = detail(running, "/api/items", Origin=ORIGIN, Cookie="a=b")["verdict"]
    assert verdict["through"]["is_blocked"] is False
    assert verdict["without"]["is_blocked"] is True
    assert verdict["without"]["text"].startswith("must not be the wildcard")
    assert verdict["without"]["step"] == "Fetch section 4.10, CORS check, step 4"
    assert "has been blocked by CORS policy" in verdict["console"]
    assert [one["for"] for one in verdict["fixes"]] == ["devproxy", "Node", "Express", "Flask", "FastAPI"]
    assert detail(running, "/api/items")["verdict"] is None


def test_what_a_browser_blocks_is_marked(running: Inspected) -> None:
    said = detail(running, "/open/x", Origin=ORIGIN, Cookie="a=b")
    assert said["problem"] == "blocked"
    assert said["verdict"]["through"]["is_blocked"]


def test_a_refusal_of_devproxys_own_has_its_head_and_body(running: Inspected) -> None:
    said = detail(running, "/nowhere")
    assert said["problem"] == "refused"
    assert said["response"]["received"] is None
    assert said["response"]["sent"]["start"] == "HTTP/1.1 404 Not Found"
    assert said["response"]["body"]["view"] in ("text", "json")
    assert b"No devproxy route" in running.ask("GET", f"/__devproxy/api/exchanges/{said['id']}/body/response").body


def test_the_login_that_comes_back_past_devproxy_is_marked(running: Inspected) -> None:
    said = detail(running, "/api/login")
    assert said["marks"] == ["oauth-upstream-address"]
    (finding,) = said["findings"]
    assert "redirect_uri=http://localhost:" in finding["what"]
    assert ["Location"] == [name for name, _ in said["response"]["sent"]["fields"] if name == "Location"]


def test_a_service_worker_that_has_no_script_is_marked_and_can_be_cleared(running: Inspected) -> None:
    said = detail(running, "/api/sw.js", Service_Worker="script")
    (finding,) = said["findings"]
    assert (finding["code"], finding["action"]) == ("service-worker-missing", "clear-site-data")
    assert running.post("clear-site-data").fields["clear-site-data"] == '"cache", "cookies", "storage"'


def test_secrets_are_masked_everywhere(running: Inspected) -> None:
    secrets = {"Cookie": "sid=geheim; theme=dark", "Authorization": "Bearer geheim", "X_Api_Key": "geheim"}
    said = detail(running, "/api/echo?access_token=geheim", **secrets)
    assert "geheim" not in str(said)
    assert ["Cookie", "sid=…; theme=…"] in said["request"]["received"]["fields"]
    assert ["Authorization", "Bearer …"] in said["request"]["received"]["fields"]
    assert ["Set-Cookie", "sid=…; Path=/"] in said["response"]["sent"]["fields"]
    shown = running.get(f"exchanges/{said['id']}?secrets=1")
    assert ["Authorization", "Bearer geheim"] in shown["request"]["received"]["fields"]
    assert running.ask("GET", f"/__devproxy/api/exchanges/{said['id']}?secrets=1").status == 403


@pytest.mark.parametrize(
    ("kind", "encoding", "body"),
    [
        ("application/json", "", '{"password": ["hunter2"], "next": "cut'),
        ("application/x-www-form-urlencoded", "", "user=a&password=hunter2"),
        (
            "multipart/form-data; boundary=b",
            "",
            '--b\r\nContent-Disposition: form-data; name="p"\r\n\r\nhunter2\r\n--b--',
        ),
        ("application/octet-stream", "", "hunter2"),
        ("application/json", "br", "hunter2"),
        ("text/plain; charset=idna", "", "..?token=hunter2"),
        ("application/json; charset=undefined", "", '{"token": "hunter2", "a": "\\ud800"}'),
    ],
)
def test_what_is_copied_of_a_body_has_no_secrets(running: Inspected, kind: str, encoding: str, body: str) -> None:
    fields = {"Content-Type": kind, **({"Content-Encoding": encoding} if encoding else {})}
    with closing(http.client.HTTPConnection("127.0.0.1", running.port, timeout=10)) as connection:
        connection.request("POST", "/api/echo", body.encode(), fields)
        connection.getresponse().read()
    number = running.rows()[-1]["id"]
    for path in (f"exchanges/{number}/copy?as=curl", f"exchanges/{number}/copy?as=fetch", f"har?ids={number}"):
        copied = running.ask("GET", f"/__devproxy/api/{path}").body.decode().partition('"response":')[0]
        whole = running.ask("GET", f"/__devproxy/api/{path}&secrets=1", key=running.key).body.decode()
        assert ("hunter2" in whole, "hunter2" in copied, "/api/echo" in copied) == (True, False, True)


def test_what_is_said_of_an_exchange_has_no_secrets(running: Inspected) -> None:
    worker = detail(running, "/missing-worker.js?token=hunter2", Service_Worker="script")
    assert worker["findings"]
    blocked = detail(running, "/api/items?token=hunter2", Origin="http://elsewhere.example")
    assert blocked["verdict"]["console"]
    for number in (worker["id"], blocked["id"]):
        assert "hunter2" not in running.ask("GET", f"/__devproxy/api/exchanges/{number}").body.decode()


def test_a_compressed_body_is_decoded_for_the_eye(running: Inspected) -> None:
    said = detail(running, "/api/gzip")
    body = said["response"]["body"]
    assert (body["encoding"], body["view"], body["is_complete"]) == ("gzip", "json", True)
    path = f"/__devproxy/api/exchanges/{said['id']}/body/response"
    masked = running.ask("GET", path)
    assert masked.json == {"password": "…", "name": "x"}
    assert masked.fields["x-devproxy-decoded"] == "gzip"
    whole = running.ask("GET", f"{path}?secrets=1&as=decoded", key=running.key)
    assert whole.json == {"password": "hunter2", "name": "x"}
    raw = running.ask("GET", f"{path}?secrets=1", key=running.key)
    assert gzip.decompress(raw.body) == whole.body


def test_a_request_can_be_pasted_as_curl_and_sends_the_same_again(running: Inspected) -> None:
    fields = {"Content-Type": "text/plain", "X-Quote": "it's $HOME `id`", "Authorization": "Bearer abc"}
    running.ask("POST", "/api/echo?a=b%20c", body="it's\n$(id)", fields=fields)
    row = running.rows()[-1]
    path = f"/__devproxy/api/exchanges/{row['id']}/copy?as=curl"
    assert "abc" not in running.ask("GET", path).body.decode()
    command = running.ask("GET", f"{path}&secrets=1", key=running.key).body.decode()
    done = subprocess.run(["bash", "-c", f"{command.strip()} -s"], capture_output=True, text=True, check=True)
    again = running.rows()[-1]
    assert again["id"] != row["id"]
    for key in ("method", "target", "request_bytes", "status"):
        assert again[key] == row[key]
    assert "it's $HOME `id`" in done.stdout


def test_a_request_can_be_pasted_as_a_call_of_fetch(running: Inspected) -> None:
    running.ask("PUT", "/api/echo", body={"a": 1}, fields={"X-A": "</script>", "Cookie": "a=b"})
    row = running.rows()[-1]
    text = running.ask("GET", f"/__devproxy/api/exchanges/{row['id']}/copy?as=fetch").body.decode()
    assert text.startswith(f'fetch("http://localhost:{running.port}/api/echo", {{\n  "method": "PUT"')
    assert '"credentials": "include"' in text
    assert "Cookie" not in text


def test_of_what_was_not_kept_there_is_the_row(running: Inspected) -> None:
    running.post("capture", {"on": False})
    said = detail(running, "/api/items")
    running.post("capture", {"on": True})
    assert (said["request"]["received"], said["response"]["body"], said["is_kept"]) == (None, None, False)
    answer = running.ask("GET", f"/__devproxy/api/exchanges/{said['id']}/copy")
    assert (answer.status, answer.json["error"]) == (409, "not-possible")
    assert running.ask("GET", "/__devproxy/api/exchanges/999999").status == 404
    assert running.ask("GET", "/__devproxy/api/exchanges/x").status == 404
