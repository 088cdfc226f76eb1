"""Every regular expression that sees octets of the wire is listed with the reason why it is linear, and proved."""

from __future__ import annotations

import ast
import re
from importlib import import_module
from pathlib import Path

import pytest
from devproxy.text.regexes import backtracking_fault

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGE = ROOT / "devproxy"
PAGE = (ROOT / "docs" / "linear.md").read_text(encoding="utf-8")
PROVED, ARGUED = PAGE.split("What the proof cannot see:")
CALLS = {"compile", "match", "search", "fullmatch", "sub", "subn", "split", "findall", "finditer"}
LENGTH = 1 << 20

NO_WIRE = ("config/", "cli/", "demo/", "importing/", "exporting/", "__main__.py")
"""What reads the file and the command line; ``explain`` works on one answer, by the functions of the data path."""
FROM_THE_FILE = {
    ("routing/balance.py", "_NO_TOKEN"): "the name of an upstream",
    ("console/jsonlines.py", "_learn"): "the names of our own classes",
    ("authority/origins.py", "_parse_regex"): "an expression of the file, which is judged there",
    ("authority/origins.py", "_split_authority"): "a pattern of the file",
    ("authority/origins.py", "_without_scheme"): "a pattern of the file",
    ("authority/origins.py", "_canonical_ipv6"): "eight pieces of an address",
    ("routing/table.py", "_compile_glob"): "a glob of the file, whose expression is judged below",
    ("routing/table.py", "_compile_host"): "a host of the file",
    ("routing/table.py", "_compile_path"): "a path of the file, whose expression is judged there",
    ("routing/table.py", "_compile_value"): "a glob of the file, whose expression is judged below",
}
BOUNDS = {"_find_numeric_end": 253, "_is_ipv4": 253}


def expressions() -> list[tuple[str, str]]:
    """Module (below the package) and name of each use of ``re``: of the variable, or of the function around it."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        module = path.relative_to(PACKAGE).as_posix()
        if module.startswith(NO_WIRE):
            continue
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            for call in ast.walk(node):
                if isinstance(call, ast.Attribute) and isinstance(call.value, ast.Name) and call.value.id == "re":
                    if call.attr in CALLS:
                        found += [(module, name) for name in names_of(node, call)]
    return sorted(set(found))


def names_of(node: ast.stmt, call: ast.AST) -> list[str]:
    if isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return [target.id for target in targets if isinstance(target, ast.Name)]
    inner = [each for each in ast.walk(node) if isinstance(each, ast.FunctionDef) and call in set(ast.walk(each))]
    return [inner[-1].name] if inner else [getattr(node, "name", "")]


WIRE = [one for one in expressions() if one not in FROM_THE_FILE]


def listed(page: str, module: str, name: str) -> bool:
    rows = [line for line in page.splitlines() if line.startswith(f"| `{module}` |")]
    return any(f"`{name}`" in row for row in rows)


def test_there_are_expressions_and_none_is_excused_that_does_not_exist() -> None:
    assert len(WIRE) > 60
    assert set(FROM_THE_FILE) <= set(expressions())


def test_the_page_lists_none_that_does_not_exist() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| `")]
    stated = {
        (cells[1].strip("` "), name)
        for row in rows
        if (cells := row.split("|"))
        for name in re.findall(r"`(\w+)`", cells[2])
    }
    assert stated == set(WIRE)


@pytest.mark.parametrize(("module", "name"), WIRE, ids=lambda part: part)
def test_an_expression_that_sees_the_wire_is_listed_and_linear(module: str, name: str) -> None:
    method = getattr(import_module(f"devproxy.{module.removesuffix('.py').replace('/', '.')}"), name)
    pattern: re.Pattern[str] = getattr(method, "__self__", method)
    assert isinstance(pattern, re.Pattern), f"{name}: bind the method, so that it is known how the expression is used"
    if listed(ARGUED, module, name):
        return
    assert listed(PROVED, module, name), f"docs/linear.md does not list {name} of {module}"
    how = method.__name__ if method is not pattern else "search"
    assert backtracking_fault(pattern.pattern, LENGTH, method=how, flags=pattern.flags & ~re.UNICODE) is None


@pytest.mark.parametrize("name", sorted(BOUNDS))
def test_what_sees_a_short_text_alone_is_cheap_there(name: str) -> None:
    method = getattr(import_module("devproxy.authority.origins"), name)
    assert backtracking_fault(method.__self__.pattern, BOUNDS[name], method=method.__name__) is None
