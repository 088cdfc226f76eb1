"""Whatever happens to the file, traffic goes on, and each exchange is served by the last configuration that was valid.

200 random sequences of saves under polling, Server-Sent Events and WebSockets, with fixed seeds; several gateways, each
with a file of its own, side by side.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from devproxy.config import ConfigError, load
from devproxy.events import ConfigApplied, ConfigMissing, ConfigRejected, ExchangeFinished, Outcome, TunnelClosed
from tests.support.answering import AnsweringUpstream
from tests.support.reloading import ConfigurationFile, Following, following
from tests.support.wire import WAY, Wire, until

pytestmark = pytest.mark.both_versions

GATEWAYS: Final = 10
SEQUENCES: Final = 20
"""For each gateway."""

_CONFIGURATION: Final = """\
[server]
listen = "127.0.0.1:0"
[upstreams.backend]
servers = ["http://127.0.0.1:{port}"]
hold_s = {hold_s}
{more}
[[routes]]
path = "/"
upstream = "backend"
headers.response.set = {{ X-Version = "{version}" }}
"""
_MORE_ROUTES: Final = """\
[[routes]]
path = "/more-{version}/"
upstream = "backend"
"""
_MISTAKES: Final[tuple[Callable[[str], str], ...]] = (
    lambda text: text.replace("path", "pth"),
    lambda text: text.replace('"backend"', '"bakend"'),
    lambda text: text.replace("hold_s = ", "hold_s = -"),
    lambda text: text + "[server]\n",
    lambda text: text[: text.rindex('"')],
    lambda text: "\udcff" + text,
    lambda text: "",
)


class Saver:
    """Does things to the file of one gateway and knows which version must serve then.

    ``applied``: the version that serves now; ``written``: the last valid one in the file, which serves soon.
    """

    def __init__(self, gateway: Following, file: ConfigurationFile, port: int, seed: int) -> None:
        self.gateway = gateway
        self.file = file
        self.port = port
        self.random = random.Random(seed)
        self.applied = 0
        self.written = 0
        self._mistakes = 0

    def text(self, version: int) -> str:
        return configuration(self.port, version, hold_s=1 + version % 3, has_more=version % 2 == 1)

    async def save(self, write: Callable[[str], object]) -> None:
        """Write another valid configuration; wait until it serves."""
        self.written += 1
        applied = self.count(ConfigApplied)
        write(self.text(self.written))
        await until(lambda: self.count(ConfigApplied) > applied)
        self.applied = self.written

    async def good(self) -> None:
        await self.save(self.random.choice((self.file.write, self.file.replace, self.file.write_in_two)))

    async def half_written(self) -> None:
        """Write the first part, and the rest later: sooner or after it has been refused."""
        text = self.text(self.written + 1)
        cut = self.random.choice(self.cuts(text))
        self.file.write(text[:cut])
        if self.random.random() < 0.5:
            refused = self.count(ConfigRejected)
            await until(lambda: self.count(ConfigRejected) > refused)
        await self.save(lambda whole: self.file.append(whole[cut:]))

    def cuts(self, text: str) -> list[int]:
        """Return where `text` can be cut so that its first part does not load."""
        return [cut for cut in self.random.sample(range(len(text)), 20) if not is_valid(text[:cut])]

    async def bad(self) -> None:
        self._mistakes += 1
        mistake = self.random.choice(_MISTAKES)
        text = mistake(self.text(self.written)) + f"# {self._mistakes}\n"
        refused = self.count(ConfigRejected)
        self.file.write_octets(text.encode(errors="surrogateescape"))
        await until(lambda: self.count(ConfigRejected) > refused)

    async def deleted(self) -> None:
        """Remove the file, for a moment or until that has been told, and save it again."""
        self.file.remove()
        if self.random.random() < 0.1:
            missing = self.count(ConfigMissing)
            await until(lambda: self.count(ConfigMissing) > missing)
        await self.save(self.file.write)

    def count(self, kind: type[object]) -> int:
        return len(self.gateway.talk.seen(kind))

    async def sequence(self) -> None:
        """Do two to four things; a request that comes then is served by the last valid configuration."""
        for _ in range(self.random.randint(2, 4)):
            step = self.random.choice((self.good, self.bad, self.half_written, self.deleted))
            await step()
            client = await self.gateway.talk.client()
            assert await polled(client) == self.applied, step.__name__
            client.close()


def configuration(port: int, version: int, *, hold_s: int = 1, has_more: bool = False) -> str:
    more = _MORE_ROUTES.format(version=version) if has_more else ""
    return _CONFIGURATION.format(port=port, version=version, hold_s=hold_s, more=more)


def is_valid(text: str) -> bool:
    try:
        load(text.encode(), source="")
    except ConfigError:
        return False
    return True


async def polled(client: Wire) -> int:
    """Send a poll; return the version of the configuration that served it."""
    client.send(b"GET /socket.io/?EIO=4&transport=polling&sid=a HTTP/1.1\r\nHost: localhost\r\n\r\n")
    head = await client.head()
    assert head.startswith(b"HTTP/1.1 200 "), head
    assert await client.read(2) == b"ok"
    found = re.search(rb"\r\nX-Version: (\d+)\r\n", head)
    assert found is not None, head
    return int(found[1])


class Traffic:
    """A browser: one connection that polls, one that gets events, one WebSocket, from the first to the last save."""

    def __init__(self, saver: Saver) -> None:
        self._saver = saver
        self._is_over = False
        self.polls = 0
        self.events = 0
        self.echoes = 0

    def end(self) -> None:
        self._is_over = True

    async def poll(self) -> None:
        client = await self._saver.gateway.talk.client()
        while not self._is_over:
            earliest = self._saver.applied
            version = await polled(client)
            assert earliest <= version <= self._saver.written
            self.polls += 1

    async def listen(self) -> None:
        client = await self._saver.gateway.talk.client()
        client.send(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await client.head()
        while not self._is_over:
            await client.until(b"data: %d\n\n\r\n" % self.events)
            self.events += 1

    async def chat(self) -> None:
        client = await self._saver.gateway.talk.client()
        client.send(b"GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        assert (await client.head()).startswith(b"HTTP/1.1 101 ")
        while not self._is_over:
            message = b"%6d" % self.echoes
            client.send(b"\x81\x86\0\0\0\0" + message)
            assert await client.read(8) == b"\x81\x06" + message
            self.echoes += 1
            await asyncio.sleep(0.01)


async def survive(file: ConfigurationFile, port: int, seed: int) -> None:
    async with following(file, configuration(port, 0)) as gateway:
        saver = Saver(gateway, file, port, seed)
        traffic = Traffic(saver)
        sequences = SEQUENCES if WAY.version == b"1.1" else SEQUENCES // 4  # `h2` takes its time
        async with asyncio.TaskGroup() as tasks:
            for work in (traffic.poll, traffic.listen, traffic.chat):
                tasks.create_task(work())
            for _ in range(sequences):
                await saver.sequence()
            traffic.end()
        assert min(traffic.polls, traffic.events, traffic.echoes) > sequences
        finished = gateway.talk.seen(ExchangeFinished)
        assert {event.outcome for event in finished} == {Outcome.COMPLETE}
        assert {event.status for event in finished} == {200}
        assert gateway.talk.seen(TunnelClosed) == []


async def test_200_random_sequences_of_saves_drop_nothing_and_serve_the_last_valid_configuration(
    tmp_path: Path,
) -> None:
    async with AnsweringUpstream() as upstream, asyncio.TaskGroup() as tasks:
        for seed in range(GATEWAYS):
            tasks.create_task(survive(ConfigurationFile(tmp_path / str(seed)), upstream.port, seed))
