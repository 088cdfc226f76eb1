"""Set-Cookie repaired on the way down, names undone on the way up, and the verdict of a browser."""

from __future__ import annotations

import pytest
from devproxy.config.model import Cookies, PathKind, Route, SameSiteRule, SecureRule
from devproxy.http.fields import make_field
from devproxy.policy.cookies import CookieRules, browser_verdict, compile_cookies, front_of, repair, restore

SLASH = Route(kind=PathKind.PREFIX, pattern="/", upstream="api")
STRIPPED = Route(kind=PathKind.PREFIX, pattern="/api/", upstream="api", rewrite="/")
MOVED = Route(kind=PathKind.PREFIX, pattern="/api", upstream="api", rewrite="/v1/")
AUTO = Cookies(domain="", secure=SecureRule.AUTO, same_site=SameSiteRule.AUTO)


def compiled(cookies: Cookies, route: Route = SLASH) -> CookieRules:
    rules = compile_cookies(cookies, route)
    assert rules is not None
    return rules


def down(value: bytes, cookies: Cookies, route: Route = SLASH, scheme: str = "http") -> bytes:
    """Return what a browser gets for the Set-Cookie `value`."""
    field = make_field(b"set-cookie", value)
    change = repair(compiled(cookies, route), field, is_https=scheme == "https")
    if change is None:
        return value
    assert change.reasons
    assert change.line != field.line
    return change.line.removeprefix(b"set-cookie: ")


def up(value: bytes, cookies: Cookies) -> bytes | None:
    """Return what the upstream gets for the Cookie `value`: None for no line at all."""
    field = make_field(b"cookie", value)
    line = restore(compiled(cookies), field)
    if line is None:
        return value
    assert line != field.line
    return line.removeprefix(b"cookie: ") if line else None


# -- compiling ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "route",
    [
        SLASH,
        Route(kind=PathKind.PREFIX, pattern="/api/", upstream="api"),
        Route(kind=PathKind.PREFIX, pattern="/api/", upstream="api", rewrite="/api"),
        Route(kind=PathKind.EXACT, pattern="/api", upstream="api", rewrite="/v1"),
        Route(kind=PathKind.PREFIX, pattern="/a;b/", upstream="api", rewrite="/"),
    ],
)
def test_a_route_without_anything_to_do_has_no_rules(route: Route) -> None:
    assert compile_cookies(Cookies(), route) is None


def test_a_stripped_prefix_alone_is_something_to_do_unless_paths_are_not_mapped() -> None:
    assert compile_cookies(Cookies(), STRIPPED) is not None
    assert compile_cookies(Cookies(maps_path=False), STRIPPED) is None


@pytest.mark.parametrize("prefix", ["a b", "a;", "a=", "a\r\n", "a\0", "__Host-", "__secure-shop", "é"])
def test_a_prefix_that_cannot_begin_every_name_is_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match=r"cookies\.prefix"):
        compile_cookies(Cookies(prefix=prefix), SLASH)


@pytest.mark.parametrize("domain", ["a b", "a;b", "a\r\nSet-Cookie: b", "a\0"])
def test_a_domain_that_no_attribute_can_hold_is_refused(domain: str) -> None:
    with pytest.raises(ValueError, match=r"cookies\.domain"):
        compile_cookies(Cookies(domain=domain), SLASH)
    with pytest.raises(ValueError, match=r"cookies\.domain"):
        compile_cookies(Cookies(domain_map=(("a.test", domain),)), SLASH)


# -- domain ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"a=1; Domain=api.example.com; Path=/", b"a=1; Path=/"),
        (b"a=1; domain=.example.com", b"a=1"),
        (b"a=1; Domain=x; HttpOnly; Domain=y", b"a=1; HttpOnly"),
        (b"a=1; Domain=", b"a=1; Domain="),
        (b"a=1; Domain=x; Domain=", b"a=1; Domain=x; Domain="),
        (b"a=Domain", b"a=Domain"),
    ],
)
def test_an_empty_domain_takes_the_attribute_off(value: bytes, expected: bytes) -> None:
    assert down(value, Cookies(domain="")) == expected


def test_a_domain_replaces_the_one_that_counts_and_is_not_added_where_there_is_none() -> None:
    rules = Cookies(domain="app.test")
    assert down(b"a=1;  DOMAIN = api.example.com ;Path=/", rules) == b"a=1;  DOMAIN = app.test ;Path=/"
    assert down(b"a=1; Domain=first; Domain=last", rules) == b"a=1; Domain=first; Domain=app.test"
    assert down(b"a=1; Domain=app.test", rules) == b"a=1; Domain=app.test"
    assert down(b"a=1", rules) == b"a=1"


