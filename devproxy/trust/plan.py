"""Which commands make a system trust an authority, or stop trusting it. Pure.

The commands are those of mkcert 1.4 (``truststore_*.go``). Start at :func:`install` and :func:`uninstall`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

from devproxy.trust.stores import Kind, Store, System


class Step(NamedTuple):
    """A command. ``why``: for whom. ``needs_root``: it asks for the password of a user who may become root."""

    why: str
    command: tuple[str, ...]
    needs_root: bool = False


class Plan(NamedTuple):
    """What to run, in order. ``notes``: sentences on what no command can do."""

    steps: tuple[Step, ...] = ()
    notes: tuple[str, ...] = ()


_PACKAGES: Final = {
    "apt-get": "apt-get install libnss3-tools",
    "dnf": "dnf install nss-tools",
    "pacman": "pacman -S nss",
    "zypper": "zypper install mozilla-nss-tools",
}
"""By the program that installs packages: how to get NSS's ``certutil``."""


def nickname(fingerprint: str) -> str:
    """Return the name by which stores and folders know the authority with that SHA-1."""
    return f"devproxy-{fingerprint[:8]}"


def install(system: System, stores: Iterable[Store], path: str, fingerprint: str, path_on_windows: str = "") -> Plan:
    """Return what makes `stores` trust the certificate in the file `path`, whose SHA-1 is `fingerprint`.

    `path_on_windows`: the same file as programs of Windows know it, where they know it by another path (WSL).
    """

    def commands(store: Store) -> Iterator[tuple[str, ...]]:
        is_foreign = store.kind is Kind.WINDOWS and path_on_windows
        return _into(store, path_on_windows if is_foreign else path, nickname(fingerprint))

    return _plan(system, stores, commands)


def uninstall(system: System, stores: Iterable[Store], fingerprint: str) -> Plan:
    """Return what takes the certificate with the SHA-1 `fingerprint` out of `stores`."""
    return _plan(system, stores, lambda store: _out_of(store, fingerprint, nickname(fingerprint)))


def joined(*plans: Plan) -> Plan:
    """Return `plans` as one."""
    return Plan(
        tuple(step for one in plans for step in one.steps),
        tuple(dict.fromkeys(note for one in plans for note in one.notes)),
    )


def _into(store: Store, path: str, name: str) -> Iterator[tuple[str, ...]]:
    database = f"sql:{store.where}"
    if store.kind is Kind.SYSTEM:
        yield ("install", "-m", "644", path, f"{store.where}/{name}{store.suffix}")
        yield store.update
    elif store.kind is Kind.NSS:
        if not store.is_there:
            yield ("mkdir", "-p", "-m", "700", store.where)
            yield ("certutil", "-N", "-d", database, "--empty-password")
        yield ("certutil", "-A", "-d", database, "-t", "C,,", "-n", name, "-i", path)
    elif store.kind is Kind.KEYCHAIN:
        yield ("security", "add-trusted-cert", "-r", "trustRoot", "-p", "ssl", "-k", store.where, path)
    else:
        yield ("certutil.exe", "-user", "-addstore", store.where, path)


def _out_of(store: Store, fingerprint: str, name: str) -> Iterator[tuple[str, ...]]:
    if store.kind is Kind.SYSTEM:
        yield ("rm", "-f", f"{store.where}/{name}{store.suffix}")
        yield store.cleanup
    elif store.kind is Kind.NSS:
        yield ("certutil", "-D", "-d", f"sql:{store.where}", "-n", name)
    elif store.kind is Kind.KEYCHAIN:
        yield ("security", "delete-certificate", "-t", "-Z", fingerprint.upper(), store.where)
    else:
        yield ("certutil.exe", "-user", "-delstore", store.where, fingerprint)


def _plan(system: System, stores: Iterable[Store], commands: Callable[[Store], Iterable[tuple[str, ...]]]) -> Plan:
    steps: list[Step] = []
    notes: dict[str, None] = {}
    for store in stores:
        if store.kind is Kind.NSS and "certutil" not in system.programs:
            packages = next((_PACKAGES[name] for name in _PACKAGES if name in system.programs), "NSS's tools")
            notes[f"{store.whose} can be checked only with the program certutil, which is missing: {packages}"] = None
            continue
        needs_root = store.kind is Kind.SYSTEM
        prefix: tuple[str, ...] = ()
        if needs_root and not system.is_root:
            prefix = ("sudo",)
        elif not needs_root and system.is_root and system.person:
            prefix = ("sudo", "-u", system.person)  # what root writes in a person's database, only root can change
        steps += (Step(store.whose, (*prefix, *command), needs_root) for command in commands(store))
    return Plan(tuple(steps), tuple(notes))
