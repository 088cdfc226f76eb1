"""What is told while devproxy serves because of what is around it: each once, off the loop, and from what is seen.

Two things: a frontend that may have the API route which the backend has not (:class:`ApiHint`), and a server of this
machine that is another checkout's (:class:`FolderHint`). What they mean is decided in :mod:`devproxy.policy`. Start at
:class:`Hints`.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from functools import partial
from typing import Final, TypeVar

from devproxy.authority.networks import is_loopback
from devproxy.cli.refusal import Refused
from devproxy.config import COMMAND_LINE, Config
from devproxy.events import Event, Evidence, Observer, Tell, Trouble, UpstreamState, Wants
from devproxy.gateway.app import Gateway
from devproxy.gateway.shared.observers import Observation
from devproxy.http1.start_line import Limits
from devproxy.platforms.holders import holder_of
from devproxy.policy.folders import Place, advice_on_folder

MAX_TRIES: Final = 3
"""How often a frontend that gives no answer is asked what it is."""
_PAGE: Final = (
    b"GET / HTTP/1.1\r\nHost: %s\r\nAccept: text/html\r\nAccept-Encoding: identity\r\nConnection: close\r\n\r\n"
)
_MAX_LEVELS: Final = 64


_Found = TypeVar("_Found")


class Hints:
    """The hints of one gateway. Needs a running loop, in whose thread all of it is."""

    def __init__(self, gateway: Gateway, config: Callable[[], Config]) -> None:
        self._api = ApiHint(gateway, config(), gateway.tell) if may_shadow(config()) else None
        self._folder = FolderHint(gateway, config, gateway.tell)

    def close(self) -> None:
        """Watch no more."""
        self._folder.close()
        if self._api is not None:
            self._api.close()


def may_shadow(config: Config) -> bool:
    """Tell whether ``/api/`` goes to the backend because nothing else was said, while there is a frontend."""
    if config.source != COMMAND_LINE or len(config.upstreams) < 2:
        return False
    return "--backend-path" not in config.said.values()


class _Hint:
    """What both have: an observation, and looks that run in threads and whose findings come back."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._observation: Observation | None = None

    def close(self) -> None:
        """Watch no more; what a thread still finds is told to no one."""
        if self._observation is not None:
            self._observation.close()
        for task in self._tasks:
            task.cancel()

    def _start(self, looking: Callable[[], _Found], take: Callable[[_Found], None]) -> None:
        async def look() -> None:
            take(await asyncio.to_thread(looking))

        task = asyncio.get_running_loop().create_task(look())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class ApiHint(_Hint):
    """Waits for the first 404 of the backend below ``/api/``, and then asks the frontend once what it is."""

    def __init__(self, gateway: Gateway, config: Config, tell: Tell) -> None:
        super().__init__()
        self._config = config
        self._tell = tell
        self._left = MAX_TRIES
        self._observation = gateway.observe(Observer(self._see, Wants.EVIDENCE))

    def _see(self, event: Event) -> None:
        if not isinstance(event, Evidence) or self._tasks or self._left <= 0:
            return
        capture = event.capture
        if capture.plan is None or capture.response is None or capture.response.status != 404:
            return
        from devproxy.policy.frontend_routes import is_below_api  # few backends answer so

        path = capture.request.path.partition(b"?")[0]
        if capture.plan.compiled.upstream == "backend" and is_below_api(path):
            self._left -= 1
            self._start(partial(self._look, capture.request.method, path), self._told)

    def _look(self, method: bytes, path: bytes) -> Trouble | None:
        """Ask the frontend for its page. Raises nothing: what gives no answer is asked again at the next 404."""
        from devproxy.cli.probing import Asked, head_of_answer  # few frontends are asked
        from devproxy.policy.frontend_routes import advice_on_api, framework_of

        upstream = self._config.upstream("frontend")
        asked = Asked(upstream.servers[0], upstream, os.getcwd())
        try:
            head, body = head_of_answer(asked, _PAGE % _host_of(upstream.servers[0].url), Limits())
        except (Refused, OSError):
            return None
        self._left = 0  # it has said what it is
        framework = framework_of(tuple((line.name, line.value) for line in head.fields), body)
        return Trouble(*advice_on_api(framework, method, path)) if framework else None

    def _told(self, found: Trouble | None) -> None:
        if found is not None:
            self._tell(found)
        if self._left <= 0:
            self.close()


def _host_of(url: str) -> bytes:
    return url.partition("://")[2].encode("idna" if not url.isascii() else "ascii") or b"localhost"


class FolderHint(_Hint):
    """Whenever a server of this machine comes up, looks whose program answers there.

    Where the system does not tell, as of another user's programs and from within some containers, nothing is said.
    """

    def __init__(self, gateway: Gateway, config: Callable[[], Config], tell: Tell) -> None:
        super().__init__()
        self._config = config
        self._tell = tell
        self._folders: dict[tuple[str, str], str] = {}
        self._observation = gateway.observe(Observer(self._see, Wants.NOTHING))

    def _see(self, event: Event) -> None:
        if not isinstance(event, UpstreamState) or not event.is_up:
            return
        host, _, port = event.address.rpartition(":")
        if port.isdecimal() and is_loopback(host.strip("[]")):
            config = self._config()
            folder = os.path.dirname(os.path.abspath(config.source)) if config.source != COMMAND_LINE else _here()
            look = partial(_look_at, event.upstream, event.server, int(port), folder)
            self._start(look, partial(self._note, (event.upstream, event.server)))

    def _note(self, key: tuple[str, str], found: tuple[str, Trouble | None]) -> None:
        """Tell what was found, unless the server that was there before was of the same folder, so only restarted."""
        folder, trouble = found
        known = self._folders.get(key)
        self._folders[key] = folder
        if trouble is not None and folder != known:
            self._tell(trouble)


def _look_at(upstream: str, url: str, port: int, folder: str) -> tuple[str, Trouble | None]:
    """Return the folder of the program that listens on `port`, and what to tell of it. `folder`: the project's."""
    holder = holder_of(port)
    if holder is None or not holder.folder:
        return "", None
    program = f"{holder.name} (pid {holder.pid})"
    advice = advice_on_folder(upstream, url, program, place_of_folder(holder.folder), place_of_folder(folder))
    return holder.folder, None if advice is None else Trouble(*advice)


def place_of_folder(folder: str) -> Place:
    """Return `folder` with the checkout that it is in: the nearest folder, itself or above, that has a ``.git``."""
    if not folder:
        return Place("")
    root = os.path.realpath(folder)
    for _ in range(_MAX_LEVELS):
        mark = os.path.join(root, ".git")
        if os.path.isdir(mark):
            return Place(folder, root, os.path.realpath(mark))
        if os.path.isfile(mark):
            return Place(folder, root, _repository(mark))
        above = os.path.dirname(root)
        if above == root:
            break
        root = above
    return Place(folder)


def _repository(mark: str) -> str:
    """Return where the history of a worktree is, whose ``.git`` is a file: ``gitdir: REPOSITORY/worktrees/NAME``."""
    try:
        with open(mark, encoding="utf-8", errors="replace") as file:
            text = file.read(4096).strip()
    except OSError:
        return ""
    named = os.path.join(os.path.dirname(mark), text.removeprefix("gitdir:").strip().replace("\0", ""))
    return os.path.realpath(named.partition("/worktrees/")[0])


def _here() -> str:
    try:
        return os.getcwd()
    except OSError:
        return ""  # it has been deleted
