"""CORS preflights: which requests are some, and what they are answered."""

from __future__ import annotations

from dataclasses import replace

import pytest
from devproxy.config.model import PreflightMode
from devproxy.http.messages import RequestHead
from devproxy.policy.preflight import Preflight, read_preflight
from tests.support.cors import (
    ACAC,
    ACAO,
    ALL_VARY,
    EVIL,
    FIX,
    PAGE,
    PASSTHROUGH,
    REWRITE,
    STRIP,
    answered,
    asked,
    options,
    policy,
)

# -- which requests are preflights -------------------------------------------------------------------------------------

ORIGIN = b"Origin: http://localhost:3000"
METHOD = b"Access-Control-Request-Method: PUT"


@pytest.mark.parametrize(
    "head",
    [
        options(ORIGIN),
        options(METHOD),
        options(ORIGIN, METHOD, method=b"GET"),
        options(ORIGIN, METHOD, method=b"options"),
        options(ORIGIN, ORIGIN, METHOD),
        options(ORIGIN, METHOD, METHOD),
        options(ORIGIN, METHOD, b"Connection: Upgrade", b"Upgrade: websocket"),
        options(ORIGIN, b"Access-Control-Request-Method: "),
        options(ORIGIN, b"Access-Control-Request-Method: PUT, GET"),
        options(ORIGIN, b"Access-Control-Request-Method: " + b"A" * 65),
        options(b"Origin: http://localhost:3000/", METHOD),
        options(b"Origin: *", METHOD),
        options(b"Origin: http://" + b"a." * 142 + b"b", METHOD),
    ],
)
def test_every_other_options_is_an_ordinary_request(head: RequestHead) -> None:
    assert read_preflight(head) is None


def test_a_preflight_that_must_not_be_remembered_is_answered_with_0_as_the_grammar_knows_no_negative_age() -> None:
    # Fetch section 4.8, step 7.8: what is no delta-seconds means five seconds.
    for seconds in (0, -1):
        verdict = answered(replace(REWRITE, max_age_s=seconds), asked())
        assert b"Access-Control-Max-Age: 0" in verdict.lines


def test_a_preflight_is_read_as_it_was_asked() -> None:
    preflight = read_preflight(
        options(
            ORIGIN,
            METHOD,
            b"Access-Control-Request-Headers: authorization,x-a",
            b"access-control-request-headers: , X-B\t,,x-a",
            b"Access-Control-Request-Private-Network: true",
        )
    )
    assert preflight == Preflight(
        origin=PAGE, method=b"PUT", headers=(b"authorization", b"x-a", b"x-b"), asks_private_network=True
    )


def test_the_lists_of_a_preflight_are_bounded() -> None:
    fits = asked(headers=[b"x-%d" % number for number in range(64)])
    assert not fits.fault
    assert len(fits.headers) == 64
    assert asked(headers=[b"x-%d" % number for number in range(65)]).fault == "more than 64 names"
    assert asked(headers=[b"x" * 4096]).fault == ""
    assert asked(headers=[b"x" * 4097]).fault == "more than 4096 bytes of names"
    assert asked(headers=[b"," * 60_000]).fault == "more than 4096 bytes of names"


def test_the_lines_of_a_split_list_count_together() -> None:
    lines = [b"Access-Control-Request-Headers: " + b"x" * 3000] * 2
    assert asked(*lines).fault == "more than 4096 bytes of names"


# -- what a preflight is answered --------------------------------------------------------------------------------------


def test_an_allowed_preflight_is_granted_by_name() -> None:
    verdict = answered(REWRITE, asked(headers=[b"authorization", b"x-a"]))
    assert verdict.is_allowed
    assert verdict.is_allowed
    assert verdict.lines == (
        ALL_VARY,
        ACAO + PAGE,
        ACAC,
        b"Access-Control-Allow-Methods: PUT",
        b"Access-Control-Allow-Headers: authorization, x-a",
        b"Access-Control-Max-Age: 600",
    )
    assert verdict.rule == "http://localhost:*"


def test_a_preflight_for_no_header_is_granted_none() -> None:
    verdict = answered(replace(REWRITE, credentials=False, max_age_s=0), asked(method=b"GET"))
    assert verdict.lines == (
        ALL_VARY,
        ACAO + PAGE,
        b"Access-Control-Allow-Methods: GET",
        b"Access-Control-Max-Age: 0",
    )


