"""One route: what its keys may say, and what the wrong ones are told."""

from __future__ import annotations

from dataclasses import fields

import pytest
from devproxy.config import PathKind, Route, load
from devproxy.config.model import Fault
from tests.support.configuration import UPSTREAMS, problems_of, route_problems


def route(lines: str) -> Route:
    [only] = load(f"{UPSTREAMS}[[routes]]\n{lines}\n".encode(), source="x").routes
    return only


BACKEND = 'upstream = "backend"'


@pytest.mark.parametrize(
    ("line", "kind", "pattern"),
    [
        ('path = "/"', PathKind.PREFIX, "/"),
        ('path_exact = "/a%2Fb"', PathKind.EXACT, "/a%2Fb"),
        ('path_glob = "/a/*.js"', PathKind.GLOB, "/a/*.js"),
        ('path_glob = "/a/?"', PathKind.GLOB, "/a/?"),
        (r"path_regex = '/v\d+/.*'", PathKind.REGEX, r"/v\d+/.*"),
        ("path_regex = '^/(a|b)'", PathKind.REGEX, "^/(a|b)"),
    ],
)
def test_a_path_condition(line: str, kind: PathKind, pattern: str) -> None:
    found = route(f"{line}\n{BACKEND}")
    assert (found.kind, found.pattern) == (kind, pattern)


@pytest.mark.parametrize(
    ("lines", "what", "help", "span"),
    [
        ("", "has no path condition", 'path = "/"', (4, 1, 10)),
        ('path = "/a"\npath_exact = "/b"', "this one has `path`, `path_exact`", "keep one", (6, 1, 10)),
        ('path = "api"', "begins with a slash", 'write "/api"', (5, 8, 5)),
        ('path = ""', "begins with a slash", 'write "/"', (5, 8, 2)),
        ('path = "http://localhost/api/"', "begins with a slash", 'write "/api/"', (5, 8, 23)),
        ('path = "https://localhost"', "begins with a slash", 'write "/"', (5, 8, 19)),
        ('path = "^/api"', "begins with a slash", "for a regular expression, write path_regex", (5, 8, 7)),
        ('path = "/a?b=1"', 'contains "?"', "without their query", (5, 8, 8)),
        ('path_exact = "/a#b"', 'contains "#"', "without their query", (5, 14, 6)),
        ('path = "/é"', 'contains "é"', "write %C3%A9", (5, 8, 4)),
        ('path = "/a b"', 'contains " "', "write %20", (5, 8, 6)),
        (r'path = "/a\u001bb"', r"contains " + '"\\u001b"', "write %1B", (5, 8, 11)),
        ('path = "/__devproxy/x"', "answered by devproxy itself", "another path", (5, 8, 15)),
        ('path_exact = "/__devproxy"', "answered by devproxy itself", "another path", (5, 14, 13)),
        ('path_glob = "*.js"', "begins with a slash", 'write "/*.js"', (5, 13, 6)),
        ("path_regex = '/a('", "unterminated subpattern at character 3", "", (5, 14, 5)),
        ("path_regex = '/é'", 'contains "é"', "write %C3%A9", (5, 14, 4)),
        ("path_regex = 'api/.*'", "it begins with a slash", 'write "/api/.*"', (5, 14, 8)),
        ('path = "/a//b"', "an empty or a dot segment", "leave them out", (5, 8, 7)),
        ('path_exact = "/a/.."', "an empty or a dot segment", "leave them out", (5, 14, 7)),
        ('path_glob = "/./*"', "an empty or a dot segment", "leave them out", (5, 13, 6)),
        ('path = "/%61pi"', 'contains "%61", which stands for "a"', 'write "a"', (5, 8, 8)),
        ('path = "/a%2fb"', 'contains "%2f", which stands for "%2F"', 'write "%2F"', (5, 8, 8)),
        ("path_regex = '/[[a]'", "nested set at position 2", "", (5, 14, 7)),
        ("path_regex = '/.*/.*/.*/edit'", "is too slow: it has so many repeats", "`/[^/]*/` for `/.*/`", (5, 14, 16)),
        (
            "path_regex = '/(?:[a-z]+/?)*x'",
            "is too slow: it repeats a part that itself repeats",
            "`[a-z]++`",
            (5, 14, 17),
        ),
        ('path_glob = "/x**a*b"', "is too slow: in `**a*` one wildcard", 'write "/x**/*a*b"', (5, 13, 9)),
        ("path_regex = ''", "matches no path", 'path = "/"', (5, 14, 2)),
        ("path_regex = '/a{99999999999}'", "that Python cannot handle", "simpler", (5, 14, 17)),
        ("path_regex = '(?u)/a'", "cannot use 'u' flag", "", (5, 14, 8)),
        ("path_regex = '" + "a" * 2001 + "'", "at most 2000 characters, this one has 2001", "", (5, 14, 2003)),
        ("path = 1", "expected a string, got 1", 'write path = "1"', (5, 8, 1)),
    ],
)
def test_a_bad_path_condition(lines: str, what: str, help: str, span: tuple[int, int, int]) -> None:
    [problem] = route_problems(f"{lines}\n{BACKEND}")
    assert what in problem.what
    assert help in problem.help
    assert (problem.line, problem.column, problem.length) == span


