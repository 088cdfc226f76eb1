"""The only code that does network I/O for traffic. Start at :mod:`devproxy.gateway.app`.

Protocols of asyncio, and no HTTP library below them: ADR 0001.

Importing this package imports nothing else, so that :mod:`devproxy.gateway.front.bind` can bind sockets before asyncio
is loaded.
"""
