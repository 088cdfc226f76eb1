"""Mutated messages through the whole gateway, in memory: the invariants of :mod:`tests.support.fuzzing` hold for each.

20,000 cases with fixed seeds, 5,000 of HTTP/2, and everything in ``tests/corpus``: whole, cut in pieces and octet by
octet. ``make fuzz`` goes on from there with other seeds and keeps what breaks an invariant.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator

import pytest
from devproxy.http1.reader import MessageKind
from tests.support.fuzzing import case, check_request, check_response, corpus
from tests.support.http2_fuzzing import check_http2, http2_case, http2_corpus
from tests.support.in_memory import World

BATCHES = range(10)
CASES_PER_BATCH = 1000


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.close()


@pytest.mark.parametrize("batch", BATCHES)
def test_whatever_a_client_sends_the_invariants_hold(batch: int, world: World) -> None:
    kept = corpus(MessageKind.REQUEST)
    seen: Counter[str] = Counter()
    for number in range(batch * CASES_PER_BATCH, (batch + 1) * CASES_PER_BATCH):
        stream, chance = case(MessageKind.REQUEST, number, kept)
        seen[check_request(world, stream, chance)] += 1
    assert min(seen["forwarded"], seen["refused"]) > CASES_PER_BATCH // 20, f"both are exercised: {seen}"


@pytest.mark.parametrize("batch", BATCHES)
def test_whatever_a_server_answers_the_invariants_hold(batch: int, world: World) -> None:
    kept = corpus(MessageKind.RESPONSE)
    seen: Counter[str] = Counter()
    for number in range(batch * CASES_PER_BATCH, (batch + 1) * CASES_PER_BATCH):
        stream, chance = case(MessageKind.RESPONSE, number, kept)
        seen[check_response(world, stream, chance)] += 1
    assert min(seen["relayed"], seen["refused"], seen["cut"]) > CASES_PER_BATCH // 100, f"all are exercised: {seen}"


@pytest.mark.parametrize("batch", BATCHES)
def test_whatever_frames_a_client_sends_the_invariants_hold(batch: int, world: World) -> None:
    seen: Counter[str] = Counter()
    for number in range(batch * CASES_PER_BATCH // 2, (batch + 1) * CASES_PER_BATCH // 2):
        seen[check_http2(world, *http2_case(number))] += 1
    assert min(seen["forwarded"], seen["refused"]) > CASES_PER_BATCH // 20, f"both are exercised: {seen}"


class Style(random.Random):
    """A chance that always cuts a stream in the same way: see :func:`tests.support.fuzzing.pieces`."""

    def __init__(self, style: int) -> None:
        super().__init__(style)
        self._style = style

    def randrange(self, start: int, stop: int | None = None, step: int = 1) -> int:
        return self._style if (start, stop) == (10, None) else super().randrange(start, stop, step)


@pytest.mark.parametrize("style", [0, 5, 9], ids=["whole", "in pieces", "octet by octet"])
def test_what_the_corpus_keeps_is_tried_every_time(style: int, world: World) -> None:
    for stream in corpus(MessageKind.REQUEST):
        check_request(world, stream, Style(style))
    for stream in corpus(MessageKind.RESPONSE):
        check_response(world, stream, Style(style))
    for stream in http2_corpus():
        check_http2(world, stream, Style(style))
