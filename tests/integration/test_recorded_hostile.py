"""Whatever a recording says, what a client gets is HTTP, strictly: in both versions, by foreign implementations."""

from __future__ import annotations

import asyncio
import os
import random
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import devproxy
import h11
import pytest
from devproxy.events import Event, Trouble
from devproxy.gateway.back.recorded import read_file, sentence
from devproxy.recordings.archive import BadRecording
from tests.support.http2_client import Http2Client
from tests.support.recordings import entry, har
from tests.support.wire import Wire, soon

ENTRIES: Final = 150
Asked = tuple[str, str, list[tuple[str, str]]]
EVIL: Final = "X-Evil: 1"
STATUSES: Final = (0, 99, 100, 103, 200, 200, 200, 201, 203, 204, 205, 206, 301, 304, 404, 418, 500, 599, 600, -1)
TEXTS: Final = ("", "x", "héllo\ud800", "a" * 70_000, "0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", "\x00", "H4sIAAAA", "///+")
VALUES: Final = (
    *("", "1", "0", "-1", "99999999999999999999", "chunked", "gzip", "br", "identity", "br\r\n" + EVIL, "br\r\n\r\nx"),
    *("a\n" + EVIL, "a\r" + EVIL, "a\x00b", "é\ud800", "close", "bytes 0-1/5", "text/event-stream", "x" * 3000),
    *("a=1; expires=" + "1" * 5000, "http://localhost:8080//evil/", "text/html; charset=punycode", "\x85", " \t "),
)
NAMES: Final = (
    *("Content-Length", "content-length", "Transfer-Encoding", "Content-Encoding", "Content-Encoding", "Content-Type"),
    *("Set-Cookie", "Location", "Connection", "Upgrade", "Trailer", "X-A\r\n" + EVIL, "", ":status", "X A", "X-É"),
    *("\x00", "Content-Range", "Keep-Alive", "TE", "HTTP2-Settings", "Content-Length ", "X-B:", "Proxy-Connection"),
)


