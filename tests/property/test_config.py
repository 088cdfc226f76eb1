"""Whatever the bytes are: a Config or a list of problems, each with a place in the file, in bounded time."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

import pytest
import tomli
from devproxy.authority.origins import parse_pattern
from devproxy.config import Config, ConfigError, from_arguments, load, report, schema, warnings
from devproxy.config.diff import diff
from devproxy.config.keys import ABSENT, CHILDREN, KEYS, Key, Type
from devproxy.config.model import Cors, CorsMode, PreflightMode
from devproxy.config.positions import positions
from devproxy.config.problems import MAX_PROBLEMS, Path
from devproxy.plan import compile_snapshot
from devproxy.routing.table import RouteTable
from devproxy.text.limits import MAX_FILE_BYTES
from docs.reference import example, toml
from hypothesis import example as also
from hypothesis import given, settings
from hypothesis import strategies as st

VALIDATOR: Any = import_module("jsonschema").Draft7Validator(schema())

SMALLEST = from_arguments(frontend="1", backend=None, backend_paths=[], listen=[])
VALID = (
    example().encode(),
    b'[upstreams]\na = "http://localhost:1"\n[[routes]]\npath = "/"\nupstream = "a"\n',
    b"""routes = [
  { path = "/api", upstream = 'b', methods = ["GET"], cors = { mode = "strip" } },
  { path_glob = "/*.js", upstream = "b", headers.request.set = { "X-A" = "${host}" } },
  { path = "/c", upstream = "b", cors = { origins = ["http://*.a.test:*"], credentials = false, expose = ["*"] } },
  { path = "/d", upstream = "b", cors = { mode = "fix", dangerously_allow_null_origin = true, credentials = false } },
  { path = "/e", upstream = "b", cookies = { domain = { "a.test" = "" }, same_site = "Lax", prefix = "x." } },
  { path = "/f", upstream = "b", fault = { error_rate = 0.5, latency_ms = 1 }, redirects = "keep", guard = false },
]
upstreams.b = { servers = ["unix:/run/a.sock", "https://[::1]"], tls_verify = false }
server = { listen = [":8080"], allowed_hosts = ["app.test", "*.b.test", "::1"] }
""",
)
SNIPPETS = st.sampled_from(
    [
        *(b"\r\n", b"\n", b"\xff", b"\xef\xbb\xbf", b"\x00", b"\x1b[2J", b"\t", b"\xe6\x97\xa5", "\u202e".encode()),
        *b""" " ' \"\"\" [ ] [[ { } = , . # \\ nan -inf 1e999 1979-05-27 true -1 99999 "" """.split(),
        *b"[] {} / // /%2e/ * http:// ws:// rewrite unix: keep".split(),
        *(b"0x" + b"f" * 50, b"[routes.cors]\n", b"[[routes]]\n", b"[upstreams]\n", b"tls = true\n"),
    ]
)


def outcome(octets: bytes) -> Config | ConfigError:
    """What becomes of a file; whatever else is raised fails the test."""
    try:
        return load(octets, source="devproxy.toml")
    except ConfigError as error:
        return error


def check_policy(cors: Cors) -> None:
    """What holds for every policy: in normal form, and never open to anybody's pages by a single key."""
    for text in cors.origins or ():
        assert parse_pattern(text).text == text
    is_open = cors.dangerously_allow_any_origin or cors.dangerously_allow_null_origin
    assert not (is_open and cors.credentials and not cors.dangerously_with_credentials)
    assert not (cors.credentials and "*" in cors.expose)
    assert cors.mode is not CorsMode.PASSTHROUGH or cors.preflight is PreflightMode.FORWARD


