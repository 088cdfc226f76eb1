"""How long a regular expression can take: refuses those that a hostile text makes run for minutes or forever.

Pure. Python's ``re`` backtracks, has no time limit and holds the interpreter's lock, and what an expression is compared
with here comes from any web site (``Origin``, paths). Judges an expression that ``re`` has compiled; never matches
anything. The bound is on how often a place of the expression can be tried at places of the text, and it is an upper
one: when in doubt it refuses, and what is refused can be said with possessive repeats (``[a-z]++``), which never give
back what they took. Start at :func:`backtracking_fault`; ``docs/linear.md`` lists the expressions of devproxy itself.

The expression is read into nodes (:class:`_Node`), each with the bytes that it may look at. A walk over these carries
for each place: at how many places of the text it can be tried (``spread``), by how many ways one of these can be
reached (``ways``), and what is before it (``last`` and ``barriers``). A repeat of ``[^/]`` after ``/x`` never
looks twice at a byte, wherever it began; a repeat of ``[^/]`` in front of a slash ends at one place only; ``.*`` in
front of a slash can end at every slash.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import reduce
from importlib import import_module
from operator import or_
from typing import Any, Final, Literal, NamedTuple

MAX_STEPS: Final = 1 << 17
"""Steps that are always allowed: about a millisecond. A text of some hundred bytes may be looked at that often."""
MAX_STEPS_PER_OCTET: Final = 8
"""Steps that are allowed for each byte of a long text: linear."""

_ALL: Final = (1 << 256) - 1
_HIGH: Final = _ALL ^ ((1 << 128) - 1)
"""In a text: every character beyond ASCII, which are not distinguished here."""
_ANY: Final = _ALL ^ (1 << 10)
_MAX_UNROLLED: Final = 64
_MAX_BARRIERS: Final = 40
_MAX_WORK: Final = 20_000
"""Items that are looked at in one expression, those that are repeated counted each time."""
_parser: Final = import_module("re._parser")


def _union(masks: Iterable[int]) -> int:
    return reduce(or_, masks, 0)


def _mask(text: str) -> int:
    return _union(1 << ord(char) for char in text)


_LOWER: Final = _mask("abcdefghijklmnopqrstuvwxyz")
_UPPER: Final = _LOWER >> 32
_DIGITS: Final = _mask("0123456789")
_CATEGORIES: Final = {"DIGIT": _DIGITS, "SPACE": _mask(" \t\n\r\f\v"), "WORD": _DIGITS | _LOWER | _UPPER | _mask("_")}


class _Slow(Exception):
    """Some text takes too long. Its arguments: what :func:`backtracking_fault` returns."""


_TOO_INVOLVED: Final = ("it is too complex to tell how long it may take", "make it simpler")
_NESTED: Final = (
    "it repeats a part that itself repeats, and some texts would take it forever",
    "make the inner repeat possessive, `[a-z]++` for `[a-z]+`, or write `[ab]` for `(a|b)`",
)
_TOO_MANY: Final = (
    "it has so many repeats that some texts would take minutes",
    "let each end where the next begins, `/[^/]*/` for `/.*/`, or make them possessive: `[a-z]++` for `[a-z]+`",
)


def backtracking_fault(
    source: str | bytes, length: int, *, method: str = "fullmatch", flags: int = 0
) -> tuple[str, str] | None:
    """Return why matching `source`, which compiles, may take too long, and what to write instead; or None.

    `length`: of the longest text, in bytes. `method`: of the compiled pattern, by which it is matched; a text that
    ``fullmatch`` gets has no line ends. Any but ``fullmatch`` and ``match`` begins anywhere, again and again. Linear in
    `source`.
    """
    try:
        tree = _parser.parse(source, flags)
        expression = _Reader(is_text=isinstance(source, str)).sequence(tree, tree.state.flags)
        begins_anywhere = method not in ("fullmatch", "match")
        start = _State(length, 1, _ALL) if begins_anywhere else _State(1, 1, 0)
        _Walk(length, may_end_anywhere=method != "fullmatch").sequence(expression.items, start, _Follow(0, True))
    except _Slow as slow:
        what, help = slow.args
        return what, help
    except RecursionError:
        return _TOO_INVOLVED
    return None


# -- what an expression consists of ------------------------------------------------------------------------------------


_Kind = Literal["octet", "sequence", "branch", "repeat", "atomic", "ahead", "behind", "reference", "beginning", "test"]
"""``ahead``: looks at what comes; ``behind``: at what has to come before. ``reference``: to what a group took.