@pytest.mark.parametrize(
    ("line", "what", "help", "column"),
    [
        ("", "does not name its upstream", 'upstream = "backend" or "frontend"', 1),
        ('upstream = "backnd"', 'no upstream "backnd"', 'did you mean "backend"?', 12),
        ('upstream = "Backend"', 'no upstream "Backend"', 'did you mean "backend"?', 12),
        ('upstream = "zzz"', 'no upstream "zzz"', "there are: backend, frontend", 12),
        ('upstream = "http://localhost:1"', "not a URL", 'app = "http://localhost:1"', 12),
        ("upstream = 3001", "expected a string, got 3001", 'upstream = "3001"', 12),
    ],
)
def test_a_bad_upstream_of_a_route(line: str, what: str, help: str, column: int) -> None:
    [problem] = route_problems(f'path = "/"\n{line}')
    assert what in problem.what
    assert help in problem.help
    assert problem.column == column


@pytest.mark.parametrize(
    ("line", "what", "help"),
    [
        ('methods = "GET"', "expected a list of strings", 'write methods = ["GET"]'),
        ('methods = ["get"]', "case-sensitive", 'write "GET"'),
        ('methods = ["G T"]', '"G T" is not a method', ""),
        ('methods = [""]', '"" is not a method', ""),
        ('methods = [""" GET\n"""]', r'" GET\u000a" is not a method', ""),
        ("methods = [1]", "expected a string in `methods`, got 1", "for example: methods ="),
        ('match_host = "a:80"', "compared without it", 'write "a"'),
        ('match_host = ["a", "*"]', '"*" is not a host name', ""),
        ('match_headers = { "a b" = "*" }', '"a b" is not a header name', ""),
        ('match_headers = { X-A = "a\\nb" }', "contains a control character", ""),
        ('match_headers = { X-A = "a", x-a = "b" }', "`x-a` and `X-A` are the same header", "keep one"),
        ("match_headers = { X-A = true }", "expected a string, got the boolean true", ""),
        ('headers = { X-A = "dev" }', "unknown key `X-A` in `routes[0].headers`", 'match_headers = { X-A = "dev" }'),
        ('headers = { set = { X-A = "dev" } }', "unknown key `set`", "did you mean `request.set`?"),
        ('headers.request.set = { "X A" = "1" }', '"X A" is not a header name', ""),
        ('headers.request.set = { X-A = "a\\r\\nX-B: c" }', "contains a control character", "one line"),
        ('headers.response.add = { X-A = "a\\u0000" }', "contains a control character", "one line"),
        ('headers.request.remove = ["a:"]', '"a:" is not a header name', ""),
        ('headers.request.set = { Host = "a" }', "`Host` cannot be edited here", "write host ="),
        ('headers.request.remove = ["Origin"]', "`Origin` cannot be edited here", "write origin ="),
        ('headers.response.set = { Content-Length = "1" }', "frames the message", "remove it"),
        ('headers.response.remove = ["transfer-encoding"]', "frames the message", "remove it"),
        ('host = ""', "the host is missing", ""),
        ('host = "a b"', "is not a host name", ""),
        ('host = "Keep"', 'expected "auto", "keep" or "upstream"', 'write "keep"'),
        ('host = "remove"', 'expected "auto", "keep" or "upstream"', "every request needs a Host"),
        ('origin = "KEEP"', 'expected "auto", "keep", "upstream" or "remove"', 'write "keep"'),
        ('origin = "localhost"', "is not an origin", '"http://localhost:3001"'),
        ('origin = "http://a/"', "ends with its host or port", 'write "http://a"'),
        ('strip_prefix = "false"', 'expected a boolean, got the string "false"', "write strip_prefix = false"),
        ('strip_prefix = "maybe"', 'expected a boolean, got the string "maybe"', "for example: strip_prefix = true"),
        ("strip_prefix = 1", "expected a boolean, got 1", "write strip_prefix = true"),
        ('strip_prefix = true\nrewrite = "/"', "cannot be combined", "keep one"),
        ('rewrite = "v1"', "begins with a slash", 'write "/v1"'),
        ('rewrite = "/v1?x"', 'contains "?"', ""),
        ('cors = "stirp"', 'expected "passthrough", "strip", "rewrite" or "fix" for `cors`', 'write cors = "strip"'),
        ('guard = "no"', 'expected a boolean, got the string "no"', "write guard = false"),
        ('redirects = "maps"', 'expected "map" or "keep" for `redirects`', 'write redirects = "map"'),
        ("cookieDomainRewrite = {}", "unknown key `cookieDomainRewrite`", "cookies.domain"),
        ("autoRewrite = true", "unknown key `autoRewrite`", 'redirects = "map"'),
        ("fault = { delay = 1 }", "unknown key `delay` in `routes[0].fault`", "did you mean `latency_ms`?"),
        ("fault = { error_rate = 2 }", "from 0 to 1, got 2", "error_rate = 0"),
        ("fault = { error_status = 200 }", "from 400 to 599, got 200", "error_status = 503"),
        ("fault = { latency_ms = -1 }", "from 0 to 600000, got -1", "for example: latency_ms = 200"),
        ('headers.response.set = { X-A = "${upstream.hots}" }', 'no placeholder "upstream.hots"', "`${upstream.host}`"),
        ('headers.request.add = { X-A = "${host" }', "that has no end", "close it"),
        ("cors = true", "expected a string or a table, got the boolean true", 'cors = "strip"'),
        ('origins = ["http://a"]', "unknown key `origins`", "did you mean `cors.origins`?"),
        ('target = "http://a"', "unknown key `target`", "upstream = "),
        ("changeOrigin = true", "unknown key `changeOrigin`", 'host = "upstream"'),
        ("changeOrigin = true", "unknown key `changeOrigin`", 'origin = "upstream" too if the server is Django'),
        ("secure = false", "unknown key `secure`", "tls_verify = false below [upstreams.NAME]"),
        ("secure = true", "unknown key `secure`", "remove it"),
        ("rejectUnauthorized = false", "unknown key `rejectUnauthorized`", "tls_ca = "),
        ("insecure-skip-verify = true", "unknown key `insecure-skip-verify`", "tls_verify = false"),
        ("rewriteWsOrigin = true", "unknown key `rewriteWsOrigin`", 'origin = "upstream"'),
        ("ws = true", "unknown key `ws`", "WebSockets need no setting"),
    ],
)
def test_a_bad_line_of_a_route(line: str, what: str, help: str) -> None:
    [problem] = route_problems(f'path = "/"\n{BACKEND}\n{line}')
    assert what in problem.what
    assert help in problem.help
    assert problem.line >= 7


