"""Which tools' configurations can be imported, and what does it. Pure; each source is loaded when it is wanted."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Final

from devproxy.config.drafts import Draft
from devproxy.importing.asked import Asked, Failed

_ENDINGS: Final = ("js", "ts", "mjs", "mts", "cjs", "cts")

FILES: Final[Mapping[str, tuple[str, ...]]] = {
    "vite": tuple(f"vite.config.{ending}" for ending in _ENDINGS),
    "cra": ("src/setupProxy.js",),
    "angular": ("angular.json",),
    "webpack": tuple(f"webpack.config.{ending}" for ending in _ENDINGS),
    "next": tuple(f"next.config.{ending}" for ending in _ENDINGS),
    "nginx": ("nginx.conf", "conf/nginx.conf", "nginx/nginx.conf", "default.conf", "nginx/default.conf"),
    "caddy": ("Caddyfile", "caddy/Caddyfile", "Caddyfile.dev"),
    "compose": ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"),
}
"""By source, the files of a project by which it is known."""

SOURCES: Final = tuple(FILES)
"""Each is a module here with ``read(asked)``, which does I/O, and ``draft(facts)``, which does not."""


def imported(source: str, asked: Asked) -> Draft:
    """Return the draft of what `asked` names, a configuration of `source`.

    Raises :class:`~devproxy.importing.asked.Failed`.
    """
    module = import_module(f"devproxy.importing.{source}")
    try:
        found = module.draft(module.read(asked))
    except RecursionError:
        raise Failed("the configuration is nested too deeply") from None
    assert isinstance(found, Draft)
    return found
