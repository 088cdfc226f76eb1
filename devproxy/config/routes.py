"""One route of the file -> :class:`~devproxy.config.model.Route`: everything about it that one route alone can tell.

Pure. Works on a table that ``shape`` has passed, so types are right and defaults are there; what routes do to one
another is judged in ``conflicts``. Standards: RFC 9110 (methods, fields), RFC 3986 (paths). Start at
:func:`build_route`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any, Final

from devproxy.config.addresses import check_authority, check_host_pattern, check_origin
from devproxy.config.cookies import build_cookies
from devproxy.config.cors import build_cors, build_form_post
from devproxy.config.keys import CHILDREN, values
from devproxy.config.model import MAX_TARGET_BYTES, HeaderEdits, PathKind, Route
from devproxy.config.placeholders import split_value
from devproxy.config.problems import Path, Problems, key_text, one_of, suggestion
from devproxy.config.tokens import check_method, is_token
from devproxy.http.own import RESERVED_PREFIX, is_reserved
from devproxy.text.bad import BadText
from devproxy.text.regexes import backtracking_fault
from devproxy.text.safe import has_control, is_unicode, quoted

Table = dict[str, Any]

MAX_PATTERN: Final = 2000
"""Longest path pattern, in characters: bounds the time that compiling a regular expression takes."""

MAX_COMPARED_BYTES: Final = 3 * MAX_TARGET_BYTES
"""Of a path as it is compared: each byte may have to be encoded."""

_MAX_NAMES: Final = 10
_KINDS: Final = tuple(kind.value for kind in (PathKind.PREFIX, PathKind.EXACT, PathKind.GLOB, PathKind.REGEX))
_NO_CONDITIONS: Final = CHILDREN["routes.*"].keys() - {*_KINDS, "methods", "match_host", "match_headers"}
"""Keys that say nothing about which requests a route takes. One that is unknown may have been meant to."""

_REWRITABLE: Final = (PathKind.PREFIX, PathKind.EXACT)
_PCHAR: Final = re.compile(r"[A-Za-z0-9\-._~!$&'()*+,;=:@]")
"""What a path segment may contain unencoded (RFC 3986 section 3.3)."""

_ENCODED: Final = re.compile("%([0-9A-Fa-f]{2})")
_DOTTED: Final = re.compile(r"//|/\.\.?(?:/|$)")
_SLOW_GLOB: Final = re.compile(r"\*\*+[^/*]+\*(?!\*)")
"""A run over segments, and within the segment where it ends another run."""
_NO_PATH: Final = re.compile(r"[A-Za-z0-9_-][^|]*")
_FRAMING: Final = frozenset(
    "connection content-length keep-alive proxy-connection te trailer transfer-encoding upgrade".split()
)
"""Fields that say how the message is framed or belong to one connection: only devproxy can know their values."""


def build_route(
    table: Table, path: Path, upstreams: Collection[str], lines: Mapping[Path, int], problems: Problems
) -> Route | None:
    """Return the route that `table` at `path` describes, or None when ``problems`` say why not.

    Where they concern none of its conditions, it comes back with these alone: enough to compare it with others.
    `upstreams`: the names that exist, as a set or the like. `lines`: in which each path starts in the file,
    1-based.
    """
    kind, pattern = _path_condition(table, path, problems)
    _check_upstream(table, path, upstreams, problems)
    problems.read_each(check_method, table.get("methods", []), (*path, "methods"))
    methods = tuple(dict.fromkeys(table.get("methods", [])))
    hosts = _match_host(table, path, problems)
    headers = _fields(table.get("match_headers", {}), (*path, "match_headers"), problems)
    rewrite = _rewrite(table, path, kind, problems)
    _check_address(table, path, "host", ("auto", "keep", "upstream"), check_authority, problems)
    _check_address(table, path, "origin", ("auto", "keep", "upstream", "remove"), check_origin, problems)
    edits = table.get("headers", {})
    request = _edits(edits.get("request", {}), (*path, "headers", "request"), problems)
    response = _edits(edits.get("response", {}), (*path, "headers", "response"), problems)
    cors = build_cors(table.get("cors"), (*path, "cors"), lines.get((*path, "cors"), 0), problems)
    forms = build_form_post(table.get("form_post", []), (*path, "form_post"), problems)
    cookies = build_cookies(table.get("cookies"), (*path, "cookies"), problems)
    if kind is None or problems.has_any_in(*path):
        if kind is None or not problems.keys_in(*path) <= _NO_CONDITIONS:
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
    return Route(kind=kind, pattern=pattern, line=lines.get(path, 0), **(values(table, "routes.*") | checked))


def check_pattern(kind: PathKind, pattern: str) -> None:
    """Raise :class:`BadText` unless `pattern` can be the path condition of a route, `kind` of it."""
    if len(pattern) > MAX_PATTERN:
        raise BadText(f"a path pattern has at most {MAX_PATTERN} characters, this one has {len(pattern)}")
    if kind is PathKind.REGEX:
        _check_regex(pattern)
    elif kind is PathKind.GLOB:
        _check_canonical(pattern.replace("?", "-"))
        _check_glob(pattern)
    else:
        _check_canonical(pattern)
    if is_reserved(pattern):
        raise BadText(f"paths below {RESERVED_PREFIX} are answered by devproxy itself", "choose another path")


def _check_canonical(text: str) -> None:
    """Raise unless `text` is a path in the form in which paths are compared, that of ``routing.canonical_path``."""
    _check_path(text)
    if _DOTTED.search(text) is not None:
        what = f"{quoted(text)} has an empty or a dot segment"
        raise BadText(what, "requests are compared without them: leave them out")
    for match in _ENCODED.finditer(text):
        char = chr(int(match[1], 16))
        plain = char if _PCHAR.fullmatch(char) else match[0].upper()
        if plain != match[0]:
            what = f"{quoted(text)} contains {quoted(match[0])}, which stands for {quoted(plain)}"
            raise BadText(what, f"write {quoted(plain)}: requests are compared in that form")


def _check_path(text: str) -> None:
    """Raise unless `text` is a path at all (RFC 9112 section 3.2.1)."""
    if not text.startswith("/"):
        raise BadText(f"a path begins with a slash, got {quoted(text)}", _help_for_slash(text))
    for char in text:
        if char in "?#" or not "!" <= char <= "~":
            help = "write the path alone: requests are compared without their query"
            raise BadText(
                f"{quoted(text)} contains {quoted(char)}, which no path does",
                help if char in "?#" else f"write {_encoded(char)} for it, as a browser does",
            )


def _help_for_slash(text: str) -> str:
    """Return what to write for `text`, which does not begin with a slash; other tools' notations are known."""
    if text.startswith("^"):
        return "for a regular expression, write path_regex"
    _, is_url, rest = text.partition("://")
    return f"write {quoted('/' + (rest.partition('/')[2] if is_url else text))}"


