"""HTTP/1.1 on the wire (RFC 9112), without I/O: strict heads, framing, rendering.

Start at :func:`devproxy.http1.head.parse_request_head`; bodies are in :mod:`devproxy.http1.framing`.
"""
