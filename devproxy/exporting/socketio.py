"""What the Socket.IO servers of a site have to say, as a page of Markdown with code to paste: Node and Python. Pure.

``cors`` is about polling alone: browsers do not apply CORS to WebSockets, so the Origin is checked as well
(``allowRequest``). Start at :func:`write`.
"""

from __future__ import annotations

import json
from typing import Final

from devproxy import __version__
from devproxy.config.model import PathKind
from devproxy.exporting.cross import origin_expression, without_origins
from devproxy.exporting.paths import is_javascript
from devproxy.exporting.site import CorsPolicy, Rule, Site
from devproxy.exporting.writing import PLATFORMS, REPLACE
from devproxy.routing.table import rewritten_path

_DEFAULT_PATH: Final = "/socket.io/"


def write(site: Site) -> str:
    """Return the page."""
    site = without_origins(site, is_javascript, "JavaScript's expressions do not have all that they use")
    rules = list({rule.pool.name: rule for rule in reversed(site.socketio_rules)}.values())[::-1]
    parts = [_opening(site)]
    if not rules:
        parts.append(_without_route())
    parts += [_server(site, rule) for rule in rules]
    parts.append(
        f"## Around it\n{PLATFORMS} The proxy in front: `devproxy export nginx`, `caddy`, `haproxy`, `traefik`.\n"
    )
    return "\n".join(parts)


def _opening(site: Site) -> str:
    text = f"# Socket.IO, for the routes of {site.source}\nWritten by `devproxy export` (devproxy {__version__}).\n"
    if site.is_assumed:
        text += (
            f"\nLines marked `{REPLACE}` have an example: write the origin of production, or export again with "
            "`--origin https://app.example.com`.\n"
        )
    for note in site.notes:
        if note.startswith("origins"):
            text += f"\nNot carried over: {note}\n"
    return text


def _without_route() -> str:
    return (
        "No route has `socket.io` in its path. Say which one is Socket.IO's: `--socketio-path /ws/`; or, where it "
        'comes with the other paths of a server, add a route: `path = "/socket.io/"`.\n'
    )


def _server(site: Site, rule: Rule) -> str:
    policy = _policy(rule)
    text = f"## {rule.pool.upstream.name}: {rule.label}\n"
    if policy is None:
        text += (
            f"Production is one origin ({', '.join(one.text for one in site.origins)}): **no `cors` block is needed**, "
            "because the browser has nothing to check. The Origin is checked all the same: browsers let every web site "
            "open a WebSocket, with your users' cookies. Pages of other origins are named in the file, with "
            "`[routes.cors] origins`.\n"
        )
    else:
        text += (
            "Pages of other origins may connect, too: `cors` lets them read polls, and `allowRequest` says who may "
            "open a WebSocket, for which browsers have no CORS. Nothing else may add these headers: neither a "
            "proxy nor `app.use(cors())`.\n"
        )
    for note in rule.pool.notes:
        text += f"\n{note}\n"
    return "\n".join((text, _node(site, rule, policy), _python(site, rule, policy), _client(site, rule, policy)))


def _policy(rule: Rule) -> CorsPolicy | None:
    return rule.cors.policy


def path_at_server(rule: Rule) -> str:
    """Return the path of Engine.IO as the server of `rule` knows it, with a slash at its end."""
    route = rule.route
    if route.kind is not PathKind.PREFIX:
        return _DEFAULT_PATH
    path = rewritten_path(route, route.pattern.rstrip("/").encode() + b"/").decode()
    return path if path.strip("/") else _DEFAULT_PATH


def _path_at_front(rule: Rule) -> str:
    return rule.route.pattern.rstrip("/") + "/" if rule.route.kind is PathKind.PREFIX else _DEFAULT_PATH


def _origins(site: Site, rule: Rule) -> list[tuple[str, bool]]:
    """Return each origin that is written out and may connect, and whether it is an example: the site's own first."""
    own = [(origin.text, site.is_assumed) for origin in site.origins]
    policy = _policy(rule)
    return own + [(text, False) for text in (policy.exact if policy else ()) if text not in dict(own)]


def _expressions(rule: Rule) -> list[str]:
    policy = _policy(rule)
    return [origin_expression(one) for one in policy.patterns] if policy else []


# Node


def _node(site: Site, rule: Rule, policy: CorsPolicy | None) -> str:
    several = rule.pool.is_several
    lines = ['import { createServer } from "node:http";']
    if several:
        lines += ['import { createAdapter } from "@socket.io/redis-adapter";', 'import { createClient } from "redis";']
    lines += ['import { Server } from "socket.io";', ""]
    lines += _allowed_in_node(site, rule, policy)
    if several:
        lines += [
            "",
            "// Several servers: the adapter carries what one of them emits to the clients of the others. It does not",
            "// lead a session to its server: that is the proxy's affair.",
            "const publisher = createClient({ url: process.env.REDIS_URL });",
            "const subscriber = publisher.duplicate();",
            "for (const client of [publisher, subscriber]) {",
            '  client.on("error", (error) => console.error(error.message));',
            "}",
            "await Promise.all([publisher.connect(), subscriber.connect()]);",
        ]
    lines += ["", "const httpServer = createServer();  // or the one that you have: createServer(app)"]
    lines += ["const io = new Server(httpServer, {"]
    if path_at_server(rule) != _DEFAULT_PATH:
        lines.append(f"  path: {json.dumps(path_at_server(rule))},")
    if policy is not None:
        lines += _cors_in_node(policy)
    if policy is None or not policy.is_any:
        lines.append("  allowRequest: (request, done) => done(null, isAllowed(request.headers.origin)),")
    if several:
        lines.append("  adapter: createAdapter(publisher, subscriber),")
    if site.server.max_body_bytes:
        lines.append(f"  maxHttpBufferSize: {site.server.max_body_bytes},")
    lines.append("});")
    return "### Node (socket.io 4)\n```js\n" + "\n".join(lines) + "\n```\n"


