"""CORS policies: who may read, what goes on a response in each mode, and what a preflight is answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from devproxy.config.model import Cors, CorsMode
from devproxy.config.model import Preflight as PreflightRule
from devproxy.fields import read_field
from devproxy.http1.head import parse_request_head
from devproxy.http1.start_line import Limits
from devproxy.messages import RequestHead
from devproxy.origins import BadOrigin
from devproxy.policy.cors import CorsDecision, CorsPolicy, compile_cors, decide, local_lines
from devproxy.policy.cors_fields import finish
from devproxy.policy.preflight import Preflight, PreflightVerdict, judge_preflight, read_preflight

PAGE = b"http://localhost:3000"
APP = b"https://app.test"
EVIL = b"https://evil.test"
REWRITE = Cors(mode=CorsMode.REWRITE)
FIX = Cors(mode=CorsMode.FIX)
STRIP = Cors(mode=CorsMode.STRIP)
PASSTHROUGH = Cors(mode=CorsMode.PASSTHROUGH)

ACAO = b"Access-Control-Allow-Origin: "
ACAC = b"Access-Control-Allow-Credentials: true"
VARY = b"Vary: Origin"
ALL_VARY = b"Vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers"


def policy(cors: Cors) -> CorsPolicy:
    return compile_cors(cors, "devproxy.toml")


def judged(cors: Cors, *origins: bytes) -> CorsDecision:
    return decide(policy(cors), origins)


def finished(
    cors: Cors, origin: bytes | None, *lines: bytes, status: int = 200, preflight: Preflight | None = None
) -> list[bytes]:
    """Return the lines of a response of `lines` to a page of `origin`, and check that finishing again does nothing."""
    decision = judged(cors, *(() if origin is None else (origin,)))
    once = finish(decision, [read_field(line) for line in lines], status=status, preflight=preflight)
    again = finish(decision, [read_field(line) for line in once], status=status, preflight=preflight)
    assert again == once
    return once


def options(*lines: bytes, method: bytes = b"OPTIONS") -> RequestHead:
    return parse_request_head(b"\r\n".join((method + b" /api HTTP/1.1", b"Host: localhost:8080", *lines)), Limits())


def asked(*lines: bytes, origin: bytes = PAGE, method: bytes = b"PUT", headers: Sequence[bytes] = ()) -> Preflight:
    names = [b"Access-Control-Request-Headers: " + b",".join(headers)] if headers else []
    asking = b"Access-Control-Request-Method: " + method
    found = read_preflight(options(b"Origin: " + origin, asking, *names, *lines))
    assert found is not None
    return found


def answered(cors: Cors, preflight: Preflight) -> PreflightVerdict:
    return judge_preflight(policy(cors), preflight)


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
    assert judged(REWRITE, b"\x1b[31m\xff").reason == r"`\x1b[31m\xff` is no Origin that a browser writes"


def test_a_decision_depends_on_policy_and_origin_alone() -> None:
    compiled = policy(REWRITE)
    assert decide(compiled, (PAGE,)) == decide(compiled, (PAGE,))


def test_a_wrong_origin_does_not_compile() -> None:
    with pytest.raises(BadOrigin):
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
    assert finished(replace(REWRITE, origins=()), PAGE, ACAO + b"*") == []
    nobody_but_null = replace(REWRITE, origins=(), dangerously_allow_null_origin=True)
    assert local_lines(judged(nobody_but_null, PAGE)) == (VARY,)


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
def test_strip_takes_every_access_control_field_off_and_nothing_else(status: int) -> None:
    lines = [b"X: 1", b"ACCESS-CONTROL-ALLOW-ORIGIN: *", VARY, b"Access-Control-Whatever: 1", b"Timing-Allow-Origin: *"]
    assert finished(STRIP, PAGE, *lines, status=status) == [b"X: 1", VARY, b"Timing-Allow-Origin: *"]


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


def test_fix_leaves_a_star_that_counts() -> None:
    lines = [ACAO + b"*", b"Access-Control-Allow-Methods: *", b"Access-Control-Allow-Headers: *"]
    preflight = asked(origin=EVIL, headers=[b"x-a"])
    assert finished(FIX, EVIL, *lines, status=204, preflight=preflight) == [*lines, ALL_VARY]


def test_a_star_for_which_no_header_was_asked_names_none() -> None:
    lines = [ACAO + PAGE, ACAC, b"Access-Control-Allow-Headers: *"]
    assert finished(FIX, PAGE, *lines, status=204, preflight=asked()) == [ACAO + PAGE, ACAC, ALL_VARY]


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
    assert verdict.status == 204
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
    assert (verdict.status, verdict.code, verdict.refused) == (403, "origin", "https://evil.test")
    assert verdict.lines == (b"X-Devproxy-Cors: origin https://evil.test", ALL_VARY)
    assert verdict.help == (
        'In [routes.cors] at devproxy.toml:31: origins = ["https://*.app.test", "https://evil.test"]'
    )
    assert verdict.rule == "devproxy.toml:31"


def test_what_to_add_says_that_it_takes_the_place_of_the_default() -> None:
    verdict = answered(REWRITE, asked(origin=EVIL))
    assert 'below [routes.cors]: origins = ["https://evil.test"]' in verdict.help
    assert "takes the place of the default" in verdict.help


def test_null_is_refused_with_its_own_key() -> None:
    verdict = answered(REWRITE, asked(origin=b"null"))
    assert verdict.code == "origin"
    assert "dangerously_allow_null_origin = true" in verdict.help


def test_a_refused_method_is_named() -> None:
    cors = replace(REWRITE, methods=("GET", "PUT"), line=31)
    verdict = answered(cors, asked(method=b"PURGE"))
    assert (verdict.status, verdict.code, verdict.refused) == (403, "method", "PURGE")
    assert verdict.lines == (b"X-Devproxy-Cors: method PURGE", ALL_VARY)
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
    assert verdict.lines == (b"X-Devproxy-Cors: header x-b, x-c", ALL_VARY)
    assert 'headers = ["X-A", "Authorization", "x-b", "x-c"]' in verdict.help


def test_headers_that_cannot_be_read_are_refused_even_where_all_are_allowed() -> None:
    verdict = answered(REWRITE, asked(headers=[b"x-a", b"x y"]))
    assert verdict.code == "header"
    assert "`x y` is no name of a field" in verdict.what
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
    assert (verdict.status, verdict.code) == (403, "origin")
    assert 'mode = "rewrite"' in verdict.help
    assert not any(line.startswith(b"Access-Control") for line in verdict.lines)


def test_passthrough_leaves_every_preflight_to_the_upstream() -> None:
    assert policy(PASSTHROUGH).preflight is PreflightRule.FORWARD
    assert policy(REWRITE).preflight is PreflightRule.ANSWER
    assert policy(replace(FIX, preflight=PreflightRule.FORWARD_OR_ANSWER)).preflight is PreflightRule.FORWARD_OR_ANSWER


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
