"""What is typed, and what is said about what cannot be meant."""

from __future__ import annotations

import pytest
from devproxy import __version__
from devproxy.cli import main
from devproxy.cli.arguments import parse, parsers
from devproxy.cli.guesses import listening_on
from devproxy.cli.refusal import MISUSED, Refused

COMMANDS = ("up", "check", "routes", "explain", "trust", "schema", "completion", "health", "demo")


def test_options_that_repeat_are_kept_in_their_order() -> None:
    options = parse(["up", "--listen", "1", "--listen", ":2", "--backend-path", "/b/", "--backend-path", "/a/"])
    assert options.command == "up"
    assert options.listen == ["1", ":2"]
    assert options.backend_path == ["/b/", "/a/"]


def test_what_is_not_given_is_none_or_empty() -> None:
    options = parse(["up"])
    assert (options.config, options.frontend, options.backend) == (None, None, None)
    assert (options.listen, options.backend_path, options.quiet) == ([], [], False)
    assert (options.log, options.color) == ("human", "auto")


NPM = "if it is a program that is to be started:  devproxy up --open -- npm run dev"


@pytest.mark.parametrize("option", ["--version", "-V"])
def test_the_version_goes_to_standard_output(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([option])
    assert not end.value.code
    assert capsys.readouterr() == (f"devproxy {__version__}\n", "")


def test_help_names_every_command_the_exit_codes_and_the_environment(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    said = capsys.readouterr().out
    for word in (*COMMANDS, "130", "DEVPROXY_CONFIG", "NO_COLOR", "FORCE_COLOR"):
        assert word in said


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_help_of_its_own_that_fits_into_80_columns(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SystemExit) as end:
        main([command, "--help"])
    assert not end.value.code
    said = capsys.readouterr().out
    assert said.startswith(f"usage: devproxy {command}")
    assert max(map(len, said.splitlines())) <= 80


@pytest.mark.parametrize(
    ("arguments", "what", "way"),
    [
        ([], "which command?", "devproxy --help"),
        (["chekc"], "there is no command chekc", "did you mean devproxy check?"),
        (["start"], "there is no command start", "did you mean devproxy up?"),
        (["start", "--frontend", "5173"], "there is no command start", "did you mean devproxy up --frontend 5173?"),
        (["5173", "3001"], "there is no command 5173", "did you mean devproxy up 5173 3001?"),
        (
            ["xyzzy"],
            "there is no command xyzzy",
            f"the commands are {', '.join(parsers())}",
        ),
        (
            ["up", "--fronted", "1"],
            "unknown arguments: --fronted",
            "did you mean --frontend?  devproxy up --frontend 1",
        ),
        (
            ["up", "-p=9000", "5173"],
            "unknown arguments: -p=9000",
            "did you mean --listen?  devproxy up --listen=9000 5173",
        ),
        (
            ["up", "--target", "3001"],
            "unknown arguments: --target",
            "did you mean --backend?  devproxy up --backend 3001",
        ),
        (["up", "3001", "--"], "there is no program after --", "devproxy up 3001 -- npm run dev"),
        (["up", "--open", "npm", "run", "dev"], "npm is no server", NPM),
        (["run", "npm", "start"], "there is no command run", "did you mean devproxy up -- npm start?"),
        (["start", "5173", "3001"], "there is no command start", "did you mean devproxy up 5173 3001?"),
        (["up", "dev.toml", "--quiet"], "dev.toml is a file, not a server", "devproxy up --quiet --config dev.toml"),
        (
            ["up", "1", "2", "3"],
            "devproxy up takes two servers, the frontend and the backend, not 3",
            "devproxy up --help",
        ),
        (["up", "5173", "--backend", "3001"], "5173: servers are named either by", "devproxy up 5173 3001"),
        (
            ["up", "--frontend", "1", "--tls", "--frontend=2", "--backend", "3"],
            "--frontend is given twice: 1 and 2",
            "for several servers:  devproxy up --frontend 1,2 --tls --backend 3",
        ),
        (
            ["up", "5173", "--host", "0.0.0.0"],
            "unknown arguments: --host",
            "for every address of this machine:  devproxy up 5173 --listen :8080",
        ),
        (["routes", "5173", "3001"], "unknown arguments: 5173 3001", "devproxy routes --frontend 5173 --backend 3001"),
        (["routes", "--test", "/api/"], "--test: expected 2", "a method and a path:  devproxy routes --test GET /api/"),
        (["up", "--bogus"], "unknown arguments: --bogus", "devproxy up --help"),
        (["up", "--front", "1"], "unknown arguments: --front", "did you mean --frontend?  devproxy up --frontend 1"),
        (["up", "--log", "xml"], "--log: invalid choice: 'xml'", "devproxy up --help"),
        (["routes", "--test", "GET"], "--test: expected 2 arguments", "devproxy routes --help"),
    ],
)
def test_a_wrong_command_line_is_refused_with_what_to_type(arguments: list[str], what: str, way: str) -> None:
    with pytest.raises(Refused) as caught:
        parse(arguments)
    assert caught.value.exit_code == MISUSED
    assert caught.value.what.startswith(what)
    assert way in caught.value.help


@pytest.mark.parametrize(
    "arguments",
    [
        ["up", "5173", "3001", "--port", "9000"],
        ["up", "--port", "9000", "5173", "3001"],
        ["up", "--port=9000", "--frontend", "5173", "--backend", "3001"],
        ["--listen=9000", "5173", "3001"],
        ["--frontend", "5173", "--backend", "3001", "--listen", "9000"],
    ],
)
def test_servers_and_the_port_are_understood_however_they_are_written(arguments: list[str]) -> None:
    options = parse(arguments)
    assert (options.command, options.frontend, options.backend, options.listen) == ("up", "5173", "3001", ["9000"])


@pytest.mark.parametrize("arguments", [["up", "--", "npm", "run", "-h"], ["--", "npm", "run", "-h"]], ids=str)
def test_what_is_behind_two_hyphens_is_a_program_whatever_it_says(arguments: list[str]) -> None:
    options = parse(arguments)
    assert (options.command, options.program, options.servers) == ("up", ["npm", "run", "-h"], [])


def test_options_and_servers_come_before_the_program() -> None:
    options = parse(["up", "--open", "--backend", "3001", "--", "npm", "start", "--", "--port", "1"])
    assert (options.backend, options.open, options.program) == ("3001", True, ["npm", "start", "--", "--port", "1"])


def test_one_server_without_an_option_is_the_frontend() -> None:
    options = parse(["up", "5173"])
    assert (options.frontend, options.backend) == ("5173", None)


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ([], "devproxy up --listen 8081"),
        (["--frontend", "5173", "--listen", "8080"], "devproxy up --frontend 5173 --listen 8081"),
        (["--port=8080", "5173", "--quiet"], "devproxy up 5173 --quiet --listen 8081"),
        (["--config", "my file.toml"], "devproxy up --config 'my file.toml' --listen 8081"),
        (["--port", "1", "--", "vite", "--port", "2"], "devproxy up --listen 8081 -- vite --port 2"),
    ],
)
def test_another_port_is_offered_with_everything_that_was_typed(typed: list[str], line: str) -> None:
    assert listening_on(["up", *typed], ["8081"]) == line


def test_another_port_is_offered_for_the_command_that_was_typed() -> None:
    assert listening_on(parse(["demo", "--port", "8080", "--no-open"]).typed, ["auto"]) == (
        "devproxy demo --no-open --listen auto"
    )


def test_a_refusal_goes_to_standard_error_and_the_code_is_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chekc", "--color", "never"]) == MISUSED
    out, err = capsys.readouterr()
    assert out == ""
    assert (
        err
        == "error: there is no command chekc\nhelp: did you mean devproxy check --color never?\nhelp: devproxy --help\n"
    )


def test_what_was_typed_is_never_printed_as_a_control_sequence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["\x1b[31mred"]) == MISUSED
    assert "\x1b" not in capsys.readouterr().err
