"""A gateway that follows a configuration file, in this process: write the file, await what devproxy says of it.

async with following(directory, text) as gateway:
    gateway.file.write_text(other)
    await gateway.next(ConfigApplied)
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from devproxy.cli.applying import InForce
from devproxy.cli.loading import load_text
from devproxy.cli.reloading import Reloader
from devproxy.events import Event, Observer
from devproxy.gateway.app import Gateway
from devproxy.gateway.front.bind import bind
from tests.support.wire import Conversation, ScriptedUpstream, until

E = TypeVar("E")


def toml(
    *servers: tuple[str, str | int],
    routes: Sequence[tuple[str, str]] = (("/", "backend"),),
    listen: str = "127.0.0.1:0",
    drain_s: float = 3.0,
    more: str = "",
) -> str:
    """Return a configuration. `servers`: name and port (or URL) of each upstream. `routes`: path and upstream."""
    lines = ["[server]", f'listen = "{listen}"', 'allowed_hosts = ["*"]', f"drain_s = {drain_s}", "[upstreams]"]
    for name, server in servers:
        url = f"http://127.0.0.1:{server}" if isinstance(server, int) else server
        lines.append(f'{name} = "{url}"')
    for path, upstream in routes:
        lines += ["[[routes]]", f'path = "{path}"', f'upstream = "{upstream}"', 'cors = "passthrough"', "guard = false"]
    return "\n".join([*lines, more, ""])


class ConfigurationFile:
    """A file in a directory of its own, changed in the ways in which editors and tools do it."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        self.path = directory / "devproxy.toml"

    def __str__(self) -> str:
        return str(self.path)

    def write(self, text: str) -> None:
        """Write over what is there."""
        self.path.write_text(text)

    def write_octets(self, octets: bytes) -> None:
        """Write over what is there."""
        self.path.write_bytes(octets)

    def write_in_two(self, text: str) -> None:
        """Write over what is there, and let each half be seen."""
        middle = len(text) // 2
        with self.path.open("w") as file:
            file.write(text[:middle])
            file.flush()
            file.write(text[middle:])

    def append(self, text: str) -> None:
        """Write behind what is there."""
        with self.path.open("a") as file:
            file.write(text)

    def replace(self, text: str) -> None:
        """Put a new file in the place of the old one."""
        new = self.path.with_name("new")
        new.write_text(text)
        new.replace(self.path)

    def write_secretly(self, text: str) -> None:
        """Write over what is there and set the time of modification back to what it was."""
        status = self.path.stat()
        self.path.write_text(text)
        os.utime(self.path, ns=(status.st_atime_ns, status.st_mtime_ns))

    def link_to(self, target: Path) -> None:
        """Put a symbolic link to `target` in the place of what is there."""
        link = self.path.with_name("link")
        link.symlink_to(target)
        link.replace(self.path)

    def touch(self) -> None:
        """Change the time of modification alone."""
        self.path.touch()

    def remove(self) -> None:
        """Remove the file."""
        self.path.unlink()

    def remove_directory(self) -> None:
        """Remove the directory with all that is in it."""
        shutil.rmtree(self.path.parent)

    def make_directory(self) -> None:
        """Make the directory anew."""
        self.path.parent.mkdir()


class Following:
    """A running gateway and its file. ``talk``: the clients' side, as in :mod:`tests.support.wire`."""

    def __init__(self, gateway: Gateway, reloader: Reloader, talk: Conversation) -> None:
        self.gateway = gateway
        self.reloader = reloader
        self.talk = talk
        self._seen = 0

    async def next(self, kind: type[E]) -> E:
        """Wait for the next event of `kind` after those that were waited for; return it."""
        found: list[E] = []

        def look() -> bool:
            for index, event in enumerate(self.talk.events[self._seen :], self._seen + 1):
                if isinstance(event, kind):
                    self._seen = index
                    found.append(event)
                    return True
            return False

        await until(look)
        return found[0]


@asynccontextmanager
async def following(
    file: ConfigurationFile, text: str, upstream: ScriptedUpstream | None = None
) -> AsyncIterator[Following]:
    """Run a gateway that follows `file`, which gets `text` first. `upstream` is closed with it."""
    file.write(text)
    loaded = load_text(text.encode(), str(file))
    events: list[Event] = []
    gateway = Gateway(loaded.config, bind(loaded.config.server.listen))
    gateway.observe(Observer(events.append))
    await gateway.start()
    reloader = Reloader(InForce(gateway, loaded), events.append, is_coloured=False)
    task = asyncio.get_running_loop().create_task(reloader.run())
    talk = Conversation(gateway, upstream or ScriptedUpstream(), events)
    try:
        yield Following(gateway, reloader, talk)
        assert not task.done(), task
    finally:
        task.cancel()
        await asyncio.wait((task,))
        reloader.close()
        talk.close()
        await gateway.stop(drain_s=0)
        await until(lambda: gateway.connection_count == 0)
