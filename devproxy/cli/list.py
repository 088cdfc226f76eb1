"""``devproxy list``: the devproxys of this user that are running."""

from __future__ import annotations

import argparse
import json
import os
import sys
from time import time
from typing import cast

from devproxy.cli.refusal import FINE, put
from devproxy.console.style import Colour, Style, glyphs_for, wants_colour
from devproxy.console.text import columns, counted, padded
from devproxy.running.asking import Running, running
from devproxy.text.safe import visible


def run(options: argparse.Namespace) -> int:
    """Run ``devproxy list``; return 0, also where none is running."""
    found = running()
    if options.json:
        put(json.dumps([_document(one) for one in found], indent=2) + "\n")
        return FINE
    if not found:
        put("no devproxy is running\n")
        return FINE
    is_coloured = wants_colour(cast("Colour", options.color), os.environ, is_terminal=sys.stdout.isatty())
    put("".join(f"{line}\n" for line in lines(found, Style(is_coloured, glyphs_for(sys.stdout.encoding)), time())))
    return FINE


def lines(found: list[Running], style: Style, now: float) -> list[str]:
    """Return two lines for each of `found`: where it is reached, and where it came from. `now`: since the epoch."""
    urls = [visible(", ".join(one.urls)) for one in found]
    width = max(map(columns, urls))
    rows: list[str] = []
    for one, url in zip(found, urls, strict=True):
        routes = counted(len(one.routes), "route")
        rows.append(f"{style.cyan(padded(url, width))}  pid {one.pid}, {routes}, for {_span(now - one.since_at)}")
        source = "from the command line" if one.source == "command line" else visible(one.source)
        rows.append(f"  {style.dim(f'{source}, in {visible(one.folder)}')}")
    return rows


def _document(one: Running) -> dict[str, object]:
    document = one._asdict()
    del document["path"]
    return document


def _span(seconds: float) -> str:
    """Return a length of time in its largest unit: ``40 s``, ``5 min``, ``3 h``, ``2 d``."""
    for limit, unit, name in ((120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{max(seconds, 0) / unit:.0f} {name}"
    return f"{seconds / 86_400:.0f} d"
