"""The guard: Hosts that are this machine's, and web sites that may make a browser send requests."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from devproxy.config.model import Cors
from devproxy.http.messages import RequestFacts
from devproxy.policy.forms import compile_forms
from devproxy.policy.hosts import HostGuard, SourceVerdict, compile_hosts, judge_source

LOOPBACK = ("127.0.0.1", "::1")
OWN_HOST = b"localhost:8080"


def guard(*allowed: str, bound: tuple[str, ...] = LOOPBACK) -> HostGuard:
    return compile_hosts(allowed, bound)


# -- Host --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    [
        b"localhost",
        b"localhost:8080",
        b"LocalHost:8080",
        b"localhost.",
        b"localhost.:8080",
        b"localhost:",
        b"app.localhost:8080",
        b"a.b.localhost",
        b"APP.LOCALHOST.:1",
        b"127.0.0.1",
        b"127.0.0.1:65535",
        b"127.1.2.3",
        b"127.0.0.1.",
        b"[::1]",
        b"[::1]:8080",
        b"[0:0:0:0:0:0:0:1]:8080",
        b"10.0.2.2:8080",
        b"172.17.0.1:8080",
        b"192.168.1.20:8080",
        b"192.168.1.20.:8080",
        b"8.8.8.8",
        b"[fe80::1]",
        b"[fd00::5]:8080",
        b"[2001:db8::1]:8080",
    ],
)
def test_a_host_that_no_web_site_can_choose_is_answered(host: bytes) -> None:
    verdict = guard().judge(host)
    assert (verdict.is_allowed, verdict.what, verdict.help) == (True, "", "")
    assert verdict.rule


@pytest.mark.parametrize(
    "host",
    [
        b"evil.test",
        b"evil.test:8080",
        b"localhost.evil.test",
        b"localhost.evil.test:8080",
        b"evillocalhost",
        b"localhost-evil.test",
        b"xlocalhost:8080",
        b".localhost",
        b"a..localhost",
        b"localhost..",
        b"127.0.0.1.evil",
        b"127.0.0.1.nip.io",
        b"127-0-0-1.nip.io",
        b"127.0.0.1..",
        b"localhost:8080@evil.test",
        b"evil.test@localhost",
        b"localhost:8080:8080",
        b"localhost:80a",
        b"0x7f.1",
        b"0x7f000001",
        b"127.1",
        b"127.1:8080",
        b"2130706433",
        b"0177.0.0.1",
        b"127.0.0.01",
        b"127.0.0.256",
        *(b"0", b"0:8080", b"0.0", b"0x0", b"00.0.0.0", b"0.0.0.0", b"0.0.0.0:8080", b"0.0.0.0.", b"0.0.0.0.:8080"),
        *(b"0.1.2.3", b"127.0.0.1.1", b"0x7F.0.0.1", b"017700000001", b"127.0.1"),
        *(b"[::]", b"[::]:8080", b"[0:0:0:0:0:0:0:0]", b"[::0.0.0.0]", b"[::0]:8080"),
        *(
            b"[::ffff:127.0.0.1]:8080",
            b"[::FFFF:7f00:1]",
            b"[0:0:0:0:0:ffff:7f00:1]",
            b"[::ffff:0:0]",
            b"[::ffff:a00:1]",
        ),
        *(b"[::127.0.0.1]", b"[::7f00:1]:8080", b"[::ffff:0:127.0.0.1]", b"[::ffff:0:7f00:1]:8080"),
        *(b"[::%lo]", b"[fe80::1%25eth0]:8080", b"[fe80::1%eth0]"),
        b"::1",
        b"[::1",
        b"[::1%25lo]",
        b"[127.0.0.1]",
        b"[::ffff:10.0.0.1]",
        b"localhost, evil.test",
        b"localhost/evil",
        b"localhost\\evil",
        b"local host",
        b"localhost\0",
        b"localh%6fst",
        "l\u00f6calhost".encode(),
        b"\xff\xfe",
        b"xn--localhost",
        b"a" * 64 + b".localhost",
        b"a" * 5000,
        b":8080",
        b".",
        b"*",
    ],
)
def test_any_other_host_is_refused_with_words(host: bytes) -> None:
    verdict = guard().judge(host)
    assert not verdict.is_allowed
    assert verdict.what
    assert verdict.help
    assert verdict.name.isprintable()
    assert len(verdict.name) <= 255


def test_a_request_of_http_1_0_without_a_host_passes() -> None:
    assert guard().judge(b"").is_allowed


def test_the_help_is_the_line_to_add() -> None:
    verdict = guard().judge(b"App.Test.:8080")
    line = verdict.help[verdict.help.index("allowed_hosts") :]
    assert tomllib.loads(line) == {"allowed_hosts": ["app.test"]}
    assert guard(*tomllib.loads(line)["allowed_hosts"]).judge(b"App.Test.:8080").is_allowed


@pytest.mark.parametrize(
    ("host", "address"),
    [
        (b"0.0.0.0:8080", "http://localhost:8080"),
        (b"0.0.0.0.:8080", "http://localhost:8080"),
        (b"0.0.0.0", "http://localhost"),
        (b"0:8080", "http://localhost:8080"),
        (b"0x7f.1:3000", "http://localhost:3000"),
        (b"127.1:80", "http://localhost:80"),
        (b"2130706433:65535", "http://localhost:65535"),
        (b"[::]:8080", "http://localhost:8080"),
        (b"[::ffff:7f00:1]:8080", "http://localhost:8080"),
        (b"[::ffff:127.0.0.1]", "http://localhost"),
        (b"[::1%25lo]:8080", "http://localhost:8080"),
    ],
)
@pytest.mark.parametrize("bound", [LOOPBACK, ("",), ("0.0.0.0",), ("::",)])
def test_a_spelling_of_this_machine_gets_the_address_to_open_wherever_devproxy_listens(
    host: bytes, address: str, bound: tuple[str, ...]
) -> None:
    verdict = guard("one.test", bound=bound).judge(host)
    assert not verdict.is_allowed
    assert verdict.help.endswith(f"open {address}")


def test_what_others_read_says_nothing_of_the_configuration() -> None:
    verdict = guard("secret.test", ".staging.secret.test").judge(b"evil.test")
    assert "secret" not in verdict.help + verdict.what + verdict.name + verdict.rule
    assert 'add "evil.test" to allowed_hosts' in verdict.help


@pytest.mark.parametrize(
    ("allowed", "host"), [("0.0.0.0", b"0.0.0.0:8080"), ("::", b"[::]"), ("::ffff:127.0.0.1", b"[::ffff:7f00:1]:1")]
)
def test_who_writes_such_an_address_means_it(allowed: str, host: bytes) -> None:
    assert guard(allowed).judge(host).is_allowed


def test_what_is_no_host_gets_no_line_to_add() -> None:
    verdict = guard().judge(b"localhost:8080@evil.test")
    assert "allowed_hosts" not in verdict.help
    assert "localhost" in verdict.help


@pytest.mark.parametrize(
    ("allowed", "host", "is_allowed"),
    [
        ("app.test", b"app.test:8080", True),
        ("app.test", b"APP.test.", True),
        ("app.test", b"www.app.test", False),
        ("app.test", b"app.test.evil", False),
        (".app.test", b"app.test", True),
        (".app.test", b"www.app.test:1", True),
        (".app.test", b"a.b.app.test", True),
        (".app.test", b"evilapp.test", False),
        (".app.test", b"app.test.evil", False),
        (".app.test", b"..app.test", False),
        ("10.0.0.5", b"10.0.0.5:8080", True),
        ("[fd00::5]", b"[fd00:0::5]:8080", True),
        ("fd00::5", b"[fd00::5]", True),
        ("*", b"evil.test", True),
        ("*", b"192.168.1.20", True),
    ],
)
def test_allowed_hosts_are_names_names_with_all_below_addresses_or_any(
    allowed: str, host: bytes, is_allowed: bool
) -> None:
    assert guard(allowed).judge(host).is_allowed is is_allowed


def test_a_name_that_is_listened_on_is_answered_and_others_are_not() -> None:
    one = guard(bound=("192.168.1.20", "fe80::1%eth0", "devbox.lan"))
    assert one.judge(b"192.168.1.20:8080").is_allowed
    assert one.judge(b"[fe80::1]:8080").is_allowed
    assert one.judge(b"devbox.lan:8080").is_allowed
    assert one.judge(b"localhost:8080").is_allowed
    assert not one.judge(b"evil.test").is_allowed


@pytest.mark.parametrize("every", ["", "0.0.0.0", "::"])
def test_who_listens_on_every_address_answers_to_each_but_to_no_name(every: str) -> None:
    wide = guard(bound=(every,))
    for host in (b"192.168.1.20:8080", b"[2001:db8::1]", b"10.0.0.1"):
        assert wide.judge(host).is_allowed
    for host in (b"evil.test", b"10.0.0.1.nip.io", b"0x7f.1", b"127.1"):
        assert not wide.judge(host).is_allowed


# -- where a request comes from ----------------------------------------------------------------------------------------


def judge(
    *origins: bytes,
    site: bytes = b"",
    mode: bytes = b"",
    dest: bytes = b"",
    method: bytes = b"GET",
    is_upgrade: bool = False,
    allows: bool = False,
    host: bytes = OWN_HOST,
    cors: Cors | None = None,
    forms: tuple[str, ...] = (),
) -> SourceVerdict | None:
    facts = RequestFacts(
        host=host,
        origins=origins,
        fetch_site=site,
        fetch_mode=mode,
        fetch_dest=dest,
        upgrade=b"websocket" if is_upgrade else b"",
    )
    return judge_source(method, facts, cors or Cors(), is_origin_allowed=allows, forms=compile_forms(forms))


def code(verdict: SourceVerdict | None) -> str:
    return "" if verdict is None else verdict.code


KINDS: dict[str, dict[str, Any]] = {
    "GET": {},
    "POST": {"method": b"POST"},
    "PUT": {"method": b"PUT"},
    "DELETE": {"method": b"DELETE"},
    "fetch": {"method": b"POST", "mode": b"cors", "dest": b"empty"},
    "WebSocket": {"is_upgrade": True, "mode": b"websocket", "dest": b"websocket"},
}
every_kind = pytest.mark.parametrize("kind", KINDS)


@every_kind
def test_without_origin_and_sec_fetch_site_every_request_passes(kind: str) -> None:
    assert judge(**{**KINDS[kind], "mode": b""}) is None


@every_kind
@pytest.mark.parametrize("site", [b"", b"same-origin", b"none"])
def test_the_own_origin_passes(kind: str, site: bytes) -> None:
    assert judge(b"http://localhost:8080", site=site, **KINDS[kind]) is None
    assert judge(b"https://localhost:8080", site=site, **KINDS[kind]) is None


@every_kind
@pytest.mark.parametrize("site", [b"", b"cross-site", b"same-site"])
def test_an_origin_that_the_route_allows_passes(kind: str, site: bytes) -> None:
    assert judge(b"https://app.test", site=site, allows=True, **KINDS[kind]) is None
    assert judge(b"null", site=site, allows=True, **KINDS[kind]) is None


@every_kind
@pytest.mark.parametrize("site", [b"", b"cross-site", b"same-site", b"same-origin", b"none"])
@pytest.mark.parametrize(
    "origin",
    [
        b"http://evil.test",
        b"http://localhost:3000",
        b"http://localhost",
        b"http://localhost:80801",
        b"http://localhost.evil.test:8080",
        b"http://127.0.0.1:8080",
        b"http://[::1]:8080",
        b"chrome-extension://abcdef",
    ],
)
def test_a_foreign_origin_is_refused_whatever_sec_fetch_site_says(kind: str, site: bytes, origin: bytes) -> None:
    expected = "websocket-origin-not-allowed" if kind == "WebSocket" else "origin-not-allowed"
    assert code(judge(origin, site=site, **KINDS[kind])) == expected


@every_kind
@pytest.mark.parametrize(
    "origin",
    [
        b"NULL",
        b"",
        b"*",
        b"localhost:8080",
        b"http://localhost:8080/",
        b"http://localhost:8080/path",
        b"http://localhost:8080, http://evil.test",
        b"http://localhost:8080 http://evil.test",
        b"http://evil.test#localhost:8080",
        b"http://evil.test@localhost:8080",
        b"http://localhost:8080\\@evil.test",
        b"http://l\xc3\xb6calhost:8080",
        b"http://" + b"a" * 300,
    ],
)
def test_an_origin_that_is_none_is_refused_even_where_any_is_allowed(kind: str, origin: bytes) -> None:
    for allows in (False, True):
        verdict = judge(origin, allows=allows, **KINDS[kind])
        assert code(verdict) in ("origin-not-allowed", "websocket-origin-not-allowed")


@every_kind
def test_more_than_one_origin_is_refused_even_when_both_are_own(kind: str) -> None:
    own = b"http://localhost:8080"
    assert judge(own, own, **KINDS[kind]) is not None
    assert judge(own, b"http://evil.test", allows=True, **KINDS[kind]) is not None


@every_kind
@pytest.mark.parametrize("site", [b"", b"cross-site", b"same-site", b"none"])
def test_the_null_origin_is_refused(kind: str, site: bytes) -> None:
    verdict = judge(b"null", site=site, **KINDS[kind])
    assert verdict is not None
    assert "dangerously_allow_null_origin = true" in verdict.help


def test_an_own_page_that_hides_its_referrer_may_post_though_its_origin_is_null() -> None:
    assert judge(b"null", method=b"POST", site=b"same-origin", mode=b"same-origin", dest=b"empty") is None


def test_a_websocket_with_the_null_origin_is_refused_whatever_else_it_says() -> None:
    verdict = judge(b"null", site=b"same-origin", **KINDS["WebSocket"])
    assert code(verdict) == "websocket-origin-not-allowed"


@pytest.mark.parametrize(("mode", "dest"), [(b"no-cors", b"script"), (b"no-cors", b"image"), (b"cors", b"empty")])
def test_what_another_site_loads_into_its_page_is_refused(mode: bytes, dest: bytes) -> None:
    verdict = judge(site=b"cross-site", mode=mode, dest=dest)
    assert verdict is not None
    assert verdict.code == "cross-site"
    assert "guard = false" in verdict.help


@pytest.mark.parametrize("site", [b"same-site", b"same-origin", b"none", b""])
def test_what_the_same_site_loads_passes(site: bytes) -> None:
    assert judge(site=site, mode=b"no-cors", dest=b"script") is None


def test_the_other_scheme_of_the_own_host_is_refused_when_the_browser_calls_it_another_site() -> None:
    assert code(judge(b"https://localhost:8080", site=b"cross-site", method=b"POST", mode=b"cors")) == "cross-site"


@pytest.mark.parametrize("dest", [b"document", b"iframe", b"frame", b""])
def test_a_link_from_another_site_passes(dest: bytes) -> None:
    assert judge(site=b"cross-site", mode=b"navigate", dest=dest) is None


FORM: dict[str, Any] = {"method": b"POST", "site": b"cross-site", "mode": b"navigate"}
every_frame = pytest.mark.parametrize("dest", [b"document", b"iframe", b"frame", b"fencedframe", b""])


@every_frame
@pytest.mark.parametrize("origin", [b"https://login.idp.test", b"null"])
def test_a_form_posted_back_by_an_identity_provider_passes_where_that_is_written(origin: bytes, dest: bytes) -> None:
    assert judge(origin, dest=dest, forms=("https://login.idp.test",), **FORM) is None


@every_frame
@pytest.mark.parametrize("site", [b"cross-site", b"same-site", b"none"])
@pytest.mark.parametrize("origin", [b"https://evil.test", b"http://localhost.evil.test", b"http://127.0.0.1:8080"])
def test_a_form_of_another_page_is_refused_with_the_line_that_lets_it_in(
    origin: bytes, site: bytes, dest: bytes
) -> None:
    verdict = judge(origin, dest=dest, **{**FORM, "site": site})
    assert verdict is not None
    assert verdict.code == "form-not-allowed"
    assert f'form_post = ["{origin.decode()}"]' in verdict.help
    assert "[[routes]]" in verdict.help
    assert judge(origin, dest=dest, forms=(origin.decode(),), **FORM) is None


@pytest.mark.parametrize("origins", [(b"null",), ()])
def test_a_form_of_a_page_that_hides_its_origin_is_refused_with_an_example(origins: tuple[bytes, ...]) -> None:
    verdict = judge(*origins, **FORM)
    assert verdict is not None
    assert verdict.code == "form-not-allowed"
    assert 'form_post = ["https://login.example"]' in verdict.help
    assert judge(*origins, forms=("http://login.test",), **FORM) is not None, "no browser hides that one"
    for forms in (("https://login.example",), ("https://*.login.example",), ("null",), ("regex:https?://a\\.test",)):
        assert judge(*origins, forms=forms, **FORM) is None


def test_the_line_for_a_form_has_the_origins_that_are_there_already() -> None:
    verdict = judge(b"https://evil.test", forms=("https://login.example", "http://a.test"), **FORM)
    assert verdict is not None
    start = verdict.help.index("form_post = ")
    line = verdict.help[start : verdict.help.index("]", start) + 1]
    assert tomllib.loads(line)["form_post"] == ["https://login.example", "http://a.test", "https://evil.test"]


@pytest.mark.parametrize("mode", [b"cors", b"no-cors", b"same-origin"])
def test_who_may_post_a_form_may_not_fetch(mode: bytes) -> None:
    known = ("https://login.example",)
    assert judge(b"https://login.example", forms=known, **{**FORM, "mode": mode}) is not None
    assert judge(b"null", forms=known, **{**FORM, "mode": mode}) is not None
    for method in (b"PUT", b"PATCH", b"DELETE"):
        assert judge(b"https://login.example", forms=known, **{**FORM, "method": method}) is not None
        assert judge(b"https://login.example", forms=known, method=method) is not None
    assert judge(b"https://login.example", forms=known, is_upgrade=True) is not None
    assert judge(b"https://login.example", forms=known, dest=b"object", **FORM) is not None


def test_without_fetch_metadata_a_form_is_known_by_its_method_and_origin() -> None:
    """Plain http to a name of one's own: the browser says nothing but the Origin."""
    own: dict[str, Any] = {"host": b"app.test:8080", "method": b"POST"}
    verdict = judge(b"http://login.test", **own)
    assert verdict is not None
    assert 'form_post = ["http://login.test"]' in verdict.help
    assert judge(b"http://login.test", forms=("http://login.test",), **own) is None
    assert judge(b"null", forms=("https://login.test",), **own) is None
    assert judge(b"null", forms=("http://login.test",), **own) is not None
    assert judge(b"http://app.test:8080", **own) is None