def check(octets: bytes) -> None:
    """Everything that must hold for any file."""
    result = outcome(octets)
    if isinstance(result, Config):
        names = {upstream.name for upstream in result.upstreams}
        assert result.routes
        assert {route.upstream for route in result.routes} <= names
        assert all(upstream.servers for upstream in result.upstreams)
        assert all(sentence.isprintable() for sentence in warnings(result))
        assert result == outcome(octets)
        document = tomli.loads(octets.removeprefix(b"\xef\xbb\xbf").decode())
        assert VALIDATOR.is_valid(document), "the schema is stricter than load"
        compile_snapshot(result, "test")  # whatever config lets through, routing and every policy can compile
        for route in result.routes:
            check_policy(route.cors)
        assert diff(result, result) == ()
        assert all((change.what + change.detail).isprintable() for change in diff(SMALLEST, result))
        return
    assert 1 <= len(result.problems) <= MAX_PROBLEMS
    lines = octets.removeprefix(b"\xef\xbb\xbf").decode(errors="replace").replace("\r\n", "\n").split("\n")
    for problem in result.problems:
        assert problem.what
        assert (problem.what + problem.help).isprintable()
        if problem.line:
            line = lines[problem.line - 1]
            assert 1 <= problem.column <= len(line) + 1
            assert 1 <= problem.length <= max(1, len(line) - problem.column + 1)
    places = [(problem.line or 1 << 30, problem.column) for problem in result.problems]
    assert places == sorted(places)
    again = outcome(octets)
    assert isinstance(again, ConfigError)
    assert again.problems == result.problems
    text = report(result, octets, "devproxy.toml", colour=False)
    assert all(row.isprintable() for row in text.split("\n"))
    assert text.count("error: ") >= len(result.problems)


@pytest.mark.parametrize("octets", VALID, ids=range(len(VALID)))
def test_what_the_damaged_files_are_made_from_is_whole(octets: bytes) -> None:
    assert isinstance(outcome(octets), Config)
    check(octets)


@given(st.binary(max_size=200))
@also(b"")
@also(b"\xef\xbb\xbf")
@also(b"\xff\xfe")
def test_any_octets_are_a_config_or_problems(octets: bytes) -> None:
    check(octets)


@given(st.text(st.sampled_from("ab=.,[]{}\"'\\#\n\r \t1-:/é\u202e"), max_size=80))
def test_any_text_like_toml_is_a_config_or_problems(text: str) -> None:
    check(text.encode())


@settings(max_examples=300)
@given(
    st.sampled_from(VALID),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 12), SNIPPETS | st.binary(max_size=3)), min_size=1, max_size=4),
)
def test_a_damaged_file_is_a_config_or_problems(octets: bytes, edits: list[tuple[float, int, bytes]]) -> None:
    for place, removed, inserted in edits:
        at = round(place * len(octets))
        octets = octets[:at] + inserted + octets[at + removed :]
    check(octets)


# Documents that are nearly right: every known key, with values that are right, nearly right or wrong.

STRINGS = st.sampled_from(
    [
        *"a b / /api/ /api /a//b /%61 /*.js /** ( .* /[a-z]+ keep upstream remove http://localhost:1 https://[::1]".split(),
        *"ws://a unix:/a localhost:8080 :0 [::1]:1 GET get strip rewrite none * *.a a.test a.test:1".split(),
        *("", "false", "1", "auto", "\x1b", "a\r\nb", "日本", "日本.test", "Lax", "answer", "map", "shop.", "__Host-"),
        *(
            "http://*.a.test",
            "http://a.test:*",
            "regex:https://a[0-9]\\.test",
            "regex:(",
            "null",
            "NULL",
            "http://\x1b",
        ),
        *(
            "${host}",
            "${",
            "$${x}",
            ".a.test",
            "*.b.test",
            "[::1]",
            "::1",
            "http://a.test/",
            "file://",
            "ETag",
            "cookie",
        ),
    ]
)
SCALARS = STRINGS | st.booleans() | st.integers(-2, 100_000) | st.floats(allow_nan=False, width=16) | st.just(10**30)
VALUES = SCALARS | st.lists(SCALARS, max_size=3) | st.dictionaries(STRINGS, SCALARS, max_size=2)


def value_of(key: Key) -> st.SearchStrategy[Any]:
    right: list[st.SearchStrategy[Any]] = []
    if key.default is not ABSENT:
        right += [st.just(key.default)] * 2
    if key.choices:
        right.append(st.sampled_from(key.choices))
    if key.example:
        right.append(st.just(tomli.loads(f"value = {key.example}")["value"]))
    if Type.TABLE in key.types and key.path in CHILDREN:
        right.append(table_of(key.path))
    if Type.MAP in key.types:
        right.append(st.dictionaries(st.sampled_from(["X-A", "X-B", "x-a", "a b"]), STRINGS, max_size=2))
    return st.one_of(*(right or [VALUES]), *([VALUES] if key.path != "routes.*.upstream" else []))


