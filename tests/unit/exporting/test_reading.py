"""What of a configuration is carried over to production, and what is said of the rest."""

from __future__ import annotations

import re

import pytest
from devproxy import config
from devproxy.authority.origins import parse_pattern
from devproxy.config.model import PathKind, Route, Sticky
from devproxy.exporting import TARGETS, Wanted, export, parse_web_origin, read_site
from devproxy.exporting.cross import headers_expression, origin_expression, origins_expression
from devproxy.exporting.paths import is_plain, path_expression, value_expression
from devproxy.exporting.site import CorsKind, Site
from devproxy.routing.table import RouteTable
from devproxy.text.bad import BadText

HEAD = '[upstreams]\nbackend = "http://localhost:3001"\npages = "http://localhost:5173"\n'


def site_of(routes: str, head: str = HEAD, wanted: Wanted | None = None) -> Site:
    return read_site(config.load((head + routes).encode(), source="some/folder/devproxy.toml"), wanted or Wanted())


def route(**keys: str) -> str:
    written = {"path": '"/"', "upstream": '"backend"', **keys}
    return "\n[[routes]]\n" + "".join(f"{key.replace('__', '.')} = {value}\n" for key, value in written.items())


PATHS = {
    (PathKind.PREFIX, "/"): ["/", "/x"],
    (PathKind.PREFIX, "/api/"): ["/api", "/api/", "/api/x", "/apikey", "/API", "/x/api/"],
    (PathKind.PREFIX, "/socket.io/"): ["/socket.io/", "/socketXio/"],
    (PathKind.EXACT, "/health"): ["/health", "/health/", "/healthy"],
    (PathKind.GLOB, "/files/**/x-*.map"): [
        "/files/x-1.map",
        "/files/a/b/x-1.map",
        "/files/a/y.map",
        "/files/x-1/2.map",
    ],
    (PathKind.GLOB, "/a/?.js"): ["/a/b.js", "/a/bb.js", "/a//.js"],
    (PathKind.REGEX, "/v[0-9]+/.*|/w"): ["/v1/x", "/w", "/wx", "/v/x"],
}


@pytest.mark.parametrize(("kind", "pattern"), PATHS)
def test_an_expression_takes_the_paths_that_the_route_takes(kind: PathKind, pattern: str) -> None:
    one = Route(kind=kind, pattern=pattern, upstream="backend")
    table = RouteTable([one])
    for path in PATHS[kind, pattern]:
        takes = re.search(path_expression(one), path) is not None
        assert takes == (table.match(b"GET", path.encode(), b"", []) is not None), path


@pytest.mark.parametrize("regex", [r"/a(?=b)", r"/(?!x).*", r"/(a)\1", r"/a++", r"/(?>a)b", r"/(?<!x)y", r"/a\Z"])
def test_an_expression_that_go_does_not_have_is_left_out_and_said(regex: str) -> None:
    assert not is_plain(regex)


@pytest.mark.parametrize("regex", [r"/a[+]+", r"/\++", r"/a?b*", r"/(?:x|y)", r"/(?i:x)", r"/v[0-9]{1,3}"])
def test_an_expression_that_go_has_is_kept(regex: str) -> None:
    assert is_plain(regex)


@pytest.mark.parametrize(
    ("pattern", "taken", "refused"),
    [
        (
            "https://app.test",
            ["https://app.test"],
            ["https://app.test.evil.example", "http://app.test", "https://appxtest"],
        ),
        (
            "https://*.app.test",
            ["https://a.app.test", "https://a.b.app.test"],
            ["https://app.test", "https://evilapp.test"],
        ),
        (
            "http://app.test:*",
            ["http://app.test", "http://app.test:81"],
            ["http://app.test:", "http://app.test:81.evil"],
        ),
        (r"regex:https://pr-[0-9]+\.app\.example", ["https://pr-1.app.example"], ["https://pr-1.app.example.evil"]),
    ],
)
def test_an_origin_s_expression_takes_what_the_pattern_takes(
    pattern: str, taken: list[str], refused: list[str]
) -> None:
    for text in (origin_expression(parse_pattern(pattern)), origins_expression([parse_pattern(pattern)])):
        assert all(re.search(text, origin) for origin in taken)
        assert not any(re.search(text, origin) for origin in [*refused, "null", ""])


def test_every_origin_does_not_mean_null() -> None:
    text = origins_expression([], is_any=True)
    assert re.search(text, "https://evil.example")
    assert re.search(text, "https://null.example")
    assert not re.search(text, "null")