def hostile(chance: random.Random, number: int) -> dict[str, Any]:
    one = entry(f"{chance.choice(('GET', 'GET', 'GET', 'HEAD'))} /{number}", chance.choice(TEXTS))
    response = one["response"]
    response["status"] = chance.choice(STATUSES)
    response["statusText"] = chance.choice(("OK", "", "a\r\n" + EVIL, "é", "x" * 5000, None, 7))
    response["headers"] = [
        {"name": chance.choice(NAMES), "value": chance.choice(VALUES)} for _ in range(chance.randrange(6))
    ]
    response["content"]["mimeType"] = chance.choice(("text/plain", "text/plain; charset=punycode", "\ud800", None, 5))
    response["content"]["encoding"] = chance.choice((None, None, "base64", "base64", "gzip", 5))
    response["content"]["size"] = chance.choice((0, 5, -1, None, "x", float("nan"), float("inf")))
    one["request"]["headers"] = chance.choice(([], None, [{"name": "Range", "value": "bytes=0-1\ud800"}]))
    one["time"] = chance.choice((0, float("nan"), float("inf"), -1, "x", None, 10**400))
    one["startedDateTime"] = chance.choice(("", None, "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "\ud800", 5))
    one["_webSocketMessages"] = chance.choice((None, 5, [None, {"opcode": 99, "data": 5}]))
    return one


@asynccontextmanager
async def replaying(file: Path) -> AsyncIterator[tuple[devproxy.Gateway, list[Event]]]:
    gateway = devproxy.Gateway(
        {"upstreams": {"x": {"recording": str(file)}}, "routes": [{"path": "/", "upstream": "x"}]}
    )
    events: list[Event] = []
    gateway.observe(events.append)
    async with gateway:
        yield gateway, events


def asked(chance: random.Random) -> list[Asked]:
    """Return requests for all entries: method, path and fields."""
    fields: tuple[list[tuple[str, str]], ...] = ([], [("Range", "bytes=0-1")], [("Accept-Encoding", "gzip")])
    return [(chance.choice(("GET", "GET", "HEAD")), f"/{n}", chance.choice(fields)) for n in range(ENTRIES)]


async def in_http1(port: int, requests: list[Asked], at_once: int) -> list[int]:
    """Return the statuses of the answers, with `at_once` requests in a pipeline."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    waiting, statuses = b"", list[int]()
    while len(statuses) < len(requests):
        part = requests[len(statuses) : len(statuses) + at_once]
        for method, path, fields in part:
            lines = (f"{method} {path} HTTP/1.1", "Host: localhost", *(f"{name}: {value}" for name, value in fields))
            writer.write("\r\n".join((*lines, "", "")).encode())
        for method, path, _ in part:
            client = h11.Connection(h11.CLIENT)
            client.send(h11.Request(method=method, target=path, headers=[("Host", "localhost")]))
            client.send(h11.EndOfMessage())
            if waiting:  # nothing would mean the end
                client.receive_data(waiting)
            while not isinstance(event := client.next_event(), h11.EndOfMessage):
                if event is h11.NEED_DATA:
                    octets = await soon(reader.read(1 << 16))
                    assert octets, f"{method} {path}: the connection has ended"
                    client.receive_data(octets)
                elif isinstance(event, h11.Response):
                    assert b"x-evil" not in dict(event.headers), path
                    statuses.append(event.status_code)
                    if method == "GET" and (b"transfer-encoding", b"chunked") in event.headers:  # it does not end
                        writer.close()
                        return statuses + await in_http1(port, requests[len(statuses) :], at_once)
            waiting = client.trailing_data[0]
    assert not waiting
    writer.close()
    return statuses


async def in_http2(port: int, requests: list[Asked]) -> list[int]:
    """Return the statuses of the answers to requests that are all on one connection."""
    sock = socket.socket()
    sock.setblocking(False)
    await soon(asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port)))
    client = Http2Client(Wire(sock))
    client.h2.config.header_encoding = "latin-1"
    statuses = []
    for method, path, fields in requests:
        stream = client.request(path, *((name.lower(), value) for name, value in fields), method=method)
        found = await client.head(stream)
        assert found.reset is None, path
        assert "x-evil" not in found.fields
        statuses.append(found.status)
        if "text/event-stream" in found.fields.get("content-type", "") and not found.has_ended:
            client.reset(stream)
        else:
            assert (await client.response(stream)).reset is None, path
    client.wire.close()
    return statuses


@pytest.mark.both_loops
@pytest.mark.parametrize("seed", range(3))
async def test_whatever_it_says_an_answer_is_one_in_either_version(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    file = tmp_path / "hostile.har"
    file.write_bytes(har([hostile(chance, number) for number in range(ENTRIES)]))
    async with replaying(file) as (gateway, _):
        port = int(gateway.url.rpartition(":")[2])
        requests = asked(chance)
        statuses = await in_http1(port, requests, 1)
        assert await in_http1(port, requests, 5) == statuses
        assert await in_http2(port, requests) == statuses
    assert statuses.count(200) > ENTRIES // 10
    assert {204, 205, 404, 502} < set(statuses)


def as_pipe(file: Path) -> None:
    os.mkfifo(file)


def as_loop(file: Path) -> None:
    file.symlink_to(file)


def as_device(file: Path) -> None:
    file.symlink_to("/dev/zero")


def as_broken(file: Path) -> None:
    file.write_text('{"log": {"entries": [\n{"request": 1}]}}')


KINDS = {
    Path.mkdir: "cannot be read: is a directory",
    as_pipe: "cannot be read: it is a pipe or a device, not a file",
    as_loop: "cannot be read: too many levels of symbolic links",
    as_device: "cannot be read: it is a pipe or a device, not a file",
    as_broken: ":2: entry 1 has no `request`",
}


@pytest.mark.skipif(os.name == "nt", reason="these are kinds of files that Windows has not")
@pytest.mark.parametrize("make", KINDS)
async def test_a_file_that_becomes_what_is_none_changes_nothing_and_is_told_once(
    make: Callable[[Path], None], tmp_path: Path
) -> None:
    file = tmp_path / "session.har"
    file.write_bytes(har([entry("GET /0", "as it was")]))
    async with replaying(file) as (gateway, events):
        port = int(gateway.url.rpartition(":")[2])
        assert await in_http1(port, [("GET", "/0", [])], 1) == [200]
        file.unlink()
        make(file)
        for _ in range(2):
            assert await in_http1(port, [("GET", "/0", [])] * 3, 1) == [200] * 3
        (told,) = [event.what for event in events if isinstance(event, Trouble)]
        assert KINDS[make] in told
        assert told.endswith("its answers stay as they were")
    problem = read_problem(file)
    assert KINDS[make].removeprefix(":2: ") in problem


def read_problem(file: Path) -> str:
    with pytest.raises(BadRecording) as caught:
        read_file(str(file))
    return sentence(file.name, caught.value)
