"""What ``cors`` of a route may say, short and long, and what the wrong ones are told."""

from __future__ import annotations

import pytest
from devproxy.config import CorsMode, load
from devproxy.config.cors import MAX_ORIGINS
from devproxy.config.model import Cors, PreflightMode
from tests.support.configuration import ROUTE, UPSTREAMS, problems_of


def cors(lines: str) -> Cors:
    """The policy of a route that ends with `lines`, the first of which is line 7."""
    [only] = load(f"{UPSTREAMS}{ROUTE}{lines}\n".encode(), source="x").routes
    return only.cors


def table(lines: str) -> Cors:
    return cors(f"[routes.cors]\n{lines}")


def test_a_route_that_says_nothing_lets_this_machine_read() -> None:
    found = cors("")
    assert found == Cors()
    assert (found.mode, found.origins, found.credentials) == (CorsMode.REWRITE, None, True)
    assert found.methods == ("GET", "POST", "PUT", "PATCH", "DELETE")
    assert (found.headers, found.expose, found.max_age_s) == (("*",), (), 600)
    assert (found.preflight, found.line) == (PreflightMode.ANSWER, 0)


@pytest.mark.parametrize(
    ("mode", "preflight"),
    [
        (CorsMode.REWRITE, PreflightMode.ANSWER),
        (CorsMode.STRIP, PreflightMode.ANSWER),
        (CorsMode.FIX, PreflightMode.FORWARD_OR_ANSWER),
        (CorsMode.PASSTHROUGH, PreflightMode.FORWARD),
    ],
)
def test_the_mode_says_who_answers_preflights_in_both_forms(mode: CorsMode, preflight: PreflightMode) -> None:
    assert cors(f'cors = "{mode}"') == Cors(mode=mode, preflight=preflight, line=7)
    assert table(f'mode = "{mode}"') == Cors(mode=mode, preflight=preflight, line=7)


@pytest.mark.parametrize("written", ["answer", "forward", "forward-or-answer"])
def test_what_is_written_about_preflights_stands(written: str) -> None:
    assert table(f'mode = "fix"\npreflight = "{written}"').preflight == PreflightMode(written)


@pytest.mark.parametrize(
    "lines", ["[routes.cors]", "cors = {}", "cors.credentials = true", '"cors" = { mode = "rewrite" }']
)
def test_a_policy_knows_the_line_in_which_it_stands(lines: str) -> None:
    assert cors(lines).line == 7


def test_every_key_arrives() -> None:
    found = table(
        """
mode = "fix"
origins = ["http://localhost:3000"]
credentials = false
methods = ["GET", "PROPFIND", "GET"]
headers = ["X-Csrf", "Authorization"]
expose = ["*"]
max_age_s = -1
preflight = "answer"
allow_private_network = true
dangerously_allow_null_origin = true
dangerously_allow_any_origin = true
"""
    )
    assert found == Cors(
        mode=CorsMode.FIX,
        origins=("http://localhost:3000",),
        credentials=False,
        methods=("GET", "PROPFIND"),
        headers=("X-Csrf", "Authorization"),
        expose=("*",),
        max_age_s=-1,
        preflight=PreflightMode.ANSWER,
        allow_private_network=True,
        dangerously_allow_null_origin=True,
        dangerously_allow_any_origin=True,
        line=7,
    )


def test_no_origin_is_not_the_same_as_none_written() -> None:
    assert table("origins = []").origins == ()
    assert table("credentials = true").origins is None


def test_origins_are_kept_as_they_are_compared_and_each_once() -> None:
    written = '["HTTP://LocalHost:3000", "http://localhost:3000", "https://App.test:443", "http://*.a.test", "http://[::1]:*"]'
    assert table(f"origins = {written}").origins == (
        "http://localhost:3000",
        "https://app.test",
        "http://*.a.test",
        "http://[::1]:*",
    )


def test_both_keys_let_credentials_go_with_any_origin() -> None:
    found = table("dangerously_allow_any_origin = true\ndangerously_with_credentials = true")
    assert found.dangerously_allow_any_origin
    assert found.dangerously_with_credentials
    assert found.credentials


