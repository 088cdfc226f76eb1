"""Every value knows where it was said."""

from __future__ import annotations

from dataclasses import replace

import pytest
from devproxy.config import from_arguments, load, warnings, with_listen
from devproxy.config.places import place_of
from devproxy.config.problems import Path

TEXT = """\
server.drain_s = 1
[upstreams]
a = "http://localhost:1"
[upstreams.b]
servers = [
  "http://localhost:2",
  "http://localhost:3",
]
[[routes]]
path = "/api/"
upstream = "a"
cors = "strip"
[[routes]]
path = "/"
upstream = "b"
guard = false
[routes.cors]
origins = ["http://a.test"]
"""


@pytest.mark.parametrize(
    ("path", "place"),
    [
        (("server", "drain_s"), "dev.toml:1"),
        (("server", "listen"), "dev.toml:1"),
        (("upstreams", "a"), "dev.toml:3"),
        (("upstreams", "a", "servers", 0), "dev.toml:3"),
        (("upstreams", "b", "servers", 1), "dev.toml:7"),
        (("upstreams", "c"), "dev.toml:2"),
        (("routes", 0), "dev.toml:9"),
        (("routes", 0, "cors", "mode"), "dev.toml:12"),
        (("routes", 1, "guard"), "dev.toml:16"),
        (("routes", 1, "cors", "origins", 0), "dev.toml:18"),
        (("routes", 1, "cookies", "path"), "dev.toml:13"),
    ],
)
def test_a_value_of_a_file_is_said_in_its_line(path: Path, place: str) -> None:
    assert place_of(load(TEXT.encode(), source="dev.toml"), *path) == place


def test_a_value_of_the_command_line_is_said_by_its_option() -> None:
    config = from_arguments(frontend="1", backend="2", backend_paths=["/ws/"], listen=["9"])
    paths: tuple[Path, ...] = (("server", "listen"), ("upstreams", "backend"), ("routes", 0), ("routes", 1))
    assert [place_of(config, *path) for path in paths] == ["--listen", "--backend", "--backend-path", "--frontend"]
    assert place_of(config, "server", "drain_s") == ""


def test_an_option_takes_the_place_of_a_line() -> None:
    config = load(f"server.listen = [1, 2]\n{TEXT}".encode(), source="dev.toml")
    listening = with_listen(config, ["9"])
    assert place_of(config, "server", "listen", 1) == "dev.toml:1"
    assert place_of(listening, "server", "listen", 0) == "--listen"
    assert place_of(listening, "routes", 1, "guard") == "dev.toml:17"


def test_where_things_were_said_is_no_part_of_what_was_said() -> None:
    config = load(TEXT.encode(), source="dev.toml")
    assert replace(config, said={}) == config
    assert hash(replace(config, said={})) == hash(config)


def test_a_warning_begins_with_its_line() -> None:
    [warning] = warnings(load(TEXT.encode(), source="dev.toml"))
    assert warning.startswith("dev.toml:16: guard = false on the route /: ")