@pytest.mark.parametrize(
    "keys", [{"mode": '"rewrite"'}, {"origins": '["http://localhost:3000", "http://127.0.0.1:*"]'}]
)
def test_that_pages_of_this_machine_may_read_is_left_out(keys: dict[str, str]) -> None:
    (rule,) = site_of(route(**{f"cors__{key}": value for key, value in keys.items()})).rules
    assert rule.cors.kind is CorsKind.NONE
    assert "no CORS is needed" in rule.cors.why
    assert "left out" in rule.cors.why


def test_pages_of_other_origins_keep_what_they_may() -> None:
    (rule,) = site_of(route(cors__origins='["https://shop.example", "http://localhost:3000"]')).rules
    assert rule.cors.kind is CorsKind.ALLOW
    assert rule.cors.policy is not None
    assert rule.cors.policy.exact == ("https://shop.example",)
    assert "devproxy.toml:" in rule.cors.why


@pytest.mark.parametrize("path", ['"/socket.io/"', '"/chat/socket.io"', '"/ws/"'])
def test_nothing_is_added_where_socketio_sets_its_own(path: str) -> None:
    wanted = Wanted(socketio_paths=("/ws",))
    (rule,) = site_of(route(path=path, cors__origins='["https://shop.example"]'), wanted=wanted).rules
    assert rule.is_socketio
    assert rule.cors.kind is CorsKind.OWN


@pytest.mark.parametrize(
    ("cors", "kind"),
    [
        ('"strip"', CorsKind.HIDE),
        ('"passthrough"', CorsKind.NONE),
        ('"fix"', CorsKind.NONE),
        ("{ origins = [] }", CorsKind.HIDE),
    ],
)
def test_the_other_modes(cors: str, kind: CorsKind) -> None:
    (rule,) = site_of(route(cors=cors)).rules
    assert rule.cors.kind is kind


def test_a_list_of_headers_is_compared_name_by_name() -> None:
    (rule,) = site_of(route(cors='{ origins = ["https://shop.example"], headers = ["X-A", "X-B"] }')).rules
    assert rule.cors.policy is not None
    text = headers_expression(rule.cors.policy)
    assert all(re.search(text, asked) for asked in ("", "x-a", "x-a,x-b", "x-b, x-a", "x-a,,x-b"))
    assert not any(re.search(text, asked) for asked in ("x-c", "x-a,x-c", "x-ab", "x-a x-b"))


@pytest.mark.parametrize(
    ("glob", "value", "holds"), [("blue*", "blue-1", True), ("b?", "bb", True), ("b.", "bx", False)]
)
def test_a_header_s_glob(glob: str, value: str, holds: bool) -> None:
    assert bool(re.search(value_expression(glob), value)) is holds


SEVERAL = '[upstreams.backend]\nservers = ["http://10.0.0.5:1", "http://10.0.0.6:1"]\n'


def test_socketio_with_several_servers_is_sticky_even_where_nothing_says_so() -> None:
    (pool,) = site_of(route(path='"/socket.io/"'), SEVERAL).pools
    assert pool.sticky is Sticky.SOCKETIO
    assert "needs it" in pool.notes[0]
    (pool,) = site_of(route(), SEVERAL).pools
    assert pool.sticky is Sticky.NONE


def test_several_processes_behind_one_address_are_told() -> None:
    head = '[upstreams.backend]\nservers = ["http://localhost:3001"]\nsticky = "socketio"\n'
    (pool,) = site_of(route(path='"/socket.io/"'), head).pools
    assert "Several processes behind one address" in pool.notes[0]


def test_servers_of_production_take_the_place_of_those_of_development() -> None:
    from devproxy.config.addresses import parse_server

    site = site_of(route() + route(path='"/x/"', upstream='"pages"'))
    assert [pool.is_assumed for pool in site.pools] == [True, True]
    wanted = Wanted(servers=(("backend", (parse_server("https://api.example.com"),)),))
    site = site_of(route() + route(path='"/x/"', upstream='"pages"'), wanted=wanted)
    assert {pool.name: pool.is_assumed for pool in site.pools} == {"backend": False, "pages": True}
    assert [rule.host for rule in site.rules] == ["keep", "api.example.com"]  # what `auto` comes to for each


@pytest.mark.parametrize(
    "text", ["app.example.com", "https://*.example.com", "https://a.test/x", "ftp://a.test", "null"]
)
def test_what_is_no_origin_is_refused(text: str) -> None:
    with pytest.raises(BadText):
        parse_web_origin(text)


