"""Properties of CORS policies, judged by a model of the Fetch standard that was written from its text alone."""

from __future__ import annotations

import gc
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from types import FrameType
from typing import TYPE_CHECKING

from devproxy.authority.origins import LOOPBACK, OriginSet, normalised, parse_origin, parse_pattern
from devproxy.config.model import Cors, CorsMode
from devproxy.http.fields import Field, read_field
from devproxy.http1.head import parse_request_head
from devproxy.http1.start_line import Limits
from devproxy.policy.cors import CorsDecision, compile_cors, decide, local_lines
from devproxy.policy.cors_fields import apply_cors
from devproxy.policy.preflight import Preflight, judge_preflight, read_preflight
from devproxy.text.bad import BadText
from hypothesis import assume, example, given
from hypothesis import strategies as st

if TYPE_CHECKING:
    from _typeshed import TraceFunction

# --- the model: Fetch, as a browser applies it ------------------------------------------------------------------------

SAFELISTED_METHODS = {b"GET", b"HEAD", b"POST"}


@dataclass
class Headers:
    """A header list of the Fetch standard."""

    pairs: list[tuple[bytes, bytes]]

    @classmethod
    def of(cls, lines: Sequence[bytes]) -> Headers:
        return cls([(line.split(b":", 1)[0].lower(), line.split(b":", 1)[1].strip(b" \t")) for line in lines])

    def get(self, name: bytes) -> bytes | None:
        """«get» (2.2.2): the values of all fields of that name, joined by a comma and a space."""
        values = [value for other, value in self.pairs if other == name]
        return b", ".join(values) if values else None

    def extract(self, name: bytes) -> list[bytes]:
        """«extract header list values» for the lists of tokens that a preflight is answered with."""
        joined = self.get(name)
        return [item.strip(b" \t") for item in joined.split(b",")] if joined else []


def cors_check(lines: Sequence[bytes], origin: bytes, *, includes_credentials: bool) -> bool:
    """«CORS check» (4.10), its seven steps."""
    headers = Headers.of(lines)
    allowed = headers.get(b"access-control-allow-origin")
    if allowed is None:
        return False
    if not includes_credentials and allowed == b"*":
        return True
    if allowed != origin:
        return False
    if not includes_credentials:
        return True
    return headers.get(b"access-control-allow-credentials") == b"true"


def preflight_passes(status: int, lines: Sequence[bytes], asked: Preflight, *, includes_credentials: bool) -> bool:
    """«CORS-preflight fetch» (4.8), step 7 and what follows, for the answer to the preflight `asked`."""
    if not (cors_check(lines, asked.origin, includes_credentials=includes_credentials) and 200 <= status <= 299):
        return False
    headers = Headers.of(lines)
    methods = headers.extract(b"access-control-allow-methods")
    names = [name.lower() for name in headers.extract(b"access-control-allow-headers")]
    star_counts = not includes_credentials
    if asked.method not in methods and asked.method not in SAFELISTED_METHODS:
        if not (star_counts and b"*" in methods):
            return False
    if b"authorization" in asked.headers and b"authorization" not in names:
        return False
    return all(name in names or (star_counts and b"*" in names) for name in asked.headers)


# --- what there is to judge -------------------------------------------------------------------------------------------

