"""``devproxy doctor`` on real servers with one mistake each, and on good ones: exactly the cause, and no false alarm.

The Node servers are in ``node/servers/doctor.mjs``, the Python ones in ``python/doctor_servers.py``; all are started
once, and examined side by side before the first test.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Final, NamedTuple

import pytest
from devproxy.doctor.diagnosis import diagnose
from devproxy.doctor.problems import Diagnosis
from devproxy.doctor.run import run_doctor
from devproxy.doctor.target import parse_target
from tests.e2e.harness import node_server

PAGE: Final = "http://localhost:3000"
LIMIT_S: Final = 4.0
AT_ONCE: Final = 5
"""Servers that are examined at the same time."""


class Case(NamedTuple):
    """How a server is asked, and the codes of what is wrong with it: errors and warnings."""

    errors: str = ""
    warnings: str = ""
    url: str = ""
    path: str | None = None
    credentials: bool = False
    eio: int = 4
    host: str = "localhost"
    page: str = PAGE
    limit_s: float = LIMIT_S


OPEN: Final = "websocket-open"
"""What is said beside other problems wherever polling has a list and the WebSocket has none."""
ITEMS: Final = "/api/items"

NODE: Final = {
    # Socket.IO and CORS
    "noCors": Case("cors-missing"),
    "expressCors": Case("cors-missing"),
    "wildcard": Case("cors-wildcard-credentials", credentials=True),
    "noCredentials": Case("cors-credentials-missing", OPEN, credentials=True),
    "list": Case("cors-origin-not-allowed", OPEN),
    "expression": Case("cors-origin-not-allowed", OPEN),
    "fixed": Case("cors-origin-not-allowed", OPEN),
    "callback": Case("cors-origin-not-allowed"),
    "slash": Case("cors-origin-malformed", OPEN),
    "path": Case("cors-origin-malformed", OPEN),
    "upperCase": Case("cors-origin-malformed", OPEN),
    "several": Case("cors-origin-malformed", OPEN),
    "duplicate": Case("cors-duplicate"),
    "reflected": Case("", "cors-open"),
    # refusals
    "allowRequest": Case("origin-checked"),
    "allowRequestToken": Case("auth-required"),
    "verifyClient": Case("origin-checked"),
    "engineGuard": Case("auth-required"),
    "loginRedirect": Case("auth-required"),
    "middleware": Case("auth-required", OPEN),
    "fullHouse": Case("namespace-refused", OPEN),
    "namespaces": Case("namespace-refused", OPEN, url="/nope"),
    # versions and paths
    "version2": Case("eio-version", "cors-open"),
    "good": Case("eio-version", eio=3),
    "ws": Case("path-wrong"),
    "apiSocket": Case("path-wrong"),
    "prefixed": Case("path-wrong"),
    "noSlash": Case("path-redirect", path="/api/socket/"),
    "websocketOnly": Case("polling-disabled", OPEN),
    # what is in between
    "stripped": Case("upgrade-stripped"),
    "refused404": Case("upgrade-refused"),
    "refused426": Case("upgrade-refused"),
    "closed": Case("upgrade-refused"),
    "unsticky": Case("not-sticky", OPEN),
    "corsStripped": Case("cors-origin-not-allowed", OPEN),
    "late": Case("buffered", OPEN),
    "impatient": Case("timeout-short", OPEN),
    "down": Case("unreachable"),
    "toHttps": Case("scheme-mismatch"),
    # preflights
    "routedPreflight": Case("preflight-wrong-layer", url=ITEMS),
    "guardFirst": Case("preflight-wrong-layer", url=ITEMS),
    "redirectedPreflight": Case("preflight-wrong-layer", url=ITEMS),
    "socketPreflight": Case("preflight-wrong-layer", OPEN),
    "failedPreflight": Case("preflight-refused", url=ITEMS),
    "narrowPreflight": Case("preflight-refused", url=ITEMS),
    # REST, streams, cookies
    "rest": Case("cors-missing", url=ITEMS),
    "restWildcard": Case("cors-wildcard-credentials", url=ITEMS, credentials=True),
    "restList": Case("cors-origin-not-allowed", url=ITEMS),
    "packedEvents": Case("buffered", url="/events"),
    "noneWithoutSecure": Case("cookie-dropped", url=ITEMS, credentials=True),
    "foreignDomain": Case("cookie-dropped", url=ITEMS, credentials=True),
    "lax": Case("cookie-dropped", url=ITEMS, credentials=True, host="127.0.0.1"),
    # something else
    "plainWebSocket": Case("not-socketio"),
    "expressAlone": Case("not-socketio"),
    "garbage": Case("not-socketio"),
    "silent": Case("unreachable"),
    "endlessHead": Case("not-socketio"),
    "endlessBody": Case("not-socketio"),
    "redirectLoop": Case("not-socketio"),
    "ipv6": Case("address-family", host="127.0.0.1"),
}
"""What each server of ``doctor.mjs`` has."""
GOOD_NODE: Final = {
    "good": Case("", OPEN),
    "guardedSocket": Case(),
    "open": Case(),
    "version3": Case("", OPEN),
    "version2Named": Case(eio=3),
    "allowEIO3": Case("", OPEN, eio=3),
    "namespaces": Case("", OPEN, url="/admin"),
    "ws": Case("", OPEN, path="/ws"),
    "pollingOnly": Case(),
    "sticky": Case("", OPEN),
    "restGood": Case(url=ITEMS),
    "restReadOnly": Case(url=ITEMS),
    "restWildcard": Case(url=ITEMS),
    "events": Case(url="/events"),
}
"""The same servers, asked in a way in which nothing is wrong."""


def examined(cases: dict[str, Case], ports: dict[str, int]) -> dict[str, tuple[Diagnosis, float]]:
    """Examine every server, some at a time; return the diagnosis of each and how long it took."""

    async def one(name: str, case: Case, turns: asyncio.Semaphore) -> tuple[Diagnosis, float]:
        url = f"http://{case.host}:{ports[name]}{case.url}"
        target = parse_target(url, path=case.path, eio=case.eio)
        async with turns:
            start = time.monotonic()
            seen = await run_doctor(
                target, page=case.page.encode(), includes_credentials=case.credentials, limit_s=case.limit_s
            )
            return diagnose(seen), time.monotonic() - start

    async def everything() -> list[tuple[Diagnosis, float]]:
        turns = asyncio.Semaphore(AT_ONCE)
        return await asyncio.gather(*(one(name, case, turns) for name, case in cases.items()))

    return dict(zip(cases, asyncio.run(everything()), strict=True))


def codes(diagnosis: Diagnosis, *, errors: bool) -> str:
    return " ".join(str(problem.code) for problem in diagnosis.problems if problem.is_error is errors)


@pytest.fixture(scope="module")
def node_ports(node_packages: None) -> Iterator[dict[str, int]]:
    with node_server("doctor", {"page": PAGE}) as server:
        yield server.json_line(lambda line: "ports" in line, "its ports")["ports"]


@pytest.fixture(scope="module")
def node_results(node_ports: dict[str, int]) -> dict[str, tuple[Diagnosis, float]]:
    return examined(NODE, node_ports)


@pytest.fixture(scope="module")
def good_node_results(node_ports: dict[str, int]) -> dict[str, tuple[Diagnosis, float]]:
    return examined(GOOD_NODE, node_ports)


@pytest.mark.parametrize("name", NODE)
def test_a_server_with_one_mistake_is_told_exactly_that(
    name: str, node_results: dict[str, tuple[Diagnosis, float]]
) -> None:
    diagnosis, took_s = node_results[name]
    assert (codes(diagnosis, errors=True), codes(diagnosis, errors=False)) == (NODE[name].errors, NODE[name].warnings)
    assert took_s < LIMIT_S + 1.5


@pytest.mark.parametrize("name", GOOD_NODE)
def test_a_good_server_gets_no_alarm(name: str, good_node_results: dict[str, tuple[Diagnosis, float]]) -> None:
    diagnosis, took_s = good_node_results[name]
    assert (codes(diagnosis, errors=True), codes(diagnosis, errors=False)) == ("", GOOD_NODE[name].warnings)
    assert took_s < LIMIT_S + 1.5
