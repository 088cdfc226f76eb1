"""What happens to a plain HTTP request on a port that also speaks TLS: pages are redirected. Pure.

Nothing else is: a redirected preflight always fails, a redirected ``fetch`` loses its Origin, ``ws://`` cannot be
redirected at all, and a program may not know the authority. Start at :func:`plan_plain_request`.
"""

from __future__ import annotations

from devproxy import answers
from devproxy.authority.hosts import DEFAULT_PORTS
from devproxy.http.messages import RequestHead
from devproxy.http.methods import READS
from devproxy.plan.decisions import Plan, Respond
from devproxy.plan.request import HEALTH_PATH, plan_request
from devproxy.plan.snapshot import Snapshot
from devproxy.policy.headers import without_listed
from devproxy.policy.hop import Peer, front_of_browser


def plan_plain_request(head: RequestHead, snapshot: Snapshot, peer: Peer) -> Plan:
    """Return what happens to `head`, which `peer` sent in plain HTTP, under `snapshot`. Raises nothing."""
    if snapshot.config.server.tls is False or not navigates(head) or not _may_be_sent_on(head, snapshot, peer):
        return plan_request(head, snapshot)
    return Respond(answers.https_instead(_secure_url(head, snapshot)))


def navigates(head: RequestHead) -> bool:
    """Tell whether a browser asks for a page. One that does not say so asks for HTML, as all do for pages alone."""
    facts = head.facts
    if facts.upgrade:
        return False
    if facts.fetch_mode:
        return facts.fetch_mode == b"navigate"
    return head.method in READS and b"text/html" in (head.first(b"accept") or b"").lower()


def _may_be_sent_on(head: RequestHead, snapshot: Snapshot, peer: Peer) -> bool:
    """Tell whether the Host may be asked for, and the browser did not come by https to a proxy that is trusted."""
    facts = head.facts
    if not facts.host or head.path.partition(b"?")[0] == HEALTH_PATH or not snapshot.hosts.judge(facts.host).is_allowed:
        return False
    fields = without_listed(head.fields, facts.connection_options)
    return not front_of_browser(fields, facts.host, peer, snapshot.hop).origin.startswith(b"https:")


def _secure_url(head: RequestHead, snapshot: Snapshot) -> bytes:
    """Return where the page is: at the same port. A Host without one names 80, at which TLS is spoken as well."""
    host = head.facts.host
    has_port = host.rpartition(b":")[2].isdigit() and not host.endswith(b"]")
    listens_at_default = any(listen.port == DEFAULT_PORTS["https"] for listen in snapshot.config.server.listen)
    return b"https://%b%b%b" % (host, b"" if has_port or listens_at_default else b":80", head.path)
