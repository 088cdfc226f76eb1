"""What the documents say exists, exists: links, files, make targets, commands and their options."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from devproxy import config

ROOT = Path(__file__).resolve().parent.parent.parent
SKIPPED = {".venv", "build", "node_modules", ".git", ".hypothesis", ".pytest_cache", "work"}
DOCUMENTS = sorted(
    path
    for path in ROOT.rglob("*.md")
    if not SKIPPED & set(path.relative_to(ROOT).parts) and not path.relative_to(ROOT).parts[0].startswith(".venv")
)
LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)

every_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


def commands(document: Path) -> list[str]:
    """The command lines in a document's `sh` and `console` blocks: without prompts, comments and output."""
    lines: list[str] = []
    for language, block in FENCE.findall(document.read_text(encoding="utf-8")):
        if language == "sh":
            lines += [line.split(" #")[0].strip() for line in block.splitlines()]
        elif language == "console":
            lines += [line[2:].strip() for line in block.splitlines() if line.startswith("$ ")]
    return [line for line in lines if line and not line.startswith("#")]


def anchor(heading: str) -> str:
    """The anchor that a heading gets on GitHub."""
    kept = re.sub(r"[^\w\- ]", "", heading.strip().lower().replace("`", ""))
    return kept.replace(" ", "-")


@every_document
def test_every_relative_link_leads_somewhere(document: Path) -> None:
    text = FENCE.sub("", document.read_text(encoding="utf-8"))
    broken = []
    for link in LINK.findall(text):
        if re.match(r"[a-z]+:", link):
            continue
        file, _, fragment = link.partition("#")
        target = (document.parent / file).resolve() if file else document
        if not target.exists():
            broken.append(link)
        elif fragment and target.suffix == ".md":
            headings = re.findall(r"^#+ (.*)$", FENCE.sub("", target.read_text(encoding="utf-8")), re.MULTILINE)
            if fragment not in map(anchor, headings):
                broken.append(link)
    assert not broken


@every_document
def test_every_make_target_that_is_named_exists(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    named = set(re.findall(r"`make ([a-z-]+)`", text))
    named |= {line.split()[1] for line in commands(document) if line.startswith("make ")}
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert named <= targets


@every_document
def test_every_command_line_of_devproxy_uses_commands_and_options_that_exist(document: Path) -> None:
    unknown = []
    for line in commands(document):
        words = line.split()
        if words[0] != "devproxy" or len(words) < 2 or words[1].startswith("-"):
            continue
        usage = help_of(words[1])
        if usage is None:
            unknown.append(line)
            continue
        options = [word.split("=")[0] for word in words[2:] if word.startswith("--")]
        unknown += [f"{line}: {option}" for option in options if option not in usage]
    assert not unknown


@every_document
def test_every_whole_configuration_that_is_shown_is_valid(document: Path) -> None:
    for language, block in FENCE.findall(document.read_text(encoding="utf-8")):
        if language == "toml" and "[[routes]]" in block and "[upstreams" in block:
            assert config.load(block.encode(), source=document.name).routes


INDEX = re.compile(r"pip3? install (?:-\S+ )*['\"]?devproxy\b(?!\[[\w,]+\] @)(?! @)")
"""A line that installs what the package index has under this name: the project of other people."""
WRITTEN = [*DOCUMENTS, *sorted((ROOT / "devproxy").rglob("*.py")), *sorted((ROOT / "devproxy").rglob("*.js"))]


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_text_installs_another_project_of_this_name(path: Path) -> None:
    text = path.read_text(encoding="utf-8").replace("Not `pip install devproxy`", "")
    assert [text[match.start() : match.end() + 20] for match in INDEX.finditer(text)] == []


def test_every_make_target_is_in_its_own_help() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[0].split()
    shown = subprocess.run(["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert [line.split()[1] for line in shown.stdout.splitlines()] == phony


def test_continuous_integration_names_no_host() -> None:
    for script in (ROOT / ".ci" / "run", ROOT / "scripts" / "system-packages", ROOT / "Makefile"):
        assert not re.findall(r"https?://|--index-url|--registry", script.read_text(encoding="utf-8"))


_HELP: dict[str, str | None] = {}


def help_of(command: str) -> str | None:
    """What `devproxy COMMAND --help` prints; None when there is no such command."""
    if command not in _HELP:
        done = subprocess.run(
            [sys.executable, "-m", "devproxy", command, "--help"], cwd=ROOT, capture_output=True, text=True, check=False
        )
        _HELP[command] = done.stdout if done.returncode == 0 else None
    return _HELP[command]
