"""``${env:NAME}`` in values of the file: what is replaced, what is not, and what is said where it cannot be."""

from __future__ import annotations

import time

import devproxy
import pytest
from devproxy.config import Config, ConfigError, Problem, load
from devproxy.config.environment import Variable
from devproxy.config.model import CertificateFiles
from devproxy.config.placeholders import split_value
from devproxy.config.problems import MAX_PROBLEMS
from devproxy.config.variables import used
from tests.support.configuration import ROUTE, UPSTREAMS


def loaded(text: str, **values: str) -> Config:
    environment = {name: Variable(value) for name, value in values.items()}
    return load(text.encode(), source="devproxy.toml", environment=environment)


def problems(text: str, **values: str) -> list[Problem]:
    with pytest.raises(ConfigError) as caught:
        loaded(text, **values)
    return list(caught.value.problems)


def of_server(line: str, **values: str) -> Config:
    return loaded(f"[server]\n{line}\n{UPSTREAMS}{ROUTE}", **values)


def header(value: str, **values: str) -> str:
    config = loaded(f"{UPSTREAMS}{ROUTE}headers.request.set = {{ X = '{value}' }}", **values)
    [(_, text)] = config.routes[0].request_headers.set
    return "|".join(split_value(text))


@pytest.mark.parametrize(
    ("line", "field", "value"),
    [
        ('drain_s = "${env:N}"', "drain_s", 7),
        ('max_fields = "${env:N}0"', "max_fields", 70),
        ('tls = "${env:YES}"', "tls", True),
        ('allowed_hosts = "${env:HOSTS}"', "allowed_hosts", ("a.test", "b.test")),
        ('allowed_hosts = ["${env:NAME}.test", "x"]', "allowed_hosts", ("app.test", "x")),
        ('strict_transport_security = "${env:NONE:-keep}"', "drops_pins", False),
        ('drain_s = "${env:EMPTY:-9}"', "drain_s", 9),
        ('tls.cert = "${env:NAME}.pem"\ntls.key = "$${env:NAME}"', "tls.cert", "app.pem"),
        ('tls.cert = "x"\ntls.key = "$${env:NAME}"', "tls.key", "${env:NAME}"),
        ('tls.cert = "$$${env:NAME}"\ntls.key = "x"', "tls.cert", "$${env:NAME}"),
        ('tls.cert = "${NAME}$NAME"\ntls.key = "x"', "tls.cert", "${NAME}$NAME"),
    ],
)
def test_a_variable_is_replaced_in_a_value_of_any_type(line: str, field: str, value: object) -> None:
    found: object = of_server(line, N="7", YES="yes", HOSTS="a.test, b.test", NAME="app", EMPTY="").server
    for part in field.split("."):
        found = getattr(found, part)
    assert found == value


def test_what_a_variable_holds_is_neither_toml_nor_another_variable_nor_a_placeholder() -> None:
    nasty = '"]\nx = "${env:OTHER}'
    tls = of_server('tls.cert = "${env:A}"\ntls.key = "x"', A="${env:B}", B="no").server.tls
    assert tls == CertificateFiles(cert="${env:B}", key="x")
    [problem] = problems(f'[server]\nallowed_hosts = "${{env:A}}"\n{UPSTREAMS}{ROUTE}', A='["a.test"]')
    assert "is not an IPv6 address" in problem.what or "is not" in problem.what
    [problem] = problems(f'[server]\ndrain_s = "${{env:A}}"\n{UPSTREAMS}{ROUTE}', A=nasty)
    assert "expected a number" in problem.what
    assert header("${env:A}${host}", A="${scheme}$${x}$") == "${scheme}$${x}$|host|"
    assert header("${env:A}{host}${env:A}", A="$") == "${host}$"
    assert header("$${env:A} ${host}", A="no") == "${env:A} |host|"


def test_upstreams_and_routes_take_them_too() -> None:
    text = """
[upstreams]
a = "localhost:${env:PORT}"
b = ["${env:ONE}", 3002]
c.servers = "${env:BOTH}"
c.hold_s = "${env:N}"
[[routes]]
path = "${env:BASE:-/api/}"
upstream = "${env:WHICH}"
cors.origins = ["${env:PAGE}", 'regex:https://[a-z]+\\.test']
fault.error_rate = "${env:RATE:-0.5}"
[[routes]]
path = "/"
upstream = "b"
"""
    config = loaded(text, PORT="1", ONE="3001", BOTH="5,6", N="3", WHICH="c", PAGE="http://p.test")
    found = [[server.port for server in upstream.servers] for upstream in config.upstreams]
    assert found == [[1], [3001, 3002], [5, 6]]
    assert (config.upstreams[2].hold_s, config.routes[0].upstream, config.routes[0].pattern) == (3, "c", "/api/")
    assert config.routes[0].fault.error_rate == 0.5
    assert config.routes[0].cors.origins is not None
    assert "http://p.test" in config.routes[0].cors.origins


