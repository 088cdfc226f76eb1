"""What sources say: addresses that go past devproxy, paths that backends declare, routes that frontends have."""

from __future__ import annotations

import pytest
from devproxy.init import kinds
from devproxy.init.bypasses import bypasses_in
from devproxy.init.declared import declared_in, socket_paths_in, static_part
from devproxy.init.kinds import Kind
from devproxy.init.own_routes import own_routes


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        ('io("http://localhost:3001")', "io()"),
        ("io('http://localhost:3001/admin')", "io('/admin')"),
        ('io("http://localhost:3001", { path: "/ws" })', "io(…)"),
        ('io("localhost:3001/admin", { x })', 'io("/admin", …)'),
        ("io(`http://${window.location.hostname}:3001`)", "io()"),
        ('socketIOClient("http://localhost:3001", o)', "socketIOClient(…)"),
        ('new Manager("http://localhost:3001")', "new Manager()"),
        ("io.connect('http://127.0.0.1:3001')", "io.connect()"),
        ("io(\n  'http://localhost:3001',\n)", "io()"),
        ('new WebSocket("ws://localhost:3001/live")', 'new WebSocket("/live")'),
        ("new WebSocket(`ws://${location.hostname}:3001/ws`)", "new WebSocket(`/ws`)"),
        ('new EventSource("http://[::1]:3001/events")', 'new EventSource("/events")'),
        ('await fetch("http://localhost:3001/api/items")', 'fetch("/api/items")'),
        ("fetch(`http://localhost:3001/users/${id}?x=1`, { method })", "fetch(`/users/${id}?x=1`, …)"),
        ('fetch("http://localhost:3001")', 'fetch("/")'),
        ('axios.get("http://api.localhost:3001/x")', 'axios.get("/x")'),
        ('axios.create({ baseURL: "http://localhost:3001/api" })', 'baseURL: "/api"'),
        ('const API_URL = "http://localhost:3001/api";', 'API_URL = "/api"'),
        ('const url: string = "http://localhost:3001";', 'url: string = ""'),
        ('import.meta.env.VITE_API || "http://localhost:3001/api"', 'VITE_API || "/api"'),
        ('x ?? "http://localhost:3001/api"', '?? "/api"'),
        ('"http://" + location.hostname + ":3001/up"', '"/up"'),
        ('<script src="http://localhost:3001/socket.io/socket.io.js">', 'src="/socket.io/socket.io.js"'),
    ],
    ids=lambda value: value.splitlines()[0][:32],
)
def test_an_address_that_goes_past_devproxy_and_what_to_write(text: str, instead: str) -> None:
    found = list(bypasses_in("src/a.ts", f"\n\n{text}\n"))
    assert [one.instead for one in found] == [instead]
    assert found[0].port == 3001
    assert found[0].place.line in (3, 4)


@pytest.mark.parametrize(
    "text",
    [
        "io()",
        'io("/admin")',
        'fetch("/api/items")',
        '// fetch("http://localhost:3001/x")',
        ' * io("http://localhost:3001")',
        'console.log("http://localhost:3001")',
        'cors: { origin: "http://localhost:5173" }',
        'fetch("https://api.example.com/x")',
        'const host = "localhost";',
        'const text = "see http://localhost:3001 for more";',
        "new WebSocket(`ws://${location.host}/ws`)",
        'fetch("http://localhostile:3001/x")',
    ],
    ids=lambda value: value[:24],
)
def test_what_does_not_go_past_devproxy(text: str) -> None:
    assert list(bypasses_in("src/a.ts", text)) == []


