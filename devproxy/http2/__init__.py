"""HTTP/2 on the wire (RFC 9113, RFC 7541), without I/O: frames, compressed heads, a server's connection.

Start at :class:`devproxy.http2.connection.ServerConnection`. A request leaves here as the head of HTTP/1.1 that says
the same (:mod:`devproxy.http2.heads`), which ``http1.head`` judges; nothing here decides what happens to it. Why this
is our own code: ADR 0012.
"""
