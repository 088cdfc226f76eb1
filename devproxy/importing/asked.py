"""What is asked of an import, and how it fails. Pure."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from devproxy.errors import DevproxyError


class Asked(NamedTuple):
    """What to import.

    ``folder``: of the project. ``file``: the one that was named; None where a folder was named or nothing.
    ``limit_s``: how long the tool that reads may take.
    """

    folder: Path
    file: Path | None
    limit_s: float


class Failed(DevproxyError):
    """An import cannot be made. ``what``: lower case, no full stop. ``help``: what is known, and what to do."""

    def __init__(self, what: str, *help: str) -> None:
        super().__init__(what)
        self.what = what
        self.help = help
