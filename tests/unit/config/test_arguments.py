"""The configuration that command-line options make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from devproxy.config import (
    Config,
    ConfigError,
    Listen,
    PathKind,
    Problem,
    Server,
    from_arguments,
    load,
    with_listen,
)
from devproxy.config.model import CertificateFiles
from devproxy.config.places import place_of
from tests.support.configuration import ROUTE, UPSTREAMS


def made(
    frontend: str | None = None, backend: str | None = None, paths: Sequence[str] = (), listen: Sequence[str] = ()
) -> Config:
    return from_arguments(frontend=frontend, backend=backend, backend_paths=paths, listen=listen)


def refused(
    frontend: str | None = None, backend: str | None = None, paths: Sequence[str] = (), listen: Sequence[str] = ()
) -> tuple[Problem, ...]:
    with pytest.raises(ConfigError) as caught:
        made(frontend, backend, paths, listen)
    return caught.value.problems


def routes(config: Config) -> list[tuple[str, str]]:
    assert all(route.kind is PathKind.PREFIX for route in config.routes)
    return [(route.pattern, route.upstream) for route in config.routes]


def test_two_ports_give_socket_io_and_the_api_to_the_backend_and_the_rest_to_the_frontend() -> None:
    config = made("5173", "3001")
    assert routes(config) == [("/socket.io/", "backend"), ("/api/", "backend"), ("/", "frontend")]
    assert [(upstream.name, upstream.servers[0].url) for upstream in config.upstreams] == [
        ("frontend", "http://localhost:5173"),
        ("backend", "http://localhost:3001"),
    ]
    assert config.server == Server()
    assert config.source == "command line"


def test_the_backend_alone_takes_everything() -> None:
    config = made(backend="https://api.test")
    assert routes(config) == [("/", "backend")]
    assert [upstream.name for upstream in config.upstreams] == ["backend"]


def test_the_frontend_alone_takes_everything() -> None:
    assert routes(made("localhost:5173")) == [("/", "frontend")]


def test_paths_of_the_backend_replace_the_usual_ones() -> None:
    config = made("5173", "3001", ["/graphql", "/graphql/", "/ws/"])
    assert routes(config) == [("/graphql", "backend"), ("/ws/", "backend"), ("/", "frontend")]


def test_the_backend_alone_with_paths_takes_only_those() -> None:
    assert routes(made(backend="3001", paths=["/api/"])) == [("/api/", "backend")]


def test_the_addresses_to_listen_on() -> None:
    listen = made("5173", listen=["8080", ":9000", "[::1]:0"]).server.listen
    assert listen == (Listen(host="localhost", port=8080), Listen(host="", port=9000), Listen(host="::1", port=0))


def test_nothing_to_forward_to_is_told_what_to_type() -> None:
    [problem] = refused()
    assert "devproxy up --frontend 5173 --backend 3001" in problem.help
    assert (problem.line, problem.column) == (0, 0)


@pytest.mark.parametrize(
    ("problems", "whats"),
    [
        (refused("localhost", "ws://b"), ["--frontend: ", "--backend: "]),
        (refused("5173", paths=["/api/"]), ["--backend-path: there is no backend"]),
        (
            refused("5173", "3001", ["api", "/x?y"]),
            ["--backend-path: a path begins", '--backend-path: "/x?y" contains'],
        ),
        (refused("5173", "3001", ["/"]), ['--backend-path: "/" leaves nothing']),
        (refused("5173", "3001", ["/__devproxy/"]), ["--backend-path: paths below /__devproxy/"]),
        (refused("5173", listen=["x", "8080", "8080"]), ['--listen: "x" has no port', "--listen: port 8080"]),
        (refused("70000"), ["--frontend: a port is a number from 1 to 65535, got 70000"]),
    ],
)
def test_every_problem_names_its_option(problems: tuple[Problem, ...], whats: list[str]) -> None:
    assert len(problems) == len(whats)
    assert all(problem.what.startswith(what) for problem, what in zip(problems, whats, strict=True))


def test_octets_that_are_no_text_in_an_argument_are_refused_legibly() -> None:
    [problem] = refused("5173", "3001", ["/\udcff"])
    assert problem.what.isprintable()


def test_listen_replaces_the_addresses_of_a_file_and_nothing_else() -> None:
    config = load(f'{UPSTREAMS}{ROUTE}[server]\nlisten = ":1"\ndrain_s = 9'.encode(), source="devproxy.toml")
    changed = with_listen(config, ["0"])
    assert changed.server == Server(listen=(Listen(host="localhost", port=0),), drain_s=9.0)
    assert (changed.routes, changed.upstreams, changed.source) == (config.routes, config.upstreams, config.source)


def test_no_listen_leaves_the_file_s_own() -> None:
    config = made("5173")
    assert with_listen(config, []) is config


def test_a_bad_listen_names_its_option() -> None:
    with pytest.raises(ConfigError) as caught:
        with_listen(made("5173"), ["http://localhost:1"])
    assert caught.value.problems[0].what.startswith("--listen: ")


def test_tls_of_the_command_line_leaves_certificates_of_the_file() -> None:
    config = made("5173")
    changed = with_listen(config, [], tls=True)
    assert (changed.server.tls, place_of(changed, "server", "tls")) == (True, "--tls")
    files = CertificateFiles(cert="a.pem", key="b.pem")
    own = replace(config, server=replace(config.server, tls=files))
    assert with_listen(own, [], tls=True) is own
