"""TOML text -> :class:`~devproxy.config.model.Config`, or every problem at once with its line and column.

Pure: opens no file, reads no clock, and gives the same answer to the same bytes. Whatever the bytes are, the outcome is
a Config or a :class:`ConfigError`, in time bounded by that of the longest file. Start at :func:`load`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final, NoReturn

import tomli

from devproxy.config.conflicts import find_conflicts
from devproxy.config.environment import NO_ENVIRONMENT, Environment, relevant
from devproxy.config.keys import values
from devproxy.config.model import Config, Inspector, Program, Route, Upstream
from devproxy.config.places import with_said
from devproxy.config.positions import Places
from devproxy.config.problems import ConfigError, Path, Problem, Problems
from devproxy.config.routes import build_route
from devproxy.config.server import build_server
from devproxy.config.shape import Table, shaped
from devproxy.config.syntax import syntax_problem
from devproxy.config.upstreams import build_upstreams
from devproxy.text.limits import MAX_FILE_BYTES
from devproxy.text.safe import visible

_NO_ROUTES: Final = 'write [[routes]] and below it: path = "/" and upstream = "…"'


def load(text: bytes, *, source: str, environment: Environment = NO_ENVIRONMENT) -> Config:
    """Return the configuration that `text` (UTF-8, a byte order mark is ignored) states.

    `source`: the file's path, as people are to see it. `environment`: the variables that its values name, and those
    that set a value instead of it. Raises :class:`ConfigError` with every problem found, at most
    :data:`devproxy.config.problems.MAX_PROBLEMS`, and nothing else.
    """
    decoded = _decoded(text)
    document = _parse(decoded)
    places = Places(_with_lf(decoded))
    problems = Problems(places.place)
    said: dict[Path, str] = {}
    if relevant(environment):
        from devproxy.config.overlay import overlaid  # few have such variables

        document, said = overlaid(document, environment, problems)
    if "${env:" in decoded:
        from devproxy.config.variables import expanded  # few files name some

        document = expanded(document, environment, problems, besides=said)
    lines = places.lines()
    config = build(shaped(document, problems), document, lines, source, problems)
    if problems.found:
        raise ConfigError(problems.in_order())
    return replace(config, said=with_said(lines, said)) if said else config


def refusal(text: bytes, found: Iterable[tuple[Path, str, str]]) -> ConfigError:
    """Return the error for what a caller has `found` wrong with the files that `text` names: path, what, and help.

    `text`: of a configuration that loads.
    """
    problems = Problems(Places(_with_lf(_decoded(text))).place)
    for path, what, help in found:
        problems.at_value(path, visible(what), visible(help))
    return ConfigError(problems.in_order())


def _decoded(text: bytes) -> str:
    """Return `text` as characters, without byte order mark, or raise :class:`ConfigError`."""
    if len(text) > MAX_FILE_BYTES:
        what = f"the file has more than the {MAX_FILE_BYTES} bytes that a configuration may have"
        _refuse(Problem(what=what, help="is this the right file?"))
    text = text.removeprefix(b"\xef\xbb\xbf")
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        before = text[: error.start].decode()
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        help = "save the file as UTF-8"
        if text[:2] in (b"\xff\xfe", b"\xfe\xff"):
            help += "; it looks like UTF-16"
        what = f"the file is not UTF-8: byte 0x{text[error.start]:02x}"
        _refuse(Problem(what=what, help=help, line=line, column=column, length=1))


def _with_lf(text: str) -> str:
    """Return `text` with LF line ends. The parser does this itself; twice would let CR CR LF pass."""
    return text.replace("\r\n", "\n")


def _refuse(problem: Problem) -> NoReturn:
    raise ConfigError((problem,)) from None


def _parse(text: str) -> Table:
    try:
        return tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        _refuse(syntax_problem(_with_lf(text), error))
    except RecursionError:
        _refuse(Problem(what="the file nests its values too deeply", help="no key needs more than three levels"))
    except ValueError:  # CPython refuses decimal integers of more than 4,300 digits
        _refuse(Problem(what="the file contains a number of several thousand digits"))


def build(table: Table, document: Table, lines: dict[Path, int], source: str, problems: Problems) -> Config:
    """Return the configuration that `table`, shaped, states; only worth something if `problems` is still empty.

    `document`: the same as it was written. `lines`: where each key is, see :class:`Config`. `source`: the file's path.
    """
    server = build_server(table.get("server", {}), problems)
    upstreams = build_upstreams(table, problems)
    names = document["upstreams"] if isinstance(document.get("upstreams"), dict) else {}
    names = names | {str(path[1]): None for path in problems.bad if path[:1] == ("upstreams",) and path[1:]}
    routes: list[Route] = []
    paths: list[Path] = []
    for index, route_table in enumerate(table.get("routes", [])):
        path = ("routes", index)
        if problems.is_bad(*path):
            continue
        route = build_route(route_table, path, names, lines, problems)
        if route is not None:
            routes.append(route)
            paths.append(path)
    if not table.get("routes") and not problems.excuses((), "routes"):
        problems.at_key((), "there is no route: nothing would be forwarded", _NO_ROUTES)
    find_conflicts(routes, paths, problems)
    inspector = Inspector(**values(table.get("inspector", {}), "inspector"))
    return Config(
        server=server,
        upstreams=upstreams,
        routes=tuple(routes),
        inspector=inspector,
        programs=_programs(table, upstreams, problems),
        source=source,
        said=lines,
    )


def _programs(table: Table, upstreams: Sequence[Upstream], problems: Problems) -> tuple[Program, ...]:
    if "run" not in table:
        return ()
    from devproxy.config.programs import build_programs  # few start some

    return build_programs(table["run"], upstreams, problems)
