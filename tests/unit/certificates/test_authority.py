"""The authority: whose, where, for whom to read, and what it can sign."""

from __future__ import annotations

import os
import ssl
import sys
from pathlib import Path
from threading import Thread

import pytest
from devproxy.certificates import authority, folders, leaves
from devproxy.certificates.making import make_authority
from devproxy.certificates.problems import CertificateProblem
from devproxy.platforms.folders import data_folder
from tests.support.handshakes import handshake

HOUR, DAY = 3600, 86_400


def mode(path: str | Path) -> int:
    return os.stat(path).st_mode & 0o777


def shown(one: authority.Authority, names: tuple[str, ...]) -> ssl.SSLContext:
    """A server that shows a certificate for `names`."""
    import time

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(leaves.provide(one, names, time.time()).path)
    return context


def test_there_is_none_until_it_is_made_and_then_it_is_found_again(environment: dict[str, str]) -> None:
    assert authority.find(environment) is None
    made = authority.provide(environment)
    assert authority.find(environment) == authority.provide(environment) == made
    assert made.path == os.path.join(environment["XDG_DATA_HOME"], "devproxy", "authority.crt")


def test_the_key_is_for_its_owner_alone_and_the_certificate_for_everybody(environment: dict[str, str]) -> None:
    made = authority.provide(environment)
    folder = Path(made.path).parent
    assert [mode(folder), mode(folder.parent)] == [0o700, 0o700]
    assert (mode(folder / "authority.pem"), mode(made.path)) == (0o600, 0o644)
    assert b"PRIVATE" not in Path(made.path).read_bytes()
    assert not list(folder.glob("*.pem.*"))


def test_openssl_refuses_what_it_signs_beyond_its_names(environment: dict[str, str]) -> None:
    made = authority.provide(environment)
    assert handshake(shown(made, ("app.test",)), "app.test", trusting=made.path).names == ("app.test",)
    with pytest.raises(ssl.SSLError, match="permitted subtree violation"):
        handshake(shown(made, ("example.com",)), "example.com", trusting=made.path)
    with pytest.raises(ssl.SSLError, match="permitted subtree violation"):
        handshake(shown(made, ("app.test", "8.8.8.8")), "app.test", trusting=made.path)


def test_one_that_may_sign_more_takes_its_place_and_the_former_is_known_until_it_is_forgotten(
    environment: dict[str, str],
) -> None:
    first = authority.provide(environment)
    second = authority.provide(environment, ["dev.example.com"])
    third = authority.provide(environment, ["203.0.113.5"])
    assert (second.allowed, third.allowed) == (("dev.example.com",), ("dev.example.com", "203.0.113.5"))
    assert authority.provide(environment, ["www.dev.example.com"]) == third
    assert {one.fingerprint for one in authority.former(third)} == {first.fingerprint, second.fingerprint}
    context = shown(third, ("dev.example.com", "203.0.113.5"))
    assert handshake(context, "dev.example.com", trusting=third.path).names == ("dev.example.com", "203.0.113.5")
    authority.forget_former(third)
    assert authority.former(third) == ()


