"""``python -m bench.clients KIND PORT …``: get ready, say so, wait for a line, do the work, say what was done.

So that whoever measures can look at the proxy when the work begins and when it ends. The connections stay open until
the input ends. The result is one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import Final

import uvloop

from bench.clients.client import Client, WrongAnswer
from bench.clients.latency import AddedLatency
from bench.clients.polling import Polling
from bench.clients.reloading import Reloading
from bench.clients.requests import FirstLoads, IdleConnections, PageLoads, Repeated
from bench.clients.upload import Upload
from bench.clients.websocket import Idle, WebSockets
from bench.load import MIB, Done, Speech
from bench.traffic import AUTHORITY, OTHER_ORIGIN, SMALL_BODY, module_request

_CHUNKED: Final = f"GET /api/chunked HTTP/1.1\r\nHost: {AUTHORITY}\r\nAccept: */*\r\n\r\n".encode()
_DOWNLOAD: Final = _CHUNKED.replace(b"/api/chunked", b"/download/1m")

KINDS: Final[dict[str, Callable[[argparse.Namespace], Client]]] = {
    "upload": lambda options: Upload(options.port, options.connections, options.size),
    "websocket": lambda options: WebSockets(options.port, options.connections, options.size, options.speech),
    "chunked": lambda options: Repeated(options.port, options.connections, [_CHUNKED], lambda body: len(body) == MIB),
    "modules": lambda options: Repeated(
        options.port, options.connections, small_gets(), SMALL_BODY.__eq__, options.speech
    ),
    "download": lambda options: Repeated(
        options.port, options.connections, [_DOWNLOAD], lambda body: len(body) == MIB, options.speech
    ),
    "polling": lambda options: Polling(options.port, options.connections),
    "first": lambda options: FirstLoads(
        options.port, options.connections, options.first, options.distinct, options.speech
    ),
    "page": lambda options: PageLoads(options.port),
    "latency": lambda options: AddedLatency(options.port, options.direct),
    "reloading": lambda options: Reloading(options.port, options.connections, options.config),
    "idle": lambda options: Idle(options.port, options.connections, options.size, options.speech),
    "connections": lambda options: IdleConnections(options.port, options.connections, options.speech),
}


def small_gets() -> list[bytes]:
    """Return what ``vary.lua`` has wrk send: a page's modules, a fourth of them for a page on another port."""
    return [module_request(number, origin=OTHER_ORIGIN if number % 4 == 0 else "") for number in range(2000)]


async def perform(client: Client, seconds: float) -> None:
    """Do the work of `client`. Reading the input stops the loop, which has nothing to do then."""
    await client.open()
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        done = await client.run(seconds)
    except (WrongAnswer, OSError) as error:
        done = Done(0, 0, str(error))
    print(json.dumps(asdict(done)), flush=True)
    sys.stdin.read()


def main() -> None:
    """Run one client."""
    parser = argparse.ArgumentParser(prog="python -m bench.clients")
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("port", type=int)
    parser.add_argument("--connections", type=int, default=1)
    parser.add_argument("--speech", type=Speech, default=Speech.PLAIN, help="what is spoken on them")
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--size", type=int, default=64, help="bytes of a message or a body")
    parser.add_argument("--first", type=int, default=0, help="number of the first file")
    parser.add_argument("--distinct", type=int, default=0, help="files until the first one comes again; 0: without end")
    parser.add_argument("--direct", type=int, help="port of the upstream")
    parser.add_argument("--config", help="file with devproxy's configuration")
    options = parser.parse_args()
    uvloop.run(perform(KINDS[options.kind](options), options.seconds))


if __name__ == "__main__":
    main()
