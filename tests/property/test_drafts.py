"""Whatever a draft says, its text says the same, and no string in it becomes anything but a string."""

from __future__ import annotations

import math
from typing import Any

import tomli
from devproxy.config import load
from devproxy.config.drafts import Draft, DraftRoute, DraftUpstream, Value, text_of
from hypothesis import example, given
from hypothesis import strategies as st

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=100)
HOSTILE = st.sampled_from(
    ['"""', "'''", "\n[[routes]]\n", "a\x00b", "\\", "]]", "#", "\u202e", "\x7f", "a.b", "", "\r"]
)
STRINGS = TEXTS | HOSTILE
VALUES: st.SearchStrategy[Value] = st.recursive(
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False).filter(lambda number: not math.isinf(number))
    | STRINGS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(STRINGS, inner, max_size=4),
    max_leaves=8,
)
KEYS = st.dictionaries(STRINGS, VALUES, max_size=4)
COMMENTS = st.lists(STRINGS, max_size=3)
UPSTREAMS = st.lists(
    st.builds(
        DraftUpstream,
        name=STRINGS,
        servers=st.lists(STRINGS, max_size=3),
        keys=KEYS.map(lambda keys: {name: value for name, value in keys.items() if name != "servers"}),
        comments=COMMENTS,
    ),
    max_size=4,
    unique_by=lambda one: one.name,
)
DRAFTS = st.builds(
    Draft,
    upstreams=UPSTREAMS,
    routes=st.lists(st.builds(DraftRoute, keys=KEYS, comments=COMMENTS), max_size=4),
    server=KEYS,
    head=COMMENTS,
    tail=COMMENTS,
)


def meant_by(draft: Draft) -> dict[str, Any]:
    upstreams = {
        one.name: one.servers[0] if len(one.servers) == 1 and not one.keys else {"servers": one.servers, **one.keys}
        for one in draft.upstreams
    }
    found = {"server": draft.server, "upstreams": upstreams, "routes": [one.keys for one in draft.routes]}
    return {name: value for name, value in found.items() if value}


@given(DRAFTS)
@example(Draft(upstreams=[DraftUpstream(name="a" * 100, servers=["x'\\" * 50])], routes=[]))
def test_the_text_of_a_draft_says_what_the_draft_says(draft: Draft) -> None:
    assert tomli.loads(text_of(draft)) == meant_by(draft)


SEGMENTS = st.text("abc-_~%20", min_size=1, max_size=6).filter(lambda text: "%" not in text)


@given(
    st.lists(SEGMENTS, unique=True, min_size=1, max_size=5),
    st.lists(STRINGS.filter(lambda name: name and name.isprintable()), unique=True, min_size=1, max_size=3),
    COMMENTS,
)
def test_a_draft_of_good_values_is_a_configuration(paths: list[str], names: list[str], comments: list[str]) -> None:
    draft = Draft(
        upstreams=[DraftUpstream(name=name, servers=["http://localhost:3001"], comments=comments) for name in names],
        routes=[DraftRoute(keys={"path": f"/{path}/", "upstream": names[0]}, comments=comments) for path in paths],
        head=comments,
        tail=comments,
    )
    config = load(text_of(draft).encode(), source="devproxy.toml")
    assert [upstream.name for upstream in config.upstreams] == names
    assert [route.pattern for route in config.routes] == [f"/{path}/" for path in paths]
