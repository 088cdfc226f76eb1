"""Certificates and keys, made. The one module that imports the package cryptography (extra ``tls``).

Follows RFC 5280, and what browsers add to it: names in subjectAltName, no leaf of more than 398 days (Apple), no
wildcard below a single label. Start at :func:`make_authority` and :func:`make_leaf`; both do no I/O but for the
random numbers of keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from devproxy.authority.networks import address_of
from devproxy.certificates.names import PERMITTED_NAMES, PERMITTED_NETWORKS
from devproxy.certificates.problems import CertificateProblem

AUTHORITY_DAYS: Final = 3650
LEAF_DAYS: Final = 397
_EARLIER: Final = timedelta(hours=1)
"""How long before now a certificate becomes valid: the clock of another machine may be behind."""

_SigningKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
_SERVERS_ONLY: Final = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])


class Made(NamedTuple):
    """A certificate and its key, in PEM. ``not_after_s``: when it ends, in seconds since 1970."""

    certificate: bytes
    key: bytes
    not_after_s: int


def make_authority(name: str, allowed: Iterable[str], now_s: float) -> Made:
    """Return an authority called `name` that may sign names of this machine and of private use, and `allowed`.

    It may sign servers' certificates alone, and no other authority's.
    """
    begin, key = _begin(now_s), ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
    permitted: list[x509.GeneralName] = [x509.DNSName(known) for known in PERMITTED_NAMES]
    permitted += [x509.IPAddress(network) for network in PERMITTED_NETWORKS]
    permitted += [
        x509.DNSName(text) if (address := address_of(text)) is None else x509.IPAddress(ip_network(address))
        for text in allowed
    ]
    builder = (
        _builder(subject, subject, key.public_key(), begin, begin + timedelta(days=AUTHORITY_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(_SERVERS_ONLY, critical=False)
        .add_extension(x509.NameConstraints(permitted, None), critical=True)
    )
    return _signed(builder, key, key)


def make_leaf(certificate: bytes, key: bytes, names: Sequence[str], now_s: float) -> Made:
    """Return a server's certificate for `names` (and addresses), signed with an authority's `certificate` and `key`.

    It ends with the authority at the latest. Raises :class:`CertificateProblem` where the authority cannot sign.
    """
    try:
        issuer = x509.load_pem_x509_certificate(certificate)
        signer = load_pem_private_key(key, password=None)
    except (ValueError, TypeError) as error:
        raise CertificateProblem(f"the certificate authority cannot be read: {error}", _AGAIN) from None
    begin = _begin(now_s)
    end = min(begin + timedelta(days=LEAF_DAYS), issuer.not_valid_after_utc)
    if end <= begin + _EARLIER or not isinstance(signer, _SigningKey):
        what = "has expired" if isinstance(signer, _SigningKey) else "has a kind of key that browsers do not accept"
        raise CertificateProblem(f"the certificate authority {what}", _AGAIN)
    own = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    alternatives: list[x509.GeneralName] = [
        x509.DNSName(name) if address_of(name) is None else x509.IPAddress(ip_address(name)) for name in names
    ]
    builder = (
        _builder(subject, issuer.subject, own.public_key(), begin, end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(_SERVERS_ONLY, critical=False)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(_identifier_of(issuer), critical=False)
    )
    return _signed(builder, own, signer)


_AGAIN: Final = "remove its files (`devproxy trust` names them), and then: devproxy trust --install"


def _begin(now_s: float) -> datetime:
    return datetime.fromtimestamp(int(now_s), UTC) - _EARLIER


def _builder(
    subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey, begin: datetime, end: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _identifier_of(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    try:
        known = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    except x509.ExtensionNotFound:
        public = issuer.public_key()
        assert isinstance(public, ec.EllipticCurvePublicKey | rsa.RSAPublicKey)
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(public)
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(known.value)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _signed(builder: x509.CertificateBuilder, own: ec.EllipticCurvePrivateKey, signer: _SigningKey) -> Made:
    certificate = builder.sign(signer, hashes.SHA256())
    return Made(
        certificate.public_bytes(Encoding.PEM),
        own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        int(certificate.not_valid_after_utc.timestamp()),
    )
