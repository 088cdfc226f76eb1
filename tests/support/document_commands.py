"""The commands that documents show, block by block, and how each is typed where a test can run it.

Owns: finding them, what stands above a block for the test alone (``<!-- run: … -->``), the table of those that are not
run, and the change of ports. No I/O but reading the documents. Start at :func:`blocks`, then :func:`typed`.

A block is run by ``tests/integration/test_document_commands.py``, line by line, in a folder with the ``devproxy.toml``
that the same document shows above it, else with that of ``docs/tour.md``. Above a block a comment may say more::

    <!-- run: in an empty folder, exits 0 or 1 -->
"""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent.parent
USUAL: Final = ROOT / "docs" / "tour.md"
"""The document whose ``devproxy.toml`` is there where a document shows none."""
NOT_RUN: Final = ROOT / "docs" / "not_run.toml"
SKIPPED: Final = {"build", "dist", "node_modules", ".git", ".pytest_cache"}
SHELLS: Final = ("sh", "bash", "console")
OTHER_SHELLS: Final = ("shell", "zsh", "fish", "powershell", "pwsh", "bat", "cmd")
"""Languages of blocks whose commands are never run here: each needs its line in ``docs/not_run.toml``."""
PROGRAMS: Final = frozenset(
    ("cat", "cd", "curl", "devproxy", "echo", "exit", "export", "grep", "head", "jq", "ls", "mkdir", "true")
)
"""What a test may start: nothing that installs, removes, or changes the machine."""

_BLOCK: Final = re.compile(
    r"^(?:<!-- run: (?P<note>[^\n]*?) -->\n\n?)? *```(?P<language>\w+)\n(?P<text>.*?)^ *```",
    re.MULTILINE | re.DOTALL,
)
_WORDS: Final = re.compile(r"'[^']*'|\"(?:\\.|[^\"])*\"|\s+#.*|^#.*|[^'\"\s]+|\s+|.")
_SERVES: Final = re.compile(
    r"(?:\w+=\S* +)*devproxy +(?:up|demo|--(?:frontend|backend|listen|port|config|tls)\b|\d{2,5}\b)"
)


@dataclass(frozen=True)
class Command:
    """A command line as a document shows it: continued lines joined, comment and prompt removed."""

    document: str
    line: int
    language: str
    text: str

    @property
    def place(self) -> str:
        """Where it is: ``docs/routing.md:12``."""
        return f"{self.document}:{self.line}"


@dataclass(frozen=True)
class Block:
    """The commands of one block that follow each other, with what a test needs to run them.

    ``configuration``: the ``devproxy.toml`` of the folder. ``folder``: ``""`` for one with that file alone, ``empty``,
    or a folder of the repository of which a copy is made. ``exits``: the exit codes that its commands may have.
    """

    commands: tuple[Command, ...]
    configuration: str
    folder: str = ""
    exits: frozenset[int] = frozenset((0,))

    @property
    def name(self) -> str:
        """A name that is the same wherever the document is read: its path, and the first command."""
        return f"{self.commands[0].document}: {self.commands[0].text}"[:100]


def documents() -> list[Path]:
    """Return every document of the repository."""
    found = ((path, path.relative_to(ROOT).parts) for path in ROOT.rglob("*.md"))
    return sorted(path for path, parts in found if not SKIPPED & set(parts) and not parts[0].startswith(".venv"))


