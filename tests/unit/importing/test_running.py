"""Tools that misbehave while they read: they end in time, with what they started, and what they print is bounded."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest
from devproxy.importing.asked import Failed
from devproxy.importing.running import MAX_FACTS_BYTES, content_of, facts_of_node, output_of, program, read_facts
from tests.support.processes import wait_for


def python(text: str) -> list[str]:
    return [sys.executable, "-c", text]


def test_what_a_tool_prints_is_what_it_says(tmp_path: Path) -> None:
    text = "import sys; print('facts'); print('noise', file=sys.stderr)"
    assert output_of(python(text), tmp_path, 20.0) == "facts\n"


def test_a_tool_that_takes_too_long_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    child = "import subprocess, sys; one = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])"
    text = f"{child}; print(one.pid, file=open('pid', 'w'), flush=True); print('waiting', file=sys.stderr); one.wait()"
    began = time.monotonic()
    with pytest.raises(Failed, match=r"took longer than 1 s") as caught:
        output_of(python(text), tmp_path, 1.0)
    assert time.monotonic() - began < 10
    assert caught.value.help[0] == "it says: waiting"
    pid = int((tmp_path / "pid").read_text())
    wait_for(lambda: not is_running(pid), "the end of what the tool started")


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def test_a_tool_that_fails_has_the_last_word(tmp_path: Path) -> None:
    with pytest.raises(Failed, match="ended with exit code 3") as caught:
        output_of(python("import sys; print('\x1b[31mno such block\x1b[0m'); sys.exit(3)"), tmp_path, 20.0)
    assert caught.value.help == ("it says: no such block",)


def test_more_than_a_configuration_can_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Failed, match="longer than 4 MiB"):
        output_of(python(f"print('x' * {3 * MAX_FACTS_BYTES})"), tmp_path, 20.0)
    with pytest.raises(Failed, match="longer than 4 MiB"):
        content_of(Path("/dev/zero"))
    with pytest.raises(Failed, match="longer than 4 MiB"):
        read_facts(b" " * (MAX_FACTS_BYTES + 1))


@pytest.mark.parametrize("text", [b"", b"{", b"[1]", b'"a"', b"\xff"], ids=repr)
def test_what_is_no_object_of_json_is_refused(text: bytes) -> None:
    with pytest.raises(Failed, match="JSON"):
        read_facts(text)


def test_what_is_nested_too_deeply_is_refused() -> None:
    with pytest.raises(Failed, match="nested too deeply"):
        read_facts(b"[" * 100_000)


def test_half_a_surrogate_pair_becomes_text_that_a_file_can_hold() -> None:
    assert read_facts(b'{"a": "\\ud800"}') == {"a": "?"}


def test_a_program_that_is_not_there_is_named() -> None:
    with pytest.raises(Failed, match="there is no such-tool on this machine"):
        program("such-tool", "install it")


def test_a_folder_that_is_no_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(Failed, match="cannot run"):
        facts_of_node("vite", tmp_path / "none", [""], 5.0)


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(Failed, match="no such file"):
        content_of(tmp_path / "none")