def _encoded(char: str) -> str:
    return "".join(f"%{octet:02X}" for octet in char.encode("utf-8", "surrogatepass"))


def _path_condition(table: Table, path: Path, problems: Problems) -> tuple[PathKind | None, str]:
    written = [name for name in _KINDS if name in table]
    if len(written) > 1:
        names = ", ".join(f"`{name}`" for name in written)
        for name in written[1:]:
            problems.at_key((*path, name), f"a route has one path condition, this one has {names}", "keep one of them")
        return None, ""
    if not written:
        if not problems.excuses(path, *_KINDS):
            problems.at_key(path, "this route has no path condition", 'write path = "/" to match every path')
        return None, ""
    kind, pattern = PathKind(written[0]), table[written[0]]
    problems.read(partial(check_pattern, kind), pattern, (*path, written[0]))
    return kind, pattern


def _check_glob(pattern: str) -> None:
    """Raise if some paths would take too long: each place where the first wildcard can end begins another search."""
    slow = _SLOW_GLOB.search(pattern)
    if slow is not None:
        better = pattern.replace(slow[0], "**/*" + slow[0].lstrip("*"), 1)
        raise BadText(
            f"{quoted(pattern)} is too slow: in `{slow[0]}` one wildcard follows another within a segment",
            f"write {quoted(better)}, or fewer wildcards",
        )


def _check_regex(pattern: str) -> None:
    from warnings import catch_warnings, simplefilter

    if not pattern:
        raise BadText("an empty regular expression matches no path", 'for every path, write path = "/"')
    if _NO_PATH.fullmatch(pattern) is not None:
        what = f"{quoted(pattern)} matches no path: the whole path is compared, and it begins with a slash"
        raise BadText(what, f"write {quoted('/' + pattern)}")
    for char in pattern:
        if not char.isascii():
            help = f"write {_encoded(char)} for it, as a browser does"
            raise BadText(f"{quoted(pattern)} contains {quoted(char)}, which no path does", help)
    try:
        with catch_warnings():
            simplefilter("error")  # what Python only warns about (a "possible nested set") is ambiguous, hence refused
            re.compile(pattern.encode())
    except (re.error, Warning) as error:
        position = getattr(error, "pos", None)
        where = "" if position is None else f" at character {position + 1}"
        raise BadText(f"{quoted(pattern)} is not a regular expression: {getattr(error, 'msg', error)}{where}") from None
    except (OverflowError, RecursionError, ValueError, MemoryError) as error:
        what = f"{quoted(pattern)} is a regular expression that Python cannot handle: {error}"
        raise BadText(what, "make it simpler") from None
    slow = backtracking_fault(pattern.encode(), MAX_COMPARED_BYTES)
    if slow is not None:
        raise BadText(f"{quoted(pattern)} is too slow: {slow[0]}", slow[1])


