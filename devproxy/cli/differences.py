"""What devproxy changes in a head, line by line, with the rule for each change: a part of what ``explain`` shows.

Start at :func:`differences`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from devproxy.console.style import Style
from devproxy.console.text import columns, padded
from devproxy.http.fields import Role, read_field
from devproxy.plan import Forward
from devproxy.text.safe import visible

INDENT: Final = "    "
_MAX_LINE: Final = 64
_WHY_UP: Final = {
    Role.HOST: "host, as the route says",
    Role.ORIGIN: "origin, as the route says",
    Role.VIA: "every gateway names itself (RFC 9110 section 7.6.3)",
    Role.FORWARDED_FOR: "the address of the client",
    Role.FORWARDED: "the origin that the browser asked for",
    Role.LOOK_ALIKE: "some servers take it for a field that devproxy sets or relies on",
    **dict.fromkeys(
        (Role.CONNECTION, Role.KEEP_ALIVE, Role.HOP_BY_HOP, Role.TE),
        "concerns one connection only (RFC 9110 section 7.6.1)",
    ),
}
_WHY_NAMED: Final = {
    b"x-real-ip": "the address of the client",
    b"x-forwarded-prefix": "the prefix that was removed from the path",
}
"""Fields that say something else than others of their role."""
_WHY_DOWN: Final = {
    Role.VARY: "the answer depends on the Origin",
    Role.ACCESS_CONTROL: "the route's CORS mode",
    Role.SET_COOKIE: "the route's cookie rules",
    Role.REFERENCE: "URLs of an upstream are mapped back to devproxy's origin",
    Role.RESOURCE_POLICY: "the route is only for pages of devproxy's own origin",
    Role.PIN: 'strict_transport_security = "drop" in [server]',
}


def differences(
    before: Sequence[bytes], after: Sequence[bytes], plan: Forward, style: Style, *, is_request: bool
) -> Iterator[str]:
    """Give every line of both heads: as it was, gone (-) or new (+), with the rule of `plan` for what changed."""
    left = Counter(after)
    rows: list[tuple[str, bytes]] = []
    for line in before:
        rows.append((" " if left[line] else "-", line))
        left[line] -= left[line] > 0
    for line in after:
        if left[line] > 0:
            rows.append(("+", line))
            left[line] -= 1
    # A start line that changed comes first, next to the old one.
    rows.sort(key=lambda row: row[1] not in (before[0], after[0]))
    width = min(_MAX_LINE, max(columns(visible(line)) for _, line in rows))
    for sign, line in rows:
        shown = visible(line)
        if sign == " ":
            yield f"{INDENT}{style.dim(shown)}"
            continue
        paint = style.red if sign == "-" else style.green
        yield f"  {paint(sign)} {padded(shown, width)}  {style.dim(_rule(line, plan, is_request=is_request))}"


def _rule(line: bytes, plan: Forward, *, is_request: bool) -> str:
    if line.endswith(b" HTTP/1.1") or line.startswith(b"HTTP/1."):
        return "strip_prefix or rewrite, as the route says" if is_request else "the version"
    field = read_field(line)
    edits = plan.compiled.request_edits if is_request else plan.compiled.response_edits
    if edits is not None and (
        field.name in edits.leave_out
        or line in edits.put
        or any(field.name == template.name.lower() for template in edits.late)
    ):
        return "[routes.headers]"
    if field.role == Role.END_TO_END and field.name == b"cookie":
        return "the route's cookie rules"
    if is_request and plan.compiled.is_at_own_origin and field.role in (Role.HOST, Role.ORIGIN):
        return "the server's own, because hot reload expects it from devproxy's pages"
    if is_request and field.role == Role.FORWARDED and field.name in _WHY_NAMED:
        return _WHY_NAMED[field.name]
    why = _WHY_UP if is_request else _WHY_DOWN
    return why.get(Role(field.role), "concerns one connection only" if field.role > Role.ACCESS_CONTROL else "")
