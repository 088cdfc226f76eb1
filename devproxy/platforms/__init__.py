"""What differs between Linux, macOS and Windows, and between event loops; no other part asks which one it is.

Each module has one concern and all that is known of it, system beside system: signals, terminals, sockets, accounts,
folders. Above this folder they look alike. What a system cannot do has an answer here, too: a limit that is not known,
a peer that counts as there. Knows nothing of devproxy's own matters, apart from the names of its folders. What was run
where, and what was only simulated: ``docs/platforms.md``. Start at :mod:`devproxy.platforms.system`.
"""
