"""Many connections over TLS at once, which share the memory that OpenSSL is given bytes by: each gets its own."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator
from io import BytesIO

import aiohttp
import pytest
from aiohttp import web
from devproxy.config.model import Server
from tests.support.app_thread import app_thread
from tests.support.certificates import certificate_files
from tests.support.gateway_thread import GatewayThread, gateway_thread
from tests.support.wire import address_of, config_for

CLIENTS = 16
SIZES = (10, 16_384, 70_000, 1_500_000)


def content(seed: str, size: int) -> bytes:
    return (hashlib.sha256(seed.encode()).digest() * (size // 32 + 1))[:size]


async def _send(request: web.Request) -> web.Response:
    return web.Response(body=content(request.query["seed"], int(request.query["size"])))


async def _take(request: web.Request) -> web.Response:
    return web.Response(text=hashlib.sha256(await request.read()).hexdigest())


@pytest.fixture(scope="module")
def gateway() -> Iterator[GatewayThread]:
    app = web.Application(client_max_size=8_000_000)
    app.router.add_get("/", _send)
    app.router.add_post("/", _take)
    with (
        app_thread(app) as port,
        gateway_thread(config_for((address_of(port),), server=Server(tls=certificate_files()))) as running,
    ):
        yield running


async def test_what_goes_up_and_down_side_by_side_is_whole_and_nobody_elses(gateway: GatewayThread) -> None:
    connector = aiohttp.TCPConnector(ssl=False, limit=CLIENTS)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(60)) as session:

        async def converse(client: int) -> None:
            for turn, size in enumerate(SIZES[client % len(SIZES) :] + SIZES[: client % len(SIZES)]):
                seed = f"{client} {turn}"
                async with session.get(gateway.url, params={"seed": seed, "size": size}) as answer:
                    assert await answer.read() == content(seed, size), seed
                body = content(f"{seed} up", size)
                async with session.post(gateway.url, data=BytesIO(body)) as answer:
                    assert await answer.text() == hashlib.sha256(body).hexdigest(), seed

        await asyncio.gather(*map(converse, range(CLIENTS)))
