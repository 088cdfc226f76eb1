"""Paths that devproxy answers itself."""

from __future__ import annotations

import pytest
from devproxy.http.own import is_reserved


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/__devproxy", True),
        ("/__devproxy/", True),
        ("/__devproxy/health", True),
        ("/__devproxyx", False),
        ("/", False),
    ],
)
def test_a_path_of_devproxys_own_is_known_with_and_without_its_slash(path: str, expected: bool) -> None:
    assert is_reserved(path) is expected
