"""A draft becomes the text that a person would have written."""

from __future__ import annotations

import pytest
from devproxy.config import load
from devproxy.config.drafts import Draft, DraftRoute, DraftUpstream, text_of

TEXT = r"""# What was found.

[server]
listen = 9000

[upstreams]
# Vite.
frontend = "http://localhost:5173"

# Two processes.
[upstreams.backend]
servers = ["http://localhost:3001", "http://localhost:3002"]
sticky = "socketio"

# Keys come in the order of the reference, whatever the order of the draft.
[[routes]]
path = "/api/"
upstream = "backend"
rewrite = "/"
cookies = { domain = { "*" = "" } }

[[routes]]
path_regex = '/v[0-9]+/.*\.json'
upstream = "frontend"

[[routes]]
path = "/"
upstream = "frontend"

# Not carried over: a function.
#   rewrite: (path) => path
"""


def test_a_draft_is_written_with_its_comments_in_the_order_of_the_reference() -> None:
    draft = Draft(
        head=["What was found."],
        server={"listen": 9000},
        upstreams=[
            DraftUpstream(
                name="backend",
                servers=["http://localhost:3001", "http://localhost:3002"],
                keys={"sticky": "socketio"},
                comments=["Two processes."],
            ),
            DraftUpstream(name="frontend", servers=["http://localhost:5173"], comments=["Vite."]),
        ],
        routes=[
            DraftRoute(
                keys={"cookies": {"domain": {"*": ""}}, "rewrite": "/", "upstream": "backend", "path": "/api/"},
                comments=["Keys come in the order of the reference, whatever the order of the draft."],
            ),
            DraftRoute(keys={"path_regex": r"/v[0-9]+/.*\.json", "upstream": "frontend"}),
            DraftRoute(keys={"path": "/", "upstream": "frontend"}),
        ],
        tail=["Not carried over: a function.\n  rewrite: (path) => path"],
    )
    assert text_of(draft) == TEXT
    assert len(load(TEXT.encode(), source="devproxy.toml").routes) == 3


def test_a_comment_is_wrapped_at_words_and_never_leaves_its_line() -> None:
    draft = Draft(upstreams=[], routes=[], head=["word " * 40, " laid out " * 20, "a\rb\x1b[2J\u2028c\n[[routes]]"])
    lines = text_of(draft).splitlines()
    assert len(lines) == 5
    assert all(line.startswith("# ") for line in lines)
    assert lines[-2:] == [r"# a\rb\x1b[2J\u2028c", "# [[routes]]"]


def test_a_long_list_takes_a_line_for_each_item() -> None:
    servers = [f"http://localhost:{port}" for port in range(3000, 3010)]
    text = text_of(Draft(upstreams=[DraftUpstream(name="b", servers=servers)], routes=[]))
    assert text.count("\n    ") == 10


def test_half_a_surrogate_pair_is_no_text() -> None:
    with pytest.raises(ValueError, match="surrogates"):
        text_of(Draft(upstreams=[DraftUpstream(name="\ud800", servers=[])], routes=[]))
