"""What is remembered between messages: tables of two generations, under one bound in bytes for all of them.

Traffic repeats itself, and what has been worked out once need not be worked out again; but nothing that a stranger
sends may make devproxy larger for good. So all tables share one :class:`Memory`: each entry says what it costs, with
its key and whatever it keeps alive, and when half of the bound is used up, the older half goes: what was asked for
since stays. What comes once is not kept at all: only a mark says that it has been seen, in a table of fixed size.

It is shared by all gateways of a process, which nothing but its size tells: what is kept follows from the bytes of its
key and, for a plan, from the table, which belongs to one snapshot. Gateways in several threads may make each other
forget sooner. ADR 0007 has the numbers. Start at :class:`Table`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from mmap import mmap
from sys import getsizeof
from threading import Lock
from typing import Final, Generic, TypeVar
from weakref import ref

MEMORY_BYTES: Final = 16 * 1024 * 1024
"""For everything that is remembered in this process, both generations together."""
MARKS: Final = 262_144
"""Places for the marks of what has been seen once, 2 MiB: two lines that share one keep each other from being
remembered, so there are many more than a page with thousands of modules has lines."""
SLOT: Final = MARKS - 1
"""The bits of a mark that say where it is."""
ENTRY_BYTES: Final = 104
"""A place in a dictionary, at its emptiest."""

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")


class Memory:
    """The bound of a number of tables. ``used_bytes``: what the entries of both generations cost, at most the bound."""

    def __init__(self, limit_bytes: int) -> None:
        self._half = self._left = limit_bytes // 2
        self._old_bytes = self._enrolled = 0
        # For the list of tables alone: one that gets lost would never forget. A sum that comes out wrong because two
        # threads added at once is right again with the next turn.
        self._listing = Lock()
        self._tables: list[ref[Table[object, object]]] = []
        # Mapped, because a page of it that was never written to takes no memory; those of a bytearray all do.
        self.marks: Final = memoryview(mmap(-1, 8 * MARKS)).cast("q")

    @property
    def used_bytes(self) -> int:
        """What is remembered costs, in bytes."""
        return self._half - self._left + self._old_bytes

    def enrol(self, table: Table[object, object]) -> int:
        """Let `table` take part for as long as it is referenced elsewhere; return a number that no other such table
        has."""
        with self._listing:
            self._tables.append(ref(table))
            self._enrolled += 1
            return self._enrolled

    def has_seen(self, mark: int) -> bool:
        """Tell whether `mark` (a hash) was seen not long ago; from now on it was."""
        slot = mark & SLOT
        if self.marks[slot] == mark:
            return True
        self.marks[slot] = mark
        return False

    def charge(self, size: int) -> bool:
        """Make room for `size` bytes among the young, if need be by forgetting the old; False: there is never room."""
        if size > self._half:
            return False
        if size > self._left:
            self._turn()
        self._left -= size
        return True

    def forget(self) -> None:
        """Forget everything, and that it was ever seen."""
        self._turn()
        self._turn()
        self.marks[:] = memoryview(bytes(8 * MARKS)).cast("q")

    def _turn(self) -> None:
        """Forget what is old; what was young is old from now on."""
        with self._listing:
            self._old_bytes = self._half - self._left
            self._left = self._half
            alive = [(table, held) for table in self._tables if (held := table()) is not None]
            self._tables = [table for table, _ in alive]
            for _, held in alive:
                held.age()


class Table(dict[_Key, _Value | None], Generic[_Key, _Value]):
    """What is remembered by its key: the young in the dictionary itself, so that a hit costs one look-up.

    ``table[key]`` is None for what is not remembered; what is found among the old becomes young again by that.
    ``cost_of``: what an entry costs in bytes besides its place, with all that it alone keeps alive; see
    :func:`footprint`.
    """

    __slots__ = ("__weakref__", "_cost_of", "_salt", "memory", "old")

    def __init__(self, memory: Memory, cost_of: Callable[[_Key, _Value], int]) -> None:
        super().__init__()
        self.memory = memory
        self._cost_of = cost_of
        self.old: dict[_Key, _Value | None] = {}
        self._salt = memory.enrol(self)  # type: ignore[arg-type]  # which neither reads nor writes an entry

    def __missing__(self, key: _Key) -> _Value | None:
        """Return what is remembered for `key` among the old, and keep it among the young; None: nothing."""
        value = self.old.pop(key, None)
        if value is not None:
            self.keep(key, value)
        return value

    def keep(self, key: _Key, value: _Value) -> bool:
        """Remember `value`, whether or not `key` was seen before; tell whether there was room."""
        has_room = self.memory.charge(ENTRY_BYTES + self._cost_of(key, value))
        if has_room:
            self[key] = value
        return has_room

    def keep_if_seen(self, key: _Key, value: _Value) -> bool:
        """Remember `value` if `key` was seen before; tell whether it is remembered now."""
        return self.memory.has_seen(hash((self._salt, key))) and self.keep(key, value)

    def age(self) -> None:
        """Let what is old go, and what is young be old."""
        self.old = dict(self)
        self.clear()


def footprint(*values: object) -> int:
    """Return the bytes of `values` with all that they hold, twice where they hold it twice.

    Looks into tuples, and into objects by the names of their slots; anything else counts only itself.
    """
    total = 0
    for value in values:
        if value is None or value is True or value is False:
            continue
        total += getsizeof(value)
        if isinstance(value, tuple):
            total += footprint(*value)
        elif not isinstance(value, (bytes, str, int)):
            total += footprint(*[getattr(value, name) for name in getattr(type(value), "__slots__", ())])
    return total


MEMORY: Final = Memory(MEMORY_BYTES)
"""The memory of this process."""
