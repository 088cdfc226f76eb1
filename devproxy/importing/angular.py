"""An Angular project: the file that ``proxyConfig`` in angular.json names, which goes to Vite or to webpack-dev-server.

Start at :func:`draft`; :func:`read` is the only part that does I/O.
"""

from __future__ import annotations

from typing import Any

from devproxy.config.drafts import Draft
from devproxy.importing import middleware, vite
from devproxy.importing.asked import Asked, Failed
from devproxy.importing.dev_servers import dev_server, draft_beside


def read(asked: Asked) -> dict[str, Any]:
    """Return what the project says. Raises :class:`Failed`."""
    from devproxy.importing.running import facts_of_node

    return facts_of_node("angular", asked.folder, [str(asked.file or "")], asked.limit_s)


def draft(facts: dict[str, Any]) -> Draft:
    """Return the draft for `facts`. Raises :class:`Failed` where there is no proxy in them."""
    if not facts["entries"]:
        where = facts["file"] or "angular.json, which names no proxyConfig"
        raise Failed(
            f"there is no proxy in {where}",
            "to begin without one:  devproxy up --frontend 4200 --backend 3001  (the ports of your servers)",
        )
    own = dev_server(facts["server"], "Angular's dev server")
    if facts["kind"] == "webpack":
        found = middleware.taking_over(middleware.rules_of(facts["entries"], own), "/ng-cli-ws", own)
    else:
        found = vite.rules_of(facts["entries"])
    tool = f"Angular {facts['version']}" if facts["version"] else "the project"
    return draft_beside(found, own, command="angular", tool=tool, key="`proxyConfig`")
