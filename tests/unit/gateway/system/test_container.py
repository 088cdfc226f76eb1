"""Where devproxy runs, and which addresses lead back to it."""

from __future__ import annotations

from pathlib import Path

import pytest
from devproxy.config.model import Scheme, ServerAddress
from devproxy.gateway.system.container import is_in_container, proxy_variable


@pytest.mark.parametrize("mark", [".dockerenv", "run/.containerenv"])
def test_docker_and_podman_are_known_by_the_file_they_leave(tmp_path: Path, mark: str) -> None:
    assert not is_in_container(tmp_path, {})
    (tmp_path / mark).parent.mkdir(exist_ok=True)
    (tmp_path / mark).touch()
    assert is_in_container(tmp_path, {})


@pytest.mark.parametrize("environment", [{"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, {"container": "podman"}])
def test_others_are_known_by_their_variables(tmp_path: Path, environment: dict[str, str]) -> None:
    assert is_in_container(tmp_path, environment)


def test_an_empty_variable_says_nothing(tmp_path: Path) -> None:
    assert not is_in_container(tmp_path, {"container": ""})


def elsewhere(scheme: Scheme, host: str = "api.example.com") -> ServerAddress:
    return ServerAddress(scheme=scheme, host=host, port=1, url=f"{scheme}://{host}:1")


@pytest.mark.parametrize(
    ("environment", "scheme", "variable"),
    [
        ({"HTTPS_PROXY": "http://p:1", "HTTP_PROXY": "http://p:2"}, Scheme.HTTPS, "HTTPS_PROXY"),
        ({"HTTPS_PROXY": "http://p:1", "http_proxy": "http://p:2"}, Scheme.HTTP, "http_proxy"),
        ({"HTTPS_PROXY": "http://p:1"}, Scheme.HTTP, "HTTPS_PROXY"),
        ({"ALL_PROXY": "socks5://p:1"}, Scheme.HTTPS, "ALL_PROXY"),
        ({"HTTPS_PROXY": " "}, Scheme.HTTPS, ""),
        ({}, Scheme.HTTPS, ""),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "localhost, .example.com"}, Scheme.HTTPS, ""),
        ({"HTTPS_PROXY": "http://p:1", "no_proxy": "api.example.com:443"}, Scheme.HTTPS, ""),
        ({"HTTPS_PROXY": "http://p:1", "no_proxy": "*"}, Scheme.HTTPS, ""),
        ({"HTTPS_PROXY": "http://p:1", "no_proxy": "ample.com"}, Scheme.HTTPS, "HTTPS_PROXY"),
    ],
)
def test_a_proxy_of_the_environment_is_named_where_it_would_be_used(
    environment: dict[str, str], scheme: Scheme, variable: str
) -> None:
    assert proxy_variable(elsewhere(scheme), environment) == variable


@pytest.mark.parametrize("host", ["localhost", "api.localhost", "127.0.0.1", "::1"])
def test_no_proxy_is_asked_for_what_is_on_this_machine(host: str) -> None:
    assert proxy_variable(elsewhere(Scheme.HTTPS, host), {"HTTPS_PROXY": "http://p:1"}) == ""
