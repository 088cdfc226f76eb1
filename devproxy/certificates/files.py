"""Files of certificates and keys that people name: read into a context, and what is wrong with them in words.

All are in PEM. Nothing here ever asks for a password, which OpenSSL would do on the terminal, in the middle of
serving. Start at :func:`add_pair` and :func:`add_authorities`.
"""

from __future__ import annotations

import os
import ssl
import stat
from collections.abc import Iterator, Sequence
from typing import Final

from devproxy.certificates.problems import CertificateProblem

MAX_FILE_BYTES: Final = 4 * 1024 * 1024
"""The list of a system's authorities has some 200 KiB."""
MAX_FILES: Final = 1024
"""Files of one folder."""

CERTIFICATE: Final = b"CERTIFICATE-----"
PRIVATE_KEY: Final = b"PRIVATE KEY-----"
_PEM: Final = b"-----BEGIN "


def states(paths: Sequence[str]) -> list[tuple[int, ...]]:
    """Return what tells whether one of `paths` was written since; empty for what is not there."""
    found: list[tuple[int, ...]] = []
    for path in paths:
        try:
            status = os.stat(path)
            found.append((status.st_ino, status.st_size, status.st_mtime_ns))
        except OSError:
            found.append(())
    return found


def add_pair(context: ssl.SSLContext, certificate: str, key: str) -> None:
    """Have `context` show `certificate` (with its chain), whose key is in the file `key`.

    Raises :class:`CertificateProblem`.
    """
    check_file(certificate, CERTIFICATE)
    check_file(key, PRIVATE_KEY)
    try:
        context.load_cert_chain(certificate, key, password=_refuse_password)
    except _EncryptedKeyError:
        help = f"remove it, and name the new file: openssl pkey -in {key} -out {key}.plain"
        raise CertificateProblem(f"the key {key} has a password", help) from None
    except OSError as error:  # ssl.SSLError is one
        reason = getattr(error, "reason", None)
        if reason == "KEY_VALUES_MISMATCH":
            what = f"the key {key} does not belong to the certificate {certificate}"
        else:
            what = f"{certificate} and {key} cannot be used: {_words(error)}"
        raise CertificateProblem(what, "name a certificate and its key, both in PEM") from None


def add_authorities(context: ssl.SSLContext, path: str) -> None:
    """Have `context` trust what is in `path`: a file of certificates, or a folder of such files.

    Files of a folder in which there is no certificate are left out. Raises :class:`CertificateProblem`.
    """
    if not os.path.isdir(path):
        check_file(path, CERTIFICATE)
        _add(context, path)
        return
    found = False
    for file in files_of(path):
        if CERTIFICATE in _read(file):
            _add(context, file)
            found = True
    if not found:
        raise CertificateProblem(
            f"no file in the folder {path} contains a certificate in PEM",
            f"name one whose files have a line `{_line()}`",
        )


def files_of(folder: str) -> list[str]:
    """Return the files in `folder`, sorted, each once though several links lead to it.

    Raises :class:`CertificateProblem`.
    """
    try:
        with os.scandir(folder) as entries:
            found = sorted({os.path.realpath(path) for path in _files(entries)})
    except OSError as error:
        raise _unreadable(folder, error) from None
    if len(found) > MAX_FILES:
        raise CertificateProblem(f"the folder {folder} has more than {MAX_FILES} files", "name the files that you need")
    return found


def _files(entries: Iterator[os.DirEntry[str]]) -> Iterator[str]:
    return (entry.path for entry in entries if entry.is_file())


def check_file(path: str, mark: bytes) -> None:
    """Raise :class:`CertificateProblem` unless the file at `path` contains the `mark` of a certificate or a key."""
    data = _read(path)
    if mark in data:
        return
    what = mark.decode().rstrip("-").lower()
    if data[:1] == b"\x30":  # a sequence of DER begins so
        kind = "x509" if mark == CERTIFICATE else "pkey"
        help = f"convert it, and name the new file: openssl {kind} -inform der -in {path} -out {path}.pem"
        raise CertificateProblem(f"{path} is in DER, not in PEM", help)
    raise CertificateProblem(f"{path} contains no {what} in PEM", f"it needs a line that ends in `{mark.decode()}`")


def _read(path: str) -> bytes:
    try:
        is_plain = stat.S_ISREG(os.stat(path).st_mode)
        with open(path if is_plain else os.devnull, "rb") as file:  # a pipe might never end
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise _unreadable(path, error) from None
    if not is_plain:
        raise CertificateProblem(f"{path} is not a file", "name a file: it is read again when it changes")
    if len(data) > MAX_FILE_BYTES:
        raise CertificateProblem(f"{path} is larger than {MAX_FILE_BYTES} bytes", "is this the right file?")
    return data


def _unreadable(path: str, error: OSError) -> CertificateProblem:
    reason = (error.strerror or str(error)).lower()
    help = "name a file that is there, from the folder of the configuration or by its whole path"
    if "/~" in f"/{path}":
        help = "write the whole path: `~` is not replaced by your home folder"
    return CertificateProblem(f"cannot read {path}: {reason}", help)


def _add(context: ssl.SSLContext, path: str) -> None:
    try:
        context.load_verify_locations(cafile=path)
    except OSError as error:  # ssl.SSLError is one
        help = "name a file of certificates in PEM"
        raise CertificateProblem(f"{path} cannot be used: {_words(error)}", help) from None


def _line() -> str:
    return f"{_PEM.decode()}{CERTIFICATE.decode()}"


def _words(error: OSError) -> str:
    return str(getattr(error, "reason", None) or error).partition(" (_ssl")[0].lower().replace("_", " ")


class _EncryptedKeyError(Exception):
    """A key cannot be read without a password."""


def _refuse_password() -> str:
    """Keep OpenSSL from asking for a password."""
    raise _EncryptedKeyError
