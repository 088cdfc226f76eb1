"""``python -m bench.listening CONFIG WANTS``: devproxy as ``up`` serves it, with an observer that reads nothing.

A bounded buffer takes the place of the console: what the observer wants is built and kept for a while, and none is
looked at. ``WANTS``: ``NOTHING``, ``ENDS`` or another name of :class:`devproxy.events.Wants`.
"""

from __future__ import annotations

import argparse
import gc
import sys
from collections import deque
from typing import Final

from devproxy.cli import serving
from devproxy.cli.files import read
from devproxy.cli.loading import load_text
from devproxy.cli.process import Process
from devproxy.events import Event, Observer, Wants
from devproxy.gateway.front.bind import bind
from devproxy.platforms.terminal import Terminal

KEPT: Final = 10_000
"""Events in the buffer; an older one makes room for each new one."""


def main() -> int:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m bench.listening", description=__doc__)
    parser.add_argument("config")
    parser.add_argument("wants", choices=list(Wants.__members__))
    options = parser.parse_args()
    gc.disable()  # `serving` enables it again once it serves, as for `up`
    loaded = load_text(read(options.config), options.config)
    unread: deque[Event] = deque(maxlen=KEPT)
    sockets = bind(loaded.config.server.listen)
    observer = Observer(unread.append, Wants[options.wants])
    shown = serving.Shown(observer)
    return serving.run(loaded, sockets, shown, Process(Terminal(), None), loop_name="auto", opens=False)


if __name__ == "__main__":
    sys.exit(main())
