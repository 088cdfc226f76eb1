"""How the ``https`` servers of an upstream are spoken to: whom devproxy trusts, who it says it is, and why that failed.

The only place that makes a context towards a server: for requests, for probes, for ``explain --send``. The name in the
handshake (SNI) is always that of the server's URL; what a client sends as Host is never seen here. See
ADR 0015. Start at :class:`UpstreamTls` and :func:`failure_of`.
"""

from __future__ import annotations

import os
import ssl
import time
from collections.abc import Callable
from threading import Lock
from typing import Final

from devproxy.authority.certificate import read_certificate
from devproxy.certificates.files import add_authorities, add_pair, files_of, states
from devproxy.config.model import SYSTEM, Upstream
from devproxy.errors import CertificateProblem, SeenCertificate, TlsCause, TlsFailure
from devproxy.text.safe import visible

LOOK_AGAIN_S: Final = 1.0
"""How seldom it is looked whether files have changed: connections may be made by the hundred."""
_MAX_REASON: Final = 200


class UpstreamTls:
    """What handshakes with the servers of `upstream` are made with. Reads its files when it is first asked, and again
    when they have changed.

    `folder`: from which the paths of files go; `report`: is told in a sentence what keeps changed files from being
    used; `clock`: in seconds. May be asked from several threads.
    """

    def __init__(
        self,
        upstream: Upstream,
        folder: str,
        report: Callable[[str], object],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._verifies = upstream.tls_verify
        self._uses_system = SYSTEM in upstream.tls_ca
        self._authorities = [os.path.join(folder, path) for path in upstream.tls_ca if path != SYSTEM]
        pair = (upstream.tls_cert, upstream.tls_key or upstream.tls_cert)
        self._pair = tuple(os.path.join(folder, path) for path in pair if path)
        self._report = report
        self._clock = clock
        self._context: ssl.SSLContext | None = None
        self._loaded: list[tuple[int, ...]] = []
        self._seen: list[tuple[int, ...]] = []
        self._looked_at = clock()
        self._lock = Lock()

    @property
    def is_settled(self) -> bool:
        """Whether the context is there and reads no files any more. To read the system's takes some 50 ms."""
        return self._context is not None and not self._has_files

    @property
    def _has_files(self) -> bool:
        return bool(self._pair) or (self._verifies and bool(self._authorities))

    @property
    def shows_certificate(self) -> bool:
        """Whether devproxy has a certificate of its own to show."""
        return bool(self._pair)  # the key has a file of its own, or is in the same

    def context(self) -> ssl.SSLContext:
        """Return the context for a new connection.

        Files that cannot be used leave the former context in use, and that is told once for each change. Raises
        :class:`CertificateProblem` where there is none.
        """
        with self._lock:
            if self._context is None:
                self._loaded = self._seen = self._states()
                self._context = self._made()
            elif self._has_files and self._clock() - self._looked_at >= LOOK_AGAIN_S:
                self._looked_at = self._clock()
                self._refresh()
            return self._context

    def _refresh(self) -> None:
        """Read the files again if they have changed, and not since they were last looked at: two files take two
        writes."""
        before, self._seen = self._seen, self._states()
        if before != self._seen or self._seen == self._loaded:
            return
        self._loaded = self._seen
        try:
            self._context = self._made()
        except CertificateProblem as problem:
            self._report(f"{problem.what}; what was read before is still in use. {problem.help}")

    def _states(self) -> list[tuple[int, ...]]:
        paths = [*self._pair]
        for path in self._authorities if self._verifies else ():
            paths.append(path)
            if os.path.isdir(path):
                try:
                    paths += files_of(path)
                except CertificateProblem:
                    pass  # told when they are read
        return states(paths) if paths else []

    def _made(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        # What is named is trusted, whatever it is: an authority in between, or the server's own certificate, too.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        if log := os.environ.get("SSLKEYLOGFILE"):
            context.keylog_filename = log
        if not self._verifies:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        else:
            if self._uses_system:
                context.load_default_certs()
            for path in self._authorities:
                add_authorities(context, path)
        if self._pair:
            add_pair(context, *self._pair)
        return context


def looking_context() -> ssl.SSLContext:
    """Return a context that accepts any certificate, to read what it says; nothing else is to be sent over it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def seen_on(connection: ssl.SSLObject | ssl.SSLSocket | None) -> SeenCertificate | None:
    """Return the certificate that the server showed on `connection`."""
    der = None if connection is None else connection.getpeercert(binary_form=True)
    return None if der is None else read_certificate(der)


_BY_CODE: Final = {
    18: TlsCause.SELF_SIGNED,
    10: TlsCause.EXPIRED,
    9: TlsCause.NOT_YET_VALID,
    62: TlsCause.WRONG_NAME,
    64: TlsCause.WRONG_NAME,
    **dict.fromkeys((2, 19, 20, 21, 24, 27), TlsCause.UNTRUSTED),
}
"""By OpenSSL's codes for a certificate that is refused (``X509_V_ERR_…``, x509_vfy.h); any other: it is unfit."""
_BY_REASON: Final = {
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": TlsCause.CLIENT_WANTED,
    **dict.fromkeys(
        (
            "SSLV3_ALERT_BAD_CERTIFICATE",
            "SSLV3_ALERT_CERTIFICATE_EXPIRED",
            "SSLV3_ALERT_CERTIFICATE_REVOKED",
            "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
            "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE",
            "TLSV1_ALERT_ACCESS_DENIED",
            "TLSV1_ALERT_DECRYPT_ERROR",
            "TLSV1_ALERT_UNKNOWN_CA",
        ),
        TlsCause.CLIENT_REFUSED,
    ),
    **dict.fromkeys(
        ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"), TlsCause.PLAIN_HTTP
    ),
    **dict.fromkeys(
        (
            "NO_CIPHERS_AVAILABLE",
            "NO_PROTOCOLS_AVAILABLE",
            "TLSV1_ALERT_INSUFFICIENT_SECURITY",
            "TLSV1_ALERT_NO_APPLICATION_PROTOCOL",
            "TLSV1_ALERT_PROTOCOL_VERSION",
            "UNSUPPORTED_PROTOCOL",
            "VERSION_TOO_LOW",
            "WRONG_SSL_VERSION",
        ),
        TlsCause.NOTHING_IN_COMMON,
    ),
    **dict.fromkeys(("TLSV1_UNRECOGNIZED_NAME", "TLSV1_ALERT_UNRECOGNIZED_NAME"), TlsCause.UNKNOWN_NAME),
    "SSLV3_ALERT_HANDSHAKE_FAILURE": TlsCause.REFUSED,
    "UNEXPECTED_EOF_WHILE_READING": TlsCause.CUT_SHORT,
    **dict.fromkeys(("DH_KEY_TOO_SMALL", "EE_KEY_TOO_SMALL", "CA_KEY_TOO_SMALL", "CA_MD_TOO_WEAK"), TlsCause.UNFIT),
}
"""By OpenSSL's names for what went wrong (sslerr.h); the alerts are what the server said (RFC 8446 section 6)."""


def failure_of(error: BaseException, *, shows_certificate: bool) -> TlsFailure:
    """Return why a handshake, or a connection after it, failed with `error`, one of the ssl module's or a lost
    connection.

    `shows_certificate`: devproxy has one of its own to show.
    """
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = visible(error.verify_message or error.reason or str(error), _MAX_REASON).rstrip(".")
        return TlsFailure(_BY_CODE.get(error.verify_code, TlsCause.UNFIT), reason)
    if not isinstance(error, ssl.SSLError) or isinstance(error, ssl.SSLEOFError):
        return TlsFailure(TlsCause.CUT_SHORT, "the connection was closed within the handshake")
    name = error.reason or ""
    cause = _BY_REASON.get(name, TlsCause.OTHER)
    if cause is TlsCause.CLIENT_REFUSED and not shows_certificate:
        cause = TlsCause.CLIENT_WANTED
    reason = name.lower().replace("_", " ") or visible(error.strerror or str(error), _MAX_REASON)
    return TlsFailure(cause, reason.replace("sslv3 alert", "alert").replace("tlsv1 alert", "alert"))
