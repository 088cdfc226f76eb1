"""The benchmark itself runs: each row that needs no wrk, once and tiny. What it measures is for a quiet machine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from bench.rows import ROWS, Row

ROOT = Path(__file__).resolve().parent.parent.parent
NEEDS_WRK = {"get32", "get1", "get512", "download", "tls32", "tlsdownload"}
MORE_OF_THE_SAME = {
    *("ws64x1", "ws1m", "first512", "first512log", "poll32", "polllog", "againlog"),
    *("h2get6", "h2first6", "h2first32", "h2download", "wss64", "idletls", "idlewss"),
}
HERE = [row for row in ROWS if row.key not in NEEDS_WRK | MORE_OF_THE_SAME]
NOT_NGINX = {"routes50", "log", "sink", "watched", "reload", "firststart", "starttls", "h2ws64", "idlewss"}
NUMBER = re.compile(r"-?[\d.,]+( \((\d+\.\d\dx)?(, )?(plain [\d.,]+)?\))?")


def run(*arguments: str, path: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bench", "--rounds", "1", "--seconds", "0.1", "--no-keep", *arguments],
        cwd=ROOT,
        # The upstream is nginx, which Debian keeps where only root looks.
        env={**os.environ, "PATH": f"{path}:{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin"},
        capture_output=True,
        text=True,
        check=False,
        timeout=150,
    )


@pytest.fixture(scope="module")
def table() -> dict[str, list[str]]:
    """The columns of each line of one run, by its title: nginx, devproxy, verdict."""
    only = [part for row in HERE for part in ("--only", row.key)]
    done = run(*only, "--peers", "nginx,devproxy", "--markdown")
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [[column.strip() for column in line.split("|")[1:-1]] for line in done.stdout.splitlines() if "|" in line]
    assert lines[0] == ["CPU of the proxy", "nginx", "devproxy", "devproxy may cost"]
    return {line[0]: line[1:] for line in lines[2:]}


@pytest.mark.timeout(180)
@pytest.mark.parametrize("row", HERE, ids=lambda row: row.key)
def test_a_row_of_the_benchmark_gives_a_number_and_a_verdict_on_each_bound(
    row: Row, table: dict[str, list[str]]
) -> None:
    nginx, devproxy, verdict = table[f"{row.title} ({row.unit})"]
    assert nginx == "n/a" if row.key in NOT_NGINX else NUMBER.fullmatch(nginx), nginx
    assert NUMBER.fullmatch(devproxy), devproxy
    verdicts = verdict.split("; ") if verdict else []
    assert [words.partition(": ")[0] for words in verdicts] == [str(bound) for bound in row.bounds]


def test_a_row_that_there_is_not_is_told_with_what_was_meant() -> None:
    done = run("--only", "ws46")
    assert done.returncode == 2
    assert "there is no row called 'ws46': did you mean ws64?" in done.stderr


def test_a_peer_that_does_not_start_has_no_number_and_the_others_have(tmp_path: Path) -> None:
    # nginx is the upstream as well, and that one is called with another configuration.
    nginx = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin")
    assert nginx is not None
    broken = tmp_path / "nginx"
    broken.write_text(f'#!/bin/sh\ncase "$2" in */upstream.conf) exec {nginx} "$@";; esac\nexit 1\n')
    broken.chmod(0o755)
    done = run("--only", "ws64", "--peers", "nginx,devproxy", path=str(tmp_path))
    assert done.returncode == 1
    assert re.search(r"message\)  nothing listens on port .*  \d+\.\d  .*1\.7x nginx$", done.stdout, re.MULTILINE), (
        done.stdout
    )
