"""Credentials never reach a terminal or a log; everything else stays as it was sent."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from devproxy.console.secrets import MASK, SECRET_ENDINGS, SECRET_NAMES, is_secret_name, masked
from hypothesis import given
from hypothesis import strategies as st

SECRET = "hunter2"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"


@pytest.mark.parametrize("name", sorted({*SECRET_NAMES, *SECRET_ENDINGS}))
def test_the_value_of_a_secret_parameter_is_masked(name: str) -> None:
    assert masked(f"/a?x=1&{name}={SECRET}&y=2") == f"/a?x=1&{name}=…&y=2"


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/a?TOKEN=x", "/a?TOKEN=…"),
        ("/a?to%6ben=x", "/a?to%6ben=…"),
        ("/a?accessToken=x", "/a?accessToken=…"),
        ("/a?access-token=x", "/a?access-token=…"),
        ("/a?X-Amz-Signature=x&X-Amz-Date=y", "/a?X-Amz-Signature=…&X-Amz-Date=y"),
        ("/a?user[password]=x", "/a?user[password]=…"),
        ("/a?user%5Bpassword%5D=x", "/a?user%5Bpassword%5D=…"),
        ("/a?b=1;token=x", "/a?b=1;token=…"),
        ("/a?token=x=y=z", "/a?token=…"),
        ("/a?token=x?y/z", "/a?token=…"),
        ("/a?token=x%26y", "/a?token=…"),
        ("/a?token=1&token=2", "/a?token=…&token=…"),
        ("/a?b=c?token=x&token=y", "/a?b=c?token=…&token=…"),
        ("/a?next=/b?code=x&d=1", "/a?next=/b?code=…&d=1"),
        ("/a?next=%2Fb%3Fcode%3Dx%26d%3D1&e=2", "/a?next=%2Fb%3Fcode%3D…%26d%3D1&e=2"),
        ("/a;jsessionid=x/b?c=d", "/a;jsessionid=…/b?c=d"),
        ("/a;jsessionid=x?c=d", "/a;jsessionid=…?c=d"),
        ("/socket.io/?EIO=4&transport=polling&t=abc&sid=x", "/socket.io/?EIO=4&transport=polling&t=abc&sid=…"),
        ("http://h/a?key=x#access_token=y", "http://h/a?key=…#access_token=…"),
        ("http://me:pw@h/a", "http://…@h/a"),
        ("http://me@h:80/?a=b@c", "http://…@h:80/?a=b@c"),
        ("tried http://h/?key=x and http://g/", "tried http://h/?key=… and http://g/"),
        ("http://me:p@w@h/a", "http://…@h/a"),
        ("/cb?auth_code=x&code_verifier=y&device_code=z", "/cb?auth_code=…&code_verifier=…&device_code=…"),
        ("/a?connect.sid=s%3Ax", "/a?connect.sid=…"),
        ("/a?laravel_session=x&SAMLart=y", "/a?laravel_session=…&SAMLart=…"),
        ("/a?token[0]=x&password2=y", "/a?token[0]=…&password2=…"),
        ("/a?to%256ben=x", "/a?to%256ben=…"),
        ("/a?next=%252Fb%253Fcode%253Dx%2526d%253D1", "/a?next=%252Fb%253Fcode%253D…%2526d%253D1"),
        ("/a?u=http%3A%2F%2Fme%3Apw%40h%2Fx&b=1", "/a?u=http%3A%2F%2F…@h%2Fx&b=1"),
        ("/a?u=http%3A//me%3Apw%40h/x", "/a?u=http%3A//…@h/x"),
        ("/a?u=http%253A%252F%252Fme%253Apw%2540h", "/a?u=http%253A%252F%252F…@h"),
        ("/a?u=http%3a%2f%2fme:pw@h", "/a?u=http%3a%2f%2f…@h"),
        (f"/v/{JWT}/x", "/v/…/x"),
        (f"/v?x=Bearer%20{JWT}&y=1", "/v?x=Bearer%20…&y=1"),
        (f"/v?x=v1_{JWT.replace('.', '%2E')}", "/v?x=v1_…"),
        ("/v?x=eyJhbGciOiJkaXIifQ..aXY.Y3Q.dGFn&y=1", "/v?x=…&y=1"),
        (f"/v?x={JWT.replace('.', '%252E')}&y=1", "/v?x=…&y=1"),
        ("/a?userSid=x&API_SID=y&app.sid[0]=z", "/a?userSid=…&API_SID=…&app.sid[0]=…"),
        ("/cb?wa=wsignin1.0&wresult=x&token_hash=y", "/cb?wa=wsignin1.0&wresult=…&token_hash=…"),
        ("/a?__clerk_ticket=x&api_sig=y&hdnts=z", "/a?__clerk_ticket=…&api_sig=…&hdnts=…"),
        ("the server said Location: /cb?auth_code=x", "the server said Location: /cb?auth_code=…"),
    ],
)
def test_a_secret_is_found_however_it_is_written(target: str, expected: str) -> None:
    assert masked(target) == expected


@pytest.mark.parametrize(
    "target",
    ["/token=x", "/a?tokens=x", "/a?token", "/a?token=", "/a?EIO=4&t=x", "/a?", "*", "", "/a@b/c", "/a?monkey=x",
     "/a?page=2&keys=3", "/@vite/client?v=12", "/a?zipcode=1&sortkey=2&inside=3",
     "/a?u=http%3A%2F%2Fh%2Fa%40b", "/eyJs.min.js", "/src/App.tsx?t=1700000000",
     "/a?statusId=1&processId=2&classid=3&business_id=4&resid=5", "/a?max_tokens=1&token_type=x&design=y&ticket_id=2"],
)  # fmt: skip
def test_what_is_no_secret_stays_readable(target: str) -> None:
    assert masked(target) == target


def test_the_mask_is_what_the_terminal_can_show() -> None:
    assert masked("/a?token=x", "...") == "/a?token=..."


NAMES = st.one_of(
    st.sampled_from(sorted(SECRET_NAMES)),
    st.builds(str.__add__, st.sampled_from(["", "my_", "X-", "oauth.", "a%5f"]), st.sampled_from(SECRET_ENDINGS)),
)
ORDINARY = st.text(st.characters(min_codepoint=0x21, max_codepoint=0xFF, exclude_characters="#"), max_size=12)
VALUES = st.text(st.characters(min_codepoint=0x21, max_codepoint=0xFF, exclude_characters="&;#"), max_size=8)


@given(ORDINARY, st.lists(ORDINARY), NAMES, st.sampled_from("&;"), VALUES, VALUES, ORDINARY)
def test_no_query_lets_the_value_of_a_secret_parameter_through(
    path: str, before: list[str], name: str, sign: str, start: str, end: str, after: str
) -> None:
    target = f"/{path}?{sign.join(before)}{sign}{name}={start}{SECRET}{end}{sign}{after}"
    assert SECRET not in masked(target)


@given(NAMES, VALUES)
def test_no_url_in_a_parameter_lets_the_value_of_a_secret_parameter_through(name: str, value: str) -> None:
    inner = quote(f"http://h/?{name}={SECRET}", safe="") + quote(value, safe="")
    assert SECRET not in masked(f"/login?next={inner}&a=b")


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters=":/?#@"), max_size=12))
def test_no_user_information_gets_through(user: str) -> None:
    assert SECRET not in masked(f"http://{user}:{SECRET}@localhost:3001/a")


@given(st.text(max_size=60))
def test_masking_changes_nothing_but_values_and_masks_once(text: str) -> None:
    once = masked(text)
    assert masked(once) == once
    if MASK not in once:
        assert once == text


@given(st.text(max_size=300))
def test_a_name_is_secret_or_not_whatever_its_case_and_separators(name: str) -> None:
    assert is_secret_name("token")
    if name.isascii() and "%" not in name:
        assert is_secret_name(name.upper()) == is_secret_name(name) == is_secret_name(name.replace("_", "-"))
