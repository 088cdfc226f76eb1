"""Every run tries the same examples, so that a failure elsewhere can be repeated here; a slow machine is no failure."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("devproxy", derandomize=True, deadline=None)
settings.load_profile("devproxy")
