"""A diagnosis as lines for people and as a document for programs. Pure.

Start at :func:`lines_of` and :func:`document_of`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import wrap
from typing import Final

from devproxy.console.style import Style
from devproxy.console.text import padded
from devproxy.doctor.facts import TITLES
from devproxy.doctor.problems import NOT_CHECKED, OK, Check, Diagnosis, Problem
from devproxy.text.safe import visible

_INDENT: Final = "    "
_WIDTH: Final = 100
"""Columns of explanations. What is to be compared or pasted stays on one line."""
_BY_STACK: Final = {
    "node": ("node", "express", "nginx", "client", "devproxy"),
    "python": ("python-socketio", "flask-socketio", "fastapi", "nginx", "client", "devproxy"),
}


def document_of(diagnosis: Diagnosis) -> dict[str, object]:
    """Return what ``--json`` prints; its keys and codes are stable."""
    return {
        "url": diagnosis.url,
        "origin": diagnosis.page,
        "server": diagnosis.server,
        "problems": [_problem(problem) for problem in diagnosis.problems],
        "checked": [check._asdict() for check in diagnosis.checks],
    }


def _problem(problem: Problem) -> dict[str, object]:
    return {
        "code": str(problem.code),
        "severity": str(problem.severity),
        "where": problem.where,
        "what": problem.what,
        "browser": problem.browser,
        "why": problem.why,
        "fix": problem.fix,
        "evidence": list(problem.evidence),
    }


def lines_of(diagnosis: Diagnosis, style: Style, *, stack: str = "", through: str = "") -> Iterator[str]:
    """Give the report, line by line. `stack`: whose fixes are shown; empty: all. `through`: the other address asked."""
    for_page = f"for a page at {diagnosis.page}"
    yield f"{style.bold(visible(diagnosis.url))}  {style.dim(visible(for_page))}"
    yield f"it seems to be {visible(diagnosis.server)}"
    yield ""
    yield from _table(diagnosis.checks, "direct", style)
    if through:
        yield ""
        yield f"through {visible(through)}"
        yield from _table(diagnosis.checks, "through", style)
    for problem in diagnosis.problems:
        yield ""
        yield from _lines_of_problem(problem, style, stack)
    yield ""
    yield _summary(diagnosis, style)


def _table(checks: Sequence[Check], where: str, style: Style) -> Iterator[str]:
    rows = [check for check in checks if check.where == where]
    width = max((len(check.name) for check in rows), default=0)
    good = "✓" if style.glyphs.cross == "✗" else "+"
    for check in rows:
        sign = (
            style.green(good)
            if check.result == OK
            else style.dim("-")
            if check.result == NOT_CHECKED
            else style.red(style.glyphs.cross)
        )
        if check.result == NOT_CHECKED:
            yield f"  {sign} {padded(check.name, width)}  {style.dim(visible(f'not checked: {check.why}'))}"
        else:
            yield f"  {sign} {padded(check.name, width)}  {visible(check.why)}"


def _lines_of_problem(problem: Problem, style: Style, stack: str) -> Iterator[str]:
    paint = style.red if problem.is_error else style.yellow
    where = " (through)" if problem.where == "through" else ""
    yield f"{paint(f'{problem.severity}: {problem.code}{where}')}: {style.bold(visible(problem.what))}"
    if problem.browser:
        yield f"{_INDENT}{style.dim('a browser says:')} {visible(problem.browser)}"
    first, *more = wrap(visible(problem.why), _WIDTH - len(_INDENT) - len("why: ")) or [""]
    if first:
        yield f"{_INDENT}{style.dim('why:')} {first}"
        yield from (f"{_INDENT}     {line}" for line in more)
    for text in problem.evidence:
        yield f"{_INDENT}{style.dim('seen:')} {visible(text)}"
    shown = _BY_STACK.get(stack, tuple(TITLES))
    for name in shown:
        if text := problem.fix.get(name, ""):
            first, *more = text.split("\n")
            yield f"{_INDENT}{style.cyan(f'{TITLES[name]}:')} {visible(first)}"
            yield from (f"{_INDENT}{' ' * (len(TITLES[name]) + 2)}{visible(line)}" for line in more)


def _summary(diagnosis: Diagnosis, style: Style) -> str:
    errors = sum(problem.is_error for problem in diagnosis.problems)
    warnings = len(diagnosis.problems) - errors
    if not diagnosis.problems:
        return style.green("no problem found")
    parts = [
        f"{number} {noun}{'s' if number != 1 else ''}"
        for number, noun in ((errors, "error"), (warnings, "warning"))
        if number
    ]
    paint = style.red if errors else style.yellow
    return paint(", ".join(parts))
