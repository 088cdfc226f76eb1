"""Whether sessions are found again, let in, kept while they are quiet, and told of events in time. Pure.

Start at :func:`look_sticky`.
"""

from __future__ import annotations

from typing import Final

from devproxy.doctor.fixes import fixes_for
from devproxy.doctor.judging import Looked, said_of_failure, said_of_status, unchecked
from devproxy.doctor.observed import JOIN_S, Failure, Seen
from devproxy.doctor.problems import Code, Problem
from devproxy.doctor.reading import allow_origins
from devproxy.text.safe import visible

_LATE_S: Final = 1.0
_AUTH_WORDS: Final = (
    "auth",
    "token",
    "credential",
    "login",
    "log in",
    "logged",
    "sign in",
    "signed in",
    "jwt",
    "forbidden",
    "permission",
    "session expired",
    "api key",
    "apikey",
    "password",
)
_UNKNOWN_NAMESPACE: Final = ("invalid namespace", "unable to connect")


def is_unsticky(seen: Seen) -> bool:
    """Tell whether requests of one session meet servers that do not know it."""
    return any(each.unknown for each in seen.rounds) or (bool(seen.session.lost) and not seen.rounds)


def look_sticky(seen: Seen) -> Looked:
    """Look whether all requests of a session reach the server that has it."""
    name = "sessions"
    if not seen.rounds and not seen.session.lost:
        return unchecked(name, "no session was opened")
    unknown = sum(each.unknown for each in seen.rounds)
    asked = unknown + sum(each.known for each in seen.rounds)
    if not is_unsticky(seen):
        return Looked(name, f"known to each of {asked} requests over new connections")
    kept = [each.kept for each in seen.rounds if each.kept is not None]
    is_cluster = bool(kept) and all(kept)
    if is_cluster:
        what = "several processes share the port, and a session is known to one of them only"
        why = (
            "Over the connection that opened a session it is always known, over a new one it is a matter of chance: "
            "the processes (PM2's cluster mode, Node's cluster, workers of gunicorn or uvicorn) share out "
            "connections. A browser opens several. "
        )
    else:
        what = "several servers share the requests, and a session is known to one of them only"
        why = "Even over one connection the session is known and unknown by turns: a proxy shares requests out. "
    why += "The Redis adapter shares events between them; it does not lead a session to its server."
    if seen.session.cookies_help:
        why += " With the cookie that it sets, requests stay with one server: a page of another origin has to send it "
        why += "(withCredentials: true)."
    problem = Problem(
        Code.NOT_STICKY,
        what,
        why=why,
        browser=(
            said_of_status(seen.target.url(seen.target.engine("polling", sid="…")), 400)
            if seen.is_same_origin or _page_reads(seen)
            else ""
        ),
        fix=fixes_for(Code.NOT_STICKY, seen),
        evidence=(
            f"{unknown} of {asked} requests over new connections: Session ID unknown",
            *(
                (f"over the connection that opened it: {'known' if is_cluster else 'not always known'}",)
                if kept
                else ()
            ),
        ),
    )
    return Looked(name, what, (problem,))


def _page_reads(seen: Seen) -> bool:
    """Tell whether an answer at Engine.IO's path may be read by the page."""
    values = allow_origins(seen.polled_page)
    return values in ([seen.page], [b"*"])


def look_namespace(seen: Seen) -> Looked:
    """Look whether the namespace that the URL names lets the client in."""
    target, join = seen.target, seen.session.join
    name = "namespace"
    if not join.result:
        return unchecked(name, "no session was opened")
    if join.result == "joined":
        return Looked(name, f"{target.namespace} joined")
    said = visible(join.said, 160)
    if join.result in ("not sent", "broken"):
        return unchecked(name, f"the session ended before: {said}")
    if join.result == "silent":
        if join.waited_s < JOIN_S - 0.5:
            return unchecked(name, f"no answer in {join.waited_s:.1f} s")
        what = f"the namespace {visible(target.namespace, 80)} does not answer"
        why = (
            "A middleware that never calls next(), or a connect handler that never returns, leaves the client waiting."
        )
        code = Code.NAMESPACE_REFUSED
    elif any(words in said.lower() for words in _UNKNOWN_NAMESPACE):
        what = f"there is no namespace {visible(target.namespace, 80)}: {said}"
        why = (
            "The path of the URL given to io() is the namespace. If it was meant to be Engine.IO's path, write it as "
            "the option `path` (here --path)."
        )
        code = Code.NAMESPACE_REFUSED
    elif any(words in said.lower() for words in _AUTH_WORDS):
        what = f"the namespace {visible(target.namespace, 80)} asks who the client is: {said}"
        why = "A middleware (io.use) or the connect handler refuses a client without credentials."
        code = Code.AUTH_REQUIRED
    else:
        what = f"the namespace {visible(target.namespace, 80)} refuses the connection" + (f": {said}" if said else "")
        why = "A middleware (io.use) or the connect handler refuses it; the text is its own."
        code = Code.NAMESPACE_REFUSED
    problem = Problem(
        code,
        what,
        why=(
            f"{why} The client sees it as connect_error; its err.context, and what the server logs, cannot be seen "
            "from here."
        ),
        fix=fixes_for(code, seen),
        evidence=((f"CONNECT_ERROR: {said}",) if said else (f"no answer in {join.waited_s:.1f} s",)),
    )
    return Looked(name, what, (problem,))


