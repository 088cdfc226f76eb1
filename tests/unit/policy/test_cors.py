"""CORS policies: who may read, with what, why, and what devproxy's own answers carry."""

from __future__ import annotations

from dataclasses import replace

import pytest
from devproxy.config.model import Cors
from devproxy.policy.cors import decide, local_lines
from devproxy.text.bad import BadText
from tests.support.cors import (
    ACAC,
    ACAO,
    EVIL,
    FIX,
    OWN_ORIGIN_ONLY,
    PAGE,
    PASSTHROUGH,
    REWRITE,
    STRIP,
    VARY,
    finished,
    judged,
    policy,
)

# -- who may read ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("origin", [PAGE, b"https://app.localhost", b"http://127.0.0.1:5173", b"http://[::1]:8080"])
def test_where_nothing_is_written_every_page_of_this_machine_may_read_with_credentials(origin: bytes) -> None:
    decision = judged(REWRITE, origin)
    assert decision.is_allowed
    assert decision.lines == (ACAO + origin, ACAC)


@pytest.mark.parametrize(
    "origin",
    [
        EVIL,
        b"http://localhost.evil.test",
        b"http://localhost:3000.evil",
        b"http://127.1",
        b"NULL",
        b"null",
        b"*",
        b"",
        b"http://LOCALHOST:3000",
        b"http://localhost:3000/",
        b"http://localhost:3000 http://evil.test",
        b"http://" + b"a." * 142 + b"localhost",
        b"http://local\xffhost",
    ],
)
def test_where_nothing_is_written_nobody_else_gets_anything(origin: bytes) -> None:
    decision = judged(REWRITE, origin)
    assert not decision.is_allowed
    assert local_lines(decision) == (VARY,)
    assert finished(REWRITE, origin, ACAO + b"*", ACAC) == [VARY]


def test_two_origin_lines_are_not_allowed_even_if_each_were() -> None:
    decision = judged(REWRITE, PAGE, PAGE)
    assert not decision.is_allowed
    assert decision.origin is None
    assert "more than one" in decision.reason


def test_a_request_without_origin_gets_nothing_but_vary() -> None:
    assert local_lines(judged(REWRITE)) == (VARY,)
    assert judged(REWRITE).origin is None


def test_only_the_origins_named_may_read_once_some_are_named() -> None:
    cors = replace(REWRITE, origins=("https://foo.com", "https://bar.com"))
    assert judged(cors, b"https://foo.com").rule == "https://foo.com"
    assert not judged(cors, b"https://barfoo.com").is_allowed
    assert not judged(cors, PAGE).is_allowed


def test_without_credentials_none_are_offered() -> None:
    assert judged(replace(REWRITE, credentials=False), PAGE).lines == (ACAO + PAGE,)


def test_what_scripts_may_read_is_named_on_responses() -> None:
    cors = replace(REWRITE, expose=("ETag", "X-Total"))
    assert judged(cors, PAGE).lines[-1] == b"Access-Control-Expose-Headers: ETag, X-Total"
    assert judged(cors, EVIL).lines == ()


def test_a_decision_says_why_and_where() -> None:
    cors = replace(REWRITE, origins=("https://*.app.test",), line=31)
    assert judged(cors, b"https://a.app.test").reason == (
        "`https://a.app.test` is allowed by `https://*.app.test` (devproxy.toml:31)"
    )
    assert judged(REWRITE, EVIL).reason == "`https://evil.test` is not among the origins (the default)"
    assert judged(REWRITE, b"\x1b[31m\xff").reason == r"`\x1b[31m\xff` is not an Origin that a browser sends"


def test_a_decision_depends_on_policy_and_origin_alone() -> None:
    compiled = policy(REWRITE)
    assert decide(compiled, (PAGE,)) == decide(compiled, (PAGE,))


def test_a_wrong_origin_does_not_compile() -> None:
    with pytest.raises(BadText):
        policy(replace(REWRITE, origins=("*",)))


def test_null_is_allowed_by_its_own_key_alone_and_without_credentials() -> None:
    any_origin = replace(REWRITE, dangerously_allow_any_origin=True)
    null_origin = replace(REWRITE, dangerously_allow_null_origin=True)
    assert not judged(any_origin, b"null").is_allowed
    assert judged(null_origin, b"null").lines == (ACAO + b"null",)
    assert not judged(null_origin, b"NULL").is_allowed
    assert not judged(null_origin, EVIL).is_allowed


def test_any_origin_is_named_as_it_is_and_gets_no_credentials_without_the_second_key() -> None:
    cors = replace(REWRITE, dangerously_allow_any_origin=True)
    assert judged(cors, EVIL).lines == (ACAO + EVIL,)
    assert judged(cors, PAGE).lines == (ACAO + PAGE, ACAC), "this one is allowed by the default, not by the key"
    both = replace(cors, dangerously_allow_null_origin=True, dangerously_with_credentials=True)
    assert judged(both, EVIL).lines == (ACAO + EVIL, ACAC)
    assert judged(both, b"null").lines == (ACAO + b"null", ACAC)
    assert judged(replace(both, credentials=False), EVIL).lines == (ACAO + EVIL,)


# -- answers of devproxy's own -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("cors", [REWRITE, FIX, PASSTHROUGH])
def test_an_allowed_page_can_read_what_devproxy_answers_by_itself(cors: Cors) -> None:
    assert local_lines(judged(cors, PAGE)) == (VARY, ACAO + PAGE, ACAC)
    assert local_lines(judged(cors, EVIL)) == (VARY,)


def test_strip_lets_nobody_read_what_devproxy_answers_by_itself() -> None:
    decision = judged(STRIP, PAGE)
    assert local_lines(decision) == ()
    assert decision.is_allowed, "the guard asks whether the origin may send, whatever it may read"


def test_where_no_origin_can_be_allowed_nothing_varies() -> None:
    assert local_lines(judged(replace(REWRITE, origins=()), PAGE)) == ()
    assert finished(replace(REWRITE, origins=()), PAGE, ACAO + b"*") == [OWN_ORIGIN_ONLY]
    nobody_but_null = replace(REWRITE, origins=(), dangerously_allow_null_origin=True)
    assert local_lines(judged(nobody_but_null, PAGE)) == (VARY,)
