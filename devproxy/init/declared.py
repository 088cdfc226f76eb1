"""What the sources of a backend say of its paths: routes that they declare, and where Socket.IO is. By text. Pure.

Only what is written as one whole path counts: a router that is mounted elsewhere says nothing of where. Start at
:func:`declared_in` and :func:`socket_paths_in`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Final

from devproxy.init.evidence import Declared, Place

_find_node: Final = re.compile(
    r"\b(?:app|server|fastify|hono|api)\.(?:get|post|put|patch|delete|all|use|route)\(\s{0,40}+[\"'`](/[^\"'`\s]{1,200}+)[\"'`]"
).finditer
_find_nest_prefix: Final = re.compile(r"\.setGlobalPrefix\(\s{0,40}+[\"'`]/?([\w/-]{1,100}+)[\"'`]").finditer
_find_compared: Final = re.compile(
    r"(?:===? ?|startsWith\(|\bcase |[\"'`](?:GET|POST|PUT|PATCH|DELETE) )[\"'`]?(/[\w/.-]{1,200}+)[\"'`]"
).finditer
_find_websocket: Final = re.compile(r"\bnew WebSocket(?:\.)?Server\(").finditer
_find_python: Final = re.compile(
    r"@(?:app|api|server|application)\.(?:get|post|put|patch|delete|route|websocket|api_route)\(\s{0,40}+"
    r"[\"'](/[^\"'\s]{1,200}+)[\"']"
).finditer
_find_mounted: Final = re.compile(r"\b(?:app|api|application)\.mount\(\s{0,40}+[\"'](/[^\"'\s]{1,200}+)[\"']").finditer
_find_prefix: Final = re.compile(
    r"\b(?:include_router|register_blueprint)\([^()\n]{0,200}\bprefix\s?=\s?[\"'](/[^\"'\s]{1,200}+)[\"']"
).finditer
_find_url_prefix: Final = re.compile(
    r"\bBlueprint\([^()\n]{0,200}\burl_prefix\s?=\s?[\"'](/[^\"'\s]{1,200}+)[\"']"
).finditer
_find_added: Final = re.compile(
    r"\b(?:add_(?:get|post|put|patch|delete|route)|web\.(?:get|post|put|patch|delete))\(\s{0,40}+[\"'](/[^\"'\s]{1,200}+)[\"']"
).finditer
_find_django: Final = re.compile(r"\bpath\(\s{0,40}+[\"']([^\"'\s]{1,200}+)[\"']").finditer
_find_rails: Final = re.compile(r"^ {0,2}+(?:namespace|resources?) :(\w{1,80}+)", re.MULTILINE).finditer
_find_cable: Final = re.compile(r"\bmount[ (][\w:.]{1,80}+\s{0,3}+=>\s{0,3}+[\"'](/[\w/-]{1,100}+)[\"']").finditer
_find_socket_server: Final = re.compile(r"\bnew (?:\w{0,20}Server|SocketIO\w{0,20}+|\w{0,20}+\.Server)\(").finditer
_find_socket_call: Final = re.compile(r"(?:\bsocket\.io[\w-]{0,10}+[\"']\)|\b[sS]ocket_?(?:IO|Io|io))\(").finditer
_find_socket_client: Final = re.compile(r"\b(?:io|io\.connect|lookup)\(").finditer
_find_path: Final = re.compile(r"[\"']?\bpath[\"']?:\s{0,20}+[\"'`](/[^\"'`\s?#]{1,100}+)[\"'`]").search
_find_socketio_path: Final = re.compile(
    r"\b(?:socketio_path|resource|path)\s?=\s?[\"']/?([^\"'\s?#]{1,100}+)[\"']"
).finditer
_WINDOW: Final = 400
MAX_SOCKET_PATHS: Final = 4
MAX_DECLARED: Final = 100
"""Most paths that one file is taken to declare."""
_MAX_CALLS: Final = 100
"""Most calls in one file behind which a path is looked for."""


def declared_in(path: str, text: str) -> Iterator[Declared]:
    """Yield the paths that the source at `path` declares, as far as they do not vary, each once."""
    seen: set[str] = set()
    for written, at in _found(path, text):
        static = static_part(written)
        if static and static not in seen and not _is_comment(text, at):
            seen.add(static)
            yield Declared(static, Place(path, text.count("\n", 0, at) + 1))
            if len(seen) == MAX_DECLARED:
                return


def _found(path: str, text: str) -> Iterator[tuple[str, int]]:
    name = path.rpartition("/")[2]
    if name.endswith(".py"):
        if name == "urls.py":
            yield from _of_django(text)
            return
        for find in (_find_python, _find_mounted, _find_prefix, _find_url_prefix, _find_added):
            yield from ((match[1], match.start()) for match in find(text))
    elif name == "routes.rb":
        yield from (("/" + match[1], match.start()) for match in _find_rails(text))
        yield from ((match[1], match.start()) for match in _find_cable(text))
    else:
        for find in (_find_node, _find_compared):
            yield from ((match[1], match.start()) for match in find(text))
        yield from (("/" + match[1], match.start()) for match in _find_nest_prefix(text))
        for called in islice(_find_websocket(text), _MAX_CALLS):
            if match := _find_path(text, called.end(), called.end() + _WINDOW):
                yield match[1], match.start()


def _of_django(text: str) -> Iterator[tuple[str, int]]:
    """Yield the paths of a ``urls.py`` that includes others: what those say is below theirs."""
    if "admin.site.urls" not in text and "ROOT_URLCONF" not in text and "include(" not in text:
        return
    begins = max(0, text.find("urlpatterns ="))  # before it, a new project has examples in words
    for match in _find_django(text, begins):
        yield "/" + match[1].lstrip("/"), match.start()
    if "admin.site.urls" in text:
        yield "/static/", text.index("admin.site.urls")  # the admin's own styles


def _is_comment(text: str, at: int) -> bool:
    """Tell whether the line around `at` is a comment."""
    begins = text.rfind("\n", 0, at) + 1
    return text[begins : begins + 200].lstrip().startswith(("#", "//", "*", "/*"))


def static_part(written: str) -> str:
    """Return the part of a declared path that does not vary, without a slash at its end; empty: all of it varies.

    ``/items/:id``, ``/items/{id}``, ``/items/<int:id>`` and ``/items/*`` are all ``/items``.
    """
    kept: list[str] = []
    for segment in written.split("?")[0].split("/")[1:]:
        if not segment or set(segment) & set(":{}<>*()$^|+\\[]"):
            break
        kept.append(segment)
    return "/" + "/".join(kept) if kept else ""


def socket_paths_in(path: str, text: str) -> Iterator[Declared]:
    """Yield the paths of Socket.IO that the source at `path` states, with a slash at both ends."""
    seen: set[str] = set()
    for written, at in _socket_paths(path, text):
        bare = written.strip("/")
        if bare and bare not in seen and static_part(f"/{bare}") == f"/{bare}":
            seen.add(bare)
            yield Declared(f"/{bare}/", Place(path, text.count("\n", 0, at) + 1))


def _socket_paths(path: str, text: str) -> Iterator[tuple[str, int]]:
    if path.endswith(".py"):
        if "socketio" in text:
            yield from ((match[1], match.start()) for match in _find_socketio_path(text) if "socketio_path" in match[0])
        return
    if "socket.io" not in text:
        return
    for find in (_find_socket_server, _find_socket_call, _find_socket_client):
        for called in islice(find(text), _MAX_CALLS):
            if match := _find_path(text, called.end(), called.end() + _WINDOW):
                yield match[1], match.start()
