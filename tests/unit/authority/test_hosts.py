"""A host and its port."""

from __future__ import annotations

import pytest
from devproxy.authority.hosts import authority, bracketed, is_port


@pytest.mark.parametrize(
    ("host", "expected"), [("::1", "[::1]:80"), ("127.0.0.1", "127.0.0.1:80"), ("a.test", "a.test:80"), ("", ":80")]
)
def test_an_ipv6_address_stands_in_brackets(host: str, expected: str) -> None:
    assert authority(host, 80) == expected
    assert bracketed(host) == expected.removesuffix(":80")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *(("1", True), ("65535", True), (b"080", True), ("0", False), ("65536", False), ("", False)),
        *(("\u00b2", False), ("+1", False), ("000001", False), (b"8 ", False)),
    ],
)
def test_a_port_is_digits_in_bounds(text: str | bytes, expected: bool) -> None:
    assert is_port(text) is expected
