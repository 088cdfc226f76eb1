"""What a client has sent after the request that is being answered. Start at :class:`Backlog`."""

from __future__ import annotations

from devproxy.http1.reader import find_head_end


class Backlog(bytearray):
    """Bytes that wait. They are added at the end and taken at the beginning, neither of which copies what stays.

    So each of many requests costs what it is itself.
    """

    __slots__ = ()

    def peek(self, size: int) -> bytes:
        """Return the first `size` bytes, or all where there are fewer."""
        return bytes(memoryview(self)[:size])

    def take(self, size: int) -> bytes:
        """Take out the first `size` bytes, or all where there are fewer."""
        taken = self.peek(size)
        del self[: len(taken)]
        return taken

    def take_head(self) -> bytes:
        """Take out the next head, or all where it is not complete."""
        end = find_head_end(self)
        return self.take(end if end > 0 else len(self))
