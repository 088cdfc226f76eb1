"""HTTP/2 in memory: a request in, 200 with nine fields and 400 bytes out, by devproxy's own code and by `h2`.

No socket and no upstream: what is left is the protocol. The client is one of Chromium's policy: of the pseudo-fields it
adds only ``:authority`` to the table, of the others all. ``python -m bench.http2`` prints microseconds of CPU for each
request, and of our own the instructions and calls, which are the same on every machine; a test bounds those.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median
from time import thread_time
from typing import Final

import h2.config
import h2.connection
import h2.events
import hpack
from devproxy.http1.start_line import Limits
from devproxy.http2 import frames
from devproxy.http2.connection import ServerConnection
from devproxy.http2.events import RequestReceived

from bench import traffic
from bench.pipeline import _profiled, _traced

REQUESTS: Final = 400
ROUNDS: Final = 7
BODY: Final = b"x" * 400
HEAD: Final = (
    b"HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Sat, 21 Nov 2026 09:00:00 GMT\r\nContent-Type: text/javascript\r\n"
    b'Content-Length: 400\r\nCache-Control: no-cache\r\nETag: "abc"\r\nVary: Origin\r\n'
    b"Access-Control-Allow-Origin: https://localhost:8080\r\nX-Powered-By: Express"
)
_FIELDS: Final = [
    (name.lower(), value) for line in HEAD.split(b"\r\n")[1:] for name, _, value in (line.partition(b": "),)
]
_LEFT_OUT: Final = (b"host", b"connection")
GREETING: Final = frames.PREFACE + frames.write_settings(()) + frames.write_window_update(0, 1 << 30)


def requests(count: int) -> list[bytes]:
    """Return HEADERS for `count` modules of a page, in the order in which one connection carries them."""
    encoder = hpack.Encoder()
    found = []
    for number in range(count):
        start, *lines = traffic.module_request(number).removesuffix(b"\r\n\r\n").split(b"\r\n")
        path = encoder.huffman_coder.encode(start.split(b" ")[1])
        block = encoder.encode([(b":method", b"GET"), (b":authority", b"localhost:8080"), (b":scheme", b"https")])
        block += b"\x04" + bytes((0x80 | len(path),)) + path
        fields: list[tuple[bytes, bytes]] = []
        for line in lines:
            name, _, value = line.partition(b": ")
            values = value.split(b"; ") if name == b"Cookie" else [value]
            fields += [(name.lower(), one) for one in values if name.lower() not in _LEFT_OUT]
        found.append(frames.write_headers(2 * number + 1, block + encoder.encode(fields), frames.END_STREAM))
    return found


def run_own(sent: Sequence[bytes]) -> None:
    """Answer the requests in `sent` by our own code."""
    server = ServerConnection(Limits())
    server.receive(GREETING)
    for octets in sent:
        for event in server.receive(octets):
            if isinstance(event, RequestReceived):
                server.respond(event.stream_id, HEAD.split(b"\r\n"), BODY, True)
        server.take()


def run_h2(sent: Sequence[bytes]) -> None:
    """Do the same by `h2`."""
    server = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding=None))
    server.initiate_connection()
    server.receive_data(GREETING)
    for octets in sent:
        for event in server.receive_data(octets):
            if isinstance(event, h2.events.RequestReceived):
                server.send_headers(event.stream_id, [(b":status", b"200"), *_FIELDS])
                server.send_data(event.stream_id, BODY, end_stream=True)
        server.data_to_send()


def _us(run: Callable[[Sequence[bytes]], None], sent: Sequence[bytes]) -> float:
    started = thread_time()
    run(sent)
    return (thread_time() - started) / len(sent) * 1_000_000


def count_work() -> dict[str, float]:
    """Return the instructions and calls of our own code for each request, when nothing is new."""
    sent = requests(REQUESTS)
    for _ in range(3):
        run_own(sent)
    instructions = _traced(lambda: run_own(sent))
    calls = _profiled(lambda: run_own(sent))
    return {"instructions": instructions / REQUESTS, "calls": calls / REQUESTS}


def main() -> int:
    """Print the table."""
    sent = requests(REQUESTS)
    run_own(sent)
    run_h2(sent)
    times: dict[str, list[float]] = {"devproxy": [], "h2": []}
    for _ in range(ROUNDS):
        times["devproxy"] += [_us(run_own, sent) for _ in range(5)]
        times["h2"].append(_us(run_h2, sent))
    for name, found in times.items():
        print(f"{name:10}{median(found):8.1f} us a request (best {min(found):.1f})")
    work = count_work()
    print(f"{'':10}{work['instructions']:8.0f} instructions, {work['calls']:.0f} calls of devproxy's")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
