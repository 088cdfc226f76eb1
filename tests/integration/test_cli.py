"""`devproxy` as its user meets it: what is printed where, exit codes, signals, and what a terminal can do to it."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from devproxy import __version__, config
from tests.support.gateway_process import ENVIRONMENT, GatewayProcess
from tests.support.processes import PATIENCE_S, Program, wait_for

ROOT = Path(__file__).resolve().parent.parent.parent
HEAVY = {"aiohttp", "ssl", "uvloop", "asyncio", "watchfiles", "socketio", "importlib.metadata"}
QUIET_ENVIRONMENT = {"NO_COLOR": "", "FORCE_COLOR": "", "CLICOLOR_FORCE": "", "DEVPROXY_CONFIG": "", "COLUMNS": "80"}

TWO_ROUTES = """\
[upstreams]
page = "http://localhost:5173"
api = "http://localhost:3001"

[[routes]]
path = "/api/"
upstream = "api"
rewrite = "/v1/"

[[routes]]
path = "/"
upstream = "page"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a configuration that has two routes."""
    (tmp_path / "devproxy.toml").write_text(TWO_ROUTES)
    return tmp_path


def devproxy(
    *arguments: str | Path, cwd: Path | None = None, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command that ends by itself."""
    return subprocess.run(
        [sys.executable, "-m", "devproxy", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, **ENVIRONMENT, **QUIET_ENVIRONMENT, **(environment or {})},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=PATIENCE_S,
        check=False,
    )


def started(*arguments: str | Path, cwd: Path | None = None, environment: Mapping[str, str] | None = None) -> Program:
    """Start `devproxy up` on a port of the system's choice."""
    command = [sys.executable, "-m", "devproxy", "up", "--listen", "localhost:0", *arguments]
    return Program(
        command, name="devproxy up", cwd=cwd, environment={**ENVIRONMENT, **QUIET_ENVIRONMENT, **(environment or {})}
    )


def port_of(program: Program) -> int:
    """Wait for the banner and return the port in it."""

    def port() -> int:
        line = next((line for line in program.err if "http://localhost:" in line), "")
        return int(line.rpartition(":")[2].rstrip("/ ")) if line else 0

    return wait_for(port, "the banner")


