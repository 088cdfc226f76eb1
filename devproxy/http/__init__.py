"""Heads and what they state, whichever version of HTTP carries them, and what is remembered of them."""
