"""devproxy: one origin in front of a frontend dev server and a Socket.IO/REST backend.

The map, from the bottom up (each floor imports only from those below it):

``errors`` ``messages`` ``events``  what goes wrong, what HTTP messages are, what happened
``http1``       sans-I/O grammar and framing of HTTP/1.1 (RFC 9112)
``engineio`` ``websocket``  what the gateway must recognise of those two protocols
``policy``      pure header rules: hop-by-hop, forwarded, CORS
``config``      TOML text -> :class:`~devproxy.config.model.Config`, or every problem at once
``routing``     which route takes a request, and why
``plan``        the heart: what to do with a request head, decided without I/O
``gateway``     the only code that does network I/O for traffic
``console``     what the terminal shows
``cli``         commands; the composition root

Start reading at :mod:`devproxy.plan`.
"""

__version__ = "0.1.0"