def test_one_that_ends_soon_is_replaced_by_one_that_may_sign_the_same(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = authority.provide(environment, ["dev.example.com"])
    ends_s = made_end(environment)
    assert authority.find(environment, ends_s - 31 * DAY) == made
    assert authority.find(environment, ends_s - 29 * DAY) is None
    monkeypatch.setattr("time.time", lambda: ends_s - 29.0 * DAY)
    after = authority.provide(environment)
    assert after.fingerprint != made.fingerprint
    assert after.allowed == ("dev.example.com",)
    assert [one.fingerprint for one in authority.former(after)] == [made.fingerprint]


def test_a_copy_of_the_certificate_that_was_lost_is_made_again(environment: dict[str, str]) -> None:
    made = authority.provide(environment)
    for damage in (Path(made.path).unlink, lambda: Path(made.path).write_text("x")):
        damage()
        assert authority.provide(environment) == made
        assert Path(made.path).read_bytes() == made.certificate


def made_end(environment: dict[str, str]) -> int:
    text = Path(environment["XDG_DATA_HOME"], "devproxy", "authority.pem").read_text()
    return int(next(line.removeprefix("Ends: ") for line in text.splitlines() if line.startswith("Ends: ")))


def test_two_that_make_it_at_once_end_with_the_same(environment: dict[str, str]) -> None:
    found: list[authority.Authority] = []
    threads = [Thread(target=lambda: found.append(authority.provide(environment))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.certificate for one in found] == [found[0].certificate] * 4


def test_a_file_that_holds_none_is_told_with_its_name(environment: dict[str, str]) -> None:
    made = Path(authority.provide(environment).folder, "authority.pem")
    made.write_text("nothing")
    with pytest.raises(CertificateProblem, match=f"{made} has no certificate authority"):
        authority.find(environment)


def test_a_folder_that_cannot_be_written_is_told_with_ways_on(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CertificateProblem, match=r"cannot write .*: not a directory") as problem:
        authority.provide(environment | {"XDG_DATA_HOME": str(tmp_path / "file")})
    assert "XDG_DATA_HOME" in problem.value.help


def test_without_cryptography_it_says_what_to_type(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "devproxy.certificates.making")
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(CertificateProblem, match="cryptography is not installed") as problem:
        authority.provide(environment)
    # Not by devproxy's name: on the index it belongs to another project.
    assert problem.value.help == f"{sys.executable} -m pip install cryptography"


# -- mkcert --------------------------------------------------------------------------------------------------------


def mkcert(folder: Path, *, has_key: bool = True) -> Path:
    """What `mkcert -install` leaves in its folder, with constraints that it does not have: names of this machine."""
    made = make_authority("mkcert somebody@machine", (), 1_790_000_000)
    folder.mkdir(parents=True)
    (folder / "rootCA.pem").write_bytes(made.certificate)
    if has_key:
        (folder / "rootCA-key.pem").write_bytes(made.key)
    return folder / "rootCA.pem"


def test_mkcert_s_authority_is_used_where_it_is_set_up(environment: dict[str, str], tmp_path: Path) -> None:
    path = mkcert(tmp_path / "data" / "mkcert")
    found = authority.find(environment)
    assert found is not None
    assert (found.path, found.allowed) == (str(path), None)
    assert found.signs("dev.example.com")
    assert authority.provide(environment, ["dev.example.com"]) == found
    assert handshake(shown(found, ("app.test",)), "app.test", trusting=found.path).names == ("app.test",)
    assert found.folder == str(tmp_path / "data" / "devproxy")


def test_mkcert_s_folder_may_be_named(environment: dict[str, str], tmp_path: Path) -> None:
    path = mkcert(tmp_path / "elsewhere")
    found = authority.find(environment | {"CAROOT": str(path.parent)})
    assert found is not None
    assert found.path == str(path)


def test_mkcert_without_its_key_cannot_sign(environment: dict[str, str], tmp_path: Path) -> None:
    mkcert(tmp_path / "data" / "mkcert", has_key=False)
    assert authority.find(environment) is None
    assert authority.provide(environment).allowed == ()


# -- folders -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("platform", "environment", "folder"),
    [
        ("linux", {}, "/home/me/.local/share/devproxy"),
        ("linux", {"XDG_DATA_HOME": "/data"}, "/data/devproxy"),
        ("darwin", {}, "/home/me/Library/Application Support/devproxy"),
        ("win32", {"LOCALAPPDATA": "/users/me/local"}, "/users/me/local/devproxy"),
    ],
)
def test_data_is_kept_where_each_system_keeps_it(platform: str, environment: dict[str, str], folder: str) -> None:
    assert data_folder("devproxy", "/home/me", environment, platform) == folder


def test_by_sudo_it_belongs_to_whoever_typed_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pwd

    account = pwd.getpwnam("nobody")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    who = folders.person({"HOME": "/root", "SUDO_UID": str(account.pw_uid)})
    owner = (account.pw_uid, account.pw_gid)
    assert who == folders.Person(account.pw_dir, owner, "nobody")
    given: list[tuple[str, int, int]] = []

    def chown(path: str, user: int, group: int, *, follow_symlinks: bool) -> None:
        assert not follow_symlinks
        given.append((path, user, group))

    def fchown(descriptor: int, user: int, group: int) -> None:
        given.append((os.readlink(f"/proc/self/fd/{descriptor}").rpartition(".")[0], user, group))

    monkeypatch.setattr(os, "chown", chown)
    monkeypatch.setattr(os, "fchown", fchown)
    folders.write(str(tmp_path / "a" / "b" / "key"), b"x", who.owner)
    assert given == [(str(tmp_path / name), *owner) for name in ("a", "a/b", "a/b/key")]


@pytest.mark.parametrize(
    "environment", [{"HOME": "/h"}, {"HOME": "/h", "SUDO_UID": "0"}, {"HOME": "/h", "SUDO_UID": "x"}]
)
def test_without_sudo_it_is_whoever_runs_it(environment: dict[str, str]) -> None:
    assert folders.person(environment) == ("/h", None, "")
