"""Files of variables: what each way of writing means, and what is said of what is none."""

from __future__ import annotations

import pytest
from devproxy.config import ConfigError
from devproxy.config.dotenv import MAX_VARIABLES, read_variables
from devproxy.text.limits import MAX_FILE_BYTES


def read(text: str | bytes, **known: str) -> dict[str, str]:
    octets = text.encode() if isinstance(text, str) else text
    return {line.name: line.value for line in read_variables(octets, known)}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("A=1", "1"),
        ("A = 1 ", "1"),
        ("  export\tA=1", "1"),
        ("A=", ""),
        ("A=\nB=2", ""),
        ("A= # nothing", ""),
        ("A=1 # one", "1"),
        ("A=1#2", "1#2"),
        ("A=#2", "#2"),
        ("A=a b  c", "a b  c"),
        ("A=it's", "it's"),
        ("A='a # b' # c", "a # b"),
        ("A='${X}$(rm -rf /)`id`\\n'", "${X}$(rm -rf /)`id`\\n"),
        ("A='it\\'s \\\\'", "it's \\"),
        ('A="a\\n\\t\\"b\\"\\\\\\q"', 'a\n\t"b"\\\\q'),
        ('A="two\nlines"', "two\nlines"),
        ("A='two\nlines'", "two\nlines"),
        ("A=$(echo no)", "$(echo no)"),
        ("A=`echo no`", "`echo no`"),
        ("A=pa$$word$X", "pa$$word$X"),
        ("A=${X}", "known"),
        ('A="${X}/${Y}"', "known/"),
        ("A=${Y:-fallback}", "fallback"),
        ("A=${X:-fallback}", "known"),
        ('A="\\${X}"', "${X}"),
        ("B=b\nA=${B}${B}", "bb"),
        ("A=1\nA=2", "2"),
        ("\ufeffA=1", "1"),
        ("A=1\r\nB=2\r\n", "1"),
        ("# A=0\n\n   # A=0\nA=1", "1"),
        ("A=é", "é"),
        ("B\nA=1", "1"),
    ],
)
def test_a_variable_of_a_file(text: str, value: str) -> None:
    assert read(text, X="known")["A"] == value


def test_each_variable_has_its_line() -> None:
    found = read_variables(b'# x\nA=1\n\nB="a\nb"\nexport C=3', {})
    assert [(one.name, one.line) for one in found] == [("A", 2), ("B", 4), ("C", 6)]


@pytest.mark.parametrize(
    ("text", "what", "help", "place"),
    [
        ("A=1\nB 2", 'there is no `=` after "B"', "write B=value", (2, 1)),
        ("=1", '"" is not the name of a variable', "PORT=3001", (1, 1)),
        ("A=1\n 1B=2", '"1B" is not the name of a variable', "", (2, 2)),
        ("A: 1", 'there is no `=` after "A"', "write A=value", (1, 1)),
        ("export A B", 'there is no `=` after "A"', "", (1, 1)),
        ('A="open\nB=2\n', "the closing quote is missing", 'write " at the end', (1, 3)),
        ("A='open", "the closing quote is missing", "write ' at the end", (1, 3)),
        ("A='a'b", 'there is more after the value of "A"', "quotes", (1, 6)),
        ("A=${b c}", '"${b c}" does not name a variable', "single quotes", (1, 3)),
        ("A=a\0b", "has a NUL", "", (1, 1)),
    ],
)
def test_what_is_no_variable_is_told_with_its_place(text: str, what: str, help: str, place: tuple[int, int]) -> None:
    with pytest.raises(ConfigError) as caught:
        read(text)
    [problem] = caught.value.problems
    assert what in problem.what
    assert help in problem.help
    assert (problem.line, problem.column) == place


def test_limits() -> None:
    with pytest.raises(ConfigError, match="is not UTF-8: byte 0xff"):
        read(b"A=1\nB=\xff")
    with pytest.raises(ConfigError, match="more than the 262144 bytes"):
        read(b"#" * (MAX_FILE_BYTES + 1))
    with pytest.raises(ConfigError, match=f"more than {MAX_VARIABLES} variables"):
        read("A=1\n" * (MAX_VARIABLES + 1))
    bomb = "A0=ha\n" + "".join(f"A{n + 1}=${{A{n}}}${{A{n}}}${{A{n}}}${{A{n}}}\n" for n in range(50))
    with pytest.raises(ConfigError, match="more than 1048576 characters"):
        read(bomb)
    with pytest.raises(ConfigError, match="more than 1048576 characters"):
        read("A=" + "x" * 60_000 + "\nB=" + "${A}" * 20_000)
