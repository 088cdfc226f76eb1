"""Short names for parts of a configuration, as logs, tables and the diff of a reload show them. Pure; printable."""

from __future__ import annotations

from typing import Final

from devproxy.authority.hosts import authority
from devproxy.config.model import Cors, CorsMode, Fault, Listen, PathKind, Route
from devproxy.text.safe import visible

_SHOWN_CONDITIONS: Final = 3


def label(route: Route) -> str:
    """Return a short name of `route`: ``/api/``, ``= /exact (POST)``, ``~ /v[0-9]+ (a.test)``.

    Conditions other than the path are in brackets: methods, hosts, headers.
    """
    sign = {PathKind.EXACT: "= ", PathKind.REGEX: "~ "}.get(route.kind, "")
    headers = tuple(f"{name}: {value}" for name, value in route.match_headers)
    conditions = "; ".join(_listed(group) for group in (route.methods, route.match_host, headers) if group)
    return visible(f"{sign}{route.pattern}" + (f" ({conditions})" if conditions else ""))


def listen_text(listen: Listen) -> str:
    """Return `listen` as the file writes it: ``localhost:8080``, ``[::1]:8080``, ``:8080``."""
    return visible(authority(listen.host, listen.port))


def cors_text(cors: Cors) -> str:
    """Return the mode of `cors` and, where it matters, for whom: ``rewrite (loopback)``, ``fix (2 origins)``."""
    if cors.mode in (CorsMode.STRIP, CorsMode.PASSTHROUGH):
        return cors.mode.value
    if cors.dangerously_allow_any_origin:
        who = "any origin"
    elif cors.origins is None:
        who = "loopback"
    else:
        count = len(cors.origins)
        who = "1 origin" if count == 1 else f"{count or 'no'} origins"
    return f"{cors.mode} ({who}{' and null' if cors.dangerously_allow_null_origin else ''})"


def fault_text(fault: Fault) -> str:
    """Return what trouble `fault` makes, shortly: ``200 ms late, 10% get 503``; empty for none."""
    parts = (
        f"{fault.latency_ms:g} ms late" if fault.latency_ms else "",
        f"{fault.error_rate * 100:.3g}% get {fault.error_status}" if fault.error_rate else "",
        "upgrades refused" if fault.refuse_upgrade else "",
        f"tunnels dropped after {fault.drop_after_s:g} s" if fault.drop_after_s else "",
        f"{fault.bandwidth_kib_s:g} KiB/s" if fault.bandwidth_kib_s else "",
    )
    return ", ".join(part for part in parts if part)


def _listed(items: tuple[str, ...]) -> str:
    more = len(items) - _SHOWN_CONDITIONS
    return ", ".join(items[:_SHOWN_CONDITIONS]) + (f" and {more} more" if more > 0 else "")
