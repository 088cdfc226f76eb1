"""Who else can write to a file: its owner, its rights, its folder and those above."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

import pytest
from devproxy.platforms import writers
from devproxy.platforms.writers import Owned, look, objection, others_can_write, own_users

FILE = stat.S_IFREG
FOLDER = stat.S_IFDIR
OWN = frozenset({0, 1000})


@dataclass
class Case:
    owned: Owned
    what: str
    help: str = ""


CASES = {
    "somebody else's file": Case(
        Owned("/p/d.toml", FILE | 0o644, 1001, "the user eve"), "/p/d.toml belongs to the user eve", "sudo chown"
    ),
    "somebody else's folder": Case(
        Owned("/p", FOLDER | 0o755, 1001, "the user eve"), "the folder /p belongs to the user eve", "sudo chown"
    ),
    "a file for all": Case(Owned("/p/d.toml", FILE | 0o666, 1000), "every user", "chmod o-w /p/d.toml"),
    "a folder for all": Case(Owned("/p q", FOLDER | 0o777, 1000), "every user", "chmod o-w '/p q'"),
    "a sticky folder": Case(Owned("/tmp", FOLDER | 0o1777, 0), "every user", "a folder of your own"),
    "a group": Case(
        Owned("/p/d.toml", FILE | 0o664, 1000, "", "staff"), "the members of the group staff", "chmod g-w /p/d.toml"
    ),
    "a folder above for all": Case(Owned("/p", FOLDER | 0o777, 0, is_above=True), "every user", "chmod o-w /p"),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_others_can_write_to_is_named_with_what_to_type(case: Case) -> None:
    what, help = objection([Owned("/x", FILE | 0o644, 1000), case.owned], OWN)
    assert case.what in what
    assert case.help in help


@pytest.mark.parametrize(
    "owned",
    [
        Owned("/p/d.toml", FILE | 0o644, 1000),
        Owned("/p/d.toml", FILE | 0o644, 0),
        Owned("/p/d.toml", FILE | 0o664, 1000, "", "me", is_private=True),
        Owned("/tmp", FOLDER | 0o1777, 0, is_above=True),
    ],
    ids=["own", "root's", "a group of one", "above in a sticky folder"],
)
def test_what_only_this_user_and_root_can_write_to_is_fine(owned: Owned) -> None:
    assert objection([owned], OWN) == ()


def test_the_file_its_folder_and_all_above_are_looked_at(tmp_path: Path) -> None:
    file = tmp_path / "devproxy.toml"
    file.touch(0o600)
    found = look(str(file))
    assert [one.path for one in found] == [str(file), *map(str, file.parents)]
    assert [one.is_above for one in found[:3]] == [False, False, True]


def test_a_link_is_judged_by_where_it_leads(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    folder.mkdir(0o700)
    file = folder / "devproxy.toml"
    file.touch(0o600)
    os.chmod(file, 0o622)
    (tmp_path / "link").symlink_to(file)
    what, _ = others_can_write(str(tmp_path / "link"))
    assert str(file) in what


def test_who_can_change_a_link_can_change_the_file(tmp_path: Path) -> None:
    mine, theirs, here = tmp_path / "mine", tmp_path / "theirs", tmp_path / "here"
    for folder in (mine, theirs, here):
        folder.mkdir(0o700)
    file = mine / "devproxy.toml"
    file.touch(0o600)
    (theirs / "link").symlink_to("../mine/devproxy.toml")
    (here / "devproxy.toml").symlink_to(theirs / "link")
    found = [one.path for one in look(str(here / "devproxy.toml"))]
    own = own_users()
    assert found[:2] == [str(file), str(mine)]
    assert {str(theirs / "link"), str(theirs), str(here / "devproxy.toml"), str(here)} < set(found)
    assert (
        objection([one for one in look(str(here / "devproxy.toml")) if one.path.startswith(str(tmp_path))], own) == ()
    )
    os.chmod(theirs, 0o777)
    what, _ = others_can_write(str(here / "devproxy.toml"))
    assert what == f"every user of this machine can write to the folder {theirs}"


def test_a_link_of_somebody_else_is_refused() -> None:
    link = Owned("/p/devproxy.toml", stat.S_IFLNK | 0o777, 1001, "the user eve")
    assert objection([link], OWN)[0] == "/p/devproxy.toml belongs to the user eve"
    assert objection([link._replace(owner=1000)], OWN) == ()


def test_on_windows_the_place_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "devproxy.toml"
    file.touch()
    for is_open, expected in ((False, 0), (True, 2)):
        monkeypatch.setattr(writers, "is_open_to_all", lambda *_, is_open=is_open: is_open)
        assert len(others_can_write(str(file), windows=True)) == expected
