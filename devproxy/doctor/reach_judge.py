"""Whether there is a server, at which addresses, by which scheme and certificate, as a function of what was seen.

Start at :func:`look_reachable`.
"""

from __future__ import annotations

from devproxy.authority.hosts import bracketed
from devproxy.authority.networks import is_loopback
from devproxy.doctor.fixes import fixes_for
from devproxy.doctor.judging import (
    Looked,
    is_gateway_error,
    said_of_failure,
    unchecked,
)
from devproxy.doctor.observed import Connection, Failure, Seen
from devproxy.doctor.problems import Code, Problem, Severity
from devproxy.doctor.reading import (
    engine_at,
    is_engine_answer,
    is_secured,
    location_of,
    words_of,
)
from devproxy.text.safe import visible

_CERTIFICATES = (
    ("expired", "net::ERR_CERT_DATE_INVALID"),
    ("not yet valid", "net::ERR_CERT_DATE_INVALID"),
    ("ostname mismatch", "net::ERR_CERT_COMMON_NAME_INVALID"),
    ("IP address mismatch", "net::ERR_CERT_COMMON_NAME_INVALID"),
)


_WHY_SILENT = {
    Failure.SILENT: "It takes connections and says nothing: it hangs, waits for something, or speaks another protocol.",
    Failure.CLOSED: (
        "It takes connections and ends them. A container does so whose server listens on its own 127.0.0.1: let it "
        "listen on 0.0.0.0 there."
    ),
}


def good_connections(seen: Seen) -> list[Connection]:
    """Return the connections that were made."""
    return [each for each in seen.connections if each.failure is Failure.NONE]


def is_reached(seen: Seen) -> bool:
    """Tell whether the server answered anything in the protocol that the URL names."""
    return seen.polled.is_there or seen.resource.is_there


def is_down(seen: Seen) -> bool:
    """Tell whether something in between says that the server behind it does not answer."""
    return is_gateway_error(seen.polled) and not engine_at(seen)


def is_mute(seen: Seen) -> bool:
    """Tell whether the URL gives no answer, though the server answers others."""
    is_silent = Failure.SILENT in (seen.resource.failure, seen.resource_page.failure) and not seen.resource.is_there
    return seen.polled.is_there and is_silent and not engine_at(seen)


def _mute(seen: Seen) -> Looked:
    url = seen.target.url(seen.target.resource)
    what = f"{url} gives no answer in time, though the server answers other requests"
    problem = Problem(
        Code.UNREACHABLE,
        what,
        why=(
            "What is there hangs; or, if it is a stream of events, something in between collects them: ask with "
            "--through, and the server's own address as URL."
        ),
        fix=fixes_for(Code.UNREACHABLE, seen),
        evidence=(f"GET {visible(seen.target.resource, 100)}: {seen.resource_page.failure}",),
    )
    return Looked("reachable", what, (problem,))


def look_reachable(seen: Seen) -> Looked:
    """Look whether the server answers at all."""
    good = good_connections(seen)
    if is_mute(seen):
        return _mute(seen)
    if is_reached(seen) and not is_down(seen):
        where = ", ".join(f"{bracketed(each.address)} in {1000 * each.seconds:.0f} ms" for each in good)
        return Looked("reachable", where)
    if (seen.elsewhere and not good) or seen.other_scheme:
        return Looked("reachable", "not at this address, or not in this way")
    raw = seen.polled.raw or seen.resource.raw
    if raw:
        return Looked("reachable", f"something answers: {visible(raw, 40)}")
    what, evidence, failure = _unreachable(seen)
    url = seen.target.url(seen.target.engine("polling"))
    problem = Problem(
        Code.UNREACHABLE,
        what,
        why=_WHY_SILENT.get(failure, "There is nothing to diagnose before the server answers."),
        browser=said_of_failure(url, failure),
        fix=fixes_for(Code.UNREACHABLE, seen),
        evidence=evidence,
    )
    return Looked("reachable", what, (problem,))


