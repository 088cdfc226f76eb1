"""Files that are good, and what a whole file can have wrong with it."""

from __future__ import annotations

import pytest
from devproxy.config import ConfigError, CorsMode, HeaderEdits, Listen, PathKind, Server, load
from devproxy.config.model import CertificateFiles, Sticky
from devproxy.config.problems import MAX_PROBLEMS
from devproxy.text.limits import MAX_FILE_BYTES
from tests.support.configuration import ROUTE, UPSTREAMS, problems_of

FULL = rb"""
[server]
listen = ["localhost:8080", ":9000"]
drain_s = 1
max_fields = 100

[upstreams]
frontend = "http://localhost:5173"

[upstreams.backend]
servers = ["http://localhost:3001", "https://[::1]:3002"]
tls_verify = false
connect_timeout_s = 2.5

[[routes]]
path = "/api/"
upstream = "backend"
methods = ["GET", "POST", "GET"]
match_host = ["App.test", "*.app.test"]
match_headers = { X-Tenant = "blue*" }
strip_prefix = true
host = "upstream"
origin = "remove"
cors = { mode = "passthrough" }
[routes.headers.request]
set = { X-Env = "dev" }
[routes.headers]
response = { add = { X-Seen = "1" }, remove = ["Server"] }

[[routes]]
path_regex = '/v\d+/.*'
upstream = "frontend"
match_host = "app.test"
cors = "passthrough"
"""


def test_a_file_with_everything_becomes_values() -> None:
    config = load(FULL, source="devproxy.toml")
    assert config.source == "devproxy.toml"
    listen = (Listen(host="localhost", port=8080), Listen(host="", port=9000))
    assert config.server == Server(listen=listen, drain_s=1.0, max_fields=100)
    frontend, backend = config.upstreams
    assert [server.url for server in frontend.servers] == ["http://localhost:5173"]
    assert [server.url for server in backend.servers] == ["http://localhost:3001", "https://[::1]:3002"]
    assert (backend.tls_verify, backend.connect_timeout_s, backend.idle_timeout_s) == (False, 2.5, 4.0)
    api, versions = config.routes
    assert (api.kind, api.pattern, api.upstream, api.rewrite) == (PathKind.PREFIX, "/api/", "backend", "/")
    assert (api.methods, api.match_host) == (("GET", "POST"), ("app.test", "*.app.test"))
    assert api.match_headers == (("X-Tenant", "blue*"),)
    assert (api.host, api.origin, api.cors.mode) == ("upstream", "remove", CorsMode.PASSTHROUGH)
    assert api.request_headers == HeaderEdits(set=(("X-Env", "dev"),))
    assert api.response_headers == HeaderEdits(add=(("X-Seen", "1"),), remove=("Server",))
    assert (versions.kind, versions.pattern, versions.match_host) == (PathKind.REGEX, r"/v\d+/.*", ("app.test",))
    assert (versions.cors.mode, versions.rewrite) == (CorsMode.PASSTHROUGH, None)


def test_seconds_are_floats_even_where_the_file_has_an_integer() -> None:
    assert isinstance(load(FULL, source="x").server.drain_s, float)


def test_a_route_knows_the_line_in_which_it_starts() -> None:
    assert [route.line for route in load(FULL, source="x").routes] == [15, 30]


def test_an_inline_route_knows_its_line_too() -> None:
    text = 'routes = [\n  { path = "/", upstream = "a" },\n]\n[upstreams]\na = "http://localhost:1"'
    assert [route.line for route in load(text.encode(), source="x").routes] == [2]


def test_line_ends_and_a_byte_order_mark_make_no_difference() -> None:
    assert load(b"\xef\xbb\xbf" + FULL.replace(b"\n", b"\r\n"), source="x") == load(FULL, source="x")


