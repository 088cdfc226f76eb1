"""Addresses: what is taken, how it is normalised, and what the refused ones are told."""

from __future__ import annotations

import pytest
from devproxy.config.addresses import (
    check_authority,
    check_domain,
    check_host_pattern,
    check_origin,
    parse_allowed_host,
    parse_listen,
    parse_server,
    parse_trusted_proxy,
)
from devproxy.config.model import Listen, Scheme, ServerAddress
from devproxy.text.bad import BadText


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("localhost:8080", "localhost", 8080),
        ("LocalHost:8080", "localhost", 8080),
        (":8080", "", 8080),
        ("127.0.0.1:0", "127.0.0.1", 0),
        ("[::1]:8080", "::1", 8080),
        ("[FE80::1%eth0]:8080", "fe80::1%eth0", 8080),
        ("8080", "localhost", 8080),
        (8080, "localhost", 8080),
        (0, "localhost", 0),
        ("0.0.0.0:65535", "0.0.0.0", 65535),
        ("app.test:80", "app.test", 80),
    ],
)
def test_an_address_to_listen_on(text: str | int, host: str, port: int) -> None:
    assert parse_listen(text) == Listen(host=host, port=port)


@pytest.mark.parametrize(
    ("text", "what", "help"),
    [
        ("localhost", "has no port", 'write "localhost:8080"'),
        ("", "has no port", 'write "localhost:8080"'),
        ("localhost:", "the port is missing", ""),
        ("localhost:http", '"http" is not a port', ""),
        ("localhost:${PORT}", '"${PORT}" is not a port', ""),
        ("8o80", '"8o80" is not a port', 'for example 8080 or "localhost:8080"'),
        ("localhost:65536", "from 0 to 65535, got 65536", ""),
        ("localhost:99999999999999", "got a number of many digits", ""),
        (70000, "got 70000", ""),
        (-1, "got -1", ""),
        ("http://localhost:8080", "is a URL", 'write "localhost:8080"'),
        ("*:8080", "is not an address", ':8080"'),
        ("::1:8080", "is not an address", '"[::1]:8080"'),
        ("[::1:8080", "is not an address", '"[::1]:8080"'),
        ("[::1]8080", "is not an address", '"[::1]:8080"'),
        ("[::g]:8080", "is not an IPv6 address", ""),
        ("[::1%\x1b]:8080", "is not an IPv6 address", ""),
        ("256.0.0.1:80", "is not an IPv4 address", ""),
        ("1.2.3:80", "is not an IPv4 address", ""),
        ("a b:80", "is not a host name", ""),
        ("a..b:80", "is not a host name", ""),
        ("-a:80", "is not a host name", ""),
        ("bücher.test:80", "is not ASCII", "xn--"),
        ("localhost:\uff18\uff10", "is not a port", ""),
    ],
)
def test_what_is_no_address_to_listen_on_is_told_why(text: str | int, what: str, help: str) -> None:
    with pytest.raises(BadText) as caught:
        parse_listen(text)
    assert what in caught.value.what
    assert help in caught.value.help


@pytest.mark.parametrize(
    ("text", "scheme", "host", "port", "url"),
    [
        ("http://localhost:3001", Scheme.HTTP, "localhost", 3001, "http://localhost:3001"),
        ("http://localhost:3001/", Scheme.HTTP, "localhost", 3001, "http://localhost:3001"),
        ("HTTP://LOCALHOST:3001", Scheme.HTTP, "localhost", 3001, "http://localhost:3001"),
        ("http://api.test", Scheme.HTTP, "api.test", 80, "http://api.test"),
        ("https://api.test", Scheme.HTTPS, "api.test", 443, "https://api.test"),
        ("http://[::1]:3001", Scheme.HTTP, "::1", 3001, "http://[::1]:3001"),
        ("http://my_service:80", Scheme.HTTP, "my_service", 80, "http://my_service:80"),
        ("https://127.0.0.1:03001", Scheme.HTTPS, "127.0.0.1", 3001, "https://127.0.0.1:3001"),
    ],
)
def test_the_url_of_a_server(text: str, scheme: Scheme, host: str, port: int, url: str) -> None:
    assert parse_server(text) == ServerAddress(scheme=scheme, host=host, port=port, url=url)


@pytest.mark.parametrize("text", ["unix:/run/app.sock", "unix:///run/app.sock", "UNIX:/run/app.sock"])
def test_a_unix_socket_is_named_by_its_absolute_path(text: str) -> None:
    server = parse_server(text)
    assert (server.scheme, server.path, server.url) == (Scheme.UNIX, "/run/app.sock", "unix:/run/app.sock")


