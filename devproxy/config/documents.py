"""The JSON Schema made from the table of keys.

Pure, but for the source of ``model``, which it reads for the docstrings of fields; ``devproxy schema`` prints it.
Standard: JSON Schema draft-07, which is what TOML editors read best. The reference and the example file are made in
``docs/reference.py``. Start at :func:`schema`.
"""

from __future__ import annotations

import ast
import inspect
from functools import cache
from itertools import pairwise
from typing import Any, Final

import tomli

from devproxy.config import model
from devproxy.config.keys import ABSENT, CHILDREN, KEYS, RELEASE, Key, Type
from devproxy.config.variables import TEXT_PATTERN, takes_variables

_VARIABLE: Final = {"$ref": "#/definitions/variable"}
"""A text that names a variable of the environment."""
_PATH_KEYS: Final = ("path", "path_exact", "path_glob", "path_regex")


def schema() -> dict[str, Any]:
    """Return the JSON Schema (draft-07) of ``devproxy.toml``: looser than ``load``, never stricter."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "devproxy.toml",
        "description": f"Configuration of devproxy {RELEASE}.",
        **_object_schema(""),
        "definitions": {"variable": {"type": "string", "pattern": TEXT_PATTERN}},
    }


def _object_schema(path: str) -> dict[str, Any]:
    children = CHILDREN[path]
    result: dict[str, Any] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {name: _key_schema(key) for name, key in children.items()},
    }
    required = [name for name, key in children.items() if key.required and not key.instead]
    if required:
        result["required"] = required
    for name, key in children.items():
        if key.instead:
            result["anyOf"] = [{"required": [name]}, {"required": [key.instead]}]
    if path == "routes.*":
        result["oneOf"] = [{"required": [name]} for name in _PATH_KEYS]
    return result


def _key_schema(key: Key) -> dict[str, Any]:
    result: dict[str, Any] = {"description": meaning(key)}
    alternatives = [_type_schema(kind, key) for kind in key.types]
    if takes_variables(key) and not any(one in alternatives for one in ({"type": "string"}, _VARIABLE)):
        alternatives.append(_VARIABLE)
    result |= alternatives[0] if len(alternatives) == 1 else {"anyOf": alternatives}
    if key.example:
        result["examples"] = [_parsed(key.example)]
    if key.default is not ABSENT:
        result["default"] = key.default
    return result


def _type_schema(kind: Type, key: Key) -> dict[str, Any]:
    if kind is Type.TABLE:
        return _object_schema(key.path)
    if kind is Type.MAP:
        element = _key_schema(KEYS[f"{key.path}.*"])
        return {"type": "object", "additionalProperties": element} | ({"minProperties": 1} if key.required else {})
    if kind is Type.ARRAY:
        return {"type": "array", "minItems": 1, "items": _key_schema(KEYS[f"{key.path}.*"])}
    if kind is Type.LIST:
        items = [_item_schema(item, key) for item in key.items]
        if {"type": "string"} not in items:
            items.append(_VARIABLE)
        result: dict[str, Any] = {"type": "array", "items": items[0] if len(items) == 1 else {"anyOf": items}}
        return result | ({"minItems": 1} if key.required else {})
    return _item_schema(kind, key)


def _item_schema(kind: Type, key: Key) -> dict[str, Any]:
    if kind is Type.BOOLEAN:
        return {"type": "boolean"}
    if kind is Type.STRING:
        return {"type": "string", **_choices_schema(key)} | ({"pattern": key.pattern} if key.pattern else {})
    bounds = {"minimum": key.minimum, "maximum": key.maximum}
    numeric = {"type": "integer" if kind is Type.INTEGER else "number"}
    return numeric | {name: bound for name, bound in bounds.items() if bound is not None}


def _choices_schema(key: Key) -> dict[str, Any]:
    if not key.choices:
        return {}
    listed: dict[str, Any] = {"enum": list(key.choices)}
    if not key.ignores_case:
        return listed
    # JSON Schema's expressions know no flag for case; the list is there for completion.
    in_any_case = "|".join("".join(f"[{char.upper()}{char}]" for char in choice) for choice in key.choices)
    return {"anyOf": [listed, {"pattern": f"^(?:{in_any_case})$"}]}


def meaning(key: Key) -> str:
    """Return what `key` means, in Markdown without line breaks."""
    return key.meaning or _docstrings()[key.declared_by]


@cache
def _docstrings() -> dict[str, str]:
    """Return the docstring of each field and member in ``model``, by ``Class.name``. Python keeps none at run time."""
    found = {}
    classes = [
        statement for statement in ast.parse(inspect.getsource(model)).body if isinstance(statement, ast.ClassDef)
    ]
    for cls in classes:
        for declared, below in pairwise(cls.body):
            if isinstance(declared, ast.Assign | ast.AnnAssign) and isinstance(below, ast.Expr):
                target = declared.target if isinstance(declared, ast.AnnAssign) else declared.targets[0]
                text = ast.literal_eval(below.value)
                found[f"{cls.name}.{ast.unparse(target)}"] = " ".join(text.split())
    return found


def _parsed(literal: str) -> Any:
    return tomli.loads(f"value = {literal}")["value"]
