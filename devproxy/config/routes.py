"""One route of the file -> :class:`~devproxy.config.model.Route`: everything about it that one route alone can tell.

Pure. Works on a table that ``shape`` has passed, so types are right and defaults are there; what routes do to one
another is judged in ``conflicts``. Standards: RFC 9110 (methods, fields), RFC 3986 (paths). Start at
:func:`build_route`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Any, Final

from devproxy.config.addresses import BadAddress, check_authority, check_host_pattern, check_origin
from devproxy.config.cookies import build_cookies
from devproxy.config.cors import build_cors, build_form_post
from devproxy.config.keys import CHILDREN, values
from devproxy.config.model import MAX_TARGET_BYTES, HeaderEdits, PathKind, Route
from devproxy.config.placeholders import placeholder_fault
from devproxy.config.problems import Faults, Path, key_text, one_of, suggestion
from devproxy.config.tokens import check_method, is_token
from devproxy.http.own import RESERVED_PREFIX, is_reserved
from devproxy.text.regexes import backtracking_fault
from devproxy.text.safe import has_control, quoted

Table = dict[str, Any]

RESERVED: Final = (f"paths below {RESERVED_PREFIX} are answered by devproxy itself", "choose another path")
"""What is wrong with a path of devproxy's own, and the help."""

MAX_PATTERN: Final = 2000
"""Longest path pattern, in characters: bounds the time that compiling a regular expression takes."""

MAX_COMPARED_BYTES: Final = 3 * MAX_TARGET_BYTES
"""Of a path as it is compared: each octet may have to be encoded."""

_MAX_NAMES: Final = 10
_KINDS: Final = tuple(kind.value for kind in (PathKind.PREFIX, PathKind.EXACT, PathKind.GLOB, PathKind.REGEX))
_NO_CONDITIONS: Final = CHILDREN["routes.*"].keys() - {*_KINDS, "methods", "match_host", "match_headers"}
"""Keys that say nothing about which requests a route takes. One that is unknown may have been meant to."""

_REWRITABLE: Final = (PathKind.PREFIX, PathKind.EXACT)
_PCHAR: Final = re.compile(r"[A-Za-z0-9\-._~!$&'()*+,;=:@]")
"""What may stand in a path segment unencoded (RFC 3986 section 3.3)."""

