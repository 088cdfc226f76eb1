"""Whose program a server is, which ports are asked, and how far files are read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from devproxy.init import tree as module
from devproxy.init.evidence import Whose
from devproxy.init.listening import MAX_PORTS, USUAL_PORTS, worth_asking
from devproxy.init.looking import whose_is
from devproxy.init.tree import MAX_FILE_BYTES, read_tree
from devproxy.platforms.listeners import Listener


def folders(root: Path, *names: str) -> None:
    for name in names:
        (root / name).mkdir(parents=True)


def test_programs_of_the_same_checkout_are_ours(tmp_path: Path) -> None:
    folders(tmp_path, "shop/.git", "shop/web", "shop/api", "other")
    assert whose_is(str(tmp_path / "shop/api"), str(tmp_path / "shop/web")) is Whose.OURS
    assert whose_is(str(tmp_path / "shop"), str(tmp_path / "shop/web")) is Whose.OURS
    assert whose_is(str(tmp_path / "other"), str(tmp_path / "shop/web")) is Whose.OTHER
    assert whose_is("", str(tmp_path / "shop")) is Whose.UNKNOWN
    assert whose_is("/", str(tmp_path / "shop")) is Whose.UNKNOWN


def test_without_a_checkout_the_folder_itself_is_the_project(tmp_path: Path) -> None:
    folders(tmp_path, "shop/api", "shop2")
    assert whose_is(str(tmp_path / "shop/api"), str(tmp_path / "shop")) is Whose.OURS
    assert whose_is(str(tmp_path / "shop2"), str(tmp_path / "shop")) is Whose.OTHER
    assert whose_is(str(tmp_path), str(tmp_path / "shop")) is Whose.OTHER


def test_another_worktree_is_another_project_and_a_submodule_is_not(tmp_path: Path) -> None:
    folders(tmp_path, "shop/.git", "shop/trees/fix/web", "shop/libs/api")
    (tmp_path / "shop/trees/fix/.git").write_text("gitdir: /x/shop/.git/worktrees/fix\n")
    (tmp_path / "shop/libs/api/.git").write_text("gitdir: ../../.git/modules/api\n")
    assert whose_is(str(tmp_path / "shop/trees/fix/web"), str(tmp_path / "shop")) is Whose.OTHER
    assert whose_is(str(tmp_path / "shop/libs/api"), str(tmp_path / "shop")) is Whose.OURS
    assert whose_is(str(tmp_path / "shop"), str(tmp_path / "shop/trees/fix")) is Whose.OTHER


def test_a_home_that_is_a_checkout_is_no_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders(tmp_path, ".git", "shop", "other")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert whose_is(str(tmp_path / "other"), str(tmp_path / "shop")) is Whose.OTHER


def test_databases_and_devproxy_itself_are_not_asked() -> None:
    found = [
        Listener(5432, "127.0.0.1"),
        Listener(40000, "127.0.0.1", 5, "redis-server"),
        Listener(40001, "127.0.0.1", 9, "python"),
        Listener(8080, "127.0.0.1", 7, "python"),
        Listener(40002, "127.0.0.1", 8, "node", "/shop"),
        Listener(3000, "127.0.0.1", 6, "node", "/other"),
    ]
    listened = worth_asking(found, lambda folder: folder == "/shop", frozenset((8080,)), own_pid=9)
    assert [one.port for one in listened.ports] == [40002, 3000]
    assert listened.taken == {5432, 40000, 40001, 8080, 40002, 3000}


def test_no_more_ports_are_asked_than_is_useful() -> None:
    listened = worth_asking([Listener(port, "::1") for port in range(10000, 10200)], lambda _: False, frozenset(), 1)
    assert len(listened.ports) == MAX_PORTS


def test_where_the_system_does_not_tell_usual_ports_are_tried() -> None:
    listened = worth_asking(None, lambda _: False, frozenset((8080,)), 1)
    assert [one.port for one in listened.ports] == [port for port in USUAL_PORTS if port != 8080]
    assert not listened.is_known


def test_files_are_read_and_what_others_have_is_not(tmp_path: Path) -> None:
    folders(tmp_path, "src", "node_modules/x", ".git", "dist", "app/api/logs")
    for name in ("src/a.ts", "node_modules/x/b.js", ".git/c.js", "dist/d.js", "app/api/logs/route.ts", "README.md"):
        (tmp_path / name).write_text("x\r\n")
    (tmp_path / "large.js").write_bytes(b"x" * (MAX_FILE_BYTES + 1))
    (tmp_path / "latin.py").write_bytes(b"\xef\xbb\xbf# caf\xe9\n")
    tree = read_tree(str(tmp_path))
    assert tree.texts == {"latin.py": "# caf\ufffd\n", "src/a.ts": "x\n", "app/api/logs/route.ts": "x\n"}
    assert set(tree.names) == {*tree.texts, "README.md", "large.js"}
    assert tree.scan.too_large == ("large.js",)
    assert tree.scan.stopped == ""


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_links_and_pipes_are_left_alone(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.js")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "link.js").symlink_to("/etc/passwd")
    assert read_tree(str(tmp_path)).names == ()


def test_a_file_that_may_not_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str, most: int) -> bytes:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "a.js").write_text("x")
    monkeypatch.setattr(module, "read_regular", refuse)
    assert read_tree(str(tmp_path)).unread == (("a.js", "permission denied"),)


def test_reading_stops_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(20):
        (tmp_path / f"{number:02}.js").write_text("x")
    assert read_tree(str(tmp_path), clock=iter(range(100)).__next__).scan.stopped == "after 4 s"
    monkeypatch.setattr(module, "MAX_FILES", 10)
    assert read_tree(str(tmp_path)).scan.stopped == "after 10 files of 11"
    monkeypatch.setattr(module, "MAX_TOTAL_BYTES", 5)
    assert read_tree(str(tmp_path)).scan.stopped == "after 0 MiB"


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_tree(str(tmp_path / "none"))
