"""Credentials in what is shown, masked: terminals and logs get recorded, pasted into issues and shared.

Pure. Owns which names of parameters stand for a secret and how the value is taken out; nothing else of the text
changes. What it cannot know is a secret without a name, such as a path segment. Start at :func:`masked`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

MASK: Final = "…"

SECRET_NAMES: Final = frozenset(
    (
        *(
            "auth",
            "authorization",
            "bearer",
            "code",
            "cookie",
            "credentials",
            "jwt",
            "key",
            "otp",
            "pass",
            "passphrase",
        ),
        *("passwd", "pwd", "samlresponse", "session", "sid", "sig", "ticket"),
    )
)
"""Names that stand for a secret, in lower case, without what is no letter or digit."""

SECRET_ENDINGS: Final = (
    *("accesskey", "apikey", "assertion", "credential", "password", "privatekey", "secret", "secretkey", "sessid"),
    *("sessionid", "sessionkey", "signature", "token"),
)
"""Ends of such names: ``access_token``, ``idToken``, ``X-Amz-Signature``, ``user[password]``, ``;jsessionid``."""

_MAX_NAME: Final = 192
"""Characters of a name that are looked at, the last ones: a name longer than any secret's costs no memory."""

# A parameter begins behind one of these; a URL within a parameter (`?next=%2Fa%3Fcode%3Dx`) has them encoded.
_find_parameters = re.compile(r"([?&;#]|%3F|%26|%3B|%23)((?:(?!%3D|%26|%3F)[^=&;#? ])*)(=|%3D)", re.IGNORECASE).finditer
_find_end = re.compile(r"[&;# ]|$").search
_find_end_encoded = re.compile(r"[&;# ]|%26|%3B|%23|$", re.IGNORECASE).search
_find_end_in_path = re.compile(r"[&;#/? ]|$").search
_replace_userinfo = re.compile(r"(//)[^/?#@ ]*@").sub
_replace_separators = re.compile(r"[\W_]+").sub


def masked(text: str, mask: str = MASK) -> str:
    """Return `text` (a request target, a URL, or a sentence that holds some) with every credential replaced by `mask`.

    Credentials are the values of parameters of :func:`is_secret_name`, in the query, in a URL within the query, in the
    path (``;jsessionid=``) and in the fragment; and a URL's user information (RFC 3986 section 3.2.1), as a whole.
    """
    if "@" in text:
        text = _replace_userinfo(lambda match: f"{match[1]}{mask}@", text)
    if "=" not in text and "%3" not in text:
        return text
    query = text.find("?")
    pieces: list[str] = []
    done = 0
    for parameter in _find_parameters(text):
        start = parameter.end()
        if parameter.start() < done or not is_secret_name(parameter[2][-_MAX_NAME:]):
            continue
        if parameter[3] != "=":
            find_end = _find_end_encoded
        else:
            find_end = _find_end if 0 <= query <= parameter.start() or parameter[1] == "#" else _find_end_in_path
        end = find_end(text, start)
        assert end is not None, "every pattern matches the end of the text"
        if end.start() > start:
            pieces += text[done:start], mask
            done = end.start()
    return "".join((*pieces, text[done:])) if pieces else text


@lru_cache(maxsize=512)
def is_secret_name(name: str) -> bool:
    """Tell whether a parameter called `name` holds a secret, whatever its case, its separators and its encoding."""
    plain = _replace_separators("", unquote(name)).lower()
    return plain in SECRET_NAMES or plain.endswith(SECRET_ENDINGS)
