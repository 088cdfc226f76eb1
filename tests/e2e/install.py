"""Install the Node packages of the end-to-end tests and of the examples, exactly as their lock files say.

Run it as ``python tests/e2e/install.py``; the tests run it themselves. Nothing happens when what is installed already
answers to the lock file.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
NODE = HERE / "node"
CHAT = HERE.parent.parent / "examples" / "chat"
SCALED = CHAT.parent / "scaled"
NEXT = HERE / "next"
"""Installed by the one test that needs it: 340 MB."""
PAGE = HERE / "page"
"""Installed by the tests of the inspector's page: what checks it."""
IMPORTING = HERE / "importing"
"""Installed by the tests of `devproxy import`: webpack-dev-server and http-proxy-middleware."""
FOLDERS = (NODE, CHAT, SCALED)
AT_LEAST = "20.19"
"""What Vite 8 asks for."""
LIMIT_S = 300
"""For one folder; five seconds are usual, and a slow network needs more."""


class NotInstalled(Exception):
    """What is missing, and what to do about it."""


def ensure(folder: Path) -> None:
    """Run ``npm ci`` in a folder unless its ``node_modules`` was made from the same lock file by the same Node.

    Of several processes one does, and the others wait for it. Raises :class:`NotInstalled` when Node or npm is missing,
    or npm fails or takes longer than ``LIMIT_S``.
    """
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise NotInstalled(
            f"the end-to-end tests need Node {AT_LEAST} or newer with npm: https://nodejs.org/en/download"
        )
    version = subprocess.check_output([node, "--version"], text=True).strip()
    if numbers(version) < numbers(AT_LEAST):
        raise NotInstalled(f"the end-to-end tests need Node {AT_LEAST} or newer, and {node} is {version}")
    with (folder / "package-lock.json").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = hashlib.sha256(lock.read() + version.encode()).hexdigest()
        stamp = folder / "node_modules" / ".installed-from"
        if not stamp.is_file() or stamp.read_text() != wanted:
            install(folder, npm)
            stamp.write_text(wanted)


def install(folder: Path, npm: str) -> None:
    """Run ``npm ci`` in a folder. Raises :class:`NotInstalled`."""
    command = [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline", "--loglevel=error"]
    try:
        done = subprocess.run(command, cwd=folder, timeout=LIMIT_S, capture_output=True, text=True, check=False)
    except subprocess.TimeoutExpired:
        raise NotInstalled(f"npm ci in {folder} took longer than {LIMIT_S} s: is the registry reachable?") from None
    if done.returncode:
        raise NotInstalled(f"npm ci in {folder} failed with {done.returncode}:\n{done.stderr[-4000:]}")


def numbers(version: str) -> tuple[int, ...]:
    """``v20.19.2`` as ``(20, 19, 2)``."""
    return tuple(int(part) for part in version.removeprefix("v").split("-")[0].split("."))


def main() -> int:
    """Install all folders; returns the exit code."""
    try:
        for folder in FOLDERS:
            ensure(folder)
    except NotInstalled as problem:
        sys.stderr.write(f"error: {problem}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
