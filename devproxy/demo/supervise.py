"""The demo from start to end: two servers up, devproxy in front, everything down again.

The children hold a pipe to this process as their standard input and leave when it closes, so that none outlives the
demo, whichever way the demo ends.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Final

from devproxy.config.model import Listen
from devproxy.errors import BindError, DevproxyError
from devproxy.gateway.front.bind import bind
from devproxy.platforms.children import own_group
from devproxy.platforms.screen import has_screen

FIRST_PORT: Final = 8080
LAST_PORT: Final = 8099
STOP_TIMEOUT_S: Final = 3.0
OPEN_TIMEOUT_S: Final = 15.0

Up = Callable[[Sequence[str]], int]
"""Runs ``devproxy up`` with these arguments until it is stopped, and returns its exit code."""


class DemoUnavailableError(DevproxyError):
    """The demo cannot run. ``what`` and ``help``: two lines for a person."""

    def __init__(self, what: str, help: str) -> None:
        super().__init__(what)
        self.what = what
        self.help = help


@dataclass(frozen=True, slots=True)
class Servers:
    """The ports, on 127.0.0.1, of the two servers behind devproxy."""

    page_port: int
    backend_port: int


def run(up: Up, *, listen: str = "", open_browser: bool = True, options: Sequence[str] = ()) -> int:
    """Run the demo until it is stopped and return an exit code: 0 after Ctrl-C, 1 when it could not start.

    `up`: see :data:`Up`; the demo adds the arguments it needs and passes `options` on as they are. `listen`: as for
    ``devproxy up``; empty means localhost:8080 or, when that is taken, the next free port. `open_browser`: show the
    page in a browser when there is a screen.
    """
    try:
        with servers() as behind:
            address = listen or f"localhost:{free_port()}"
            arguments = ["--frontend", str(behind.page_port), "--backend", str(behind.backend_port)]
            arguments += ["--listen", address, *options]
            _say(introduction(behind, address, arguments))
            if open_browser and not listen and _has_screen():
                threading.Thread(target=_open_when_ready, args=(f"http://{address}/",), daemon=True).start()
            return up(arguments)
    except DemoUnavailableError as error:
        _say(f"error: {error.what}\nhelp: {error.help}\n")
        return 1
    except KeyboardInterrupt:  # before `up` has taken over the signals
        return 0


@contextmanager
def servers() -> Iterator[Servers]:
    """Start the page server and the backend; stop both on the way out.

    Raises :class:`DemoUnavailableError` when python-socketio is missing or a server does not start.
    """
    if importlib.util.find_spec("socketio") is None:
        raise DemoUnavailableError(
            "`devproxy demo` needs python-socketio, which is not installed",
            "in the checkout of devproxy, run `pip install -e '.[demo]'` (or `make demo`, which does it for you)",
        )
    with ExitStack() as stack:
        backend = stack.enter_context(_child("devproxy.demo.backend"))
        backend_port = _announced_port(backend, "the backend")
        page = stack.enter_context(_child("devproxy.demo.page", str(backend_port)))
        yield Servers(page_port=_announced_port(page, "the page server"), backend_port=backend_port)


def free_port() -> int:
    """Return the first port from 8080 on that is free on every address of localhost."""
    for port in range(FIRST_PORT, LAST_PORT + 1):
        try:
            sockets = bind([Listen(host="localhost", port=port)])
        except BindError:
            continue
        for sock in sockets:
            sock.close()
        if port != FIRST_PORT:
            _say(f"\n  port {FIRST_PORT} is taken, so the demo listens on {port}\n")
        return port
    raise DemoUnavailableError(
        f"the ports {FIRST_PORT} to {LAST_PORT} are all taken", "choose one: `devproxy demo --listen localhost:9000`"
    )


def introduction(behind: Servers, address: str, arguments: Sequence[str]) -> str:
    """Return what is printed before devproxy's own banner."""
    shown = f"http://{address}/" if not address.endswith(":0") else "the address below"
    return (
        f"\n  devproxy demo: open {shown}\n\n"
        f"  page      http://localhost:{behind.page_port}   a stand-in for your dev server\n"
        f"  backend   http://localhost:{behind.backend_port}   python-socketio, with no CORS setting at all\n"
        f"  command   devproxy up {' '.join(arguments)}\n"
        "  stop      Ctrl-C\n"
    )


@contextmanager
def _child(module: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``python -m module``; on the way out close its standard input, and end it if that is not enough."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        **own_group(),  # a terminal's Ctrl-C is for devproxy; the children follow it
    )
    try:
        yield process
    finally:
        assert process.stdin is not None
        assert process.stdout is not None
        with suppress(BrokenPipeError):
            process.stdin.close()
        process.stdout.close()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _announced_port(process: subprocess.Popen[bytes], who: str) -> int:
    """Wait for the line on which a child announces its port; it ends on its own if it cannot."""
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line.strip().isdigit():
        raise DemoUnavailableError(
            f"{who} of the demo did not start (exit code {process.wait()})", "its own words are above"
        )
    return int(line)


def _open_when_ready(url: str) -> None:
    """Open `url` in a browser as soon as devproxy answers there; give up quietly after a while."""
    import urllib.request  # brings ssl, which nothing else in this process needs
    import webbrowser

    deadline = time.monotonic() + OPEN_TIMEOUT_S
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url + "__devproxy/health", timeout=1.0):
                webbrowser.open(url)
                return
        except OSError:
            time.sleep(0.1)


def _has_screen() -> bool:
    """Return whether a graphical browser can be expected; text browsers would take the terminal over."""
    return sys.stderr.isatty() and has_screen()


def _say(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()
