"""The inspector: what happens, kept, explained, and shown at ``/__devproxy/``.

What it says of an exchange is worked out when it is asked for, from the gateway's events. Nearly all of it is imported
on the first visit, in a thread of its own. The resources are described in ``docs/inspector-api.md``; the page that
shows them is in ``page/``.
"""
