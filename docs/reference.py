"""The documents made from the table of keys: the reference in Markdown and the annotated example.

Text out; :mod:`docs.generate` writes it. Start at :func:`reference` or :func:`example`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from textwrap import wrap
from typing import Any, Final

from devproxy.config.documents import meaning, schema
from devproxy.config.keys import ABSENT, CHILDREN, KEYS, Key, Type
from devproxy.config.overlay import SERVER

_WIDTH: Final = 110


def files() -> dict[str, str]:
    """Return the text of every file made from the keys by its path in the repository."""
    return {
        "config.example.toml": example(),
        "devproxy.schema.json": json.dumps(schema(), indent=2, ensure_ascii=False) + "\n",
        "docs/configuration.md": reference(),
    }


# --- Markdown reference

_INTRODUCTION: Final = """\
# Configuration

<!-- Generated from devproxy/config/model.py by docs/generate.py: change it there. -->

devproxy reads the file that `--config PATH` names, else `devproxy.toml` from the working directory or the nearest
parent that has one. `devproxy check` reports everything that is wrong with it at once, with line and column. For
completion and checks in the editor (Even Better TOML, taplo, tombi), write
`devproxy schema > devproxy.schema.json` and make this the first line:
`#:schema ./devproxy.schema.json`.

```toml
[upstreams]
frontend = "http://localhost:5173"
backend = "http://localhost:3001"

[[routes]]
path = "/socket.io/"
upstream = "backend"

[[routes]]
path = "/"
upstream = "frontend"
```

Times are in seconds (`_s`), sizes in bytes (`_bytes`). A key that has a default can be left out.
[`config.example.toml`](../config.example.toml) shows all of them.
"""

_ENVIRONMENT: Final = """\
## Environment

What is typed on the command line goes first, then the environment, then the file. The environment is read once, when
devproxy starts; a reload keeps it. Whatever is said about a value names where it was said: `devproxy.toml:12`,
`--listen`, `DEVPROXY_SERVER_LISTEN`. `devproxy check` lists the variables that go before the file.

### Variables in the file

`${env:NAME}` in a value is replaced by the variable, `${env:NAME:-default}` by the default where it is not set or
empty. One that is not set and has no default is an error. `$${env:` is a plain `${env:`.

```toml
[server]
listen = "localhost:${env:PORT:-8080}"
drain_s = "${env:DRAIN_S:-3}"

[upstreams]
frontend = "${env:FRONTEND:-5173}"
backend = "${env:BACKEND:-http://localhost:3001}"

[[routes]]
path = "/api/"
upstream = "backend"
headers.request.set = { Authorization = "Bearer ${env:API_TOKEN:-none}" }

[[routes]]
path = "/"
upstream = "frontend"
```

The text of a variable stays one text: it is not read as TOML, and a `${…}` in it means nothing. Where a key takes no
text, it is read as what the key takes: `true` or `false` (also `yes`, `no`, `on`, `off`, `1`, `0`), a number, or a list
with commas. Names of keys and upstreams have no variables, and neither have regular expressions (`path_regex`, and
origins that begin with `regex:`). The placeholders of header values, such as `${host}`, are another matter.

### Variables instead of the file

Each key of `[server]` has a variable, and so has each upstream: `DEVPROXY_UPSTREAMS_BACKEND=3001` sets the servers of
`backend`; its other keys stay as the file has them. Characters of a name other than letters and digits are written `_`.
An upstream that the file does not have is added. Without a file, `DEVPROXY_UPSTREAMS_FRONTEND` and
`DEVPROXY_UPSTREAMS_BACKEND` mean what `--frontend` and `--backend` mean.

A list is written with commas (`a.test,b.test`) or as in TOML (`["a.test", "b.test"]`, `[]` for an empty one), a table
as in TOML. A variable that is empty counts as not set. A `DEVPROXY_…` that means nothing is a warning; those that
Kubernetes sets for a service called `devproxy` (`DEVPROXY_SERVICE_HOST`, `DEVPROXY_PORT=tcp://…`) are recognised.
"""

_HEAD_OF_VARIABLES: Final = "\n| variable | type | key of `[server]` |\n| --- | --- | --- |\n"

_AFTER: Final = """
`DEVPROXY_CONFIG` names the file, unless `--config` does.

### `--env-file`

`--env-file .env` reads more variables from a file; given several times, a later file goes before an earlier one, and
the environment goes before all of them, as docker compose has it. devproxy reads it again when it has changed. The
format is that of docker compose and the dotenv libraries, and nothing in it is run:

