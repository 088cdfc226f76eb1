"""What is around devproxy on a machine, judged from values."""

from __future__ import annotations

import pytest
from devproxy.console.style import ASCII_GLYPHS, Style
from devproxy.doctor.surroundings import (
    Named,
    Server,
    Surroundings,
    Upstream,
    document_around,
    judge,
    lines_around,
)
from devproxy.policy.folders import is_within

GOOD = Surroundings(source="/srv/app/devproxy.toml", project="/srv/app", own="/bin/devproxy", open_files=65536)


def results(found: Surroundings, name: str) -> list[str]:
    return [finding.result for finding in judge(found) if finding.name == name]


def test_where_all_is_well_nothing_is_wrong() -> None:
    assert {finding.result for finding in judge(GOOD)} == {"ok", "not checked"}


@pytest.mark.parametrize(
    ("name", "more", "result"),
    [
        ("configuration", {"fault": "not TOML"}, "problem"),
        ("configuration", {"source": ""}, "not checked"),
        ("clock", {"behind_s": 86400.0 * 3}, "problem"),
        ("IPv6", {"has_ipv6": False}, "warning"),
        ("open files", {"open_files": 1024}, "warning"),
        ("open files", {"open_files": 0}, "not checked"),
        ("PATH", {"first_on_path": "/usr/bin/devproxy"}, "warning"),
        ("PATH", {"first_on_path": "/bin/devproxy"}, "ok"),
        ("container", {"in_container": True}, "ok"),
        ("certificates", {"has_tls": True}, "ok"),
        ("certificates", {"has_tls": True, "distrust": ("not trusted by Chromium", "devproxy trust")}, "warning"),
        ("upstream a", {"upstreams": (Upstream("a", "http://localhost:1", "connection refused"),)}, "problem"),
        ("upstream a", {"upstreams": (Upstream("a", "u", "", "node (pid 1)", "/srv/app/web"),)}, "ok"),
        ("upstream a", {"upstreams": (Upstream("a", "u", "", "node (pid 1)", "/srv/other"),)}, "warning"),
        ("name app.test", {"names": (Named("app.test", "allowed_hosts", ("127.0.0.1",), True),)}, "ok"),
        ("name app.test", {"names": (Named("app.test", "allowed_hosts", ("192.0.2.1",)),)}, "warning"),
        ("name app.test", {"names": (Named("app.test", "allowed_hosts"),)}, "warning"),
        ("running devproxy", {"servers": (Server(1, ("u",), "/srv/app", "x", True, True),)}, "ok"),
        ("running devproxy", {"servers": (Server(1, ("u",), "/srv/app", "x", True, False),)}, "warning"),
        ("running devproxy", {"servers": (Server(1, ("u",), "/srv/other", "y"),)}, "warning"),
    ],
)
def test_each_thing_is_judged(name: str, more: dict[str, object], result: str) -> None:
    assert results(GOOD._replace(**more), name) == [result]  # type: ignore[arg-type]


def test_what_is_outside_the_project_is_named_with_its_folder() -> None:
    found = GOOD._replace(upstreams=(Upstream("web", "http://localhost:5173", "", "node (pid 7)", "/srv/other"),))
    finding = next(each for each in judge(found) if each.name == "upstream web")
    assert "node (pid 7) in /srv/other" in finding.why


@pytest.mark.parametrize(
    ("folder", "project", "expected"),
    [
        ("/srv/app", "/srv/app", True),
        ("/srv/app/web", "/srv/app", True),
        ("/srv/app", "/srv/app/deploy", True),
        ("/srv/apple", "/srv/app", False),
        ("/srv/other", "/srv/app", False),
        ("/", "/srv/app", False),
    ],
)
def test_a_folder_is_of_a_project_or_not(folder: str, project: str, expected: bool) -> None:
    assert is_within(folder, project) is expected


def test_the_report_escapes_what_others_chose() -> None:
    found = GOOD._replace(upstreams=(Upstream("web", "u", "", "no\x1b[31mde (pid 7)", "/srv/app"),))
    lines = list(lines_around(judge(found), Style(False, ASCII_GLYPHS)))
    assert not [line for line in lines if "\x1b" in line]
    assert document_around(found, judge(found))["configuration"] == "/srv/app/devproxy.toml"
