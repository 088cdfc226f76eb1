"""The authority that signs the certificates of this machine: mkcert's where its key can be read, else devproxy's own.

Why, and what its own may sign: ADR 0011 (docs/adr/0011-own-authority.md).

Its own is one file that holds certificate and key, so that the two cannot come from different authorities, and a copy
of the certificate beside it for programs that are to trust it. Lines of text before the certificate say what else would
take a parser. Start at :func:`find` and :func:`provide`.
"""

from __future__ import annotations

import hashlib
import os
import socket
import ssl
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Final, NamedTuple

from devproxy.certificates import folders
from devproxy.certificates.names import may_sign
from devproxy.certificates.problems import CertificateProblem, needs_cryptography
from devproxy.platforms.folders import data_folder

RENEW_BEFORE_S: Final = 30 * 86_400
"""How long before its end a certificate is renewed."""

_PROGRAM: Final = "devproxy"
_OWN_FILE: Final = "authority.pem"
_COPY: Final = "authority.crt"
_FORMER: Final = "former"


class Authority(NamedTuple):
    """An authority and where it is.

    ``path``: of its certificate, as others need it. ``certificate`` and ``key``: PEM; the key is empty where it was not
    asked for. ``folder``: where devproxy keeps what it signs. ``allowed``: what it may sign besides the names of this
    machine and of private use; None: anything (mkcert's). ``owner``: of new files.
    """

    path: str
    certificate: bytes
    key: bytes
    folder: str
    allowed: tuple[str, ...] | None
    owner: tuple[int, int] | None

    @property
    def fingerprint(self) -> str:
        """SHA-1 of the certificate in hexadecimal digits, by which the stores of macOS and Windows know it."""
        return hashlib.sha1(self.der, usedforsecurity=False).hexdigest()

    @property
    def der(self) -> bytes:
        """The certificate in binary form."""
        return ssl.PEM_cert_to_DER_cert(self.certificate.decode())

    def signs(self, name: str) -> bool:
        """Tell whether it may sign `name`, or an address."""
        return self.allowed is None or may_sign(name, self.allowed)


def find(environment: Mapping[str, str] = os.environ, now_s: float | None = None) -> Authority | None:
    """Return the authority of this person; None: there is none that can sign. Raises :class:`CertificateProblem`."""
    who = folders.person(environment)
    folder = data_folder(_PROGRAM, who.home, environment)
    return _of_mkcert(who, folder, environment) or _own(who, folder, time.time() if now_s is None else now_s)


def provide(environment: Mapping[str, str] = os.environ, allow: Iterable[str] = ()) -> Authority:
    """Return the authority of this person, which may sign the names `allow`; make it where there is none.

    Where there is one that may not, a new one takes its place, and :func:`former` gives the old one until
    :func:`forget_former`. Raises :class:`CertificateProblem`: it cannot be made, or kept.
    """
    who = folders.person(environment)
    folder = data_folder(_PROGRAM, who.home, environment)
    has_old = os.path.exists(os.path.join(folder, _OWN_FILE))  # asked first: of two processes that make one, one wins
    known, wanted = find(environment), tuple(allow)
    if known is None or not all(map(known.signs, wanted)):
        known = _make_own(who, folder, wanted, has_old=has_old)
    if known.allowed is not None and not _holds(known.path, known.certificate):
        folders.write(known.path, known.certificate, who.owner, mode=0o644)
    return known


def _make_own(who: folders.Person, folder: str, allow: tuple[str, ...], *, has_old: bool) -> Authority:
    """Make an authority that may sign `allow` and what the old one may, and keep the certificate of that one."""
    with needs_cryptography():
        from devproxy.certificates.making import make_authority
    now_s, allowed = time.time(), allow
    if (old := _own(who, folder, 0.0)) is not None:
        allowed = tuple(dict.fromkeys((*(old.allowed or ()), *allow)))
        folders.write(os.path.join(folder, f"{_FORMER}-{old.fingerprint}.crt"), old.certificate, who.owner)
    made = make_authority(f"devproxy {who.name or _account()}@{socket.gethostname()} {_day(now_s)}", allowed, now_s)
    text = (
        f"devproxy's certificate authority. Anyone who has its key can impersonate the servers that it may sign.\n"
        f"Made: {_day(now_s)}\nEnds: {made.not_after_s}\nMay also sign: {' '.join(allowed)}\n"
    )
    data = text.encode() + made.certificate + made.key
    folders.write(os.path.join(folder, _OWN_FILE), data, who.owner, replace=has_old)
    own = _own(who, folder, now_s)
    assert own is not None
    return own


def former(authority: Authority) -> tuple[Authority, ...]:
    """Return the authorities in whose place `authority` came, and that may still be trusted somewhere."""
    found: list[Authority] = []
    with suppress(FileNotFoundError):
        for name in sorted(os.listdir(authority.folder)):
            if name.startswith(f"{_FORMER}-"):
                path = os.path.join(authority.folder, name)
                found.append(authority._replace(path=path, certificate=_read(path), key=b"", allowed=()))
    return tuple(found)


def forget_former(authority: Authority) -> None:
    """Delete what is left of the authorities in whose place `authority` came."""
    for one in former(authority):
        with suppress(FileNotFoundError):
            os.unlink(one.path)


def _of_mkcert(who: folders.Person, folder: str, environment: Mapping[str, str]) -> Authority | None:
    """Return mkcert's authority; None where it is not installed, or has its key elsewhere (as it allows)."""
    root = environment.get("CAROOT") or data_folder("mkcert", who.home, environment)
    path = os.path.join(root, "rootCA.pem")
    try:
        certificate, key = _read(path), _read(os.path.join(root, "rootCA-key.pem"))
    except OSError:
        return None
    if not _block(certificate, b"CERTIFICATE") or not _block(key, b"PRIVATE KEY"):
        return None
    return Authority(path, certificate, key, folder, None, who.owner)


def _own(who: folders.Person, folder: str, now_s: float) -> Authority | None:
    path = os.path.join(folder, _OWN_FILE)
    try:
        data = _read(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        help = f"give it back to its owner, or remove it and everything that trusts it: {path}"
        raise CertificateProblem(f"cannot read {path}: {(error.strerror or str(error)).lower()}", help) from None
    certificate, key = _block(data, b"CERTIFICATE"), _block(data, b"PRIVATE KEY")
    said = dict(line.split(": ", 1) for line in data.decode("ascii", "replace").splitlines() if ": " in line)
    if not certificate or not key or not said.get("Ends", "").isdigit():
        raise CertificateProblem(f"{path} has no certificate authority", "remove it, then: devproxy trust --install")
    if int(said["Ends"]) - RENEW_BEFORE_S < now_s:
        return None
    allowed = tuple(said.get("May also sign", "").split())
    return Authority(os.path.join(folder, _COPY), certificate, key, folder, allowed, who.owner)


def _block(data: bytes, label: bytes) -> bytes:
    """Return the first block of that `label` in `data` (PEM, RFC 7468), or nothing."""
    end = b"-----END " + label + b"-----"
    begin = data.find(b"-----BEGIN " + label + b"-----")
    after = data.find(end, begin)
    return data[begin : after + len(end)] + b"\n" if begin >= 0 <= after else b""


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _holds(path: str, data: bytes) -> bool:
    try:
        return _read(path) == data
    except FileNotFoundError:
        return False


def _account() -> str:
    import getpass  # 2 ms, and only for a new authority

    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return "somebody"  # a user without an entry, as in containers


def _day(time_s: float) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(time_s))
