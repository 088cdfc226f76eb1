"""Places that an upstream names come back to the one origin; all others cross octet for octet."""

from __future__ import annotations

import pytest
from devproxy.config.model import Config, Cookies, PathKind, Route, Scheme, Server, ServerAddress, Upstream
from devproxy.http.edits import FieldRepair
from devproxy.http.fields import read_field
from devproxy.policy.cookies import compile_cookies, repair
from devproxy.policy.location import Asked, compile_locations, map_back
from devproxy.policy.mount import mount_of
from hypothesis import assume, given
from hypothesis import strategies as st

FRONT = b"http://localhost:8080"


def server(url: str) -> ServerAddress:
    if url.startswith("unix:"):
        return ServerAddress(scheme=Scheme.UNIX, host="localhost", port=0, url=url, path=url[5:])
    scheme, _, authority = url.partition("://")
    host, _, port = authority.rpartition(":")
    return ServerAddress(scheme=Scheme(scheme), host=host.strip("[]"), port=int(port), url=url)


def upstream(name: str, *urls: str) -> Upstream:
    return Upstream(name=name, servers=tuple(server(url) for url in urls))


BACKEND = upstream("backend", "http://localhost:3001", "http://localhost:3002")
AUTH = upstream("auth", "http://auth.internal:4000")
SECURE = upstream("secure", "https://api.example.test:443")
FRONTEND = upstream("frontend", "http://[::1]:5173")


def route(
    pattern: str,
    upstream: str = "backend",
    rewrite: str | None = None,
    kind: PathKind = PathKind.PREFIX,
    host: str = "keep",
    methods: tuple[str, ...] = (),
) -> Route:
    return Route(kind=kind, pattern=pattern, upstream=upstream, rewrite=rewrite, host=host, methods=methods)


ROOT = route("/", "frontend")


def change(
    line: bytes,
    own: Route,
    *others: Route,
    front: bytes = FRONT,
    upstreams: tuple[Upstream, ...] = (),
    asked: Asked | None = None,
) -> FieldRepair | None:
    ups = upstreams or (BACKEND, AUTH, SECURE, FRONTEND)
    config = Config(server=Server(), upstreams=ups, routes=(own, *others))
    return map_back(compile_locations(config, own), read_field(line), front=front, asked=asked)


def mapped(line: bytes, own: Route, *others: Route, front: bytes = FRONT, asked: Asked | None = None) -> bytes:
    """The line that the client gets."""
    found = change(line, own, *others, front=front, asked=asked)
    assert found is None or (found.line != line and found.reasons)
    return line if found is None else found.line


def location(reference: bytes, own: Route, *others: Route, front: bytes = FRONT) -> bytes:
    """The Location that the client gets."""
    return mapped(b"Location: " + reference, own, *others, front=front).removeprefix(b"Location: ")


PLAIN = route("/api/")
STRIPS = route("/api/", rewrite="/")
REWRITES = route("/api/", rewrite="/v1/")


# -- absolute references -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "authority",
    [
        b"localhost:3001",
        b"LOCALHOST:3001",
        b"localhost.:3001",
        b"127.0.0.1:3001",
        b"[::1]:3001",
        b"0.0.0.0:3001",
        b"localhost:3002",
        b"user:pass@localhost:3001",
        b"user@127.0.0.1:3001",
        b"evil.test@localhost:3001",
    ],
)
def test_a_place_of_the_routes_upstream_comes_back_to_the_front(authority: bytes) -> None:
    assert location(b"http://%b/api/x?y=1#z" % authority, PLAIN) == FRONT + b"/api/x?y=1#z"
    assert location(b"HTTP://%b/api/x" % authority, PLAIN) == FRONT + b"/api/x"


@pytest.mark.parametrize(
    "reference",
    [
        b"https://login.idp.test/authorize?redirect_uri=http://localhost:3001/cb",
        b"http://localhost:9999/x",
        b"http://localhost/x",
        b"http://localhost:8080/x",
        b"http://localhost:3001@evil.test/x",
        b"http://localhost:3001.evil.test/x",
        b"http://localhost:30011/x",
        b"http://xlocalhost:3001/x",
        b"http://localhost:3001:3001/x",
        b"https://localhost:3001/x",
        b"http://evil.test/http://localhost:3001/",
        b"http://evil.test\\@localhost:3001/",
        b"http://evil.test#@localhost:3001/",
        b"http:///localhost:3001/x",
        b"http:/localhost:3001/x",
        b"http://api.example.test/x",
        b"ftp://localhost:3001/x",
        b"myapp://localhost:3001/x",
        b"mailto:a@localhost",
        b"//evil.test/x",
        b"/\\evil.test/x",
        b"\\\\evil.test",
        b"http://",
        b"//",
        b"http://@/",
        b"http://[::1/x",
        b"http://\xff\xfe/",
    ],
)
@pytest.mark.parametrize("own", [PLAIN, STRIPS, REWRITES], ids=["plain", "strips", "rewrites"])
def test_a_foreign_place_stays_octet_for_octet(reference: bytes, own: Route) -> None:
    assert change(b"LOCATION:  " + reference, own, ROOT) is None