HOSTS = ["localhost", "app.localhost", "127.0.0.1", "[::1]", "app.test", "a.app.test", "evilapp.test", "evil.test"]
hosts = st.sampled_from(HOSTS)
schemes = st.sampled_from(["http", "https"])
ports = st.sampled_from(["", ":3000", ":5173", ":8443"])
good_origins = st.builds(lambda scheme, host, port: f"{scheme}://{host}{port}".encode(), schemes, hosts, ports)
odd_origins = st.one_of(
    st.sampled_from(
        [b"null", b"NULL", b"*", b"", b"http://127.1", b"http://localhost:3000.evil", b"http://localhost/"]
    ),
    st.binary(max_size=40)
    .filter(lambda value: not set(value) & {*range(9), *range(10, 32), 127})
    .map(lambda value: value.strip(b" \t")),
)
origins = st.one_of(good_origins, odd_origins)
PATTERNS = [
    "http://localhost:3000",
    "https://app.test",
    "https://*.app.test",
    "http://*.app.test:*",
    "http://127.0.0.1:*",
    "regex:https://(app|a)\\.app\\.test:[0-9]+",
]
policies = st.builds(
    Cors,
    mode=st.sampled_from(list(CorsMode)),
    origins=st.one_of(st.none(), st.lists(st.sampled_from(PATTERNS), max_size=4).map(tuple)),
    credentials=st.booleans(),
    methods=st.sampled_from([("*",), ("GET", "POST", "PUT"), ()]),
    headers=st.sampled_from([("*",), ("X-A", "Authorization"), ()]),
    expose=st.sampled_from([(), ("ETag",)]),
    allow_private_network=st.booleans(),
    dangerously_allow_null_origin=st.booleans(),
    dangerously_allow_any_origin=st.booleans(),
    dangerously_with_credentials=st.booleans(),
)
badly_written = st.one_of(
    good_origins,
    good_origins.map(bytes.upper),
    good_origins.map(lambda origin: origin + b"/"),
    st.sampled_from([b"*", b"null", b"", b"https//x", b"http://localhost:80"]),
)
allowed_origins = st.lists(badly_written, min_size=1, max_size=3).flatmap(
    lambda values: st.sampled_from([b", ", b",", b" "]).map(lambda separator: separator.join(values))
)
response_lines = st.lists(
    st.one_of(
        allowed_origins.map(lambda value: b"Access-Control-Allow-Origin: " + value),
        st.sampled_from(
            [
                b"access-control-allow-ORIGIN:*",
                b"Access-Control-Allow-Credentials: true",
                b"Access-Control-Allow-Credentials: True",
                b"Access-Control-Allow-Credentials: false",
                b"Access-Control-Allow-Credentials: true, true",
                b"Access-Control-Allow-Methods: *",
                b"Access-Control-Allow-Headers: *, X-A",
                b"Access-Control-Max-Age: 5",
                b"Vary: Accept",
                b"vary: ORIGIN",
                b"Vary: *",
                b"Content-Type: text/plain",
                b"Set-Cookie: a=b",
            ]
        ),
    ),
    max_size=7,
)
statuses = st.sampled_from([200, 204, 206, 301, 302, 304, 400, 404, 500, 503])
asked_names = st.lists(st.sampled_from([b"authorization", b"x-a", b"x-b", b"content-type"]), unique=True).map(tuple)
preflights = st.builds(
    Preflight,
    origin=st.one_of(good_origins, st.just(b"null")),
    method=st.sampled_from([b"GET", b"HEAD", b"POST", b"PUT", b"PURGE", b"patch"]),
    headers=asked_names,
    asks_private_network=st.booleans(),
)


def read(lines: Sequence[bytes]) -> list[Field]:
    return [read_field(line) for line in lines]


def judged(cors: Cors, *values: bytes) -> CorsDecision:
    return decide(compile_cors(cors, "devproxy.toml"), values)


def values_of(lines: Sequence[bytes], name: bytes) -> list[bytes]:
    return [value for other, value in Headers.of(lines).pairs if other == name]


# --- at most one, never * with credentials, never more than was granted -----------------------------------------------


def assert_well_formed(lines: Sequence[bytes]) -> None:
    allowed = values_of(lines, b"access-control-allow-origin")
    assert len(allowed) <= 1
    if allowed:
        assert b"," not in allowed[0]
        assert b" " not in allowed[0]
    if b"*" in allowed:
        assert values_of(lines, b"access-control-allow-credentials") == []


@given(policies, origins, response_lines, statuses, st.one_of(st.none(), preflights))
@example(Cors(mode=CorsMode.FIX), b"http://localhost", [b"Access-Control-Allow-Origin: *"] * 2, 200, None)
def test_at_most_one_origin_is_allowed_and_never_any_with_credentials(
    cors: Cors, origin: bytes, lines: list[bytes], status: int, preflight: Preflight | None
) -> None:
    assume(cors.mode is not CorsMode.PASSTHROUGH)
    if preflight is not None:
        origin = preflight.origin
    decision = judged(cors, origin)
    assert_well_formed(apply_cors(decision, read(lines), status=status, preflight=preflight))
    assert_well_formed(local_lines(decision))


@given(policies, response_lines, statuses)
def test_a_response_to_nobody_in_particular_is_well_formed_too(cors: Cors, lines: list[bytes], status: int) -> None:
    assume(cors.mode is not CorsMode.PASSTHROUGH)
    assert_well_formed(apply_cors(judged(cors), read(lines), status=status))