def test_a_domain_in_the_map_goes_before_the_general_rule() -> None:
    rules = Cookies(domain="", domain_map=(("example.com", "app.test"), ("gone.test", "")))
    assert down(b"a=1; Domain=.Example.COM", rules) == b"a=1; Domain=app.test"
    assert down(b"a=1; Domain=other.com", rules) == b"a=1"
    only_map = Cookies(domain_map=(("example.com", "app.test"), ("gone.test", "")))
    assert down(b"a=1; Domain=gone.test; Path=/", only_map) == b"a=1; Path=/"
    assert down(b"a=1; Domain=other.com", only_map) == b"a=1; Domain=other.com"


# -- path --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"a=1; Path=/auth", b"a=1; Path=/api/auth"),
        (b"a=1; Path=/auth/; HttpOnly", b"a=1; Path=/api/auth/; HttpOnly"),
        (b"a=1; Path=/apix", b"a=1; Path=/api/apix"),
        (b"a=1; Path=/API", b"a=1; Path=/api/API"),
        (b"a=1;path = /auth ;x", b"a=1;path = /api/auth ;x"),
        (b"a=1; Path=/one; Path=/two", b"a=1; Path=/one; Path=/api/two"),
        (b"a=1; Path=/", b"a=1; Path=/"),
        (b"a=1; Path=", b"a=1; Path="),
        (b"a=1; Path", b"a=1; Path"),
        (b"a=1; Path=auth", b"a=1; Path=auth"),
        (b"a=1", b"a=1"),
        (b"a=1; Path=/" + b"x" * 1021, b"a=1; Path=/" + b"x" * 1021),
    ],
)
def test_a_path_comes_back_below_the_stripped_prefix_but_the_root_stays(value: bytes, expected: bytes) -> None:
    assert down(value, Cookies(), STRIPPED) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"a=1; Path=/v1", b"a=1; Path=/api"),
        (b"a=1; Path=/v1/", b"a=1; Path=/api/"),
        (b"a=1; Path=/v1/auth", b"a=1; Path=/api/auth"),
        (b"a=1; Path=/v10", b"a=1; Path=/v10"),
        (b"a=1; Path=/other", b"a=1; Path=/other"),
        (b"a=1; Path=/", b"a=1; Path=/"),
    ],
)
def test_a_path_at_or_below_what_the_prefix_is_replaced_by_comes_back(value: bytes, expected: bytes) -> None:
    assert down(value, Cookies(), MOVED) == expected


@pytest.mark.parametrize("route", [STRIPPED, MOVED], ids=["stripped", "moved"])
@pytest.mark.parametrize("path", [b"/api", b"/api/", b"/api/auth", b"/%61pi/auth", b"/api/../api"])
def test_a_path_of_a_server_that_knows_where_it_is_mounted_stays(route: Route, path: bytes) -> None:
    assert down(b"a=1; Path=" + path, Cookies(), route) == b"a=1; Path=" + path


def test_a_base_below_the_prefix_is_the_servers_own() -> None:
    route = Route(kind=PathKind.PREFIX, pattern="/api/", upstream="api", rewrite="/api/v2/")
    assert down(b"a=1; Path=/api/v2/auth", Cookies(), route) == b"a=1; Path=/api/auth"
    assert down(b"a=1; Path=/api", Cookies(), route) == b"a=1; Path=/api"


def test_a_path_comes_back_to_the_root_where_the_route_is_the_root() -> None:
    route = Route(kind=PathKind.PREFIX, pattern="/", upstream="api", rewrite="/v1")
    assert down(b"a=1; Path=/v1", Cookies(), route) == b"a=1; Path=/"
    assert down(b"a=1; Path=/v1/x", Cookies(), route) == b"a=1; Path=/x"


