"""What is kept of an exchange for those who look at it later: the values it was made of, and pieces of its bodies.

Nothing is rendered or copied while the exchange runs: the heads that came are values already, and those that went on
follow from them (:mod:`devproxy.plan`), so that keeping costs next to nothing. Start at :class:`Capture`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from devproxy.answers.rendering import Composed
    from devproxy.config.model import Config, ServerAddress
    from devproxy.http.edits import ResponseEdits
    from devproxy.http.messages import RequestHead, ResponseHead
    from devproxy.plan import Forward
    from devproxy.policy.hop import Peer

MAX_BODY_BYTES: Final = 1 << 20
"""How much is kept of one body."""


class Budget:
    """How many bytes of bodies may be kept in all. ``kept``: by exchanges so far; ``freed``: of those, forgotten again.

    Two counters, because the one who forgets may be in another thread: each may only add to its own.
    """

    __slots__ = ("freed", "kept", "max_bytes")

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.kept = 0
        self.freed = 0

    @property
    def left(self) -> int:
        """How many more may be kept now."""
        return self.max_bytes - self.kept + self.freed


class Body:
    """What is kept of a body: ``pieces``, in the chunked coding if ``is_chunked``.

    ``size``: bytes that came; ``kept``: how many of them are kept. ``is_complete``: the body has ended.
    """

    __slots__ = ("_budget", "is_chunked", "is_complete", "kept", "pieces", "size")

    def __init__(self, budget: Budget | None, *, is_chunked: bool) -> None:
        self._budget = budget
        self.is_chunked = is_chunked
        self.is_complete = False
        self.kept = 0
        self.pieces: list[bytes] = []
        self.size = 0

    def add(self, data: bytes, *, ended: bool) -> None:
        """Take a further piece; it is kept as far as there is room."""
        size = len(data)
        self.size += size
        self.is_complete = ended
        budget = self._budget
        if budget is None or not size or self.kept != self.size - size:
            return  # what comes after a gap would be read wrongly
        room = min(MAX_BODY_BYTES - self.kept, budget.left)
        if room <= 0:
            return
        piece = data if size <= room else data[:room]
        self.pieces.append(piece)
        self.kept += len(piece)
        budget.kept += len(piece)


class Capture:
    """What an exchange was made of; all of it immutable but for what is still to come.

    ``config``: it was planned by. ``request``: as it came from ``peer``. ``plan``: how it was forwarded, None: it was
    not. ``server``: that it was sent to last; None: to none. ``response``: the server's, and ``edits``: what happened
    to it. ``own``: devproxy's own answer. ``interim``: 1xx. ``request_body``, ``response_body``: None: none was kept.
    ``sent_s``: seconds from the start until the request left; 0: it has not, or that is not known.
    """

    __slots__ = (
        "budget",
        "config",
        "edits",
        "interim",
        "own",
        "peer",
        "plan",
        "request",
        "request_body",
        "response",
        "response_body",
        "sent_s",
        "server",
    )

    def __init__(
        self, config: Config, request: RequestHead, peer: Peer, plan: Forward | None, budget: Budget | None = None
    ) -> None:
        self.budget = budget
        self.config = config
        self.request = request
        self.peer = peer
        self.plan = plan
        self.server: ServerAddress | None = None
        self.response: ResponseHead | None = None
        self.edits: ResponseEdits | None = None
        self.own: Composed | None = None
        self.interim: list[tuple[ResponseHead, ResponseEdits]] = []
        self.request_body: Body | None = None
        self.response_body: Body | None = None
        self.sent_s = 0.0

    @property
    def kept_bytes(self) -> int:
        """How many bytes of bodies it keeps."""
        return sum(body.kept for body in (self.request_body, self.response_body) if body is not None)

    @property
    def size(self) -> int:
        """About how many bytes it takes, with its heads."""
        heads = len(self.request.block) + (0 if self.response is None else len(self.response.block))
        return self.kept_bytes + heads + 1024