def test_head_is_allowed_where_get_is_and_a_star_allows_every_method() -> None:
    assert answered(REWRITE, asked(method=b"HEAD")).is_allowed
    assert not answered(replace(REWRITE, methods=("PUT",)), asked(method=b"HEAD")).is_allowed
    assert answered(replace(REWRITE, methods=("*",)), asked(method=b"PURGE")).is_allowed


def test_a_refused_origin_gets_no_cors_fields_and_the_line_to_add() -> None:
    cors = replace(REWRITE, origins=("https://*.app.test",), line=31)
    verdict = answered(cors, asked(origin=EVIL))
    assert (verdict.is_allowed, verdict.code, verdict.refused) == (False, "origin", "https://evil.test")
    assert verdict.lines == (b"X-Devproxy-Cors: origin https://evil.test", ALL_VARY)
    assert verdict.help == (
        'In [routes.cors] at devproxy.toml:31: origins = ["https://*.app.test", "https://evil.test"]'
    )
    assert verdict.rule == "devproxy.toml:31"


def test_what_to_add_says_that_it_takes_the_place_of_the_default() -> None:
    verdict = answered(REWRITE, asked(origin=EVIL))
    assert 'below [routes.cors]: origins = ["https://evil.test"]' in verdict.help
    assert "replaces the default" in verdict.help


def test_null_is_refused_with_its_own_key() -> None:
    verdict = answered(REWRITE, asked(origin=b"null"))
    assert verdict.code == "origin"
    assert "dangerously_allow_null_origin = true" in verdict.help


def test_a_refused_method_is_named() -> None:
    cors = replace(REWRITE, methods=("GET", "PUT"), line=31)
    verdict = answered(cors, asked(method=b"PURGE"))
    assert (verdict.is_allowed, verdict.code, verdict.refused) == (False, "method", "PURGE")
    # The origin is named, so that the browser does not put it down to that.
    assert verdict.lines == (b"X-Devproxy-Cors: method PURGE", ALL_VARY, ACAO + PAGE, ACAC)
    assert 'methods = ["GET", "PUT", "PURGE"]' in verdict.help


def test_a_method_in_the_wrong_case_is_the_pages_to_correct() -> None:
    verdict = answered(REWRITE, asked(method=b"patch"))
    assert verdict.code == "method"
    assert "`PATCH`" in verdict.help


def test_refused_headers_are_named_whatever_their_case_in_the_file() -> None:
    cors = replace(REWRITE, headers=("X-A", "Authorization"))
    assert answered(cors, asked(headers=[b"authorization", b"x-a"])).is_allowed
    verdict = answered(cors, asked(headers=[b"x-a", b"x-b", b"x-c"]))
    assert (verdict.code, verdict.refused) == ("header", "x-b, x-c")
    assert verdict.lines == (b"X-Devproxy-Cors: header x-b, x-c", ALL_VARY, ACAO + PAGE, ACAC)
    assert 'headers = ["X-A", "Authorization", "x-b", "x-c"]' in verdict.help


def test_headers_that_cannot_be_read_are_refused_even_where_all_are_allowed() -> None:
    verdict = answered(REWRITE, asked(headers=[b"x-a", b"x y"]))
    assert verdict.code == "header"
    assert "`x y` is not the name of a field" in verdict.what
    assert verdict.lines[0] == b"X-Devproxy-Cors: header"


def test_a_more_public_network_needs_its_own_key() -> None:
    preflight = asked(b"Access-Control-Request-Private-Network: true")
    refused = answered(REWRITE, preflight)
    assert refused.code == "private-network"
    assert "allow_private_network = true" in refused.help
    verdict = answered(replace(REWRITE, allow_private_network=True), preflight)
    assert verdict.lines[0] == ALL_VARY + b", Access-Control-Request-Private-Network"
    assert verdict.lines[-1] == b"Access-Control-Allow-Private-Network: true"
    assert not any(b"Private" in line for line in answered(replace(REWRITE, allow_private_network=True), asked()).lines)


def test_strip_refuses_every_preflight_with_words() -> None:
    verdict = answered(STRIP, asked())
    assert (verdict.is_allowed, verdict.code) == (False, "origin")
    assert 'mode = "rewrite"' in verdict.help
    assert not any(line.startswith(b"Access-Control") for line in verdict.lines)


def test_passthrough_leaves_every_preflight_to_the_upstream() -> None:
    assert policy(PASSTHROUGH).preflight is PreflightMode.FORWARD
    assert policy(REWRITE).preflight is PreflightMode.ANSWER
    assert policy(replace(FIX, preflight=PreflightMode.FORWARD_OR_ANSWER)).preflight is PreflightMode.FORWARD_OR_ANSWER
