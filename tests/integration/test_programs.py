"""Programs that devproxy runs: their output, their ports, their ends; and that none of their processes is left."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from uuid import uuid4

import pytest
from tests.support.certificates import TestAuthority
from tests.support.gateway_process import COMMAND, ENVIRONMENT
from tests.support.processes import Json, Program, free_port, wait_for
from tests.support.programs import SERVER, marked, script

UP = [*COMMAND, "up", "--listen", "localhost:0", "--log", "json"]
ONE_ROUTE = '[[routes]]\npath = "/"\nupstream = "{}"\n'


@contextmanager
def up(folder: Path, *arguments: str, environment: dict[str, str] | None = None) -> Iterator[Program]:
    program = Program(
        [*UP, *arguments], name="devproxy", cwd=folder, environment={**ENVIRONMENT, **(environment or {})}
    )
    with program:
        yield program


def event(program: Program, kind: str, **fields: object) -> Json:
    def matches(said: Json) -> bool:
        return said.get("event") == kind and all(said.get(name) == value for name, value in fields.items())

    return program.json_line(matches, f"{kind} {fields}")


def get(program: Program, path: str = "/") -> str:
    url = event(program, "ready")["urls"][0]
    connection = HTTPConnection(url.split("/")[2], timeout=10)
    try:
        connection.request("GET", path)
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def run(folder: Path, *program: str) -> subprocess.CompletedProcess[str]:
    return ended([*UP, "--", *program], folder)


def ended(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **ENVIRONMENT},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


# The end


@pytest.mark.parametrize(
    ("what", "status"),
    [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137), ("kill -TERM $$", 143), ("kill -INT $$", 130)],
)
def test_devproxy_ends_with_its_program_as_the_program_did(what: str, status: int, tmp_path: Path) -> None:
    assert run(tmp_path, "sh", "-c", what).returncode == status


def test_a_program_that_is_not_there_is_refused_with_the_status_of_shells(tmp_path: Path) -> None:
    done = run(tmp_path, "no-such-program", "x")
    assert (done.returncode, done.stdout) == (127, "")
    assert done.stderr.startswith("error: there is no program no-such-program\nhelp: ")
    (tmp_path / "node_modules" / ".bin").mkdir(parents=True)
    (tmp_path / "node_modules" / ".bin" / "no-such-program").touch(0o755)
    assert (
        "help: it is in node_modules:  devproxy up -- npx no-such-program x"
        in run(tmp_path, "no-such-program", "x").stderr
    )


def test_a_program_in_quotes_is_understood(tmp_path: Path) -> None:
    assert "help: without the quotes:  devproxy up -- npm run dev" in run(tmp_path, "npm run dev").stderr


FAMILY = """
import os, signal, subprocess, sys, time
mark = sys.argv[1]
sleeper = [sys.executable, "-c", "import time; time.sleep(600)", mark]
subprocess.Popen(["sh", "-c", "trap '' TERM INT HUP; sleep 600; true", mark])
subprocess.Popen(sleeper, start_new_session=True)
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    os.execv(sys.executable, sleeper)
if "ends" in sys.argv:
    time.sleep(0.3)
    sys.exit(5)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))
