"""HTTP/2 with real clients: curl, Node, nghttp and h2load, by ALPN and by prior knowledge; WebSockets by wsproto.

undici has its own file among the end-to-end tests, and so has Chromium.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from aiohttp import web
from devproxy.config.model import Server
from tests.support.app_thread import app_thread, echo_socket
from tests.support.certificates import certificate_files
from tests.support.gateway_thread import GatewayThread, gateway_thread
from tests.support.http2_client import http2_client
from tests.support.wire import ScriptedUpstream, address_of, config_for, running
from websockets import Subprotocol
from websockets.asyncio.server import ServerConnection, serve
from wsproto.connection import Connection as WsConnection
from wsproto.connection import ConnectionType
from wsproto.events import CloseConnection, Message, TextMessage
from wsproto.extensions import PerMessageDeflate

SIZE = 3_000_000
BODY = bytes(range(256)) * (SIZE // 256)


async def _download(request: web.Request) -> web.StreamResponse:
    if "length" in request.query:
        return web.Response(body=BODY)
    response = web.StreamResponse()
    await response.prepare(request)
    for start in range(0, len(BODY), 70_000):
        await response.write(BODY[start : start + 70_000])
    return response


async def _short(request: web.Request) -> web.Response:
    return web.Response(body=BODY[:1000])


async def _upload(request: web.Request) -> web.Response:
    return web.Response(text=hashlib.sha256(await request.read()).hexdigest())


@contextmanager
def _running() -> Iterator[GatewayThread]:
    app = web.Application(client_max_size=2 * SIZE)
    app.router.add_get("/download", _download)
    app.router.add_get("/short", _short)
    app.router.add_post("/upload", _upload)
    app.router.add_get("/socket", echo_socket)
    with (
        app_thread(app) as port,
        gateway_thread(config_for((address_of(port),), server=Server(tls=certificate_files()))) as gateway,
    ):
        yield gateway


@pytest.fixture(scope="module")
def gateway() -> Iterator[GatewayThread]:
    with _running() as running:
        yield running


def _curl(*arguments: str, given: bytes = b"") -> bytes:
    done = subprocess.run(
        ("curl", "-sS", "--max-time", "20", "-w", "%{stderr}%{http_version}", *arguments),
        input=given,
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert set(done.stderr) == set(b"2"), done.stderr
    return done.stdout


@pytest.mark.parametrize("by", ["ALPN", "prior knowledge"])
def test_curl_speaks_http2(gateway: GatewayThread, by: str) -> None:
    url = gateway.origin if by == "ALPN" else gateway.origin.replace("https:", "http:")
    options = ("--cacert", certificate_files().cert) if by == "ALPN" else ("--http2-prior-knowledge",)
    assert _curl(*options, url + "/download?length") == BODY
    assert _curl(*options, url + "/download") == BODY
    digest = hashlib.sha256(BODY).hexdigest().encode()
    assert _curl(*options, "--data-binary", "@-", url + "/upload", given=BODY) == digest
    assert _curl(*options, "-T", "-", "-X", "POST", url + "/upload", given=BODY) == digest
    if by == "ALPN":  # without it curl 7.88 uses no connection that it has
        many = [f"{url}/download?length&{number}" for number in range(4)]
        assert len(_curl(*options, "--no-progress-meter", "--parallel", *many)) == 4 * len(BODY)


def _nghttp(*arguments: str) -> bytes:
    command = ("nghttp", "--no-verify-peer", "--timeout=20", *arguments)
    done = subprocess.run(command, capture_output=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr
    return done.stdout


ODD_FRAMES = {
    "as usual": (),
    "padding": ("--padding=255",),
    "CONTINUATION": ("--continuation",),
    "small windows": ("--window-bits=1", "--connection-window-bits=16"),
    "a small table": ("--header-table-size=0",),
    "a table that changes": ("--header-table-size=100", "--header-table-size=4096", "--encoder-header-table-size=64"),
    "a weight": ("--weight=1",),
    "RFC 7540's priorities": ("--no-dep",),
    "three requests": ("--multiply=3",),
}


@pytest.mark.parametrize("name", ODD_FRAMES)
def test_nghttp_gets_what_it_asks_for_whatever_its_frames(gateway: GatewayThread, name: str) -> None:
    options = ODD_FRAMES[name]
    count = 3 if "--multiply=3" in options else 1
    path = "/short" if count == 3 or "small windows" in name else "/download"
    body = BODY[:1000] if path == "/short" else BODY
    for url in (gateway.origin, gateway.origin.replace("https:", "http:")):
        assert _nghttp(*options, url + path) == body * count


def test_nghttp_uploads_with_trailers(gateway: GatewayThread, tmp_path: Path) -> None:
    file = tmp_path / "body"
    file.write_bytes(BODY)
    told = _nghttp("--data", str(file), "--trailer=x-sum: 1", gateway.origin + "/upload")
    assert told == hashlib.sha256(BODY).hexdigest().encode()


def test_nghttp_finds_no_fault(gateway: GatewayThread) -> None:
    """Its own library checks each frame that comes; a fault would be a GOAWAY or a reset of its own."""
    told = _nghttp("--verbose", "--null-out", "--hexdump", gateway.origin + "/download").decode()
    assert "GOAWAY" not in told.replace("send GOAWAY frame <length=8, flags=0x00, stream_id=0>", "")
    assert "RST_STREAM" not in told
    assert "ENABLE_CONNECT_PROTOCOL(0x08):1" in told


@pytest.mark.parametrize(
    ("path", "options"),
    [
        ("/short", ("-n300", "-c3", "-m100")),
        ("/download", ("-n20", "-c2", "-m10", "-w14", "-W16")),
        ("/upload", ("-n8", "-c2", "-m4", "-d")),
        ("/short", ("-n1000", "-c1", "-m250")),
    ],
    ids=["many", "small windows", "uploads", "as many streams as there may be"],
)
@pytest.mark.parametrize("scheme", ["https", "http"])
def test_h2load_succeeds_with_all(
    gateway: GatewayThread, path: str, options: tuple[str, ...], scheme: str, tmp_path: Path
) -> None:
    if "-d" in options:
        (tmp_path / "body").write_bytes(BODY)
        options = (*options, str(tmp_path / "body"))
    url = gateway.origin.replace("https:", f"{scheme}:") + path
    command = ("h2load", *options, url)
    told = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    count = options[0].removeprefix("-n")
    done = f"requests: {count} total, {count} started, {count} done, {count} succeeded, 0 failed, 0 errored, 0 timeout"
    assert done in told
    assert f"status codes: {count} 2xx, 0 3xx, 0 4xx, 0 5xx" in told


async def test_wsproto_speaks_through_a_server_of_websockets_with_compression_and_a_subprotocol() -> None:
    async def echo(socket: ServerConnection) -> None:
        async for message in socket:
            await socket.send(message)

    async with serve(echo, "127.0.0.1", 0, subprotocols=[Subprotocol("chat")]) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with running(config_for((address_of(port),)), ScriptedUpstream()) as talk:
            client = await http2_client(talk)
            deflate = PerMessageDeflate()
            offer = f"permessage-deflate; {deflate.offer()}"
            fields = (("sec-websocket-extensions", offer), ("sec-websocket-protocol", "chat, other"))
            stream = client.websocket("/", *fields)
            response = await client.head(stream)
            assert (response.status, response.fields["sec-websocket-protocol"]) == (200, "chat")
            deflate.finalize(response.fields["sec-websocket-extensions"])
            socket = WsConnection(ConnectionType.CLIENT, [deflate])
            texts = ["hi", "é" * 3000, "x" * 100_000]
            for text in texts:
                client.h2.send_data(stream, socket.send(Message(text)))
                await client.flush_all()
            echoed, taken = [""], 0
            while len(echoed) <= len(texts):
                await client.until(lambda taken=taken: len(response.body) > taken)  # type: ignore[misc]
                socket.receive_data(response.body[taken:])
                taken = len(response.body)
                for event in socket.events():
                    assert isinstance(event, TextMessage)
                    echoed[-1] += event.data
                    if event.message_finished:
                        echoed.append("")
            assert echoed[:-1] == texts
            client.send(stream, socket.send(CloseConnection(1000, "bye")))
            assert (await client.response(stream)).has_ended
            socket.receive_data(response.body[taken:])
            (closed,) = socket.events()
            assert isinstance(closed, CloseConnection)
            assert closed.code == 1000


NODE = """
const http2 = require("node:http2"), fs = require("node:fs"), crypto = require("node:crypto");
const session = http2.connect(process.argv[1], {ca: fs.readFileSync(process.argv[2])});
const said = {};
session.on("remoteSettings", async (settings) => {
  said.offers = settings.enableConnectProtocol;
  await Promise.all(Array.from({length: 20}, (_, number) => new Promise((done) => {
    const stream = session.request({":path": "/download?" + (number % 2 ? "length" : "")});
    const hash = crypto.createHash("sha256");
    stream.on("data", (data) => hash.update(data)).on("end", () => {
      (said.digests ??= []).push(hash.digest("hex"));
      done();
    });
  })));
  const socket = session.request({":method": "CONNECT", ":protocol": "websocket", ":path": "/socket",
    "sec-websocket-version": "13"}, {endStream: false});
  socket.on("response", (head) => {
    said.status = head[":status"];
    socket.write(Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69]));
  });
  socket.on("data", (data) => {
    said.message = data.subarray(2).toString();
    socket.close(8);
    socket.on("close", () => { console.log(JSON.stringify(said)); session.close(); });
  });
});
"""


def test_node_speaks_http2_and_opens_a_websocket_over_it(gateway: GatewayThread) -> None:
    command = ("node", "-e", NODE, gateway.origin, certificate_files().cert)
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    said = json.loads(done.stdout)
    assert said["offers"] is True
    assert said["digests"] == [hashlib.sha256(BODY).hexdigest()] * 20
    assert (said["status"], said["message"]) == (200, "you said hi")
