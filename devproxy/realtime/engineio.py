"""Engine.IO as a gateway meets it: which requests belong to it, and what its servers mean by refusing one.

Owns what Socket.IO's transport leaves visible in HTTP (Engine.IO protocol 3 and 4): the query of the request target and
the body of an error answer. Never reads packets (but for the id in the one that opens a session), never sees a
session's content and never decides; the gateway asks :func:`kind_of` because three things that are harmless elsewhere
end a session here: sending a poll twice, letting two polls of one session overlap, and leaving a poll open at the
server after its client has gone.
Start at :func:`parse_engine_request`; :func:`explain_engine_error` puts a server's refusal in words.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple
from urllib.parse import unquote_to_bytes

MAX_EXPLAINED_BYTES: Final = 2048
"""Longer bodies are not Engine.IO error answers; they are not looked at."""

_MAX_REPEATED: Final = 100

MAX_OPEN_BYTES: Final = 4096
"""Bytes of an answer within which the id of a new session is: its packet comes first and the id first in it."""

SESSION_UNKNOWN: Final = '{"code":1,"message":"Session ID unknown"}'
"""What Node's servers answer, with 400, to a session that they do not have: the client begins a new one at once."""

_SID: Final = re.compile(rb'[^{]{0,256}0\{[^{}]{0,1024}?\\?"sid\\?"\s*:\s*\\?"([^"\\\x00-\x20]{1,256})\\?"')
"""The id in an open packet: `0{"sid":"…"` (protocol 4), `97:0{…` (3), with escaped quotes in a JSONP answer."""


# How every client that is known writes its query: a look at the whole of it, and the session is there.
_match_usual: Final = re.compile(
    rb"[^?]*\?EIO=([0-9]+)&transport=(polling|websocket)(?:&t=[A-Za-z0-9_.\-]*)?(?:&sid=([^&]*))?"
).fullmatch


class EngineRequest(NamedTuple):
    """What the query of an Engine.IO request says, as raw bytes (nothing is percent-decoded).

    ``eio``: the protocol version, ``3`` or ``4`` from the clients there are. ``transport``: ``polling`` or
    ``websocket``; empty when not said. ``sid``: the session, empty in a handshake, before there is one.
    """

    eio: bytes
    transport: bytes
    sid: bytes


def parse_engine_request(target: bytes) -> EngineRequest | None:
    """Return what `target` (a raw request target in any form) asks of Engine.IO, or None when it is something else.

    Every client since protocol 1 sends a parameter ``EIO``; the path tells nothing, since it can be set freely. Where a
    parameter occurs twice the first counts, as it does for python-engineio; Node's servers refuse such a request.
    """
    if b"EIO=" not in target:
        return None
    usual = _match_usual(target)
    if usual is not None:
        return EngineRequest(usual[1], usual[2], usual[3] or b"")
    parameters: dict[bytes, bytes] = {}
    for parameter in target.partition(b"?")[2].split(b"&"):
        name, _, value = parameter.partition(b"=")
        parameters.setdefault(name, value)
    eio = parameters.get(b"EIO")
    if eio is None:
        return None
    return EngineRequest(eio, parameters.get(b"transport", b""), parameters.get(b"sid", b""))


OPENS: Final = 1
POLL: Final = 2


def kind_of(method: bytes, target: bytes) -> int:
    """Return what a request is to Engine.IO: :data:`POLL`, :data:`OPENS` for any other GET of its, else 0.

    A poll is a GET that the server answers when it has something to say to this session. It must reach the server at
    most once, must never overlap another one of its session, and must be aborted at the server as soon as its client
    leaves. A handshake is none: it has no session to lose yet. Where no transport is named, python-engineio takes
    polling for granted.
    """
    if method != b"GET":
        return 0
    usual = _match_usual(target)
    if usual is not None:  # as below, for less: each poll of each client comes here
        return POLL if usual[3] and usual[2] == b"polling" else OPENS
    engine = parse_engine_request(target)
    if engine is None:
        return 0
    return POLL if engine.sid and engine.transport in (b"polling", b"") else OPENS


