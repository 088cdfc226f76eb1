"""``make soak``, or ``python -m tests.soak [--seconds N]`` (``SOAK_SECONDS``; default 600): runs, then prints a table.
Behind it come requests that never repeat, a million for ten minutes (:mod:`tests.soak.fresh`); ``--fresh N`` sends so
many and does nothing else.

``steady`` is killed and comes back on its port, in turns on 127.0.0.1 and ``::1``; ``moving`` is started anew on
another port and the configuration file is rewritten, now and then after a version of it that does not load; ``chat`` is
a pair of Socket.IO servers with ``sticky = "socketio"``, of which one and then the other is killed and comes back.
Exits with 1 if a client was told something wrong, if something leaked, or if devproxy ended or reported trouble.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.soak.clients import Clients
from tests.soak.fresh import run_fresh
from tests.support.gateway_process import GatewayProcess
from tests.support.processes import Program, wait_for

CLIENTS = {"polls": 60, "sockets": 40, "streams": 30, "uploads": 20}
"""For each of the two servers."""

CHATS = 30
"""Socket.IO clients."""

FRESH, FEW_FRESH = 1_000_000, 150_000
"""Requests that never repeat behind a whole soak, and behind a short one."""
_WHOLE_S = 600

MAX_GROWTH_KIB = 12 * 1024
_SETTLING_S = 2.0
_REST_S = 6.0
_WARM_UP = 0.3
"""Share of the time after which memory must not grow any more."""


class Day:
    """The servers, the file and devproxy; ``happened``: how often what was done to them."""

    def __init__(self, folder: Path) -> None:
        self.happened: Counter[str] = Counter()
        self.uploads: Counter[str] = Counter()
        self._away: dict[str, list[tuple[float, float]]] = {"/steady/": [], "/moving/": [], "/chat/": []}
        self._file = folder / "devproxy.toml"
        self._steady = _backend("127.0.0.1", 0)
        self._moving = _backend("127.0.0.1", 0)
        self._steady_port = _port(self._steady)
        self._chats = [_chat(0), _chat(0)]
        self._chat_ports = [_port(server) for server in self._chats]
        self._write(_port(self._moving))
        self.gateway = GatewayProcess("--config", self._file, cwd=folder)

    def was_away(self, path: str, since: float) -> bool:
        """Tell whether the server at `path` was away at some time since `since`."""
        return any(end + _SETTLING_S >= since for _, end in self._away[path][-3:])

    def restart_steady(self) -> None:
        """Kill the server and start it again after a moment, on the same port but another address."""
        started = time.monotonic()
        self._away["/steady/"].append((started, float("inf")))
        self._kill(self._steady)
        time.sleep(0.5)
        is_second = self.happened["kills and restarts"] % 2 == 0 and _has_ipv6()
        self._steady = _backend("::1" if is_second else "127.0.0.1", self._steady_port)
        _port(self._steady)
        self._away["/steady/"][-1] = (started, time.monotonic())
        self.happened["kills and restarts"] += 1

    def move_moving(self) -> None:
        """Start the server on another port, tell devproxy by the file, and end the old one."""
        if self.happened["moves"] % 2:
            self._file.write_text("[server\n")
            wait_for(lambda: len(self._said("config_rejected")) > self.happened["bad files"], "the bad file's report")
            self.happened["bad files"] += 1
        new = _backend("127.0.0.1", 0)
        applied = len(self._said("config_applied"))
        started = time.monotonic()
        self._away["/moving/"].append((started, float("inf")))
        self._write(_port(new))
        wait_for(lambda: len(self._said("config_applied")) > applied, "the new file to hold")
        old, self._moving = self._moving, new
        time.sleep(1.0)
        self._kill(old)
        self._away["/moving/"][-1] = (started, time.monotonic())
        self.happened["moves"] += 1

    def restart_moving(self) -> None:
        """Kill and restart the moving server where it is."""
        started = time.monotonic()
        port = _port(self._moving)
        self._away["/moving/"].append((started, float("inf")))
        self._kill(self._moving)
        self._moving = _backend("127.0.0.1", port)
        _port(self._moving)
        self._away["/moving/"][-1] = (started, time.monotonic())
        self.happened["kills and restarts"] += 1

    def restart_chat(self) -> None:
        """Kill one of the Socket.IO servers, in turns, and start it again: its sessions are lost, the others stay."""
        started = time.monotonic()
        index = self.happened["kills of a Socket.IO server"] % 2
        self._away["/chat/"].append((started, float("inf")))
        self._kill(self._chats[index])
        time.sleep(0.5)
        self._chats[index] = _chat(self._chat_ports[index])
        _port(self._chats[index])
        self._away["/chat/"][-1] = (started, time.monotonic())
        self.happened["kills of a Socket.IO server"] += 1

    def descriptors(self) -> int:
        """Return how many files devproxy has open."""
        return len(os.listdir(f"/proc/{self.gateway.program.pid}/fd"))

    def descriptors_at_rest(self) -> int:
        """Return how many files are open once that has not changed for longer than a connection is kept idle."""
        count, since = self.descriptors(), time.monotonic()
        while time.monotonic() - since < _REST_S:
            time.sleep(0.1)
            if (now := self.descriptors()) != count:
                count, since = now, time.monotonic()
        return count

    def resident_kib(self) -> int:
        """Return how much memory devproxy holds."""
        status = Path(f"/proc/{self.gateway.program.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0])

    def close(self) -> None:
        """End devproxy, checking that it ends well, then the servers."""
        try:
            self.gateway.stop()
        finally:
            self._kill(self._steady)
            self._kill(self._moving)
            for server in self._chats:
                self._kill(server)

    def _said(self, kind: str) -> list[dict[str, object]]:
        return self.gateway.events(kind)

    def _kill(self, server: Program) -> None:
        server.kill()
        self.uploads.update(line.split(" ")[1] for line in server.out if line.startswith("upload "))

    def _write(self, moving_port: int) -> None:
        text = (
            "[server]\ndrain_s = 1.0\n"
            f'[upstreams.steady]\nservers = ["http://localhost:{self._steady_port}"]\nhold_s = 15.0\n'
            f'[upstreams.moving]\nservers = ["http://127.0.0.1:{moving_port}"]\nhold_s = 15.0\n'
            f"[upstreams.chat]\nservers = {[f'http://127.0.0.1:{port}' for port in self._chat_ports]}\n"
            'sticky = "socketio"\n'
            '[[routes]]\npath = "/chat/"\nupstream = "chat"\n'
            '[[routes]]\npath = "/steady/"\nupstream = "steady"\n'
            '[[routes]]\npath = "/moving/"\nupstream = "moving"\n'
        )
        whole = self._file.with_suffix(".new")
        whole.write_text(text)
        whole.replace(self._file)


def _backend(host: str, port: int) -> Program:
    return Program([sys.executable, "-m", "tests.soak.backend", host, str(port)], name=f"backend on {host}:{port}")


def _chat(port: int) -> Program:
    return Program([sys.executable, "-m", "tests.soak.chat", str(port)], name=f"Socket.IO server on {port}")


def _port(server: Program) -> int:
    return int(server.line("port ").split(" ")[1])


def _has_ipv6() -> bool:
    return Path("/proc/net/if_inet6").exists() and bool(Path("/proc/net/if_inet6").read_text())


async def soak(day: Day, seconds: float) -> int:
    """Let the day pass; print its figures; return the exit code."""
    await asyncio.to_thread(day.move_moving)  # a first reload opens what every later one uses
    before = await asyncio.to_thread(day.descriptors_at_rest)
    clients = Clients("127.0.0.1", day.gateway.port, day.was_away)
    for path in ("/steady/", "/moving/"):
        clients.start(path, **CLIENTS)
    clients.start("/chat/", chats=CHATS)
    started = time.monotonic()
    warm: tuple[int, int] | None = None
    troubles = (day.restart_steady, day.move_moving, day.restart_chat, day.restart_moving)
    turn = 0
    while (passed := time.monotonic() - started) < seconds:
        await asyncio.sleep(min(6.0, seconds / 8))
        if warm is None and passed > seconds * _WARM_UP:
            warm = day.descriptors(), day.resident_kib()
        await asyncio.to_thread(troubles[turn % len(troubles)])
        turn += 1
    await asyncio.sleep(_SETTLING_S)
    assert warm is not None
    end = day.descriptors(), day.resident_kib()
    await clients.stop()
    after = await asyncio.to_thread(day.descriptors_at_rest)
    await asyncio.to_thread(day.close)
    faults = [*clients.wrong, *_faults_of_uploads(clients, day)]
    if end[1] - warm[1] > MAX_GROWTH_KIB:
        faults.append(f"memory grew from {warm[1]} to {end[1]} KiB after the warm-up")
    if after > before:
        faults.append(f"{after} descriptors are open at the end, {before} were at the start")
    _print(clients, day, seconds, (before, warm[0], end[0], after), (warm[1], end[1]), faults)
    return 1 if faults else 0


def _faults_of_uploads(clients: Clients, day: Day) -> list[str]:
    doubled = [f"the upload {name} arrived {count} times" for name, count in day.uploads.items() if count > 1]
    lost = [f"the upload {name} was confirmed and never arrived" for name in clients.uploaded if not day.uploads[name]]
    return doubled + lost


def _print(
    clients: Clients, day: Day, seconds: float, files: tuple[int, ...], memory: tuple[int, int], faults: list[str]
) -> None:
    say = sys.stdout.write
    total = 2 * sum(CLIENTS.values()) + CHATS
    say(f"\nsoak: {seconds:.0f} s, {total} clients at once\n\n")
    say(f"{'':10}{'messages':>12}{'interrupted':>14}\n")
    for kind in ("poll", "echo", "listen", "upload", "chat"):
        counts = clients.counts
        say(f"{kind:10}{counts[f'{kind} messages']:>12,}{counts[f'{kind} interrupted']:>14,}\n")
    say("\n" + ", ".join(f"{name}: {count}" for name, count in sorted(day.happened.items())) + "\n")
    say("descriptors: {} at the start, {} warm, {} at the end, {} when all had left\n".format(*files))
    say(f"over HTTP/2: {clients.counts['by HTTP/2']:,} of the clients' sessions\n")
    say(f"memory: {memory[0] / 1024:.1f} MiB warm, {memory[1] / 1024:.1f} MiB at the end\n")
    say(f"lost, doubled, out of order or otherwise wrong: {len(faults)}\n")
    for fault in faults[:20]:
        say(f"  {fault}\n")
    sys.stdout.flush()


def main() -> int:
    """Run; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=float(os.environ.get("SOAK_SECONDS", "600")))
    parser.add_argument("--fresh", type=int, default=0, help="only send so many requests that never repeat")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.fresh:
            return run_fresh(options.fresh, Path(folder))
        code = asyncio.run(soak(Day(Path(folder)), options.seconds))
        return run_fresh(FRESH if options.seconds >= _WHOLE_S else FEW_FRESH, Path(folder)) or code


if __name__ == "__main__":
    sys.exit(main())
