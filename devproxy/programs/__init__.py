"""The programs that ``devproxy up`` starts: their processes, what they write, the ports they take.

Each runs below a keeper (:mod:`devproxy.platforms.keeper`), which leaves none of its processes behind, whatever happens
to devproxy. What is decided is pure (``changes``, ``environment``, ``output``, ``ports``); the rest carries it out.
Start at :class:`devproxy.programs.supervisor.Programs`.
"""
