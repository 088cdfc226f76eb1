"""What all imports from a dev server share: the server itself takes what no rule does, and what cannot be carried over.

Pure. Start at :func:`draft_beside`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from devproxy.authority.hosts import MAX_PORT
from devproxy.config.drafts import Draft, Value
from devproxy.importing.drafting import draft_of
from devproxy.importing.ordering import with_dev_server
from devproxy.importing.rules import EVERY_PATH, Leftover, Rule, Target

_ANY_ADDRESS: Final = ("0.0.0.0", "::", "[::]", "local-ip", "local-ipv4", "local-ipv6")
_OWN_PORT: Final = 8080
"""Where devproxy listens unless it is told otherwise."""


def dev_server(server: dict[str, Any], what: str) -> Rule:
    """Return the rule for everything that no other one takes: `what`, a dev server at ``port`` and ``host``."""
    scheme = "https" if server.get("https") else "http"
    host = str(server.get("host") or "localhost")
    if host in _ANY_ADDRESS:
        host = "localhost"
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"
    keys: tuple[tuple[str, Value], ...] = ()
    comments = (f"{what}.",)
    if scheme == "https":
        keys = (("tls_verify", False),)
        comments = (f"{what}, whose certificate is its own.",)
    target = Target(servers=(f"{scheme}://{host}:{server['port']}",), name="frontend", keys=keys, comments=comments)
    return Rule(label=what, match=EVERY_PATH, target=target)


def draft_beside(found: Sequence[Rule | Leftover], own: Rule, *, command: str, tool: str, key: str) -> Draft:
    """Return the draft of `found`, with the dev server's rule `own` as the last.

    `command`: the source, as typed; `tool`: what read it; `key`: what in its configuration is meant.
    """
    rules, lost = with_dev_server(found, own)
    remains = f"{key} is not needed any more once pages are opened at devproxy's address."
    if any(one.match is not None for one in lost):
        remains = f"Keep of {key} what is not carried over (see the end): devproxy leaves that to the dev server."
    head = [f"Made by `devproxy import {command}` of what {tool.strip()} says of its configuration.", remains]
    port = int(own.target.servers[0].rpartition(":")[2])
    return draft_of(rules, lost, head=head, server=listening_beside([port], head))


def listening_beside(ports: Sequence[int], head: list[str]) -> dict[str, Value]:
    """Return the keys of ``[server]`` where other servers have `ports`; `head` gets a comment on them."""
    if _OWN_PORT not in ports:
        return {}
    taken = frozenset(ports)
    port = next((port for port in range(_OWN_PORT + 1, MAX_PORT + 1) if port not in taken), 0)
    head.append(f"Port {_OWN_PORT} is that of a server below, so devproxy listens at {port}.")
    return {"listen": f"localhost:{port}"}
