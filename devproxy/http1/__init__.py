"""HTTP/1.1 on the wire (RFC 9112), without I/O: strict heads, framing, rendering.

Start at :func:`devproxy.http1.head.parse_request_head`; a head's end is found by :mod:`devproxy.http1.reader`, a body's by
:mod:`devproxy.http1.framing`.
"""
