"""What a browser demands of the answer to a WebSocket handshake (RFC 6455 section 4.1), in Chromium's words and order.

Pure. CORS has no part in it: a 101 is taken whatever it says about origins. Start at :func:`fault_of`.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from typing import Final

from devproxy.http.fields import Field
from devproxy.policy.verdict.model import shown

DURING: Final = "Error during WebSocket handshake: "
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KNOWN_EXTENSION: Final = b"permessage-deflate"
"""The one that browsers offer."""


def accept_for(key: bytes) -> bytes:
    """Return the ``Sec-WebSocket-Accept`` that answers `key` (RFC 6455 section 4.2.2, item 5.4)."""
    return base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest())


def fault_of(
    status: int, fields: Sequence[Field], *, key: bytes = b"", protocols: Sequence[bytes] | None = None
) -> str:
    """Return the message with which Chromium fails the handshake that `status` and `fields` answer, or nothing.

    `key`: what ``Sec-WebSocket-Key`` asked with; empty: not known, so the answer to it is not checked. `protocols`: the
    subprotocols asked for; None: not known.
    """
    if status == 401:
        return "HTTP Authentication failed; no valid credentials available"
    if status == 407:
        return "Error in connection establishment: net::ERR_UNEXPECTED_PROXY_AUTH"
    if status != 101:
        return f"{DURING}Unexpected response code: {status}"
    fault = (
        _fault_of_upgrade(fields)
        or _fault_of_accept(fields, key)
        or _fault_of_connection(_values(fields, b"connection"))
        or _fault_of_protocol(_values(fields, b"sec-websocket-protocol"), protocols)
        or _fault_of_extensions(_values(fields, b"sec-websocket-extensions"))
    )
    return DURING + fault if fault else ""


def _values(fields: Sequence[Field], name: bytes) -> list[bytes]:
    """Return the elements of the fields called `name`: a list in one line counts like several lines."""
    return [part.strip(b" \t") for field in fields if field.name == name for part in field.value.split(b",")]


def _the_one(fields: Sequence[Field], name: str) -> tuple[bytes, str]:
    """Return the one value that is due of the field called `name`, and what is wrong with their number."""
    values = _values(fields, name.lower().encode())
    if len(values) == 1:
        return values[0], ""
    return b"", f"'{name}' header {'must not appear more than once in a response' if values else 'is missing'}"


def _fault_of_upgrade(fields: Sequence[Field]) -> str:
    value, fault = _the_one(fields, "Upgrade")
    is_right = value.lower() == b"websocket"
    return fault or ("" if is_right else f"'Upgrade' header value is not 'WebSocket': {shown(value)}")


def _fault_of_accept(fields: Sequence[Field], key: bytes) -> str:
    value, fault = _the_one(fields, "Sec-WebSocket-Accept")
    return fault or ("Incorrect 'Sec-WebSocket-Accept' header value" if key and value != accept_for(key) else "")


def _fault_of_connection(values: list[bytes]) -> str:
    if not values:
        return "'Connection' header is missing"
    return "" if b"upgrade" in map(bytes.lower, values) else "'Connection' header value must contain 'Upgrade'"


def _fault_of_protocol(values: list[bytes], asked: Sequence[bytes] | None) -> str:
    if asked is None:
        return ""
    if not values:
        return "Sent non-empty 'Sec-WebSocket-Protocol' header but no response was received" if asked else ""
    said = shown(values[0])
    if not asked:
        return f"Response must not include 'Sec-WebSocket-Protocol' header if not present in request: {said}"
    if len(values) > 1:
        return "'Sec-WebSocket-Protocol' header must not appear more than once in a response"
    if values[0] not in asked:
        return f"'Sec-WebSocket-Protocol' header value '{said}' in response does not match any of sent values"
    return ""


def _fault_of_extensions(values: list[bytes]) -> str:
    for value in values:
        name = value.partition(b";")[0].strip(b" \t")
        if name != _KNOWN_EXTENSION:
            return f"Found an unsupported extension '{shown(name)}' in 'Sec-WebSocket-Extensions' header"
    return ""
