from __future__ import annotations

import json
from time import process_time

import pytest
from devproxy.inspector.masking import (
    masked_body,
    masked_field,
    masked_form,
    masked_json,
    masked_packet,
    masked_text,
    masked_toml,
    without_colour,
)


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
        ('{"password": broken', '{"password": "…"'),
        ('{"password":"cut off', '{"password":"…"'),
        ('data: {"access_token":"a\\"b","n":1}\n\n', 'data: {"access_token":"…","n":1}\n\n'),
        ('{"password":"a"}\n{"password":"b"}\n', '{"password":"…"}\n{"password":"…"}\n'),
        ('{"a":{"secret":["x","y"],"ok":"z', '{"a":{"secret":"…","ok":"z'),
        ('{"a":"\\ud800"}', '{"a": "\\ud800"}'),
        ('{"has_secret":true', '{"has_secret":true'),
    ],
    ids=repr,
)
def test_text_is_masked_as_what_it_is(text: str, shown: str) -> None:
    assert masked_text(text) == shown


def test_what_is_within_something_secret_is_secret() -> None:
    value = {"credentials": {"user": "joe", "value": ["x", 1, None, True]}, "password": ["x"]}
    assert masked_json(value) == {"credentials": {"user": "…", "value": ["…", "…", None, True]}, "password": ["…"]}


@pytest.mark.parametrize(
    "text", ['"' * 200_000, '"\\' * 100_000, '"key":' * 50_000, '"key":[' * 50_000, '"a" ' * 50_000]
)
def test_looking_for_members_of_json_takes_time_by_length_alone(text: str) -> None:
    start = process_time()
    masked_text(text)
    assert process_time() - start < 2


@pytest.mark.parametrize(
    ("packet", "shown"),
    [
        ('40{"anything":"x"}', "40{…}"),
        ('40/admin,{"anything":"x"}', "40/admin,{…}"),
        ('40{"anything":"cut o', "40{…}"),
        ('42["login",{"password":"x"}]', '42["login", {"password": "…"}]'),
        ('42["login",{"password":"cut o', '42["login",{"password":"…"'),
        ("40/admin?token=x,", "40/admin?token=…"),
        ("2probe", "2probe"),
        ("bAQID", "b…"),
    ],
)
def test_packets_keep_their_form(packet: str, shown: str) -> None:
    assert masked_packet(packet) == shown


@pytest.mark.parametrize("view", ["hex", "none", "image"])
def test_no_secret_can_be_found_in_bytes(view: str) -> None:
    assert masked_body(b"password=x", view, "utf-8") is None


def test_a_payload_is_masked_packet_by_packet() -> None:
    shown = masked_body(b'40{"a":"x"}\x1e42["b",{"token":"x"}]', "engineio", "no such charset")
    assert shown == '40{…}\x1e42["b", {"token": "…"}]'


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
