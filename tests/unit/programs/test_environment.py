"""What a program finds in its environment."""

from __future__ import annotations

from devproxy.config.model import Program
from devproxy.programs.environment import Terminal, command_of, environment_for

PAGE = Program(name="page", command=("vite", "--port", "{port}", "x{port}y"), port=4000)
URL = "https://localhost:8080"


def test_it_learns_where_devproxy_is_and_its_own_port() -> None:
    found = environment_for(PAGE, {"PATH": "/bin"}, url=URL)
    assert found == {"PATH": "/bin", "DEVPROXY_URL": URL, "PORT": "4000", "PYTHONUNBUFFERED": "1"}


def test_without_a_port_there_is_no_variable_for_one() -> None:
    assert "PORT" not in environment_for(Program(name="x", command=("x",)), {}, url=URL)


def test_what_the_configuration_says_wins() -> None:
    program = Program(name="x", command=("x",), port=1, env=(("PORT", "2"), ("DEVPROXY_URL", "mine")))
    found = environment_for(program, {"PORT": "3"}, url=URL)
    assert (found["PORT"], found["DEVPROXY_URL"]) == ("2", "mine")


def test_node_trusts_the_authority() -> None:
    assert environment_for(PAGE, {}, url=URL, authority="/ca.pem")["NODE_EXTRA_CA_CERTS"] == "/ca.pem"
    own = {"NODE_EXTRA_CA_CERTS": "/own.pem"}
    assert environment_for(PAGE, own, url=URL)["NODE_EXTRA_CA_CERTS"] == "/own.pem"
    assert "NODE_EXTRA_CA_CERTS" not in environment_for(PAGE, {}, url=URL)


def test_colours_are_asked_for_only_where_they_are_shown() -> None:
    def colour(base: dict[str, str], terminal: Terminal | None) -> str | None:
        return environment_for(PAGE, base, url=URL, terminal=terminal).get("FORCE_COLOR")

    shown = Terminal(80, True)
    assert colour({}, shown) == "1"
    assert colour({"TERM": "xterm-256color"}, shown) == "2"
    assert colour({"COLORTERM": "truecolor"}, shown) == "3"
    assert colour({"NO_COLOR": "1"}, shown) is None
    assert colour({"FORCE_COLOR": "0"}, shown) == "0"
    assert colour({}, Terminal(80, False)) is None
    assert colour({}, None) is None


def test_the_columns_are_those_beside_the_names() -> None:
    assert environment_for(PAGE, {}, url=URL, terminal=Terminal(69, True))["COLUMNS"] == "69"
    assert environment_for(PAGE, {}, url=URL, terminal=Terminal(3, True))["COLUMNS"] == "20"
    assert "COLUMNS" not in environment_for(PAGE, {}, url=URL)


def test_the_port_is_put_into_the_command() -> None:
    assert command_of(PAGE) == ("vite", "--port", "4000", "x4000y")
    assert command_of(Program(name="x", command=("echo", "{port}"))) == ("echo", "{port}")