def test_places_in_a_crlf_file_are_those_an_editor_shows() -> None:
    [problem] = problems_of(f'{UPSTREAMS}{ROUTE}host = "a b"\n'.replace("\n", "\r\n"))
    assert (problem.line, problem.column, problem.length) == (7, 8, 5)


def test_columns_count_characters_and_not_the_byte_order_mark() -> None:
    [problem] = problems_of(b"\xef\xbb\xbf" + f'x = "é"\n{UPSTREAMS}{ROUTE}'.encode())
    assert (problem.line, problem.column, problem.length) == (1, 1, 1)


@pytest.mark.parametrize(
    ("octets", "place", "help"),
    [
        (b"a = 1\nb = '\xff'", (2, 6), "save the file as UTF-8"),
        (b"\xc3\xa9 = 1\n\xc3", (2, 1), "save the file as UTF-8"),
        ("x = 1".encode("utf-16"), (1, 1), "it looks like UTF-16"),
    ],
)
def test_what_is_not_utf_8_is_shown_where_it_stands(octets: bytes, place: tuple[int, int], help: str) -> None:
    [problem] = problems_of(octets)
    assert problem.what.startswith("the file is not UTF-8: byte 0x")
    assert (problem.line, problem.column) == place
    assert help in problem.help


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("a = " + "[" * 600 + "]" * 600, "nests its values too deeply"),
        ("a." * 2000 + "b = 1", "nests its values too deeply"),
        ("a = " + "1" * 5000, "a number of several thousand digits"),
        ("#" * (MAX_FILE_BYTES + 1), "more than the 262144"),
    ],
)
def test_what_the_parser_cannot_take_is_a_problem_too(text: str, what: str) -> None:
    [problem] = problems_of(text)
    assert what in problem.what


def test_an_integer_of_many_digits_is_a_problem_wherever_it_stands() -> None:
    number = "0x" + "f" * 20_000
    server = f"[server]\nlisten = {number}\ndrain_s = {number}\ntls = {number}\n"
    found = problems_of(f"{server}{UPSTREAMS}{ROUTE}host = {number}")
    assert [problem.line for problem in found] == [2, 3, 4, 11]


@pytest.mark.parametrize(
    ("text", "what", "help"),
    [
        ("", "there is no upstream", "[upstreams]"),
        (ROUTE, "there is no upstream", "[upstreams]"),
        (UPSTREAMS, "there is no route", "[[routes]]"),
        (f"routes = []\n{UPSTREAMS}", "there is no route", "[[routes]]"),
        (f"[upstreams]\n{ROUTE}", "there is no upstream", "[upstreams]"),
    ],
)
def test_a_file_that_lacks_a_whole_part_is_told_what_to_write(text: str, what: str, help: str) -> None:
    [problem] = [problem for problem in problems_of(text) if what in problem.what]
    assert help in problem.help
    assert problem.line == 0


@pytest.mark.parametrize(
    ("text", "what", "help"),
    [
        (f'{UPSTREAMS}[[route]]\npath = "/"\nupstream = "backend"', "unknown key `route`", "[[routes]]"),
        (f'{UPSTREAMS}[routes]\npath = "/"', "expected an array of tables, got a table", "write [[routes]]"),
        (f'[upstream]\nbackend = "http://localhost:1"\n{ROUTE}', "unknown key `upstream`", "[upstreams]"),
    ],
)
def test_a_misspelt_part_is_not_reported_as_missing_as_well(text: str, what: str, help: str) -> None:
    found = problems_of(text)
    assert what in found[0].what
    assert help in found[0].help
    assert not [problem for problem in found if problem.what.startswith("there is no route")]
    assert not [problem for problem in found if problem.what.startswith("there is no upstream:")]


def test_every_problem_is_reported_at_once_and_in_the_order_of_the_file() -> None:
    found = problems_of(
        """
[server]
listen = "localhost"
drain_s = -1
[upstreams]
a = "localhost"
b = 65536
[[routes]]
path = "api"
upstream = "c"
hots = "keep"
[[routes]]
upstream = "a"
"""
    )
    assert [problem.line for problem in found] == [3, 4, 6, 7, 9, 10, 11, 12]


