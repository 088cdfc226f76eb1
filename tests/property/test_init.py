"""Whatever runs and whatever the files say: what ``devproxy init`` writes is a good configuration, in bounded time."""

from __future__ import annotations

import time

import pytest
from devproxy.config import Config, load
from devproxy.config.drafts import text_of
from devproxy.console.style import ASCII_GLYPHS, Style
from devproxy.init.choosing import Given, choose
from devproxy.init.drafting import draft_of
from devproxy.init.evidence import Engine, Evidence, Server, Whose
from devproxy.init.kinds import KINDS
from devproxy.init.project import read_project
from devproxy.init.proposal import propose
from devproxy.init.report import lines_of
from hypothesis import example, given, settings
from hypothesis import strategies as st

HERE = "/work/shop"
PIECES = (
    'io("http://localhost:3001")',
    "fetch(`http://localhost:3001/a b/${x}`)",
    'fetch("http://localhost:99999/%zz/../x")',
    'app.get("/api/\u00e9/[x]/\\\\"',
    'app.use("/ä", r)',
    '@app.get("/users/{id}")',
    'new Server(http, { path: "/ws/é" }) // socket.io',
    'import express from "express"',
    "http.listen(3001)",
    'path("admin/", admin.site.urls)',
    '{"dependencies": {"next": "1", "express": "1", "socket.io": "4"}, "scripts": {"dev": "next dev -p 3"}}',
    '{"dependencies": {"vite": "1"}, "scripts": {"dev": "vite --port 65535"}}',
    "services:\n  \x1b[2J:\n    ports: ['1:1']\n  web:\n    ports:\n      - 8080:80\n",
    "VITE_API_URL=http://localhost:3001/api\nPORT=70000\n",
    "\x00\x1b]0;x\x07\u202e\ud7ff",
    "requirements\nflask-socketio\ndjango\n",
)
NAMES = (
    *(
        "package.json",
        "requirements.txt",
        "compose.yaml",
        ".env",
        "vite.config.ts",
        "web/package.json",
        "api/package.json",
    ),
    *(
        "src/a.ts",
        "api/server.js",
        "api/app.py",
        "mysite/urls.py",
        "app/api/[...x]/route.ts",
        "app/api/é ?*[y]/route.ts",
    ),
    *("pages/api/a.ts", "server/api/x.get.ts", "src/routes/api/+server.ts", "app/route.ts", "src/pages/[p].ts"),
    *("web/app/api/a*b/route.ts", "app/routes/$.ts", "web/\x1b[2J.ts", "web/app/api/a\n[server]/route.ts"),
)
TEXTS = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=20)), max_size=4).map("\n".join)
PORTS = st.integers(1, 65535) | st.sampled_from((80, 3000, 3001, 5173, 8080, 8081))
PATHS = st.sampled_from(("/socket.io/", "/ws/", "/a b/", "/é/", "//", "/", "/api/", "/x/*/"))


@st.composite
def servers(draw: st.DrawFn) -> Server:
    kind = draw(st.one_of(st.none(), st.sampled_from(KINDS)))
    role = kind.role if kind is not None else None
    engine = Engine("Socket.IO 4", draw(PATHS), 4) if draw(st.booleans()) else None
    folder = draw(st.sampled_from(("", HERE, f"{HERE}/api", f"{HERE}/web", "/other", f"{HERE}/\x1b\n")))
    whose = Whose.OURS if folder.startswith(HERE) else Whose.OTHER if folder else Whose.UNKNOWN
    name = kind.name if kind is not None else "a web server"
    is_tls, pid = draw(st.booleans()), draw(st.integers(0, 3))
    return Server(draw(PORTS), name, role, kind, engine, is_tls, pid, draw(st.text(max_size=5)), folder, whose)


@st.composite
def evidence(draw: st.DrawFn) -> Evidence:
    texts = draw(st.dictionaries(st.sampled_from(NAMES), TEXTS, max_size=6))
    names = [*texts, *draw(st.lists(st.sampled_from(NAMES), max_size=4))]
    found = {one.port: one for one in draw(st.lists(servers(), max_size=4))}
    project = read_project(names, texts)
    return Evidence(HERE, tuple(found.values()), frozenset(found), **project._asdict())


