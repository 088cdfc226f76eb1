"""Every key that a file can set arrives: what the table of keys promises, the loaded configuration holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from importlib import import_module
from typing import Any

import pytest
import tomli
from devproxy.config import Config, load, schema
from devproxy.config.environment import Variable
from devproxy.config.keys import ABSENT, KEYS, Key, Type
from devproxy.config.overlay import variable_of
from docs.reference import toml

VALIDATOR: Any = import_module("jsonschema").Draft7Validator(schema())
ROUTE = {"path": "/api/", "upstream": "a"}
BESIDE: dict[str, dict[str, Any]] = {
    "server.tls.cert": {"key": "key.pem"},
    "server.tls.key": {"cert": "cert.pem"},
    "upstreams.*.recording": {"servers": ABSENT},
    "upstreams.*.proxy": {"servers": ["http://api.example.com"]},
    "upstreams.*.tls_key": {"tls_cert": "client.pem"},
    "routes.*.cors.dangerously_allow_null_origin": {"credentials": False},
    "routes.*.cors.dangerously_allow_any_origin": {"credentials": False},
    "routes.*.path_exact": {"path": ABSENT},
    "routes.*.path_glob": {"path": ABSENT},
    "routes.*.path_regex": {"path": ABSENT},
}
"""What a key needs beside it, in the same table; ABSENT: what has to go."""

INSTEAD: dict[str, Any] = {
    "server.tls.cert": "other.pem",
    "server.tls.key": "other.pem",
    "upstreams.*": "http://localhost:9",
    "upstreams.*.servers": ["http://localhost:9"],
    "routes.*.path": "/other",
    "routes.*.path_exact": "/other",
    "routes.*.path_glob": "/other",
    "routes.*.path_regex": "/other",
    "routes.*.upstream": "a",
    "upstreams.*.recording": "other.har",
    "run.*": "other",
    "run.*.command": "other",
}
"""What stands in the file that is compared with, where a key cannot be left out."""

LEAVES = [key for key in KEYS.values() if not key.is_container]


def other_value(key: Key) -> Any:
    """A value of `key` that is not its default."""
    if Type.NUMBER in key.types or (Type.INTEGER in key.types and key.default is not ABSENT and not key.example):
        assert isinstance(key.default, int | float)
        value = key.default + 1
        return value if key.maximum is None or value <= key.maximum else key.default - 1
    if key.choices:
        return next(choice for choice in reversed(key.choices) if choice != key.default)
    if key.example:
        return tomli.loads(f"value = {key.example}")["value"]
    assert Type.BOOLEAN in key.types
    return not key.default


def document(path: str, value: Any) -> dict[str, Any]:
    """A small file in which `path` is `value`; ABSENT: in which only what it needs stands there."""
    result: dict[str, Any] = {
        "server": {},
        "upstreams": {"a": {"servers": ["http://localhost:1"]}, "backend": "http://localhost:2"},
        "routes": [dict(ROUTE)],
    }
    if path.startswith("run."):
        result["run"] = {"a": {"command": "x"}}
    *parents, last = path.split(".")
    table: Any = result
    for part in parents:
        if part == "*":
            table = table[0] if isinstance(table, list) else table.setdefault("a", {})
        else:
            table = table.setdefault(part, {})
    table |= BESIDE.get(path, {})
    table["X-Name" if last == "*" and "headers" in path else "a" if last == "*" else last] = value
    for name in [name for name, item in table.items() if item is ABSENT]:
        del table[name]
    return result


def loaded(path: str, value: Any) -> Config:
    text = "\n".join(f"{name} = {toml(item)}" for name, item in document(path, value).items())
    return load(text.encode(), source="devproxy.toml")


def settings_of(value: object, name: str = "") -> Iterator[tuple[str, object]]:
    """Every field of a configuration with its path, except where things stand."""
    if is_dataclass(value):
        for field in fields(value):
            if field.name not in ("line", "source", "said"):
                yield from settings_of(getattr(value, field.name), f"{name}.{field.name}")
    elif isinstance(value, tuple) and any(map(is_dataclass, value)):
        for index, item in enumerate(value):
            yield from settings_of(item, f"{name}.{index}")
    else:
        yield name, value


@pytest.mark.parametrize("key", LEAVES, ids=[key.path for key in LEAVES])
def test_another_value_of_the_key_arrives(key: Key) -> None:
    value = other_value(key)
    assert value != key.default
    before, after = (dict(settings_of(loaded(key.path, one))) for one in (INSTEAD.get(key.path, ABSENT), value))
    changes = {name: setting for name, setting in after.items() if before.get(name, ABSENT) != setting}
    assert changes
    if isinstance(value, int | float) and not isinstance(value, bool):
        assert [float(str(setting)) for setting in changes.values()] == [value]


def variable_text(value: Any) -> str:
    """How a variable says `value`."""
    if isinstance(value, list):
        return ",".join(map(variable_text, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


NAMED = [key for key in LEAVES if not key.is_expression and not isinstance(other_value(key), dict)]


@pytest.mark.parametrize("key", NAMED, ids=[key.path for key in NAMED])
def test_the_value_may_be_that_of_a_variable(key: Key) -> None:
    value = other_value(key)
    written = document(key.path, "${env:X}")
    text = "\n".join(f"{name} = {toml(item)}" for name, item in written.items())
    environment = {"X": Variable(variable_text(value))}
    config = load(text.encode(), source="devproxy.toml", environment=environment)
    assert dict(settings_of(config)) == dict(settings_of(loaded(key.path, value)))
    VALIDATOR.validate(written)


SET = [key for path, key in KEYS.items() if path.startswith("server.") and not path.startswith("server.tls.")]


@pytest.mark.parametrize("key", SET, ids=[key.path for key in SET])
def test_a_variable_sets_the_key_of_the_server(key: Key) -> None:
    value = other_value(key)
    text = "\n".join(f"{name} = {toml(item)}" for name, item in document(key.path, ABSENT).items())
    environment = {variable_of(key.path): Variable(variable_text(value))}
    config = load(text.encode(), source="devproxy.toml", environment=environment)
    assert dict(settings_of(config)) == dict(settings_of(loaded(key.path, value)))
