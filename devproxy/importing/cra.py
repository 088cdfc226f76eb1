"""A project of Create React App: ``proxy`` in package.json, and ``src/setupProxy.js``.

Start at :func:`draft`; :func:`read` is the only part that does I/O.
"""

from __future__ import annotations

from typing import Any, Final

from devproxy.config.drafts import Draft
from devproxy.importing.asked import Asked, Failed
from devproxy.importing.dev_servers import dev_server, draft_beside
from devproxy.importing.http_proxy import address_keys, split_target
from devproxy.importing.middleware import rules_of, taking_over
from devproxy.importing.rules import EVERY_PATH, Leftover, Rule
from devproxy.text.bad import BadText

_METHODS: Final = ("POST", "PUT", "PATCH", "DELETE")
_LABEL: Final = '"proxy" of package.json'


def read(asked: Asked) -> dict[str, Any]:
    """Return what the project says. Raises :class:`Failed`."""
    from devproxy.importing.running import facts_of_node

    folder = asked.folder
    if asked.file is not None and folder.name == "src":  # src/setupProxy.js was named
        folder = folder.parent
    return facts_of_node("cra", folder, [], asked.limit_s)


def draft(facts: dict[str, Any]) -> Draft:
    """Return the draft for `facts`. Raises :class:`Failed` where there is no proxy in them."""
    proxy = facts.get("proxy")
    if not facts["entries"] and not proxy:
        raise Failed(
            'there is neither "proxy" in package.json nor src/setupProxy.js',
            "to begin without one:  devproxy up --frontend 3000 --backend 3001  (the ports of your servers)",
        )
    own = dev_server(facts["server"], "Create React App's dev server")
    found: list[Rule | Leftover] = taking_over(rules_of(facts["entries"], own), str(facts["socket"]), own)
    if proxy:
        found += _of_package(proxy)
    return draft_beside(
        found, own, command="cra", tool="the project", key='`src/setupProxy.js` and "proxy" in package.json'
    )


def _of_package(proxy: object) -> list[Rule | Leftover]:
    """Return what of `proxy`, a URL, a route can say: what is sent with other methods than GET."""
    if not isinstance(proxy, str):
        return [Leftover(_LABEL, "It is not text, which Create React App refuses from version 2 on.")]
    try:
        target, base = split_target(proxy, {"secure": False})
    except BadText as error:
        return [Leftover(_LABEL, f"{error.what[:1].upper()}{error.what[1:]}.")]
    why = (
        "GET requests go there only if they do not accept text/html and the dev server has no such file, which it "
        "alone knows: they go by way of it, so keep the key. For a direct way, which WebSockets need, name the paths:"
    )
    code = '[[routes]]\npath = "/api/"\nupstream = "backend"\n' + (f'rewrite = "{base}/api/"\n' if base else "")
    rule = Rule(
        label=_LABEL,
        match=EVERY_PATH,
        target=target,
        rewrite=f"{base}/" if base else None,
        methods=_METHODS,
        keys=address_keys(target.servers[0], "upstream", "upstream"),
        comments=('"proxy" of package.json: what is sent with these methods, whatever its path.',),
    )
    return [rule, Leftover(_LABEL, why, code, EVERY_PATH)]
