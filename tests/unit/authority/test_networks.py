"""Where a host is, by its name or address alone."""

from __future__ import annotations

import pytest
from devproxy.authority.networks import LOOPBACK, address_of, is_in, is_loopback, is_this_machine, whereabouts


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("localhost", "this machine"),
        ("localhost.", "this machine"),
        ("api.localhost", "this machine"),
        ("A.B.LocalHost.", "this machine"),
        ("127.0.0.1", "this machine"),
        ("127.255.0.1", "this machine"),
        ("::1", "this machine"),
        ("0.0.0.0", "this machine"),
        ("::", "this machine"),
        ("::ffff:127.0.0.1", "this machine"),
        ("10.1.2.3", "a private address"),
        ("172.16.0.1", "a private address"),
        ("172.31.255.255", "a private address"),
        ("192.168.0.1", "a private address"),
        ("169.254.169.254", "a private address"),
        ("100.64.0.1", "a private address"),
        ("fd12::1", "a private address"),
        ("fe80::1%eth0", "a private address"),
        ("::ffff:10.0.0.1", "a private address"),
        ("backend", "a name without a dot"),
        ("my_service.", "a name without a dot"),
        ("host.docker.internal", "a name for private use"),
        ("app.test", "a name for private use"),
        ("printer.local", "a name for private use"),
        ("api.default.svc.cluster.local", "a name for private use"),
        ("nas.home.arpa", "a name for private use"),
        ("nas.lan", "a name for private use"),
        ("APP.INTERNAL.", "a name for private use"),
    ],
)
def test_what_is_near(host: str, reason: str) -> None:
    found = whereabouts(host)
    assert not found.is_public
    assert found.reason == f"{host} is {reason}"


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("api.staging.example.com", "a public name"),
        ("API.Example.COM.", "a public name"),
        ("api.example", "a public name"),
        ("notlocalhost.com", "a public name"),
        ("localhost.evil.com", "a public name"),
        ("test.com", "a public name"),
        ("my.arpa", "a public name"),
        ("203.0.113.7", "a public address"),
        ("172.32.0.1", "a public address"),
        ("100.128.0.1", "a public address"),
        ("2001:db8::1", "a public address"),
        ("8.8.8.8", "a public address"),
    ],
)
def test_what_is_public(host: str, reason: str) -> None:
    found = whereabouts(host)
    assert found.is_public
    assert found.reason == f"{host} is {reason}"


@pytest.mark.parametrize("name", ["localhostx", "xlocalhost", "localhost.com", "", ".", "local", "127.0.0.1"])
def test_other_names_are_not_this_machine(name: str) -> None:
    assert not is_this_machine(name)


def test_an_address_is_read_with_its_zone_and_in_its_ipv4_form() -> None:
    mapped = address_of("::ffff:127.0.0.1")
    assert mapped is not None
    assert is_in(LOOPBACK, mapped)
    assert str(address_of("fe80::1%eth0")) == "fe80::1"
    assert address_of("localhost") is None
    assert address_of("") is None


@pytest.mark.parametrize("host", ["localhost", "app.localhost", "APP.Localhost.", "127.0.0.1", "127.1.2.3", "::1"])
def test_a_loopback_host_is_known(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["", "::", "0.0.0.0", "host.docker.internal", "backend", "10.0.0.127", "127.evil.test", "localhost.test"]
)
def test_any_other_host_is_not(host: str) -> None:
    assert not is_loopback(host)
