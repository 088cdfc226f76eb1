"""Credentials in what is shown, masked: terminals and logs get recorded, pasted into issues and shared.

Pure. Owns which names of parameters mean a secret and how the value is taken out; nothing else of the text
changes. What it cannot know is a secret without a name and without a shape, such as a path segment. Linear in the
length of the text: the sender of a request chooses it. Start at :func:`masked`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

MASK: Final = "…"

SECRET_NAMES: Final = frozenset(
    "auth authorization bearer code cookie cookies credentials cvc cvv gda hdnea hdntl hdnts hmac jwt key mnemonic otp "
    "pass passcode passphrase pgtid pgtiou pin psk pw samlart samlrequest samlresponse sess session sig sso ticket tkn "
    "tok wresult".split()
)
"""Names that mean a secret, in lower case, letters only, without digits at the end."""

SECRET_ENDINGS: Final = tuple(
    # keys that open something (not `monkey`, and not a database's `sortkey`)
    "accesskey accesskeyid accountkey activationkey apikey appkey authkey clientkey encryptionkey functionskey hostkey "
    "licencekey licensekey masterkey privatekey privkey resetkey secretkey servicekey sessionkey sharedkey signingkey "
    "streamkey subscriptionkey userkey "
    # codes that are worth a session (not `zipcode`)
    "authcode authorizationcode backupcode confirmationcode devicecode grantcode invitecode logincode mfacode "
    "onetimecode oobcode recoverycode resetcode securitycode smscode totpcode usercode verificationcode verifycode "
    # what proves an identity
    "apisig appsecretproof appsig assertion authorization authsig cookie credential csrf dbpass jwt magiclink otp "
    "passcode passphrase passwd password passwordconfirmation passwordhash pwd requestsig secret session sessid "
    "sessionid signature ticket token tokenhash tokenhint tokenid tokenvalue userpass verifier xsrf".split()
)
"""Ends of such names: ``access_token``, ``X-Amz-Signature``, ``connect.sid``, ``user[password]``, ``;jsessionid``."""

_MAX_NAME: Final = 192
"""Characters of a name that are looked at, the last ones: a name longer than any secret's costs no memory."""
_MAX_ENCODINGS: Final = 5
"""How often a URL within a URL within … may have been encoded."""

# A parameter begins after one of these; a URL within a parameter (`?next=%2Fa%3Fcode%3Dx`) has them encoded, and a URL
# within that one twice (`%253F`). A name holds none of them, so no byte is looked at from two places.
_PERCENT: Final = r"%(?:25){0,4}+"
_find_parameters = re.compile(
    rf"([?&;#]|{_PERCENT}(?:3F|26|3B|23))"
    rf"((?:[^=&;#?% ]++|%(?!(?:25){{0,4}}+(?:3D|26|3F|3B|23)))*+)"
    rf"(=|{_PERCENT}3D)",
    re.IGNORECASE,
).finditer
_find_end = re.compile(r"[&;# ]|$").search
_find_end_encoded = re.compile(rf"[&;# ]|{_PERCENT}(?:26|3B|23)|$", re.IGNORECASE).search
_find_end_in_path = re.compile(r"[&;#/? ]|$").search
# The last at sign of an authority ends its user information (WHATWG URL, authority state). Some encode slashes, some
# do not.
_replace_userinfo = re.compile(r"(//)(?:[^/?#@ ]*+@)++").sub
_replace_encoded_userinfo = re.compile(
    rf"({_PERCENT}2F{_PERCENT}2F|(?::|{_PERCENT}3A)//)"
    rf"(?:(?:[^/?#@& %]++|%(?!(?:25){{0,4}}+(?:2F|3F|23|40)))*+(?:@|{_PERCENT}40))++",
    re.IGNORECASE,
).sub
# What may be a JWT or its like (RFC 7515 section 3.1): words with dots between, taken whole.
_DOT: Final = rf"(?:\.|{_PERCENT}2[Ee])"
_replace_dotted = re.compile(rf"[A-Za-z0-9_-]++(?:{_DOT}[A-Za-z0-9_-]*+)*+").sub
_split_dots = re.compile(_DOT).split
_JSON_OBJECT: Final = "eyJ"
"""How an object of JSON begins in base64."""
_MIN_HEADER: Final = 10
# `sid` as a word: ``connect.sid``, ``userSid``; not ``statusId`` or ``classid``.
_find_sid = re.compile(r"(?:[a-z](?=S)|[\W_]|\A)(?:sid|Sid|SID)\Z").search
_replace_separators = re.compile(r"[\W_]++").sub


def masked(text: str, mask: str = MASK) -> str:
    """Return `text` (a request target, a URL, or a sentence that holds some) with every credential replaced by `mask`.

    Credentials are the values of parameters of :func:`is_secret_name`, in the query, in a URL within the query, in the
    path (``;jsessionid=``) and in the fragment; a URL's user information (RFC 3986 section 3.2.1), as a whole, also
    where the URL is encoded; and whatever looks like a JSON Web Token, wherever it is.
    """
    if "@" in text:
        text = _replace_userinfo(lambda match: f"{match[1]}{mask}@", text)
    if "%" in text:
        text = _replace_encoded_userinfo(lambda match: f"{match[1]}{mask}@", text)
    if _JSON_OBJECT in text:
        text = _replace_dotted(lambda match: _without_jwt(match[0], mask), text)
    if "=" not in text and "%" not in text:
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


def _without_jwt(words: str, mask: str) -> str:
    """Return `words`, which have dots between them, without the JWT (of 3 or 5 parts) that they hold, if any.

    The second part of five is empty where the key was agreed on before (RFC 7518 section 4.5).
    """
    start = words.find(_JSON_OBJECT)
    if start < 0:
        return words
    header, *others = _split_dots(words[start:], maxsplit=2)
    if len(header) < _MIN_HEADER or not any(others):
        return words
    return words[:start] + mask if len(others) > 1 or others[0].startswith(_JSON_OBJECT) else words


@lru_cache(maxsize=512)
def is_secret_name(name: str) -> bool:
    """Tell whether a parameter called `name` holds a secret, whatever its case, its separators and its encoding.

    Digits at its end do not count: ``token2``, ``password[0]``.
    """
    for _ in range(_MAX_ENCODINGS):
        if "%" not in name:
            break
        name = unquote(name)
    ends_in_sid = _find_sid(name.rstrip("0123456789[]")) is not None
    plain = _replace_separators("", name).lower().rstrip("0123456789")
    return plain in SECRET_NAMES or plain.endswith(SECRET_ENDINGS) or ends_in_sid
