"""What is said where there is no TLS with a server, for every cause."""

from __future__ import annotations

import pytest
from devproxy.config.model import Scheme, Upstream
from devproxy.errors import SeenCertificate, TlsCause, TlsFailure
from devproxy.policy.tls_advice import (
    Settings,
    certificate_text,
    facts_of_certificate,
    tls_settings,
    words_on_tls,
)
from tests.support.wire import address_of

SETTINGS = Settings("api.test", "[upstreams.backend]")
SEEN = SeenCertificate("CN=a", "CN=b", ("a.test", "10.0.0.1"), "2026-01-02 03:04", "2026-02-02 03:04")


@pytest.mark.parametrize("certificate", [None, SEEN, SeenCertificate("", "", (), "", "")])
@pytest.mark.parametrize("cause", TlsCause)
def test_every_cause_has_a_sentence_and_something_to_do(cause: TlsCause, certificate: SeenCertificate | None) -> None:
    words = words_on_tls(TlsFailure(cause, "some reason", certificate), SETTINGS)
    assert words.what
    assert not words.what.endswith(".")
    assert words.help.endswith(".")
    assert "None" not in words.what


@pytest.mark.parametrize("cause", [TlsCause.SELF_SIGNED, TlsCause.UNTRUSTED])
def test_to_trust_an_authority_is_advised_before_to_accept_any_certificate(cause: TlsCause) -> None:
    help = words_on_tls(TlsFailure(cause, ""), SETTINGS).help
    assert 0 <= help.index("tls_ca = ") < help.index("tls_verify = false")
    assert "[upstreams.backend]" in help


def test_what_is_trusted_already_stays_in_the_line_to_write() -> None:
    settings = SETTINGS._replace(authorities=("system", "old.pem"))
    help = words_on_tls(TlsFailure(TlsCause.UNTRUSTED, ""), settings).help
    assert '`tls_ca = ["system", "old.pem", "ca.pem"]`' in help


def test_what_another_authority_would_not_cure_does_not_name_one() -> None:
    for cause in (TlsCause.EXPIRED, TlsCause.NOT_YET_VALID, TlsCause.WRONG_NAME, TlsCause.PLAIN_HTTP):
        assert "tls_ca" not in words_on_tls(TlsFailure(cause, "", SEEN), SETTINGS).help


def test_the_certificate_is_told_by_name_issuer_names_and_dates() -> None:
    assert facts_of_certificate(SEEN) == [
        ("certificate", "CN=a"),
        ("certificate signed by", "CN=b"),
        ("certificate for", "a.test, 10.0.0.1"),
        ("certificate valid", "2026-01-02 03:04 to 2026-02-02 03:04 UTC"),
    ]
    assert certificate_text(SEEN).startswith("certificate CN=a; signed by CN=b; for a.test, 10.0.0.1; valid 2026-01-02")
    assert ("certificate signed by", "itself") in facts_of_certificate(SEEN._replace(issuer="CN=a"))
    assert certificate_text(None) == ""


def test_of_many_names_a_few_are_shown() -> None:
    many = SEEN._replace(names=tuple(f"n{number}.test" for number in range(40)))
    assert dict(facts_of_certificate(many))["certificate for"].endswith("n4.test and 35 more")


def test_settings_are_those_of_the_upstream_and_the_server() -> None:
    server = address_of(1, host="a.test", scheme=Scheme.HTTPS)
    upstream = Upstream(name="my api", servers=(server,), tls_ca=("ca.pem",))
    assert tls_settings(upstream, server) == Settings("a.test", '[upstreams."my api"]', ("ca.pem",))
    assert tls_settings(upstream, address_of(1)) is None
