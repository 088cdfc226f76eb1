"""Contexts of http-proxy-middleware, and what they take."""

from __future__ import annotations

import re
from typing import Any

import pytest
from devproxy.importing.path_filters import match_of_glob, taken_by
from devproxy.importing.rules import EVERY_PATH, Kind, Match
from devproxy.text.bad import BadText

PATHS = (
    "/",
    "/api",
    "/api/",
    "/api/x",
    "/api/x/",
    "/api/x/y",
    "/apikey",
    "/a.json",
    "/x/a.json",
    "/b/x/end",
    "/b/x/y/end",
)
TAKEN_BY_MICROMATCH = {
    "/api/**": ("/api", "/api/", "/api/x", "/api/x/", "/api/x/y"),
    "/api/*": ("/api/x", "/api/x/"),
    "/b/*/end": ("/b/x/end",),
    "/b/**/end": ("/b/x/end", "/b/x/y/end"),
    "/{api,b}/**": ("/api", "/api/", "/api/x", "/api/x/", "/api/x/y", "/b/x/end", "/b/x/y/end"),
    "**/*.json": ("/a.json", "/x/a.json"),
    "/**/*.json": ("/x/a.json",),
    "/api?ey": ("/apikey",),
    "/[ab]*": ("/api", "/api/", "/apikey", "/a.json"),
    "/api/x/**/y": ("/api/x/y",),
}
"""What micromatch 4 takes of :data:`PATHS`."""


@pytest.mark.parametrize("glob", TAKEN_BY_MICROMATCH)
def test_a_glob_takes_what_micromatch_takes(glob: str) -> None:
    match = match_of_glob(glob)
    assert tuple(path for path in PATHS if re.fullmatch(match.expression(), path)) == TAKEN_BY_MICROMATCH[glob]


@pytest.mark.parametrize(
    ("written", "matches"),
    [
        (None, [EVERY_PATH]),
        ("/api", [Match(Kind.STARTS, "/api")]),
        (["/a", "/b"], [Match(Kind.STARTS, "/a"), Match(Kind.STARTS, "/b")]),
        ("/api/**", [Match(Kind.SEGMENTS, "/api")]),
        ("**", [EVERY_PATH]),
    ],
    ids=str,
)
def test_text_is_compared_with_the_beginning_and_a_glob_with_the_whole(written: Any, matches: list[Match]) -> None:
    assert list(taken_by(written).matches) == matches


def test_what_begins_with_an_exclamation_mark_is_left_out() -> None:
    taken = taken_by(["/api/**", "!/api/own/**"])
    assert taken.excluded == (Match(Kind.SEGMENTS, "/api/own"),)


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ({"$code": "f"}, "by a function"),
        (["/a", "/b/**"], "mixes globs"),
        (["!/a/**"], "only which paths it does not take"),
        ([], "by text"),
        (5, "by text"),
        ("/+(a|b)", "too involved"),
        ("/[!a]", "too involved"),
    ],
    ids=str,
)
def test_what_no_route_can_say_is_refused(written: Any, why: str) -> None:
    with pytest.raises(BadText, match=why):
        taken_by(written)