def test_a_place_without_a_scheme_is_meant_by_that_of_the_server_or_reached_by_that_of_the_front() -> None:
    own = route("/secure/", "secure", rewrite="/", host="upstream")
    assert location(b"//api.example.test/x", own, ROOT) == b"//localhost:8080/secure/x"
    assert location(b"//api.example.test:80/x", own, ROOT) == b"//api.example.test:80/x"
    assert location(b"//localhost:3001/x", own, STRIPS, ROOT) == b"//localhost:8080/api/x"


def test_the_name_of_the_field_stays_as_it_was_written() -> None:
    assert mapped(b"lOCATION:http://localhost:3001/api/x", PLAIN) == b"lOCATION: " + FRONT + b"/api/x"


def test_a_place_without_a_path_gets_one() -> None:
    assert location(b"http://localhost:3001", PLAIN) == FRONT + b"/"
    assert location(b"http://localhost:3001?a=1", STRIPS) == FRONT + b"/api/?a=1"


def test_a_reference_without_a_scheme_keeps_none() -> None:
    assert location(b"//127.0.0.1:3001/api/x", PLAIN) == b"//localhost:8080/api/x"


def test_default_ports_may_be_written_or_not() -> None:
    secure = route("/s/", "secure")
    assert location(b"https://api.example.test/s/x", secure) == FRONT + b"/s/x"
    assert location(b"https://API.example.test:443/s/x", secure) == FRONT + b"/s/x"


def test_a_server_that_insists_on_tls_is_not_sent_in_circles() -> None:
    plain = upstream("plain", "http://api.example.test:80")
    own = route("/", "plain")
    assert change(b"Location: https://api.example.test/x", own, upstreams=(plain,)) is None


def test_a_server_that_is_sent_another_name_is_found_by_it() -> None:
    own = route("/api/", rewrite="/", host="app.test")
    assert location(b"http://app.test/x", own) == FRONT + b"/api/x"
    assert location(b"http://app.test:3001/x", own) == b"http://app.test:3001/x"
    assert location(b"http://app.test/x", STRIPS) == b"http://app.test/x"


def test_a_server_behind_a_unix_socket_is_found_by_the_host_that_it_is_sent() -> None:
    socket = upstream("socket", "unix:/run/app.sock")
    own = route("/api/", "socket", rewrite="/", host="upstream")
    found = change(b"Location: http://localhost/x", own, upstreams=(socket,))
    assert found is not None
    assert found.line == b"Location: " + FRONT + b"/api/x"


@pytest.mark.parametrize("own", [PLAIN, STRIPS, REWRITES], ids=["plain", "strips", "rewrites"])
def test_a_place_of_the_front_stays_but_for_its_user(own: Route) -> None:
    assert change(b"Location: http://localhost:8080/x", own) is None
    assert location(b"http://user:pass@localhost:8080/x?a", own) == FRONT + b"/x?a"


def test_the_front_is_whatever_the_browser_called_it() -> None:
    assert location(b"http://localhost:3001/api/x", PLAIN, front=b"https://app.test") == b"https://app.test/api/x"
    assert location(b"http://localhost:3001/api/x", PLAIN, front=b"http://[::1]:1") == b"http://[::1]:1/api/x"