# -- Secure, SameSite, Partitioned -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"a=1; SameSite=None; Secure", b"a=1; SameSite=Lax"),
        (b"a=1; Secure; HttpOnly", b"a=1; HttpOnly"),
        (b"a=1; secure=x; SECURE", b"a=1"),
        (b"a=1;samesite = NONE ;Path=/", b"a=1;samesite = Lax ;Path=/"),
        (b"a=1; SameSite=Strict; Secure", b"a=1; SameSite=Strict"),
        (b"a=1; Secure; Partitioned; SameSite=None", b"a=1; SameSite=Lax"),
        (b"a=1; Partitioned", b"a=1"),
        (b"a=1; SameSite=Weird", b"a=1; SameSite=Weird"),
        (b"a=1; Path=/; Expires=Wed, 21 Oct 2026 07:28:00 GMT", b"a=1; Path=/; Expires=Wed, 21 Oct 2026 07:28:00 GMT"),
    ],
)
def test_on_plain_http_auto_leaves_nothing_that_needs_https(value: bytes, expected: bytes) -> None:
    assert down(value, AUTO) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"a=1; SameSite=None; Secure", b"a=1; SameSite=None; Secure"),
        (b"a=1; SameSite=None", b"a=1; SameSite=None; Secure"),
        (b"a=1; Partitioned;", b"a=1; Partitioned; Secure"),
        (b"__Host-a=1; Path=/", b"__Host-a=1; Path=/; Secure"),
        (b"__Host-a=1", b"insecure-__Host-a=1; Secure"),
        (b"a=1", b"a=1"),
        (b"a=1; Secure", b"a=1; Secure"),
    ],
)
def test_on_https_auto_adds_secure_where_a_browser_asks_for_it(value: bytes, expected: bytes) -> None:
    assert down(value, AUTO, scheme="https") == expected


def test_secure_can_be_forced_and_what_needs_it_goes_with_it() -> None:
    assert down(b"a=1", Cookies(secure=SecureRule.ALWAYS)) == b"a=1; Secure"
    assert down(b"a=1; secure", Cookies(secure=SecureRule.ALWAYS)) == b"a=1; secure"
    never = Cookies(secure=SecureRule.NEVER)
    assert down(b"a=1; Secure; SameSite=None; Partitioned", never, scheme="https") == b"a=1; SameSite=Lax"


def test_same_site_auto_alone_leaves_secure_cookies_alone() -> None:
    rules = Cookies(same_site=SameSiteRule.AUTO)
    assert down(b"a=1; SameSite=None; Secure", rules) == b"a=1; SameSite=None; Secure"
    assert down(b"a=1; SameSite=None; Partitioned", rules) == b"a=1; SameSite=Lax; Partitioned"


@pytest.mark.parametrize("rule", [SameSiteRule.STRICT, SameSiteRule.LAX, SameSiteRule.NONE])
def test_a_same_site_that_the_route_names_replaces_or_is_added_and_stands(rule: SameSiteRule) -> None:
    written = rule.value.capitalize().encode()
    rules = Cookies(same_site=rule, secure=SecureRule.NEVER)
    assert down(b"a=1; SameSite=Weird; Path=/", rules) == b"a=1; SameSite=%b; Path=/" % written
    assert down(b"a=1; SameSite; Path=/", rules) == b"a=1; SameSite=%b; Path=/" % written
    assert down(b"a=1", rules) == b"a=1; SameSite=%b" % written
    same = b"a=1; samesite=" + rule.value.encode()
    assert down(same, rules) == same


# -- names -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"__Host-a=1; Secure; Path=/", b"insecure-__Host-a=1; Path=/"),
        (b"__secure-a=1; Secure", b"insecure-__secure-a=1"),
        (b"__Http-a=1; Secure; HttpOnly", b"insecure-__Http-a=1; HttpOnly"),
        (b"  __Host-a = 1 ;Path=/", b"insecure-__Host-a = 1 ;Path=/"),
        (b"insecure-__Host-a=1", b"insecure-insecure-__Host-a=1"),
        (b"insecure-a=1", b"insecure-a=1"),
        (b"__Hostess=1", b"__Hostess=1"),
    ],
)
def test_a_name_that_promises_too_much_is_marked_and_comes_back(value: bytes, expected: bytes) -> None:
    assert down(value, AUTO).strip() == expected
    name = expected.partition(b"=")[0].strip()
    assert up(name + b"=1", AUTO) == value.partition(b"=")[0].strip() + b"=1"


def test_a_promise_that_is_kept_leaves_the_name_alone() -> None:
    kept = b"__Host-a=1; Secure; Path=/; HttpOnly"
    assert down(kept, AUTO, scheme="https") == kept
    assert down(kept, Cookies(domain="")) == kept
    assert down(b"__Host-a=1; Secure; Path=/; Domain=x", Cookies(domain="")) == b"__Host-a=1; Secure; Path=/"


