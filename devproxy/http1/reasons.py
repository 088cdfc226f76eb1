"""The reason phrases of the status codes (RFC 9110 section 15). Start at :func:`reason_phrase`."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

_RENAMED: Final = {413: "Content Too Large", 414: "URI Too Long", 422: "Unprocessable Content"}
"""RFC 9110 section 15.5, whose names Python has only from 3.13 on."""


def reason_phrase(status: int) -> str:
    """Return the reason phrase of `status`; empty, as RFC 9112 section 4 allows, for one that is not registered."""
    if status in _RENAMED:
        return _RENAMED[status]
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