# -- paths -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("own", "path", "expected"),
    [
        (PLAIN, b"/api/x", b"/api/x"),
        (PLAIN, b"/login", b"/login"),
        (STRIPS, b"/", b"/api/"),
        (STRIPS, b"/login", b"/api/login"),
        (STRIPS, b"/api/x", b"/api/x"),
        (STRIPS, b"/api", b"/api"),
        (STRIPS, b"/api2/x", b"/api/api2/x"),
        (STRIPS, b"/API/x", b"/api/API/x"),
        (STRIPS, b"/%61pi/x", b"/%61pi/x"),
        (STRIPS, b"/x/../api/y", b"/api/y"),
        (REWRITES, b"/api/x", b"/api/x"),
        (route("/api/", rewrite="/api/v2/"), b"/api/v2/x", b"/api/x"),
        (route("/api/", rewrite="/api/v2/"), b"/api/v3/x", b"/api/v3/x"),
        (route("/api/v2/", rewrite="/api/"), b"/api/x", b"/api/v2/x"),
        (route("/api/v2/", rewrite="/api/"), b"/api/v2/x", b"/api/v2/x"),
        (STRIPS, b"//x", b"/api//x"),
        (STRIPS, b"/a%2Fb/%41", b"/api/a%2Fb/%41"),
        (STRIPS, b"/../login", b"/api/login"),
        (STRIPS, b"/a/../../login", b"/api/login"),
        (REWRITES, b"/v1/x", b"/api/x"),
        (REWRITES, b"/v1", b"/api"),
        (REWRITES, b"/v1/", b"/api/"),
        (REWRITES, b"/v12/x", b"/v12/x"),
        (REWRITES, b"/v1/../x", b"/v1/../x"),
        (REWRITES, b"/x/%2e%2E/v1/y", b"/api/y"),
        (REWRITES, b"/login", b"/login"),
        (route("/", rewrite="/app/"), b"/app/x", b"/x"),
        (route("/", rewrite="/app/"), b"/app//evil.test", b"/evil.test"),
        (route("/old", rewrite="/new", kind=PathKind.EXACT), b"/new", b"/old"),
        (route("/old", rewrite="/new", kind=PathKind.EXACT), b"/newer", b"/newer"),
    ],
)
def test_an_upstreams_path_becomes_the_one_that_leads_there(own: Route, path: bytes, expected: bytes) -> None:
    assert location(b"http://localhost:3001" + path, own) == FRONT + expected


@pytest.mark.parametrize(
    ("own", "path", "expected"),
    [
        (PLAIN, b"/login", b"/login"),
        (STRIPS, b"/", b"/api/"),
        (STRIPS, b"/login?next=/x#y", b"/api/login?next=/x#y"),
        (STRIPS, b"/apikey", b"/api/apikey"),
        (STRIPS, b"/../login", b"/api/login"),
        (STRIPS, b"/api", b"/api"),
        (STRIPS, b"/api/login", b"/api/login"),
        (STRIPS, b"login", b"login"),
        (STRIPS, b"../login", b"../login"),
        (STRIPS, b"?page=2", b"?page=2"),
        (STRIPS, b"#top", b"#top"),
        (STRIPS, b"", b""),
        (REWRITES, b"/v1/login", b"/api/login"),
        (REWRITES, b"/login", b"/login"),
        (REWRITES, b"/api/login", b"/api/login"),
        (route("/", rewrite="/app/"), b"/app/login", b"/login"),
        (route("/", rewrite="/app/"), b"/app//evil.test/", b"/evil.test/"),
        (route("/", rewrite="/app/"), b"/app/\\evil.test/", b"/app/\\evil.test/"),
        (route("/", rewrite="/app/"), b"/app/\t/evil.test/", b"/app/\t/evil.test/"),
        (route("/api/", rewrite="/api/v1/"), b"/api/v1/x", b"/api/x"),
        (route("/v1/api/", rewrite="/v1/"), b"/v1/x", b"/v1/api/x"),
        (route("/old", rewrite="/new", kind=PathKind.EXACT), b"/new?a", b"/old?a"),
        (route("/old", rewrite="/new", kind=PathKind.EXACT), b"/other", b"/other"),
        (route("/a/*", kind=PathKind.GLOB), b"/login", b"/login"),
    ],
)
def test_an_absolute_path_gets_back_what_the_route_took_off(own: Route, path: bytes, expected: bytes) -> None:
    assert location(path, own) == expected


# -- a server that knows where it is mounted, and one that does not ----------------------------------------------------

