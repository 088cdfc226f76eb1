"""How much work HTTP/2 is, and that what is measured is done."""

from __future__ import annotations

import h2.config
import h2.connection
import h2.events
from bench.http2 import BODY, GREETING, HEAD, count_work, requests
from devproxy.http1.head import parse_request_head
from devproxy.http1.start_line import Limits
from devproxy.http2.connection import ServerConnection
from devproxy.http2.events import RequestReceived


def test_what_is_measured_is_a_page_with_its_modules() -> None:
    server = ServerConnection(Limits())
    server.receive(GREETING)
    (event,) = server.receive(requests(1)[0])
    assert isinstance(event, RequestReceived)
    head = parse_request_head(event.block, Limits())
    assert head.path.startswith(b"/src/module0.js?t=")
    assert head.first(b"cookie") == b"session=0; theme=dark"
    assert len(head.fields) == 12


def test_what_is_answered_reaches_a_client() -> None:
    client = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding=None))
    client.initiate_connection()
    client.send_headers(1, [(":method", "GET"), (":scheme", "https"), (":path", "/"), (":authority", "a")], True)
    server = ServerConnection(Limits())
    server.receive(client.data_to_send())
    server.respond(1, HEAD.split(b"\r\n"), b"", False)
    server.send(1, BODY, True)
    events = client.receive_data(server.take())
    assert [one.data for one in events if isinstance(one, h2.events.DataReceived)] == [BODY]
    (answer,) = (one for one in events if isinstance(one, h2.events.ResponseReceived))
    assert len(answer.headers) == 10


def test_a_request_takes_no_more_work_than_it_did() -> None:
    work = count_work()
    assert work["instructions"] <= 1760
    assert work["calls"] <= 102
