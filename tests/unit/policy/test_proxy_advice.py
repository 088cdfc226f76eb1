"""What is said of a proxy that gives no connection, and of one that the environment names and devproxy does not use."""

from __future__ import annotations

import pytest
from devproxy.config.model import Scheme, ServerAddress
from devproxy.errors import ProxyCause, ProxyFailure
from devproxy.policy.proxy_advice import advice_on_unused, unused_proxy, words_on_proxy

TABLE = "[upstreams.api]"
PROXY = "http://proxy.test:3128"


def elsewhere(scheme: Scheme, host: str = "api.example.com") -> ServerAddress:
    return ServerAddress(scheme=scheme, host=host, port=1, url=f"{scheme}://{host}:1")


@pytest.mark.parametrize("cause", ProxyCause)
def test_every_cause_has_a_sentence_with_the_proxy_and_something_to_do(cause: ProxyCause) -> None:
    words = words_on_proxy(ProxyFailure(cause, PROXY, "some reason"), TABLE)
    assert PROXY in words.what
    assert not words.what.endswith(".")
    assert words.help.endswith(".")


@pytest.mark.parametrize(
    ("proxy", "schemes", "what", "help"),
    [
        (PROXY, ("basic",), "wants to know who asks (407", '`proxy = "http://USER:PASSWORD@proxy.test:3128"`'),
        (PROXY, (), "wants to know who asks (407", "USER:PASSWORD"),
        ("http://…@proxy.test:3128", ("basic", "ntlm"), "does not accept the user and password", "percent-encoded"),
        (PROXY, ("negotiate", "ntlm"), "a login by negotiate or ntlm, and devproxy can only do basic", "cntlm"),
    ],
)
def test_a_login_that_is_wanted_leads_to_what_can_be_done(
    proxy: str, schemes: tuple[str, ...], what: str, help: str
) -> None:
    failure = ProxyFailure(ProxyCause.LOGIN_WANTED, proxy, "407 Proxy Authentication Required", schemes)
    words = words_on_proxy(failure, TABLE)
    assert what in words.what
    assert help in words.help


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("http://p.test:3128", '`proxy = "http://p.test:3128"` in [upstreams.api]'),
        ("p.test:3128", '`proxy = "http://p.test:3128"`'),
        ("http://me:secret@p.test:3128/", '`proxy = "http://USER:PASSWORD@p.test:3128"`'),
        ("socks5://p.test:1080", "cannot: a proxy is spoken to by http"),
        ("https://me:secret@p.test:443", "cannot: a proxy is spoken to by http"),
        ("http://me:secret@p.test", "cannot: "),
        ("me:secret@@@", "cannot: "),
    ],
)
def test_the_line_to_write_is_told_and_never_a_secret(value: str, line: str) -> None:
    unused = unused_proxy(elsewhere(Scheme.HTTPS), {"HTTPS_PROXY": value})
    assert unused is not None
    advice = advice_on_unused(unused, TABLE)
    assert "`HTTPS_PROXY` is set" in advice
    assert line in advice
    assert "secret" not in advice


def test_whether_a_server_is_far_is_told_by_its_name() -> None:
    for host, is_far in (("api.example.com", True), ("api.internal", False), ("10.1.2.3", False)):
        unused = unused_proxy(elsewhere(Scheme.HTTPS, host), {"HTTPS_PROXY": PROXY})
        assert unused is not None
        assert unused.is_far is is_far


@pytest.mark.parametrize(
    ("environment", "scheme", "variable"),
    [
        ({"HTTPS_PROXY": "http://p:1", "HTTP_PROXY": "http://p:2"}, Scheme.HTTPS, "HTTPS_PROXY"),
        ({"HTTPS_PROXY": "http://p:1", "http_proxy": "http://p:2"}, Scheme.HTTP, "http_proxy"),
        ({"HTTPS_PROXY": "http://p:1"}, Scheme.HTTP, "HTTPS_PROXY"),
        ({"ALL_PROXY": "socks5://p:1"}, Scheme.HTTPS, "ALL_PROXY"),
        ({"HTTPS_PROXY": " "}, Scheme.HTTPS, ""),
        ({}, Scheme.HTTPS, ""),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "localhost, .example.com"}, Scheme.HTTPS, ""),
        ({"HTTPS_PROXY": "http://p:1", "no_proxy": "api.example.com:443"}, Scheme.HTTPS, ""),
        ({"HTTPS_PROXY": "http://p:1", "no_proxy": "*"}, Scheme.HTTPS, ""),
        ({"HTTPS_PROXY": "http://p:1", "no_proxy": "ample.com"}, Scheme.HTTPS, "HTTPS_PROXY"),
    ],
)
def test_a_proxy_of_the_environment_is_named_where_it_would_be_used(
    environment: dict[str, str], scheme: Scheme, variable: str
) -> None:
    unused = unused_proxy(elsewhere(scheme), environment)
    assert (unused.variable if unused else "") == variable


@pytest.mark.parametrize("host", ["localhost", "api.localhost", "127.0.0.1", "::1"])
def test_no_proxy_is_asked_for_what_is_on_this_machine(host: str) -> None:
    assert unused_proxy(elsewhere(Scheme.HTTPS, host), {"HTTPS_PROXY": "http://p:1"}) is None
