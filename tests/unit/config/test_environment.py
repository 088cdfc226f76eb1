"""``DEVPROXY_…``: what each variable sets, what goes before what, and what is said of those that cannot be meant."""

from __future__ import annotations

import pytest
from devproxy.config import Config, ConfigError, Problem, Server, from_arguments, load, report, with_listen
from devproxy.config.environment import Environment, Variable
from devproxy.config.keys import KEYS
from devproxy.config.model import CertificateFiles
from devproxy.config.overlay import SERVER, variable_of
from devproxy.config.places import place_of, source_of, variables_in
from devproxy.config.strange_variables import notices
from tests.support.configuration import ROUTE, UPSTREAMS

FILE = f'[server]\nlisten = "localhost:7000"\ndrain_s = 1\n{UPSTREAMS}{ROUTE}'


def variables(**values: str) -> Environment:
    return {name: Variable(value) for name, value in values.items()}


def loaded(text: str = FILE, **values: str) -> Config:
    return load(text.encode(), source="devproxy.toml", environment=variables(**values))


def problems(text: str = FILE, **values: str) -> list[Problem]:
    with pytest.raises(ConfigError) as caught:
        loaded(text, **values)
    return list(caught.value.problems)


def servers(config: Config) -> dict[str, list[str]]:
    return {upstream.name: [server.url for server in upstream.servers] for upstream in config.upstreams}


def test_every_key_of_the_server_has_a_variable() -> None:
    assert [key.path for key in SERVER.values()] == [path for path in KEYS if path.startswith("server.")]
    assert variable_of("server.tls.cert") == "DEVPROXY_SERVER_TLS_CERT"


@pytest.mark.parametrize(
    ("name", "text", "field", "value"),
    [
        ("LISTEN", "9000", "listen", "localhost:9000"),
        ("LISTEN", ":9000, localhost:9001", "listen", ":9000 localhost:9001"),
        ("LISTEN", '["localhost:1", 2]', "listen", "localhost:1 localhost:2"),
        ("LISTEN", "[::1]:8080", "listen", "::1:8080"),
        ("ALLOWED_HOSTS", "a.test, .b.test", "allowed_hosts", ("a.test", ".b.test")),
        ("ALLOWED_HOSTS", '["a.test"]', "allowed_hosts", ("a.test",)),
        ("TRUSTED_PROXIES", "[]", "trusted_proxies", ()),
        ("TLS", "true", "tls", True),
        ("TLS", "Off", "tls", False),
        ("TLS", '{ cert = "a.pem", key = "b.pem" }', "tls", CertificateFiles(cert="a.pem", key="b.pem")),
        ("STRICT_TRANSPORT_SECURITY", "keep", "drops_pins", False),
        ("DRAIN_S", "2.5", "drain_s", 2.5),
        ("MAX_FIELDS", "99", "max_fields", 99),
    ],
)
def test_a_variable_goes_before_the_file(name: str, text: str, field: str, value: object) -> None:
    config = loaded(**{f"DEVPROXY_SERVER_{name}": text})
    found = getattr(config.server, field)
    if field == "listen":
        found = " ".join(f"{listen.host}:{listen.port}" for listen in found)
    assert found == value
    assert variables_in(config) == (f"DEVPROXY_SERVER_{name}",)


def test_the_parts_of_a_table_have_variables_of_their_own() -> None:
    both = {"DEVPROXY_SERVER_TLS_CERT": "a.pem", "DEVPROXY_SERVER_TLS_KEY": "b.pem"}
    assert loaded(**both).server.tls == CertificateFiles(cert="a.pem", key="b.pem")
    text = 'server.tls = { cert = "x.pem", key = "y.pem" }\n' + UPSTREAMS + ROUTE
    config = loaded(text, DEVPROXY_SERVER_TLS_KEY="b.pem")
    assert config.server.tls == CertificateFiles(cert="x.pem", key="b.pem")
    assert place_of(config, "server", "tls", "cert") == "devproxy.toml:1"
    assert place_of(config, "server", "tls", "key") == "DEVPROXY_SERVER_TLS_KEY"


def test_a_whole_that_is_said_not_to_be_has_no_parts() -> None:
    parts = {"DEVPROXY_SERVER_TLS_CERT": "a.pem", "DEVPROXY_SERVER_TLS_KEY": "b.pem"}
    found = problems(DEVPROXY_SERVER_TLS="false", **parts)
    assert [problem.source for problem in found] == list(parts)
    assert {problem.what for problem in found} == {"DEVPROXY_SERVER_TLS says that there is none"}
    assert loaded("server.tls = false\n" + UPSTREAMS + ROUTE, **parts).server.tls is not False
    assert loaded(DEVPROXY_SERVER_TLS="true", **parts).server.tls == CertificateFiles(cert="a.pem", key="b.pem")


def test_a_variable_that_is_empty_is_not_set() -> None:
    config = loaded(DEVPROXY_SERVER_LISTEN="", DEVPROXY_UPSTREAMS_BACKEND="", DEVPROXY_NONSENSE="")
    assert config == loaded()
    assert not variables_in(config)
    assert notices(variables(DEVPROXY_NONSENSE="")) == ()


