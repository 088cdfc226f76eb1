"""What is decided about a request and about the responses to it, as values.

:class:`Respond` and :class:`Forward` are what happens to a request, a :class:`Plan`. ``plan.request`` makes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from devproxy.answers import Answer
from devproxy.http.edits import ResponseEdits
from devproxy.http.memory import Table
from devproxy.http.messages import RequestFacts, ResponseFacts
from devproxy.plan.compiled import CompiledRoute
from devproxy.policy.cors import CorsDecision
from devproxy.policy.preflight import Preflight


@dataclass(slots=True)
class Respond:
    """devproxy itself answers.

    ``route``: the label of the route concerned, empty for none. ``lines``: field lines that go with the answer, by
    which a page that is allowed to can read it. ``delay_s``: how long it is to be kept back, on purpose. ``pages``: how
    it is sent to the server of devproxy's own pages, which gives the answer instead; None: ``answer`` is given.
    """

    answer: Answer
    route: str = ""
    lines: tuple[bytes, ...] = ()
    delay_s: float = 0.0
    pages: Forward | None = None


@dataclass(slots=True, eq=False)
class Forward:
    """The request goes to an upstream.

    Shared by all requests for which the decision is the same (see :func:`~devproxy.plan.request.plan_request`).
    ``edits``: the snapshot's table of what is remembered of responses. ``path``: the path and query to send, empty
    where they go as they came. ``is_plain``: the head goes as it came, without the lines that do not cross.
    ``is_retriable``: may be sent again when a kept-alive connection turns out to be dead before a byte of an answer
    came: the method is idempotent, there is no body, and this is not an Engine.IO poll (a poll delivered twice kills
    its session). ``upgrade``: the protocol asked for, empty for none. ``cors``: how the route's policy treats the
    Origin. ``preflight``: what a preflight asks for. ``fallback``: the answer to it, where the upstream gives none that
    a browser accepts. ``is_special``: there is more to do than to send it: the route has a fault, the request logs its
    connection in, or the answer may open an Engine.IO session. ``is_remembered``: other requests may get this plan.
    """

    compiled: CompiledRoute
    facts: RequestFacts
    path: bytes
    is_plain: bool
    is_retriable: bool
    is_poll: bool
    upgrade: bytes
    cors: CorsDecision
    edits: Table[EditsKey, ResponseEdits]
    preflight: Preflight | None = None
    fallback: Respond | None = None
    is_special: bool = False
    is_remembered: bool = False


Plan = Respond | Forward
EditsKey: TypeAlias = "tuple[Forward, ResponseFacts]"
"""A remembered plan, and remembered facts of a response to it."""
