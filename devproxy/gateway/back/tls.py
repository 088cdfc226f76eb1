"""How servers are spoken to over TLS. Imported where there is an https server: that imports ssl."""

from __future__ import annotations

import ssl


def tls_context(verify: bool) -> ssl.SSLContext:
    """Return how an https server is spoken to; `verify`: its certificate has to be trusted and to name it."""
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
