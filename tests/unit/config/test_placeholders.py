"""Placeholders in header values: what is one, what is not, and what is wrong."""

from __future__ import annotations

import pytest
from devproxy.config.placeholders import PLACEHOLDERS, placeholder_fault, split_value


@pytest.mark.parametrize("name", PLACEHOLDERS)
def test_every_placeholder_is_known(name: str) -> None:
    assert placeholder_fault(f"a ${{{name}}} b") is None
    assert split_value(f"a ${{{name}}} b") == ("a ", name, " b")


@pytest.mark.parametrize(
    ("value", "pieces"),
    [
        ("", ("",)),
        ("plain $1 {x} $ }", ("plain $1 {x} $ }",)),
        ("$${host}", ("${host}",)),
        ("$$${host}", ("$${host}",)),
        ("${host}${scheme}", ("", "host", "", "scheme", "")),
        ("a$${b}${host}c", ("a${b}", "host", "c")),
        ("$${", ("${",)),
    ],
)
def test_a_value_is_texts_and_names_by_turns(value: str, pieces: tuple[str, ...]) -> None:
    assert split_value(value) == pieces


def test_an_unknown_placeholder_is_refused_with_the_name_that_was_meant() -> None:
    assert placeholder_fault("${upstream.hots}") == (
        'there is no placeholder "upstream.hots"',
        "did you mean `${upstream.host}`?",
    )
    assert placeholder_fault("${ host }") == ('there is no placeholder " host "', "did you mean `${host}`?")


def test_a_placeholder_like_no_other_is_refused_with_all_there_are() -> None:
    what, help = placeholder_fault("$${host} ${PATH_TO_NOWHERE}") or ("", "")
    assert what == 'there is no placeholder "PATH_TO_NOWHERE"'
    assert all(name in help for name in PLACEHOLDERS)


@pytest.mark.parametrize("value", ["${host", "a ${", "${ho{st}"])
def test_a_placeholder_without_an_end_is_refused_with_both_ways_out(value: str) -> None:
    what, help = placeholder_fault(value) or ("", "")
    assert "has no end" in what
    assert "`}`" in help
    assert "`$${`" in help
    with pytest.raises(ValueError, match="has no end"):
        split_value(value)


def test_many_marks_cost_linear_time() -> None:
    assert placeholder_fault("${" * 50_000) is not None
    assert len(split_value("$${" * 50_000)[0]) == 100_000
