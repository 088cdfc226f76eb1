"""All there is to say of one exchange: heads as they came and went on, what differs and by which rule, verdict, bodies.

Pure: worked out when it is asked for, from the values that were kept. Start at :func:`detail_json`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from devproxy.config.places import source_of
from devproxy.console.secrets import masked
from devproxy.http1.reasons import reason_phrase
from devproxy.inspector.bodies import describe
from devproxy.inspector.findings import findings_on
from devproxy.inspector.masking import masked_field, masked_start
from devproxy.inspector.rows import Row, as_json, text
from devproxy.inspector.verdicts import verdict_json
from devproxy.plan import render_request
from devproxy.plan.differences import Difference, request_differences, response_differences

if TYPE_CHECKING:
    from devproxy.config.model import Config, Route
    from devproxy.gateway.shared.capture import Capture
    from devproxy.http.edits import ResponseEdits
    from devproxy.http.messages import ResponseHead

Lines = list[bytes]
"""A head: the start line, then the field lines."""


def received_request(capture: Capture) -> Lines:
    """Return the request's head as it came."""
    return capture.request.block.split(b"\r\n")


def sent_request(capture: Capture) -> Lines | None:
    """Return the request's head as it went to the server; None: it did not."""
    if capture.plan is None or capture.server is None:
        return None
    return render_request(capture.plan, capture.request, capture.peer, capture.server)[:-4].split(b"\r\n")


def received_response(capture: Capture) -> Lines | None:
    """Return the server's head as it came; None: there was none."""
    return None if capture.response is None else capture.response.block.split(b"\r\n")


def sent_response(capture: Capture) -> Lines | None:
    """Return the head that the client got, without the lines that concern its connection alone; None: it got none."""
    if capture.own is not None:
        status = capture.own.status
        return [f"HTTP/1.1 {status} {reason_phrase(status)}".encode("latin-1"), *capture.own.lines]
    if capture.response is None or capture.edits is None:
        return None
    return _after(capture.response, capture.edits)


def _after(head: ResponseHead, edits: ResponseEdits) -> Lines:
    return [head.start, *edits.lines_of(head), *edits.last]


def detail_json(row: Row, *, secrets: bool) -> dict[str, Any]:
    """Return `row` with all that is known of it, as the API gives it; without `secrets` they are masked."""
    document = as_json(row, secrets=secrets)
    capture = row.capture
    if capture is None:
        nothing = {"received": None, "sent": None, "changes": None, "body": None}
        parts = dict.fromkeys(("request", "response"), nothing)
        return {**document, **parts, "interim": [], "verdict": None, "findings": [], "route_source": None}
    target = capture.request.target
    up, down = (received_request(capture), sent_request(capture)), (received_response(capture), sent_response(capture))
    findings = findings_on(capture)
    return {
        **document,
        "request": {
            "received": head_json(up[0], secrets=secrets),
            "sent": head_json(up[1], secrets=secrets),
            "changes": _changes(capture, _request_differences(capture, *up), secrets=secrets),
            "body": describe(capture.request, capture.request_body, target, is_answer=False),
        },
        "response": {
            "received": head_json(down[0], secrets=secrets),
            "sent": head_json(down[1], secrets=secrets),
            "changes": _changes(capture, _response_differences(capture, *down), secrets=secrets),
            "body": _response_body(capture, target),
        },
        "interim": [
            {
                "received": head_json(head.block.split(b"\r\n"), secrets=secrets),
                "sent": head_json(_after(head, edits), secrets=secrets),
            }
            for head, edits in capture.interim
        ],
        "verdict": _shown(verdict_json(capture), secrets=secrets),
        "findings": [_shown(finding.json(), secrets=secrets) for finding in findings],
        "route_source": _route_source(capture),
    }


