"""``python -m devproxy`` and the console script."""

from __future__ import annotations

import sys

from devproxy.cli import main

if __name__ == "__main__":
    sys.exit(main())
