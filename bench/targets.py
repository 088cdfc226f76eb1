"""The processes of a run: the upstreams, and each proxy in a folder of its own."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench import upstreams
from bench.measure import Failed, cpu_s, family
from bench.peers import Peer, Ports

START_LIMIT_S: Final = 20
STOP_LIMIT_S: Final = 5


def free_port() -> int:
    """Return a port that is free and below the ephemeral range, where a client's socket could connect to itself."""
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket() as sock, contextlib.suppress(OSError):
            sock.bind(("127.0.0.1", port))
            return port


@contextlib.contextmanager
def process(command: Sequence[str], port: int) -> Iterator[int]:
    """Run `command` until it listens on `port`; give its process id; stop it, and it alone, at the end."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        try:
            wait_for(port, child)
            yield child.pid
        finally:
            stop(child)


def stop(child: subprocess.Popen[bytes]) -> None:
    """End `child`, at once if need be: some wait for connections that nobody will close."""
    child.terminate()
    try:
        child.wait(STOP_LIMIT_S)
    except subprocess.TimeoutExpired:
        child.kill()


def wait_for(port: int, child: subprocess.Popen[bytes]) -> None:
    """Wait until somebody listens on `port`. Raises :class:`~bench.measure.Failed`."""
    deadline = time.monotonic() + START_LIMIT_S
    while child.poll() is None and time.monotonic() < deadline:
        with socket.socket() as sock, contextlib.suppress(OSError):
            sock.connect(("127.0.0.1", port))
            return
        time.sleep(0.01)
    raise Failed(f"nothing listens on port {port}: {child.args!r}")


@dataclass(frozen=True)
class Upstreams:
    """The two servers behind every proxy (see :mod:`bench.upstreams`): ports, process ids, and a folder to write to."""

    work: Path
    files: int
    streams: int
    pids: tuple[int, ...] = field(compare=False)


@contextlib.contextmanager
def running_upstreams(work: Path) -> Iterator[Upstreams]:
    """Run both upstreams."""
    files, streams = free_port(), free_port()
    config = work / "upstream.conf"
    config.write_text(upstreams.nginx_config(work, files))
    with (
        process(["nginx", "-c", str(config)], files) as first,
        process([sys.executable, "-m", "bench.streams", str(streams)], streams) as second,
    ):
        yield Upstreams(work, files, streams, (first, second))


@dataclass(frozen=True)
class Target:
    """A proxy that runs: whose, where it listens, its process id, and the folder with its configuration."""

    peer: Peer
    port: int
    pid: int
    folder: Path
    upstreams: Upstreams

    def cpu_s(self) -> float:
        """Return the CPU seconds that all its processes have used. Raises :class:`~bench.measure.Failed`."""
        try:
            return cpu_s(family(self.pid))
        except OSError as error:
            raise Failed(f"{self.peer.name} has ended: {error}") from None

    @contextlib.contextmanager
    def another(self) -> Iterator[Target]:
        """Run a second one, which has done nothing yet."""
        with running(self.peer, self.upstreams) as target:
            yield target


@contextlib.contextmanager
def running(peer: Peer, behind: Upstreams) -> Iterator[Target]:
    """Run `peer` in front of the upstreams `behind`."""
    port, folder, command = prepared(peer, behind)
    with process(command, port) as pid:
        yield Target(peer, port, pid, folder, behind)


def prepared(peer: Peer, behind: Upstreams) -> tuple[int, Path, list[str]]:
    """Return a port for `peer`, a folder of its own with its configuration, and the command that starts it."""
    port = free_port()
    folder = behind.work / f"{peer.name}-{port}"
    folder.mkdir()
    folder.chmod(0o755)
    return port, folder, peer.command(folder, Ports(port, behind.files, behind.streams))


@contextlib.contextmanager
def on_own_cores(target: Target) -> Iterator[None]:
    """Give the proxy a core of its own; the upstreams, and what is started meanwhile, share the others.

    Does nothing where there is only one core.
    """
    cores = os.sched_getaffinity(0)
    if len(cores) < 2:
        yield
        return
    proxy, others = {min(cores)}, cores - {min(cores)}
    behind = [pid for one in target.upstreams.pids for pid in family(one)]
    _pin(family(target.pid), proxy)
    _pin([*behind, os.getpid()], others)
    try:
        yield
    finally:
        _pin([*family(target.pid), *behind, os.getpid()], cores)


def _pin(pids: Sequence[int], cores: set[int]) -> None:
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(ProcessLookupError):  # a thread that has just ended
                os.sched_setaffinity(int(task.name), cores)