def table_of(path: str) -> st.SearchStrategy[dict[str, Any]]:
    keys = {name: value_of(key) for name, key in CHILDREN[path].items() if name != "*"}
    chosen = st.sets(st.sampled_from(sorted(keys)), max_size=3)
    return chosen.flatmap(lambda names: st.fixed_dictionaries({name: keys[name] for name in sorted(names)}))


PATHS = st.sampled_from(
    [
        {"path": "/"},
        {"path": "/api"},
        {"path": "/api/"},
        {"path_exact": "/a"},
        {"path_glob": "/**"},
        {"path_regex": ".*"},
    ]
)
GOOD_ROUTES = st.builds(lambda path, more: {"upstream": "a"} | path | more, PATHS, st.just({}) | table_of("routes.*"))
UPSTREAMS = st.dictionaries(
    st.sampled_from(["a", "b", "a b"]), st.just("http://localhost:1") | table_of("upstreams.*"), max_size=2
).map(lambda upstreams: {"a": "http://localhost:3001"} | upstreams)
DOCUMENTS = st.fixed_dictionaries(
    {"upstreams": UPSTREAMS, "routes": st.lists(GOOD_ROUTES, min_size=1, max_size=3)},
    optional={"server": table_of("server"), "x": VALUES},
)


def quoted_toml(value: Any) -> str:
    """TOML on one line with every key in quotes."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{toml(name)} = {quoted_toml(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(quoted_toml, value)) + "]"
    return toml(value).replace("\x7f", "\\u007f")


@settings(max_examples=400)
@given(DOCUMENTS)
def test_a_document_that_is_nearly_right_is_a_config_or_problems(document: dict[str, Any]) -> None:
    check("\n".join(f"{name} = {quoted_toml(value)}" for name, value in document.items()).encode())


# Places


def paths_of(value: Any, path: Path = ()) -> list[tuple[Path, Any]]:
    """Every path of a document with its value."""
    children: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        children = list(value.items())
    elif isinstance(value, list):
        children = list(enumerate(value))
    return [(path, value)] + [found for part, child in children for found in paths_of(child, (*path, part))]


NAMES = st.text(st.sampled_from('ab.- "\\é'), max_size=3)
NESTED = st.recursive(
    st.integers(0, 99) | st.booleans() | st.text(st.sampled_from("a#]},\"'\\\n\té="), max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(NAMES, NESTED, max_size=4))
def test_every_value_stands_where_the_scanner_says(document: dict[str, Any]) -> None:
    text = "\n".join(f"{toml(name)} = {quoted_toml(value)} # {toml(name)}" for name, value in document.items())
    assert tomli.loads(text) == document
    spans = positions(text)
    for path, value in paths_of(document)[1:]:
        span = spans[path]
        assert tomli.loads(f"x = {text[span.value_start : span.value_end]}")["x"] == value
        if isinstance(path[-1], str):
            assert tomli.loads(f"{text[span.key_start : span.key_end]} = 1") == {path[-1]: 1}


@given(st.text(max_size=200) | st.text(st.sampled_from("ab=.,[]{}\"'\\#\n 1"), max_size=60))
def test_the_scanner_raises_for_no_text(text: str) -> None:
    for span in positions(text).values():
        assert 0 <= span.key_start <= span.key_end <= len(text)
        assert 0 <= span.value_start <= span.value_end <= len(text)


# The command line


@given(
    frontend=st.none() | STRINGS | st.text(max_size=8),
    backend=st.none() | STRINGS | st.text(max_size=8),
    backend_paths=st.lists(STRINGS, max_size=2),
    listen=st.lists(STRINGS | st.text(max_size=8), max_size=2),
)
def test_any_arguments_are_a_config_or_problems(
    frontend: str | None, backend: str | None, backend_paths: list[str], listen: list[str]
) -> None:
    result: Config | ConfigError
    try:
        result = from_arguments(frontend=frontend, backend=backend, backend_paths=backend_paths, listen=listen)
    except ConfigError as error:
        result = error
    if isinstance(result, Config):
        RouteTable(result.routes)
        assert {route.upstream for route in result.routes} <= {upstream.name for upstream in result.upstreams}
    else:
        assert all((problem.what + problem.help).isprintable() for problem in result.problems)
        assert report(result, b"", "command line", colour=False).count("error: ") >= len(result.problems)


# Time

UPSTREAM = b'[upstreams]\na = "http://localhost:1"\n'
ROUTE = UPSTREAM + b'[[routes]]\npath="/"\nupstream="a"\n'


def filled(head: bytes, unit: str, tail: bytes = b"") -> bytes:
    """A file as large as may be, of numbered units."""
    units: list[bytes] = []
    size = len(head) + len(tail)
    while True:
        piece = unit.replace("N", str(len(units))).encode()
        size += len(piece)
        if size > MAX_FILE_BYTES:
            return head + b"".join(units) + tail
        units.append(piece)


@pytest.mark.parametrize(
    "written",
    [
        partial(filled, b"", "N=1\n"),
        partial(filled, b"[upstreams]\n", "aN=1\n"),
        partial(filled, UPSTREAM, '[[routes]]\npath="/N"\nupstream="b"\n'),
        partial(filled, b"[upstreams]\n", 'aN="http://a"\n', b'[[routes]]\npath="/"\nupstream="b"\n'),
        partial(filled, UPSTREAM, '[[routes]]\npath="/N"\nupstream="a"\n'),
        partial(filled, UPSTREAM, '[[routes]]\npath_glob="/**"\nupstream="a"\nmatch_host="hN"\nmethods=["M"]\n'),
        partial(filled, UPSTREAM, '[[routes]]\npath_glob="/**"\nupstream="a"\nmethods=["MN"]\n'),
        partial(filled, b"[server]\nlisten=[", "N,", b"]\n"),
        partial(filled, b"[upstreams.a]\nservers=[", '"http://aN",', b"]\n"),
        partial(filled, b"[upstreams.a]\nservers=[", '"",', b"]\n"),
        partial(filled, b"", "[[routes]]\n"),
        partial(filled, b"", "[" * 300 + "N", b""),
        partial(filled, b"", "a." * 300 + "kN=1\n"),
        partial(filled, b"", "kN=" + "[" * 300 + "]" * 300 + "\n"),
        partial(filled, b'a = "', "\\u0061", b'"'),
        partial(filled, b'a = """', '""\\"', b'"""'),
        partial(filled, b"a = [", "'',", b"]"),
        partial(filled, UPSTREAM + b'[[routes]]\nupstream="a"\npath_regex="', "(a|b)*", b'"'),
        partial(filled, ROUTE + b"cors.origins=[", '"http://aN",', b"]"),
        partial(filled, UPSTREAM, '[[routes]]\npath="/N"\nupstream="a"\ncors.origins=["regex:https://(a|b)*[^N]"]\n'),
        partial(filled, UPSTREAM, '[[routes]]\npath="/N"\nupstream="a"\nguard=false\ncors.expose=["*"]\n'),
        partial(filled, ROUTE + b"cookies.domain={", '"aN"="b",', b'"c"=""}'),
        partial(
            filled, UPSTREAM + b'[[routes]]\npath="/"\nupstream="a"\nheaders.request.set={', 'AN="${hots}",', b'B=""}'
        ),
        partial(filled, ROUTE + b'headers.request.set={A="', "${", b'"}'),
        partial(filled, b"[server]\nallowed_hosts=[", '"aN.test",', b"]"),
        partial(filled, b"a = 0x", "f"),
        partial(filled, b"a = ", "1"),
        lambda: b"[" * MAX_FILE_BYTES,
        lambda: b"x" * MAX_FILE_BYTES,
        lambda: b"\xff" * MAX_FILE_BYTES,
        lambda: b" " * MAX_FILE_BYTES,
    ],
    ids=range(31),
)
def test_the_largest_file_is_read_in_seconds_whatever_it_holds(written: Callable[[], bytes]) -> None:
    octets = written()
    started = time.process_time()
    result = outcome(octets)
    if isinstance(result, ConfigError):
        report(result, octets, "devproxy.toml", colour=True)
    # Most take well under a second; what this holds off is work that grows with the square of the file.
    assert time.process_time() - started < 20


def test_the_generated_documents_reach_both_outcomes() -> None:
    """Guards the strategies above: a generator that only ever makes broken files would prove nothing."""
    seen: set[type] = set()

    @settings(max_examples=200, database=None)
    @given(DOCUMENTS)
    def collect(document: dict[str, Any]) -> None:
        text = "\n".join(f"{name} = {quoted_toml(value)}" for name, value in document.items())
        seen.add(type(outcome(text.encode())))

    collect()
    assert seen == {Config, ConfigError}
    assert len(KEYS) > 50
