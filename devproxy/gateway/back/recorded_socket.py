"""A WebSocket that is replayed (RFC 6455): the server's messages again, each once the client has said as much as then.

Pings, the closing handshake and Engine.IO's heartbeat are live. No extension is agreed on, so messages go as they are.
Start at :meth:`RecordedSocket.receive`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from devproxy.realtime.frames import Frame, FrameReader
from devproxy.recordings.model import Message
from devproxy.recordings.turns import PING_S, Script, Turns, is_beat, message_of, named, opened_name, packet_in

if TYPE_CHECKING:
    import asyncio

    from devproxy.gateway.back.in_process import InProcessTransport
    from devproxy.gateway.back.recorded_sessions import LiveSession
    from devproxy.realtime.packets import Packet

MAX_MESSAGE_BYTES: Final = 16 << 20
"""How much of a message is looked at; of the rest it is only known that there was some."""
_TEXT, _BINARY, _CLOSE, _PING, _PONG = 1, 2, 8, 9, 10
_FINAL: Final = 0x80
_NAME: Final = "recorded"
"""What a session is called that a masked recording does not name."""


class RecordedSocket:
    """The server's end of a WebSocket on `transport`. `eio`: the version of Engine.IO that is spoken on it, or 0.

    `session`: that goes on here, from polling.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        transport: InProcessTransport,
        script: Script,
        eio: int,
        *,
        session: LiveSession | None = None,
    ) -> None:
        self._loop = loop
        self._transport = transport
        self._turns = Turns(script)
        self._eio = eio
        self._session = session
        self._is_begun = session is None
        self._reader = FrameReader(is_masked=True, max_payload_bytes=MAX_MESSAGE_BYTES)
        self._message = bytearray()
        self._is_text = True
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Say what comes before the client says anything; in a session that goes on, once the client is there."""
        if self._is_begun:
            self._speak()
            self._beat_on()

    def receive(self, data: bytes) -> None:
        """Take frames of the client."""
        for frame in self._reader.read(data):
            self._take(frame)
        if self._reader.is_lost:
            self._transport.end()

    def close(self) -> None:
        """Say nothing any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _take(self, frame: Frame) -> None:
        if frame.opcode == _CLOSE:
            self._send(_CLOSE, frame.payload[:2])
            self._transport.end()
        elif frame.opcode == _PING:
            self._send(_PONG, frame.payload)
        elif frame.opcode in (0, _TEXT, _BINARY):
            if frame.opcode:
                self._message.clear()
                self._is_text = frame.opcode == _TEXT
            self._message += frame.payload[: MAX_MESSAGE_BYTES - len(self._message)]
            if frame.is_final:
                self._hear(Message(True, self._is_text, bytes(self._message)))

    def _hear(self, message: Message) -> None:
        if is_beat(message, self._eio):
            self._keep_up(message)
        elif self._session is not None:
            self._session.hear()
        else:
            self._turns.hear()
            self._speak()

    def _keep_up(self, message: Message) -> None:
        """Answer what Engine.IO asks to keep the transport, or to change it."""
        packet = packet_in(message, self._eio)
        if packet is None:
            return
        if packet.type == "ping":
            self._send(_TEXT, b"3" + message.data[1:])
            if packet.data == "probe" and self._session is not None:
                self._session.move()
        elif packet.type == "upgrade" and not self._is_begun:
            self._is_begun = True
            self._beat_on()
            assert self._session is not None
            self._session.move_to(self._say)

    def _say(self, packet: Packet) -> None:
        message = message_of(packet, self._eio)
        self._send(_TEXT if message.is_text else _BINARY, message.data)

    def _speak(self) -> None:
        while (message := self._turns.say()) is not None:
            packet = packet_in(message, self._eio) if self._eio else None
            if packet is None or packet.type not in ("open", "message"):
                self._send(_TEXT if message.is_text else _BINARY, message.data)
            else:
                self._say(named(opened_name(packet), _NAME))

    def _beat_on(self) -> None:
        """Ask for a sign of life now and then, as a server of protocol 4 does."""
        if self._eio >= 4:
            every_s = PING_S if self._session is None else self._session.ping_s
            self._timer = self._loop.call_later(every_s, self._beat)

    def _beat(self) -> None:
        self._send(_TEXT, b"2")
        self._beat_on()

    def _send(self, opcode: int, payload: bytes) -> None:
        size = len(payload)
        if size < 126:
            head = bytes((_FINAL | opcode, size))
        elif size < 1 << 16:
            head = bytes((_FINAL | opcode, 126)) + size.to_bytes(2)
        else:
            head = bytes((_FINAL | opcode, 127)) + size.to_bytes(8)
        self._transport.deliver(head + payload)
