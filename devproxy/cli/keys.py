"""What keys do while devproxy runs in a terminal. Start at :func:`pressed` and :class:`Keys`."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from devproxy.events import Note, Tell

_KEYS: Final = {
    "h": "show this help",
    "o": "open the page in a browser",
    "i": "open the inspector, and show its link with the key",
    "r": "read the configuration again, and start programs that have ended",
    "u": "show URLs and routes",
    "c": "clear the terminal",
    "q": "quit",
}
_ALIASES: Final = {"?": "h", "\x0c": "c", "\r": "\n"}
_ESCAPES: Final = re.compile(rb"\x1b(?:\[[0-?]{0,16}[ -/]{0,4}[@-~]?|O.?|.)?", re.DOTALL)
"""What arrows and the like send."""
_MOST_AT_ONCE: Final = 4
"""Most keys that a person types before the first of them is read: more is something that was pasted."""
_PASTE_S: Final = 0.3
"""How long after a piece of what was pasted the next piece may come."""
_PASTE_BEGINS: Final = b"\x1b[200~"
"""What a terminal sends before it where a program has asked for that, which one before may have."""
CLEAR: Final = "\x1b[H\x1b[2J\x1b[3J"


def pressed(typed: bytes) -> list[str]:
    """Return the keys of :class:`Keys` in what was `typed`; ``\\n`` for Return, and nothing for all others."""
    text = _ESCAPES.sub(b"", typed).decode("ascii", "replace").lower()
    keys = [_ALIASES.get(char, char) for char in text]
    return [key for key in keys if key in _KEYS or key == "\n"]


def _is_pasted(typed: bytes) -> bool:
    """Tell whether `typed` was pasted. Keys that are held down, such as Return, are typed."""
    rest = _ESCAPES.sub(b"", typed)
    return _PASTE_BEGINS in typed or (len(rest) > _MOST_AT_ONCE and len({*rest}) > 1)


def help_lines() -> tuple[str, ...]:
    """Return what ``h`` shows."""
    return ("", *(f"  {key}  {what}" for key, what in _KEYS.items()), "  Ctrl-C  stop; twice: at once", "")


class Deeds(NamedTuple):
    """What keys can do. ``page`` and ``inspector``: addresses, that of the inspector with its key, or empty.

    ``reload``: None where there is no file. ``overview``: the lines of the banner, painted. ``can_clear``: lines are
    shown in a terminal.
    """

    page: Callable[[], str]
    inspector: Callable[[], str]
    reload: Callable[[], None] | None
    start_again: Callable[[], None]
    overview: Callable[[], Sequence[str]]
    quit: Callable[[], None]
    can_clear: bool = True


class Keys:
    """Does what keys say by `deeds`; tells the rest. What is pasted is no key: a word with a q in it would end all."""

    def __init__(self, deeds: Deeds, tell: Tell, clock: Callable[[], float] = time.monotonic) -> None:
        self._deeds = deeds
        self._tell = tell
        self._clock = clock
        self._pasted_until = float("-inf")
        self._opening: set[asyncio.Task[None]] = set()

    def press(self, typed: bytes) -> None:
        """Do what was `typed`; in the loop's thread."""
        now = self._clock()
        is_more = now < self._pasted_until
        if is_more or _is_pasted(typed):
            if not is_more:
                self._tell(Note(("what was pasted means nothing here: h for help",)))
            self._pasted_until = now + _PASTE_S
            return
        for key in pressed(typed):
            self._do(key)

    def _do(self, key: str) -> None:
        deeds = self._deeds
        match key:
            case "\n":
                self._tell(Note(("",)))
            case "h":
                self._tell(Note(help_lines()))
            case "o":
                self.open(deeds.page())
            case "i":
                self._inspect(deeds.inspector())
            case "r":
                deeds.start_again()
                if deeds.reload is None:
                    self._tell(Note(("no file to read again: the command line names the servers",)))
                else:
                    deeds.reload()
            case "u":
                self._tell(Note(tuple(deeds.overview()), is_painted=True))
            case "c":
                if deeds.can_clear:
                    self._tell(Note((CLEAR,), is_painted=True))
            case "q":
                deeds.quit()

    def _inspect(self, link: str) -> None:
        if not link:
            self._tell(Note(("there is no inspector: [inspector] enabled is false",)))
            return
        self._tell(Note((f"inspector: {link}",)))
        # Without the key: other users of this machine see the arguments of every process.
        self.open(link.partition("#")[0])

    def open(self, url: str) -> None:
        """Open `url` in a browser, or say that a person has to."""
        task = asyncio.get_running_loop().create_task(self._open(url))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _open(self, url: str) -> None:
        from devproxy.platforms.browser import open_page  # few ask for it

        if why := await open_page(url):
            self._tell(Note((f"open {url} in your browser ({why})",)))
