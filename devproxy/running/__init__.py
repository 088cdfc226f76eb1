"""How a running devproxy is found: by a socket that only its own user can reach.

The serving side is :mod:`devproxy.running.serving`; other programs ask by :mod:`devproxy.running.asking`.
"""
