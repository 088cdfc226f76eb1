"""The load, apart from wrk: small uvloop clients, each in a process of its own. Every answer is checked.

A wrong answer is an error, never a fast one. :mod:`bench.load` starts them; start reading at ``__main__.py``.
"""
