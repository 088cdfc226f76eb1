"""Lines of what programs write, however it comes."""

from __future__ import annotations

from itertools import pairwise

from devproxy.programs.output import MAX_LINE, Splitter
from hypothesis import given
from hypothesis import strategies as st


def lines_of(*pieces: bytes) -> list[str]:
    splitter = Splitter()
    found = [line for piece in pieces for line in splitter.take(piece)]
    return found + splitter.end()


def test_lines_are_put_together() -> None:
    assert lines_of(b"one\ntw", b"o\n", b"\nthree") == ["one", "two", "", "three"]


def test_line_ends_of_windows_are_line_ends() -> None:
    assert lines_of(b"one\r\ntwo\r", b"\n") == ["one", "two"]


def test_a_progress_bar_is_the_line_that_it_ends_as() -> None:
    assert lines_of(b"10%\r20%\r", b"30%\r100%\ndone\n") == ["100%", "done"]


def test_a_bar_without_end_takes_no_more_than_its_last_state() -> None:
    splitter = Splitter()
    for number in range(100_000):
        assert splitter.take(b"%6d of many\r" % number) == []
    assert splitter.end() == [" 99999 of many"]


def test_a_prompt_is_shown_when_it_has_waited_and_the_rest_of_its_line_comes_later() -> None:
    splitter = Splitter()
    assert splitter.take(b"Proceed? ") == []
    assert splitter.flush() == ["Proceed? "]
    assert splitter.take(b"yes\n") == ["yes"]


def test_a_character_may_come_in_two_pieces_and_what_is_none_is_replaced() -> None:
    assert lines_of("grün\n".encode()[:3], "grün\n".encode()[3:]) == ["grün"]
    assert lines_of(b"\xff\xfe\n\xe2\x9e") == ["��", "�"]


def test_a_line_without_end_is_cut() -> None:
    found = lines_of(*([b"x" * 1000] * 100))
    assert "".join(found) == "x" * 100_000
    assert max(map(len, found)) <= MAX_LINE


@given(st.binary(max_size=200), st.lists(st.integers(0, 200)))
def test_the_pieces_do_not_matter(data: bytes, cuts: list[int]) -> None:
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    pieces = [data[start:end] for start, end in pairwise(places)]
    assert lines_of(*pieces) == lines_of(data)
