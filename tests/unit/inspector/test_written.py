from __future__ import annotations

import json

import pytest
from devproxy.inspector.feed import event
from devproxy.inspector.written import written


def refused(name: str) -> None:
    raise AssertionError(f"{name} is not JSON")


@pytest.mark.parametrize("sent", ["1e999", "-1e999", "NaN"])
def test_what_came_as_a_number_that_json_has_not_is_text(sent: str) -> None:
    document = {"packets": [{"data": (json.loads(sent), 1.5, "x", None)}]}
    shown = json.loads(written(document), parse_constant=refused)
    assert shown == {"packets": [{"data": [str(float(sent)), 1.5, "x", None]}]}
    data = event("messages", document, "").decode().partition("data: ")[2]
    assert json.loads(data, parse_constant=refused) == shown
