"""Answers as bytes: a page for a navigation, JSON for ``fetch``, text for a terminal. Start at :func:`compose`."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from string import Template
from typing import Final, NamedTuple

from devproxy.answers.model import Answer, Format, is_document, preferred_format
from devproxy.http.messages import RequestHead
from devproxy.http1.reasons import reason_phrase

ERROR_DETAIL: Final = "X-Devproxy-Error-Detail"
"""The field that says what is wrong with an upstream's answer where there is no body that could."""


class Composed(NamedTuple):
    """An answer written for its client: its field lines, except those about the connection, and its body.

    ``closes``: the connection ends with it.
    """

    status: int
    lines: list[bytes]
    body: bytes
    closes: bool


def compose(answer: Answer, head: RequestHead | None, last: Iterable[bytes] = ()) -> Composed:
    """Return `answer` as a response to the request `head` (None: none could be read); no body for HEAD and 204.

    `last`: field lines that come after its own.
    """
    is_json = answer.document or (not answer.code and answer.facts)
    form = Format.JSON if is_json else preferred_format(head)
    waits = not is_json and answer.retry_after_s > 0 and head is not None and is_document(head)
    body = _render_body(answer, form, waits=waits)
    fields: list[tuple[str, str]] = []
    if answer.status != 204:
        fields += [("Content-Type", form.value), ("Content-Length", str(len(body)))]
    fields += [("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff")]
    if form is Format.HTML:
        fields.append(("Content-Security-Policy", _WAITING_POLICY if waits else _POLICY))
    if answer.code:
        fields.append(("X-Devproxy-Error", answer.code))
    if answer.detail and head is not None and head.method == b"HEAD":
        fields.append((ERROR_DETAIL, answer.detail))
    if answer.retry_after_s:
        fields.append(("Retry-After", str(answer.retry_after_s)))
    fields += answer.fields
    lines = [f"{name}: {value}".encode("latin-1") for name, value in fields]
    has_body = answer.status != 204 and (head is None or head.method != b"HEAD")
    return Composed(answer.status, [*lines, *last], body if has_body else b"", answer.close)


def _render_body(answer: Answer, form: Format, *, waits: bool) -> bytes:
    if answer.document:
        return answer.document.encode()
    if form is Format.JSON:
        return _render_json(answer)
    if form is Format.HTML:
        return _render_html(answer, waits=waits)
    lines = [answer.what if answer.what.startswith("devproxy ") else f"devproxy: {answer.what}"]
    lines += [f"  {name}: {value}" for name, value in answer.facts]
    if answer.help:
        lines.append(f"help: {answer.help}")
    return ("\n".join(lines) + "\n").encode("utf-8", "backslashreplace")


def _render_json(answer: Answer) -> bytes:
    import json

    document: dict[str, object] = {}
    if answer.code:
        document = {"error": answer.code, "message": answer.what, "help": answer.help, "status": answer.status}
    for name, value in answer.facts:
        document.setdefault(name, value)
    if tried := [value for name, value in answer.facts if name == "tried"]:
        document["tried"] = tried
    return (json.dumps(document, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")


_PAGE: Final = Path(__file__).with_name("page.html").read_text(encoding="utf-8")
"""A page that waits. Open it in a browser to see how it looks."""
_PARTS: Final = _PAGE.replace("<!-- /waits -->", "<!-- waits -->").split("<!-- waits -->")
_WAITING_PAGE, _PLAIN_PAGE = Template("".join(_PARTS)), Template("".join(_PARTS[::2]))
_SCRIPT: Final = _PAGE.partition("<script>")[2].partition("</script>")[0]
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"
_WAITING_POLICY: Final = (
    f"{_POLICY}; connect-src 'self'; script-src 'sha256-{b64encode(sha256(_SCRIPT.encode()).digest()).decode()}'"
)
"""That one script and no other may run, and it may ask this origin alone (CSP level 3, section 6.7.3.3)."""


def _render_html(answer: Answer, *, waits: bool) -> bytes:
    from html import escape

    page = (_WAITING_PAGE if waits else _PLAIN_PAGE).substitute(
        status=f"{answer.status} {reason_phrase(answer.status)}",
        what=_marked_up(answer.what),
        facts="".join(f"<dt>{escape(name)}</dt><dd>{_marked_up(value)}</dd>" for name, value in answer.facts),
        help=_marked_up(answer.help),
        code=escape(answer.code),
        retry_after_s=answer.retry_after_s,
    )
    return page.encode("utf-8", "backslashreplace")


def _marked_up(text: str) -> str:
    """Return `text` for a page: escaped, with text in backquotes as code."""
    from html import escape

    return _sub_code(r"<code>\1</code>", escape(text))


_sub_code: Final = re.compile("`([^`]++)`").sub
