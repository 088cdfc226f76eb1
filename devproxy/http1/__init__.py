"""HTTP/1.1 on the wire (RFC 9112), without I/O: strict heads and framing.

Start at :func:`devproxy.http1.head.parse_request_head`; :mod:`devproxy.http1.reader` finds where a head ends,
:mod:`devproxy.http1.framing` where a body does.
"""
