"""Whose pages may post a form to a route, though they are another site's: ``form_post``. Pure.

Logins come back this way (``response_mode=form_post`` of OpenID Connect, the POST binding of SAML), and so do payment
pages: a page of another site sends the browser here with a form. The guard refuses that unless the page's origin is
written down (``policy.hosts``). Nothing here lets a page *read* an answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from devproxy.authority.origins import OPAQUE, OriginSet, parse_pattern

HIDDEN: Final = OPAQUE.decode()
"""The entry for pages that hide their origin."""
EXAMPLE: Final = "https://login.example"


class FormPolicy(NamedTuple):
    """``form_post`` of a route, ready to use.

    ``written``: as in the configuration, normalised. ``takes_hidden``: forms whose Origin is ``null`` pass, because a
    page with a written origin may be the source.
    """

    written: tuple[str, ...]
    origins: OriginSet
    takes_hidden: bool

    def allows(self, origin: bytes) -> bool:
        """Tell whether a page of `origin`, the value of the one Origin, may post a form."""
        return self.takes_hidden if origin == OPAQUE else self.origins.rule_for(origin) is not None


def compile_forms(written: Sequence[str]) -> FormPolicy:
    """Return `written`, which ``config`` has checked, ready to use.

    A browser hides the origin of a page of ``https`` from a server of plain ``http``: it sends ``Origin: null``, also
    to ``http://localhost`` (Fetch, "append a request Origin header"; Chromium 156 does). So does every redirect over
    another origin on the way. Where an origin of ``https`` is written, ``null`` therefore has to pass: nothing tells
    the login page from another one. The route is open to forms of all sites of ``https`` then, as the callback of a
    login is in production, and its application checks what the form holds (``state``, ``nonce``, ``InResponseTo``).
    """
    return FormPolicy(
        written=tuple(written),
        origins=OriginSet(parse_pattern(text) for text in written if text != HIDDEN),
        takes_hidden=any(text == HIDDEN or text.startswith(("https:", "regex:")) for text in written),
    )


NO_FORMS: Final = compile_forms(())
