"""TLS contexts for a server: one for each certificate, chosen by the name that the client states (SNI).

:class:`LocalCertificates` has those that are signed on this machine, :class:`OwnPair` that of two files of the user.
Both give the context for a new connection; connections that are open keep theirs. Neither has a timer: what is due to
be renewed is, when the next client comes.
"""

from __future__ import annotations

import ssl
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from devproxy.authority.networks import address_of
from devproxy.certificates import leaves
from devproxy.certificates.authority import Authority
from devproxy.certificates.files import add_pair, states
from devproxy.certificates.names import MACHINE, ServedNames, names_for
from devproxy.certificates.problems import CertificateProblem

MAX_CONTEXTS: Final = 64
"""Contexts that are kept ready; one takes some 50 KiB."""
RETRY_S: Final = 60
"""For how long a certificate that could not be made is not tried again: every handshake would be as slow."""


class _Ready(NamedTuple):
    """``context``: None where there is none until ``until_s``."""

    context: ssl.SSLContext | None
    until_s: float


class LocalCertificates:
    """The certificates of the names that devproxy is asked for, signed by an authority of this machine.

    `alpn`: protocols to offer, the best first. `report`: told in a sentence what keeps a name from having a
    certificate; its clients are shown that of the machine. Raises :class:`CertificateProblem` without that one.
    """

    def __init__(
        self,
        authority: Authority,
        served: ServedNames,
        alpn: Sequence[str],
        report: Callable[[str], object],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._authority = authority
        self._served = served
        self._alpn = tuple(alpn)
        self._report = report
        self._clock = clock
        self._machine = tuple(filter(authority.signs, served.machine))
        self._ready: OrderedDict[tuple[str, ...], _Ready] = OrderedDict()
        self._fallback = self._make(self._machine)

    def context(self, address: str = "") -> ssl.SSLContext:
        """Return the context for a connection that came in at `address`, an IP address of this machine."""
        names = self._machine
        if address and address not in names:
            parsed = address_of(address)
            if parsed is not None and str(parsed) not in names and self._authority.signs(str(parsed)):
                names = (*MACHINE, str(parsed))
        return self._context_for(names) or self._context_for(self._machine) or self._fallback

    def _choose(self, connection: ssl.SSLObject, server_name: str | None, _: ssl.SSLContext) -> None:
        """Give `connection` the context for the name that its client states. OpenSSL calls it in the handshake."""
        names = names_for(server_name or "", self._served)
        if names and self._authority.signs(names[0]) and (context := self._context_for(names)) is not None:
            connection.context = context

    def _context_for(self, names: tuple[str, ...]) -> ssl.SSLContext | None:
        ready, now_s = self._ready.get(names), self._clock()
        if ready is None or ready.until_s <= now_s:
            try:
                self._make(names)
            except CertificateProblem as problem:
                self._report(f"there is no certificate for {names[0]}: {problem.what}. {problem.help}")
                self._ready[names] = _Ready(ready and ready.context, now_s + RETRY_S)
            if len(self._ready) > MAX_CONTEXTS:
                self._ready.popitem(last=False)
        self._ready.move_to_end(names)
        return self._ready[names].context

    def _make(self, names: tuple[str, ...]) -> ssl.SSLContext:
        leaf = leaves.provide(self._authority, names, self._clock())
        context = _context(leaf.path, leaf.path, self._alpn)
        context.sni_callback = self._choose
        self._ready[names] = _Ready(context, leaf.renew_at_s)
        return context


class OwnPair:
    """A certificate and its key in two files (PEM) of the user's. Raises :class:`CertificateProblem`.

    `alpn`: protocols to offer, the best first.
    """

    def __init__(self, certificate: str, key: str, alpn: Sequence[str]) -> None:
        self._files = (certificate, key)
        self._alpn = tuple(alpn)
        self._loaded = self._seen = states(self._files)
        self._context = _context(certificate, key, self._alpn)

    def context(self, _: str = "") -> ssl.SSLContext:
        """Return the context for a new connection, whatever address it came in at."""
        return self._context

    def refresh(self) -> None:
        """Read the files again if they have changed since, and not since the last call: two files take two writes.

        Raises :class:`CertificateProblem`, once for each change, if they are not a pair; the former one stays.
        """
        before, self._seen = self._seen, states(self._files)
        if before == self._seen != self._loaded:
            self._loaded = self._seen
            self._context = _context(*self._files, self._alpn)


def _context(certificate: str, key: str, alpn: Sequence[str]) -> ssl.SSLContext:
    """Return a server's context that shows `certificate` (with its chain). Raises :class:`CertificateProblem`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    add_pair(context, certificate, key)
    context.set_alpn_protocols(list(alpn))
    return context