@every_frame
@pytest.mark.parametrize(
    ("origin", "site"),
    [
        (b"http://localhost:8080", b"same-origin"),
        (b"http://localhost:8080", b"none"),
        (b"null", b"same-origin"),
        (b"null", b"same-site"),
    ],
)
def test_forms_of_own_pages_and_of_those_of_this_machine_pass(origin: bytes, site: bytes, dest: bytes) -> None:
    assert judge(origin, dest=dest, **{**FORM, "site": site}) is None


def test_a_neighbour_that_hides_its_origin_counts_only_where_all_of_this_machine_do() -> None:
    neighbour = {**FORM, "site": b"same-site"}
    assert judge(b"null", cors=Cors(origins=()), **neighbour) is not None
    assert judge(b"null", host=b"app.test", **neighbour) is not None
    assert judge(b"http://localhost:3000", allows=True, **neighbour) is None


@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
@pytest.mark.parametrize("origins", [(), (b"null",), (b"https://evil.test",)])
def test_forms_that_ask_for_a_page_pass_as_links_do(method: bytes, origins: tuple[bytes, ...]) -> None:
    assert judge(*origins, **{**FORM, "method": method}) is None


@pytest.mark.parametrize("method", [b"POST", b"PUT", b"DELETE"])
def test_an_own_page_whose_referrer_policy_hides_it_is_told_the_safe_line_first(method: bytes) -> None:
    verdict = judge(b"null", host=b"app.test:8080", method=method)
    assert verdict is not None
    line = '[routes.headers.response] set = { "Referrer-Policy" = "same-origin" }'
    assert line in verdict.help
    assert tomllib.loads(line.partition("] ")[2]) == {"set": {"Referrer-Policy": "same-origin"}}
    assert verdict.help.index(line) < verdict.help.index("dangerously_allow_null_origin")
    assert "no-referrer" in verdict.help


