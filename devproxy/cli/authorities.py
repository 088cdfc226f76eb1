"""The authority of devproxy's certificates for programs that it runs: Node trusts those of one file besides its own.

Start at :func:`authorities_for_node`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from hashlib import sha256

from devproxy.config.model import Config
from devproxy.errors import CertificateProblem
from devproxy.platforms.private import make_folder, runtime_folder

VARIABLE = "NODE_EXTRA_CA_CERTS"


def authorities_for_node(config: Config, environment: Mapping[str, str] = os.environ) -> str:
    """Return the file that `VARIABLE` is to name; empty: what it names already, if anything, will do.

    Where it names a file of other authorities, a file of both is written into the user's runtime folder.
    """
    if config.server.tls is not True:
        return ""
    from devproxy.certificates import authority  # few configurations have programs and HTTPS

    try:
        known = authority.find()
    except CertificateProblem:
        return ""
    if known is None:
        return ""
    try:
        others = _read(environment.get(VARIABLE, ""))
        own = _read(known.path)
        if not others:
            return known.path
        return "" if own.strip() in others else _written(others.rstrip() + b"\n" + own)
    except OSError:
        return known.path


def _read(path: str) -> bytes:
    if not path:
        return b""
    with open(path, "rb") as file:
        return file.read()


def _written(text: bytes) -> str:
    """Return the file that holds `text`, named after it: it is the same for every devproxy. Raises OSError."""
    folder = runtime_folder()
    make_folder(folder)
    path = os.path.join(folder, f"authorities-{sha256(text).hexdigest()[:16]}.pem")
    if not os.path.exists(path):
        draft = f"{path}.{os.getpid()}"
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(text)
        os.replace(draft, path)
    return path
