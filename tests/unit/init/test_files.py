"""What the files of a project say: packages, commands, ports, services."""

from __future__ import annotations

import json
from importlib import import_module
from typing import Any

import pytest
from devproxy.init import kinds
from devproxy.init.compose import services_of
from devproxy.init.evidence import Place
from devproxy.init.kinds import Kind, Role, kind_of_command
from devproxy.init.manifests import app_of
from devproxy.init.said_ports import ports_in
from devproxy.init.sources import Side, is_read, is_skipped, side_of

YAML: Any = import_module("yaml")


def package(**document: Any) -> dict[str, str]:
    return {"package.json": json.dumps(document, indent=2)}


@pytest.mark.parametrize(
    ("files", "names"),
    [
        (package(dependencies={"next": "15"}), ["Next"]),
        (package(devDependencies={"vite": "7", "@sveltejs/kit": "2"}), ["SvelteKit"]),
        (package(dependencies={"react-scripts": "5", "express": "4"}), ["Create React App", "Express"]),
        (package(dependencies={"@nestjs/core": "11", "express": "5"}), ["NestJS"]),
        (package(scripts={"dev": "npx vite"}), ["Vite"]),
        ({"requirements.txt": "Flask_SocketIO==5\n# django\n-r other.txt\n"}, ["Flask"]),
        ({"requirements.txt": "FastAPI[standard]>=0.1\n", "manage.py": "os.environ"}, ["FastAPI"]),
        ({"manage.py": 'os.environ.setdefault("DJANGO_SETTINGS_MODULE", "a")'}, ["Django"]),
        ({"pyproject.toml": '[project]\ndependencies = ["aiohttp>=3"]\n'}, ["aiohttp"]),
        ({"pyproject.toml": '[tool.poetry.group.dev.dependencies]\ndjango = "^5"\n'}, ["Django"]),
        ({"pyproject.toml": '[dependency-groups]\ndev = ["flask", {include-group = "a"}]\n'}, ["Flask"]),
        ({"Gemfile": "source 'x'\ngem \"rails\", '8'\n"}, ["Rails"]),
        ({"Pipfile": '[packages]\nfastapi = "*"\n'}, ["FastAPI"]),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, list) else "",
)
def test_a_project_is_known_by_what_it_needs(files: dict[str, str], names: list[str]) -> None:
    app = app_of("web", files)
    assert app is not None
    assert [kind.name for kind in app.kinds] == names
    assert app.place == Place(f"web/{next(iter(files))}")


@pytest.mark.parametrize(
    "files",
    [
        {"package.json": "{"},
        {"package.json": "[" * 100_000},
        {"package.json": '{"dependencies": [], "scripts": {"dev": 3}}'},
        {"pyproject.toml": "[project\n"},
        {"pyproject.toml": "project = 3\n"},
        {"pyproject.toml": '[project]\ndependencies = "flask"\n'},
        {"requirements.txt": "\n\0\n"},
        package(dependencies={"lodash": "4"}),
        package(workspaces=["a", "b"]),
    ],
    ids=["cut", "deep", "types", "toml", "number", "text", "nul", "library", "workspaces"],
)
def test_what_says_nothing_of_a_server_is_no_project(files: dict[str, str]) -> None:
    assert app_of("", files) is None


@pytest.mark.parametrize(
    ("command", "port", "kind"),
    [
        ("vite --port 3000", 3000, kinds.VITE),
        ("vite --port=3000 --host", 3000, kinds.VITE),
        ("next dev -p 4000", 4000, kinds.NEXT),
        ("next dev --turbopack -p4000", 4000, kinds.NEXT),
        ("PORT=4001 react-scripts start", 4001, kinds.CRA),
        ("cross-env PORT=4001 react-scripts start", 4001, kinds.CRA),
        ("uvicorn app:app --reload --port 8001", 8001, kinds.PYTHON),
        ("python manage.py runserver 0.0.0.0:8002", 8002, kinds.DJANGO),
        ("gunicorn -b 127.0.0.1:8003 app:app", 8003, kinds.PYTHON),
        ('concurrently "tsc -w" "vite --port 3005"', 3005, kinds.VITE),
        ("tsc && ng serve --port 4300", 4300, kinds.ANGULAR),
    ],
    ids=str,
)
def test_a_script_names_the_port(command: str, port: int, kind: Kind) -> None:
    app = app_of("", package(name="a", scripts={"test": "vite --port 1234", "dev": command}))
    assert app is not None
    assert [(one.port, one.kind, one.place) for one in app.ports] == [(port, kind, Place("package.json", 5))]


def test_a_command_is_that_of_the_tool_and_not_of_what_runs_it() -> None:
    assert kind_of_command(["npx", "vite"]) is kinds.VITE
    assert kind_of_command(["node", "node_modules/.bin/next", "dev"]) is kinds.NEXT
    assert kind_of_command(["node", "server.js"]) is kinds.NODE
    assert kind_of_command(["echo", "hello"]) is None


