"""What becomes of a response's ``Access-Control-*`` and ``Vary`` in each mode."""

from __future__ import annotations

from dataclasses import replace

import pytest
from devproxy.config.model import Cors
from devproxy.policy.preflight import Preflight
from tests.support.cors import (
    ACAC,
    ACAO,
    ALL_VARY,
    APP,
    EVIL,
    FIX,
    OWN_ORIGIN_ONLY,
    PAGE,
    PASSTHROUGH,
    REWRITE,
    STRIP,
    VARY,
    answered,
    asked,
    finished,
)

# -- passthrough and strip ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [101, 200, 304, 404])
def test_passthrough_leaves_every_line_as_it_is(status: int) -> None:
    lines = [b"ACCESS-control-allow-origin:*", b"X: 1", ACAO + b"*", b"access-control-allow-credentials:  True"]
    assert finished(PASSTHROUGH, PAGE, *lines, status=status) == lines


@pytest.mark.parametrize("cors", [STRIP, REWRITE, FIX])
@pytest.mark.parametrize("status", [101, 103])
def test_no_interim_response_gains_a_line(cors: Cors, status: int) -> None:
    lines = [b"Upgrade: websocket", ACAO + b"*", ACAC, VARY]
    expected = lines if cors is FIX else [b"Upgrade: websocket", VARY]
    assert finished(cors, PAGE, *lines, status=status) == expected


@pytest.mark.parametrize("status", [101, 200, 204, 302, 304, 500])
def test_strip_takes_every_access_control_field_off_and_no_other(status: int) -> None:
    lines = [b"X: 1", b"ACCESS-CONTROL-ALLOW-ORIGIN: *", VARY, b"Access-Control-Whatever: 1", b"Timing-Allow-Origin: *"]
    added = [OWN_ORIGIN_ONLY] if status >= 200 else []
    assert finished(STRIP, PAGE, *lines, status=status) == [b"X: 1", VARY, b"Timing-Allow-Origin: *", *added]


def test_what_only_own_pages_may_read_keeps_the_resource_policy_that_it_has() -> None:
    assert finished(STRIP, PAGE, b"cross-origin-resource-policy: cross-origin") == [
        b"cross-origin-resource-policy: cross-origin"
    ]


# -- rewrite -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 204, 302, 304, 404, 500])
def test_rewrite_puts_the_policy_in_the_place_of_what_the_upstream_says(status: int) -> None:
    lines = [ACAO + EVIL, b"X: 1", ACAO + b"*", b"Access-Control-Expose-Headers: *"]
    assert finished(REWRITE, PAGE, *lines, status=status) == [b"X: 1", VARY, ACAO + PAGE, ACAC]


def test_rewrite_leaves_a_refused_origin_without_the_star_of_the_upstream() -> None:
    assert finished(REWRITE, EVIL, ACAO + b"*", b"X: 1") == [b"X: 1", VARY]


@pytest.mark.parametrize(
    ("lines", "added"),
    [
        ([], [VARY]),
        ([b"Vary: Accept-Encoding"], [VARY]),
        ([b"Vary: X-Origin, Original"], [VARY]),
        ([b"vary:accept , ORIGIN"], []),
        ([b"Vary: Accept", b"Vary: origin"], []),
        ([b"Vary: *"], []),
    ],
)
def test_vary_is_added_to_once_and_never_replaced(lines: list[bytes], added: list[bytes]) -> None:
    assert finished(REWRITE, EVIL, *lines) == lines + added


# -- fix ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "repaired"),
    [
        ([ACAO + PAGE], [ACAO + PAGE]),
        ([b"access-control-allow-origin:" + PAGE], [b"access-control-allow-origin:" + PAGE]),
        ([ACAO + PAGE, ACAO + PAGE], [ACAO + PAGE]),
        ([ACAO + EVIL, ACAO + PAGE], [ACAO + PAGE]),
        ([ACAO + PAGE + b", " + PAGE], [ACAO + PAGE]),
        ([ACAO + EVIL + b"," + PAGE], [ACAO + PAGE]),
        ([ACAO + EVIL + b" " + PAGE], [ACAO + PAGE]),
        ([ACAO + b"*, " + PAGE], [ACAO + PAGE]),
        ([ACAO + PAGE + b"/"], [ACAO + PAGE]),
        ([ACAO + b"HTTP://LocalHost:3000"], [ACAO + PAGE]),
        ([ACAO + PAGE, b"Access-Control-Allow-Credentials: True"], [ACAO + PAGE, ACAC]),
        ([ACAO + PAGE, b"Access-Control-Allow-Credentials: true, true"], [ACAO + PAGE, ACAC]),
        ([ACAO + PAGE, ACAC, ACAC], [ACAO + PAGE, ACAC]),
        ([ACAO + b"*", ACAC], [ACAO + PAGE, ACAC]),
        ([ACAO + b"*"], [ACAO + PAGE, ACAC]),
        ([ACAO + b"*", ACAO + b"*"], [ACAO + PAGE, ACAC]),
        ([b"X: 1", ACAO + PAGE, b"Y: 2", ACAO + PAGE, b"Z: 3"], [b"X: 1", ACAO + PAGE, b"Y: 2", b"Z: 3"]),
    ],
)
def test_fix_repairs_what_the_upstream_means(lines: list[bytes], repaired: list[bytes]) -> None:
    assert finished(FIX, PAGE, *lines) == [*repaired, VARY]


def test_fix_drops_a_default_port() -> None:
    assert finished(FIX, b"http://localhost", ACAO + b"http://localhost:80/") == [ACAO + b"http://localhost", VARY]


