"""``devproxy export``: the routes as a file for another program. Start at :func:`run`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from devproxy.cli.loading import Loaded, configuration
from devproxy.cli.new_files import write_new
from devproxy.cli.refusal import FINE, Refused, put, warn
from devproxy.config import Config, ServerAddress
from devproxy.config.addresses import parse_server
from devproxy.exporting import Wanted, WebOrigin, export, parse_web_origin
from devproxy.text.bad import BadText

_EXAMPLE = "devproxy export nginx --origin https://app.example.com --server backend=http://10.0.0.5:3001"


def run(options: argparse.Namespace) -> int:
    """Run ``devproxy export``; return 0."""
    origins = tuple(dict.fromkeys(_origin(text) for text in options.origin))
    loaded = configuration(options)
    servers = _servers(options.server, loaded.config)
    paths = tuple(dict.fromkeys(_path(text) for text in options.socketio_path))
    wanted = Wanted(origins=origins, servers=servers, socketio_paths=_used(paths, loaded))
    text = export(loaded.config, options.target, wanted)
    for sentence in loaded.notices:
        warn(sentence, options.color)
    if options.output is None:
        put(text)
    else:
        write_new(options.output, text, f"devproxy export {options.target} --print")
        put(f"written: {options.output}\n")
    return FINE


def _origin(text: str) -> WebOrigin:
    try:
        return parse_web_origin(text)
    except BadText as bad:
        raise Refused(f"--origin: {bad.what}", *((bad.help,) if bad.help else ()), _EXAMPLE) from None


def _servers(texts: Sequence[str], config: Config) -> tuple[tuple[str, tuple[ServerAddress, ...]], ...]:
    """Return the servers of production by the name of their upstream. One name given twice has two servers."""
    names = [upstream.name for upstream in config.upstreams]
    found: dict[str, dict[ServerAddress, None]] = {}
    for text in texts:
        name, equals, url = text.partition("=")
        if not equals:
            raise Refused(f"--server is NAME=URL, not {text}", _EXAMPLE)
        if name not in names:
            raise Refused(f"--server: there is no upstream {name}", f"the upstreams are {', '.join(names)}")
        try:
            found.setdefault(name, {})[parse_server(url)] = None
        except BadText as bad:
            raise Refused(f"--server: {bad.what}", *((bad.help,) if bad.help else ()), _EXAMPLE) from None
    return tuple((name, tuple(servers)) for name, servers in found.items())


def _path(text: str) -> str:
    if not text.startswith("/"):
        raise Refused(f"--socketio-path: a path begins with a slash, got {text}", f"--socketio-path /{text}")
    return text


def _used(paths: tuple[str, ...], loaded: Loaded) -> tuple[str, ...]:
    """Return `paths`, each of which has to be that of a route."""
    known = dict.fromkeys(route.pattern for route in loaded.config.routes)
    for path in paths:
        if path.rstrip("/") not in {pattern.rstrip("/") for pattern in known}:
            what = f"--socketio-path {path}: no route has this path"
            raise Refused(what, f"the routes have {', '.join(known)}")
    return paths
