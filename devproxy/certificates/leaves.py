"""Certificates of servers as files: found again, or made and kept. Start at :func:`provide`.

What a file is for is in its name, and when it is to be renewed in its first line, so that a certificate that is there
costs one read and no parser.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, NamedTuple

from devproxy.certificates import folders
from devproxy.certificates.authority import RENEW_BEFORE_S, Authority
from devproxy.certificates.problems import needs_cryptography

MAX_FILES: Final = 256
"""Files that are kept: a page can make a browser ask for any number of names below ``localhost``."""


class Leaf(NamedTuple):
    """A certificate with its key, in a file. ``renew_at_s``: when to renew it, in seconds since 1970."""

    path: str
    renew_at_s: int


def provide(authority: Authority, names: Sequence[str], now_s: float) -> Leaf:
    """Return a certificate for `names`, which `authority` may sign; raises ``CertificateProblem``."""
    purpose = "\n".join((authority.fingerprint, *names)).encode()
    folder = os.path.join(authority.folder, "leaves")
    path = os.path.join(folder, f"{hashlib.sha256(purpose).hexdigest()[:32]}.pem")
    has_old = os.path.exists(path)  # asked first: of two processes that make the first one, one wins
    with suppress(OSError), open(path, "rb") as file:
        renew_at = file.readline(64).removeprefix(b"Renew: ").strip()
        if renew_at.isdigit() and now_s < int(renew_at):
            return Leaf(path, int(renew_at))
    with needs_cryptography():
        from devproxy.certificates.making import make_leaf
    made = make_leaf(authority.certificate, authority.key, names, now_s)
    # Near the end of an authority's life a leaf is short: not a new one for each handshake.
    renew_at_s = max(made.not_after_s - RENEW_BEFORE_S, min(int(now_s) + 86_400, made.not_after_s))
    text = f"Renew: {renew_at_s}\nNames: {' '.join(names)}\n".encode()
    folders.write(path, text + made.certificate + made.key, authority.owner, replace=has_old)
    _prune(folder)
    return Leaf(path, renew_at_s)


def _prune(folder: str) -> None:
    """Delete the oldest files above the number that is kept."""
    with suppress(OSError), os.scandir(folder) as entries:
        files = sorted(entries, key=lambda entry: entry.stat().st_mtime)
        for entry in files[:-MAX_FILES]:
            os.unlink(entry.path)
