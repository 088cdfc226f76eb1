"""Small programs for devproxy to run, and what the system says of the processes that are left.

Owns: the scripts. Never: starts them itself. Start reading at :data:`SERVER`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

SERVER = """
import http.server, os, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = f"{sys.argv[1:]} {os.environ.get('PORT')} {os.environ.get('DEVPROXY_URL')}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
port = int(sys.argv[1])
while True:
    try:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Answer)
        break
    except OSError:
        print(f"Port {port} is in use, trying another one...", flush=True)
        port += 1
print(f"  Local:   http://localhost:{port}/", flush=True)
server.serve_forever()
"""
"""Listens on the port that it is given or, like Vite, on the next one that is free."""


def script(folder: Path, text: str, name: str = "program.py") -> list[str]:
    """Write `text` as a script of Python; return the command that runs it."""
    (folder / name).write_text(text)
    return [sys.executable, name]


def marked(mark: str) -> list[int]:
    """The processes of which an argument contains `mark`, besides this one's."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                words = (entry / "cmdline").read_bytes()
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
            except OSError:
                continue
            if mark.encode() in words and state != "Z":
                found.append(int(entry.name))
    return found
