"""The files of a project, read within bounds of number, size and time. Follows no links, changes nothing.

Start at :func:`read_tree`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Final, NamedTuple

from devproxy.gateway.system.files import reason_of
from devproxy.init.evidence import Scan
from devproxy.init.sources import is_read, is_skipped
from devproxy.platforms.regular import read_regular

MAX_FILE_BYTES: Final = 1 << 20
MAX_FILES: Final = 4000
MAX_NAMES: Final = 40_000
MAX_TOTAL_BYTES: Final = 24 << 20
MAX_DEPTH: Final = 14
LIMIT_S: Final = 4.0


class Tree(NamedTuple):
    """What was read. ``names``: all files but those of skipped folders; ``texts``: those that may say something.

    ``unread``: files that may say something, each with why it could not be read.
    """

    names: tuple[str, ...]
    texts: dict[str, str]
    scan: Scan
    unread: tuple[tuple[str, str], ...] = ()


def read_tree(folder: str, clock: Callable[[], float] = time.monotonic) -> Tree:
    """Return the files below `folder`, with paths relative to it. Raises OSError where it cannot be listed itself."""
    until, names, texts, large, unread = clock() + LIMIT_S, list[str](), dict[str, str](), list[str](), []
    total, stopped = 0, ""
    os.scandir(folder).close()  # that it is there and may be listed
    for path in _walk(folder, "", 0):
        names.append(path)
        if len(names) >= MAX_NAMES or len(texts) >= MAX_FILES:
            stopped = f"after {len(texts)} files of {len(names)}"
        elif total >= MAX_TOTAL_BYTES:
            stopped = f"after {total >> 20} MiB"
        elif clock() > until:
            stopped = f"after {LIMIT_S:g} s"
        if stopped:
            break
        if not is_read(path):
            continue
        try:
            octets = read_regular(os.path.join(folder, path), MAX_FILE_BYTES + 1)
        except OSError as error:
            unread.append((path, reason_of(error)))
            continue
        if len(octets) > MAX_FILE_BYTES:
            large.append(path)
            continue
        total += len(octets)
        texts[path] = octets.decode("utf-8", "replace").replace("\r\n", "\n").removeprefix("\ufeff")
    return Tree(tuple(names), texts, Scan(len(texts), stopped, tuple(large)), tuple(unread))


def _walk(folder: str, prefix: str, depth: int) -> Iterator[str]:
    """Yield the paths of regular files: those of a folder before those below it, each by name."""
    folders: list[str] = []
    try:
        with os.scandir(os.path.join(folder, prefix)) as entries:
            listed = sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return
    for entry in listed:
        with suppress(OSError):
            if entry.is_dir(follow_symlinks=False):
                if depth < MAX_DEPTH and not is_skipped(prefix, entry.name):
                    folders.append(entry.name)
            elif entry.is_file(follow_symlinks=False):
                yield prefix + entry.name
    for name in folders:
        yield from _walk(folder, f"{prefix}{name}/", depth + 1)