KINDS = (
    (b"Location: ", b""),
    (b"Content-Location: ", b""),
    (b"Refresh: 0; url=", b""),
    (b"Link: <", b">; rel=next"),
)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind[0].partition(b":")[0].decode())
@pytest.mark.parametrize("own", [STRIPS, REWRITES], ids=["strips", "rewrites"])
@pytest.mark.parametrize("start", [b"", FRONT, b"//localhost:8080"])
@pytest.mark.parametrize("path", [b"/api", b"/api/", b"/api/items/", b"/api/a%2Fb?x=/y#z"])
def test_what_lies_below_the_prefix_already_stays(
    kind: tuple[bytes, bytes], own: Route, start: bytes, path: bytes
) -> None:
    line = kind[0] + start + path + kind[1]
    assert mapped(line, own, ROOT, asked=Asked(b"/api/items", b"/items")) == line


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind[0].partition(b":")[0].decode())
@pytest.mark.parametrize("own", [STRIPS, REWRITES], ids=["strips", "rewrites"])
def test_an_address_of_the_server_itself_gets_no_second_prefix(kind: tuple[bytes, bytes], own: Route) -> None:
    line = kind[0] + b"http://127.0.0.1:3001/api/items/" + kind[1]
    assert mapped(line, own, ROOT) == kind[0] + FRONT + b"/api/items/" + kind[1]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind[0].partition(b":")[0].decode())
@pytest.mark.parametrize("start", [b"", FRONT, b"//localhost:8080", b"http://localhost:3001"])
@pytest.mark.parametrize("path", [b"/items/", b"/items", b"/items/7", b"/items?page=2", b"/x/../items/"])
def test_the_redirect_of_a_path_that_was_just_stripped_comes_back(
    kind: tuple[bytes, bytes], start: bytes, path: bytes
) -> None:
    found = mapped(kind[0] + start + path + kind[1], STRIPS, ROOT, asked=Asked(b"/api/items", b"/items"))
    front = b"//localhost:8080" if start.startswith(b"//") else FRONT if start else b""
    assert found == kind[0] + front + b"/api" + path.removeprefix(b"/x/..") + kind[1]


@pytest.mark.parametrize(
    ("own", "asked", "reference", "expected"),
    [
        # other places of the front may be pages of its own
        (STRIPS, Asked(b"/api/items", b"/items"), FRONT + b"/login", FRONT + b"/login"),
        (STRIPS, Asked(b"/api/items", b"/items"), FRONT + b"/itemsx/", FRONT + b"/itemsx/"),
        (STRIPS, Asked(b"/api/items", b"/items"), FRONT + b"/", FRONT + b"/"),
        (STRIPS, Asked(b"/api/", b"/"), FRONT + b"/", FRONT + b"/"),
        (STRIPS, Asked(b"/api", b"/"), FRONT + b"/dashboard", FRONT + b"/dashboard"),
        (PLAIN, Asked(b"/api/items", b"/api/items"), FRONT + b"/api/items/", FRONT + b"/api/items/"),
        (REWRITES, Asked(b"/api/items", b"/v1/items"), FRONT + b"/v1/items/", FRONT + b"/api/items/"),
        (REWRITES, Asked(b"/api/items", b"/v1/items"), FRONT + b"/items/", FRONT + b"/items/"),
        (STRIPS, Asked(b"/api/a%2Fb", b"/a%2Fb"), FRONT + b"/a%2fb/", FRONT + b"/api/a%2fb/"),
        (STRIPS, Asked(b"/api/items", b"/items"), b"https://localhost:8080/items/", b"https://localhost:8080/items/"),
        (STRIPS, Asked(b"/api/items", b"/items"), b"http://evil.test/items/", b"http://evil.test/items/"),
        (
            route("/old", rewrite="/new", kind=PathKind.EXACT),
            Asked(b"/old", b"/new"),
            FRONT + b"/new?again",
            FRONT + b"/old?again",
        ),
    ],
)
def test_other_places_of_the_front_stay(own: Route, asked: Asked, reference: bytes, expected: bytes) -> None:
    assert mapped(b"Location: " + reference, own, ROOT, asked=asked) == b"Location: " + expected


@pytest.mark.parametrize(
    ("own", "asked", "reference", "expected"),
    [
        (STRIPS, Asked(b"/api/items/7", b"/items/7"), b"8", b"8"),
        (STRIPS, Asked(b"/api/items/7", b"/items/7"), b"../users/1", b"../users/1"),
        (STRIPS, Asked(b"/api/items/7", b"/items/7"), b"../../users/1?x#y", b"/api/users/1?x#y"),
        (STRIPS, Asked(b"/api/items", b"/items"), b"../login", b"/api/login"),
        (STRIPS, Asked(b"/api/items", b"/items"), b"%2e%2E/login", b"/api/login"),
        (STRIPS, Asked(b"/api/items", b"/items"), b"../api/login", b"../api/login"),
        (STRIPS, Asked(b"/api/items", b"/items"), b"?next=../..", b"?next=../.."),
        (STRIPS, Asked(b"/api/items", b"/items"), b"mailto:../../x", b"mailto:../../x"),
        (STRIPS, Asked(b"/api/items", b"/items"), b"..\\..\\x", b"..\\..\\x"),
        (REWRITES, Asked(b"/api/items", b"/v1/items"), b"../v1/login", b"/api/login"),
        (REWRITES, Asked(b"/api/items", b"/v1/items"), b"../login", b"../login"),
        (PLAIN, Asked(b"/api/items", b"/api/items"), b"../login", b"../login"),
    ],
)
def test_a_relative_place_comes_back_where_it_climbs_out_of_the_prefix(
    own: Route, asked: Asked, reference: bytes, expected: bytes
) -> None:
    assert mapped(b"Location: " + reference, own, ROOT, asked=asked) == b"Location: " + expected


