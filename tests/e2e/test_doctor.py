"""``devproxy doctor`` on real servers with one mistake each, and on good ones: exactly the cause, and no false alarm.

The Node servers are in ``node/servers/doctor.mjs``, the Python ones in ``python/doctor_servers.py``; all are started
once, and examined side by side before the first test.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import pytest
from devproxy.doctor.diagnosis import diagnose
from devproxy.doctor.problems import Diagnosis
from devproxy.doctor.run import run_doctor
from devproxy.doctor.target import parse_target
from tests.e2e.harness import node_server, python_server
from tests.support.certificates import certificate_files
from tests.support.gateway_process import GatewayProcess, one_origin
from tests.support.processes import Program, free_port, parsed, wait_for

ROOT: Final = Path(__file__).resolve().parent.parent.parent
PAGE: Final = "http://localhost:3000"
LIMIT_S: Final = 4.0
AT_ONCE: Final = 8
"""Servers that are examined at the same time."""


class Case(NamedTuple):
    """How a server is asked, and the codes of what is wrong with it: errors and warnings."""

    errors: str = ""
    warnings: str = ""
    url: str = ""
    path: str | None = None
    credentials: bool = False
    eio: int = 4
    host: str = "127.0.0.1"  # localhost has a second address, on which another program may have the same port
    page: str = PAGE

    @property
    def limit_s(self) -> float:
        """How long it may take: quiet connections are held for all of it where nothing is wrong."""
        return 10.0 if self.errors else LIMIT_S


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
    "lax": Case("cookie-dropped", url=ITEMS, credentials=True),
    # something else
    "plainWebSocket": Case("not-socketio"),
    "expressAlone": Case("not-socketio"),
    "garbage": Case("not-socketio"),
    "silent": Case("unreachable"),
    "endlessHead": Case("not-socketio"),
    "endlessBody": Case("not-socketio"),
    "redirectLoop": Case("not-socketio"),
    "ipv6": Case("address-family"),
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


PYTHON: Final = {
    "pythonDefault": Case("origin-checked"),
    "pythonList": Case("origin-checked"),
    "pythonEveryone": Case("", "cors-open"),
    "pythonRefuses": Case("namespace-refused"),
    "pythonUnauthorised": Case("auth-required"),
    "pythonWebSocketAlone": Case("polling-disabled"),
    "fastapi": Case("cors-missing", url=ITEMS),
    "fastapiList": Case("cors-origin-not-allowed", url=ITEMS),
    "fastapiTwice": Case("cors-duplicate"),
    "fastapiMounted": Case("path-wrong"),
    "flaskList": Case("origin-checked"),
    "flaskCors": Case("origin-checked"),
    "flaskAlone": Case("single-connection"),
    "oneAtATime": Case("single-connection", url=ITEMS),
    "tls": Case("scheme-mismatch"),
}
"""What each server of ``doctor_servers.py`` has."""
GOOD_PYTHON: Final = {
    "pythonGood": Case(),
    "fastapiGood": Case(url=ITEMS),
    "fastapiMounted": Case(path="/ws/socket.io"),
    "flaskGood": Case(),
}
NGINX: Final = {
    "wrong": Case("cors-duplicate"),
    "plain": Case("upgrade-stripped"),
    "hasty": Case("timeout-short", OPEN),
    "shared": Case("not-sticky", OPEN),
    "password": Case("auth-required"),
    "down": Case("unreachable"),
    "tls": Case("scheme-mismatch"),
}
GOOD_NGINX: Final = {"right": Case("", OPEN)}
NGINX_FILE: Final = """\
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log crit;
events {{ worker_connections 256; }}
http {{
  access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  upstream one {{ server 127.0.0.1:{good}; }}
  upstream two {{ server 127.0.0.1:{good}; server 127.0.0.1:{other}; }}
  map $server_port $upgrade {{ default $http_upgrade; }}
  proxy_http_version 1.1; proxy_set_header Host $host; proxy_set_header Upgrade $upgrade;
  proxy_set_header Connection "upgrade";
  server {{ listen 127.0.0.1:{right}; location / {{ proxy_pass http://one; proxy_buffering off; }} }}
  server {{ listen 127.0.0.1:{wrong};
    add_header 'Access-Control-Allow-Origin' '*';
    location / {{ proxy_pass http://one; }} }}
  server {{ listen 127.0.0.1:{plain}; location / {{ proxy_set_header Host $host; proxy_pass http://one; }} }}
  server {{ listen 127.0.0.1:{hasty}; location / {{ proxy_pass http://one; proxy_read_timeout 1s; }} }}
  server {{ listen 127.0.0.1:{shared}; location / {{ proxy_pass http://two; }} }}
  server {{ listen 127.0.0.1:{password};
    auth_basic "here"; auth_basic_user_file {folder}/none; location / {{ proxy_pass http://one; }} }}
  server {{ listen 127.0.0.1:{down}; location / {{ proxy_pass http://127.0.0.1:1; }} }}
  server {{ listen 127.0.0.1:{tls} ssl; ssl_certificate {pair}; ssl_certificate_key {pair};
    location / {{ proxy_pass http://one; }} }}
}}
"""
"""``wrong`` is the article's WRONG block, ``plain`` what nginx does without the lines for upgrades."""


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
def python_ports() -> Iterator[dict[str, int]]:
    settings: dict[str, object] = {"page": PAGE, "certificate": certificate_files().cert}
    with python_server(Path(__file__).parent / "python" / "doctor_servers.py", settings) as server:
        yield server.json_line(lambda line: "ports" in line, "its ports")["ports"]


@pytest.fixture(scope="module")
def nginx_ports(node_ports: dict[str, int], tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, int]]:
    folder = tmp_path_factory.mktemp("nginx")
    ports = {name: free_port() for name in (*NGINX, *GOOD_NGINX)}
    told = {"good": node_ports["good"], "other": node_ports["other"]}
    text = NGINX_FILE.format(folder=folder, pair=certificate_files().cert, **told, **ports)
    (folder / "nginx.conf").write_text(text)
    with Program(["nginx", "-p", folder, "-c", folder / "nginx.conf"], name="nginx") as program:
        wait_for(lambda: is_listening(ports["right"]) or program.exit_code is not None, "nginx")
        yield ports


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wrong(cases: dict[str, Case], ports: dict[str, int]) -> dict[str, str]:
    """Examine all servers, side by side; return what is said of each that should not be, or is missing."""
    found = {}
    for name, (diagnosis, took_s) in examined(cases, ports).items():
        case = cases[name]
        got, wanted = (codes(diagnosis, errors=True), codes(diagnosis, errors=False)), (case.errors, case.warnings)
        if got != wanted:
            found[name] = f"expected {wanted}, got {got}: {[check.why for check in diagnosis.checks]}"
        elif took_s > case.limit_s + 1.5:
            found[name] = f"took {took_s:.1f} s of {case.limit_s:.1f} s"
    return found


# One test for many servers: they are examined side by side, and started once whichever process runs the tests.


def test_servers_with_one_mistake_are_told_exactly_that(node_ports: dict[str, int]) -> None:
    assert len(NODE) >= 50
    assert wrong(NODE, node_ports) == {}


def test_good_servers_get_no_alarm(node_ports: dict[str, int]) -> None:
    assert wrong(GOOD_NODE, node_ports) == {}


def test_python_servers_are_told_exactly_their_mistake_and_good_ones_none(python_ports: dict[str, int]) -> None:
    assert wrong(PYTHON, python_ports) == {}
    assert wrong(GOOD_PYTHON, python_ports) == {}


def test_what_nginx_does_to_a_good_server_is_told(nginx_ports: dict[str, int]) -> None:
    assert wrong(NGINX | GOOD_NGINX, nginx_ports) == {}


def doctor(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command itself."""
    command = [sys.executable, "-m", "devproxy", "doctor", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def through(*ways: tuple[str, str]) -> list[Diagnosis]:
    """Examine each server, and the same by way of another, all side by side."""

    async def one(direct: str, other: str) -> Diagnosis:
        target, by_way_of = parse_target(direct), parse_target(other)
        return diagnose(await run_doctor(target, page=PAGE.encode(), through=by_way_of, limit_s=LIMIT_S))

    async def everything() -> list[Diagnosis]:
        return await asyncio.gather(*(one(*way) for way in ways))

    return asyncio.run(everything())


def where(diagnosis: Diagnosis) -> list[tuple[str, str]]:
    return [(str(problem.code), problem.where) for problem in diagnosis.problems]


def test_several_processes_behind_one_port_are_told_from_several_servers(
    node_packages: None, nginx_ports: dict[str, int]
) -> None:
    with node_server("cluster", {"major": 4, "options": {"cors": {"origin": PAGE}}, "workers": 2}) as server:
        cluster = examined({"cluster": Case()}, {"cluster": server.port})["cluster"][0]
    shared = examined({"shared": Case()}, nginx_ports)["shared"][0]
    assert "several processes share the port" in cluster.problems[0].what
    assert "several servers share the requests" in shared.problems[0].what
    assert (cluster.problems[0].code, shared.problems[0].code) == ("not-sticky", "not-sticky")


def test_what_a_proxy_adds_or_takes_is_blamed_on_the_proxy(
    node_ports: dict[str, int], nginx_ports: dict[str, int]
) -> None:
    good = f"http://127.0.0.1:{node_ports['good']}"
    cases = {"wrong": "cors-duplicate", "plain": "upgrade-stripped", "right": ""}
    diagnoses = through(*((good, f"http://127.0.0.1:{nginx_ports[name]}") for name in cases))
    for code, diagnosis in zip(cases.values(), diagnoses, strict=True):
        assert where(diagnosis) == [*([(code, "through")] if code else []), ("websocket-open", "direct")]


def test_events_that_only_the_proxy_holds_back_are_found(node_ports: dict[str, int]) -> None:
    direct = f"http://127.0.0.1:{node_ports['events']}/events"
    [diagnosis] = through((direct, f"http://127.0.0.1:{node_ports['hoarded']}"))
    assert where(diagnosis) == [("buffered", "through")]


def test_devproxy_settles_what_the_server_has(node_ports: dict[str, int]) -> None:
    cases = {"noCors": "cors-missing", "duplicate": "cors-duplicate", "wildcard": ""}
    gateways = [GatewayProcess(*one_origin(frontend="1", backend=str(node_ports[name]))) for name in cases]
    try:
        diagnoses = through(
            *(
                (f"http://127.0.0.1:{node_ports[name]}", gateway.url)
                for name, gateway in zip(cases, gateways, strict=True)
            )
        )
    finally:
        for gateway in gateways:
            gateway.stop()
    for code, diagnosis in zip(cases.values(), diagnoses, strict=True):
        assert where(diagnosis) == ([(code, "direct")] if code else [])
        names = {check.name: check.result for check in diagnosis.checks if check.where == "through"}
        assert {names["CORS"], names["WebSocket"], names["sessions"], names["namespace"]} == {"ok"}


def test_a_certificate_that_is_not_trusted_is_named_and_the_rest_examined(python_ports: dict[str, int]) -> None:
    done = doctor(f"https://localhost:{python_ports['tls']}", "--json", "--timeout", "2")
    said = json.loads(done.stdout)
    assert done.returncode == 1
    assert [(problem["code"], problem["severity"]) for problem in said["problems"]] == [
        ("certificate-untrusted", "error")
    ]
    assert said["problems"][0]["browser"].endswith("net::ERR_CERT_AUTHORITY_INVALID")
    assert {check["name"]: check["result"] for check in said["checked"]}["sessions"] == "ok"


def test_a_server_of_plain_http_asked_in_tls_is_told_from_one_that_is_not_there(python_ports: dict[str, int]) -> None:
    cases = {"plain": Case("scheme-mismatch"), "absent": Case("unreachable")}
    ports = {"plain": python_ports["pythonGood"], "absent": free_port()}
    for name, case in cases.items():
        seen = run_doctor(parse_target(f"https://localhost:{ports[name]}"), page=PAGE.encode(), limit_s=LIMIT_S)
        assert codes(diagnose(asyncio.run(seen)), errors=True) == case.errors


def test_every_session_is_closed_and_one_joins(node_packages: None) -> None:
    options = {"cors": {"origin": PAGE}}
    with node_server("counting", {"options": options}) as server:
        examined({"counting": Case()}, {"counting": server.port})
        assert server.json_line(lambda said: said.get("event") == "left", "that all left")["clients"] == 0
        said = [line for line in map(parsed, server.out) if line]
    assert sum(line.get("event") == "connection" for line in said) == 1
    assert {line["method"] for line in said if line.get("event") == "request"} <= {"GET", "POST", "OPTIONS"}
    assert not [line for line in said if line.get("event") == "message"]


def test_the_command_prints_the_cause_what_a_browser_says_and_what_to_write(node_ports: dict[str, int]) -> None:
    done = doctor(f"http://localhost:{node_ports['noCors']}", "--timeout", "3")
    assert done.returncode == 1
    assert "error: cors-missing: no answer has Access-Control-Allow-Origin" in done.stdout
    assert "No 'Access-Control-Allow-Origin' header is present on the requested resource." in done.stdout
    assert f'new Server(httpServer, {{ cors: {{ origin: ["{PAGE}"] }} }});' in done.stdout
    assert f"devproxy up --frontend 3000 --backend {node_ports['noCors']}" in done.stdout
    assert done.stderr == ""


def test_the_tour_shows_what_is_printed(node_ports: dict[str, int]) -> None:
    text = (ROOT / "docs" / "tour.md").read_text(encoding="utf-8")
    shown = text.partition("$ devproxy doctor http://localhost:3001\n")[2].partition("\n```")[0]
    port = str(node_ports["expressCors"])
    done = doctor(f"http://localhost:{port}", "--timeout", "5")

    def plain(output: str) -> list[str]:
        return [re.sub(r"\d+ ms", "SPAN", line) for line in output.strip().replace(port, "3001").splitlines()]

    assert plain(done.stdout) == plain(shown)


def test_without_a_url_it_looks_around(node_ports: dict[str, int], tmp_path: Path) -> None:
    (tmp_path / "devproxy.toml").write_text(
        f"""[server]
allowed_hosts = ["nowhere.invalid"]
[upstreams]
backend = "http://localhost:{node_ports["good"]}"
gone = "http://localhost:{free_port()}"
[[routes]]
path = "/"
upstream = "backend"
"""
    )
    command = [sys.executable, "-m", "devproxy", "doctor", "--json"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1, done.stderr
    checked = {check["name"]: check for check in reversed(json.loads(done.stdout)["checked"])}
    assert checked["configuration"]["result"] == "ok"
    assert checked["upstream backend"]["result"] == "warning"
    assert "answered by node (pid " in checked["upstream backend"]["why"]
    assert f"{ROOT}" in checked["upstream backend"]["why"]
    assert (checked["upstream gone"]["result"], checked["name nowhere.invalid"]["result"]) == ("problem", "warning")


def test_a_running_devproxy_is_compared_with_the_file(node_ports: dict[str, int], tmp_path: Path) -> None:
    file = tmp_path / "devproxy.toml"
    text = f'[upstreams]\na = "http://localhost:{node_ports["good"]}"\n[[routes]]\npath = "/"\nupstream = "a"\n'
    file.write_text(text)
    gateway = GatewayProcess("--config", file)

    def running() -> str:
        done = doctor("--json", "--config", str(file))
        checked = {check["name"]: check for check in json.loads(done.stdout)["checked"]}
        return str(checked["running devproxy"]["why"])

    try:
        assert running().endswith("has this configuration")
        file.write_text(f"{text}[routes")  # which is not taken
        assert running().endswith("has an older text of this configuration")
    finally:
        gateway.stop()


def test_warnings_alone_end_with_0(node_ports: dict[str, int]) -> None:
    done = doctor(f"http://127.0.0.1:{node_ports['reflected']}", "--json", "--timeout", "2")
    assert done.returncode == 0
    said = json.loads(done.stdout)
    assert [(each["code"], each["severity"]) for each in said["problems"]] == [("cors-open", "warning")]
    assert set(said) == {"url", "origin", "server", "problems", "checked"}
    assert set(said["problems"][0]) == {"code", "severity", "where", "what", "browser", "why", "fix", "evidence"}
    assert {check["result"] for check in said["checked"]} <= {"ok", "problem", "not checked"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["ftp://localhost"], "ftp:// cannot be examined"),
        (["http://user:secret@localhost"], "the URL has a user name"),
        (["http://localhost:99999"], "is not a URL"),
        (["http://"], "names no host"),
        (["3001", "--origin", "localhost"], "is not the origin of a page"),
        (["3001", "--timeout", "soon"], "is not a number of seconds"),
        (["3001", "--eio", "5"], "--eio: invalid choice"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_examined_is_refused_with_2(arguments: list[str], words: str) -> None:
    done = doctor(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert "help: " in done.stderr
    assert "secret" not in done.stderr
