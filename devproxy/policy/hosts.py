"""The guard: which Hosts devproxy answers to, and which web sites may make a browser send it requests. Pure.

Owns two decisions. :func:`compile_hosts` gives the first: a name that is none of this machine's is refused as Host
(421), because a web site can make its own name resolve to 127.0.0.1 (DNS rebinding) and would then be of one origin
with whatever it finds there. :func:`judge_source` is the second: a request that a foreign site caused is refused (403).
Requests and WebSocket handshakes take the same way through it, because browsers apply no CORS to WebSockets: the side
that answers a handshake has to look at its Origin, and Socket.IO's ``cors`` option does not. Never decides what a page
may *read* (``policy.cors`` does), never looks at cookies, and keeps nothing: to remember verdicts is the caller's
business.

Standards: RFC 9110 sections 7.2 (Host) and 15.5.20 (421), RFC 6761 section 6.3 (``localhost``), RFC 6454 section 7
(Origin), Fetch (``Origin``), W3C Fetch Metadata Request Headers, RFC 6455 section 10.2.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final, NamedTuple

from devproxy.authority.origins import LOOPBACK, OPAQUE, normalised, web_origin
from devproxy.config.model import Cors
from devproxy.http.messages import RequestFacts
from devproxy.http.methods import READS
from devproxy.policy.cors import line_for_origin, toml_line
from devproxy.policy.forms import EXAMPLE, NO_FORMS, FormPolicy
from devproxy.text.safe import ticked, visible

CROSS_SITE: Final = "cross-site"
FORM_NOT_ALLOWED: Final = "form-not-allowed"
ORIGIN_NOT_ALLOWED: Final = "origin-not-allowed"
WEBSOCKET_ORIGIN_NOT_ALLOWED: Final = "websocket-origin-not-allowed"

_Address = IPv4Address | IPv6Address

_split_host = re.compile(rb"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,254})(?::[0-9]{0,5})?").fullmatch
_find_port = re.compile(rb":([1-9][0-9]{0,4})\Z").search
_is_number = re.compile(r"[0-9]+|0x[0-9a-f]*").fullmatch
_THIS_NETWORK: Final = IPv4Network("0.0.0.0/8")
_LOOPBACK_IPV6: Final = IPv6Address("::1")
_SPELLINGS_OF_IPV4: Final = (IPv6Network("::/96"), IPv6Network("::ffff:0:0/96"), IPv6Network("::ffff:0:0:0/96"))
_is_name = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*").fullmatch
# scheme "://" host [":" port] (RFC 6454 section 6.2): nothing else, in particular no list, no path and no user.
_is_origin = re.compile(
    rb"[A-Za-z][A-Za-z0-9+.-]{0,31}://(?:\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._~-]{1,253})(?::[0-9]{1,5})?"
).fullmatch

_MAX_SHOWN: Final = 120
"""Bytes of a Host or an Origin that are shown to people."""
_FORM_METHOD: Final = b"POST"
"""The one method besides by which a form can send a browser somewhere (HTML section 4.10.21.3)."""
_EMBEDDED: Final = frozenset((b"object", b"embed"))
"""Destinations of navigations that load into the page that asks instead of replacing it."""
_NO_GUARD: Final = "or, to let every web site send requests to this route: guard = false"
_KEEPS_ORIGIN: Final = (
    "If a page of your own sent this, it came with `Referrer-Policy: no-referrer` (helmet's default), which hides its "
    "origin; add to the route of that page: "
    '[routes.headers.response] set = { "Referrer-Policy" = "same-origin" }. '
)


class HostVerdict(NamedTuple):
    """Whether devproxy answers to a Host, and why.

    ``name``: as compared: lower case, without port and final dot; printable. ``rule``: what allows it, or why nothing
    does. ``what`` and ``help``: a sentence and what to do, both empty when it is allowed. They say nothing of what the
    configuration says: their reader may be the page of a rebound name.
    """

    is_allowed: bool
    name: str
    rule: str
    what: str = ""
    help: str = ""


class SourceVerdict(NamedTuple):
    """Why a request that a web site caused is refused, with 403.

    ``code``: stable. ``what``: one sentence. ``help``: what to do, with the line to add. ``facts``: names and values.
    """

    code: str
    what: str
    help: str
    facts: tuple[tuple[str, str], ...]


class HostGuard(NamedTuple):
    """The Hosts that devproxy answers to. Built by :func:`compile_hosts`.

    ``names``: exactly these. ``suffixes``: each with its leading dot. ``addresses``: those that are written, and count
    even if they would not be accepted otherwise. ``takes_any``: whatever the Host is. ``has_list``: there is
    an ``allowed_hosts`` in the configuration to add to.
    """

    names: frozenset[str]
    suffixes: tuple[str, ...]
    addresses: frozenset[_Address]
    takes_any: bool
    has_list: bool

    def judge(self, host: bytes) -> HostVerdict:
        """Return the verdict on `host`: the value of Host, or the authority that replaces it; maybe empty (HTTP/1.0).

        The port does not matter. Raises nothing, whatever the bytes are; linear in their number.
        """
        if not host:
            return HostVerdict(is_allowed=True, name="", rule="no browser sends a request without a Host")
        name, address = _read_host(host)
        rule = self._rule_for(name, address)
        if rule:
            return HostVerdict(is_allowed=True, name=name or visible(host, _MAX_SHOWN), rule=rule)
        return self._refusal(name, address, host)

    def _rule_for(self, name: str, address: _Address | None) -> str:
        """Return what allows the Host, or an empty string."""
        if self.takes_any:
            return 'allowed_hosts has "*"'
        if address is not None:
            return self._rule_for_address(address)
        if name == "localhost" or name.endswith(".localhost"):
            return "this name always means this machine"
        if name in self.names:
            return "the name is in allowed_hosts or listened on"
        for suffix in self.suffixes:
            if name == suffix[1:] or name.endswith(suffix):
                return f'allowed_hosts has "{suffix}"'
        return ""

    def _rule_for_address(self, address: _Address) -> str:
        if address.is_loopback and _is_accepted(address):
            return "a loopback address"
        if address in self.addresses:
            return "an address in allowed_hosts"
        return "an address, which no web site can point elsewhere" if _is_accepted(address) else ""

    def _refusal(self, name: str, address: _Address | None, host: bytes) -> HostVerdict:
        shown = name or visible(host, _MAX_SHOWN)
        if not name or address is not None or _ends_in_a_number(name):
            return self._refused_spelling(shown, address, host)
        line = f'"{name}" to allowed_hosts in [server]' if self.has_list else f'to [server]: allowed_hosts = ["{name}"]'
        return HostVerdict(
            is_allowed=False,
            name=shown,
            rule="not localhost, not an address, not listened on, not in allowed_hosts",
            what=f"devproxy does not serve the host `{shown}`. Any web site can point a name at your machine (DNS "
            "rebinding), so unknown hosts are refused.",
            help=f"If you gave this machine that name, add {line}",
        )

    @staticmethod
    def _refused_spelling(shown: str, address: _Address | None, host: bytes) -> HostVerdict:
        """Refuse what no line of the configuration should allow, and name the address that always works."""
        if address is not None:
            rule = "a spelling that lets web pages reach this machine unseen"
            why = "with this spelling a browser does not say which web site sends the request"
        elif shown.startswith("[") or _ends_in_a_number(shown.removesuffix(".")):
            rule = why = "not an IP address as browsers write it"
        else:
            rule = why = "neither a host name nor an IP address"
        port = _find_port(host)
        return HostVerdict(
            is_allowed=False,
            name=shown,
            rule=rule,
            what=f"devproxy does not serve the host `{shown}`: {why if address else f'it is {why}'}.",
            help=f"Instead, open http://localhost{port[0].decode() if port else ''}",
        )


def compile_hosts(allowed: Sequence[str], bound: Sequence[str]) -> HostGuard:
    """Return the guard for ``allowed_hosts`` and for what devproxy listens on.

    `allowed`: ``name``, an IP address (IPv6 with or without brackets), ``.name`` for the name and all below it, ``*``
    for any. `bound`: IP addresses and names, as listened on. Addresses are accepted in any case, as what DNS rebinding
    needs is a name; the few that are not (:func:`_is_accepted`) are where `allowed` has them.
    """
    written = [text.lower().removesuffix(".") for text in allowed]
    names = {*written, *(text.lower().removesuffix(".") for text in bound)} - {""}
    return HostGuard(
        names=frozenset(name for name in names if name[0] != "." and _written_address(name) is None),
        suffixes=tuple(text for text in written if text.startswith(".")),
        addresses=frozenset(address for text in allowed if (address := _written_address(text)) is not None),
        takes_any="*" in allowed,
        has_list=bool(allowed),
    )


def _written_address(text: str) -> _Address | None:
    """Return the address that `text` is in a configuration. A zone (RFC 4007) is of this machine, and goes."""
    bare = text.removeprefix("[").removesuffix("]").partition("%")[0]
    return _address(bare)


def _is_accepted(address: _Address) -> bool:
    """Tell whether a Host that is `address` is accepted without being written.

    Not those by which a browser reaches what listens on the loopback addresses, though it does not take them for
    trustworthy and leaves out ``Sec-Fetch-Site`` (W3C Secure Contexts section 3.1; Fetch Metadata section 2): there
    nothing tells the script of a foreign page. These are "this network" with 0.0.0.0 (RFC 1122 section 3.2.1.3), ``::``
    and IPv6 that spells IPv4: mapped, compatible and translated (RFC 4291 section 2.5.5, RFC 2765 section 2.1).
    """
    if isinstance(address, IPv4Address):
        return address not in _THIS_NETWORK
    return address == _LOOPBACK_IPV6 or not any(address in network for network in _SPELLINGS_OF_IPV4)


def _ends_in_a_number(name: str) -> bool:
    """Tell whether a browser takes `name` for an IPv4 address, maybe a wrong one (WHATWG URL, "ends in a number")."""
    return _is_number(name.rpartition(".")[2]) is not None


def _read_host(host: bytes) -> tuple[str, _Address | None]:
    """Return the name in `host` as compared and the address that it is; an empty name when it is neither.

    Only the spellings that browsers send are addresses (WHATWG URL, host serializing): ``0x7f.1`` and ``2130706433``
    are not.
    """
    match = _split_host(host)
    if match is None:
        return "", None
    text = match[1].decode("ascii").lower()
    if text.startswith("["):
        address = _address(text[1:-1]) if ":" in text else None
        return ("" if address is None else text), address
    name = text.removesuffix(".")
    return (name, _address(name)) if _is_name(name) else ("", None)


def _address(text: str) -> _Address | None:
    """Return the IP address that `text` is, or None."""
    try:
        return ip_address(text)
    except ValueError:
        return None


# Where a request comes from


def judge_source(
    method: bytes, facts: RequestFacts, cors: Cors, *, is_origin_allowed: bool, forms: FormPolicy = NO_FORMS
) -> SourceVerdict | None:
    """Return why a request must not be forwarded because of the web site that caused it, or None if it passes.

    `facts`: of the request, whose Host is one that :class:`HostGuard` allows. `is_origin_allowed`: the route's CORS
    policy allows the one Origin; its ``origins`` count in every mode, also where the mode leaves the response as it is,
    and ``null`` counts only where the policy allows it by name. `cors`: that policy, for the words of the help.
    `forms`: whose pages may post a form here besides.

    Passes: what carries neither Origin nor ``Sec-Fetch-Site`` (curl, mobile apps, servers); what comes from devproxy's
    own origin or an allowed one; navigations that are safe; forms of pages that `forms` allows. A CORS preflight must
    not be asked about: it causes nothing, and ``policy.cors`` answers it. Raises nothing.
    """
    source = _Source(method, facts, cors, is_origin_allowed, forms)
    if not facts.origins:
        return source.judge_without_origin()
    if len(facts.origins) > 1:
        return source.refuse_origin(b", ".join(facts.origins), "carries more than one Origin", "A browser sends one.")
    return source.judge_origin(facts.origins[0])


class _Source(NamedTuple):
    """What is known about where a request comes from: the arguments of :func:`judge_source`."""

    method: bytes
    facts: RequestFacts
    cors: Cors
    is_origin_allowed: bool
    forms: FormPolicy

    def judge_without_origin(self) -> SourceVerdict | None:
        # Loads of scripts, images and pages carry no Origin. Every WebSocket and every form of a browser does.
        if self.facts.fetch_site != b"cross-site" or self._is_link():
            return None
        if not self._is_form():
            return self._refuse_site(b"")
        return None if self.forms.takes_hidden else self._refuse_form(b"")

    def judge_origin(self, origin: bytes) -> SourceVerdict | None:
        if origin != OPAQUE and not _is_origin(origin):
            return self.refuse_origin(origin, "carries an invalid Origin", "A browser sends scheme://host:port.")
        if self.is_origin_allowed or self._is_link() or (self._may_be_form() and self.forms.allows(origin)):
            return None
        site = self.facts.fetch_site
        if is_own_origin(origin, self.facts.host):
            # The other scheme of the same host is another site, and only the browser can tell.
            if site != b"cross-site":
                return None
            return self._refuse_form(origin) if self._is_form() else self._refuse_site(origin)
        if origin == OPAQUE and site == b"same-origin" and not self.facts.upgrade:
            # Own pages under `Referrer-Policy: no-referrer` (Fetch, "append a request Origin header"); the origin of
            # a sandboxed frame is null too, but no browser calls that one the same origin.
            return None
        if not self._is_form():
            return self._refuse_foreign(origin)
        # A page of another port of this machine that hides its origin; the one of a sandboxed frame has no site at all.
        # Where the policy lets in the pages of this machine, whatever their ports.
        takes_this_machine = self.cors.origins is None and LOOPBACK.rule_for(web_origin("http", self.facts.host))
        is_neighbour = origin == OPAQUE and site == b"same-site" and takes_this_machine
        return None if is_neighbour else self._refuse_form(origin)

    def refuse_origin(self, origin: bytes, why: str, rule: str) -> SourceVerdict:
        code = WEBSOCKET_ORIGIN_NOT_ALLOWED if self.facts.upgrade else ORIGIN_NOT_ALLOWED
        what = f"This {self._kind()} {why}: {ticked(origin, _MAX_SHOWN)}."
        return self._refused(code, what, f"{rule} Leave it out, or send just one.", origin)

    def _refused(self, code: str, what: str, help: str, origin: bytes) -> SourceVerdict:
        facts = self.facts
        known = (
            ("origin", origin),
            ("host", facts.host),
            ("sec-fetch-site", facts.fetch_site),
            ("sec-fetch-mode", facts.fetch_mode),
        )
        said = [(name, visible(value, _MAX_SHOWN)) for name, value in known if value]
        said += [("policy", f"line {self.cors.line}")] if self.cors.line else []
        return SourceVerdict(code=code, what=what, help=help, facts=tuple(said))

    def _navigates(self) -> bool:
        """Tell whether the browser shows the answer as a page: the site that caused the request cannot read it."""
        facts = self.facts
        return facts.fetch_mode == b"navigate" and facts.fetch_dest not in _EMBEDDED and not facts.upgrade

    def _is_link(self) -> bool:
        return self._navigates() and self.method in READS

    def _is_form(self) -> bool:
        return self._navigates() and self.method == _FORM_METHOD

    def _may_be_form(self) -> bool:
        """Tell whether this is a form, or may be one: browsers do not say it to plain ``http`` on other hosts.

        What ``fetch`` could send in its place without asking first is what a form could send too (Fetch section 4.8).
        """
        return self._is_form() or (self.method == _FORM_METHOD and self._says_nothing())

    def _says_nothing(self) -> bool:
        """Tell whether the browser, if it is one, does not say what the request is for (Fetch Metadata section 2)."""
        return not (self.facts.fetch_site or self.facts.fetch_mode or self.facts.upgrade)

    def _refuse_site(self, origin: bytes) -> SourceVerdict:
        what = f"This {self._kind()} was triggered by another web site, and is not a page navigation."
        if origin:
            help = f"{self._line_to_add(origin)}; {_NO_GUARD}"
        else:
            help = (
                "Open the page by the same host name as devproxy (127.0.0.1 and localhost are two sites), or load with "
                f"`crossorigin` so that the Origin is sent and allowed by [routes.cors] origins; {_NO_GUARD}"
            )
        return self._refused(CROSS_SITE, what, help, origin)

    def _refuse_form(self, origin: bytes) -> SourceVerdict:
        who = ticked(origin, _MAX_SHOWN) if origin not in (b"", OPAQUE) else "a web site that hides its origin"
        what = f"A page of {who} may not post a form here."
        return self._refused(FORM_NOT_ALLOWED, what, f"{self._form_line(origin)}; {_NO_GUARD}", origin)

    def _form_line(self, origin: bytes) -> str:
        """Return the help for a login that comes back by a form: the line to add."""
        name = EXAMPLE if origin in (b"", OPAQUE) else origin.decode("ascii")
        line = toml_line("form_post", (*self.forms.written, name))
        whose = " (the origin of the login page)" if name == EXAMPLE else ""
        return f"If a login page sends this form, add to this route, below [[routes]]: {line}{whose}"

    def _refuse_foreign(self, origin: bytes) -> SourceVerdict:
        shown = visible(origin, _MAX_SHOWN)
        if self.facts.upgrade:
            code = WEBSOCKET_ORIGIN_NOT_ALLOWED
            what = f"A page of `{shown}` may not open a WebSocket here: browsers leave that check to the server."
        else:
            code = ORIGIN_NOT_ALLOWED
            what = f"A page of `{shown}` may not send requests here: it is neither devproxy's own origin nor allowed."
        help = f"{self._line_to_add(origin)}; {_NO_GUARD}"
        if self._may_be_form():
            help = f"{self._form_line(origin)}. {help}"
        if origin == OPAQUE and self._says_nothing() and self.method not in READS:
            help = _KEEPS_ORIGIN + help
        return self._refused(code, what, help, origin)

    def _line_to_add(self, origin: bytes) -> str:
        if origin == OPAQUE:
            return "If any page may send requests to this route: [routes.cors] dangerously_allow_null_origin = true"
        return f"If you trust it, add to this route: [routes.cors] {line_for_origin(self.cors, origin)}"

    def _kind(self) -> str:
        return "WebSocket handshake" if self.facts.upgrade else "request"


def is_own_origin(origin: bytes, host: bytes) -> bool:
    """Tell whether `origin` is that of a page that was itself asked for with `host`.

    ``http`` and ``https`` both count: something in front of devproxy may speak TLS. The port counts, so another server
    on this machine is not devproxy; a default port may be written or not.
    """
    meant = normalised(origin)
    return meant is not None and meant in (web_origin("http", host), web_origin("https", host))
