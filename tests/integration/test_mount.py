"""Servers behind a prefix that the route takes off: those that know it, as Django and FastAPI may, and the others."""

from __future__ import annotations

import pytest
from devproxy.config import load
from devproxy.config.model import Config
from tests.support.exchanges import forwarded, values_of
from tests.support.wire import ScriptedUpstream, running

pytestmark = [pytest.mark.both_loops, pytest.mark.both_versions]

STRIPS = 'path = "/api/"\nstrip_prefix = true'
REWRITES = 'path = "/api/"\nrewrite = "/v1/"'
UPSTREAM_HOST = '\nhost = "upstream"'


def configured(port: int, route: str) -> Config:
    text = f'[upstreams]\nbackend = "http://127.0.0.1:{port}"\n'
    route += "" if "[server]" in route else '\n[server]\nlisten = "127.0.0.1:0"'
    return load(f'{text}[[routes]]\nupstream = "backend"\n{route}\n'.encode(), source="devproxy.toml")


async def answer_to(route: str, target: bytes, answer: bytes, *claims: bytes) -> bytes:
    """Return the head that a browser gets for `target`; ``{port}`` in `answer` is the server's port."""
    upstream = ScriptedUpstream()
    async with running(configured(upstream.port, route), upstream) as talk:
        lines = (b"GET " + target + b" HTTP/1.1", b"Host: localhost:8080", *claims, b"", b"")
        client, server, _ = await forwarded(talk, b"\r\n".join(lines))
        said = answer.replace(b"{port}", b"%d" % upstream.port)
        server.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + said + b"\r\n\r\n")
        return await client.head()


@pytest.mark.parametrize("route", [STRIPS, REWRITES, STRIPS + UPSTREAM_HOST], ids=["strips", "rewrites", "host"])
@pytest.mark.parametrize(
    "line",
    [
        b"Set-Cookie: sessionid=1; Path=/api; HttpOnly",
        b"Set-Cookie: sessionid=1; Path=/api/",
        b"Set-Cookie: a=1; Path=/",
        b"Location: /api/items/",
        b"Location: http://localhost:8080/api/items/?a=1",
        b"Location: //localhost:8080/api/items/",
        b"Location: items/",
        b"Content-Location: /api/items/1",
        b"Refresh: 0; url=/api/items/",
        b"Link: </api/items?page=2>; rel=next",
    ],
    ids=lambda line: line.decode(),
)
async def test_what_a_server_says_that_knows_its_prefix_goes_on_as_it_came(route: str, line: bytes) -> None:
    head = await answer_to(route, b"/api/items", line)
    assert line in head.split(b"\r\n")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"Location: http://127.0.0.1:{port}/api/items/", b"Location: http://localhost:8080/api/items/"),
        (b"Location: http://localhost:{port}/api", b"Location: http://localhost:8080/api"),
        (b"Content-Location: http://127.0.0.1:{port}/api/1", b"Content-Location: http://localhost:8080/api/1"),
        (b"Refresh: 0; url=http://127.0.0.1:{port}/api/1", b"Refresh: 0; url=http://localhost:8080/api/1"),
        (b"Link: <http://127.0.0.1:{port}/api/1>", b"Link: <http://localhost:8080/api/1>"),
        (b"Location: http://127.0.0.1:{port}/api2/", b"Location: http://localhost:8080/api/api2/"),
        (b"Location: /items/", b"Location: /api/items/"),
        (b"Location: http://localhost:8080/items/", b"Location: http://localhost:8080/api/items/"),
        (b"Location: http://127.0.0.1:{port}/items/", b"Location: http://localhost:8080/api/items/"),
        (b"Location: //localhost:8080/items/", b"Location: //localhost:8080/api/items/"),
        (b"Location: ../items/", b"Location: /api/items/"),
        (b"Link: <http://localhost:8080/items?page=2>", b"Link: <http://localhost:8080/api/items?page=2>"),
        (b"Location: http://localhost:8080/dashboard", b"Location: http://localhost:8080/dashboard"),
        (b"Set-Cookie: a=1; Path=/items", b"Set-Cookie: a=1; Path=/api/items"),
        (b"Set-Cookie: a=1; Path=/apix", b"Set-Cookie: a=1; Path=/api/apix"),
    ],
)
async def test_all_else_comes_back_below_the_prefix_and_just_once(line: bytes, expected: bytes) -> None:
    head = await answer_to(STRIPS, b"/api/items?page=1", line)
    assert expected in head.split(b"\r\n")


async def test_a_rewritten_path_comes_back_as_well() -> None:
    head = await answer_to(REWRITES, b"/api/items", b"Location: http://localhost:8080/v1/items/")
    assert values_of(head, b"location") == [b"http://localhost:8080/api/items/"]


# -- behind another proxy ----------------------------------------------------------------------------------------------

CLAIMS = (b"X-Forwarded-Proto: https", b"X-Forwarded-Host: app.example.com", b"X-Forwarded-Prefix: /outer")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"Location: http://127.0.0.1:{port}/login", b"Location: https://app.example.com/api/login"),
        (b"Location: https://app.example.com/items/", b"Location: https://app.example.com/api/items/"),
        (b"Location: https://app.example.com/api/items/", b"Location: https://app.example.com/api/items/"),
        (b"Location: https://app.example.com/outer/api/x", b"Location: https://app.example.com/outer/api/x"),
        (b"Location: http://127.0.0.1:{port}/outer/api/x", b"Location: https://app.example.com/outer/api/x"),
        (b"Location: /outer/api/items/", b"Location: /outer/api/items/"),
        (b"Location: /outer/apix", b"Location: /api/outer/apix"),
        (b"Location: /items/", b"Location: /api/items/"),
        (b"Set-Cookie: a=1; Path=/outer/api", b"Set-Cookie: a=1; Path=/outer/api"),
        (b"Set-Cookie: a=1; Path=/outer", b"Set-Cookie: a=1; Path=/api/outer"),
    ],
)
async def test_the_front_is_the_one_that_a_trusted_proxy_states(line: bytes, expected: bytes) -> None:
    head = await answer_to(STRIPS, b"/api/items", line, *CLAIMS)
    assert expected in head.split(b"\r\n")


async def test_nobody_else_states_where_a_redirect_leads() -> None:
    route = STRIPS + '\n[server]\nlisten = "127.0.0.1:0"\ntrusted_proxies = []'
    head = await answer_to(route, b"/api/items", b"Location: http://127.0.0.1:{port}/login", *CLAIMS)
    assert values_of(head, b"location") == [b"http://localhost:8080/api/login"]
