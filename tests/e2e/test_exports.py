"""Real proxies with exactly what ``devproxy export`` writes, side by side with devproxy: the same requests reach the
same servers in the same way, real Socket.IO clients work, and browsers' verdicts on pages of other origins are equal.
"""

from __future__ import annotations

import asyncio
import http.client
import json
from collections.abc import Iterator
from contextlib import suppress
from itertools import product
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

import pytest
from devproxy.policy.verdict import PageRequest, Verdict, asks_first, judge
from tests.e2e.exported import PAGE, PROXIES, SHOP, Answer, Front, Servers, ask, front, handshake, site_servers
from tests.e2e.harness import Configured, RunClient, StartServer
from tests.support.browser import open_page

EVIL: Final = "https://evil.example"
ORIGINS: Final = (SHOP, "https://x.preview.example.org", "https://preview.example.org", EVIL, "null")
ASKED: Final = (
    ("GET", ()),
    ("PUT", ()),
    ("DELETE", ()),
    ("POST", ("content-type",)),
    ("PUT", ("content-type", "x-tenant")),
    ("GET", ("authorization",)),
    ("GET", ("x-tenant", "x-other")),
)


@pytest.fixture(scope="module")
def servers(shared_server: StartServer) -> Iterator[Servers]:
    with site_servers(shared_server) as running:
        yield running


@pytest.fixture(scope="module", params=PROXIES)
def proxy(
    request: pytest.FixtureRequest, servers: Servers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Front]:
    folder = tmp_path_factory.mktemp(request.param)
    with front(request.param, servers.toml(), folder) as running:
        yield running


@pytest.fixture
def devproxy_origin(shared_gateway: Configured, servers: Servers) -> str:
    return shared_gateway(servers.toml()).origin


