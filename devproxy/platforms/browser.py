"""A browser for a person who asked for one, where there is a screen to show it on.

What is run is decided in :func:`way_to_open`, without I/O. Start at :func:`open_page`.
"""

from __future__ import annotations

import asyncio
import os
import shlex
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from devproxy.platforms.container import is_in_container
from devproxy.platforms.system import SYSTEM

_PATIENCE_S: Final = 5.0
"""How long a program that opens pages may take to fail; a browser that runs on has not failed."""
_LINUX: Final = (("xdg-open",), ("gio", "open"), ("x-www-browser",), ("firefox",), ("chromium",), ("google-chrome",))


class Way(NamedTuple):
    """``command``: what opens the page; empty: nothing does, and ``why``."""

    command: tuple[str, ...]
    why: str = ""


def way_to_open(
    url: str,
    environment: Mapping[str, str],
    platform: str,
    *,
    in_container: bool,
    is_there: Callable[[str], bool],
) -> Way:
    """Return what opens `url`. ``BROWSER`` says it first: a command, ``%s`` in it is the address; ``none``: nothing.

    `is_there`: tells whether a program is on ``PATH``.
    """
    chosen = environment.get("BROWSER", "")
    if chosen.lower() == "none":
        return Way((), "BROWSER=none")
    if chosen:
        return _of_variable(chosen.split(os.pathsep)[0], url)
    if environment.get("CI"):
        return Way((), "this is CI")
    if environment.get("WSL_DISTRO_NAME"):
        if is_there("wslview"):
            return Way(("wslview", url))
        return Way(("powershell.exe", "-NoProfile", "-Command", f"Start-Process '{url}'"))
    if platform == "darwin":
        return Way(("open", url))
    if platform == "win32":
        return Way(("rundll32", "url.dll,FileProtocolHandler", url))
    if in_container:
        return Way((), "devproxy runs in a container")
    if not (environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY")):
        return Way((), "there is no display here")
    for command in _LINUX:
        if is_there(command[0]):
            return Way((*command, url))
    return Way((), "there is neither xdg-open nor a browser on PATH")


def _of_variable(chosen: str, url: str) -> Way:
    try:
        words = shlex.split(chosen)
    except ValueError:
        words = []
    if not words:
        return Way((), "BROWSER is no command")
    if any("%s" in word for word in words):
        return Way(tuple(word.replace("%s", url) for word in words))
    return Way((*words, url))


async def open_page(url: str) -> str:
    """Open `url`; return why that cannot be, or an empty string."""
    from shutil import which  # brings compression, which nothing else here needs

    way = way_to_open(
        url,
        os.environ,
        SYSTEM,
        in_container=is_in_container(),
        is_there=lambda name: which(name) is not None,
    )
    if not way.command:
        return way.why
    null = asyncio.subprocess.DEVNULL
    try:
        # In a session of its own: neither Ctrl-C nor the end of devproxy is meant for the browser.
        process = await asyncio.create_subprocess_exec(
            *way.command, stdin=null, stdout=null, stderr=null, start_new_session=True
        )
    except OSError as error:
        return f"{way.command[0]} cannot be run: {error.strerror}"
    done, _ = await asyncio.wait((asyncio.ensure_future(process.wait()),), timeout=_PATIENCE_S)
    if done and process.returncode:
        return f"{way.command[0]} ended with status {process.returncode}"
    return ""
