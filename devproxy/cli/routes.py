"""``devproxy routes``: the routes in order of precedence; which of them takes a request, why, and what is sent.

A request that is asked about goes through the very grammar and plan that a real one goes through, so that the answer is
what happens. Start at :func:`run`.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import Final

from devproxy.cli.hot_reload import words_on
from devproxy.cli.loading import Loaded, configuration
from devproxy.cli.refusal import FAILED, FINE, Refused, put, warn
from devproxy.cli.typed_request import read_request, read_target
from devproxy.config import Config, Route
from devproxy.config.labels import cors_text, fault_text
from devproxy.config.model import Cookies, HeaderEdits, Scheme, ServerAddress
from devproxy.config.places import place_of, variables_in
from devproxy.console.style import Colour, Style, glyphs_for, wants_colour
from devproxy.console.text import columns, padded, widths
from devproxy.http.messages import RequestHead
from devproxy.plan import PagesServer, Respond, Snapshot, compile_snapshot, plan_request, render_request
from devproxy.policy.addressing import addressing, addressing_text
from devproxy.policy.hop import Peer
from devproxy.routing.table import RouteVerdict, label
from devproxy.text.safe import visible

_EXAMPLE: Final = "devproxy routes --test GET '/socket.io/?EIO=4'"
_MAX_LABEL: Final = 40
_PAGES: Final = PagesServer(ServerAddress(scheme=Scheme.HTTP, host="localhost", port=0, url="http://localhost"), "")
"""Stands for the server of devproxy's own pages, which a running devproxy has; it is not asked here."""


def run(options: argparse.Namespace) -> int:
    """Run ``devproxy routes``; with ``--test`` return 1 when no route takes the request."""
    snapshot, style = compiled(options)
    if options.test is None:
        if options.host or options.header:
            raise Refused("--host and --header describe the request of --test", _EXAMPLE)
        put(table(snapshot, style))
        return FINE
    method, target = options.test
    asked = read_target("--test", target, _EXAMPLE)
    head = read_request("--test", method, asked, options.header, _EXAMPLE, host=options.host)
    text, is_taken = explanation(snapshot, head, style)
    put(text)
    return FINE if is_taken else FAILED


def compiled(options: argparse.Namespace, loaded: Loaded | None = None) -> tuple[Snapshot, Style]:
    """Return a configuration, ready to be asked, and how to write; say what is odd about it.

    `loaded`: default what `options` state.
    """
    loaded = configuration(options) if loaded is None else loaded
    for sentence in loaded.notices:
        warn(sentence, options.color)
    return compile_snapshot(loaded.config, options.command, pages=_PAGES), style_for(options.color)


def style_for(colour: Colour) -> Style:
    """Return how to write to standard output."""
    out = sys.stdout
    is_terminal = out is not None and out.isatty()
    encoding = "ascii" if out is None else out.encoding
    return Style(wants_colour(colour, os.environ, is_terminal=is_terminal), glyphs_for(encoding))


def table(snapshot: Snapshot, style: Style) -> str:
    """Return the routes in order of precedence, a line for each."""
    routes = snapshot.table.routes
    if not routes:
        return "no routes: every request gets 404\n"
    rows = [(label(route), _servers(snapshot.config, route), _rules(snapshot.config, route)) for route in routes]
    first, second, _ = widths(rows)
    return "".join(
        f"{padded(name, first)}  {style.dim(style.glyphs.to)} {padded(servers, second)}  {style.dim(rules)}\n"
        for name, servers, rules in rows
    )


