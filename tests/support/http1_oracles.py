"""Other people's HTTP/1.1 parsers, and ours, read a stream of octets into one common form.

Each reader takes the octets that one connection delivers and says which messages it found, and how it ended. The
differential test compares them. Start at :class:`Reading`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol
from unittest import mock

import h11
import httptools
from aiohttp import http_parser as aiohttp_parsers
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_exceptions import HttpProcessingError
from devproxy.errors import BadMessage
from devproxy.http.messages import CHUNKED, UNTIL_CLOSE, RequestHead, ResponseHead
from devproxy.http1.framing import ChunkedReader
from devproxy.http1.head import parse_request_head, parse_response_head
from devproxy.http1.reader import HeadReader, MessageKind
from devproxy.http1.start_line import Limits


class End(Enum):
    """How the reading of a stream ended."""

    WAITING = "more octets are needed"
    REFUSED = "refused"
    CLOSED = "nothing more is read from this connection, or it speaks another protocol now"


@dataclass
class Message:
    """``start``: ``METHOD target``, or the status. ``is_until_close``: the body ends with the connection."""

    start: bytes
    body: bytes = b""
    is_complete: bool = False
    is_until_close: bool = False


@dataclass
class Reading:
    messages: list[Message] = field(default_factory=list)
    end: End = End.WAITING
    fault: str = ""

    def refuse(self, error: BaseException) -> Reading:
        self.end = End.REFUSED
        self.fault = f"{type(error).__name__}: {error}"
        return self


class Oracle(Protocol):
    """Reads a stream of requests, or of responses to `method`."""

    def __call__(self, stream: bytes, kind: MessageKind, method: bytes) -> Reading: ...


# --- devproxy ---------------------------------------------------------------------------------------------------------


def read_with_devproxy(stream: bytes, kind: MessageKind, method: bytes, *, is_switching: bool = True) -> Reading:
    """Read as devproxy does. `is_switching`: whether what comes behind a request for an upgrade is another protocol."""
    reading = Reading()
    heads = HeadReader(kind, Limits())
    try:
        while reading.end is End.WAITING and (found := heads.feed(stream)) is not None:
            block, rest = found
            head = (
                parse_request_head(block, Limits())
                if kind is MessageKind.REQUEST
                else parse_response_head(block, Limits(), method)
            )
            start, length = _extent(head, method)
            message = Message(start, is_until_close=length == UNTIL_CLOSE)
            reading.messages.append(message)
            stream = _read_body(message, length, rest, is_answer=kind is MessageKind.RESPONSE)
            if not message.is_complete:
                break
            if not head.facts.keep_alive and not _is_interim(head):
                reading.end = End.CLOSED
            if is_switching and head.facts.upgrade and (isinstance(head, RequestHead) or head.status == 101):
                reading.end = End.CLOSED
    except BadMessage as error:
        return reading.refuse(error)
    return reading


def _extent(head: RequestHead | ResponseHead, method: bytes) -> tuple[bytes, int]:
    if isinstance(head, RequestHead):
        return head.method + b" " + head.target, head.body_length
    return b"%d" % head.status, 0 if method == b"HEAD" else head.body_length


def _is_interim(head: RequestHead | ResponseHead) -> bool:
    return isinstance(head, ResponseHead) and head.status < 200


def _read_body(message: Message, length: int, rest: bytes, *, is_answer: bool) -> bytes:
    if length == CHUNKED:
        reader = ChunkedReader(is_decoding=True, is_answer=is_answer)
        try:
            message.body, rest = reader.feed(rest)
        except BadMessage:
            reader = ChunkedReader(is_decoding=True, is_answer=is_answer)
            for octet in rest:  # raises again, having given what was valid before the fault
                message.body += reader.feed(bytes((octet,)))[0]
        message.is_complete = reader.is_done
        return rest
    if length == UNTIL_CLOSE:
        length = len(rest)
    message.body = rest[:length]
    message.is_complete = len(message.body) == length
    return rest[length:]


# --- h11 --------------------------------------------------------------------------------------------------------------


def read_with_h11(stream: bytes, kind: MessageKind, method: bytes) -> Reading:
    reading = Reading()
    is_server = kind is MessageKind.REQUEST
    connection = h11.Connection(h11.SERVER if is_server else h11.CLIENT)
    try:
        _open_h11_cycle(connection, is_server, method)
        connection.receive_data(stream)
        if not is_server:
            connection.receive_data(b"")
        while reading.end is End.WAITING:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                return reading
            if event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
                reading.end = End.CLOSED
            elif isinstance(event, h11.Request):
                reading.messages.append(Message(event.method + b" " + event.target))
            elif isinstance(event, h11.InformationalResponse):
                reading.messages.append(Message(b"%d" % event.status_code, is_complete=True))
            elif isinstance(event, h11.Response):
                reading.messages.append(Message(b"%d" % event.status_code))
            elif isinstance(event, h11.Data):
                reading.messages[-1].body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                reading.messages[-1].is_complete = True
                _next_h11_cycle(connection, is_server, method, reading)
    except h11.RemoteProtocolError as error:
        return reading.refuse(error)
    return reading


def _open_h11_cycle(connection: h11.Connection, is_server: bool, method: bytes) -> None:
    if not is_server:
        connection.send(h11.Request(method=method, target=b"/", headers=[(b"Host", b"a")]))
        connection.send(h11.EndOfMessage())


def _next_h11_cycle(connection: h11.Connection, is_server: bool, method: bytes, reading: Reading) -> None:
    if is_server:
        connection.send(h11.Response(status_code=204, headers=[]))
        connection.send(h11.EndOfMessage())
    if connection.our_state is h11.DONE and connection.their_state is h11.DONE:
        connection.start_next_cycle()
        _open_h11_cycle(connection, is_server, method)
    else:
        reading.end = End.CLOSED


# --- httptools (llhttp, which Node uses) ------------------------------------------------------------------------------


class _Recorder:
    """Receives what httptools calls back."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.parser: httptools.HttpRequestParser | httptools.HttpResponseParser | None = None
        self.target = b""

    def on_message_begin(self) -> None:
        self.target = b""

    def on_url(self, url: bytes) -> None:
        self.target += url

    def on_headers_complete(self) -> None:
        if isinstance(self.parser, httptools.HttpRequestParser):
            self.messages.append(Message(self.parser.get_method() + b" " + self.target))
        elif isinstance(self.parser, httptools.HttpResponseParser):
            self.messages.append(Message(b"%d" % self.parser.get_status_code()))

    def on_body(self, body: bytes) -> None:
        self.messages[-1].body += body

    def on_message_complete(self) -> None:
        self.messages[-1].is_complete = True