def test_of_a_name_in_both_forms_the_repaired_one_goes_up() -> None:
    assert up(b"__Host-a=old; b=1; insecure-__Host-a=new", AUTO) == b"b=1; __Host-a=new"
    assert up(b"__Host-a=alone; b=1", AUTO) == b"__Host-a=alone; b=1"


def test_a_prefix_goes_before_every_name_and_only_cookies_that_have_it_go_up() -> None:
    rules = Cookies(prefix="shop.")
    assert down(b"sid=1; Path=/; HttpOnly", rules) == b"shop.sid=1; Path=/; HttpOnly"
    assert down(b"sid=; Max-Age=0", rules) == b"shop.sid=; Max-Age=0"
    assert down(b"__Host-sid=1; Secure; Path=/", rules) == b"shop.__Host-sid=1; Secure; Path=/"
    assert up(b"shop.sid=1; sid=2; blog.sid=3; shop.b=4", rules) == b"sid=1; b=4"
    assert up(b"sid=2; blog.sid=3", rules) is None
    assert up(b"a=1; shop.__Host-sid=1", rules) == b"__Host-sid=1"


@pytest.mark.parametrize(
    ("value", "stored", "sent"),
    [(b"value", b"shop.=value", b"value"), (b"=value", b"shop.=value", b"value"), (b"=a=b", b"shop.=a=b", b"=a=b")],
)
def test_a_cookie_without_a_name_gets_the_prefix_for_one_and_loses_it_again(
    value: bytes, stored: bytes, sent: bytes
) -> None:
    rules = Cookies(prefix="shop.")
    assert down(value, rules) == stored
    assert up(stored, rules) == sent


def test_without_names_to_undo_the_cookie_line_is_not_looked_at() -> None:
    rules = compiled(Cookies(domain=""))
    assert restore(rules, make_field(b"Cookie", b"insecure-__Host-a=1;; b")) is None


def test_spacing_and_order_of_a_cookie_line_stay() -> None:
    assert up(b"z=1;a=2;  insecure-__Host-b=3 ;; c", AUTO) == b"z=1;a=2;  __Host-b=3;; c"


# -- what no rule touches ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value", [b"", b"=", b" ; Secure", b"a\tb=1; Secure", b"a=1\t2; Secure", b"a=1; Path=/x\ty; Domain=x; Secure"]
)
def test_a_line_that_no_browser_can_read_goes_on_as_it_is(value: bytes) -> None:
    field = make_field(b"Set-Cookie", value)
    assert repair(compiled(AUTO), field) is None
    assert repair(compiled(Cookies(prefix="shop.")), field) is None


def test_what_no_rule_touches_keeps_case_order_and_spacing() -> None:
    value = b'a="x=y" ;PATH=/;  max-age=5;;Priority=High ; HttpOnly;secure ;SameSite=None;'
    assert down(value, AUTO) == b'a="x=y" ;PATH=/;  max-age=5;;Priority=High ; HttpOnly;SameSite=Lax;'


def test_an_attribute_that_browsers_ignore_for_its_length_does_not_count() -> None:
    long = b"x" * 1025
    value = b"a=1; Domain=api.test; Domain=" + long
    assert down(value, Cookies(domain="app.test")) == b"a=1; Domain=app.test; Domain=" + long
    assert down(b"a=1; SameSite=None; SameSite=" + long, AUTO) == b"a=1; SameSite=Lax; SameSite=" + long


def test_every_change_has_its_reason_and_no_reason_shows_the_value() -> None:
    change = repair(
        compiled(AUTO, STRIPPED),
        make_field(b"Set-Cookie", b"__Host-a=secret; Domain=api.test; Path=/x; Secure; SameSite=None; Partitioned"),
    )
    assert change is not None
    assert change.line == b"Set-Cookie: insecure-__Host-a=secret; Path=/api/x; SameSite=Lax"
    assert change.reasons == (
        "Domain=`api.test` was removed (cookies.domain)",
        "Path=`/x` became `/api/x`, as the route rewrites paths",
        'Secure was removed: devproxy is reached over plain http (cookies.secure = "auto")',
        "SameSite=None became Lax: browsers accept None only with Secure",
        "Partitioned was removed: browsers accept it only with Secure",
        "`insecure-` was prepended: `__Host-a` asks for Secure, and browsers refuse a cookie that breaks that",
    )
    assert "secret" not in " ".join(change.reasons)