@pytest.mark.parametrize(
    "said",
    [{"site": b"cross-site", "mode": b"cors"}, {"is_upgrade": True}, {"site": b"cross-site", "mode": b"navigate"}],
)
def test_where_it_cannot_be_an_own_page_that_line_is_not_said(said: dict[str, Any]) -> None:
    verdict = judge(b"null", host=b"app.test:8080", method=b"GET" if said.get("is_upgrade") else b"POST", **said)
    assert verdict is not None
    assert "Referrer-Policy" not in verdict.help


@pytest.mark.parametrize("method", [b"PUT", b"DELETE", b"PATCH", b"OPTIONS"])
def test_no_navigation_has_a_method_that_forms_have_not(method: bytes) -> None:
    assert judge(b"http://evil.test", method=method, site=b"cross-site", mode=b"navigate") is not None
    assert judge(method=method, site=b"cross-site", mode=b"navigate") is not None


@pytest.mark.parametrize("dest", [b"object", b"embed"])
def test_a_navigation_into_the_page_of_another_site_is_refused(dest: bytes) -> None:
    assert code(judge(site=b"cross-site", mode=b"navigate", dest=dest)) == "cross-site"


def test_a_websocket_handshake_is_never_a_navigation() -> None:
    assert code(judge(site=b"cross-site", mode=b"navigate", is_upgrade=True)) == "cross-site"
    assert judge(b"http://evil.test", site=b"cross-site", mode=b"navigate", is_upgrade=True) is not None


