"""What a browser does with an answer, and the sentence it prints (Fetch sections 4.5 to 4.10, RFC 6455 section 4.1).

Pure. :func:`judge` follows a page's request through its preflights, redirects and CORS checks as Chromium does; the
end-to-end tests compare it with the real one. :func:`judge_exchange` does so from what the gateway sees of one
exchange. Never decides anything for the gateway: a verdict is for people.

Texts are the middle part of Chromium's messages, which has been the same over the years; what comes before and after
it has not. What keeps a request from being sent at all, mixed content and Local Network Access, is told by
:func:`obstacles`. Not modelled: Content Security Policy, COEP, and the sniffing of what a script or an image really is
(opaque response blocking).
"""

from devproxy.policy.verdict.exchange import judge_exchange, sends_cookies
from devproxy.policy.verdict.model import ALLOWED, REDIRECTS, Hop, PageRequest, RequestKind, Verdict
from devproxy.policy.verdict.page import asks_first, judge, judge_handshake
from devproxy.policy.verdict.reach import Obstacle, obstacles
from devproxy.policy.verdict.safelist import unsafe_names

__all__ = [
    "ALLOWED",
    "REDIRECTS",
    "Hop",
    "Obstacle",
    "PageRequest",
    "RequestKind",
    "Verdict",
    "asks_first",
    "judge",
    "judge_exchange",
    "judge_handshake",
    "obstacles",
    "sends_cookies",
    "unsafe_names",
]
