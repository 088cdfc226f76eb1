"""The only code that does network I/O for traffic. Start at :mod:`devproxy.gateway.app`.

Importing this package imports nothing else, so that :mod:`devproxy.gateway.front.bind` can bind sockets before asyncio
is loaded.
"""
