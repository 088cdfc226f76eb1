"""What a certificate says of itself: whose it is, who signed it, for which names, and when. Pure.

Reads the few parts of X.509 (RFC 5280 section 4.1) that people need to find out why one was refused, in DER (X.690).
Verifies nothing: that is OpenSSL's. The bytes are a stranger's: each is looked at a bounded number of times, whatever
they say of their own lengths. Start at :func:`read_certificate`.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from devproxy.errors import SeenCertificate
from devproxy.text.safe import visible

MAX_CERTIFICATE_BYTES: Final = 64 * 1024
MAX_NAMES: Final = 64
"""Names of one certificate that are read; those after that are left out."""
_MAX_TEXT: Final = 120
_MAX_ATTRIBUTES: Final = 8

_SEQUENCE: Final = 0x30
_SET: Final = 0x31
_UTC_TIME: Final = 0x17
_GENERALIZED_TIME: Final = 0x18
_VERSION: Final = 0xA0
_EXTENSIONS: Final = 0xA3
_DNS_NAME: Final = 0x82
_IP_ADDRESS: Final = 0x87
_TEXTS: Final = {0x0C: "utf-8", 0x13: "ascii", 0x14: "latin-1", 0x16: "ascii", 0x1E: "utf-16-be"}
"""Kinds of text, and how they are encoded."""
_ATTRIBUTES: Final = {b"\x55\x04\x03": "CN", b"\x55\x04\x0a": "O", b"\x55\x04\x0b": "OU"}
"""Attributes of a name that people know it by (RFC 4514 section 3)."""
_ALTERNATIVE_NAMES: Final = b"\x55\x1d\x11"


class _Element(NamedTuple):
    """One value in DER. ``start`` and ``end``: of its content."""

    tag: int
    start: int
    end: int


class _DamagedError(Exception):
    """The bytes are no certificate."""


def read_certificate(der: bytes) -> SeenCertificate | None:
    """Return what the certificate `der` says of itself, None where it is none. Raises nothing."""
    if len(der) > MAX_CERTIFICATE_BYTES:
        return None
    try:
        certificate = _expect(_element(der, 0, len(der)), _SEQUENCE)
        return _read(der, _expect(_element(der, certificate.start, certificate.end), _SEQUENCE))
    except _DamagedError:
        return None


def _read(der: bytes, body: _Element) -> SeenCertificate:
    """Return what `body`, the part that is signed, says (RFC 5280 section 4.1.2)."""
    parts = _elements(der, body, 12)
    if parts and parts[0].tag == _VERSION:
        del parts[0]
    if len(parts) < 5:
        raise _DamagedError
    _, _, issuer, validity, subject, *others = parts
    times = _elements(der, _expect(validity, _SEQUENCE), 2)
    if len(times) != 2:
        raise _DamagedError
    extensions = next((one for one in others if one.tag == _EXTENSIONS), None)
    return SeenCertificate(
        subject=_name(der, _expect(subject, _SEQUENCE)),
        issuer=_name(der, _expect(issuer, _SEQUENCE)),
        names=() if extensions is None else _alternative_names(der, extensions),
        not_before=_time(der, times[0]),
        not_after=_time(der, times[1]),
    )


def _element(der: bytes, start: int, end: int) -> _Element:
    """Return the element that begins at `start` and ends by `end`."""
    if end - start < 2:
        raise _DamagedError
    tag, size, content = der[start], der[start + 1], start + 2
    if size >= 0x80:
        count = size & 0x7F
        if not 1 <= count <= 4 or content + count > end:
            raise _DamagedError
        size = int.from_bytes(der[content : content + count], "big")
        content += count
    if content + size > end:
        raise _DamagedError
    return _Element(tag, content, content + size)


def _elements(der: bytes, parent: _Element, most: int) -> list[_Element]:
    """Return the elements in `parent`, the first `most` of them."""
    found: list[_Element] = []
    position = parent.start
    while position < parent.end and len(found) < most:
        found.append(_element(der, position, parent.end))
        position = found[-1].end
    return found


def _expect(element: _Element, tag: int) -> _Element:
    if element.tag != tag:
        raise _DamagedError
    return element


def _name(der: bytes, name: _Element) -> str:
    """Return a name as people write it: ``CN=localhost, O=Example``. Of several attributes, those that are known."""
    said: list[str] = []
    for group in _elements(der, name, _MAX_ATTRIBUTES):
        for attribute in _elements(der, _expect(group, _SET), 1):
            parts = _elements(der, _expect(attribute, _SEQUENCE), 2)
            if len(parts) != 2:
                raise _DamagedError
            what = _ATTRIBUTES.get(der[parts[0].start : parts[0].end])
            encoding = _TEXTS.get(parts[1].tag)
            if what is not None and encoding is not None:
                text = der[parts[1].start : parts[1].end].decode(encoding, "replace")
                said.append(f"{what}={visible(text, _MAX_TEXT)}")
    said.sort(key=lambda text: not text.startswith("CN="))
    return ", ".join(said)


def _alternative_names(der: bytes, extensions: _Element) -> tuple[str, ...]:
    """Return the names that a certificate is for (RFC 5280 section 4.2.1.6)."""
    for extension in _elements(der, _element(der, extensions.start, extensions.end), 64):
        parts = _elements(der, _expect(extension, _SEQUENCE), 3)
        if not parts or der[parts[0].start : parts[0].end] != _ALTERNATIVE_NAMES:
            continue
        names = _element(der, parts[-1].start, parts[-1].end)
        found = (_alternative_name(der, name) for name in _elements(der, names, MAX_NAMES))
        return tuple(name for name in found if name)
    return ()


def _alternative_name(der: bytes, name: _Element) -> str:
    content = der[name.start : name.end]
    if name.tag == _DNS_NAME:
        return visible(content.decode("ascii", "replace"), _MAX_TEXT)
    if name.tag == _IP_ADDRESS and len(content) in (4, 16):
        from ipaddress import ip_address  # few certificates name an address

        return str(ip_address(content))
    return ""


def _time(der: bytes, time: _Element) -> str:
    """Return ``2026-12-01 14:05`` for a time in either form (RFC 5280 section 4.1.2.5), empty for any other text."""
    text = der[time.start : time.end].decode("ascii", "replace")
    if time.tag == _UTC_TIME and text[:2].isdigit():
        text = ("19" if text[:2] >= "50" else "20") + text
    elif time.tag != _GENERALIZED_TIME:
        return ""
    if len(text) < 12 or not (text[:12].isascii() and text[:12].isdigit()):
        return ""
    return f"{text[:4]}-{text[4:6]}-{text[6:8]} {text[8:10]}:{text[10:12]}"
