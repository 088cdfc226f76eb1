"""HAR files as Chromium's own developer tools read them: the importer that their Network panel has."""

from __future__ import annotations

import asyncio
import gzip
import json
from importlib import import_module
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import websockets
from aiohttp import ClientSession, web
from tests.support.browser import open_page
from tests.support.har import SCHEMA
from tests.support.inspecting import Inspected, inspected
from tests.support.small_app import answering_by

TOOLS = "devtools://devtools/bundled/devtools_app.html"
IMPORTER = "devtools://devtools/bundled/models/har/har.js"
READ = """
(async () => {
  const har = await import(IMPORTER);
  const archive = new har.HARFormat.HARRoot(ARCHIVE);
  const found = [];
  for (const request of har.Importer.Importer.requestsFromHARLog(archive.log)) {
    const content = await request.requestContentData();
    found.push({
      url: request.url(), method: request.requestMethod, status: request.statusCode, words: request.statusText,
      kind: request.resourceType().name(), body: await request.requestFormData(),
      content: content.isTextContent ? content.text : content.base64, type: content.mimeType,
      sent: request.requestHeaders().map(({ name, value }) => [name, value]),
      received: request.responseHeaders.map(({ name, value }) => [name, value]),
      frames: request.frames().map(({ type, opCode, text }) => [type, opCode, text]),
      seconds: request.endTime - request.startTime,
    });
  }
  return found;
})()
"""
TEXT = json.dumps({"items": ["ä", "b"] * 50}, ensure_ascii=False)
PICTURE = b"\x89PNG\r\n\x1a\n\x00\xff"


async def answer(request: web.Request) -> web.StreamResponse:
    if request.path == "/ws":
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            if message.type is web.WSMsgType.BINARY:
                await socket.send_bytes(message.data)
            else:
                await socket.send_str(message.data)
        return socket
    if request.path == "/picture":
        return web.Response(body=PICTURE, content_type="image/png")
    if request.path == "/form":
        return web.Response(status=303, headers={"Location": "/picture"})
    coding = request.path.strip("/")
    coded = {"gzip": gzip.compress, "br": import_module("brotli").compress}[coding](TEXT.encode())
    return web.Response(body=coded, content_type="application/json", headers={"Content-Encoding": coding})


async def traffic(port: int) -> None:
    async with ClientSession(f"http://localhost:{port}", auto_decompress=False) as client:
        for path in ("/gzip", "/br", "/picture"):
            await (await client.get(path)).read()
        await (await client.post("/form", data={"a": "1 2"}, allow_redirects=False)).read()
    async with websockets.connect(f"ws://localhost:{port}/ws") as socket:
        for message in ("hello", b"\0\1"):
            await socket.send(message)
            await socket.recv()


def ended(page: Inspected) -> list[dict[str, Any]]:
    rows = page.rows()
    return rows if len(rows) == 5 and all(row["state"] == "done" for row in rows) else []


async def test_the_developer_tools_of_chromium_read_what_is_saved() -> None:
    async with answering_by(answer) as port:
        upstream = f'[upstreams]\nbackend = "http://127.0.0.1:{port}"\n[[routes]]\npath = "/"\nupstream = "backend"\n'
        with inspected("[inspector]\ncapture = true\n" + upstream) as page:
            await traffic(page.port)
            await asyncio.to_thread(page.wait, lambda: ended(page), "five ends")
            archive = await asyncio.to_thread(page.get, "har?secrets=1")
    jsonschema.validate(archive, SCHEMA)
    for entry in archive["log"]["entries"]:
        timed = sum(part for part in entry["timings"].values() if part > 0)
        assert abs(timed - entry["time"]) < 0.01
    script = READ.replace("IMPORTER", json.dumps(IMPORTER)).replace("ARCHIVE", json.dumps(archive))
    async with open_page() as tools:
        await tools.goto(TOOLS)
        await tools.until("location.protocol === 'devtools:' && document.readyState === 'complete'")
        by_path = {one["url"].split("/")[-1]: one for one in await tools.evaluate(script)}
    assert list(by_path) == ["gzip", "br", "picture", "form", "ws"]
    for one, entry in zip(by_path.values(), archive["log"]["entries"], strict=True):
        assert abs(one["seconds"] * 1000 - entry["time"]) < 0.01
        assert [[field["name"], field["value"]] for field in entry["request"]["headers"]] == one["sent"]
        assert [[field["name"], field["value"]] for field in entry["response"]["headers"]] == one["received"]
    for coding in ("gzip", "br"):
        assert json.loads(by_path[coding]["content"]) == json.loads(TEXT)
        assert (by_path[coding]["status"], by_path[coding]["type"]) == (200, "application/json")
    assert by_path["picture"]["content"] == "iVBORw0KGgoA/w=="
    form = by_path["form"]
    assert (form["method"], form["status"], form["words"], form["body"]) == ("POST", 303, "See Other", "a=1+2")
    socket = by_path["ws"]
    assert (socket["kind"], socket["status"]) == ("websocket", 101)
    assert socket["frames"] == [
        ["send", 1, "hello"],
        ["receive", 1, "hello"],
        ["send", 2, "AAE="],
        ["receive", 2, "AAE="],
    ]