def fetched(port: int, path: str = "/__devproxy/health") -> bytes:
    """Return the whole answer to a GET."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as sock:
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while data := sock.recv(65536):
            answer += data
    return answer


@contextmanager
def silent_server() -> Iterator[tuple[int, list[socket.socket]]]:
    """Listen, take connections, never answer. Yields the port and the connections so far."""
    taken: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            with suppress(OSError):
                while True:
                    taken.append(listener.accept()[0])

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield listener.getsockname()[1], taken
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            for sock in taken:
                sock.close()


@contextmanager
def waiting_client(port: int, taken: list[socket.socket]) -> Iterator[socket.socket]:
    """Send a request through devproxy on `port` to a server that does not answer, and wait until it has arrived."""
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        wait_for(lambda: any(_has_data(sock) for sock in taken), "the request to arrive")
        yield client


def _has_data(sock: socket.socket) -> bool:
    try:
        return bool(sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
    except BlockingIOError:
        return False


# -- what is imported --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["up", "--help"], ["check"], ["health"]])
def test_a_command_that_serves_nothing_imports_nothing_heavy(arguments: list[str], folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "devproxy", *arguments],
        cwd=folder,
        env={**os.environ, **ENVIRONMENT},
        capture_output=True,
        text=True,
        check=False,
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert "devproxy.cli" in imported
    assert not imported & HEAVY


def test_the_addresses_are_bound_before_anything_slow_is_imported() -> None:
    code = "import sys, devproxy.cli.starting; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "devproxy.gateway.front.bind" in done.stdout.split()
    assert not {*done.stdout.split()} & (HEAVY | {"devproxy.gateway.app", "devproxy.plan"})


# -- refusals ----------------------------------------------------------------------------------------------------------


def test_the_version_is_printed_to_standard_output() -> None:
    done = devproxy("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"devproxy {__version__}\n", "")


def test_the_help_has_examples_and_exit_codes() -> None:
    done = devproxy("--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "devproxy up --frontend 5173 --backend 3001" in done.stdout
    assert "\n  130  " in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_without_a_configuration_the_user_is_told_what_to_type(tmp_path: Path) -> None:
    done = devproxy("up", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: there is no devproxy.toml in this directory or above it\n")
    assert "devproxy up --frontend 5173 --backend 3001" in done.stderr
    assert "name your servers:  add --frontend 5173 --backend 3001" in devproxy("routes", cwd=tmp_path).stderr


def test_every_problem_of_a_configuration_is_shown_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "devproxy.toml").write_text('[server]\nlisten = 99999\n[upstreams]\nweb = "localhost"\n')
    done = devproxy("up", cwd=tmp_path)
    assert done.returncode == 2
    assert "--> devproxy.toml:2:10\n" in done.stderr
    assert "--> devproxy.toml:4:7\n" in done.stderr
    assert "\x1b" not in done.stderr


def test_a_taken_port_is_said_with_its_holder_and_the_line_as_it_was_typed(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        done = devproxy("up", "5173", "--listen", f"127.0.0.1:{port}", "--quiet", cwd=folder)
    assert (done.returncode, done.stdout) == (1, "")
    first, *ways = done.stderr.splitlines()
    assert first.startswith(f"error: port {port} on 127.0.0.1 is taken by ")
    assert first.endswith(f"(pid {os.getpid()})")
    assert "help: or let devproxy find one each time:  devproxy up 5173 --quiet --listen auto" in ways
    free = re.fullmatch(
        r"help: listen on the next free port:  devproxy up 5173 --quiet --listen 127\.0\.0\.1:(\d+)", ways[0]
    )
    assert free
    assert int(free[1]) > port


def test_with_port_auto_the_next_free_port_is_taken_and_kept_after_a_reload(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        (folder / "devproxy.toml").write_text(f'[server]\nlisten = "localhost:{port}"\n{TWO_ROUTES}')
        command = [sys.executable, "-m", "devproxy", "up", "--port", "auto"]
        with Program(
            command, name="devproxy up", cwd=folder, environment={**ENVIRONMENT, **QUIET_ENVIRONMENT}
        ) as program:
            chosen = port_of(program)
            assert port < chosen <= port + 100
            text = (folder / "devproxy.toml").read_text()
            (folder / "devproxy.toml").write_text(text.replace("/v1/", "/v2/"))
            wait_for(lambda: any("/v2/" in line for line in program.err), "the reload")
            assert fetched(chosen).startswith(b"HTTP/1.1 200 ")
            assert program.stop() == 0


def test_an_internal_error_is_one_line_a_traceback_and_where_to_report(folder: Path) -> None:
    code = (
        "from devproxy.gateway.app import Gateway\n"
        "async def start(self): raise RuntimeError('odd')\n"
        "Gateway.start = start\n"
        "from devproxy.__main__ import main\n"
        "import sys; sys.argv[1:] = ['up', '--listen', 'localhost:0', '--quiet']\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**os.environ, **ENVIRONMENT},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = done.stderr.splitlines()
    assert done.returncode == 1
    assert lines[0].startswith("error: internal error in devproxy")
    assert lines[0].endswith("RuntimeError: odd")
    assert "Traceback" in lines[1]
    assert lines[-1].startswith("help: this is a bug in devproxy: please report it")


def test_a_reader_that_leaves_early_is_no_failure() -> None:
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m devproxy schema | head -c 1; exit ${{PIPESTATUS[0]}}"],
        env={**os.environ, **ENVIRONMENT},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "{", "")


def test_output_that_cannot_be_written_is_a_failure() -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "devproxy", "schema"],
            env={**os.environ, **ENVIRONMENT},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stderr) == (
        1,
        "error: cannot write to standard output: no space left on device\n",
    )


# -- which configuration -----------------------------------------------------------------------------------------------


def test_the_configuration_is_found_upward_and_named_relative_to_the_working_directory(folder: Path) -> None:
    below = folder / "src" / "deep"
    below.mkdir(parents=True)
    assert devproxy("check", cwd=below).stdout == "ok: ../../devproxy.toml: 2 routes, 2 upstreams\n"


def test_the_environment_names_a_configuration_and_an_option_another(folder: Path, tmp_path: Path) -> None:
    (folder / "named.toml").write_text(TWO_ROUTES)
    environment = {"DEVPROXY_CONFIG": "named.toml"}
    assert devproxy("check", cwd=folder, environment=environment).stdout.startswith("ok: named.toml:")
    done = devproxy("check", "--config", "devproxy.toml", cwd=folder, environment=environment)
    assert done.stdout.startswith("ok: devproxy.toml:")


def test_servers_on_the_command_line_win_over_a_file_and_say_so(folder: Path) -> None:
    process = GatewayProcess("--frontend", "5173", cwd=folder)
    try:
        trouble = process.event("trouble", lambda _: True, "that the file is not used")
        assert trouble["what"] == "devproxy.toml is not used, because the command line names the servers."
        servers = {event["server"] for event in process.events("upstream_state")}
        assert servers <= {"http://localhost:5173"}
    finally:
        assert process.program.stop() == 0


def test_a_file_named_together_with_servers_is_refused(folder: Path) -> None:
    done = devproxy("up", "--config", "devproxy.toml", "--frontend", "5173", cwd=folder)
    assert done.returncode == 2
    assert done.stderr.startswith("error: --config cannot be combined with --frontend or --backend\n")


# -- up ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_one_signal_stops_devproxy_with_exit_code_0(loop: str, number: signal.Signals, folder: Path) -> None:
    process = GatewayProcess("--loop", loop, cwd=folder)
    assert b'"status"' in fetched(process.port)
    assert process.program.stop(number) == 0
    assert process.events("stopped") == [{**process.events("stopped")[0], "cut": 0}]


def test_the_first_event_tells_where_devproxy_listens_and_how_long_that_took(folder: Path) -> None:
    process = GatewayProcess(cwd=folder)
    first = json.loads(process.program.out[0])
    process.stop()
    assert list(first) == ["ts", "event", "urls", "startup_s", "inspector", "has_keys"]
    assert first["inspector"].startswith(f"{process.url}__devproxy/#key=")
    assert 0 < first["startup_s"] < PATIENCE_S


def test_stopping_waits_for_what_runs_and_says_how_to_stop_at_once(folder: Path) -> None:
    with silent_server() as (server, taken):
        text = TWO_ROUTES.replace("localhost:5173", f"127.0.0.1:{server}")
        (folder / "slow.toml").write_text(f"[server]\ndrain_s = 600\n{text}")
        with started("--config", "slow.toml", cwd=folder) as program:
            with waiting_client(port_of(program), taken):
                os.kill(program.pid, signal.SIGINT)
                wait_for(lambda: any("waiting for 1 request" in line for line in program.err), "that it waits")
                assert any("Ctrl-C again to stop now" in line for line in program.err)
                assert program.exit_code is None
                os.kill(program.pid, signal.SIGINT)
                assert program.wait() == 130


def test_a_terminal_that_hangs_up_stops_no_traffic(folder: Path) -> None:
    process = GatewayProcess(cwd=folder)
    os.kill(process.program.pid, signal.SIGHUP)
    assert fetched(process.port).startswith(b"HTTP/1.1 200 ")
    process.stop()


def test_a_resolver_that_hangs_does_not_keep_devproxy_from_ending(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import socket, time\n"
        "ask = socket.getaddrinfo\n"
        "def getaddrinfo(host, *args, **kwargs):\n"
        "    time.sleep(600 if host == 'slow.test' else 0)\n"
        "    return ask(host, *args, **kwargs)\n"
        "socket.getaddrinfo = getaddrinfo\n"
    )
    environment = {"PYTHONPATH": os.pathsep.join((str(tmp_path), str(ROOT)))}
    with started("--frontend", "http://slow.test", "--loop", "asyncio", environment=environment) as program:
        port = port_of(program)
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert program.stop() == 0


def test_quiet_prints_nothing_but_what_is_wrong(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        unused = gone.getsockname()[1]
    with socket.create_server(("127.0.0.1", 0)) as placeholder:
        port = placeholder.getsockname()[1]
    command = [sys.executable, "-m", "devproxy", "up", "--quiet", "--listen", f"127.0.0.1:{port}"]
    with Program(
        [*command, "--frontend", str(unused)], name="devproxy", environment={**ENVIRONMENT, **QUIET_ENVIRONMENT}
    ) as program:
        wait_for(lambda: is_listening(port), "devproxy to listen")
        assert fetched(port).startswith(b"HTTP/1.1 200 ")
        assert fetched(port, "/page").startswith(b"HTTP/1.1 503 ")
        wait_for(lambda: any("503" in line for line in program.err), "the error")
        assert program.stop() == 0
        assert not [line for line in program.err if "health" in line or "DEVPROXY" in line]


def is_listening(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


# -- what the terminal can do ------------------------------------------------------------------------------------------


def test_a_log_that_nobody_reads_stops_no_traffic(folder: Path) -> None:
    read_end, write_end = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "devproxy", "up", "--listen", "localhost:0", "--log", "json"],
        cwd=folder,
        env={**os.environ, **ENVIRONMENT},
        stdout=write_end,
    )
    try:
        os.close(write_end)
        line = b""
        while not line.endswith(b"\n"):
            line += os.read(read_end, 1)
        port = int(json.loads(line)["urls"][0].rpartition(":")[2].rstrip("/"))
        request = b"GET /__devproxy/health HTTP/1.1\r\nHost: localhost\r\n\r\n"
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as sock, sock.makefile("rb") as answers:
            for _ in range(1000):  # more than a pipe holds
                sock.sendall(request)
                length = 0
                while (field := answers.readline().rstrip()) or not length:
                    name, _, value = field.lower().partition(b":")
                    length = int(value) if name == b"content-length" else length
                assert b'"ok"' in answers.read(length)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
    finally:
        os.close(read_end)
        process.kill()
        process.wait()


def test_a_log_whose_reader_has_gone_stops_no_traffic(folder: Path) -> None:
    read_end, write_end = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "devproxy", "up", "--listen", "localhost:0", "--log", "json"],
        cwd=folder,
        env={**os.environ, **ENVIRONMENT},
        stdout=write_end,
    )
    try:
        os.close(write_end)
        line = b""
        while not line.endswith(b"\n"):
            line += os.read(read_end, 1)
        os.close(read_end)
        port = int(json.loads(line)["urls"][0].rpartition(":")[2].rstrip("/"))
        for _ in range(5):
            assert fetched(port).startswith(b"HTTP/1.1 200 ")
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("closed", ["0<&- 1>&- 2>&-", "1>&-", "2>&-"])
def test_without_a_standard_stream_the_log_is_not_written_to_a_client(closed: str, folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as placeholder:
        port = placeholder.getsockname()[1]
    process = subprocess.Popen(
        ["bash", "-c", f'exec "$0" -m devproxy up --log json --listen 127.0.0.1:{port} {closed}', sys.executable],
        cwd=folder,
        env={**os.environ, **ENVIRONMENT},
    )
    try:
        wait_for(lambda: is_listening(port), "devproxy to listen")
        for _ in range(3):
            answer = fetched(port)
            assert answer.startswith(b"HTTP/1.1 200 ")
            assert b"exchange_finished" not in answer
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(("log", "stream"), [("json", "out"), ("human", "err")])
def test_events_for_programs_go_to_standard_output_and_those_for_people_to_standard_error(
    log: str, stream: str, folder: Path
) -> None:
    with started("--log", log, cwd=folder) as program:
        wait_for(lambda: any("http://localhost:" in line for line in [*program.out, *program.err]), "that it is ready")
        assert program.stop() == 0
    other = program.err if stream == "out" else program.out
    assert other == []


def test_what_keeps_devproxy_from_starting_is_no_line_of_json(folder: Path) -> None:
    (folder / "devproxy.toml").write_text("x = 1\n")
    done = devproxy("up", "--log", "json", cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert "devproxy.toml:1:1" in done.stderr


# -- health, schema ----------------------------------------------------------------------------------------------------


def test_health_is_0_where_devproxy_answers_and_1_where_nobody_does(folder: Path) -> None:
    process = GatewayProcess(cwd=folder)
    for option, value in (
        ("--url", process.url),
        ("--listen", str(process.port)),
        ("--listen", f":{process.port}"),
        ("--listen", f"[::1]:{process.port}"),
    ):
        done = devproxy("health", option, value)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("ok: ")
    process.stop()
    done = devproxy("health", "--url", process.url)
    assert (done.returncode, done.stdout) == (1, "")
    assert "connection refused" in done.stderr


def test_health_waits_for_devproxy_and_for_each_server_behind_it(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other, socket.create_server(("127.0.0.1", 0)) as unused:
        server, missing = other.getsockname()[1], unused.getsockname()[1]
        unused.close()
        gateway = GatewayProcess("--frontend", str(server), "--backend", str(missing), cwd=folder)
        health = ("health", gateway.url, "--upstreams")
        done = devproxy(*health)
        assert (done.returncode, done.stdout) == (1, "")
        assert f"backend does not answer (http://localhost:{missing}: nothing listens there)" in done.stderr
        assert "frontend does not answer" not in done.stderr
        with Program(
            [sys.executable, "-m", "devproxy", *health, "--wait", "30"],
            name="devproxy health",
            environment={**ENVIRONMENT, **QUIET_ENVIRONMENT},
        ) as waiting:
            with socket.create_server(("127.0.0.1", missing)):
                assert waiting.wait() == 0
            assert waiting.out[1:] == [
                f"ok: frontend answers on http://localhost:{server}",
                f"ok: backend answers on http://localhost:{missing}",
            ]
        gateway.stop(told="is not used")


def test_health_does_not_take_another_configuration_for_that_of_the_devproxy_it_asks(folder: Path) -> None:
    gateway = GatewayProcess("--backend", "9", cwd=folder)
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="dp") as other:  # a path that is short enough for sockets
        runtime = {"XDG_RUNTIME_DIR": other, "TMPDIR": other}
        done = devproxy("health", gateway.url, "--upstreams", cwd=folder, environment=runtime)
    gateway.stop(told="is not used")
    assert done.returncode == 2
    assert "are not known" in done.stderr


def test_health_asks_where_the_configuration_listens(folder: Path) -> None:
    process = GatewayProcess(cwd=folder)
    (folder / "devproxy.toml").write_text(f'[server]\nlisten = ["localhost:{process.port}"]\n{TWO_ROUTES}')
    assert devproxy("health", cwd=folder).returncode == 0
    process.stop()


def test_a_health_check_that_succeeds_needs_neither_the_parser_nor_the_checks_of_the_configuration(
    folder: Path,
) -> None:
    process = GatewayProcess(cwd=folder)
    (folder / "devproxy.toml").write_text(f'[server]\nlisten = "localhost:{process.port}"\n{TWO_ROUTES}')
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "devproxy", "health"],
        cwd=folder,
        env={**os.environ, **ENVIRONMENT},
        capture_output=True,
        text=True,
        check=False,
    )
    process.stop()
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert done.returncode == 0
    assert "devproxy.cli.health" in imported
    assert not imported & {"argparse", "dataclasses", "devproxy.config", "devproxy.console"}


def test_health_does_not_mistake_another_server_for_devproxy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:

        def answer() -> None:
            sock, _ = other.accept()
            with sock:
                sock.recv(65536)
                sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")

        thread = threading.Thread(target=answer)
        thread.start()
        done = devproxy("health", "--listen", f"127.0.0.1:{other.getsockname()[1]}")
        thread.join()
    assert done.returncode == 1
    assert "but it is not devproxy" in done.stderr


def test_the_schema_goes_to_standard_output() -> None:
    done = devproxy("schema")
    assert json.loads(done.stdout) == config.schema()
    assert done.stdout == (ROOT / "devproxy.schema.json").read_text(encoding="utf-8")
