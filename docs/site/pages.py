"""Which document is which page of the site, in which order, and what its links say there. Text in, text out.

On GitHub the documents lie where the work on them is easiest: the README at the top, others below ``docs``, some beside
what they describe. The site has one page for each, flat, and a copy of each other file that a document links to.
Start at :func:`layout` and :func:`page`.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping
from typing import Final

HOME: Final = "README.md"
SHOWN: Final = re.compile(
    r"README\.md|CHANGELOG\.md|CONTRIBUTING\.md|SECURITY\.md|bench/README\.md|docs/.+\.md|examples/[^/]+/README\.md"
)
"""The documents that are pages, by their paths in the repository."""
_NAMES: Final = {
    HOME: "index.md",
    "SECURITY.md": "security-policy.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "bench/README.md": "bench.md",
    "docs/adr/README.md": "adr/index.md",
}
FILES: Final = "files"
"""The folder of the site that holds what documents link to and is no page."""
COMMANDS: Final = "commands.md"
"""The page that is made of what ``--help`` prints."""

SECTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "Begin": ("install.md", "platforms.md", "tour.md", "new-origin.md", "why-not.md", "troubleshooting.md"),
    "Recipes": (
        *("recipes/vite.md", "recipes/next.md", "recipes/webpack.md", "recipes/cra.md", "recipes/angular.md"),
        *("recipes/flask-socketio.md", "recipes/fastapi.md", "recipes/django.md", "recipes/several-backends.md"),
        *("recipes/pm2.md", "recipes/names.md", "recipes/https.md", "recipes/compose.md", "recipes/playwright.md"),
        *("recipes/*", "recipes.md", "examples/*"),
    ),
    "See and explain": ("inspector.md", "doctor.md", "explain.md", "log.md", "faults.md"),
    "What it does": (
        *("init.md", "running.md", "import.md", "export.md", "routing.md", "cors.md", "cookies.md", "security.md"),
        *(
            "upstreams.md",
            "reload.md",
            "https.md",
            "http2.md",
            "streaming.md",
            "closing.md",
            "docker.md",
            "performance.md",
        ),
    ),
    "In your program": ("embedding.md", "testing.md", "recording.md"),
    "Reference": ("configuration.md", COMMANDS, "inspector-api.md", "changelog.md", "security-policy.md"),
    "More": ("*",),
    "Work on devproxy": ("contributing.md", "design.md", "linear.md", "bench.md", "adr/index.md", "adr/*"),
}
"""The navigation: pages in their order, ``folder/*`` for the rest of a folder. ``*`` takes what no section names."""

_FENCE: Final = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_LINK: Final = re.compile(r"(?<=\]\()[^)\s]+(?=\))|(?<=src=\")[^\"]+(?=\")|(?<=srcset=\")[^\"]+(?=\")")
_NAMED: Final = re.compile(r"\[(?:docs/)?([\w-]+)\.md\](?=\()")
"""A link that shows the name of a document: on the site, where they have no such names, it shows the page's."""
_ELSEWHERE: Final = re.compile(r"[a-z]+:|#|$")


class LostLink(Exception):
    """A document links to what is neither a document nor a file of the repository: which, and where."""


def layout(documents: Iterable[str]) -> dict[str, str]:
    """Return the page of each document, both as paths: the repository's, and the site's."""
    return {path: _NAMES.get(path) or _flat(path) for path in sorted(documents)}


def _flat(path: str) -> str:
    return path.removesuffix("/README.md").removesuffix(".md").removeprefix("docs/") + ".md"


def page(path: str, text: str, names: Mapping[str, str], files: Iterable[str]) -> tuple[str, set[str]]:
    """Return the text that the document at `path` has as a page, and the files that it links to.

    `names` is the layout, `files` the path of every file of the repository. Raises :class:`LostLink`.
    """
    known, used = set(files), set()

    def moved(match: re.Match[str]) -> str:
        link, mark, fragment = match[0].partition("#")
        if _ELSEWHERE.match(match[0]):
            return match[0]
        target = posixpath.normpath(posixpath.join(posixpath.dirname(path), link))
        if f"{target}/README.md" in names:
            target = f"{target}/README.md"
        if target in names:
            place = names[target]
        elif target in known:
            used.add(target)
            place = f"{FILES}/{target}"
        else:
            raise LostLink(
                f"{path}: {match[0]} leads nowhere on the site: link to a file, or to a folder with a README"
            )
        return posixpath.relpath(place, posixpath.dirname(names[path]) or ".") + mark + fragment

    def prose(part: str) -> str:
        return _LINK.sub(moved, _NAMED.sub(r"[\1]", part))

    parts, at = [], 0
    for fence in _FENCE.finditer(text):
        parts += [prose(text[at : fence.start()]), fence[0]]
        at = fence.end()
    return "".join([*parts, prose(text[at:])]), used


def navigation(pages: Iterable[str]) -> dict[str, list[str]]:
    """Return the pages of each section, in order. A page that no section names is in the one that has ``*``."""
    left = sorted(set(pages) - {_NAMES[HOME]})
    found: dict[str, list[str]] = {}
    named = {name for names in SECTIONS.values() for name in names}
    for section, names in SECTIONS.items():
        found[section] = []
        for name in names:
            if name.endswith("/*"):
                found[section] += [one for one in left if one.startswith(name[:-1]) and one not in named]
            elif name in left:
                found[section].append(name)
    taken = {one for listed in found.values() for one in listed}
    rest = next(section for section, names in SECTIONS.items() if "*" in names)
    found[rest] += [one for one in left if one not in taken]
    return {section: listed for section, listed in found.items() if listed}


def contents(sections: Mapping[str, Iterable[str]]) -> str:
    """Return the navigation as MyST has it, to follow the text of the first page."""
    return "".join(
        f"\n```{{toctree}}\n:hidden:\n:caption: {section}\n\n"
        + "".join(f"{name.removesuffix('.md')}\n" for name in names)
        + "```\n"
        for section, names in sections.items()
    )


def commands(helps: Mapping[str, str]) -> str:
    """Return the page of all commands from what each prints for ``--help``; ``""`` is devproxy without one."""
    parts = ["# Commands\n\nWhat `devproxy COMMAND --help` prints.\n"]
    for name, text in helps.items():
        title = f"devproxy {name}".rstrip()
        parts.append(f"\n## `{title}`\n\n```text\n{text.rstrip()}\n```\n")
    return "".join(parts)
