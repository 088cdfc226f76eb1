"""Runs another tool so that it reads its own configuration: with a time limit, bounded output, and nothing left behind.

The only module of this package that starts programs. What a configuration prints never mixes with what is read:
facts come back in a file of their own. Start at :func:`facts_of_node` and :func:`output_of`.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import IO, Any, Final

from devproxy.importing.asked import Failed
from devproxy.platforms.children import end_group, own_group
from devproxy.text.safe import clipped

MAX_FACTS_BYTES: Final = 4 << 20
"""Most that is read of what a tool says of a configuration."""

_LAST_BYTES: Final = 4096
_LAST_LINES: Final = 6
_COLOUR: Final = re.compile(r"\x1b\[[0-9;]*m")
_SCRIPTS: Final = Path(__file__).with_name("node")


def facts_of_node(script: str, folder: Path, arguments: Sequence[str], limit_s: float) -> dict[str, Any]:
    """Return the facts that ``node/SCRIPT.mjs`` finds in `folder`, as JSON has them.

    `arguments`: what follows the name of the file for the facts. Raises :class:`Failed`.
    """
    node = program("node", "it is what reads this project's configuration: https://nodejs.org")
    with tempfile.TemporaryDirectory(prefix="devproxy-import-") as place:
        answer = Path(place, "facts.json")
        command = [node, str(_SCRIPTS / f"{script}.mjs"), str(answer), *arguments]
        said = _run(command, folder, limit_s, keeps=_LAST_BYTES)
        if not answer.is_file():
            help = _last_words(said.text) or ["does the configuration end the process itself?"]
            raise Failed(f"node ended with exit code {said.code} before it had read the configuration", *help)
        with answer.open("rb") as file:
            return read_facts(file.read(MAX_FACTS_BYTES + 1))


def read_facts(text: bytes) -> dict[str, Any]:
    """Return the facts in `text`. Raises :class:`Failed` where they are none, too many, or say what is wrong."""
    if len(text) > MAX_FACTS_BYTES:
        raise Failed(f"the configuration is longer than {MAX_FACTS_BYTES >> 20} MiB")
    try:
        # Half a surrogate pair, which JSON can hold and no file can, becomes a question mark.
        facts = json.loads(json.dumps(json.loads(text), ensure_ascii=False).encode("utf-8", "replace"))
    except RecursionError:
        raise Failed("the configuration is nested too deeply") from None
    except ValueError:
        raise Failed("what was read of the configuration is not JSON") from None
    if not isinstance(facts, dict):
        raise Failed("what was read of the configuration is not an object of JSON")
    if isinstance(facts.get("thrown"), str):
        raise Failed("the configuration cannot be read", *_last_words(facts["thrown"]))
    if isinstance(facts.get("error"), str):
        raise Failed(facts["error"], *filter(None, [str(facts.get("help") or "")]))
    return facts


def output_of(command: Sequence[str], folder: Path, limit_s: float) -> str:
    """Return what `command` prints on standard output. Raises :class:`Failed`, also where its exit code is not 0."""
    said = _run(command, folder, limit_s, keeps=MAX_FACTS_BYTES, apart=True)
    if said.code:
        what = f"{os.path.basename(command[0])} ended with exit code {said.code}"
        raise Failed(what, *_last_words(said.errors or said.text))
    if said.is_cut:
        what = (
            f"what {os.path.basename(command[0])} reads of the configuration is longer than {MAX_FACTS_BYTES >> 20} MiB"
        )
        raise Failed(what, "name a file that has only the servers that you need")
    return said.text


def content_of(file: Path) -> bytes:
    """Return what `file` holds. Raises :class:`Failed` where it cannot be read or is too long."""
    try:
        with file.open("rb") as opened:
            found = opened.read(MAX_FACTS_BYTES + 1)
    except OSError as error:
        raise Failed(f"cannot read {file}: {(error.strerror or str(error)).lower()}") from None
    if len(found) > MAX_FACTS_BYTES:
        raise Failed(f"{file} is longer than {MAX_FACTS_BYTES >> 20} MiB")
    return found


def program(name: str, why: str) -> str:
    """Return the path of the program `name`. Raises :class:`Failed` that says `why` it is needed."""
    found = shutil.which(name)
    if found is None:
        raise Failed(f"there is no {name} on this machine", why)
    return found


class _Said:
    """What a program said: ``text`` and ``errors``, their last bytes; whether some are missing; its exit code."""

    def __init__(self) -> None:
        self.text = self.errors = ""
        self.is_cut = False
        self.code = 0


def _run(command: Sequence[str], folder: Path, limit_s: float, *, keeps: int, apart: bool = False) -> _Said:
    """Run `command` in `folder`; nothing of its group survives. `keeps`: bytes of output; `apart`: errors, too."""
    try:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if apart else subprocess.STDOUT,
            **own_group(),
        )
    except OSError as error:
        raise Failed(f"cannot run {command[0]}: {(error.strerror or str(error)).lower()}") from None
    assert process.stdout is not None
    pipes = [process.stdout, *filter(None, [process.stderr])]
    ends = [_Tail(keeps), *(_Tail(_LAST_BYTES) for _ in pipes[1:])]
    readers = [Thread(target=end.read_all, args=(pipe,), daemon=True) for end, pipe in zip(ends, pipes, strict=True)]
    for reader in readers:
        reader.start()
    said = _Said()
    try:
        said.code = process.wait(limit_s)
    except subprocess.TimeoutExpired:
        name = os.path.basename(command[0])
        raise Failed(
            f"{name} took longer than {limit_s:g} s to read the configuration",
            *_last_words(ends[-1].text() or ends[0].text()),
            "does it wait for something, or start a server?  --timeout 60 gives it more time",
        ) from None
    finally:
        end_group(process)
        for reader, pipe in zip(readers, pipes, strict=True):
            reader.join(1.0)
            if not reader.is_alive():  # else a program in a group of its own still has the other end
                pipe.close()
    said.text, said.is_cut = ends[0].text(), ends[0].is_cut
    said.errors = ends[1].text() if apart else ""
    return said


class _Tail:
    """The last bytes of a stream."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._bytes = b""
        self.is_cut = False

    def read_all(self, pipe: IO[bytes]) -> None:
        """Read `pipe` until it ends."""
        with suppress(OSError, ValueError):
            while piece := os.read(pipe.fileno(), 65536):
                self._bytes += piece
                if len(self._bytes) > 2 * self._most:
                    self._bytes, self.is_cut = self._bytes[-self._most :], True

    def text(self) -> str:
        """Return what is kept, as text."""
        self.is_cut = self.is_cut or len(self._bytes) > self._most
        return self._bytes[-self._most :].decode("utf-8", "replace")


def _last_words(text: str) -> list[str]:
    """Return the lines of `text`, the output of a program that failed, which say why."""
    lines = [line.rstrip() for line in _COLOUR.sub("", text).splitlines() if line.strip()]
    told = [line for line in lines if not line.lstrip().startswith(("at ", "Node.js v", "^"))]
    said = next((place for place, line in enumerate(told) if "Error" in line), len(told) - _LAST_LINES)
    return [f"it says: {clipped(line, 300)}" for line in told[max(0, said) :][:_LAST_LINES]]