@pytest.mark.parametrize(
    "line",
    [
        "cors = {}",
        "cors = { mode = 'passthrough', credentials = false, origins = [], max_age_s = 0, preflight = 'forward' }",
        "cookies = {}",
        "fault = {}",
        'match_headers = { X-A = "${no.placeholder}" }',
        'headers.request.set = { X-A = "$${plain} ${upstream.host}:${upstream.port} ${client.address}" }',
        "headers = { request = {} }",
        'match_headers = { X-A = "caf\\u00e9\\t*" }',
        'headers.request.set = { X-A = "a\\tb" }',
        'headers.response.add = { Set-Cookie = "a=1", set-cookie = "b=2" }',
        'methods = ["PROPFIND", "x-custom"]',
        'host = "api.test:3001"',
        'origin = "http://api.test:3001"',
    ],
)
def test_a_line_that_is_fine(line: str) -> None:
    assert route(f'path = "/"\n{BACKEND}\n{line}').upstream == "backend"


@pytest.mark.parametrize(("line", "rewrite"), [("strip_prefix = true", "/"), ('rewrite = "/v1/"', "/v1/"), ("", None)])
@pytest.mark.parametrize("kind", ["path", "path_exact"])
def test_prefixes_and_exact_paths_can_be_rewritten(kind: str, line: str, rewrite: str | None) -> None:
    assert route(f'{kind} = "/api/"\n{BACKEND}\n{line}').rewrite == rewrite