def _shown(document: Any, *, secrets: bool) -> Any:
    """Return `document`, whose texts may name URLs, without the secrets in these unless `secrets` are wanted."""
    if secrets:
        return document
    if isinstance(document, dict):
        return {name: _shown(value, secrets=False) for name, value in document.items()}
    if isinstance(document, list):
        return [_shown(value, secrets=False) for value in document]
    return masked(document) if isinstance(document, str) else document


def _response_body(capture: Capture, target: bytes) -> dict[str, Any] | None:
    if capture.own is not None and capture.own.body:
        own = capture.own
        kinds = [line.partition(b":")[2].strip() for line in own.lines if line.lower().startswith(b"content-type:")]
        kind = kinds[0].partition(b";")[0].decode("latin-1").lower() if kinds else ""
        return {
            "bytes": len(own.body),
            "kept_bytes": len(own.body),
            "is_complete": True,
            "type": kind,
            "encoding": "",
            "charset": "utf-8",
            "view": "json" if kind == "application/json" else "text",
        }
    return describe(capture.response, capture.response_body, target, is_answer=True)


def head_json(lines: Sequence[bytes] | None, *, secrets: bool) -> dict[str, Any] | None:
    """Return a head as the API gives it; None: there is none."""
    if lines is None:
        return None
    start, fields = text(lines[0]), [_field(line) for line in lines[1:]]
    if not secrets:
        start, fields = masked_start(start), [(name, masked_field(name, value)) for name, value in fields]
    return {"start": start, "fields": [list(field) for field in fields]}


def _field(line: bytes) -> tuple[str, str]:
    name, _, value = line.partition(b":")
    return text(name), text(value.strip(b" \t"))


def _request_differences(capture: Capture, before: Lines | None, after: Lines | None) -> list[Difference] | None:
    if before is None or after is None or capture.plan is None:
        return None
    return request_differences(before, after, capture.plan.compiled)


def _response_differences(capture: Capture, before: Lines | None, after: Lines | None) -> list[Difference] | None:
    if before is None or after is None or capture.plan is None or capture.server is None or capture.own is not None:
        return None
    return response_differences(before, after, capture.plan, capture.request, capture.peer, capture.server)


def _changes(capture: Capture, differences: list[Difference] | None, *, secrets: bool) -> list[dict[str, Any]] | None:
    if differences is None:
        return None
    return [_change(capture, one, secrets=secrets) for one in differences]


def _change(capture: Capture, one: Difference, *, secrets: bool) -> dict[str, Any]:
    def shown(line: bytes | None) -> str | None:
        if line is None:
            return None
        if one.is_start:
            return text(line) if secrets else masked_start(text(line))
        name, value = _field(line)
        return value if secrets else masked_field(name, value)

    some = one.before if one.before is not None else one.after
    assert some is not None
    what = "added" if one.before is None else "removed" if one.after is None else "changed"
    return {
        "what": what,
        "name": None if one.is_start else _field(some)[0],
        "before": shown(one.before),
        "after": shown(one.after),
        "rule": one.rule.name,
        "why": one.rule.why,
        "source": _source(capture, one.rule.path),
    }


def _source(capture: Capture, path: tuple[str | int, ...]) -> dict[str, Any] | None:
    """Return where the rule at `path` is written, or the route that it belongs to."""
    config = capture.config
    if not path:
        return None
    if path[0] == "route" and capture.plan is not None:
        index = route_index(config, capture.plan.compiled.route)
        where: tuple[str | int, ...] = ("routes", index, *path[1:]) if index is not None else ()
    else:
        where = ("server" if path[0] == "server" else "upstreams", *path[1:])
    found = source_of(config, *where)
    if found is not None and where[0] == "server" and found.key == "server":
        found = None  # the table says nothing of a key that is not in it
    return None if found is None else found._asdict()


def route_index(config: Config, route: Route) -> int | None:
    """Return the place of `route` in the file, None where it is none of the file's."""
    return next((index for index, one in enumerate(config.routes) if one is route), None)


def _route_source(capture: Capture) -> dict[str, Any] | None:
    return None if capture.plan is None else _source(capture, ("route",))
