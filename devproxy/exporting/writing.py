"""What the files for all targets share: comments, the words at their head, and lines in blocks. Pure.

Start at :class:`Lines` and :func:`opening`.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import Final

from devproxy import __version__
from devproxy.config.model import Sticky
from devproxy.exporting.site import Pool, Rule, Site
from devproxy.text.safe import visible

REPLACE: Final = "REPLACE"
"""Marks a line with a value of development, or an example."""
_WIDTH: Final = 110
QUIET_S: Final = 3600
"""How long a connection may be quiet: longer than Socket.IO's pingInterval and pingTimeout together (45 s)."""
FILES: Final = "Where production has files for the pages, and no server, write instead:"
SOCKETIO_QUIET_S: Final = 45
PLATFORMS: Final = (
    "Platforms: on Heroku, several dynos need `heroku features:enable http-session-affinity`; Cloudflare ends a "
    "connection that is quiet for 100 s, so keep pingInterval + pingTimeout (25 s + 20 s by default) below that."
)


class Lines:
    """The lines of a file. ``mark`` begins a comment."""

    def __init__(self, mark: str = "#", indent: str = "    ") -> None:
        self._mark = mark
        self._indent = indent
        self._lines: list[str] = []
        self.depth = 0

    def add(self, *lines: str) -> None:
        """Add lines at the depth of the block; an empty one stays empty."""
        self._lines += [f"{self._indent * self.depth}{line}" if line else "" for line in lines]

    def comment(self, *texts: str) -> None:
        """Add each of `texts` as a comment, in as many lines as it takes. Nothing in it can end the comment."""
        width = max(_WIDTH - len(self._indent) * self.depth - len(self._mark) - 1, 40)
        for text in texts:
            later = "  " if text.startswith("- ") else ""
            wrapped = textwrap.wrap(
                visible(text), width, subsequent_indent=later, break_long_words=False, break_on_hyphens=False
            )
            for line in wrapped or [""]:
                self.add(f"{self._mark} {line}".rstrip())

    def example(self, *lines: str) -> None:
        """Add lines of code as comments, not wrapped: to be taken out of the comment as they are."""
        self.add(*(f"{self._mark}   {visible(line)}" for line in lines))

    def blank(self) -> None:
        """Add an empty line, unless there is one, or a block begins."""
        if self._lines and self._lines[-1] and not self._lines[-1].endswith("{"):
            self._lines.append("")

    def open(self, line: str) -> None:
        """Begin a block."""
        self.add(line)
        self.depth += 1

    def close(self, line: str = "}") -> None:
        """End it. An empty `line`: by indentation alone."""
        self.depth -= 1
        if line:
            self.add(line)

    def text(self) -> str:
        """Return the file."""
        return "\n".join(self._lines) + "\n"


def opening(lines: Lines, site: Site, title: str, *more: str, notes: Sequence[str] = ()) -> None:
    """Add the comments at the head of a file. `title`: what it is for; `more`: what to do with it, a text each.

    `notes`: what this target cannot do, besides those of the site.
    """
    lines.comment(f"{title}, for the routes of {site.source}. Written by `devproxy export` (devproxy {__version__}).")
    lines.comment(*more)
    if site.needs_replacing or site.is_https or any(pool.is_tls for pool in site.pools):
        lines.comment(
            f"Lines marked {REPLACE} have a value of development, or an example: write that of production, or export "
            "again with --origin https://app.example.com and --server NAME=URL."
        )
    lines.comment(PLATFORMS)
    lines.comment("", "Not carried over:", *(f"- {note}" for note in (*site.notes, *notes)))


def guard_notes(site: Site) -> list[str]:
    """Return what a target that checks the Origin of WebSockets does not carry over of the guard."""
    notes = [
        (
            "the guard, but for WebSockets of other sites; their forms and images are the application's affair: "
            "SameSite cookies, CSRF tokens."
        )
    ]
    if any(not rule.route.guard for rule in site.rules):
        notes.append("guard = false: WebSockets of every site pass on those routes.")
    return notes


def mark(is_assumed: bool, sign: str = "#") -> str:
    """Return what ends a line that has to be changed, empty for others."""
    return f"  {sign} {REPLACE}" if is_assumed else ""


def heading(rule: Rule) -> str:
    """Return what a block for `rule` is for."""
    where = f" ({rule.place})" if rule.place else ""
    return f"{rule.label}{where}: {rule.pool.upstream.name}{', Socket.IO' if rule.is_socketio else ''}"


def quiet_s(site: Site) -> int:
    """Return for how many seconds a connection may be quiet: as ``tunnel_idle_timeout_s`` says, if polls bear that."""
    wanted = round(site.server.tunnel_idle_timeout_s)
    return wanted if wanted > SOCKETIO_QUIET_S else QUIET_S


def listed(items: Iterable[str]) -> str:
    """Return `items` as a list in a sentence."""
    return ", ".join(items)


def sticky_words(pool: Pool, how: str) -> Sequence[str]:
    """Return why a pool is sticky, and how: texts for comments. Nothing for one that is not."""
    if not pool.is_several or pool.sticky is Sticky.NONE:
        return ()
    if pool.sticky is Sticky.COOKIE:
        return (f"A client stays at its server by {how}.",)
    return (
        (
            f"Each client stays at its server, by {how}: polling and the upgrade of Socket.IO need the process that "
            'opened the session; others answer "Session ID unknown".'
        ),
        "What one server emits reaches the clients of the others by an adapter: devproxy export socketio.",
    )
