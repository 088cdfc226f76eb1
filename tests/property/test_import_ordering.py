"""Rules of which the first wins become routes of which the most specific wins: both send a path to one place."""

from __future__ import annotations

import re
from collections.abc import Sequence

from devproxy.config import load
from devproxy.config.drafts import Draft, text_of
from devproxy.http.fields import Field
from devproxy.importing.drafting import draft_of
from devproxy.importing.rules import (
    EVERY_PATH,
    UPGRADE_CONDITION,
    Kind,
    Match,
    Rule,
    Target,
    glob_expression,
    literal_start,
)
from devproxy.routing.table import RouteTable, rewritten_path
from hypothesis import given, settings
from hypothesis import strategies as st

PIECES = ("a", "b", "ab", "a.b", "v1")
PATHS = st.lists(st.sampled_from(PIECES), min_size=1, max_size=3).map(lambda parts: "/" + "/".join(parts))
GLOBS = st.lists(st.sampled_from([*PIECES, "*", "**"]), min_size=1, max_size=3).map(lambda parts: "/" + "/".join(parts))
EXPRESSIONS = st.sampled_from([r"/a/.*", r"/[ab]", r"/(?:a|b)/v[0-9]", r".*\.b", r"/a(?:/.*)?", r"/ab?/.*", r"/v\d+/?"])
MATCHES = st.one_of(
    st.builds(Match, st.just(Kind.STARTS), PATHS | PATHS.map(lambda path: path + "/")),
    st.builds(Match, st.just(Kind.SEGMENTS), PATHS | st.just("")),
    st.builds(Match, st.just(Kind.EXACT), PATHS),
    st.builds(Match, st.just(Kind.GLOB), GLOBS),
    st.builds(Match, st.just(Kind.REGEX), EXPRESSIONS),
)
REQUESTS = st.lists(st.sampled_from(PIECES), min_size=0, max_size=4).flatmap(
    lambda parts: st.sampled_from(["/" + "/".join(parts), "/" + "/".join([*parts, ""])])
)


def target(number: int) -> Target:
    return Target(servers=(f"http://localhost:{number}",), name=f"u{number}")


def takes(rule: Rule, path: str, *, upgrades: bool) -> bool:
    if upgrades and not rule.takes_upgrades:
        return False
    if rule.rewrite is not None and rule.match.kind is Kind.STARTS:  # is taken by whole segments, as its comment says
        bare = rule.match.text.removesuffix("/")
        return path == bare or path.startswith(f"{bare}/")
    return re.fullmatch(rule.match.expression(), path) is not None


def first(rules: Sequence[Rule], path: str, *, upgrades: bool = False) -> Rule | None:
    return next((rule for rule in rules if takes(rule, path, upgrades=upgrades)), None)


def labels_lost(draft: Draft) -> set[str]:
    """The rules of which a comment says that no route can say them."""
    lines = [re.match(r"(u\d+): (?!It is never reached)", line) for line in draft.tail]
    return {line[1] for line in lines if line}


def rules_from(parts: Sequence[tuple[Match, bool, bool]]) -> list[Rule]:
    return [
        Rule(
            label=f"u{number + 1}",
            match=match,
            target=target(number + 1),
            rewrite="/new/" if rewrites and match.kind in (Kind.STARTS, Kind.SEGMENTS, Kind.EXACT) else None,
            takes_upgrades=takes_upgrades,
        )
        for number, (match, rewrites, takes_upgrades) in enumerate(parts)
    ]


@settings(max_examples=150)
@given(
    st.lists(st.tuples(MATCHES, st.booleans(), st.just(True)), min_size=1, max_size=6),
    st.lists(REQUESTS, min_size=1, max_size=30),
)
def test_a_path_goes_where_the_first_rule_sends_it(parts: list[tuple[Match, bool, bool]], paths: list[str]) -> None:
    rules = [*rules_from(parts), Rule(label="rest", match=EVERY_PATH, target=target(99))]
    draft = draft_of(rules)
    config = load(text_of(draft).encode(), source="devproxy.toml")
    table = RouteTable(config.routes)
    not_carried = labels_lost(draft)
    for path in paths:
        wanted = first(rules, path)
        assert wanted is not None
        found = table.match(b"GET", path.encode(), b"localhost", [])
        if wanted.label in not_carried:  # nor may what it would have taken be sure to go anywhere else
            continue
        assert found is not None
        assert found.upstream == wanted.target.name, (path, text_of(draft))
        became = rewritten_path(found, path.encode())
        assert became.startswith(b"/new") is (wanted.rewrite is not None)