@pytest.mark.parametrize(
    ("text", "what", "help"),
    [
        ("localhost", "neither a port nor host:port nor a URL", 'write "http://localhost"'),
        ("api.example.com", "neither a port nor host:port nor a URL", 'write "https://api.example.com"'),
        ("api.example.com:443", "has the port of https", 'write "https://api.example.com:443"'),
        ("api.test", "neither a port nor host:port nor a URL", 'write "http://api.test"'),
        ("backend", "neither a port nor host:port nor a URL", 'write "http://backend"'),
        ("localhost:3001/v1", "neither a port nor host:port nor a URL", 'write "http://localhost:3001/v1"'),
        ("me@localhost:3001", "neither a port nor host:port nor a URL", "http://localhost:3001"),
        ("localhost:", "the port is missing", ""),
        (":3001", "neither a port nor host:port nor a URL", "http://localhost:3001"),
        ("::1:3001", "neither a port nor host:port nor a URL", "http://localhost:3001"),
        ("0", "from 1 to 65535", ""),
        (0, "from 1 to 65535, got 0", ""),
        ("65536", "from 1 to 65535, got 65536", ""),
        (-1, "got -1", ""),
        ("-1", "neither a port nor host:port nor a URL", ""),
        ("a b", "neither a port nor host:port nor a URL", ""),
        ("https://bücher.example", "is not ASCII", 'write "xn--bcher-kva.example"'),
        ("http://B\u00dcCHER.example:3001/", "is not ASCII", 'write "xn--bcher-kva.example"'),
        ("https://faß.example", "one xn-- form", "write its xn-- form"),
        ("", "neither a port nor host:port nor a URL", "http://localhost:3001"),
        ("//localhost", "neither a port nor host:port nor a URL", "http://localhost:3001"),
        ("http://" + "a" * 2000, "neither a port nor host:port nor a URL", ""),
        ("ws://localhost:3001", "not ws", 'write "http://localhost:3001"'),
        ("wss://localhost:3001", "not wss", 'write "https://localhost:3001"'),
        ("ftp://localhost", 'not "ftp"', ""),
        ("http://localhost/v1", 'got "/v1"', "`rewrite`"),
        ("http://localhost?x", 'got "?x"', "`rewrite`"),
        ("http://localhost#x", 'got "#x"', "`rewrite`"),
        ("http://me:secret@localhost", "no user name", 'write "http://localhost"'),
        ("http://", "the host is missing", "localhost"),
        ("http://:3001", "the host is missing", "localhost"),
        ("http://localhost:0", "from 1 to 65535", ""),
        ("http://localhost:99999", "got 99999", ""),
        ("http://local host", "is not a host name", ""),
        ("http://localhost\\x", "is not a host name", ""),
        ("http://localhost\r\nX: y", "is not a", ""),
        ("http://::1:3001", "is not an address", "[::1]"),
        ("unix:app.sock", "absolute path", "unix:/run/app.sock"),
        ("unix:/a\0b", "absolute path", ""),
        ("unix:/" + "a" * 107, "at most 107 bytes, this one has 108", "shorter"),
    ],
)
def test_what_is_no_server_is_told_why(text: str | int, what: str, help: str) -> None:
    with pytest.raises(BadText) as caught:
        parse_server(text)
    assert what in caught.value.what
    assert help in caught.value.help


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("3001", "http://localhost:3001"),
        (3001, "http://localhost:3001"),
        ("localhost:3001", "http://localhost:3001"),
        ("api.example.com:8443", "http://api.example.com:8443"),
        ("[::1]:3001", "http://[::1]:3001"),
        ("https://api.test", "https://api.test"),
        ("unix:/run/app.sock", "unix:/run/app.sock"),
    ],
    ids=str,
)
def test_a_server_is_a_port_or_host_and_port_or_a_url(text: str | int, url: str) -> None:
    assert parse_server(text).url == url


@pytest.mark.parametrize("text", ["app.test", "APP.test:3001", "127.0.0.1", "[::1]", "[::1]:80", "localhost"])
def test_a_host_to_send(text: str) -> None:
    check_authority(text)


@pytest.mark.parametrize("text", ["", "a b", "a:b", "http://a", "a/b", "a\r\nb", "::1", "a:0", "a:99999"])
def test_what_cannot_be_sent_as_host(text: str) -> None:
    with pytest.raises(BadText):
        check_authority(text)


@pytest.mark.parametrize("text", ["app.test", "*.app.test", "*.localhost", "127.0.0.1", "[::1]"])
def test_a_host_to_match(text: str) -> None:
    check_host_pattern(text)


@pytest.mark.parametrize("text", ["", "*", "*.", "a.*", "*a", "app.test:8080", "http://app.test", "**.a", "é.test"])
def test_what_matches_no_host(text: str) -> None:
    with pytest.raises(BadText):
        check_host_pattern(text)


@pytest.mark.parametrize("text", ["http://localhost:3001", "https://app.test", "http://[::1]:80"])
def test_an_origin_to_send(text: str) -> None:
    check_origin(text)


@pytest.mark.parametrize(
    "text", ["", "localhost", "http://a/", "http://a/b", "http://a b", "null", "ftp://a", "http://"]
)
def test_what_is_no_origin(text: str) -> None:
    with pytest.raises(BadText):
        check_origin(text)


