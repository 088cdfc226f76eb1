"""Which tools' configurations can be imported, and what does it. Pure; each source is loaded when it is wanted."""

from __future__ import annotations

from importlib import import_module
from typing import Final

from devproxy.config.drafts import Draft
from devproxy.importing.asked import Asked

SOURCES: Final = ("vite", "cra", "angular", "webpack", "next", "nginx", "caddy", "compose")
"""Each is a module here with ``read(asked)``, which does I/O, and ``draft(facts)``, which does not."""


def imported(source: str, asked: Asked) -> Draft:
    """Return the draft of what `asked` names, a configuration of `source`.

    Raises :class:`~devproxy.importing.asked.Failed`.
    """
    module = import_module(f"devproxy.importing.{source}")
    found = module.draft(module.read(asked))
    assert isinstance(found, Draft)
    return found
