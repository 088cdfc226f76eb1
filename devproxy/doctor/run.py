"""A whole run: both ways to a server, within the time given. Start at :func:`run_doctor`."""

from __future__ import annotations

import asyncio
import random
from typing import Final

from devproxy.doctor.diagnosis import has_errors
from devproxy.doctor.observed import Examined, Seen
from devproxy.doctor.probing import examine, hold
from devproxy.doctor.sessions import Sessions
from devproxy.doctor.target import Target
from devproxy.doctor.wire import Deadline

LIMIT_S: Final = 15.0
_CLEANUP_S: Final = 0.5
_WORTH_HOLDING_S: Final = 0.5


async def run_doctor(
    target: Target,
    *,
    page: bytes,
    is_page_given: bool = True,
    through: Target | None = None,
    includes_credentials: bool = False,
    limit_s: float = LIMIT_S,
) -> Examined:
    """Ask `target`, and `through` if there is one, all that the doctor asks; return what was seen.

    Of `through` only scheme, host and port count, unless it names a path. Takes `limit_s` at most. Quiet connections
    are held for as long as is left, unless an error is known already.
    """
    if through is not None and through.resource == "/":
        through = through._replace(resource=target.resource, namespace=target.namespace)
    deadline = Deadline(max(0.5, limit_s - _CLEANUP_S))
    # An origin that changes from run to run: no list of a server has it by accident, no cache knows it.
    stranger = b"https://stranger-%06x.example" % random.SystemRandom().getrandbits(24)
    seen: dict[str, Seen] = {}
    holding: dict[str, Sessions] = {}
    for where, one in (("direct", target), ("through", through)):
        if one is None:
            continue
        found, sessions = await examine(
            one,
            page=page,
            where=where,
            deadline=deadline,
            includes_credentials=includes_credentials,
            is_page_given=is_page_given,
            stranger=stranger,
        )
        seen[where] = found
        if sessions is not None and not found.is_lone and not has_errors(found):
            holding[where] = sessions
    if deadline.left_s > _WORTH_HOLDING_S:
        held = await asyncio.gather(*(hold(seen[where], sessions) for where, sessions in holding.items()))
        seen |= dict(zip(holding, held, strict=True))
    return Examined(seen["direct"], seen.get("through"), limit_s)