def _check_upstream(table: Table, path: Path, upstreams: Collection[str], problems: Problems) -> None:
    if "upstream" not in table:
        if problems.excuses(path, "upstream"):
            return
        help = (
            f"write upstream = {one_of(list(upstreams)[:_MAX_NAMES])}"
            if upstreams
            else 'write upstream = "its name below [upstreams]"'
        )
        problems.at_key(path, "this route does not name its upstream", help)
        return
    name = table["upstream"]
    if name in upstreams or not upstreams:  # that there is none at all is a problem of the whole file
        return
    if "://" in name:
        help = f"write it below [upstreams] with a name of your choice, and that name here: app = {quoted(name)}"
        problems.at_value((*path, "upstream"), "`upstream` is the name of an upstream, not a URL", help)
        return
    names = list(upstreams)[:_MAX_NAMES]
    meant = "" if problems.is_full else suggestion(name, list(upstreams))
    help = f"did you mean {quoted(meant)}?" if meant else f"there are: {', '.join(map(key_text, names))}"
    problems.at_value((*path, "upstream"), f"there is no upstream {quoted(name)}", help)


def _match_host(table: Table, path: Path, problems: Problems) -> tuple[str, ...]:
    written = table.get("match_host", [])
    place = (*path, "match_host")
    if isinstance(written, str):
        problems.read(check_host_pattern, written, place)
        return (written.lower().removesuffix("."),)
    problems.read_each(check_host_pattern, written, place)
    return tuple(dict.fromkeys(host.lower().removesuffix(".") for host in written))


def _rewrite(table: Table, path: Path, kind: PathKind | None, problems: Problems) -> str | None:
    strips = table.get("strip_prefix", False)
    rewrite: str | None = table.get("rewrite")
    if rewrite is not None:
        problems.read(_check_path, rewrite, (*path, "rewrite"))
        if strips:
            help = 'keep one of them: strip_prefix = true is short for rewrite = "/"'
            problems.at_key((*path, "strip_prefix"), "`strip_prefix` and `rewrite` cannot be combined", help)
    if kind is not None and kind not in _REWRITABLE and (strips or rewrite is not None):
        name = "strip_prefix" if rewrite is None else "rewrite"
        what = f"`{name}` needs `path` or `path_exact`: what `{kind.value}` matches has no fixed prefix to replace"
        problems.at_key((*path, name), what, "give the route a `path`, or leave the path as it is")
    return "/" if strips else rewrite


def _check_address(
    table: Table, path: Path, name: str, words: tuple[str, ...], check: Callable[[str], None], problems: Problems
) -> None:
    """Check `host` or `origin`: one of `words`, or what `check` accepts."""
    value = table.get(name)
    if value is None or value in words:
        return
    if value.lower() in (*words, "remove"):
        what = f"expected {one_of(words)} or a value for `{name}`, got {quoted(value)}"
        help = f"write {quoted(value.lower())}" if value.lower() in words else "every request needs a Host"
        problems.at_value((*path, name), what, help)
        return
    problems.read(check, value, (*path, name))


def _edits(table: Table, path: Path, problems: Problems) -> HeaderEdits:
    for name in ("set", "add"):
        for field, value in table.get(name, {}).items():
            _check_editable(field, (*path, name, field), path[-1] == "request", problems)
            problems.read(split_value, value, (*path, name, field))
    removed: list[str] = table.get("remove", [])
    for index, field in enumerate(removed):
        place = (*path, "remove", index)
        if not is_token(field):
            problems.at_value(place, f"{quoted(field)} is not a header name")
        else:
            _check_editable(field, place, path[-1] == "request", problems)
    return HeaderEdits(
        set=_fields(table.get("set", {}), (*path, "set"), problems),
        add=_fields(table.get("add", {}), (*path, "add"), problems, may_repeat=True),
        remove=tuple(removed),
    )


def _check_editable(name: str, place: Path, is_request: bool, problems: Problems) -> None:
    lower = name.lower()
    if lower in _FRAMING:
        what = f"`{name}` belongs to the connection or frames the message, and cannot be edited"
        problems.at_key(place, what, "remove it; devproxy sets it as the message needs")
    elif is_request and lower in ("host", "origin"):
        help = f"write {lower} = … in the route itself"
        problems.at_key(place, f"`{name}` cannot be edited here", help)


def _fields(
    table: dict[str, str], path: Path, problems: Problems, *, may_repeat: bool = False
) -> tuple[tuple[str, str], ...]:
    """Return name and value of each field: a token, and text without control characters (RFC 9110 section 5)."""
    seen: dict[str, str] = {}
    for name, value in table.items():
        if not is_token(name):
            problems.at_key((*path, name), f"{quoted(name)} is not a header name", "letters, digits and hyphens")
        elif not may_repeat and name.lower() in seen:
            what = f"`{name}` and `{seen[name.lower()]}` are the same header: case does not matter"
            problems.at_key((*path, name), what, "keep one of them")
        if has_control(value.replace("\t", "")):
            what = f"the value of {quoted(name)} contains a control character"
            problems.at_value((*path, name), what, "a header is one line of text")
        elif not is_unicode(value):
            what = f"the value of {quoted(name)} has bytes that are not UTF-8"
            problems.at_value((*path, name), what, "write it in UTF-8")
        seen.setdefault(name.lower(), name)
    return tuple(table.items())
