"""The tables of states in ``docs/closing.md``, made from the tables that the gateway goes by.

A module named ``states`` holds one: the enums ``State``, ``Event`` and ``Act``, whose values are the words of the
document, and ``STEPS``, which maps each pair of a state and an event that can happen to the next state and the act.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from importlib import import_module
from itertools import groupby
from typing import Final

from docs.house import ROOT

PAGE: Final = "docs/closing.md"
MACHINES: Final = ("front", "back", "exchanges")
"""The folders of the gateway that have such a module."""

Steps = Mapping[tuple[Enum, Enum], tuple[Enum, Enum]]


def steps(folder: str) -> Steps:
    """Return the table of `folder`, one of ``MACHINES``."""
    found: Steps = import_module(f"devproxy.gateway.{folder}.states").STEPS
    return found


def table(folder: str) -> str:
    """Return the table of `folder` in Markdown: a row for each event and what it leads to, whichever the state."""
    rows = ["| what happens | while it is | what devproxy does | then it is |", "|---|---|---|---|"]
    for (event, then, act), group in groupby(
        steps(folder).items(), key=lambda one: (one[0][1].value, one[1][0].value, one[1][1].value)
    ):
        rows.append(f"| {event} | {', '.join(pair[0].value for pair, _ in group)} | {act} | {then} |")
    return "\n".join(rows)


def page() -> dict[str, str]:
    """Return the text of the document with its tables as they are now, by its path below the project's folder."""
    text = (ROOT / PAGE).read_text(encoding="utf-8")
    for folder in MACHINES:
        begin, end = f"<!-- states of {folder}: written by `make fix` -->", f"<!-- end of the states of {folder} -->"
        head, tail = text[: text.index(begin)], text[text.index(end) :]
        text = f"{head}{begin}\n\n{table(folder)}\n\n{tail}"
    return {PAGE: text}
