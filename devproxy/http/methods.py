"""What methods promise (RFC 9110 section 9.2). TRACE and CONNECT, which are not forwarded, are left out."""

from __future__ import annotations

from typing import Final

READS: Final = frozenset((b"GET", b"HEAD"))
SAFE: Final = READS | {b"OPTIONS"}
"""They ask for nothing to be changed."""
IDEMPOTENT: Final = SAFE | {b"PUT", b"DELETE"}
"""Whose repetition changes nothing that the first one did not."""
