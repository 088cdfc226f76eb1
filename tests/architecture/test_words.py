"""Plain English: no text of devproxy or its pages has one of the words that CONTRIBUTING says not to use."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = [
    *(ROOT / "README.md", ROOT / "SECURITY.md"),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs" / "recipes").glob("*.md")),
]
MODULES = [*sorted((ROOT / "devproxy").rglob("*.py")), *sorted((ROOT / "docs").rglob("*.py"))]
UNUSED = re.compile(
    r"[«»]|\b(octets?|whoever|nobody|somebody|anybody|everybody|anew|by itself|by themselves|holds? on|mostly"
    r"|what becomes of|stands(?! for)|takes slowly)\b",
    re.IGNORECASE,
)
"""The left column of the list in CONTRIBUTING."""
CITES_RFC = re.compile(r"\bRFC \d")
CODE = re.compile(r"```.*?```|``[^`]*``|`[^`\n]*`", re.DOTALL)


def texts_of_page(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a page without what is code, by their numbers."""
    text = CODE.sub(lambda match: "\n" * match[0].count("\n"), path.read_text(encoding="utf-8"))
    yield from enumerate(text.splitlines(), 1)


def texts_of_module(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of docstrings, comments and strings with spaces in them, by their numbers."""
    source = path.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield from enumerate(CODE.sub("", node.value).splitlines(), node.lineno)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], CODE.sub("", token.string)


def found(texts: Iterator[tuple[int, str]]) -> list[str]:
    return [
        f"{number}: {match[0]}: {line.strip()}"
        for number, line in texts
        for match in UNUSED.finditer(line)
        if not (match[0].lower().startswith("octet") and CITES_RFC.search(line))
    ]


@pytest.mark.parametrize("path", [*PAGES, *MODULES], ids=lambda path: str(path.relative_to(ROOT)))
def test_no_text_has_a_word_that_is_not_used(path: Path) -> None:
    assert found(texts_of_page(path) if path.suffix == ".md" else texts_of_module(path)) == []


def test_the_words_are_those_that_contributing_lists() -> None:
    rows = re.findall(r"^\| not (.+?) \|", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.MULTILINE)
    words = [word for row in rows for word in re.findall(r"`([^`]+)`", row)]
    assert words
    assert [word for word in words if UNUSED.search(word) is None] == []


def test_a_word_is_found_where_people_read_it_and_not_in_code() -> None:
    assert found(iter([(3, "Nobody answers."), (4, "octets, as RFC 9110 says"), (5, "octets")])) == [
        "3: Nobody: Nobody answers.",
        "5: octets: octets",
    ]
    assert list(texts_of_page(ROOT / "README.md"))
