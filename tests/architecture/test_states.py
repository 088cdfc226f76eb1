"""The tables of states: everything in them can happen, and the document shows them."""

from __future__ import annotations

import pytest
from docs.house import ROOT
from docs.transitions import MACHINES, PAGE, page, steps

every_machine = pytest.mark.parametrize("folder", MACHINES)


@every_machine
def test_every_state_can_be_reached_and_left_or_is_the_last(folder: str) -> None:
    table = steps(folder)
    first, *others = type(next(iter(table))[0])
    reached = {first}
    for _ in others:
        reached |= {then for (state, _), (then, _) in table.items() if state in reached}
    assert reached == {first, *others}
    stuck = {state for state in reached if all(then is state for (one, _), (then, _) in table.items() if one is state)}
    assert len(stuck) <= 1, "only the last state is never left"


@every_machine
def test_every_event_and_every_act_is_in_the_table(folder: str) -> None:
    table = steps(folder)
    ((_, event), (_, act)) = next(iter(table.items()))
    assert {pair[1] for pair in table} == set(type(event))
    assert {act for _, act in table.values()} == set(type(act))


def test_the_document_shows_the_tables_as_they_are() -> None:
    assert (ROOT / PAGE).read_text(encoding="utf-8") == page()[PAGE], "run `make fix` (or `python -m docs.generate`)"