@pytest.mark.parametrize(
    ("upstream", "variable", "text", "expected"),
    [
        ('api = "http://localhost:1"', "API", "3001", ["http://localhost:3001"]),
        ("api = 1", "API", "https://api.test", ["https://api.test"]),
        ("api = 1", "API", "3001,localhost:3002", ["http://localhost:3001", "http://localhost:3002"]),
        ("api = 1", "API", '[3001, "a:2"]', ["http://localhost:3001", "http://a:2"]),
        ("my-api = 1", "MY_API", "3001", ["http://localhost:3001"]),
        ("api = { servers = [1], hold_s = 7 }", "API", "3001", ["http://localhost:3001"]),
        ("other = 1", "API", "3001", ["http://localhost:3001"]),
    ],
)
def test_a_variable_names_the_servers_of_an_upstream(
    upstream: str, variable: str, text: str, expected: list[str]
) -> None:
    config = loaded(f"{UPSTREAMS}{upstream}\n{ROUTE}", **{f"DEVPROXY_UPSTREAMS_{variable}": text})
    name = next(name for name in servers(config) if name.replace("-", "_").upper() == variable)
    assert servers(config)[name] == expected
    assert place_of(config, "upstreams", name, "servers", 0) == f"DEVPROXY_UPSTREAMS_{variable}"
    if "hold_s" in upstream:
        assert config.upstream(name).hold_s == 7


def test_an_upstream_may_be_called_like_a_key() -> None:
    config = loaded(f"{UPSTREAMS}api-proxy = 1\n{ROUTE}", DEVPROXY_UPSTREAMS_API_PROXY="3001")
    assert servers(config)["api-proxy"] == ["http://localhost:3001"]
    assert notices(variables(DEVPROXY_UPSTREAMS_API_PROXY="3001"), ["api-proxy"]) == ()


def test_a_route_may_name_an_upstream_that_only_the_environment_has() -> None:
    text = '[[routes]]\npath = "/"\nupstream = "web"\n'
    assert servers(loaded(text, DEVPROXY_UPSTREAMS_WEB="3000")) == {"web": ["http://localhost:3000"]}


def test_a_variable_that_may_mean_two_upstreams_is_a_problem() -> None:
    [problem] = problems(f"[upstreams]\na-b = 1\na_b = 2\n{UPSTREAMS[12:]}{ROUTE}", DEVPROXY_UPSTREAMS_A_B="3")
    assert problem.what == 'this may mean the upstreams "a-b" and "a_b"'
    assert problem.source == "DEVPROXY_UPSTREAMS_A_B"


@pytest.mark.parametrize(
    ("name", "text", "what", "help"),
    [
        ("SERVER_LISTEN", "8o80", '"8o80" is not a port', "for example 8080"),
        ("SERVER_LISTEN", "localhost", '"localhost" has no port', 'write "localhost:8080"'),
        ("SERVER_LISTEN", '["x]', "is no list as TOML writes it", "quotes"),
        ("SERVER_LISTEN", "[1]\ndrain_s = [2]", "is no list as TOML writes it", ""),
        ("SERVER_DRAIN_S", "soon", 'expected a number, got "soon"', "the default is DEVPROXY_SERVER_DRAIN_S=3"),
        ("SERVER_DRAIN_S", "nan", "expected a number", ""),
        ("SERVER_DRAIN_S", "1_0", "expected a number", ""),
        ("SERVER_DRAIN_S", "9" * 5000, "expected a number", ""),
        ("SERVER_DRAIN_S", "-1", "from 0 to 3600, got -1", "the default is DEVPROXY_SERVER_DRAIN_S=3"),
        ("SERVER_MAX_FIELDS", "1.5", "expected an integer", "DEVPROXY_SERVER_MAX_FIELDS=256"),
        ("SERVER_TLS", "maybe", 'expected a boolean or a table, got "maybe"', "DEVPROXY_SERVER_TLS=true"),
        ("SERVER_TLS", "{ cert = 'x' }", "`tls` names no `key`", "DEVPROXY_SERVER_TLS="),
        ("SERVER_STRICT_TRANSPORT_SECURITY", "kep", 'expected "drop" or "keep"', 'SECURITY="keep"'),
        ("SERVER_ALLOWED_HOSTS", "a.test,,b.test", "the host is missing", ""),
        ("UPSTREAMS_BACKEND", "localhost", "neither a port nor host:port nor a URL", 'write "http://localhost"'),
        ("UPSTREAMS_BACKEND", "3001,3001", "is listed twice", "remove one"),
        ("UPSTREAMS_BACKEND", "[]", 'the upstream "backend" has no server', ""),
    ],
)
def test_a_value_that_cannot_be_meant_is_told_with_its_variable(name: str, text: str, what: str, help: str) -> None:
    [problem] = problems(**{f"DEVPROXY_{name}": text})
    assert what in problem.what
    assert help in problem.help
    if text != "[]":
        assert (problem.source, problem.line) == (f"DEVPROXY_{name}", 0)
        error = ConfigError((problem,))
        assert f"--> DEVPROXY_{name}\n" in report(error, FILE, "devproxy.toml", colour=False)


