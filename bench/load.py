"""Running the load: wrk for requests, :mod:`bench.clients` for everything else, each in a process of its own."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Final

from bench.measure import Failed
from bench.peers import TLS_PORT
from bench.targets import Target

MIB: Final = 1 << 20
CLIENT_LIMIT_S: Final = 40
SCRIPT: Final = Path(__file__).parent / "vary.lua"


class Speech(StrEnum):
    """What a client speaks."""

    PLAIN = "plain"
    TLS = "tls"
    """HTTP/1.1 over TLS."""
    HTTP2 = "h2"
    """HTTP/2 over TLS."""


@dataclass(frozen=True)
class Done:
    """What a load did: units of work, seconds, and what went wrong ("" for nothing).

    ``figure``: what the client itself has measured, where that is what its row shows, in the row's unit. ``cpu_s``: of
    the proxy meanwhile.
    """

    units: float
    seconds: float
    error: str = ""
    figure: float = 0.0
    cpu_s: float = 0.0


def port_of(target: Target, speech: Speech) -> int:
    """Return where `target` speaks that."""
    return target.port if speech is Speech.PLAIN else int((target.folder / TLS_PORT).read_text())


def speeches(target: Target) -> tuple[Speech, ...]:
    """Return what `target` speaks."""
    return tuple(Speech) if (target.folder / TLS_PORT).exists() else (Speech.PLAIN,)


def wrk(target: Target, path: str, *, connections: int, seconds: float, speech: Speech = Speech.PLAIN) -> Done:
    """Send GETs as fast as they are answered; units are requests. Raises :class:`Failed`."""
    front = f"{'http' if speech is Speech.PLAIN else 'https'}://127.0.0.1:{port_of(target, speech)}"
    command = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s"]
    if not path:
        command += ["-s", str(SCRIPT)]
    before = target.cpu_s()
    try:
        result = subprocess.run([*command, f"{front}{path or '/'}"], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise Failed("wrk is not installed") from None
    used = target.cpu_s() - before
    text = result.stdout
    found = re.search(r"(\d+) requests in ([\d.]+)s", text)
    if found is None:
        raise Failed((result.stderr or text).strip())
    if bad := re.search(r"(Non-2xx.*|Socket errors.*)", text):
        raise Failed(bad[0])
    return _checked(Done(int(found[1]), float(found[2]), cpu_s=used))


def client(
    kind: str,
    target: Target,
    *,
    seconds: float,
    ready: Callable[[], None] = lambda: None,
    speech: Speech = Speech.PLAIN,
    **options: int | str,
) -> Done:
    """Run a client of :mod:`bench.clients` against `target`; `ready` is called when it is about to begin.

    Raises :class:`Failed`.
    """
    command = [sys.executable, "-m", "bench.clients", kind, str(port_of(target, speech)), "--seconds", str(seconds)]
    command += ["--speech", speech]
    command += [part for name, value in options.items() for part in (f"--{name}", str(value))]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stderr is not None
        limit = threading.Timer(CLIENT_LIMIT_S, child.kill)
        limit.start()
        try:
            if child.stdout.readline() != "ready\n":
                raise Failed(_last_line(child.stderr.read()))
            ready()
            before = target.cpu_s()
            child.stdin.write("go\n")
            child.stdin.flush()
            line = child.stdout.readline()
            used = target.cpu_s() - before
            if not line:
                raise Failed(_last_line(child.stderr.read()))
            return _checked(replace(Done(**json.loads(line)), cpu_s=used))
        finally:
            limit.cancel()
            child.stdin.close()


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else f"the load client did not end within {CLIENT_LIMIT_S} s"


def _checked(done: Done) -> Done:
    if done.error or not done.units:
        raise Failed(done.error or "no work was done")
    return done