_ENCODED: Final = re.compile("%([0-9A-Fa-f]{2})")
_DOTTED: Final = re.compile(r"//|/\.\.?(?:/|$)")
_SLOW_GLOB: Final = re.compile(r"\*\*+[^/*]+\*(?!\*)")
"""A run over segments, and within the segment where it ends another run."""
_NO_PATH: Final = re.compile(r"[A-Za-z0-9_-][^|]*")
_FRAMING: Final = frozenset(
    (
        "connection",
        "content-length",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)
"""Fields that say how the message is framed or belong to one connection: only devproxy can know their values."""


def build_route(
    table: Table, path: Path, upstreams: Collection[str], line_of: Callable[..., int], faults: Faults
) -> Route | None:
    """Return the route that `table` at `path` describes, or None when ``faults`` say why not.

    Where they concern none of its conditions, it comes back with these alone: enough to compare it with others.
    `upstreams`: the names that exist, as a set or the like. `line_of`: gives the line in which a path, given
    part by part, starts in the file, 1-based; 0: nowhere.
    """
    kind, pattern = _path_condition(table, path, faults)
    _check_upstream(table, path, upstreams, faults)
    methods = _methods(table, path, faults)
    hosts = _match_host(table, path, faults)
    headers = _match_headers(table, path, faults)
    rewrite = _rewrite(table, path, kind, faults)
    _check_address(table, path, "host", ("auto", "keep", "upstream"), check_authority, faults)
    _check_address(table, path, "origin", ("auto", "keep", "upstream", "remove"), check_origin, faults)
    edits = table.get("headers", {})
    request = _edits(edits.get("request", {}), (*path, "headers", "request"), faults)
    response = _edits(edits.get("response", {}), (*path, "headers", "response"), faults)
    cors = build_cors(table.get("cors"), (*path, "cors"), line_of(*path, "cors"), faults)
    forms = build_form_post(table.get("form_post", []), (*path, "form_post"), faults)
    cookies = build_cookies(table.get("cookies"), (*path, "cookies"), faults)
    if kind is None or faults.has_any_in(*path):
        if kind is None or not faults.keys_in(*path) <= _NO_CONDITIONS:
            return None
        return Route(kind=kind, pattern=pattern, upstream="", methods=methods, match_host=hosts, match_headers=headers)
    checked = {
        "match_host": hosts,
        "rewrite": rewrite,
        "cors": cors,
        "form_post": forms,
        "cookies": cookies,
        "request_headers": request,
        "response_headers": response,
    }
    return Route(kind=kind, pattern=pattern, line=line_of(*path), **(values(table, "routes.*") | checked))


def path_fault(text: str) -> tuple[str, str] | None:
    """Return what keeps `text` from being a path in the form in which paths are compared, and the help; or None.

    That form is the one of ``routing.canonical_path``: what is written here is what is compared.
    """
    fault = _character_fault(text)
    if fault is not None:
        return fault
    if _DOTTED.search(text) is not None:
        return f"{quoted(text)} has an empty or a dot segment", "requests are compared without them: leave them out"
    for match in _ENCODED.finditer(text):
        char = chr(int(match[1], 16))
        plain = char if _PCHAR.fullmatch(char) else match[0].upper()
        if plain != match[0]:
            help = f"write {quoted(plain)}: requests are compared in that form"
            return f"{quoted(text)} contains {quoted(match[0])}, which stands for {quoted(plain)}", help
    return None


def _character_fault(text: str) -> tuple[str, str] | None:
    """Return what keeps `text` from being a path at all (RFC 9112 section 3.2.1), and the help; or None."""
    if not text.startswith("/"):
        return f"a path begins with a slash, got {quoted(text)}", _help_for_slash(text)
    for char in text:
        if char in "?#":
            help = "write the path alone: requests are compared without their query"
            return f"{quoted(text)} contains {quoted(char)}, which no path does", help
        if not "!" <= char <= "~":
            help = f"write {_encoded(char)} for it, as a browser does"
            return f"{quoted(text)} contains {quoted(char)}, which no path does", help
    return None


def _help_for_slash(text: str) -> str:
    """Return what to write for `text`, which does not begin with a slash; other tools' notations are known."""
    if text.startswith("^"):
        return "for a regular expression, write path_regex"
    _, is_url, rest = text.partition("://")
    return f"write {quoted('/' + (rest.partition('/')[2] if is_url else text))}"


def _encoded(char: str) -> str:
    return "".join(f"%{octet:02X}" for octet in char.encode("utf-8", "surrogatepass"))


def _path_condition(table: Table, path: Path, faults: Faults) -> tuple[PathKind | None, str]:
    written = [name for name in _KINDS if name in table]
    if len(written) > 1:
        names = ", ".join(f"`{name}`" for name in written)
        for name in written[1:]:
            faults.at_key((*path, name), f"a route has one path condition, this one has {names}", "keep one of them")
        return None, ""
    if not written:
        if not faults.excuses(path, *_KINDS):
            faults.at_key(path, "this route does not say which paths it takes", 'write path = "/" for all of them')
        return None, ""
    kind, pattern = PathKind(written[0]), table[written[0]]
    fault = _pattern_fault(kind, pattern)
    if fault is None and is_reserved(pattern):
        fault = RESERVED
    if fault is not None:
        faults.at_value((*path, written[0]), *fault)
    return kind, pattern


def _pattern_fault(kind: PathKind, pattern: str) -> tuple[str, str] | None:
    if len(pattern) > MAX_PATTERN:
        return f"a path pattern has at most {MAX_PATTERN} characters, this one has {len(pattern)}", ""
    if kind is PathKind.REGEX:
        return _regex_fault(pattern)
    if kind is PathKind.GLOB:
        return path_fault(pattern.replace("?", "-")) or _glob_fault(pattern)
    return path_fault(pattern)


def _glob_fault(pattern: str) -> tuple[str, str] | None:
    """Return why some paths would take too long: each place where the first wildcard can end begins another search."""
    slow = _SLOW_GLOB.search(pattern)
    if slow is None:
        return None
    what = f"{quoted(pattern)} is too slow: in `{slow[0]}` one wildcard follows another within a segment"
    return what, f"write {quoted(pattern.replace(slow[0], '**/*' + slow[0].lstrip('*'), 1))}, or fewer wildcards"


def _regex_fault(pattern: str) -> tuple[str, str] | None:
    from warnings import catch_warnings, simplefilter

    if not pattern:
        return "an empty regular expression matches no path", 'for every path, write path = "/"'
    if _NO_PATH.fullmatch(pattern) is not None:
        what = f"{quoted(pattern)} matches no path: the whole path is compared, and it begins with a slash"
        return what, f"write {quoted('/' + pattern)}"
    for char in pattern:
        if not char.isascii():
            help = f"write {_encoded(char)} for it, as a browser does"
            return f"{quoted(pattern)} contains {quoted(char)}, which no path does", help
    try:
        with catch_warnings():
            simplefilter("error")  # what Python only warns about (a "possible nested set") is ambiguous, hence refused
            re.compile(pattern.encode())
    except (re.error, Warning) as error:
        position = getattr(error, "pos", None)
        where = "" if position is None else f" at character {position + 1}"
        return f"{quoted(pattern)} is not a regular expression: {getattr(error, 'msg', error)}{where}", ""
    except (OverflowError, RecursionError, ValueError, MemoryError) as error:
        return f"{quoted(pattern)} is a regular expression beyond what Python can take: {error}", "make it simpler"
    slow = backtracking_fault(pattern.encode(), MAX_COMPARED_BYTES)
    return None if slow is None else (f"{quoted(pattern)} is too slow: {slow[0]}", slow[1])


def _check_upstream(table: Table, path: Path, upstreams: Collection[str], faults: Faults) -> None:
    if "upstream" not in table:
        if faults.excuses(path, "upstream"):
            return
        help = (
            f"write upstream = {one_of(list(upstreams)[:_MAX_NAMES])}"
            if upstreams
            else 'write upstream = "its name below [upstreams]"'
        )
        faults.at_key(path, "this route does not name its upstream", help)
        return
    name = table["upstream"]
    if name in upstreams or not upstreams:  # that there is none at all is a problem of the whole file
        return
    if "://" in name:
        help = f"write it below [upstreams] with a name of your choice, and that name here: app = {quoted(name)}"
        faults.at_value((*path, "upstream"), "`upstream` is the name of an upstream, not a URL", help)
        return
    names = list(upstreams)[:_MAX_NAMES]
    meant = "" if faults.is_full else suggestion(name, list(upstreams))
    help = f"did you mean {quoted(meant)}?" if meant else f"there are: {', '.join(map(key_text, names))}"
    faults.at_value((*path, "upstream"), f"there is no upstream {quoted(name)}", help)


def _methods(table: Table, path: Path, faults: Faults) -> tuple[str, ...]:
    methods: list[str] = table.get("methods", [])
    for index, method in enumerate(methods):
        check_method(method, (*path, "methods", index), faults)
    return tuple(dict.fromkeys(methods))


def _match_host(table: Table, path: Path, faults: Faults) -> tuple[str, ...]:
    written = table.get("match_host", [])
    hosts: list[str] = [written] if isinstance(written, str) else written
    for index, host in enumerate(hosts):
        place = (*path, "match_host") if isinstance(written, str) else (*path, "match_host", index)
        try:
            check_host_pattern(host)
        except BadAddress as error:
            faults.at_value(place, error.what, error.help)
    return tuple(dict.fromkeys(host.lower().removesuffix(".") for host in hosts))


def _match_headers(table: Table, path: Path, faults: Faults) -> tuple[tuple[str, str], ...]:
    return _fields(table.get("match_headers", {}), (*path, "match_headers"), faults)


def _rewrite(table: Table, path: Path, kind: PathKind | None, faults: Faults) -> str | None:
    strips = table.get("strip_prefix", False)
    rewrite: str | None = table.get("rewrite")
    if rewrite is not None:
        fault = _character_fault(rewrite)
        if fault is not None:
            faults.at_value((*path, "rewrite"), *fault)
        if strips:
            help = 'keep one of them: strip_prefix = true is short for rewrite = "/"'
            faults.at_key((*path, "strip_prefix"), "`strip_prefix` and `rewrite` exclude each other", help)
    if kind is not None and kind not in _REWRITABLE and (strips or rewrite is not None):
        name = "strip_prefix" if rewrite is None else "rewrite"
        what = f"`{name}` needs `path` or `path_exact`: what `{kind.value}` matches has no fixed prefix to replace"
        faults.at_key((*path, name), what, "give the route a `path`, or leave the path as it is")
    return "/" if strips else rewrite


def _check_address(
    table: Table, path: Path, name: str, words: tuple[str, ...], check: Callable[[str], None], faults: Faults
) -> None:
    """Check `host` or `origin`: one of `words`, or what `check` accepts."""
    value = table.get(name)
    if value is None or value in words:
        return
    if value.lower() in (*words, "remove"):
        what = f"expected {one_of(words)} or a value for `{name}`, got {quoted(value)}"
        help = f"write {quoted(value.lower())}" if value.lower() in words else "every request needs a Host"
        faults.at_value((*path, name), what, help)
        return
    try:
        check(value)
    except BadAddress as error:
        faults.at_value((*path, name), error.what, error.help)


def _edits(table: Table, path: Path, faults: Faults) -> HeaderEdits:
    for name in ("set", "add"):
        for field, value in table.get(name, {}).items():
            _check_editable(field, (*path, name, field), path[-1] == "request", faults)
            fault = placeholder_fault(value)
            if fault is not None:
                faults.at_value((*path, name, field), *fault)
    removed: list[str] = table.get("remove", [])
    for index, field in enumerate(removed):
        place = (*path, "remove", index)
        if not is_token(field):
            faults.at_value(place, f"{quoted(field)} is not a header name")
        else:
            _check_editable(field, place, path[-1] == "request", faults)
    return HeaderEdits(
        set=_fields(table.get("set", {}), (*path, "set"), faults),
        add=_fields(table.get("add", {}), (*path, "add"), faults, may_repeat=True),
        remove=tuple(removed),
    )


def _check_editable(name: str, place: Path, is_request: bool, faults: Faults) -> None:
    lower = name.lower()
    if lower in _FRAMING:
        what = f"`{name}` belongs to the connection or frames the message, and cannot be edited"
        faults.at_key(place, what, "remove it; devproxy sets it as the message needs")
    elif is_request and lower in ("host", "origin"):
        help = f"write {lower} = … in the route itself"
        faults.at_key(place, f"`{name}` is not edited here", help)


def _fields(
    table: dict[str, str], path: Path, faults: Faults, *, may_repeat: bool = False
) -> tuple[tuple[str, str], ...]:
    """Return name and value of each field: a token, and text without control characters (RFC 9110 section 5)."""
    seen: dict[str, str] = {}
    for name, value in table.items():
        if not is_token(name):
            faults.at_key((*path, name), f"{quoted(name)} is not a header name", "letters, digits and hyphens")
        elif not may_repeat and name.lower() in seen:
            what = f"`{name}` and `{seen[name.lower()]}` are the same header: case does not matter"
            faults.at_key((*path, name), what, "keep one of them")
        if has_control(value.replace("\t", "")):
            what = f"the value of {quoted(name)} contains a control character"
            faults.at_value((*path, name), what, "a header is one line of text")
        seen.setdefault(name.lower(), name)
    return tuple(table.items())
