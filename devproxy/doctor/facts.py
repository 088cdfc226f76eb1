"""The values that fixes contain, and the names of what they are written in. Pure. Start at :class:`Facts`."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from devproxy.doctor.observed import Seen
from devproxy.policy import server_code
from devproxy.policy.verdict.model import shown

DEVPROXY, CLIENT, NGINX = "devproxy", "client", "nginx"
TITLES: Final = {**server_code.TITLES, NGINX: "nginx", CLIENT: "the client", DEVPROXY: "devproxy"}
"""By the name of a fix: what it is written in."""

FALLBACK_NOTE: Final = (
    'transports: ["websocket", "polling"] never falls back to polling: it needs tryAllTransports: true '
    "(client 4.8 or later), or the default order."
)


class Facts:
    """The values that fixes contain. ``origin``: the page's; ``sends``: whether credentials go along."""

    def __init__(self, seen: Seen) -> None:
        target = seen.target
        self.origin = shown(seen.page)
        self.sends = seen.includes_credentials
        self.path = target.path
        self.bare_path = target.path.strip("/")
        self.base = target.base
        self.namespace = target.namespace
        self.server = str(target.port) if target.host == "localhost" and not target.is_tls else target.base
        parts = urlsplit(self.origin) if "://" in self.origin else None
        port = parts.port if parts and parts.hostname == "localhost" else None
        self.frontend = str(port) if port else self.origin
        self.resource = target.resource
        self.is_default_path = target.path == "/socket.io/"

    def up(self) -> str:
        """Return the command that puts both on one origin."""
        paths = "" if self.is_default_path else f" --backend-path {self.path} --backend-path /api/"
        return f"devproxy up --frontend {self.frontend} --backend {self.server}{paths}"

    def client(self) -> str:
        """Return what the page calls then."""
        where = "" if self.namespace == "/" else f'"{self.namespace}"'
        option = "" if self.is_default_path else f'{{ path: "{self.path}" }}'
        arguments = [where or '""', option] if option else [where]
        return f"io({', '.join(filter(None, arguments))})"

    def one_origin(self) -> str:
        """Return the fix for whatever has to do with other origins: one origin."""
        return f"{self.up()}\n# and in the page: {self.client()}, without an address"