@pytest.mark.parametrize(
    ("lines", "what", "help", "place"),
    [
        (
            'drain_s = "${env:DRAIN}"',
            "the variable DRAIN is not set, and has no default",
            'drain_s = "${env:DRAIN:-…}"',
            (2, 11),
        ),
        ('allowed_hosts = ["x", "${env:NO}"]', "the variable NO is not set", '"${env:NO:-…}"', (2, 23)),
        ('listen = "localhost:${env:PROT}"', "the variable PROT is not set", "did you mean ${env:PORT}?", (2, 10)),
        ('listen = "${env:}"', '"" is not the name of a variable', "${env:PORT}", (2, 10)),
        ('listen = "${env:A B}"', '"A B" is not the name of a variable', "", (2, 10)),
        ('listen = "${env:PORT-8080}"', '"PORT-8080" is not the name of a variable', "", (2, 10)),
        ('listen = "x${env:PORT"', "has no end", "close it with `}`", (2, 10)),
        ('listen = "${env:A:-${env:PORT}}"', "has no end", "close it", (2, 10)),
        ('listen = "localhost:${env:WORD}"', '"word" is not a port (the value of WORD)', "", (2, 10)),
        ('drain_s = "${env:WORD}"', 'expected a number, got "word" (the value of WORD)', "drain_s = 3", (2, 11)),
        ('drain_s = "${env:BIG}"', "from 0 to 3600, got 9999 (the value of BIG)", "drain_s = 3", (2, 11)),
        ('tls = "${env:WORD}"', "expected a boolean or a table", "tls = true", (2, 7)),
        ('strict_transport_security = "${env:WORD}"', 'got "word" (the value of WORD)', "", (2, 29)),
        ('listen = "localhost:${PORT}"', '"${PORT}" is not a port', "write ${env:PORT}", (2, 10)),
    ],
)
def test_what_cannot_be_replaced_is_told_with_its_place(
    lines: str, what: str, help: str, place: tuple[int, int]
) -> None:
    text = f"[server]\n{lines}\n{UPSTREAMS}{ROUTE}"
    [problem] = problems(text, PORT="1", WORD="word", BIG="9999")
    assert what in problem.what
    assert help in problem.help
    assert (problem.line, problem.column, problem.source) == (*place, "")


@pytest.mark.parametrize(
    "line",
    [
        'upstream = "a"\nheaders.request.set = { X = "${env:OCTETS}" }',
        'upstream = "a"\nheaders.response.add = { X = "${env:OCTETS}" }',
    ],
)
def test_bytes_of_a_variable_that_are_not_utf_8_are_told(line: str) -> None:
    text = f'[upstreams]\na = 3000\n[[routes]]\npath = "/"\n{line}'
    [problem] = problems(text, OCTETS="\udcff")
    assert problem.what == 'the value of "X" has bytes that are not UTF-8 (the value of OCTETS)'
    assert problem.line == 6


@pytest.mark.parametrize(
    "line",
    ["path_regex = '/${env:A}'", 'path = "/"\nform_post = ["regex:https://${env:A}"]'],
    ids=["path_regex", "origin"],
)
def test_expressions_have_none(line: str) -> None:
    [problem] = problems(f'{UPSTREAMS}[[routes]]\nupstream = "backend"\n{line}\n', A="x")
    assert "a regular expression has no variables" in problem.what


def test_a_missing_variable_of_an_upstream_is_one_problem() -> None:
    text = '[upstreams]\na = "${env:A}"\nb.servers = ["1", "${env:B}"]\n[[routes]]\npath = "/"\nupstream = "a"\n'
    assert [problem.line for problem in problems(text)] == [2, 3]


def test_secrets_of_a_proxy_are_not_repeated() -> None:
    text = f'{UPSTREAMS}[upstreams.api]\nservers = "https://api.test"\nproxy = "${{env:PROXY}}"\n{ROUTE}'
    for value in ("http://me:s3cret@proxy.test", "http://me:s3cret@:x", "ftp://me:s3cret@proxy:1", "me:s3cret@proxy:1"):
        for problem in problems(text, PROXY=value):
            assert "s3cret" not in problem.what + problem.help


def test_what_variables_come_to_is_bounded() -> None:
    value = "${env:BIG}" * 2000
    found = problems(f"[server]\ntls.cert = '{value}'\ntls.key = 'x'\n{UPSTREAMS}{ROUTE}", BIG="x" * 10_000)
    assert found[0].what == "the variables of this file come to more than 1048576 characters"


def test_many_that_are_not_set_cost_no_more_than_those_that_are_told() -> None:
    names = {f"NAME_{number}": Variable("1") for number in range(3000)}
    text = "[server]\nallowed_hosts = [" + "'${env:NAMES_X}'," * 10_000 + f"]\n{UPSTREAMS}{ROUTE}"
    started = time.process_time()
    with pytest.raises(ConfigError) as caught:
        load(text.encode(), source="devproxy.toml", environment=names)
    assert time.process_time() - started < 5
    assert len(caught.value.problems) == MAX_PROBLEMS


def test_a_number_is_one_where_a_word_may_be_instead() -> None:
    text = f'{UPSTREAMS}{ROUTE}[run.web]\ncommand = "x"\nport = "${{env:PORT}}"\n'
    assert loaded(text, PORT="3000").programs[0].port == 3000
    assert loaded(text, PORT="auto").programs[0].port != 3000
    [problem] = problems(text, PORT="x")
    assert 'expected an integer, got "x" (the value of PORT)' in problem.what


def test_only_what_says_something_is_kept_for_others() -> None:
    names = ("A", "B", "C", "DEVPROXY_SERVER_LISTEN", "HOME")
    environment = {name: Variable("1") for name in names}
    found = used('x = "${env:A} ${env:B:-2} $${env:NO} ${C}"', environment)
    assert sorted(found) == ["A", "B", "DEVPROXY_SERVER_LISTEN"]


def test_a_program_that_embeds_a_gateway_gives_its_variables_where_a_file_names_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BACK", "3009")
    monkeypatch.setenv("DEVPROXY_UPSTREAMS_BACKEND", "1")
    config = devproxy.loads('[upstreams]\nbackend = "${env:BACK}"\n' + ROUTE)
    assert config.upstreams[0].servers[0].port == 3009
