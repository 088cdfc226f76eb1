"""What docstrings refer to exists, and the code whose cleverness a decision record explains names that record."""

from __future__ import annotations

import ast
import re
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
MODULES = sorted(path for path in (ROOT / "devproxy").rglob("*.py") if path.name != "__main__.py")
REFERENCE = re.compile(r":(?:func|class|meth|data|attr|exc|mod):`~?([\w.]+)(?:\(\))?`")
RECORD = re.compile(r"ADR (\d{4})")
NOT_ABOUT_CODE = {"0006", "0009", "0016"}
"""Decisions about what is not in the package: no other dependency, no build, the site."""

every_module = pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))


@every_module
def test_every_cross_reference_leads_somewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    classes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ClassDef)]
    lost = []
    for match in REFERENCE.finditer(text):
        name, line = match[1], text.count("\n", 0, match.start()) + 1
        around = [f"{module}.{node.name}" for node in classes if node.lineno <= line <= (node.end_lineno or 0)]
        if not any(exists(place) for place in (name, *(f"{each}.{name}" for each in (module, *around)))):
            lost.append(f"{line}: {match[0]}")
    assert not lost


def exists(name: str) -> bool:
    """Tell whether `name` is a module, or something in one: also a field of a class, which has no value there."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        try:
            found: object = import_module(".".join(parts[:count]))
        except ImportError:
            continue
        for part in parts[count:]:
            if not hasattr(found, part):
                return part in getattr(found, "__annotations__", {})
            found = getattr(found, part)
        return True
    return hasattr(__builtins__, name)


def test_every_record_that_a_module_names_exists_and_every_one_about_code_is_named() -> None:
    records = {path.name[:4] for path in (ROOT / "docs" / "adr").glob("[0-9]*.md")}
    named = {number for path in MODULES for number in RECORD.findall(path.read_text(encoding="utf-8"))}
    assert named <= records
    assert records - NOT_ABOUT_CODE <= named
