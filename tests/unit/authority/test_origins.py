"""Web origins and patterns of them: what equals what, and why a pattern is refused."""

from __future__ import annotations

import subprocess
import sys

import pytest
from devproxy.authority.origins import (
    LOOPBACK,
    OriginSet,
    normalised,
    parse_origin,
    parse_pattern,
    split_origin,
    web_origin,
)
from devproxy.text.bad import BadText


def takes(*patterns: str) -> OriginSet:
    return OriginSet(parse_pattern(pattern) for pattern in patterns)


def refusal(pattern: str) -> BadText:
    with pytest.raises(BadText) as caught:
        parse_pattern(pattern)
    return caught.value


# -- origins -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "origin",
    [
        b"http://localhost",
        b"http://localhost:3000",
        b"https://app.example.test",
        b"https://xn--bcher-kva.example",
        b"http://127.0.0.1:5173",
        b"http://[::1]:3000",
        b"http://[2001:db8::1]",
        b"http://[1:0:0:2::3]",
        b"http://my_app.test",
        b"http://localhost.",
        b"capacitor://localhost",
        b"chrome-extension://abcdefghijklmnopabcdefghijklmnop",
        b"https://localhost:80",
    ],
)
def test_what_a_browser_writes_is_an_origin(origin: bytes) -> None:
    assert parse_origin(origin) == origin


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"*",
        b"null",
        b"NULL",
        b"localhost:3000",
        b"//localhost",
        b"http://",
        b"http://LOCALHOST:3000",
        b"HTTP://localhost",
        b"http://localhost/",
        b"http://localhost:80",
        b"https://localhost:443",
        b"http://localhost:",
        b"http://localhost:0",
        b"http://localhost:03000",
        b"http://localhost:65536",
        b"http://localhost:99999",
        b"http://localhost:3000.evil",
        b"http://localhost:3000:3000",
        b"http://localhost:3000#x",
        b"http://evil.test#localhost",
        b"http://evil.test?localhost",
        b"http://evil.test\\localhost",
        b"http://user@localhost",
        b"http://localhost http://evil.test",
        b"http://localhost, http://localhost",
        b" http://localhost",
        b"http://localhost\n",
        b"http://.localhost",
        b"http://a..localhost",
        b"http://127.1",
        b"http://127.0.0.01",
        b"http://127.0.0.256",
        b"http://127.0.0.1.",
        b"http://2130706433",
        b"http://0x7f.0.0.1",
        b"http://0x7f000001",
        b"http://a.1",
        b"http://[::1",
        b"http://[::0001]",
        b"http://[0:0:0:0:0:0:0:1]",
        b"http://[::FFFF:7f00:1]",
        b"http://[::ffff:127.0.0.1]",
        b"http://[::1%25lo]",
        b"http://[:::]",
        b"http://b\xc3\xbccher.example",
        b"http://%6cocalhost",
        b"http://" + b"a" * 64,
        b"http://" + b".".join([b"a" * 60] * 5),
    ],
)
def test_what_no_browser_writes_is_none(value: bytes) -> None:
    assert parse_origin(value) is None


def test_an_origin_of_300_octets_is_none_and_one_of_255_can_be_one() -> None:
    host = b".".join([b"a" * 60] * 4)
    assert parse_origin(b"http://" + host + b":3000") is not None
    assert parse_origin(b"x" * (252 - len(host)) + b"://" + host) is not None
    assert parse_origin(b"x" * (253 - len(host)) + b"://" + host) is None
    assert parse_origin(b"http://" + b"a." * 146 + b"b") is None


def test_the_parts_of_an_origin_are_its_own_octets() -> None:
    assert split_origin(b"https://[::1]:8443") == (b"https", b"[::1]", b"8443")
    assert split_origin(b"https://app.test") == (b"https", b"app.test", b"")


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        (b"http://localhost:3000/", b"http://localhost:3000"),
        (b"HTTP://LocalHost:3000", b"http://localhost:3000"),
        (b"http://localhost:80", b"http://localhost"),
        (b"HTTPS://APP.test:443/", b"https://app.test"),
        (b"http://[::1]:80/", b"http://[::1]"),
        (b"https://localhost:80", b"https://localhost:80"),
    ],
)
def test_case_default_port_and_a_slash_at_the_end_are_repaired(text: bytes, origin: bytes) -> None:
    assert normalised(text) == origin
    assert normalised(origin) == origin


@pytest.mark.parametrize(
    "text", [b"*", b"null", b"NULL", b"localhost:3000", b"http//x", b"http://a/b", b"http://a//", b"http://a@b", b""]
)
def test_what_is_more_than_badly_written_is_not_guessed_at(text: bytes) -> None:
    assert normalised(text) is None


