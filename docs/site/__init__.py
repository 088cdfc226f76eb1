"""The documents as a site: ``make docs`` writes it to ``build/docs/html``, ``make docs-serve`` shows it as you write.

:mod:`docs.site.pages` says which document is which page and where links lead then, without touching a file;
``python -m docs.site`` reads, writes and runs Sphinx, whose settings are in ``conf.py``. Start at :func:`pages.layout`.
ADR 0016 says why Sphinx.
"""
