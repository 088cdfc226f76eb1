"""Which files say something, and what kind of source each is. By names and text. Pure.

Start at :func:`is_read` and :func:`side_of`.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

from devproxy.init.compose import NAMES
from devproxy.init.manifests import MANIFESTS

_NEVER: Final = frozenset(
    (
        *("node_modules", "bower_components", "jspm_packages", "site-packages", "__pycache__", "__pypackages__"),
        *("venv", "Pods", "storybook-static", "htmlcov", "playwright-report"),
    )
)
"""Folders with what others have written, or tools."""
_AT_THE_TOP: Final = frozenset(
    (
        *("vendor", "dist", "build", "out", "output", "coverage", "target", "tmp", "temp", "log", "logs", "env"),
        *("public", "static", "assets", "test-results"),
    )
)
"""The same, but for those below a folder of sources: there they are part of a path, such as ``app/api/logs``."""
_OF_SOURCES: Final = frozenset(("app", "pages", "routes", "server", "src"))
_CODE: Final = (
    *(".js", ".jsx", ".ts", ".tsx", ".mjs", ".cjs", ".mts", ".cts", ".vue", ".svelte", ".astro", ".html", ".py"),
)
_NO_SOURCE: Final = (".min.js", ".d.ts", ".bundle.js", ".test.", ".spec.", ".stories.", ".e2e.", ".cy.")
_TESTS: Final = frozenset(("test", "tests", "__tests__", "e2e", "cypress", "spec", "__mocks__", "mocks", "fixtures"))
_CONFIG: Final = re.compile(
    r"(?:.*\.config|.*\.conf|setupProxy|webpack\.\w+|vite\.\w+|gulpfile|Gruntfile|ecosystem.*)\.\w+"
).fullmatch
_EXACT: Final = frozenset((*NAMES, "angular.json", "routes.rb", *(name.rpartition("/")[2] for name in MANIFESTS)))
_SERVER_NAMES: Final = re.compile(
    r"(?:route|middleware|\+server|\+page\.server|\+layout\.server|hooks\.server|.*\.server)\.\w+"
).fullmatch
_SERVER_WORDS: Final = re.compile(
    r"\bcreateServer\(|\.listen\("
    r"|\bfrom [\"'](?:express|koa|fastify|hono|ws|socket\.io|@nestjs/\w+|node:\w+|http|fs|path)[\"']"
    r"|\brequire\([\"'](?:express|koa|fastify|ws|socket\.io|http|fs|path|node:\w+)[\"']\)|^[\"']use server[\"']",
    re.MULTILINE,
).search


class Side(StrEnum):
    """Where a source runs."""

    BROWSER = "browser"
    SERVER = "server"
    NONE = "none"
    """It says nothing of either: a configuration, a test."""


def is_read(path: str) -> bool:
    """Tell whether the file at `path` may say something: a manifest, a configuration, a source."""
    name = path.rpartition("/")[2]
    if name in _EXACT or name == ".env" or name.startswith(".env."):
        return not name.endswith((".example", ".sample", ".template", ".dist"))
    return name.endswith(_CODE) and not any(part in name for part in _NO_SOURCE)


def is_skipped(folder: str, name: str) -> bool:
    """Tell whether the folder called `name` in `folder`, a path with slashes, is left out."""
    if name in _NEVER or name.startswith("."):
        return True
    return name in _AT_THE_TOP and not _OF_SOURCES & {*folder.split("/")}


def is_test(path: str) -> bool:
    """Tell whether the file at `path` is in a folder of tests."""
    return not _TESTS.isdisjoint(path.split("/")[:-1])


def side_of(path: str, text: str) -> Side:
    """Return where the source at `path` runs."""
    *folders, name = path.split("/")
    if name.startswith(".env"):
        return Side.BROWSER
    if not name.endswith(_CODE) or is_test(path) or _CONFIG(name):
        return Side.NONE
    if name.endswith(".py"):
        return Side.SERVER
    if _SERVER_NAMES(name) or {"pages", "api"} <= {*folders} or _SERVER_WORDS(text):
        return Side.SERVER
    return Side.BROWSER
