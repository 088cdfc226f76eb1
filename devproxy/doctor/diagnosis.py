"""From what was seen to what is wrong: a function of values, without I/O. The order is the cause first.

Each ``look_…`` judges one thing; here is decided which of several problems explain others, which then are left out.
Start at :func:`diagnose`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from devproxy.doctor.cors_judge import look_cookies, look_cors, look_open, look_preflight
from devproxy.doctor.judging import Looked, guess_of
from devproxy.doctor.kind_judge import look_auth, look_kind
from devproxy.doctor.observed import Examined, Seen
from devproxy.doctor.problems import NOT_CHECKED, PROBLEM, Check, Code, Diagnosis, Problem
from devproxy.doctor.reach_judge import (
    is_mute,
    look_address,
    look_certificate,
    look_lone,
    look_reachable,
    look_scheme,
)
from devproxy.doctor.session_judge import look_buffered, look_idle, look_namespace, look_sticky
from devproxy.doctor.socket_judge import look_origin, look_polling, look_socket_open, look_version, look_websocket
from devproxy.policy.verdict.model import shown

_LOOKS: Final[tuple[Callable[[Seen], Looked], ...]] = (
    look_reachable,
    look_address,
    look_scheme,
    look_certificate,
    look_lone,
    look_kind,
    look_auth,
    look_version,
    look_polling,
    look_origin,
    look_cors,
    look_preflight,
    look_open,
    look_cookies,
    look_websocket,
    look_socket_open,
    look_sticky,
    look_namespace,
)
_ORDER: Final = {code: number for number, code in enumerate(Code)}
_EXPLAINS: Final[dict[Code, frozenset[Code]]] = {
    # Nothing behind these was really seen.
    Code.UNREACHABLE: frozenset(Code) - {Code.UNREACHABLE, Code.CERTIFICATE_UNTRUSTED},
    Code.PATH_WRONG: frozenset(Code) - {Code.PATH_WRONG, Code.CERTIFICATE_UNTRUSTED, Code.ADDRESS_FAMILY},
    Code.PATH_REDIRECT: frozenset(Code) - {Code.PATH_REDIRECT, Code.CERTIFICATE_UNTRUSTED, Code.ADDRESS_FAMILY},
    Code.ADDRESS_FAMILY: frozenset((Code.NOT_SOCKETIO, Code.PATH_WRONG)),
    Code.SINGLE_CONNECTION: frozenset(
        (
            Code.UPGRADE_REFUSED,
            Code.UPGRADE_STRIPPED,
            Code.NAMESPACE_REFUSED,
            Code.BUFFERED,
            Code.TIMEOUT_SHORT,
            Code.NOT_STICKY,
        )
    ),
    Code.POLLING_DISABLED: frozenset((Code.PREFLIGHT_REFUSED, Code.PREFLIGHT_WRONG_LAYER, Code.CORS_MISSING)),
    Code.EIO_VERSION: frozenset(
        (
            Code.BUFFERED,
            Code.TIMEOUT_SHORT,
            Code.POLLING_DISABLED,
            Code.UPGRADE_REFUSED,
            Code.CORS_MISSING,
            Code.PREFLIGHT_REFUSED,
            Code.PREFLIGHT_WRONG_LAYER,
        )
    ),
    Code.AUTH_REQUIRED: frozenset((Code.ORIGIN_CHECKED, Code.UPGRADE_REFUSED)),
    Code.ORIGIN_CHECKED: frozenset(
        (Code.CORS_MISSING, Code.CORS_ORIGIN_NOT_ALLOWED, Code.UPGRADE_REFUSED, Code.PREFLIGHT_REFUSED)
    ),
    Code.CORS_ORIGIN_NOT_ALLOWED: frozenset((Code.ORIGIN_CHECKED,)),
    Code.NOT_STICKY: frozenset(
        (
            Code.UPGRADE_REFUSED,
            Code.UPGRADE_STRIPPED,
            Code.NAMESPACE_REFUSED,
            Code.BUFFERED,
            Code.TIMEOUT_SHORT,
        )
    ),
}
"""By which problem which others are explained: they are left out beside it."""


def diagnose(examined: Examined) -> Diagnosis:
    """Return what is wrong, and everything that was looked at."""
    direct = examined.direct
    problems, checks = _diagnosed(direct, None, examined.limit_s)
    if examined.through is not None:
        more, looked = _diagnosed(examined.through, direct, examined.limit_s)
        known = {problem.code for problem in problems}
        problems += [problem for problem in more if problem.code not in known]
        checks += looked
    problems.sort(key=lambda problem: (not problem.is_error, _ORDER[problem.code]))
    return Diagnosis(
        url=direct.target.url(direct.target.resource if direct.target.namespace == "/" else direct.target.namespace),
        page=shown(direct.page),
        server=str(guess_of(direct)),
        problems=tuple(problems),
        checks=tuple(checks),
    )


def has_errors(seen: Seen) -> bool:
    """Tell whether what was seen so far is enough to know of an error."""
    return any(problem.is_error for problem in _diagnosed(seen, None, 0.0)[0])


def _diagnosed(seen: Seen, other: Seen | None, limit_s: float) -> tuple[list[Problem], list[Check]]:
    looked = [look(seen) for look in _LOOKS]
    looked += [look_idle(seen, limit_s), look_buffered(seen, other)]
    found: dict[Code, Problem] = {}
    for each in looked:
        for problem in each.problems:
            found.setdefault(problem.code, problem)
    if other is not None and Code.BUFFERED in found and is_mute(seen):
        del found[Code.UNREACHABLE]  # asked directly, the stream is there
    explained = frozenset[Code]().union(
        *(_EXPLAINS.get(code, frozenset()) for code, each in found.items() if each.is_error)
    )
    kept = {code: problem for code, problem in found.items() if code not in explained}
    checks = [_checked(each, kept, seen.where) for each in looked]
    return [problem._replace(where=seen.where) for problem in kept.values()], checks


def _checked(looked: Looked, kept: dict[Code, Problem], where: str) -> Check:
    """Return a check; one whose problems are explained by others could not really be made."""
    check = looked.check(where)
    if check.result == PROBLEM and not any(problem.code in kept for problem in looked.problems):
        return check._replace(result=NOT_CHECKED, why=f"explained by another problem: {looked.why}")
    return check
