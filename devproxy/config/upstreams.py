"""The upstreams of the file -> :class:`~devproxy.config.model.Upstream`: all that the text alone can tell of them.

Pure: whether the files that they name are there is not known here. Works on tables that ``shape`` has passed, so types
are right and defaults are there. Start at :func:`build_upstreams`.
"""

from __future__ import annotations

from typing import Final

from devproxy.config.addresses import parse_proxy, parse_server
from devproxy.config.keys import KEYS, values
from devproxy.config.model import SYSTEM, Scheme, ServerAddress, Upstream
from devproxy.config.problems import Path, Problems, key_text
from devproxy.config.shape import Table
from devproxy.text.bad import BadText
from devproxy.text.safe import has_control, quoted

MAX_AUTHORITIES: Final = 32
"""Most files and folders of authorities that one upstream trusts."""

Written = str | int | list[str | int]
"""How the servers of an upstream are written: see :func:`devproxy.config.addresses.parse_server`, or a list."""

_NO_UPSTREAMS: Final = 'write [upstreams] and below it: backend = "http://localhost:3001"'


def build_upstreams(table: Table, problems: Problems) -> tuple[Upstream, ...]:
    """Return the upstreams of the document `table`; only worth something where `problems` say nothing of them."""
    written = table.get("upstreams", {})
    are_bad = any(path[:1] == ("upstreams",) for path in problems.bad)
    if not written and not are_bad and not problems.excuses((), "upstreams"):
        problems.at_key((), "there is no upstream: nowhere to forward to", _NO_UPSTREAMS)
    result = []
    for name, value in written.items():
        path: Path = ("upstreams", name)
        if not name or has_control(name):
            problems.at_key(path, f"{quoted(name)} is not a name for an upstream", "letters, digits and hyphens")
        result.append(_upstream(name, value, path, problems))
    return tuple(result)


def _upstream(name: str, value: Written | Table, path: Path, problems: Problems) -> Upstream:
    if not isinstance(value, dict):
        return Upstream(name=name, servers=_servers(name, value, path, problems))
    place = (*path, "servers")
    written: Written = value.get("servers", [])
    if value.get("recording"):
        servers = _recorded(value, path, problems)
    else:
        servers = _servers(name, written, place, problems)
    _check_tls(value, path, problems)
    checked = {
        "tls_ca": _trusted(value.get("tls_ca", SYSTEM), (*path, "tls_ca"), problems),
        "proxy": None if "proxy" not in value else problems.read(parse_proxy, value["proxy"], (*path, "proxy")),
    }
    if "proxy" in value:
        for text, where in _each(written, place):
            problems.read(_check_elsewhere, text, where)
    return Upstream(name=name, servers=servers, **(values(value, "upstreams.*") | checked))


_FOR_SERVERS: Final = ("servers", "proxy", "tls_cert", "tls_key", "tls_ca", "tls_verify", "sticky")
"""Keys that say something to servers alone."""


def _recorded(value: Table, path: Path, problems: Problems) -> tuple[ServerAddress, ...]:
    """Return what stands for the server where a recording answers, which `value` names."""
    file = value["recording"]
    for name in _FOR_SERVERS:
        if name in value and value[name] != KEYS[f"upstreams.*.{name}"].default:
            what = f"`{name}` says nothing to a recording, which is no server"
            problems.at_key((*path, name), what, "remove it, or `recording`")
    if has_control(file):
        help = 'for example recording = "session.har"'
        problems.at_value((*path, "recording"), "this is not the name of a file", help)
    return (ServerAddress(scheme=Scheme.RECORDING, host="localhost", port=0, url=f"recording:{file}", path=file),)


def _servers(name: str, written: Written, path: Path, problems: Problems) -> tuple[ServerAddress, ...]:
    """Return the servers that `written` at `path` names: one, or a list of them."""
    if written == [] and not problems.excuses(path[:2], "servers") and not problems.is_bad(*path):
        help = f'write servers = ["http://localhost:3001"] below [upstreams.{key_text(name)}]'
        problems.at_key(path[:2], f"the upstream {quoted(name)} has no server", help)
    servers: dict[ServerAddress, None] = {}
    for text, where in _each(written, path):
        server = problems.read(parse_server, text, where)
        if server in servers:
            problems.at_value(where, f"{quoted(server.url)} is listed twice", "remove one of them")
        if server is not None:
            servers[server] = None
    return tuple(servers)


def _each(written: Written, path: Path) -> list[tuple[str | int, Path]]:
    """Return each server of what is at `path`, with its own path."""
    if not isinstance(written, list):
        return [(written, path)]
    return [(one, (*path, index)) for index, one in enumerate(written)]


def _check_elsewhere(url: str | int) -> None:
    """Raise :class:`BadText` if the server at `url` is on this machine, where no proxy leads. What is no URL passes."""
    from devproxy.authority.networks import is_loopback  # few configurations name a proxy

    try:
        server = parse_server(url)
    except BadText:
        return
    if not server.has_port or is_loopback(server.host) or server.host in ("0.0.0.0", "::"):
        what = f"{quoted(server.url)} is on this machine, and `proxy` would look for it on another"
        raise BadText(what, "give it an upstream of its own, without `proxy`")


def _trusted(written: str | list[str], path: Path, problems: Problems) -> tuple[str, ...]:
    """Return whom an upstream trusts. What its files hold is not known here."""
    help = 'write tls_ca = "system", or name a file of certificates'
    if isinstance(written, str):
        return problems.read_all(_check_path, [written], path, most=MAX_AUTHORITIES, noun="authorities", help=help)
    if not written and not problems.is_bad(*path):
        problems.at_value(path, "`tls_ca` names nothing to trust, so no certificate would be good", help)
    help = "name a folder of files for many"
    return problems.read_all(_check_path, written, path, most=MAX_AUTHORITIES, noun="authorities", help=help)


def _check_path(text: str) -> str:
    if not text or "\0" in text:
        raise BadText("this is not the name of a file", 'for example tls_ca = "certs/ca.pem"')
    return text


def _check_tls(table: Table, path: Path, problems: Problems) -> None:
    if table.get("tls_key") and not table.get("tls_cert") and not problems.excuses(path, "tls_cert"):
        what = "`tls_key` is the key of a certificate, and there is no `tls_cert`"
        problems.at_key((*path, "tls_key"), what, 'add tls_cert = "certs/client.pem"')
    for name in ("tls_cert", "tls_key"):
        if has_control(table.get(name, "")):
            problems.at_value((*path, name), "this is not the name of a file", f'for example {name} = "client.pem"')
