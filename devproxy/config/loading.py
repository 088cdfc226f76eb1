"""TOML text -> :class:`~devproxy.config.model.Config`, or every problem at once with its line and column.

Pure: opens no file, reads no clock, and gives the same answer to the same bytes. Whatever the bytes are, the outcome is
a Config or a :class:`ConfigError`, in time bounded by that of the longest file. Start at :func:`load`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NoReturn

import tomli

from devproxy.config.addresses import parse_allowed_host, parse_listen, parse_trusted_proxy
from devproxy.config.conflicts import find_conflicts, listen_conflicts
from devproxy.config.keys import KEYS, values
from devproxy.config.model import CertificateFiles, Config, Inspector, Listen, Route, Server
from devproxy.config.positions import Places
from devproxy.config.problems import ConfigError, Path, Problem, Problems
from devproxy.config.routes import build_route
from devproxy.config.shape import Table, shaped
from devproxy.config.syntax import syntax_problem
from devproxy.config.upstreams import build_upstreams
from devproxy.text.limits import MAX_FILE_BYTES
from devproxy.text.safe import visible

MAX_LISTENS: Final = 64
"""Most addresses to listen on."""

MAX_ALLOWED_HOSTS: Final = 200
"""Most Hosts to answer to besides those of this machine."""

MAX_TRUSTED_PROXIES: Final = 200
"""Most proxies and networks whose word about a request counts."""

_DEFAULT_PROXIES: Final = Server().trusted_proxies
_NO_ROUTES: Final = 'write [[routes]] and below it: path = "/" and upstream = "…"'


def load(text: bytes, *, source: str) -> Config:
    """Return the configuration that `text` (UTF-8, a byte order mark is ignored) states.

    `source`: the file's path, as people are to see it. Raises :class:`ConfigError` with every problem found, at most
    :data:`devproxy.config.problems.MAX_PROBLEMS`, and nothing else.
    """
    decoded = _decoded(text)
    document = _parse(decoded)
    places = Places(_with_lf(decoded))
    problems = Problems(places.place)
    config = build(shaped(document, problems), document, places.lines(), source, problems)
    if problems.found:
        raise ConfigError(problems.in_order())
    return config


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
    server = _server(table.get("server", {}), problems)
    upstreams = build_upstreams(table, problems)
    names = document["upstreams"] if isinstance(document.get("upstreams"), dict) else {}
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
        server=server, upstreams=upstreams, routes=tuple(routes), inspector=inspector, source=source, said=lines
    )


def _server(table: Table, problems: Problems) -> Server:
    written = table.get("listen", KEYS["server.listen"].default)
    is_list = isinstance(written, list)
    listens: list[Listen] = []
    if is_list and not written and not problems.is_bad("server", "listen"):
        problems.at_value(("server", "listen"), "there is no address to listen on", 'write listen = "localhost:8080"')
    if is_list and len(written) > MAX_LISTENS:
        problems.at_value(("server", "listen"), f"at most {MAX_LISTENS} addresses, got {len(written)}")
        written = []
    for index, text in enumerate(written if is_list else [written]):
        path: Path = ("server", "listen", index) if is_list else ("server", "listen")
        listen = problems.read(parse_listen, text, path)
        if listen is not None:
            if conflict := listen_conflicts(listen, listens):
                problems.at_value(path, conflict, "remove one of them")
            listens.append(listen)
    checked = {
        "listen": tuple(listens),
        "allowed_hosts": _allowed_hosts(table.get("allowed_hosts", []), problems),
        "trusted_proxies": problems.read_all(
            parse_trusted_proxy,
            table.get("trusted_proxies", _DEFAULT_PROXIES),
            ("server", "trusted_proxies"),
            most=MAX_TRUSTED_PROXIES,
            noun="proxies",
            help='write a network for many, such as "172.16.0.0/12"',
        ),
        "tls": _tls(table.get("tls", False), problems),
    }
    return Server(**(values(table, "server") | checked))


def _tls(written: bool | Table, problems: Problems) -> bool | CertificateFiles:
    if isinstance(written, bool):
        return written
    path: Path = ("server", "tls")
    missing = [name for name in ("cert", "key") if not written.get(name)]
    for name in missing:
        if not problems.excuses(path, name):
            help = 'write tls = { cert = "certs/dev.pem", key = "certs/dev-key.pem" }, or tls = true'
            problems.at_value(path, f"`tls` names no `{name}`", help)
    return not missing and CertificateFiles(**values(written, "server.tls"))


def _allowed_hosts(written: list[str], problems: Problems) -> tuple[str, ...]:
    path: Path = ("server", "allowed_hosts")
    most, help = MAX_ALLOWED_HOSTS, 'write ".name" for many'
    hosts = problems.read_all(parse_allowed_host, written, path, most=most, noun="hosts", help=help)
    if "*" in hosts and len(hosts) > 1:
        what = '"*" allows every Host, and the others add nothing to it'
        problems.at_value((*path, written.index("*")), what, "remove it, or the others")
    return hosts
