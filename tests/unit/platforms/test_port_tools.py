from __future__ import annotations

import pytest
from devproxy.platforms import holders, port_tools
from devproxy.platforms.port_tools import Listening, read_lsof, read_netstat, read_tasklist

NETSTAT = """
Aktive Verbindungen

  Proto  Lokale Adresse         Remoteadresse          Status           PID
  TCP    0.0.0.0:135            0.0.0.0:0              ABHÖREN          1020
  TCP    127.0.0.1:8080         0.0.0.0:0              ABHÖREN          4242
  TCP    127.0.0.1:8080         127.0.0.1:51322        HERGESTELLT      4242
  TCP    [::1]:8080             [::]:0                 ABHÖREN          4242
  TCP    [fe80::1%7]:8080       [::]:0                 ABHÖREN          77
  TCP    0.0.0.0:18080          0.0.0.0:0              ABHÖREN          99
  UDP    0.0.0.0:8080           *:*                                     55
""".splitlines()


def test_lsof_tells_process_and_address() -> None:
    lines = ["p4242", "f23", "tIPv4", "n127.0.0.1:8080", "f24", "tIPv6", "n[::1]:8080", "p77", "f3", "tIPv6", "n*:8081"]
    lines += ["tIPv4", "n*:8081", "nnonsense"]
    assert read_lsof(lines) == [
        Listening(8080, "127.0.0.1", 4242),
        Listening(8080, "::1", 4242),
        Listening(8081, "::", 77),
        Listening(8081, "0.0.0.0", 77),
    ]


def test_netstat_tells_them_in_any_language() -> None:
    assert read_netstat(NETSTAT) == [
        Listening(135, "0.0.0.0", 1020),
        Listening(8080, "127.0.0.1", 4242),
        Listening(8080, "::1", 4242),
        Listening(8080, "fe80::1", 77),
        Listening(18080, "0.0.0.0", 99),
    ]


@pytest.mark.parametrize("said", [[], ["INFO: No tasks are running"], ['"node.exe"'], ["a,b,c,d,e"]], ids=str)
def test_tasklist_may_know_no_such_process(said: list[str]) -> None:
    assert read_tasklist(said) == ""


def test_tasklist_tells_the_name() -> None:
    assert read_tasklist(["", '"node.exe","4242","Console","1","45,012 K"']) == "node"


@pytest.mark.parametrize(
    ("system", "said"), [("IS_MACOS", ["p4242", "tIPv4", "n127.0.0.1:8080"]), ("IS_WINDOWS", NETSTAT)], ids=str
)
def test_a_port_that_is_taken_has_a_name_there(system: str, said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {
        "lsof -nP -iTCP -sTCP:LISTEN -Fptn": said,
        "lsof -a -p 4242 -d cwd -Fcn": ["p4242", "cnode", "fcwd", "n/work/app"],
        "netstat -ano": said,
        "tasklist /FI PID eq 4242 /FO CSV /NH": ['"node.exe","4242","Console","1","45,012 K"'],
    }
    monkeypatch.setattr(port_tools, system, True)
    monkeypatch.setattr(holders, "IS_LINUX", False)
    monkeypatch.setattr(port_tools, "_said", lambda *command: answers[" ".join(command)])
    assert holders.listening_addresses(8080)[0] == "127.0.0.1"
    assert 8080 in (holders.listening_ports() or {})
    found = holders.holder_of(8080)
    assert found is not None
    assert (found.pid, found.name, found.folder) == (4242, "node", "/work/app" if system == "IS_MACOS" else "")


def test_a_tool_that_is_missing_or_fails_tells_nothing() -> None:
    assert port_tools._said("/no/such/tool") == []
    assert port_tools._said("sh", "-c", "exit 3") == []