def test_a_reason_shows_octets_that_a_terminal_can_take() -> None:
    change = repair(compiled(AUTO), make_field(b"Set-Cookie", b"a=1; Domain=" + b"\xc3\xa9\x9b" + b"x" * 200))
    assert change is not None
    assert change.reasons[0].isprintable()
    assert len(change.reasons[0]) < 120


# -- the verdict -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "host", "why", "fix"),
    [
        (b"a=1; Domain=api.example.com", b"localhost:8080", "does not cover `localhost`", 'cookies.domain = ""'),
        (b"a=1; Domain=localhost", b"app.localhost", "does not cover `app.localhost`", 'cookies.domain = ""'),
        (b"a=1; Domain=0.0.1", b"127.0.0.1", "does not cover `127.0.0.1`", 'cookies.domain = ""'),
        (b"a=1; Secure", b"laptop.local:8080", "was reached over plain http", 'cookies.secure = "auto"'),
        (b"a=1; SameSite=None", b"localhost", "SameSite=None needs Secure", 'cookies.same_site = "auto"'),
        (b"a=1; Partitioned", b"localhost", "Partitioned needs Secure", 'cookies.secure = "auto"'),
        (b"__Host-a=1; Path=/", b"localhost", "its name asks for Secure", 'cookies.secure = "auto"'),
        (b"__Host-a=1; Secure", b"localhost", "its name asks for Path=/", 'cookies.secure = "auto"'),
        (b"__Host-a=1; Secure; Path=/; Domain=localhost", b"localhost", "asks for no Domain", 'cookies.domain = ""'),
        (b"__Http-a=1; Secure", b"localhost", "its name asks for HttpOnly", 'cookies.secure = "auto"'),
        (b"a=" + b"x" * 4096, b"localhost", "4097 bytes, and 4096 are allowed", "on the server"),
        (b"", b"localhost", "empty", "fix it"),
        (b"a\tb", b"localhost", "control character", "fix it"),
        (b"a\0b", b"localhost", "control character", "fix it"),
        (b"__Host-a", b"localhost", "without a name", "fix it"),
    ],
)
def test_a_refused_cookie_is_told_why_and_what_to_write(value: bytes, host: bytes, why: str, fix: str) -> None:
    verdict = browser_verdict(value, front=front_of("http", host))
    assert why in verdict
    assert fix in verdict
    assert verdict.isprintable()
    assert not verdict.endswith(".")


@pytest.mark.parametrize(
    "host", [b"localhost", b"LOCALHOST:8080", b"app.localhost:1", b"localhost.", b"127.0.0.2:80", b"[::1]:8080"]
)
def test_loopback_counts_as_secure(host: bytes) -> None:
    front = front_of("http", host)
    assert browser_verdict(b"a=1; Secure; SameSite=None; Partitioned", front=front) == ""
    assert browser_verdict(b"__Host-a=1; Secure; Path=/", front=front) == ""


def test_https_is_secure_everywhere_and_other_hosts_by_http_are_not() -> None:
    assert browser_verdict(b"a=1; Secure", front=front_of("https", b"app.test")) == ""
    for host in (b"app.test", b"localhost.evil.test", b"128.0.0.1", b"192.168.0.5:8080", b"[::2]", b""):
        assert browser_verdict(b"a=1; Secure", front=front_of("http", host))
        assert browser_verdict(b"a=1", front=front_of("http", host)) == ""


@pytest.mark.parametrize("domain", [b"app.test", b".App.TEST", b"www.app.test", b""])
def test_a_domain_that_covers_the_host_is_taken(domain: bytes) -> None:
    assert browser_verdict(b"a=1; Domain=" + domain, front=front_of("http", b"www.app.test:8080")) == ""


def test_a_verdict_shows_no_value() -> None:
    assert "secret" not in browser_verdict(b"a=secret; SameSite=None", front=front_of("http", b"localhost"))


def test_the_longest_line_that_a_head_can_hold_is_repaired_in_linear_time() -> None:
    value = b"__Host-a=1; Secure; Domain=x; SameSite=None; Partitioned" + b";" * 65_000
    assert down(value, AUTO) == b"insecure-__Host-a=1; SameSite=Lax" + b";" * 65_000
    assert up(b";" * 65_000 + b"insecure-__Host-a=1", AUTO) == b";" * 65_000 + b"__Host-a=1"
