"""`make test-matrix`: unit and integration tests on every newer Python of this machine, devproxy on either event loop.

For each minor version from 3.12 on, the newest interpreter on PATH, of pyenv or of uv gets a virtual environment of its
own, ``.venv-3.N``, which is made again when what is needed changes. Nothing is downloaded but packages. A table at the
end says what passed; the exit status is 1 if anything failed, could not be installed, or if no Python was found.

    python -m tests.matrix [--only 3.12,3.13] [--loops asyncio] [--tests tests/unit] [-- PYTEST OPTIONS]
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
OLDEST, NEWEST = 12, 19
LOOPS = ("asyncio", "uvloop")
TESTS = ("tests/unit", "tests/integration")
VARIABLE = "TESTS_LOOP"
_ASK = "import sys; print('%d.%d.%d' % sys.version_info[:3] + ('' if sys.version_info[3] == 'final' else 'pre'))"


class Interpreter(NamedTuple):
    """A Python. ``version``: such as ``3.13.0``, or ``3.15.0pre`` for one that is not final."""

    version: str
    path: str

    @property
    def minor(self) -> str:
        return ".".join(self.version.split(".")[:2])


class Row(NamedTuple):
    """What a run of the tests gave. ``trouble``: why there is nothing to count."""

    version: str
    loop: str
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0
    trouble: str = ""

    @property
    def is_good(self) -> bool:
        return not self.trouble and not self.failed and self.passed > 0


def order(version: str) -> tuple[int, ...]:
    """Return what `version` is sorted by; one that is not final comes before the final one."""
    return (*map(int, re.findall(r"\d+", version)), 0 if version.endswith("pre") else 1)


def newest(found: Iterable[Interpreter], only: Sequence[str] = ()) -> list[Interpreter]:
    """Return the newest of `found` for each minor version, from 3.12 on, oldest first; `only`: of these versions."""
    best: dict[str, Interpreter] = {}
    for one in sorted(found, key=lambda each: order(each.version)):
        if order(one.version)[:2] >= (3, OLDEST) and (not only or one.minor in only):
            best[one.minor] = one
    return list(best.values())


def table(rows: Sequence[Row]) -> str:
    """Return `rows` as text."""
    lines = [f"{'Python':<12}{'loop':<10}{'passed':>8}{'failed':>8}{'skipped':>9}{'seconds':>9}"]
    for row in rows:
        counts = f"{row.passed:>8}{row.failed:>8}{row.skipped:>9}{row.seconds:>9.0f}"
        lines.append(f"{row.version:<12}{row.loop:<10}" + (f"  {row.trouble}" if row.trouble else counts))
    return "\n".join(lines)


def count(report: str) -> tuple[int, int, int]:
    """Return how many passed, failed and were skipped by `report`, JUnit's XML."""
    suites = ET.fromstring(report).iter("testsuite")
    passed = failed = skipped = 0
    for suite in suites:
        total, bad = int(suite.get("tests", 0)), int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        left_out = int(suite.get("skipped", 0))
        passed, failed, skipped = passed + total - bad - left_out, failed + bad, skipped + left_out
    return passed, failed, skipped


def interpreters() -> list[Interpreter]:
    """Return every Python of this machine that runs and may be newer than 3.11."""
    found = {}
    for path in dict.fromkeys(candidates()):
        done = subprocess.run([path, "-I", "-c", _ASK], capture_output=True, text=True, timeout=30, check=False)
        if done.returncode == 0:  # pyenv's stand-ins fail for versions that are not chosen
            found[done.stdout.strip()] = Interpreter(done.stdout.strip(), path)
    return list(found.values())


def candidates() -> Iterator[str]:
    """Give the paths at which a Python may be."""
    names = [f"python3.{minor}" for minor in range(OLDEST, NEWEST + 1)]
    yield from filter(None, map(shutil.which, names))
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    yield from (str(path) for name in names for path in sorted(versions.glob(f"*/bin/{name}")))
    if uv := shutil.which("uv"):
        for name in names:
            command = [uv, "python", "find", "--offline", "--no-python-downloads", name.removeprefix("python")]
            done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
            if done.returncode == 0:
                yield done.stdout.strip()


def prepared(one: Interpreter) -> Path:
    """Return the Python of the environment for `one`, which is made if it is not there. Raises CalledProcessError."""
    folder = ROOT / f".venv-{one.minor}"
    python, stamp = folder / "bin" / "python", folder / ".devproxy-matrix"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = repr((one.version, project["dependencies"], project["optional-dependencies"]))
    key = hashlib.sha256(needed.encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == key:
        return python
    say(f"installing devproxy and what its tests need into {folder.name} ({one.version})")
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([one.path, "-m", "venv", str(folder)], check=True, cwd=ROOT)
    install = [str(python), "-m", "pip", "install", "-qq", "--disable-pip-version-check", "-e", ".[test]"]
    subprocess.run(install, check=True, cwd=ROOT)
    stamp.write_text(key)
    return python


def run(one: Interpreter, python: Path, loop: str, tests: Sequence[str], options: Sequence[str]) -> Row:
    """Run `tests` on `loop` and count."""
    say(f"== Python {one.version}, {loop}")
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [str(python), "-m", "pytest", "-q", "-n", "auto", "--dist", "worksteal", "--junit-xml", str(report)]
        environment = {**os.environ, VARIABLE: loop}
        code = subprocess.run([*command, *tests, *options], cwd=ROOT, env=environment, check=False).returncode
        seconds = time.monotonic() - began
        if code not in (0, 1) or not report.exists():
            return Row(one.version, loop, trouble=f"pytest ended with {code}")
        return Row(one.version, loop, *count(report.read_text(encoding="utf-8")), seconds)


def say(text: str) -> None:
    """Write a line, before the tests write theirs."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the matrix; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.matrix", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--only", default="", help="minor versions, such as 3.12,3.13")
    parser.add_argument("--loops", default=",".join(LOOPS), help="event loops")
    parser.add_argument("--tests", nargs="+", default=list(TESTS), help="what to run")
    parser.add_argument("options", nargs="*", help="for pytest, after --")
    given = parser.parse_args(arguments)
    chosen = newest(interpreters(), [each for each in given.only.split(",") if each])
    if not chosen:
        say("error: no Python from 3.12 on was found on PATH, in pyenv or by uv: nothing was tested")
        return 1
    rows: list[Row] = []
    for one in chosen:
        try:
            python = prepared(one)
        except (subprocess.CalledProcessError, OSError) as error:
            rows.append(Row(one.version, "-", trouble=f"cannot be prepared: {error}"))
            continue
        rows += [run(one, python, loop, given.tests, given.options) for loop in given.loops.split(",")]
    say(f"\n{table(rows)}")
    return 0 if all(row.is_good for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
