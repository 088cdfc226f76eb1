"""API routes of the frontend's own, below a path that goes to the backend by default: which frameworks have them.

Pure. Next, Nuxt and SvelteKit serve what their projects have below ``/api/``; with ``--frontend`` and ``--backend``
alone, devproxy sends that path to the backend. Start at :func:`framework_of`.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from devproxy.config.arguments import DEFAULT_BACKEND_PATHS
from devproxy.text.safe import visible

API: Final = "/api/"

_BY_FIELD: Final = (
    (b"x-powered-by", b"next.js", "Next"),
    (b"x-powered-by", b"nuxt", "Nuxt"),
    (b"x-sveltekit-page", b"", "SvelteKit"),
)
"""Name and value of a header, in lower case, that a framework sets on its pages: part of the value, or any."""
_BY_WORDS: Final = (
    (b"/_next/static/", "Next"),
    (b"/_nuxt/", "Nuxt"),
    (b"__sveltekit", "SvelteKit"),
    (b"/.svelte-kit/", "SvelteKit"),
)
"""What their pages have in them."""


class Advice(NamedTuple):
    """What to tell, and what to do about it."""

    what: str
    help: str


def framework_of(fields: tuple[tuple[bytes, bytes], ...], body: bytes) -> str:
    """Return which of the frameworks with API routes of their own made a page; empty: none of them.

    `fields`: names and values of the page's headers. `body`: how it begins.
    """
    lower = tuple((name.lower(), value.lower()) for name, value in fields)
    for name, words, framework in _BY_FIELD:
        if any(name == one and words in value for one, value in lower):
            return framework
    return next((framework for words, framework in _BY_WORDS if words in body), "")


def is_below_api(path: bytes) -> bool:
    """Tell whether `path`, without a query, is one for which a frontend may have an API route."""
    return path.startswith(API.encode())


def advice_on_api(framework: str, method: bytes, path: bytes) -> Advice:
    """Return what to tell when the backend has no `path`, and `framework` may have it."""
    defaults = " and ".join(DEFAULT_BACKEND_PATHS)
    what = (
        f"the backend answered {visible(method)} {visible(path)} with 404, and the frontend is {framework}, whose own "
        f"API routes are below {API} too: it was not asked"
    )
    others = " ".join(f"--backend-path {path}" for path in DEFAULT_BACKEND_PATHS if path != API)
    help = f"name the paths of the backend, which are {defaults} by default:  {others} --backend-path /your-api/"
    return Advice(what, help)
