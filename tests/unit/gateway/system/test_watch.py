"""What is read of a file, and what tells that it may have changed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from devproxy.gateway.system.watch import Reading, directories_of, read, stamp_of
from devproxy.text.limits import MAX_FILE_BYTES

OLD_S = 10.0
ROOT = Path(__file__).resolve().parent.parent.parent.parent


def aged(path: Path, text: str = "a") -> Path:
    """Write a file that was modified some time ago."""
    path.write_text(text)
    then = time.time() - OLD_S
    os.utime(path, (then, then))
    return path


def test_an_old_file_has_the_same_stamp_until_it_is_changed(tmp_path: Path) -> None:
    path = aged(tmp_path / "file")
    before = stamp_of(str(path))
    assert before is not None
    assert stamp_of(str(path)) == before
    aged(path, "b")  # same size, same inode, and a time that may be the same
    assert stamp_of(str(path)) != before


def test_a_file_that_was_just_modified_has_no_stamp_because_the_next_change_could_have_the_same(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("a")
    assert stamp_of(str(path)) is None


def test_a_file_that_is_not_there_has_no_stamp(tmp_path: Path) -> None:
    assert stamp_of(str(tmp_path / "file")) is None


def test_a_link_has_the_stamp_of_what_it_leads_to(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(aged(tmp_path / "one"))
    before = stamp_of(str(link))
    link.unlink()
    link.symlink_to(aged(tmp_path / "two"))
    assert stamp_of(str(link)) != before


def test_the_directories_of_a_link_are_its_own_and_that_of_its_target(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    link = tmp_path / "link"
    link.symlink_to(aged(tmp_path / "target" / "file"))
    assert list(directories_of(str(link))) == [str(tmp_path), str(tmp_path / "target")]
    assert list(directories_of(str(tmp_path / "gone" / "file"))) == []


def test_reading_tells_why_there_is_nothing_to_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert read(str(path)) == Reading(None, "no such file or directory")
    assert read(str(tmp_path)) == Reading(None, "it is not a regular file")


def test_no_more_is_read_than_shows_that_a_file_is_too_long(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * (MAX_FILE_BYTES + 9))
    assert read(str(path)).text == b"x" * (MAX_FILE_BYTES + 1)


def test_a_pipe_is_never_opened(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    assert read(str(path)) == Reading(None, "it is not a regular file")  # opening it would wait for a writer


def test_nothing_that_serves_imports_watchfiles_at_its_start() -> None:
    code = "import sys, devproxy.cli.serving; sys.exit('watchfiles' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": str(ROOT)}).returncode == 0
