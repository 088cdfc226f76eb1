"""``devproxy init`` that sees only programs of one folder: ``python -m tests.support.init_here FOLDER init …``.

The real one asks everything that listens on the machine, the servers of other tests, too.
"""

from __future__ import annotations

import os
import sys

from devproxy.cli import main
from devproxy.init import looking
from devproxy.platforms.listeners import Listener, listeners


def only_below(folder: str) -> None:
    """Keep ``init`` from seeing programs outside of `folder`."""
    root = os.path.realpath(folder)

    def found(_: str = "") -> list[Listener]:
        return [one for one in listeners() or () if one.folder == root or one.folder.startswith(root + os.sep)]

    looking.__dict__["listeners"] = found


if __name__ == "__main__":
    only_below(sys.argv[1])
    sys.exit(main(sys.argv[2:]))
