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
from bench.clients.upload import Upload
from bench.clients.websocket import Idle, WebSockets
from bench.load import Done

KINDS: Final[dict[str, Callable[[argparse.Namespace], Client]]] = {
    "upload": lambda options: Upload(options.port, options.connections, options.size),
    "websocket": lambda options: WebSockets(options.port, options.connections, options.size),
    "idle": lambda options: Idle(options.port, options.connections, options.size),
}


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
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--size", type=int, default=64, help="octets of a message or a body")
    options = parser.parse_args()
    uvloop.run(perform(KINDS[options.kind](options), options.seconds))


if __name__ == "__main__":
    main()
