"""The contexts of a server: by name and address, renewed, and from files of the user's."""

from __future__ import annotations

import os
import ssl
import sys
import time
from pathlib import Path
from threading import Thread

import pytest
from devproxy.certificates import authority, contexts, leaves
from devproxy.certificates.contexts import LocalCertificates, OwnPair
from devproxy.certificates.making import LEAF_DAYS, make_authority, make_leaf
from devproxy.certificates.names import ServedNames
from devproxy.certificates.problems import CertificateProblem
from tests.support.handshakes import handshake

DAY_S = 86_400
MACHINE = ("localhost", "127.0.0.1", "0:0:0:0:0:0:0:1")
SERVED = ServedNames(names=frozenset(("app.test", "dev.example.com")))


class Clock:
    now_s = time.time()

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def own(environment: dict[str, str]) -> authority.Authority:
    return authority.provide(environment)


def local(own: authority.Authority, served: ServedNames = SERVED) -> tuple[LocalCertificates, list[str], Clock]:
    said: list[str] = []
    clock = Clock()
    return LocalCertificates(own, served, ("h2", "http/1.1"), said.append, clock), said, clock


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("localhost", MACHINE),
        ("127.0.0.1", MACHINE),
        ("app.test", ("app.test", "*.app.test")),
        ("www.app.test", ("app.test", "*.app.test")),
        ("a.b.localhost", ("b.localhost", "*.b.localhost")),
    ],
)
def test_a_client_gets_the_certificate_for_the_name_that_it_asks_for(
    name: str, names: tuple[str, ...], own: authority.Authority
) -> None:
    certificates, said, _ = local(own)
    seen = handshake(certificates.context(), name, trusting=own.path, alpn=("http/1.1",))
    assert seen == (names, "http/1.1")
    assert said == []


def test_the_best_protocol_that_both_speak_is_agreed_on_for_every_certificate(own: authority.Authority) -> None:
    certificates, _, _ = local(own)
    for name in ("localhost", "app.test"):
        assert handshake(certificates.context(), name, trusting=own.path, alpn=("http/1.1", "h2")).alpn == "h2"


def test_a_name_that_the_authority_may_not_sign_costs_only_itself(own: authority.Authority) -> None:
    served = SERVED._replace(machine=(*SERVED.machine, "8.8.8.8"))
    certificates, _, _ = local(own, served)
    assert handshake(certificates.context(), "localhost", trusting=own.path).names == MACHINE
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        handshake(certificates.context(), "dev.example.com", trusting=own.path)


def test_an_address_that_was_not_known_beforehand_gets_its_certificate(own: authority.Authority) -> None:
    certificates, _, _ = local(own)
    context = certificates.context("192.168.7.9")
    assert handshake(context, None, trusting=own.path).names == (*MACHINE, "192.168.7.9")
    assert certificates.context("192.168.7.9") is context
    for other in ("8.8.8.8", "/run/devproxy.sock", ""):
        assert certificates.context(other) is certificates.context("127.0.0.1")


