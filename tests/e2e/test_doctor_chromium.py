"""What ``devproxy doctor`` says that a browser says, held against what real Chromium says for the same servers."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from devproxy.doctor.problems import Diagnosis, Problem
from tests.e2e.harness import node_server
from tests.e2e.test_doctor import NODE, Case, examined
from tests.support.browser import Page, open_page

ASK: Final = """
async (how, url, credentials, preflighted) => {
  if (how === 'WebSocket') {
    const socket = new WebSocket(url);
    return new Promise((resolve) => {
      socket.onclose = () => resolve('closed');
      socket.onopen = () => resolve('open');
    });
  }
  const headers = preflighted ? { 'x-devproxy-doctor': '1' } : {};
  if (how === 'fetch') {
    const json = { method: 'POST', body: '{}', headers: { 'Content-Type': 'application/json' } };
    const mode = credentials ? 'include' : 'same-origin';
    return fetch(url, { credentials: mode, ...(preflighted ? json : {}) }).then(() => 'read', () => 'blocked');
  }
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    request.open('GET', url);
    request.withCredentials = credentials;
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.onload = () => resolve('read');
    request.onerror = () => resolve('blocked');
    request.send();
  });
}
"""
"""Asks as a page does: by XMLHttpRequest as Socket.IO polls, by fetch, or for a WebSocket."""
AT_LEAST: Final = 30
"""Messages that are compared."""


class Blank(BaseHTTPRequestHandler):
    """A page without anything in it."""

    def do_GET(self) -> None:
        body = b"<!doctype html><link rel=icon href=data:,><title>a page</title>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


@contextmanager
def blank_page() -> Iterator[str]:
    """Serve an empty page, and give its origin."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Blank)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://localhost:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


async def said_by_chromium(page: Page, problem: Problem, case: Case) -> list[str]:
    """Do in the page what `problem` is about; return what the console says of that URL."""
    found = re.search(r"'((?:http|ws)s?://[^']+)'|GET (\S+)", problem.browser)
    assert found is not None, problem.browser
    url = found[1] or found[2]
    kind = (
        "WebSocket" if problem.browser.startswith("WebSocket") else "fetch" if " fetch at" in problem.browser else "XHR"
    )
    page.reports.clear()
    preflighted = str(problem.code).startswith("preflight")
    arguments = f"'{kind}', '{url}', {str(case.credentials).lower()}, {str(preflighted).lower()}"
    result = await page.evaluate(f"({ASK})({arguments})")
    for _ in range(100):  # the console speaks a little later than the page
        if any(agrees(problem.browser, *report) for report in page.reports):
            break
        await asyncio.sleep(0.02)
    return [result, *(f"{url}: {text}" for url, text in page.reports)]


def agrees(expected: str, url: str, text: str) -> bool:
    """Tell whether a message is what was expected: to the letter, but for hints behind it, which differ by version.

    What the developer tools show as ``GET URL 404 (Not Found)`` is reported in other words.
    """
    if expected.startswith("GET "):
        what = expected.split(" ", 2)[2]
        return url == expected.split(" ")[1] and what in text.replace("a status of ", "")
    return text.startswith(expected)


async def test_chromium_says_what_the_doctor_says_that_it_says(node_packages: None) -> None:
    with blank_page() as origin, node_server("doctor", {"page": origin}) as server:
        ports = server.json_line(lambda line: "ports" in line, "its ports")["ports"]
        cases = {name: case._replace(page=origin) for name, case in NODE.items() if case.errors}
        results: dict[str, tuple[Diagnosis, float]] = await asyncio.to_thread(examined, cases, ports)
        compared, wrong = 0, []
        async with open_page() as page:
            await page.goto(f"{origin}/")
            await page.until("document.title === 'a page'")
            for name, (diagnosis, _) in results.items():
                problem = diagnosis.problems[0]
                if not problem.browser or "sid=" in problem.browser:
                    continue
                compared += 1
                said = await said_by_chromium(page, problem, cases[name])
                if not any(agrees(problem.browser, *report) for report in page.reports):
                    wrong.append(f"{name}: expected {problem.browser!r}, Chromium said {said}")
    assert not wrong, "\n".join(wrong)
    assert compared >= AT_LEAST