@pytest.mark.parametrize(
    ("name", "text", "port"),
    [
        ("vite.config.ts", "export default {\n server: {\n  port: 3000,\n } }", 3000),
        ("vite.config.mts", "export default { server: { port: Number(env.PORT || 3010) } }", 3010),
        ("vite.config.js", "export default { preview: { port: 4000 } }", 0),
        ("nuxt.config.ts", "export default { devServer: { host: 'x', port: 3100 } }", 3100),
        ("webpack.config.js", "module.exports = { devServer: { 'port': '9100' } }", 9100),
        ("angular.json", '{"serve": {"options": {"port": 4300}}}', 4300),
        (".env", "SECRET=1\nPORT=3005\n", 3005),
        (".env.local", "export PORT='3006'\n", 3006),
        ("server.js", "app.listen(3001, () => 1)", 3001),
        ("server.ts", "const port = process.env.PORT || 3002;\nhttp.listen(port)", 3002),
        ("server.ts", "const { PORT = 3007 } = process.env;\nhttp.listen(PORT)", 3007),
        ("server.js", "const PORT = process.env.PORT\nhttp.listen(PORT, '127.0.0.1')", 0),
        ("server.js", "const port = process.env['PORT'] ?? 3008;\nhttp.listen(port)", 3008),
        ("main.ts", "await app.listen({ port: 3003 })", 3003),
        ("app.py", "socketio.run(app, host='0.0.0.0', port=5001)", 5001),
        ("app.py", "if x:\n    uvicorn.run(app, port=8001)", 8001),
        ("app.py", "port = 99999\n", 0),
        ("server.js", "app.listen(7)", 0),
    ],
    ids=lambda value: str(value)[:20],
)
def test_configurations_and_sources_name_ports(name: str, text: str, port: int) -> None:
    found = [one.port for one in ports_in(name, name, text)]
    assert found == ([port] if port else [])


COMPOSE = """
# services: { commented: {} }
x-common: &common
  restart: always
services:
  web:
    build: ./web   # the page
    ports:
      - "5173:5173"
      - 127.0.0.1:8081:80/tcp
  api:
    image: 'me/api:1'
    environment: {PORT: 3001}
    ports: ["${API_PORT:-3001}:3001", '9229:9229']
  long:
    image: x
    ports:
    - target: 80
      published: "8088"
      protocol: tcp
    - published: 8089
      target: 81
  db:
    image: postgres:16
    ports:
      - 5432:5432
  inside:
    expose: ["9000"]
    ports:
      - "3000"
volumes:
  data: {}
"""


def test_the_ports_of_a_compose_file() -> None:
    found = {service.name: (service.image, service.ports) for service in services_of(COMPOSE)}
    assert found == {
        "web": ("", ((5173, 5173), (8081, 80))),
        "api": ("me/api:1", ((3001, 3001), (9229, 9229))),
        "long": ("x", ((8088, 80), (8089, 81))),
        "db": ("postgres:16", ((5432, 5432),)),
        "inside": ("", ()),
    }
    assert [service.line for service in services_of(COMPOSE)] == [6, 11, 15, 23, 27]


def test_the_services_are_those_that_a_reader_of_yaml_finds() -> None:
    document = YAML.safe_load(COMPOSE)
    assert [service.name for service in services_of(COMPOSE)] == list(document["services"])
    assert {s.name: s.image for s in services_of(COMPOSE) if s.image} == {
        name: service["image"] for name, service in document["services"].items() if "image" in service
    }


@pytest.mark.parametrize(
    "text", ["", "services", "services:", "services: {a: b}", "a:\n b:\n", "services:\n- a\n- b\n"]
)
def test_what_is_no_compose_file_has_no_services(text: str) -> None:
    assert services_of(text) == []


@pytest.mark.parametrize(
    ("path", "is_one"),
    [
        ("src/main.ts", True),
        (".env.local", True),
        (".env.example", False),
        ("vite.config.ts", True),
        ("compose.yaml", True),
        ("src/a.test.ts", False),
        ("lib/x.min.js", False),
        ("src/types.d.ts", False),
        ("README.md", False),
    ],
    ids=str,
)
def test_which_files_are_read(path: str, is_one: bool) -> None:
    assert is_read(path) is is_one


def test_folders_that_tools_write_are_skipped_and_those_of_routes_are_not() -> None:
    assert all(is_skipped("", name) for name in ("node_modules", ".git", ".next", "dist", "logs"))
    assert not is_skipped("app/api/", "logs")
    assert is_skipped("app/api/", "node_modules")


@pytest.mark.parametrize(
    ("path", "text", "side"),
    [
        ("src/main.ts", "", Side.BROWSER),
        ("src/App.vue", "", Side.BROWSER),
        (".env", "", Side.BROWSER),
        ("app.py", "", Side.SERVER),
        ("server.mjs", 'import express from "express"', Side.SERVER),
        ("app/api/x/route.ts", "", Side.SERVER),
        ("pages/api/x.ts", "", Side.SERVER),
        ("src/hooks.server.ts", "", Side.SERVER),
        ("app/actions.ts", '"use server"\n', Side.SERVER),
        ("vite.config.ts", "", Side.NONE),
        ("src/setupProxy.js", "", Side.NONE),
        ("tests/chat.ts", "", Side.NONE),
    ],
    ids=str,
)
def test_where_a_source_runs(path: str, text: str, side: Side) -> None:
    assert side_of(path, text) is side


def test_the_roles_are_those_of_the_command_line() -> None:
    assert [role.value for role in Role] == ["frontend", "backend"]