GIVEN = st.one_of(st.none(), PORTS.map(lambda port: Given(f"http://localhost:{port}", port, is_bare=True)))


TYPED = st.lists(st.sampled_from(("/api/", "/api", "/ws", "/x/y/")), max_size=3)


def written(found: Evidence, frontend: Given | None, backend: Given | None, paths: list[str]) -> Config | None:
    choice = choose(found, frontend, backend)
    if not (choice.frontend or choice.backends):
        return None
    proposal = propose(found, choice, choice.free_port(found.taken), paths)
    assert "\n".join(lines_of(found, proposal, Style(False, ASCII_GLYPHS))).replace("\n", "").isprintable()
    text = text_of(draft_of(proposal, found))
    assert text_of(draft_of(proposal, found)) == text
    assert text.replace("\n", "").isprintable()
    return load(text.encode(), source="devproxy.toml")


@settings(max_examples=200, deadline=None)
@given(evidence(), GIVEN, GIVEN, TYPED)
def test_what_is_written_is_a_good_configuration(
    found: Evidence, frontend: Given | None, backend: Given | None, paths: list[str]
) -> None:
    config = written(found, frontend, backend, paths)
    if config is None:
        return
    upstreams = {one.name: one for one in config.upstreams}
    assert {route.upstream for route in config.routes} <= set(upstreams)
    said = {stated.port for app in found.apps for stated in app.ports}
    said |= {one.port for one in (*found.stated, *found.compose)} | {one.port for one in found.bypasses}
    said |= {kind.port for kind in KINDS} | {one.port for one in (frontend, backend) if one is not None}
    others = {server.port for server in found.servers if server.whose is Whose.OTHER}
    assert not (others - said) & {one.servers[0].port for one in config.upstreams}
    listen = config.server.listen[0].port
    assert listen not in {one.servers[0].port for one in config.upstreams}


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(NAMES), st.text(max_size=300) | st.binary(max_size=300).map(lambda b: b.decode("latin-1"))
    )
)
@example(dict(zip(NAMES, PIECES, strict=False)))
def test_any_text_is_read(texts: dict[str, str]) -> None:
    read_project(list(texts), texts)


UNITS = (
    *(
        'io("',
        "fetch(",
        "http://localhost:",
        '"http://localhost:3001/',
        "a.b.c",
        "const api_url = ",
        "\n",
        " ",
        "\t",
        "(",
    ),
    *(
        'app.get("/',
        "new Server(",
        "path: ",
        "PORT || ",
        ".listen(",
        "- ",
        "'",
        '"',
        "`",
        "services:\n  a:\n",
        "x" * 7,
        "/*",
    ),
    *(
        "location.hostname",
        "url",
        "include_router(",
        "setGlobalPrefix(",
        "proxy",
        "[",
        "{",
        "=",
        "const url: string",
        "--port ",
    ),
)


@pytest.mark.alone
@pytest.mark.parametrize("name", ["src/a.ts", "a.js", "app.py", "compose.yaml", ".env"])
def test_what_is_four_times_as_long_takes_at_most_six_times_as_long(name: str) -> None:
    slow = []
    for unit in (
        *UNITS,
        "".join(f'app.get("/{number}") io("http://localhost:3001/{number}")\n' for number in range(900)),
    ):
        short, long = unit * (32 * 1024 // len(unit)), unit * (128 * 1024 // len(unit))
        took = best(name, long, 1)
        if took > 0.05 and took > 6 * best(name, short, 3) and best(name, long, 3) > 6 * best(name, short, 3):
            slow.append((unit, took))
    assert not slow


def best(name: str, text: str, runs: int) -> float:
    found = float("inf")
    for _ in range(runs):
        started = time.thread_time()
        read_project([name], {name: f"socket.io express createServer( {text}"})
        found = min(found, time.thread_time() - started)
    return found
