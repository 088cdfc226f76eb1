"""Completion in real shells: what pressing Tab makes of a line."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from devproxy.cli import main
from devproxy.cli.completion import script_for

PATIENCE_S = 20.0
FILES = ("devproxy.toml", "my file.toml", "settings.env")
SHOW = "devproxy() { printf '<%s>' \"$@\"; printf '\\n%s\\n' done-$((40+2)); }"
"""Stands for devproxy: shows the arguments of a line that was completed."""
_ZSH = "zstyle ':completion:*' insert-tab false; autoload -Uz compinit; compinit -u -D"
START = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], "PS1='ready> '; bind 'set bell-style none'; "),
    "zsh": (["zsh", "-f", "-i"], f"PS1='ready> '; unsetopt beep zle_bracketed_paste; {_ZSH}; "),
}

LINES = [
    ("comple", "<completion>"),
    ("completion z", "<completion><zsh>"),
    ("up --env", "<up><--env-file>"),
    ("up --env-file set", "<up><--env-file><settings.env>"),
    ("up --log j", "<up><--log><json>"),
    ("up --backend 3001 --log j", "<up><--backend><3001><--log><json>"),
    ("up --backend http://localhost:3001 --fro", "<up><--backend><http://localhost:3001><--frontend>"),
    ("--fron", "<--frontend>"),
    ("--frontend 5173 --back", None),
    ("--frontend 5173 --log j", "<--frontend><5173><--log><json>"),
    ("up 5173 --env", "<up><5173><--env-file>"),
    ("check --env", "<check><--env-file>"),
    ("check dev", "<check><devproxy.toml>"),
    ("check my", "<check><my file.toml>"),
    ("check devproxy.toml set", "<check><devproxy.toml><settings.env>"),
    ("check --config=set", "<check><--config=settings.env>"),
    ("routes --test PA", "<routes><--test><PATCH>"),
    ("routes --test GET /x --hea", "<routes><--test><GET></x><--header>"),
    ("explain --credentials i", "<explain><--credentials><include>"),
    ("import vi", "<import><vite>"),
    ("import vite dev", "<import><vite><devproxy.toml>"),
    ("up --listen dev", "<up><--listen><dev>"),
    ("explain dev", "<explain><dev>"),
    ("qqq dev", None),
]
"""A line before Tab, and its arguments after it; None: nothing goes wrong, whatever they are."""


class Shell:
    """An interactive shell on a terminal of its own, with completion for devproxy."""

    def __init__(self, name: str, folder: Path) -> None:
        command, setup = START[name]
        self._fd, inner = pty.openpty()
        environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "TERM": "dumb", "LC_ALL": "C.UTF-8"}
        self._process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=inner, stdout=inner, stderr=inner, start_new_session=True
        )
        os.close(inner)
        self._seen = ""
        self.type(f"{setup}source ../completion.{name}; {SHOW}; devproxy set-up\n")
        self.after("done-42")

    def complete(self, line: str) -> str:
        """Return the arguments of `line` once Tab was pressed at its end and then Return."""
        self._seen = ""
        self.type(f"devproxy {line}\t\n")
        shown = self.after("done-42")
        return str(re.findall(r"<[^\r\n]*>", shown)[-1])

    def type(self, text: str) -> None:
        os.write(self._fd, text.encode())

    def after(self, mark: str) -> str:
        """Return what was shown, once `mark` was."""
        deadline = time.monotonic() + PATIENCE_S
        while mark not in self._seen.replace(SHOW, ""):
            assert time.monotonic() < deadline, f"after {PATIENCE_S:.0f} s without {mark}:\n{self._seen}"
            if select.select([self._fd], [], [], 0.2)[0]:
                self._seen += os.read(self._fd, 65536).decode(errors="replace")
        return self._seen

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._fd)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with some files, and beside it the scripts."""
    above = tmp_path_factory.mktemp("completion")
    (above / "here").mkdir()
    for name in FILES:
        (above / "here" / name).touch()
    for name in (*START, "fish"):
        (above / f"completion.{name}").write_text(script_for(name))
    return above / "here"


@pytest.fixture(scope="module", params=list(START))
def shell(request: pytest.FixtureRequest, folder: Path) -> Iterator[Shell]:
    started = Shell(request.param, folder)
    yield started
    started.close()


@pytest.mark.parametrize(("line", "arguments"), LINES, ids=[line for line, _ in LINES])
def test_tab_completes_the_line(shell: Shell, line: str, arguments: str | None) -> None:
    found = shell.complete(line)
    if arguments is not None:
        assert found.replace(" >", ">") == arguments


def test_fish_offers_what_fits(folder: Path) -> None:
    lines = [line for line, _ in LINES]
    asked = "\n".join(f"echo '== {line}'; complete -C 'devproxy {line}'" for line in lines)
    command = ["fish", "--no-config", "-c", f"source ../completion.fish\n{asked}"]
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "TERM": "dumb", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""
    offered = {
        block.partition("\n")[0]: [row.partition("\t")[0] for row in block.splitlines()[1:]]
        for block in done.stdout.split("== ")[1:]
    }
    for line, arguments in LINES:
        if arguments is None:
            continue
        last = line.split()[-1]
        wanted = re.findall("<([^>]*)>", arguments)[-1]
        assert offered[line] == ([wanted] if wanted != last else []), line


def test_nothing_is_offered_for_an_unknown_shell(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "tcsh"]) == 2
    assert "invalid choice: 'tcsh'" in capsys.readouterr().err
