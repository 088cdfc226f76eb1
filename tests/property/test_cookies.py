"""Whatever an upstream sets and a browser returns: nothing is lost, nothing smuggled, nothing made worse."""

from __future__ import annotations

import re
from dataclasses import replace

from devproxy.config.model import Cookies, PathKind, Route, SameSiteRule, SecureRule
from devproxy.http.fields import make_field, parse_field
from devproxy.policy.cookies import browser_verdict, compile_cookies, front_of, repair, restore
from hypothesis import assume, given
from hypothesis import strategies as st

NAMES = st.sampled_from([b"a", b"sid", b"__Host-a", b"__secure-b", b"__Http-c", b"insecure-__Host-a", b"shop.sid", b""])
VALUES = st.sampled_from([b"1", b"", b"x=y", b'"q"', b"\xc3\xa9", b"__Host-a"])
ATTRIBUTES = st.sampled_from(
    [
        *(b" Secure", b" Partitioned", b"HttpOnly ", b" Path=/", b" Path=/auth", b" Path=/v1/x", b"path", b"", b" "),
        *(b" Domain=localhost", b" domain=.api.test", b" Domain=", b" SameSite=None", b"samesite = lax", b" SameSite"),
        *(b" Max-Age=5", b" Expires=Wed, 21 Oct 2026 07:28:00 GMT", b" Priority=High", b" Secure=x"),
    ]
)
SET_COOKIES = st.builds(
    lambda name, value, attributes: b";".join((name + b"=" + value, *attributes)),
    NAMES,
    VALUES,
    st.lists(ATTRIBUTES, max_size=6),
)
ANYTHING = st.binary(max_size=80).map(lambda octets: re.sub(rb"[^\t\x20-\x7e\x80-\xff]", b"", octets))
ROUTES = st.sampled_from(
    [
        Route(kind=PathKind.PREFIX, pattern="/", upstream="api"),
        Route(kind=PathKind.PREFIX, pattern="/api/", upstream="api", rewrite="/"),
        Route(kind=PathKind.PREFIX, pattern="/api", upstream="api", rewrite="/v1"),
    ]
)
RULES = st.builds(
    Cookies,
    domain=st.sampled_from([None, "", "localhost"]),
    domain_map=st.sampled_from([(), (("api.test", ""),), (("api.test", "localhost"),)]),
    maps_path=st.booleans(),
    secure=st.sampled_from(SecureRule),
    same_site=st.sampled_from(SameSiteRule),
    prefix=st.sampled_from(["", "shop.", "insecure-"]),
)
# What the author forces against the browser is his: a SameSite, a Secure, a Domain by name.
WITHOUT_FORCE = st.builds(
    Cookies,
    domain=st.sampled_from([None, ""]),
    domain_map=st.sampled_from([(), (("api.test", ""),)]),
    maps_path=st.booleans(),
    secure=st.sampled_from([SecureRule.KEEP, SecureRule.AUTO, SecureRule.NEVER]),
    same_site=st.sampled_from([SameSiteRule.KEEP, SameSiteRule.AUTO, SameSiteRule.LAX, SameSiteRule.STRICT]),
    prefix=st.sampled_from(["", "shop."]),
)
SCHEMES = st.sampled_from(["http", "https"])
HOSTS = st.sampled_from([b"localhost:8080", b"app.localhost", b"www.app.test"])
_OF_RULES = (b"domain", b"path", b"secure", b"samesite", b"partitioned", b"")


def untouched(line: bytes) -> list[bytes]:
    """Return the attributes that no rule is about, as they stand."""
    return [one for one in line.split(b";")[1:] if one.partition(b"=")[0].strip(b" \t").lower() not in _OF_RULES]


@given(value=SET_COOKIES | ANYTHING, cookies=RULES, route=ROUTES, scheme=SCHEMES)
def test_a_repaired_line_is_one_well_formed_line_and_other_attributes_are_octet_for_octet(
    value: bytes, cookies: Cookies, route: Route, scheme: str
) -> None:
    rules = compile_cookies(cookies, route)
    assume(rules is not None)
    assert rules is not None
    field = make_field(b"Set-Cookie", value)
    change = repair(rules, field, is_https=scheme == "https")
    if change is None:
        return
    assert change.reasons
    assert change.line != field.line
    again = parse_field(change.line)  # raises for CR, LF, NUL and any other control
    assert again.name == b"set-cookie"
    assert untouched(change.line) == untouched(field.line)
    assert all(reason.isprintable() for reason in change.reasons)


