"""What is around devproxy on this machine, and what of it is wrong: values and their judgement, without I/O.

Start at :func:`judge`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from devproxy.console.style import Style
from devproxy.console.text import padded
from devproxy.policy.folders import is_within
from devproxy.text.safe import visible

OK: Final = "ok"
WARNING: Final = "warning"
PROBLEM: Final = "problem"
NOT_CHECKED: Final = "not checked"
FEW_FILES: Final = 4096
"""Open files that a process should be allowed: every exchange and every WebSocket needs two."""


class Upstream(NamedTuple):
    """A server of an upstream. ``failure``: why it could not be reached, empty if it was. ``holder``: who listens on
    its port, on this machine: name and process id; ``folder``: where that process was started.
    """

    name: str
    url: str
    failure: str = ""
    holder: str = ""
    folder: str = ""


class Named(NamedTuple):
    """A name by which devproxy may be asked. ``addresses``: what it resolves to; ``is_here``: they are this "
    "machine's."""

    name: str
    where: str
    addresses: tuple[str, ...] = ()
    is_here: bool = False


class Server(NamedTuple):
    """A devproxy that runs. ``is_ours``: it has this configuration; ``is_current``: as it is written now."""

    pid: int
    urls: tuple[str, ...]
    folder: str
    source: str
    is_ours: bool = False
    is_current: bool = False


class Surroundings(NamedTuple):
    """What was found. ``source``: the configuration, and ``fault`` what is wrong with it; ``notices``: what is odd.

    ``project``: the folder of the configuration. ``first_on_path``: the ``devproxy`` that a shell starts, ``own``: the
    one that runs. ``behind_s``: by how much the clock is behind the files of devproxy itself. ``open_files``: how many
    a process may have. ``distrust``: what does not trust the certificates, where HTTPS is on, and what to do.
    """

    source: str = ""
    fault: str = ""
    notices: tuple[str, ...] = ()
    project: str = ""
    upstreams: tuple[Upstream, ...] = ()
    names: tuple[Named, ...] = ()
    servers: tuple[Server, ...] = ()
    first_on_path: str = ""
    own: str = ""
    in_container: bool = False
    has_ipv6: bool = True
    behind_s: float = 0.0
    open_files: int = 0
    has_tls: bool = False
    distrust: tuple[str, str] = ("", "")


class Finding(NamedTuple):
    """One thing that was looked at. ``help``: what to do about it, empty for nothing."""

    name: str
    result: str
    why: str
    help: str = ""


def judge(found: Surroundings) -> tuple[Finding, ...]:
    """Return what is right and what is wrong, in the order in which one depends on the other."""
    return (
        *_configuration(found),
        *(_upstream(each, found.project) for each in found.upstreams),
        *(_name(each) for each in found.names),
        _running(found),
        _path(found),
        Finding("container", OK, "yes: localhost is not the machine outside" if found.in_container else "no"),
        Finding("IPv6", OK, "there")
        if found.has_ipv6
        else Finding("IPv6", WARNING, "::1 cannot be listened on", "servers on ::1 alone cannot be reached from here"),
        Finding("clock", OK, "plausible")
        if found.behind_s <= 0
        else Finding(
            "clock", PROBLEM, f"{found.behind_s / 86400:.1f} days behind", "set it: certificates depend on it"
        ),
        _files(found.open_files),
        _trust(found),
        Finding(
            "service workers",
            NOT_CHECKED,
            "another project's may own a port that both use; that cannot be seen from here, only in the browser",
        ),
    )


def _clock(behind_s: float) -> Finding:
    if behind_s <= 0:
        return Finding("clock", OK, "plausible")
    why = f"at least {behind_s / 86400:.1f} days behind"
    return Finding("clock", PROBLEM, why, "set it: certificates and cookies depend on it")


def _configuration(found: Surroundings) -> tuple[Finding, ...]:
    name = "configuration"
    if found.fault:
        return (
            Finding(name, PROBLEM, f"{found.source}: {found.fault}", "devproxy check says where and what to write"),
        )
    if not found.source:
        help = "devproxy up --frontend 5173 --backend 3001 needs none"
        return (Finding(name, NOT_CHECKED, "there is no devproxy.toml here or above", help),)
    warnings = tuple(Finding(name, WARNING, notice) for notice in found.notices)
    return (Finding(name, OK, found.source), *warnings)


