"""What is found on each system, looked at in a folder that looks like one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from devproxy.certificates import authority
from devproxy.trust import stores
from devproxy.trust.stores import Kind, Store, System


@pytest.fixture
def own(tmp_path: Path) -> authority.Authority:
    return authority.provide({"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path / "data")})


def having(*programs: str) -> Callable[[str], str | None]:
    """A look-up of programs on a PATH that has these; of snaps, with their path."""
    paths = {program.rpartition("/")[2]: program if "/" in program else f"/usr/bin/{program}" for program in programs}
    return paths.get


def looked(home: Path, *programs: str, platform: str = "linux", **files: str) -> System:
    return stores.look({"HOME": str(home)}, platform, str(home / "root"), having(*programs))


def make(*files: Path) -> None:
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("")


@pytest.mark.parametrize(
    ("folder", "name", "update"),
    [
        ("etc/pki/ca-trust/source/anchors", ".pem", "update-ca-trust extract"),
        ("usr/local/share/ca-certificates", ".crt", "update-ca-certificates"),
        ("etc/ca-certificates/trust-source/anchors", ".crt", "trust extract-compat"),
        ("usr/share/pki/trust/anchors", ".pem", "update-ca-certificates"),
    ],
    ids=["Fedora", "Debian", "Arch", "SUSE"],
)
def test_each_distribution_has_its_folder_and_its_program(folder: str, name: str, update: str, tmp_path: Path) -> None:
    (tmp_path / "root" / folder).mkdir(parents=True)
    (store,) = looked(tmp_path).stores
    assert (store.kind, store.where) == (Kind.SYSTEM, str(tmp_path / "root" / folder))
    assert (store.suffix, " ".join(store.update)) == (name, update)


def test_the_system_trusts_what_is_in_its_list(tmp_path: Path, own: authority.Authority) -> None:
    (tmp_path / "root/usr/local/share/ca-certificates").mkdir(parents=True)
    system = looked(tmp_path)
    assert stores.lacking(system, own) == system.stores
    bundle = tmp_path / "root/etc/ssl/certs/ca-certificates.crt"
    make(bundle)
    assert stores.lacking(system, own) == system.stores
    bundle.write_bytes(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" + own.certificate)
    assert stores.lacking(system, own) == ()


def test_the_databases_of_browsers_are_found_wherever_they_come_from(tmp_path: Path) -> None:
    folders = {
        ".pki/nssdb": "Chromium and Chrome",
        "snap/chromium/current/.pki/nssdb": "Chromium (snap)",
        ".var/app/org.chromium.Chromium/.pki/nssdb": "browsers from Flatpak",
        ".mozilla/firefox/a.default": "Firefox",
        ".mozilla/firefox/b.dev": "Firefox",
        ".config/mozilla/firefox/c": "Firefox",
        "snap/firefox/common/.mozilla/firefox/d": "Firefox (snap)",
        ".var/app/org.mozilla.firefox/.mozilla/firefox/e": "Firefox (Flatpak)",
    }
    make(*(tmp_path / folder / "cert9.db" for folder in folders), tmp_path / ".mozilla/firefox/profiles.ini")
    (tmp_path / ".mozilla/firefox/never-started").mkdir()
    found = looked(tmp_path, "chromium").stores
    assert {(store.where, store.whose) for store in found} == {
        (str(tmp_path / folder), whose) for folder, whose in folders.items()
    }
    assert all(store.kind is Kind.NSS and store.is_there for store in found)


def test_chromium_that_was_never_started_gets_a_database_and_a_snap_has_its_own(tmp_path: Path) -> None:
    assert looked(tmp_path, "/snap/bin/chromium").stores == ()
    (store,) = looked(tmp_path, "google-chrome").stores
    assert (store.where, store.is_there) == (str(tmp_path / ".pki/nssdb"), False)


def test_what_has_no_database_trusts_nothing(tmp_path: Path, own: authority.Authority) -> None:
    make(tmp_path / "cert9.db")
    for is_there in (True, False):
        assert not stores.has(Store(Kind.NSS, "", str(tmp_path), is_there=is_there), own)


def test_macos_has_its_keychain(tmp_path: Path) -> None:
    (store,) = looked(tmp_path, platform="darwin").stores
    assert (store.kind, store.where) == (Kind.KEYCHAIN, str(tmp_path / "Library/Keychains/login.keychain-db"))


def test_windows_has_its_root_store_and_so_has_the_linux_within_it(tmp_path: Path) -> None:
    (store,) = looked(tmp_path, platform="win32").stores
    assert (store.kind, store.where) == (Kind.WINDOWS, "Root")
    make(tmp_path / "root/proc/version")
    (tmp_path / "root/proc/version").write_text("Linux version 6.6.87.2-microsoft-standard-WSL2")
    make(tmp_path / "root/usr/local/share/ca-certificates/x")
    assert [store.kind for store in looked(tmp_path).stores] == [Kind.WINDOWS, Kind.SYSTEM]


@pytest.mark.parametrize(("kind", "program"), [(Kind.KEYCHAIN, "security"), (Kind.WINDOWS, "certutil.exe")])
def test_macos_and_windows_are_asked_by_their_programs(
    kind: Kind, program: str, tmp_path: Path, own: authority.Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(kind, "", "Root")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not stores.has(store, own), "there is no such program"
    for code in (0, 1):
        (tmp_path / program).write_text(f'#!/bin/sh\necho "$@" >{tmp_path}/asked\nexit {code}\n')
        (tmp_path / program).chmod(0o755)
        assert stores.has(store, own) is (code == 0)
    asked = (tmp_path / "asked").read_text()
    assert (own.path if kind is Kind.KEYCHAIN else own.fingerprint) in asked


def test_a_path_is_that_of_windows_where_a_program_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert stores.windows_path("/home/me/x") == "/home/me/x"
    (tmp_path / "wslpath").write_text("#!/bin/sh\nprintf '%s\\n' '\\\\wsl.localhost\\Debian'\"$2\"\n")
    (tmp_path / "wslpath").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert stores.windows_path("/x") == "\\\\wsl.localhost\\Debian/x"