def explanation(snapshot: Snapshot, head: RequestHead, style: Style) -> tuple[str, bool]:
    """Return what happens to the request `head` and why, and whether a route matches it."""
    path = head.path.partition(b"?")[0]
    verdicts = snapshot.table.explain(head.method, b"/" if path == b"*" else path, head.host, head.fields)
    width = min(_MAX_LABEL, max((columns(label(verdict.route)) for verdict in verdicts), default=0))
    shown = f"{visible(head.method)} {visible(head.target)}"
    lines = [f"{style.bold(shown)}  {style.dim(f'Host: {visible(head.host)}')}", ""]
    for verdict in verdicts:
        lines += _verdict(verdict, width, style)
        if verdict.chosen and (place := place_of_route(snapshot.config, verdict.route)):
            lines[-1] += f"  {style.dim(place)}"
    plan = plan_request(head, snapshot)
    lines.append("")
    if isinstance(plan, Respond):
        code = f" {plan.answer.code}" if plan.answer.code else ""
        lines.append(f"{style.red('devproxy answers this itself:')} {plan.answer.status}{code}")
        lines += [visible(text) for text in (plan.answer.what, plan.answer.help) if text]
        return "\n".join(lines) + "\n", False
    route = plan.compiled.route
    to = style.green(style.glyphs.to)
    upstream = snapshot.config.upstream(route.upstream)
    name = style.dim(upstream_text(snapshot.config, route.upstream))
    for server in upstream.servers:
        sent = render_request(plan, head, Peer("127.0.0.1", "http"), server).split(b" ", 2)[1]
        lines.append(f"{to} {_url(server, visible(sent))}  {name}")
    if rules := _rules(snapshot.config, route, is_full=True):
        lines.append(f"  {style.dim(rules)}")
    if words := words_on(snapshot, head):
        lines.append(f"{style.cyan('hot reload:')} {words}")
    return "\n".join(lines) + "\n", True


def upstream_text(config: Config, name: str) -> str:
    """Return the name of an upstream, and the variable that names its servers, if one does."""
    place = place_of(config, "upstreams", name, "servers")
    return f"upstream {visible(name)}" + (f" from {place}" if place in variables_in(config) else "")


def place_of_route(config: Config, route: Route) -> str:
    """Return where `route` was said: ``devproxy.toml:12`` or ``--backend``; empty for nowhere."""
    return place_of(config, "routes", config.routes.index(route))


def _verdict(verdict: RouteVerdict, width: int, style: Style) -> list[str]:
    name = label(verdict.route)
    sign = "=>" if verdict.chosen else "  "
    head = f"{sign} {padded(name, width)}"
    if verdict.chosen:
        head = style.green(sign) + " " + style.bold(padded(name, width))
    first, *more = verdict.reasons
    indent = " " * (3 + max(width, columns(name)) + 2)
    rows = [f"{head}  {first}", *(indent + reason for reason in more)]
    return rows if verdict.chosen else [style.dim(row) for row in rows]


def _servers(config: Config, route: Route) -> str:
    upstream = config.upstream(route.upstream)
    return f"{visible(upstream.name)} ({', '.join(visible(server.url) for server in upstream.servers)})"


def _rules(config: Config, route: Route, *, is_full: bool = False) -> str:
    """Return what a route changes, in the words of the configuration; `is_full`: also what comes to no change."""
    servers = config.upstream(route.upstream).servers
    rules = [f"cors: {cors_text(route.cors)}"]
    if not route.guard:
        rules.append("guard: off")
    if route.form_post:
        rules.append(f"form_post: {', '.join(route.form_post)}")
    if route.rewrite is not None:
        rules.append("strip_prefix" if route.rewrite == "/" else f"rewrite: {route.rewrite}")
    rules += addressing_text(route, servers, is_full=is_full)
    for name, edits in (("request", route.request_headers), ("response", route.response_headers)):
        if edits != HeaderEdits():
            rules.append(f"{name} headers edited")
    if route.cookies != Cookies():
        rules.append("cookies edited")
    if any(addressing(route, server).is_public for server in servers):
        rules.append("cookies repaired (auto: the server is public)")
    if not route.maps_redirects:
        rules.append("redirects: keep")
    if fault := fault_text(route.fault):
        rules.append(f"fault: {fault}")
    return visible(", ".join(rules))


def _url(server: ServerAddress, path: str) -> str:
    """Return where a request for `path` goes; after the path of a unix socket, it is separate."""
    return f"{visible(server.url)} {path}" if server.path or path == "*" else visible(server.url) + path
