"""A proposal -> the draft of a ``devproxy.toml`` that says why each line is there. Pure.

Start at :func:`draft_of`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from devproxy.config.drafts import Draft, DraftRoute, DraftUpstream, Value
from devproxy.init import kinds
from devproxy.init.choosing import DEFAULT_PORT, Chosen
from devproxy.init.evidence import Evidence
from devproxy.init.kinds import Role
from devproxy.init.proposal import Proposal
from devproxy.text.safe import quoted

_HOT_RELOAD: Final = {
    kinds.WEBPACK: 'client: { webSocketURL: "auto://0.0.0.0:0/ws" } in devServer',
    kinds.VUE_CLI: 'client: { webSocketURL: "auto://0.0.0.0:0/ws" } in devServer of vue.config.js',
    kinds.CRA: "WDS_SOCKET_PORT=0 in .env",
}
"""What makes the hot reload of tools that name their own port come through devproxy as well."""


def draft_of(proposal: Proposal, found: Evidence) -> Draft:
    """Return what to write for `proposal`."""
    return Draft(
        head=tuple(_head(proposal)),
        server={"listen": f"localhost:{proposal.port}"},
        upstreams=[_upstream(one) for one in _upstreams(proposal)],
        routes=[
            DraftRoute(keys={route.kind.value: route.pattern, "upstream": route.upstream}, comments=route.why)
            for route in proposal.routes
        ],
        tail=tuple(line for sentence in _tail(proposal, found) for line in (sentence, ""))[:-1],
    )


def _upstreams(proposal: Proposal) -> Iterator[Chosen]:
    if proposal.choice.frontend is not None:
        yield proposal.choice.frontend
    yield from proposal.choice.backends


def _upstream(one: Chosen) -> DraftUpstream:
    keys: dict[str, Value] = {}
    comments = [f"{one.why}."]
    if one.is_tls:
        keys["tls_verify"] = False
        comments.append("Dev servers sign their certificates themselves: it is not checked.")
    return DraftUpstream(name=one.name, servers=[one.url], keys=keys, comments=comments)


def _head(proposal: Proposal) -> Iterator[str]:
    yield "Written by `devproxy init`, from what ran and what the files said. Change what is not right."
    yield "Which route gets a path, and why:  devproxy routes --test GET /api/"
    if proposal.port != DEFAULT_PORT:
        yield f"Port {DEFAULT_PORT}, the usual one, is another program's."


def _programs(proposal: Proposal) -> Iterator[str]:
    """Yield the lines, as comments, of a program for each upstream that a script of the project starts."""
    for one in _upstreams(proposal):
        role = Role.FRONTEND if one is proposal.choice.frontend else Role.BACKEND
        command = one.app.command(role) if one.app is not None else ""
        if one.app is not None and command:
            yield f"    [run.{one.name}]"  # a name that needs no quotation marks
            yield f"    command = {quoted(command, len(command))}"
            if one.app.folder:
                yield f"    folder = {quoted(one.app.folder, len(one.app.folder))}"


def _tail(proposal: Proposal, found: Evidence) -> Iterator[str]:
    yield from proposal.notes
    programs = list(_programs(proposal))
    if programs:
        yield "To have `devproxy up` start these programs as well, remove the number signs:\n" + "\n".join(programs)
    frontend = proposal.choice.frontend
    if frontend is not None and frontend.kind in _HOT_RELOAD:
        yield (
            f"{frontend.kind.name} opens its hot-reload socket at its own port, past devproxy: that works on this "
            f"machine alone. To have it come through devproxy: {_HOT_RELOAD[frontend.kind]}."
        )
    for one in found.proxied:
        yield f"{one.place} has rules of a proxy, which are not in here: see devproxy import {one.source} --print"
