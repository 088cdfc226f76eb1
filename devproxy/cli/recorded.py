"""One request to a recording, for ``explain``: answered as it would be while devproxy serves, by nothing but the file.

Start at :func:`recorded_answer`; :func:`why_unusable` says whether it can answer at all.
"""

from __future__ import annotations

import asyncio
import os
from typing import Final

from devproxy.cli.refusal import FAILED, Refused
from devproxy.config.model import ServerAddress
from devproxy.errors import UpstreamError, UpstreamFault
from devproxy.gateway.back.recorded import HELP, RecordedDialler, read_file, sentence
from devproxy.recordings.archive import BadRecording

_RECORD: Final = "record this request, too: `devproxy record` while the server itself answers"
WAIT_S: Final = 1.0
"""How long an answer may take: one that waits for the client of a session never comes."""


class _Asker(asyncio.Protocol):
    """Collects an answer. ``ended``: with what it ended, once it has."""

    def __init__(self) -> None:
        self.octets = b""
        self.has_begun = asyncio.Event()
        self.error: Exception | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.octets += data
        self.has_begun.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.error = exc
        self.has_begun.set()


def recorded_answer(server: ServerAddress, folder: str, octets: bytes) -> bytes:
    """Return what the recording that `server` names answers to `octets`, a whole request.

    Raises :class:`Refused`, with exit code 1, where that is nothing.
    """
    try:
        return asyncio.run(_asked(server, folder, octets))
    except UpstreamError as error:
        help = _RECORD if error.fault is UpstreamFault.NOT_RECORDED else HELP
        raise Refused(f"{server.url} gave no answer: {error.detail}", help, exit_code=FAILED) from None


async def _asked(server: ServerAddress, folder: str, octets: bytes) -> bytes:
    asker = _Asker()
    dialler = RecordedDialler(asyncio.get_running_loop(), server, folder, lambda event: None)
    await dialler.dial(lambda: asker)
    asker.transport.write(octets)
    try:
        async with asyncio.timeout(WAIT_S):
            await asker.has_begun.wait()
    except TimeoutError:
        raise Refused(f"{server.url} gives no answer before its client says more", exit_code=FAILED) from None
    await asyncio.sleep(0.01)  # a body comes with the turns after its head
    if isinstance(asker.error, UpstreamError):
        raise asker.error
    asker.transport.abort()
    return asker.octets


def why_unusable(server: ServerAddress, folder: str) -> tuple[str, str] | None:
    """Return why the recording that `server` names cannot be used, and what to do; None: it can."""
    try:
        read_file(os.path.join(folder, server.path))
    except BadRecording as bad:
        return sentence(server.path, bad), bad.help or HELP
    return None