def test_a_bad_upstream_of_the_environment_is_one_problem() -> None:
    text = '[[routes]]\npath = "/"\nupstream = "web"\n'
    assert len(problems(text, DEVPROXY_UPSTREAMS_WEB="ws://x")) == 1


def test_a_value_from_a_file_of_variables_is_said_with_its_line() -> None:
    environment = {"DEVPROXY_SERVER_LISTEN": Variable(":1", ".env:3"), "DEVPROXY_SERVER_DRAIN_S": Variable("2")}
    config = load(FILE.encode(), source="devproxy.toml", environment=environment)
    assert place_of(config, "server", "listen") == "DEVPROXY_SERVER_LISTEN (.env:3)"
    found = source_of(config, "server", "drain_s")
    assert found is not None
    assert tuple(found) == ("environment", None, "DEVPROXY_SERVER_DRAIN_S")


def test_options_go_before_variables_and_these_before_defaults() -> None:
    environment = variables(
        DEVPROXY_SERVER_LISTEN="9000", DEVPROXY_SERVER_DRAIN_S="2", DEVPROXY_UPSTREAMS_BACKEND="3001,3002"
    )
    config = from_arguments(frontend="5173", backend=None, backend_paths=[], listen=[], environment=environment)
    assert [listen.port for listen in config.server.listen] == [9000]
    assert config.server.drain_s == 2
    assert config.server.idle_timeout_s == Server().idle_timeout_s
    assert servers(config)["backend"] == ["http://localhost:3001", "http://localhost:3002"]
    assert [route.pattern for route in config.routes] == ["/socket.io/", "/api/", "/"]
    assert place_of(config, "upstreams", "backend") == place_of(config, "routes", 0) == "DEVPROXY_UPSTREAMS_BACKEND"
    assert place_of(config, "upstreams", "frontend") == "--frontend"
    over = with_listen(config, ["1"])
    assert place_of(over, "server", "listen") == "--listen"
    typed = from_arguments(frontend="5173", backend="7", backend_paths=[], listen=["1"], environment=environment)
    assert servers(typed)["backend"] == ["http://localhost:7"]
    assert place_of(typed, "server", "listen") == "--listen"
    assert variables_in(typed) == ("DEVPROXY_SERVER_DRAIN_S",)


def test_what_is_wrong_in_variables_is_told_without_a_file_too() -> None:
    environment = variables(DEVPROXY_SERVER_DRAIN_S="x", DEVPROXY_UPSTREAMS_BACKEND="ws://y")
    with pytest.raises(ConfigError) as caught:
        from_arguments(frontend=None, backend=None, backend_paths=[], listen=[], environment=environment)
    assert [problem.source for problem in caught.value.problems] == [
        "DEVPROXY_SERVER_DRAIN_S",
        "DEVPROXY_UPSTREAMS_BACKEND",
    ]


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"DEVPROXY_CONFIG": "x", "DEVPROXY_URL": "http://localhost:8080", "PATH": "/bin"}, None),
        ({"DEVPROXY_LISTENS": "1"}, "Did you mean DEVPROXY_SERVER_LISTEN?"),
        ({"DEVPROXY_SERVER_DRAINS": "1"}, "Did you mean DEVPROXY_SERVER_DRAIN_S?"),
        ({"DEVPROXY_SERVER_PORT": "1"}, "set DEVPROXY_SERVER_LISTEN"),
        ({"DEVPROXY_PORT": "8080"}, "set DEVPROXY_SERVER_LISTEN"),
        ({"DEVPROXY_QQQ": "1"}, "docs/configuration.md"),
        ({"DEVPROXY_UPSTREAMS_BACKEND_HOLD_S": "1"}, "`hold_s` belongs in the file"),
        ({"DEVPROXY_UPSTREAMS_": "1"}, "A name follows it"),
        ({f"DEVPROXY_Q{number}": "1" for number in range(9)}, "DEVPROXY_Q4 and 4 more mean nothing to devproxy"),
        ({"DEVPROXY_SERVICE_HOST": "10.0.0.1"}, "Kubernetes has a service called `devproxy`"),
        ({"DEVPROXY_PORT": "tcp://10.0.0.1:80"}, "Kubernetes has a service called `devproxy`"),
        ({"DEVPROXY_PORT_80_TCP_ADDR": "10.0.0.1"}, "Kubernetes has a service called `devproxy`"),
        ({"DEVPROXY_SERVICE_PORT_HTTP": "80"}, "enableServiceLinks: false"),
        ({"DEVPROXY_SERVER_SERVICE_HOST": "10.0.0.1"}, "DEVPROXY_SERVER_SERVICE_HOST are set because"),
        ({"DEVPROXY_UPSTREAMS_WEB_PORT": "tcp://10.0.0.1:80"}, "a service called `devproxy-upstreams-web`"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_what_means_nothing_is_told_once(environment: dict[str, str], words: str | None) -> None:
    found = notices(variables(**environment))
    assert len(found) == (words is not None)
    if words is not None:
        assert words in found[0]
        assert servers(loaded(**environment)).keys() == servers(loaded()).keys(), "it sets nothing"
