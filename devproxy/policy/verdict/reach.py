"""What keeps a page's request from leaving the browser at all: mixed content, and Local Network Access.

Pure. CORS comes later, and nothing that a server sends changes this. Whether a page or a server is on this machine, in
the local network or elsewhere is told by its name or address alone (:mod:`devproxy.authority.networks`), not by what
the name resolves to. Standards: Mixed Content (W3C), Local Network Access (WICG). The words are Chromium's; they are
compared with the real one in ``tests/e2e/test_verdict_reach_chromium.py``. Start at :func:`obstacles`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

from devproxy.authority.networks import PRIVATE, address_of, is_in, is_loopback
from devproxy.authority.origins import split_origin
from devproxy.policy.verdict.model import Verdict

_LOCAL_NETWORK_STEP: Final = "Local Network Access, local network access check"
_MIXED_STEP: Final = "Mixed Content section 4.4, should fetching request be blocked as mixed content"
_SINCE: Final = {True: "147", False: "142"}
"""The version of Chrome from which WebSockets (True) and other requests (False) are checked."""


class Space(StrEnum):
    """How near a host is, in the words of Local Network Access ("IP address space")."""

    LOOPBACK = "loopback"
    LOCAL = "local"
    PUBLIC = "public"


class Obstacle(NamedTuple):
    """What may keep a request from being sent. ``verdict``: what the browser does and says if it does.

    ``condition``: when it does, a clause that goes on after "blocks it"; empty where it always does.
    """

    verdict: Verdict
    condition: str = ""

    @property
    def is_certain(self) -> bool:
        """Whether nothing that a person allows, and nothing that a name resolves to, lets the request through."""
        return not self.condition


def obstacles(page: bytes, target: bytes, *, is_websocket: bool = False) -> tuple[Obstacle, ...]:
    """Return what may keep a request of `page` from leaving for `target`, both origins; in the browser's order."""
    asking, asked = split_origin(page), split_origin(target)
    if asking is None or asked is None or page == target:
        return ()
    host, is_secure = _bare(asking.host), asking.scheme == b"https"
    here, there = _space_of(host), _space_of(_bare(asked.host))
    found: list[Obstacle] = []
    if is_secure and asked.scheme == b"http" and there is not Space.LOOPBACK:
        found.append(_mixed(there, is_websocket=is_websocket))
    if there in (Space.LOOPBACK, Space.LOCAL) and here not in (Space.LOOPBACK, there):
        found.append(_local_network(host, here, there, is_secure=is_secure, is_websocket=is_websocket))
    return tuple(found)


def _bare(host: bytes) -> str:
    return host.decode("ascii", "replace").strip("[]")


def _space_of(host: str) -> Space | None:
    """Return where `host` is; None for a name, which may resolve to any place."""
    if is_loopback(host):
        return Space.LOOPBACK
    address = address_of(host)
    if address is None:
        return Space.LOCAL if host.endswith(".local") else None
    return Space.LOCAL if is_in(PRIVATE, address) else Space.PUBLIC


def _mixed(there: Space | None, *, is_websocket: bool) -> Obstacle:
    if is_websocket:
        text = "This request has been blocked; this endpoint must be available over WSS."
    else:
        text = "This request has been blocked; the content must be served over HTTPS."
    verdict = Verdict(
        text=text,
        step=_MIXED_STEP,
        what="A page of https may not ask a server by plain http.",
        fix="`tls = true` in [server], or `devproxy up --tls`: devproxy then speaks https as well, on the same port",
    )
    # What is in the local network for certain, Chrome lets through and asks the person about.
    return Obstacle(verdict, "in browsers other than Chrome from 142 on" if there is Space.LOCAL else "")


def _local_network(page: str, here: Space | None, there: Space, *, is_secure: bool, is_websocket: bool) -> Obstacle:
    since = _SINCE[is_websocket]
    nearer = "this machine" if there is Space.LOOPBACK else "the local network"
    if is_websocket:
        text = "Error in connection establishment: net::ERR_BLOCKED_BY_LOCAL_NETWORK_ACCESS_CHECKS"
    elif is_secure:
        text = f"Permission was denied for this request to access the `{there}` address space."
    else:
        text = (
            f"The request client is not a secure context and the resource is in more-private address space `{there}`."
        )
    if is_secure:
        permission = "loopback-network" if there is Space.LOOPBACK else "local-network"
        what = f"Chrome, from {since} on, asks the person before a page from elsewhere may reach {nearer}."
        fix = (
            "Allow it when Chrome asks, or in the settings of the site; where the page is in an <iframe>, the page "
            f'around it has to pass the permission on: allow="{permission}"'
        )
        condition = "if the person does not allow it"
    else:
        what = f"Chrome, from {since} on, lets only pages of https ask whether they may reach {nearer}."
        fix = "Serve the page by https, or open it through devproxy, so that page and server have one origin"
        condition = ""
    unless = f"unless {page} is {'on' if there is Space.LOOPBACK else 'in'} {nearer} itself" if here is None else ""
    verdict = Verdict(text=text, step=_LOCAL_NETWORK_STEP, what=what, fix=fix)
    return Obstacle(verdict, ", ".join(clause for clause in (condition, unless) if clause))
