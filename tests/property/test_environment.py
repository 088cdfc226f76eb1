"""Variables: whatever they hold, a configuration or problems; and files of variables as python-dotenv reads them."""

from __future__ import annotations

import io
import string
from typing import Any

import tomli
from devproxy.config import Config, ConfigError, load, report
from devproxy.config.dotenv import Line, read_variables
from devproxy.config.environment import Variable
from devproxy.config.overlay import SERVER
from devproxy.config.placeholders import split_value
from dotenv import dotenv_values
from hypothesis import example as also
from hypothesis import given, settings
from hypothesis import strategies as st

NAMES = ("A", "B", "C")
TEXTS = st.text(st.sampled_from("ab1:/.,[]{}$\"'\\ \n\u202e\x1b-_é") | st.characters(codec="utf-8"), max_size=12)
PIECES = st.sampled_from(
    ["${env:A}", "${env:B:-d}", "$${env:A}", "${env:", "${env:A:-", "}", "${host}", "$", "{", "x", "${env:é}", "3001"]
)
ROUTE = '[upstreams]\na = 1\n[[routes]]\npath = "/"\nupstream = "a"\n'
FILE = """
[server]
allowed_hosts = [{0}]
drain_s = {0}
tls = {0}
[upstreams]
a = {0}
b.servers = [{0}, 1]
[[routes]]
path = "/"
upstream = "a"
host = {0}
rewrite = {0}
cors.origins = {0}
headers.request.set = {{ X = {0} }}
match_headers = {{ Y = {0} }}
"""


def outcome(text: str, environment: dict[str, Variable]) -> Config | ConfigError:
    try:
        return load(text.encode(), source="devproxy.toml", environment=environment)
    except ConfigError as error:
        return error


def check(text: str, environment: dict[str, Variable]) -> None:
    result = outcome(text, environment)
    if isinstance(result, ConfigError):
        shown = report(result, text, "devproxy.toml", colour=False)
        assert all(row.isprintable() for row in shown.split("\n"))
        assert shown.count("error: ") >= len(result.problems)
        for problem in result.problems:
            assert problem.line <= text.count("\n") + 1
            assert not (problem.line and problem.source)


@given(st.lists(PIECES, max_size=4).map("".join), st.dictionaries(st.sampled_from(NAMES), TEXTS))
def test_any_variables_in_a_file_give_a_config_or_problems(value: str, values: dict[str, str]) -> None:
    quoted = '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    check(FILE.format(quoted), {name: Variable(text) for name, text in values.items()})


@settings(max_examples=200)
@given(st.dictionaries(st.sampled_from([*SERVER, "DEVPROXY_UPSTREAMS_A", "DEVPROXY_UPSTREAMS_Z"]), TEXTS, max_size=3))
@also({"DEVPROXY_SERVER_LISTEN": "[" * 5000})
@also({"DEVPROXY_SERVER_TLS": "{" + "a=" * 500 + "}"})
def test_any_variables_that_set_a_key_give_a_config_or_problems(values: dict[str, str]) -> None:
    check(ROUTE, {name: Variable(value, ".env:1") for name, value in values.items()})


@given(TEXTS.filter(lambda text: not set(text) & set(map(chr, range(32))) and "\x7f" not in text), PIECES)
def test_the_text_of_a_variable_arrives_in_a_header_as_it_is(value: str, beside: str) -> None:
    if beside in ("${env:", "${env:A:-", "${env:é}"):
        return
    text = f'{ROUTE}headers.request.set.X = "{beside}|${{env:A}}{beside}"\n'
    result = outcome(text, {"A": Variable(value)})
    alone = outcome(text.replace("|${env:A}", "|\u2603\u2603"), {"A": Variable(value)})
    if isinstance(result, ConfigError) or isinstance(alone, ConfigError):
        assert isinstance(result, ConfigError) == isinstance(alone, ConfigError)
        return
    [(_, said)], [(_, marked)] = result.routes[0].request_headers.set, alone.routes[0].request_headers.set
    assert split_value(said) == tuple(piece.replace("\u2603\u2603", value) for piece in split_value(marked))


# Files of variables

PLAIN = st.text(st.sampled_from(string.ascii_letters + string.digits + "/:.,;=@%^&*()[]-_+?!~`|<> é"), max_size=12)
SINGLE = st.text(st.sampled_from(string.ascii_letters + ' #$"{}\n=é'), max_size=12).map(lambda text: f"'{text}'")
DOUBLE = st.lists(
    st.sampled_from(["a", "b", " ", "#", "'", "é", "\n", "\\n", "\\t", '\\"', "\\\\", "${A}", "${D:-x}", "$", "{"]),
    max_size=8,
).map(lambda parts: '"' + "".join(parts) + '"')
LINES = st.tuples(
    st.sampled_from(["", "export ", "  "]),
    st.sampled_from(NAMES),
    st.sampled_from(["=", " = ", "= "]),
    st.one_of(PLAIN.map(str.strip), SINGLE, DOUBLE, st.just("${A}/${D:-none}")),
    st.sampled_from(["", "  ", " # a comment"]),
).map("".join)


@settings(max_examples=300)
@given(
    st.lists(LINES | st.sampled_from(["", "# A=1", "  # x"]), max_size=5).map("\n".join),
    st.sampled_from(["\n", "\r\n"]),
)
def test_files_of_variables_mean_what_python_dotenv_reads(text: str, line_end: str) -> None:
    written = text.replace("\n", line_end)
    theirs = dotenv_values(stream=io.StringIO(written.replace("\r\n", "\n")))
    assert {line.name: line.value for line in read_variables(written.encode(), {})} == theirs


@given(st.binary(max_size=60) | st.text(st.sampled_from("AB=\n'\"\\#$ {}:-\r\t"), max_size=40).map(str.encode))
def test_any_bytes_are_variables_or_a_problem(octets: bytes) -> None:
    lines, error = of_file(octets)
    if error is not None:
        [problem] = error.problems
        assert all(row.isprintable() for row in report(error, octets, ".env", colour=False).split("\n"))
        assert problem.line <= octets.count(b"\n") + 1
    assert all(1 <= line.line <= octets.count(b"\n") + 1 and "\0" not in line.value for line in lines)


def of_file(octets: bytes) -> tuple[tuple[Line, ...], ConfigError | None]:
    try:
        return read_variables(octets, {}), None
    except ConfigError as error:
        return (), error


def test_the_file_that_the_properties_damage_is_whole() -> None:
    document: dict[str, Any] = tomli.loads(FILE.format('"x"'))
    assert document["routes"][0]["headers"]["request"]["set"] == {"X": "x"}
