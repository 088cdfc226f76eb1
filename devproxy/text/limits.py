"""How long a text may be that people write."""

MAX_FILE_BYTES = 256 * 1024
"""Of a configuration: bounds the time that reading takes. A thousand routes fit. A reader of the file reads one byte
more, and :func:`devproxy.config.load` says that it is too long."""
