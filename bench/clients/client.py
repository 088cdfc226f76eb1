"""What every client is."""

from __future__ import annotations

import asyncio
from typing import Protocol, cast

from bench.load import Done


class WrongAnswer(Exception):
    """An answer that is not what it should be, or none."""


class Client(Protocol):
    """Load of one kind."""

    async def open(self) -> None:
        """Connect, and do what is not to be measured."""

    async def run(self, seconds: float) -> Done:
        """Do the work for about `seconds`. Raises :class:`WrongAnswer`."""


def as_transport(transport: asyncio.BaseTransport) -> asyncio.Transport:
    """Return `transport` as what it is: uvloop's are no subclass of asyncio's."""
    return cast("asyncio.Transport", transport)