def _upstream(upstream: Upstream, project: str) -> Finding:
    name = f"upstream {upstream.name}"
    who = f", answered by {upstream.holder}" if upstream.holder else ""
    place = f" in {upstream.folder}" if upstream.folder else ""
    if upstream.failure:
        return Finding(name, PROBLEM, f"{upstream.url}: {upstream.failure}", "start that server")
    if upstream.folder and project and not is_within(upstream.folder, project):
        why = f"{upstream.url}{who}{place}, which is outside this project ({project})"
        return Finding(name, WARNING, why, "another project's server, or another worktree's, may have this port")
    return Finding(name, OK, f"{upstream.url}{who}{place}")


def _name(named: Named) -> Finding:
    name = f"name {named.name}"
    if named.is_here:
        return Finding(name, OK, f"{', '.join(named.addresses)}: this machine")
    if not named.addresses:
        why = f"it does not resolve ({named.where})"
    else:
        why = f"it resolves to {', '.join(named.addresses)}, which is not this machine ({named.where})"
    return Finding(name, WARNING, why, f"in /etc/hosts:  127.0.0.1 {named.name}")


def _running(found: Surroundings) -> Finding:
    name = "running devproxy"
    ours = [server for server in found.servers if server.is_ours]
    if not found.servers:
        return Finding(name, OK, "none")
    if ours:
        server = ours[0]
        where = f"{', '.join(server.urls)} (pid {server.pid})"
        if server.is_current:
            return Finding(name, OK, f"{where} has this configuration")
        help = "its terminal says why the file that is there now was not taken"
        return Finding(name, WARNING, f"{where} has an older text of this configuration", help)
    server = found.servers[0]
    where = f"{', '.join(server.urls)} (pid {server.pid}), {server.source}, in {server.folder}"
    if not found.source:
        return Finding(name, OK, where)
    return Finding(name, WARNING, f"none has this configuration; there is {where}", "devproxy up starts one with it")


def _path(found: Surroundings) -> Finding:
    name = "PATH"
    if not found.first_on_path:
        return Finding(name, OK, f"no devproxy on it; this one is {found.own}")
    if found.first_on_path == found.own:
        return Finding(name, OK, found.own)
    why = f"a shell starts {found.first_on_path}, and this is {found.own}"
    return Finding(name, WARNING, why, "the name devproxy on the package index is another project's: remove that one")


def _files(number: int) -> Finding:
    if not number:
        return Finding("open files", NOT_CHECKED, "the system does not tell")
    if number < FEW_FILES:
        why = f"a process may open {number}, and every request needs two"
        return Finding("open files", WARNING, why, f"ulimit -n {FEW_FILES}")
    return Finding("open files", OK, f"up to {number}")


def _trust(found: Surroundings) -> Finding:
    name = "certificates"
    if not found.has_tls:
        return Finding(name, NOT_CHECKED, "HTTPS is off")
    what, help = found.distrust
    return Finding(name, WARNING, what, help) if what else Finding(name, OK, "trusted on this machine")


def document_around(found: Surroundings, findings: Sequence[Finding]) -> dict[str, object]:
    """Return what ``--json`` prints."""
    return {"configuration": found.source or None, "checked": [finding._asdict() for finding in findings]}


def lines_around(findings: Sequence[Finding], style: Style) -> Iterator[str]:
    """Give the report for people, line by line."""
    signs = {
        OK: style.green("✓" if style.glyphs.cross == "✗" else "+"),
        WARNING: style.yellow("!"),
        PROBLEM: style.red(style.glyphs.cross),
        NOT_CHECKED: style.dim("-"),
    }
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        why = visible(finding.why)
        yield f"{signs[finding.result]} {padded(visible(finding.name), width)}  {why}"
        if finding.help:
            yield f"  {' ' * width}  {style.cyan('help:')} {visible(finding.help)}"
