"""A stand-in for Windows, loaded by the interpreter at its start: Python there, without what Python lacks there.

Put the folder of this file first in ``PYTHONPATH``. What is taken away: modules, functions, signals and socket options
that Python does not have on Windows, and uvloop. What is put in: an event loop with the interface of asyncio's
proactor, and its named pipes, which are sockets in the folder ``SIMULATED_PIPES``. What stays as it is on Linux: the
file system, how processes are started and ended, and the standard library, which is imported before.

Proves that no line of devproxy needs what is missing. Says nothing about how Windows itself behaves.
"""

from __future__ import annotations

import asyncio
import builtins
import concurrent.futures
import email.parser
import faulthandler
import getpass
import http.client
import io
import json
import logging
import mimetypes
import multiprocessing
import os
import pathlib
import platform
import select
import selectors
import shutil
import signal
import socket
import socketserver
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import uuid
import webbrowser
from typing import Any

_LOADED_FIRST = (
    concurrent.futures, email.parser, getpass, http.client, json, logging, mimetypes, multiprocessing, pathlib,
    platform, selectors, shutil, socketserver, sqlite3, ssl, subprocess, tempfile, threading, urllib.request, uuid,
    webbrowser,
)  # fmt: skip
"""They look at the system when they are imported, and must find the one that they run on."""

_UNIX = socket.AF_UNIX
_PIPE = "\\\\.\\pipe\\"
_LINUX_SOCKETPAIR, _LINUX_OPEN, _LINUX_SOCKET = socket.socketpair, builtins.open, socket.socket

MISSING_MODULES = ("uvloop", "pwd", "grp", "resource", "fcntl", "termios", "tty", "pty")
MISSING = {
    os: (
        "chown", "ctermid", "fchown", "fork", "forkpty", "getegid", "geteuid", "getgid", "getpgid", "getpgrp", "getsid",
        "getuid", "killpg", "lchown", "mkfifo", "openpty", "posix_spawn", "posix_spawnp", "setgid", "setpgid", "setsid",
        "setuid", "sysconf", "tcgetpgrp", "tcsetpgrp", "uname", "O_CLOEXEC", "O_DIRECTORY", "O_NOCTTY",
        "O_NOFOLLOW", "O_NONBLOCK",
    ),
    signal: ("SIGALRM", "SIGCHLD", "SIGHUP", "SIGTSTP", "SIGUSR1", "SIGUSR2", "SIGWINCH", "pthread_kill"),
    socket: ("AF_UNIX", "SO_REUSEPORT", "MSG_DONTWAIT", "MSG_NOSIGNAL"),
    select: ("poll", "epoll", "POLLRDHUP", "PIPE_BUF"),
    faulthandler: ("register", "unregister"),
    time: ("clock_gettime", "CLOCK_BOOTTIME", "CLOCK_MONOTONIC"),
}  # fmt: skip


def _unsupported(name: str) -> Any:
    """Return a method that asyncio itself still has, and no other module."""

    def method(self: Any, *arguments: Any, **others: Any) -> Any:
        if not sys._getframe(1).f_globals["__name__"].startswith("asyncio."):
            raise NotImplementedError(name)
        return getattr(asyncio.SelectorEventLoop, name)(self, *arguments, **others)

    return method


class ProactorEventLoop(asyncio.SelectorEventLoop):
    """A loop with the interface of the one on Windows: no readers, no signals, no Unix sockets, but named pipes."""

    add_reader, remove_reader = _unsupported("add_reader"), _unsupported("remove_reader")
    add_writer, remove_writer = _unsupported("add_writer"), _unsupported("remove_writer")
    add_signal_handler, remove_signal_handler = (
        _unsupported("add_signal_handler"),
        _unsupported("remove_signal_handler"),
    )
    create_unix_connection, create_unix_server = (
        _unsupported("create_unix_connection"),
        _unsupported("create_unix_server"),
    )

    async def start_serving_pipe(self, factory: Any, address: str) -> list[asyncio.Server]:
        """As ``asyncio.ProactorEventLoop`` has it: the pipe must not be there yet."""
        sock = _LINUX_SOCKET(_UNIX, socket.SOCK_STREAM)
        sock.bind(_place(address))
        sock.listen()
        sock.setblocking(False)
        return [await self.create_server(factory, sock=sock)]


def _place(address: str) -> str:
    assert address.startswith(_PIPE), address
    return os.path.join(os.environ["SIMULATED_PIPES"], address[len(_PIPE) :])


def _open(file: Any, *arguments: Any, **others: Any) -> Any:
    if not isinstance(file, str) or not file.startswith(_PIPE):
        return _LINUX_OPEN(file, *arguments, **others)
    sock = _LINUX_SOCKET(_UNIX, socket.SOCK_STREAM)
    try:
        sock.connect(_place(file))
    except OSError:
        sock.close()
        raise FileNotFoundError(2, "The system cannot find the file specified", file) from None
    with sock:
        return sock.makefile("rwb", buffering=0)


def _socketpair(*arguments: Any) -> Any:
    return _LINUX_SOCKETPAIR(*(arguments or (_UNIX,)))


def become_windows() -> None:
    """Take away what Windows does not have, and put in what it has instead."""
    asyncio.new_event_loop().close()  # asyncio chooses its policy when it is first asked for a loop
    for name in MISSING_MODULES:
        sys.modules[name] = None  # type: ignore[assignment]  # importing it raises ImportError
    for module, names in MISSING.items():
        for name in names:
            if hasattr(module, name):
                delattr(module, name)
    builtins.open = io.open = _open
    socket.socketpair = _socketpair  # type: ignore[assignment]
    asyncio.ProactorEventLoop = ProactorEventLoop  # type: ignore[attr-defined]
    unix_events: Any = sys.modules["asyncio.unix_events"]
    for name in ("_UnixDefaultEventLoopPolicy", "_DefaultEventLoopPolicy"):  # until 3.13, and from 3.14 on
        if hasattr(unix_events, name):
            getattr(unix_events, name)._loop_factory = ProactorEventLoop
    if hasattr(asyncio, "EventLoop"):  # from 3.13 on
        asyncio.EventLoop = ProactorEventLoop
    setattr(ssl, "enum_certificates", lambda _: [])  # noqa: B010  # the stores of Windows: nothing is there
    subprocess._USE_POSIX_SPAWN = False  # type: ignore[misc]  # it was there when the module was imported
    if hasattr(shutil, "_win_path_needs_curdir"):  # from 3.12 on it asks Windows
        setattr(shutil, "_win_path_needs_curdir", lambda *_: False)  # noqa: B010
    sys.platform = "win32"


become_windows()
