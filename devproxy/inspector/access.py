"""Who may see what: decided by the key, and by where a request came from. Pure.

An address proves little: through a tunnel everyone comes from this machine, in a container no one does. So without the
key only what certainly is a browser on this machine gets anything, and nothing that is secret; the application's own
scripts share the origin with the page, and could ask for the same. Start at :func:`judge`.
"""

from __future__ import annotations

import hmac
from enum import Enum

from devproxy.authority.networks import is_loopback
from devproxy.plan.pages import DIRECT


class Access(Enum):
    """What a request may have."""

    FULL = "full"
    """The right key came with it."""
    MASKED = "masked"
    """It came from this machine, without a key: nothing secret, nothing that changes anything."""
    NEEDS_KEY = "key-needed"
    WRONG_KEY = "wrong-key"


def judge(given: str | None, key: str, *, peer: str, host: str, way: str) -> Access:
    """Return what a request may have that came with the key `given` (None: without one).

    `peer`: the address of the client, or ``unix``. `host`: its Host. `way`: whether it came
    :data:`~devproxy.plan.pages.DIRECT`.
    """
    if given is not None:
        is_right = hmac.compare_digest(given.encode("utf-8", "replace"), key.encode())
        return Access.FULL if is_right else Access.WRONG_KEY
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    is_near = (peer == "unix" or is_loopback(peer)) and is_loopback(name)
    return Access.MASKED if is_near and way == DIRECT else Access.NEEDS_KEY
