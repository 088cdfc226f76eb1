"""Names on the command line of the benchmark."""

from __future__ import annotations

import pytest
from bench.names import UnknownName, chosen

KNOWN = ("nginx", "haproxy", "devproxy")


def test_without_a_name_all_are_meant() -> None:
    assert chosen(["", " "], KNOWN, what="peer") == list(KNOWN)


def test_names_may_stand_alone_or_with_commas_and_keep_the_order_of_the_table() -> None:
    assert chosen(["devproxy, haproxy", "nginx"], KNOWN, what="peer") == list(KNOWN)


def test_an_unknown_name_is_told_with_what_was_meant() -> None:
    with pytest.raises(UnknownName, match=r"no peer called 'ngnix': did you mean nginx\? "):
        chosen(["ngnix"], KNOWN, what="peer")


def test_a_name_that_is_like_no_other_is_told_with_all_there_are() -> None:
    with pytest.raises(UnknownName, match=r"no row called 'zzz': \(nginx, haproxy, devproxy\)"):
        chosen(["zzz"], KNOWN, what="row")
