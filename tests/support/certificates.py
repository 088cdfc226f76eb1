"""A certificate of this machine that nobody trusts, for tests that speak TLS. Start at :func:`server_context`."""

from __future__ import annotations

import atexit
import datetime
import shutil
import ssl
import tempfile
from functools import cache
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from devproxy.config.model import CertificateFiles


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
    """Return a key and its certificate for `name`, 127.0.0.1 and ::1 as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName(name), *(x509.IPAddress(ip_address(text)) for text in ("127.0.0.1", "::1"))]
    certificate = (
        x509.CertificateBuilder(who, who, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ) + certificate.public_bytes(serialization.Encoding.PEM)
