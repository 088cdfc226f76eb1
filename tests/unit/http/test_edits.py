"""What is remembered of a response's edits."""

from __future__ import annotations

import pytest
from devproxy.http.edits import ResponseEdits


@pytest.mark.parametrize(
    ("verdicts", "is_fine"),
    [
        (None, False),
        (("http", (), ()), True),
        (("https", (), ()), False),
        (("http", (), ("a browser says: wildcard",)), False),
        (("http", ("a browser says: missing",), ("a browser says: missing",)), False),
    ],
    ids=["not asked yet", "taken", "asked by another scheme", "not taken with cookies", "never taken"],
)
def test_only_what_was_found_fine_by_this_scheme_with_cookies_and_without_is_not_asked_about_again(
    verdicts: tuple[str, tuple[str, ...], tuple[str, ...]] | None, is_fine: bool
) -> None:
    assert ResponseEdits(verdicts=verdicts).is_known_to_be_fine("http") is is_fine
