"""The routes of a configuration as files for other programs: production proxies, Vite, Socket.IO, Kubernetes.

Pure: a configuration and what production is in, a text out, the same each time. One module for each target; all start
from the same :class:`~devproxy.exporting.site.Site`. Start at :func:`export`.
"""

from __future__ import annotations

from importlib import import_module
from typing import Final

from devproxy.config.model import Config
from devproxy.exporting.reading import parse_web_origin as parse_web_origin
from devproxy.exporting.reading import read_site as read_site
from devproxy.exporting.site import Wanted as Wanted
from devproxy.exporting.site import WebOrigin as WebOrigin

TARGETS: Final = ("nginx", "caddy", "traefik", "haproxy", "vite", "socketio", "kubernetes")


def export(config: Config, target: str, wanted: Wanted | None = None) -> str:
    """Return the file for `target`, one of :data:`TARGETS`, with the routes of `config`."""
    site = read_site(config, wanted or Wanted())
    text = import_module(f"{__name__}.{target}").write(site)
    assert isinstance(text, str)
    return text
