"""HAR 1.2 as a JSON Schema: what the specification requires, after http://www.softwareishard.com/blog/har-12-spec/."""

from __future__ import annotations

from typing import Any, Final

_STRING: Final = {"type": "string"}
_INTEGER: Final = {"type": "integer"}
_OPTIONAL_TIME: Final = {"type": "number", "minimum": -1}
_TIME: Final = {"type": "number", "minimum": 0}
_MOMENT: Final = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$"}


def _object(required: dict[str, Any], optional: dict[str, Any] | None = None) -> dict[str, Any]:
    """An object with these properties; others have to begin with an underscore."""
    return {
        "type": "object",
        "required": list(required),
        "properties": {**required, **(optional or {}), "comment": _STRING},
        "patternProperties": {"^_": {}},
        "additionalProperties": False,
    }


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


_PAIR: Final = _object({"name": _STRING, "value": _STRING})
_COOKIE: Final = _object(
    {"name": _STRING, "value": _STRING},
    {
        "path": _STRING,
        "domain": _STRING,
        "expires": _STRING,
        "httpOnly": {"type": "boolean"},
        "secure": {"type": "boolean"},
        "sameSite": _STRING,
    },
)
_HEAD: Final = {
    "httpVersion": _STRING,
    "cookies": _list(_COOKIE),
    "headers": _list(_PAIR),
    "headersSize": _INTEGER,
    "bodySize": _INTEGER,
}
_REQUEST: Final = _object(
    {"method": _STRING, "url": {"type": "string", "format": "uri"}, "queryString": _list(_PAIR), **_HEAD},
    {
        "postData": _object(
            {"mimeType": _STRING}, {"text": _STRING, "params": _list(_object({"name": _STRING}, {"value": _STRING}))}
        )
    },
)
_CONTENT: Final = _object(
    {"size": _INTEGER, "mimeType": _STRING}, {"compression": _INTEGER, "text": _STRING, "encoding": _STRING}
)
_RESPONSE: Final = _object(
    {"status": _INTEGER, "statusText": _STRING, "redirectURL": _STRING, "content": _CONTENT, **_HEAD}
)
_TIMINGS: Final = _object(
    {"send": _TIME, "wait": _TIME, "receive": _TIME},
    {"blocked": _OPTIONAL_TIME, "dns": _OPTIONAL_TIME, "connect": _OPTIONAL_TIME, "ssl": _OPTIONAL_TIME},
)
_ENTRY: Final = _object(
    {
        "startedDateTime": _MOMENT,
        "time": _TIME,
        "request": _REQUEST,
        "response": _RESPONSE,
        "cache": {"type": "object"},
        "timings": _TIMINGS,
    },
    {
        "pageref": _STRING,
        "serverIPAddress": _STRING,
        "connection": _STRING,
        "_webSocketMessages": _list(
            _object({"type": {"enum": ["send", "receive"]}, "time": _TIME, "opcode": _INTEGER, "data": _STRING})
        ),
    },
)
SCHEMA: Final = _object(
    {
        "log": _object(
            {
                "version": {"const": "1.2"},
                "creator": _object({"name": _STRING, "version": _STRING}),
                "entries": _list(_ENTRY),
            },
            {"browser": _object({"name": _STRING, "version": _STRING}), "pages": _list({"type": "object"})},
        )
    }
)
