"""Properties of the guard and of places that are mapped back, for octets that nobody would think of."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, ip_address

from devproxy.config.model import Config, Cors, PathKind, Route, Scheme, Server, ServerAddress, Upstream
from devproxy.errors import BadMessage
from devproxy.http.fields import Field, read_field
from devproxy.http.messages import RequestFacts
from devproxy.policy.hosts import compile_hosts, judge_source
from devproxy.policy.location import REFERENCE_FIELDS, LocationRules, compile_locations, map_back
from devproxy.routing.table import RouteTable, canonical_path, rewritten_path
from hypothesis import assume, given
from hypothesis import strategies as st

FRONT = b"http://localhost:8080"
GUARD = compile_hosts((), ("127.0.0.1", "::1"))

labels = st.from_regex(r"[a-z0-9_-]{1,10}", fullmatch=True)
names = st.lists(labels, min_size=1, max_size=4).map(".".join)
hosts = st.one_of(
    st.binary(max_size=40),
    names.map(str.encode),
    st.ip_addresses(v=4).map(lambda address: str(address).encode()),
    st.ip_addresses(v=6).map(lambda address: b"[%b]" % str(address).encode()),
    st.lists(
        st.sampled_from([b"localhost", b"127.0.0.1", b"evil.test", b"[::1]", b".", b":", b"@", b"80", b"\0", b"0x7f"]),
        max_size=5,
    ).map(b"".join),
)


# -- the guard ---------------------------------------------------------------------------------------------------------


@given(hosts)
def test_only_a_name_below_localhost_or_an_address_as_others_write_it_is_answered_by_default(host: bytes) -> None:
    verdict = GUARD.judge(host)
    if not verdict.is_allowed:
        assert verdict.what
        assert verdict.help
        return
    bare = re.sub(rb":[0-9]*\Z", b"", host).decode("ascii").lower().removesuffix(".")
    if host and bare != "localhost" and not bare.endswith(".localhost"):
        address = ip_address(bare.strip("[]"))
        assert not address.is_unspecified
        assert getattr(address, "ipv4_mapped", None) is None


@given(st.ip_addresses(v=4), st.integers(0, 65535), st.sampled_from(["::ffff:{}", "::{}", "::ffff:0:{}"]))
def test_every_address_is_answered_and_none_of_the_spellings_that_hide_it(
    address: IPv4Address, port: int, spelling: str
) -> None:
    assume(int(address) >> 24)
    assert GUARD.judge(f"{address}:{port}".encode()).is_allowed
    packed = int(address)
    spelled = f"{packed >> 16:x}:{packed & 0xFFFF:x}"
    hosts = [f"[{spelling.format(text)}]" for text in (str(address), spelled)]
    hosts += [str(packed), f"0x{packed:x}", f"0{packed:o}", f"{packed >> 24}.{packed & 0xFFFFFF}"]
    for host in hosts:
        verdict = GUARD.judge(f"{host}:{port}".encode())
        assert not verdict.is_allowed, host
        assert "open http://localhost" in verdict.help


@given(hosts)
def test_a_verdict_is_printable_and_short_whatever_the_octets_are(host: bytes) -> None:
    verdict = GUARD.judge(host)
    for text in (verdict.name, verdict.what, verdict.help, verdict.rule):
        assert text == "" or text.isprintable()
        assert len(text) < 1000


@given(names, st.integers(0, 65535), st.booleans(), st.booleans())
def test_case_port_and_final_dot_play_no_part(name: str, port: int, has_dot: bool, is_upper: bool) -> None:
    spelled = (name.upper() if is_upper else name) + ("." if has_dot else "")
    for guard in (GUARD, compile_hosts((name,), ()), compile_hosts(("." + name,), ())):
        assert guard.judge(f"{spelled}:{port}".encode()).is_allowed == guard.judge(name.encode()).is_allowed


@given(names, names)
def test_a_suffix_takes_whole_labels(name: str, other: str) -> None:
    guard = compile_hosts(("." + name,), ())
    assume(not re.search(r"(?:^|\.)localhost$|^[0-9.]+$", other))
    expected = other == name or other.endswith("." + name)
    assert guard.judge(other.encode()).is_allowed == expected


@given(st.lists(st.one_of(hosts, hosts.map(b"http://".__add__)), max_size=3), hosts, st.booleans(), st.booleans())
def test_an_origin_that_is_neither_own_nor_allowed_never_gets_through_outside_navigations(
    origins: list[bytes], host: bytes, is_upgrade: bool, is_listed: bool
) -> None:
    facts = RequestFacts(
        host=host,
        origins=tuple(origins),
        fetch_mode=b"websocket" if is_upgrade else b"cors",
        upgrade=b"websocket" if is_upgrade else b"",
    )
    verdict = judge_source(b"POST", facts, Cors(), is_origin_allowed=is_listed)
    if verdict is None and origins and not is_listed:
        assert len(origins) == 1
        authority = origins[0].lower().removeprefix(b"http://")
        assert authority.removesuffix(b":80") == host.lower().removesuffix(b":80")
    if len(origins) > 1:
        assert verdict is not None
    if verdict is not None:
        for text in (verdict.what, verdict.help, *(value for _, value in verdict.facts)):
            assert text.isprintable()


# -- places ------------------------------------------------------------------------------------------------------------

BACKEND = Upstream(
    name="backend",
    servers=(ServerAddress(scheme=Scheme.HTTP, host="localhost", port=3001, url="http://localhost:3001"),),
)
OTHER = Upstream(
    name="other", servers=(ServerAddress(scheme=Scheme.HTTPS, host="other.test", port=443, url="https://other.test"),)
)

segments = st.sampled_from(["a", "api", "v1", "x", "b%2Fc", "%61", "..", ".", "%2e%2E", "", "A", "é"])
paths = st.lists(segments, max_size=5).map(lambda parts: ("/" + "/".join(parts)).encode())
fixed = st.lists(st.sampled_from(["a", "api", "v1", "x", "A"]), max_size=2).map(lambda parts: "/" + "/".join(parts))
routes = st.builds(
    Route,
    kind=st.sampled_from([PathKind.PREFIX, PathKind.EXACT]),
    pattern=fixed,
    upstream=st.sampled_from(["backend", "other"]),
    rewrite=st.none() | fixed | fixed.map(lambda path: path.rstrip("/") + "/"),
)
starts = st.sampled_from(
    [
        *(b"http://localhost:3001", b"http://127.0.0.1:3001", b"http://u:p@[::1]:3001", b"//localhost:3001", FRONT),
        *(b"https://other.test", b"https://evil.test", b"//evil.test", b"", b"", b""),
    ]
)
references = st.builds(
    lambda start, path, rest: start + path + rest,
    starts,
    st.one_of(paths, st.just(b""), st.text("/\\.:@\t?#[]<>,;\"' ahttp", max_size=12).map(str.encode)),
    st.sampled_from([b"", b"?q=/x", b"#f", b"?a=http://localhost:3001/"]),
)
wrappings = st.sampled_from(
    [b"Location: %b", b"Content-Location:%b", b"Refresh: 0; url=%b", b"Refresh: 3;'%b'", b"Link: <%b>; rel=next, </a>"]
)


def config_of(own: Route, others: list[Route]) -> Config:
    return Config(server=Server(), upstreams=(BACKEND, OTHER), routes=(own, *others))


def rules_of(own: Route, others: list[Route]) -> LocationRules:
    return compile_locations(config_of(own, others), own)


def goes_round_in_itself(route: Route) -> bool:
    """Tell whether what `route` puts is below what it takes: then a path may be both as sent and as received."""
    taken, put = route.pattern.rstrip("/") + "/", (route.rewrite or "").rstrip("/") + "/"
    return put != taken and put.startswith(taken)


@given(routes, st.lists(routes, max_size=3), references, wrappings)
def test_mapping_back_twice_is_mapping_back_once(
    own: Route, others: list[Route], reference: bytes, wrapping: bytes
) -> None:
    assume(not goes_round_in_itself(own))
    rules, field = rules_of(own, others), read_field(wrapping % reference)
    change = map_back(rules, field, front=FRONT)
    if change is not None:
        assert map_back(rules, read_field(change.line), front=FRONT) is None


@given(routes, st.lists(routes, max_size=3), st.sampled_from(sorted(REFERENCE_FIELDS)), st.binary(max_size=60))
def test_what_comes_out_is_a_field_of_the_same_name_whatever_goes_in(
    own: Route, others: list[Route], name: bytes, value: bytes
) -> None:
    try:
        field = read_field(name + b": " + value)
    except BadMessage:
        assume(False)
        raise
    change = map_back(rules_of(own, others), field, front=FRONT)
    if change is not None:
        assert isinstance(read_field(change.line), Field)  # raises for CR, LF, NUL and other controls
        assert read_field(change.line).name == name
        assert change.reasons[0].isprintable()


@given(routes, st.lists(routes, max_size=3), references)
def test_a_place_that_stays_local_is_never_turned_into_another_host(
    own: Route, others: list[Route], reference: bytes
) -> None:
    change = map_back(rules_of(own, others), read_field(b"Location: " + reference), front=FRONT)
    if change is None:
        return
    value = change.line.removeprefix(b"Location: ")
    is_local = re.match(rb"/(?![/\\\t])", value)
    assert is_local or re.match(rb"(?:http:)?//localhost:8080(?:[/?#]|\Z)", value)


@given(routes, paths)
def test_a_path_that_was_sent_upstream_comes_back_as_one_that_is_sent_there_again(own: Route, path: bytes) -> None:
    assume(RouteTable((own,)).match(b"GET", path, b"", ()) is own)
    sent = rewritten_path(own, path)
    start = b"http://localhost:3001" if own.upstream == "backend" else b"https://other.test"
    change = map_back(rules_of(own, []), read_field(b"Location: " + start + sent), front=FRONT)
    assert change is not None
    back = change.line.removeprefix(b"Location: " + FRONT)
    assert RouteTable((own,)).match(b"GET", back, b"", ()) is own
    assert without_slash(canonical_path(rewritten_path(own, back))) == without_slash(canonical_path(sent))


def without_slash(path: bytes) -> bytes:
    """A prefix itself and the same with a slash are one place: rewriting to `/` leaves no difference."""
    return path.removesuffix(b"/") or b"/"
