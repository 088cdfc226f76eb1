"""Asking an HTTP proxy for a tunnel to a server: what is sent, and what its answer means (RFC 9110 section 9.3.6).

Pure. The answer is a stranger's: it is read by the grammar of any answer, its head is bounded, and nothing in it but
the status decides. Start at :func:`connect_request` and :class:`ConnectAnswer`.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Final, NamedTuple

from devproxy.errors import BadMessage, ProxyCause, ProxyFailure
from devproxy.http.messages import ResponseHead
from devproxy.http1.head import parse_response_head
from devproxy.http1.reader import HeadReader, MessageKind
from devproxy.http1.refusals import told
from devproxy.http1.start_line import Limits
from devproxy.text.safe import visible

MAX_ANSWER_BYTES: Final = 16 * 1024
"""Of the head of an answer, more than any proxy sends."""
MAX_SCHEMES: Final = 8
_MAX_SCHEME: Final = 20
_MAX_REASON: Final = 120
_LIMITS: Final = Limits(max_head_bytes=MAX_ANSWER_BYTES, max_fields=64)


def connect_request(authority: str, credentials: str) -> bytes:
    """Return the request for a tunnel to `authority`, ``host:port``.

    `credentials`: ``user:password`` for the proxy (RFC 7617), empty for none.
    """
    lines = [f"CONNECT {authority} HTTP/1.1", f"Host: {authority}"]
    if credentials:
        lines.append(f"Proxy-Authorization: Basic {b64encode(credentials.encode()).decode()}")
    return "\r\n".join((*lines, "", "")).encode("ascii")


class Answered(NamedTuple):
    """What a proxy answered. ``rest``: what came after its head, from the server if the tunnel is open."""

    status: int
    reason: str
    schemes: tuple[str, ...]
    rest: bytes

    @property
    def is_open(self) -> bool:
        """Whether there is a tunnel: any status of success says so."""
        return 200 <= self.status < 300


class ConnectAnswer:
    """Reads the answer from bytes that arrive in any pieces."""

    __slots__ = ("_reader",)

    def __init__(self) -> None:
        self._reader = HeadReader(MessageKind.RESPONSE, _LIMITS)

    def feed(self, data: bytes) -> Answered | None:
        """Return the answer when its head is complete, else None. Raises :class:`BadMessage` for what is none."""
        found = self._reader.feed(data)
        if found is None:
            return None
        # As an answer without a body: that of a success has none whatever its fields say, and no other is read.
        head = parse_response_head(found[0], _LIMITS, b"HEAD")
        if head.status < 200:
            raise BadMessage("an interim answer came where a tunnel was asked for", line=head.start)
        reason = head.start.split(b" ", 2)[2:]
        text = reason[0].decode("latin-1") if reason else ""
        return Answered(head.status, text, _schemes(head), found[1])


def refusal(answered: Answered, proxy: str) -> ProxyFailure:
    """Return why `proxy`, a URL without credentials, opened no tunnel by what it `answered`."""
    reason = visible(f"{answered.status} {answered.reason}".strip(), _MAX_REASON)
    if answered.status == 407:
        return ProxyFailure(ProxyCause.LOGIN_WANTED, proxy, reason, answered.schemes)
    is_away = answered.status in (502, 503, 504)
    return ProxyFailure(ProxyCause.SERVER_UNREACHABLE if is_away else ProxyCause.REFUSED, proxy, reason)


def no_answer(error: BadMessage, proxy: str) -> ProxyFailure:
    """Return why `proxy` opened no tunnel where its answer is refused for `error`."""
    return ProxyFailure(ProxyCause.BAD_ANSWER, proxy, visible(told(error), _MAX_REASON))


def _schemes(head: ResponseHead) -> tuple[str, ...]:
    """Return by which schemes a proxy lets clients log in (RFC 9110 section 11.7.1), one of each field."""
    values = (field.value for field in head.fields if field.name == b"proxy-authenticate")
    names = dict.fromkeys(visible(value.split(b" ", 1)[0], _MAX_SCHEME).lower() for value in values)
    return tuple(names)[:MAX_SCHEMES]
