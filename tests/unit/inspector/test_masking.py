from __future__ import annotations

import json

import pytest
from devproxy.inspector.masking import masked_field, masked_form, masked_json, masked_text, masked_toml, without_colour


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("Cookie", "a=1; b=2;c", "a=…; b=…; …"),
        ("Set-Cookie", "sid=x; Path=/; HttpOnly", "sid=…; Path=/; HttpOnly"),
        ("Authorization", "Bearer abc", "Bearer …"),
        ("Authorization", "abc", "…"),
        ("WWW-Authenticate", "Negotiate abc", "Negotiate …"),
        ("WWW-Authenticate", "Negotiate", "Negotiate"),
        ("X-Api-Key", "abc", "…"),
        ("X-CSRF-Token", "abc", "…"),
        ("Location", "/x?code=abc&y=1", "/x?code=…&y=1"),
        ("Referer", "http://u:p@a/?token=x", "http://…@a/?token=…"),
        ("Accept", "*/*", "*/*"),
        ("Sec-WebSocket-Key", "abc", "abc"),
        ("Access-Control-Allow-Credentials", "true", "true"),
    ],
    ids=str,
)
def test_fields_keep_their_names(name: str, value: str, shown: str) -> None:
    assert masked_field(name, value) == shown


def test_json_keeps_its_form() -> None:
    value = {
        "user": {"password": "x", "name": "y", "token": None, "tokens": [1]},
        "list": [{"apiKey": 5}],
        "auth": True,
    }
    assert masked_json(value) == {
        "user": {"password": "…", "name": "y", "token": None, "tokens": [1]},
        "list": [{"apiKey": "…"}],
        "auth": True,
    }


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('{"password":"x"}', '{"password": "…"}'),
        ('[{"a": "http://h/?token=x"}]', '[{"a": "http://h/?token=…"}]'),
        ("see http://h/?token=x", "see http://h/?token=…"),
        ('{"password": broken', '{"password": broken'),
    ],
    ids=repr,
)
def test_text_is_masked_as_what_it_is(text: str, shown: str) -> None:
    assert masked_text(text) == shown


def test_deep_json_ends() -> None:
    assert "…" in json.dumps(masked_json(json.loads("[" * 200 + "]" * 200)), ensure_ascii=False)
    masked_text("[" * 100_000)


def test_a_configuration_keeps_its_form() -> None:
    file = """[upstreams]
a = "https://user:pass@a.example"
[routes.headers.request]
set = { Authorization = "Bearer abc", X-Env = "dev" }
"X-Api-Key" = "abc"
path = "/a"
"""
    assert (
        masked_toml(file)
        == """[upstreams]
a = "https://…@a.example"
[routes.headers.request]
set = { Authorization = …
"X-Api-Key" = …
path = "/a"
"""
    )


def test_what_was_painted_for_a_terminal_loses_its_colours() -> None:
    assert without_colour("\x1b[1;31merror\x1b[0m: x\x1b[") == "error: x"


def test_forms_keep_their_names() -> None:
    assert masked_form("user=a&password=b&csrf_token=&x") == "user=a&password=…&csrf_token=&x"
