"""Draw the README's picture of a terminal again, from a real run: ``python -m tests.support.terminal_picture``.

A devproxy runs in tmux in front of two servers; a page is loaded, the backend ends and comes back. What the screen then
shows, colours included, is written as SVG, light and dark. Needs tmux; every port is the system's and is shown as the
one that people know.
"""

from __future__ import annotations

import html
import re
import shlex
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Final
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from tests.support.processes import wait_for
from tests.support.restartable import RestartableServer

FOLDER: Final = Path(__file__).resolve().parent.parent.parent / "docs" / "images"
COLUMNS: Final = 104
CHARACTER: Final = 7.83
LINE: Final = 19
MARGIN: Final = 18
LIGHT: Final = {"back": "#ffffff", "edge": "#d0d7de", "text": "#1f2328", "dim": "#59636e"} | dict(
    zip("1234567", ("#b42318", "#116329", "#7d4e00", "#0550ae", "#7c2d92", "#0a6b78", "#1f2328"), strict=True)
)
DARK: Final = {"back": "#0d1117", "edge": "#30363d", "text": "#e6edf3", "dim": "#8d96a0"} | dict(
    zip("1234567", ("#ff7b72", "#56d364", "#e3b341", "#79c0ff", "#d2a8ff", "#56d4dd", "#e6edf3"), strict=True)
)


class Handler(BaseHTTPRequestHandler):
    """Answers anything, and closes."""

    def answer(self) -> None:
        body = b"x" * (118 if "socket.io" in self.path else 640)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = answer

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


def port_of_four_digits() -> int:
    """A free port that takes as much room as those that are shown."""
    for port in range(5200, 9990):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError("no port of four digits is free")


def run() -> str:
    """Return the screen of a devproxy that has been used a little, with its colours."""
    ports: dict[str, int] = {}
    servers = {}
    for name in ("5173", "3001"):
        ports[name] = port_of_four_digits()
        servers[name] = RestartableServer(ports[name], Handler)
    ports["8080"] = port_of_four_digits()
    with tempfile.TemporaryDirectory(prefix="dp") as folder:

        def tmux(*words: str) -> str:
            command = ["tmux", "-S", f"{folder}/tmux", "-f", "/dev/null", *words]
            return subprocess.run(command, capture_output=True, text=True, check=True).stdout

        options = f"--frontend {ports['5173']} --backend {ports['3001']} --port {ports['8080']}"
        program = f"{shlex.quote(sys.executable)} -m devproxy up {options}"
        try:
            tmux("new-session", "-d", "-x", str(COLUMNS), "-y", "40", f"HOME={folder} TERM=xterm-256color {program}")
            wait_for(lambda: "from the command line" in tmux("capture-pane", "-p"), "the banner")
            use(f"http://localhost:{ports['8080']}/", servers, ports["3001"])
            wait_for(lambda: tmux("capture-pane", "-p").count("/api/items") >= 4, "the last request")
            time.sleep(0.3)  # for the lines that count
            screen = tmux("capture-pane", "-e", "-p")
        finally:
            with suppress(subprocess.CalledProcessError):
                tmux("send-keys", "C-c")
                time.sleep(1)
                tmux("kill-server")
    for shown, port in ports.items():
        screen = screen.replace(str(port), shown)
    return re.sub(r"(?<=key=)\w+", "…", screen)


def use(url: str, servers: dict[str, RestartableServer], port: int) -> None:
    """Load a page through devproxy, end the backend, ask it, start it again."""
    for path, kind in (("", "document"), ("src/main.js", "script"), ("api/items", "empty")):
        urlopen(Request(url + path, None, {"Sec-Fetch-Dest": kind}), timeout=30).read()
    urlopen(url + "socket.io/?EIO=4&transport=polling", timeout=30).read()
    time.sleep(0.6)
    servers["3001"].stop()
    time.sleep(0.4)
    with suppress(HTTPError):
        urlopen(url + "api/items", data=b"", timeout=30)
    waiting = threading.Thread(target=lambda: urlopen(url + "api/items", timeout=30).read())
    waiting.start()
    time.sleep(1.5)
    again = RestartableServer(port, Handler)
    waiting.join()
    again.stop()


def drawn(screen: str, command: str, colours: dict[str, str]) -> str:
    """Return `screen`, text with SGR sequences (ECMA-48, 8.3.117), below `command` as SVG."""
    rows = [f"\x1b[2m$\x1b[0m \x1b[1m{command}\x1b[0m", *screen.rstrip("\n").split("\n")]
    while rows and not re.sub(r"\x1b\[[\d;]*m", "", rows[-1]).strip():
        rows.pop()
    width, height = COLUMNS * CHARACTER + 2 * MARGIN, len(rows) * LINE + 2 * MARGIN
    fonts = "ui-monospace, SFMono-Regular, Menlo, Consolas, DejaVu Sans Mono, monospace"
    parts = [
        f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" width="{width:.0f}"
 height="{height}" role="img" aria-label="devproxy up in a terminal">
<rect x=".5" y=".5" width="{width - 1:.0f}" height="{height - 1}" rx="8" fill="{colours["back"]}"
 stroke="{colours["edge"]}"/>
<g font-family="{fonts}" font-size="13" fill="{colours["text"]}">
"""
    ]
    style: dict[str, str] = {}
    for number, row in enumerate(rows):
        column, at = 0, MARGIN + LINE * number + 14
        for codes, text in re.findall(r"\x1b\[([\d;]*)m|([^\x1b]+)", row):
            if not text:
                style = styled(style, codes, colours)
                continue
            given = "".join(f' {name}="{value}"' for name, value in style.items())
            for words in re.finditer(r"\S+(?: \S+)*", text):
                # Each run is as wide as its characters, whichever font there is.
                left, wide = MARGIN + (column + words.start()) * CHARACTER, len(words[0]) * CHARACTER
                said = html.escape(words[0])
                parts.append(f'<text x="{left:.1f}" y="{at}" textLength="{wide:.1f}"{given}>{said}</text>\n')
            column += len(text)
    return "".join([*parts, "</g>\n</svg>\n"])


def styled(style: dict[str, str], codes: str, colours: dict[str, str]) -> dict[str, str]:
    """Return the attributes of text after an SGR sequence with `codes`."""
    style = dict(style)
    for code in codes.split(";"):
        if code in ("", "0"):
            style = {}
        elif code == "1":
            style["font-weight"] = "600"
        elif code == "2":
            style["fill"] = colours["dim"]
        elif code == "39":
            style.pop("fill", None)
        elif re.fullmatch(r"[39][1-7]", code):
            style["fill"] = colours[code[1]]
        elif code == "90":
            style["fill"] = colours["dim"]
    return style


def main() -> None:
    """Write both pictures."""
    screen = run()
    for name, colours in (("terminal", LIGHT), ("terminal-dark", DARK)):
        text = drawn(screen, "devproxy up --frontend 5173 --backend 3001", colours)
        (FOLDER / f"{name}.svg").write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
