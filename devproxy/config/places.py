"""Where each value of a configuration was said: a line of its file, or an option of the command line.

Pure. Start at :func:`place_of`.
"""

from __future__ import annotations

from devproxy.config.model import Config
from devproxy.text.safe import visible


def place_of(config: Config, *path: str | int) -> str:
    """Return where the value at `path` was said: ``devproxy.toml:12`` or ``--listen``; empty if it was not written.

    `path`: as in the file, ``("routes", 0, "cors", "origins")``. For what is left out, or part of a short form, it is
    the place of the table around it.
    """
    for end in range(len(path), 0, -1):
        said = config.said.get(path[:end])
        if said is not None:
            return said if isinstance(said, str) else f"{visible(config.source)}:{said}"
    return ""
