"""How a child process of the demo serves: a port of the system's choice, until standard input closes."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress

from aiohttp import web


def serve(application: web.Application) -> None:
    """Serve `application` on 127.0.0.1, announce the port as one line on standard output, and return at its end.

    The end is the end of standard input: the parent closed it, or is gone.
    """
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(application))


async def _serve(application: web.Application) -> None:
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        sys.stdout.write(f"{runner.addresses[0][1]}\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.buffer.read)
    finally:
        await runner.cleanup()
