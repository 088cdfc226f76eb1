"""One ``Set-Cookie`` value as a browser reads it, and edits that leave every other byte alone.

Pure. Owns the grammar (RFC 6265bis section 5.6) and what the reserved name prefixes promise (section 4.1.3); never
decides what to edit: that is ``cookies``. Start at :class:`SetCookie`.
"""

from __future__ import annotations

import re
from typing import Final

from devproxy.text.safe import MAX_SHOWN, ticked

MAX_ATTRIBUTE_BYTES: Final = 1024
"""Longest value of an attribute; a browser takes no notice of a longer one (section 5.6)."""

NO_DOMAIN: Final = "no Domain"
"""What :func:`broken_promise` says of a Domain that must not be."""

RESERVED: Final = rb"(?i:__(?:Host|Secure|Http)-)"
"""How names begin that promise something about their cookie's attributes, in any case."""

_WHITESPACE: Final = b" \t"
_has_control = re.compile(rb"[\x00-\x1f\x7f]").search
is_reserved = re.compile(RESERVED).match
"""Tells by truth whether a name begins with a reserved prefix."""


class SetCookie:
    """One Set-Cookie value under repair. Attributes are kept as the bytes between two semicolons.

    ``name`` and ``value``: of the cookie; both may be empty. ``reasons``: one for each edit, in order. Of attributes
    with one name, the last counts whose value is not too long.
    """

    __slots__ = ("_attributes", "_lead", "_pair", "_places", "name", "reasons", "value")

    def __init__(self, lead: bytes, value: bytes) -> None:
        self._lead = lead
        self._pair, *self._attributes = value.split(b";")
        self._places = _places(self._attributes)
        self.name, self.value = split_pair(self._pair)
        self.reasons: list[str] = []

    @property
    def is_malformed(self) -> bool:
        """Whether a browser cannot read it: nothing is said, or a part contains a control character."""
        if not (self.name or self.value):
            return True
        pieces = (self._pair, *self._attributes)
        return any(map(_has_control, pieces)) and any(
            _has_control(part.strip(_WHITESPACE)) for piece in pieces for part in piece.split(b"=", 1)
        )

    def get(self, name: bytes) -> bytes | None:
        """Return the value of the attribute called `name` (lower case) that counts; None for none."""
        place = self._places.get(name)
        return None if place is None else _attribute(self._attributes[place])[1]

    def has(self, name: bytes) -> bool:
        """Tell whether there is an attribute called `name` (lower case), with whatever value."""
        return name in self._places

    def put(self, name: bytes, value: bytes | None, reason: str) -> None:
        """Give the attribute called `name` a value where it counts, or append it; None: an attribute without value."""
        place = self._places.get(name.lower())
        if place is None:
            if self._attributes and not self._attributes[-1].strip(_WHITESPACE):
                del self._attributes[-1]
            self._places[name.lower()] = len(self._attributes)
            self._attributes.append(b" " + name if value is None else b" %b=%b" % (name, value))
        elif value is not None:
            written, _, old = self._attributes[place].partition(b"=")
            bare = old.strip(_WHITESPACE)
            spaces = old.partition(bare) if bare else (b"", b"", b"")
            self._attributes[place] = b"%b=%b%b%b" % (written, spaces[0], value, spaces[2])
        self.reasons.append(reason)

    def remove(self, name: bytes, reason: str) -> None:
        """Remove all attributes called `name` (lower case)."""
        self._attributes = [each for each in self._attributes if _attribute(each)[0] != name]
        self._places = _places(self._attributes)
        self.reasons.append(reason)

    def rename(self, name: bytes, reason: str) -> None:
        """Give the cookie another name; one without a name gets one."""
        written, equals, rest = self._pair.partition(b"=")
        lead = self._pair[: len(self._pair) - len(self._pair.lstrip(_WHITESPACE))]
        if not equals:
            self._pair = lead + name + b"=" + self._pair[len(lead) :]
        else:
            tail = written[len(written.rstrip(_WHITESPACE)) :] if self.name else b""
            self._pair = lead + name + tail + b"=" + rest
        self.name = name
        self.reasons.append(reason)

    def line(self) -> bytes:
        """Return the line as it is now, without its end."""
        return self._lead + b";".join((self._pair, *self._attributes))


def split_pair(pair: bytes) -> tuple[bytes, bytes]:
    """Return name and value of a cookie; without ``=`` all of it is the value (section 5.6)."""
    name, equals, value = pair.partition(b"=")
    if not equals:
        name, value = b"", pair
    return name.strip(_WHITESPACE), value.strip(_WHITESPACE)


def _places(attributes: list[bytes]) -> dict[bytes, int]:
    """Return by name (lower case) where each attribute that counts is."""
    read = enumerate(map(_attribute, attributes))
    return {name: place for place, (name, value) in read if len(value) <= MAX_ATTRIBUTE_BYTES}


def _attribute(octets: bytes) -> tuple[bytes, bytes]:
    name, _, value = octets.partition(b"=")
    return name.strip(_WHITESPACE).lower(), value.strip(_WHITESPACE)


def broken_promise(cookie: SetCookie) -> str:
    """Say what the name of `cookie` asks for and its attributes do not keep; empty for nothing (section 4.1.3)."""
    name = cookie.name.lower()
    if not is_reserved(name):
        return ""
    if not cookie.has(b"secure"):
        return "Secure"
    if name.startswith(b"__host-") and cookie.get(b"path") != b"/":
        return "Path=/"
    if name.startswith(b"__host-") and cookie.get(b"domain"):
        return NO_DOMAIN
    if name.startswith((b"__http-", b"__host-http-")) and not cookie.has(b"httponly"):
        return "HttpOnly"
    return ""


def shown(octets: bytes) -> str:
    """Return `octets` as a sentence shows them: printable, in backquotes, not too long."""
    return ticked(octets, MAX_SHOWN)
