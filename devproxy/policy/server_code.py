"""What to write in a server so that the pages of an origin may read its answers: by the name of what it is written in.

Texts, whole enough to paste; the inspector and doctor give the same. Pure. Start at :func:`socketio` and :func:`rest`.
"""

from __future__ import annotations

from typing import Final

NODE, EXPRESS, PYTHON, FLASK, FASTAPI = "node", "express", "python-socketio", "flask-socketio", "fastapi"
TITLES: Final = {
    NODE: "Socket.IO (Node)",
    EXPRESS: "Express",
    PYTHON: "python-socketio",
    FLASK: "Flask-SocketIO",
    FASTAPI: "FastAPI",
}
"""By the name of a text: what it is written in, where that serves Socket.IO."""
REST_TITLES: Final = {NODE: "Node", EXPRESS: "Express", FLASK: "Flask", FASTAPI: "FastAPI"}
"""The same, where it serves something else."""
JAVASCRIPT: Final = frozenset((NODE, EXPRESS))
"""Names of what is written in that language; the others are in Python."""


def socketio(origin: str, *, sends_credentials: bool) -> dict[str, str]:
    """Return what lets pages of `origin` talk to Socket.IO; `sends_credentials`: with cookies."""
    credentials = ", credentials: true" if sends_credentials else ""
    return {
        NODE: f'new Server(httpServer, {{ cors: {{ origin: ["{origin}"]{credentials} }} }});',
        EXPRESS: (
            f'app.use(cors({{ origin: ["{origin}"]{credentials} }}));  // for REST alone: it has no effect on '
            "Socket.IO, which needs the line for Socket.IO (Node)"
        ),
        PYTHON: f'socketio.AsyncServer(cors_allowed_origins=["{origin}"])',
        FLASK: f'SocketIO(app, cors_allowed_origins=["{origin}"])',
        FASTAPI: (
            f'sio = socketio.AsyncServer(async_mode="asgi", cors_allowed_origins=["{origin}"])\n'
            "app = socketio.ASGIApp(sio, other_asgi_app=fastapi_app)  # CORSMiddleware on fastapi_app is for REST alone"
        ),
    }


def rest(origin: str, *, sends_credentials: bool) -> dict[str, str]:
    """Return what lets pages of `origin` read all other answers; `sends_credentials`: to requests with cookies."""
    credentials = ", credentials: true" if sends_credentials else ""
    flask_credentials = ", supports_credentials=True" if sends_credentials else ""
    python_credentials = ", allow_credentials=True" if sends_credentials else ""
    return {
        NODE: (
            f'response.setHeader("Access-Control-Allow-Origin", "{origin}");  // on every answer, errors too\n'
            'response.setHeader("Vary", "Origin");'
            + ('\nresponse.setHeader("Access-Control-Allow-Credentials", "true");' if sends_credentials else "")
        ),
        EXPRESS: f'app.use(cors({{ origin: ["{origin}"]{credentials} }}));  // before every route and every guard',
        FLASK: f'CORS(app, origins=["{origin}"]{flask_credentials})  # flask-cors',
        FASTAPI: (
            f'app.add_middleware(CORSMiddleware, allow_origins=["{origin}"]{python_credentials},\n'
            '                   allow_methods=["*"], allow_headers=["*"])  # add it last: the last one added runs first'
        ),
    }
