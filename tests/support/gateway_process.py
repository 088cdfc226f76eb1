"""devproxy itself as a user starts it: a separate process, its events as JSON, and the rules every run of it must keep.

Owns: starting ``devproxy up --log json`` on a port the system chooses, reading its events, and ending it with SIGTERM
while checking that it ended well. Never: imports devproxy. Start reading at :class:`GatewayProcess`.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from tests.support.processes import PATIENCE_S, Json, Program, parsed

ROOT = Path(__file__).resolve().parent.parent.parent
INSTALLED = shlex.split(os.environ.get("DEVPROXY_COMMAND", ""))
"""``DEVPROXY_COMMAND=devproxy`` runs the same tests against an installed devproxy instead of this checkout."""
COMMAND = INSTALLED or [sys.executable, "-m", "devproxy"]
CHOSEN_LOOP = os.environ.get("TESTS_LOOP", "")
"""The event loop that `make test-matrix` chooses for processes: ``asyncio`` or ``uvloop``; empty: their own choice."""
SEARCHED = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
ENVIRONMENT = {} if INSTALLED else {"PYTHONPATH": os.pathsep.join(SEARCHED)}


class GatewayProcess:
    """A running ``devproxy up``. ``url`` ends with ``/``; ``origin`` does not."""

    def __init__(self, *arguments: str | Path, cwd: Path | None = None) -> None:
        command = [*COMMAND, "up", "--listen", "localhost:0", "--log", "json", *arguments]
        if CHOSEN_LOOP and "--loop" not in arguments:
            command += ["--loop", CHOSEN_LOOP]
        self.program = Program(command, name="devproxy", cwd=cwd, environment=ENVIRONMENT)
        try:
            ready = self.program.json_line(lambda event: event.get("event") == "ready", "that it is ready")
        except BaseException:
            self.program.stop()
            raise
        self.url: str = ready["urls"][0]
        parts = urlsplit(self.url)
        assert parts.hostname is not None
        assert parts.port is not None
        self.host: str = parts.hostname
        self.port: int = parts.port
        self.origin = f"{parts.scheme}://{parts.netloc}"

    def events(self, kind: str) -> list[Json]:
        """Every event of a kind so far: ``exchange_finished``, ``tunnel_opened``, …"""
        return [event for line in list(self.program.out) if (event := parsed(line)) and event.get("event") == kind]

    def event(self, kind: str, matches: Callable[[Json], bool], what: str, *, timeout_s: float = PATIENCE_S) -> Json:
        """Wait for the first event of a kind that ``matches``."""
        return self.program.json_line(
            lambda event: event.get("event") == kind and matches(event), what, timeout_s=timeout_s
        )

    def stop(self, *, told: str = "") -> None:
        """End it with SIGTERM; fail unless it ended with 0 having printed events only, and no trouble among them.

        ``told``: words of trouble that is expected.
        """
        code = self.program.stop()
        said = "\n".join([*self.program.out[-60:], *self.program.err[-60:]])
        assert code == 0, f"devproxy ended with {code} after SIGTERM:\n{said}"
        strays = [line for line in self.program.out if parsed(line) is None]
        assert not strays, f"devproxy printed something that is no event: {strays[:60]}"
        assert not self.program.err, f"devproxy printed to standard error: {self.program.err[:5]}"
        troubles = [event for event in self.events("trouble") if not told or told not in event["what"]]
        assert not troubles, f"devproxy reported trouble: {troubles}"


def one_origin(*, frontend: str = "", backend: str = "", backend_paths: Sequence[str] = ()) -> list[str]:
    """The arguments of ``devproxy up`` for the simple case; addresses are a port, ``host:port`` or a URL."""
    pairs = [("--frontend", frontend), ("--backend", backend), *(("--backend-path", path) for path in backend_paths)]
    return [word for option, value in pairs if value for word in (option, value)]
