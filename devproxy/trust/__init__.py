"""Whom this system trusts: its stores of authorities, and the commands that put one in or take it out.

Owns where each system and each browser keeps the authorities that it trusts (:mod:`stores`) and what changes that, as a
list of commands (:mod:`plan`, pure). Makes no certificate and runs no command that changes anything: that is for
``devproxy trust``. Start at :func:`stores.look`.
"""
