"""From the options to a configuration: which file, which servers, and what is refused."""

from __future__ import annotations

import os
from argparse import Namespace
from pathlib import Path

import pytest
from devproxy.certificates import authority
from devproxy.cli.arguments import parse
from devproxy.cli.environment import NOTHING_AROUND
from devproxy.cli.files import FILE_NAME, find, find_upward, read
from devproxy.cli.loading import BadConfiguration, configuration, load_file, load_text
from devproxy.cli.refusal import MISUSED, Refused
from devproxy.text.limits import MAX_FILE_BYTES

GOOD = """\
[server]
listen = "localhost:7000"
[upstreams]
b = "http://localhost:3001"
[[routes]]
path = "/"
upstream = "b"
"""


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, empty and with nothing in the environment that names a file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DEVPROXY_CONFIG", raising=False)
    return tmp_path


def up(*arguments: str) -> Namespace:
    return parse(["up", *arguments])


def test_the_nearest_file_above_is_found_and_named_relatively(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (directory / "a" / "b" / "c").mkdir(parents=True)
    (directory / FILE_NAME).write_text(GOOD)
    (directory / "a" / FILE_NAME).write_text(GOOD)
    monkeypatch.chdir(directory / "a" / "b" / "c")
    assert find(None) == "../../devproxy.toml"


def test_a_directory_that_has_the_files_name_is_passed_over(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (directory / FILE_NAME).write_text(GOOD)
    (directory / "a" / FILE_NAME).mkdir(parents=True)
    monkeypatch.chdir(directory / "a")
    assert find_upward() == "../devproxy.toml"


def test_in_a_directory_that_was_deleted_nothing_is_found(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = directory / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert find_upward() is None


def test_an_empty_variable_names_no_file(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (directory / FILE_NAME).write_text(GOOD)
    monkeypatch.setenv("DEVPROXY_CONFIG", "")
    assert find(None) == FILE_NAME


def test_a_file_of_exactly_the_largest_size_is_loaded_and_one_byte_more_is_not(directory: Path) -> None:
    path = directory / "large"
    path.write_text(GOOD + "#" * (MAX_FILE_BYTES - len(GOOD)))
    assert load_file(str(path), NOTHING_AROUND).routes
    path.write_text(GOOD + "#" * (MAX_FILE_BYTES + 9))
    assert len(read(str(path))) == MAX_FILE_BYTES + 1
    with pytest.raises(Refused, match="more than the 262144 bytes"):
        load_file(str(path), NOTHING_AROUND)


@pytest.mark.parametrize("path", ["missing", ".", "a\0b"])
def test_what_cannot_be_read_is_refused(path: str) -> None:
    with pytest.raises(Refused) as caught:
        read(path)
    assert caught.value.what.startswith("cannot read ")
    assert caught.value.exit_code == MISUSED


def test_servers_alone_need_no_file() -> None:
    loaded = configuration(up("--frontend", "5173", "--backend", "3001"))
    assert [route.pattern for route in loaded.config.routes if route.upstream == "backend"] == ["/socket.io/", "/api/"]
    assert loaded.notices == ()


def test_servers_win_over_a_file_and_a_notice_says_so(directory: Path) -> None:
    (directory / FILE_NAME).write_text("this is not TOML")
    loaded = configuration(up("--frontend", "5173"))
    assert loaded.config.source == "command line"
    assert loaded.notices[0] == "devproxy.toml is not used, because the command line names the servers."


def test_listen_on_the_command_line_replaces_that_of_the_file(directory: Path) -> None:
    (directory / FILE_NAME).write_text(GOOD)
    assert [listen.port for listen in configuration(up(), listen=()).config.server.listen] == [7000]
    assert [listen.port for listen in configuration(up(), listen=("1", "2")).config.server.listen] == [1, 2]


def test_a_file_and_servers_exclude_each_other() -> None:
    with pytest.raises(Refused, match="--config cannot be combined with --frontend or --backend"):
        configuration(up("--config", "x", "--backend", "1"))


def test_backend_paths_need_a_backend(directory: Path) -> None:
    (directory / FILE_NAME).write_text(GOOD)
    with pytest.raises(Refused, match="--backend-path needs --backend"):
        configuration(up("--backend-path", "/x/"))


@pytest.mark.parametrize(
    ("arguments", "option"), [(("--frontend", "99999"), "--frontend"), (("--backend", "ftp://x"), "--backend")]
)
def test_a_bad_address_on_the_command_line_is_refused_by_its_option(arguments: tuple[str, ...], option: str) -> None:
    with pytest.raises(BadConfiguration) as caught:
        configuration(up(*arguments))
    assert option in caught.value.render(colour=False)
    assert caught.value.exit_code == MISUSED


def test_a_bad_listen_is_refused_by_its_option() -> None:
    with pytest.raises(BadConfiguration) as caught:
        configuration(up("--frontend", "1"), listen=("nonsense:x",))
    assert "--listen" in caught.value.render(colour=False)


def test_every_problem_of_a_file_is_in_the_report_with_its_place(directory: Path) -> None:
    (directory / FILE_NAME).write_text(GOOD.replace("path", "pth").replace("listen", "lsten"))
    with pytest.raises(BadConfiguration) as caught:
        configuration(up())
    report = caught.value.render(colour=False)
    assert "devproxy.toml:2:1" in report
    assert "devproxy.toml:6:1" in report


@pytest.mark.parametrize(
    ("file_mode", "folder_mode", "what"),
    [
        (0o666, 0o755, "can change ../devproxy.toml"),
        (0o644, 0o777, "can change the folder of ../devproxy.toml"),
        (0o644, 0o755, ""),
        (0o644, 0o1777, ""),
        (0o664, 0o775, ""),
    ],
)
def test_a_file_in_a_parent_folder_that_everybody_can_write_is_named(
    directory: Path, monkeypatch: pytest.MonkeyPatch, file_mode: int, folder_mode: int, what: str
) -> None:
    (directory / "below").mkdir()
    (directory / FILE_NAME).write_text(GOOD)
    (directory / FILE_NAME).chmod(file_mode)
    monkeypatch.chdir(directory / "below")
    directory.chmod(folder_mode)
    notices = configuration(up()).notices
    if what:
        assert what in notices[0]
        assert "--config PATH" in notices[0]
        assert "chmod o-w" in notices[0]
    else:
        assert notices == ()
    assert configuration(up("--config", f"../{FILE_NAME}")).notices == ()


def test_a_file_in_a_parent_folder_of_somebody_else_is_named(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (directory / "below").mkdir()
    (directory / FILE_NAME).write_text(GOOD)
    monkeypatch.chdir(directory / "below")
    owner = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: owner + 1)
    if owner:
        assert "belongs to the user" in configuration(up()).notices[0]
    else:
        os.chown(directory / FILE_NAME, 12345, -1)
        assert "../devproxy.toml belongs to another user (12345)" in configuration(up()).notices[0]


def test_a_file_right_here_is_ones_own_business(directory: Path) -> None:
    (directory / FILE_NAME).write_text(GOOD)
    (directory / FILE_NAME).chmod(0o666)
    assert configuration(up()).notices == ()


NAMED = GOOD.replace("[upstreams]", 'tls = true\nallowed_hosts = ["dev.example.com", "app.test"]\n[upstreams]')


def test_a_name_that_the_authority_may_not_sign_is_told_with_its_line(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(directory))
    monkeypatch.delenv("CAROOT", raising=False)
    (notice,) = load_text(NAMED.encode(), "x.toml").notices
    assert notice.startswith("x.toml:4: browsers will not trust https://dev.example.com")
    authority.provide(allow=["dev.example.com"])
    assert load_text(NAMED.encode(), "x.toml").notices == ()
    (directory / "devproxy" / "authority.pem").write_text("broken")
    assert load_text(NAMED.encode(), "x.toml").notices == (), "the code that needs a certificate will say so"


@pytest.mark.parametrize("tls", ["false", '{ cert = "c", key = "k" }'])
def test_without_https_or_with_a_certificate_of_the_user_s_no_authority_has_to_sign(tls: str) -> None:
    assert load_text(NAMED.replace("tls = true", f"tls = {tls}").encode(), "x.toml").notices == ()
