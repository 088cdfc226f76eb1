"""What is remembered: one bound in bytes for all tables, and when it is reached the older half goes."""

from __future__ import annotations

import gc
import tracemalloc

from devproxy.http.fields import marks, parse_field
from devproxy.http.memory import ENTRY_BYTES, MEMORY, MEMORY_BYTES, Memory, Table, footprint
from devproxy.http1.head import parse_request_head, parse_response_head, recall_request_head, recall_response_head
from devproxy.http1.start_line import Limits

LIMITS = Limits()


def table(memory: Memory) -> Table[bytes, bytes]:
    """Return a table of which each entry costs 1000 bytes."""
    return Table(memory, lambda key, value: 1000 - ENTRY_BYTES)


def test_what_was_asked_for_stays_when_the_older_half_goes() -> None:
    some = table(Memory(20_000))
    for number in range(100):
        some.keep(b"%d" % number, b"x")
        assert some[b"0"] == b"x", "asked for all the time"
    assert some[b"99"] == b"x"
    assert some[b"50"] is None


def test_never_is_everything_forgotten_at_once() -> None:
    some = table(Memory(20_000))
    for number in range(500):
        some.keep(b"%d" % number, b"x")
        assert sum((b"%d" % earlier) in some or (b"%d" % earlier) in some.old for earlier in range(number + 1)) >= min(
            number + 1, 10
        )


def test_all_tables_share_one_bound() -> None:
    memory = Memory(20_000)
    tables = [table(memory) for _ in range(7)]
    for number in range(500):
        tables[number % 7].keep(b"%d" % number, b"x")
        assert memory.used_bytes <= 20_000
        assert sum(len(one) + len(one.old) for one in tables) <= 20


def test_an_entry_for_which_there_is_never_room_is_not_kept_and_costs_nobody_his_place() -> None:
    memory = Memory(20_000)
    some, large = table(memory), Table[bytes, bytes](memory, footprint)
    some.keep(b"a", b"x")
    assert not large.keep(b"b", bytes(20_000))
    assert some[b"a"] == b"x"
    assert large[b"b"] is None


def test_what_comes_for_the_second_time_is_kept() -> None:
    some, other = (table(memory) for memory in [Memory(20_000)] * 2)
    assert not some.keep_if_seen(b"a", b"x")
    assert not other.keep_if_seen(b"a", b"x"), "it was seen by another table"
    assert some.keep_if_seen(b"a", b"x")
    assert some[b"a"] == b"x"


def test_a_table_that_nobody_holds_any_more_is_gone() -> None:
    memory = Memory(20_000)
    some, kept = table(memory), table(memory)
    some.keep(b"a", b"x")
    del some
    for number in range(50):
        kept.keep(b"%d" % number, b"x")
    assert memory.used_bytes <= 20_000


def test_the_cost_of_what_is_remembered_is_what_it_takes() -> None:
    """Every kind of entry from the wire: lines, fields, request lines, facts of both directions."""
    MEMORY.forget()
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for number in range(2000):
        lines = [b"Host: h%d.localhost" % number, b"X-Own: %d" % number, b"Origin: http://o%d.test" % number]
        head = b"\r\n".join((b"GET /%d HTTP/1.1" % number, *lines))
        answer = b"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=%d\r\nVary: a%d\r\nContent-Length: %d" % ((number,) * 3)
        for _ in range(3):
            parse_request_head(head, LIMITS)
            recall_request_head(head + b"\r\n\r\n", LIMITS)
            parse_response_head(answer, LIMITS)
            recall_response_head(answer + b"\r\n\r\n", LIMITS)
            for line in lines:
                parse_field(line)
                assert marks[line] is not None
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert MEMORY.used_bytes > 2_000_000, "this remembers nothing"
    assert after - before <= MEMORY.used_bytes
    assert MEMORY.used_bytes <= MEMORY_BYTES
    MEMORY.forget()
    assert MEMORY.used_bytes == 0
