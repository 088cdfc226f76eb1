"""`[run]` in the file and the program behind `--`: how commands are split, whom programs serve, what is refused."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from devproxy.config import Config, ConfigError, from_arguments, load, with_typed_program
from devproxy.config.diff import diff
from devproxy.config.model import AUTO_PORT, Restart
from devproxy.config.programs import local_server, split_command, with_ports, with_servers
from devproxy.text.bad import BadText

REST = """
[upstreams]
page = "http://localhost:5173"
api = { servers = ["http://localhost:3001", "http://localhost:3002"] }
away = "https://example.com"
[[routes]]
path = "/"
upstream = "page"
"""


def loaded(run: str) -> Config:
    return load(f"{run}\n{REST}".encode(), source="devproxy.toml")


def problem(run: str) -> tuple[str, str, int]:
    with pytest.raises(ConfigError) as caught:
        loaded(run)
    [found] = caught.value.problems
    return found.what, found.help, found.line


def test_a_program_says_everything_in_its_table() -> None:
    [program] = loaded(
        '[run.web]\ncommand = ["npm", "run", "dev"]\nfolder = "web"\nenv = { A = "1" }\nupstream = "page"\n'
        'port = 5180\nrestart = "on-failure"'
    ).programs
    assert (program.name, program.command, program.folder) == ("web", ("npm", "run", "dev"), "web")
    assert (program.env, program.upstream, program.port) == ((("A", "1"),), "page", 5180)
    assert program.restart is Restart.ON_FAILURE


def test_the_short_form_is_the_command() -> None:
    one, other = loaded('[run]\npage = "npm run dev"\nx = ["a", "b c"]').programs
    assert (one.command, one.upstream, one.port, one.restart) == (("npm", "run", "dev"), "page", None, Restart.NEVER)
    assert (other.command, other.upstream) == (("a", "b c"), "")


def test_a_program_need_not_serve_the_upstream_of_its_name() -> None:
    assert loaded('[run.page]\ncommand = "tsc --watch"\nupstream = ""').programs[0].upstream == ""


def test_the_port_may_be_chosen() -> None:
    config = loaded('[run.page]\ncommand = "vite --port {port}"\nport = "auto"')
    assert config.programs[0].port == AUTO_PORT
    chosen = with_ports(config, {"page": 4444})
    assert chosen.programs[0].port == 4444
    assert chosen.upstreams[0].servers[0].url == "http://localhost:4444"
    assert chosen.upstreams[1:] == config.upstreams[1:]


@pytest.mark.parametrize("upstream", ["api", "away"])
def test_several_servers_and_those_of_other_machines_do_not_follow(upstream: str) -> None:
    config = loaded(f'[run.x]\ncommand = "x"\nport = "auto"\nupstream = "{upstream}"')
    assert with_ports(config, {"x": 4444}).upstreams == config.upstreams


REFUSED = {
    "no command": ('[run.web]\nfolder = "x"', 'the program "web" has no command', 'command = "npm run dev"'),
    "empty": ('[run]\nweb = ""', "the command is empty", "npm run dev"),
    "no words": ("[run]\nweb = []", "the command is empty", '["npm", "run", "dev"]'),
    "operators": ('[run]\nweb = "a && b"', '"&&" in a command means something to a shell', '["sh", "-c", "a && b"]'),
    "a pipe": ('[run]\nweb = "a|b"', '"|" in a command', '["sh", "-c", "a|b"]'),
    "a variable": ('[run]\nweb = "a $HOME"', '"$HOME" in a command', "${env:HOME}"),
    "an assignment": ('[run]\nweb = "A=1 npm x"', '"A=1" is a variable, not a program', 'env = { A = "1" }'),
    "a quote": ('[run]\nweb = "a \'b"', "has a quote that is not closed", ""),
    "a port without a port": (
        '[run.web]\ncommand = "x {port}"',
        "`{port}` is the port of the program",
        'port = "auto"',
    ),
    "an upstream": ('[run.web]\ncommand = "x"\nupstream = "pag"', 'there is no upstream "pag"', 'did you mean "page"?'),
    "two for one": ('[run]\npage = "a"\n[run.b]\ncommand = "b"\nupstream = "page"', "both serve the upstream", ""),
    "a variable's name": ('[run.web]\ncommand = "x"\nenv = { "A=B" = "1" }', '"A=B" is not a name for a variable', ""),
    "a value": ('[run.web]\ncommand = "x"\nenv = { A = 1 }', "expected a string, got 1", 'A = "1"'),
    "a port": ('[run.web]\ncommand = "x"\nport = 0', "must be a number from 1 to 65535", ""),
    "restart": ('[run.web]\ncommand = "x"\nrestart = true', "expected a string", ""),
    "cwd": ('[run.web]\ncommand = "x"\ncwd = "y"', "unknown key `cwd`", "did you mean `folder`?"),
    "cmd": ('[run.web]\ncmd = "x"', "unknown key `cmd`", "did you mean `command`?"),
    "a name": (f'[run]\n{"x" * 40} = "x"', "is not a name for a program", "letters"),
}


@pytest.mark.parametrize(("run", "what", "help"), REFUSED.values(), ids=REFUSED)
def test_a_program_that_cannot_be_run_is_refused_where_it_is_written(run: str, what: str, help: str) -> None:
    found, advice, line = problem(run)
    assert what in found
    assert help in advice
    assert line > 0


COMMANDS = [
    *("npm run dev", "a 'b c' d", 'x "y z"', r"a\ b c", "a ''", 'a"b"c', "a '$x' \"it's\"", r'a "\$x"', "a#b c"),
    *(r"a \"b c\"", r"a \\ \'", r"'a\b'", r'"a\b" "c\\d"', "a\tb  c", "x a=b c=d", "x =y", "x %{b}"),
]


@pytest.mark.parametrize("text", COMMANDS)
def test_a_string_is_split_as_a_shell_splits_it(text: str) -> None:
    shell = shutil.which("sh")
    assert shell
    done = subprocess.run([shell, "-c", f'printf "%s\\0" {text}'], capture_output=True, text=True, check=True)
    assert split_command(text) == tuple(done.stdout.split("\0")[:-1])


def test_what_is_no_command_is_no_crash() -> None:
    for text in ("'", '"', "\\", "\0", " ", "(", "`x`", "a\nb; c", "~/x", "a #b", 'a "$(x)"', "a ${x}", '"a\\'):
        with pytest.raises(BadText):
            split_command(text)


def typed(*program: str, frontend: str | None = None, backend: str | None = None) -> Config:
    return from_arguments(frontend=frontend, backend=backend, backend_paths=(), listen=(), program=program)


def test_the_program_behind_two_hyphens_is_the_frontend() -> None:
    config = typed("npm", "run", "dev")
    assert [route.pattern for route in config.routes] == ["/"]
    assert config.upstreams[0].servers[0].port == 0
    assert (config.programs[0].name, config.programs[0].upstream, config.programs[0].port) == ("frontend",) * 2 + (
        None,
    )


def test_beside_a_backend_it_takes_what_the_backend_does_not() -> None:
    config = typed("npm", "run", "dev", backend="3001")
    assert [(route.pattern, route.upstream) for route in config.routes] == [
        ("/socket.io/", "backend"),
        ("/api/", "backend"),
        ("/", "frontend"),
    ]


def test_with_a_frontend_that_is_where_it_is_expected() -> None:
    config = typed("npm", "start", frontend="5173")
    assert config.upstreams[0].servers[0].url == "http://localhost:5173"
    assert config.programs[0].upstream == "frontend"


def test_a_port_in_its_words_is_chosen() -> None:
    assert typed("vite", "--port", "{port}").programs[0].port == AUTO_PORT


def test_beside_a_file_it_takes_the_place_of_the_files_programs() -> None:
    config = with_typed_program(loaded('[run]\nx = "y"'), ["npm", "start"])
    [program] = config.programs
    assert (program.command, program.upstream) == (("npm", "start"), "page")


def test_servers_follow() -> None:
    config = loaded("")
    assert with_servers(config, {"page": local_server(5173)}) is config
    assert with_servers(config, {"page": local_server(5174)}).upstreams[0].servers[0].port == 5174


def test_the_diff_names_programs_and_no_value_of_a_variable() -> None:
    before = loaded('[run.a]\ncommand = "x"\nenv = { TOKEN = "secret1" }')
    after = loaded('[run.a]\ncommand = "y"\nenv = { TOKEN = "secret2" }\n[run.b]\ncommand = "z"')
    lines = [(one.what, one.kind, one.detail) for one in diff(before, after)]
    assert lines == [
        ("program a", "changed", "command: x -> y"),
        ("program a", "changed", "env: another value for TOKEN"),
        ("program b", "added", "z"),
    ]
