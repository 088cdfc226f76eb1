"""What `make test-matrix` decides without running anything."""

from __future__ import annotations

import pytest
from tests.matrix import Interpreter, Row, count, newest, table

FOUND = [
    Interpreter("3.13.0", "/pyenv/3.13.0"),
    Interpreter("3.12.1", "/pyenv/3.12.1"),
    Interpreter("3.13.10", "/usr/bin/python3.13"),
    Interpreter("3.15.0pre", "/opt/3.15"),
    Interpreter("3.11.7", "/usr/bin/python3.11"),
    Interpreter("3.14.0pre", "/opt/pre"),
    Interpreter("3.14.0", "/opt/final"),
]


def test_the_newest_of_each_version_is_taken() -> None:
    taken = {one.minor: one.path for one in newest(FOUND)}
    assert taken == {
        "3.12": "/pyenv/3.12.1",
        "3.13": "/usr/bin/python3.13",
        "3.14": "/opt/final",
        "3.15": "/opt/3.15",
    }


def test_others_can_be_left_out() -> None:
    assert [one.minor for one in newest(FOUND, ["3.13", "3.19"])] == ["3.13"]


def test_a_report_is_counted() -> None:
    report = (
        '<testsuites><testsuite tests="10" failures="1" errors="2" skipped="3"/><testsuite tests="1"/></testsuites>'
    )
    assert count(report) == (5, 3, 3)


@pytest.mark.parametrize(
    ("row", "is_good"),
    [
        (Row("3.13.0", "uvloop", 9, 0, 1, 12.0), True),
        (Row("3.13.0", "uvloop", 9, 1, 0, 12.0), False),
        (Row("3.13.0", "uvloop", 0, 0, 9, 12.0), False),
        (Row("3.15.0pre", "-", trouble="cannot be prepared"), False),
    ],
    ids=["passed", "failed", "all skipped", "not installed"],
)
def test_only_tests_that_ran_and_passed_are_good(row: Row, is_good: bool) -> None:
    assert row.is_good is is_good


def test_the_table_says_what_happened() -> None:
    lines = table([Row("3.13.0", "uvloop", 9, 0, 1, 12.4), Row("3.15.0pre", "-", trouble="cannot be prepared")])
    assert lines.splitlines()[1:] == [
        "3.13.0      uvloop           9       0        1       12",
        "3.15.0pre   -           cannot be prepared",
    ]