@pytest.mark.parametrize(
    ("line", "instead"),
    [
        ("VITE_API_URL=http://localhost:3001/api", "VITE_API_URL=/api"),
        ("VITE_API_URL=http://localhost:3001/", "VITE_API_URL="),
        ('export REACT_APP_API_URL="http://127.0.0.1:3001/api"', "REACT_APP_API_URL=/api"),
        ("VITE_SOCKET_URL=ws://localhost:3001", "VITE_SOCKET_URL=ws://{front}"),
        ("NEXT_PUBLIC_API_URL=http://localhost:3001", "NEXT_PUBLIC_API_URL=http://{front}"),
        ("MY_API_URL=http://localhost:3001/v1", "MY_API_URL=http://{front}/v1"),
        ("VITE_SOMETHING=http://localhost:3001/x", "VITE_SOMETHING=/x"),
        ("VITE_API_URL=https://api.example.com/v1", "VITE_API_URL=/v1"),
        ("VITE_SENTRY_DSN=https://a@sentry.io/1", ""),
        ("DATABASE_URL=postgres://localhost:5432/a", ""),
        ("#VITE_API_URL=http://localhost:3001", ""),
        ("NEXTAUTH_URL=http://localhost:3000", ""),
    ],
    ids=lambda value: value[:28],
)
def test_a_variable_that_pages_are_built_with(line: str, instead: str) -> None:
    found = list(bypasses_in("web/.env.local", f"A=1\n{line}\n"))
    assert [one.instead for one in found] == ([instead] if instead else [])
    assert all(one.place.line == 2 for one in found)


def test_an_address_of_another_machine_is_marked() -> None:
    (found,) = bypasses_in(".env", "VITE_API_URL=https://api.example.com/v1\n")
    assert found.is_remote


def test_what_is_shown_of_a_source_moves_no_cursor() -> None:
    (found,) = bypasses_in("a.js", 'fetch("http://localhost:3001/\x1b[2J\u202e")')
    assert found.written.isprintable()
    assert found.instead.isprintable()


