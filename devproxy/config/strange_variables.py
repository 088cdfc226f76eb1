"""Variables that are named like devproxy's own and mean nothing to it: misspelt ones, and those that Kubernetes sets.

Pure, and imported only where there are any. Start at :func:`notices`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final

from devproxy.config.environment import OTHERS, PREFIX, UPSTREAMS, Environment, relevant
from devproxy.config.kubernetes import service_of
from devproxy.config.overlay import SERVER, key_of, sets_upstream
from devproxy.config.problems import either, suggestion
from devproxy.text.safe import visible

_MAX_NAMED: Final = 5
_LISTENING: Final = ("PORT", "HOST", "LISTEN", "ADDRESS")


def notices(environment: Environment, upstreams: Collection[str] = ()) -> tuple[str, ...]:
    """Return what to say of the variables named like devproxy's that it does not know: a sentence, and one on those of
    Kubernetes. `upstreams`: the names that there are."""
    unknown: list[str] = []
    services: dict[str, str] = {}
    for name, one in relevant(environment).items():
        if name in SERVER or name in OTHERS or sets_upstream(name, one.value, upstreams):
            continue
        if service := service_of(name, one.value):
            services.setdefault(service, name)
        else:
            unknown.append(name)
    return (*_on_services(services), *_on_unknown(sorted(unknown)))


def _on_services(services: dict[str, str]) -> Iterator[str]:
    """Say whose variables they are; `services`: one variable of each."""
    if services:
        listed = either([f"`{service}`" for service in sorted(services)[:_MAX_NAMED]])
        example = next(iter(services.values()))
        yield (
            f"variables such as {example} are set because Kubernetes has a service called {listed}. They mean nothing "
            "to devproxy. To be without them, write enableServiceLinks: false in the pod."
        )


def _on_unknown(names: list[str]) -> Iterator[str]:
    if not names:
        return
    shown = [visible(name) for name in names[:_MAX_NAMED]]
    listed = ", ".join(shown) + (f" and {len(names) - _MAX_NAMED} more" if len(names) > _MAX_NAMED else "")
    verb = "means" if len(names) == 1 else "mean"
    yield f"{listed} {verb} nothing to devproxy. {_meant(names[0])}"


def _meant(name: str) -> str:
    if name.startswith(UPSTREAMS):
        key = key_of(name)
        what = f"`{key}` belongs in the file" if key else f"A name follows it, as in {UPSTREAMS}BACKEND=3001"
        return f"{what}: variables set the servers of upstreams, and no other key of theirs."
    if name.removeprefix(PREFIX).removeprefix("SERVER_") in _LISTENING:
        return f"To say where to listen, set {PREFIX}SERVER_LISTEN."
    known = {other.removeprefix(PREFIX).removeprefix("SERVER_"): other for other in (*SERVER, *OTHERS)}
    near = suggestion(name.removeprefix(PREFIX).removeprefix("SERVER_"), list(known))
    return f"Did you mean {known[near]}?" if near else "docs/configuration.md lists those that do."
