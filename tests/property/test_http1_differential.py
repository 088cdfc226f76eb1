"""Where messages end: our grammar against httptools, h11 and both of aiohttp's parsers.

Thousands of requests and responses, well-formed ones and mutants of them, are read by all five. Whenever ours accepts a
message, every other parser must find the same message with the same body, ending at the same octet, or its refusal must
be one of those listed in ``KNOWN_DIFFERENCES`` of :mod:`tests.support.http1_cases` (by reason: none of them concerns
framing). The cases come from seeded generators, so that a run can be repeated; a failure prints the octets.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator

import pytest
from devproxy.http1.reader import MessageKind
from tests.support.http1_cases import Generator, find_difference, is_known
from tests.support.http1_oracles import (
    AiohttpOracle,
    End,
    Oracle,
    read_with_devproxy,
    read_with_h11,
    read_with_httptools,
)

CASES_PER_BATCH = 400
BATCHES = range(10)


@pytest.fixture(scope="module")
def oracles() -> Iterator[dict[str, Oracle]]:
    loop = asyncio.new_event_loop()
    yield {
        "h11": read_with_h11,
        "httptools": read_with_httptools,
        "aiohttp": AiohttpOracle(loop, is_pure_python=False),
        "aiohttp in Python": AiohttpOracle(loop, is_pure_python=True),
    }
    loop.close()


def compare(kind: MessageKind, batch: int, method: bytes, oracles: dict[str, Oracle]) -> Counter[str]:
    """Read one batch with every parser; fail on a difference that is not known; return what was seen."""
    seen: Counter[str] = Counter()
    generator = Generator(kind, batch)
    for _ in range(CASES_PER_BATCH):
        stream = generator.stream()
        ours = read_with_devproxy(stream, kind, method)
        seen["accepted" if ours.messages and ours.messages[0].is_complete else "refused"] += 1
        for name, read in oracles.items():
            theirs = read(stream, kind, method)
            seen[f"refused by {name}"] += theirs.end is End.REFUSED
            difference = find_difference(ours, theirs)
            if difference and not is_known(name, stream, theirs):
                pytest.fail(f"{name}: {difference}\noctets: {stream!r}\nours: {ours}\ntheirs: {theirs}")
    return seen


@pytest.mark.parametrize("batch", BATCHES)
def test_no_other_parser_reads_a_request_that_we_accept_in_another_way(batch: int, oracles: dict[str, Oracle]) -> None:
    seen = compare(MessageKind.REQUEST, batch, b"GET", oracles)
    assert_both_sides_were_exercised(seen, oracles)


@pytest.mark.parametrize("batch", BATCHES)
def test_no_other_parser_reads_a_response_that_we_accept_in_another_way(batch: int, oracles: dict[str, Oracle]) -> None:
    seen = compare(MessageKind.RESPONSE, batch, b"GET", oracles)
    assert_both_sides_were_exercised(seen, oracles)


@pytest.mark.parametrize("batch", BATCHES)
def test_no_other_parser_reads_an_answer_to_head_in_another_way(batch: int, oracles: dict[str, Oracle]) -> None:
    # httptools cannot be told that a response answers a HEAD.
    able = {name: read for name, read in oracles.items() if name != "httptools"}
    assert_both_sides_were_exercised(compare(MessageKind.RESPONSE, batch, b"HEAD", able), able)


def assert_both_sides_were_exercised(seen: Counter[str], oracles: dict[str, Oracle]) -> None:
    """A batch that is refused, or accepted, altogether compares nothing."""
    assert seen["accepted"] > CASES_PER_BATCH // 10
    assert seen["refused"] > CASES_PER_BATCH // 10
    assert all(seen[f"refused by {name}"] > CASES_PER_BATCH // 10 for name in oracles)