@pytest.mark.parametrize(
    ("path", "text", "paths"),
    [
        (
            "server.js",
            'app.get("/api/items/:id", f); app.use("/auth", r); router.get("/x", f)',
            ["/api/items", "/auth"],
        ),
        ("server.js", 'if (url.pathname === "/health") {}', ["/health"]),
        ("server.js", 'const handlers = { "GET /api/items": f, "POST /api/items": g }', ["/api/items"]),
        ("main.ts", 'app.setGlobalPrefix("v1")', ["/v1"]),
        ("ws.ts", 'new WebSocketServer({ server, path: "/live" })', ["/live"]),
        ("app.py", '@app.get("/items/{id}")\n@app.websocket("/ws")\n@app.route("/")', ["/items", "/ws"]),
        ("app.py", 'app.include_router(users, prefix="/api/users")', ["/api/users"]),
        ("app.py", 'bp = Blueprint("a", __name__, url_prefix="/api")', ["/api"]),
        ("app.py", 'app.router.add_get("/feed", f)\napp.mount("/static", s)', ["/static", "/feed"]),
        (
            "mysite/urls.py",
            'path("admin/", admin.site.urls), path("api/", include("api.urls"))',
            ["/admin", "/api", "/static"],
        ),
        (
            "a/urls.py",
            '"""\n    path("blog/", include("blog.urls"))\n"""\nurlpatterns = [\n  path("admin/", admin.site.urls)]',
            ["/admin", "/static"],
        ),
        ("app.js", '// app.get("/old", f)\n * app.get("/older", f)\napp.get("/new", f)', ["/new"]),
        ("api/urls.py", 'path("items/", f)', []),
        (
            "config/routes.rb",
            "  namespace :api do\n    resources :users\n  mount ActionCable.server => '/cable'",
            ["/api", "/cable"],
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 20 else "",
)
def test_paths_that_a_backend_declares(path: str, text: str, paths: list[str]) -> None:
    assert [one.path for one in declared_in(path, text)] == paths


@pytest.mark.parametrize(
    ("written", "static"),
    [
        ("/a/:id/b", "/a"),
        ("/a/{x}", "/a"),
        ("/<int:x>", ""),
        ("/a/*", "/a"),
        ("/", ""),
        ("/a/b/?x=1", "/a/b"),
        ("/a(b)?", ""),
    ],
    ids=lambda value: value or "nothing",
)
def test_the_part_of_a_path_that_does_not_vary(written: str, static: str) -> None:
    assert static_part(written) == static


@pytest.mark.parametrize(
    ("path", "text", "paths"),
    [
        ("s.js", 'import { Server } from "socket.io";\nnew Server(http, { cors: {}, path: "/ws" })', ["/ws/"]),
        (
            "c.js",
            'import { io } from "socket.io-client";\nio({ path: "/realtime/socket.io/" })',
            ["/realtime/socket.io/"],
        ),
        ("app.py", 'import socketio\nsocketio.ASGIApp(sio, socketio_path="chat")', ["/chat/"]),
        ("a.js", 'new Server(http, { path: "/ws" })', []),
        ("a.js", 'require("socket.io")(http)', []),
    ],
    ids=["server", "client", "python", "other", "default"],
)
def test_paths_of_socketio_in_sources(path: str, text: str, paths: list[str]) -> None:
    assert [one.path for one in socket_paths_in(path, text)] == paths


@pytest.mark.parametrize(
    ("kind", "files", "routes"),
    [
        (kinds.NEXT, ["app/api/hello/route.ts", "src/app/api/a/route.js"], ["/api/a", "/api/hello"]),
        (kinds.NEXT, ["app/api/auth/[...nextauth]/route.ts"], ["/api/auth/**"]),
        (kinds.NEXT, ["app/(shop)/api/@slot/items/[id]/route.ts", "app/_x/api/route.ts"], ["/api/items/*"]),
        (kinds.NEXT, ["pages/api/index.ts", "src/pages/api/trpc/[trpc].ts"], ["/api", "/api/trpc/*"]),
        (kinds.NEXT, ["app/page.tsx", "app/api/x.ts", "lib/route.ts", "app/route-map.ts"], []),
        (kinds.NEXT, ["app/api/[[...all]]/route.ts"], ["/api/**"]),
        (kinds.NEXT, ["app/api/caf\xe9 1/route.ts"], ["/api/caf%C3%A9%201"]),
        (kinds.NUXT, ["server/api/hello.get.ts", "server/api/u/[id].post.ts"], ["/api/hello", "/api/u/*"]),
        (
            kinds.NUXT,
            ["server/routes/feed.xml.ts", "server/middleware/a.ts", "server/api/index.ts"],
            ["/api", "/feed.xml"],
        ),
        (
            kinds.SVELTEKIT,
            ["src/routes/(a)/api/x/+server.ts", "src/routes/api/[id=int]/+server.js"],
            ["/api/*", "/api/x"],
        ),
        (kinds.SVELTEKIT, ["src/routes/x/+page.server.ts"], []),
        (kinds.ASTRO, ["src/pages/api/x.ts", "src/pages/a.astro", "src/pages/[p].json.ts"], ["/*", "/api/x"]),
        (kinds.REACT_ROUTER, ["app/routes/api.items.$id.ts", "app/routes/_index.tsx"], ["/api/items/*"]),
        (kinds.REACT_ROUTER, ["app/routes/robots[.]txt.ts", "app/routes/api.x/route.ts"], ["/api/x", "/robots.txt"]),
        (kinds.VITE, ["app/api/hello/route.ts"], []),
    ],
    ids=lambda value: value.name if isinstance(value, Kind) else "",
)
def test_paths_that_a_frontend_answers_itself(kind: Kind, files: list[str], routes: list[str]) -> None:
    assert [one.glob or one.path for one in own_routes(kind, "web", files)] == routes


def test_a_route_says_its_file() -> None:
    (route,) = own_routes(kinds.NEXT, "apps/web", ["app/api/a/route.ts"])
    assert str(route.place) == "apps/web/app/api/a/route.ts"