```dotenv
# a comment
export PORT=3001               # `export` is allowed
API_TOKEN='as it is: $, #, \\n'
GREETING="two\\nlines"           # \\n \\r \\t \\" \\' \\\\ \\$ in double quotes
URL=http://localhost:${PORT}   # ${NAME} and ${NAME:-default}, except in single quotes
```

A variable that is named there and not set is empty. `NAME` alone takes the value of the environment. Programs that
devproxy starts do not get these variables: name them in `env` of `[run.NAME]`.
"""

_SECTIONS: Final = {
    "server": """\
## `[server]`

How devproxy itself listens.
""",
    "server.tls": """\
### `tls`

Files of your own, written `tls = { cert = "…", key = "…" }`:
""",
    "upstreams.*": """\
## `[upstreams]`

The servers behind devproxy. Short form: `name = "http://localhost:3001"` below `[upstreams]`, or `"localhost:3001"`, or
`3001`, or a list of these. Long form: a table `[upstreams.name]` with these keys, which [Upstreams](upstreams.md)
describes:
""",
    "routes.*": """\
## `[[routes]]`

One table for each route, and in each exactly one of `path`, `path_exact`, `path_glob` and `path_regex`. The query does
not matter. Paths are compared in one plain form: `%61` is `a`, `//` is `/`, and `/x/../` is `/`; characters that a path
must encode stay encoded (`%2F`, `%20`). Patterns are written in that form. The path goes upstream as it came.

The most specific route wins, wherever it is in the file: a host before none, then `path_exact`, `path_regex`,
`path_glob`, `path`, and among those of a kind the longer one, then methods, then more headers: [Routing](routing.md).
Two routes with the same conditions are an error, and so is a route that can never match because of another one.
""",
    "routes.*.cors": """\
## `[routes.cors]`

Which pages of other origins may read what this route answers, and what happens to the upstream's `Access-Control-*`
headers. `cors = "strip"` is short for `cors = { mode = "strip" }`.

A page that is served through devproxy shares its origin and needs none of this. If nothing is written, every page of
this machine is allowed, with cookies, on any port, and no other page: a wildcard, or any origin with credentials, is
refused when the file is read, unless the keys that begin with `dangerously_` allow it. [CORS](cors.md) shows what each
mode does to a response, [Host and Origin checks](security.md) what `origins` means for requests and WebSockets.
""",
    "routes.*.cookies": """\
## `[routes.cookies]`

What happens to `Set-Cookie`: [Cookies](cookies.md).
""",
    "routes.*.headers.request": """\
## `[routes.headers]`

Two tables of edits, `request` (towards the upstream) and `response` (towards the browser), each with these keys. Host,
Origin and the fields that frame a message cannot be edited here. In values, these placeholders are replaced:
`${upstream.host}`, `${upstream.port}`, `${upstream.url}`, `${client.address}`, `${host}`, `${scheme}`; `$${` is a plain
`${`.
""",
    "routes.*.fault": """\
## `[routes.fault]`

Trouble made on purpose, to see how an application bears it. `devproxy up` says on which routes. All at the default:
none.
""",
    "run.*": """\
## `[run]`

The programs that `devproxy up` starts with itself and ends with itself. Short form: `name = "command"` below `[run]`.
Long form: a table `[run.name]` with these keys, which [Running programs](running.md) describes:
""",
    "inspector": """\
## `[inspector]`

The page at `/__devproxy/` that shows what happens, and what is kept for it.
""",
}
"""What precedes the keys of a table, by the table's path."""


def reference() -> str:
    """Return the reference of all keys in Markdown."""
    parts = [_INTRODUCTION]
    for path, text in _SECTIONS.items():
        rows = "".join(_row(key) for key in _leaves(path))
        parts.append(f"\n{text}\n{_HEAD}{rows}")
    return "".join((*parts, "\n", _ENVIRONMENT, _HEAD_OF_VARIABLES, *map(_variable_row, SERVER.items()), _AFTER))


def _variable_row(pair: tuple[str, Key]) -> str:
    name, key = pair
    return f"| `{name}` | {_cell(_type_text(key))} | `{key.path.removeprefix('server.')}` |\n"


_HEAD: Final = "| key | type | default | meaning |\n| --- | --- | --- | --- |\n"


def _leaves(path: str) -> Iterator[Key]:
    return (key for key in CHILDREN[path].values() if not key.is_container or key.default is not ABSENT)


