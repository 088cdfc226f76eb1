"""The options of every command, as typed. Checks spelling only; what values mean is for :mod:`devproxy.config`.

Start at :func:`parse`. Only the parser of the command that is asked for gets its options.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, NoReturn

from devproxy import __version__
from devproxy.cli.refusal import Refused

_HELP_COLUMNS: Final = 78
"""What argparse fills in a terminal of 80 columns, for which the examples are laid out."""


class _Parser(argparse.ArgumentParser):
    """Refuses as every other part of the command line does. No abbreviations: a later option must not change them."""

    def __init__(self, prog: str, description: str, epilog: str, **_: object) -> None:
        # From 3.14 on argparse can paint its help, and hands that on to the parsers of commands. Here it never does.
        super().__init__(
            prog=prog,
            description=description,
            epilog=epilog,
            # A width, because for want of one argparse asks the terminal by way of shutil, whatever is to be parsed.
            formatter_class=partial(argparse.RawDescriptionHelpFormatter, width=_HELP_COLUMNS),
            allow_abbrev=False,
        )
        self.color = False
        self.typed: Sequence[str] = ()  # what is parsed, for the line that refusals suggest

    def error(self, message: str) -> NoReturn:
        """Raise :class:`Refused` with the line that is nearest to what was typed."""
        from devproxy.cli.guesses import line, meant_option, other_way, with_option  # only errors need them

        ways = [f"{self.prog} --help"]
        if way := other_way(self.prog.rpartition(" ")[2], self.typed, message):
            raise Refused(message.removeprefix("argument ").replace("unrecognized", "unknown"), way, *ways)
        unknown = re.match(r"unrecognized arguments: (--?[^ ]+)", message)
        if unknown and (meant := meant_option(unknown[1], re.findall(r"--[a-z-]+", self.format_usage()))):
            typed = line(self.prog.rpartition(" ")[2], with_option(self.typed, unknown[1], meant))
            ways.insert(0, f"did you mean {meant}?  {typed}")
        raise Refused(message.removeprefix("argument ").replace("unrecognized arguments", "unknown arguments"), *ways)


class _Once(argparse.Action):
    """An option that may be given once: of two values, none is silently dropped."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[str] | None,
        option_string: str | None = None,
    ) -> None:
        """Keep the value. Raises :class:`Refused` for the second one."""
        given = getattr(namespace, self.dest)
        if given is not None and given != values:
            ways = [f"{parser.prog} --help"]
            if self.dest in ("frontend", "backend") and isinstance(parser, _Parser):
                from devproxy.cli.guesses import line, with_one

                typed = with_one(parser.typed, str(option_string), f"{given},{values}")
                ways.insert(0, f"for several servers:  {line(parser.prog.rpartition(' ')[2], typed)}")
            raise Refused(f"{option_string} is given twice: {given} and {values}", *ways)
        setattr(namespace, self.dest, values)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the options; ``command`` names the command's module.

    Raises :class:`Refused` for what cannot be read, SystemExit after ``--help`` and ``--version``.
    """
    name = arguments[0] if arguments else ""
    if name.partition("=")[0] in (*IMPLYING_UP, "--"):
        return parse(["up", *arguments])
    if name not in _COMMANDS:
        return _parse_without_command(arguments)
    _, add_options = _COMMANDS[name]
    parser = _parser(f"devproxy {name}", add_options)
    add_options(parser)
    parser.typed = arguments[1:]
    own, program = _without_program(arguments[1:]) if name == "up" else (arguments[1:], None)
    options = parser.parse_args(own)
    options.command = name
    options.typed = list(arguments)
    if name == "up":
        options.program = program or ()
        if program == []:
            from devproxy.cli.guesses import line  # only errors need it

            raise Refused("there is no program after --", line("up", [*own, "--", "npm", "run", "dev"]))
        _take_servers(options)
    return options


def parsers() -> dict[str, tuple[str, argparse.ArgumentParser]]:
    """Return the parser of each command by its name, with what the list of commands says of it."""
    made: dict[str, tuple[str, argparse.ArgumentParser]] = {}
    for name, (summary, add_options) in _COMMANDS.items():
        parser = _parser(f"devproxy {name}", add_options)
        add_options(parser)
        made[name] = (summary, parser)
    return made


def _without_program(arguments: Sequence[str]) -> tuple[list[str], list[str] | None]:
    """Return what comes before the first ``--``, and what comes behind it; None: there is none."""
    if "--" not in arguments:
        return list(arguments), None
    at = list(arguments).index("--")
    return list(arguments[:at]), list(arguments[at + 1 :])


def _take_servers(options: argparse.Namespace) -> None:
    """Make ``--frontend`` and ``--backend`` of the servers that were named without them."""
    servers: list[str] = options.servers
    if not servers:
        return
    from devproxy.cli.guesses import is_server, line  # most lines name them by options, or none

    if servers[0].endswith(".toml"):
        typed = [text for text in options.typed[1:] if text != servers[0]]
        raise Refused(f"{servers[0]} is a file, not a server", line("up", [*typed, "--config", servers[0]]))
    if not is_server(servers[0]) and servers[0].replace("-", "").isalpha():
        typed = options.typed[1:]
        at = typed.index(servers[0])
        meant = line("up", [*typed[:at], "--", *typed[at:]])
        raise Refused(f"{servers[0]} is no server", f"if it is a program that is to be started:  {meant}")
    if len(servers) > 2:
        raise Refused(
            f"devproxy up takes two servers, the frontend and the backend, not {len(servers)}",
            "for more of them write a devproxy.toml with a route for each",
            "devproxy up --help",
        )
    if options.frontend is not None or options.backend is not None:
        raise Refused(
            f"{' '.join(servers)}: servers are named either by --frontend and --backend, or without them",
            "devproxy up --frontend 5173 --backend 3001",
            "devproxy up 5173 3001",
        )
    options.frontend, options.backend = servers[0], servers[1] if len(servers) > 1 else None


def _parser(prog: str, described: Callable[..., object]) -> _Parser:
    """Return a parser whose help is the docstring of `described`, before and after the options."""
    text = described.__doc__ or ""
    if indent := re.search(r"\n( *)\S", text):  # none from Python 3.13 on
        text = text.replace(f"\n{indent[1]}", "\n")
    description, _, epilog = text.partition("\n\n")
    return _Parser(prog, description, epilog)


def _parse_without_command(arguments: Sequence[str]) -> argparse.Namespace:
    """One origin in front of your frontend dev server and your
    Socket.IO/REST backend.

    examples:
      devproxy up --frontend 5173 --backend 3001  no file: /socket.io/ and /api/ go
                                                  to 3001, everything else to 5173
      devproxy up -- npm run dev                  starts your dev server, too
      devproxy init                               proposes a devproxy.toml
      devproxy up                                 with the nearest devproxy.toml
      devproxy check                              is that file valid?
      devproxy routes --test GET /apikey          which route matches this, and why
      devproxy explain /api/ --send               how it is handled, and what a
                                                  browser does with the answer
      devproxy doctor http://localhost:3001       why a page cannot talk to a server
      devproxy demo                               see the difference in a browser

    exit codes:
      0    success, or a clean shutdown
      1    failed while running: a port is taken, no server answers, no route
      2    the command line or the configuration is wrong
      130  stopped immediately by a second Ctrl-C
      of devproxy up -- PROGRAM: the program's own; 127 if there is none

    environment:
      DEVPROXY_CONFIG        the configuration, unless --config is given
      DEVPROXY_SERVER_…      a key of [server]: DEVPROXY_SERVER_LISTEN=9000
      DEVPROXY_UPSTREAMS_…   the servers of an upstream: DEVPROXY_UPSTREAMS_BACKEND
      NO_COLOR, FORCE_COLOR  never colour the output, or always colour it

    devproxy COMMAND --help says more about a command.
    """
    parser = _parser("devproxy", _parse_without_command)
    parser.add_argument("-V", "--version", action="version", version=f"devproxy {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", prog="devproxy")
    for name, (summary, _) in _COMMANDS.items():
        commands.add_parser(name, help=summary, description="", epilog="")
    if not arguments:
        raise Refused("which command?", "devproxy up --frontend 5173 --backend 3001", "devproxy --help")
    name = arguments[0]
    if not name.startswith("-"):
        from devproxy.cli.guesses import without_command

        meant = without_command(arguments, _COMMANDS)
        known = f"did you mean {meant}?" if meant else f"the commands are {', '.join(_COMMANDS)}"
        raise Refused(f"there is no command {name}", known, "devproxy --help")
    options = parser.parse_args(arguments[:1])
    raise Refused(f"no command given, only {' '.join(arguments)}", "devproxy --help", *vars(options))


def _add_up(parser: argparse.ArgumentParser) -> None:
    """Start devproxy: with a configuration file, or with ports alone.

    examples:
      devproxy up
      devproxy up --config dev/devproxy.toml --listen 9000
      devproxy up --frontend 5173 --backend 3001
      devproxy up 5173 3001 --port auto
      devproxy up --frontend 5173 --backend http://127.0.0.1:3001 \\
                  --backend-path /ws/ --backend-path /api/
      devproxy up --open -- npm run dev
      devproxy up --backend 3001 -- npx vite --port {port}

    What is behind -- is the frontend: devproxy starts it, finds the port that it
    takes, and ends with it, with its exit status (128 + n for signal n). {port} in
    it is replaced by a free port, which it also gets as PORT. Programs of the
    configuration ([run.NAME]) are started as well, and end with devproxy.

    Keys, unless a program has the terminal: h help, o open, i inspector, r reload,
    u URLs and routes, c clear, q quit. Ctrl-C waits up to drain_s (3 s by default)
    for requests to finish, then stops; a second Ctrl-C stops immediately.
    """
    _add_configuration(parser)
    help = (
        "port, host:port, or :port for every address of this machine; repeatable (default: localhost:8080); "
        "auto: the next port that is free"
    )
    parser.add_argument("--listen", "--port", action="append", default=[], metavar="ADDRESS", help=help)
    parser.add_argument(
        "servers", nargs="*", metavar="SERVER", help="--frontend, then --backend, without these words before them"
    )
    parser.add_argument("--tls", action="store_true", help="HTTPS too, on the same port (see devproxy trust)")
    parser.add_argument("--open", action="store_true", help="open the page in a browser when it is ready")
    _add_output(parser)
    _add_choice(parser, "--loop", ("auto", "uvloop", "asyncio"), argparse.SUPPRESS)


def _add_init(parser: argparse.ArgumentParser) -> None:
    """Look at what runs on this machine and at the project in this folder, and propose
    a devproxy.toml: which server gets which path, and why. It is written if you
    agree, and never over another file. Programs are asked for a page and for a
    session of Socket.IO; files are read, and never run.

    examples:
      devproxy init
      devproxy init --yes && devproxy up
      devproxy init --print
      devproxy init --frontend 5173 --backend 3001 --backend-path /api/
      devproxy init ../shop

    exit codes:
      0  written, or printed
      1  not written: you did not agree, or the file system did not
      2  there is a file already, or no terminal to ask in, or nothing was found
    """
    parser.add_argument("folder", nargs="?", default=".", metavar="FOLDER", help="the project (default: this folder)")
    parser.add_argument("--yes", "-y", action="store_true", help="write it without asking")
    parser.add_argument("--print", action="store_true", help="print it to standard output, and write nothing")
    parser.add_argument("--frontend", action=_Once, metavar="SERVER", help="your dev server: port, host:port or URL")
    parser.add_argument("--backend", action=_Once, metavar="SERVER", help="your backend: port, host:port or URL")
    _add_repeatable(
        parser, "--backend-path", "PATH", "a path that goes to the backend; repeatable (default: what the sources say)"
    )
    _add_colour(parser)


def _add_check(parser: argparse.ArgumentParser) -> None:
    """Validate configuration files: every problem, where it is, and what to type.

    examples:
      devproxy check
      devproxy check a/devproxy.toml b/devproxy.toml --json
    """
    parser.add_argument(
        "paths", nargs="*", metavar="PATH", help="files (default: the nearest devproxy.toml, here or above)"
    )
    parser.add_argument("--config", metavar="PATH", help="the same as PATH")
    _add_env_file(parser)
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    _add_colour(parser)


def _add_routes(parser: argparse.ArgumentParser) -> None:
    """Show the routes in order of precedence, or which one matches a request, and why.

    examples:
      devproxy routes
      devproxy routes --test GET '/socket.io/?EIO=4&transport=polling'
      devproxy routes --test POST http://app.test:8080/api/users
      devproxy routes --test GET /api/ --host app.test --header 'X-Tenant: blue'
      devproxy routes --frontend 5173 --backend 3001 --test GET /apikey
    """
    _add_configuration(parser)
    parser.add_argument(
        "--test", nargs=2, metavar=("METHOD", "TARGET"), help="show which route matches this request: a path or a URL"
    )
    parser.add_argument("--host", metavar="HOST", help="the Host of that request (default: the URL's, else localhost)")
    _add_repeatable(parser, "--header", "'NAME: VALUE'", "a header of that request; repeatable")
    _add_colour(parser)


def _add_health(parser: argparse.ArgumentParser) -> None:
    """Ask a running devproxy whether it is up: for health checks, CI and scripts.

    examples:
      devproxy health
      devproxy health http://localhost:8080/ --wait 30
      devproxy up 5173 3001 & devproxy health --wait 30 --upstreams && npm test

    exit codes:
      0  devproxy is up; with --upstreams, every server behind it takes connections
      1  one of them is not, with --wait: not within that time
      2  the command line or the configuration is wrong; not waited for
    """
    parser.add_argument(
        "where", nargs="?", metavar="URL", help="where devproxy listens: http://localhost:8080/, host:port or a port"
    )
    parser.add_argument("--url", metavar="URL", help="the same")
    parser.add_argument("--listen", "--port", metavar="ADDRESS", help="the same, written as for devproxy up")
    parser.add_argument(
        "--config",
        metavar="PATH",
        help="the same, read from this file (default: the nearest devproxy.toml, here or above)",
    )
    _add_env_file(parser)
    parser.add_argument("--wait", metavar="SECONDS", help="ask again until it is up, for that long")
    parser.add_argument(
        "--upstreams", action="store_true", help="connect to every server of the upstreams, too; nothing is sent there"
    )


def _add_demo(parser: argparse.ArgumentParser) -> None:
    """Start a page, a Socket.IO backend, and devproxy. Needs the extra `demo`."""
    parser.add_argument(
        "--listen", "--port", default="", metavar="ADDRESS", help="as for devproxy up (default: a free port)"
    )
    parser.add_argument("--no-open", action="store_true", help="do not open a browser")
    _add_output(parser)


def _add_explain(parser: argparse.ArgumentParser) -> None:
    """Show which route a request takes, what devproxy changes in its head and in the
    answer's (with the rule for each line), and a browser's verdict.

    examples:
      devproxy explain /api/items
      devproxy explain /api/items --origin http://localhost:3000 --send
      devproxy explain http://localhost:8080/api/items --method PUT \\
                       --origin https://app.test --header 'Authorization: x' \\
                       --credentials include --send
      devproxy explain 'ws://localhost:8080/socket.io/?EIO=4&transport=websocket' \\
                       --send
    """
    parser.add_argument("url", metavar="URL", help="a path, or the URL as the browser shows it: http, https, ws, wss")
    parser.add_argument(
        "--origin", metavar="ORIGIN", help="the origin of the page that sends it (default: devproxy's own)"
    )
    parser.add_argument("--method", default="GET", metavar="METHOD", help="default: GET")
    _add_repeatable(parser, "--header", "'NAME: VALUE'", "a header that the page sets; repeatable")
    _add_choice(parser, "--credentials", ("omit", "include"), "whether the page sends credentials (default: omit)")
    parser.add_argument("--send", action="store_true", help="send it to the server, and show the answer")
    parser.add_argument("--force", action="store_true", help="with --send: even where a browser would not send it")
    _add_configuration(parser)
    _add_colour(parser)


def _add_doctor(parser: argparse.ArgumentParser) -> None:
    """Find out, from the wire alone, why a page cannot talk to a server: CORS,
    preflights, WebSocket upgrades, versions, paths, namespaces, cookies, several
    processes, time-outs; with the fix to paste.

    examples:
      devproxy doctor http://localhost:3001
      devproxy doctor http://localhost:3001/admin --origin http://localhost:5173
      devproxy doctor http://localhost:3001 --credentials --through http://localhost:8080
      devproxy doctor http://localhost:8000/api/items --json
      devproxy doctor                       this machine: configuration, upstreams

    URL is what the page gives to io(): its path is the namespace, --path is
    Engine.IO's. For a server without Socket.IO it is the page or the REST address.
    What the server notices: GETs, preflights, WebSocket handshakes, sessions that
    are opened and closed, and the namespace joined, which runs the application's
    connection handler. No other message, and no request that changes anything.

    exit codes: 0 no error (warnings at most), 1 errors, 2 usage
    """
    parser.add_argument(
        "url",
        nargs="?",
        metavar="URL",
        help="the server, as given to io(): a URL, host:port or a port; without it: this machine",
    )
    parser.add_argument("--origin", metavar="ORIGIN", help="the page's (default: http://localhost:3000)")
    parser.add_argument("--path", metavar="/PATH/", help="the path of Engine.IO (default: /socket.io/)")
    parser.add_argument(
        "--credentials", action="store_true", help="cookies go along: withCredentials, credentials: 'include'"
    )
    parser.add_argument(
        "--through", metavar="URL", help="ask by way of this as well: devproxy, nginx, whatever is in front"
    )
    _add_choice(parser, "--eio", ("4", "3"), "the client's Engine.IO protocol; 3: a client of version 2 (default: 4)")
    parser.add_argument("--timeout", metavar="S", help="seconds that all of it may take (default: 15)")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    _add_configuration(parser)
    _add_colour(parser)


def _add_trust(parser: argparse.ArgumentParser) -> None:
    """Show the authority that signs the certificates of this machine, who trusts it,
    and which commands change that; with --install, run them.

    examples:
      devproxy trust
      devproxy trust --install
      devproxy trust --allow dev.example.com --install
      devproxy trust --uninstall
    """
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--install", action="store_true", help="make this system and its browsers trust it")
    which.add_argument("--uninstall", action="store_true", help="make them stop")
    _add_repeatable(parser, "--allow", "NAME", "a public name that it may sign, with all names below; repeatable")
    parser.add_argument("--json", action="store_true", help="print the state, and what to run, as JSON")
    _add_colour(parser)


def _add_record(parser: argparse.ArgumentParser) -> None:
    """Record what passes through a running devproxy as a HAR file, which the
    developer tools of browsers read: requests with heads and bodies, and WebSocket
    messages. Secrets are masked unless you ask for them.

    examples:
      devproxy record session.har
      devproxy record session.har --for 30
      devproxy record session.har --url http://localhost:8080/ --secrets
    """
    parser.add_argument("file", metavar="FILE", help="where to write it; replaced if it is there")
    parser.add_argument("--url", metavar="URL", help="which devproxy, where several are running: see devproxy list")
    parser.add_argument("--config", metavar="PATH", help="the same, by its configuration")
    parser.add_argument("--for", dest="seconds", type=float, default=0.0, metavar="SECONDS", help="end after that long")
    parser.add_argument("--secrets", action="store_true", help="with cookies, tokens and passwords as they are")
    _add_colour(parser)


def _add_import(parser: argparse.ArgumentParser) -> None:
    """Write a devproxy.toml that does what another tool's configuration says of proxying.

    examples:
      devproxy import vite
      devproxy import vite web/vite.config.ts --print

    The tool itself reads its configuration, which runs the code in it. PATH is that
    file, or the folder of the project (default: this one). What cannot be carried
    over is a comment in the new file that says why. A file that is there is never
    overwritten.
    """
    from devproxy.importing.sources import SOURCES  # no other command needs them

    parser.add_argument("source", nargs="?", metavar="TOOL", help=", ".join(SOURCES))
    parser.add_argument("path", nargs="?", metavar="PATH", help="its configuration, or the folder of the project")
    parser.add_argument("--print", action="store_true", help="print it, and write no file")
    parser.add_argument("--timeout", metavar="S", help="seconds that the tool may take (default: 30)")
    _add_colour(parser)


def _add_list(parser: argparse.ArgumentParser) -> None:
    """Show which devproxys of this user are running: where, with which file, since when.

    examples:
      devproxy list
      devproxy list --json
    """
    parser.add_argument("--json", action="store_true", help="print them as JSON")
    _add_colour(parser)


def _add_completion(parser: argparse.ArgumentParser) -> None:
    """Print what makes your shell complete commands, options, values and file names.

    to have it in every new shell, one line in the file that your shell reads:
      ~/.bashrc                   source <(devproxy completion bash)
      ~/.zshrc, after compinit    source <(devproxy completion zsh)
      ~/.config/fish/config.fish  devproxy completion fish | source
    """
    parser.add_argument("shell", choices=("bash", "zsh", "fish"), metavar="SHELL", help="bash, zsh or fish")


def _add_export(parser: argparse.ArgumentParser) -> None:
    """Write the routes as configuration for production, with comments: what each part
    is for, what could not be carried over and why, which lines to replace.

    targets:
      nginx, caddy, haproxy  a file for that proxy
      traefik                a file for its file provider
      kubernetes             Services, HTTPRoutes and Ingresses
      socketio               `cors`, allowRequest, the adapter: Node and Python
      vite                   server.proxy, to go on developing without devproxy

    examples:
      devproxy export nginx
      devproxy export socketio --origin https://app.example.com
      devproxy export nginx --origin https://app.example.com \\
                      --server backend=http://10.0.0.5:3001 \\
                      --server backend=http://10.0.0.6:3001 --output app.conf
      devproxy export caddy --frontend 5173 --backend 3001

    Nothing is started or asked. The same configuration gives the same text.
    """
    from devproxy.exporting import TARGETS  # no other command needs them

    parser.add_argument("target", choices=TARGETS, metavar="TARGET", help="what to write: see above")
    _add_repeatable(
        parser,
        "--origin",
        "ORIGIN",
        "where browsers reach the site: https://app.example.com; repeatable, main one first",
    )
    _add_repeatable(
        parser, "--server", "NAME=URL", "a server of production for an upstream; repeatable (default: as in the file)"
    )
    _add_repeatable(
        parser, "--socketio-path", "PATH", "a route that is Socket.IO's though socket.io is not in its path; repeatable"
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--print", action="store_true", help="write it to standard output (the default)")
    which.add_argument("--output", metavar="FILE", help="write it to this file, which must not be there yet")
    _add_configuration(parser)
    _add_colour(parser)


def _add_schema(_: argparse.ArgumentParser) -> None:
    """Print the JSON Schema (draft-07) of devproxy.toml, for editors."""


def _add_configuration(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config", metavar="PATH", help="the configuration (default: the nearest devproxy.toml, here or above)"
    )
    _add_env_file(parser)
    parser.add_argument(
        "--frontend",
        action=_Once,
        metavar="SERVER",
        help="your dev server: port, host:port or URL, or several: 3001,3002",
    )
    parser.add_argument(
        "--backend", action=_Once, metavar="SERVER", help="your backend, written likewise; neither needs a file"
    )
    help = "a path that goes to the backend; repeatable (default: /socket.io/ and /api/)"
    _add_repeatable(parser, "--backend-path", "/PATH/", help)


def _add_env_file(parser: argparse.ArgumentParser) -> None:
    help = "a file of variables, such as .env; the environment goes before it; repeatable"
    _add_repeatable(parser, "--env-file", "PATH", help)


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--quiet", action="store_true", help="print only errors and warnings")
    parser.add_argument("--verbose", action="store_true", help="print every exchange, what was changed in it, and why")
    _add_choice(
        parser, "--log", ("human", "json"), "for people, on standard error, or for programs, on standard output"
    )
    _add_colour(parser)


def _add_colour(parser: argparse.ArgumentParser) -> None:
    _add_choice(parser, "--color", ("auto", "always", "never"), "default: auto, where the terminal supports it")


def _add_repeatable(parser: argparse.ArgumentParser, name: str, metavar: str, help: str) -> None:
    parser.add_argument(name, action="append", default=[], metavar=metavar, help=help)


def _add_choice(parser: argparse.ArgumentParser, name: str, choices: tuple[str, ...], help: str) -> None:
    """Add an option of which the first one of `choices` is the default."""
    parser.add_argument(name, choices=choices, default=choices[0], help=help)


IMPLYING_UP: Final = (
    *("--config", "--env-file", "--frontend", "--backend", "--backend-path", "--listen", "--port", "--tls"),
    *("--log", "--quiet", "--verbose", "--open"),
)
"""With one of these first, and no command, ``up`` is meant."""

_COMMANDS: Final = {
    "up": ("start devproxy", _add_up),
    "init": ("propose a devproxy.toml, from what runs and the files", _add_init),
    "check": ("validate configuration files", _add_check),
    "routes": ("show the routes, or which one matches a request and why", _add_routes),
    "explain": ("show how a request is handled, and what a browser does with the answer", _add_explain),
    "doctor": ("find out why a page cannot talk to a server, and what to write", _add_doctor),
    "trust": ("make browsers trust the certificates of this machine", _add_trust),
    "record": ("record what passes through a running devproxy, as HAR", _add_record),
    "import": ("make a devproxy.toml of another tool's configuration", _add_import),
    "export": ("write the routes as configuration for production: nginx, Caddy and others", _add_export),
    "list": ("show which devproxys are running", _add_list),
    "schema": ("print the JSON Schema of devproxy.toml", _add_schema),
    "completion": ("print what makes your shell complete a line", _add_completion),
    "health": ("ask or wait whether devproxy, and what is behind it, is up", _add_health),
    "demo": ("show the difference devproxy makes, on a page", _add_demo),
}
"""What the list of commands says of each, and what adds its options: the docstring of that is the command's help."""