def _unreachable(seen: Seen) -> tuple[str, tuple[str, ...], Failure]:
    base = seen.target.base
    if is_down(seen):
        told = seen.polled.value("x-devproxy-error").decode("latin-1")
        what = f"{base} answers {seen.polled.status}: what it passes requests to does not answer"
        return (
            what,
            (words_of(seen.polled), *((f"X-Devproxy-Error: {visible(told, 60)}",) if told else ())),
            Failure.NONE,
        )
    evidence = tuple(
        f"{bracketed(each.address)}: {each.failure}" + (f" ({visible(each.detail, 100)})" if each.detail else "")
        for each in seen.connections
    )
    good = good_connections(seen)
    if not good:
        failure = seen.connections[0].failure if seen.connections else Failure.UNREACHABLE
        return f"nothing answers at {base}: {failure}", evidence, failure
    failure = seen.polled.failure
    details = {
        Failure.SILENT: f"{base} accepts connections and never answers",
        Failure.CLOSED: f"{base} accepts connections and closes them without an answer",
        Failure.NOT_HTTP: f"{base} answers something that is not HTTP",
    }
    detail = seen.polled.detail
    more = (f"{failure}: {visible(detail, 100)}",) if detail else (str(failure),)
    return details.get(failure, f"{base} gives no answer: {failure}"), more, failure


def look_address(seen: Seen) -> Looked:
    """Look whether the addresses that the name means are those at which the server listens."""
    good, target = good_connections(seen), seen.target
    if seen.elsewhere and not good:
        found = ", ".join(bracketed(address) for address in seen.elsewhere)
        problem = Problem(
            Code.ADDRESS_FAMILY,
            f"the server answers at {found} and not at {target.host}",
            why=f"It listens on that address alone, and {target.host} does not lead there.",
            browser=said_of_failure(target.url(target.engine("polling")), Failure.REFUSED),
            fix=fixes_for(Code.ADDRESS_FAMILY, seen),
            evidence=tuple(f"{bracketed(each.address)}: {each.failure}" for each in seen.connections)
            + tuple(f"{bracketed(address)}: connected" for address in seen.elsewhere),
        )
        return Looked("address", f"it is at {found}", (problem,))
    if not good:
        return unchecked("address", "nothing answers")
    refused = [each.address for each in seen.connections if each.failure is Failure.REFUSED]
    if [each.address for each in good] == ["::1"] and "127.0.0.1" in refused:
        problem = Problem(
            Code.ADDRESS_FAMILY,
            "the server listens on ::1 alone",
            why=(
                "Browsers try both addresses of localhost and find it. What asks 127.0.0.1 does not: proxies, "
                "containers, older programs."
            ),
            fix=fixes_for(Code.ADDRESS_FAMILY, seen),
            evidence=("[::1]: connected", "127.0.0.1: connection refused"),
            severity=Severity.WARNING,
        )
        return Looked("address", "::1 alone", (problem,))
    other = seen.polled_other
    if other.is_there and is_engine_answer(other) != engine_at(seen):
        return _two_servers(seen, good)
    return Looked("address", ", ".join(bracketed(each.address) for each in good))


def _two_servers(seen: Seen, good: list[Connection]) -> Looked:
    """Return that the two addresses of ``localhost`` lead to different servers."""
    first, second = (bracketed(each.address) for each in good[:2])
    here, there = ("Socket.IO", "something else") if engine_at(seen) else ("something else", "Socket.IO")
    what = f"two servers share port {seen.target.port}: {here} at {first}, {there} at {second}"
    problem = Problem(
        Code.ADDRESS_FAMILY,
        what,
        why=f"Browsers ask localhost at {first} first, and other programs may not. Give one of the two another port.",
        fix=fixes_for(Code.ADDRESS_FAMILY, seen),
        evidence=(f"{first}: {words_of(seen.polled)}", f"{second}: {words_of(seen.polled_other)}"),
        severity=Severity.WARNING if engine_at(seen) else Severity.ERROR,
    )
    return Looked("address", what, (problem,))


