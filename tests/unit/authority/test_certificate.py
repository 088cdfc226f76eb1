"""What is read of a certificate, against what another library makes of the same bytes; and of bytes that are none."""

from __future__ import annotations

import datetime
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from devproxy.authority.certificate import MAX_CERTIFICATE_BYTES, MAX_NAMES, read_certificate
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.certificates import TestAuthority

KEY = ec.generate_private_key(ec.SECP256R1())
AUTHORITY = TestAuthority("Some Authority")
ONE = ssl.PEM_cert_to_DER_cert(
    AUTHORITY.pair("a.test", ("a.test", "*.a.test", "10.0.0.1", "fd00::1"))
    .partition(b"END PRIVATE KEY-----\n")[2]
    .decode()
)


def made(subject: x509.Name, names: list[str], before: datetime.datetime, after: datetime.datetime) -> bytes:
    builder = (
        x509.CertificateBuilder(subject, subject, KEY.public_key(), 1).not_valid_before(before).not_valid_after(after)
    )
    if names:
        alternative = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
        builder = builder.add_extension(alternative, critical=False)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def test_a_certificate_says_whose_it_is_who_signed_it_for_what_and_when() -> None:
    seen = read_certificate(ONE)
    assert seen is not None
    theirs = x509.load_der_x509_certificate(ONE)
    assert (seen.subject, seen.issuer) == ("CN=a.test", "CN=Some Authority")
    assert seen.names == ("a.test", "*.a.test", "10.0.0.1", "fd00::1")
    assert seen.not_before == theirs.not_valid_before_utc.strftime("%Y-%m-%d %H:%M")
    assert seen.not_after == theirs.not_valid_after_utc.strftime("%Y-%m-%d %H:%M")


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=16)
"""At most 64 bytes, which is what the other reader takes."""
TIMES = st.datetimes(datetime.datetime(1950, 1, 1), datetime.datetime(2200, 1, 1))
LABELS = st.from_regex(r"[a-z0-9]{1,20}(\.[a-z]{2,5})?", fullmatch=True)


@settings(max_examples=50, deadline=None)
@given(name=TEXT, organisation=TEXT, names=st.lists(LABELS, max_size=5), times=st.tuples(TIMES, TIMES))
def test_it_is_read_as_others_read_it(
    name: str, organisation: str, names: list[str], times: tuple[datetime.datetime, datetime.datetime]
) -> None:
    before, after = sorted(times)
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "DE"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )
    seen = read_certificate(made(subject, names, before, after))
    assert seen is not None
    assert seen.names == tuple(names)
    assert (seen.not_before, seen.not_after) == (before.strftime("%Y-%m-%d %H:%M"), after.strftime("%Y-%m-%d %H:%M"))
    assert seen.subject.isprintable()
    if name.isprintable() and organisation.isprintable():
        assert seen.subject == f"CN={name}, O={organisation}"


def test_of_very_many_names_the_first_are_read() -> None:
    now = datetime.datetime(2026, 1, 1)
    names = [f"n{number}.test" for number in range(500)]
    seen = read_certificate(made(x509.Name([]), names, now, now))
    assert seen is not None
    assert seen.names == tuple(names[:MAX_NAMES])
    assert (seen.subject, seen.issuer) == ("", "")


@settings(max_examples=300, deadline=None)
@given(position=st.integers(0, len(ONE) - 1), value=st.integers(0, 255), cut=st.integers(0, len(ONE)))
def test_damaged_bytes_do_no_harm(position: int, value: int, cut: int) -> None:
    damaged = bytearray(ONE)
    damaged[position] = value
    for data in (bytes(damaged), bytes(damaged[:cut])):
        seen = read_certificate(data)
        assert seen is None or all(text.isprintable() for text in (seen.subject, seen.issuer, *seen.names))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x30",
        b"\x30\x80",
        b"\x30\x84\xff\xff\xff\xff",
        b"\x30\x89" + b"\xff" * 9,
        b"\x30\x03\x30\x01\x02",
        b"\x00" * 64,
        b"\x30\x82\x01\x00" * 64,
        b"\x30" * (MAX_CERTIFICATE_BYTES + 1),
    ],
)
def test_what_is_no_certificate_is_none(data: bytes) -> None:
    assert read_certificate(data) is None
