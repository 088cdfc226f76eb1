"""The inspector's API as docs/inspector-api.md describes it, without a devproxy behind it: for tests of the page.

Rows, details and the rest are what a test says. ``python -m tests.support.inspector_api`` serves a scene to look at.
"""

from __future__ import annotations

import asyncio
import json
import mimetypes
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from aiohttp import web

PAGE: Final = Path(__file__).resolve().parent.parent.parent / "devproxy" / "inspector" / "page"
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "form-action 'none'; frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'"
)
KEY: Final = "the-key-of-this-start"
BATCH_S: Final = 0.1
"""Batches of events come at most ten times a second."""

Json = dict[str, Any]


class Pending(deque[tuple[str, Any]]):
    """Events that one page has not been told yet. ``some``: set where there are."""

    def __init__(self) -> None:
        super().__init__()
        self.some = asyncio.Event()


class FakeInspector:
    """The state behind the API. Change it as you like, then call :meth:`tell` for what the page should learn.

    ``posted``: path and body of each POST. ``streams``: how many event streams are open. ``needs_key``: the page is
    asked from elsewhere.
    """

    def __init__(self) -> None:
        self.epoch = "e1"
        self.key = KEY
        self.needs_key = False
        self.rows: dict[int, Json] = {}
        self.details: dict[int, Json] = {}
        self.bodies: dict[tuple[int, str], bytes] = {}
        self.messages: dict[int, list[Json]] = {}
        self.sessions: dict[str, Json] = {}
        self.routes: list[Json] = []
        self.upstreams: list[Json] = []
        self.configuration: Json = {"source": None, "text": None, "applied_at": None, "rejected": None, "reloads": []}
        self.tested: Json = {"route": None, "upstream": None, "verdicts": [], "answer": None}
        self.about: Json = {
            "version": "0.1.0",
            "urls": ["http://localhost:8080/"],
            "source": "/app/devproxy.toml",
            "folder": "/app",
            "pid": 4711,
            "since_at": 0.0,
            "capture": False,
            "max_mib": 64,
            "is_complete": True,
        }
        self.posted: list[tuple[str, Json]] = []
        self.asked_with_secrets: list[str] = []
        self.resumed: list[str] = []
        self.followed: list[str] = []
        self.streams = 0
        self.number = 1
        self._pages: list[Pending] = []

    def put(self, *rows: Json) -> None:
        """Take new or changed rows, and tell them to the pages."""
        for row in rows:
            self.number += 1
            row["version"] = self.number
            self.rows[row["id"]] = row
        self.tell("exchanges", {"rows": list(rows)})

    def tell(self, event: str, data: Any) -> None:
        """Send an event to all open pages."""
        for pending in self._pages:
            pending.append((event, data))
            pending.some.set()

    def drop_streams(self) -> None:
        """End the event streams, as a devproxy that has gone does."""
        self.tell("", None)

    @property
    def last_event_id(self) -> str:
        """What a page that knows everything so far sends to go on from here."""
        return f"{self.epoch}-{self.number}"

    # ── the resources

    def application(self) -> web.Application:
        """Return the whole of ``/__devproxy/``."""
        app = web.Application(middlewares=[_guarded(self)])
        base = "/__devproxy"
        app.router.add_get(f"{base}/", _file)
        app.router.add_get(base + "/page/{name:.+}", _file)
        api = f"{base}/api"
        gets: dict[str, Callable[[web.Request], Any]] = {
            "about": lambda request: self._about(request),
            "exchanges": self._list,
            "exchanges/{id}": self._detail,
            "exchanges/{id}/messages": self._messages,
            "sessions": lambda request: {"sessions": list(self.sessions.values())},
            "sessions/{sid}": lambda request: self.sessions[request.match_info["sid"]],
            "routes": lambda request: {"routes": self.routes, "upstreams": self.upstreams},
            "routes/test": lambda request: self.tested,
            "configuration": lambda request: self.configuration,
        }
        for path, give in gets.items():
            app.router.add_get(f"{api}/{path}", _json(give))
        app.router.add_get(api + "/exchanges/{id}/body/{side}", self._body)
        app.router.add_get(api + "/exchanges/{id}/copy", self._copy)
        app.router.add_get(f"{api}/har", self._har)
        app.router.add_get(f"{api}/events", self._events)
        app.router.add_post(api + "/{what:.+}", self._post)
        return app

    def _about(self, request: web.Request) -> Json:
        access = "full" if _key_of(request) == self.key else "masked"
        return {**self.about, "epoch": self.epoch, "access": access, "last_event_id": self.last_event_id}

    def _list(self, request: web.Request) -> Json:
        before = int(request.query.get("before", 1 << 60))
        limit = int(request.query.get("limit", 200))
        found = [self.rows[each] for each in sorted(self.rows, reverse=True) if each < before]
        return {
            "exchanges": found[:limit],
            "more": len(found) > limit,
            "total": len(self.rows),
            "last_event_id": self.last_event_id,
        }

    def _detail(self, request: web.Request) -> Json:
        number = int(request.match_info["id"])
        if request.query.get("secrets") == "1":
            self.asked_with_secrets.append(request.path)
        nothing = {"received": None, "sent": None, "changes": None, "body": None}
        empty: Json = {"request": nothing, "response": nothing, "interim": [], "verdict": None, "findings": []}
        return {**empty, "route_source": None, **self.rows[number], **self.details.get(number, {})}

    def _messages(self, request: web.Request) -> Json:
        after = int(request.query.get("after", 0))
        found = [each for each in self.messages.get(int(request.match_info["id"]), []) if each["id"] > after]
        return {"messages": found[:500], "more": len(found) > 500, "dropped": 0}

    async def _body(self, request: web.Request) -> web.Response:
        content = self.bodies.get((int(request.match_info["id"]), request.match_info["side"]))
        if content is None:
            return _error(404, "not-found", "No body was kept.")
        headers = {"X-Devproxy-Complete": "true"}
        return web.Response(body=content, content_type="application/octet-stream", headers=headers)

    async def _copy(self, request: web.Request) -> web.Response:
        row = self.rows[int(request.match_info["id"])]
        if request.query["as"] == "curl":
            return web.Response(text=f"curl 'http://{row['host']}{row['target']}'\n")
        return web.Response(text=f"await fetch({json.dumps(row['target'])});\n")

    async def _har(self, request: web.Request) -> web.Response:
        self.posted.append(("har", dict(request.query)))
        return web.json_response({"log": {"version": "1.2", "entries": []}})

    async def _post(self, request: web.Request) -> web.Response:
        if _key_of(request) != self.key:
            return _error(403, "key-needed", "Only with the key.")
        body = json.loads(await request.text() or "{}")
        what = request.match_info["what"]
        self.posted.append((what, body))
        if what.endswith("/replay"):
            replayed = self.rows[int(what.split("/")[1])]
            number = max(self.rows) + 1
            self.put(
                {
                    **replayed,
                    "id": number,
                    "replay_of": replayed["id"],
                    "method": body.get("method", replayed["method"]),
                }
            )
            return web.json_response({"id": number})
        if what == "clear":
            self.rows.clear()
            self.tell("cleared", {})
        elif what == "capture":
            self.about["capture"] = body["on"]
        return web.json_response({})

    async def _events(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await response.prepare(request)
        pending = Pending()
        self._pages.append(pending)
        self.streams += 1
        self.resumed.append(request.query.get("last_event_id", ""))
        self.followed.append(request.query.get("exchange", ""))
        since = int(self.resumed[-1].rpartition("-")[2] or 0)
        missed = [row for row in self.rows.values() if row["version"] > since]
        try:
            await response.write(self._event("hello", self._about(request)))
            if missed:
                await response.write(self._event("exchanges", {"rows": missed}))
            while True:
                await pending.some.wait()
                if pending[0][0] == "exchanges":
                    await asyncio.sleep(BATCH_S)
                event, data = pending.popleft()
                while event == "exchanges" and pending and pending[0][0] == event:
                    data = {"rows": [*data["rows"], *pending.popleft()[1]["rows"]]}
                if not pending:
                    pending.some.clear()
                if not event:
                    break
                await response.write(self._event(event, data))
        except ConnectionResetError:
            pass
        finally:
            self._pages.remove(pending)
            self.streams -= 1
        return response

    def _event(self, name: str, data: Any) -> bytes:
        text = json.dumps(data, ensure_ascii=False)
        return f"event: {name}\nid: {self.last_event_id}\ndata: {text}\n\n".encode("utf-8", "surrogateescape")


def _key_of(request: web.Request) -> str:
    return request.headers.get("X-Devproxy-Key", "")


def _error(status: int, code: str, what: str, help: str = "") -> web.Response:
    return web.json_response({"error": code, "what": what, "help": help}, status=status)


def _guarded(inspector: FakeInspector) -> Any:
    @web.middleware
    async def guard(request: web.Request, handler: Any) -> web.StreamResponse:
        key = _key_of(request)
        is_api = "/api/" in request.path
        if is_api and key and key != inspector.key:
            return _error(401, "wrong-key", "The key is that of an earlier start.")
        if is_api and not key and inspector.needs_key:
            return _error(401, "key-needed", "From here the inspector opens only with its key.")
        if request.query.get("secrets") == "1" and not key:
            return _error(403, "key-needed", "Secrets are shown only with the key.")
        try:
            answer: web.StreamResponse = await handler(request)
        except KeyError:
            return _error(404, "not-found", "It is no longer kept.")
        return answer

    return guard


def _json(give: Callable[[web.Request], Any]) -> Callable[[web.Request], Any]:
    async def answer(request: web.Request) -> web.Response:
        return web.json_response(give(request), headers={"Cache-Control": "no-store"})

    return answer


async def _file(request: web.Request) -> web.Response:
    path = PAGE / request.match_info.get("name", "index.html")
    if not path.is_file():
        raise web.HTTPNotFound
    kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
    headers = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
    return web.Response(body=path.read_bytes(), content_type=kind, headers=headers)


@asynccontextmanager
async def serving(inspector: FakeInspector) -> AsyncIterator[str]:
    """Serve it on a port of loopback that the system chooses; yields the page's address, without the key."""
    runner = web.AppRunner(inspector.application(), shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/__devproxy/"
    finally:
        inspector.drop_streams()
        await runner.cleanup()


def exchange(number: int, **values: Any) -> Json:
    """Return a row: a GET that went well, but for what `values` say. ``started_at`` rises with `number`."""
    times = {"sent_s": 0.001, "first_byte_s": 0.011, "ended_s": 0.012, "held_s": None, **values.pop("times", {})}
    return {
        "id": number,
        "version": 0,
        "state": "done",
        "method": "GET",
        "target": f"/api/items/{number}",
        "host": "localhost:8080",
        "scheme": "http",
        "http": "1.1",
        "client": "127.0.0.1",
        "origin": None,
        "destination": "empty",
        "status": 200,
        "kind": "fetch",
        "type": "application/json",
        "route": "/api/",
        "upstream": "backend",
        "server": "http://localhost:3001",
        "started_at": 1764531000.0 + number / 100,
        "request_bytes": 0,
        "response_bytes": 312,
        "outcome": "complete",
        "error": "",
        "detail": "",
        "problem": None,
        "marks": [],
        "session": None,
        "tunnel": None,
        "is_kept": True,
        "replay_of": None,
        **values,
        "times": times,
    }


async def _look() -> None:
    from tests.support.inspector_scene import scene

    inspector = scene()
    async with serving(inspector) as url:
        print(f"{url}#key={inspector.key}", flush=True)  # noqa: T201
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_look())
