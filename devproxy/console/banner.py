"""What is shown once, when devproxy listens: where it is reached, which routes lead where, and who answers there.

Pure. The layout follows Vite's, which the users of this know. Start at :func:`banner`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from devproxy.authority.networks import is_loopback
from devproxy.config.labels import cors_text, fault_text
from devproxy.config.model import Config, Route, Upstream
from devproxy.config.places import is_option, variables_in
from devproxy.config.problems import COMMAND_LINE
from devproxy.console.style import Style
from devproxy.console.text import columns, cut, duration, padded, widths
from devproxy.events import Ready, UpstreamState
from devproxy.routing.table import RouteTable, label
from devproxy.text.safe import visible

ServerStates = Mapping[tuple[str, str], UpstreamState]
"""The last known state of each server, by the upstream's name and the server's URL."""

_MAX_LABEL: Final = 40
_NONE_ENDED: Final[Mapping[str, int]] = {}


def banner(
    config: Config,
    ready: Ready,
    states: ServerStates,
    *,
    version: str,
    style: Style,
    width: int | None,
    ended: Mapping[str, int] = _NONE_ENDED,
) -> list[str]:
    """Return the lines of the banner. `width`: of the terminal in columns; None: no limit.

    `ended`: the programs that run no more, by name, each with its exit status.
    """
    started = f"ready in {style.bold(duration(ready.startup_s))}"
    return [
        "",
        f"  {style.title(f'DEVPROXY v{version}')}  {started}",
        "",
        *_addresses(ready.urls, style),
        *_inspector(ready.inspector, style),
        "",
        *_routes(config, states, style, width, ended),
        "",
        f"  {style.dim(_source(config))}",
        *([f"  {style.dim('press')} {style.bold('h')} {style.dim('for help')}"] if ready.has_keys else []),
        "",
    ]


def is_local(url: str) -> bool:
    """Tell whether only this machine reaches `url`, as far as its text tells."""
    host = url.partition("://")[2].partition("/")[0]
    return is_loopback(host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0])


def _addresses(urls: tuple[str, ...], style: Style) -> list[str]:
    """Return a row for each address. That others can reach it is a warning of the configuration, which comes below."""
    pointer = style.green(style.glyphs.pointer)
    rows: list[str] = []
    network = [url for url in urls if not is_local(url)]
    for name, group in (("Local:", [url for url in urls if url not in network]), ("Network:", network)):
        rows += [f"  {pointer}  {style.bold(padded(name, 8))} {_painted_url(url, style)}" for url in group]
    return rows


def _inspector(link: str, style: Style) -> list[str]:
    """Return the row of the inspector's page, if there is one; the key in the link is needed from other machines."""
    if not link:
        return []
    page, fragment, key = visible(link).partition("#")
    name = f"  {style.green(style.glyphs.pointer)}  {style.bold(padded('Inspect:', 8))} "
    return [name + style.cyan(page) + style.dim(fragment + key)]


def _painted_url(url: str, style: Style) -> str:
    """Return `url` with its port in bold: the part of it that people type."""
    start, colon, rest = visible(url).rpartition(":")
    port, slash, path = rest.partition("/")
    if not port.isdecimal():
        return style.cyan(visible(url))
    return style.cyan(start + colon) + style.bold(style.cyan(port)) + style.cyan(slash + path)


def _source(config: Config) -> str:
    """Return what the configuration is from, and which variables go before it."""
    source = config.source
    is_pipe = source.startswith(("/dev/", "/proc/"))  # such as --config <(…): read once
    options = any(isinstance(said, str) and is_option(said) for said in config.said.values())
    variables = ", ".join(variables_in(config))
    if source == COMMAND_LINE:
        named = ["the command line"] * options + [variables] * bool(variables)
        return f"from {' and '.join(named)}"
    return f"{'config' if is_pipe else 'watching'} {visible(source)}" + (f", with {variables}" if variables else "")


def _routes(
    config: Config, states: ServerStates, style: Style, width: int | None, ended: Mapping[str, int]
) -> list[str]:
    routes = RouteTable(config.routes).routes
    if not routes:
        return [f"  {style.yellow('warning:')} no routes: every request gets 404"]
    rows = [_row(route, config, states, style, ended, names_address=True) for route in routes]
    if width is not None and sum(_widths(rows, style, width)) > width:
        rows = [_row(route, config, states, style, ended, names_address=False) for route in routes]
    return _table(rows, style, width)


