"""Text in the charset that its sender names, by the encodings of browsers alone. Pure.

A name from the wire does not choose among all codecs of Python: some take no errors, some take time by the square of
the length, and some are no charsets. Start at :func:`text_in` and :func:`octets_in`.
"""

from __future__ import annotations

import codecs
from typing import Final

_KNOWN: Final = frozenset(
    "utf-8 utf-16-le utf-16-be utf-16 ascii iso8859-1 iso8859-2 iso8859-3 iso8859-4 iso8859-5 iso8859-6 iso8859-7 "
    "iso8859-8 iso8859-10 iso8859-13 iso8859-14 iso8859-15 iso8859-16 cp866 cp874 cp1250 cp1251 cp1252 cp1253 cp1254 "
    "cp1255 cp1256 cp1257 cp1258 koi8-r koi8-u mac-roman mac-cyrillic gb2312 gbk gb18030 big5 big5hkscs euc_jp "
    "iso2022_jp shift_jis cp932 euc_kr cp949".split()
)
"""WHATWG Encoding, section 4.2, by Python's names."""


def text_in(data: bytes, charset: str) -> str:
    """Return `data` as text in `charset`, or in UTF-8 where no browser knows that; what is not in it is replaced."""
    return data.decode(charset if _is_known(charset) else "utf-8", "replace")


def octets_in(text: str, charset: str) -> bytes:
    """Return `text` in `charset`, or in UTF-8 where no browser knows that, or where it can't say all of it."""
    if _is_known(charset):
        try:
            return text.encode(charset)
        except ValueError:
            pass
    return text.encode("utf-8", "surrogatepass")


def _is_known(charset: str) -> bool:
    try:
        return codecs.lookup(charset).name in _KNOWN
    except (LookupError, ValueError):
        return False
