"""Where devproxy runs, and which addresses lead back to it."""

from __future__ import annotations

from pathlib import Path

import pytest
from devproxy.platforms.container import is_in_container


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