@given(value=SET_COOKIES, cookies=RULES, scheme=SCHEMES, others=st.lists(NAMES, max_size=3))
def test_a_name_comes_back_as_the_upstream_called_it(
    value: bytes, cookies: Cookies, scheme: str, others: list[bytes]
) -> None:
    rules = compile_cookies(cookies, Route(kind=PathKind.PREFIX, pattern="/", upstream="api"))
    assume(rules is not None)
    assert rules is not None
    field = make_field(b"Set-Cookie", value)
    change = repair(rules, field, is_https=scheme == "https")
    kept = (field.line if change is None else change.line).partition(b": ")[2].partition(b";")[0]
    name, _, content = kept.partition(b"=")
    assume(name or content)
    back = make_field(b"Cookie", kept if name else content if b"=" not in content else b"=" + content)
    line = restore(rules, back)
    original_name, _, original = field.value.partition(b";")[0].partition(b"=")
    if original_name:
        expected = original_name + b"=" + original
    else:
        expected = b"=" + original if b"=" in original else original
    assert (back.line if line is None else line) == b"Cookie: " + expected
    # Beside other cookies it still comes back, and no other takes its name on the way.
    crowd = restore(rules, make_field(b"Cookie", b"; ".join((*(other + b"=0" for other in others), back.value))))
    if crowd is not None:
        assert expected in [pair.strip() for pair in crowd.removeprefix(b"Cookie:").split(b";")]


@given(value=ANYTHING, cookies=RULES)
def test_a_restored_line_is_nothing_or_one_well_formed_line(value: bytes, cookies: Cookies) -> None:
    rules = compile_cookies(cookies, Route(kind=PathKind.PREFIX, pattern="/", upstream="api"))
    assume(rules is not None)
    assert rules is not None
    field = make_field(b"Cookie", value)
    line = restore(rules, field)
    if line:
        assert parse_field(line).name == b"cookie"
        assert line != field.line
        assert len(line) <= len(field.line)


@given(value=SET_COOKIES, scheme=SCHEMES, host=HOSTS, prefix=st.sampled_from(["", "shop."]), route=ROUTES)
def test_with_everything_on_auto_a_browser_takes_whatever_can_be_read(
    value: bytes, scheme: str, host: bytes, prefix: str, route: Route
) -> None:
    cookies = Cookies(domain="", secure=SecureRule.AUTO, same_site=SameSiteRule.AUTO, prefix=prefix)
    rules = compile_cookies(cookies, route)
    assert rules is not None
    change = repair(rules, make_field(b"Set-Cookie", value), is_https=scheme == "https")
    verdict = browser_verdict(value if change is None else parse_field(change.line).value, front=front_of(scheme, host))
    assert verdict == "" or "fix it where it is set" in verdict


@given(value=SET_COOKIES, cookies=WITHOUT_FORCE, route=ROUTES, scheme=SCHEMES, host=HOSTS)
def test_a_cookie_that_a_browser_takes_is_not_made_one_that_it_refuses(
    value: bytes, cookies: Cookies, route: Route, scheme: str, host: bytes
) -> None:
    front = front_of(scheme, host)
    rules = compile_cookies(cookies, route)
    assume(rules is not None)
    assert rules is not None
    assume(browser_verdict(value, front=front) == "")
    change = repair(rules, make_field(b"Set-Cookie", value), is_https=scheme == "https")
    assert change is None or browser_verdict(parse_field(change.line).value, front=front) == ""


@given(value=SET_COOKIES, cookies=RULES, scheme=SCHEMES)
def test_repairing_twice_is_repairing_once_where_names_stay(value: bytes, cookies: Cookies, scheme: str) -> None:
    cookies = replace(cookies, prefix="")
    assume(b"__" not in value.partition(b"=")[0])
    rules = compile_cookies(cookies, Route(kind=PathKind.PREFIX, pattern="/", upstream="api"))
    assume(rules is not None)
    assert rules is not None
    change = repair(rules, make_field(b"Set-Cookie", value), is_https=scheme == "https")
    assert change is None or repair(rules, parse_field(change.line), is_https=scheme == "https") is None
