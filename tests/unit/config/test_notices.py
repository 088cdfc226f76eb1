"""What is allowed but deserves a word."""

from __future__ import annotations

import pytest
from devproxy.config import from_arguments, load, warnings
from tests.support.configuration import ROUTE, UPSTREAMS


def said(lines: str, top: str = "") -> tuple[str, ...]:
    """What is said about a file whose only route ends with `lines`; `top` stands before everything."""
    text = f'{top}[upstreams]\nbackend = "http://localhost:3001"\n{ROUTE}{lines}\n'
    return warnings(load(text.encode(), source="x"))


@pytest.mark.parametrize("listen", ["8080", "127.0.0.1:8080", "[::1]:8080", "app.localhost:8080"])
def test_loopback_is_nothing_to_mention(listen: str) -> None:
    assert warnings(from_arguments(frontend="5173", backend=None, backend_paths=[], listen=[listen])) == ()


@pytest.mark.parametrize(
    ("listen", "where"),
    [(":8080", "every address (:8080)"), ("0.0.0.0:8080", "0.0.0.0:8080"), ("192.168.1.2:8080", "192.168.1.2:8080")],
)
def test_an_address_that_others_reach_is_mentioned_with_what_to_write(listen: str, where: str) -> None:
    [warning] = warnings(from_arguments(frontend="5173", backend=None, backend_paths=[], listen=[listen]))
    assert f"listening on {where}" in warning
    assert 'listen = "localhost:8080"' in warning


def test_an_upstream_that_no_route_names_is_mentioned() -> None:
    [warning] = warnings(load((UPSTREAMS + ROUTE).encode(), source="x"))
    assert 'no route goes to the upstream "frontend"' in warning


@pytest.mark.parametrize(
    ("listen", "server"), [("8080", "8080"), (":8080", "127.0.0.1:8080"), ("[::1]:80", "http://[::1]")]
)
def test_an_upstream_that_is_devproxy_itself_is_mentioned(listen: str, server: str) -> None:
    config = from_arguments(frontend=server, backend=None, backend_paths=[], listen=[listen])
    assert any("requests would loop" in warning for warning in warnings(config))


@pytest.mark.parametrize("server", ["8081", "unix:/run/app.sock", "http://api.test:8080"])
def test_an_upstream_elsewhere_is_not(server: str) -> None:
    assert warnings(from_arguments(frontend=server, backend=None, backend_paths=[], listen=["8080"])) == ()


@pytest.mark.parametrize(
    "lines",
    [
        "",
        'cors = "strip"',
        'cors = "passthrough"',
        'cors = { mode = "strip", origins = ["http://a.test"] }',
        'cors = { mode = "fix", expose = ["ETag"], methods = ["GET"], max_age_s = 7200 }',
        "cors = { origins = [], credentials = false }",
    ],
)
def test_an_ordinary_policy_is_nothing_to_mention(lines: str) -> None:
    assert said(lines) == ()


@pytest.mark.parametrize("key", ["dangerously_allow_any_origin", "dangerously_allow_null_origin"])
def test_a_route_for_any_web_site_is_mentioned_with_what_may_go_with_it(key: str) -> None:
    [without] = said(f"cors = {{ {key} = true, credentials = false }}")
    assert f"the route / has {key}: any web site can use it." in without
    assert "cors.origins" in without
    [with_cookies] = said(f"cors = {{ {key} = true, dangerously_with_credentials = true }}")
    assert "any web site can use it, with your cookies." in with_cookies


def test_a_route_for_any_web_site_that_others_reach_too_says_so() -> None:
    lines = "cors = { dangerously_allow_any_origin = true, credentials = false }"
    listening, dangerous = said(lines, '[server]\nlisten = ":8080"\n')
    assert "listening on every address" in listening
    assert "Others on the network can reach it too." in dangerous


def test_the_second_key_alone_is_mentioned_as_idle() -> None:
    [warning] = said("cors = { dangerously_with_credentials = true }")
    assert "dangerously_with_credentials has no effect on the route /" in warning


def test_a_route_without_guard_is_mentioned() -> None:
    [warning] = said("guard = false")
    assert warning.startswith("x:6: guard = false on the route /: every web site that you visit can send it requests")
    assert "cors.origins" in warning


def test_a_route_for_everything_that_takes_forms_is_mentioned() -> None:
    [warning] = said('form_post = ["https://login.example"]')
    assert warning.startswith("x:6: form_post on the route /: browsers hide the origin of an https page")
    assert "path_exact" in warning
    assert said('form_post = ["http://login.example"]') == ()
    assert said('guard = true\nform_post = ["null"]') != ()


