r"""Text from strangers, made safe for people: nothing in it moves the cursor, rings the bell or turns the line around.

Pure. One form everywhere: what is not printable is escaped as in a Python string (``\x1b``, ``\u202e``), and so are
bytes that are not UTF-8 (``\xff``). What :func:`quoted` returns can be pasted into a TOML file. Two other forms
are others' affair: that of Chromium's console (``policy.verdict.model``) and ASCII alone, for field values
(``http1.refusals``).
"""

from __future__ import annotations

from typing import Final

MAX_SHOWN: Final = 60
"""Longest piece of foreign text that a sentence repeats, in characters, where nothing else is said."""


def visible(text: str | bytes, most: int = 0) -> str:
    """Return `text` with everything escaped that a terminal would act on or not show, at most `most` of its characters.

    `most`: 0 for all of it. Of a longer text, the last character is an ellipsis.
    """
    if isinstance(text, bytes):
        text = (text[: 4 * most + 4] if most else text).decode("utf-8", "backslashreplace")
    if most:
        text = clipped(text, most)
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)


def ticked(text: str | bytes, most: int = 0) -> str:
    """Return `text` in backquotes, as :func:`visible`."""
    return f"`{visible(text, most)}`"


def quoted(text: str, most: int = MAX_SHOWN) -> str:
    """Return `text` as a basic string of TOML on one line, at most `most` of its characters."""
    text = clipped(text, most).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text if text.isprintable() else "".join(map(_escaped, text))}"'


def clipped(text: str, most: int = MAX_SHOWN) -> str:
    """Return `text` in at most `most` characters, the last of them an ellipsis where it is longer."""
    return text if len(text) <= most else text[: most - 1] + "…"


def has_control(text: str) -> bool:
    """Tell whether `text` holds a control character (HTAB counts; RFC 9110 section 5.5 allows that one in values)."""
    return any(char < " " or char == "\x7f" for char in text)


def is_unicode(text: str, *, octets: bool = False) -> bool:
    """Tell whether `text` can be written in UTF-8: it has no half of a surrogate pair.

    `octets`: halves by which Python keeps bytes that are not UTF-8, in names of files and variables, will do.
    """
    try:
        text.encode("utf-8", "surrogateescape" if octets else "strict")
    except UnicodeEncodeError:
        return False
    return True


def _escaped(char: str) -> str:
    code = ord(char)
    return char if char.isprintable() else f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
