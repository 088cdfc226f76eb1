"""``devproxy health``: ask a running devproxy whether it is up, over a plain socket, as quickly as that can be."""

from __future__ import annotations

import argparse
import socket
import sys
from pathlib import Path
from typing import Final

from devproxy.cli.loading import Refused, find, load_file
from devproxy.config import Config, ConfigError, Listen, from_arguments

TIMEOUT_S: Final = 2.0
_PATH: Final = "/__devproxy/health"


def run(options: argparse.Namespace) -> int:
    """Return 0 when devproxy answers 200, else 1 with the reason on stderr."""
    host, port = _address(options)
    request = f"GET {_PATH} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n"
    try:
        with socket.create_connection((host, port), timeout=TIMEOUT_S) as sock:
            sock.sendall(request.encode())
            answer = sock.recv(4096)
    except OSError as error:
        raise Refused(
            f"no devproxy answers on {host}:{port}: {error.strerror or error}",
            "start it with devproxy up, or name its address with --url http://localhost:8080/",
            exit_code=1,
        ) from None
    status = answer.partition(b"\r\n")[0]
    if not status.startswith(b"HTTP/1.1 200"):
        raise Refused(f"{host}:{port} answers, but not as devproxy does", exit_code=1)
    sys.stdout.write("ok\n")
    return 0


def _address(options: argparse.Namespace) -> tuple[str, int]:
    listen = _listen(options)
    if not listen.port:
        raise Refused("the configuration lets the system choose the port", "name the address with --url")
    # "" and the wildcard addresses stand for every address: the loopback one is among them.
    return ("127.0.0.1" if listen.host in ("", "0.0.0.0", "::", "localhost") else listen.host), listen.port


def _listen(options: argparse.Namespace) -> Listen:
    text = options.listen
    if options.url is not None:
        scheme, separator, rest = options.url.partition("://")
        text = (rest if separator else scheme).partition("/")[0]
        text = text if text.rpartition(":")[2].isdigit() else f"{text}:80"
    if text is not None:
        try:
            return from_arguments(frontend="1", backend=None, backend_paths=(), listen=[text]).server.listen[0]
        except ConfigError as error:
            raise Refused(error.problems[0].what, error.problems[0].help) from None
    return _configured(options).server.listen[0]


def _configured(options: argparse.Namespace) -> Config:
    try:
        path = find(options.config)
    except Refused:
        return from_arguments(frontend="1", backend=None, backend_paths=(), listen=())
    return load_file(Path(path))
