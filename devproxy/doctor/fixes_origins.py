"""What to write where a page is refused for its origin: CORS, preflights, checks of the Origin, cookies. Texts; pure.

Start at :func:`cors`.
"""

from __future__ import annotations

from devproxy.doctor.facts import DEVPROXY, NGINX, Facts
from devproxy.policy import server_code
from devproxy.policy.server_code import EXPRESS, FASTAPI, FLASK, NODE, PYTHON


def cors(facts: Facts) -> dict[str, str]:
    """Return what to write about the origin that Socket.IO has to let in."""
    return {**server_code.socketio(facts.origin, sends_credentials=facts.sends), DEVPROXY: facts.one_origin()}


def rest_cors(facts: Facts) -> dict[str, str]:
    """Return what to write about the origin that a REST address has to let in."""
    return {
        **server_code.rest(facts.origin, sends_credentials=facts.sends),
        DEVPROXY: f"{facts.up()} --backend-path {facts.resource}\n"
        f'# and in the page: fetch("{facts.resource}"), without an address',
    }


def duplicate(facts: Facts) -> dict[str, str]:
    """Return what to write about a header that two programs add."""
    return {
        NODE: "Remove one of the two: Socket.IO's `cors` option, or what adds the header besides.",
        EXPRESS: "Remove what sets the header beside cors(): app.use((req, res, next) => …), or a proxy's add_header.",
        PYTHON: "cors_allowed_origins=[]  # python-socketio adds no header then; the framework's middleware does",
        FLASK: "SocketIO(app, cors_allowed_origins=[])  # where flask-cors or a proxy adds the header",
        FASTAPI: (
            'socketio.AsyncServer(async_mode="asgi", cors_allowed_origins=[])  # where CORSMiddleware is around it; '
            "or mount Socket.IO outside: socketio.ASGIApp(sio, other_asgi_app=app)"
        ),
        NGINX: "Remove `add_header Access-Control-Allow-Origin …` from the location: the server behind it sends it.",
        DEVPROXY: f'{facts.up()}\n# cors = "rewrite", the default, replaces both; "fix" keeps the right one',
    }


def preflight(facts: Facts) -> dict[str, str]:
    """Return what to write about a preflight that is not answered well."""
    credentials = ", credentials: true" if facts.sends else ""
    return {
        NODE: (
            "new Server(httpServer, "
            f'{{ cors: {{ origin: ["{facts.origin}"], methods: ["GET", "POST"]{credentials} }} }});\n'
            "// Socket.IO answers preflights itself once `cors` is set, unless something in front of it does"
        ),
        EXPRESS: (
            f'app.use(cors({{ origin: ["{facts.origin}"]{credentials} }}));  // first of all, before authentication '
            "and "
            "routers:\n// a preflight carries neither cookies nor Authorization"
        ),
        PYTHON: f'socketio.AsyncServer(cors_allowed_origins=["{facts.origin}"])  # it answers OPTIONS itself',
        FLASK: f'CORS(app, origins=["{facts.origin}"])  # flask-cors; let OPTIONS pass in before_request',
        FASTAPI: (
            f'app.add_middleware(CORSMiddleware, allow_origins=["{facts.origin}"], allow_methods=["*"], '
            'allow_headers=["*"])\n# add it after every other middleware: the last one added runs first'
        ),
        NGINX: "Let OPTIONS pass to the server: no `auth_request`, `limit_except` or redirect for it.",
        DEVPROXY: f'{facts.up()}\n# or for a page elsewhere: preflight = "answer" in [routes.cors], the default',
    }


def origin_checked(facts: Facts) -> dict[str, str]:
    """Return what to write about a server that looks at the Origin itself."""
    return {
        NODE: (
            "allowRequest: (request, done) => done(null, allowed.has(request.headers.origin)),\n"
            f'// with allowed = new Set(["{facts.origin}"])'
        ),
        EXPRESS: f'Let "{facts.origin}" pass where a middleware looks at req.headers.origin.',
        PYTHON: f'socketio.AsyncServer(cors_allowed_origins=["{facts.origin}"])',
        FLASK: f'SocketIO(app, cors_allowed_origins=["{facts.origin}"])',
        FASTAPI: f'socketio.AsyncServer(async_mode="asgi", cors_allowed_origins=["{facts.origin}"])',
        DEVPROXY: f'{facts.one_origin()}\n# where the server knows only itself: origin = "upstream" on the route',
    }


def websocket_open(facts: Facts) -> dict[str, str]:
    """Return what to write about a WebSocket that every web site may open."""
    return {
        NODE: (
            f'const allowed = new Set(["{facts.origin}"]);\n'
            "new Server(httpServer, "
            "{ allowRequest: (request, done) => done(null, allowed.has(request.headers.origin)) });"
        ),
        EXPRESS: "The same: cors() does not see upgrades.",
        PYTHON: f'socketio.AsyncServer(cors_allowed_origins=["{facts.origin}"])  # guards the WebSocket as well',
        FLASK: f'SocketIO(app, cors_allowed_origins=["{facts.origin}"])  # guards the WebSocket as well',
        FASTAPI: f'socketio.AsyncServer(async_mode="asgi", cors_allowed_origins=["{facts.origin}"])',
        DEVPROXY: "The guard refuses WebSockets of other web sites, whatever the server does.",
    }


def cors_open(facts: Facts) -> dict[str, str]:
    """Return what to write about answers that every web site may read."""
    fix = cors(facts)
    fix[NODE] += "\n// not origin: true, and not a function that lets everything in"
    fix[DEVPROXY] = "The routes' default lets pages of this machine read, and no web site."
    return fix


def cookie(facts: Facts) -> dict[str, str]:
    """Return what to write about cookies that browsers drop."""
    return {
        NODE: (
            "cookie: { sameSite: 'lax', secure: false }  // with one origin; else 'none' with secure: true, over https"
        ),
        EXPRESS: "app.use(session({ cookie: { sameSite: 'lax', secure: 'auto' } }));  // no `domain`, path '/'",
        PYTHON: "socketio.AsyncServer(cookie={'name': 'io', 'path': '/', 'SameSite': 'Lax'})",
        FLASK: (
            "app.config.update(SESSION_COOKIE_SAMESITE='Lax', SESSION_COOKIE_SECURE=False, SESSION_COOKIE_DOMAIN=None)"
        ),
        FASTAPI: "app.add_middleware(SessionMiddleware, secret_key=…, same_site='lax', https_only=False)",
        DEVPROXY: (
            f'{facts.up()}\n# one origin needs no SameSite=None; [routes.cookies] secure, same_site = "auto" repair it'
        ),
    }
