"""The answer to what could not be read as a request: which lines go with it, so that an allowed page sees the error.

Without them a browser reports 400, 408 or 431 as a CORS error and hides the reason. Start at
:func:`lines_for_malformed`.
"""

from __future__ import annotations

import re
from typing import Final

from devproxy.plan.snapshot import Snapshot
from devproxy.policy.cors import decide, local_lines

MAX_SEARCHED_BYTES: Final = 65_536

# Possessive: each line is read once, whatever it contains; what surrounds a value is removed afterwards.
_find_origins = re.compile(rb"\r\norigin:([^\r\n]*+)(?=\r\n)", re.IGNORECASE).findall
_find_hosts = re.compile(rb"\r\nhost:([^\r\n]*+)(?=\r\n)", re.IGNORECASE).findall
_match_start = re.compile(rb"([!-~]++) (?:[Hh][Tt][Tt][Pp]://([^/?# \r\n]*+))?(/[^ ?\r\n]*+)").match


def lines_for_malformed(octets: bytes, snapshot: Snapshot) -> tuple[bytes, ...]:
    """Return the field lines for the answer to `octets`, the beginning of a request that was refused as a whole.

    They are those of the route, as far as method, path and host tell. What an unchecked client sends is compared
    with no expression here, so where the routes among which it is (see ``RouteTable.contenders``) have different lines
    for this page, and for a Host that the guard refuses, the policy for unrouted requests applies.
    """
    seen = octets[:MAX_SEARCHED_BYTES]
    origins = tuple(value.strip(b" \t") for value in _find_origins(seen))
    if not origins:
        return ()
    found: set[tuple[bytes, ...]] = set()
    start = _match_start(seen)
    if start is not None:
        hosts = _find_hosts(seen)
        host = start[2] or (hosts[0].strip(b" \t") if len(hosts) == 1 else b"")
        if snapshot.hosts.judge(host).is_allowed:
            contenders = snapshot.table.contenders(start[1], start[3], host)
            found = {local_lines(decide(snapshot.compiled[id(route)].cors, origins)) for route in contenders}
    return found.pop() if len(found) == 1 else local_lines(decide(snapshot.default_cors, origins))
