"""One table of keys drives everything: defaults, schema, reference, example, and the files in the repository."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import fields, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import tomli
from devproxy.config import Config, Route, Server, Upstream, load, schema
from devproxy.config.documents import meaning
from devproxy.config.keys import ABSENT, CHILDREN, KEYS, Key, Type
from docs.reference import example, files, reference, toml
from tests.support.configuration import ROUTE, UPSTREAMS

ROOT = Path(__file__).parents[3]
jsonschema: Any = import_module("jsonschema")  # it has no types

every_key = pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)


def minimal() -> Config:
    return load((UPSTREAMS + ROUTE).encode(), source="x")


def uncommented_example() -> dict[str, Any]:
    """The example with every key that it shows behind one number sign."""
    return tomli.loads(re.sub(r"^# ", "", example(), flags=re.MULTILINE))


def found_at(document: Any, path: str) -> Any:
    """The value at a path of the table of keys in the example; of a map or an array the one with most keys."""
    for part in path.split("."):
        if part == "*":
            values = document if isinstance(document, list) else list(document.values())
            document = max(values, key=lambda value: len(value) if isinstance(value, dict) else 0)
        else:
            document = document[part]
    return document


@pytest.mark.parametrize("name", files())
def test_the_files_in_the_repository_are_those_the_table_gives(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert text == files()[name], "run `make fix` (or `python -m docs.generate`)"


def test_the_example_begins_with_the_schema_and_loads() -> None:
    assert example().splitlines()[0] == "#:schema ./devproxy.schema.json"
    assert [route.pattern for route in load(example().encode(), source="x").routes] == ["/socket.io/", "/api/", "/"]


def test_the_example_says_only_what_holds_anyway() -> None:
    config = load(example().encode(), source="x")
    assert config.server == Server()
    backend = config.upstreams[1]
    assert backend == Upstream(name="backend", servers=backend.servers)
    first = config.routes[0]
    default = Route(kind=first.kind, pattern="/socket.io/", upstream="backend", line=first.line)
    assert first == replace(default, cors=replace(default.cors, line=first.cors.line))


def test_the_example_and_the_smallest_file_fit_the_schema() -> None:
    jsonschema.Draft7Validator.check_schema(schema())
    jsonschema.validate(tomli.loads(example()), schema(), jsonschema.Draft7Validator)
    jsonschema.validate(tomli.loads(UPSTREAMS + ROUTE), schema(), jsonschema.Draft7Validator)


@pytest.mark.parametrize(
    "path",
    [
        path
        for path in KEYS
        if (not path.endswith(".*") or path == "upstreams.*") and not path.startswith("server.tls.")
    ],
)
def test_the_example_shows_the_key_and_its_default(path: str) -> None:
    value, key = found_at(uncommented_example(), path), KEYS[path]
    assert key.default is ABSENT or value == key.default


@pytest.mark.parametrize("path", [path for path, key in KEYS.items() if key.name != "*" and not key.is_container])
def test_the_reference_has_a_row_for_the_key(path: str) -> None:
    assert re.search(rf"^\| `(?:[\w.]+\.)?{KEYS[path].name}` \|", reference(), re.MULTILINE)


@every_key
def test_the_key_is_described_and_its_example_is_of_its_type(key: Key) -> None:
    assert meaning(key).endswith((".", ")"))
    if key.example:
        value = tomli.loads(f"value = {key.example}")["value"]
        python: dict[Type, Any] = {
            Type.BOOLEAN: bool,
            Type.INTEGER: int,
            Type.NUMBER: (int, float),
            Type.STRING: str,
            Type.LIST: list,
        }
        assert any(isinstance(value, python.get(kind, dict)) for kind in key.types)


@every_key
def test_the_default_is_one_of_the_types_and_lies_within_the_bounds(key: Key) -> None:
    if isinstance(key.default, int | float) and not isinstance(key.default, bool):
        assert (key.minimum or 0) <= key.default <= (key.maximum if key.maximum is not None else key.default)
    if key.choices and isinstance(key.default, str):
        assert key.default in key.choices


@pytest.mark.parametrize(
    ("parent", "value"),
    [("server", Server()), ("upstreams.*", Upstream(name="x", servers=())), ("routes.*", minimal().routes[0])],
)
def test_defaults_of_the_values_are_those_of_the_table(parent: str, value: Any) -> None:
    names = {field.name for field in fields(value)}
    for name, key in CHILDREN[parent].items():
        if name in names and key.default is not ABSENT and name != "listen":
            default = tuple(key.default) if isinstance(key.default, list | dict) else key.default
            default = (default,) if name == "tls_ca" else default
            assert getattr(value, name) == default, name


def test_a_file_that_says_nothing_gets_the_defaults() -> None:
    assert minimal().server == Server()
    assert minimal().routes[0] == Route(kind=minimal().routes[0].kind, pattern="/", upstream="backend", line=4)


@pytest.mark.parametrize(
    "text",
    [
        "x = 1\n" + UPSTREAMS + ROUTE,
        UPSTREAMS + ROUTE + 'path_exact = "/"',
        UPSTREAMS + ROUTE + 'cors = "fixed"',
        UPSTREAMS + ROUTE + "cors = { max_age_s = -2 }",
        UPSTREAMS + ROUTE + "cors = { origins = 'http://a' }",
        UPSTREAMS + ROUTE + "cookies = { domain = 1 }",
        UPSTREAMS + ROUTE + "cookies = { same_site = 'laxer' }",
        UPSTREAMS + ROUTE + "fault = { error_rate = 1.1 }",
        UPSTREAMS + ROUTE + "[server]\ntls = { cert = 'a.pem', keys = 'b' }",
        UPSTREAMS + ROUTE + "[server]\nmax_fields = 1",
        UPSTREAMS,
        ROUTE,
    ],
)
def test_the_schema_refuses_what_an_editor_should_underline(text: str) -> None:
    validator = jsonschema.Draft7Validator(schema())
    assert not validator.is_valid(tomli.loads(text))


@pytest.mark.parametrize(
    "line",
    [
        "cookies = { same_site = 'Strict', secure = true, domain = { 'a.test' = '' } }",
        "cookies = { same_site = 'lax', secure = 'auto', domain = '' }",
        "cors = { mode = 'fix', preflight = 'forward', origins = [], max_age_s = -1 }",
        "cors = 'rewrite'",
        "fault = { error_rate = 1, latency_ms = 2.5 }",
    ],
)
def test_the_schema_accepts_what_loads(line: str) -> None:
    text = UPSTREAMS + ROUTE + line
    assert load(text.encode(), source="x").routes
    jsonschema.validate(tomli.loads(text), schema(), jsonschema.Draft7Validator)


def test_the_schema_is_plain_json() -> None:
    assert json.loads(json.dumps(schema(), allow_nan=False)) == schema()


@pytest.mark.parametrize("value", [True, 1, 1.5, 2**53, 9007199254740992.0, 'a"b', [], ["a"], {}, {"a": [1]}])
def test_defaults_are_written_as_toml(value: object) -> None:
    assert tomli.loads(f"value = {toml(value)}")["value"] == value


def test_the_import_is_light() -> None:
    code = "import sys, devproxy.config; print(*sorted(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    loaded = set(result.stdout.split())
    heavy = {
        "asyncio",
        "ssl",
        "socket",
        "json",
        "jsonschema",
        "difflib",
        "tomli",
        "textwrap",
        "ipaddress",
        "unicodedata",
    }
    assert not loaded & heavy
    assert not loaded & {"devproxy.config.documents", "devproxy.config.loading", "devproxy.config.reporting"}


def test_loading_a_good_file_imports_nothing_that_only_errors_need() -> None:
    code = (
        "import sys; from devproxy.config import load; text = open('config.example.toml', 'rb').read(); "
        "before = set(sys.modules); load(text, source='x'); print(*sorted(set(sys.modules) - before))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert not set(result.stdout.split()) & {"asyncio", "ssl", "socket", "difflib", "ipaddress", "unicodedata"}