def blocks() -> list[Block]:
    """Return every block of commands, of all documents."""
    usual = next(_configurations(USUAL.read_text(encoding="utf-8")))
    return [
        block
        for path in documents()
        for block in blocks_of(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"), usual)
    ]


def distinct(blocks: Sequence[Block]) -> list[Block]:
    """Return `blocks` without those whose commands are all in another one, with the same folder and configuration."""
    said = [frozenset(command.text for command in block.commands) for block in blocks]

    def is_in(one: int, other: int) -> bool:
        same = replace(blocks[one], commands=()) == replace(blocks[other], commands=())
        return same and (said[one] < said[other] or (said[one] == said[other] and other < one))

    return [block for one, block in enumerate(blocks) if not any(is_in(one, other) for other in range(len(blocks)))]


def _configurations(text: str) -> Iterator[str]:
    return (match["text"] for match in _BLOCK.finditer(text) if _is_configuration(match))


def _is_configuration(match: re.Match[str]) -> bool:
    return match["language"] == "toml" and "[[routes]]" in match["text"] and "[upstreams" in match["text"]


def blocks_of(document: str, text: str, configuration: str) -> Iterator[Block]:
    """Yield the blocks of one document; `configuration` is that of those before the first one it shows itself."""
    for match in _BLOCK.finditer(text):
        if _is_configuration(match):
            configuration = match["text"]
        if match["language"] not in (*SHELLS, *OTHER_SHELLS):
            continue
        first = text.count("\n", 0, match.start("text")) + 1
        commands = tuple(
            Command(document, first + number, match["language"], line)
            for number, line in _lines(match["text"], is_console=match["language"] == "console")
        )
        if commands:
            yield _noted(Block(commands, configuration), match["note"] or "")


def _noted(block: Block, note: str) -> Block:
    folder, exits = block.folder, block.exits
    for part in filter(None, re.split(r", *", note)):
        if found := re.fullmatch(r"exits (\d+(?: or \d+)*)", part):
            exits = frozenset(map(int, found[1].split(" or ")))
        elif part == "in an empty folder":
            folder = "empty"
        elif (found := re.fullmatch(r"in ([\w./-]+)", part)) and (ROOT / found[1]).is_dir():
            folder = found[1]
        else:
            known = "in an empty folder, in examples/chat, exits 1, exits 0 or 1"
            raise ValueError(f"{block.commands[0].place}: <!-- run: {part} --> is none of: {known}")
    return Block(block.commands, block.configuration, folder, exits)


def _lines(text: str, *, is_console: bool) -> Iterator[tuple[int, str]]:
    """Yield the command lines of a block, each with the number of its first line in it."""
    begun, start = "", 0
    for number, line in enumerate(text.splitlines()):
        if is_console and not begun:
            if not line.lstrip().startswith("$ "):
                continue
            line = line.lstrip()[2:]
        if not begun:
            start = number
        begun += line.strip()
        if begun.endswith("\\"):
            begun = begun[:-1]
            continue
        kept = "".join(word for word in _WORDS.findall(begun) if not re.match(r"\s*#", word)).strip()
        begun = ""
        if kept:
            yield start, kept


# --- which are run


@cache
def not_run() -> Mapping[str, str]:
    """Return the reason for each command, or pattern of commands (``npm install *``), that no test can run."""
    table = tomllib.loads(NOT_RUN.read_text(encoding="utf-8"))
    return {pattern: reason for section in table.values() for pattern, reason in section.items()}


def reason(command: Command) -> str | None:
    """Return the pattern of ``docs/not_run.toml`` that is about `command`, if there is one."""
    return next(
        (pattern for pattern in not_run() if command.text == pattern or fnmatchcase(command.text, pattern)), None
    )


def cannot_run(command: Command) -> str | None:
    """Tell why a test cannot even try to run `command`; None if it can."""
    if command.language in OTHER_SHELLS:
        return f"blocks of {command.language} are not run here"
    others = sorted(set(programs(command.text)) - PROGRAMS)
    return f"a test does not start {', '.join(others)}" if others else None


def programs(line: str) -> list[str]:
    """Return the programs that a command line starts, by the name that is typed."""
    try:
        words = list(shlex.shlex(line, posix=True, punctuation_chars="|&;()<>"))
    except ValueError:
        return [line]
    found, is_next, is_target = [], True, False
    for word in words:
        if set(word) <= set("|&;()"):
            is_next = True
        elif set(word) <= set("<>&"):
            is_target = True
        elif is_target:
            is_target = False
        elif is_next and not re.fullmatch(r"\w+=.*", word):
            found.append(word)
            is_next = False
    return found


# --- how it is typed


def serves(line: str) -> bool:
    """Tell whether `line` starts a devproxy that runs until it is ended."""
    return _SERVES.match(line) is not None and "--help" not in line


def typed(line: str, ports: Mapping[str, int], listen: int | None = None) -> str:
    """Return `line` with other ports, a devproxy that serves at the port `listen`, and no wait longer than needed."""
    if listen is not None:
        line = re.sub(r"(--(?:listen|port)[= ]\S*?)\d+\b", rf"\g<1>{listen}", line)
    line = re.sub(r"(?<![\d.\w])(\d{4,5})(?![\d.\w])", lambda match: str(ports.get(match[1], match[1])), line)
    if listen is not None and not re.search(r"--(listen|port)\b", line):
        line = re.sub(r"devproxy +(up|demo)?", rf"devproxy \1 --listen localhost:{listen} ", line, count=1)
        line = re.sub(r"devproxy  +", "devproxy up ", line)
    for begin, option in (("devproxy doctor", "--timeout 2"), ("devproxy demo", "--no-open")):
        if begin in line and option.split()[0] not in line:
            line = line.replace(begin, f"{begin} {option}", 1)
    return re.sub(r" {2,}", " ", re.sub(r"--for \d+", "--for 0.3", line)).strip()
