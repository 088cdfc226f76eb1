"""What differs by system is behind one folder: no other module asks which one this is, or uses what only some have."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent.parent / "devproxy"
FOLDER = PACKAGE / "platforms"
OTHERS = sorted(path for path in PACKAGE.rglob("*.py") if FOLDER not in path.parents)

MODULES = {"fcntl", "grp", "msvcrt", "pty", "pwd", "resource", "select", "termios", "tty", "winreg", "ctypes", "uvloop"}
"""Modules that not every system has, or that work differently."""
ATTRIBUTES = {
    "sys": {"platform", "getwindowsversion"},
    "os": {
        "name", "uname", "fork", "forkpty", "getuid", "geteuid", "getgid", "getegid", "getpgrp", "getpgid", "getppid",
        "getsid", "kill", "killpg", "setsid", "setpgid", "setuid", "setgid", "tcgetpgrp", "tcsetpgrp", "posix_spawn",
        "chown", "fchown", "lchown", "mkfifo", "openpty", "ctermid", "sysconf", "startfile", "set_blocking",
        "WNOHANG", "O_NOCTTY", "O_NONBLOCK", "O_NOFOLLOW", "O_CLOEXEC", "O_DIRECTORY", "O_BINARY",
    },
    "stat": {"S_IWOTH", "S_IRWXG", "S_ISVTX", "S_ISUID"},
    "signal": {"SIGHUP", "SIGKILL", "SIGUSR1", "SIGUSR2", "SIGCHLD", "SIGBREAK", "SIGTSTP", "set_wakeup_fd"},
    "socket": {"AF_UNIX", "SO_REUSEPORT", "SO_REUSEADDR", "SO_EXCLUSIVEADDRUSE", "MSG_DONTWAIT", "MSG_NOSIGNAL"},
    "time": {"CLOCK_BOOTTIME", "clock_gettime"},
    "platform": {"system", "uname", "release", "machine"},
}  # fmt: skip
METHODS = {
    "add_signal_handler", "remove_signal_handler", "add_reader", "remove_reader", "add_writer", "remove_writer",
    "create_unix_connection", "create_unix_server", "open_unix_connection", "start_unix_server", "start_serving_pipe",
    "create_pipe_connection", "connect_read_pipe", "connect_write_pipe", "fchown", "getpwuid", "getpwnam",
}  # fmt: skip
EXCUSED = {
    ("gateway/front/listener.py", ".add_reader"): "accepts in a way of its own on each kind of loop",
    ("gateway/front/listener.py", ".remove_reader"): "the same",
    ("console/banner.py", "/dev/"): "how the path of a pipe begins that a shell gives, as in --config <(…)",
    ("console/banner.py", "/proc/"): "the same",
    ("cli/starting.py", "SYSTEM"): "says on what it runs, in a report",
    ("trust/stores.py", "SYSTEM"): "each system has stores of its own",
}


def used(path: Path) -> Iterator[tuple[int, str]]:
    """Line and name of what not every system has, and of every question which one this is."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, one.name) for one in node.names if one.name.partition(".")[0] in MODULES)
        elif isinstance(node, ast.ImportFrom):
            source = (node.module or "").partition(".")[0]
            if source in MODULES:
                yield node.lineno, source
            wanted = ATTRIBUTES.get(node.module or "", set())
            yield from ((node.lineno, f"{node.module}.{one.name}") for one in node.names if one.name in wanted)
            if node.module == "devproxy.platforms.system":
                yield from ((node.lineno, one.name) for one in node.names)
        elif isinstance(node, ast.Attribute):
            if isinstance(node.value, ast.Name) and node.attr in ATTRIBUTES.get(node.value.id, ()):
                yield node.lineno, f"{node.value.id}.{node.attr}"
            if node.attr in METHODS:
                yield node.lineno, f".{node.attr}"
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            if node.value.startswith(("/proc/", "/sys/", "/dev/")) and " " not in node.value:
                yield node.lineno, node.value


@pytest.mark.parametrize("path", OTHERS, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_what_differs_by_system_is_in_its_folder(path: Path) -> None:
    name = path.relative_to(PACKAGE).as_posix()
    found = [f"{name}:{line}: {what}" for line, what in used(path) if (name, what) not in EXCUSED]
    assert not found, "this belongs into devproxy/platforms: " + ", ".join(found)


def test_none_is_excused_that_does_not_exist() -> None:
    real = {(path.relative_to(PACKAGE).as_posix(), what) for path in OTHERS for _, what in used(path)}
    assert set(EXCUSED) <= real


def test_the_folder_itself_would_not_pass() -> None:
    found = {what for path in FOLDER.glob("*.py") for _, what in used(path)}
    assert {"sys.platform", "pwd", "resource", "fcntl", ".add_signal_handler", "socket.AF_UNIX", "uvloop"} <= found


def test_no_part_of_it_knows_devproxys_own_matters() -> None:
    for path in FOLDER.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("devproxy."):
                assert (node.module or "").startswith("devproxy.platforms"), f"{path.name}:{node.lineno}: {node.module}"
