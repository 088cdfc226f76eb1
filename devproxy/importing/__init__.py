"""What other tools' configurations say of proxying, as a ``devproxy.toml``: ``devproxy import``.

An import has three steps. A reader has the tool itself read its configuration (``node``, ``nginx``, ``caddy``) and
gives facts as JSON would hold them; a translation, which is pure, makes :class:`~devproxy.importing.rules.Rule` of
these: first match wins, as in most tools; and :mod:`devproxy.importing.ordering` makes routes of the rules, among
which the most specific one wins. What a route cannot say becomes a comment that says why, never a guess. Each source
is a module named after the tool, and :mod:`devproxy.importing.sources` lists them.
"""
