"""A webpack project: ``devServer.proxy``, which webpack-dev-server hands to http-proxy-middleware.

Start at :func:`draft`; :func:`read` is the only part that does I/O.
"""

from __future__ import annotations

from typing import Any

from devproxy.config.drafts import Draft
from devproxy.importing.asked import Asked, Failed
from devproxy.importing.dev_servers import dev_server, draft_beside
from devproxy.importing.http_proxy import code_of
from devproxy.importing.middleware import rules_of, taking_over
from devproxy.importing.rules import Leftover, Rule


def read(asked: Asked) -> dict[str, Any]:
    """Return what the project's configuration of webpack says. Raises :class:`Failed`."""
    from devproxy.importing.running import facts_of_node

    return facts_of_node("webpack", asked.folder, [str(asked.file or "")], asked.limit_s)


def draft(facts: dict[str, Any]) -> Draft:
    """Return the draft for `facts`. Raises :class:`Failed` where there is no proxy in them."""
    if not facts["entries"]:
        raise Failed(
            f"there is no devServer.proxy in {facts['file']}",
            "to begin without one:  devproxy up --frontend 8080 --backend 3001 --port 8000  (your servers' ports)",
        )
    own = dev_server(facts["server"], "webpack-dev-server")
    found: list[Rule | Leftover] = taking_over(rules_of(facts["entries"], own), str(facts["socket"]), own)
    why = "It may add what this file does not know; the dev server still does it."
    found += [Leftover(f"devServer.{name}", why, code_of(code)) for name, code in facts["hooks"].items()]
    tool = f"webpack-dev-server {facts['version']}" if facts["version"] else "webpack's configuration"
    return draft_beside(found, own, command="webpack", tool=tool, key="`devServer.proxy`")