@given(policies, origins, response_lines, statuses, st.booleans())
def test_nobody_reads_what_neither_the_policy_nor_the_upstream_grants(
    cors: Cors, origin: bytes, lines: list[bytes], status: int, includes_credentials: bool
) -> None:
    assume(cors.mode is not CorsMode.PASSTHROUGH)
    decision = judged(cors, origin)
    done = apply_cors(decision, read(lines), status=status)
    granted = [
        word for value in values_of(lines, b"access-control-allow-origin") for word in value.replace(b",", b" ").split()
    ]
    named = {normalised(word) or word for word in granted}
    may_by_policy = decision.is_allowed and (decision.with_credentials or not includes_credentials)
    may_by_upstream = origin in named or (b"*" in named and not includes_credentials)
    if cors_check(done, origin, includes_credentials=includes_credentials):
        assert may_by_policy or (cors.mode is CorsMode.FIX and may_by_upstream)
        assert cors.mode is not CorsMode.STRIP
        assert cors.mode is CorsMode.REWRITE or granted


@given(policies, origins, response_lines, statuses, st.booleans())
def test_fix_takes_from_no_page_what_it_could_read(
    cors: Cors, origin: bytes, lines: list[bytes], status: int, includes_credentials: bool
) -> None:
    cors = replace(cors, mode=CorsMode.FIX)
    if cors_check(lines, origin, includes_credentials=includes_credentials):
        done = apply_cors(judged(cors, origin), read(lines), status=status)
        assert cors_check(done, origin, includes_credentials=includes_credentials)


@given(policies, st.lists(origins, max_size=3), response_lines, st.one_of(statuses, st.just(101)))
def test_finishing_twice_is_finishing_once(cors: Cors, values: list[bytes], lines: list[bytes], status: int) -> None:
    decision = judged(cors, *values)
    once = apply_cors(decision, read(lines), status=status)
    assert apply_cors(decision, read(once), status=status) == once


@given(policies, preflights, response_lines)
def test_finishing_a_preflights_answer_twice_is_finishing_it_once(
    cors: Cors, preflight: Preflight, lines: list[bytes]
) -> None:
    decision = judged(cors, preflight.origin)
    once = apply_cors(decision, read(lines), status=204, preflight=preflight)
    assert apply_cors(decision, read(once), status=204, preflight=preflight) == once


@given(policies, origins, response_lines, st.one_of(statuses, st.sampled_from([101, 103])))
def test_no_other_line_is_touched_and_vary_is_only_added_to(
    cors: Cors, origin: bytes, lines: list[bytes], status: int
) -> None:
    done = apply_cors(judged(cors, origin), read(lines), status=status)
    others = [line for line in lines if not line.lower().startswith(b"access-control-")]
    left = [line for line in done if not line.lower().startswith(b"access-control-")]
    assert left[: len(others)] == others
    assert left[len(others) :] in ([], [b"Vary: Origin"], [b"Cross-Origin-Resource-Policy: same-origin"])
    if status < 200:
        assert set(done) <= set(lines)


@given(policies, origins, origins, response_lines, statuses)
def test_what_differs_between_two_origins_varies_by_origin(
    cors: Cors, one: bytes, other: bytes, lines: list[bytes], status: int
) -> None:
    done = [apply_cors(judged(cors, origin), read(lines), status=status) for origin in (one, other)]
    own = [local_lines(judged(cors, origin)) for origin in (one, other)]
    for first, second in (done, own):
        if list(first) != list(second):
            for answer in (first, second):
                named = Headers.of(answer).get(b"vary") or b""
                assert {b"origin", b"*"} & {name.strip().lower() for name in named.split(b",")}


# --- rewrite, as a browser sees it ------------------------------------------------------------------------------------


@given(policies, origins, response_lines, statuses)
def test_under_rewrite_a_browser_lets_exactly_the_allowed_origins_read(
    cors: Cors, origin: bytes, lines: list[bytes], status: int
) -> None:
    decision = judged(replace(cors, mode=CorsMode.REWRITE), origin)
    for answer in (apply_cors(decision, read(lines), status=status), local_lines(decision)):
        assert cors_check(answer, origin, includes_credentials=False) == decision.is_allowed
        assert cors_check(answer, origin, includes_credentials=True) == decision.with_credentials


