"""``devproxy record``: what passes through a running devproxy, as a HAR file. Start at :func:`run`.

Attaches to the inspector of a devproxy of this user that is running, by its private socket, as a page does by the port.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import signal
import socket
import threading
from contextlib import suppress
from time import monotonic
from typing import Any, Final

from devproxy.cli.refusal import FAILED, FINE, Refused, put
from devproxy.console.text import counted
from devproxy.plan.pages import DIRECT, PEER_FIELD, SECRET_FIELD, WAY_FIELD
from devproxy.platforms.endpoints import connect
from devproxy.platforms.signals import STOPPING
from devproxy.running.asking import Running, running, running_with

TIMEOUT_S: Final = 10.0
_EVERY_S: Final = 1.0
"""How often what has come is written: what is lost if this ends by force."""


def run(options: argparse.Namespace) -> int:
    """Run ``devproxy record`` until Ctrl-C, or for ``--for`` seconds; return 0."""
    one = _chosen(options.url, options.config)
    client = _Client(one)
    stop = threading.Event()
    for number in STOPPING:
        signal.signal(number, lambda *_: stop.set())
    recording = _Recording(client, options.file, secrets=options.secrets)
    recording.begin()
    put(f"recording {one.urls[0]} to {options.file}; Ctrl-C ends it\n")
    until = monotonic() + options.seconds if options.seconds else float("inf")
    while not stop.is_set() and monotonic() < until and not recording.is_over:
        stop.wait(min(_EVERY_S, max(until - monotonic(), 0.0)))
        recording.write()
    recording.end()
    put(f"{counted(len(recording.entries), 'request')} in {options.file}\n")
    return FINE


def _chosen(url: str | None, config: str | None) -> Running:
    """Return the devproxy that is meant: the one at `url`, with the file `config`, or the only one."""
    if config is not None:
        found = running_with(config)
        if found is None:
            raise Refused(f"no devproxy is running with {config}", "devproxy list", exit_code=FAILED)
        return found
    known = running()
    if url is not None:
        known = [one for one in known if url.rstrip("/") in {own.rstrip("/") for own in one.urls}]
    if not known:
        raise Refused("no devproxy is running" + (f" at {url}" if url else ""), "devproxy up", exit_code=FAILED)
    if len(known) > 1:
        here = [one for one in known if one.folder == os.getcwd()]
        if len(here) != 1:
            ways = [f"devproxy record --url {one.urls[0]} …" for one in known[:5]]
            raise Refused(f"{len(known)} devproxys are running: say which one", *ways)
        return here[0]
    return known[0]


class _Client:
    """Asks the inspector of `one`."""

    def __init__(self, one: Running) -> None:
        try:
            said = one.ask("inspector")
        except OSError as error:
            raise Refused(f"{one.urls[0]} does not answer: {error}", "devproxy list", exit_code=FAILED) from None
        self._path, self._port = str(said.get("socket", "")), int(said.get("port", 0))
        self._fields = {
            "Host": "localhost",
            SECRET_FIELD: str(said.get("secret", "")),
            "X-Devproxy-Key": str(said.get("key", "")),
            PEER_FIELD: "127.0.0.1",
            WAY_FIELD: DIRECT,
        }
        if not self._path and not self._port:
            raise Refused(
                f"the inspector of {one.urls[0]} is switched off", "[inspector] enabled = true", exit_code=FAILED
            )

    def connect(self) -> http.client.HTTPConnection:
        """Return a connection to it."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port or None, timeout=TIMEOUT_S)
        if self._path:
            connection.sock = connect(self._path, TIMEOUT_S)
        return connection

    def get(self, resource: str) -> Any:
        """Return what the API says of `resource`. Raises OSError."""
        connection = self.connect()
        try:
            answer = self.ask(connection, resource)
            if answer.status != 200:
                raise OSError(0, f"{answer.status} {answer.reason}")
            return json.loads(answer.read())
        finally:
            connection.close()

    def ask(self, connection: http.client.HTTPConnection, resource: str) -> http.client.HTTPResponse:
        """Return the answer about `resource` on `connection`."""
        connection.request("GET", f"/__devproxy/api/{resource}", headers=self._fields)
        return connection.getresponse()


class _Recording:
    """The entries so far. ``is_over``: the devproxy has gone."""

    def __init__(self, client: _Client, path: str, *, secrets: bool) -> None:
        self._client = client
        self._path = path
        self._query = "&secrets=1" if secrets else ""
        self._ended: list[int] = []
        self._known: set[int] = set()
        self._written = -1
        self._version = ""
        self.entries: list[dict[str, Any]] = []
        self.is_over = False

    def begin(self) -> None:
        """Begin to listen. Raises :class:`Refused` where that cannot be, or the file cannot be written."""
        try:
            self._write_file()
            self._connection = self._client.connect()
            self._stream = self._client.ask(self._connection, "events")
            known = self._client.get("exchanges?limit=1")["exchanges"]
            self._before = known[0]["id"] if known else 0
        except OSError as error:
            raise Refused(f"cannot record: {error.strerror or error}", exit_code=FAILED) from None
        assert self._connection.sock is not None
        self._connection.sock.settimeout(None)
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        """Note which exchanges have ended, until the stream does."""
        name = ""
        with suppress(OSError, ValueError, AttributeError, http.client.HTTPException):  # it is closed in mid-read
            for line in self._stream:
                if line.startswith(b"event: "):
                    name = line[7:].strip().decode()
                elif line.startswith(b"data: ") and name == "exchanges":
                    rows = json.loads(line[6:])["rows"]
                    self._ended += [row["id"] for row in rows if row["state"] == "done"]
        self.is_over = True

    def write(self) -> None:
        """Take what has ended, and write the file if there is more than before."""
        ended, self._ended = self._ended, []
        new = [one for one in dict.fromkeys(ended) if one not in self._known]
        for start in range(0, len(new), 100):
            some = new[start : start + 100]
            with suppress(OSError, ValueError, http.client.HTTPException):
                log = self._client.get(f"har?ids={','.join(map(str, some))}{self._query}")["log"]
                self._version = log["creator"]["version"]
                self.entries += log["entries"]
                self._known.update(some)
        if len(self.entries) != self._written:
            self._write_file()

    def end(self) -> None:
        """Take the rest: what has ended, whether the stream has said so or not."""
        with suppress(OSError, ValueError, http.client.HTTPException):
            rows = self._client.get("exchanges?limit=500")["exchanges"]
            self._ended += [row["id"] for row in rows[::-1] if row["state"] == "done" and row["id"] > self._before]
        self.write()
        with suppress(OSError):
            # To close it waits for the thread that reads from it, whose next line may be 15 s away: end that first.
            if self._connection.sock is not None:
                self._connection.sock.shutdown(socket.SHUT_RDWR)
            self._connection.close()

    def _write_file(self) -> None:
        creator = {"name": "devproxy", "version": self._version}
        log = {"version": "1.2", "creator": creator, "pages": [], "entries": self.entries}
        draft = f"{self._path}.part"
        try:
            with open(draft, "w", encoding="utf-8") as file:
                json.dump({"log": log}, file, indent=1)
            os.replace(draft, self._path)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise Refused(f"cannot write {self._path}: {reason}", exit_code=FAILED) from None
        self._written = len(self.entries)
