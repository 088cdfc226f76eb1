"""Trouble made on purpose: what a route's fault does to one request.

Owns the decision and its random numbers; never waits, sends or resets anything: the gateway carries that out.
Chance is seeded: the requests of a route draw one number each in the order in which they are planned, so that the
same seed fails the same ones. Every snapshot restarts the sequence. Start at :func:`compile_fault` and
:func:`inject`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

from devproxy.config.labels import fault_text
from devproxy.config.model import Fault, Route

REFUSED_UPGRADE_STATUS: Final = 503
_KIB: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CompiledFault:
    """A route's fault, ready to serve. All in seconds and bytes; 0: not this one.

    ``error_rate``: 0 to 1. ``bytes_per_s``: in each direction of one exchange or tunnel. ``draw``: returns the next
    number of the route's sequence, at least 0 and below 1; the only thing here that changes. ``place``: where the rule
    is. ``note``: what happens to the requests that are forwarded, in words; empty for nothing.
    """

    latency_s: float
    error_rate: float
    error_status: int
    refuse_upgrade: bool
    drop_after_s: float
    bytes_per_s: float
    draw: Callable[[], float]
    place: str
    note: str

    @property
    def is_by_chance(self) -> bool:
        """Whether the same request may fare differently the next time, so that no decision must be remembered."""
        return self.error_rate > 0


class Injection(NamedTuple):
    """A request that is answered instead of being forwarded. ``rule``: the key that says so; ``place``: its line."""

    status: int
    what: str
    rule: str
    place: str


def compile_fault(route: Route, source: str) -> CompiledFault | None:
    """Return the fault of `route`, whose file is `source`, or None where it makes no trouble at all."""
    fault = route.fault
    if not any((fault.latency_ms, fault.error_rate, fault.refuse_upgrade, fault.drop_after_s, fault.bandwidth_kib_s)):
        return None
    from random import Random  # few routes have one

    note = fault_text(Fault(latency_ms=fault.latency_ms, bandwidth_kib_s=fault.bandwidth_kib_s))
    return CompiledFault(
        latency_s=fault.latency_ms / 1000,
        error_rate=fault.error_rate,
        error_status=fault.error_status,
        refuse_upgrade=fault.refuse_upgrade,
        drop_after_s=fault.drop_after_s,
        bytes_per_s=fault.bandwidth_kib_s * _KIB,
        draw=Random(fault.seed).random,
        place=f"{source}:{route.line}" if route.line else source,
        note=f"fault injected: {note}" if note else "",
    )


def inject(fault: CompiledFault, *, is_upgrade: bool) -> Injection | None:
    """Return the error that a request gets instead of being forwarded, or None: it goes its way.

    Draws one number where there is an error rate, whatever comes of it: the sequence depends on the order of the
    requests alone. Not to be asked about preflights (see :func:`devproxy.plan.plan_request`).
    """
    is_hit = fault.error_rate > 0 and fault.draw() < fault.error_rate
    if is_upgrade and fault.refuse_upgrade:
        what = "devproxy refused this upgrade on purpose."
        return Injection(status=REFUSED_UPGRADE_STATUS, what=what, rule="refuse_upgrade", place=fault.place)
    if is_hit:
        what = f"devproxy failed this request on purpose ({fault.error_rate * 100:.3g}% of the route's)."
        return Injection(status=fault.error_status, what=what, rule="error_rate", place=fault.place)
    return None