REQUESTS: Final[dict[str, tuple[str, str, dict[str, str]]]] = {
    "the page": ("GET", "/", {}),
    "a page below": ("GET", "/deep/page?x=1&y=%20", {}),
    "a prefix that is cut off": ("GET", "/api/items/1?q=a%2Fb", {}),
    "the prefix alone": ("GET", "/api?x=1", {}),
    "an encoded slash stays": ("GET", "/api/a%2Fb", {}),
    "a double slash is no host": ("GET", "/api//evil.example/x", {}),
    "a longer word is another path": ("GET", "/apikey", {}),
    "a method and a header": ("POST", "/api/items", {"X-Tenant": "blue-1"}),
    "the method without the header": ("POST", "/api/items", {}),
    "the header without the method": ("PUT", "/api/items", {"X-Tenant": "blue-1"}),
    "an exact path": ("GET", "/health?deep=1", {}),
    "below an exact path": ("GET", "/health/x", {}),
    "a glob": ("GET", "/files/a/b/x-1.map", {"Authorization": "Bearer x"}),
    "a glob, right below": ("GET", "/files/x-1.map", {}),
    "not the glob": ("GET", "/files/a/y-1.map", {}),
    "an expression": ("GET", "/v12/7", {}),
    "not the expression": ("GET", "/v1234/7", {}),
    "a host": ("GET", "/x", {"Host": "admin.test:PORT"}),
    "a host, with a path of another route": ("GET", "/open/x", {"Host": "admin.test:PORT"}),
    "a host in another case": ("GET", "/x", {"Host": "ADMIN.test:PORT"}),
    "a server that speaks https": ("GET", "/secure/x", {}),
    "in another case": ("GET", "/API/items", {}),
    "HEAD": ("HEAD", "/api/items", {}),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_reaches_the_same_server_in_the_same_way(proxy: Front, devproxy_origin: str, name: str) -> None:
    method, target, fields = REQUESTS[name]
    through = []
    for origin in (proxy.origin, devproxy_origin):
        sent = {key: value.replace("PORT", origin.rpartition(":")[2]) for key, value in fields.items()}
        through.append(ask(origin, target, sent, method=method))
    assert [answer.status for answer in through] == [200, 200]
    if method != "HEAD":
        ours, theirs = facts(through[0], proxy.origin), facts(through[1], devproxy_origin)
        if proxy.kind == "traefik":  # which cannot, as the file says
            assert "X-Sent is left out" in proxy.text
            del ours["x-sent"], theirs["x-sent"]
        assert ours == theirs
    for field in ("x-from", "x-powered-by"):
        assert through[0].fields.get(field) == through[1].fields.get(field)


def facts(answer: Answer, origin: str) -> dict[str, object]:
    """What the server saw, without what differs from one front to another."""
    told, own = answer.told, origin.rpartition(":")[2]
    fields = told["fields"]
    kept = ("x-forwarded-proto", "x-forwarded-prefix", "x-real-ip", "x-sent", "authorization", "origin")
    return {
        "server": told["server"],
        "method": told["method"],
        "target": told["target"],
        "host": name_of(fields["host"], own),
        "for": fields["x-forwarded-for"],
        "forwarded host": name_of(fields.get("x-forwarded-host", ""), own),
        **{name: name_of(fields.get(name, ""), own) for name in kept},
    }


def name_of(value: str, port: str) -> str:
    """A value without the address of the front, which is at `port`."""
    return value.replace(f"127.0.0.1:{port}", "(front)").replace(f"localhost:{port}", "(front)").replace(port, "(port)")


CLAIMS: Final = {"X-Forwarded-For": "6.6.6.6", "X-Real-IP": "6.6.6.6", "X-Forwarded-Proto": "https"}


def test_what_a_client_claims_about_its_address_is_not_believed(proxy: Front) -> None:
    fields = ask(proxy.origin, "/", CLAIMS).told
    assert "6.6.6.6" not in str(fields)
    assert fields["fields"]["x-forwarded-proto"] == "http"


def test_a_large_body_passes(proxy: Front) -> None:
    assert ask(proxy.origin, "/own/upload", method="POST", body=b"x" * 3_000_000).told["bytes"] == 3_000_000


def test_a_larger_one_does_not(proxy: Front) -> None:
    if proxy.kind == "traefik":  # which cannot without holding all of it, as the file says
        assert "max_body_bytes: Traefik's `buffering`" in proxy.text
        return
    if proxy.kind == "caddy":  # which counts what comes, and may reset the connection before its answer is read
        with suppress(ConnectionError):
            assert ask(proxy.origin, "/own/upload", method="POST", body=b"x" * 5_000_000).status in (413, 502)
        return
    fields = {"Content-Length": "5000000", "Expect": "100-continue"}
    assert ask(proxy.origin, "/own/upload", fields, method="POST").status == 413


def test_a_cookie_keeps_a_client_at_its_server(proxy: Front) -> None:
    clients = [ask(proxy.origin, "/pair/x") for _ in range(16)]
    assert {answer.told["server"] for answer in clients} == {"rest", "other"}
    for answer in clients[:4]:
        cookies = [line.partition(b": ")[2] for line in answer.lines if line.lower().startswith(b"set-cookie: ")]
        (own,) = (cookie.decode() for cookie in cookies if b"session=" not in cookie)
        sent = {"Cookie": f"session=1; {own.partition(';')[0]}"}
        assert {ask(proxy.origin, "/pair/x", sent).told["server"] for _ in range(4)} == {answer.told["server"]}


def test_an_event_arrives_while_the_stream_goes_on(proxy: Front, servers: Servers) -> None:
    servers.pages.may_go_on.clear()
    connection = http.client.HTTPConnection("127.0.0.1", urlsplit(proxy.origin).port, timeout=20)
    connection.request("GET", "/events")
    response = connection.getresponse()
    assert response.readline() == b"data: first\n"
    servers.pages.may_go_on.set()
    assert response.read() == b"\ndata: second\n\n"
    connection.close()


def test_a_redirect_to_the_server_comes_back_to_the_site(proxy: Front, devproxy_origin: str) -> None:
    for target in ("/redirect", "/api/redirect"):
        places = [urlsplit(ask(origin, target).fields["location"]) for origin in (proxy.origin, devproxy_origin)]
        if proxy.kind == "traefik":  # which cannot, as the file says
            assert "Traefik does not rewrite Location" in proxy.text
            continue
        assert places[0].path == places[1].path
        assert places[0].netloc in ("", urlsplit(proxy.origin).netloc)


# -- pages of other origins --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "pages"), [("/api/", ORIGINS), ("/open/", ORIGINS), ("/closed/", ORIGINS), ("/own/", (SHOP,))]
)
def test_browsers_judge_pages_of_other_origins_alike(
    proxy: Front, devproxy_origin: str, path: str, pages: tuple[str, ...]
) -> None:
    for page, (method, names), credentials in product(pages, ASKED, (False, True)):
        request = (page, method, names, credentials)
        ours, theirs = (verdict(origin, path, *request) for origin in (proxy.origin, devproxy_origin))
        assert (ours.is_blocked, request) == (theirs.is_blocked, request), (ours, theirs)


