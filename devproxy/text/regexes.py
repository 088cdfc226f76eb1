"""How long a regular expression can take: refuses those that a hostile text makes run for minutes or for ever.

Pure. Python's ``re`` backtracks, has no time limit and holds the interpreter's lock, and what an expression is compared
with here comes from any web site (``Origin``, paths). Judges an expression that ``re`` has compiled; never matches
anything. The bound is on how often a place of the expression can be tried at places of the text, and it is an upper
one: when in doubt it refuses, and what is refused can be said with possessive repeats (``[a-z]++``), which never give
back what they took. Start at :func:`backtracking_fault`; ``docs/linear.md`` lists the expressions of devproxy itself.

A walk over the expression carries for each place of it: at how many places of the text it can be tried (``spread``), by
how many ways one of these can be reached (``ways``), and what stands before it (``last`` and ``barriers``). A repeat of
``[^/]`` behind ``/x`` never looks twice at an octet, wherever it began; a repeat of ``[^/]`` in front of a slash ends
at one place only; ``.*`` in front of a slash can end at every slash.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib import import_module
from typing import Any, Final, NamedTuple

MAX_STEPS: Final = 1 << 17
"""Steps that are always allowed: about a millisecond. A text of some hundred octets may be looked at that often."""
MAX_STEPS_PER_OCTET: Final = 8
"""Steps that are allowed for each octet of a long text: linear."""

_ALL: Final = (1 << 256) - 1
_HIGH: Final = _ALL ^ ((1 << 128) - 1)
"""In a text: every character beyond ASCII, of which none is told from another here."""
_ANY: Final = _ALL ^ (1 << 10)
_MAX_UNROLLED: Final = 64
_MAX_BARRIERS: Final = 40
_MAX_WORK: Final = 20_000
"""Items that are looked at in one expression, those that are repeated counted each time."""
_parser: Final = import_module("re._parser")

_Items = Sequence[tuple[Any, Any]]


def _mask(text: str) -> int:
    return sum(1 << ord(char) for char in text)


_DIGITS: Final = _mask("0123456789")
_SPACES: Final = _mask(" \t\n\r\f\v")
_LOWER: Final = _mask("abcdefghijklmnopqrstuvwxyz")
_WORD: Final = _DIGITS | _LOWER | _LOWER >> 32 | _mask("_")
_CATEGORIES: Final = {"DIGIT": _DIGITS, "SPACE": _SPACES, "WORD": _WORD}


class _Slow(Exception):
    """Some text takes too long. ``what`` and ``help``: as of :func:`backtracking_fault`."""

    def __init__(self, what: str, help: str) -> None:
        super().__init__(what)
        self.what = what
        self.help = help


_TOO_INVOLVED: Final = _Slow("it is too involved to tell how long it may take", "make it simpler")


class _State(NamedTuple):
    """How a place of the expression can be reached (see the top of this module).

    ``last``: the octets of which one stands right before it. ``barriers``: pairs of octets of which one stands further
    before it, and of all that may stand between, which are others; where the first one stands, the place is known.
    """

    spread: int
    ways: int
    last: int
    barriers: tuple[tuple[int, int], ...] = ()

    def behind(self, octets: int, last: int) -> _State:
        """Return the state behind some of `octets`, the last of them one of `last`, that end at a known place."""
        known = ((barrier, between | octets) for barrier, between in ((self.last, 0), *self.barriers))
        kept = tuple((barrier, between) for barrier, between in known if not barrier & between)
        return self._replace(last=last, barriers=kept[:_MAX_BARRIERS])

    def keeps_apart(self, octets: int) -> bool:
        """Tell whether two runs of `octets` from two places like this one never share an octet."""
        return any(not barrier & (between | octets) for barrier, between in ((self.last, 0), *self.barriers))


class _Follow(NamedTuple):
    """What comes behind a place: ``first``: octets that it may begin with. ``is_end``: perhaps nothing.

    ``is_last``: certainly nothing, and the text need not go on.
    """

    first: int
    is_end: bool
    is_last: bool


def backtracking_fault(
    source: str | bytes, length: int, *, method: str = "fullmatch", flags: int = 0
) -> tuple[str, str] | None:
    """Return why matching `source`, which compiles, may take too long, and what to write instead; or None.

    `length`: of the longest text, in octets. `method`: of the compiled pattern, by which it is matched; a text that
    ``fullmatch`` gets has no line ends. Any but ``fullmatch`` and ``match`` begins anywhere, again and again. Linear in
    `source`.
    """
    try:
        tree = _parser.parse(source, flags)
        walk = _Walk(length, method, is_text=isinstance(source, str))
        begins_anywhere = method not in ("fullmatch", "match")
        start = _State(length, 1, _ALL) if begins_anywhere else _State(1, 1, 0)
        walk.sequence(tuple(tree), start, _Follow(0, True, True), tree.state.flags)
    except _Slow as slow:
        return slow.what, slow.help
    except RecursionError:
        return _TOO_INVOLVED.what, _TOO_INVOLVED.help
    return None


class _Walk:
    """The walk over one expression. `is_text`: it is compared with characters instead of octets."""

    def __init__(self, length: int, method: str, *, is_text: bool) -> None:
        self._length = max(length, 1)
        self._budget = max(MAX_STEPS, MAX_STEPS_PER_OCTET * length)
        self._may_end_anywhere = method != "fullmatch"
        self._is_text = is_text
        self._left = _MAX_WORK

    # -- in what states what is reached -------------------------------------------------------------------------------

    def sequence(self, items: _Items, state: _State, follow: _Follow, flags: int) -> _State:
        """Return the state behind `items`, entered in `state`, with `follow` behind them."""
        self._left -= 1 + len(items)
        if self._left < 0:
            raise _TOO_INVOLVED
        for index, (op, argument) in enumerate(items):
            rest = items[index + 1 :]
            if self._may_end_anywhere and follow.is_last and self._takes_anything(items[index:], flags):
                return (
                    state  # what cannot fail is done when it is first reached, and what it took is not looked at again
                )
            first, is_empty = self._first(rest, flags)
            behind = _Follow(
                first | follow.first if is_empty else first,
                is_empty and follow.is_end,
                follow.is_last and not rest,
            )
            state = self._item(op.name, argument, state, behind, flags)
            self._spend(state.spread * state.ways)
        return state

    def _item(self, op: str, argument: Any, state: _State, follow: _Follow, flags: int) -> _State:
        if op in ("LITERAL", "NOT_LITERAL", "ANY", "IN"):
            octets = self._octets(op, argument, flags)
            return state.behind(octets, octets)
        if op == "SUBPATTERN":
            _, added, taken, items = argument
            return self.sequence(tuple(items), state, follow, (flags | added) & ~taken)
        if op == "BRANCH":
            return self._branch([tuple(branch) for branch in argument[1]], state, follow, flags)
        if op == "GROUPREF_EXISTS":
            _, yes, no = argument
            return self._branch([tuple(yes), tuple(no or ())], state, follow, flags)
        if op == "ATOMIC_GROUP":
            return self._atomic(tuple(argument), state, flags)
        if op in ("ASSERT", "ASSERT_NOT"):
            direction, items = argument
            if direction > 0:
                self._atomic(tuple(items), state, flags)
            elif op == "ASSERT" and (before := self._single(tuple(items), flags)) is not None:
                return state._replace(last=state.last & before)
            return state
        if op in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            least, most, items = argument
            bound = self._length if most is _parser.MAXREPEAT else min(int(most), self._length)
            return self._repeat(op, min(int(least), self._length), bound, tuple(items), state, follow, flags)
        if op == "GROUPREF":
            self._spend(state.ways * (self._length if state.spread == 1 else state.spread * self._length))
            return self._merged(state, is_apart=False).behind(_ALL, _ALL)
        if op == "AT" and argument.name == "AT_BEGINNING_STRING":
            return state._replace(spread=1, last=0)
        return state

    def _atomic(self, items: _Items, state: _State, flags: int) -> _State:
        """Return the state behind `items`, which end once for each time that they begin, if at all."""
        inner = self.sequence(items, state, _Follow(0, True, False), flags)
        octets = self._all_octets(items, flags)
        return self._merged(state, is_apart=state.keeps_apart(octets)).behind(octets, inner.last)

    def _merged(self, state: _State, *, is_apart: bool) -> _State:
        """Return the state behind what ends once for each beginning; two beginnings end apart if they `is_apart`."""
        if state.spread == 1 or is_apart:
            return state
        return state._replace(ways=self._capped(state.ways * state.spread))

    def _branch(self, branches: list[_Items], state: _State, follow: _Follow, flags: int) -> _State:
        found = [self.sequence(branch, state, follow, flags) for branch in branches]
        last = 0
        for each in found:
            last |= each.last
        are_told_apart = self._are_told_apart(branches, follow, flags)
        barriers = self._common([((each.last, 0), *each.barriers) for each in found]) if are_told_apart else ()
        widths = [self._literal(branch, flags) for branch in branches]
        are_literals = None not in widths and len(set(widths)) == len(widths)
        if are_told_apart and (state.spread == 1 or all(each.ways == state.ways for each in found)):
            ways = max(each.ways for each in found)
            if state.spread > 1 and barriers == ():
                ways = self._capped(sum(each.ways for each in found))
            return _State(max(each.spread for each in found), ways, last, barriers)
        if are_literals:  # two of one length that end at one place are two only if they are different
            lengths = len({len(width) for width in widths if width is not None})
            if state.spread == 1:
                return _State(min(self._length, lengths), state.ways, last)
            return _State(state.spread, self._capped(state.ways * lengths), last)
        if state.spread == 1:
            spread, ways = sum(each.spread for each in found), max(each.ways for each in found)
            if max(each.spread for each in found) > 1 or len(branches) > 1:
                ways = sum(each.ways for each in found)
            return _State(min(self._length, spread), self._capped(ways), last)
        return _State(self._length, self._capped(sum(each.ways for each in found)), last)

    @staticmethod
    def _common(found: list[tuple[tuple[int, int], ...]]) -> tuple[tuple[int, int], ...]:
        """Return the barriers that stand before a place whichever of several ways led there."""
        common = dict(found[0])
        for each in found[1:]:
            other = dict(each)
            common = {key: common[key] | other[key] for key in common if key in other}
        return tuple((barrier, between) for barrier, between in common.items() if not barrier & between)

    def _repeat(
        self, op: str, least: int, most: int, items: _Items, state: _State, follow: _Follow, flags: int
    ) -> _State:
        octets = self._single(items, flags)
        if octets is not None:
            return self._run(op, least, most, octets, state, follow)
        if most <= 1 or (most * len(items) <= _MAX_UNROLLED and not self._repeats(items)):
            return self._unrolled(op, least, most, items, state, follow, flags)
        first, is_empty = self._first(items, flags)
        behind = _Follow(first | follow.first, follow.is_end, False)
        once = self.sequence(items, _State(1, 1, _ALL), behind, flags)
        if is_empty or once.spread * once.ways > 1 or self._wastes(items, flags, behind.first):
            raise _Slow(
                "it repeats what repeats itself, and some texts would take it for ever",
                "make the inner repeat possessive, `[a-z]++` for `[a-z]+`, or write `[ab]` for `(a|b)`",
            )
        return self._chain(
            op, least, most, self._all_octets(items, flags), first, state, follow, last=once.last, reach=self._length
        )

    def _run(self, op: str, least: int, most: int, octets: int, state: _State, follow: _Follow) -> _State:
        """Return the state behind a repeat of one of `octets`."""
        if not self._may_end_anywhere and follow.is_last and octets & _ANY == _ANY and most >= self._length:
            return state.behind(octets, octets)  # takes all that is left, and that is the end
        return self._chain(op, least, most, octets, octets, state, follow, last=octets, reach=most)

    def _chain(
        self,
        op: str,
        least: int,
        most: int,
        octets: int,
        first: int,
        state: _State,
        follow: _Follow,
        *,
        last: int,
        reach: int,
    ) -> _State:
        """Return the state behind a repeat of something that itself ends at one place only.

        `octets`: all that it may hold; `first`: that it may begin with; `last`: that it may end with. `reach`: how many
        octets it may look at.
        """
        is_apart = state.keeps_apart(octets)
        self._spend(state.ways * (reach if state.spread == 1 else self._length if is_apart else state.spread * reach))
        before = last if least else state.last | last
        if op == "POSSESSIVE_REPEAT" or not first & follow.first or most == least:
            return self._merged(state, is_apart=is_apart or most == least == reach).behind(octets, before)
        choices = min(most - least + 1, self._length)
        if state.spread == 1:
            return _State(choices, state.ways, before)
        if is_apart:
            return _State(self._length, state.ways, before)
        return _State(self._length, self._capped(state.ways * min(state.spread, choices)), before)

    def _unrolled(
        self, op: str, least: int, most: int, items: _Items, state: _State, follow: _Follow, flags: int
    ) -> _State:
        """Return the state behind a repeat of a few times, as if each were written out."""
        first, _ = self._first(items, flags)
        is_possessive = op == "POSSESSIVE_REPEAT"
        before = state
        for number in range(most):
            is_final = number == most - 1
            behind = follow if is_final else _Follow(first | follow.first, follow.is_end, False)
            if is_possessive:
                behind = _Follow(0, True, False)
            if number < least:
                state = self.sequence(items, state, behind, flags)
            else:
                state = self._branch([items, ()], state, behind, flags)
            self._spend(state.spread * state.ways)
        if is_possessive:
            octets = self._all_octets(items, flags)
            last = state.last if least else state.last | before.last
            return self._merged(before, is_apart=before.keeps_apart(octets)).behind(octets, last)
        return state

    def _capped(self, ways: int) -> int:
        return min(ways, self._budget + 1)

    def _spend(self, steps: int) -> None:
        if steps > self._budget:
            raise _Slow(
                "it has so many repeats that some texts would take it minutes",
                "let each end where the next begins, `/[^/]*/` for `/.*/`, or make them possessive: `[a-z]++` for "
                "`[a-z]+`",
            )

    # -- what an item is ------------------------------------------------------------------------------------------

    def _octets(self, op: str, argument: Any, flags: int) -> int:
        """Return which octets a single-octet item takes; never too few."""
        if op == "ANY":
            return _ALL if flags & re.DOTALL else _ANY
        if op in ("LITERAL", "NOT_LITERAL"):
            found = self._cased(self._bit(argument), flags)
            return found if op == "LITERAL" else self._without(self._bit(argument))
        found, is_negated = 0, False
        for kind, value in argument:
            if kind.name == "NEGATE":
                is_negated = True
            elif kind.name == "LITERAL":
                found |= self._bit(value)
            elif kind.name == "RANGE":
                low, high = value
                for octet in range(low, min(high, 255) + 1):
                    found |= self._bit(octet)
                found |= _HIGH if high > 255 else 0
            else:
                found |= self._category(value.name)
        return self._without(found) if is_negated else self._cased(found, flags)

    def _category(self, name: str) -> int:
        bare = name.removeprefix("CATEGORY_").removeprefix("UNI_").removeprefix("LOC_")
        known = _CATEGORIES[bare.removeprefix("NOT_")]
        found = _ALL ^ known if bare.startswith("NOT_") else known
        return found | _HIGH if self._is_text else found

    def _bit(self, octet: int) -> int:
        return _HIGH if self._is_text and octet > 127 else 1 << min(octet, 255)

    def _without(self, octets: int) -> int:
        return (_ALL ^ octets) | (_HIGH if self._is_text else 0)

    def _cased(self, octets: int, flags: int) -> int:
        if not flags & re.IGNORECASE:
            return octets
        upper = _LOWER >> 32
        both = octets | (octets & _LOWER) >> 32 | (octets & upper) << 32
        return both | _HIGH if self._is_text and octets & (_LOWER | upper) else both

    def _single(self, items: _Items, flags: int) -> int | None:
        """Return the octets that `items` take if they take exactly one, else None."""
        if len(items) != 1:
            return None
        op, argument = items[0]
        if op.name in ("LITERAL", "NOT_LITERAL", "ANY", "IN"):
            return self._octets(op.name, argument, flags)
        if op.name == "SUBPATTERN":
            _, added, taken, inner = argument
            return self._single(tuple(inner), (flags | added) & ~taken)
        if op.name == "BRANCH":
            each = [self._single(tuple(branch), flags) for branch in argument[1]]
            found = 0
            for octets in each:
                if octets is None or found & octets:
                    return None
                found |= octets
            return found
        return None

    def _literal(self, items: _Items, flags: int) -> tuple[int, ...] | None:
        if flags & re.IGNORECASE or any(op.name != "LITERAL" for op, _ in items):
            return None
        return tuple(argument for _, argument in items)

    def _first(self, items: _Items, flags: int) -> tuple[int, bool]:
        """Return which octets `items` may begin with, and whether they may take none."""
        found = 0
        for op, argument in items:
            octets, is_empty = self._first_of(op.name, argument, flags)
            found |= octets
            if not is_empty:
                return found, False
        return found, True

    def _first_of(self, op: str, argument: Any, flags: int) -> tuple[int, bool]:
        if op in ("LITERAL", "NOT_LITERAL", "ANY", "IN"):
            return self._octets(op, argument, flags), False
        if op == "SUBPATTERN":
            _, added, taken, items = argument
            return self._first(tuple(items), (flags | added) & ~taken)
        if op == "ATOMIC_GROUP":
            return self._first(tuple(argument), flags)
        if op in ("BRANCH", "GROUPREF_EXISTS"):
            branches = argument[1] if op == "BRANCH" else [argument[1], argument[2] or ()]
            each = [self._first(tuple(branch), flags) for branch in branches]
            found = 0
            for octets, _ in each:
                found |= octets
            return found, any(is_empty for _, is_empty in each)
        if op.endswith("_REPEAT"):
            least, _, items = argument
            octets, is_empty = self._first(tuple(items), flags)
            return octets, is_empty or least == 0
        return (_ALL, True) if op == "GROUPREF" else (0, True)

    def _are_told_apart(self, branches: list[_Items], follow: _Follow, flags: int) -> bool:
        """Tell whether the next octet decides which of `branches` can be taken."""
        seen = 0
        for branch in branches:
            octets, is_empty = self._first(branch, flags)
            octets |= follow.first if is_empty else 0
            if octets & seen:
                return False
            seen |= octets
        return True

    def _inner(self, op: str, argument: Any) -> list[_Items]:
        """Return the sequences within an item."""
        if op == "SUBPATTERN" or op.endswith("_REPEAT"):
            return [tuple(argument[-1])]
        if op == "ATOMIC_GROUP":
            return [tuple(argument)]
        if op in ("ASSERT", "ASSERT_NOT"):
            return [tuple(argument[1])]
        if op == "BRANCH":
            return [tuple(branch) for branch in argument[1]]
        if op == "GROUPREF_EXISTS":
            return [tuple(argument[1]), tuple(argument[2] or ())]
        return []

    def _all_octets(self, items: _Items, flags: int) -> int:
        """Return all octets that `items` may look at; never too few."""
        found = 0
        for op, argument in items:
            if op.name in ("LITERAL", "NOT_LITERAL", "ANY", "IN"):
                found |= self._octets(op.name, argument, flags)
            elif op.name == "GROUPREF":
                found = _ALL
            inner_flags = (flags | argument[1]) & ~argument[2] if op.name == "SUBPATTERN" else flags
            for inner in self._inner(op.name, argument):
                found |= self._all_octets(inner, inner_flags)
        return found

    def _repeats(self, items: _Items) -> bool:
        """Tell whether there is a repeat without a bound in `items`, or a reference to what one took."""
        return any(
            op.name == "GROUPREF"
            or (op.name.endswith("_REPEAT") and (argument[1] is _parser.MAXREPEAT or argument[1] > _MAX_UNROLLED))
            or any(self._repeats(inner) for inner in self._inner(op.name, argument))
            for op, argument in items
        )

    def _wastes(self, items: _Items, flags: int, follow: int) -> bool:
        """Tell whether `items` may look far ahead and then take less: all of that would be looked at again.

        `follow`: what may come behind them.
        """
        for index, (op, argument) in enumerate(items):
            name = op.name
            inner = self._inner(name, argument)
            if name in ("ASSERT", "ASSERT_NOT", "GROUPREF", "GROUPREF_EXISTS") and (
                not inner or any(map(self._repeats, inner))
            ):
                return True
            first, is_empty = self._first(items[index + 1 :], flags)
            behind = _Follow(first | follow if is_empty else first, is_empty, False)
            if name == "BRANCH" and any(map(self._repeats, inner)) and not self._are_told_apart(inner, behind, flags):
                return True
            is_choice = name.endswith("_REPEAT") and self._single(inner[0], flags) is None
            if is_choice and self._repeats(inner[0]) and not self._goes_through(inner[0], flags):
                is_sure = not self._first(inner[0], flags)[0] & behind.first
                if argument[0] != argument[1] and not is_sure:
                    return True
            if any(self._wastes(each, flags, behind.first) for each in inner):
                return True
        return False

    def _takes_anything(self, items: _Items, flags: int) -> bool:
        """Tell whether `items` match whatever comes or fail at once, and take nearly all that they look at."""
        return bool(items) and all(
            op.name.endswith("_REPEAT")
            and (argument[0] == 0 or (index == 0 and argument[0] <= _MAX_UNROLLED and self._is_single(argument, flags)))
            and not self._wastes(tuple(argument[2]), flags, _ALL)
            and self._goes_through(tuple(argument[2]), flags)
            for index, (op, argument) in enumerate(items)
        )

    def _is_single(self, argument: Any, flags: int) -> bool:
        return self._single(tuple(argument[2]), flags) is not None

    def _goes_through(self, items: _Items, flags: int) -> bool:
        """Tell whether `items` cannot fail any more once they have looked far ahead."""
        for index, (op, argument) in enumerate(items):
            inner = self._inner(op.name, argument)
            if any(map(self._repeats, inner)) or self._repeats(((op, argument),)):
                rest = items[index + 1 :]
                _, is_empty = self._first(rest, flags)
                is_sure = is_empty and all(other.name.endswith("_REPEAT") and how[0] == 0 for other, how in rest)
                if not is_sure or not all(self._goes_through(each, flags) for each in inner):
                    return False
        return True
