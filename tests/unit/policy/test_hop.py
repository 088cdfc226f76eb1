"""The facts of the hop: a trusted proxy's word stands, anybody else's is replaced, and no two fields contradict."""

from __future__ import annotations

import re

import pytest
from devproxy.http.fields import Field, read_field
from devproxy.http1.head import parse_request_head
from devproxy.http1.start_line import Limits
from devproxy.policy.headers import request_lines
from devproxy.policy.hop import MAX_TAILS, Hop, Peer, compile_trusted, front_of_browser, known_peers
from hypothesis import given
from hypothesis import strategies as st

VIA = b"Via: 1.1 devproxy-0000"
HOST = b"Host: localhost:8080"
OWN = [
    b"X-Forwarded-For: 127.0.0.1",
    b"X-Forwarded-Proto: http",
    b"X-Forwarded-Host: localhost:8080",
    b"X-Forwarded-Port: 8080",
    b"X-Real-IP: 127.0.0.1",
]
FACTS = (
    b"X-Forwarded-Proto: https",
    b"X-Forwarded-Host: app.example.com",
    b"X-Forwarded-Port: 8443",
    b"X-Forwarded-Prefix: /outer",
    b"X-Real-IP: 203.0.113.7",
)
BROTHERS = (
    b"X-Forwarded-Scheme: https",
    b"X-Forwarded-Ssl: on",
    b"X-Forwarded-Protocol: https",
    b"X-Forwarded-Server: evil",
    b"X-Forwarded-User: root",
    b"X-Forwarded-Path: /evil",
    b"X-Forwarded-Uri: /evil",
    b"X-Forwarded-Whatever-Comes-Next: evil",
    b"X-Forwarded: for=6.6.6.6",
    b"Forwarded-For: 6.6.6.6",
    b"Front-End-Https: on",
    b"X-Url-Scheme: https",
    b"X-Scheme: https",
    b"X-Original-URL: /admin",
    b"X-Rewrite-URL: /admin",
    b"X-Original-Host: evil",
    b"X-Original-Proto: https",
    b"X-Host: evil",
    b"X-HTTP-Host-Override: evil",
    b"X-Script-Name: /evil",
    b"Client-IP: 6.6.6.6",
    b"X-Client-IP: 6.6.6.6",
    b"True-Client-IP: 6.6.6.6",
    b"X-Cluster-Client-IP: 6.6.6.6",
    b"CF-Connecting-IP: 6.6.6.6",
    b"CF-Visitor: {}",
)


def sent(
    *lines: bytes,
    trusted: tuple[str, ...] = ("loopback",),
    address: str = "127.0.0.1",
    prefix: bytes = b"",
    host: bytes = HOST,
    scheme: str = "http",
) -> list[bytes]:
    """Return the lines that go upstream for a request of `lines`, without Host and Via."""
    head = parse_request_head(b"\r\n".join((b"GET / HTTP/1.1", host, *lines)), Limits())
    hop = Hop(compile_trusted(trusted), prefix)
    found = request_lines(head, Peer(address, scheme), VIA, None, hop)
    return [line for line in found if line not in (host, VIA)]


def fields_of(lines: list[bytes]) -> dict[bytes, bytes]:
    """Return the values by name in lower case; every name stands once."""
    pairs = [line.split(b": ", 1) for line in lines]
    assert len({name.lower() for name, _ in pairs}) == len(pairs)
    return {name.lower(): value for name, value in pairs}


# -- who is believed ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("claim", [*FACTS, *BROTHERS, b"X-Forwarded-For: 6.6.6.6", b"Forwarded: for=6.6.6.6;host=evil"])
@pytest.mark.parametrize("trusted", [(), ("private",), ("127.0.0.2/32", "::1/128")])
def test_nobody_but_a_trusted_proxy_is_believed(claim: bytes, trusted: tuple[str, ...]) -> None:
    assert sent(claim, b"A: 1", trusted=trusted) == [b"A: 1", *OWN]


@pytest.mark.parametrize("fact", FACTS)
def test_a_trusted_proxys_fact_is_kept(fact: bytes) -> None:
    name = fact.partition(b":")[0]
    assert [line for line in sent(b"A: 1", fact) if line.startswith(name + b":")] == [fact]


@pytest.mark.parametrize("brother", BROTHERS)
def test_what_else_a_trusted_proxy_states_crosses_as_it_came(brother: bytes) -> None:
    assert sent(b"A: 1", brother, b"B: 2") == [b"A: 1", brother, b"B: 2", *OWN]


def test_forwarded_for_is_appended_to() -> None:
    lines = sent(b"X-Forwarded-For: 1.1.1.1, 2.2.2.2", b"A: 1", b"x-forwarded-for: [2001:db8::1]:4711,,unknown")
    assert lines == [b"A: 1", b"X-Forwarded-For: 1.1.1.1, 2.2.2.2, [2001:db8::1]:4711, unknown, 127.0.0.1", *OWN[1:]]


