"""Problems: the codes there are, stable from now on, and what a problem consists of. Values.

The meanings are those of ``docs/doctor.md``. Start at :class:`Code`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple


class Code(StrEnum):
    """What can be wrong, the cause first: of several problems, the earlier one usually explains the later ones."""

    UNREACHABLE = "unreachable"
    ADDRESS_FAMILY = "address-family"
    SCHEME_MISMATCH = "scheme-mismatch"
    CERTIFICATE_UNTRUSTED = "certificate-untrusted"
    SINGLE_CONNECTION = "single-connection"
    NOT_SOCKETIO = "not-socketio"
    PATH_REDIRECT = "path-redirect"
    PATH_WRONG = "path-wrong"
    AUTH_REQUIRED = "auth-required"
    EIO_VERSION = "eio-version"
    POLLING_DISABLED = "polling-disabled"
    ORIGIN_CHECKED = "origin-checked"
    CORS_DUPLICATE = "cors-duplicate"
    CORS_ORIGIN_MALFORMED = "cors-origin-malformed"
    CORS_MISSING = "cors-missing"
    CORS_ORIGIN_NOT_ALLOWED = "cors-origin-not-allowed"
    CORS_WILDCARD_CREDENTIALS = "cors-wildcard-credentials"
    CORS_CREDENTIALS_MISSING = "cors-credentials-missing"
    PREFLIGHT_WRONG_LAYER = "preflight-wrong-layer"
    PREFLIGHT_REFUSED = "preflight-refused"
    NOT_STICKY = "not-sticky"
    UPGRADE_STRIPPED = "upgrade-stripped"
    UPGRADE_REFUSED = "upgrade-refused"
    NAMESPACE_REFUSED = "namespace-refused"
    TIMEOUT_SHORT = "timeout-short"
    BUFFERED = "buffered"
    COOKIE_DROPPED = "cookie-dropped"
    WEBSOCKET_OPEN = "websocket-open"
    CORS_OPEN = "cors-open"


class Severity(StrEnum):
    """Whether something fails, or only may."""

    ERROR = "error"
    WARNING = "warning"


class Problem(NamedTuple):
    """One problem. ``what``: a sentence. ``browser``: what a browser says of it, empty where it says nothing. ``why``:
    a few sentences. ``fix``: what to write, by the program it is for. ``evidence``: what was seen. ``where``:
    ``direct`` or ``through``.
    """

    code: Code
    what: str
    why: str = ""
    browser: str = ""
    fix: dict[str, str] = {}
    evidence: tuple[str, ...] = ()
    severity: Severity = Severity.ERROR
    where: str = "direct"

    @property
    def is_error(self) -> bool:
        """Whether something fails by it."""
        return self.severity is Severity.ERROR


class Check(NamedTuple):
    """One thing that was looked at. ``result``: ``ok``, ``problem`` or ``not checked``; ``why``: in a few words."""

    name: str
    result: str
    why: str = ""
    where: str = "direct"


OK: Final = "ok"
PROBLEM: Final = "problem"
NOT_CHECKED: Final = "not checked"


class Diagnosis(NamedTuple):
    """What is wrong with a server, the cause first, and everything that was looked at. ``server``: what it seems to "
    "be."""

    url: str
    page: str
    server: str
    problems: tuple[Problem, ...] = ()
    checks: tuple[Check, ...] = ()

    @property
    def has_errors(self) -> bool:
        """Whether any of the problems is an error."""
        return any(problem.is_error for problem in self.problems)