@pytest.mark.parametrize(
    ("scheme", "host", "origin"),
    [
        ("http", b"localhost:8080", b"http://localhost:8080"),
        ("http", b"LOCALHOST:80", b"http://localhost"),
        ("https", b"localhost:443", b"https://localhost"),
        ("https", b"localhost:80", b"https://localhost:80"),
        ("http", b"app.test:", b"http://app.test"),
        ("http", b"[::1]:80", b"http://[::1]"),
        ("http", b"[::80]", b"http://[::80]"),
    ],
)
def test_scheme_and_host_make_an_origin(scheme: str, host: bytes, origin: bytes) -> None:
    assert web_origin(scheme, host) == origin


# -- patterns ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "taken", "not_taken"),
    [
        (
            "http://localhost:3000",
            [b"http://localhost:3000"],
            [b"https://localhost:3000", b"http://localhost", b"http://localhost:30000", b"http://localhost:3000.evil"],
        ),
        (
            "https://app.test",
            [b"https://app.test"],
            [b"https://app.test:8443", b"https://app.test.", b"http://app.test"],
        ),
        (
            "https://*.app.test",
            [b"https://a.app.test", b"https://a.b.app.test"],
            [b"https://app.test", b"https://evilapp.test", b"https://a.app.test:444", b"https://a.app.test.evil"],
        ),
        (
            "https://*.app.test:8443",
            [b"https://a.app.test:8443"],
            [b"https://a.app.test", b"https://a.app.test:84433"],
        ),
        (
            "https://*.app.test:*",
            [b"https://a.app.test", b"https://a.b.app.test:1"],
            [b"https://app.test:1", b"http://a.app.test"],
        ),
        (
            "http://127.0.0.1:*",
            [b"http://127.0.0.1", b"http://127.0.0.1:5173"],
            [b"http://127.1", b"http://127.0.0.1.evil.test", b"http://127.0.0.2"],
        ),
        ("http://[::1]:*", [b"http://[::1]", b"http://[::1]:3000"], [b"http://[::2]", b"http://[0:0:0:0:0:0:0:1]"]),
        (
            r"regex:https://pr-[0-9]+\.app\.example",
            [b"https://pr-7.app.example"],
            [b"https://pr-7.app.example.evil", b"https://x.test/https://pr-7.app.example", b"https://pr-.app.example"],
        ),
    ],
)
def test_a_pattern_takes_what_it_says_and_nothing_else(
    pattern: str, taken: list[bytes], not_taken: list[bytes]
) -> None:
    origins = takes(pattern)
    assert [origins.rule_for(origin) for origin in taken] == [pattern] * len(taken)
    assert [origins.rule_for(origin) for origin in not_taken] == [None] * len(not_taken)


def test_two_patterns_never_combine_to_a_third() -> None:
    origins = takes("https://foo.com", "https://bar.com", "https://*.foo.com", "https://*.bar.com")
    assert origins.rule_for(b"https://barfoo.com") is None
    assert origins.rule_for(b"https://foobar.com") is None
    assert origins.rule_for(b"https://a.foo.com") == "https://*.foo.com"


@pytest.mark.parametrize("value", [b"null", b"NULL", b"*", b"", b"http://LOCALHOST:3000", b"http://localhost:3000/"])
def test_no_pattern_takes_what_is_no_origin(value: bytes) -> None:
    origins = takes("http://localhost:*", r"regex:(null|NULL|\*||http://localhost:3000/|http://(?i:localhost):3000)")
    assert origins.rule_for(value) is None


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("HTTP://LocalHost:3000", "http://localhost:3000"),
        ("http://localhost:80", "http://localhost"),
        ("https://*.App.test:443", "https://*.app.test"),
        ("http://localhost:03000", "http://localhost:3000"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
        ("https://*.BÜCHER.example:*", "https://*.xn--bcher-kva.example:*"),
        ("http://[0:0:0:0:0:0:0:1]:3000", "http://[::1]:3000"),
        ("http://[::FFFF:127.0.0.1]", "http://[::ffff:7f00:1]"),
        ("http://[1:0:0:2:0:0:0:3]", "http://[1:0:0:2::3]"),
        ("REGEX:http://a[0-9]", "regex:http://a[0-9]"),
        ("capacitor://localhost", "capacitor://localhost"),
    ],
)
def test_a_pattern_is_normalised_once_and_for_all(written: str, normal: str) -> None:
    assert parse_pattern(written).text == normal
    assert parse_pattern(normal) == parse_pattern(written)


