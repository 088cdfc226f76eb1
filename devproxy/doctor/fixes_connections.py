"""What to write where a connection fails: addresses, TLS, paths, upgrades, sessions, time-outs. Texts; pure.

Start at :func:`upgrade`.
"""

from __future__ import annotations

from devproxy.doctor.facts import CLIENT, DEVPROXY, FALLBACK_NOTE, NGINX, Facts
from devproxy.policy.server_code import EXPRESS, FASTAPI, FLASK, NODE, PYTHON


def upgrade(facts: Facts) -> dict[str, str]:
    """Return what to write about a WebSocket that is refused."""
    return {
        NODE: (
            "Look at the server's log (DEBUG=engine,socket.io) and at what takes the upgrade: one `upgrade` listener "
            f'per path, Socket.IO attached to the server that listens, path "{facts.path}".'
        ),
        EXPRESS: "httpServer.listen(port), not app.listen(port): Socket.IO is attached to httpServer.",
        PYTHON: "Serve it by something that speaks WebSocket: uvicorn with `websockets`, aiohttp, eventlet or gevent.",
        FLASK: (
            "pip install simple-websocket, then socketio.run(app); behind gunicorn: one worker of gevent or threads."
        ),
        FASTAPI: 'uvicorn.run(socketio.ASGIApp(sio, other_asgi_app=app))  # pip install "uvicorn[standard]"',
        CLIENT: f'io({{ transports: ["polling"] }}) does without. {FALLBACK_NOTE}',
        DEVPROXY: f"{facts.up()}\n# passes every upgrade on as it came, and the server's words where it refuses one",
    }


def stripped(facts: Facts) -> dict[str, str]:
    """Return what to write about an Upgrade that is lost on the way."""
    lines = 'proxy_http_version 1.1;\nproxy_set_header Upgrade $http_upgrade;\nproxy_set_header Connection "upgrade";'
    return {
        NGINX: lines,
        NODE: (
            "A proxy in a dev server needs a switch: `ws: true` (Vite, http-proxy-middleware), and then "
            'server.on("upgrade", proxy.upgrade) for http-proxy-middleware.'
        ),
        EXPRESS: 'server.on("upgrade", proxy.upgrade);  // http-proxy-middleware in Express',
        PYTHON: "Nothing: the request arrives without Upgrade. Look at the proxy in front.",
        FLASK: "Nothing: the request arrives without Upgrade. Look at the proxy in front.",
        FASTAPI: "Nothing: the request arrives without Upgrade. Look at the proxy in front.",
        CLIENT: f'io({{ transports: ["polling"] }}) does without. {FALLBACK_NOTE}',
        DEVPROXY: f"{facts.up()}\n# in place of that proxy: upgrades pass without a switch",
    }


def version(facts: Facts) -> dict[str, str]:
    """Return what to write about versions that differ."""
    return {
        NODE: (
            "npm install socket.io@4  # on the server, for the client of today; or in the page socket.io-client@2\n"
            "# a server of version 3 or 4 for a client of version 2: new Server(httpServer, { allowEIO3: true })"
        ),
        EXPRESS: "The same: the version of socket.io counts, not that of Express.",
        PYTHON: "pip install --upgrade python-socketio python-engineio  # 5 and 4 speak to the clients 3 and 4",
        FLASK: "pip install --upgrade Flask-SocketIO python-socketio python-engineio  # 5, 5 and 4",
        FASTAPI: "pip install --upgrade python-socketio python-engineio",
        CLIENT: "The major version of socket.io-client has to be the server's: 2 with 2, 3 or 4 with 3 or 4.",
        DEVPROXY: "Nothing: both versions pass as they are.",
    }


def path(facts: Facts) -> dict[str, str]:
    """Return what to write about a path that differs."""
    return {
        NODE: f'new Server(httpServer, {{ path: "{facts.path}" }});  // or the other path in the client',
        EXPRESS: "const httpServer = createServer(app); new Server(httpServer); httpServer.listen(port);",
        PYTHON: f'socketio.ASGIApp(sio, socketio_path="{facts.bare_path}")  # or the other path in the client',
        FLASK: f'SocketIO(app, path="{facts.bare_path}")',
        FASTAPI: (
            'app.mount("/ws", socketio.ASGIApp(sio, socketio_path="/ws/socket.io"))  # the prefix counts, here and in '
            "the client"
        ),
        DEVPROXY: f"{facts.up()}\n# the path of the route has to be the client's `path`",
    }


