from __future__ import annotations

import os
from pathlib import Path

import pytest
from devproxy.platforms.private import MAX_PATH_BYTES, check_folder, make_folder, runtime_folder

ME = os.geteuid()


def test_it_is_in_the_runtime_folder_of_the_session() -> None:
    assert runtime_folder({"XDG_RUNTIME_DIR": "/run/user/7"}, "linux", ME) == "/run/user/7/devproxy"


def test_on_macos_it_is_in_the_users_own_temporary_folder() -> None:
    assert runtime_folder({"TMPDIR": "/var/folders/x/T/"}, "darwin", ME) == "/var/folders/x/T/devproxy"


def test_on_windows_it_is_in_the_users_own_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    local = os.path.join("C:", "Users", "me", "AppData", "Local")
    assert runtime_folder({"LOCALAPPDATA": local}, "win32") == os.path.join(local, "devproxy", "run")
    monkeypatch.setenv("HOME", "/home/me")
    assert runtime_folder({}, "win32") == os.path.join("/home/me", "AppData", "Local", "devproxy", "run")


@pytest.mark.parametrize("environment", [{}, {"XDG_RUNTIME_DIR": ""}, {"XDG_RUNTIME_DIR": "relative"}], ids=str)
def test_without_one_it_is_named_after_the_user(environment: dict[str, str]) -> None:
    assert runtime_folder(environment, "linux", ME) == f"/tmp/devproxy-{ME}"


def test_a_folder_that_is_too_long_for_a_socket_is_not_used() -> None:
    assert runtime_folder({"XDG_RUNTIME_DIR": "/" + "x" * MAX_PATH_BYTES}, "linux", ME) == f"/tmp/devproxy-{ME}"


def test_under_sudo_it_is_that_of_the_person(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os.path, "isdir", lambda path: path == f"/run/user/{ME + 1}")
    assert runtime_folder({"XDG_RUNTIME_DIR": "/run/user/0"}, "linux", ME + 1) == f"/run/user/{ME + 1}/devproxy"


def test_it_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "devproxy"
    make_folder(str(folder))
    assert folder.stat().st_mode & 0o777 == 0o700


def test_one_that_others_can_look_into_is_closed_to_them(tmp_path: Path) -> None:
    folder = tmp_path / "devproxy"
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    make_folder(str(folder))
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_link_and_the_folder_of_another_user_are_not_used(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(PermissionError, match="belongs to another user"):
        make_folder(str(tmp_path / "link"))
    (tmp_path / "file").write_text("")
    with pytest.raises(PermissionError, match="belongs to another user"):
        check_folder(str(tmp_path / "file"), ME)
