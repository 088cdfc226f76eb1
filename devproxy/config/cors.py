"""One route's ``cors`` -> :class:`~devproxy.config.model.Cors`: the short form, the long form, and what they may say.

Pure. Works on a table that ``shape`` has passed. What must not be written by accident needs a key whose name begins
with ``dangerously_``, and a second one before credentials may go with it. Never applies a policy (``policy.cors``
does). Standard: Fetch, section 3.3 (CORS protocol). Start at :func:`build_cors`.
"""

from __future__ import annotations

from typing import Any, Final

from devproxy.authority.origins import OPAQUE, parse_pattern
from devproxy.config.keys import values
from devproxy.config.model import Cors, CorsMode, PreflightMode
from devproxy.config.problems import Path, Problems
from devproxy.config.tokens import check_method, is_token
from devproxy.text.bad import BadText
from devproxy.text.safe import quoted

Table = dict[str, Any]

MAX_ORIGINS: Final = 100
"""Most origins of one policy: bounds what it costs to read them and to ask them about an Origin."""

ANY: Final = "*"
NULL_KEY: Final = "dangerously_allow_null_origin"
ANY_KEY: Final = "dangerously_allow_any_origin"
CREDENTIALS_KEY: Final = "dangerously_with_credentials"

_PREFLIGHTS: Final = {CorsMode.FIX: PreflightMode.FORWARD_OR_ANSWER, CorsMode.PASSTHROUGH: PreflightMode.FORWARD}
"""Who answers if the route does not say: the side that the mode lets decide. In other modes that is devproxy."""


def build_cors(written: str | Table | None, path: Path, line: int, problems: Problems) -> Cors:
    """Return the policy that `written` at `path` states: a mode, a table or (None) nothing.

    `line`: where it is, 1-based. Only valid if ``problems`` has nothing about the route.
    """
    if written is None:
        return Cors()
    if isinstance(written, str):
        mode = CorsMode(written)
        return Cors(mode=mode, preflight=_default_preflight(mode), line=line)
    mode = CorsMode(written.get("mode", Cors().mode))
    _check_danger(written, path, problems)
    _check_expose(written, path, problems)
    problems.read_each(_check_name, written.get("headers", []), (*path, "headers"))
    problems.read_each(_check_method, written.get("methods", []), (*path, "methods"))
    checked = {
        "origins": _origins(written["origins"], (*path, "origins"), problems) if "origins" in written else None,
        "preflight": _preflight(written, path, mode, problems),
    }
    return Cors(line=line, **(values(written, "routes.*.cors") | checked))


def _default_preflight(mode: CorsMode) -> PreflightMode:
    return _PREFLIGHTS.get(mode, PreflightMode.ANSWER)


def _preflight(table: Table, path: Path, mode: CorsMode, problems: Problems) -> PreflightMode:
    if "preflight" not in table:
        return _default_preflight(mode)
    preflight = PreflightMode(table["preflight"])
    if mode is CorsMode.PASSTHROUGH and preflight is not PreflightMode.FORWARD:
        what = (
            f"`preflight = {quoted(preflight)}` contradicts `mode = {quoted(mode)}`, which leaves CORS to the upstream"
        )
        help = 'write preflight = "forward", or mode = "rewrite" to let devproxy answer for this route'
        problems.at_value((*path, "preflight"), what, help)
    return preflight


def _origins(written: list[str], path: Path, problems: Problems) -> tuple[str, ...]:
    help = "a pattern such as https://*.app.test can replace many of them"
    read = problems.read_all(parse_pattern, written, path, most=MAX_ORIGINS, noun="origins", help=help)
    return tuple(pattern.text for pattern in read)


def build_form_post(written: list[str], path: Path, problems: Problems) -> tuple[str, ...]:
    """Return the patterns of ``form_post``, normalised; ``null`` means pages that hide their origin."""
    help = "a pattern can replace many of them"
    return problems.read_all(_form_origin, written, path, most=MAX_ORIGINS, noun="origins", help=help)


def _form_origin(text: str) -> str:
    try:
        return text if text == OPAQUE.decode() else parse_pattern(text).text
    except BadText as error:
        # Its keys are those of `cors`, and have no say here.
        help = "name the origins, or write guard = false" if "dangerously_" in error.help else error.help
        raise BadText(error.what, help) from None


def _check_danger(table: Table, path: Path, problems: Problems) -> None:
    """Require the second key if cookies would go to any web site's pages, and refuse it if it has no effect."""
    open_to = [name for name in (ANY_KEY, NULL_KEY) if table.get(name)]
    # A wrong value of `credentials` is left out, and has its own problem.
    with_credentials = table.get("credentials", not problems.is_bad(*path, "credentials"))
    agreed = table.get(CREDENTIALS_KEY) or problems.is_bad(*path, CREDENTIALS_KEY)
    if open_to and with_credentials and not agreed:
        what = f"`{open_to[0]}` would let any web site read this route with your cookies"
        help = f"write credentials = false; or, if you really mean that, {CREDENTIALS_KEY} = true"
        problems.at_value((*path, open_to[0]), what, help)
    elif table.get(CREDENTIALS_KEY) and not table.get("credentials", True):
        what = f"`{CREDENTIALS_KEY}` and `credentials = false` contradict each other"
        problems.at_value((*path, CREDENTIALS_KEY), what, "remove one of them")


def _check_method(method: str) -> None:
    if method != ANY:
        check_method(method)


def _check_name(name: str) -> None:
    if name != ANY and not is_token(name):
        raise BadText(f"{quoted(name)} is not a header name", 'for example "X-Request-Id"')


def _check_expose(table: Table, path: Path, problems: Problems) -> None:
    names: list[str] = table.get("expose", [])
    problems.read_each(_check_name, names, (*path, "expose"))
    if ANY in names and table.get("credentials"):
        what = 'a browser takes "*" in `expose` for a header of that name when credentials go with the request'
        help = 'name the headers, for example expose = ["ETag"], or write credentials = false'
        problems.at_value((*path, "expose", names.index(ANY)), what, help)
