"""What a function that rewrites paths does, told by what it made of some paths. Pure.

A function of another program cannot be read, but it can be asked: ``node/common.mjs`` gives it paths below the
prefix of its entry. Start at :func:`common_rewrite`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple


class Replaced(NamedTuple):
    """What a prefix is replaced by: ``text``, without a slash at its end.

    ``keeps_bare``: the prefix alone, with nothing after it, stays as it is. ``cuts_repeats``: something else happens
    to a path that has the prefix in it once more.
    """

    text: str
    keeps_bare: bool = False
    cuts_repeats: bool = False

    def comments(self, prefix: str) -> tuple[str, ...]:
        """Return what is different where a route replaces `prefix` by it."""
        found = []
        if self.keeps_bare:
            found.append(f"`{prefix}` alone, with nothing after it, was not rewritten; here it is.")
        if self.cuts_repeats:
            found.append(f"Where `{prefix}` was in a path twice, more of it was rewritten; here only the first is.")
        return tuple(found)


def common_rewrite(probes: Iterable[tuple[str, str | None]], prefix: str | None) -> Replaced | None:
    """Return what replaces `prefix`, without a slash at its end, in every one of `probes`; None: no text does.

    `probes`: paths, perhaps with a query, and what each became; None for one at which the function failed. Only those
    at `prefix` in whole segments count, because others are not rewritten. `prefix`: without a slash at its end; None
    where there is none, and then the result is ``""`` where nothing is changed at all. Slashes that follow one another
    count as one, as http-proxy sends them.
    """
    pairs = list(probes)
    if any(became is None for _, became in pairs):
        return None
    if prefix is None:
        return Replaced("") if pairs and all(sent == became for sent, became in pairs) else None
    rests = [(rest, became or "") for sent, became in pairs if (rest := _rest(sent, prefix)) is not None]
    usual = {_replaced(rest, became) for rest, became in rests if not _is_bare(rest) and not _repeats(rest, prefix)}
    if len(usual) != 1 or (text := usual.pop()) is None:
        return None
    keeps_bare = False
    for rest, became in rests:
        if not _is_bare(rest) or _split(_tidy(became))[0].rstrip("/") == text:
            continue
        if rest.startswith("/") or became != prefix + rest:
            return None
        keeps_bare = True
    repeats = [_replaced(rest, became) for rest, became in rests if _repeats(rest, prefix)]
    return Replaced(text, keeps_bare, cuts_repeats=any(found != text for found in repeats))


def _replaced(rest: str, became: str) -> str | None:
    """Return what is in `became` in front of `rest`, a path with perhaps a query; None: it does not end with `rest`."""
    path, query = _split(_tidy(became))
    rest_path, rest_query = _split(rest)
    if query != rest_query or not path.endswith(rest_path):
        return None
    return path.removesuffix(rest_path).rstrip("/")


def _is_bare(rest: str) -> bool:
    return not _split(rest)[0].strip("/")


def _repeats(rest: str, prefix: str) -> bool:
    return bool(prefix) and prefix in rest


def _rest(sent: str, prefix: str) -> str | None:
    """Return what follows `prefix` in `sent`; None where it does not begin with these segments."""
    if not sent.startswith(prefix):
        return None
    rest = sent[len(prefix) :]
    return rest if not rest or rest[0] in "/?" else None


def _tidy(text: str) -> str:
    path, query = _split(text)
    path = re.sub("/{2,}", "/", f"/{path}")
    return path if query is None else f"{path}?{query}"


def _split(text: str) -> tuple[str, str | None]:
    path, mark, query = text.partition("?")
    return path, query if mark else None
