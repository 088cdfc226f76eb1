"""``devproxy trust``: the authority that signs this machine's certificates, who trusts it, and what changes that.

Makes the authority where there is none. Changes what a system trusts only with ``--install`` and ``--uninstall``, by
the commands that it shows otherwise, which are run as shown.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
from collections.abc import Sequence
from typing import NamedTuple

from devproxy.certificates import authority
from devproxy.certificates.authority import Authority
from devproxy.certificates.names import PERMITTED_NAMES, name_to_allow
from devproxy.certificates.problems import CertificateProblem
from devproxy.cli.refusal import FAILED, FINE, Refused, put, warn
from devproxy.text.safe import visible
from devproxy.trust import plan, stores
from devproxy.trust.plan import Plan
from devproxy.trust.stores import Kind, Store, System


class _Found(NamedTuple):
    """``lacking``: the stores that do not have the authority. ``former``: those in whose place it came."""

    system: System
    authority: Authority
    lacking: tuple[Store, ...]
    former: tuple[Authority, ...]


def run(options: argparse.Namespace) -> int:
    """Run ``devproxy trust``; return 0, or 1 when a command failed or there is something that no command can do."""
    try:
        if options.uninstall and authority.find() is None:
            put("there is no authority to trust\n")
            return FINE
        found = _find(tuple(map(_allowed, options.allow)))
        if options.json:
            put(json.dumps(_document(found), indent=2) + "\n")
            return FINE
        if not options.install and not options.uninstall:
            put(_description(found))
            return FINE
        code = _carry_out(_uninstalling(found) if options.uninstall else _installing(found), options.color)
        if code == FINE:
            authority.forget_former(found.authority)
    except CertificateProblem as problem:
        raise Refused(problem.what, problem.help) from None
    after = _find(())
    put(_state(after))
    if options.install and code == FINE:
        put(_environment_lines(after) + "\nRestart your browsers: they read their lists when they start.\n")
        code = FAILED if after.lacking else FINE
    return code


def _allowed(text: str) -> str:
    name = name_to_allow(text)
    if not name:
        raise Refused(f"{text} is not a name that an authority can sign", "devproxy trust --allow dev.example.com")
    return name


def _find(allow: tuple[str, ...]) -> _Found:
    system, known = stores.look(), authority.provide(allow=allow)
    return _Found(system, known, stores.lacking(system, known), authority.former(known))


def _installing(found: _Found) -> Plan:
    """Return what makes every store trust the authority, and forget those in whose place it came."""
    known = found.authority
    is_foreign = any(store.kind is Kind.WINDOWS for store in found.lacking)
    path_on_windows = stores.windows_path(known.path) if is_foreign else ""
    new = plan.install(found.system, found.lacking, known.path, known.fingerprint, path_on_windows)
    return plan.joined(*_without(found, found.former), new)


def _uninstalling(found: _Found) -> Plan:
    """Return what takes the authority out of every store; of mkcert's, what devproxy has put in, and not mkcert."""
    known = found.authority
    if known.allowed is not None:
        return plan.joined(*_without(found, (*found.former, known)))
    name = plan.nickname(known.fingerprint)
    ours = [store for store in found.system.stores if stores.has_by_name(store, known, name)]
    if not ours:
        raise Refused(f"{known.path} is mkcert's authority, which others may use", "mkcert -uninstall")
    return plan.uninstall(found.system, ours, known.fingerprint)


def _without(found: _Found, authorities: Sequence[Authority]) -> list[Plan]:
    """Return for each of `authorities` what takes it out of the stores that have it."""
    return [
        plan.uninstall(
            found.system, [store for store in found.system.stores if stores.has(store, one)], one.fingerprint
        )
        for one in authorities
    ]


def _carry_out(todo: Plan, colour: str) -> int:
    """Run the steps of `todo`, all of them, and show each. Their questions and words are for the terminal."""
    code = FINE
    for step in todo.steps:
        put(f"$ {shlex.join(step.command)}\n")
        try:
            done = subprocess.run(step.command, check=False).returncode
        except OSError as error:
            warn(f"{step.command[0]}: {(error.strerror or str(error)).lower()}", colour)
            done = FAILED
        if done:
            warn(f"that failed, so nothing has changed for {step.why}", colour)
            code = FAILED
    for note in todo.notes:
        warn(note, colour)
    return FAILED if todo.notes else code


def _description(found: _Found) -> str:
    """Return what the command shows where it changes nothing."""
    todo = _installing(found)
    parts = [_state(found)]
    if todo.steps:
        lines = "".join(f"  {shlex.join(step.command)}\n" for step in todo.steps)
        parts.append(f"\ndevproxy trust --install runs:\n{lines}")
    parts += (f"note: {note}\n" for note in todo.notes)
    return "".join(parts) + _environment_lines(found)


def _state(found: _Found) -> str:
    known = found.authority
    whose = "mkcert's authority" if known.allowed is None else "devproxy's own authority"
    names = ", ".join((*PERMITTED_NAMES, *(known.allowed or ())))
    may = "anything" if known.allowed is None else f"{names} and all below them; private addresses"
    rows = [("may sign", may)]
    for store in found.system.stores:
        label = "does not trust it" if store in found.lacking else "trusts it"
        rows.append((label, f"{store.whose} ({visible(store.where)})"))
    return f"{whose}: {visible(known.path)}\n" + "".join(f"  {label:17}  {text}\n" for label, text in rows)


def _environment_lines(found: _Found) -> str:
    lines = "".join(f"  export {name}={shlex.quote(value)}\n" for name, value in _environment(found).items())
    return f"\nNode.js, and Python programs with a list of their own, find it through the environment:\n{lines}"


def _environment(found: _Found) -> dict[str, str]:
    """Return the variables by which programs with a list of their own learn of the authority.

    ``SSL_CERT_FILE`` takes the place of the usual list, so it is the system's own where that has all authorities.
    """
    bundle = next((store.bundle for store in found.system.stores if store.bundle), found.authority.path)
    return {"NODE_EXTRA_CA_CERTS": found.authority.path, "SSL_CERT_FILE": bundle}


def _document(found: _Found) -> dict[str, object]:
    """Return what ``--json`` says."""
    known, todo = found.authority, _installing(found)
    return {
        "authority": known.path,
        "is_mkcert": known.allowed is None,
        "allowed": None if known.allowed is None else [*PERMITTED_NAMES, *known.allowed],
        "stores": [
            {"whose": store.whose, "where": store.where, "trusts": store not in found.lacking}
            for store in found.system.stores
        ],
        "steps": [step._asdict() for step in todo.steps],
        "notes": todo.notes,
        "environment": _environment(found),
    }