def _allowed_in_node(site: Site, rule: Rule, policy: CorsPolicy | None) -> list[str]:
    if policy is not None and policy.is_any:
        return ["// Every web site may connect, as `dangerously_allow_any_origin` says: the Origin is not checked."]
    lines = ["// Pages that may connect: this site's own, and those of `[routes.cors] origins`."]
    lines.append("const allowedOrigins = new Set([")
    lines += [
        f"  {json.dumps(text)},{f'  // {REPLACE}' if is_example else ''}" for text, is_example in _origins(site, rule)
    ]
    if policy is not None and policy.is_null:
        lines.append('  "null",  // any web site can send it')
    lines.append("]);")
    test = "allowedOrigins.has(origin)"
    if expressions := _expressions(rule):
        lines.append(f"const allowedPatterns = [{', '.join(map(regex_of_node, expressions))}];")
        test += " || allowedPatterns.some((pattern) => pattern.test(origin))"
    lines.append("// No Origin: not a browser, or a request of the page's own origin that needs none.")
    lines.append(f"const isAllowed = (origin) => origin === undefined || {test};")
    return lines


def regex_of_node(expression: str) -> str:
    """Return an expression as JavaScript writes it."""
    return "/" + expression.replace("\\/", "/").replace("/", "\\/") + "/"


def _cors_in_node(policy: CorsPolicy) -> list[str]:
    lines = ["  cors: {"]
    if policy.is_any:
        lines.append('    origin: "*",  // without credentials: a browser refuses `*` with them')
    elif policy.patterns:
        lines.append("    origin: [...allowedOrigins, ...allowedPatterns],")
    else:
        lines.append("    origin: [...allowedOrigins],")
    lines.append('    methods: ["GET", "POST"],')
    if policy.credentials and not policy.is_any:
        lines.append("    credentials: true,")
    return [*lines, "  },"]


# Python


def _python(site: Site, rule: Rule, policy: CorsPolicy | None) -> str:
    several, expressions = rule.pool.is_several, _expressions(rule)
    lines = [*(["import os"] if several else []), *(["import re"] if expressions else [])]
    lines += [*([""] if lines else []), "import socketio", ""]
    allowed = '"*"' if policy is not None and policy.is_any else "ALLOWED_ORIGINS"
    if allowed == "ALLOWED_ORIGINS":
        lines.append("# Pages that may connect. python-socketio checks the Origin of WebSockets against them, too.")
        lines.append("ALLOWED_ORIGINS = [")
        lines += [
            f"    {json.dumps(text)},{f'  # {REPLACE}' if example else ''}" for text, example in _origins(site, rule)
        ]
        if policy is not None and policy.is_null:
            lines.append('    "null",  # any web site can send it')
        lines += ["]", ""]
    if expressions and allowed != '"*"':
        allowed = "is_allowed"
        lines.append(f"ALLOWED_PATTERN = re.compile({_raw('|'.join(expressions))})")
        lines += ["", "", "def is_allowed(origin):"]
        lines += ["    return origin in ALLOWED_ORIGINS or ALLOWED_PATTERN.search(origin) is not None", "", ""]
    lines += ["sio = socketio.AsyncServer(", '    async_mode="asgi",', f"    cors_allowed_origins={allowed},"]
    if policy is None or not policy.credentials or policy.is_any:
        lines.append("    cors_credentials=False,")
    if several:
        lines.append('    client_manager=socketio.AsyncRedisManager(os.environ["REDIS_URL"]),  # several servers')
    if site.server.max_body_bytes:
        lines.append(f"    max_http_buffer_size={site.server.max_body_bytes},")
    path = path_at_server(rule).strip("/")
    lines += [")", f"app = socketio.ASGIApp(sio, socketio_path={json.dumps(path)})  # other_asgi_app=your_app"]
    return "### Python (python-socketio 5)\n```py\n" + "\n".join(lines) + "\n```\n"


def _raw(expression: str) -> str:
    return f'r"{expression}"' if '"' not in expression and not expression.endswith("\\") else repr(expression)


# The page


def _client(site: Site, rule: Rule, policy: CorsPolicy | None) -> str:
    path = _path_at_front(rule)
    options = [f"path: {json.dumps(path)}"] if path != _DEFAULT_PATH else []
    own = f"io({{ {options[0]} }})" if options else "io()"
    lines = [f"const socket = {own};  // a page of this site: no URL, so it is the page's own origin"]
    if policy is not None:
        if policy.credentials and not policy.is_any:
            options.append("withCredentials: true")
        given = f", {{ {', '.join(options)} }}" if options else ""
        lines.append(f"const elsewhere = io({json.dumps(site.origins[0].text)}{given});  // a page of another origin")
    return "### The page\n```js\n" + "\n".join(lines) + "\n```\n"