def verdict(front: str, path: str, page: str, method: str, names: tuple[str, ...], credentials: bool) -> Verdict:
    """What a browser does for a page of the origin `page` that asks the front for `path`."""
    asked = PageRequest(
        page=page.encode(),
        target=front.encode(),
        method=method.encode(),
        includes_credentials=credentials,
        headers=tuple((name.encode(), b"application/json") for name in names),
    )
    preflight = None
    if asks_first(asked):
        fields = {"Origin": page, "Access-Control-Request-Method": method}
        if names:
            fields["Access-Control-Request-Headers"] = ",".join(sorted(names))
        preflight = ask(front, path, fields, method="OPTIONS").hop
    sent = {**dict.fromkeys(names, "application/json"), "Origin": page}
    answer = ask(front, path, sent, method=method)
    return judge(asked, [answer.hop], preflight)


IN_A_BROWSER: Final = """(async (url) => {
  const asked = async (path, options) => {
    try { return (await fetch(url + path, options)).status; } catch { return 'blocked'; }
  };
  const json = { 'Content-Type': 'application/json' };
  return [
    await asked('/api/x', { credentials: 'include' }),
    await asked('/api/x', { method: 'PUT', headers: json, credentials: 'include' }),
    await asked('/api/x', { method: 'DELETE', credentials: 'include' }),
    await asked('/api/x', { headers: { 'X-Other': '1' } }),
    await asked('/open/x'),
    await asked('/closed/x'),
    await new Promise((done) => {
      const socket = new WebSocket(url.replace('http', 'ws') + '/api/x');
      socket.onerror = () => done('refused');
      socket.onopen = () => done('open');
    }),
  ];
})"""


def test_a_real_browser_agrees(servers: Servers, devproxy_origin: str, tmp_path: Path) -> None:
    rules = f"MAP *.example.org 127.0.0.1:{servers.pages.port}"

    async def seen(front_origin: str) -> list[list[object]]:
        found: list[list[object]] = []
        async with open_page(f"--host-resolver-rules={rules}") as page:
            for origin in (PAGE, "http://evil.example.org"):
                await page.goto(f"{origin}/blank")
                await page.until(f"location.origin === {json.dumps(origin)} && document.readyState === 'complete'")
                asked = [f"{IN_A_BROWSER}({json.dumps(url)})" for url in (front_origin, devproxy_origin)]
                found += [await page.evaluate(expression) for expression in asked]
        return found

    with front("nginx", servers.toml(), tmp_path) as nginx:
        allowed, as_allowed, evil, as_evil = asyncio.run(seen(nginx.origin))
    assert allowed == as_allowed
    assert evil == as_evil
    assert allowed[:4] == [200, 200, "blocked", "blocked"]
    assert set(evil[:6]) == {"blocked"}