SEGMENTS = st.sampled_from([b"api", b"API", b"api2", b"apix", b"v1", b"%61pi", b"a%2Fb", b"items", b"..", b".", b""])
PATHS = st.lists(SEGMENTS, max_size=5).map(lambda segments: b"/" + b"/".join(segments))
RULES = st.sampled_from(
    [
        STRIPS,
        REWRITES,
        route("/", rewrite="/v1/"),
        route("/api/", rewrite="/api/v1/"),
        route("/api/v1/", rewrite="/api/"),
        route("/a/b/", rewrite="/"),
    ]
)


@given(own=RULES, path=PATHS, kind=st.sampled_from(KINDS))
def test_a_place_and_a_cookie_get_the_same_path_and_getting_it_twice_is_getting_it_once(
    own: Route, path: bytes, kind: tuple[bytes, bytes]
) -> None:
    assume(not path.startswith(b"//"))
    line = kind[0] + path + kind[1]
    once = mapped(line, own, ROOT)
    front = mount_of(own)
    assert front is not None
    if front.has(once.removeprefix(kind[0]).removesuffix(kind[1])):
        assert mapped(once, own, ROOT) == once
    absolute = mapped(kind[0] + b"http://localhost:3001" + path + kind[1], own)
    assert absolute.startswith(kind[0] + FRONT + b"/")
    cookies = compile_cookies(Cookies(), own)
    if cookies is not None and b"." not in path and path != b"/" and once != line:
        repaired = repair(cookies, read_field(b"Set-Cookie: a=1; Path=" + path))
        assert repaired is not None
        assert repaired.line == b"Set-Cookie: a=1; Path=" + once.removeprefix(kind[0]).removesuffix(kind[1])


# -- other upstreams ---------------------------------------------------------------------------------------------------


def test_a_place_of_another_upstream_takes_the_only_route_that_leads_there() -> None:
    login = b"http://auth.internal:4000/login"
    assert location(login, PLAIN, ROOT, route("/auth/", "auth", rewrite="/")) == FRONT + b"/auth/login"
    assert location(login, PLAIN, ROOT, route("/login", "auth")) == FRONT + b"/login"


def test_a_place_of_another_upstream_to_which_no_one_route_leads_keeps_its_path() -> None:
    login = b"http://auth.internal:4000/login"
    two = (route("/a/", "auth", rewrite="/"), route("/b/", "auth", rewrite="/"))
    assert location(login, PLAIN, ROOT, *two) == FRONT + b"/login"
    assert location(login, PLAIN, ROOT) == FRONT + b"/login"


def test_a_way_that_another_route_cuts_off_is_no_way() -> None:
    shadowed = (route("/auth/", "auth", rewrite="/"), route("/auth/login", "frontend"))
    found = change(b"Location: http://auth.internal:4000/login", PLAIN, ROOT, *shadowed)
    assert found is not None
    assert found.line == b"Location: " + FRONT + b"/login"
    assert "no route leads" in found.reasons[0]


NAMED = upstream("named", "http://api.localhost:3003")
OTHER = upstream("other", "http://web.localhost:3003")


@pytest.mark.parametrize(
    "host", [b"api.localhost", b"API.localhost.", b"localhost", b"127.0.0.1", b"[::1]", b"x.localhost"]
)
def test_a_server_below_localhost_may_name_itself_by_any_name_of_this_machine(host: bytes) -> None:
    own = route("/api/", "named", rewrite="/")
    found = change(b"Location: http://" + host + b":3003/x", own, upstreams=(NAMED,))
    assert found is not None
    assert found.line == b"Location: " + FRONT + b"/api/x"


