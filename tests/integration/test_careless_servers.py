"""Paths that careless servers read as those of another route: refused on the wire, before a real nginx and in words."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from devproxy.config.model import Listen, PathKind, Route, Server
from tests.support.exchanges import asked, forwarded, reaches_no_server, shown, values_of
from tests.support.processes import Program, free_port, wait_for
from tests.support.wire import Conversation, ScriptedUpstream, address_of, config_for, conversation, running, soon

pytestmark = pytest.mark.both_versions

SERVER = Server(listen=(Listen(host="127.0.0.1", port=0),), allowed_hosts=("a",))
HOOKS = Route(kind=PathKind.PREFIX, pattern="/hooks/", upstream="backend", guard=False)
API = Route(kind=PathKind.PREFIX, pattern="/api/", upstream="backend", rewrite="/v1/")
ADMIN = Route(kind=PathKind.PREFIX, pattern="/admin", upstream="backend", methods=("GET", "POST"))
EVERYTHING = Route(kind=PathKind.PREFIX, pattern="/", upstream="backend")
ROUTES = (HOOKS, API, ADMIN, EVERYTHING)
FOREIGN = b"Origin: https://evil.test\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\n"
UPGRADE = (
    b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)

NGINX_READS = {
    "an encoded slash": b"/hooks/..%2fadmin",
    "in upper case": b"/hooks/..%2Fadmin",
    "encoded dots": b"/hooks/%2e%2e%2fadmin",
    "behind more": b"/hooks/a/..%2f..%2fadmin",
    "above the root of the prefix": b"/hooks%2f..%2fadmin",
    "two slashes": b"/hooks//..%2fadmin",
}
OTHERS_READ = {
    "an encoded backslash": b"/hooks/..%5cadmin",
    "parameters": b"/hooks/..;/admin",
    "parameters with a value": b"/hooks/..;x=1/admin",
    "an empty segment with parameters": b"/hooks/;/../admin",
    "overlong": b"/hooks/..%c0%afadmin",
    "at the end": b"/hooks/..%2f",
    "slashes that are not merged": b"/admin//../hooks/x",
    "a host": b"//hooks/admin",
    "a host behind more slashes": b"////hooks/admin/x",
}


def request(target: bytes, lines: bytes = b"", method: bytes = b"POST", host: bytes = b"localhost") -> bytes:
    return method + b" " + target + b" HTTP/1.1\r\nHost: " + host + b"\r\n" + lines + b"\r\n"


async def answer_to(talk: Conversation, octets: bytes) -> tuple[bytes, bytes]:
    client = await asked(talk, octets)
    head = await client.head()
    return head, await client.read(int(values_of(head, b"content-length")[0]))


@pytest.mark.parametrize("lines", [FOREIGN, b"", UPGRADE], ids=["a foreign page", "a program", "a handshake"])
@pytest.mark.parametrize("path", [*NGINX_READS.values(), *OTHERS_READ.values()], ids=[*NGINX_READS, *OTHERS_READ])
async def test_a_path_that_another_server_reads_as_one_of_another_route_is_refused(path: bytes, lines: bytes) -> None:
    async with conversation(routes=ROUTES, server=SERVER) as talk:
        method = b"GET" if lines is UPGRADE else b"POST"
        for target in (path, b"http://localhost" + path, path + b"?a=b"):
            head, _ = await answer_to(talk, request(target, lines, method))
            # `/hooks%2f…` is no path below `/hooks/` to devproxy: there the guard is on.
            expected = (403,) if lines is FOREIGN and b"/hooks/" not in path else (400,)
            assert int(head[9:12]) in expected, head
            if expected == (400,):
                assert values_of(head, b"x-devproxy-error") == [b"ambiguous-path"]
        assert await reaches_no_server(talk)


@pytest.mark.parametrize(
    "path", [b"/api/..%2fsecret", b"/api/..%2fapi/secret", b"/api/x%5c..%5c..%5capi/y", b"/api/..;/api/x", b"/api%2fx"]
)
async def test_a_path_that_would_leave_what_it_is_rewritten_to_is_refused(path: bytes) -> None:
    async with conversation(routes=ROUTES, server=SERVER) as talk:
        head, _ = await answer_to(talk, request(path, method=b"GET"))
        assert int(head[9:12]) == 400
        assert values_of(head, b"x-devproxy-error") == [b"ambiguous-path"]
        assert await reaches_no_server(talk)


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        (b"/projects/group%2Fname", b"/projects/group%2Fname"),
        (b"/projects/group%2fname?ref=a%2f..%2fb", b"/projects/group%2fname?ref=a%2f..%2fb"),
        (b"/@scope%2fname", b"/@scope%2fname"),
        (b"/@scope%2Fname/-/name-1.0.tgz", b"/@scope%2Fname/-/name-1.0.tgz"),
        (b"/proxy/https%3A%2F%2Fa.example%2Fb%3Fc", b"/proxy/https%3A%2F%2Fa.example%2Fb%3Fc"),
        (b"/files/C%3A%5Cdir%5Cfile", b"/files/C%3A%5Cdir%5Cfile"),
        (b"/hooks/..%252fadmin", b"/hooks/..%252fadmin"),
        (b"/hooks/a;b=1/..c/...", b"/hooks/a;b=1/..c/..."),
        (b"/hooks/a/..%2fb", b"/hooks/a/..%2fb"),
        (b"/hooks/%00/%09..", b"/hooks/%00/%09.."),
        (b"/api/group%2Fname", b"/v1/group%2Fname"),
        (b"/api/a/..%2Fb", b"/v1/a/..%2Fb"),
        (b"//a//b", b"//a//b"),
        (b"//admin/x", b"//admin/x"),
        (b"//api/x", b"/v1/x"),
    ],
)
async def test_every_other_path_passes_octet_for_octet(path: bytes, sent: bytes) -> None:
    async with conversation(routes=ROUTES, server=SERVER) as talk:
        assert (await forwarded(talk, request(path, method=b"GET"))).head.startswith(b"GET " + sent + b" HTTP/1.1\r\n")


async def test_methods_count_for_the_other_reading_as_for_the_first() -> None:
    async with conversation(routes=(HOOKS, replace_guard(ADMIN)), server=SERVER) as talk:
        head, _ = await answer_to(talk, request(b"/hooks/..%2fadmin"))
        assert int(head[9:12]) == 400


@pytest.mark.parametrize(
    ("path", "status"),
    [(b"//login/admin", 400), (b"//login/login/x", 0), (b"//other/admin", 0), (b"//hooks/hooks/x", 0)],
)
async def test_two_slashes_count_where_forms_of_other_sites_are_let_in(path: bytes, status: int) -> None:
    login = Route(kind=PathKind.PREFIX, pattern="/login/", upstream="backend", form_post=("https://login.example",))
    async with conversation(routes=(login, *ROUTES), server=SERVER) as talk:
        if status:
            head, _ = await answer_to(talk, request(path))
            assert (int(head[9:12]), values_of(head, b"x-devproxy-error")) == (status, [b"ambiguous-path"])
        else:
            assert (await forwarded(talk, request(path))).head.startswith(b"POST " + path + b" ")


def replace_guard(route: Route) -> Route:
    return Route(kind=route.kind, pattern=route.pattern, upstream=route.upstream, methods=route.methods, guard=False)


@pytest.mark.parametrize(
    "accept", [b"Accept: text/html\r\n", b"Accept: application/json\r\n", b""], ids=["a page", "JSON", "text"]
)
async def test_the_answer_names_both_readings_and_what_to_do(accept: bytes) -> None:
    async with conversation(routes=ROUTES, server=SERVER) as talk:
        _, body = await answer_to(talk, request(b"/hooks/..%2fadmin", accept))
        text = shown(body)
        if b"json" in accept:
            text = " ".join(str(value) for value in json.loads(text).values())
        readings = ("/hooks/..%2fadmin", "route /hooks/", "/admin (route /admin (GET, POST))")
        for words in (*readings, "Send `/admin`", "%252F"):
            assert words in text


# -- a real server -----------------------------------------------------------------------------------------------------

CONFIGURATION = """
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log crit;
events {{ worker_connections 64; }}
http {{
  access_log {folder}/access.log; client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2;
  fastcgi_temp_path {folder}/t3; uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  server {{
    listen 127.0.0.1:{port};
    location /admin {{ return 200 "admin"; }}
    location / {{ return 200 "other"; }}
  }}
}}
"""


@pytest.fixture(scope="module")
def nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    """The port of an nginx with its defaults, and its log."""
    folder = tmp_path_factory.mktemp("nginx")
    port = free_port()
    (folder / "nginx.conf").write_text(CONFIGURATION.format(folder=folder, port=port))
    with Program(["nginx", "-p", folder, "-c", folder / "nginx.conf"], name="nginx") as program:
        wait_for(lambda: is_listening(port) or program.exit_code is not None, "nginx")
        yield port, folder / "access.log"


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def direct(port: int, octets: bytes) -> bytes:
    reader, writer = await soon(asyncio.open_connection("127.0.0.1", port))
    writer.write(octets.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    answer = await soon(reader.read())
    writer.close()
    return answer.partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize("path", NGINX_READS.values(), ids=NGINX_READS)
async def test_nginx_reads_so_and_does_not_get_it_through_devproxy(nginx: tuple[int, Path], path: bytes) -> None:
    port, log = nginx
    before = log.read_bytes().count(b"\n")
    assert await direct(port, request(path, FOREIGN)) == b"admin"
    config = config_for((address_of(port),), routes=ROUTES, server=SERVER)
    async with running(config, ScriptedUpstream()) as talk:
        head, _ = await answer_to(talk, request(path, FOREIGN))
        assert int(head[9:12]) in (400, 403)
        head, body = await answer_to(talk, request(b"/hooks/a%2fb", FOREIGN))
        assert (int(head[9:12]), body) == (200, b"other")
    wait_for(lambda: log.read_bytes().count(b"\n") >= before + 2, "what nginx writes after it has answered")
    assert log.read_bytes().count(b"\n") == before + 2
