"""Which ports are listened on, as each system says it."""

from __future__ import annotations

import os
import socket
import sys

import pytest
from devproxy.platforms import listeners as module
from devproxy.platforms.holders import holders_of
from devproxy.platforms.listener_tables import Row, read_cwd, read_lsof, read_netstat
from devproxy.platforms.listeners import Listener, listeners

LSOF = """p501
cnode
f23
n*:3001
f24
n[::1]:5173
p77
cPython
f3
n127.0.0.1:8000
n192.168.1.2:9000
nlocalhost:http
"""
NETSTAT = """
Aktive Verbindungen

  Proto  Lokale Adresse         Remoteadresse          Status           PID
  TCP    0.0.0.0:135            0.0.0.0:0              ABHÖREN         1012
  TCP    127.0.0.1:5173         0.0.0.0:0              ABHÖREN         4242
  TCP    127.0.0.1:49000        127.0.0.1:49001        HERGESTELLT     4242
  TCP    [::1]:3001             [::]:0                 ABHÖREN         77
  UDP    0.0.0.0:5353           *:*                                    3
"""


def test_rows_of_lsof() -> None:
    assert read_lsof(LSOF) == [
        Row(3001, "*", 501, "node"),
        Row(5173, "::1", 501, "node"),
        Row(8000, "127.0.0.1", 77, "Python"),
        Row(9000, "192.168.1.2", 77, "Python"),
    ]
    assert read_lsof("") == []
    assert read_cwd("p501\nfcwd\nn/Users/me/shop\n") == "/Users/me/shop"
    assert read_cwd("p501\nfcwd\nncwd unknown\n") == ""


def test_rows_of_netstat_in_any_language() -> None:
    assert read_netstat(NETSTAT) == [Row(135, "0.0.0.0", 1012), Row(5173, "127.0.0.1", 4242), Row(3001, "::1", 77)]


@pytest.mark.parametrize(
    "text", ["\x00" * 100, "p\nn\nn:\nn:0\nnx:99999999999999\n", "TCP a b c d\n", "TCP 0.0.0.0: 0.0.0.0:0 X 1"]
)
def test_what_is_no_table_has_no_rows(text: str) -> None:
    assert read_lsof(text) == []
    assert read_netstat(text) == []


def test_macos_is_asked_by_lsof_for_ports_and_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_said", lambda *command: "p1\nfcwd\nn/Users/me/shop\n" if "-d" in command else LSOF)
    assert listeners("darwin") == [
        Listener(3001, "127.0.0.1", 501, "node", "/Users/me/shop"),
        Listener(5173, "::1", 501, "node", "/Users/me/shop"),
        Listener(8000, "127.0.0.1", 77, "Python", "/Users/me/shop"),
    ]


def test_windows_knows_ports_and_processes_and_no_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_said", lambda *command: NETSTAT if command[-1] == "TCP" else "")
    assert listeners("win32") == [
        Listener(135, "127.0.0.1", 1012),
        Listener(3001, "::1", 77),
        Listener(5173, "127.0.0.1", 4242),
    ]


def test_a_system_that_does_not_tell_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_said", lambda *_: "")
    assert listeners("freebsd14") is None
    monkeypatch.setattr(module, "listening_ports", lambda: None)
    assert listeners("linux") is None


def test_a_command_that_is_not_there_says_nothing() -> None:
    assert module._said("no-such-command-as-this") == ""
    assert module._said(sys.executable, "-c", "raise SystemExit(1)") == ""
    assert module._said(sys.executable, "-c", "print('x')").strip() == "x"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads what Linux says of itself")
def test_linux_says_who_listens_where() -> None:
    with socket.socket(socket.AF_INET6) as every, socket.socket() as loopback:
        every.bind(("::", 0))
        loopback.bind(("127.0.0.1", 0))
        ports = [one.getsockname()[1] for one in (every, loopback)]
        for one in (every, loopback):
            one.listen()
        found = {one.port: one for one in listeners() or [] if one.port in ports}
        assert {one.pid for one in found.values()} == {os.getpid()}
        assert {one.folder for one in found.values()} == {os.getcwd()}
        assert [found[port].address for port in ports] == ["::1", "127.0.0.1"]
        assert set(holders_of(ports)) == set(ports)
    assert holders_of(()) == {}
