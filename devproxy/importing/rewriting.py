"""What a function that rewrites paths does, told by what it made of some paths. Pure.

A function of another program cannot be read, but it can be asked: ``node/common.mjs`` gives it paths below the
prefix of its entry. Start at :func:`common_rewrite`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable


def common_rewrite(probes: Iterable[tuple[str, str | None]], prefix: str | None) -> str | None:
    """Return what replaces `prefix`, without a slash at its end, in every one of `probes`; None: no text does.

    `probes`: paths, perhaps with a query, and what each became; None for one at which the function failed. Only those
    at `prefix` in whole segments count, because others are not rewritten. `prefix`: without a slash at its end; None
    where there is none, and then the result is ``""`` where nothing is changed at all. Slashes that follow one another
    count as one, as http-proxy sends them.
    """
    pairs = [(sent, became) for sent, became in probes if prefix is None or _rest(sent, prefix) is not None]
    if not pairs or any(became is None for _, became in pairs):
        return None
    if prefix is None:
        return "" if all(sent == became for sent, became in pairs) else None
    replaced: str | None = None
    for sent, became in pairs:
        rest = _rest(sent, prefix)
        if rest is None or became is None:
            return None
        path, query = _split(_tidy(became))
        rest_path, rest_query = _split(_tidy(f"/x{rest}"))
        rest_path = rest_path[2:]
        if query != rest_query:
            # Where the whole path went, a query without a path is all that is left, and http-proxy sends it to `/`.
            if rest_path.strip("/") or query:
                return None
        if rest_path.strip("/"):
            if not path.endswith(rest_path):
                return None
            found = path.removesuffix(rest_path).rstrip("/")
            if replaced is not None and found != replaced:
                return None
            replaced = found
    if replaced is None:
        return None
    for sent, became in pairs:  # what only the prefix itself, or a slash after it, became
        rest = _rest(sent, prefix)
        path = _split(_tidy(became or ""))[0]
        if rest is not None and not _split(rest)[0].strip("/") and path.rstrip("/") != replaced:
            return None
    return replaced


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