def passes_messages(target: bytes) -> bool:
    """Tell whether `target`, for which there was an answer of success, passes messages of an open session over HTTP.

    For what is only shown: a quick look that takes nothing apart. A handshake passes none, nor does a WebSocket.
    """
    usual = _match_usual(target)
    if usual is not None:
        return usual[3] is not None and usual[2] == b"polling"
    return b"EIO=" in target and (b"&sid=" in target or b"?sid=" in target) and b"transport=websocket" not in target


def session_id(request: EngineRequest) -> bytes:
    """Return the session's id as its server wrote it; an id may contain bytes that a query has to encode."""
    return unquote_to_bytes(request.sid) if b"%" in request.sid else request.sid


def opened_session(data: bytes) -> bytes:
    """Return the id that an Engine.IO server gives a new session, empty when `data` does not say (yet).

    `data`: the beginning of the answer to a handshake over polling, with or without the framing of the chunked coding.
    An answer that is compressed says nothing; servers compress from 1 KiB on, and an open packet is shorter.
    """
    match = _SID.match(data)
    return match[1] if match is not None else b""


_LOST_SESSION: Final = (
    "the server does not know this session: it was restarted, it closed the session, or another instance holds it; the "
    "client reconnects on its own; where several servers share the work, all requests of a session must reach the same "
    "one"
)
_UNKNOWN_TRANSPORT: Final = (
    "the server does not offer this transport; compare the `transports` option of client and server, and make sure "
    "that no rewrite drops the query"
)
_OTHER_VERSION: Final = (
    "client and server speak different versions of the Engine.IO protocol; use a client of the server's major version, "
    "or set `allowEIO3: true` on a Socket.IO 3 or 4 server for a version 2 client"
)
_BAD_HANDSHAKE: Final = (
    "only a GET opens a session; a preflight (OPTIONS) reached a server without `cors`, or the `sid` was lost on the "
    "way: open the page through devproxy, so that there is one origin and no preflight"
)
_BAD_REQUEST: Final = (
    "the server refused the request: polling after the upgrade to WebSocket, a WebSocket request whose Upgrade header "
    "was lost on the way, another protocol version than at the handshake, or a middleware or `cors` callback that "
    "failed; the server's log (DEBUG=engine) says which"
)
_FORBIDDEN: Final = "the application's own check (`allowRequest`) refused the request{text}; look there"
_OVERLAP: Final = (
    "the server ended the session, most likely because two polls or two POSTs of it overlapped, or because it could "
    "not read a body; the client reconnects on its own"
)
_BODY_TOO_LARGE: Final = (
    "the message is larger than the server accepts; raise `maxHttpBufferSize` (python-socketio: `max_http_buffer_size`)"
)
_BAD_METHOD: Final = (
    "the server accepts only GET and POST; a preflight (OPTIONS) reached a server without `cors`: open the page "
    "through devproxy, so that there is one origin and no preflight"
)
_BAD_ORIGIN: Final = (
    "python-socketio refused the page's origin; add it to `cors_allowed_origins`, or open the page through devproxy "
    "and leave `host` and `origin` of the route as they are by default, so that Origin and Host agree"
)
_NO_UPGRADE: Final = (
    "the request asks for WebSocket but has no Upgrade header; look for what removes it between client and server"
)
_AFTER_UPGRADE: Final = "the session has moved on to WebSocket and no longer takes polls; there is nothing to do"
_NOT_CONNECTED: Final = (
    "the session is not open: its connect handler has not accepted it yet or refused it; look at that handler"
)
_UNAUTHORIZED: Final = "the application's connect handler refused the client{text}; look there"
_NOT_ATTACHED: Final = (
    "no Socket.IO is attached at this path: the web framework answered; compare the `path` option of client and server "
    "(with its trailing slash) and any `strip_prefix` or `rewrite` of the route"
)