@pytest.mark.parametrize(
    ("pattern", "what", "help"),
    [
        ("", "the origin is empty", "http://localhost:3000"),
        ("*", "every web site", "dangerously_allow_any_origin"),
        ("null", "any web site can send", "dangerously_allow_null_origin"),
        ("NULL", "any web site can send", "dangerously_allow_null_origin"),
        ("localhost:3000", "has no scheme", 'write "http://localhost:3000"'),
        ("//localhost", "has no scheme", 'write "http://localhost"'),
        ("*://localhost", "no scheme of its own", '"https://localhost"'),
        ("wss://app.test", "scheme wss", 'write "https://app.test"'),
        ("file://", "Origin: null", "dangerously_allow_null_origin"),
        ("http://localhost:3000/", "a slash at its end", 'write "http://localhost:3000"'),
        ("http://localhost:3000/app", "a path", 'write "http://localhost:3000"'),
        ("http://localhost?x", "a path or query", 'write "http://localhost"'),
        ("http://me:secret@localhost", "user name", 'write "http://localhost"'),
        ("http://", "host is missing", ""),
        ("http://*", "every web site", "dangerously_allow_any_origin"),
        ("http://*:3000", "every web site", "dangerously_allow_any_origin"),
        ("http://localhost*", "within the host", "whole labels"),
        ("https://*app.test", "within the host", "whole labels"),
        ("https://a.*.test", "within the host", "whole labels"),
        ("https://*.*.test", "within the host", "whole labels"),
        ("https://*.com", "open to all", "label that is yours"),
        ("https://*.co.uk", "open to all", "label that is yours"),
        ("https://*.vercel.app", "open to all", "regex:"),
        ("http://localhost:", "not a port", "1 to 65535"),
        ("http://localhost:0", "not a port", "1 to 65535"),
        ("http://localhost:65536", "not a port", "1 to 65535"),
        ("http://localhost:3*", "not a port", "http://localhost:*"),
        ("http://localhost:\u0663", "not a port", ""),
        ("http://::1", "is not an origin", "[::1]"),
        ("http://[::1", "is not an origin", "[::1]"),
        ("http://[::g]", "not an IPv6 address", ""),
        ("http://*.[::1]", "not an IPv6 address", ""),
        ("http://127.1", "IPv4", "127.0.0.1"),
        ("http://0x7f000001", "IPv4", "127.0.0.1"),
        ("http://*.0.0.1", "below the address", "address itself"),
        ("http://a b", "not a host name", ""),
        ("http://a..b", "not a host name", ""),
        ("http://" + "ü" * 70, "not a host name", "xn--"),
        # RFC 3490 makes fass, strasse, ... of these, and browsers do not (UTS 46, «deviations»): another site.
        ("https://faß.example", "one xn-- form", "location.origin"),
        ("https://*.STRAẞE.example", "one xn-- form", "location.origin"),
        ("https://βόλος.example", "one xn-- form", "location.origin"),
        ("https://a\u200db.example", "one xn-- form", "location.origin"),
        ("http://" + "a" * 300, "not a host name", ""),
        ("h" * 600, "at most 255", ""),
        ("regex:(", "not a regular expression", ""),
        ("regex:" + "a" * 201, "at most 200", "split"),
        ("regex:https://bücher", "ASCII", "xn--"),
        ("regex:.*", "any web site", "dangerously_allow_any_origin"),
        (r"regex:https?://[\w.-]+", "any web site", "dangerously_allow_any_origin"),
    ],
)
def test_a_wrong_pattern_is_refused_with_the_reason_and_what_to_write(pattern: str, what: str, help: str) -> None:
    error = refusal(pattern)
    assert what in error.what
    assert help in error.help
    assert error.what.isprintable()


def test_control_characters_of_a_pattern_are_not_shown_as_they_are() -> None:
    assert refusal("http://a\x1b[31m").what == r'"http://a\u001b[31m" is not an origin'


@pytest.mark.parametrize("scheme", [b"http", b"https"])
@pytest.mark.parametrize("host", [b"localhost", b"app.localhost", b"a.b.localhost", b"127.0.0.1", b"[::1]"])
@pytest.mark.parametrize("port", [b"", b":1", b":3000", b":65535"])
def test_loopback_is_every_port_of_this_machine(scheme: bytes, host: bytes, port: bytes) -> None:
    rule = LOOPBACK.rule_for(scheme + b"://" + host + port)
    assert rule is not None
    assert parse_pattern(rule).text == rule


@pytest.mark.parametrize(
    "origin",
    [
        b"http://localhost.evil.test",
        b"http://evillocalhost",
        b"http://localhost:3000.evil",
        b"http://127.1",
        b"http://127.0.0.2",
        b"http://0.0.0.0",
        b"http://[::]",
        b"http://[::ffff:7f00:1]",
        b"http://localhost.",
        b"ftp://localhost",
        b"null",
        b"http://" + b"a." * 140 + b"localhost",
    ],
)
def test_loopback_is_nothing_else(origin: bytes) -> None:
    assert LOOPBACK.rule_for(origin) is None


def test_origins_can_be_read_without_importing_anything_heavy() -> None:
    program = (
        "import sys, devproxy; before = set(sys.modules); import devproxy.authority.origins; "
        "print(sorted(name for name in {'ipaddress', 'socket', 'asyncio'} & (set(sys.modules) - before)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
