"""What `devproxy init` finds: what runs, what the files say, and a ``devproxy.toml`` with a reason for each route

Looks and asks, and changes nothing: listening ports are asked ``GET /`` and for a session of Socket.IO, files are read
and never run. ``looking``, ``listening``, ``asking`` and ``tree`` do I/O; everything else makes values of values. Start
at ``looking`` (what there is), ``proposal`` (what follows from it) and ``drafting`` (how it is written).
"""