print("family is there", flush=True)
time.sleep(600)
"""
"""A child that ignores signals, one in a session of its own, and one that no longer has its parent."""


def family(folder: Path) -> tuple[str, list[str]]:
    mark = f"family-{uuid4().hex}"
    return mark, ["sh", "-c", f"{shlex.join([*script(folder, FAMILY), mark])}; exit $?"]


@pytest.mark.parametrize("how", ["SIGKILL", "SIGTERM", "SIGINT"])
def test_none_of_its_processes_is_left_however_devproxy_ends(how: str, tmp_path: Path) -> None:
    mark, command = family(tmp_path)
    with up(tmp_path, "--", *command) as program:
        program._wait_for(lambda: next((line for line in program.err if "family is there" in line), None), "it", 30)
        assert len(marked(mark)) >= 5
        os.kill(program.pid, signal.Signals[how])
        wait_for(lambda: program.exit_code is not None, "that devproxy ends", timeout_s=20)
        assert program.exit_code == {"SIGKILL": -9, "SIGTERM": 143, "SIGINT": 130}[how]
        wait_for(lambda: not marked(mark), "that all processes are gone", timeout_s=5)


def test_none_of_its_processes_is_left_when_it_ends_itself(tmp_path: Path) -> None:
    mark, command = family(tmp_path)
    command[-1] = command[-1].replace(mark, f"{mark} ends")
    assert run(tmp_path, *command).returncode == 5
    assert not marked(mark)


STUBBORN = """
import signal, time
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN)
print("here", flush=True)
time.sleep(600)
"""


def test_a_program_that_ignores_what_it_is_told_is_killed(tmp_path: Path) -> None:
    with up(tmp_path, "--", *script(tmp_path, STUBBORN)) as program:
        wait_for(lambda: any("here" in line for line in program.err), "it")
        os.kill(program.pid, signal.SIGTERM)
        wait_for(lambda: program.exit_code is not None, "that devproxy ends", timeout_s=20)
        assert program.exit_code == 137
        assert event(program, "trouble")["what"] == "frontend did not end within 5 s of being told to, and was killed"


def test_a_second_signal_ends_all_at_once(tmp_path: Path) -> None:
    mark = f"stubborn-{uuid4().hex}"
    with up(tmp_path, "--", *script(tmp_path, STUBBORN), mark) as program:
        wait_for(lambda: any("here" in line for line in program.err), "it")
        os.kill(program.pid, signal.SIGINT)
        event(program, "stopping")
        began = time.monotonic()
        os.kill(program.pid, signal.SIGINT)
        wait_for(lambda: program.exit_code is not None, "that devproxy ends", timeout_s=20)
        assert (program.exit_code, marked(mark)) == (130, [])
        assert time.monotonic() - began < 3


def test_signals_of_its_own_reach_the_program(tmp_path: Path) -> None:
    text = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGUSR2, lambda *_: sys.exit(9))\nprint('here', flush=True)\ntime.sleep(600)"
    )
    with up(tmp_path, "--", *script(tmp_path, text)) as program:
        wait_for(lambda: any("here" in line for line in program.err), "it")
        os.kill(program.pid, signal.SIGUSR2)
        wait_for(lambda: program.exit_code is not None, "that devproxy ends")
        assert program.exit_code == 9


# Ports


def test_the_frontend_is_where_the_program_says_and_listens(tmp_path: Path) -> None:
    port = free_port()
    with up(tmp_path, "--", *script(tmp_path, SERVER), str(port)) as program:
        said = event(program, "program_answers")
        assert (said["port"], said["upstream"], said["expected"]) == (port, "frontend", 0)
        assert get(program) == f"['{port}'] None {event(program, 'ready')['urls'][0].rstrip('/')}"


def test_a_program_whose_port_is_taken_is_followed(tmp_path: Path) -> None:
    command = script(tmp_path, SERVER)
    with Program([*command, str(free_port())], name="another", cwd=tmp_path) as other:
        port = int(other.line("Local").rpartition(":")[2].rstrip("/"))
        with up(tmp_path, "--frontend", str(port), "--", *command, str(port)) as program:
            said = event(program, "program_answers")
            assert said["port"] > port
            assert said["expected"] == port
            assert get(program).startswith(f"['{port}'] None http")
            applied = event(program, "config_applied")
            assert applied["cause"]
            routes = ended([*COMMAND, "explain", event(program, "ready")["urls"][0]], tmp_path)
            assert f"http://localhost:{said['port']}" in routes.stdout, routes


def test_a_port_may_be_chosen_for_it(tmp_path: Path) -> None:
    with up(tmp_path, "--", *script(tmp_path, SERVER), "{port}") as program:
        port = event(program, "program_answers")["port"]
        assert get(program).startswith(f"['{port}'] {port} http")


def test_beside_a_backend_it_is_the_frontend_and_the_backend_keeps_its_port(tmp_path: Path) -> None:
    command, backend, frontend = script(tmp_path, SERVER), free_port(), free_port()
    both = f"{shlex.join([*command, str(backend)])} & sleep 0.3; {shlex.join([*command, str(frontend)])}"
    with up(tmp_path, "--backend", str(backend), "--", "sh", "-c", both) as program:
        assert event(program, "program_answers")["port"] == frontend
        assert get(program, "/api/").startswith(f"['{backend}']")
        assert get(program, "/").startswith(f"['{frontend}']")


# The file


def write(folder: Path, *parts: str) -> Path:
    file = folder / "devproxy.toml"
    file.write_text("\n".join(parts))
    return file


def line_of(command: list[str], *more: str) -> str:
    return json.dumps([*command, *more])


def test_programs_of_the_file_are_run_where_it_is_and_a_reload_touches_those_that_changed(tmp_path: Path) -> None:
    command = script(tmp_path, SERVER)
    (tmp_path / "sub").mkdir()
    ports = [free_port(), free_port()]
    upstreams = f'[upstreams]\na = "http://localhost:{ports[0]}"\nb = "http://localhost:{ports[1]}"\n'
    routes = ONE_ROUTE.format("a") + ONE_ROUTE.format("b").replace('"/"', '"/b/"')
    run_a, run_b = (
        f"[run.{name}]\ncommand = {line_of(command, str(port))}\n" for name, port in zip("ab", ports, strict=True)
    )
    write(tmp_path, run_a, run_b, upstreams, routes)
    with up(tmp_path / "sub") as program:
        pids = {name: event(program, "program_started", name=name)["pid"] for name in "ab"}
        for name in "ab":
            event(program, "program_answers", name=name, upstream=name)
        assert get(program, "/b/").startswith(f"['{ports[1]}']")
        write(tmp_path, run_a, run_b, 'env = { PORT = "7" }', upstreams, routes)
        wait_for(lambda: len(pids_of(program, "b")) == 2, "b again")
        wait_for(lambda: get(program, "/b/").startswith(f"['{ports[1]}'] 7"), "the new environment")
        assert (len(pids_of(program, "a")), len(pids_of(program, "b"))) == (1, 2)
        assert Path(f"/proc/{pids['a']}").exists()
        write(tmp_path, run_a, upstreams, routes)
        wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids_of(program, "b")), "that b is gone")
        assert get(program).startswith(f"['{ports[0]}']")
        program.stop()
        assert program.exit_code == 0
        assert not Path(f"/proc/{pids['a']}").exists()


def test_a_program_that_is_to_serve_another_upstream_goes_on_and_that_one_follows(tmp_path: Path) -> None:
    port = free_port()
    program_text = f"[run.p]\ncommand = {line_of(script(tmp_path, SERVER), str(port))}\nupstream = "
    rest = (
        '[upstreams]\na = "http://localhost:9"\nb = "http://localhost:9"\n'
        + ONE_ROUTE.format("a")
        + ONE_ROUTE.format("b").replace('"/"', '"/b/"')
    )
    write(tmp_path, f'{program_text}"a"', rest)
    with up(tmp_path) as program:
        event(program, "program_answers", upstream="a", port=port)
        assert get(program).startswith(f"['{port}']")
        write(tmp_path, f'{program_text}"b"', rest)
        event(program, "program_answers", upstream="b", port=port)
        assert get(program, "/b/").startswith(f"['{port}']")
        assert len(pids_of(program, "p")) == 1


def test_a_program_of_the_file_that_ends_is_told_and_started_again_if_that_is_asked_for(tmp_path: Path) -> None:
    write(
        tmp_path,
        "[run.once]\ncommand = \"sh -c 'exit 4'\"",
        '[run.again]\ncommand = ["sh", "-c", "exit 3"]\nrestart = "on-failure"',
        '[upstreams]\nx = "http://localhost:9"',
        ONE_ROUTE.format("x"),
    )
    with up(tmp_path) as program:
        assert event(program, "program_ended", name="once")["status"] == 4
        wait_for(lambda: len(events(program, "program_ended", "again")) > 1, "that it ends twice")
        assert [one["restart_s"] for one in events(program, "program_ended", "again")] == [0.5, 1.0]
        assert [one["restart_s"] for one in events(program, "program_ended", "once")] == [None]
        assert program.stop() == 0


def events(program: Program, kind: str, name: str) -> list[Json]:
    said = [json.loads(line) for line in list(program.out) if f'"{kind}"' in line]
    return [one for one in said if one["name"] == name]


def pids_of(program: Program, name: str) -> list[int]:
    return [one["pid"] for one in events(program, "program_started", name)]


def test_only_up_starts_them(tmp_path: Path) -> None:
    write(tmp_path, '[run]\nx = "touch started"', '[upstreams]\nx = "http://localhost:9"', ONE_ROUTE.format("x"))
    for words in (["check"], ["routes"], ["explain", "/"]):
        subprocess.run(
            [*COMMAND, *words], cwd=tmp_path, env={**os.environ, **ENVIRONMENT}, capture_output=True, check=False
        )
    assert not (tmp_path / "started").exists()


@pytest.mark.parametrize("what", ["file", "folder", "owner"])
def test_a_file_that_others_can_write_to_starts_nothing(what: str, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir(0o755)
    file = write(project, '[run]\nx = "touch started"', '[upstreams]\nx = "http://localhost:9"', ONE_ROUTE.format("x"))
    if what == "owner":
        if os.getuid() != 0:
            file.chmod(0o666)
        else:
            os.chown(file, 65534, 65534)
    else:
        (file if what == "file" else project).chmod(0o777)
    done = subprocess.run(
        UP, cwd=project, env={**os.environ, **ENVIRONMENT}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "says what to run ([run]), and" in done.stderr
    assert re.search(r"help: (chmod o-w|if you trust what it says:  sudo chown)", done.stderr), done.stderr
    assert not (project / "started").exists()


def test_a_reload_of_such_a_file_starts_nothing_until_it_is_mended_and_read_again(tmp_path: Path) -> None:
    rest = ('[upstreams]\nx = "http://localhost:9"', ONE_ROUTE.format("x"))
    write(tmp_path, '[run]\nx = "true"', *rest)
    with up(tmp_path) as program:
        event(program, "program_ended", name="x")
        with open(tmp_path / "new.toml", "w", encoding="utf-8") as new:  # others can write to it from the beginning
            os.fchmod(new.fileno(), 0o666)
            new.write("\n".join(('[run]\nx = "touch started"', *rest)))
        os.replace(tmp_path / "new.toml", tmp_path / "devproxy.toml")
        told = program.json_line(lambda said: "stay as they are" in str(said), "that programs stay")
        assert "until that is mended and it is read again" in str(told)
        os.chmod(tmp_path / "devproxy.toml", 0o644)
        assert not (tmp_path / "started").exists()
        os.kill(program.pid, signal.SIGHUP)
        wait_for((tmp_path / "started").exists, "that the program is started")


def test_what_is_not_there_is_refused_with_its_place(tmp_path: Path) -> None:
    write(
        tmp_path,
        '[run]\nx = "no-such-program"',
        '[run.y]\ncommand = "sh"\nfolder = "nowhere"',
        '[upstreams]\nx = "http://localhost:9"',
        ONE_ROUTE.format("x"),
    )
    done = subprocess.run(
        UP, cwd=tmp_path, env={**os.environ, **ENVIRONMENT}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "there is no program no-such-program\n  --> devproxy.toml:2:5" in done.stderr
    assert f"there is no folder {tmp_path / 'nowhere'}\n  --> devproxy.toml:5:10" in done.stderr


# What they write


def test_lines_have_the_name_and_go_to_standard_error_beside_json(tmp_path: Path) -> None:
    done = run(tmp_path, "sh", "-c", "echo one; echo two >&2; printf '10%%\\r20%%\\n'; printf 'end'")
    assert done.stderr.splitlines() == ["frontend │ one", "frontend │ two", "frontend │ 20%", "frontend │ end"]
    assert all(line.startswith("{") for line in done.stdout.splitlines())


def test_a_flood_stalls_neither_the_proxy_nor_takes_its_memory(tmp_path: Path) -> None:
    text = (
        f"import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', {SERVER!r}, sys.argv[1]], stdout=-3)\n"
        "line = 'x' * 200 + '\\n'\nwhile True: sys.stdout.write(line * 500)"
    )
    read, write_end = os.pipe()  # nothing reads it
    process = subprocess.Popen(
        [*UP, "--", *script(tmp_path, text), str(free_port())],
        cwd=tmp_path,
        env={**os.environ, **ENVIRONMENT},
        stdout=subprocess.PIPE,
        stderr=write_end,
        text=True,
    )
    try:
        assert process.stdout is not None
        url = ""
        while True:
            said = json.loads(process.stdout.readline())
            url = said["urls"][0] if said["event"] == "ready" else url
            if said["event"] == "program_answers":
                break
        slowest = 0.0
        for _ in range(30):
            began = time.monotonic()
            connection = HTTPConnection(url.split("/")[2], timeout=10)
            connection.request("GET", "/")
            assert connection.getresponse().status == 200
            connection.close()
            slowest = max(slowest, time.monotonic() - began)
        resident = int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{process.pid}/status").read_text())[1])  # type: ignore[index]
        assert resident < 150_000
        assert slowest < 1.0
    finally:
        process.terminate()
        process.wait(20)
        os.close(read)
        os.close(write_end)
        assert process.stdout is not None
        process.stdout.close()


def test_python_without_a_terminal_is_shown_at_once(tmp_path: Path) -> None:
    text = "import time\nprint('at once')\ntime.sleep(600)"
    with up(tmp_path, "--", *script(tmp_path, text)) as program:
        wait_for(lambda: any("at once" in line for line in program.err), "its line", timeout_s=10)


TRUSTING = """
import os, ssl, urllib.request
context = ssl.create_default_context(cafile=os.environ["NODE_EXTRA_CA_CERTS"])
url = os.environ["DEVPROXY_URL"] + "/__devproxy/health"
print(urllib.request.urlopen(url, context=context).status, context.cert_store_stats()["x509_ca"], flush=True)
"""


@pytest.mark.parametrize("has_others", [False, True], ids=["alone", "beside others"])
def test_with_https_a_program_learns_whom_to_trust(has_others: bool, tmp_path: Path) -> None:
    around = {**os.environ, **ENVIRONMENT, "XDG_DATA_HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}
    around.pop("NODE_EXTRA_CA_CERTS", None)
    if has_others:
        (tmp_path / "others.pem").write_bytes(TestAuthority("Others").pem)
        around["NODE_EXTRA_CA_CERTS"] = str(tmp_path / "others.pem")
    command = [*UP, "--tls", "--", *script(tmp_path, TRUSTING)]
    done = subprocess.run(command, cwd=tmp_path, env=around, capture_output=True, text=True, check=False, timeout=60)
    assert f"frontend │ 200 {1 + has_others}" in done.stderr.splitlines(), done


def test_open_opens_the_page_once_its_program_answers(tmp_path: Path) -> None:
    opener = tmp_path / "opener"
    opener.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/opened.new; mv {tmp_path}/opened.new {tmp_path}/opened\n')
    opener.chmod(0o755)
    with up(
        tmp_path, "--open", "--", *script(tmp_path, SERVER), str(free_port()), environment={"BROWSER": str(opener)}
    ) as program:
        event(program, "program_answers")
        wait_for((tmp_path / "opened").exists, "that the page is opened")
        assert (tmp_path / "opened").read_text() == f"{event(program, 'ready')['urls'][0]}\n"


def test_open_without_a_browser_says_what_to_open(tmp_path: Path) -> None:
    with up(tmp_path, "--open", "--frontend", "9", environment={"BROWSER": "none"}) as program:
        url = event(program, "ready")["urls"][0]
        assert event(program, "note")["lines"] == [f"open {url} in your browser (BROWSER=none)"]
