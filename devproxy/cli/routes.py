"""``devproxy routes``: the routes in order of precedence, and which of them takes a request, and why."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from devproxy.cli.loading import Refused, configuration
from devproxy.config import Config, Route
from devproxy.errors import BadMessage
from devproxy.fields import Field, is_token, make_field
from devproxy.routing import RouteTable, label, rewritten_path


def run(options: argparse.Namespace) -> int:
    """Run ``devproxy routes``; with ``--test`` return 1 when no route takes the request."""
    config = configuration(options)
    table = RouteTable(config.routes)
    if options.test is None:
        rows = [[label(route), "->", _servers(config, route), f"cors: {route.cors.value}"] for route in table.routes]
        sys.stdout.write(_aligned(rows))
        return 0
    method, target = options.test
    host, path, query = _split(target, options.host)
    if not is_token(method.encode()):
        raise Refused(f"`{method}` is not a method", "devproxy routes --test GET /api/users")
    return _explain(config, table, method, path, query, host, [_field(text) for text in options.header])


def _explain(
    config: Config, table: RouteTable, method: str, path: str, query: str, host: str, fields: Sequence[Field]
) -> int:
    raw = path.encode("utf-8", "surrogateescape")
    verdicts = table.explain(method.encode(), raw, host.encode(), fields)
    for verdict in verdicts:
        sign = "=>" if verdict.chosen else "  "
        sys.stdout.write(f"{sign} {label(verdict.route)}\n")
        sys.stdout.writelines(f"     {reason}\n" for reason in verdict.reasons)
    chosen = next((verdict.route for verdict in verdicts if verdict.chosen), None)
    if chosen is None:
        sys.stdout.write(f"\nno route takes {method} {path} (Host: {host})\n")
        return 1
    sent = rewritten_path(chosen, raw) if chosen.rewrite is not None else raw
    shown = sent.decode("utf-8", "backslashreplace") + query
    sys.stdout.write(f"\n{method} {path}{query} goes to {_servers(config, chosen)} as {method} {shown}\n")
    return 0


def _split(target: str, host: str) -> tuple[str, str, str]:
    """Return Host, path and query of `target`: a path, or a URL whose authority replaces `host`."""
    scheme, separator, rest = target.partition("://")
    if separator and scheme in ("http", "https"):
        host, slash, tail = rest.partition("/")
        target = slash + tail if slash else "/"
    if not target.startswith("/"):
        raise Refused(f"`{target}` is neither a path nor a URL", "devproxy routes --test GET /api/users")
    path, question, query = target.partition("?")
    return host, path, question + query


def _field(text: str) -> Field:
    name, _, value = text.partition(":")
    try:
        return make_field(name.strip().encode(), value.strip().encode())
    except BadMessage as error:
        raise Refused(f"`{text}` is not a header: {error.reason}", "--header 'Accept: text/html'") from None


def _servers(config: Config, route: Route) -> str:
    upstream = next(upstream for upstream in config.upstreams if upstream.name == route.upstream)
    return f"{upstream.name} ({', '.join(server.url for server in upstream.servers)})"


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "".join(
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() + "\n" for row in rows
    )
