"""ASGI applications served for a test, by uvicorn in a thread of their own: lifespan, HTTP and WebSockets.

Owns that their exceptions can be seen, and that they are stopped. Logging stays as the test has set it up, and so do
signals. Start at :func:`served`.
"""

from __future__ import annotations

import asyncio
import inspect
import socket
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from devproxy.errors import DevproxyError
from devproxy.testing.threads import LIMIT_S, LoopThread

if TYPE_CHECKING:
    import uvicorn

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]
"""An ASGI 3 application."""

GRACE_S: Final = 1
"""How long a stop waits for requests that run in the application."""
_TURNS_TO_RAISE: Final = 10


class AppFailed(DevproxyError):
    """An application did not start. The exception that it raised, where it raised one, is the cause of this one."""


class ServedApp:
    """An application that runs. ``url``: its own, behind the gateway."""

    def __init__(self, url: str, errors: list[BaseException], thread: LoopThread) -> None:
        self.url = url
        self._errors = errors
        self._thread = thread

    @property
    def errors(self) -> list[BaseException]:
        """What it has raised so far, with what came of requests that have been answered."""
        self._thread.take_turns(_TURNS_TO_RAISE)  # frameworks answer with 500 first
        return self._errors.copy()


def check_app(app: object) -> None:
    """Raise TypeError for what is no ASGI application, with what to do instead."""
    if not callable(app):
        raise TypeError(f"expected an ASGI application, a URL or a port, got {type(app).__name__}")
    try:
        names = list(inspect.signature(app).parameters)
    except (TypeError, ValueError):
        return
    if names == ["environ", "start_response"] or hasattr(app, "wsgi_app"):
        raise TypeError(
            "this is a WSGI application: give the URL of a server that runs it, or wrap it in a2wsgi.WSGIMiddleware"
        )


@contextmanager
def served(app: App) -> Iterator[ServedApp]:
    """Serve `app` on a loopback port that the system chooses, from its lifespan's start-up to its end.

    Raises :class:`AppFailed` where that fails, and ImportError with what to install where uvicorn is missing.
    """
    check_app(app)
    errors: list[BaseException] = []
    sock = socket.create_server(("127.0.0.1", 0))
    try:
        server = _server(_watched(app, errors))
        with LoopThread("devproxy-app") as thread:
            running = thread.run(_begin(server, sock, errors))
            try:
                yield ServedApp(f"http://127.0.0.1:{sock.getsockname()[1]}", errors, thread)
            finally:
                thread.run(_end(server, running), LIMIT_S)
    finally:
        sock.close()


def _server(app: App) -> uvicorn.Server:
    try:
        import uvicorn
    except ImportError as error:
        raise ImportError("to serve an application, devproxy needs uvicorn: pip install uvicorn websockets") from error
    # uvicorn's default reads a part of `websockets` that warns of its end.
    sockets = "websockets-sansio" if find_spec("websockets") else "auto"
    return uvicorn.Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="auto",
            ws=sockets,
            timeout_graceful_shutdown=GRACE_S,
        )
    )


def _watched(app: App, errors: list[BaseException]) -> App:
    """Return `app`, of which every exception is noted in `errors`, too."""

    async def watched(scope: Message, receive: Receive, send: Send) -> None:
        try:
            await app(scope, receive, send)
        except Exception as error:
            # One that knows no lifespan says so by an exception, which means nothing unless the start fails.
            errors.append(error)
            raise

    return watched


async def _begin(server: uvicorn.Server, sock: socket.socket, errors: list[BaseException]) -> asyncio.Task[None]:
    """Return the task that serves, once it accepts clients. Raises :class:`AppFailed`."""
    serving = asyncio.get_running_loop().create_task(_serve(server, sock))
    while not server.started and not serving.done():  # noqa: ASYNC110 (uvicorn tells it by an attribute alone)
        await asyncio.sleep(0.005)
    if not server.started:
        await serving
        raise AppFailed("the application did not start") from next(iter(errors), None)
    errors.clear()
    return serving


async def _serve(server: uvicorn.Server, sock: socket.socket) -> None:
    try:
        await server.serve(sockets=[sock])
    except SystemExit:
        pass  # how it says that the application did not start


async def _end(server: uvicorn.Server, serving: asyncio.Task[None]) -> None:
    server.should_exit = True
    await serving