@pytest.mark.parametrize("line", ["strip_prefix = true", 'rewrite = "/v1/"'])
@pytest.mark.parametrize("kind", ["path_glob", "path_regex"])
def test_patterns_without_a_fixed_prefix_cannot(kind: str, line: str) -> None:
    [problem] = route_problems(f'{kind} = "/api/"\n{BACKEND}\n{line}')
    assert f"needs `path` or `path_exact`: what `{kind}` matches" in problem.what
    assert problem.line == 7


def test_what_a_route_says_about_the_guard_redirects_and_faults() -> None:
    found = route(
        f'path = "/"\n{BACKEND}\nguard = false\nredirects = "keep"\n'
        "fault = { latency_ms = 200, error_rate = 1, error_status = 500, refuse_upgrade = true, "
        "drop_after_s = 5, bandwidth_kib_s = 64, seed = 7 }"
    )
    assert (found.guard, found.maps_redirects) == (False, False)
    assert found.fault == Fault(
        latency_ms=200.0,
        error_rate=1.0,
        error_status=500,
        refuse_upgrade=True,
        drop_after_s=5.0,
        bandwidth_kib_s=64.0,
        seed=7,
    )
    assert all(type(getattr(found.fault, field.name)) is type(getattr(Fault(), field.name)) for field in fields(Fault))


def test_a_route_that_says_nothing_is_guarded_and_maps_redirects() -> None:
    found = route(f'path = "/"\n{BACKEND}')
    assert (found.guard, found.maps_redirects, found.fault) == (True, True, Fault())


def two_routes(first: str, second: str) -> str:
    return f"{UPSTREAMS}[[routes]]\n{BACKEND}\n{first}\n[[routes]]\n{BACKEND}\n{second}\n"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ('path = "/api"', 'path = "/api/"'),
        ('path = "/"', 'path = "/"\ncors = "passthrough"'),
        ('path_exact = "/a"', 'path_exact = "/a"'),
        ('path = "/a"\nmethods = ["GET", "PUT"]', 'path = "/a"\nmethods = ["PUT", "GET", "PUT"]'),
        ('path = "/a"\nmatch_host = "A.test"', 'path = "/a"\nmatch_host = ["a.test"]'),
        ('path = "/a"\nmatch_headers = { X-A = "1" }', 'path = "/a"\nmatch_headers = { x-a = "1" }'),
        ('path = "/a"\nmethods = []', 'path = "/a"'),
    ],
)
def test_routes_with_the_same_conditions_are_refused_however_they_are_written(first: str, second: str) -> None:
    [problem] = problems_of(two_routes(first, second))
    assert problem.what == "`routes[1]` matches the same requests as `routes[0]` (line 4)"
    assert "`match_host`" in problem.help
    assert problem.line == 7 + first.count("\n")


@pytest.mark.parametrize("wrong", ['cors = "stripp"', 'host = "a b"', "strip_prefix = 1", "[routes.fault]\nx = 1"])
def test_routes_with_the_same_conditions_are_told_of_beside_what_else_is_wrong_with_them(wrong: str) -> None:
    problems = problems_of(two_routes('path = "/a"', f'path = "/a"\n{wrong}'))
    assert problems[0].what == "`routes[1]` matches the same requests as `routes[0]` (line 4)"
    assert len(problems) == 2


