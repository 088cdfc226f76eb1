"""What a person should know of HTTPS on this machine: names that cannot be signed, programs that do not trust it yet.

Both concern certificates that are made here (``tls = true``), not those of files. Whatever keeps the authority from
being read is told by the code that needs a certificate.
"""

from __future__ import annotations

from devproxy.config import Config
from devproxy.config.notices import Notice
from devproxy.errors import CertificateProblem
from devproxy.events import Trouble

_HELP = "devproxy trust --install (without --install, it says what that would run)"


def unsigned_names(config: Config) -> tuple[Notice, ...]:
    """Return a notice for each name in `config` that the authority of this machine may not sign. Reads a file."""
    if config.server.tls is not True:
        return ()
    from devproxy.certificates import authority
    from devproxy.certificates.names import unsigned

    try:
        known = authority.find()
    except CertificateProblem:
        return ()
    if known is None:
        return unsigned(config, ())
    return () if known.allowed is None else unsigned(config, known.allowed)


def distrust(config: Config) -> Trouble | None:
    """Return what to tell of programs on this machine that do not trust its certificates; None: all of them do.

    Reads lists of certificates, and runs programs on macOS and Windows: some 10 ms, or some 100.
    """
    if config.server.tls is not True:
        return None
    from devproxy.certificates import authority
    from devproxy.trust import stores

    try:
        known = authority.find()
    except CertificateProblem:
        return None
    lacking = dict.fromkeys(store.whose for store in stores.lacking(stores.look(), known)) if known else {}
    if not lacking:
        return None
    return Trouble(f"the certificates of this machine are not trusted yet by {'; '.join(lacking)}", _HELP)
