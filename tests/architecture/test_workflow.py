"""The workflow for GitHub, as far as it can be read: least permissions, pinned actions, every Python, real commands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import tomli
import yaml  # type: ignore[import-untyped]

ROOT = Path(__file__).resolve().parent.parent.parent
WORKFLOW: dict[Any, Any] = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
JOBS: dict[str, dict[str, Any]] = WORKFLOW["jobs"]
STEPS = [(job, step) for job, each in JOBS.items() for step in each["steps"]]

every_job = pytest.mark.parametrize("job", JOBS)


def test_the_token_may_read_and_nothing_else() -> None:
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert not any("permissions" in job for job in JOBS.values())


def test_every_action_is_pinned_to_a_commit() -> None:
    text = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    used = re.findall(r"uses: (\S+)(.*)", text)
    assert len(used) > 3
    for action, comment in used:
        assert re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", action)
        assert re.fullmatch(r" # v\d+\.\d+\.\d+", comment)
    checkouts = [step for _, step in STEPS if step.get("uses", "").startswith("actions/checkout@")]
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_each_version_that_is_promised_is_tried_on_each_system() -> None:
    project = tomli.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    promised = [line.rpartition(" ")[2] for line in project["classifiers"] if re.search(r":: 3\.\d+$", line)]
    assert JOBS["python"]["strategy"]["matrix"]["python"] == JOBS["windows"]["strategy"]["matrix"]["python"] == promised
    assert {system.partition("-")[0] for system in JOBS["python"]["strategy"]["matrix"]["system"]} == {
        "ubuntu",
        "macos",
    }
    assert JOBS["windows"]["runs-on"].startswith("windows-")


@every_job
def test_no_job_runs_for_hours(job: str) -> None:
    assert JOBS[job]["timeout-minutes"] <= 60


def test_what_is_run_is_there() -> None:
    commands = [step["run"] for _, step in STEPS if "run" in step]
    assert len(commands) > 5
    for command in commands:
        for word in command.split():
            if word.startswith(("tests/", "scripts/", ".ci/")):
                assert (ROOT / word).exists(), command
            if word.startswith("tests."):
                assert (ROOT / f"{word.replace('.', '/')}.py").exists(), command


def test_nothing_of_a_pull_request_gets_into_a_command() -> None:
    assert not any("${{ github" in step.get("run", "") for _, step in STEPS)
