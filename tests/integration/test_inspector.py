"""The inspector's server: reached through devproxy itself, opened by its key, fed while things happen."""

from __future__ import annotations

import http.client
import http.server
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from devproxy.events import ExchangeFinished
from devproxy.inspector.web import MAX_PAGES
from tests.support.inspecting import Feed, Inspected, inspected


class Backend(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    released = threading.Event()

    def do_GET(self) -> None:
        if "slow" in self.path:
            self.released.wait(30)
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b'{"path": "%b"}' % self.path.encode()
        self.send_response(404 if "missing" in self.path else 200)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *arguments: object) -> None:
        pass


@contextmanager
def serving() -> Iterator[int]:
    Backend.released.clear()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Backend)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        Backend.released.set()
        server.shutdown()
        server.server_close()


def file_for(port: int, more: str = "") -> str:
    upstream = f'[upstreams]\nbackend = "http://127.0.0.1:{port}"\n'
    return f'{upstream}[[routes]]\npath = "/"\nupstream = "backend"\n{more}'


@pytest.fixture(scope="module")
def backend() -> Iterator[int]:
    with serving() as port:
        yield port


@pytest.fixture
def page(backend: int) -> Iterator[Inspected]:
    """A devproxy whose inspector nothing has visited yet."""
    with inspected(file_for(backend)) as running:
        yield running


def test_what_happened_before_the_first_visit_is_there(page: Inspected) -> None:
    for target in ("/a", "/missing", "/b?token=secret"):
        page.ask("GET", target)
    rows = page.rows()
    assert [(row["target"], row["status"], row["state"]) for row in rows] == [
        ("/a", 200, "done"),
        ("/missing", 404, "done"),
        ("/b?token=…", 200, "done"),
    ]
    assert [row["is_kept"] for row in rows] == [False, True, False], "heads of what failed, and of nothing else"
    assert rows[0]["route"] == "/"
    assert rows[0]["upstream"] == "backend"


def test_its_own_traffic_is_listed_nowhere(page: Inspected) -> None:
    page.ask("GET", "/a")
    for resource in ("about", "exchanges", "nothing"):
        page.ask("GET", f"/__devproxy/api/{resource}")
    page.ask("GET", "/b")
    assert [row["target"] for row in page.rows()] == ["/a", "/b"]
    assert [event.target for event in page.events if isinstance(event, ExchangeFinished)] == [b"/a", b"/b"]


def test_only_the_last_500_are_kept_unseen(page: Inspected) -> None:
    with closing(socket.create_connection(("127.0.0.1", page.port))) as client:
        for number in range(520):
            client.sendall(b"GET /%d HTTP/1.1\r\nHost: localhost\r\n\r\n" % number)
            while not client.recv(65536).endswith(b"}"):
                pass
    rows = page.rows()
    assert [row["target"] for row in rows] == [f"/{number}" for number in range(20, 520)]
    older = page.get(f"exchanges?limit=3&before={rows[5]['id']}")
    assert [row["target"] for row in older["exchanges"]] == ["/24", "/23", "/22"]
    assert older["more"]


# -- who may


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({}, 200, ""),
        ({"X-Forwarded-For": "1.2.3.4"}, 401, "key-needed"),
        ({"Forwarded": "for=1.2.3.4"}, 401, "key-needed"),
        ({"X-Forwarded-Host": "x.ngrok.app"}, 401, "key-needed"),
        ({"X_Forwarded_For": "1.2.3.4"}, 401, "key-needed"),
        ({"Via": "1.1 tunnel"}, 401, "key-needed"),
        ({"Host": "10.0.0.7:8080"}, 401, "key-needed"),
        ({"X-Devproxy-Key": "wrong"}, 401, "wrong-key"),
        ({"X-Devproxy-Way": "direct", "X-Forwarded-For": "1.2.3.4"}, 401, "key-needed"),
        ({"X-Devproxy-Peer": "127.0.0.1", "Host": "10.0.0.7"}, 401, "key-needed"),
        ({"Host": "evil.example"}, 421, ""),
        ({"Origin": "https://evil.example"}, 403, ""),
        ({"Origin": "http://localhost:3000"}, 403, ""),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "script"}, 403, ""),
    ],
    ids=lambda value: " ".join(f"{one}: {two}" for one, two in value.items()) if isinstance(value, dict) else None,
)
def test_without_a_key_it_opens_to_a_browser_on_this_machine_alone(
    page: Inspected, fields: dict[str, str], status: int, code: str
) -> None:
    answer = page.ask("GET", "/__devproxy/api/about", fields=fields)
    assert answer.status == status
    if status == 200:
        assert answer.json["access"] == "masked"
    elif code:
        assert answer.json["error"] == code
        assert answer.json["help"]


