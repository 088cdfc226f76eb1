"""A working day in minutes: hundreds of clients, servers that die, come back and move, and a file that is rewritten.

    python -m tests.soak --seconds 600

Half of the clients come by HTTP/2, many on one connection (:mod:`tests.soak.http2`). Start at
:mod:`tests.soak.__main__`; what clients check is in :mod:`tests.soak.clients`.
"""