def test_two_names_below_localhost_are_two_servers() -> None:
    own, other = route("/api/", "named", rewrite="/"), route("/web/", "other", rewrite="/")
    found = change(b"Location: http://web.localhost:3003/x", own, other, upstreams=(NAMED, OTHER))
    assert found is not None
    assert found.line == b"Location: " + FRONT + b"/web/x"


def test_the_own_route_is_preferred_to_others() -> None:
    other = route("/also/", rewrite="/")
    assert location(b"http://localhost:3001/x", STRIPS, other) == FRONT + b"/api/x"
    assert location(b"http://localhost:3001/x", other, STRIPS) == FRONT + b"/also/x"


def test_a_route_that_no_get_takes_gives_way_to_one_that_does() -> None:
    posts = route("/api/", rewrite="/", methods=("POST",))
    assert location(b"http://localhost:3001/items/1", posts, route("/items/")) == FRONT + b"/items/1"
    assert location(b"http://localhost:3001/items/1", posts, ROOT) == FRONT + b"/api/items/1"


def test_an_address_of_the_frontend_comes_back_too() -> None:
    assert location(b"http://localhost:5173/welcome", STRIPS, ROOT) == FRONT + b"/welcome"


# -- the fields --------------------------------------------------------------------------------------------------------


def test_content_location_is_mapped_as_location_is() -> None:
    assert mapped(b"Content-Location: /x", STRIPS) == b"Content-Location: /api/x"


@pytest.mark.parametrize("name", [b"X-Location", b"Set-Cookie", b"Access-Control-Allow-Origin", b"Content-Type"])
def test_no_other_field_is_touched(name: bytes) -> None:
    assert change(name + b": http://localhost:3001/x", STRIPS) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"0;url=http://localhost:3001/x", b"0;url=http://localhost:8080/api/x"),
        (b"5; URL = /x", b"5; URL = /api/x"),
        (b"5, url=/x", b"5, url=/api/x"),
        (b"5 url=/x", b"5 url=/api/x"),
        (b"5;/x", b"5;/api/x"),
        (b"1.5; url='/x'; more", b"1.5; url='/api/x'; more"),
        (b'0; url="/x?a=1"', b'0; url="/api/x?a=1"'),
        (b"0; url='/x", b"0; url='/api/x"),
        (b"0; url=https://evil.test/", b"0; url=https://evil.test/"),
        (b"5", b"5"),
        (b"url=/x", b"url=/x"),
        (b"soon; url=/x", b"soon; url=/x"),
    ],
)
def test_refresh_is_mapped_in_all_the_spellings_that_browsers_take(value: bytes, expected: bytes) -> None:
    assert mapped(b"Refresh: " + value, STRIPS) == b"Refresh: " + expected


def test_every_target_of_a_link_field_is_mapped_and_nothing_else_of_it() -> None:
    value = (
        b'<http://localhost:3001/p?page=2>; rel="next", <https://cdn.test/a.css>;rel=preload , '
        b'</app.js>; rel=modulepreload; title="a <http://localhost:3001/b> \\" </c>"; x=y,<d>; rel=prev'
    )
    assert mapped(b"Link: " + value, STRIPS) == (
        b'Link: <http://localhost:8080/api/p?page=2>; rel="next", <https://cdn.test/a.css>;rel=preload , '
        b'</api/app.js>; rel=modulepreload; title="a <http://localhost:3001/b> \\" </c>"; x=y,<d>; rel=prev'
    )


def test_the_reason_names_the_upstream_and_the_route() -> None:
    found = change(b"Location: http://localhost:3001/x", STRIPS)
    assert found is not None
    assert found.reasons[0] == "it is a URL of upstream backend, and route /api/ leads there"


def test_a_link_says_each_reason_once() -> None:
    found = change(b"Link: </a>, </b>, <http://localhost:3001/c>", STRIPS)
    assert found is not None
    assert found.reasons[0].count("removes its path") == 1
    assert found.reasons[0].count("; ") == 1


def test_the_reason_says_when_no_route_leads_to_a_path() -> None:
    found = change(b"Location: http://localhost:3001/login", PLAIN, ROOT)
    assert found is not None
    assert found.reasons[0] == "it is a URL of upstream backend; no route leads a GET to its path, which stays"


def test_an_address_with_a_zone_is_known_without_it() -> None:
    upstreams = (upstream("backend", "http://[fe80::1%eth0]:3001"), FRONTEND)
    found = change(b"Location: http://[fe80::1]:3001/x", route("/"), upstreams=upstreams)
    assert found is not None
    assert found.line == b"Location: " + FRONT + b"/x"
