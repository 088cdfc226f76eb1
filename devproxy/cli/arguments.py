"""The options of every command, as typed. Checks spelling only; what the values mean is for :mod:`devproxy.config`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from devproxy import __version__

if TYPE_CHECKING:
    _Commands = argparse._SubParsersAction[argparse.ArgumentParser]

_SCHEMA: Final = "Print the JSON Schema (draft-07) of devproxy.toml, for editors."

_EXAMPLES: Final = """\
examples:
  devproxy up --frontend 5173 --backend 3001       no file needed: /socket.io/ and /api/ go to 3001, the rest to 5173
  devproxy up                                      with the devproxy.toml found here or above
  devproxy check                                   is the configuration right?
  devproxy routes --test GET /apikey               which route takes this, and why
  devproxy demo                                    see the difference in a browser

exit codes:
  0 fine   1 failed while running (a port is taken, …)   2 wrong command line or configuration   130 second Ctrl-C
"""

_UP_EXAMPLES: Final = """\
examples:
  devproxy up
  devproxy up --config ./dev/devproxy.toml --listen 9000
  devproxy up --frontend 5173 --backend 3001
  devproxy up --frontend http://localhost:5173 --backend 127.0.0.1:3001 --backend-path /ws/ --backend-path /api/
"""


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the options; ``command`` names the command's module. Ends the process with 2 for what can't be read."""
    parser = argparse.ArgumentParser(
        prog="devproxy",
        description="One origin in front of your frontend dev server and your Socket.IO/REST backend.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("-V", "--version", action="version", version=f"devproxy {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", title="commands")
    _add_up(commands)
    _add_check(commands)
    _add_routes(commands)
    commands.add_parser("schema", help="print the JSON Schema of devproxy.toml", description=_SCHEMA)
    _add_health(commands)
    _add_demo(commands)
    return parser.parse_args(arguments)


def _add_up(commands: _Commands) -> None:
    parser = commands.add_parser(
        "up",
        help="start devproxy",
        description="Start devproxy: with a configuration file, or with ports alone.",
        epilog=_UP_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_configuration(parser)
    _add_listen(parser)
    parser.add_argument("--quiet", action="store_true", help="print errors and warnings only")
    parser.add_argument("--log", choices=["human", "json"], default="human", help="how to log (default: %(default)s)")
    parser.add_argument(
        "--color", "--colour", choices=["auto", "always", "never"], default="auto", help="default: %(default)s"
    )
    parser.add_argument("--loop", choices=["auto", "uvloop", "asyncio"], default="auto", help=argparse.SUPPRESS)


def _add_check(commands: _Commands) -> None:
    parser = commands.add_parser(
        "check", help="check a configuration", description="Check a configuration; print every problem with its place."
    )
    parser.add_argument("paths", nargs="*", metavar="PATH", help="files (default: the devproxy.toml found upward)")
    parser.add_argument("--config", metavar="PATH", help="the same as PATH")
    parser.add_argument("--json", action="store_true", help="print the result as JSON on stdout")


def _add_routes(commands: _Commands) -> None:
    parser = commands.add_parser(
        "routes",
        help="show the routes, and why one of them takes a request",
        description="Show the routes in order of precedence, or which of them takes a request, and why.",
    )
    _add_configuration(parser)
    parser.add_argument("--test", nargs=2, metavar=("METHOD", "TARGET"), help="ask about this request")
    parser.add_argument("--host", default="localhost", help="the Host of that request (default: %(default)s)")
    parser.add_argument("--header", action="append", default=[], metavar="'NAME: VALUE'", help="repeatable")


def _add_health(commands: _Commands) -> None:
    parser = commands.add_parser(
        "health",
        help="ask a running devproxy whether it is up",
        description="Ask a running devproxy whether it is up: exit code 0 or 1, for container health checks.",
    )
    parser.add_argument("--config", metavar="PATH", help="take the address from this file")
    parser.add_argument("--listen", metavar="ADDRESS", help="port, host:port or :port that devproxy listens on")
    parser.add_argument("--url", metavar="URL", help="for example http://localhost:8080/")


def _add_demo(commands: _Commands) -> None:
    parser = commands.add_parser(
        "demo",
        help="a page that shows the difference",
        description="Start a page, a Socket.IO backend and devproxy in front (needs the extra `demo`).",
    )
    parser.add_argument("--listen", default="", metavar="ADDRESS", help="port, host:port or :port (default: 8080)")
    parser.add_argument("--no-open", action="store_true", help="do not open a browser")


def _add_configuration(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", metavar="PATH", help="the configuration (default: devproxy.toml found upward)")
    parser.add_argument("--frontend", metavar="SERVER", help="dev server: port, host:port or URL; needs no file")
    parser.add_argument("--backend", metavar="SERVER", help="backend: port, host:port or URL; needs no file")
    parser.add_argument(
        "--backend-path",
        action="append",
        default=[],
        metavar="PATH",
        help="what goes to the backend; repeatable (default: /socket.io/ and /api/)",
    )


def _add_listen(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--listen",
        action="append",
        default=[],
        metavar="ADDRESS",
        help="port, host:port or :port for every address; repeatable (default: localhost:8080)",
    )