@given(policies, preflights)
def test_a_browser_takes_every_preflight_that_is_allowed_and_none_that_is_refused(
    cors: Cors, preflight: Preflight
) -> None:
    policy = compile_cors(cors, "devproxy.toml")
    decision = decide(policy, (preflight.origin,))
    verdict = judge_preflight(policy, preflight)
    passes = preflight_passes(204 if verdict.is_allowed else 403, verdict.lines, preflight, includes_credentials=False)
    assert passes == verdict.is_allowed
    with_credentials = preflight_passes(
        204 if verdict.is_allowed else 403, verdict.lines, preflight, includes_credentials=True
    )
    assert with_credentials == (verdict.is_allowed and decision.with_credentials)
    assert verdict.is_allowed == (verdict.code == "")
    if verdict.is_allowed:
        assert decision.is_allowed
        assert cors.mode is not CorsMode.STRIP
        assert b"*" not in b"".join(verdict.lines)
    else:
        granted = [line for line in verdict.lines if line.lower().startswith(b"access-control-")]
        assert granted == list(decision.lines)  # none unless the policy allows the origin
        assert decision.is_allowed or not granted
        assert verdict.what
        assert verdict.help
    assert_well_formed(verdict.lines)


@given(policies, preflights, response_lines)
def test_a_forwarded_preflight_grants_what_an_answered_one_does(
    cors: Cors, preflight: Preflight, lines: list[bytes]
) -> None:
    policy = compile_cors(replace(cors, mode=CorsMode.REWRITE), "devproxy.toml")
    done = apply_cors(decide(policy, (preflight.origin,)), read(lines), status=204, preflight=preflight)
    verdict = judge_preflight(policy, preflight)
    for includes_credentials in (False, True):
        relayed = preflight_passes(204, done, preflight, includes_credentials=includes_credentials)
        answered = preflight_passes(
            204 if verdict.is_allowed else 403, verdict.lines, preflight, includes_credentials=includes_credentials
        )
        assert relayed == answered


# --- whatever comes ---------------------------------------------------------------------------------------------------

field_values = st.binary(max_size=120).filter(lambda value: not set(value) & {*range(9), *range(10, 32), 127})


@given(st.lists(field_values, max_size=3), st.lists(field_values, max_size=3), st.lists(field_values, max_size=3))
def test_no_octets_in_a_preflight_raise_or_leave_as_anything_but_field_lines(
    values: list[bytes], methods: list[bytes], names: list[bytes]
) -> None:
    lines = [
        b"OPTIONS / HTTP/1.1",
        b"Host: localhost",
        *(b"Origin: " + value for value in values),
        *(b"Access-Control-Request-Method: " + value for value in methods),
        *(b"Access-Control-Request-Headers: " + value for value in names),
    ]
    asked = read_preflight(parse_request_head(b"\r\n".join(lines), Limits()))
    if asked is not None:
        verdict = judge_preflight(compile_cors(Cors(mode=CorsMode.REWRITE), ""), asked)
        assert [read_field(line).line for line in verdict.lines] == list(verdict.lines)


@given(st.lists(origins, max_size=3))
def test_every_decision_has_a_reason_that_can_be_printed(values: list[bytes]) -> None:
    decision = judged(Cors(mode=CorsMode.REWRITE), *values)
    assert decision.reason.isprintable()
    assert [read_field(line).line for line in decision.lines] == list(decision.lines)


pattern_texts = st.lists(
    st.sampled_from(
        ["http", "HTTPS", "://", ":", "*", ".", "*.", "a", "B.test", "[::1]", "0", "127.0.0.1", "80", "443"]
    )
    | st.sampled_from(["/", "@", "?", "#", "regex:", "[0-9]+", "(", "b\u00fccher", "\x1b", "null", "com", "%"]),
    max_size=8,
).map("".join)


@given(st.one_of(pattern_texts, st.text(max_size=40)))
@example("http://\x1b/")
@example("*://\x1b")
@example("http://\x1b:*1")
@example("http://*.localhost:*")
@example("https://b\u00fccher.example:443")
def test_a_pattern_is_refused_in_words_or_stays_the_same_when_read_again(text: str) -> None:
    refusal = None
    try:
        pattern = parse_pattern(text)
    except BadText as error:
        refusal = error
    if refusal is not None:
        assert refusal.what.isprintable()
        assert refusal.help.isprintable()
    else:
        assert parse_pattern(pattern.text) == pattern


def reference_takes(pattern: str, origin: bytes) -> bool:
    """Compare label by label, from the end."""
    if pattern.startswith("regex:"):
        return re.compile(rf"\A(?:{pattern[6:]})\Z").search(origin.decode()) is not None
    (scheme, wanted, port), (other_scheme, host, other_port) = map(reference_parts, (pattern, origin.decode()))
    if scheme != other_scheme or port not in ("*", other_port):
        return False
    if not wanted.startswith("*."):
        return wanted == host
    labels, ending = host.split("."), wanted.split(".")[1:]
    return len(labels) > len(ending) and labels[-len(ending) :] == ending


