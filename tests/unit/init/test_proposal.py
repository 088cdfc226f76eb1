"""Which servers are chosen, which paths they get, and what is said about it: all from values."""

from __future__ import annotations

import pytest
from devproxy.config import load
from devproxy.config.drafts import text_of
from devproxy.config.model import PathKind
from devproxy.console.style import ASCII_GLYPHS, Style
from devproxy.init import kinds
from devproxy.init.bypasses import bypasses_in
from devproxy.init.choosing import Choice, Given, choose
from devproxy.init.drafting import draft_of
from devproxy.init.evidence import (
    App,
    Declared,
    Engine,
    Evidence,
    OwnRoute,
    Place,
    Proxied,
    Scan,
    Server,
    Stated,
    Whose,
)
from devproxy.init.kinds import Kind, Role
from devproxy.init.project import read_project
from devproxy.init.proposal import Proposal, propose
from devproxy.init.report import lines_of
from devproxy.platforms.listeners import Listener

HERE = "/work/shop"
ENGINE = Engine("Socket.IO 4 (Node)", "/socket.io/", 4)


def server(port: int, kind: Kind, folder: str = HERE, engine: Engine | None = None, pid: int = 0) -> Server:
    whose = Whose.OURS if folder.startswith(HERE) else Whose.OTHER if folder else Whose.UNKNOWN
    return Server(port, kind.name, kind.role, kind, engine, pid=pid or port, program="x", folder=folder, whose=whose)


def proposal_for(found: Evidence, **given: Given) -> Proposal:
    choice = choose(found, **given)
    return propose(found, choice, choice.free_port(found.taken))


def routes(proposal: Proposal) -> list[tuple[str, str]]:
    return [(route.pattern, route.upstream) for route in proposal.routes]


def from_files(**texts: str) -> Evidence:
    named = {
        name.replace("__", "/").replace("_json", ".json").replace("_js", ".js"): text for name, text in texts.items()
    }
    return Evidence(HERE, **read_project(list(named), named)._asdict())


VITE = server(5173, kinds.VITE)
EXPRESS = server(3001, kinds.EXPRESS, engine=ENGINE)


def test_what_runs_is_chosen_and_each_path_has_its_server() -> None:
    proposal = proposal_for(Evidence(HERE, (EXPRESS, VITE)))
    assert routes(proposal) == [("/socket.io/", "backend"), ("/api/", "backend"), ("/", "frontend")]
    assert [one.url for one in proposal.choice.backends] == ["http://localhost:3001"]
    assert proposal.port == 8080


def test_a_server_of_another_folder_is_said_and_not_chosen() -> None:
    other = server(5174, kinds.VITE, "/work/other")
    proposal = proposal_for(Evidence(HERE, (EXPRESS, other)))
    assert proposal.choice.frontend is None
    assert proposal.choice.left == ((other, "another folder's"),)
    assert routes(proposal) == [("/", "backend")]


def test_a_server_of_another_folder_is_chosen_when_it_is_named() -> None:
    other = server(3002, kinds.FASTAPI, "/work/api")._replace(is_tls=True)
    proposal = proposal_for(Evidence(HERE, (VITE, other)), backend=Given("http://localhost:3002", 3002, is_bare=True))
    assert [one.url for one in proposal.choice.backends] == ["https://localhost:3002"]
    named = proposal_for(Evidence(HERE, (VITE, other)), backend=Given("http://api.test:80", 80))
    assert [(one.url, one.is_running) for one in named.choice.backends] == [("http://api.test:80", False)]


def test_where_nothing_is_known_of_folders_the_files_decide() -> None:
    unknown = [server(5173, kinds.VITE, ""), server(3001, kinds.EXPRESS, ""), server(9001, kinds.EXPRESS, "")]
    stated = Stated(3001, Role.BACKEND, Place("server.js", 3))
    known = server(4000, kinds.FLASK)
    choice = choose(Evidence(HERE, (*unknown, known), stated=(stated,)))
    assert {one.port for one in choice.backends} == {3001, 4000}
    assert ("nothing here says that it belongs to this project") in [reason for _, reason in choice.left]
    alone = choose(Evidence(HERE, tuple(unknown)))
    assert {one.port for one in alone.backends} == {3001, 9001}