def look_scheme(seen: Seen) -> Looked:
    """Look whether page and server, and the URL and what is spoken there, are of one scheme."""
    target = seen.target
    name = "scheme"
    if seen.other_scheme:
        spoken, asked = ("plain HTTP", "TLS") if target.is_tls else ("TLS", "plain HTTP")
        what = f"{target.host_field} speaks {spoken} and was asked in {asked}"
        browser = said_of_failure(
            target.url(target.engine("polling")), Failure.TLS if target.is_tls else Failure.CLOSED
        )
        return Looked(name, what, (_scheme_problem(seen, what, "The URL names the wrong scheme.", browser),))
    location = location_of(seen, seen.polled, target.engine("polling"))
    if location and is_secured(seen, location):
        what = f"{target.base} sends every request on to https"
        why = (
            "A redirect from http to https is not followed by a preflight or a WebSocket, and polls lose their "
            "method. Name the https address in the client."
        )
        browser = f"WebSocket connection to '{target.url(target.engine('websocket'), is_websocket=True)}' failed: "
        browser += f"Error during WebSocket handshake: Unexpected response code: {seen.polled.status}"
        return Looked(name, what, (_scheme_problem(seen, what, why, browser),))
    page = "https" if seen.page.startswith(b"https:") else "http"
    if page == target.scheme or not is_reached(seen):
        return Looked(name, target.scheme)
    if page == "https":
        is_here = is_loopback(target.host)
        what = "the page is served by https and the server by http"
        why = (
            "Chromium and Firefox let a page of https ask this machine by http, Safari does not. Cookies of the two "
            "do not belong together."
            if is_here
            else "Browsers refuse requests of a page of https to servers by http (mixed content)."
        )
        url = target.url(target.engine("polling"))
        browser = (
            ""
            if is_here
            else f"Mixed Content: The page at '{seen.page.decode('latin-1')}/' was loaded over HTTPS, but requested an "
            f"insecure XMLHttpRequest endpoint '{url}'. This request has been blocked; the content must be served over "
            "HTTPS."
        )
        problem = _scheme_problem(seen, what, why, browser)
        return Looked(name, what, (problem._replace(severity=Severity.WARNING if is_here else Severity.ERROR),))
    if not seen.is_page_given:
        return Looked(name, target.scheme)
    what = "the page is served by http and the server by https"
    why = (
        "It works, but cookies with SameSite=Lax or Strict do not go along: the two are of different sites to a "
        "browser."
    )
    return Looked(name, what, (_scheme_problem(seen, what, why, "")._replace(severity=Severity.WARNING),))


def _scheme_problem(seen: Seen, what: str, why: str, browser: str) -> Problem:
    evidence = tuple(
        filter(None, (seen.polled.detail, str(seen.polled.failure), *(e.detail for e in seen.connections)))
    )
    return Problem(
        Code.SCHEME_MISMATCH,
        what,
        why=why,
        browser=browser,
        fix=fixes_for(Code.SCHEME_MISMATCH, seen),
        evidence=tuple(visible(each, 120) for each in evidence[:3]) or (words_of(seen.polled),),
    )


def look_certificate(seen: Seen) -> Looked:
    """Look whether the certificate is trusted."""
    name = "certificate"
    if not seen.target.is_tls:
        return Looked(name, "plain http")
    if not is_reached(seen):
        return unchecked(name, "the TLS handshake failed")
    if not seen.certificate:
        return Looked(name, "trusted by Python on this machine; a browser may have a list of its own")
    reason = visible(seen.certificate, 200)
    code = next((code for words, code in _CERTIFICATES if words in reason), "net::ERR_CERT_AUTHORITY_INVALID")
    url = seen.target.url(seen.target.engine("polling"))
    problem = Problem(
        Code.CERTIFICATE_UNTRUSTED,
        f"the certificate of {seen.target.host_field} is not trusted: {reason}",
        why="A page cannot ask past an untrusted certificate: its requests fail, with no warning to click away.",
        browser=f"GET {url} {code}",
        fix=fixes_for(Code.CERTIFICATE_UNTRUSTED, seen),
        evidence=(reason,),
    )
    return Looked(name, reason, (problem,))


def look_lone(seen: Seen) -> Looked:
    """Look whether an open connection keeps all others waiting."""
    name = "connections"
    if seen.is_lone:
        problem = Problem(
            Code.SINGLE_CONNECTION,
            "the server serves one connection at a time",
            why=(
                "While a connection is open, even a silent one, no other is answered. A browser opens several in "
                "advance, and a poll stays open for 25 s: everything else waits for it."
            ),
            fix=fixes_for(Code.SINGLE_CONNECTION, seen),
            evidence=("a request was answered only when another connection had ended",),
        )
        return Looked(name, "one at a time", (problem,))
    return Looked(name, "several at a time") if is_reached(seen) else unchecked(name, "nothing answers")