@pytest.mark.parametrize(
    ("origin", "host", "is_own"),
    [
        (b"http://app.test", b"app.test", True),
        (b"http://app.test", b"app.test:80", True),
        (b"http://app.test:80", b"app.test", True),
        (b"https://app.test", b"app.test:443", True),
        (b"https://app.test", b"app.test", True),
        (b"https://app.test", b"app.test:80", False),
        (b"http://app.test", b"app.test:443", False),
        (b"http://app.test", b"APP.test", True),
        (b"http://app.test:8080", b"app.test", False),
        (b"ws://app.test", b"app.test", False),
        (b"http://[::1]:8080", b"[::1]:8080", True),
        (b"http://10.0.2.2:8080", b"10.0.2.2:8080", True),
        (b"http://10.0.2.2:3000", b"10.0.2.2:8080", False),
        (b"http://10.0.2.3:8080", b"10.0.2.2:8080", False),
        (b"http://[fd00::5]:8080", b"[fd00::5]:8080", True),
        (b"http://app.test", b"", False),
    ],
)
def test_the_own_origin_is_the_authority_that_the_request_names(origin: bytes, host: bytes, is_own: bool) -> None:
    assert (judge(origin, host=host, method=b"POST") is None) is is_own


def toml_line(help: str) -> dict[str, Any]:
    start = help.index("origins = ")
    return tomllib.loads(help[start : help.index("]", start) + 1])