# engine.io/lib/server.ts `Server.errors`: the code of a JSON answer.
_BY_CODE: Final[dict[int, str]] = {
    0: _UNKNOWN_TRANSPORT,
    1: _LOST_SESSION,
    2: _BAD_HANDSHAKE,
    3: _BAD_REQUEST,
    4: _FORBIDDEN,
    5: _OTHER_VERSION,
}
# `Server.errorMessages`, which a refused WebSocket gets as bare text, and the JSON strings of python-engineio.
_BY_TEXT: Final[dict[str, str]] = {
    "Transport unknown": _UNKNOWN_TRANSPORT,
    "Session ID unknown": _LOST_SESSION,
    "Bad handshake method": _BAD_HANDSHAKE,
    "Bad request": _BAD_REQUEST,
    "Forbidden": _FORBIDDEN.format(text=""),
    "Unsupported protocol version": _OTHER_VERSION,
    "Invalid transport": _UNKNOWN_TRANSPORT,
    "Invalid websocket upgrade": _NO_UPGRADE,
    "The client is using an unsupported version of the Socket.IO or Engine.IO protocols": _OTHER_VERSION,
    "Unexpected HTTP request": _AFTER_UPGRADE,
    "Not connected": _NOT_CONNECTED,
    "Bad Request": _OVERLAP,
}


def is_unknown_session(status: int, body: bytes) -> bool:
    """Tell whether a server answers that it does not know the session, in the words of Node's or python-engineio.

    `body`: decoded content. Node's answer to a poll is :data:`SESSION_UNKNOWN`, to an upgrade its ``message`` alone;
    python-engineio's is a JSON string, ``"Invalid session SID"``.
    """
    return explain_engine_error(status, body) is _LOST_SESSION


def explain_engine_error(status: int, body: bytes) -> str | None:
    """Return what an Engine.IO server means by answering `status` with `body`, and what to do; None for other answers.

    Meant for answers to requests that :func:`parse_engine_request` recognised: an empty 400 means nothing elsewhere.
    `body`: decoded content. One sentence, lower case, without a full stop. Knows Node's engine.io (2 to 6) and
    python-engineio.
    """
    if status < 400 or len(body) > MAX_EXPLAINED_BYTES:
        return None
    if not body:
        return {400: _OVERLAP, 413: _BODY_TOO_LARGE, 500: _BAD_METHOD}.get(status)
    text = body.decode("utf-8", "replace").strip()
    said = _read_json(text)
    if isinstance(said, dict):
        return _explain_code(status, said)
    if isinstance(said, str):
        return _explain_text(status, said)
    if status == 404 and ("Cannot GET " in text or "Cannot POST " in text):
        return _NOT_ATTACHED
    # A refused WebSocket gets the words alone.
    return _BY_TEXT.get(text) if status == 400 else None


def engine_refusal(status: int, body: bytes) -> str:
    """Return what an Engine.IO server said by answering `status` with `body`, with what it means; empty for others.

    As for :func:`explain_engine_error`; a sentence that begins with the server's own code and words, of which at most
    100 characters are repeated.
    """
    meaning = explain_engine_error(status, body)
    if meaning is None:
        return ""
    text = body.decode("utf-8", "replace").strip()
    said = _read_json(text)
    code = ""
    if isinstance(said, dict):
        code, text = f" {said['code']}", str(said["message"])
    elif isinstance(said, str):
        text = said
    words = f', "{text[:_MAX_REPEATED]}"' if text and "<" not in text else ""
    return f"Engine.IO error{code}{words}: {meaning}."


def _read_json(text: str) -> object:
    import json  # only refusals need it

    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _explain_code(status: int, said: dict[str, object]) -> str | None:
    code, message = said.get("code"), said.get("message")
    if not isinstance(code, int) or not isinstance(message, str) or status != (403 if code == 4 else 400):
        return None
    sentence = _BY_CODE.get(code)
    # Code 4 carries the application's own words.
    return sentence and sentence.format(text=_quote(message, unless="Forbidden"))


def _explain_text(status: int, text: str) -> str | None:
    if status == 401:
        return _UNAUTHORIZED.format(text=_quote(text, unless="Unauthorized"))
    if status != 400:
        return None
    if text.startswith("Invalid session "):
        return _LOST_SESSION
    # The asynchronous server names the origin, the other one (Flask-SocketIO) does not.
    if text == "Not an accepted origin." or text.endswith(" is not an accepted origin."):
        return _BAD_ORIGIN
    return _BY_TEXT.get(text)


def _quote(text: str, *, unless: str) -> str:
    return f" ({text!r})" if text not in ("", unless) else ""
