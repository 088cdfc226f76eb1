"""The configuration in force, for the page: routes in their order, which of them takes a request, reloads. Pure.

Start at :func:`routes_json`, :func:`test_json` or :func:`configuration_json`.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from devproxy.config.labels import cors_text, fault_text
from devproxy.config.places import source_of
from devproxy.events import ConfigMissing
from devproxy.http1.head import parse_request_head
from devproxy.inspector.details import route_index
from devproxy.inspector.masking import masked_toml, without_colour
from devproxy.plan import Respond, Snapshot, plan_request
from devproxy.routing.table import RouteTable, label

if TYPE_CHECKING:
    from devproxy.config.model import Config, Route
    from devproxy.inspector.store import Store

MAX_TEXT: Final = 1 << 20
"""Characters of a file that are shown."""


def routes_json(config: Config, store: Store) -> list[dict[str, Any]]:
    """Return the routes of `config` in the order of precedence, with how often each was taken of what is known."""
    requests, failures = Counter[str](), Counter[str]()
    for row in store.all():
        requests[row.route] += 1
        failures[row.route] += row.problem is not None
    return [
        {
            "label": label(route),
            "upstream": route.upstream,
            "cors": cors_text(route.cors),
            "guard": route.guard,
            "fault": fault_text(route.fault),
            "conditions": _conditions(route),
            "source": _source(config, route),
            "requests": requests[label(route)],
            "failures": failures[label(route)],
        }
        for route in RouteTable(config.routes).routes
    ]


def _conditions(route: Route) -> list[str]:
    found = [f"{route.kind.value} {route.pattern}"]
    lists = (("methods", route.methods), ("match_host", route.match_host))
    found += [f"{name} {', '.join(values)}" for name, values in lists if values]
    return found + [f"header {name}: {value}" for name, value in route.match_headers]


def _source(config: Config, route: Route) -> dict[str, Any] | None:
    index = route_index(config, route)
    found = None if index is None else source_of(config, "routes", index)
    return None if found is None else found._asdict()


def test_json(snapshot: Snapshot, method: str, path: str, host: str, headers: list[str]) -> dict[str, Any]:
    """Return which route of `snapshot` takes a request, why no other does, and what devproxy itself would answer.

    Raises :class:`~devproxy.errors.BadMessage` for what is no request.
    """
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", *headers]
    head = parse_request_head("\r\n".join(lines).encode("utf-8", "surrogateescape"), snapshot.limits)
    verdicts = snapshot.table.explain(head.method, head.path.partition(b"?")[0], head.host, head.fields)
    plan = plan_request(head, snapshot)
    answer = plan.answer if isinstance(plan, Respond) and plan.pages is None else None
    chosen = next((one.route for one in verdicts if one.chosen), None)
    if not isinstance(plan, Respond):
        chosen = plan.compiled.route
    return {
        "route": None if chosen is None else label(chosen),
        "upstream": None if chosen is None else chosen.upstream,
        "source": None if chosen is None else _source(snapshot.config, chosen),
        "verdicts": [
            {
                "label": label(one.route),
                "matches": one.matched,
                "is_chosen": one.chosen,
                "reasons": list(one.reasons),
                "source": _source(snapshot.config, one.route),
            }
            for one in verdicts
        ],
        "answer": None
        if answer is None
        else {"status": answer.status, "code": answer.code, "what": answer.what, "help": answer.help},
    }


def configuration_json(config: Config, store: Store, text: bytes | None, *, secrets: bool) -> dict[str, Any]:
    """Return the file in force, the last one that does not load, and what changed in each reload.

    `text`: of the file; None: there is none.
    """
    shown = None if text is None else text.decode("utf-8", "replace")[:MAX_TEXT]
    return {**changes_json(config, store), "text": shown if shown is None or secrets else masked_toml(shown)}


def changes_json(config: Config, store: Store) -> dict[str, Any]:
    """Return the same without the text of the file."""
    rejected: dict[str, Any] | None = None
    if store.rejected is not None:
        at, event = store.rejected
        is_gone = isinstance(event, ConfigMissing)
        report = f"the file cannot be read: {event.reason}" if isinstance(event, ConfigMissing) else event.report
        report = masked_toml(without_colour(report))
        rejected = {"at": at, "problems": 1 if is_gone else getattr(event, "problems", 1), "report": report}
    return {
        "source": config.source,
        "applied_at": store.reloads[-1][0] if store.reloads else None,
        "rejected": rejected,
        "reloads": [
            {
                "at": at,
                "changes": [{"what": one.what, "kind": one.kind, "detail": one.detail} for one in event.changes],
            }
            for at, event in reversed(store.reloads)
        ],
    }