def reference_parts(text: str) -> tuple[str, str, str]:
    scheme, rest = text.split("://")
    if rest.endswith("]") or ":" not in rest.replace("[::1]", ""):
        return scheme, rest, ""
    host, _, port = rest.rpartition(":")
    return scheme, host, port


EVERY_ORIGIN = [
    f"{scheme}://{host}{port}".encode()
    for scheme in ("http", "https")
    for host in HOSTS
    for port in ("", ":3000", ":5173", ":8443")
]


@given(st.lists(st.sampled_from(PATTERNS), max_size=3))
@example(["https://*.app.test"])
@example(["http://*.app.test:*"])
def test_a_set_takes_what_one_of_its_patterns_takes(patterns: list[str]) -> None:
    origins = OriginSet(map(parse_pattern, patterns))
    for origin in EVERY_ORIGIN:
        fitting = [pattern for pattern in patterns if reference_takes(pattern, origin)]
        rule = origins.rule_for(origin)
        assert rule in fitting if fitting else rule is None


@given(schemes, hosts, ports)
def test_an_exact_pattern_takes_its_own_origin_alone(scheme: str, host: str, port: str) -> None:
    text = f"{scheme}://{host}{port}"
    own = OriginSet([parse_pattern(text)])
    assert [other.decode() for other in EVERY_ORIGIN if own.rule_for(other)] == [text]


@given(st.one_of(origins, st.binary(max_size=60)))
def test_what_is_an_origin_is_its_own_normal_form(value: bytes) -> None:
    if parse_origin(value) is not None:
        assert normalised(value) == value
    elif LOOPBACK.rule_for(value) is not None:
        raise AssertionError("a set took what is no origin")


# --- cost -------------------------------------------------------------------------------------------------------------


def steps(work: Callable[[], object]) -> int:
    """Return how many lines of Python `work` takes: a measure that no busy machine disturbs."""
    count = 0

    def trace(frame: FrameType, event: str, argument: object) -> TraceFunction | None:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    gc.disable()  # a collection would run other people's callbacks, and count their lines
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
        gc.enable()
    return count


def assert_linear(work: Callable[[int], Callable[[], object]], size: int) -> None:
    """Four times the size costs no more than five times the steps."""
    assert steps(work(4 * size)) <= 5 * steps(work(size))


def test_reading_a_preflight_costs_no_more_than_its_length() -> None:
    def work(size: int) -> Callable[[], object]:
        names = b",".join(b"x-%d" % number for number in range(size))
        lines = (b"OPTIONS / HTTP/1.1", b"Origin: http://localhost", b"Access-Control-Request-Method: PUT")
        head = parse_request_head(
            b"\r\n".join((*lines, b"Host: a", b"Access-Control-Request-Headers: " + names)), Limits()
        )
        return lambda: read_preflight(head)

    assert_linear(work, 100)
    commas = b"Access-Control-Request-Headers: " + b"," * 60_000
    bomb = (
        b"OPTIONS / HTTP/1.1",
        b"Origin: http://localhost",
        b"Access-Control-Request-Method: PUT",
        b"Host: a",
        commas,
    )
    head = parse_request_head(b"\r\n".join(bomb), Limits())
    assert steps(lambda: read_preflight(head)) < 500


def test_finishing_costs_no_more_than_the_number_of_lines() -> None:
    for mode in CorsMode:
        decision = judged(Cors(mode=mode), b"http://localhost:3000")

        def work(size: int, decision: CorsDecision = decision) -> Callable[[], object]:
            fields = read([b"Access-Control-Allow-Origin: http://a%d.test" % number for number in range(size)])
            return lambda: apply_cors(decision, fields, status=200)

        assert_linear(work, 100)


def test_a_look_up_costs_no_more_than_the_number_of_patterns_and_exact_ones_cost_nothing() -> None:
    def below(size: int) -> Callable[[], object]:
        origins = OriginSet(parse_pattern(f"https://*.a{number}.test") for number in range(size))
        return lambda: origins.rule_for(b"https://x.b.test")

    def exact(size: int) -> Callable[[], object]:
        origins = OriginSet(parse_pattern(f"https://a{number}.test") for number in range(size))
        return lambda: origins.rule_for(b"https://a0.test")

    assert_linear(below, 100)
    assert steps(exact(400)) == steps(exact(4))