def test_with_the_key_it_opens_from_wherever_the_guard_lets_in(page: Inspected) -> None:
    fields = {"X-Forwarded-For": "1.2.3.4", "Host": "10.0.0.7"}
    answer = page.ask("GET", "/__devproxy/api/about", fields=fields, key=page.key)
    assert answer.json["access"] == "full"


@pytest.mark.parametrize("path", ["clear", "capture", "clear-site-data", "exchanges/1/replay"])
def test_what_changes_something_needs_the_key(page: Inspected, path: str) -> None:
    answer = page.ask("POST", f"/__devproxy/api/{path}", body={"on": True})
    assert (answer.status, answer.json["error"]) == (403, "key-needed")


def test_secrets_are_shown_only_with_the_key_and_only_when_asked_for(page: Inspected) -> None:
    page.ask("GET", "/x?token=abc")
    assert page.rows()[0]["target"] == "/x?token=…"
    assert page.ask("GET", "/__devproxy/api/exchanges?secrets=1").status == 403
    assert page.get("exchanges?secrets=1")["exchanges"][0]["target"] == "/x?token=abc"


@pytest.mark.parametrize("path", ["", "page/nothing.js", "api/about", "api/nothing", "api/exchanges?limit=x", "x"])
def test_every_answer_keeps_the_page_safe(page: Inspected, path: str) -> None:
    answer = page.ask("GET", f"/__devproxy/{path}")
    assert answer.fields["cache-control"] == "no-store"
    assert answer.fields["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in answer.fields["content-security-policy"]
    assert "unsafe" not in answer.fields["content-security-policy"]
    assert answer.fields["cross-origin-resource-policy"] == "same-origin"
    if path.startswith("api/") and answer.status >= 400:
        assert set(answer.json) == {"error", "what", "help"}


@pytest.mark.parametrize(
    "name", ["../server.py", "%2e%2e/server.py", "..%2fserver.py", ".hidden.js", "a//b.js", "x.py"]
)
def test_no_other_file_than_the_pages_own_is_given(page: Inspected, name: str) -> None:
    assert page.ask("GET", f"/__devproxy/page/{name}").status in (400, 404)


def test_its_private_socket_answers_nothing_that_did_not_come_through_devproxy(page: Inspected) -> None:
    page.get("about")
    (name,) = [one for one in os.listdir(page.folder) if "inspector" in one]
    with closing(socket.socket(socket.AF_UNIX)) as sock:
        sock.connect(f"{page.folder}/{name}")
        sock.sendall(b"GET /__devproxy/api/about HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert sock.recv(65536).startswith(b"HTTP/1.1 404 ")


def test_the_health_check_is_answered_by_devproxy_itself(page: Inspected) -> None:
    assert page.ask("GET", "/__devproxy/health").json == {"status": "ok"}


@pytest.mark.parametrize("query", ["limit=0", "limit=501", "limit=x", "before=-1", "before=1e3", "before=" + "9" * 99])
def test_a_parameter_that_is_none_is_told(page: Inspected, query: str) -> None:
    answer = page.ask("GET", f"/__devproxy/api/exchanges?{query}")
    assert (answer.status, answer.json["error"]) == (400, "bad-request")
    assert answer.json["what"].startswith("`limit`" if "limit" in query else "`before`")


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"on": 1}', b"\xff", b"[" * 100_000], ids=lambda body: repr(body[:9]))
def test_a_body_that_is_none_is_told(page: Inspected, body: bytes) -> None:
    fields = {"X-Devproxy-Key": page.key, "Host": f"localhost:{page.port}"}
    connection = http.client.HTTPConnection("127.0.0.1", page.port)
    connection.request("POST", "/__devproxy/api/capture", body, fields)
    answer = connection.getresponse()
    assert answer.read().startswith(b'{"error": "bad-request"')
    assert answer.status == 400
    connection.close()


def test_switched_off_there_is_no_page(backend: int) -> None:
    with inspected(file_for(backend, "[inspector]\nenabled = false\n")) as running:
        answer = running.ask("GET", "/__devproxy/")
        assert (answer.status, answer.fields["x-devproxy-error"]) == (404, "reserved-path")
        assert running.ask("GET", "/a").status == 200


# -- live


def test_a_request_is_listed_from_its_beginning(page: Inspected) -> None:
    with closing(Feed(page)) as feed:
        assert feed.event()[0] == "hello"
        thread = threading.Thread(target=page.ask, args=("GET", "/slow"))
        thread.start()
        row = feed.rows(lambda row: row["target"] == "/slow" and row["state"] == "sent")
        assert (row["status"], row["outcome"], row["times"]["ended_s"]) == (None, None, None)
        Backend.released.set()
        row = feed.rows(lambda row: row["target"] == "/slow" and row["state"] == "done")
        assert (row["status"], row["type"], row["is_kept"]) == (200, "application/json", True)
        thread.join()


def test_a_page_that_comes_back_learns_what_it_missed(page: Inspected) -> None:
    feed = Feed(page)
    feed.event("hello")
    page.ask("GET", "/first")
    feed.rows(lambda row: row["target"] == "/first" and row["state"] == "done")
    feed.close()
    page.ask("GET", "/second")
    page.ask("GET", "/third")
    with closing(Feed(page, last_event_id=feed.last_id)) as again:
        seen: list[str] = []
        while seen[-1:] != ["/third"]:  # they may come in two batches
            name, data = again.event("exchanges", "missed")
            assert name == "exchanges"
            seen += [row["target"] for row in data["rows"]]
    assert list(dict.fromkeys(seen)) == ["/second", "/third"]


@pytest.mark.parametrize("last", ["other-5", "nonsense", "{epoch}-999999", "-"])
def test_a_page_of_another_start_is_told_to_load_everything_again(page: Inspected, last: str) -> None:
    epoch = page.get("about")["epoch"]
    with closing(Feed(page, last_event_id=last.format(epoch=epoch))) as feed:
        assert [feed.event()[0] for _ in range(2)] == ["hello", "missed"]


def test_a_page_is_told_when_everything_is_forgotten(page: Inspected) -> None:
    page.ask("GET", "/a")
    assert page.rows()
    with closing(Feed(page)) as feed:
        feed.event("hello")
        assert page.post("clear").status == 200
        feed.event("cleared")
    assert page.rows() == []


def test_everything_is_kept_only_while_something_looks(page: Inspected, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devproxy.inspector.live.LINGER_S", 0.0)
    feed = Feed(page)
    feed.event("hello")
    page.ask("GET", "/seen")
    assert feed.rows(lambda row: row["target"] == "/seen")["is_kept"]
    feed.close()
    page.wait(lambda: not page.get("about")["is_complete"], "that nothing more is kept")
    page.ask("GET", "/unseen")
    assert not page.rows()[-1]["is_kept"]


def test_with_capture_everything_is_kept_without_a_page(backend: int) -> None:
    with inspected(file_for(backend, "[inspector]\ncapture = true\n")) as running:
        running.ask("GET", "/a")
        assert running.rows()[0]["is_kept"]
        assert running.post("capture", {"on": False}).status == 200
        running.ask("GET", "/b")
        assert not running.rows()[-1]["is_kept"]


def test_what_is_kept_is_bounded(backend: int) -> None:
    with inspected(file_for(backend, "[inspector]\ncapture = true\nmax_mib = 1\n")) as running:
        for number in range(40):
            running.ask("POST", f"/{number}", body="x" * 60_000)
        rows = running.rows()
        kept = [row["target"] for row in rows if row["is_kept"]]
        assert len(rows) <= 40
        assert 5 < len(kept) < 18, "a mebibyte of them"
        assert kept == [row["target"] for row in rows][-len(kept) :], "the latest ones"


def test_pages_go_when_devproxy_stops(backend: int) -> None:
    with inspected(file_for(backend)) as running:
        feed = Feed(running)
        feed.event("hello")
        running.ask("GET", "/a")
    with closing(feed):
        assert feed.event("bye") == ("bye", {})


def test_there_are_only_so_many_event_streams(page: Inspected) -> None:
    feeds = [Feed(page) for _ in range(MAX_PAGES)]
    try:
        for feed in feeds:
            assert b" 200 " in feed.head
        refused = page.ask("GET", "/__devproxy/api/events", key=page.key)
        assert (refused.status, refused.json["error"]) == (409, "not-possible")
    finally:
        for feed in feeds:
            feed.close()

    def is_open_again() -> bool:
        with closing(Feed(page)) as feed:
            return b" 200 " in feed.head

    page.wait(is_open_again, "a free place")


def test_what_is_not_known_is_null(page: Inspected) -> None:
    assert page.ask("GET", "/nobody", fields={"Host": "evil.example"}).status == 421
    (row,) = page.wait(lambda: [one for one in page.rows() if one["target"] == "/nobody"], "its row")
    assert [row[key] for key in ("origin", "destination", "route", "upstream", "server")] == [None] * 5