def test_the_help_is_the_line_to_add_with_the_origins_that_are_there_already() -> None:
    cors = Cors(origins=("https://*.app.test", r"regex:https://[a-z]+\.app\.test"), line=12)
    verdict = judge(b"http://shop.test:3000", cors=cors, method=b"POST")
    assert verdict is not None
    start = verdict.help.index("origins = ")
    line = verdict.help[start : verdict.help.index("; or")]
    assert tomllib.loads(line)["origins"] == [*(cors.origins or ()), "http://shop.test:3000"]
    assert ("policy", "line 12") in verdict.facts


def test_the_help_says_that_written_origins_take_the_place_of_the_default() -> None:
    verdict = judge(b"http://shop.test:3000", cors=Cors(), method=b"POST")
    assert verdict is not None
    assert toml_line(verdict.help) == {"origins": ["http://shop.test:3000"]}
    assert "default" in verdict.help


def test_a_verdict_names_what_was_sent_in_printable_words() -> None:
    verdict = judge(b"http://evil.test\x80\t", site=b"cross-site", mode=b"cors")
    assert verdict is not None
    assert dict(verdict.facts)["sec-fetch-site"] == "cross-site"
    assert verdict.what.isprintable()
    assert all(value.isprintable() for _, value in verdict.facts)
