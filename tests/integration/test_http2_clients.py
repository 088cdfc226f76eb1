"""HTTP/2 with real clients: curl and Node, by ALPN and by prior knowledge."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from aiohttp import web
from devproxy.config.model import Server
from tests.support.app_thread import app_thread, echo_socket
from tests.support.certificates import certificate_files
from tests.support.gateway_thread import GatewayThread, gateway_thread
from tests.support.wire import address_of, config_for

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


async def _upload(request: web.Request) -> web.Response:
    return web.Response(text=hashlib.sha256(await request.read()).hexdigest())


@contextmanager
def _running() -> Iterator[GatewayThread]:
    app = web.Application(client_max_size=2 * SIZE)
    app.router.add_get("/download", _download)
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
