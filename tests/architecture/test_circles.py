"""No module imports itself by way of others: imports for types alone are imports here."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent

Graph = dict[str, set[str]]


def imports_of(package: Path) -> Graph:
    """Return the modules below `package`, each with those of them that it imports, wherever in it and whatever for."""
    names = {_name(path, package.parent): path for path in package.rglob("*.py")}
    return {name: set(_imported(path, names)) - {name} for name, path in names.items()}


def circles_in(graph: Graph) -> set[frozenset[str]]:
    """Return the sets of two modules or more that lead to each other (Tarjan, 1972)."""
    found: set[frozenset[str]] = set()
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    path: list[str] = []

    def visit(name: str) -> None:
        order[name] = lowest[name] = len(order)
        path.append(name)
        for other in graph[name]:
            if other not in order:
                visit(other)
            if other in path:
                lowest[name] = min(lowest[name], lowest[other])
        if lowest[name] == order[name]:
            start = path.index(name)
            members, path[start:] = path[start:], []
            if len(members) > 1:
                found.add(frozenset(members))

    for name in graph:
        if name not in order:
            visit(name)
    return found


def _name(path: Path, root: Path) -> str:
    return ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")


def _imported(path: Path, known: Collection[str]) -> Iterator[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                deeper = f"{node.module}.{alias.name}"
                if deeper in known:
                    yield deeper
                elif node.module in known:
                    yield node.module


@pytest.mark.parametrize("package", ["devproxy", "bench"])
def test_no_module_leads_back_to_itself(package: str) -> None:
    assert circles_in(imports_of(ROOT / package)) == set()


def test_a_circle_is_found() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a", "c"}}
    assert circles_in(graph) == {frozenset("bc")}