def look_idle(seen: Seen, limit_s: float) -> Looked:
    """Look whether quiet connections live as long as Engine.IO needs them to."""
    name = "quiet connections"
    held = [(kind, idle) for kind, idle in (("poll", seen.idle_poll), ("WebSocket", seen.idle_socket)) if idle.needed_s]
    if not held:
        return unchecked(name, "none was held")
    early = [(kind, idle) for kind, idle in held if idle.ended and idle.held_s < idle.needed_s]
    needed_s = held[0][1].needed_s
    if early:
        kind, idle = early[0]
        what = f"a quiet {kind} was ended after {idle.held_s:.1f} s, before pingInterval + pingTimeout ({needed_s:g} s)"
        problem = Problem(
            Code.TIMEOUT_SHORT,
            what,
            why=(
                "Engine.IO lets a connection be quiet for that long. Something in between has a shorter time-out, so "
                "clients lose their connection again and again."
            ),
            browser=_early_said(seen, kind, idle.ended),
            fix=fixes_for(Code.TIMEOUT_SHORT, seen),
            evidence=tuple(f"{each}: {idle.ended} after {idle.held_s:.1f} s" for each, idle in early),
        )
        return Looked(name, what, (problem,))
    shortest_s = min(idle.held_s for _, idle in held)
    if shortest_s < needed_s - 0.5:
        more = round(needed_s + 10)
        why = f"held for {shortest_s:.1f} s of {needed_s:g} s: --timeout {more} finds what ends them later"
        return unchecked(name, why)
    return Looked(name, f"held for {needed_s:g} s")


def _early_said(seen: Seen, kind: str, ended: str) -> str:
    if kind == "WebSocket" and ended == "closed":
        return ""
    if ended[:3].isdigit():
        return said_of_status(seen.target.url(seen.target.engine("polling", sid="…")), int(ended[:3]))
    url = seen.target.url(seen.target.engine("polling", sid="…"))
    return "" if kind == "WebSocket" else said_of_failure(url, Failure.CLOSED)


def look_buffered(seen: Seen, other: Seen | None = None) -> Looked:
    """Look whether events come when they are sent. `other`: the same server, asked without what is in between."""
    name, session, streamed = "events", seen.session, seen.streamed
    if streamed.waited_s:
        return _streamed(seen, other)
    base_s = max(seen.polled.head_s, seen.polled_page.head_s)
    late = [
        (what, seconds)
        for what, seconds in (
            ("the answer to a WebSocket's first message", session.probe_s),
            ("the noop that lets a poll go", session.poll_s),
            (
                "the body of a poll, after its head,",
                seen.polled.body_s - seen.polled.head_s if seen.polled.body_s else 0.0,
            ),
        )
        if seconds < 0 or seconds > max(_LATE_S, 4 * base_s)
    ]
    if other is not None and other.polled.is_there and seen.polled.head_s > other.polled.head_s + _LATE_S:
        late.append((f"the first answer, {other.polled.head_s:.1f} s when it is asked for directly,", base_s))
    is_mute = seen.socket_page.is_open and seen.socket_page.first is None and not seen.socket_page.ended
    if is_mute:
        late.append(("the first message of a WebSocket", -1.0))
    if not late:
        if session.upgrade.is_open:
            return Looked(name, f"a message is answered in {1000 * session.probe_s:.0f} ms")
        return unchecked(name, "no event was there to wait for") if not seen.polled.body_s else Looked(name, "at once")
    words = [
        f"{what} {'did not come in time' if seconds < 0 else f'came after {seconds:.1f} s'}" for what, seconds in late
    ]
    problem = Problem(
        Code.BUFFERED,
        "; ".join(words),
        why="Something in between collects bytes before it passes them on: a proxy that buffers, or compression.",
        fix=fixes_for(Code.BUFFERED, seen),
        evidence=(*words, f"the answer to a first request took {base_s:.2f} s"),
    )
    return Looked(name, "; ".join(words), (problem,))


def _streamed(seen: Seen, other: Seen | None) -> Looked:
    """Judge an event stream: by what compression does to it, and by what it is without what is in between."""
    name, streamed = "events", seen.streamed
    plain_s, packed_s = streamed.plain_s, streamed.packed_s
    why = ""
    if plain_s > 0 and streamed.coding and (packed_s < 0 or packed_s > plain_s + _LATE_S):
        why = f"Compression ({visible(streamed.coding, 20)}) holds events back until enough of them are there."
    elif (
        other is not None and other.streamed.plain_s > 0 and (plain_s < 0 or plain_s > other.streamed.plain_s + _LATE_S)
    ):
        why = "What is in between collects events; asked directly, the server sends them at once."
    if not why:
        if plain_s < 0:
            return unchecked(name, f"no event came in {streamed.waited_s:.1f} s")
        return Looked(name, f"the first event came after {plain_s:.2f} s")
    words = [
        f"{what}: {'no event' if seconds < 0 else f'the first event after {seconds:.2f} s'}"
        for what, seconds in (("without compression", plain_s), ("with compression on offer", packed_s))
    ]
    problem = Problem(
        Code.BUFFERED,
        "events of the stream come late",
        why=why,
        fix=fixes_for(Code.BUFFERED, seen),
        evidence=tuple(words),
    )
    return Looked(name, problem.what, (problem,))