def _row(key: Key) -> str:
    if key.default is not ABSENT:
        default = f"`{toml(key.default)}`"
    else:
        default = "required" if key.required else ""
        default += f", or `{key.instead}`" if key.instead else ""
    example = f" For example `{key.example}`." if key.example else ""
    words = meaning(key)
    if Type.MAP in key.types and f"{key.path}.*" in KEYS:
        words += f" {meaning(KEYS[f'{key.path}.*'])}"
    return f"| `{key.name}` | {_cell(_type_text(key))} | {_cell(default)} | {_cell(words + example)} |\n"


def _type_text(key: Key) -> str:
    if key.choices and not key.is_container and Type.TABLE not in key.types:
        booleans = ["`true`", "`false`"] if Type.BOOLEAN in key.types else []
        return ", ".join([*(f"`{toml(choice)}`" for choice in key.choices if choice not in _BOOLEANS), *booleans])
    names = [kind.value.removeprefix("a ").removeprefix("an ") for kind in key.types]
    bounds = "" if key.maximum is None else f", {key.minimum or 0:.0f} to {key.maximum:.0f}"
    return " or ".join(names) + bounds


_BOOLEANS: Final = ("true", "false")
"""Strings that mean the same as what is written without quotes, which is what documents show."""


def _readable(path: str) -> str:
    return path.replace("upstreams.*", "upstreams.NAME").replace("routes.*", "routes").replace("run.*", "run.NAME")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


# --- the annotated example

_OPENING: Final = """\
#:schema ./devproxy.schema.json
## Every key of devproxy.toml with its default. A key behind a single number sign has no default, or is not available
## yet. Generated from devproxy/config/model.py by docs/generate.py.
"""

_ROUTE_VALUES: Final = {"path": "/socket.io/", "upstream": "backend"}
_OTHER_ROUTES: Final = """
[[routes]]
path = "/api/"
upstream = "backend"

[[routes]]
path = "/"
upstream = "frontend"
"""


def example() -> str:
    """Return an annotated ``devproxy.toml`` that loads, with every key at its default."""
    lines = [_OPENING.rstrip("\n"), ""]
    lines += [*_comment(meaning(KEYS["server"])), "[server]", *_section("server", {}), ""]
    lines += [*_comment(meaning(KEYS["upstreams"])), "[upstreams]"]
    lines += [*_comment(meaning(KEYS["upstreams.*"])), 'frontend = "http://localhost:5173"', ""]
    lines += ["[upstreams.backend]", *_section("upstreams.*", {"servers": ["http://localhost:3001"]}), ""]
    lines += [*_comment(meaning(KEYS["routes"])), *_comment(meaning(KEYS["routes.*"])), "[[routes]]"]
    lines += _section("routes.*", _ROUTE_VALUES)
    lines += _subtables("routes.*", "routes")
    after = ["", *_comment(meaning(KEYS["inspector"])), "[inspector]", *_section("inspector", {}), ""]
    # Not for those who start devproxy with this file as it is: that would start the program.
    after += [*_comment(meaning(KEYS["run"])), "# [run.frontend]"]
    after += [line if line.startswith("#") else f"# {line}" for line in _section("run.*", {"command": "npm run dev"})]
    return "\n".join(lines) + "\n" + _OTHER_ROUTES + "\n".join(after) + "\n"


def _section(path: str, values: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of the keys directly below `path`, tables left out."""
    for key in CHILDREN[path].values():
        if Type.TABLE in key.types and key.default is ABSENT:
            continue
        yield from _comment(meaning(key))
        if key.name in values:
            yield f"{key.name} = {toml(values[key.name])}"
        elif key.default is ABSENT:
            yield f"# {key.name} = {key.example}"
        else:
            yield f"{key.name} = {toml(key.default)}"


def _subtables(path: str, heading: str) -> Iterator[str]:
    for key in CHILDREN[path].values():
        if Type.TABLE not in key.types or key.default is not ABSENT:
            continue
        lines = list(_section(key.path, {}))
        name = f"{heading}.{key.name}"
        if lines:
            yield from ("", *_comment(meaning(key)), f"[{name}]", *lines)
        yield from _subtables(key.path, name)


def _comment(text: str) -> list[str]:
    # Two number signs: what follows one and a blank can be uncommented and is TOML.
    return wrap(text, _WIDTH, initial_indent="## ", subsequent_indent="## ", break_on_hyphens=False)


def toml(value: Any) -> str:
    """Return `value` as TOML on one line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return f"[{', '.join(toml(item) for item in value)}]"
    if isinstance(value, dict):
        pairs = ", ".join(f"{name} = {toml(item)}" for name, item in value.items())
        return f"{{ {pairs} }}" if pairs else "{}"
    if isinstance(value, float) and abs(value) >= 1e15:
        return f"{value:.0f}"
    return str(value)