@pytest.mark.parametrize(
    ("lines", "what", "help", "span"),
    [
        ('mode = "fixx"', 'expected "passthrough", "strip", "rewrite" or "fix"', 'write mode = "fix"', (8, 8, 6)),
        ('origins = "http://a"', "expected a list of strings", 'write origins = ["http://a"]', (8, 11, 10)),
        ('origins = ["http://a", "*"]', "every web site", "dangerously_allow_any_origin", (8, 24, 3)),
        ('origins = ["null"]', "null", "dangerously_allow_null_origin", (8, 12, 6)),
        ('origins = ["http://localhost:3000/"]', "slash", "http://localhost:3000", (8, 12, 24)),
        ('origins = ["localhost:3000"]', "no scheme", "http://localhost:3000", (8, 12, 16)),
        ("credentials = 'include'", 'got the string "include"', "for example: credentials", (8, 15, 9)),
        ('methods = ["get"]', "case-sensitive", 'write "GET"', (8, 12, 5)),
        ('methods = ["G T"]', '"G T" is not a method', "", (8, 12, 5)),
        ('headers = ["X A"]', '"X A" is not a header name', "", (8, 12, 5)),
        ('expose = ["ETag:"]', '"ETag:" is not a header name', "", (8, 11, 7)),
        ('expose = ["*"]', "when credentials go with the request", "credentials = false", (8, 11, 3)),
        ("max_age_s = 86401", "from -1 to 86400, got 86401", "max_age_s = 600", (8, 13, 5)),
        ("max_age_s = 1.5", "expected an integer", "", (8, 13, 3)),
        ('origins = "*"', 'expected a list of strings, got the string "*"', "for example: origins = [", (8, 11, 3)),
        ('preflight = "forwards"', 'expected "answer", "forward" or', 'write preflight = "forward"', (8, 13, 10)),
        ("allowedOrigins = []", "unknown key `allowedOrigins`", "did you mean `origins`?", (8, 1, 14)),
        ("max_age = 1", "unknown key `max_age`", "did you mean `max_age_s`?", (8, 1, 7)),
        ("guard = true", "unknown key `guard`", "`guard` belongs below [[routes]]", (8, 1, 5)),
    ],
)
def test_a_bad_line_of_a_policy(lines: str, what: str, help: str, span: tuple[int, int, int]) -> None:
    [problem] = problems_of(f"{UPSTREAMS}{ROUTE}[routes.cors]\n{lines}\n")
    assert what in problem.what
    assert help in problem.help
    assert (problem.line, problem.column, problem.length) == span


@pytest.mark.parametrize("preflight", ["answer", "forward-or-answer"])
def test_passthrough_cannot_answer_preflights(preflight: str) -> None:
    [problem] = problems_of(f'{UPSTREAMS}{ROUTE}[routes.cors]\nmode = "passthrough"\npreflight = "{preflight}"\n')
    assert problem.what == (
        f'`preflight = "{preflight}"` contradicts `mode = "passthrough"`, which leaves CORS to the upstream'
    )
    assert 'preflight = "forward"' in problem.help
    assert 'mode = "rewrite"' in problem.help
    assert problem.line == 9


@pytest.mark.parametrize("key", ["dangerously_allow_any_origin", "dangerously_allow_null_origin"])
@pytest.mark.parametrize("mode", CorsMode)
def test_credentials_for_pages_of_anybody_need_a_second_key_in_every_mode(key: str, mode: CorsMode) -> None:
    lines = f'[routes.cors]\nmode = "{mode}"\n{key} = true\n'
    [problem] = problems_of(f"{UPSTREAMS}{ROUTE}{lines}")
    assert f"`{key}`" in problem.what
    assert "credentials = false" in problem.help
    assert "dangerously_with_credentials = true" in problem.help
    assert problem.line == 9
    assert cors(f"{lines}credentials = false").credentials is False


def test_the_second_key_without_credentials_is_a_contradiction() -> None:
    lines = "credentials = false\ndangerously_allow_null_origin = true\ndangerously_with_credentials = true"
    [problem] = problems_of(f"{UPSTREAMS}{ROUTE}[routes.cors]\n{lines}\n")
    assert "contradict each other" in problem.what
    assert problem.line == 10


def test_a_misspelt_value_of_credentials_is_one_problem_and_not_two() -> None:
    lines = 'dangerously_allow_null_origin = true\ncredentials = "flase"'
    [problem] = problems_of(f"{UPSTREAMS}{ROUTE}[routes.cors]\n{lines}\n")
    assert problem.line == 9


def test_all_problems_of_a_policy_are_reported_together() -> None:
    lines = (
        'origins = ["*", "a", "http://b/"]\nmethods = ["get"]\nexpose = ["a b"]\ndangerously_allow_any_origin = true'
    )
    found = problems_of(f"{UPSTREAMS}{ROUTE}[routes.cors]\n{lines}\n")
    assert [problem.line for problem in found] == [8, 8, 8, 9, 10, 11]


def test_more_origins_than_anybody_has_are_refused() -> None:
    origins = ", ".join(f'"http://a{index}.test"' for index in range(MAX_ORIGINS + 1))
    [problem] = problems_of(f"{UPSTREAMS}{ROUTE}cors.origins = [{origins}]\n")
    assert f"at most {MAX_ORIGINS} origins, got {MAX_ORIGINS + 1}" in problem.what
