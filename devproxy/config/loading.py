"""TOML text -> :class:`~devproxy.config.model.Config`, or every problem at once with its line and column.

Pure: opens no file, reads no clock, and gives the same answer to the same bytes. Whatever the bytes are, the outcome is
a Config or a :class:`ConfigError`, in time bounded by that of the longest file. Start at :func:`load`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NoReturn

import tomli

from devproxy.config.addresses import BadAddress, parse_allowed_host, parse_listen, parse_server, parse_trusted_proxy
from devproxy.config.conflicts import find_conflicts, listen_conflicts
from devproxy.config.keys import KEYS, values
from devproxy.config.model import Config, Listen, Route, Server, ServerAddress, Upstream
from devproxy.config.positions import Lines, Span, positions
from devproxy.config.problems import (
    ConfigError,
    Fault,
    Faults,
    Path,
    Problem,
    key_text,
)
from devproxy.config.routes import build_route
from devproxy.config.shape import Table, shaped
from devproxy.config.syntax import syntax_problem
from devproxy.text.limits import MAX_FILE_BYTES
from devproxy.text.safe import has_control, quoted

MAX_LISTENS: Final = 64
"""Most addresses to listen on."""

MAX_ALLOWED_HOSTS: Final = 200
"""Most Hosts to answer to besides those of this machine."""

MAX_TRUSTED_PROXIES: Final = 200
"""Most proxies and networks whose word about a request counts."""

_DEFAULT_PROXIES: Final = Server().trusted_proxies
_NO_UPSTREAMS: Final = 'write [upstreams] and below it: backend = "http://localhost:3001"'
_NO_ROUTES: Final = 'write [[routes]] and below it: path = "/" and upstream = "…"'


def load(text: bytes, *, source: str) -> Config:
    """Return the configuration that `text` (UTF-8, a byte order mark is ignored) states.

    `source`: the file's path, as people are to see it. Raises :class:`ConfigError` with every problem found, at most
    :data:`devproxy.config.problems.MAX_PROBLEMS`, and nothing else.
    """
    decoded = _decoded(text)
    document = _parse(decoded)
    places = _Places(_with_lf(decoded))
    faults = Faults()
    config = _build(shaped(document, faults), document, places, source, faults)
    if faults.found:
        raise ConfigError(places.problems(faults.found))
    return config


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
        what = f"the file is not UTF-8: octet 0x{text[error.start]:02x}"
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
        _refuse(Problem(what="the file holds a number of several thousand digits"))


class _Places:
    """Where the paths of one text are; the text is scanned once."""

    def __init__(self, text: str) -> None:
        self._spans = positions(text)
        self._lines = Lines(text)

    def line_of(self, *path: str | int) -> int:
        """Return the 1-based line in which `path` starts, or 0."""
        span = self._spans.get(path)
        return 0 if span is None else self._lines.place(span.key_start, span.key_start)[0]

    def lines(self) -> dict[Path, int]:
        """Return the 1-based line in which each path starts."""
        return {path: self._lines.place(span.key_start, span.key_start)[0] for path, span in self._spans.items()}

    def problems(self, faults: Sequence[Fault]) -> tuple[Problem, ...]:
        """Return `faults` with their places, in the order of the file; those of the whole file come last."""
        found = dict.fromkeys(self._problem(fault) for fault in faults)
        return tuple(sorted(found, key=lambda problem: (problem.line or 1 << 30, problem.column)))

    def _problem(self, fault: Fault) -> Problem:
        what = fault.what
        other = self.line_of(*fault.other) if fault.other else 0
        if other:
            what += f" (line {other})"
        span, is_exact = self._span(fault.path)
        if span is None:
            return Problem(what=what, help=fault.help)
        at_key = fault.at_key and (is_exact or span.key_end > span.key_start)
        start, end = (span.key_start, span.key_end) if at_key else (span.value_start, span.value_end)
        line, column, length = self._lines.place(start, end)
        return Problem(what=what, help=fault.help, line=line, column=column, length=length)

    def _span(self, path: Path) -> tuple[Span | None, bool]:
        """Return the span of `path`, or of what it stands in: a short form has no keys of its own."""
        for end in range(len(path), 0, -1):
            span = self._spans.get(path[:end])
            if span is not None:
                return span, end == len(path)
        return None, False


def _build(table: Table, document: Table, places: _Places, source: str, faults: Faults) -> Config:
    """Return the configuration; only worth something if `faults` is still empty."""
    server = _server(table.get("server", {}), faults)
    upstreams = _upstreams(table, faults)
    names = document["upstreams"] if isinstance(document.get("upstreams"), dict) else {}
    routes: list[Route] = []
    paths: list[Path] = []
    for index, route_table in enumerate(table.get("routes", [])):
        path = ("routes", index)
        if faults.is_bad(*path):
            continue
        route = build_route(route_table, path, names, places.line_of, faults)
        if route is not None:
            routes.append(route)
            paths.append(path)
    if not table.get("routes") and not faults.excuses((), "routes"):
        faults.at_key((), "there is no route: nothing would be forwarded", _NO_ROUTES)
    find_conflicts(routes, paths, faults)
    return Config(server=server, upstreams=upstreams, routes=tuple(routes), source=source, said=places.lines())


def _server(table: Table, faults: Faults) -> Server:
    written = table.get("listen", KEYS["server.listen"].default)
    is_list = isinstance(written, list)
    listens: list[Listen] = []
    if is_list and not written and not faults.is_bad("server", "listen"):
        faults.at_value(("server", "listen"), "there is no address to listen on", 'write listen = "localhost:8080"')
    if is_list and len(written) > MAX_LISTENS:
        faults.at_value(("server", "listen"), f"at most {MAX_LISTENS} addresses, got {len(written)}")
        written = []
    for index, text in enumerate(written if is_list else [written]):
        path: Path = ("server", "listen", index) if is_list else ("server", "listen")
        try:
            listen = parse_listen(text)
        except BadAddress as error:
            faults.at_value(path, error.what, error.help)
            continue
        conflict = listen_conflicts(listen, listens)
        if conflict:
            faults.at_value(path, conflict, "remove one of them")
        listens.append(listen)
    checked = {
        "listen": tuple(listens),
        "allowed_hosts": _allowed_hosts(table.get("allowed_hosts", []), faults),
        "trusted_proxies": _trusted_proxies(table.get("trusted_proxies", _DEFAULT_PROXIES), faults),
    }
    return Server(**(values(table, "server") | checked))


def _allowed_hosts(written: list[str], faults: Faults) -> tuple[str, ...]:
    path: Path = ("server", "allowed_hosts")
    if len(written) > MAX_ALLOWED_HOSTS:
        faults.at_value(path, f"at most {MAX_ALLOWED_HOSTS} hosts, got {len(written)}", 'write ".name" for many')
        return ()
    hosts: dict[str, None] = {}
    for index, text in enumerate(written):
        try:
            hosts[parse_allowed_host(text)] = None
        except BadAddress as error:
            faults.at_value((*path, index), error.what, error.help)
    if "*" in hosts and len(hosts) > 1:
        what = '"*" is every Host, and the others add nothing to it'
        faults.at_value((*path, written.index("*")), what, "remove it, or the others")
    return tuple(hosts)


def _trusted_proxies(written: Sequence[str], faults: Faults) -> tuple[str, ...]:
    path: Path = ("server", "trusted_proxies")
    if len(written) > MAX_TRUSTED_PROXIES:
        what = f"at most {MAX_TRUSTED_PROXIES} proxies, got {len(written)}"
        faults.at_value(path, what, 'write a network for many, such as "172.16.0.0/12"')
        return ()
    proxies: dict[str, None] = {}
    for index, text in enumerate(written):
        try:
            proxies[parse_trusted_proxy(text)] = None
        except BadAddress as error:
            faults.at_value((*path, index), error.what, error.help)
    return tuple(proxies)


def _upstreams(table: Table, faults: Faults) -> tuple[Upstream, ...]:
    written = table.get("upstreams", {})
    are_bad = any(path[:1] == ("upstreams",) for path in faults.bad)
    if not written and not are_bad and not faults.excuses((), "upstreams"):
        faults.at_key((), "there is no upstream: nowhere to forward to", _NO_UPSTREAMS)
    result = []
    for name, value in written.items():
        path: Path = ("upstreams", name)
        if not name or has_control(name):
            faults.at_key(path, f"{quoted(name)} is not a name for an upstream", "letters, digits and hyphens")
        result.append(_upstream(name, value, path, faults))
    return tuple(result)


def _upstream(name: str, value: str | Table, path: Path, faults: Faults) -> Upstream:
    if isinstance(value, str):
        server = _server_address(value, path, faults)
        return Upstream(name=name, servers=() if server is None else (server,))
    urls = value.get("servers", [])
    if not urls and not faults.excuses(path, "servers"):
        help = f'write servers = ["http://localhost:3001"] below [upstreams.{key_text(name)}]'
        faults.at_key(path, f"the upstream {quoted(name)} has no server", help)
    servers = [_server_address(url, (*path, "servers", index), faults) for index, url in enumerate(urls)]
    seen: set[ServerAddress] = set()
    for index, server in enumerate(servers):
        if server is None:
            continue
        if server in seen:
            faults.at_value((*path, "servers", index), f"{quoted(server.url)} is there twice", "remove one of them")
        seen.add(server)
    found = tuple(server for server in servers if server is not None)
    return Upstream(name=name, servers=found, **values(value, "upstreams.*"))


def _server_address(url: str, path: Path, faults: Faults) -> ServerAddress | None:
    try:
        return parse_server(url)
    except BadAddress as error:
        faults.at_value(path, error.what, error.help)
        return None
