"""A recording as a server: connections in this process, on which the recorded answers are given again.

The connection that asks is one like all others, so that every rule of a route holds for what is recorded, too. Owns the
file, which is read again when it has changed, and what is answered when. What answers what is decided by
:mod:`devproxy.recordings`. Start at :class:`RecordedDialler`.
"""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from devproxy.errors import UpstreamError, UpstreamFault
from devproxy.events import Trouble
from devproxy.gateway.back.in_process import InProcessTransport
from devproxy.gateway.back.recorded_server import RecordedServer, Source
from devproxy.recordings.archive import MAX_RECORDING_BYTES, BadRecording, read_recording
from devproxy.recordings.model import Recording

if TYPE_CHECKING:
    from devproxy.config.model import ServerAddress
    from devproxy.events import Event

Stamp = tuple[int, ...]
"""What tells that a file has changed."""

_NAME_ONE: Final = "name a HAR file, such as `devproxy record` writes"
HELP: Final = "correct the file; it is read again when it has changed"


def read_file(path: str) -> Recording:
    """Return what the file at `path` holds. Raises :class:`BadRecording`, with the system's words where it can't be
    read."""
    try:
        mode = os.stat(path).st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # to open a pipe may take for ever
            raise BadRecording("cannot be read: it is a pipe or a device, not a file", _NAME_ONE)
        with open(path, "rb") as file:
            return read_recording(file.read(MAX_RECORDING_BYTES + 1))
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise BadRecording(f"cannot be read: {reason}", _NAME_ONE) from None


def sentence(path: str, bad: BadRecording) -> str:
    """Return what is wrong with the file at `path`, with the line."""
    place = f"{path}:{bad.line}" if bad.line else path
    return f"{place} {bad.what}" if bad.what.startswith("cannot") else f"{place}: {bad.what}"


class RecordedDialler:
    """Opens connections to the recording that `server` names. `folder`: from which its path goes; `tell`: observers.

    A file that cannot be used leaves what it held before in use, and that is told once for each change.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, server: ServerAddress, folder: str, tell: Callable[[Event], None]
    ) -> None:
        self._loop = loop
        self._server = server
        self._path = os.path.join(folder, server.path)
        self._tell = tell
        self._source: Source | None = None
        self._seen: Stamp = ()
        self._reading: asyncio.Task[None] | None = None
        self._waiting: list[Callable[[], None]] = []

    async def dial(self, factory: Callable[[], asyncio.Protocol]) -> str:
        """Connect a protocol from `factory`; return what the server is called. Raises :class:`UpstreamError`."""
        if self._source is None:
            await asyncio.shield(self._begin_reading())  # others may wait for the same
        if self._source is None:
            raise UpstreamError(UpstreamFault.RECORDING, self._server.url, self._why)
        protocol = factory()
        transport = InProcessTransport(self._loop, protocol)
        transport.join(RecordedServer(self._loop, transport, protocol, self._take, self._server.path))
        return self._server.url

    def close(self) -> None:
        """Read the file no more."""
        if self._reading is not None:
            self._reading.cancel()

    def _take(self, ask: Callable[[Source], None]) -> None:
        """Give what the file holds now to `ask`: at once, unless it has changed."""

        def go_on() -> None:
            assert self._source is not None
            ask(self._source)

        if self._reading is None and self._stamp() == self._seen:
            go_on()
            return
        self._waiting.append(go_on)
        self._begin_reading()

    def _begin_reading(self) -> asyncio.Task[None]:
        if self._reading is None:
            self._reading = self._loop.create_task(self._read_again())
        return self._reading

    async def _read_again(self) -> None:
        try:
            await self._read()
        finally:
            self._reading = None
        waiting, self._waiting = self._waiting, []
        for go_on in waiting:
            go_on()

    async def _read(self) -> None:
        """Take what the file holds. In a thread: it may be long."""
        self._seen = self._stamp()
        try:
            source = await asyncio.to_thread(lambda: Source(read_file(self._path)))
        except BadRecording as bad:
            self._why = sentence(self._server.path, bad)
            if self._source is not None:
                self._tell(Trouble(f"{self._why}; its answers stay as they were", bad.help or HELP))
            return
        self._source = source
        for notice in source.notices:
            self._tell(Trouble(f"{self._server.path}: {notice}"))

    def _stamp(self) -> Stamp:
        try:
            found = os.stat(self._path)
        except (OSError, ValueError):
            return ()
        return (found.st_mtime_ns, found.st_size, found.st_ino)