def test_an_answer_says_that_it_depends_on_the_origin_and_names_it_once(proxy: Front) -> None:
    for origin in (SHOP, EVIL):
        answer = ask(proxy.origin, "/api/items", {"Origin": origin})
        names = [line.partition(b":")[0].lower() for line in answer.lines]
        assert names.count(b"access-control-allow-origin") == (origin == SHOP)
        assert "Origin" in answer.fields["vary"]
    assert ask(proxy.origin, "/api/items", {"Origin": SHOP}).fields["access-control-expose-headers"] == "ETag"


# -- Socket.IO ---------------------------------------------------------------------------------------------------------


KEEPING_COOKIES: Final = {"withCredentials": True}
"""As browsers do for the page's own origin. Traefik knows no other way to keep a client at its server."""


@pytest.mark.parametrize("major", [4, 2])
def test_a_real_client_polls_and_upgrades(proxy: Front, node_client: RunClient, major: int) -> None:
    options = {**KEEPING_COOKIES, **({"path": "/v2/socket.io/"} if major == 2 else {})}
    said = node_client("conversation", major=major, url=f"{proxy.origin}/", options=options)
    assert said["failed"] == []
    assert said["transports"] == ["polling", "websocket"]


OPENING: Final = "/socket.io/?EIO=4&transport=websocket"


def test_a_websocket_opens_for_welcome_pages_alone(proxy: Front, devproxy_origin: str) -> None:
    for front_origin in (proxy.origin, devproxy_origin):
        assert handshake(front_origin, OPENING) == 101
        assert handshake(front_origin, OPENING, {"Origin": front_origin}) == 101
        assert handshake(front_origin, OPENING, {"Origin": SHOP}) == 101
        for foreign in (EVIL, "null", f"{SHOP}.evil.example"):
            assert handshake(front_origin, OPENING, {"Origin": foreign}) == 403


def test_a_page_elsewhere_reads_polls_by_socketio_s_own_headers(proxy: Front) -> None:
    opened = ask(proxy.origin, "/socket.io/?EIO=4&transport=polling", {"Origin": SHOP})
    names = [line.partition(b":")[0].lower() for line in opened.lines]
    assert names.count(b"access-control-allow-origin") == 1
    assert opened.fields["access-control-allow-origin"] == SHOP
    refused = ask(proxy.origin, "/socket.io/?EIO=4&transport=polling", {"Origin": EVIL})
    assert "access-control-allow-origin" not in refused.fields


def test_a_crowd_stays_with_its_servers(proxy: Front, node_client: RunClient) -> None:
    said = node_client("crowd", url=f"{proxy.origin}/", clients=12, messages=5, options=KEEPING_COOKIES)
    assert (said["complete"], said["inOrder"]) == (12, 12)
    assert said["endedOnWebSocket"] == 8


HOSTILE: Final = """
[upstreams]
rest = "http://127.0.0.1:PORT"
[[routes]]
path = "/"
upstream = "rest"
[routes.headers.response]
set = { X-A = '"; } evil { # $host x %[src] {header.X} \\ `', X-B = "' #", X-C = "$${host}" }
[[routes]]
path = "/a'b;c/"
rewrite = "/x$1;y'z/"
upstream = "rest"
[[routes]]
path_regex = '/q["; #`]+'
upstream = "rest"
[[routes]]
path = "/%7B$x/"
upstream = "rest"
"""


@pytest.mark.parametrize("kind", PROXIES)
def test_no_value_is_read_as_something_else(kind: str, servers: Servers, tmp_path: Path) -> None:
    with front(kind, HOSTILE.replace("PORT", str(servers.rest.port)), tmp_path) as proxy:
        answer = ask(proxy.origin, "/")
        if kind == "caddy":  # which cannot, as the file says
            assert "X-A is left out" in proxy.text
        else:
            assert answer.fields["x-c"] == "${host}"
            assert answer.fields["x-a"] == '"; } evil { # $host x %[src] {header.X} \\ `'
        assert answer.fields["x-b"] == "' #"
        assert unquote(ask(proxy.origin, "/a'b;c/d").told["target"]) == "/x$1;y'z/d"
        for target in ("/q%22;", "/%7B$x/"):
            assert "x-a" not in ask(proxy.origin, target).fields, "another route takes it"
