"""A file is written where there was none, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest
from devproxy.cli.new_files import write_new
from devproxy.cli.refusal import Refused


def test_a_new_file_has_the_text(tmp_path: Path) -> None:
    path = tmp_path / "devproxy.toml"
    write_new(str(path), "# é\n", "devproxy init --print")
    assert path.read_bytes() == "# é\n".encode()


@pytest.mark.parametrize("kind", ["file", "folder", "dangling link"])
def test_what_is_there_already_stays_as_it_is(kind: str, tmp_path: Path) -> None:
    path, elsewhere = tmp_path / "devproxy.toml", tmp_path / "elsewhere"
    if kind == "file":
        path.write_text("mine")
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(elsewhere)
    with pytest.raises(Refused) as caught:
        write_new(str(path), "new", "devproxy init --print")
    assert caught.value.what == f"{path} is there already, and is not overwritten"
    assert "devproxy init --print" in caught.value.help[0]
    assert not elsewhere.exists()
    if kind == "file":
        assert path.read_text() == "mine"


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="no such file or directory") as caught:
        write_new(str(tmp_path / "none" / "devproxy.toml"), "new", "devproxy init --print")
    assert caught.value.help == ("to print it instead:  devproxy init --print",)


def test_a_file_that_cannot_be_written_whole_does_not_stay(tmp_path: Path) -> None:
    path = tmp_path / "devproxy.toml"
    with pytest.raises(Refused, match="surrogates"):
        write_new(str(path), "a" * 100_000 + "\ud800", "devproxy init --print")
    assert not path.exists()