def test_where_no_folder_is_known_the_projects_tools_count() -> None:
    """As on Windows, which tells no folders."""
    apps = (App("", Place("package.json"), (kinds.VITE, kinds.NODE), serves_sockets=True),)
    servers = [server(5173, kinds.VITE, ""), server(8000, kinds.DJANGO, ""), server(3001, kinds.EXPRESS, "", ENGINE)]
    plain = server(3002, kinds.NODE, "")._replace(kind=None, name="a web server")
    choice = choose(Evidence(HERE, (*servers, plain), apps=apps))
    assert choice.frontend is not None
    assert (choice.frontend.port, {one.port for one in choice.backends}) == (5173, {3001, 3002})


def test_a_program_with_several_ports_is_one_server() -> None:
    ports = [server(9229, kinds.NODE, pid=7), EXPRESS._replace(pid=7), server(40000, kinds.NODE, pid=7)]
    assert [one.port for one in choose(Evidence(HERE, (VITE, *ports))).backends] == [3001]


def test_nothing_runs_and_the_files_say_what_would() -> None:
    found = from_files(
        web__package_json='{"dependencies": {"vite": "7"}, "scripts": {"dev": "vite --port 3000"}}',
        api__package_json='{"dependencies": {"express": "5", "socket.io": "4"}}',
        api__index_js='import express from "express";\napp.listen(4000)',
    )
    proposal = proposal_for(found)
    assert proposal.choice.frontend is not None
    assert (proposal.choice.frontend.port, [one.port for one in proposal.choice.backends]) == (3000, [4000])
    assert routes(proposal) == [("/socket.io/", "backend"), ("/api/", "backend"), ("/", "frontend")]
    assert "not running now" in proposal.choice.frontend.why


def test_a_usual_port_that_another_folder_has_is_told() -> None:
    other = server(5173, kinds.VITE, "/work/other")
    found = from_files(package_json='{"dependencies": {"vite": "7"}}')._replace(servers=(other,))
    proposal = proposal_for(found)
    assert proposal.choice.frontend is not None
    assert proposal.choice.frontend.why.endswith("not running now: the Vite of ../other has that port")
    assert proposal.choice.left == ((other, "another folder's"),)
    assert "-> frontend" not in report(found)


def test_of_several_frontends_the_one_that_a_script_starts_is_meant() -> None:
    found = from_files(
        package_json='{"devDependencies": {"vite": "7"}}',
        app__package_json='{"scripts": {"dev": "vite --port 3000"}}',
    )
    frontend = proposal_for(found).choice.frontend
    assert frontend is not None
    assert frontend.port == 3000


def test_the_port_that_a_page_asks_is_the_backends() -> None:
    found = from_files(
        package_json='{"dependencies": {"vite": "7", "socket.io-client": "4"}}',
        src__a_js='io("http://localhost:3456"); fetch("http://localhost:3456/users/1")',
    )
    proposal = proposal_for(found)
    assert routes(proposal) == [("/socket.io/", "backend"), ("/users/", "backend"), ("/", "frontend")]
    assert [one.port for one in proposal.choice.backends] == [3456]


def test_the_paths_that_sources_declare_take_the_place_of_api() -> None:
    declared = [Declared(path, Place("app.py", 1)) for path in ("/users/me", "/users", "/openapi.json", "/assets/x")]
    app = App("", Place("requirements.txt"), (kinds.FASTAPI,))
    found = Evidence(HERE, (VITE, server(8000, kinds.FASTAPI)), apps=(app,), declared=tuple(declared))
    assert routes(proposal_for(found)) == [("/users/", "backend"), ("/openapi.json", "backend"), ("/", "frontend")]


def test_two_backends_with_the_same_first_segment_get_a_segment_more() -> None:
    apps = (App("a", Place("a/package.json"), (kinds.EXPRESS,)), App("b", Place("b/pyproject.toml"), (kinds.FLASK,)))
    declared = (Declared("/api/users/me", Place("a/s.js", 1)), Declared("/api/orders", Place("b/s.py", 1)))
    servers = (VITE, server(3001, kinds.EXPRESS, f"{HERE}/a"), server(5000, kinds.FLASK, f"{HERE}/b"))
    proposal = proposal_for(Evidence(HERE, servers, apps=apps, declared=declared))
    assert routes(proposal) == [("/api/users/", "a"), ("/api/orders", "b"), ("/", "frontend")]


