"""One request to a server, by hand, for ``explain``: the head of what it answers, and how the body begins."""

from __future__ import annotations

import os
import socket
from contextlib import closing, suppress
from time import monotonic
from typing import Final, NamedTuple

from devproxy.authority.hosts import LOOPBACK_ADDRESSES, authority
from devproxy.authority.networks import is_this_machine
from devproxy.cli.refusal import FAILED, Refused
from devproxy.config.model import Scheme, ServerAddress, Upstream
from devproxy.config.problems import key_text
from devproxy.errors import BadMessage, CertificateProblem, ProxyCause, ProxyFailure, SeenCertificate
from devproxy.http.messages import CHUNKED, ResponseHead
from devproxy.http1.connect import ConnectAnswer, connect_request, no_answer, refusal
from devproxy.http1.head import parse_response_head
from devproxy.http1.reader import HeadReader, MessageKind
from devproxy.http1.refusals import ended_within_head, told
from devproxy.http1.start_line import Limits
from devproxy.platforms.endpoints import connect
from devproxy.policy.advice import advice_on_no_http
from devproxy.policy.host_gateway import advice_on_host
from devproxy.policy.proxy_advice import advice_on_unused, unused_proxy, words_on_proxy
from devproxy.policy.tls_advice import certificate_text, tls_settings, words_on_tls

TIMEOUT_S: Final = 10.0
BODY_WAIT_S: Final = 1.0
MAX_BODY_BYTES: Final = 65536
_LOOK: Final = "look at that server's own log"


class Asked(NamedTuple):
    """A server, and the upstream that it belongs to. ``folder``: of the configuration, where the paths in it begin."""

    server: ServerAddress
    upstream: Upstream
    folder: str

    @property
    def table(self) -> str:
        """Where the keys of the upstream are written."""
        return f"[upstreams.{key_text(self.upstream.name)}]"


def head_of_answer(asked: Asked, octets: bytes, limits: Limits) -> tuple[ResponseHead, bytes]:
    """Send `octets`, a whole request; return the head of the final answer, and how its body begins.

    That is what comes of it within a second, at most a little more than :data:`MAX_BODY_BYTES`. Raises
    :class:`Refused`, with exit code 1, when there is no answer within ten seconds.
    """
    server, is_connected = asked.server, False
    if server.scheme is Scheme.RECORDING:
        return _recorded_head(asked, octets, limits)
    try:
        with closing(_connected(asked)) as sock:
            is_connected = True
            sock.sendall(octets)
            return _final_head(sock, limits, octets.partition(b" ")[0])
    except CertificateProblem as problem:
        raise Refused(f"{server.url} was not asked: {problem.what}", problem.help, exit_code=FAILED) from None
    except _NoTunnelError as error:
        words = words_on_proxy(error.failure, asked.table)
        raise Refused(f"{server.url} gave no answer: {words.what}", words.help, exit_code=FAILED) from None
    except (OSError, BadMessage) as error:
        if type(error).__module__ == "ssl":
            raise _no_tls(error, asked) from None
        if isinstance(error, BadMessage):
            reason, help = told(error), advice_on_no_http(error.line) or _LOOK
        else:
            reason, help = _silence(error, server) if is_connected else _distance(error, asked)
        raise Refused(f"{server.url} gave no answer: {reason}", help, exit_code=FAILED) from None


def _recorded_head(asked: Asked, octets: bytes, limits: Limits) -> tuple[ResponseHead, bytes]:
    from devproxy.cli.recorded import recorded_answer  # few upstreams are one

    found = HeadReader(MessageKind.RESPONSE, limits).feed(recorded_answer(asked.server, asked.folder, octets))
    assert found is not None  # a head comes as one piece
    return parse_response_head(found[0], limits, octets.partition(b" ")[0]), found[1][:MAX_BODY_BYTES]


