"""Placeholders in header values: what is one, what is not, and what is wrong."""

from __future__ import annotations

import pytest
from devproxy.config.placeholders import PLACEHOLDERS, split_value
from devproxy.text.bad import BadText


def fault(value: str) -> tuple[str, str]:
    with pytest.raises(BadText) as caught:
        split_value(value)
    return caught.value.what, caught.value.help


@pytest.mark.parametrize("name", PLACEHOLDERS)
def test_every_placeholder_is_known(name: str) -> None:
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
    assert fault("${upstream.hots}") == (
        'there is no placeholder "upstream.hots"',
        "did you mean `${upstream.host}`?",
    )
    assert fault("${ host }") == ('there is no placeholder " host "', "did you mean `${host}`?")


def test_a_placeholder_like_no_other_is_refused_with_all_there_are() -> None:
    what, help = fault("$${host} ${PATH_TO_NOWHERE}")
    assert what == 'there is no placeholder "PATH_TO_NOWHERE"'
    assert all(name in help for name in PLACEHOLDERS)


@pytest.mark.parametrize("value", ["${host", "a ${", "${ho{st}"])
def test_a_placeholder_without_an_end_is_refused_with_both_ways_out(value: str) -> None:
    what, help = fault(value)
    assert "has no end" in what
    assert "`}`" in help
    assert "`$${`" in help


def test_many_marks_cost_linear_time() -> None:
    assert "has no end" in fault("${" * 50_000)[0]
    assert len(split_value("$${" * 50_000)[0]) == 100_000