@settings(max_examples=60)
@given(
    st.lists(st.tuples(MATCHES, st.just(False), st.booleans()), min_size=1, max_size=5),
    st.lists(REQUESTS, min_size=1, max_size=20),
)
def test_what_takes_no_upgrades_leaves_them_to_the_next_where_it_covers_it(
    parts: list[tuple[Match, bool, bool]], paths: list[str]
) -> None:
    rules = rules_from(parts)
    draft = draft_of(rules)
    table = RouteTable(load(text_of(draft).encode(), source="devproxy.toml").routes)
    handshake = [Field(b"", name.lower().encode(), b"13") for name in UPGRADE_CONDITION]
    alone = {str(route.keys["upstream"]) for route in draft.routes if "match_headers" in route.keys}
    for path in paths:
        plain = table.match(b"GET", path.encode(), b"localhost", [])
        wanted = first(rules, path)
        assert (plain.upstream if plain else None) == (wanted.target.name if wanted else None)
        upgraded = table.match(b"GET", path.encode(), b"localhost", handshake)
        if upgraded is not None and upgraded.upstream in alone:
            owner = next(rule for rule in rules if rule.label == upgraded.upstream)
            assert takes(owner, path, upgrades=True)


@settings(max_examples=100)
@given(
    st.lists(st.tuples(MATCHES, st.sampled_from([(), ("GET",), ("POST",), ("GET", "POST")])), min_size=1, max_size=5),
    st.lists(REQUESTS, min_size=1, max_size=20),
)
def test_a_rule_for_some_methods_leaves_the_others_to_the_next(
    parts: list[tuple[Match, tuple[str, ...]]], paths: list[str]
) -> None:
    rules = [
        Rule(label=f"u{number + 1}", match=match, target=target(number + 1), methods=methods)
        for number, (match, methods) in enumerate(parts)
    ]
    rules.append(Rule(label="rest", match=EVERY_PATH, target=target(99)))
    draft = draft_of(rules)
    table = RouteTable(load(text_of(draft).encode(), source="devproxy.toml").routes)
    not_carried = labels_lost(draft)
    assert all(
        "too slow" in line or "never reached" in line for line in draft.tail if line.partition(":")[0] in not_carried
    )
    for path in paths:
        for method in ("GET", "POST", "PUT"):
            wanted = first([rule for rule in rules if not rule.methods or method in rule.methods], path)
            found = table.match(method.encode(), path.encode(), b"localhost", [])
            assert wanted is not None
            if wanted.label in not_carried:
                continue
            assert found is not None
            assert found.upstream == wanted.target.name, (method, path, text_of(draft))


@given(GLOBS, st.lists(REQUESTS, min_size=1, max_size=20))
def test_a_glob_and_its_expression_take_the_same_paths(glob: str, paths: list[str]) -> None:
    text = f'[upstreams]\nb = "http://localhost:1"\n[[routes]]\npath_glob = "{glob}"\nupstream = "b"\n'
    table = RouteTable(load(text.encode(), source="devproxy.toml").routes)
    for path in paths:
        is_taken = table.match(b"GET", path.encode(), b"localhost", []) is not None
        assert is_taken is (re.fullmatch(glob_expression(glob), path) is not None), path


@given(MATCHES, REQUESTS)
def test_what_a_match_takes_begins_with_its_literal_text(match: Match, path: str) -> None:
    if re.fullmatch(match.expression(), path):
        assert path.startswith(match.literal)
    assert match.expression().startswith(literal_start(match.expression())) or "\\" in match.expression()
