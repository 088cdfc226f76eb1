from __future__ import annotations

import os
from pathlib import Path

import pytest
from devproxy.platforms.ownership import closing_command, is_open_to_all, owner_of_another

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


def test_ones_own_files_are_not_anothers(tmp_path: Path) -> None:
    assert owner_of_another(str(tmp_path)) == ""
    assert owner_of_another("/") == ""


@as_root
def test_anothers_are_named(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    os.chown(file, 1, 1)
    assert owner_of_another(str(file)) == "the user daemon"
    os.chown(file, 4_000_000, 1)
    assert owner_of_another(str(file)) == "another user (4000000)"
    assert owner_of_another(str(file), {"SUDO_UID": "4000000"}) == ""


@pytest.mark.parametrize(
    ("mode", "is_folder", "is_open"),
    [(0o644, False, False), (0o666, False, True), (0o755, True, False), (0o777, True, True), (0o1777, True, False)],
    ids=["file", "open file", "folder", "open folder", "sticky folder"],
)
def test_what_all_can_write_to_is_open(tmp_path: Path, mode: int, is_folder: bool, is_open: bool) -> None:
    path = tmp_path / "it"
    path.mkdir() if is_folder else path.write_text("")
    path.chmod(mode)
    assert is_open_to_all(str(path)) is is_open
    assert closing_command(str(path)) == f"chmod o-w {path}"


def test_on_windows_the_place_decides(tmp_path: Path) -> None:
    home = {"USERPROFILE": str(tmp_path / "me")}
    assert not is_open_to_all(str(tmp_path / "me" / "project"), home, windows=True)
    assert is_open_to_all(str(tmp_path / "melinda"), home, windows=True)
    assert is_open_to_all("/work/project", home, windows=True)