@pytest.mark.parametrize(
    ("facts", "port"),
    [
        ((b"X-Forwarded-Proto: https", b"X-Forwarded-Host: app.example.com"), b"443"),
        ((b"X-Forwarded-Host: app.example.com:8443",), b"8443"),
        ((b"X-Forwarded-Host: app.example.com",), b"80"),
        ((b"X-Forwarded-Proto: https",), b"8080"),
        ((b"X-Forwarded-Proto: WSS", b"X-Forwarded-Host: [2001:db8::1]"), b"443"),
    ],
)
def test_the_port_that_a_proxy_does_not_state_follows_from_what_it_states(
    facts: tuple[bytes, ...], port: bytes
) -> None:
    assert fields_of(sent(*facts))[b"x-forwarded-port"] == port


@pytest.mark.parametrize(
    ("trusted", "address", "is_trusted"),
    [
        (("loopback",), "127.0.0.1", True),
        (("loopback",), "127.9.9.9", True),
        (("loopback",), "::1", True),
        (("loopback",), "::ffff:127.0.0.1", True),
        (("loopback",), "unix", True),
        (("loopback",), "10.0.0.1", False),
        (("loopback",), "", False),
        ((), "unix", False),
        (("private",), "unix", False),
        (("private",), "127.0.0.1", False),
        (("private",), "10.0.0.1", True),
        (("private",), "::ffff:10.0.0.1", True),
        (("private",), "172.31.255.255", True),
        (("private",), "172.32.0.0", False),
        (("private",), "192.168.7.1", True),
        (("private",), "169.254.1.1", True),
        (("private",), "100.64.0.1", True),
        (("private",), "fd00::1", True),
        (("private",), "fe80::1%eth0", True),
        (("private",), "203.0.113.7", False),
        (("203.0.113.7",), "203.0.113.7", True),
        (("203.0.113.0/24",), "203.0.113.99", True),
        (("203.0.113.0/24",), "203.0.114.1", False),
        (("0.0.0.0/0",), "::1", False),
        (("0.0.0.0/0", "::/0"), "2001:db8::1", True),
    ],
)
def test_a_peer_is_trusted_by_its_address(trusted: tuple[str, ...], address: str, is_trusted: bool) -> None:
    peer, proxies = Peer(address, "http"), compile_trusted(trusted)
    assert peer.is_trusted(proxies) is is_trusted
    assert peer.is_trusted(proxies) is is_trusted
    assert not peer.is_trusted(compile_trusted(()))


def test_a_connection_is_judged_anew_under_another_configuration() -> None:
    peer = Peer("127.0.0.1", "http")
    assert [peer.is_trusted(compile_trusted(names)) for names in (("loopback",), (), ("127.0.0.1",))] == [1, 0, 1]


def test_what_connection_lists_was_for_this_hop_alone() -> None:
    listed = b"Connection: x-forwarded-for, x-forwarded-host, x-forwarded-proto, x-forwarded-port, x-real-ip, forwarded"
    assert sent(listed, *FACTS[:3], b"X-Forwarded-For: 6.6.6.6", b"Forwarded: for=6.6.6.6", FACTS[4]) == OWN


# -- prefixes ----------------------------------------------------------------------------------------------------------


def test_a_prefix_that_was_taken_off_is_stated() -> None:
    assert sent(prefix=b"/api") == [*OWN, b"X-Forwarded-Prefix: /api"]
    assert sent(b"X-Forwarded-Prefix: /evil", prefix=b"/api", trusted=()) == [*OWN, b"X-Forwarded-Prefix: /api"]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (b"/outer", b"/outer/api"),
        (b"/outer/", b"/outer/api"),
        (b"/a/b", b"/a/b/api"),
        (b"/a, /b", b"/a/b/api"),
        (b"/", b"/api"),
        (b"", b"/api"),
    ],
)
def test_the_prefix_of_a_proxy_in_front_stands_in_front(said: bytes, told: bytes) -> None:
    assert fields_of(sent(b"X-Forwarded-Prefix: " + said, prefix=b"/api"))[b"x-forwarded-prefix"] == told


@pytest.mark.parametrize(
    "bad", [b"//evil.test", b"http://evil.test", b"api", b"/a b", b"/a/../b", b"/%2e%2e/b", b"/a\\b", b"/a?b", b"/\xe9"]
)
def test_what_is_no_prefix_counts_for_nothing(bad: bytes) -> None:
    assert sent(b"X-Forwarded-Prefix: " + bad) == OWN
    assert sent(b"X-Forwarded-Prefix: /fine, " + bad) == OWN


# -- Forwarded ---------------------------------------------------------------------------------------------------------


