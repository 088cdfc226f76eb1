"""The inspector of a devproxy that serves: its recorder, its private socket, and the thread that begins with a visit.

Until the first visit there is no more than a recorder and a socket that listens: the visit waits in its backlog while
a thread imports the server. Why: ADR 0014. Start at :func:`open_inspector`.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from typing import TYPE_CHECKING, Any, Final

from devproxy.config.model import Scheme, ServerAddress
from devproxy.events import ConfigApplied, Event, Observer, Trouble, Wants
from devproxy.http.own import RESERVED_PREFIX
from devproxy.inspector.recorder import Recorder
from devproxy.plan.pages import PagesServer
from devproxy.platforms.loops import Readiness
from devproxy.platforms.private import bind, path_of

if TYPE_CHECKING:
    from devproxy.config.model import Config
    from devproxy.gateway.app import Gateway
    from devproxy.inspector.live import Live

SWITCH_S: Final = 0.0005
"""How long the inspector's thread may keep the interpreter's lock while the gateway waits for it (`sys`:
``setswitchinterval``). The default, 5 ms, would be felt by every exchange, several times."""
NO_INSPECTOR: Final = {"socket": "", "port": 0, "secret": "", "key": "", "url": ""}
"""What the runtime socket says where there is none."""
STOP_S: Final = 0.3
"""How long a stop waits for the pages' streams to end."""


def open_inspector(*, folder: str | None = None) -> Inspector | None:
    """Return an inspector that listens: on a Unix socket or, where there is no place for one, on a loopback port.

    Either way it answers only what the gateway sends. None where the system gives neither.
    """
    name = f"{os.getpid()}.inspector.sock"
    with suppress(OSError):
        return Inspector(bind(name, folder=folder), path_of(name, folder=folder))
    with suppress(OSError):
        sock = socket.create_server(("127.0.0.1", 0))
        sock.setblocking(False)
        return Inspector(sock, "")
    return None


class Inspector:
    """Takes over `sock`, which listens at `path`; empty: it is a port.

    ``key``: opens everything. ``pages``: how the gateway reaches it.
    """

    def __init__(self, sock: socket.socket, path: str) -> None:
        self._socket = sock
        self._path = path
        self.key = os.urandom(12).hex()
        self._secret = os.urandom(16).hex()
        self._live: Live | None = None
        self._thread: Thread | None = None
        self._recorder: Recorder | None = None
        if path:
            address = ServerAddress(scheme=Scheme.UNIX, host="localhost", port=0, url=f"unix:{path}", path=path)
        else:
            port = sock.getsockname()[1]
            address = ServerAddress(scheme=Scheme.HTTP, host="127.0.0.1", port=port, url=f"http://127.0.0.1:{port}")
        self.pages = PagesServer(address, self._secret)

    def link(self, url: str) -> str:
        """Return the address of the page at `url`, devproxy's own, with the key."""
        return f"{url.rstrip('/')}{RESERVED_PREFIX}#key={self.key}"

    def answer(self, gateway: Gateway) -> dict[str, Any]:
        """Return what the runtime socket says of it."""
        if not gateway.snapshot.config.inspector.enabled:
            return dict(NO_INSPECTOR)
        return {
            "socket": self._path,
            "port": self.pages.server.port,
            "secret": self._secret,
            "key": self.key,
            "url": self.link(gateway.urls[0]),
        }

    def attach(self, gateway: Gateway, about: dict[str, Any], text: Callable[[], bytes | None] = lambda: None) -> None:
        """Keep what `gateway` tells from now on, and wait for the first visit; in the loop's thread.

        `about`: what ``api/about`` says of this process. `text`: gives the text of the file in force.
        """
        self._text = text
        self._gateway = gateway
        self._about = {**about, "epoch": os.urandom(4).hex()}
        self._loop = asyncio.get_running_loop()
        self._visit = Readiness(self._loop, self._socket, self._begin)
        gateway.observe(Observer(self._follow, Wants.NOTHING))
        self._settle(gateway.snapshot.config)

    async def close(self) -> None:
        """Have the pages' streams end, for a moment at most, and remove the socket; in the loop's thread."""
        if self._path:
            with suppress(OSError):
                os.unlink(self._path)
        if self._thread is None:
            self._visit.cancel()
            self._socket.close()
        if self._live is None:
            return
        self._live.stop_soon()
        if self._live.looking:
            with suppress(TimeoutError):
                async with asyncio.timeout(STOP_S):
                    await self._live.all_gone.wait()
            await asyncio.sleep(0.01)  # what the streams said last is on its way

    def _follow(self, event: Event) -> None:
        if isinstance(event, ConfigApplied):
            self._settle(self._gateway.snapshot.config)

    def _settle(self, config: Config) -> None:
        """Keep as much as `config` says."""
        wanted = config.inspector
        if not wanted.enabled and self._live is None:
            if self._recorder is not None:
                self._recorder.close()
                self._recorder = None
            return
        if self._recorder is None:
            self._recorder = Recorder(self._gateway, max_bytes=wanted.max_mib << 20)
        self._recorder.limit(wanted.max_mib << 20)
        if self._live is not None:
            self._live.captures = wanted.capture and wanted.enabled
            self._live.settle()
        elif wanted.capture:
            self._recorder.capture(has_reader=False)
        else:
            self._recorder.stop_capturing()

    def _begin(self) -> None:
        """The first visit is there: start the thread that serves it."""
        if self._recorder is None:
            self._recorder = Recorder(self._gateway, max_bytes=self._gateway.snapshot.config.inspector.max_mib << 20)
        self._thread = Thread(target=self._run, args=(self._recorder,), name="devproxy-inspector", daemon=True)
        self._thread.start()

    def _run(self, recorder: Recorder) -> None:
        sys.setswitchinterval(SWITCH_S)
        try:
            from devproxy.inspector.live import Live
            from devproxy.inspector.server import serve

            captures = self._gateway.snapshot.config.inspector.capture
            self._live = Live(self._gateway, recorder, self._loop, captures=captures, text=self._text)
            asyncio.run(serve(self._socket, self._live, key=self.key, secret=self._secret, about=self._about))
        except Exception as error:
            self._socket.close()
            trouble = Trouble(
                f"the inspector has ended: {type(error).__name__}: {error}",
                "this is a bug in devproxy: please report it; everything else goes on",
            )
            with suppress(RuntimeError):  # the loop has ended as well
                self._loop.call_soon_threadsafe(self._gateway.tell, trouble)