@pytest.mark.parametrize(
    ("lines", "left"),
    [
        ([], []),
        ([ACAC], [ACAC]),
        ([ACAO + b"*"], [ACAO + b"*"]),
        ([ACAO + b"*", ACAC], [ACAO + b"*"]),
        ([ACAO + PAGE, ACAC], [ACAO + PAGE, ACAC]),
        ([ACAO + PAGE, ACAO + APP, ACAC], []),
        ([ACAO + b"null"], [ACAO + b"null"]),
        ([ACAO + b"*, *"], [ACAO + b"*"]),
        ([ACAO], []),
        ([ACAO, ACAO], []),
        ([ACAO + b"https//evil.test"], [ACAO + b"https//evil.test"]),
        ([ACAO + EVIL + b".com"], [ACAO + EVIL + b".com"]),
    ],
)
def test_fix_never_lets_in_whom_neither_side_names(lines: list[bytes], left: list[bytes]) -> None:
    assert finished(FIX, EVIL, *lines) == [*left, VARY]


def test_fix_keeps_what_the_upstream_grants_to_an_origin_that_the_policy_does_not_name() -> None:
    assert finished(FIX, EVIL, ACAO + EVIL + b"/", b"Access-Control-Allow-Credentials: TRUE") == [
        ACAO + EVIL,
        ACAC,
        VARY,
    ]


def test_fix_never_adds_a_missing_origin_or_a_credential_that_nobody_grants() -> None:
    assert finished(FIX, PAGE, b"X: 1") == [b"X: 1", VARY]
    assert finished(FIX, PAGE, ACAO + PAGE) == [ACAO + PAGE, VARY]
    no_credentials = replace(FIX, credentials=False)
    assert finished(no_credentials, PAGE, ACAO + b"*", ACAC) == [ACAO + b"*", VARY]


def test_fix_without_origin_leaves_one_value_at_most() -> None:
    assert finished(FIX, None, ACAO + b"*", ACAC) == [ACAO + b"*", VARY]
    assert finished(FIX, None, ACAO + PAGE + b"/", ACAC) == [ACAO + PAGE, ACAC, VARY]
    assert finished(FIX, None, ACAO + PAGE, ACAO + APP) == [VARY]


def test_fix_does_not_take_one_of_two_credentials_that_contradict() -> None:
    lines = [ACAO + PAGE, ACAC, b"Access-Control-Allow-Credentials: false"]
    assert finished(FIX, PAGE, *lines) == [*lines, VARY]


def test_fix_spells_out_a_star_in_a_preflights_answer_where_credentials_make_it_a_name() -> None:
    lines = [ACAO + b"*", ACAC, b"Access-Control-Allow-Methods: *", b"Access-Control-Allow-Headers: *, X-A"]
    preflight = asked(headers=[b"authorization", b"x-a"])
    assert finished(FIX, PAGE, *lines, status=204, preflight=preflight) == [
        ACAO + PAGE,
        ACAC,
        b"Access-Control-Allow-Methods: PUT",
        b"Access-Control-Allow-Headers: x-a, authorization",
        ALL_VARY,
    ]


def test_fix_spells_out_which_headers_a_page_with_credentials_may_read() -> None:
    exposes = b"Access-Control-Expose-Headers: "
    other = [b"X-Total: 9", b"ETag: 1", b"Set-Cookie: a=1", b"x-total: 8"]
    lines = [ACAO + PAGE, exposes + b"X-Own, *", *other, ACAC]
    assert finished(FIX, PAGE, *lines) == [ACAO + PAGE, exposes + b"X-Own, x-total, etag", *other, ACAC, VARY]
    named = [ACAO + PAGE, exposes + b"X-Own", *other, ACAC]
    assert finished(FIX, PAGE, *named) == [*named, VARY]
    without = [ACAO + PAGE, exposes + b"*", *other]
    assert finished(FIX, PAGE, *without) == [*without, VARY]
    assert finished(FIX, PAGE, ACAO + PAGE, exposes + b"*", ACAC) == [ACAO + PAGE, ACAC, VARY]


def test_fix_leaves_a_star_that_counts() -> None:
    lines = [ACAO + b"*", b"Access-Control-Allow-Methods: *", b"Access-Control-Allow-Headers: *"]
    preflight = asked(origin=EVIL, headers=[b"x-a"])
    assert finished(FIX, EVIL, *lines, status=204, preflight=preflight) == [*lines, ALL_VARY]


def test_a_star_for_which_no_header_was_asked_names_none() -> None:
    lines = [ACAO + PAGE, ACAC, b"Access-Control-Allow-Headers: *"]
    assert finished(FIX, PAGE, *lines, status=204, preflight=asked()) == [ACAO + PAGE, ACAC, ALL_VARY]


# -- preflights that were forwarded ------------------------------------------------------------------------------------


def test_a_forwarded_preflight_is_granted_what_the_policy_grants() -> None:
    lines = [ACAO + b"*", b"Access-Control-Allow-Methods: GET", b"Access-Control-Max-Age: 9", b"Allow: GET"]
    preflight = asked(headers=[b"x-a"])
    assert finished(REWRITE, PAGE, *lines, status=204, preflight=preflight) == [
        b"Allow: GET",
        *answered(REWRITE, preflight).lines,
    ]


@pytest.mark.parametrize("preflight", [asked(origin=EVIL), asked(method=b"PURGE"), asked(headers=[b"x y"])])
def test_a_forwarded_preflight_is_granted_nothing_that_the_policy_refuses(preflight: Preflight) -> None:
    lines = [ACAO + b"*", ACAC, b"Access-Control-Allow-Methods: *"]
    assert finished(REWRITE, preflight.origin, *lines, status=204, preflight=preflight) == [ALL_VARY]