@pytest.mark.parametrize("target", TARGETS)
def test_the_same_configuration_gives_the_same_text_and_order_does_not_matter(target: str) -> None:
    one = route(path='"/api/"', match_host='["b.test", "a.test"]') + route(path='"/x/"') + route(upstream='"pages"')
    two = route(upstream='"pages"') + route(path='"/x/"') + route(path='"/api/"', match_host='["b.test", "a.test"]')
    texts = {
        re.sub(r"toml:\d+", "toml", export(config.load((HEAD + text).encode(), source=source), target))
        for text in (one, two)
        for source in ("devproxy.toml", "/elsewhere/devproxy.toml")
    }
    assert len(texts) == 1


HOSTILE = {
    "quotes": "\"; } evil { ' `x` \\\\ $host %[src] {$HOME} {header.X}",
    "a comment": "# not a comment",
    "a dollar": "5$ $1 ${x}".replace("${", "$${"),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("target", TARGETS)
def test_a_value_cannot_end_its_line(target: str, name: str) -> None:
    value = '"' + HOSTILE[name].replace("\\", "\\\\").replace('"', '\\"').replace("\\\\\\\\", "\\\\") + '"'
    routes = route(headers__response__set=f"{{ X-A = {value} }}")
    text = export(config.load((HEAD + routes).encode(), source="a\\nb.toml"), target)
    plain = export(config.load((HEAD + route(headers__response__set='{ X-A = "x" }')).encode(), source="a"), target)
    assert abs(text.count("\n") - plain.count("\n")) <= 3  # nginx needs three lines for a dollar sign


ODD = r"regex:https://(?!evil)[a-z]+\.shop\.example"


@pytest.mark.parametrize(
    ("target", "is_kept"), [("nginx", True), ("haproxy", True), ("caddy", False), ("traefik", False)]
)
def test_an_origin_that_a_target_does_not_understand_is_left_out_and_said(target: str, is_kept: bool) -> None:
    routes = route(cors__origins=f"['{ODD}', 'https://shop.example']")
    text = export(config.load((HEAD + routes).encode(), source="x"), target)
    code = "\n".join(line for line in text.splitlines() if not line.strip().startswith("#"))
    assert ("(?!evil)" in code) is is_kept
    assert ("origins regex:" in text) is not is_kept


@pytest.mark.parametrize("target", ["vite", "socketio"])
@pytest.mark.parametrize("regex", [r"(?i)https://a\.example", r"https://(?P<who>[a-z]+)\.example"])
def test_an_origin_that_javascript_does_not_understand_is_left_out_and_said(target: str, regex: str) -> None:
    routes = route(path='"/socket.io/"', cors__origins=f"['regex:{regex}', 'https://shop.example']")
    text = export(config.load((HEAD + routes).encode(), source="x"), target)
    assert text.count(regex.partition("[")[0]) == 1
    assert "origins regex:" in text


def test_text_of_yaml_has_no_line_of_its_own() -> None:
    from devproxy.exporting.yaml import text

    assert text('a"\u2028\x85\n🐎') == '"a\\"\\u2028\\u0085\\n🐎"'


@pytest.mark.parametrize("target", TARGETS)
def test_where_a_recording_answers_a_server_has_to_be_named(target: str) -> None:
    head = '[upstreams.backend]\nrecording = "session.har"\n'
    loaded = config.load((head + route(path='"/socket.io/"')).encode(), source="x")
    (pool,) = read_site(loaded, Wanted()).pools
    assert pool.is_assumed
    assert "session.har" in pool.notes[0]
    assert "localhost:3001" in export(loaded, target).replace("127.0.0.1", "localhost") or target == "socketio"


@pytest.mark.parametrize(("written", "seconds"), [("0", "3600"), ("5", "3600"), ("600", "600")])
def test_no_poll_is_cut_by_the_time_that_a_websocket_may_be_quiet(written: str, seconds: str) -> None:
    head = f"[server]\ntunnel_idle_timeout_s = {written}\n" + HEAD
    loaded = config.load((head + route()).encode(), source="x")
    assert f"proxy_read_timeout {seconds}s;" in export(loaded, "nginx")
    assert "timeout server 3600s" in export(loaded, "haproxy")
    assert f"timeout tunnel {written if written != '0' else 3600}s" in export(loaded, "haproxy")


def test_a_path_that_a_route_writes_is_one_word_whatever_is_in_it() -> None:
    text = route(path='"/w/"', rewrite="""'/z"{q};\\1/'""")
    loaded = config.load((HEAD + text).encode(), source="devproxy.toml")
    assert '"/z\\"{q};\\\\1$1";' in export(loaded, "nginx", Wanted())
    assert """'/z"{q};\\\\1\\1'""" in export(loaded, "haproxy", Wanted())