def test_any_host_is_mentioned() -> None:
    [warning] = said("", '[server]\nallowed_hosts = ["*"]\n')
    assert "DNS rebinding" in warning


def test_a_longer_memory_than_chromium_has_is_mentioned() -> None:
    [warning] = said("cors = { max_age_s = 7201 }")
    assert "Chromium remembers preflights for at most 7200 s" in warning


@pytest.mark.parametrize("mode", ["strip", "passthrough"])
def test_keys_that_the_mode_makes_no_use_of_are_named(mode: str) -> None:
    [several] = said(f'cors = {{ mode = "{mode}", expose = ["ETag"], max_age_s = 5 }}')
    assert several.startswith(
        f'x:6: cors.expose and cors.max_age_s have no effect on the route /: with mode = "{mode}"'
    )
    [one] = said(f'cors = {{ mode = "{mode}", credentials = false }}')
    assert one.startswith("x:6: cors.credentials has no effect")


@pytest.mark.parametrize("edit", ["set", "add"])
def test_a_header_edit_that_goes_past_the_policy_is_mentioned(edit: str) -> None:
    line = f'headers.response.{edit} = {{ "access-control-allow-Origin" = "*", X-A = "1" }}'
    [warning] = said(line)
    assert warning.startswith("x:6: headers.response adds access-control-allow-Origin to what CORS sets on the route /")
    assert "[routes.cors]" in warning
    assert said(f'cors = "passthrough"\n{line}') == ()
    assert said('headers.response.remove = ["Access-Control-Allow-Origin"]') == ()


def test_credentials_that_a_dangerous_key_asks_about_are_not_idle() -> None:
    [only] = said('cors = { mode = "strip", dangerously_allow_null_origin = true, credentials = false }')
    assert "any web site can use it" in only


def test_a_cookie_that_keeps_clients_at_the_only_server_is_mentioned() -> None:
    text = f'[upstreams.backend]\nservers = ["http://a"]\nsticky = "cookie"\n{ROUTE}'
    [warning] = warnings(load(text.encode(), source="x"))
    assert 'sticky = "cookie" has no effect on the upstream "backend": it has only one server.' in warning
    several = text.replace('["http://a"]', '["http://a", "http://b"]')
    assert warnings(load(several.encode(), source="x")) == ()


def test_sessions_of_one_server_are_kept_without_a_word() -> None:
    text = f'[upstreams.backend]\nservers = ["http://a"]\nsticky = "socketio"\n{ROUTE}'
    assert warnings(load(text.encode(), source="x")) == ()


def test_sentences_are_safe_to_print() -> None:
    [only] = said('guard = false\nmatch_headers = { X-A = "\\u202e" }')
    assert only.isprintable()


@pytest.mark.parametrize(
    ("line", "taken", "meant"),
    [
        ('path = "/api/*"', "*", 'path = "/api/"'),
        ('path = "/api/**"', "**", 'path = "/api/"'),
        ('path = "/*"', "*", 'path = "/"'),
        ('path = "/users/:id/posts"', ":id", 'path_glob = "/users/*/posts/**"'),
        ('path_exact = "/users/:id"', ":id", 'path_glob = "/users/*"'),
        ('path_exact = "/*.js"', "*", 'path_glob = "/*.js"'),
        ('path = "/a/*/b/"', "*", 'path_glob = "/a/*/b/**"'),
    ],
)
def test_a_wildcard_in_a_path_that_knows_none_is_mentioned_with_what_to_write(
    line: str, taken: str, meant: str
) -> None:
    text = f'[upstreams]\nbackend = "http://localhost:3001"\n[[routes]]\n{line}\nupstream = "backend"\n'
    [warning] = warnings(load(text.encode(), source="x"))
    assert f"matches `{taken}` literally" in warning
    assert warning.endswith(f"write {meant}.")
    corrected = text.replace(line, meant)
    assert warnings(load(corrected.encode(), source="x")) == ()


@pytest.mark.parametrize("line", ['path = "/a:b"', 'path = "/:1"', 'path_glob = "/a/*"', "path_regex = '/a/.*'"])
def test_what_is_no_wildcard_or_one_where_they_are_known_is_not_mentioned(line: str) -> None:
    text = f'[upstreams]\nbackend = "http://localhost:3001"\n[[routes]]\n{line}\nupstream = "backend"\n'
    assert warnings(load(text.encode(), source="x")) == ()