def why_unreachable(asked: Asked) -> tuple[str, str] | None:
    """Return why no connection to a server can be opened, and what to do; None: one was, and nothing was sent."""
    if asked.server.scheme is Scheme.RECORDING:
        from devproxy.cli.recorded import why_unusable  # few upstreams are one

        return why_unusable(asked.server, asked.folder)
    try:
        _connected(asked).close()
    except CertificateProblem as problem:
        return problem.what, problem.help
    except _NoTunnelError as error:
        words = words_on_proxy(error.failure, asked.table)
        return words.what, words.help
    except OSError as error:
        if type(error).__module__ == "ssl":
            refused = _no_tls(error, asked)
            return refused.what, " ".join(refused.help)
        return _distance(error, asked)
    return None


def _no_tls(error: Exception, asked: Asked) -> Refused:
    """Return what is said where there is no TLS: which certificate it was, why, and the line to write."""
    from devproxy.gateway.back.tls import failure_of

    failure = failure_of(error, shows_certificate=bool(asked.upstream.tls_cert))
    if hasattr(error, "verify_code"):
        failure = failure._replace(certificate=_certificate_of(asked))
    settings = tls_settings(asked.upstream, asked.server)
    assert settings is not None
    words = words_on_tls(failure, settings)
    facts = "; ".join(filter(None, (failure.reason, certificate_text(failure.certificate))))
    return Refused(f"{asked.server.url} gave no answer: {words.what} ({facts})", words.help, exit_code=FAILED)


def _certificate_of(asked: Asked) -> SeenCertificate | None:
    from devproxy.gateway.back.tls import looking_context, seen_on

    with suppress(OSError, BadMessage, _NoTunnelError):
        name = asked.server.host.removesuffix(".")
        with looking_context().wrap_socket(_way_to(asked), server_hostname=name) as secure:
            return seen_on(secure)
    return None


def _distance(error: OSError, asked: Asked) -> tuple[str, str]:
    """Return why there is no connection to a server, and what to do."""
    unused = None if asked.upstream.proxy else unused_proxy(asked.server, os.environ)
    if unused is not None and not (unused.is_far or isinstance(error, socket.gaierror | TimeoutError)):
        unused = None
    advice = "" if unused is None else advice_on_unused(unused, asked.table)
    if isinstance(error, ConnectionRefusedError | FileNotFoundError):
        help = advice_on_host(asked.server.host, is_known=True)
        help = help or "start that server, or name the address where it listens in the upstream"
        return "nothing listens there", advice or help
    if isinstance(error, socket.gaierror):
        help = advice_on_host(asked.server.host, is_known=False) or "check the name in the upstream"
        return f"its name is not found ({error.strerror or error})", advice or help
    if isinstance(error, TimeoutError):
        help = "check the address in the upstream; a firewall may drop what is sent there, or the machine is off"
        return f"no connection within {TIMEOUT_S:g} s", advice or help
    return error.strerror or str(error), advice or "check the address in the upstream"


def _silence(error: OSError, server: ServerAddress) -> tuple[str, str]:
    """Return what `server` did instead of answering a request that it took, and what to do."""
    if isinstance(error, _UnfinishedError):
        return f"it began to answer, and the head of the answer did not end within {TIMEOUT_S:g} s", _LOOK
    if isinstance(error, TimeoutError):
        help = "look at its own log: it may be busy, held by a debugger, or serving one connection at a time"
        return f"it took the request and said nothing for {TIMEOUT_S:g} s", help
    how = "reset" if error.errno else "closed"
    scheme = "https" if server.scheme is Scheme.HTTP else "http"
    help = f"look at its own log: it may have crashed, or speak something else there, {scheme} for example"
    return f"it took the request, and {how} the connection without an answer", help


def _connected(asked: Asked) -> socket.socket:
    server = asked.server
    if server.scheme is Scheme.UNIX:
        return connect(server.path, TIMEOUT_S)
    sock = _way_to(asked)
    if server.scheme is not Scheme.HTTPS:
        return sock
    from devproxy.gateway.back.tls import UpstreamTls  # imports ssl: 20 ms, and most servers speak plain HTTP

    context = UpstreamTls(asked.upstream, asked.folder, lambda _: None).context()
    return context.wrap_socket(sock, server_hostname=server.host.removesuffix("."))


