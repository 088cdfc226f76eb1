"""A recording as a backend: what it answers, what it says of what it has not, and how it follows its file."""

from __future__ import annotations

import asyncio
import base64
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import devproxy
import pytest
from devproxy.events import Event, ExchangeFinished, Trouble, UpstreamState
from devproxy.realtime.frames import FrameReader
from tests.support.recordings import entry, har
from tests.support.wire import soon, until

pytestmark = pytest.mark.both_loops

BASE = "/socket.io/?EIO=4&transport=polling"


class Talk:
    """A gateway in front of the recording at ``file``; ``events``: what it told."""

    def __init__(self, gateway: devproxy.Gateway, file: Path, events: list[Event]) -> None:
        self.gateway = gateway
        self.file = file
        self.events = events

    async def client(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", int(self.gateway.url.rpartition(":")[2]))

    async def ask(self, what: str, *fields: str, body: bytes = b"") -> tuple[int, str, bytes]:
        """Return status, head and body of what is answered, on a connection of its own."""
        reader, writer = await self.client()
        method, target = what.split(" ", 1)
        length = [f"Content-Length: {len(body)}"] if body else []
        lines = (f"{method} {target} HTTP/1.1", "Host: localhost", "Connection: close", *fields, *length, "", "")
        writer.write("\r\n".join(lines).encode() + body)
        head, _, rest = (await soon(reader.read(-1))).partition(b"\r\n\r\n")
        writer.close()
        return int(head.split(b" ")[1]), head.decode(), rest

    def troubles(self) -> list[str]:
        return [event.what for event in self.events if isinstance(event, Trouble)]


@asynccontextmanager
async def recorded(folder: Path, *entries: dict[str, object], **route: object) -> AsyncIterator[Talk]:
    file = folder / "session.har"
    file.write_bytes(har(entries))
    events: list[Event] = []
    config = {
        "upstreams": {"backend": {"recording": str(file)}},
        "routes": [{"path": "/", "upstream": "backend", **route}],
    }
    gateway = devproxy.Gateway(config)
    gateway.observe(events.append)
    async with gateway:
        yield Talk(gateway, file, events)


async def test_what_is_recorded_is_answered_in_its_order(tmp_path: Path) -> None:
    entries = [entry("GET /items", "[]", kind="application/json"), entry("POST /items", "made", status=201)]
    async with recorded(tmp_path, *entries, entry("GET /items", "[1]", headers=[("ETag", '"2"')])) as talk:
        status, head, body = await talk.ask("GET /items")
        assert (status, body) == (200, b"[]")
        assert "Content-Type: application/json" in head
        assert "Content-Length: 2" in head
        assert (await talk.ask("POST /items", body=b"{}"))[0] == 201
        for _ in range(2):
            status, head, body = await talk.ask("GET /items", 'If-None-Match: "2"')
            assert (status, body) == (200, b"[1]")
            assert 'ETag: "2"' in head
        status, head, body = await talk.ask("HEAD /items")
        assert (status, body) == (200, b"")
        assert "Content-Length: 3" in head
    states = [event for event in talk.events if isinstance(event, UpstreamState)]
    assert [(state.is_up, state.server) for state in states] == [(True, f"recording:{talk.file}")]


async def test_one_connection_of_a_client_is_served_by_one_of_the_recordings(tmp_path: Path) -> None:
    async with recorded(tmp_path, entry("GET /a", "a"), entry("PUT /b", "b")) as talk:
        reader, writer = await talk.client()
        chunked = b"PUT /b HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
        for request, body in ((b"GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n", b"a"), (chunked, b"b")) * 3:
            writer.write(request)
            assert (await soon(reader.readuntil(b"\r\n\r\n"))).startswith(b"HTTP/1.1 200")
            assert await soon(reader.readexactly(1)) == body
        assert talk.gateway.servers()[0].idle == 1
        writer.close()


async def test_a_large_body_comes_whole_to_a_client_that_reads_slowly(tmp_path: Path) -> None:
    data = os.urandom(3 << 20)
    content = {
        "size": len(data),
        "mimeType": "video/mp4",
        "encoding": "base64",
        "text": base64.b64encode(data).decode(),
    }
    async with recorded(tmp_path, entry("GET /film", content=content)) as talk:
        reader, writer = await talk.client()
        writer.write(b"GET /film HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        await soon(reader.readuntil(b"\r\n\r\n"))
        await asyncio.sleep(0.05)
        assert await soon(reader.readexactly(len(data))) == data
        writer.close()


async def test_a_miss_says_so_and_what_comes_nearest(tmp_path: Path) -> None:
    async with recorded(tmp_path, entry("GET /api/items", "x"), entry("GET /lost", None)) as talk:
        for _ in range(2):  # the second on a connection that has served
            status, head, body = await talk.ask("GET /api/item", "Accept: application/json")
            assert status == 502
            assert "X-Devproxy-Error: not-recorded" in head
            said = json.loads(body)
            assert f"GET /api/item is not in {talk.file}; recorded there: GET /api/items" in json.dumps(said)
            assert "devproxy record" in json.dumps(said)
            await talk.ask("GET /api/items")
        status, _, body = await talk.ask("GET /lost")
        assert status == 502
        assert b"GET /lost was recorded in " in body
        assert b"without its body" in body
        assert any("1 of its answers cannot be given again" in sentence for sentence in talk.troubles())
    ends = [event for event in talk.events if isinstance(event, ExchangeFinished) and event.status == 502]
    assert {end.error for end in ends} == {"not-recorded"}
    assert len(ends) == 3


async def test_the_rules_of_the_route_hold_for_what_is_recorded(tmp_path: Path) -> None:
    headers = [("Access-Control-Allow-Origin", "http://localhost:9"), ("Set-Cookie", "a=1; Domain=old.example")]
    headers += [("Location", "http://localhost:8080/login?next=/")]
    async with recorded(tmp_path, entry("GET /x", "", status=302, headers=headers), cookies={"domain": ""}) as talk:
        _, head, _ = await talk.ask("GET /x", "Origin: http://localhost:5173")
        assert "Access-Control-Allow-Origin: http://localhost:5173" in head
        assert "Set-Cookie: a=1\r\n" in head + "\r\n"
        assert "Location: /login?next=/" in head
        status, head, _ = await talk.ask(
            "OPTIONS /x", "Origin: http://localhost:5173", "Access-Control-Request-Method: PUT"
        )
        assert status == 204


async def test_a_route_that_changes_paths_finds_what_was_recorded_at_either_end(tmp_path: Path) -> None:
    entries = (entry("GET /api/items", "as the page asked"), entry("GET /v1/users", "as the server was asked"))
    async with recorded(tmp_path, *entries, path="/api/", rewrite="/v1/") as talk:
        assert (await talk.ask("GET /api/items"))[2] == b"as the page asked"
        assert (await talk.ask("GET /api/users"))[2] == b"as the server was asked"


async def test_an_event_stream_stays_open(tmp_path: Path) -> None:
    async with recorded(tmp_path, entry("GET /events", "data: 1\n\n", kind="text/event-stream")) as talk:
        reader, writer = await talk.client()
        writer.write(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"chunked" in await soon(reader.readuntil(b"\r\n\r\n"))
        assert await soon(reader.readuntil(b"\n\n")) == b"9\r\ndata: 1\n\n"
        assert await soon(reader.readexactly(2)) == b"\r\n"
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.05)
        writer.close()


async def test_a_file_that_changes_is_read_again_and_one_that_breaks_is_told(tmp_path: Path) -> None:
    async with recorded(tmp_path, entry("GET /x", "old")) as talk:
        assert (await talk.ask("GET /x"))[2] == b"old"
        talk.file.write_bytes(har([entry("GET /x", "new, and longer")]))
        assert (await talk.ask("GET /x"))[2] == b"new, and longer"
        talk.file.write_bytes(b'{"log":\n {"entries": [{}]}}')
        for _ in range(2):
            assert (await talk.ask("GET /x"))[2] == b"new, and longer"
        talk.file.unlink()
        assert (await talk.ask("GET /x"))[2] == b"new, and longer"
        assert talk.troubles() == [
            f"{talk.file}:2: entry 1 has no `request`; its answers stay as they were",
            f"{talk.file} cannot be read: no such file or directory; its answers stay as they were",
        ]
        talk.file.write_bytes(har([entry("GET /x", "back")]))
        assert (await talk.ask("GET /x"))[2] == b"back"


def test_a_file_that_cannot_be_used_is_an_error_of_the_configuration(tmp_path: Path) -> None:
    file = tmp_path / "devproxy.toml"
    rest = '[[routes]]\npath = "/"\nupstream = "a"\n'
    file.write_text(f'[upstreams.a]\nrecording = "session.har"\n{rest}')
    with pytest.raises(devproxy.ConfigurationError, match=r"(?s)session\.har cannot be read.*devproxy\.toml:2:13"):
        devproxy.Gateway(file)
    (tmp_path / "session.har").write_text('{\n"log": {"entries": [\n{"request": {}}]}}')
    with pytest.raises(devproxy.ConfigurationError, match=r"session\.har:3: entry 1 has no `response`"):
        devproxy.Gateway(file)
    file.write_text(f'[upstreams.a]\nrecording = "session.har"\nservers = "http://localhost:1"\n{rest}')
    with pytest.raises(devproxy.ConfigurationError, match="`servers` says nothing to a recording"):
        devproxy.Gateway(file)
    file.write_text(f'[upstreams.a]\nrecording = "session.har"\nproxy = "http://p.example:1"\n{rest}')
    with pytest.raises(devproxy.ConfigurationError, match="`proxy` says nothing to a recording"):
        devproxy.Gateway(file)


# -- conversations -------------------------------------------------------------------------------------------------


def a_session(*more: dict[str, object]) -> list[dict[str, object]]:
    return [
        entry(f"GET {BASE}&t=a", '0{"sid":"…","upgrades":["websocket"],"pingInterval":60}', at_s=1),
        entry(f"POST {BASE}&t=b&sid=…", "ok", sent="40", at_s=2),
        entry(f"GET {BASE}&t=c&sid=…", "40{…}", at_s=2, took_ms=5),
        entry(f"POST {BASE}&t=d&sid=…", "ok", sent='42["say","hi"]', at_s=3),
        entry(f"GET {BASE}&t=e&sid=…", '42["said","hi"]', at_s=2.5, took_ms=600),
        *more,
    ]


async def test_a_session_over_polling_waits_for_the_client_and_beats(tmp_path: Path) -> None:
    async with recorded(tmp_path, *a_session()) as talk:
        for _ in range(2):  # each client has a session of its own
            opened = json.loads((await talk.ask(f"GET {BASE}&t=1"))[2][1:])
            sid = opened["sid"]
            assert sid != "…"
            poll = asyncio.create_task(talk.ask(f"GET {BASE}&t=2&sid={sid}"))
            assert (await soon(poll))[2] == b"2"  # it is the client's turn: a ping, after pingInterval
            assert (await talk.ask(f"POST {BASE}&t=3&sid={sid}", body=b"3"))[2] == b"ok"
            poll = asyncio.create_task(talk.ask(f"GET {BASE}&t=4&sid={sid}"))
            assert (await talk.ask(f"POST {BASE}&t=5&sid={sid}", body=b"40"))[2] == b"ok"
            assert (await soon(poll))[2] == b'40{"sid":"' + sid.encode() + b'"}'
            await talk.ask(f"POST {BASE}&t=6&sid={sid}", body=b'42["say","other words"]')
            assert (await talk.ask(f"GET {BASE}&t=7&sid={sid}"))[2] == b'42["said","hi"]'
            assert (await talk.ask(f"GET {BASE}&t=8&sid={sid}"))[2] == b"2"
        status, _, body = await talk.ask(f"GET {BASE}&t=9&sid=unknown")
        assert (status, json.loads(body)["code"]) == (400, 1)


async def test_a_poll_whose_client_left_is_forgotten(tmp_path: Path) -> None:
    async with recorded(tmp_path, *a_session()) as talk:
        sid = json.loads((await talk.ask(f"GET {BASE}"))[2][1:])["sid"]
        _, writer = await talk.client()
        writer.write(f"GET {BASE}&sid={sid} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        await until(lambda: talk.gateway.servers()[0].running == 1)
        writer.close()
        await until(lambda: talk.gateway.servers()[0].running == 0)
        await talk.ask(f"POST {BASE}&sid={sid}", body=b"40")
        assert (await talk.ask(f"GET {BASE}&sid={sid}"))[2].startswith(b"40")


class Socket:
    """A WebSocket of a client, by hand."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._frames = FrameReader(is_masked=False)
        self._came: list[tuple[int, bytes]] = []

    def send(self, text: bytes, opcode: int = 1) -> None:
        assert len(text) < 126
        self._writer.write(bytes((0x80 | opcode, 0x80 | len(text), 0, 0, 0, 0)) + text)

    async def receive(self) -> tuple[int, bytes]:
        while not self._came:
            data = await soon(self._reader.read(65536))
            if not data:
                return (0, b"")
            self._came += [(frame.opcode, frame.payload) for frame in self._frames.read(data)]
        return self._came.pop(0)

    def close(self) -> None:
        self._writer.close()


async def open_socket(talk: Talk, target: str) -> tuple[bytes, Socket]:
    reader, writer = await talk.client()
    lines = (
        f"GET {target} HTTP/1.1",
        "Host: localhost",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        *("Sec-WebSocket-Extensions: permessage-deflate", "", ""),
    )
    writer.write("\r\n".join(lines).encode())
    return await soon(reader.readuntil(b"\r\n\r\n")), Socket(reader, writer)


async def test_a_websocket_says_again_what_it_said(tmp_path: Path) -> None:
    messages = [("receive", "welcome"), ("send", "ask"), ("receive", "answer"), ("receive", "x" * 70_000)]
    one = entry("GET /live", None, status=101, messages=messages, origin="ws://localhost:8080")
    async with recorded(tmp_path, one, entry("GET /old", None, status=101)) as talk:
        head, socket = await open_socket(talk, "/live")
        assert head.startswith(b"HTTP/1.1 101")
        assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head
        assert b"permessage-deflate" not in head
        assert await socket.receive() == (1, b"welcome")
        socket.send(b"!", opcode=9)
        assert await socket.receive() == (10, b"!")
        socket.send(b"anything")
        assert await socket.receive() == (1, b"answer")
        assert await socket.receive() == (1, b"x" * 65536)  # as much as the reader keeps
        socket.send(b"\x03\xe8", opcode=8)
        assert await socket.receive() == (8, b"\x03\xe8")
        assert await socket.receive() == (0, b"")
        socket.close()
        head, socket = await open_socket(talk, "/old")
        assert head.startswith(b"HTTP/1.1 502")
        assert b"not-recorded" in head
        socket.close()
        status, _, body = await talk.ask("GET /live")
        assert status == 502
        assert b"as a WebSocket, and this is no request for one" in body


async def test_a_session_moves_to_its_websocket(tmp_path: Path) -> None:
    messages = [("send", "2probe"), ("receive", "3probe"), ("send", "5"), ("receive", "40{…}"), ("receive", "6")]
    messages += [("send", '42["say","hi"]'), ("receive", '42["said","hi"]'), ("receive", "2"), ("send", "3")]
    target = "/socket.io/?EIO=4&transport=websocket"
    entries = (
        entry(f"GET {BASE}&t=a", '0{"sid":"…","pingInterval":60}', at_s=1),
        entry(f"GET {BASE}&t=b&sid=…", "6", at_s=2),
        entry(f"GET {target}&sid=…", None, status=101, messages=messages, origin="ws://localhost:8080", at_s=2),
    )
    async with recorded(tmp_path, *entries) as talk:
        sid = json.loads((await talk.ask(f"GET {BASE}"))[2][1:])["sid"]
        poll = asyncio.create_task(talk.ask(f"GET {BASE}&sid={sid}"))
        _, socket = await open_socket(talk, f"{target}&sid={sid}")
        socket.send(b"2probe")
        assert await socket.receive() == (1, b"3probe")
        assert (await soon(poll))[2] == b'40{"sid":"' + sid.encode() + b'"}'  # whichever transport it was recorded on
        assert (await talk.ask(f"GET {BASE}&sid={sid}"))[2] == b"6"
        socket.send(b"5")
        assert await socket.receive() == (1, b"2")  # it is the client's turn: a ping, after pingInterval
        socket.send(b"3")
        socket.send(b'42["say","other"]')
        came = []
        while (1, b'42["said","hi"]') not in came:
            came.append(await socket.receive())
        assert set(came) <= {(1, b"2"), (1, b'42["said","hi"]')}
        socket.close()


async def test_a_session_that_had_no_websocket_has_one_now(tmp_path: Path) -> None:
    async with recorded(tmp_path, *a_session()) as talk:
        sid = json.loads((await talk.ask(f"GET {BASE}"))[2][1:])["sid"]
        await talk.ask(f"POST {BASE}&sid={sid}", body=b"40")
        _, socket = await open_socket(talk, f"/socket.io/?EIO=4&transport=websocket&sid={sid}")
        socket.send(b"2probe")
        assert await socket.receive() == (1, b"3probe")
        assert (await talk.ask(f"GET {BASE}&sid={sid}"))[2] == b"6"
        socket.send(b"5")
        assert (await socket.receive())[1].startswith(b"40")
        socket.close()
