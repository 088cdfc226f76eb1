"""``[server]`` of the file, or what the environment says of it -> :class:`~devproxy.config.model.Server`.

Pure. Works on a table that ``shape`` has passed, so types are right and defaults are there. Start at
:func:`build_server`.
"""

from __future__ import annotations

from typing import Final

from devproxy.config.addresses import parse_allowed_host, parse_listen, parse_trusted_proxy
from devproxy.config.conflicts import listen_conflicts
from devproxy.config.keys import KEYS, values
from devproxy.config.model import CertificateFiles, Listen, Server
from devproxy.config.problems import Path, Problems
from devproxy.config.shape import Table

MAX_LISTENS: Final = 64
"""Most addresses to listen on."""

MAX_ALLOWED_HOSTS: Final = 200
"""Most Hosts to answer to besides those of this machine."""

MAX_TRUSTED_PROXIES: Final = 200
"""Most proxies and networks whose word about a request counts."""

_DEFAULT_PROXIES: Final = Server().trusted_proxies


def build_server(table: Table, problems: Problems) -> Server:
    """Return what `table`, ``[server]``, states; only worth something where `problems` say nothing of it."""
    written = table.get("listen", KEYS["server.listen"].default)
    is_list = isinstance(written, list)
    listens: list[Listen] = []
    if is_list and not written and not problems.is_bad("server", "listen"):
        problems.at_value(("server", "listen"), "there is no address to listen on", 'write listen = "localhost:8080"')
    if is_list and len(written) > MAX_LISTENS:
        problems.at_value(("server", "listen"), f"at most {MAX_LISTENS} addresses, got {len(written)}")
        written = []
    for index, text in enumerate(written if is_list else [written]):
        path: Path = ("server", "listen", index) if is_list else ("server", "listen")
        listen = problems.read(parse_listen, text, path)
        if listen is not None:
            if conflict := listen_conflicts(listen, listens):
                problems.at_value(path, conflict, "remove one of them")
            listens.append(listen)
    checked = {
        "listen": tuple(listens),
        "allowed_hosts": _allowed_hosts(table.get("allowed_hosts", []), problems),
        "trusted_proxies": problems.read_all(
            parse_trusted_proxy,
            table.get("trusted_proxies", _DEFAULT_PROXIES),
            ("server", "trusted_proxies"),
            most=MAX_TRUSTED_PROXIES,
            noun="proxies",
            help='write a network for many, such as "172.16.0.0/12"',
        ),
        "tls": _tls(table.get("tls", False), problems),
    }
    return Server(**(values(table, "server") | checked))


def _tls(written: bool | Table, problems: Problems) -> bool | CertificateFiles:
    if isinstance(written, bool):
        return written
    path: Path = ("server", "tls")
    missing = [name for name in ("cert", "key") if not written.get(name)]
    for name in missing:
        if not problems.excuses(path, name):
            help = 'write tls = { cert = "certs/dev.pem", key = "certs/dev-key.pem" }, or tls = true'
            problems.at_value(path, f"`tls` names no `{name}`", help)
    return not missing and CertificateFiles(**values(written, "server.tls"))


def _allowed_hosts(written: list[str], problems: Problems) -> tuple[str, ...]:
    path: Path = ("server", "allowed_hosts")
    most, help = MAX_ALLOWED_HOSTS, 'write ".name" for many'
    hosts = problems.read_all(parse_allowed_host, written, path, most=most, noun="hosts", help=help)
    if "*" in hosts and len(hosts) > 1:
        what = '"*" allows every Host, and the others add nothing to it'
        problems.at_value((*path, written.index("*")), what, "remove it, or the others")
    return hosts
