"""The floors point one way and the domain does no I/O (contracts in pyproject.toml); files stay small."""

from __future__ import annotations

import ast
import io
import subprocess
import sys
import tokenize
from pathlib import Path

import pytest
from docs.house import pages

ROOT = Path(__file__).resolve().parent.parent.parent
MODULES = sorted((ROOT / "devproxy").rglob("*.py"))
MAX_CODE_LINES = 400
HEAVY = ("aiohttp", "ssl", "uvloop", "watchfiles", "socketio")

every_module = pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(ROOT)))


def test_every_import_contract_is_kept() -> None:
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@every_module
def test_a_module_says_what_it_is_for(module: Path) -> None:
    docstring = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8")))
    assert docstring, "a module's docstring says what it owns and what it never does"


@every_module
def test_a_file_can_be_read_in_one_sitting(module: Path) -> None:
    count = code_lines(module.read_text(encoding="utf-8"))
    assert count <= MAX_CODE_LINES, f"{count} lines of code: split it along the decisions it makes"


@pytest.mark.parametrize(
    "arguments", [("--version",), ("--help",), ("demo", "--help"), ("check", "examples/chat/devproxy.toml")]
)
def test_a_command_that_only_prints_imports_nothing_heavy(arguments: tuple[str, ...]) -> None:
    program = (
        "import sys; from devproxy.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        f"sys.stderr.write(' '.join(name for name in {HEAVY!r} if name in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout
    assert done.stderr == ""


def code_lines(source: str) -> int:
    """Count the lines that hold code: not blank, not comments, not docstrings."""
    kept: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT):
            kept.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            kept.difference_update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(kept)


@pytest.mark.parametrize("name", pages())
def test_every_page_shows_the_map_as_it_is(name: str) -> None:
    assert (ROOT / name).read_text(encoding="utf-8") == pages()[name], "run `make fix` (or `python -m docs.generate`)"
