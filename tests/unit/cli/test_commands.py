"""What check, routes, schema and health print."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from devproxy.cli import health, main
from devproxy.cli.arguments import parse
from devproxy.cli.health import quick_options
from devproxy.cli.refusal import Refused
from devproxy.config import schema

jsonschema: Any = import_module("jsonschema")  # it has no types

GOOD = """\
[upstreams]
backend = "http://localhost:3001"
frontend = "http://localhost:5173"

[[routes]]
path = "/api/"
upstream = "backend"
strip_prefix = true

[[routes]]
path = "/"
upstream = "frontend"
"""


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory with a good configuration, and an environment that says nothing."""
    monkeypatch.chdir(tmp_path)
    for name in ("DEVPROXY_CONFIG", "NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "devproxy.toml").write_text(GOOD)
    return tmp_path


# -- check ---------------------------------------------------------------------------------------------------------


def test_check_counts_what_a_good_file_has(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check"]) == 0
    assert capsys.readouterr() == ("ok: devproxy.toml: 2 routes, 2 upstreams\n", "")


def test_check_goes_on_after_a_bad_file_and_ends_with_2(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (directory / "bad.toml").write_text("x = 1\n")
    assert main(["check", "bad.toml", "missing.toml", "devproxy.toml"]) == 2
    out, err = capsys.readouterr()
    assert out == "ok: devproxy.toml: 2 routes, 2 upstreams\n"
    assert "bad.toml:1:1" in err
    assert "cannot read missing.toml" in err


def test_check_as_json_gives_every_problem_its_place(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (directory / "bad.toml").write_text(GOOD.replace('upstream = "backend"', 'upstream = "backnd"'))
    assert main(["check", "devproxy.toml", "bad.toml", "missing.toml", "--json"]) == 2
    out, err = capsys.readouterr()
    assert err == ""
    good, bad, missing = json.loads(out)
    assert good == {"file": "devproxy.toml", "ok": True, "routes": 2, "upstreams": 2, "running": [], "warnings": []}
    assert (bad["file"], bad["ok"]) == ("bad.toml", False)
    problem = bad["problems"][0]
    assert (problem["line"], problem["column"]) == (7, 12)
    assert "backnd" in problem["what"]
    assert missing["problems"][0]["line"] == 0


def test_check_names_a_file_that_everybody_can_write(
    directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (directory / "below").mkdir()
    (directory / "devproxy.toml").chmod(0o666)
    monkeypatch.chdir(directory / "below")
    assert main(["check"]) == 0
    assert "every user of this machine can change ../devproxy.toml" in capsys.readouterr().err
    main(["check", "--json"])
    assert "can change ../devproxy.toml" in json.loads(capsys.readouterr().out)[0]["warnings"][0]
    assert main(["check", "../devproxy.toml"]) == 0
    assert capsys.readouterr().err == ""


# -- routes --------------------------------------------------------------------------------------------------------


def test_routes_are_shown_in_order_of_precedence_with_where_they_lead(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["routes"]) == 0
    api, rest = capsys.readouterr().out.splitlines()
    assert "/api/" in api
    assert "http://localhost:3001" in api
    assert "strip_prefix" in api
    assert "http://localhost:5173" in rest


def test_routes_show_policies_the_guard_and_faults(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (directory / "devproxy.toml").write_text(
        GOOD + 'cors = { origins = ["http://a.test"] }\nguard = false\nredirects = "keep"\n'
        'cookies = { domain = "" }\nfault = { latency_ms = 250 }\n'
    )
    assert main(["routes"]) == 0
    out, err = capsys.readouterr()
    api, rest = out.splitlines()
    assert "cors: rewrite (loopback), strip_prefix" in api
    assert "cors: rewrite (1 origin), guard: off, cookies edited, redirects: keep, fault: 250 ms late" in rest
    assert "guard = false on the route /" in err


PUBLIC = """\
[upstreams]
api = "https://api.staging.example.com"
web = "http://localhost:5173"
[[routes]]
path = "/api/"
upstream = "api"
[[routes]]
path = "/"
upstream = "web"
"""
FAR = "host: upstream (auto: api.staging.example.com is a public name), origin: upstream (auto: "
HERE = "host: keep (auto: localhost is this machine), origin: keep (auto: localhost is this machine)"


def test_routes_say_what_auto_came_to(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (directory / "devproxy.toml").write_text(PUBLIC)
    assert main(["routes"]) == 0
    api, web = capsys.readouterr().out.splitlines()
    assert FAR in api
    assert "cookies repaired (auto: the server is public)" in api
    assert "auto" not in web
    assert main(["routes", "--test", "GET", "/api/x"]) == 0
    assert FAR in capsys.readouterr().out
    assert main(["routes", "--test", "GET", "/x"]) == 0
    assert HERE in capsys.readouterr().out


def test_explain_says_what_auto_came_to(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (directory / "devproxy.toml").write_text(PUBLIC)
    assert main(["explain", "/api/x", "--origin", "http://localhost:8080"]) == 0
    out = capsys.readouterr().out
    assert FAR in out
    assert "+ Host: api.staging.example.com" in out
    assert "+ Origin: https://api.staging.example.com" in out
    assert main(["explain", "/x"]) == 0
    assert HERE in capsys.readouterr().out


def test_check_shows_what_is_allowed_but_dangerous(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (directory / "devproxy.toml").write_text(
        GOOD + "cors = { dangerously_allow_any_origin = true, credentials = false }\n"
    )
    assert main(["check"]) == 0
    out, err = capsys.readouterr()
    assert out == "ok: devproxy.toml: 2 routes, 2 upstreams\n"
    assert "any web site can use it" in err


def test_a_tested_request_is_shown_with_what_the_server_would_get(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["routes", "--test", "GET", "/api/users?page=2"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("GET /api/users?page=2  Host: localhost\n")
    assert "http://localhost:3001/users?page=2" in said


def test_a_url_stands_for_its_host_and_its_path(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["routes", "--test", "GET", "http://app.localhost:8080?x=1#top"]) == 0
    assert capsys.readouterr().out.startswith("GET /?x=1  Host: app.localhost:8080\n")


def test_host_and_fields_decide_as_they_do_on_the_wire(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tenant = 'upstream = "backend"\nmatch_host = "app.test"\nmatch_headers = { X-Tenant = "blue" }\n'
    (directory / "devproxy.toml").write_text(f'{GOOD}\n[[routes]]\npath = "/"\n{tenant}')
    blue = ["--header", "x-tenant: blue"]
    for arguments, port in (
        (["--host", "app.test", *blue], 3001),
        (["--header", "Host: app.test", *blue], 3001),
        (["--host", "app.test", "--header", "x-tenant: red"], 5173),
        (["--host", "other.localhost", *blue], 5173),
        (blue, 5173),
    ):
        assert main(["routes", "--test", "GET", "/", *arguments]) == 0
        out, _ = capsys.readouterr()
        assert f"http://localhost:{port}/  upstream" in out, arguments


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["--test", "GET", "api"], "--test: api is neither a path nor a URL"),
        (["--test", "GE T", "/"], "--test: that is not a valid HTTP request"),
        (["--test", "GET", "/", "--header", "no colon"], "--test: that is not a valid HTTP request"),
        (["--test", "GET", "/", "--header", "A: b\r\n\r\nGET / HTTP/1.1"], "--test: that is not a valid"),
        (["--host", "a"], "--host and --header describe the request of --test"),
    ],
)
def test_what_is_no_request_is_refused(arguments: list[str], what: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["routes", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"error: {what}")


def test_what_devproxy_answers_by_itself_is_said_and_ends_with_1(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (directory / "devproxy.toml").write_text(GOOD.replace('path = "/"', 'path = "/app/"'))
    assert main(["routes", "--test", "GET", "/nowhere"]) == 1
    out, _ = capsys.readouterr()
    assert "devproxy answers this itself: 404" in out


# -- schema --------------------------------------------------------------------------------------------------------


def test_the_schema_that_is_printed_is_a_schema_and_the_one_of_the_configuration(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["schema"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == schema()
    jsonschema.Draft7Validator.check_schema(printed)


def test_check_without_a_file_says_how_to_name_one(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (directory / "devproxy.toml").unlink()
    assert main(["check"]) == 2
    assert "help: name the file:  devproxy check PATH\n" in capsys.readouterr().err


# -- health --------------------------------------------------------------------------------------------------------


@contextmanager
def answering(answer: bytes) -> Iterator[int]:
    """A server for one request, which it answers with `answer`."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with listener.accept()[0] as sock:
                while not sock.recv(4096).endswith(b"\r\n\r\n"):
                    pass
                sock.sendall(answer)

        thread = Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


WELL = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{"status":"ok","version":"0"}'


@pytest.mark.parametrize(
    "option",
    ["--url=http://127.0.0.1:{}/", "--url=https://127.0.0.1:{}/", "--listen=127.0.0.1:{}", "--url=127.0.0.1:{}"],
)
def test_health_asks_where_it_is_told(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    with answering(WELL) as port:
        assert main(["health", *option.format(port).split("=")]) == 0
    assert capsys.readouterr() == (f"ok: devproxy answers on 127.0.0.1:{port}\n", "")


@pytest.mark.parametrize("listen", ['"127.0.0.1:{}"', '["127.0.0.1:{}", "localhost:1"]', "{}", '"{}"', '":{}"'])
def test_health_asks_where_the_file_says_that_devproxy_listens(listen: str, directory: Path) -> None:
    with answering(WELL) as port:
        (directory / "devproxy.toml").write_text(f"[server]\nlisten = {listen.format(port)}\n{GOOD}")
        assert main(["check"]) == 0
        assert main(["health"]) == 0


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 404 Not Found\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\nhello", b"", b"SSH-2.0"]
)
def test_another_server_on_that_port_is_not_taken_for_devproxy(
    answer: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    with answering(answer) as port:
        assert main(["health", "--listen", f"127.0.0.1:{port}"]) == 1
    assert f"127.0.0.1:{port} answers, but it is not devproxy" in capsys.readouterr().err


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.naps: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds


def test_health_asks_again_until_devproxy_is_up(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers: list[bytes | Exception] = [ConnectionRefusedError(111, "refused"), b"HTTP/1.1 502 Bad\r\n\r\n", WELL]

    def answer(host: str, port: int) -> bytes:
        one = answers.pop(0)
        if isinstance(one, Exception):
            raise one
        return one

    monkeypatch.setattr(health, "_answer", answer)
    clock = Clock()
    assert health.run(parse(["health", "127.0.0.1:9", "--wait", "30"]), clock=clock, sleep=clock.sleep) == 0
    assert clock.naps == [health.PAUSE_S] * 2
    assert capsys.readouterr().out == "ok: devproxy answers on 127.0.0.1:9\n"


def test_health_gives_up_when_the_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(host: str, port: int) -> bytes:
        raise ConnectionRefusedError(111, "refused")

    monkeypatch.setattr(health, "_answer", answer)
    clock = Clock()
    with pytest.raises(Refused, match=r"devproxy does not answer .* \(asked for 0\.5 s\)") as caught:
        health.run(parse(["health", "127.0.0.1:9", "--wait", "0.5s"]), clock=clock, sleep=clock.sleep)
    assert caught.value.exit_code == 1
    assert clock.now == pytest.approx(0.5)


def test_health_waits_for_nothing_that_waiting_does_not_change() -> None:
    clock = Clock()
    for arguments in (["a:b"], ["--config", "no"], ["1", "--url", "2"], ["--wait", "x"], ["--wait", "nan"]):
        with pytest.raises(Refused) as caught:
            health.run(parse(["health", "--wait", "9", *arguments]), clock=clock, sleep=clock.sleep)
        assert caught.value.exit_code == 2
    assert clock.naps == []


def test_nobody_there_is_a_failure_that_names_the_address(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert main(["health", "--listen", f"127.0.0.1:{port}"]) == 1
    assert f"devproxy does not answer (127.0.0.1:{port}: connection refused)" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [["--url", "ftp://localhost/"], ["--listen", "localhost:0"], ["--listen", "a:b"], ["--config", "no"]]
)
def test_health_refuses_what_is_no_address_of_devproxy(arguments: list[str]) -> None:
    assert main(["health", *arguments]) == 2


@pytest.mark.parametrize("arguments", [["--help"], ["--url"], ["--url", "--listen"], ["--urk", "x"], ["--url=x"]])
def test_unusual_arguments_of_health_are_left_to_the_parser(arguments: list[str]) -> None:
    assert quick_options(arguments) is None


def test_plain_arguments_of_health_are_read_without_the_parser() -> None:
    options = quick_options(["--listen", "1", "--config", "x"])
    assert options is not None
    assert (options.url, options.listen, options.config) == (None, "1", "x")


def test_an_answer_that_comes_byte_by_byte_has_no_more_time_than_another(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "TIMEOUT_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            connection, _ = listener.accept()
            with connection, suppress(OSError):
                while True:
                    connection.sendall(b"H")
                    time.sleep(0.05)

        dripping = Thread(target=drip)
        dripping.start()
        port = listener.getsockname()[1]
        assert main(["health", "--listen", f"127.0.0.1:{port}"]) == 1
        dripping.join(5)
        assert not dripping.is_alive()
    assert f"127.0.0.1:{port}: timed out" in capsys.readouterr().err
