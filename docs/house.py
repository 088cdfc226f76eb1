"""The map of the house, made from the import contract and from what each room says of itself.

The floors are in ``pyproject.toml`` (the first contract of import-linter), and the first sentence of a room's docstring
says what is there. :func:`pages` gives every document that shows the map, with the map as it is now.
"""

from __future__ import annotations

import ast
import textwrap
from pathlib import Path
from typing import Final

import tomli

ROOT: Final = Path(__file__).parent.parent
BEGIN: Final = "<!-- map: written by `make fix` -->"
END: Final = "<!-- end of the map -->"
PURE_FROM: Final = "plan"
"""The highest floor that does no I/O."""


def floors(container: str = "devproxy") -> list[list[str]]:
    """Return the rooms of each floor of `container`, from the top down, as the import contract has them."""
    contracts = tomli.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
    layers = next(one["layers"] for one in contracts if container in one.get("containers", ()))
    return [[room.strip() for room in layer.split("|")] for layer in layers]


def purpose(room: str) -> str:
    """Return the first sentence of the docstring of `room`, a path below the package, without its full stop."""
    path = ROOT / "devproxy" / room
    module = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    docstring = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8"))) or ""
    return " ".join(docstring.split("\n\n")[0].split()).split(". ")[0].removesuffix(".")


def drawing() -> str:
    """Return the map as text of 120 columns: each floor on lines of its own, a line above those that do no I/O."""
    rows: list[str] = []
    for rooms in floors():
        if PURE_FROM in rooms:
            rows.append("─" * 24 + " from here down: no I/O, no clock")
        rows += (f"{room:<12} {textwrap.shorten(purpose(room), 105)}" for room in rooms)
    return "\n".join(rows)


def table() -> str:
    """Return the map as a table in Markdown."""
    rows = ["| room | what is there |", "|---|---|"]
    rows += (f"| `devproxy/{room}` | {purpose(room)} |" for rooms in floors() for room in rooms)
    return "\n".join(rows)


def pages() -> dict[str, str]:
    """Return the text of each file that shows the map, by its path below the project's folder."""
    init = (ROOT / "devproxy" / "__init__.py").read_text(encoding="utf-8")
    before, _, rest = init.partition("::\n\n")
    after = rest[rest.index("\n\nStart reading") :]
    found = {"devproxy/__init__.py": f"{before}::\n\n{textwrap.indent(drawing(), '    ', lambda _: True)}{after}"}
    for name, text in (("docs/design.md", f"```\n{drawing()}\n```"), ("CONTRIBUTING.md", table())):
        page = (ROOT / name).read_text(encoding="utf-8")
        head, tail = page[: page.index(BEGIN)], page[page.index(END) :]
        found[name] = f"{head}{BEGIN}\n\n{text}\n\n{tail}"
    return found
