"""A service worker that another project left on this origin: marked, and gone after a click, in a real Chromium."""

from __future__ import annotations

import asyncio

from aiohttp import web
from tests.support.browser import open_page
from tests.support.inspecting import inspected
from tests.support.page_driver import click, until_text
from tests.support.small_app import answering_by

WORKER = """
self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
self.addEventListener("fetch", (event) => {
  if (new URL(event.request.url).pathname === "/old") event.respondWith(new Response("of the other project"));
});
"""
REGISTER = """
(async () => {
  await navigator.serviceWorker.register("/sw.js");
  await navigator.serviceWorker.ready;
  localStorage.setItem("project", "other");
  document.cookie = "session=other";
  await (await caches.open("other")).put("/x", new Response("kept"));
})()
"""
LEFT = """
(async () => [
  (await navigator.serviceWorker.getRegistrations()).length, localStorage.length, document.cookie,
  (await caches.keys()).length,
])()
"""
ROW = (
    "[...document.querySelectorAll('#canvas .row')].find((row) => row.innerText.includes('/sw.js') && "
    "row.innerText.includes('404'))"
)
UPDATE = "navigator.serviceWorker.getRegistration().then((one) => one.update()).then(() => 'updated', () => 'failed')"


class Project:
    """What is served: of the ``other`` project, which has a worker, until that is over."""

    is_other = True

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/sw.js":
            if not self.is_other:
                return web.Response(status=404, text="no such file")
            return web.Response(text=WORKER, content_type="text/javascript")
        return web.Response(text=f"<title>{request.path}</title>{request.path}", content_type="text/html")


async def test_a_click_drops_what_another_project_has_left_here() -> None:
    project = Project()
    async with answering_by(project.answer) as port, open_page() as page:
        upstream = f'[upstreams]\nbackend = "http://127.0.0.1:{port}"\n[[routes]]\npath = "/"\nupstream = "backend"\n'
        with inspected("[inspector]\ncapture = true\n" + upstream) as running:
            origin = f"http://localhost:{running.port}"
            await page.goto(f"{origin}/")
            await page.until("document.title === '/'")
            await page.evaluate(REGISTER)
            assert await page.evaluate(LEFT) == [1, 1, "session=other", 1]
            assert await page.evaluate("fetch('/old').then((one) => one.text())") == "of the other project"

            project.is_other = False
            assert await page.evaluate(UPDATE) == "failed"
            assert await page.evaluate("fetch('/old').then((one) => one.text())") == "of the other project"

            await page.goto(f"{origin}/__devproxy/#key={running.key}")
            await page.until("document.getElementById('health')?.dataset.state === 'live'")
            await page.until(f"{ROW} !== undefined")
            await page.evaluate(f"{ROW}.click()")
            await click(page, "#tab-overview")
            await until_text(page, "#detail", "A service worker of another project")
            assert await page.evaluate(LEFT) == [1, 1, "session=other", 1]
            await click(page, "#detail .tool:has(.icon-trash)")
            await page.until("document.body.innerText.includes('The browser dropped what this origin had stored')")
            assert await page.evaluate(LEFT) == [0, 0, "", 0]

            await page.goto(f"{origin}/old")
            await page.until("document.title === '/old'")
            await asyncio.to_thread(
                running.wait, lambda: [row for row in running.rows() if row["target"] == "/old"], "it at the server"
            )