``beginning``: of the text. ``test``: any other that takes nothing and may fail.
"""


class _Node(NamedTuple):
    """A part of an expression.

    ``first``: bytes that it may begin with; ``octets``: all that it may look at; never too few. ``is_empty``: it may
    take none. ``is_far``: no bound, or a high one, says how many it looks at. ``items``: its parts; but for those of a
    sequence they are sequences. ``single``: the bytes of which it takes one, None if it may take more or fewer.
    ``literal``: the one that is written, if it is a byte. ``least``, ``most`` and ``is_possessive``: of a repeat.
    """

    kind: _Kind
    first: int
    octets: int
    is_empty: bool
    is_far: bool = False
    items: tuple[_Node, ...] = ()
    single: int | None = None
    literal: int | None = None
    least: int = 0
    most: int = 0
    is_possessive: bool = False

    @property
    def sequences(self) -> tuple[_Node, ...]:
        """The sequences within it; a sequence is its own."""
        return (self,) if self.kind == "sequence" else self.items


def _node_of(kind: _Kind, items: Sequence[_Node], *, is_empty: bool) -> _Node:
    """Return the node whose parts are `items`, any of which may come first."""
    first, octets = _union(each.first for each in items), _union(each.octets for each in items)
    return _Node(kind, first, octets, is_empty, any(each.is_far for each in items), tuple(items))


def _sequence_of(items: Sequence[_Node]) -> _Node:
    first = next((node.first | (follow if node.is_empty else 0) for node, follow in _with_followers(items, 0)), 0)
    single = items[0].single if len(items) == 1 else None
    found = _node_of("sequence", items, is_empty=all(each.is_empty for each in items))
    return found._replace(first=first, single=single)


def _with_followers(items: Sequence[_Node], follow: int) -> Iterator[tuple[_Node, int]]:
    """Give each of `items`, which follow one another, with the bytes that may come right after it.

    `follow`: those that may come after the last.
    """
    followers = [follow]
    for node in reversed(items[1:]):
        followers.append(node.first | followers[-1] if node.is_empty else node.first)
    return zip(items, reversed(followers), strict=False)


def _written_out(repeat: _Node) -> _Node:
    """Return what `repeat`, of a few times, is if each is written out."""
    inner, nothing, rest = repeat.items[0], _sequence_of(()), tuple[_Node, ...]()
    for _ in range(repeat.most - repeat.least):
        rest = (_node_of("branch", (_sequence_of((inner, *rest)), nothing), is_empty=True),)
    each = _sequence_of((inner,) * repeat.least + rest)
    return _node_of("atomic", (each,), is_empty=each.is_empty) if repeat.is_possessive else each


class _Reader:
    """Makes nodes of what ``re`` has parsed. `is_text`: it is compared with characters instead of bytes."""

    def __init__(self, *, is_text: bool) -> None:
        self._high = _HIGH if is_text else 0

    def sequence(self, items: Iterable[tuple[Any, Any]], flags: int) -> _Node:
        """Return the node of `items`, one after the other."""
        return _sequence_of([self._node(op.name, argument, flags) for op, argument in items])

    def _node(self, op: str, argument: Any, flags: int) -> _Node:
        if op in ("LITERAL", "NOT_LITERAL", "ANY", "IN"):
            octets = self._octets(op, argument, flags)
            literal = argument if op == "LITERAL" and not flags & re.IGNORECASE else None
            return _Node("octet", octets, octets, False, single=octets, literal=literal)
        if op == "SUBPATTERN":
            _, added, taken, items = argument
            return self.sequence(items, (flags | added) & ~taken)
        if op in ("BRANCH", "GROUPREF_EXISTS"):
            return self._branch(argument[1] if op == "BRANCH" else (argument[1], argument[2] or ()), flags)
        if op.endswith("_REPEAT"):
            return self._repeat(op, argument, flags)
        if op == "ATOMIC_GROUP":
            inner = self.sequence(argument, flags)
            return _node_of("atomic", (inner,), is_empty=inner.is_empty)
        if op in ("ASSERT", "ASSERT_NOT"):
            direction, items = argument
            kind: _Kind = "ahead" if direction > 0 else "behind" if op == "ASSERT" else "test"
            return _node_of(kind, (self.sequence(items, flags),), is_empty=True)._replace(first=0)
        if op == "GROUPREF":
            return _Node("reference", _ALL, _ALL, True, True)
        is_beginning = op == "AT" and argument.name == "AT_BEGINNING_STRING"
        return _Node("beginning" if is_beginning else "test", 0, 0, True)

    def _branch(self, branches: Iterable[Any], flags: int) -> _Node:
        items = [self.sequence(each, flags) for each in branches]
        single = None
        if all(each.single is not None for each in items) and _are_apart(each.first for each in items):
            single = _union(each.first for each in items)
        return _node_of("branch", items, is_empty=any(each.is_empty for each in items))._replace(single=single)

    def _repeat(self, op: str, argument: Any, flags: int) -> _Node:
        least, most, items = argument
        inner = self.sequence(items, flags)
        found = _node_of("repeat", (inner,), is_empty=inner.is_empty or least == 0)
        return found._replace(
            is_far=inner.is_far or most > _MAX_UNROLLED,
            least=int(least),
            most=int(most),
            is_possessive=op == "POSSESSIVE_REPEAT",
        )

    def _octets(self, op: str, argument: Any, flags: int) -> int:
        """Return which bytes a single-byte item takes; never too few."""
        if op == "ANY":
            return _ALL if flags & re.DOTALL else _ANY
        found, is_negated = 0, op == "NOT_LITERAL"
        for kind, value in argument if op == "IN" else ((_parser.LITERAL, argument),):
            if kind.name == "NEGATE":
                is_negated = True
            elif kind.name == "LITERAL":
                found |= self._bit(value)
            elif kind.name == "RANGE":
                low, high = value
                found |= _union(map(self._bit, (*range(low, min(high, 256)), high)))
            else:
                known = _CATEGORIES[value.name.rpartition("_")[2]]
                found |= (_ALL ^ known if "_NOT_" in value.name else known) | self._high
        if is_negated:
            return (_ALL ^ found) | self._high
        if flags & re.IGNORECASE:
            found |= (found & _LOWER) >> 32 | (found & _UPPER) << 32 | (self._high if found & (_LOWER | _UPPER) else 0)
        return found

    def _bit(self, octet: int) -> int:
        return _HIGH if self._high and octet > 127 else 1 << min(octet, 255)


def _are_apart(masks: Iterable[int]) -> bool:
    """Tell whether no byte is in two of `masks`."""
    seen = 0
    for mask in masks:
        if mask & seen:
            return False
        seen |= mask
    return True


# -- what a part of an expression does ---------------------------------------------------------------------------------


def _are_told_apart(branches: Sequence[_Node], follow: int) -> bool:
    """Tell whether the next byte decides which of `branches` can be taken, with `follow` after them."""
    return _are_apart(each.first | follow if each.is_empty else each.first for each in branches)


def _wastes(sequence: _Node, follow: int) -> bool:
    """Tell whether `sequence` may look far ahead and then take less: all of that would be looked at again.

    `follow`: what may come after it.
    """
    return any(
        node.is_far and (_may_take_less(node, behind) or any(_wastes(each, behind) for each in node.sequences))
        for node, behind in _with_followers(sequence.items, follow)
    )


def _may_take_less(node: _Node, behind: int) -> bool:
    """Tell whether `node`, which looks far ahead, may take less than that. `behind`: what may come after it."""
    if node.kind == "branch":
        return not _are_told_apart(node.items, behind)
    if node.kind != "repeat":
        return node.kind in ("ahead", "behind", "test", "reference")
    inner = node.items[0]
    is_choice = node.least != node.most and inner.single is None and inner.first & behind != 0
    return is_choice and inner.is_far and not _goes_through(inner)


def _goes_through(sequence: _Node) -> bool:
    """Tell whether `sequence` cannot fail any more once it has looked far ahead."""
    far = next((index for index, node in enumerate(sequence.items) if node.is_far), len(sequence.items))
    return all(node.kind == "repeat" and node.least == 0 for node in sequence.items[far + 1 :]) and all(
        _goes_through(each) for node in sequence.items[far:] if node.is_far for each in node.sequences
    )


def _takes_anything(items: Sequence[_Node]) -> bool:
    """Tell whether `items` match whatever comes or fail at once, and take nearly all that they look at."""
    is_sure = items[0].items and items[0].items[0].single is not None and items[0].least <= _MAX_UNROLLED
    return all(
        node.kind == "repeat"
        and (node.least == 0 or (node is items[0] and is_sure))
        and not _wastes(node.items[0], _ALL)
        and _goes_through(node.items[0])
        for node in items
    )


# -- in what states what is reached ------------------------------------------------------------------------------------


class _State(NamedTuple):
    """How a place of the expression can be reached (see the top of this module).

    ``last``: the bytes of which one is right before it. ``barriers``: pairs of bytes of which one is further
    before it, and of all that may be in between, which are others; where the first one is, the place is known.
    """

    spread: int
    ways: int
    last: int
    barriers: tuple[tuple[int, int], ...] = ()

    def behind(self, octets: int, last: int) -> _State:
        """Return the state after some of `octets`, the last of them one of `last`, that end at a known place."""
        known = ((barrier, between | octets) for barrier, between in ((self.last, 0), *self.barriers))
        kept = tuple((barrier, between) for barrier, between in known if not barrier & between)
        return self._replace(last=last, barriers=kept[:_MAX_BARRIERS])

    def keeps_apart(self, octets: int) -> bool:
        """Tell whether two runs of `octets` from two places like this one never share a byte."""
        return any(not barrier & (between | octets) for barrier, between in ((self.last, 0), *self.barriers))


def _common_barriers(states: Sequence[_State]) -> tuple[tuple[int, int], ...]:
    """Return the barriers before a place whichever of `states` led there."""
    common = {states[0].last: 0, **dict(states[0].barriers)}
    for state in states[1:]:
        other = {state.last: 0, **dict(state.barriers)}
        common = {barrier: common[barrier] | other[barrier] for barrier in common if barrier in other}
    return tuple((barrier, between) for barrier, between in common.items() if not barrier & between)


class _Follow(NamedTuple):
    """What comes after a place: bytes that it may begin with. ``is_end``: nothing, and the text need not go on."""

    first: int
    is_end: bool


class _Walk:
    """The walk over one expression, for texts of `length` bytes."""

    def __init__(self, length: int, *, may_end_anywhere: bool) -> None:
        self._length = max(length, 1)
        self._budget = max(MAX_STEPS, MAX_STEPS_PER_OCTET * length)
        self._may_end_anywhere = may_end_anywhere
        self._left = _MAX_WORK

    def sequence(self, items: Sequence[_Node], state: _State, follow: _Follow) -> _State:
        """Return the state after `items`, entered in `state`, with `follow` after them."""
        self._left -= 1 + len(items)
        if self._left < 0:
            raise _Slow(*_TOO_INVOLVED)
        for index, (node, first) in enumerate(_with_followers(items, follow.first)):
            if self._may_end_anywhere and follow.is_end and _takes_anything(items[index:]):
                # What cannot fail is done when it is first reached, and what it took is not looked at again.
                return state
            state = self._pass(node, state, _Follow(first, follow.is_end and index == len(items) - 1))
            self._spend(state.spread * state.ways)
        return state

    def _pass(self, node: _Node, state: _State, follow: _Follow) -> _State:
        match node.kind:
            case "octet":
                return state.behind(node.octets, node.octets)
            case "sequence":
                return self.sequence(node.items, state, follow)
            case "branch":
                return self._branch(node.items, state, follow)
            case "repeat":
                return self._repeat(node, state, follow)
            case "atomic":
                return self._atomic(node.items[0], state)
            case "ahead":
                self._atomic(node.items[0], state)
            case "behind" if (before := node.items[0].single) is not None:
                return state._replace(last=state.last & before)
            case "reference":
                self._spend(state.ways * state.spread * self._length)
                return self._merged(state, is_apart=False).behind(_ALL, _ALL)
            case "beginning":
                return state._replace(spread=1, last=0)
        return state

    def _atomic(self, inner: _Node, state: _State) -> _State:
        """Return the state after `inner`, which ends once for each time that it begins, if at all."""
        last = self.sequence(inner.items, state, _Follow(0, False)).last
        return self._merged(state, is_apart=state.keeps_apart(inner.octets)).behind(inner.octets, last)

    def _merged(self, state: _State, *, is_apart: bool) -> _State:
        """Return the state after what ends once for each beginning; two beginnings end apart if they `is_apart`."""
        return state if is_apart else state._replace(ways=self._capped(state.ways * state.spread))

    def _branch(self, branches: Sequence[_Node], state: _State, follow: _Follow) -> _State:
        found = [self.sequence(each.items, state, follow) for each in branches]
        last, ways = _union(each.last for each in found), self._capped(sum(each.ways for each in found))
        if _are_told_apart(branches, follow.first) and (
            state.spread == 1 or all(each.ways == state.ways for each in found)
        ):
            barriers = _common_barriers(found)
            if state.spread == 1 or barriers:
                ways = max(each.ways for each in found)
            return _State(max(each.spread for each in found), ways, last, barriers)
        literals = [tuple(node.literal for node in each.items) for each in branches]
        if len(set(literals)) == len(literals) and not any(None in each for each in literals):
            # Two of one length that end at one place are two only if they are different.
            lengths = len(set(map(len, literals)))
            if state.spread == 1:
                return _State(min(self._length, lengths), state.ways, last)
            return _State(state.spread, self._capped(state.ways * lengths), last)
        spread = sum(each.spread for each in found) if state.spread == 1 else self._length
        return _State(min(self._length, spread), ways, last)

    def _repeat(self, node: _Node, state: _State, follow: _Follow) -> _State:
        inner = node.items[0]
        if inner.single is not None:
            takes_all = not self._may_end_anywhere and follow.is_end and node.most >= self._length
            if takes_all and inner.single & _ANY == _ANY:
                return state.behind(inner.octets, inner.octets)  # all that is left, and that is the end
            return self._run(node, inner.octets, min(node.most, self._length), state, follow)
        if node.most <= 1 or (node.most * max(1, len(inner.items)) <= _MAX_UNROLLED and not inner.is_far):
            return self._pass(_written_out(node), state, follow)
        behind = _Follow(inner.first | follow.first, False)
        once = self.sequence(inner.items, _State(1, 1, _ALL), behind)
        if inner.is_empty or once.spread * once.ways > 1 or _wastes(inner, behind.first):
            raise _Slow(*_NESTED)
        return self._run(node, once.last, self._length, state, follow)

    def _run(self, node: _Node, last: int, reach: int, state: _State, follow: _Follow) -> _State:
        """Return the state after a repeat of what itself ends at one place only, with one of `last`.

        `reach`: how many bytes the repeat may look at.
        """
        least, most = min(node.least, self._length), min(node.most, self._length)
        is_apart = state.keeps_apart(node.octets)
        self._spend(state.ways * (self._length if is_apart and state.spread > 1 else state.spread * reach))
        before = last if least else state.last | last
        if node.is_possessive or not node.first & follow.first or most == least:
            return self._merged(state, is_apart=is_apart or most == least == reach).behind(node.octets, before)
        choices = min(most - least + 1, self._length)
        if state.spread == 1:
            return _State(choices, state.ways, before)
        ways = state.ways if is_apart else self._capped(state.ways * min(state.spread, choices))
        return _State(self._length, ways, before)

    def _capped(self, ways: int) -> int:
        return min(ways, self._budget + 1)

    def _spend(self, steps: int) -> None:
        if steps > self._budget:
            raise _Slow(*_TOO_MANY)