def test_a_certificate_that_is_there_is_shown_without_cryptography(
    own: authority.Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    handshake(local(own)[0].context(), "app.test", trusting=own.path)
    monkeypatch.delitem(sys.modules, "devproxy.certificates.making")
    monkeypatch.setitem(sys.modules, "cryptography", None)
    certificates, said, _ = local(own)
    assert handshake(certificates.context(), "app.test", trusting=own.path).names == ("app.test", "*.app.test")
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(certificates.context(), "other.localhost", trusting=own.path)
    assert "".join(said).startswith("there is no certificate for other.localhost: a certificate has to be made, but")
    handshake(certificates.context(), "localhost", trusting=own.path)
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(certificates.context(), "other.localhost", trusting=own.path)
    assert len(said) == 1, "what failed is not tried again by every handshake"


def test_a_certificate_is_made_anew_30_days_before_its_end(own: authority.Authority) -> None:
    certificates, _, clock = local(own)
    first = certificates.context()
    clock.now_s += (LEAF_DAYS - 31) * DAY_S
    assert certificates.context() is first
    clock.now_s += 2 * DAY_S
    assert certificates.context() is not first


def test_of_two_that_make_a_certificate_at_once_both_show_the_first(own: authority.Authority) -> None:
    found: list[bytes] = []

    def make() -> None:
        found.append(Path(leaves.provide(own, ("app.test",), time.time()).path).read_bytes())

    threads = [Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [found[0]] * 4


def test_while_a_new_certificate_cannot_be_made_the_old_one_is_shown(
    own: authority.Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificates, said, clock = local(own)
    first = certificates.context()
    monkeypatch.delitem(sys.modules, "devproxy.certificates.making")
    monkeypatch.setitem(sys.modules, "cryptography", None)
    clock.now_s += (LEAF_DAYS - 1) * DAY_S
    assert certificates.context() is first
    assert len(said) == 1


def test_a_leaf_holds_397_days_and_not_longer_than_its_authority(own: authority.Authority, tmp_path: Path) -> None:
    now_s = time.time()
    made = make_leaf(own.certificate, own.key, ["localhost"], now_s)
    assert made.not_after_s == int(now_s) - 3600 + LEAF_DAYS * DAY_S
    old = make_authority("old", (), now_s - 3640 * DAY_S)
    leaf = leaves.provide(own._replace(certificate=old.certificate, key=old.key), ("localhost",), now_s)
    assert now_s + DAY_S - 2 < leaf.renew_at_s < now_s + 10 * DAY_S
    gone = make_authority("gone", (), now_s - 3651 * DAY_S)
    with pytest.raises(CertificateProblem, match="has expired"):
        make_leaf(gone.certificate, gone.key, ["localhost"], now_s)


def test_of_many_names_only_some_are_kept(own: authority.Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaves, "MAX_FILES", 6)
    monkeypatch.setattr(contexts, "MAX_CONTEXTS", 4)
    certificates, said, _ = local(own)
    for number in range(12):
        name = f"n{number}.localhost"
        assert handshake(certificates.context(), name, trusting=own.path).names[0] == name
    assert len(os.listdir(Path(own.folder, "leaves"))) == 6
    assert len(certificates._ready) == 4
    assert said == []


# -- a pair of the user's -------------------------------------------------------------------------------------------


@pytest.fixture
def pair(own: authority.Authority, tmp_path: Path) -> tuple[Path, Path]:
    write_pair(own, tmp_path, "one.test")
    return tmp_path / "cert.pem", tmp_path / "key.pem"


def write_pair(own: authority.Authority, folder: Path, name: str) -> None:
    made = make_leaf(own.certificate, own.key, [name], time.time())
    (folder / "cert.pem").write_bytes(made.certificate)
    (folder / "key.pem").write_bytes(made.key)


def names(pair: OwnPair, trusting: str) -> tuple[str, ...]:
    return handshake(pair.context("10.0.0.1"), None, trusting=trusting).names


def test_a_pair_of_files_is_shown_and_read_again_when_it_is_renewed(
    pair: tuple[Path, Path], own: authority.Authority, tmp_path: Path
) -> None:
    own_pair = OwnPair(str(pair[0]), str(pair[1]), ("h2", "http/1.1"))
    assert handshake(own_pair.context(), "one.test", trusting=own.path, alpn=("h2",)) == (("one.test",), "h2")
    write_pair(own, tmp_path, "two.test")
    own_pair.refresh()
    assert names(own_pair, own.path) == ("one.test",), "it may still be written"
    own_pair.refresh()
    assert names(own_pair, own.path) == ("two.test",)


def test_a_bad_pair_is_told_once_and_the_old_one_kept(pair: tuple[Path, Path], own: authority.Authority) -> None:
    own_pair = OwnPair(str(pair[0]), str(pair[1]), ())
    pair[1].write_bytes(make_leaf(own.certificate, own.key, ["x.test"], time.time()).key)
    own_pair.refresh()
    with pytest.raises(CertificateProblem, match="does not belong to the certificate"):
        own_pair.refresh()
    own_pair.refresh()
    assert names(own_pair, own.path) == ("one.test",)
    pair[1].unlink()
    own_pair.refresh()
    with pytest.raises(CertificateProblem, match=r"cannot read .*key.pem: no such file"):
        own_pair.refresh()


def test_a_key_with_a_password_is_refused_without_asking_for_it(pair: tuple[Path, Path]) -> None:
    from cryptography.hazmat.primitives import serialization

    key = serialization.load_pem_private_key(pair[1].read_bytes(), None)
    pair[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    with pytest.raises(CertificateProblem, match="has a password") as problem:
        OwnPair(str(pair[0]), str(pair[1]), ())
    assert "openssl pkey -in" in problem.value.help


@pytest.mark.parametrize(
    ("file", "text", "what"),
    [
        (0, "x", "cert.pem contains no certificate in PEM"),
        (1, "x", "key.pem contains no private key in PEM"),
        (0, "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n", "cannot be used"),
    ],
)
def test_files_that_are_no_pair_are_refused(file: int, text: str, what: str, pair: tuple[Path, Path]) -> None:
    pair[file].write_text(text)
    with pytest.raises(CertificateProblem, match=what):
        OwnPair(str(pair[0]), str(pair[1]), ())
