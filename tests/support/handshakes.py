"""TLS handshakes in memory: what a client sees of a server's certificate."""

from __future__ import annotations

import ssl
from contextlib import suppress
from typing import NamedTuple


class Seen(NamedTuple):
    """``names``: of the certificate, addresses as Python's ssl writes them. ``alpn``: the protocol agreed on."""

    names: tuple[str, ...]
    alpn: str | None


def handshake(server: ssl.SSLContext, name: str | None, *, trusting: str, alpn: tuple[str, ...] = ()) -> Seen:
    """Return what a client that asks for `name` and trusts the file `trusting` sees; raises ssl.SSLError."""
    client = ssl.create_default_context(cafile=trusting)
    client.check_hostname = name is not None
    if alpn:
        client.set_alpn_protocols(list(alpn))
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    asks = client.wrap_bio(to_client, to_server, server_hostname=name)
    answers = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(3):
        for side in (asks, answers):
            with suppress(ssl.SSLWantReadError):
                side.do_handshake()
    certificate = asks.getpeercert()
    assert certificate is not None
    names = tuple(str(pair[1]) for pair in certificate["subjectAltName"])
    return Seen(names, asks.selected_alpn_protocol())
