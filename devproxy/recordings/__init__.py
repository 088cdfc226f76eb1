"""Recorded sessions as backends: HAR files read, and which recorded answer a request gets.

What a file says becomes values (:mod:`~devproxy.recordings.archive`), which requests are matched with
(:mod:`~devproxy.recordings.matching`); conversations that last, Engine.IO sessions and WebSockets, are replayed turn by
turn (:mod:`~devproxy.recordings.turns`). Start at :func:`devproxy.recordings.archive.read_recording`.
"""