@pytest.mark.parametrize("wrong", ['method = ["GET"]', 'methods = "GET"', 'methods = ["get"]', 'match_host = "a b"'])
def test_a_route_whose_conditions_are_wrong_is_not_compared_with_others(wrong: str) -> None:
    [problem] = problems_of(two_routes('path = "/a"', f'path = "/a"\n{wrong}'))
    assert "matches the same requests" not in problem.what


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ('path = "/api"', 'path = "/apikey"'),
        ('path_exact = "/api"', 'path_exact = "/api/"'),
        ('path = "/api"', 'path_exact = "/api"'),
        ('path = "/api"', 'path_glob = "/api"'),
        ('path = "/a"', 'path = "/A"'),
        ('path = "/a"\nmethods = ["GET"]', 'path = "/a"'),
        ('path = "/a"\nmatch_headers = { X-A = "1" }', 'path = "/a"\nmatch_headers = { X-A = "2" }'),
    ],
)
def test_routes_with_different_conditions_are_not(first: str, second: str) -> None:
    assert len(load(two_routes(first, second).encode(), source="x").routes) == 2


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ('path_glob = "/**"', 'path = "/"'),
        ('path_glob = "/**"', 'path = "/api/"\nmethods = ["GET"]'),
        ("path_regex = '/.*'", 'path_glob = "/*.js"'),
        ("path_regex = '.*'\nmethods = ['GET', 'PUT']", 'path = "/api/"\nmethods = ["PUT"]'),
        ('path_exact = "/a"', 'path_glob = "/a"'),
        ('path_glob = "/**"\nmatch_host = ["a.test", "b.test"]', 'path = "/"\nmatch_host = "b.test"'),
        ('path_glob = "/**"\nmatch_headers = { X = "*" }', 'path = "/"\nmatch_headers = { X = "*", Y = "1" }'),
    ],
)
@pytest.mark.parametrize("is_swapped", [False, True])
def test_a_route_that_another_leaves_no_request_is_refused(first: str, second: str, is_swapped: bool) -> None:
    [problem] = problems_of(two_routes(second, first) if is_swapped else two_routes(first, second))
    number, line = (0, 7 + second.count("\n")) if is_swapped else (1, 4)
    other = 1 - number
    assert problem.what == (
        f"`routes[{number}]` is never reached: `routes[{other}]` matches all of its requests first (line {line})"
    )


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ('path_glob = "/**"', 'path_exact = "/a"'),
        ('path_glob = "/**"', 'path = "/"\nmatch_host = "a.test"'),
        ('path_glob = "/**"\nmatch_host = "a.test"', 'path = "/"'),
        ('path_glob = "/**"\nmethods = ["GET"]', 'path = "/"'),
        ('path_glob = "/**"\nmatch_headers = { X = "1" }', 'path = "/"'),
        ('path_exact = "/a"', 'path = "/a"'),
        ('path_glob = "/a/**"', 'path = "/a/"'),
    ],
)
def test_a_route_that_some_request_reaches_is_not(first: str, second: str) -> None:
    assert len(load(two_routes(first, second).encode(), source="x").routes) == 2


@pytest.mark.parametrize("place", ["", "[server]\n", '[upstreams.b]\nservers = ["https://localhost:1"]\n'])
@pytest.mark.parametrize(
    "line", ["secure = false", "rejectUnauthorized = false", "ssl_verify = false", "insecure = true"]
)
def test_whatever_turns_verification_off_elsewhere_leads_to_what_does_here(place: str, line: str) -> None:
    problems = problems_of(f"{place}{line}\n")
    helps = [problem.help for problem in problems if "unknown key" in problem.what]
    assert 0 <= helps[0].index("tls_ca = ") < helps[0].index("tls_verify = false")


@pytest.mark.parametrize(
    ("line", "help"),
    [
        ('ca = "my.pem"', 'write tls_ca = "my.pem"'),
        ('proxy_ssl_trusted_certificate = "my.pem"', 'write tls_ca = "my.pem"'),
        ('cert = "my.pem"', 'write tls_cert = "client.pem"'),
        ('keyfile = "my.pem"', 'write tls_key = "client-key.pem"'),
    ],
)
def test_the_files_of_other_proxies_lead_to_the_keys_here(line: str, help: str) -> None:
    problems = problems_of(f'[upstreams.b]\nservers = ["https://localhost:1"]\n{line}\n')
    assert help in problems[0].help
