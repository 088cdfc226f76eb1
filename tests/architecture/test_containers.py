"""The container files, checked as far as that goes without an engine: structure, and the rules that they promise."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from devproxy import config

ROOT = Path(__file__).resolve().parent.parent.parent
INSTRUCTIONS = {
    "FROM", "LABEL", "WORKDIR", "COPY", "RUN", "ENV", "USER", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT",
    "CMD",
}  # fmt: skip


@pytest.fixture(scope="module")
def dockerfile() -> list[tuple[str, str]]:
    """The instructions of the Dockerfile with their arguments, continuation lines joined, comments left out."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    text = re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in text.splitlines() if line.strip()]


@pytest.fixture(scope="module")
def service() -> dict[str, Any]:
    composed = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
    return dict(composed["services"]["devproxy"])


def last(dockerfile: list[tuple[str, str]], instruction: str) -> str:
    return [value for name, value in dockerfile if name == instruction][-1]


def test_the_dockerfile_uses_known_instructions_and_starts_from_an_image(dockerfile: list[tuple[str, str]]) -> None:
    assert {name for name, _ in dockerfile} <= INSTRUCTIONS
    assert dockerfile[0][0] == "FROM"
    assert all(":" in value for name, value in dockerfile if name == "FROM"), "an image without a tag is any image"


def test_the_image_runs_as_nobody_in_particular(dockerfile: list[tuple[str, str]]) -> None:
    assert last(dockerfile, "USER") == "10001:10001"


def test_signals_reach_devproxy_because_no_shell_is_in_between(dockerfile: list[tuple[str, str]]) -> None:
    assert json.loads(last(dockerfile, "ENTRYPOINT")) == ["devproxy"]
    assert json.loads(last(dockerfile, "CMD"))[0] == "up"
    assert last(dockerfile, "STOPSIGNAL") == "SIGTERM"
    assert json.loads(last(dockerfile, "HEALTHCHECK").split("CMD", 1)[1]) == ["devproxy", "health"]


def test_the_image_is_built_from_files_that_the_context_holds(dockerfile: list[tuple[str, str]]) -> None:
    ignore = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    kept = {line[1:] for line in ignore if line.startswith("!")}
    copied = {
        source
        for name, value in dockerfile
        if name == "COPY" and not value.startswith("--from")
        for source in value.split()[:-1]
    }
    assert copied == kept
    assert all((ROOT / source).exists() for source in copied)


def test_the_service_is_published_on_loopback_only(service: dict[str, Any]) -> None:
    assert service["ports"] == ["127.0.0.1:8080:8080"]


def test_the_service_can_do_no_more_than_it_needs(service: dict[str, Any]) -> None:
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["tmpfs"] == ["/tmp"]
    assert service["healthcheck"]["test"] == ["CMD", "devproxy", "health"]


def test_the_service_is_given_more_time_to_stop_than_devproxy_takes_to_drain(service: dict[str, Any]) -> None:
    loaded = config.load(mounted(service).read_bytes(), source="devproxy.toml")
    assert float(service["stop_grace_period"].removesuffix("s")) > loaded.server.drain_s


def test_the_mounted_configuration_reaches_the_host_that_the_service_names(service: dict[str, Any]) -> None:
    loaded = config.load(mounted(service).read_bytes(), source="devproxy.toml")
    names = {host.split(":")[0] for host in service["extra_hosts"]}
    assert {server.host for upstream in loaded.upstreams for server in upstream.servers} <= names
    assert [(listen.host, listen.port) for listen in loaded.server.listen] == [("", 8080)]


def mounted(service: dict[str, Any]) -> Path:
    """The configuration in the folder that the service mounts: of a single file, a new version would not be seen."""
    volume: str = service["volumes"][0]
    source, target, mode = volume.split(":")
    assert (target, mode) == ("/etc/devproxy", "ro")
    assert (ROOT / source).is_dir()
    return ROOT / source / "devproxy.toml"


DEVCONTAINER = ROOT / "examples" / "devcontainer" / ".devcontainer"
DOCUMENT = (ROOT / "docs" / "docker.md").read_text(encoding="utf-8")


def snippets(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", DOCUMENT, flags=re.MULTILINE | re.DOTALL)


def services() -> dict[str, dict[str, Any]]:
    """Every service called devproxy that this repository shows, by where it is."""
    found = {f"docker.md, snippet {at}": yaml.safe_load(text) for at, text in enumerate(snippets("yaml"), 1)}
    for path in (ROOT / "compose.yaml", DEVCONTAINER / "compose.yaml"):
        found[path.relative_to(ROOT).as_posix()] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {where: composed["services"]["devproxy"] for where, composed in found.items()}


@pytest.mark.parametrize("where", services())
def test_what_is_mounted_is_a_folder_and_what_is_published_is_for_this_machine(where: str) -> None:
    shown = services()[where]
    for volume in shown.get("volumes", []):
        source, target, mode = volume.split(":")
        assert (target, mode) == ("/etc/devproxy", "ro")
        assert not source.endswith(".toml")
    assert all(port.startswith("127.0.0.1:") for port in shown.get("ports", []))


def test_the_services_of_the_document_are_those_that_devproxy_is_told() -> None:
    composed = yaml.safe_load(snippets("yaml")[0])["services"]
    environment = composed["devproxy"]["environment"]
    (text,) = snippets("toml")
    loaded = config.load(text.encode(), source="devproxy.toml")
    by_name = {upstream.name: [server.url for server in upstream.servers] for upstream in loaded.upstreams}
    assert by_name == {
        "frontend": [environment["DEVPROXY_UPSTREAMS_FRONTEND"]],
        "backend": [environment["DEVPROXY_UPSTREAMS_BACKEND"]],
    }
    assert {server.host for upstream in loaded.upstreams for server in upstream.servers} <= set(composed)


def test_the_image_needs_no_file_where_variables_say_it_all(dockerfile: list[tuple[str, str]]) -> None:
    assert "DEVPROXY_SERVER_LISTEN=:8080" in last(dockerfile, "ENV").split()
    assert last(dockerfile, "WORKDIR") == "/etc/devproxy"
    assert json.loads(last(dockerfile, "CMD")) == ["up"]


def test_in_a_development_container_devproxy_and_servers_have_one_localhost() -> None:
    comments = re.compile(r"^\s*//.*\n", flags=re.MULTILINE)
    container = json.loads(comments.sub("", (DEVCONTAINER / "devcontainer.json").read_text(encoding="utf-8")))
    composed = yaml.safe_load((DEVCONTAINER / container["dockerComposeFile"]).read_text(encoding="utf-8"))["services"]
    shown = composed["devproxy"]
    assert shown["network_mode"] == f"service:{container['service']}"
    assert container["forwardPorts"] == [int(shown["environment"]["DEVPROXY_SERVER_LISTEN"].rpartition(":")[2])]
    loaded = config.load((DEVCONTAINER / "devproxy" / "devproxy.toml").read_bytes(), source="devproxy.toml")
    ports = {server.port for upstream in loaded.upstreams for server in upstream.servers}
    assert {str(port) for port in ports} <= set(container["portsAttributes"])
    assert "features" not in container
