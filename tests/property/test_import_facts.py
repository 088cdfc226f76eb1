"""Whatever the facts of a configuration are: a draft that loads, or words on why there is none."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from devproxy.config import load
from devproxy.config.drafts import Draft, text_of
from devproxy.importing import angular, caddy, compose, cra, next, nginx, vite, webpack
from devproxy.importing.asked import Failed
from hypothesis import given, settings
from hypothesis import strategies as st

TEXTS = st.sampled_from(
    [
        *(
            "/",
            "/api",
            "/api/",
            "^/v[0-9]+/",
            "^/(",
            "^/a|^/b",
            "/a/**",
            "!/a/**",
            "/a{b,c}/*",
            "/:path*",
            "/a/:id(\\d+)",
            "",
        ),
        *(
            "http://localhost:3001",
            "https://api.example.com/base/",
            "ws://[::1]:1",
            "http://u:p@h",
            "http://${a}",
            "//x",
        ),
        *(
            "http://h:99999",
            "unix:/run/a.sock",
            "a\nb",
            "\x00",
            "\u202e",
            "]]",
            "a" * 3000,
            "localhost:1",
            "*",
            "{x}",
            "$host",
        ),
    ]
) | st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
SCALARS = TEXTS | st.integers(-1, 70000) | st.booleans() | st.none() | st.floats(allow_nan=False, allow_infinity=False)
CODE = st.builds(lambda text: {"$code": text}, TEXTS)
VALUES = st.recursive(
    SCALARS | CODE, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=6
)
OPTION_NAMES = (
    "target changeOrigin ws secure headers cookieDomainRewrite rewriteWsOrigin proxyTimeout ignorePath prependPath"
    " bypass router agent auth followRedirects on onProxyReq unheardOf pathRewrite"
).split()
OPTIONS = st.dictionaries(st.sampled_from(OPTION_NAMES), VALUES, max_size=5).flatmap(
    lambda options: TEXTS.map(lambda target: {"target": target} | options)
)
PROBES = st.none() | st.lists(st.tuples(TEXTS, TEXTS | st.none()).map(list), max_size=4)
SERVER = {"port": 8080, "host": "", "https": True}


def loads(draft: Draft) -> None:
    text = text_of(draft)
    if draft.routes:
        load(text.encode(), source="devproxy.toml")
    else:
        assert all(
            line.startswith("#") or not line or "=" in line or line.startswith("[server]") for line in text.split("\n")
        )


ENTRIES = st.lists(
    st.fixed_dictionaries({"key": TEXTS, "options": OPTIONS, "probes": PROBES, "isGlob": st.booleans()}), max_size=5
)


@settings(max_examples=50)
@given(ENTRIES)
def test_entries_of_vite_and_angular(entries: list[dict[str, Any]]) -> None:
    with suppress(Failed):
        loads(vite.draft({"version": "8", "file": "", "server": SERVER, "entries": entries}))
    with suppress(Failed):
        loads(angular.draft({"version": "8", "file": "", "server": SERVER, "entries": entries, "kind": "vite"}))


MIDDLEWARE = st.fixed_dictionaries(
    {
        "filter": VALUES,
        "mount": TEXTS,
        "strips": st.booleans(),
        "options": OPTIONS,
        "probes": PROBES,
        "upgrades": PROBES,
    },
    optional={"code": CODE},
)


@settings(max_examples=50)
@given(st.lists(MIDDLEWARE, max_size=4), VALUES)
def test_entries_of_http_proxy_middleware(entries: list[dict[str, Any]], proxy: Any) -> None:
    with suppress(Failed):
        loads(cra.draft({"proxy": proxy, "server": SERVER, "socket": "/ws", "entries": entries}))
    with suppress(Failed):
        facts = {"version": "5", "file": "f", "server": SERVER, "socket": "/ws", "entries": entries, "hooks": {}}
        loads(webpack.draft(facts))


REWRITES = st.lists(
    st.fixed_dictionaries(
        {"source": TEXTS, "destination": TEXTS},
        optional={"has": st.lists(st.fixed_dictionaries({"type": TEXTS}, optional={"key": VALUES, "value": VALUES}))},
    ),
    max_size=4,
)


@settings(max_examples=40)
@given(REWRITES, REWRITES, st.lists(TEXTS, max_size=3))
def test_rewrites_of_next(before: list[Any], after: list[Any], own: list[str]) -> None:
    facts = {
        "version": "16",
        "file": "f",
        "server": SERVER,
        "basePath": "",
        "locales": [],
        "public": [],
        "headers": before,
    }
    facts |= {"before": before, "after": after, "fallback": after, "redirects": before, "own": own, "middleware": ""}
    with suppress(Failed):
        loads(next.draft(facts))


NAMES = (
    "location server upstream proxy_pass proxy_set_header rewrite return root try_files if add_header server_name"
    " listen proxy_cookie_domain proxy_ssl_verify ip_hash http"
).split()
DIRECTIVES: Any = st.recursive(
    st.fixed_dictionaries(
        {"directive": st.sampled_from(NAMES), "args": st.lists(TEXTS, max_size=3), "line": st.just(1)}
    ),
    lambda inner: st.fixed_dictionaries(
        {
            "directive": st.sampled_from(["http", "server", "location", "upstream"]),
            "args": st.lists(TEXTS, max_size=2),
            "line": st.just(2),
            "block": st.lists(inner, max_size=4),
        }
    ),
    max_leaves=14,
)


@settings(max_examples=50)
@given(st.lists(DIRECTIVES, max_size=4))
def test_directives_of_nginx(parsed: list[Any]) -> None:
    with suppress(Failed):
        loads(nginx.draft({"file": "nginx.conf", "parsed": parsed}))


KEYS = st.sampled_from("handle handler match path host routes upstreams dial headers request set rewrite uri".split())
NESTED = st.recursive(
    SCALARS | st.sampled_from(["reverse_proxy", "subroute", "rewrite", "headers", "file_server"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=10,
)


@settings(max_examples=50)
@given(st.lists(st.fixed_dictionaries({"handle": NESTED}, optional={"match": NESTED}) | NESTED, max_size=3))
def test_routes_of_caddy(routes: list[Any]) -> None:
    with suppress(Failed):
        loads(caddy.draft({"file": "f", "config": {"apps": {"http": {"servers": {"srv0": {"routes": routes}}}}}}))


@settings(max_examples=40)
@given(
    st.dictionaries(TEXTS, st.dictionaries(st.sampled_from(["image", "ports", "build", "expose"]), VALUES), max_size=4)
)
def test_services_of_a_compose_file(services: Any) -> None:
    with suppress(Failed):
        loads(compose.draft({"file": "compose.yaml", "document": {"services": services}}))
