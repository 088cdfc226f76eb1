"""What people read when a proxy on the way to a server gives no connection, or one is known that is not used. Pure.

Start at :func:`words_on_proxy`; :func:`unused_proxy` finds what the environment names for other programs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from devproxy.authority.networks import is_loopback, whereabouts
from devproxy.config.addresses import parse_proxy, without_credentials
from devproxy.config.model import Scheme, ServerAddress
from devproxy.errors import ProxyCause, ProxyFailure
from devproxy.text.bad import BadText
from devproxy.text.safe import visible


class ProxyWords(NamedTuple):
    """``what``: a clause in lower case without a full stop. ``help``: sentences."""

    what: str
    help: str


def words_on_proxy(failure: ProxyFailure, table: str) -> ProxyWords:
    """Return what is to be said of `failure`. `table`: where `proxy` is written, ``[upstreams.backend]``."""
    proxy, reason = f"the proxy {failure.proxy}", failure.reason
    match failure.cause:
        case ProxyCause.UNRESOLVED:
            what = f"the name of {proxy} does not resolve"
            help = f"Correct `proxy` in {table}, or join the network in which that name is known (VPN)."
        case ProxyCause.UNREACHABLE:
            what = f"{proxy} cannot be reached ({reason})"
            help = f"Correct `proxy` in {table}, or join the network in which it is (VPN)."
        case ProxyCause.SILENT:
            what = f"{proxy} opened no connection in time ({reason})"
            help = "Check that the server can be reached from that proxy (`connect_timeout_s`: how long to wait)."
        case ProxyCause.LOGIN_WANTED:
            return _login_wanted(failure, table)
        case ProxyCause.REFUSED:
            what = f"{proxy} does not connect to it: {reason}"
            help = "Its rules may allow some hosts and ports alone, often only 443: ask those who run it."
        case ProxyCause.SERVER_UNREACHABLE:
            what = f"{proxy} cannot reach it: {reason}"
            help = f"Check name and port of the server. If it is reached without a proxy, remove `proxy` in {table}."
        case ProxyCause.CLOSED:
            what = f"{proxy} failed: {reason}"
            help = f"Check that `proxy` in {table} is the address of an HTTP proxy, and look at its own log."
        case ProxyCause.BAD_ANSWER:
            what = f"what {proxy} answered is not an answer of a proxy: {reason}"
            help = f"Check that `proxy` in {table} is the address of an HTTP proxy: SOCKS is not supported."
    return ProxyWords(what, help)


def _login_wanted(failure: ProxyFailure, table: str) -> ProxyWords:
    has_credentials = "@" in failure.proxy
    if failure.schemes and "basic" not in failure.schemes:
        what = (
            f"the proxy {failure.proxy} wants a login by {' or '.join(failure.schemes)}, and devproxy can only do basic"
        )
        help = f"Run a proxy on this machine that logs in there (cntlm, px), and name it as `proxy` in {table}."
    elif has_credentials:
        what = f"the proxy {failure.proxy} does not accept the user and password of `proxy` ({failure.reason})"
        help = f"Correct them in {table}; special characters are percent-encoded (%40 for @)."
    else:
        host = failure.proxy.removeprefix("http://")
        what = f"the proxy {failure.proxy} wants to know who asks ({failure.reason})"
        help = f'Write user and password in {table}: `proxy = "http://USER:PASSWORD@{host}"`.'
    return ProxyWords(what, help)


class UnusedProxy(NamedTuple):
    """A proxy that the environment names, for other programs. ``variable``: its name there.

    ``line``: what to write to use it, without credentials; empty where devproxy cannot. ``reason``: why not.
    ``is_far``: the server has a public name, so that a firewall may be in between.
    """

    variable: str
    line: str
    reason: str = ""
    is_far: bool = False


_VARIABLES: Final = ("https_proxy", "http_proxy", "all_proxy")
"""In which curl and others look for a proxy, in either case; the first is that of an ``https`` server."""


def unused_proxy(server: ServerAddress, environment: Mapping[str, str]) -> UnusedProxy | None:
    """Return the proxy by which other programs would ask `server`; None where there is none.

    Not for what is on this machine, nor for what ``NO_PROXY`` leaves out (names, and those below them).
    """
    if not server.has_port or is_loopback(server.host):
        return None
    values = {name.lower(): (name, value.strip()) for name, value in environment.items() if value.strip()}
    host = f".{server.host.lower()}"
    for left_out in values.get("no_proxy", ("", ""))[1].lower().split(","):
        name = left_out.strip().lstrip("*.").partition(":")[0]
        if left_out.strip() == "*" or (name and host.endswith(f".{name}")):
            return None
    order = _VARIABLES if server.scheme is Scheme.HTTPS else (_VARIABLES[1], _VARIABLES[0], _VARIABLES[2])
    variable, value = next((values[name] for name in order if name in values), ("", ""))
    if not variable:
        return None
    return _unused(variable, value)._replace(is_far=whereabouts(server.host).is_public)


def _unused(variable: str, value: str) -> UnusedProxy:
    url = value if "://" in value else f"http://{value}"
    try:
        proxy = parse_proxy(url)
    except BadText as bad:
        return UnusedProxy(variable, "", f"{visible(without_credentials(bad.what))}; {bad.help}".rstrip("; "))
    shown = proxy.url.replace("…@", "USER:PASSWORD@")
    return UnusedProxy(variable, f'proxy = "{shown}"')


def advice_on_unused(unused: UnusedProxy, table: str) -> str:
    """Return what to say of a server that is not reached where the environment names a proxy."""
    what = (
        f"`{unused.variable}` is set, so it may be reached by that proxy alone. devproxy does not use it automatically"
    )
    if not unused.line:
        return f"{what}, and cannot: {unused.reason}."
    return f"{what}: write `{unused.line}` in {table}."
