"""What handshakes are made with under a configuration: certificates of this machine, or a pair of files of the user's.

Imported only where ``tls`` is on. Start at :func:`handshakes_for`.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

from devproxy.certificates import authority
from devproxy.certificates.contexts import LocalCertificates, OwnPair
from devproxy.certificates.names import served_names
from devproxy.certificates.problems import CertificateProblem
from devproxy.config.model import CertificateFiles, Config

Handshakes: TypeAlias = Callable[[str], ssl.SSLContext]
"""Gives what a handshake is made with, by the IP address that its client has reached: the certificate may be new."""

_ALPN: Final = ("h2", "http/1.1")
"""The first of these that the client speaks, too, is spoken (RFC 7301)."""


def handshakes_for(config: Config, addresses: Iterable[str], report: Callable[[str], object]) -> Handshakes:
    """Return what handshakes are made with under `config`. `addresses`: those listened on; `report`: is called with
    what fails later, in a sentence.

    Reads files, and makes those that are missing. Raises :class:`CertificateProblem`.
    """
    tls = config.server.tls
    if not isinstance(tls, CertificateFiles):
        return LocalCertificates(authority.provide(), served_names(config, addresses), _ALPN, report).context
    folder = os.path.dirname(config.source)
    pair = OwnPair(os.path.join(folder, tls.cert), os.path.join(folder, tls.key), _ALPN)

    def context(address: str) -> ssl.SSLContext:
        try:
            pair.refresh()
        except CertificateProblem as problem:
            report(f"{problem.what}; the previous certificate is still in use. {problem.help}")
        return pair.context(address)

    return context