def test_more_problems_than_anybody_repairs_at_once_are_cut() -> None:
    assert len(problems_of("\n".join(f"k{index} = 1" for index in range(300)))) == MAX_PROBLEMS


@pytest.mark.parametrize(
    ("line", "what", "help", "span"),
    [
        ('listen = "localhost"', '"localhost" has no port', 'write "localhost:8080"', (2, 10, 11)),
        ('listen = ["localhost:1", "x"]', '"x" has no port', 'write "x:8080"', (2, 26, 3)),
        ("listen = []", "no address to listen on", "localhost:8080", (2, 10, 2)),
        ('listen = ["localhost:1", 1]', "is listed twice", "remove one", (2, 26, 1)),
        ('listen = ["localhost:1", "127.0.0.1:1"]', "means 127.0.0.1 and ::1", "remove one", (2, 26, 13)),
        ('listen = [":1", "localhost:1"]', "every address of this machine", "remove one", (2, 17, 13)),
        ("listen = [true]", "expected a string or an integer in `listen`", "for example", (2, 11, 4)),
        ("listen = 1.5", "expected a string, an integer or a list", "", (2, 10, 3)),
        ("drain_s = nan", "from 0 to 3600, got nan", "drain_s = 3", (2, 11, 3)),
        ("drain_s = inf", "from 0 to 3600, got inf", "drain_s = 3", (2, 11, 3)),
        ("drain_s = -0.5", "from 0 to 3600, got -0.5", "drain_s = 3", (2, 11, 4)),
        ("max_fields = 1.5", "expected an integer, got 1.5", "", (2, 14, 3)),
        ("max_fields = 100.0", "expected an integer, got 100.0", "write max_fields = 100", (2, 14, 5)),
        ("max_fields = 0", "from 16 to 10000, got 0", "max_fields = 256", (2, 14, 1)),
        ("max_fields = true", "expected an integer, got the boolean true", "", (2, 14, 4)),
        ("drain_s = 1979-05-27", "got the date or time 1979-05-27", "", (2, 11, 10)),
        ('tls = { cert = "x" }', "`tls` names no `key`", 'key = "certs/dev-key.pem" }', (2, 7, 14)),
        ('tls = { cert = "x", key = 1 }', "expected a string, got 1", 'write key = "1"', (2, 27, 1)),
        ('tls = "x.pem"', "expected a boolean or a table", "tls = true", (2, 7, 7)),
        ('allowed_hosts = "a"', "expected a list of strings", 'write allowed_hosts = ["a"]', (2, 17, 3)),
        ('allowed_hosts = ["http://app.test:1/x"]', "more than a host name", 'write "app.test"', (2, 18, 21)),
        ('allowed_hosts = ["a.test", "b.test:80"]', "compared without it", 'write "b.test"', (2, 28, 11)),
        (
            'trusted_proxies = "loopback"',
            "expected a list of strings",
            'write trusted_proxies = ["loopback"]',
            (2, 19, 10),
        ),
        ('trusted_proxies = ["nginx"]', "neither an IP address nor a network", 'write "loopback"', (2, 20, 7)),
        ('trusted_proxies = ["::1", "10.1.0.0/8"]', "within a network", 'write "10.0.0.0/8"', (2, 27, 12)),
        ('allowed_hosts = ["a.test", "*"]', "the others add nothing", "remove it, or the others", (2, 28, 3)),
        ("port = 3000", "unknown key `port` in `server`", 'listen = "localhost:3000"', (2, 1, 4)),
        ("drain = 1", "unknown key `drain` in `server`", "did you mean `drain_s`?", (2, 1, 5)),
        ("[cors]", "unknown key `cors`", "write [routes.cors] below the [[routes]] that it is for", (2, 2, 4)),
        ("sticky = 1", "unknown key `sticky` in `server`", "belongs below [upstreams.NAME]", (2, 1, 6)),
    ],
)
def test_a_bad_line_below_server(line: str, what: str, help: str, span: tuple[int, int, int]) -> None:
    [problem] = problems_of(f"[server]\n{line}\n{UPSTREAMS}{ROUTE}")
    assert what in problem.what
    assert help in problem.help
    assert (problem.line, problem.column, problem.length) == span


