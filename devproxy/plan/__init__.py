"""The heart: what happens to a request, and to the response to it. Pure; no clock, no socket, no loop.

:func:`compile_snapshot` turns a configuration into a :class:`Snapshot` once. :func:`plan_request` answers one request
head with a :class:`Plan`: devproxy itself answers (:class:`Respond`), or the request goes to an upstream
(:class:`Forward`, an upgrade if ``upgrade`` says so). :func:`edit_response` is its mirror for the response head. An
exchange keeps the snapshot it was born with; a new configuration is a new snapshot.
"""

from devproxy.plan.compiled import CompiledRoute
from devproxy.plan.decisions import Forward, Plan, Respond
from devproxy.plan.loops import loop_by_devproxy, loop_by_server
from devproxy.plan.malformed import lines_for_malformed
from devproxy.plan.pages import PAGES_UPSTREAM, PagesServer, pages_upstream
from devproxy.plan.plain import plan_plain_request
from devproxy.plan.request import plan_request, render_request
from devproxy.plan.response import advice_on, advice_on_body, answers_preflight, changes_to, edit_response
from devproxy.plan.snapshot import RESERVED_PREFIX, Snapshot, compile_snapshot

__all__ = [
    "PAGES_UPSTREAM",
    "RESERVED_PREFIX",
    "CompiledRoute",
    "Forward",
    "PagesServer",
    "Plan",
    "Respond",
    "Snapshot",
    "advice_on",
    "advice_on_body",
    "answers_preflight",
    "changes_to",
    "compile_snapshot",
    "edit_response",
    "lines_for_malformed",
    "loop_by_devproxy",
    "loop_by_server",
    "pages_upstream",
    "plan_plain_request",
    "plan_request",
    "render_request",
]