@pytest.mark.parametrize("text", ["app.test", ".app.test", "localhost", "127.0.0.1", "[::1]"])
def test_a_domain_of_a_cookie(text: str) -> None:
    check_domain(text)


@pytest.mark.parametrize("text", ["", ".", "..a", "a b", "a;b", "*.a", "a.test:80", "http://a", "https://", "é.test"])
def test_what_is_no_domain_of_a_cookie(text: str) -> None:
    with pytest.raises(BadText):
        check_domain(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("App.Test", "app.test"),
        ("app.test.", "app.test"),
        (".example.test", ".example.test"),
        ("*.Example.test", ".example.test"),
        ("b\u00fccher.test", "xn--bcher-kva.test"),
        (".b\u00dccher.test", ".xn--bcher-kva.test"),
        ("192.168.1.20", "192.168.1.20"),
        ("[FE80::1]", "fe80::1"),
        ("fe80::1", "fe80::1"),
        ("*", "*"),
    ],
)
def test_an_allowed_host_is_kept_as_it_is_compared(text: str, expected: str) -> None:
    assert parse_allowed_host(text) == expected


@pytest.mark.parametrize(
    ("text", "what", "help"),
    [
        ("http://app.test", "more than a host name", 'write "app.test"'),
        ("https://user@app.test:8443/x?y", "more than a host name", 'write "app.test"'),
        ("app.test/", "more than a host name", 'write "app.test"'),
        ("https://[::1]:80/", "more than a host name", 'write "[::1]"'),
        ("app.test:8080", "compared without it", 'write "app.test"'),
        ("[::1]:8080", "compared without it", 'write "[::1]"'),
        ("a.*", "is not a host name", 'write ".name"'),
        ("*app.test", "is not a host name", ""),
        ("**.app.test", "is not a host name", 'write ".name"'),
        ("", "the host is missing", ""),
        (".", "the host is missing", ""),
        ("*.", "the host is missing", ""),
        ("..a", "is not a host name", ""),
        ("a b", "is not a host name", ""),
        ("a..b", "is not a host name", ""),
        ("1.2.3", "is not an IPv4 address", ""),
        ("0x7f.1", "is not an IPv4 address", ""),
        (".127.0.0.1", "no names below the address", 'write "127.0.0.1"'),
        ("1:2:3", "is not an IPv6 address", ""),
        ("b\u00fc" * 60 + ".test", "is not a host name", "xn--"),
        ("fa\u00df.test", "one xn-- form", "xn--"),
    ],
)
def test_what_is_no_allowed_host_is_told_what_to_write(text: str, what: str, help: str) -> None:
    with pytest.raises(BadText) as caught:
        parse_allowed_host(text)
    assert what in caught.value.what
    assert help in caught.value.help


# -- trusted proxies ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("loopback", "loopback"),
        ("private", "private"),
        ("10.1.2.3", "10.1.2.3"),
        ("10.1.2.3/32", "10.1.2.3"),
        ("172.16.0.0/12", "172.16.0.0/12"),
        ("10.0.0.0/255.0.0.0", "10.0.0.0/8"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("FD00::/8", "fd00::/8"),
        ("[::1]", "::1"),
        ("2001:0db8::0001", "2001:db8::1"),
        ("::ffff:10.0.0.7", "10.0.0.7"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
    ],
)
def test_a_trusted_proxy_is_kept_as_a_peer_is_compared(text: str, expected: str) -> None:
    assert parse_trusted_proxy(text) == expected


@pytest.mark.parametrize(
    ("text", "what", "help"),
    [
        ("Loopback", "is not an address", 'write "loopback"'),
        ("localhost", "is not an address", 'write "loopback"'),
        ("PRIVATE", "is not an address", 'write "private"'),
        ("*", "is not an address", '"0.0.0.0/0"'),
        ("nginx.internal", "neither an IP address nor a network", '"172.16.0.0/12"'),
        ("", "neither an IP address nor a network", ""),
        ("http://10.0.0.1", "neither an IP address nor a network", ""),
        ("10.0.0.1:8080", "neither an IP address nor a network", 'write "10.0.0.1"'),
        ("[::1]:8080", "neither an IP address nor a network", 'write "::1"'),
        ("10.0.0.0/33", "neither an IP address nor a network", ""),
        ("10.0.0.0/", "neither an IP address nor a network", ""),
        ("10.0.0.0/8/8", "neither an IP address nor a network", ""),
        ("10.1.0.0/8", "an address within a network", 'write "10.0.0.0/8"'),
        ("fd00::1/64", "an address within a network", 'write "fd00::/64"'),
        ("fe80::1%eth0", "has a zone", 'write "fe80::1"'),
        ("10.0.0.256", "neither an IP address nor a network", ""),
        ("10.1", "neither an IP address nor a network", ""),
    ],
)
def test_what_is_no_trusted_proxy_is_told_what_to_write(text: str, what: str, help: str) -> None:
    with pytest.raises(BadText) as caught:
        parse_trusted_proxy(text)
    assert what in caught.value.what
    assert help in caught.value.help
