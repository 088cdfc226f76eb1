"""Certificates for tests that speak TLS: one of this machine that nobody trusts, and those of an authority of a test.

Start at :func:`server_context` and :class:`TestAuthority`.
"""

from __future__ import annotations

import atexit
import datetime
import shutil
import ssl
import tempfile
from collections.abc import Sequence
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from devproxy.config.model import CertificateFiles

HERE: Final = ("localhost", "127.0.0.1", "::1")


@cache
def server_context() -> ssl.SSLContext:
    """Return what handshakes of a server are made with."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate_files().cert)
    return context


@cache
def certificate_files() -> CertificateFiles:
    """Return a certificate as the configuration names it: one file for both, until the tests end."""
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder)
    path = Path(folder, "pair.pem")
    path.write_bytes(pair_for("localhost"))
    return CertificateFiles(cert=str(path), key=str(path))


def pair_for(name: str) -> bytes:
    """Return a key and its certificate, signed by itself, for `name`, 127.0.0.1 and ::1 as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    return _pem_of(key) + _certificate(name, key, (name, "127.0.0.1", "::1"), None)


class TestAuthority:
    """An authority that no program trusts. ``pem``: its certificate."""

    __test__ = False

    def __init__(self, name: str = "Test Authority") -> None:
        self._name = name
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.pem = _certificate(name, self._key, (), None)

    def pair(self, name: str = "localhost", names: Sequence[str] = HERE, *, days: tuple[int, int] = (-1, 30)) -> bytes:
        """Return a key and its certificate as PEM. `days`: from now, when it begins and ends to be valid."""
        key = ec.generate_private_key(ec.SECP256R1())
        return _pem_of(key) + _certificate(name, key, names, (self._name, self._key), days)


def _pem_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    plain = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    names: Sequence[str],
    signed_by: tuple[str, ec.EllipticCurvePrivateKey] | None,
    days: tuple[int, int] = (-1, 30),
) -> bytes:
    issuer, signing = signed_by or (name, key)
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder(_name(issuer), _name(name), key.public_key(), x509.random_serial_number())
        .not_valid_before(now + datetime.timedelta(days=days[0]))
        .not_valid_after(now + datetime.timedelta(days=days[1]))
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(list(map(_alternative, names))), critical=False)
    else:
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return builder.sign(signing, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _alternative(text: str) -> x509.GeneralName:
    is_address = ":" in text or text.replace(".", "").isdigit()
    return x509.IPAddress(ip_address(text)) if is_address else x509.DNSName(text)
