"""What is typed, and what is said about what cannot be meant."""

from __future__ import annotations

import pytest
from devproxy import __version__
from devproxy.cli import main
from devproxy.cli.arguments import parse
from devproxy.cli.refusal import MISUSED, Refused

COMMANDS = ("up", "check", "routes", "explain", "trust", "schema", "health", "demo")


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
        (["--backend", "3001"], "no command given, only --backend 3001", "devproxy up --backend 3001"),
        (
            ["xyzzy"],
            "there is no command xyzzy",
            "the commands are up, check, routes, explain, doctor, trust, record, list, schema, health, demo",
        ),
        (["up", "--fronted", "1"], "unknown arguments: --fronted 1", "did you mean --frontend?"),
        (["up", "--bogus"], "unknown arguments: --bogus", "devproxy up --help"),
        (["up", "--front", "1"], "unknown arguments: --front 1", "devproxy up --help"),
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


def test_a_refusal_goes_to_standard_error_and_the_code_is_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chekc", "--color", "never"]) == MISUSED
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "error: there is no command chekc\nhelp: did you mean devproxy check?\nhelp: devproxy --help\n"


def test_what_was_typed_is_never_printed_as_a_control_sequence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["\x1b[31mred"]) == MISUSED
    assert "\x1b" not in capsys.readouterr().err
