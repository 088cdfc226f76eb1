"""What ties one exchange to a server where an upstream has several: why it was chosen, and what has to be remembered.

Decides nothing: :mod:`devproxy.balance` does. There is a binding only for upstreams with more than one server, so that
an exchange with any other pays nothing for it. Start at :class:`Binding`.
"""

from __future__ import annotations

from devproxy.balance import Balancer, Choice, Reason
from devproxy.engineio import MAX_OPEN_BYTES, opened_session
from devproxy.messages import RequestHead


class Binding:
    """``is_bound``: no other server than the one chosen can answer. ``seeks_session``: the answer will name one."""

    __slots__ = ("_balancer", "_choice", "_seen", "is_bound", "seeks_session")

    def __init__(self, balancer: Balancer, choice: Choice, request: RequestHead) -> None:
        self._balancer = balancer
        self._choice = choice
        self._seen = b""
        self.is_bound = choice.is_bound
        self.seeks_session = balancer.opens_session(request)

    def finish(self, head: bytes, index: int) -> bytes:
        """Return the finished response `head`, of the server `index`, with a cookie where the client needs a new one.

        It does when it came without, or when its server is gone and another has answered.
        """
        if not self._balancer.cookie or self._choice == (index, Reason.COOKIE):
            return head
        return b"%b%b\r\n\r\n" % (head[:-2], self._balancer.cookie_line(index))

    def see(self, data: bytes, index: int) -> None:
        """Look for the id of a new session in `data`, a piece of the body that the server `index` answers with."""
        self._seen += data[:MAX_OPEN_BYTES]
        sid = opened_session(self._seen)
        if sid:
            self._balancer.learn(sid, index)
        if sid or len(self._seen) >= MAX_OPEN_BYTES:
            self._seen = b""
            self.seeks_session = False