_Row = tuple[str, str, str, str, str]
"""Label, servers, CORS and the guard if it is off, and the state: plain (for its width), and painted."""


def _row(
    route: Route, config: Config, states: ServerStates, style: Style, ended: Mapping[str, int], *, names_address: bool
) -> _Row:
    upstream = config.upstream(route.upstream)
    servers = ", ".join(visible(server.url) for server in upstream.servers)
    cors = f"cors: {cors_text(route.cors)}" + ("" if route.guard else ", guard: off")
    painted, plain = _state(upstream, states, style, names_address=names_address)
    program = next((program.name for program in config.programs if program.upstream == upstream.name), "")
    if program and not any(state.is_up for (name, _), state in states.items() if name == upstream.name):
        plain = f"waits for its program {visible(program)}"
        painted = style.dim(plain)
        if program in ended:
            plain = f"its program {visible(program)} has ended with status {ended[program]}"
            painted = style.red(plain)
    if fault := fault_text(route.fault):
        # With the state, which every width shows: a forgotten fault is otherwise hard to find.
        painted, plain = f"{painted}  {style.yellow(f'fault: {fault}')}", f"{plain}  fault: {fault}"
    return label(route), servers, cors, plain, painted


def _table(rows: list[_Row], style: Style, width: int | None) -> list[str]:
    """Lay `rows` out in columns; in a narrow terminal without CORS, then with the state on a line of its own."""
    labels = _labels(rows, style, width)
    start, server_width, cors_width, state_width = _widths(rows, style, width)
    whole = start + server_width + cors_width + state_width
    has_cors = width is None or whole <= width
    has_state_beside = has_cors or whole - cors_width <= (width or 0)
    lines: list[str] = []
    for text, (_, servers, cors, _, painted) in zip(labels, rows, strict=True):
        line = f"  {padded(text, start - columns(style.glyphs.to) - 5)}  {style.dim(style.glyphs.to)} "
        if not has_state_beside:
            first, *others = [servers] if start + columns(servers) <= (width or 0) else servers.split(" ")
            lines += [line + first, *(" " * start + other for other in others), f"    {painted}"]
            continue
        line += padded(servers, server_width)
        lines.append(line + (style.dim(padded(cors, cors_width)) if has_cors else "") + painted)
    return lines


def _labels(rows: list[_Row], style: Style, width: int | None) -> list[str]:
    limit = _MAX_LABEL if width is None else max(8, min(_MAX_LABEL, width // 3))
    return [cut(row[0], limit, style.glyphs.cut) for row in rows]


def _widths(rows: list[_Row], style: Style, width: int | None) -> list[int]:
    """Return what each column takes with the space after it: label and arrow, servers, CORS, state."""
    found = widths([(name, *row[1:4]) for name, row in zip(_labels(rows, style, width), rows, strict=True)])
    return [found[0] + 5 + columns(style.glyphs.to), found[1] + 2, found[2] + 2, found[3]]


def _state(upstream: Upstream, states: ServerStates, style: Style, *, names_address: bool) -> tuple[str, str]:
    """Return who answers of the servers of `upstream`: painted, and plain.

    `names_address`: say under which of its addresses the only server answers, where its URL has a name.
    """
    known = [states.get((upstream.name, server.url)) for server in upstream.servers]
    down = [state for state in known if state is not None and not state.is_up]
    if down:
        reasons = ", ".join(dict.fromkeys(visible(state.detail) for state in down if state.detail))
        because = f" ({reasons[:1].lower() + reasons[1:]})" if reasons else ""
        who = "" if len(known) == 1 else f"{len(down)} of {len(known)} "
        text = f"{style.glyphs.cross} {who}not answering yet{because}"
        return style.red(text), text
    if None in known:
        return style.dim("no answer so far"), "no answer so far"
    text = "answering"
    if names_address and len(known) == 1 and known[0] is not None:
        address = visible(known[0].address.rpartition(":")[0].strip("[]"))
        text += f" on {address}" if address and address not in upstream.servers[0].url else ""
    return style.green(text), text
