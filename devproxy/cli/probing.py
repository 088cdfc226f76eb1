"""One request to a server, by hand, for ``explain``: the head of what it answers and no more."""

from __future__ import annotations

import socket
from contextlib import closing, suppress
from typing import Final

from devproxy.authority.hosts import LOOPBACK_ADDRESSES
from devproxy.authority.networks import is_this_machine
from devproxy.cli.refusal import FAILED, Refused
from devproxy.config.model import Scheme, ServerAddress
from devproxy.errors import BadMessage
from devproxy.gateway.system.container import proxy_variable
from devproxy.http.messages import REFUSALS, ResponseHead
from devproxy.http1.head import parse_response_head
from devproxy.http1.reader import HeadReader, MessageKind
from devproxy.http1.refusals import ended_within_head, told
from devproxy.http1.start_line import Limits
from devproxy.policy.advice import advice_on_no_http, advice_on_proxy, advice_on_tls

TIMEOUT_S: Final = 10.0
BODY_WAIT_S: Final = 1.0


def head_of_answer(
    server: ServerAddress, octets: bytes, limits: Limits, *, verifies: bool
) -> tuple[ResponseHead, bytes]:
    """Send `octets`, a whole request, to `server`; return the head of its final answer, and how a refusal goes on.

    `verifies`: its certificate has to be good, as ``tls_verify`` says. Raises :class:`Refused`, with exit code 1, when
    there is no answer within ten seconds.
    """
    try:
        with closing(_connected(server, verifies=verifies)) as sock:
            sock.sendall(octets)
            return _final_head(sock, limits, octets.partition(b" ")[0])
    except (OSError, BadMessage) as error:
        reason = told(error) if isinstance(error, BadMessage) else error.strerror or str(error)
        reason = getattr(error, "verify_message", "") or reason
        raise Refused(
            f"{server.url} gave no answer: {reason}", _help_for(error, server, reason), exit_code=FAILED
        ) from None


def _help_for(error: Exception, server: ServerAddress, reason: str) -> str:
    if isinstance(error, BadMessage):
        return advice_on_no_http(error.line) or "look at that server's own log, or leave out --send"
    if type(error).__module__ == "ssl":
        return advice_on_tls(f"{reason} {getattr(error, 'reason', '')}")
    variable = proxy_variable(server)
    if isinstance(error, socket.gaierror | TimeoutError) and variable:
        return advice_on_proxy(variable)
    return "start that server, or leave out --send"


def _connected(server: ServerAddress, *, verifies: bool) -> socket.socket:
    if server.scheme is Scheme.UNIX:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(TIMEOUT_S)
        sock.connect(server.path)
        return sock
    sock = _connected_to(server)
    if server.scheme is not Scheme.HTTPS:
        return sock
    from devproxy.gateway.back.tls import tls_context  # imports ssl: 20 ms, and most servers speak plain HTTP

    return tls_context(verifies).wrap_socket(sock, server_hostname=server.host.removesuffix("."))


def _connected_to(server: ServerAddress) -> socket.socket:
    """Connect to where the gateway would: of the addresses of this machine, the first that answers."""
    *others, last = LOOPBACK_ADDRESSES if is_this_machine(server.host) else (server.host,)
    for host in others:
        with suppress(OSError):
            return socket.create_connection((host, server.port), timeout=TIMEOUT_S)
    return socket.create_connection((last, server.port), timeout=TIMEOUT_S)


def _final_head(sock: socket.socket, limits: Limits, method: bytes) -> tuple[ResponseHead, bytes]:
    reader, data = HeadReader(MessageKind.RESPONSE, limits), b""
    while True:
        if not data:
            data = sock.recv(65536)
            if not data:
                if reader.has_started:
                    raise ended_within_head(reader.pending)
                raise ConnectionResetError(0, "it closed the connection")
        found = reader.feed(data)
        data = b""
        if found is not None:
            block, data = found
            head = parse_response_head(block, limits, method)
            if head.status >= 200 or head.status == 101:
                return head, data or _first_words(sock, head)


def _first_words(sock: socket.socket, head: ResponseHead) -> bytes:
    """Return how the body of a refusal begins, if that comes soon after its head."""
    if head.status not in REFUSALS or not head.facts.body_length:
        return b""
    sock.settimeout(BODY_WAIT_S)
    with suppress(OSError):
        return sock.recv(65536)
    return b""
