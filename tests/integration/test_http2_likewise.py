"""The same requests by HTTP/1.1 and by HTTP/2: servers are asked the same, and clients are told the same."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from devproxy.config.model import Cors, Server
from tests.support.http2_client import http2_client
from tests.support.wire import OPEN, Conversation, Wire, conversation, until

GUARDED = replace(OPEN, guard=True, cors=Cors(origins=("https://other.test",)))
SERVER = Server(allowed_hosts=("localhost",), max_body_bytes=1000)
ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nSet-Cookie: a=1; Domain=backend.test; Secure\r\nETag: x\r\n"
    b"Location: http://127.0.0.1:1/elsewhere\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\n\r\n"
)
Fields = tuple[tuple[str, str], ...]


@pytest.mark.parametrize(
    ("method", "path", "fields", "body"),
    [
        ("GET", "/a/b?c=%20d", (), b""),
        ("GET", "/", (("cookie", "a=1; b=2"), ("authorization", "Basic eDp5"), ("accept", "text/html")), b""),
        ("GET", "/", (("x-forwarded-for", "1.2.3.4"), ("x_forwarded_for", "1"), ("via", "1.1 x")), b""),
        ("GET", "/", (("origin", "https://other.test"),), b""),
        ("GET", "/", (("origin", "https://evil.test"), ("sec-fetch-site", "cross-site")), b""),
        ("POST", "/", (("origin", "https://evil.test"), ("content-length", "2")), b"hi"),
        ("POST", "/", (("content-length", "5"), ("content-type", "text/plain")), b"hello"),
        ("POST", "/", (("content-length", "1001"),), b"x" * 1001),
        ("HEAD", "/", (), b""),
        ("OPTIONS", "/", (("origin", "https://other.test"), ("access-control-request-method", "PUT")), b""),
        ("OPTIONS", "/", (("origin", "https://evil.test"), ("access-control-request-method", "PUT")), b""),
        ("TRACE", "/", (), b""),
        ("GET", "/__devproxy/health", (), b""),
        ("GET", "/__devproxy/other", (), b""),
        ("GET", "/a\\b", (), b""),
        ("GET", "/", (("host", "evil.test"),), b""),
    ],
)
async def test_servers_and_clients_are_told_the_same(method: str, path: str, fields: Fields, body: bytes) -> None:
    async with conversation(server=SERVER, routes=(GUARDED,)) as talk:
        heads: list[list[bytes]] = []
        serving = asyncio.ensure_future(_serve(talk, heads))
        by_http1 = await _by_http1(talk, method, path, fields, body)
        by_http2 = await _by_http2(talk, method, path, fields, body)
        serving.cancel()
        assert by_http2 == by_http1
        assert heads[: len(heads) // 2] == heads[len(heads) // 2 :]
        await until(lambda: len(talk.finished()) == 2)
        # Advice is given once a minute, and no two requests take the same time.
        same = {"duration_s": 0.0, "first_byte_s": 0.0, "exchange_id": 0, "advice": ()}
        first, second = (replace(event, **same) for event in talk.finished())  # type: ignore[arg-type]
        assert first == second


async def _serve(talk: Conversation, heads: list[list[bytes]]) -> None:
    """Answer everything; take note of what was asked, without the case of names and the version in Via."""
    while True:
        sock, _ = await asyncio.get_running_loop().sock_accept(talk.upstream.listener)
        server = Wire(sock)
        talk.upstream.wires.append(server)
        try:
            head = await server.head()
        except AssertionError:  # the probe at the start
            continue
        start, *lines = head.split(b"\r\n")
        names = [(line.partition(b":")[0].lower(), line.partition(b":")[2].strip()) for line in lines if line]
        heads.append([start, *(b"%b: %b" % pair for pair in sorted(names) if pair[0] != b"via")])
        server.send(ANSWER if start.startswith(b"HEAD") else ANSWER + b"ok")
        server.close()


async def _by_http1(talk: Conversation, method: str, path: str, fields: Fields, body: bytes) -> object:
    client = await talk.client(is_secure=False)
    host = () if "host" in dict(fields) else (("host", "localhost"),)
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in (*host, *fields))]
    client.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
    start, *told = (await client.head()).decode("latin-1").split("\r\n")[:-2]
    pairs = {line.partition(":")[0].lower(): line.partition(":")[2].strip() for line in told}
    pairs.pop("connection", None)
    size = 0 if method == "HEAD" else int(pairs.get("content-length", "0"))
    return int(start.split()[1]), pairs, await client.read(size)


async def _by_http2(talk: Conversation, method: str, path: str, fields: Fields, body: bytes) -> object:
    client = await http2_client(talk)
    others = [field for field in fields if field[0] != "host"]
    head = [(":method", method), (":scheme", "http"), (":authority", dict(fields).get("host", "localhost"))]
    response = await client.response(client.open(1, [*head, (":path", path), *others], body))
    return response.status, response.fields, response.body
