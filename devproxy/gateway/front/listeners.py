"""The listening sockets of a running gateway: new addresses are taken before old ones are given up.

Owns which sockets belong to which address of the configuration. Clients that have connected by a listener outlive it.
Start at :meth:`Listeners.add`.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterable, Iterator, Sequence

from devproxy.authority.hosts import LOOPBACK_ADDRESSES, bracketed
from devproxy.config.model import Listen
from devproxy.gateway.front.bind import bind_beside
from devproxy.gateway.front.listener import Listener


class Listeners:
    """What a gateway listens on. Takes over `sockets`, bound for `listens` in that order.

    `build` makes the protocol of a new client; `on_shortage` is called when the system gives no descriptor for one, or
    one of which `is_short` says that there are few left after it.
    """

    def __init__(
        self,
        listens: Sequence[Listen],
        sockets: Sequence[socket.socket],
        build: Callable[[], asyncio.Protocol],
        on_shortage: Callable[[], None],
        is_short: Callable[[int], bool],
    ) -> None:
        self._build = build
        self._on_shortage = on_shortage
        self._is_short = is_short
        self._groups = _grouped(listens, [self._released(sock) for sock in sockets])
        self._is_paused = False
        self._is_closed = False

    async def open(self) -> None:
        """Accept clients on every socket that does not do so yet, unless that is paused."""
        for door in list(self._all()):
            if not self._is_paused and not self._is_closed:
                await door.open()

    def pause(self) -> None:
        """Accept no client, at old and new addresses, until :meth:`resume`: clients wait in the kernel's queue."""
        self._is_paused = True
        for door in self._all():
            door.pause()

    async def resume(self) -> None:
        """Accept clients again. Raises OSError, and accepts none, if there is no free descriptor."""
        self._is_paused = False
        try:
            await self.open()
        except OSError:
            self.pause()
            raise

    async def add(self, listens: Sequence[Listen]) -> None:
        """Bind those of `listens` that are new, next to all others. Their clients wait until :meth:`open`.

        Raises :class:`~devproxy.gateway.front.bind.BindError` for the first one that cannot be had; none of the new
        ones is bound then.
        """
        old = [door.sock for door in self._all()]
        bound: dict[Listen | None, list[Listener]] = {}
        is_complete = False
        try:
            for listen in listens:
                if listen not in self._groups:
                    # In a thread: a name may take long to resolve, and so does finding out who holds a port.
                    binding = asyncio.ensure_future(asyncio.to_thread(bind_beside, listen, old))
                    try:
                        sockets = await asyncio.shield(binding)
                    except asyncio.CancelledError:
                        binding.add_done_callback(_close_bound)  # a thread goes on, and binds what is not wanted
                        raise
                    bound[listen] = [self._released(sock) for sock in sockets]
            is_complete = not self._is_closed
        finally:
            if not is_complete:
                for door in (one for group in bound.values() for one in group):
                    door.close(takes_waiting=False)
        if is_complete:
            self._groups |= bound

    def release(self, listens: Sequence[Listen]) -> None:
        """Stop listening on whatever is not one of `listens`."""
        for listen in [listen for listen in self._groups if listen not in listens]:
            for door in self._groups.pop(listen):
                door.close(takes_waiting=True)

    def close(self) -> None:
        """Stop listening for good."""
        self._is_closed = True
        for door in self._all():
            door.close(takes_waiting=False)

    def addresses(self, listens: Iterable[Listen] | None = None) -> list[str]:
        """Return the IP addresses listened on; `listens`: those of these alone, as if the others had been released."""
        if listens is None:
            return [door.host for door in self._all()]
        return [door.host for listen in listens for door in self._groups.get(listen, ())]

    def urls(self, scheme: str) -> tuple[str, ...]:
        """Return a URL for each way in: ``localhost`` means the loopback addresses that share a port."""
        return _urls(scheme, ((door.host, door.port) for door in self._all()))

    def _released(self, sock: socket.socket) -> Listener:
        return Listener(sock, self._build, self._on_shortage, self._is_short)

    def _all(self) -> Iterator[Listener]:
        for group in self._groups.values():
            yield from group


def _close_bound(binding: asyncio.Future[list[socket.socket]]) -> None:
    if not binding.cancelled() and binding.exception() is None:
        for sock in binding.result():
            sock.close()


def _grouped(listens: Sequence[Listen], doors: Sequence[Listener]) -> dict[Listen | None, list[Listener]]:
    """Return which of `doors` belong to which of `listens`; under None those that belong to no address."""
    groups: dict[Listen | None, list[Listener]] = {}
    rest = list(doors)
    for listen in listens:
        if not rest:
            break
        group = groups.setdefault(listen, [])  # port 0 may be asked for twice
        group.append(first := rest.pop(0))
        if listen.host == "localhost" and rest and (rest[0].host, rest[0].port) == ("::1", first.port):
            group.append(rest.pop(0))
    if rest:
        groups[None] = rest
    return groups


def _urls(scheme: str, names: Iterable[tuple[str, int]]) -> tuple[str, ...]:
    urls: dict[str, None] = {}
    for host, port in names:
        if host in LOOPBACK_ADDRESSES:
            shown = "localhost"
        elif host in ("::", "0.0.0.0"):
            urls[f"{scheme}://localhost:{port}/"] = None
            shown = _own_address() or "localhost"
        else:
            shown = bracketed(host)
        urls[f"{scheme}://{shown}:{port}/"] = None
    return tuple(urls)


def _own_address() -> str:
    """Return the address that this machine uses towards others, or "" (nothing is sent: a UDP socket only looks)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect(("192.0.2.1", 9))
        except OSError:
            return ""
        return str(sock.getsockname()[0])