@pytest.mark.parametrize(
    ("written", "tls"),
    [
        ("false", False),
        ("true", True),
        ('{ cert = "a.pem", key = "b.pem" }', CertificateFiles(cert="a.pem", key="b.pem")),
    ],
)
def test_tls_is_a_word_or_two_files(written: str, tls: bool | CertificateFiles) -> None:
    loaded = load(f"[server]\ntls = {written}\n{UPSTREAMS}{ROUTE}".encode(), source="x")
    assert loaded.server == Server(tls=tls)


def test_hosts_are_kept_as_they_are_compared_and_each_once() -> None:
    text = '[server]\nallowed_hosts = ["App.test", "*.Example.test", ".example.test", "[::1]", "app.test."]\n'
    server = load((text + UPSTREAMS + ROUTE).encode(), source="x").server
    assert server.allowed_hosts == ("app.test", ".example.test", "::1")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("", ("loopback",)),
        ("trusted_proxies = []", ()),
        (
            'trusted_proxies = ["private", "10.0.0.1", "10.0.0.1/32", "FD00::/8", "private"]',
            ("private", "10.0.0.1", "fd00::/8"),
        ),
    ],
)
def test_trusted_proxies_are_this_machines_unless_others_are_named(written: str, expected: tuple[str, ...]) -> None:
    text = f"[server]\n{written}\n{UPSTREAMS}{ROUTE}"
    assert load(text.encode(), source="x").server.trusted_proxies == expected


def test_an_upstream_says_what_keeps_its_clients_and_how_long_they_wait() -> None:
    text = f'{UPSTREAMS}[upstreams.c]\nservers = ["http://a", "http://b"]\nsticky = "cookie"\nhold_s = 0\n{ROUTE}'
    backend, _, several = load(text.encode(), source="x").upstreams
    assert (several.sticky, several.hold_s) == (Sticky.COOKIE, 0.0)
    assert (backend.sticky, backend.hold_s) == (Sticky.NONE, 10.0)
    assert isinstance(several.hold_s, float)


@pytest.mark.parametrize(
    ("lines", "what", "help", "span"),
    [
        ('c = "localhost"', "neither a port nor host:port nor a URL", 'write "http://localhost"', (2, 5, 11)),
        ("c = 65536", "a port is a number from 1 to 65535, got 65536", "", (2, 5, 5)),
        ("c = 1.5", "expected a string, an integer, a list of strings or integers or a table, got 1.5", "", (2, 5, 3)),
        ("c = []", 'the upstream "c" has no server', "[upstreams.c]", (2, 1, 1)),
        ('c = ["3001", 3001]', '"http://localhost:3001" is listed twice', "remove one", (2, 14, 4)),
        ('c = "localhost:${PORT}"', '"${PORT}" is not a port', "write ${env:PORT}", (2, 5, 19)),
        ('c = "localhost:$PORT"', '"$PORT" is not a port', "write ${env:PORT}", (2, 5, 17)),
        ("c = {}", 'the upstream "c" has no server', "[upstreams.c]", (2, 1, 1)),
        ("c.servers = []", 'the upstream "c" has no server', "[upstreams.c]", (2, 1, 1)),
        ("c.servers = {}", "expected a string, an integer or a list of strings or integers", "servers =", (2, 13, 2)),
        (
            'c.servers = ["http://a", "b"]',
            '"b" is neither a port nor host:port nor a URL',
            'write "http://b"',
            (2, 26, 3),
        ),
        ('c.servers = ["http://a", "http://A/"]', "is listed twice", "remove one", (2, 26, 11)),
        (
            'c = { servers = ["http://a"], sticky = "socket" }',
            'expected "none"',
            'write sticky = "socketio"',
            (2, 40, 8),
        ),
        ('c = { servers = ["http://a"], hold_s = 601 }', "from 0 to 600, got 601", "hold_s = 10", (2, 40, 3)),
        ('c = { url = "http://a" }', "unknown key `url` in `upstreams.c`", "servers =", (2, 7, 3)),
        ("c = { changeOrigin = true }", "unknown key `changeOrigin` in `upstreams.c`", 'host = "upstream"', (2, 7, 12)),
        ('"" = "http://a"', '"" is not a name', "letters", (2, 1, 2)),
        ('"a\\nb" = "http://a"', '"a\\\\u000ab" is not a name'.replace("\\\\", "\\"), "letters", (2, 1, 6)),
    ],
)
def test_a_bad_upstream(lines: str, what: str, help: str, span: tuple[int, int, int]) -> None:
    found = problems_of(f"[upstreams]\n{lines}\n{UPSTREAMS.removeprefix('[upstreams]')}{ROUTE}")
    [problem] = [problem for problem in found if what in problem.what]
    assert help in problem.help
    assert (problem.line, problem.column, problem.length) == span