def test_forwarded_is_not_sent_where_none_came() -> None:
    assert not any(line.lower().startswith(b"forwarded") for line in sent(*FACTS))


@pytest.mark.parametrize(
    ("lines", "forwarded"),
    [
        ((), b'for=127.0.0.1;host="localhost:8080";proto=http'),
        (
            (b"X-Forwarded-For: 1.1.1.1", b"X-Forwarded-Proto: https", b"X-Forwarded-Host: a.test"),
            b'for=1.1.1.1;host="a.test";proto=https, for=127.0.0.1;host="a.test";proto=https',
        ),
        (
            (b"X-Forwarded-For: 2001:db8::1, [2001:db8::2]:81, 1.1.1.1:82, unknown, _hidden, wat?, ::ffff:1.1.1.1",),
            b", ".join(
                b'for=%b;host="localhost:8080";proto=http' % node
                for node in (
                    b'"[2001:db8::1]"',
                    b'"[2001:db8::2]:81"',
                    b'"1.1.1.1:82"',
                    b"unknown",
                    b"_hidden",
                    b"unknown",
                    b'"[::ffff:1.1.1.1]"',
                    b"127.0.0.1",
                )
            ),
        ),
    ],
)
@pytest.mark.parametrize("came", [b"for=6.6.6.6;host=evil;proto=https", b"", b'for="unterminated', b"for=1, for=2"])
def test_forwarded_is_rewritten_to_agree(lines: tuple[bytes, ...], forwarded: bytes, came: bytes) -> None:
    said = fields_of(sent(b"Forwarded: " + came, *lines, b"fOrWaRdEd: host=evil2"))
    assert said[b"forwarded"] == forwarded


# -- what is malformed -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "claim",
    [
        b"X-Forwarded-Proto: gopher",
        b"X-Forwarded-Proto: gopher, https",
        b"X-Forwarded-Proto: https://",
        b"X-Forwarded-Proto: https;evil",
        b"X-Forwarded-Proto:",
        b"X-Forwarded-Proto: ,",
        b"X-Forwarded-Host: a b",
        b"X-Forwarded-Host: a/b",
        b"X-Forwarded-Host: user@a",
        b"X-Forwarded-Host: a:0",
        b"X-Forwarded-Host: a:65536",
        b"X-Forwarded-Host: a:",
        b"X-Forwarded-Host: :80",
        b"X-Forwarded-Host: [::1",
        b'X-Forwarded-Host: "a"',
        b"X-Forwarded-Host: \xe9",
        b"X-Forwarded-Host: " + b"a" * 256,
        b"X-Forwarded-Port: 0",
        b"X-Forwarded-Port: 65536",
        b"X-Forwarded-Port: -1",
        b"X-Forwarded-Port: 8e3",
        b"X-Forwarded-Port: \xb2",
        b"X-Forwarded-Port: " + b"9" * 5000,
        b"X-Real-IP: localhost",
        b"X-Real-IP: 1.2.3",
        b"X-Real-IP: 1.2.3.4.5",
        b"X-Real-IP: \xb9.2.3.4",
        b'X-Real-IP: fe80::1%"x',
    ],
)
def test_what_a_trusted_proxy_states_badly_counts_as_not_said(claim: bytes) -> None:
    assert sent(claim) == OWN


@pytest.mark.parametrize(
    ("claims", "told"),
    [
        ((b"X-Forwarded-Proto: https, http",), b"X-Forwarded-Proto: https"),
        ((b"X-Forwarded-Proto: https", b"X-Forwarded-Proto: http"), b"X-Forwarded-Proto: https"),
        ((b"X-Forwarded-Host: a.test, b.test",), b"X-Forwarded-Host: a.test"),
        ((b"X-Forwarded-Port: 443,80",), b"X-Forwarded-Port: 443"),
    ],
)
def test_of_several_values_the_first_counts(claims: tuple[bytes, ...], told: bytes) -> None:
    lines = sent(*claims)
    assert [line for line in lines if line.startswith(told.partition(b":")[0] + b":")] == [told]


NAMES = st.sampled_from(
    [line.partition(b":")[0] for line in (*FACTS, *BROTHERS)] + [b"X-Forwarded-For", b"Forwarded", b"X_Forwarded_Host"]
)
VALUES = st.one_of(
    st.lists(st.sampled_from([b"https", b"a.test:81", b"443", b"/x", b"1.2.3.4", b"::1", b"_o", b'"', b";", b" "])).map(
        b",".join
    ),
    st.binary(max_size=60).map(lambda octets: re.sub(rb"[\x00-\x08\x0a-\x1f\x7f]", b"", octets)),
)
_match_element = re.compile(
    rb'for=(?P<node>[A-Za-z0-9._-]+|"[0-9A-Za-z.:\[\]]+")(?:;host="(?P<host>[^"]*)")?;proto=(?P<proto>[A-Za-z]+)'
).fullmatch


