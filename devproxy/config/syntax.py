"""What ``tomli`` says about a text that is not TOML -> a problem that says what to type.

Pure. The parser's message and place are kept; where its place is the end of something, the problem points at the
beginning. Start at :func:`syntax_problem`.
"""

from __future__ import annotations

import re
from typing import Final

import tomli

from devproxy.config.problems import Problem
from devproxy.text.safe import visible

_KEY: Final = re.compile(r"[ \t]*([^\s=#][^=#\n]*?)[ \t]*=")
_HEADER: Final = re.compile(r"[ \t]*(\[\[?[^\n\]]*\]?\]?)")
_WORD: Final = re.compile(r"[^\s,\]}#]+")

_HELP: Final = {
    "Invalid value": 'text needs quotes: key = "value"',
    "Unclosed array": "close it with ]",
    "Unclosed inline table": "close it with }",
    "Illegal character": "a string on one line holds no line break and no control character; write \\n or \\uXXXX",
    "Unescaped '\\' in a string": "write \\\\ for a backslash, or put the string in single quotes",
    "Expected '=' after a key in a key/value pair": "write key = value",
    "Invalid statement": "write key = value, or [name] for a table",
    "Expected newline or end of document after a statement": "one key = value on each line",
    "Invalid initial character for a key part": 'a key is letters, digits, - and _, or text in quotes: "a b" = 1',
    "Cannot overwrite a value": "each key can be set once; remove one of them",
    "Cannot declare": "this table is there already; add to it, or write [[routes]] for one more route",
    "Cannot mutate immutable namespace": "it is closed already; write all of its keys in one place",
    "Expected ']' at the end of a table declaration": "write [name]",
    "Expected ']]' at the end of an array declaration": "write [[name]]",
}

_NO_SINGLE_QUOTE: Final = 'Expected "\'"'
_UNCLOSED: Final = {
    "Unterminated string": '"',
    "Illegal character '\\n'": '"',
    "Found invalid character '\\n'": "'",
    _NO_SINGLE_QUOTE: "'",
}
"""What the parser says where a text on one line has no end, and the quote that would end it."""


def syntax_problem(text: str, error: tomli.TOMLDecodeError) -> Problem:
    """Return the problem that `error` reports about `text`, whose line ends are LF."""
    lines = text.split("\n")
    line = min(max(error.lineno, 1), len(lines))
    shown = lines[line - 1]
    column, length = min(max(error.colno, 1), len(shown) + 1), 1
    message = visible(error.msg)
    quote = _UNCLOSED.get(error.msg, "")
    help = next((sentence for start, sentence in _HELP.items() if error.msg.startswith(start)), "")
    if error.msg.startswith(("Cannot overwrite", "Cannot declare", "Cannot mutate")):
        match = _HEADER.match(shown) or _KEY.match(shown)
        if match is not None:
            name = match[1]
            is_list = name.startswith("[[") and name[1:-1] in map(str.strip, lines[: line - 1])
            if is_list:
                line = [text.strip() for text in lines].index(name[1:-1]) + 1
                match, help = _HEADER.match(lines[line - 1]) or match, f"write {name}, with two brackets, here too"
            column, length = match.start(1) + 1, len(match[1])
    elif quote:
        message = "the closing quote is missing"
        help = f"write {quote} at the end of the text"
        if error.msg == _NO_SINGLE_QUOTE:  # the parser points at the end of the file
            before = text[: text.rindex("'")]
            line = before.count("\n") + 1
            column = len(lines[line - 1]) + 1
    elif error.msg.startswith("Unescaped"):
        # The parser points after what follows the backslash, which may be a line end.
        before = text[: max(error.pos - 2, 0)]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    elif error.msg.startswith("Invalid value"):
        word = _WORD.match(shown, column - 1)
        if word is not None:
            length = len(word[0])
            if word[0] in ("True", "False"):
                help = f"write {word[0].lower()}"
            elif word[0][0] in "\u201c\u201d\u201e\u2018\u2019":
                help = 'use straight quotes: key = "value"'
    what = f"not TOML: {message[:1].lower()}{message[1:]}"
    return Problem(what=what, help=help, line=line, column=column, length=length)
