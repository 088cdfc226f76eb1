"""What must hold whatever octets arrive: the invariants of the gateway, checked on one case at a time.

No exception leaves a protocol. Every request is answered once or its connection ends. Nothing of a refused message
reaches the other side as a complete one; what does reach it reads, for h11 and llhttp, as the message that came. No
connection is used again once more, less or other octets came on it than its response has.

Start at :func:`check_request` and :func:`check_response`; :func:`mutated` makes cases from the corpus.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path

from devproxy.events import Outcome
from devproxy.gateway.front.client import ClientConnection
from devproxy.http1.reader import MessageKind
from tests.support.http1_cases import NEXT_RESPONSE, OCTETS, Generator, find_difference, is_known
from tests.support.http1_oracles import (
    End,
    Message,
    Reading,
    read_with_devproxy,
    read_with_h11,
    read_with_httptools,
)
from tests.support.in_memory import World
from tests.support.memory_transport import MemoryTransport

CORPUS = Path(__file__).resolve().parent.parent / "corpus"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
_ORACLES = {"h11": read_with_h11, "httptools": read_with_httptools}

_status_lines = re.compile(rb"HTTP/1\.1 ([2-5][0-9]{2}) ").findall
_absolute = re.compile(rb"(?i)http://[^/?]*").match


class Broken(AssertionError):
    """An invariant does not hold; the text has the octets."""


def pieces(stream: bytes, chance: random.Random) -> Iterator[bytes]:
    """Cut `stream` into pieces: whole, into two to five, or into single octets where it is short."""
    style = chance.randrange(10)
    if style < 4 or len(stream) < 2:
        yield stream
        return
    if style == 9 and len(stream) < 400:
        cuts = list(range(1, len(stream)))
    else:
        cuts = sorted(chance.randrange(1, len(stream)) for _ in range(chance.randrange(1, 5)))
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        if start < end:
            yield stream[start:end]


# --- requests -------------------------------------------------------------------------------------------------------


def check_request(world: World, stream: bytes, chance: random.Random) -> str:
    """Let a client send `stream`; return ``forwarded``, ``refused`` or ``waiting``. Raises :class:`Broken`."""
    client = world.client()
    try:
        for piece in pieces(stream, chance):
            client.receive(piece)
            _answer_all(world)
        _answer_all(world)
        client.receive_eof()
        _answer_all(world)
        _assert_no_fault(world)
        _assert_answered_once(world, client)
        return _assert_forwarded_faithfully(world, stream)
    except AssertionError as error:
        raise Broken(f"{error}\noctets: {stream!r}\nto the client: {client.written!r}\nto the server: "
                     f"{[one.written for one in world.upstreams]!r}") from error  # fmt: skip
    finally:
        world.reset()


def _answer_all(world: World) -> None:
    """Be the server: answer each request once all of it has come."""
    while True:
        world.settle()
        clients = [one for one in world.shared.connections if isinstance(one, ClientConnection)]
        waiting = [one for one in clients if one.running_exchanges and not one.body_remaining]
        servers = [one for one in world.upstreams if not one.is_closing() and one.get_protocol()._exchange is not None]
        if not waiting or not servers:
            return
        for server in servers:
            server.receive(OK)


def _assert_answered_once(world: World, client: MemoryTransport) -> None:
    statuses = [int(status) for status in _status_lines(client.written)]
    said = [event.status for event in world.finished() if event.status]
    assert statuses == said, f"answers {statuses}, reported {said}"
    cut = [event for event in world.finished() if not event.status]
    assert all(event.outcome is Outcome.CLIENT_LEFT for event in cut), "what is not answered has been left"
    assert client.has_ended, "the client has ended its side, and so must the gateway"
    refused = [index for index, status in enumerate(statuses) if status >= 400]
    for index in refused:
        event = [event for event in world.finished() if event.status][index]
        if event.error == "bad-request":
            assert index == len(statuses) - 1, "nothing is answered behind a message that could not be read"


def _assert_forwarded_faithfully(world: World, stream: bytes) -> str:
    # The server refuses every upgrade, so that what comes behind one is the next request.
    ours = read_with_devproxy(stream, MessageKind.REQUEST, b"GET", is_switching=False)
    accepted = [message for message in ours.messages if message.is_complete]
    forwarded: list[Message] = []
    for upstream in world.upstreams:
        seen = read_with_devproxy(upstream.written, MessageKind.REQUEST, b"GET")
        assert seen.end is not End.REFUSED, f"the gateway sent what it would refuse: {seen.fault}"
        for name, read in _ORACLES.items():
            _assert_same(name, upstream.written, seen, read(upstream.written, MessageKind.REQUEST, b"GET"))
        got = read_with_devproxy(upstream.written, MessageKind.REQUEST, b"GET", is_switching=False).messages
        complete = [message for message in got if message.is_complete]
        if len(complete) < len(got):
            assert upstream.has_ended, "a server that has half a request is told by the end of its connection"
        forwarded += complete
    rest = iter(accepted)
    for message in forwarded:
        assert any(_is_same_request(message, candidate) for candidate in rest), f"nobody sent {message}"
    if forwarded:
        return "forwarded"
    return "refused" if ours.end is End.REFUSED else "waiting"


def _is_same_request(forwarded: Message, sent: Message) -> bool:
    method, _, target = sent.start.partition(b" ")
    match = _absolute(target)
    if match is not None:
        target = target[match.end() :]
        target = target if target[:1] == b"/" else b"/" + target
        if method == b"OPTIONS" and target == b"/":
            return forwarded.start in (b"OPTIONS *", b"OPTIONS /")
    return forwarded.start == method + b" " + target and forwarded.body == sent.body


def _assert_same(name: str, stream: bytes, ours: Reading, theirs: Reading) -> None:
    """Check that another parser finds the same messages in what the gateway sent."""
    difference = find_difference(ours, theirs)
    assert not difference or is_known(name, stream, theirs), f"{name}: {difference}: {theirs}"


# --- responses ------------------------------------------------------------------------------------------------------

_ASKED = (b"GET", b"GET", b"HEAD", b"POST")


def check_response(world: World, stream: bytes, chance: random.Random) -> str:
    """Let a server answer one request with `stream` and end; return ``relayed``, ``cut`` or ``refused``."""
    method = chance.choice(_ASKED)
    client = world.client()
    try:
        length = b"Content-Length: 0\r\n" if method == b"POST" else b""
        client.receive(method + b" / HTTP/1.1\r\nHost: a.test\r\n" + length + b"\r\n")
        world.settle()
        (server,) = world.upstreams
        for piece in pieces(stream, chance):
            server.receive(piece)
            world.settle()
        if world.idle():
            assert _is_one_answer(stream, method), "a connection on which more came than an answer, or less, is kept"
        has_ended_cleanly = chance.random() < 0.7
        if has_ended_cleanly:
            server.receive_eof()
        else:
            server.lose(ConnectionResetError(104, "reset"))
        world.settle()
        _assert_no_fault(world)
        return _assert_relayed_faithfully(world, client, stream, method, has_ended_cleanly=has_ended_cleanly)
    except AssertionError as error:
        asked = method.decode()
        raise Broken(f"{error}\n{asked} answered with: {stream!r}\nto the client: {client.written!r}") from error
    finally:
        world.reset()


def _assert_relayed_faithfully(
    world: World, client: MemoryTransport, stream: bytes, method: bytes, *, has_ended_cleanly: bool
) -> str:
    assert not world.idle(), "a connection that the server has ended is kept"
    assert len(world.upstreams) == 1, "what may have been taken is not sent again"
    (event,) = world.finished()
    ours = read_with_devproxy(stream, MessageKind.RESPONSE, method)
    final = next((one for one in ours.messages if not one.start.startswith(b"1")), None)
    sent = read_with_devproxy(client.written, MessageKind.RESPONSE, method)
    assert sent.end is not End.REFUSED, f"the client gets what we would refuse: {sent.fault}"
    answers = [one for one in sent.messages if not one.start.startswith(b"1")]
    assert len(answers) == 1, f"one request, {len(answers)} answers"
    (answer,) = answers
    able = _ORACLES if method != b"HEAD" else {"h11": read_with_h11}
    for name, read in able.items():
        _assert_same(name, client.written, sent, read(client.written, MessageKind.RESPONSE, method))
    if event.outcome is Outcome.ANSWERED:
        assert answer.start == b"502"
        assert answer.is_complete
        return "refused"
    assert final is not None, "an answer that we cannot read is not relayed"
    assert answer.start == final.start
    if event.outcome is Outcome.COMPLETE:
        assert final.is_complete
        assert answer.is_complete
        assert answer.body == final.body
        return "relayed"
    assert event.outcome is Outcome.UPSTREAM_LOST
    assert final.body.startswith(answer.body), "only what came is passed on"
    assert client.has_ended
    assert client.is_aborted or not (answer.is_complete and not answer.is_until_close), "a cut answer looks complete"
    return "cut"


def _is_one_answer(stream: bytes, method: bytes) -> bool:
    """Tell whether `stream` is a final answer, interim ones before it perhaps, and not an octet more."""
    messages = read_with_devproxy(stream + NEXT_RESPONSE, MessageKind.RESPONSE, method).messages
    finals = [message for message in messages if not message.start.startswith(b"1")]
    return len(finals) == 2 and all(message.is_complete for message in finals) and finals[1].start == b"299"


def _assert_no_fault(world: World) -> None:
    assert not world.faults, f"an exception was left to the loop: {world.faults}"


# --- the corpus -----------------------------------------------------------------------------------------------------


def corpus(kind: MessageKind) -> list[bytes]:
    """Return the octets that have been kept, in the order of their names."""
    return [file.read_bytes() for file in sorted((CORPUS / kind.value).iterdir())]


def keep(kind: MessageKind, stream: bytes, name: str) -> Path:
    """Write `stream` to the corpus, so that it is tried again from now on."""
    file = CORPUS / kind.value / f"{name}.bin"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(stream)
    return file


def mutated(stream: bytes, other: bytes, chance: random.Random) -> bytes:
    """Return `stream` with one to four changes: octets, repetitions, gaps, and ends of `other`."""
    for _ in range(chance.randrange(1, 5)):
        at, to = sorted((chance.randrange(len(stream) + 1), chance.randrange(len(stream) + 1)))
        to = min(to, at + 64)
        match chance.randrange(6):
            case 0:
                stream = stream[:at] + bytes((chance.choice(OCTETS),)) + stream[at:]
            case 1:
                stream = stream[:at] + bytes((chance.randrange(256),)) + stream[at + 1 :]
            case 2:
                stream = stream[:at] + stream[to:]
            case 3:
                stream = stream[:to] + stream[at:to] * chance.randrange(1, 4) + stream[to:]
            case 4:
                stream = stream[:at] + other[chance.randrange(len(other) + 1) :]
            case _:
                stream = stream[:at] + chance.choice((b"\r\n", b"\r\n\r\n", b"0\r\n\r\n", b"\n", b"\r")) + stream[at:]
    return stream


def case(kind: MessageKind, number: int, kept: list[bytes]) -> tuple[bytes, random.Random]:
    """Return the octets of case `number`, and the chance that decides how they arrive."""
    chance = random.Random(f"fuzz {kind.value} {number}")
    if number % 3 == 0 and kept:
        return mutated(chance.choice(kept), chance.choice(kept), chance), chance
    return Generator(kind, number).stream(), chance
