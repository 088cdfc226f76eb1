"""What tests of CORS speak about: some origins, the modes, and policies that are one call away."""

from __future__ import annotations

from collections.abc import Sequence

from devproxy.config.model import Cors, CorsMode
from devproxy.http.fields import read_field
from devproxy.http.messages import RequestHead
from devproxy.http1.head import parse_request_head
from devproxy.http1.start_line import Limits
from devproxy.policy.cors import CorsDecision, CorsPolicy, compile_cors, decide
from devproxy.policy.cors_fields import apply_cors
from devproxy.policy.preflight import Preflight, PreflightVerdict, judge_preflight, read_preflight

PAGE = b"http://localhost:3000"
APP = b"https://app.test"
EVIL = b"https://evil.test"
REWRITE = Cors(mode=CorsMode.REWRITE)
FIX = Cors(mode=CorsMode.FIX)
STRIP = Cors(mode=CorsMode.STRIP)
PASSTHROUGH = Cors(mode=CorsMode.PASSTHROUGH)

ACAO = b"Access-Control-Allow-Origin: "
ACAC = b"Access-Control-Allow-Credentials: true"
VARY = b"Vary: Origin"
OWN_ORIGIN_ONLY = b"Cross-Origin-Resource-Policy: same-origin"
ALL_VARY = b"Vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers"


def policy(cors: Cors) -> CorsPolicy:
    return compile_cors(cors, "devproxy.toml")


def judged(cors: Cors, *origins: bytes) -> CorsDecision:
    return decide(policy(cors), origins)


def finished(
    cors: Cors, origin: bytes | None, *lines: bytes, status: int = 200, preflight: Preflight | None = None
) -> list[bytes]:
    """Return the lines of a response of `lines` to a page of `origin`, and check that finishing again does nothing."""
    decision = judged(cors, *(() if origin is None else (origin,)))
    once = apply_cors(decision, [read_field(line) for line in lines], status=status, preflight=preflight)
    again = apply_cors(decision, [read_field(line) for line in once], status=status, preflight=preflight)
    assert again == once
    return once


def options(*lines: bytes, method: bytes = b"OPTIONS") -> RequestHead:
    return parse_request_head(b"\r\n".join((method + b" /api HTTP/1.1", b"Host: localhost:8080", *lines)), Limits())


def asked(*lines: bytes, origin: bytes = PAGE, method: bytes = b"PUT", headers: Sequence[bytes] = ()) -> Preflight:
    names = [b"Access-Control-Request-Headers: " + b",".join(headers)] if headers else []
    asking = b"Access-Control-Request-Method: " + method
    found = read_preflight(options(b"Origin: " + origin, asking, *names, *lines))
    assert found is not None
    return found


def answered(cors: Cors, preflight: Preflight) -> PreflightVerdict:
    return judge_preflight(policy(cors), preflight)
