"""A server whose logins belong to connections, as NTLM's do, and a client that logs in: made-up words, true states.

The server knows one thing of each connection: nobody, a challenge that it has given, or who is logged in. What it
answers names both the user and the connection, so that a test sees whose identity a request had.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.support.wire import Wire


class NtlmServer:
    """``connections``: how many were used for requests. ``seen``: connection and user of each request, in order."""

    def __init__(self, scheme: str) -> None:
        self.scheme = scheme
        self.connections = 0
        self.seen: list[tuple[int, str]] = []
        self.writers: dict[int, asyncio.StreamWriter] = {}
        self.ended: set[int] = set()
        self.port = 0
        self.extra = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number, user, nonce = 0, "nobody", ""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                if not number:
                    self.connections += 1
                    number = self.connections
                    self.writers[number] = writer
                fields = {
                    name.strip().lower(): value.strip()
                    for name, _, value in (line.partition(":") for line in head.decode().split("\r\n")[1:])
                }
                body = await reader.readexactly(int(fields.get("content-length", 0)))
                token = fields.get("authorization", "").partition(" ")[2].strip()
                step, _, rest = base64.b64decode(token).decode().partition(" ")
                if step == "hello":
                    nonce = f"{number}.{len(self.seen)}"
                    user = "nobody"
                    challenge = base64.b64encode(f"challenge {nonce}".encode()).decode()
                    answer, status = f"WWW-Authenticate: {self.scheme} {challenge}\r\n", "401 Unauthorized"
                elif step == "proof" and nonce and rest.endswith(" " + nonce):
                    user, nonce = rest.partition(" ")[0], ""
                    answer, status = "Persistent-Auth: true\r\n", "200 OK"
                elif token:
                    answer, status = f"WWW-Authenticate: {self.scheme}\r\n", "401 Unauthorized"
                elif user == "nobody":
                    answer, status = (
                        f'WWW-Authenticate: Basic realm="x"\r\nWWW-Authenticate: {self.scheme}\r\n',
                        "401 No",
                    )
                else:
                    answer, status = "", "200 OK"
                self.seen.append((number, user))
                if "upgrade" in fields and user != "nobody":
                    writer.write(b"HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n")
                    writer.write(f"{user}@{number}".encode())
                    await reader.read()
                    return
                said = f"{user}@{number}".encode() + body
                writer.write(
                    f"HTTP/1.1 {status}\r\n{answer}{self.extra}Content-Length: {len(said)}\r\n\r\n".encode() + said
                )
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.ended.add(number)
            writer.close()


@asynccontextmanager
async def ntlm_server(scheme: str = "NTLM") -> AsyncIterator[NtlmServer]:
    """Run one on a port of 127.0.0.1."""
    server = NtlmServer(scheme)
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        for writer in server.writers.values():
            writer.close()


def request(authorization: str = "", *, method: str = "GET", body: bytes = b"", fields: str = "") -> bytes:
    """Return a request; `authorization`: the whole line, without its end."""
    line = f"{authorization}\r\n" if authorization else ""
    length = f"Content-Length: {len(body)}\r\n" if body or method == "POST" else ""
    return f"{method} /in HTTP/1.1\r\nHost: a\r\n{fields}{line}{length}\r\n".encode() + body


def token(words: str) -> str:
    return base64.b64encode(words.encode()).decode()


async def answer_to(client: Wire, data: bytes) -> tuple[bytes, bytes]:
    """Send `data` and return the head and the body of the answer, whose length is stated."""
    client.send(data)
    head = await client.head()
    size = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    return head, await client.read(size)


def challenge_in(head: bytes, scheme: str) -> str:
    """Return the nonce in the challenge."""
    value = head.partition(f"WWW-Authenticate: {scheme} ".encode())[2].partition(b"\r\n")[0]
    return base64.b64decode(value).decode().partition(" ")[2]


async def log_in(client: Wire, user: str, *, scheme: str = "NTLM", line: str = "Authorization: {}") -> bytes:
    """Log `user` in on the connection of `client`; return the body of the last answer. `line`: how it is written."""
    await answer_to(client, request())
    head, _ = await answer_to(client, request(line.format(f"{scheme} {token('hello')}")))
    proof = token(f"proof {user} {challenge_in(head, scheme)}")
    head, body = await answer_to(client, request(line.format(f"{scheme} {proof}")))
    assert head.startswith(b"HTTP/1.1 200 "), head
    return body