def test_loading_twice_gives_the_same_problems_of() -> None:
    def messages() -> str:
        with pytest.raises(ConfigError) as caught:
            load(b"[server]\nlisten = 1.5\n[upstreams]\na = 'b'", source="x")
        return str(caught.value)

    assert messages() == messages()


@pytest.mark.parametrize(
    ("lines", "key"),
    [
        ('pth = "/"\nupstream = "backend"', "pth"),
        ('prefix = "/"\nupstream = "backend"', "prefix"),
        ('path_regx = "/"\nupstream = "backend"', "path_regx"),
        ('path = "/"\nupstrem = "backend"', "upstrem"),
        ('path = "/"\ntarget = "http://localhost:1"', "target"),
    ],
)
def test_a_key_of_a_route_that_is_misspelt_is_one_problem(lines: str, key: str) -> None:
    (problem,) = problems_of(f"{UPSTREAMS}[[routes]]\n{lines}\n")
    assert problem.what == f"unknown key `{key}` in `routes[0]`"


@pytest.mark.parametrize("key", ["serers", "server", "url", "target"])
def test_a_key_of_an_upstream_that_is_misspelt_is_one_problem(key: str) -> None:
    (problem,) = problems_of(f'[upstreams.a]\n{key} = ["http://localhost:1"]\n[[routes]]\npath = "/"\nupstream = "a"\n')
    assert problem.what == f"unknown key `{key}` in `upstreams.a`"


@pytest.mark.parametrize(
    "lines",
    [
        'ws = true\nupstream = "backend"',
        'cookiePathRewrite = "/"\nupstream = "backend"',
        'ca = "x"\nupstream = "backend"',
        'path = "/"\nchangeOrigin = true',
        'path = "/"\nrewriteWsOrigin = true',
        'qqqq = 1\npath = "/"',
    ],
)
def test_what_is_missing_beside_an_unknown_key_that_means_something_else_is_a_problem_too(lines: str) -> None:
    assert len(problems_of(f"{UPSTREAMS}[[routes]]\n{lines}\n")) == 2


@pytest.mark.parametrize(
    ("text", "help"),
    [
        (
            '[upstreams]\nb = "http://b.test"\n[[routes]]\npath = "/"\nupstream = "b"\n[routes.fault]\nerror_rate = 20',
            "write error_rate = 0.2 for 20 %",
        ),
    ],
)
def test_the_help_has_what_was_meant(text: str, help: str) -> None:
    assert help in [problem.help for problem in problems_of(text)]