def test_of_two_servers_one_has_the_sockets_and_the_other_the_api() -> None:
    proposal = proposal_for(Evidence(HERE, (VITE, EXPRESS, server(8000, kinds.FASTAPI))))
    assert routes(proposal) == [("/socket.io/", "express"), ("/api/", "fastapi"), ("/", "frontend")]


def test_what_the_framework_answers_itself_stays_with_it() -> None:
    own = [
        OwnRoute("/api/auth", Place("app/api/auth/[...a]/route.ts"), "/api/auth/**"),
        OwnRoute("/api/auth/csrf", Place("app/api/auth/csrf/route.ts")),
        OwnRoute("/api", Place("app/api/[id]/route.ts"), "/api/*"),
        OwnRoute("/api", Place("app/api/route.ts")),
        OwnRoute("/feed.xml", Place("app/feed.xml/route.ts")),
    ]
    found = Evidence(HERE, (server(3000, kinds.NEXT), EXPRESS), own_routes=tuple(own))
    proposal = proposal_for(found)
    kept = [(route.kind, route.pattern) for route in proposal.routes if route.upstream == "frontend"]
    assert kept == [
        (PathKind.PREFIX, "/api/auth"),
        (PathKind.GLOB, "/api/*"),
        (PathKind.EXACT, "/api"),
        (PathKind.PREFIX, "/"),
    ]
    assert ("/api/", "backend") in routes(proposal)


def test_a_frontend_that_answers_all_of_an_api_keeps_it() -> None:
    own = OwnRoute("/api", Place("app/api/[...all]/route.ts"), "/api/**")
    proposal = proposal_for(Evidence(HERE, (server(3000, kinds.NEXT), EXPRESS), own_routes=(own,)))
    assert routes(proposal) == [("/socket.io/", "backend"), ("/", "frontend")]
    assert "app/api/[...all]/route.ts answers everything below /api/" in proposal.notes[0]


def test_typed_paths_count_in_place_of_all_others() -> None:
    found = Evidence(HERE, (VITE, EXPRESS))
    proposal = propose(found, choose(found), 8080, ["/ws/", "/v1/"])
    assert routes(proposal) == [("/ws/", "backend"), ("/v1/", "backend"), ("/", "frontend")]


def test_devproxy_listens_where_no_other_program_does() -> None:
    found = Evidence(HERE, (server(8081, kinds.VUE_CLI), EXPRESS), taken=frozenset((8080, 8081)))
    assert proposal_for(found).port == 8082


def test_a_server_with_a_certificate_of_its_own_is_not_checked() -> None:
    found = Evidence(HERE, (VITE._replace(is_tls=True), EXPRESS))
    config = load(text_of(draft_of(proposal_for(found), found)).encode(), source="x")
    assert [(one.servers[0].url, one.tls_verify) for one in config.upstreams] == [
        ("http://localhost:3001", True),
        ("https://localhost:5173", False),
    ] or [one.tls_verify for one in config.upstreams] == [False, True]


@pytest.mark.parametrize(
    ("kind", "words"), [(kinds.WEBPACK, "webSocketURL"), (kinds.CRA, "WDS_SOCKET_PORT=0")], ids=str
)
def test_hot_reload_that_goes_past_devproxy_is_told(kind: Kind, words: str) -> None:
    found = Evidence(HERE, (server(3000, kind), EXPRESS))
    assert words in text_of(draft_of(proposal_for(found), found))


def test_the_file_says_why_each_line_is_there() -> None:
    found = Evidence(HERE, (VITE, EXPRESS), proxied=(Proxied("vite", Place("vite.config.ts", 4)),))
    text = text_of(draft_of(proposal_for(found), found))
    for words in ("# Vite, running now in this folder.", "# Socket.IO 4 (Node) answers there.", "devproxy import vite"):
        assert words in text