def read_with_httptools(stream: bytes, kind: MessageKind, method: bytes) -> Reading:
    recorder = _Recorder()
    recorder.parser = (httptools.HttpRequestParser if kind is MessageKind.REQUEST else httptools.HttpResponseParser)(
        recorder
    )
    reading = Reading(recorder.messages)
    try:
        recorder.parser.feed_data(stream)
    except httptools.HttpParserUpgrade:
        reading.end = End.CLOSED
    except httptools.HttpParserError as error:
        return reading.refuse(error)
    return reading


# --- aiohttp (llhttp again, with checks of its own; and its parser in Python) -----------------------------------------


class AiohttpOracle:
    """One of aiohttp's two pairs of parsers; `loop` is only held on to, it never runs."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *, is_pure_python: bool) -> None:
        self._protocol = mock.create_autospec(BaseProtocol, instance=True)
        self._loop = loop
        self._is_pure_python = is_pure_python

    def __call__(self, stream: bytes, kind: MessageKind, method: bytes) -> Reading:
        try:
            return self._read(stream, kind, method, len(stream) or 1)
        except _REFUSALS:
            # What it found before the fault is lost with the exception; fed octet by octet it is not.
            return self._read(stream, kind, method, 1)

    def _read(self, stream: bytes, kind: MessageKind, method: bytes, piece: int) -> Reading:
        parser = self._new_parser(kind, method)
        found: list[tuple[Any, Any]] = []
        reading = Reading()
        error: BaseException | None = None
        for start in range(0, len(stream), piece):
            try:
                messages, is_upgraded, _ = parser.feed_data(stream[start : start + piece])
            except _REFUSALS as raised:
                if piece > 1:
                    raise
                error = raised
                break
            found += messages
            if is_upgraded:
                reading.end = End.CLOSED
                break
        for head, payload in found:
            reading.messages.append(self._message(head, payload))
            error = error or payload.exception()
            if head.upgrade and kind is MessageKind.REQUEST:
                # Its own server then answers, and reads no further request from the octets that came along.
                reading.end = End.CLOSED
        return reading.refuse(error) if error else reading

    def _new_parser(self, kind: MessageKind, method: bytes) -> Any:
        has_body = method != b"HEAD"
        suffix = "Py" if self._is_pure_python else "C"
        name = "HttpRequestParser" if kind is MessageKind.REQUEST else "HttpResponseParser"
        more: dict[str, Any] = {"response_with_body": has_body} if kind is MessageKind.RESPONSE else {}
        if kind is MessageKind.RESPONSE:
            more["read_until_eof"] = has_body
            if self._is_pure_python:
                more["method"] = method.decode()
        return getattr(aiohttp_parsers, name + suffix)(
            self._protocol, self._loop, 2**16, auto_decompress=False, max_line_size=65536, max_field_size=65536, **more
        )

    @staticmethod
    def _message(head: Any, payload: Any) -> Message:
        is_request = hasattr(head, "method")
        start = f"{head.method} {head.path}".encode("utf-8", "surrogateescape") if is_request else b"%d" % head.code
        return Message(start, b"" if payload.exception() else payload.read_nowait(), payload.is_eof())


_REFUSALS = (HttpProcessingError, ValueError)
