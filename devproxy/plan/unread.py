"""The answer to what could not be read as a request: which lines go with it, so that an allowed page sees the error.

Without them a browser reports 400, 408 or 431 as a CORS error and hides the reason. Start at :func:`lines_for_unread`.
"""

from __future__ import annotations

import re
from typing import Final

from devproxy.plan.snapshot import Snapshot
from devproxy.policy.cors import decide, local_lines

MAX_SEARCHED_BYTES: Final = 65_536

# Possessive: each line is read once, whatever stands in it; what surrounds a value is taken off afterwards.
_find_origins = re.compile(rb"\r\norigin:([^\r\n]*+)(?=\r\n)", re.IGNORECASE).findall
_find_hosts = re.compile(rb"\r\nhost:([^\r\n]*+)(?=\r\n)", re.IGNORECASE).findall
_match_start = re.compile(rb"([!-~]++) (?:[Hh][Tt][Tt][Pp]://([^/?# \r\n]*+))?(/[^ ?\r\n]*+)").match


def lines_for_unread(octets: bytes, snapshot: Snapshot) -> tuple[bytes, ...]:
    """Return the field lines for the answer to `octets`, the beginning of a request that was refused as a whole.

    The route is found as far as that can be told, by method, path and host; where it cannot, the policy for what no
    route takes stands.
    """
    seen = octets[:MAX_SEARCHED_BYTES]
    origins = tuple(value.strip(b" \t") for value in _find_origins(seen))
    if not origins:
        return ()
    policy = snapshot.default_cors
    start = _match_start(seen)
    if start is not None:
        hosts = _find_hosts(seen)
        host = start[2] or (hosts[0].strip(b" \t") if len(hosts) == 1 else b"")
        route = snapshot.table.match(start[1], start[3], host, ())
        if route is not None:
            policy = snapshot.compiled[id(route)].cors
    return local_lines(decide(policy, origins))