def test_what_starts_the_programs_is_good_once_its_number_signs_are_gone() -> None:
    found = from_files(
        package_json='{"scripts": {"dev": "npm run dev -ws"}}',
        web__package_json='{"dependencies": {"vite": "7"}, "scripts": {"build": "vite build", "dev": "vite"}}',
        api__package_json='{"dependencies": {"express": "5"}, "scripts": {"start": "node index.js"}}',
    )
    text = text_of(draft_of(proposal_for(found), found))
    lines = [line.removeprefix("# ").strip() if line.startswith("#     ") else line for line in text.splitlines()]
    programs = {one.name: one for one in load("\n".join(lines).encode(), source="x").programs}
    assert programs["frontend"].command == ("npm", "run", "dev")
    assert programs["backend"].command == ("npm", "run", "start")
    assert (programs["frontend"].folder, programs["backend"].folder) == ("web", "api")


@pytest.mark.parametrize(("lock", "runner"), [("pnpm-lock.yaml", "pnpm"), ("yarn.lock", "yarn"), ("bun.lock", "bun")])
def test_a_lock_file_tells_what_runs_scripts(lock: str, runner: str) -> None:
    texts = {"web/package.json": '{"dependencies": {"vite": "7"}, "scripts": {"dev": "vite"}}'}
    (app,) = read_project([*texts, lock], texts).apps
    assert app.command(Role.FRONTEND) == f"{runner} run dev"
    assert app.command(Role.BACKEND) == ""


def report(found: Evidence) -> str:
    return "\n".join(lines_of(found, proposal_for(found), Style(False, ASCII_GLYPHS)))


def test_the_report_names_what_was_found_and_what_for() -> None:
    other = server(8000, kinds.DJANGO, "/work/other")
    own = OwnRoute("/api/a", Place("app/api/a/route.ts"))
    bypasses = tuple(bypasses_in("src/a.ts", 'io("http://localhost:3001")\nfetch("http://localhost:8080/x")'))
    text = report(Evidence(HERE, (VITE, EXPRESS, other), own_routes=(own,), bypasses=bypasses))
    for words in (
        "-> frontend",
        "-> backend",
        "Express, with Socket.IO 4 at /socket.io/",
        ", ../other ",
        "another folder's",
        "the frontend answers /api/a itself",
        'src/a.ts:1  io("http://localhost:3001")  write io()',
    ):
        assert words in text
    assert "localhost:8080/x" not in text  # that is devproxy already


def test_programs_of_the_project_that_do_not_answer_are_shown() -> None:
    silent = (Listener(4000, "127.0.0.1", 9, "node", f"{HERE}/api"),)
    assert "4000  node (pid 9), api  no answer of HTTP" in report(Evidence(HERE, (VITE,), silent=silent))


def test_the_report_says_what_was_not_seen() -> None:
    scan = Scan(4000, "after 4 s", ("big.js",))
    text = report(Evidence(HERE, (VITE,), tells_listeners=False, scan=scan, unread=(("a.js", "permission denied"),)))
    for words in ("usual ones were tried", "stopped after 4 s", "big.js was not read", "a.js was not read: permission"):
        assert words in text


def test_a_name_that_would_move_the_cursor_is_shown_escaped() -> None:
    bad = VITE._replace(program="\x1b[2J", folder=f"{HERE}/\u202e")
    assert report(Evidence(HERE, (bad,))).replace("\n", "").isprintable()


def test_a_choice_of_nothing_has_no_routes() -> None:
    found = Evidence(HERE)
    assert propose(found, Choice(None, (), ()), 8080).routes == ()


def test_what_only_tests_start_is_no_part_of_the_project() -> None:
    texts = {
        "package.json": '{"dependencies": {"express": "5"}}',
        "server.js": "app.listen(3005)",
        "tests/e2e/package.json": '{"devDependencies": {"vite": "8"}}',
        "tests/e2e/fake.js": "const app = require('express')();\napp.listen(3009)",
    }
    found = read_project([*texts], texts)
    assert [app.folder for app in found.apps] == [""]
    assert [one.port for one in found.stated] == [3005]
    alone = {"tests/e2e/package.json": texts["tests/e2e/package.json"]}
    assert [app.folder for app in read_project([*alone], alone).apps] == ["tests/e2e"]