def sticky(facts: Facts) -> dict[str, str]:
    """Return what to write about sessions that only one of several servers knows."""
    return {
        NODE: (
            "One process; or @socket.io/pm2 and @socket.io/sticky, which lead each session to its process. The Redis "
            "adapter shares events, it does not do that."
        ),
        EXPRESS: "The same as for Socket.IO (Node).",
        PYTHON: "One worker (uvicorn --workers 1, gunicorn -w 1), and several servers behind a sticky proxy.",
        FLASK: "gunicorn -w 1: Flask-SocketIO does not work with several workers behind one port.",
        FASTAPI: "uvicorn --workers 1, and several servers behind a sticky proxy.",
        NGINX: "upstream backend { hash $arg_sid$remote_addr consistent; … }  # or ip_hash",
        CLIENT: 'io({ transports: ["websocket"] }): one connection needs no stickiness.',
        DEVPROXY: (
            '[upstreams.backend]\nservers = ["http://localhost:3001", "http://localhost:3002"]\nsticky = "socketio"'
            "  # by the session, also for several processes behind one port"
        ),
    }


def namespace(facts: Facts) -> dict[str, str]:
    """Return what to write about a namespace that refuses."""
    name = facts.namespace
    return {
        NODE: f'io.of("{name}").on("connection", (socket) => …);  // and what io.of("{name}").use(…) refuses',
        EXPRESS: "The same as for Socket.IO (Node).",
        PYTHON: f'@sio.event(namespace="{name}")\nasync def connect(sid, environ, auth): …  # return nothing, or True',
        FLASK: f'@socketio.on("connect", namespace="{name}")\ndef connect(auth): …  # return nothing, or True',
        FASTAPI: f'@sio.on("connect", namespace="{name}")\nasync def connect(sid, environ, auth): …',
        CLIENT: 'The path of the URL given to io() is the namespace: io("http://host/admin") joins /admin.',
        DEVPROXY: "Nothing: namespaces are within the connection.",
    }


def auth(facts: Facts) -> dict[str, str]:
    """Return what to write about a server that asks who the client is."""
    return {
        NODE: "io.use((socket, next) => …) sees socket.handshake.auth; io.engine.use(…) and allowRequest see cookies.",
        EXPRESS: (
            "Let the path of Socket.IO, and every OPTIONS, pass before the middleware that asks who the client is."
        ),
        PYTHON: "async def connect(sid, environ, auth): …  # sees auth, and environ['HTTP_COOKIE']",
        FLASK: "@socketio.on('connect')\ndef connect(auth): …  # sees auth, and flask.request.cookies",
        FASTAPI: "async def connect(sid, environ, auth): …  # dependencies of FastAPI do not run for Socket.IO",
        CLIENT: "io(url, { auth: { token }, withCredentials: true });  // auth: in CONNECT; cookies: withCredentials",
        DEVPROXY: facts.one_origin() + ": cookies of a login go along",
    }


def timeout(facts: Facts) -> dict[str, str]:
    """Return what to write about quiet connections that are ended."""
    return {
        NODE: "new Server(httpServer, { pingInterval: 10000 });  // below the time-out of what is in between",
        EXPRESS: "The same as for Socket.IO (Node).",
        PYTHON: "socketio.AsyncServer(ping_interval=10)",
        FLASK: "SocketIO(app, ping_interval=10)",
        FASTAPI: 'socketio.AsyncServer(async_mode="asgi", ping_interval=10)',
        NGINX: "proxy_read_timeout 1h;\nproxy_send_timeout 1h;",
        DEVPROXY: f"{facts.up()}\n# in place of that proxy: polls and WebSockets have no time-out",
    }


def buffered(facts: Facts) -> dict[str, str]:
    """Return what to write about events that come late."""
    return {
        NODE: "No `compression` for text/event-stream: compression({ filter }), or response.flush() after each event.",
        EXPRESS: "app.use(compression({ filter: (req, res) => !/event-stream/.test(res.getHeader('Content-Type')) }));",
        PYTHON: "Add X-Accel-Buffering: no to the answer.",
        FLASK: "Response(events(), mimetype='text/event-stream', headers={'X-Accel-Buffering': 'no'})",
        FASTAPI: "No GZipMiddleware around streams; StreamingResponse(…, headers={'X-Accel-Buffering': 'no'})",
        NGINX: "proxy_buffering off;\ngzip off;  # for event streams",
        DEVPROXY: f"{facts.up()}\n# in place of that proxy: bytes leave as they come",
    }


