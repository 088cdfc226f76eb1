"""Regular expressions of JavaScript and PCRE that are searched in a path -> expressions of Python for the whole path.

Pure. Owns the differences between the dialects; what Python or the proof of linear time refuses is refused here, too.
Start at :func:`path_expression`.
"""

from __future__ import annotations

import re
from typing import Final

from devproxy.config.model import PathKind
from devproxy.config.routes import check_pattern
from devproxy.text.bad import BadText

_GROUP_NAME: Final = re.compile(r"\(\?<([A-Za-z_][A-Za-z0-9_]*)>")
_HEX: Final = re.compile(r"\\u([0-9A-Fa-f]{4})|\\u\{([0-9A-Fa-f]+)\}")
_ENDINGS: Final = ("(?:/|$)", "(/|$)", "($|/)", "(?:$|/)", "(?=/|$)")
"""How people write that a segment ends here."""


def path_expression(searched: str, *, ignores_case: bool = False) -> str:
    """Return the expression for ``path_regex`` that takes the paths in which `searched` is found.

    Raises :class:`BadText` where there is none: Python does not know it, or some path would keep it busy.
    """
    text = _HEX.sub(lambda match: _escaped(int(match[1] or match[2], 16)), searched)
    text = _GROUP_NAME.sub(r"(?P<\1>", text).replace(r"\/", "/").replace("[^]", "(?s:.)")
    text = re.sub(r"\\k<(\w+)>", r"(?P=\1)", text)
    choices = [_whole(choice) for choice in _choices(text)]
    found = choices[0] if len(choices) == 1 else f"(?:{'|'.join(choices)})"
    if ignores_case:
        found = f"(?i:{found})"
    check_pattern(PathKind.REGEX, found)
    return found


def plain_prefix(searched: str) -> tuple[str, bool] | None:
    """Return the text that every path begins with that `searched` is found in, if that is all that `searched` asks.

    With whether it takes whole segments. ``^/api`` gives ``("/api", False)``, ``^/api(/|$)`` ``("/api", True)``,
    ``^/api/.*`` ``("/api/", False)``.
    """
    if not searched.startswith("^"):
        return None
    text = searched[1:].replace(r"\/", "/")
    is_segment = False
    for ending in _ENDINGS:
        if text.removesuffix("(.*)").removesuffix(".*").endswith(ending):
            text = text.removesuffix("(.*)").removesuffix(".*").removesuffix(ending)
            is_segment = True
            break
    if not is_segment:
        for ending in ("(.*)$", ".*$", "(.*)", ".*"):
            if text.endswith(ending) and not text.endswith("\\" + ending):
                text = text.removesuffix(ending)
                break
    plain = re.sub(r"\\([^A-Za-z0-9])", r"\1", text)
    unescaped = re.sub(r"\\[^A-Za-z0-9]", "", text)
    if re.search(r"[.^$*+?{}\[\]\\|()]", unescaped) or not plain.startswith("/"):
        return None
    return plain, is_segment


def sees_query(searched: str) -> bool:
    """Tell whether it may matter to `searched` that it is compared with the query, too, as in Vite."""
    body = searched.removesuffix(".*").removesuffix("(.*)")
    return "$" in re.sub(r"\\.", "", searched.replace("(/|$)", "")) or r"\?" in searched or ".*" in body


def _whole(searched: str) -> str:
    """Return what takes a whole path where `searched`, without alternatives at its top, is found in it."""
    begin, body = ("", searched[1:]) if searched.startswith("^") else (".*", searched)
    slashes = len(body[:-1]) - len(body[:-1].rstrip("\\"))
    if body.endswith("$") and slashes % 2 == 0:
        return f"{begin}{body[:-1]}"
    return f"{begin}{body if body.endswith('.*') and not body.endswith(chr(92) + '.*') else body + '.*'}"


def _choices(text: str) -> list[str]:
    """Return the alternatives at the top of an expression."""
    found = [""]
    depth = 0
    is_class = is_escaped = False
    for char in text:
        if is_escaped:
            is_escaped = False
        elif char == "\\":
            is_escaped = True
        elif is_class:
            is_class = char != "]"
        elif char == "[":
            is_class = True
        elif char in "()":
            depth += 1 if char == "(" else -1
        elif char == "|" and depth == 0:
            found.append("")
            continue
        found[-1] += char
    return found


def _escaped(code: int) -> str:
    if code > 0x10FFFF or 0xD800 <= code < 0xE000:
        raise BadText(f"\\u{code:x} is no character")
    return re.escape(chr(code)) if code < 128 else "".join(f"%{byte:02X}" for byte in chr(code).encode())
