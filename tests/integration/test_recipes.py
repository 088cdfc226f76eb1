"""What docs/recipes.md says of tunnels: page, API and WebSockets pass, and servers learn the public address."""

from __future__ import annotations

import pytest
from devproxy.config.model import Listen, PathKind, Route, Server
from tests.support.wire import conversation

TUNNELS = {
    "ngrok": ("abc.ngrok-free.app", "https://abc.ngrok-free.app"),
    "cloudflared": ("abc.trycloudflare.com", "https://abc.trycloudflare.com"),
    "codespaces, which changes the Origin": ("abc-8080.app.github.dev", "http://localhost:8080"),
    "a port that is forwarded as localhost": ("localhost:8080", "http://localhost:8080"),
}
SERVER = Server(
    listen=(Listen(host="127.0.0.1", port=0),),
    allowed_hosts=(".ngrok-free.app", ".trycloudflare.com", ".app.github.dev"),
)
ROUTES = (Route(kind=PathKind.PREFIX, pattern="/", upstream="backend"),)


def lines(host: str, origin: str) -> bytes:
    return f"Host: {host}\r\nOrigin: {origin}\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: {host}\r\n".encode()


UPGRADE = (
    b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
)


@pytest.mark.parametrize(
    ("start", "more"), [(b"POST /api", b"Content-Length: 0\r\n"), (b"GET /socket", UPGRADE)], ids=["POST", "WebSocket"]
)
@pytest.mark.parametrize("tunnel", TUNNELS)
async def test_a_page_behind_a_tunnel_posts_and_opens_websockets(tunnel: str, start: bytes, more: bytes) -> None:
    host, origin = TUNNELS[tunnel]
    async with conversation(server=SERVER, routes=ROUTES) as talk:
        client = await talk.client()
        client.send(start + b" HTTP/1.1\r\n" + lines(host, origin) + more + b"\r\n")
        head = await (await talk.upstream.accept()).head()
        assert head.startswith(start)
        assert b"\r\nX-Forwarded-Proto: https\r\n" in head
        assert f"\r\nX-Forwarded-Host: {host}\r\n".encode() in head


async def test_a_tunnel_whose_name_is_not_known_is_told_so() -> None:
    async with conversation(server=SERVER, routes=ROUTES) as talk:
        client = await talk.client()
        client.send(b"GET / HTTP/1.1\r\n" + lines("abc.tunnel.example", "https://abc.tunnel.example") + b"\r\n")
        assert (await client.head()).startswith(b"HTTP/1.1 421")
