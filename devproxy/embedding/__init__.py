"""devproxy within another program: a gateway in its event loop, which changes nothing of its process.

Public by way of the package itself; ``docs/embedding.md`` shows how it is used. Start at
:class:`devproxy.embedding.gateway.Gateway`.
"""
