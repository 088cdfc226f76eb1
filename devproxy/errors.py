"""What can go wrong, by whose fault and in which phase.

Every exception carries data, not prose: the sentence a person reads is composed by ``answers`` (over HTTP), ``console``
(on the terminal) or ``config.report`` (for files).

* :class:`DevproxyError`

  * :class:`BadMessage`: a peer broke HTTP's grammar or framing; ``status`` says how a client learns of it
  * :class:`UpstreamError`: no usable answer from an upstream; :class:`UpstreamFault` says in which phase
  * :class:`BindError`: an address could not be listened on
  * :class:`CertificateProblem`: there is no certificate for HTTPS
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class DevproxyError(Exception):
    """Base of everything that devproxy raises on purpose."""


class Foreign(StrEnum):
    """What came instead of HTTP/1, as far as its first bytes tell."""

    TLS = "TLS"
    HTTP_2 = "HTTP/2"
    UNKNOWN = "no HTTP/1"


class BadMessage(DevproxyError):
    """A message that HTTP's grammar refuses, or that two parsers could read in two ways.

    ``status``: the answer due to a client that sent it (400, 414, 431, 501, 505). ``reason``: what is wrong, lower
    case, without a full stop. ``source``: the rule, for example ``RFC 9112 section 6.3``. ``line``: the line that broke
    it, or the first bytes of what is not a line, as they came; several lines have a CRLF between them; empty where no
    line is to blame. ``foreign``: what the whole of it is, where it is not HTTP/1 at all.
    """

    def __init__(
        self, reason: str, *, status: int = 400, source: str = "", line: bytes = b"", foreign: Foreign | None = None
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status
        self.source = source
        self.line = line
        self.foreign = foreign


class ProxyCause(StrEnum):
    """Why a proxy gave no connection to a server."""

    UNRESOLVED = "proxy-name-not-found"
    UNREACHABLE = "proxy-unreachable"
    SILENT = "proxy-silent"
    LOGIN_WANTED = "proxy-login-wanted"
    """It answered 407."""
    REFUSED = "proxy-refused"
    """It answered with any other status that says that it does not want to."""
    SERVER_UNREACHABLE = "proxy-found-no-server"
    """It answered 502, 503 or 504: it would, and cannot."""
    CLOSED = "proxy-closed"
    BAD_ANSWER = "proxy-bad-answer"


class ProxyFailure(NamedTuple):
    """Why the proxy of an upstream gave no connection to a server.

    ``proxy``: its URL, without credentials. ``reason``: what happened, in a few words; printable. ``schemes``: by which
    it lets clients log in, in lower case, where that is what it wants.
    """

    cause: ProxyCause
    proxy: str
    reason: str
    schemes: tuple[str, ...] = ()


class UpstreamFault(StrEnum):
    """In which phase an upstream failed; the value of the ``X-Devproxy-Error`` field."""

    REFUSED = "upstream-refused"
    UNREACHABLE = "upstream-unreachable"
    UNRESOLVED = "upstream-name-not-found"
    CONNECT_TIMEOUT = "upstream-connect-timeout"
    TLS = "upstream-tls-failed"
    PROXY = "upstream-proxy-refused"
    """The proxy on the way to it gives no connection, and to ask again would not help."""
    CLOSED_EARLY = "upstream-closed-before-answer"
    BAD_RESPONSE = "upstream-bad-response"
    RESPONSE_TIMEOUT = "upstream-response-timeout"
    RECORDING = "recording-unusable"
    """It is a recording, and its file cannot be used."""
    NOT_RECORDED = "not-recorded"
    """It is a recording, and has no answer to this request."""
    NO_DESCRIPTOR = "out-of-descriptors"
    """Not the upstream's fault: devproxy itself has no file descriptor left for another connection."""


class SeenCertificate(NamedTuple):
    """What the certificate of a server says of itself; all of it unverified, and printable.

    ``subject`` and ``issuer``: ``CN=localhost, O=Example``. ``names``: DNS names and IP addresses that it is for.
    ``not_before`` and ``not_after``: ``2026-12-01 14:05``, in UTC. Each is empty where it does not say.
    """

    subject: str
    issuer: str
    names: tuple[str, ...]
    not_before: str
    not_after: str


class TlsCause(StrEnum):
    """Why there is no TLS with a server. What there is to do follows from it."""

    SELF_SIGNED = "self-signed"
    UNTRUSTED = "issuer-not-trusted"
    EXPIRED = "expired"
    NOT_YET_VALID = "not-yet-valid"
    WRONG_NAME = "wrong-name"
    UNFIT = "certificate-unfit"
    """It is damaged, weak, revoked or made for something else."""
    CLIENT_WANTED = "client-certificate-wanted"
    CLIENT_REFUSED = "client-certificate-refused"
    PLAIN_HTTP = "plain-http"
    NOTHING_IN_COMMON = "nothing-in-common"
    """No version of TLS and no cipher that both ends accept."""
    UNKNOWN_NAME = "name-unknown-to-server"
    REFUSED = "handshake-refused"
    CUT_SHORT = "cut-short"
    OWN_FILES = "own-files"
    """The files that the upstream names cannot be used any more: nothing has been sent."""
    OTHER = "other"


class TlsFailure(NamedTuple):
    """Why there is no TLS with a server.

    ``reason``: in OpenSSL's words; printable. ``certificate``: the server's, where that is what was refused and could
    be read; None: not known.
    """

    cause: TlsCause
    reason: str
    certificate: SeenCertificate | None = None


class UpstreamError(DevproxyError):
    """An upstream gave no usable answer.

    ``server``: the address as configured. ``tried``: one ``(address, what happened)`` for each attempt. ``cause``: what
    is wrong with the answer that came, of which ``detail`` is the sentence. ``waited_s``: how long the request waited
    for the server to come back. ``tls``: why there is no TLS. ``proxy``: why its proxy gave no connection.
    """

    def __init__(
        self,
        fault: UpstreamFault,
        server: str,
        detail: str = "",
        tried: tuple[tuple[str, str], ...] = (),
        cause: BadMessage | None = None,
        waited_s: float = 0.0,
        tls: TlsFailure | None = None,
        proxy: ProxyFailure | None = None,
    ) -> None:
        super().__init__(f"{fault}: {server}: {detail}")
        self.fault = fault
        self.server = server
        self.detail = detail
        self.tried = tried
        self.cause = cause
        self.waited_s = waited_s
        self.tls = tls
        self.proxy = proxy


class Absence(NamedTuple):
    """That an upstream was up and is away: since when, and what that means to one request. In seconds.

    ``away_s``: since it went; ``waited_s``: how long the request waited for it; ``hold_s``: how long requests may, from
    when it went; ``may_wait``: whether this one is of those that do.
    """

    away_s: float
    waited_s: float
    hold_s: float
    may_wait: bool


class BindError(DevproxyError):
    """An address could not be listened on. ``holder``: the process that has it, if the system tells."""

    def __init__(self, address: str, reason: str, holder: str = "") -> None:
        super().__init__(f"cannot listen on {address}: {reason}{f' by {holder}' if holder else ''}")
        self.address = address
        self.reason = reason
        self.holder = holder


class CertificateProblem(DevproxyError):
    """There is no usable certificate. ``what``: lower case, no full stop. ``help``: what to do, or to type."""

    def __init__(self, what: str, help: str) -> None:
        super().__init__(what)
        self.what = what
        self.help = help