def scheme(facts: Facts) -> dict[str, str]:
    """Return what to write about schemes that differ."""
    return {
        NODE: "Serve page and server by the same scheme: https.createServer({ key, cert }, app), or http for both.",
        EXPRESS: "https.createServer({ key, cert }, app).listen(port);  // no redirect from http for API paths",
        PYTHON: "uvicorn app:app --ssl-keyfile key.pem --ssl-certfile cert.pem",
        FLASK: "socketio.run(app, certfile='cert.pem', keyfile='key.pem')",
        FASTAPI: "uvicorn app:app --ssl-keyfile key.pem --ssl-certfile cert.pem",
        CLIENT: f"Write the scheme that the server speaks; it was asked at {facts.base}.",
        DEVPROXY: f"{facts.up()} --tls\n# one https origin in front of servers that speak plain http",
    }


def certificate(facts: Facts) -> dict[str, str]:
    """Return what to write about a certificate that is not trusted."""
    return {
        NODE: "mkcert -install; mkcert localhost  # and the server with that key and certificate",
        EXPRESS: "The same as for Node.",
        PYTHON: "mkcert -install; mkcert localhost  # and --ssl-keyfile, --ssl-certfile",
        FLASK: "The same as for python-socketio.",
        FASTAPI: "The same as for python-socketio.",
        DEVPROXY: (
            "devproxy trust --install, then devproxy up --tls: browsers trust the front; for the server behind it: "
            "tls_verify = false in its upstream, or SSL_CERT_FILE with its authority"
        ),
    }


def lone(facts: Facts) -> dict[str, str]:
    """Return what to write about a server that serves one connection at a time."""
    return {
        NODE: "Nothing in Node serves one connection at a time: look for work that blocks the loop, or a proxy.",
        EXPRESS: "The same as for Node.",
        PYTHON: "gunicorn -k gevent, or --threads 100: a sync worker serves one connection at a time.",
        FLASK: "app.run(threaded=True), socketio.run(app), or gunicorn with threads or gevent.",
        FASTAPI: "No blocking call in `async def`: `def`, or await asyncio.to_thread(…).",
        DEVPROXY: "devproxy keeps no idle connection open at a server that serves one at a time, and says so.",
    }


def address(facts: Facts) -> dict[str, str]:
    """Return what to write about an address at which nothing listens."""
    return {
        NODE: 'httpServer.listen(port, "127.0.0.1");  // or no host at all: every address of both families',
        EXPRESS: 'app.listen(port, "127.0.0.1");',
        PYTHON: 'uvicorn app:app --host 127.0.0.1  # or --host "" for both families',
        FLASK: 'socketio.run(app, host="127.0.0.1")',
        FASTAPI: "uvicorn app:app --host 127.0.0.1",
        CLIENT: "Write localhost in place of an address: browsers and devproxy try both families.",
        DEVPROXY: f"{facts.up()}\n# an upstream called localhost is asked on ::1 and on 127.0.0.1",
    }


def unreachable(facts: Facts) -> dict[str, str]:
    """Return what to write about a server that does not answer."""
    return {
        NODE: "Start the server, and compare the port that it prints.",
        EXPRESS: "Start the server, and compare the port that it prints.",
        PYTHON: "Start the server, and compare the port that it prints.",
        FLASK: "Start the server, and compare the port that it prints.",
        FASTAPI: "Start the server, and compare the port that it prints.",
        DEVPROXY: "hold_s in the upstream lets requests wait for a server that restarts.",
    }


def not_socketio(facts: Facts) -> dict[str, str]:
    """Return what to write about a server without Socket.IO."""
    return {
        NODE: (
            "const httpServer = createServer(app); new Server(httpServer); httpServer.listen(port);  // not app.listen"
        ),
        EXPRESS: (
            "const httpServer = createServer(app); new Server(httpServer); httpServer.listen(port);  // not app.listen"
        ),
        PYTHON: "app = socketio.ASGIApp(sio, other_asgi_app=app)  # and serve that app",
        FLASK: "socketio = SocketIO(app); socketio.run(app)",
        FASTAPI: "app = socketio.ASGIApp(sio, other_asgi_app=fastapi_app)  # and serve that app, not fastapi_app",
        CLIENT: "For a plain WebSocket: new WebSocket(url), not io(url). Or the address of the Socket.IO server.",
        DEVPROXY: f"{facts.up()}",
    }


def polling(facts: Facts) -> dict[str, str]:
    """Return what to write about a server that takes no polling."""
    return {
        NODE: 'new Server(httpServer, { transports: ["polling", "websocket"] });  // the default',
        EXPRESS: "The same as for Socket.IO (Node).",
        PYTHON: 'socketio.AsyncServer(transports=["polling", "websocket"])',
        FLASK: "SocketIO(app, transports=['polling', 'websocket'])",
        FASTAPI: 'socketio.AsyncServer(async_mode="asgi", transports=["polling", "websocket"])',
        CLIENT: 'io(url, { transports: ["websocket"] });  // where the server is meant to take nothing else',
        DEVPROXY: "Nothing: both transports pass.",
    }
