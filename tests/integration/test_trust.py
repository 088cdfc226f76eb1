"""`devproxy trust` with real databases of browsers in a folder of its own; the system's own list is left alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from devproxy import config
from devproxy.certificates import authority
from devproxy.cli import main
from devproxy.cli.https import distrust
from devproxy.config import Server
from devproxy.trust import stores


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with two Firefox profiles, and Chromium that was never started; nothing else keeps authorities."""
    assert shutil.which("certutil"), "this test needs certutil: apt install libnss3-tools"
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_DATA_HOME", "CAROOT", "SUDO_UID"):
        monkeypatch.delenv(name, raising=False)
    for profile in ("one", "two"):
        folder = tmp_path / ".mozilla/firefox" / profile
        folder.mkdir(parents=True)
        certutil("-N", folder, "--empty-password")
    look = stores.look
    monkeypatch.setattr(stores, "look", lambda: look(root=str(tmp_path / "root"), which=which))
    return tmp_path


def which(name: str) -> str | None:
    return "/usr/bin/chromium" if name == "chromium" else shutil.which(name)


def certutil(action: str, folder: Path, *arguments: str) -> str:
    command = ["certutil", action, "-d", f"sql:{folder}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def nicknames(folder: Path) -> list[str]:
    return [line.split()[0] for line in certutil("-L", folder).splitlines() if line.startswith("devproxy-")]


def databases(home: Path) -> list[Path]:
    return [home / ".pki/nssdb", home / ".mozilla/firefox/one", home / ".mozilla/firefox/two"]


def trusting(home: Path) -> list[bool]:
    known = authority.provide()
    return [store not in stores.lacking(stores.look(), known) for store in stores.look().stores]


def test_it_says_what_it_would_run_and_changes_no_list(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["trust"]) == 0
    said = capfd.readouterr().out
    assert "devproxy's own authority: " in said
    assert said.count("does not trust it  ") == 3
    assert said.count("certutil -A -d sql:") == 3
    assert f"export NODE_EXTRA_CA_CERTS={home}/.local/share/devproxy/authority.crt\n" in said
    assert not (home / ".pki").exists()
    assert trusting(home) == [False] * 3


def test_what_it_says_is_what_the_shell_may_run(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    main(["trust"])
    said = capfd.readouterr().out.partition("devproxy trust --install runs:\n")[2].partition("\n\n")[0]
    subprocess.run(said, shell=True, check=True)
    assert trusting(home) == [True] * 3


def test_install_makes_every_browser_trust_it_and_uninstall_takes_it_back(
    home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["trust", "--install"]) == 0
    said = capfd.readouterr().out
    assert said.count("  trusts it          ") == 3
    assert "Restart your browsers" in said
    assert trusting(home) == [True] * 3
    for folder in databases(home):
        assert "CA" in certutil("-L", folder, "-n", nicknames(folder)[0])
    assert main(["trust", "--install"]) == 0
    assert "$ " not in capfd.readouterr().out, "there is nothing left to do"
    assert main(["trust", "--uninstall"]) == 0
    assert trusting(home) == [False] * 3
    assert [nicknames(folder) for folder in databases(home)] == [[]] * 3


def test_who_does_not_trust_it_yet_is_told_to_whoever_serves_with_it() -> None:
    on = config.from_arguments(frontend="1", backend=None, backend_paths=[], listen=[])
    on = config.with_listen(on, [], tls=True)
    assert distrust(on) is None, "there is no authority yet"
    authority.provide()
    trouble = distrust(on)
    assert trouble is not None
    assert trouble.what.endswith("not trusted yet by Firefox; Chromium and Chrome")
    assert "devproxy trust --install" in trouble.help
    assert distrust(replace(on, server=Server())) is None
    assert main(["trust", "--install"]) == 0
    assert distrust(on) is None


def test_an_authority_that_may_sign_more_takes_the_place_of_the_former_in_every_browser(home: Path) -> None:
    main(["trust", "--install"])
    former = nicknames(databases(home)[0])
    assert main(["trust", "--allow", "*.dev.example.com", "--install"]) == 0
    assert authority.provide().allowed == ("dev.example.com",)
    assert trusting(home) == [True] * 3
    for folder in databases(home):
        assert len(nicknames(folder)) == 1
        assert nicknames(folder) != former
    assert authority.former(authority.provide()) == ()


def test_it_says_the_same_to_programs(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["trust", "--allow", "dev.example.com", "--json"]) == 0
    said = json.loads(capfd.readouterr().out)
    assert said["allowed"][-1] == "dev.example.com"
    assert (said["is_mkcert"], said["notes"]) == (False, [])
    assert [store["trusts"] for store in said["stores"]] == [False] * 3
    assert {step["command"][0] for step in said["steps"]} == {"mkdir", "certutil"}
    assert said["environment"]["NODE_EXTRA_CA_CERTS"] == said["authority"]


def test_a_command_that_fails_is_told_and_the_others_are_run(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    database = home / ".mozilla/firefox/one/cert9.db"
    database.write_bytes(b"no database")
    assert main(["trust", "--install"]) == 1
    out, err = capfd.readouterr()
    assert "warning: that failed, so nothing has changed for Firefox\n" in err
    assert out.count("does not trust it") == 1
    assert sorted(trusting(home)) == [False, True, True]


def test_where_nothing_can_be_told_it_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    look = stores.look()
    monkeypatch.setattr(stores, "look", lambda: look._replace(programs=frozenset(("apt-get",))))
    assert main(["trust"]) == 0
    assert "note: Firefox can be checked only with the program certutil" in capfd.readouterr().out
    assert main(["trust", "--install"]) == 1
    assert "apt-get install libnss3-tools" in capfd.readouterr().err


def test_mkcert_s_authority_is_installed_where_mkcert_does_not_and_left_to_it(
    home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from devproxy.certificates.making import make_authority

    folder = home / ".local/share/mkcert"
    folder.mkdir(parents=True)
    made = make_authority("mkcert", (), 1_790_000_000)
    (folder / "rootCA.pem").write_bytes(made.certificate)
    (folder / "rootCA-key.pem").write_bytes(made.key)
    assert main(["trust", "--install"]) == 0
    assert capfd.readouterr().out.rpartition("$ ")[2].count("mkcert's authority") == 1
    assert trusting(home) == [True] * 3
    assert main(["trust", "--uninstall"]) == 0
    assert trusting(home) == [False] * 3
    certutil("-A", databases(home)[1], "-t", "C,,", "-n", "mkcert's own", "-i", str(folder / "rootCA.pem"))
    assert main(["trust", "--install"]) == 0
    assert main(["trust", "--uninstall"]) == 0
    assert sorted(trusting(home)) == [False, False, True], "what mkcert has told stays"
    assert main(["trust", "--uninstall"]) == 2
    assert "help: mkcert -uninstall" in capfd.readouterr().err


def test_uninstalling_nothing_makes_nothing(home: Path) -> None:
    assert main(["trust", "--uninstall"]) == 0
    assert not os.path.exists(home / ".local")


@pytest.mark.parametrize(
    "arguments", [["--install", "--uninstall"], ["--allow", "a b"], ["--allow", "*"], ["--allow", "https://x"]]
)
def test_what_makes_no_sense_is_refused(arguments: list[str]) -> None:
    assert main(["trust", *arguments]) == 2
