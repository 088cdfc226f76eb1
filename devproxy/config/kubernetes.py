"""The variables that Kubernetes sets in every container for a service, which may be called devproxy. Pure."""

from __future__ import annotations

import re
from typing import Final

_KUBERNETES: Final = re.compile(r"DEVPROXY(?P<service>_\w+?)??_(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?)")
_KUBERNETES_PORT: Final = re.compile(
    r"DEVPROXY(?P<service>_\w+?)??_PORT(?P<number>_[0-9]+_(?:TCP|UDP|SCTP)(?:_PROTO|_PORT|_ADDR)?)?"
)
_KUBERNETES_URL: Final = re.compile(r"(?:tcp|udp|sctp)://")


def service_of(name: str, value: str) -> str:
    """Return the service for which Kubernetes sets a variable of this name and value; empty: it does not.

    It does so in every container, for each service: NAME_SERVICE_HOST, NAME_PORT=tcp://10.0.0.1:80 and their like
    ("Environment variables" of "Service" in its documentation).
    """
    match = _KUBERNETES.fullmatch(name)
    if match is None:
        match = _KUBERNETES_PORT.fullmatch(name)
        if match is None or (match["number"] is None and not _KUBERNETES_URL.match(value)):
            return ""
    return f"devproxy{match['service'] or ''}".lower().replace("_", "-")
