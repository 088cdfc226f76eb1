"""What keeps a certificate from being made or used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from devproxy.errors import CertificateProblem as CertificateProblem


@contextmanager
def needs_cryptography() -> Iterator[None]:
    """Around the import of what makes certificates: raise :class:`CertificateProblem` without the extra ``tls``."""
    try:
        yield
    except ImportError:
        import shlex
        import sys

        raise CertificateProblem(
            "a certificate has to be made, but the package cryptography is not installed",
            f"{shlex.quote(sys.executable)} -m pip install cryptography",
        ) from None