@given(
    st.lists(st.tuples(NAMES, VALUES), max_size=8),
    st.sampled_from([("loopback",), ()]),
    st.sampled_from([b"", b"/api"]),
)
def test_whatever_is_claimed_each_fact_is_stated_once_and_all_agree(
    claims: list[tuple[bytes, bytes]], trusted: tuple[str, ...], prefix: bytes
) -> None:
    lines = sent(*(name + b": " + value for name, value in claims), trusted=trusted, prefix=prefix)
    owned = [line for line in lines if line[:11].lower() in (b"x-forwarded", b"forwarded: ", b"x-real-ip: ")]
    names = [line.split(b":")[0] for line in owned]
    known = {line.partition(b":")[0] for line in (*OWN, b"X-Forwarded-Prefix:", b"Forwarded:")}
    assert all(names.count(name) == 1 for name in names if name in known)
    assert {line.partition(b":")[0] for line in OWN} <= set(names)
    facts = dict(line.split(b": ", 1) for line in owned if line.split(b":")[0] in known)
    assert b"X_Forwarded_Host" not in b"".join(lines)
    assert 1 <= int(facts[b"X-Forwarded-Port"]) <= 65535
    chain = facts[b"X-Forwarded-For"].split(b", ")
    assert chain[-1] == b"127.0.0.1"
    if b"Forwarded" in facts:
        elements = [_match_element(part) for part in facts[b"Forwarded"].split(b", ")]
        assert len(elements) == len(chain)
        for element in elements:
            assert element is not None
            assert element["host"] == facts[b"X-Forwarded-Host"]
            assert element["proto"] == facts[b"X-Forwarded-Proto"]
    if not trusted:
        assert lines == OWN + ([b"X-Forwarded-Prefix: " + prefix] if prefix else [])


def test_every_statement_of_a_proxy_has_a_role_of_its_own() -> None:
    head = parse_request_head(b"\r\n".join((b"GET / HTTP/1.1", HOST, *FACTS, *BROTHERS)), Limits())
    ordinary: list[Field] = [field for field in head.fields if not field.role]
    assert ordinary == []


@given(st.lists(st.tuples(st.integers(0, 2 * MAX_TAILS), st.booleans()), max_size=3 * MAX_TAILS))
def test_what_is_remembered_of_a_peer_is_what_a_new_one_gives(asked: list[tuple[int, bool]]) -> None:
    peer = Peer("127.0.0.1", "http")
    for number, is_long in asked:
        host = b"h%d." % number * (100 if is_long else 1) + b"localhost:8080"
        assert peer.tail(host, VIA) == Peer("127.0.0.1", "http").tail(host, VIA)


def test_connections_of_one_address_share_what_is_remembered_and_no_others_do() -> None:
    peer_at = known_peers()
    assert peer_at("127.0.0.1", "http") is peer_at("127.0.0.1", "http")
    others = [peer_at("127.0.0.1", "https"), peer_at("127.0.0.2", "http"), peer_at("127.0.0.1", "http", b"2.0")]
    tails = {peer.tail(b"a", VIA) for peer in (peer_at("127.0.0.1", "http"), *others)}
    assert len(tails) == 4


@pytest.mark.parametrize(
    ("lines", "origin"),
    [
        ((b"X-Forwarded-Proto: https", b"X-Forwarded-Port: 8443"), b"https://app.test:8443"),
        ((b"X-Forwarded-Host: b.test", b"X-Forwarded-Port: 81"), b"http://b.test:81"),
        ((b"X-Forwarded-Proto: https", b"X-Forwarded-Port: 443"), b"https://app.test"),
        ((b"X-Forwarded-Proto: https", b"X-Forwarded-Port: 80"), b"https://app.test"),
        ((b"X-Forwarded-Host: b.test:82", b"X-Forwarded-Port: 81"), b"http://b.test:82"),
        ((b"X-Forwarded-Host: [fd00::1]", b"X-Forwarded-Port: 81"), b"http://[fd00::1]:81"),
        ((b"X-Forwarded-Port: 0",), b"http://app.test"),
        ((b"X-Forwarded-Port: 99999",), b"http://app.test"),
        ((b"X-Forwarded-Port: 81, 82",), b"http://app.test:81"),
    ],
)
def test_the_port_that_a_trusted_proxy_states_is_that_of_the_front(lines: tuple[bytes, ...], origin: bytes) -> None:
    fields = [read_field(line) for line in lines]
    trusting = Hop(compile_trusted(("loopback",)))
    assert front_of_browser(fields, b"app.test", Peer("127.0.0.1", "http"), trusting).origin == origin
    assert front_of_browser(fields, b"app.test", Peer("10.0.0.9", "http"), trusting).origin == b"http://app.test"