def _way_to(asked: Asked) -> socket.socket:
    """Return a connection to the server, by the proxy of its upstream if that has one."""
    server, proxy = asked.server, asked.upstream.proxy
    if proxy is None:
        return _connected_to(server)
    try:
        sock = socket.create_connection((proxy.host, proxy.port), timeout=TIMEOUT_S)
    except OSError as error:
        cause = ProxyCause.UNRESOLVED if isinstance(error, socket.gaierror) else ProxyCause.UNREACHABLE
        raise _NoTunnelError(ProxyFailure(cause, proxy.url, error.strerror or str(error))) from None
    try:
        sock.sendall(connect_request(authority(server.host, server.port), proxy.credentials))
        _await_tunnel(sock, proxy.url)
    except BaseException:
        sock.close()
        raise
    return sock


def _await_tunnel(sock: socket.socket, proxy: str) -> None:
    reading, until = ConnectAnswer(), monotonic() + TIMEOUT_S
    answered = None
    while answered is None:
        try:
            data = _received(sock, 1, until)  # what follows the answer is for another reader
        except TimeoutError:
            reason = f"it gave no whole answer within {TIMEOUT_S:g} s"
            raise _NoTunnelError(ProxyFailure(ProxyCause.SILENT, proxy, reason)) from None
        if not data:
            raise _NoTunnelError(ProxyFailure(ProxyCause.CLOSED, proxy, "it closed the connection without an answer"))
        try:
            answered = reading.feed(data)
        except BadMessage as error:
            raise _NoTunnelError(no_answer(error, proxy)) from None
    if not answered.is_open:
        raise _NoTunnelError(refusal(answered, proxy))


class _NoTunnelError(Exception):
    """A proxy gave no connection."""

    def __init__(self, failure: ProxyFailure) -> None:
        super().__init__(failure.reason)
        self.failure = failure


def _connected_to(server: ServerAddress) -> socket.socket:
    """Connect to where the gateway would: of the addresses of this machine, the first that answers."""
    *others, last = LOOPBACK_ADDRESSES if is_this_machine(server.host) else (server.host,)
    for host in others:
        with suppress(OSError):
            return socket.create_connection((host, server.port), timeout=TIMEOUT_S)
    return socket.create_connection((last, server.port), timeout=TIMEOUT_S)


class _UnfinishedError(TimeoutError):
    """A server has begun to answer, and not come to the end of the final head in time."""


def _received(sock: socket.socket, size: int, until: float) -> bytes:
    """Return what comes next, at most `size` bytes. Raises OSError; TimeoutError, if nothing has come `until` then."""
    left_s = until - monotonic()
    if left_s <= 0:
        raise TimeoutError
    sock.settimeout(left_s)
    return sock.recv(size)


def _final_head(sock: socket.socket, limits: Limits, method: bytes) -> tuple[ResponseHead, bytes]:
    reader, data, until, has_begun = HeadReader(MessageKind.RESPONSE, limits), b"", monotonic() + TIMEOUT_S, False
    while True:
        if not data:
            try:
                data = _received(sock, 65536, until)
            except TimeoutError:
                raise _UnfinishedError if has_begun else TimeoutError from None
            has_begun = True
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
                return head, _beginning(sock, head, data)


def _beginning(sock: socket.socket, head: ResponseHead, seen: bytes) -> bytes:
    """Return how the body goes on after `seen`, as far as that comes within a second."""
    until, length = monotonic() + BODY_WAIT_S, head.facts.body_length
    with suppress(OSError):
        while len(seen) < MAX_BODY_BYTES and not _is_whole(length, seen) and (left_s := until - monotonic()) > 0:
            sock.settimeout(left_s)
            piece = sock.recv(65536)
            if not piece:
                break
            seen += piece
    return seen


def _is_whole(length: int, seen: bytes) -> bool:
    return seen.endswith(b"0\r\n\r\n") if length == CHUNKED else 0 <= length <= len(seen)
