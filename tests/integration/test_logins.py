"""Logins that belong to a connection (NTLM, Negotiate): one client's identity is never another's, and works at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from devproxy.config.model import Sticky, Upstream
from tests.support.ntlm import NtlmServer, answer_to, challenge_in, log_in, ntlm_server, request, token
from tests.support.wire import Conversation, ScriptedUpstream, address_of, config_for, conversation, running, until

pytestmark = pytest.mark.jumping_clock

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@asynccontextmanager
async def behind(scheme: str = "NTLM") -> AsyncIterator[tuple[Conversation, NtlmServer]]:
    async with ntlm_server(scheme) as server:
        upstream = Upstream(name="backend", servers=(address_of(server.port),))
        async with running(config_for((), upstream=upstream), ScriptedUpstream()) as talk:
            yield talk, server


@pytest.mark.parametrize("scheme", ["NTLM", "Negotiate", "ntlm", "NEGOTIATE", "Kerberos"])
async def test_whoever_logs_in_is_nobody_else(scheme: str) -> None:
    async with behind(scheme) as (talk, _server):
        alice, bob = await talk.client(), await talk.client()
        said = await log_in(alice, "alice", scheme=scheme)
        assert said.startswith(b"alice@")
        head, body = await answer_to(bob, request())
        assert head.startswith(b"HTTP/1.1 401 ")
        assert body.startswith(b"nobody@")
        assert (await log_in(bob, "bob", scheme=scheme)).startswith(b"bob@")
        for _ in range(3):
            assert (await answer_to(alice, request()))[1] == said
            assert (await answer_to(bob, request()))[1].startswith(b"bob@")
        stranger = await talk.client()
        assert (await answer_to(stranger, request()))[1].startswith(b"nobody@")


async def test_two_handshakes_at_a_time_do_not_mix() -> None:
    async with behind() as (talk, _server):
        clients = {name: await talk.client() for name in ("alice", "bob", "carol")}
        for client in clients.values():
            await answer_to(client, request())
        nonces = {}
        for name, client in clients.items():
            head, _ = await answer_to(client, request(f"Authorization: NTLM {token('hello')}"))
            nonces[name] = challenge_in(head, "NTLM")
        for name, client in reversed(clients.items()):
            proof = token(f"proof {name} {nonces[name]}")
            _, body = await answer_to(client, request(f"Authorization: NTLM {proof}"))
            assert body.startswith(name.encode())
        for name, client in clients.items():
            assert (await answer_to(client, request()))[1].startswith(name.encode())


async def test_many_clients_at_once_each_stay_themselves() -> None:
    async with behind() as (talk, _server):

        async def work(name: str) -> None:
            client = await talk.client()
            await log_in(client, name)
            for _ in range(20):
                assert (await answer_to(client, request()))[1].startswith(name.encode() + b"@")

        async def pass_by() -> None:
            for _ in range(20):
                client = await talk.client()
                assert (await answer_to(client, request()))[1].startswith(b"nobody@")
                client.close()

        await asyncio.gather(*(work(f"user{number}") for number in range(8)), *(pass_by() for _ in range(4)))


@pytest.mark.parametrize(
    "line",
    [
        "Authorization: {}",
        "authorization:{}",
        "AUTHORIZATION: \t{}  ",
    ],
)
async def test_however_the_line_is_written(line: str) -> None:
    async with behind() as (talk, _server):
        alice = await talk.client()
        await log_in(alice, "alice", line=line)
        stranger = await talk.client()
        assert (await answer_to(stranger, request()))[1].startswith(b"nobody@")


@pytest.mark.parametrize(
    "challenge",
    [
        b"WWW-Authenticate: NTLM abc=",
        b"www-authenticate: negotiate abc==",
        b'WWW-Authenticate: Basic realm="a, b", NTLM abc=',
        b'WWW-Authenticate: Basic realm="a"\r\nWWW-Authenticate: Negotiate abc=, NTLM',
        b"WWW-Authenticate: Bearer , Negotiate\tabc=",
        b"Persistent-Auth: true",
        b"persistent-auth:  True ",
    ],
)
async def test_an_answer_that_logs_in_is_enough(challenge: bytes) -> None:
    """Whatever the client sent: a server that says so takes what follows for the same client's."""
    async with conversation() as talk:
        first = await talk.client()
        first.send(request())
        server = await talk.upstream.accept()
        await server.head()
        server.send(b"HTTP/1.1 200 OK\r\n" + challenge + b"\r\nContent-Length: 2\r\n\r\nok")
        await first.until(b"ok")
        second = await talk.client()
        second.send(request())
        other = await talk.upstream.accept()
        await other.head()
        other.send(OK)
        await second.until(b"ok")
        first.send(request())
        await server.head()
        server.send(OK)
        await first.until(b"ok")


@pytest.mark.parametrize(
    "answer",
    [
        b"WWW-Authenticate: NTLM",
        b"WWW-Authenticate: Negotiate, NTLM",
        b'WWW-Authenticate: Basic realm="NTLM x"',
        b"WWW-Authenticate: Digest realm=x, nonce=negotiate",
        b"Persistent-Auth: false",
    ],
)
async def test_what_logs_nobody_in_changes_nothing(answer: bytes) -> None:
    async with conversation() as talk:
        client = await talk.client()
        client.send(request("Authorization: Bearer ntlm"))
        server = await talk.upstream.accept()
        await server.head()
        server.send(b"HTTP/1.1 401 No\r\n" + answer + b"\r\nContent-Length: 2\r\n\r\nok")
        await client.until(b"ok")
        client.close()
        other = await talk.client()
        other.send(request())
        await server.head()
        server.send(OK)
        await other.until(b"ok")


async def test_a_body_goes_with_the_login() -> None:
    async with behind() as (talk, _server):
        client = await talk.client()
        _, body = await answer_to(client, request(method="POST", body=b"[one]"))
        assert body.startswith(b"nobody@")
        head, _ = await answer_to(client, request(f"Authorization: NTLM {token('hello')}", method="POST"))
        proof = token(f"proof alice {challenge_in(head, 'NTLM')}")
        _, body = await answer_to(client, request(f"Authorization: NTLM {proof}", method="POST", body=b"[two]"))
        assert body.startswith(b"alice@")
        assert body.endswith(b"[two]")


async def test_requests_that_are_pipelined_behind_the_proof_go_with_it() -> None:
    async with behind() as (talk, _server):
        client = await talk.client()
        head, _ = await answer_to(client, request(f"Authorization: NTLM {token('hello')}"))
        proof = token(f"proof alice {challenge_in(head, 'NTLM')}")
        client.send(request(f"Authorization: NTLM {proof}") + 3 * request())
        for _ in range(4):
            assert (await client.head()).startswith(b"HTTP/1.1 200 ")
            assert await client.read(len("alice@1")) == b"alice@1"


async def test_an_upgrade_goes_over_the_connection_that_is_logged_in() -> None:
    async with behind() as (talk, server):
        client = await talk.client()
        said = await log_in(client, "alice")
        client.send(request(fields="Connection: Upgrade\r\nUpgrade: websocket\r\n"))
        assert (await client.head()).startswith(b"HTTP/1.1 101 ")
        assert await client.read(len(said)) == said
        client.close()
        await until(lambda: server.connections in server.ended)


# -- ends --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["close", "reset"])
async def test_the_upstream_connection_ends_with_the_clients(how: str) -> None:
    async with behind() as (talk, server):
        client = await talk.client()
        number = int((await log_in(client, "alice")).partition(b"@")[2])
        getattr(client, how)()
        await until(lambda: number in server.ended)


async def test_the_clients_connection_ends_with_the_upstreams() -> None:
    async with behind() as (talk, server):
        client = await talk.client()
        number = int((await log_in(client, "alice")).partition(b"@")[2])
        server.writers[number].close()
        assert await client.is_ended()


async def test_the_last_answer_of_a_server_that_closes_is_the_last_of_the_clients_connection() -> None:
    async with behind() as (talk, server):
        client = await talk.client()
        await log_in(client, "alice")
        server.extra = "Connection: close\r\n"
        head, body = await answer_to(client, request())
        assert body.startswith(b"alice@")
        assert b"\r\nConnection: close\r\n" in head
        assert await client.is_ended()


async def test_a_request_that_meets_the_end_is_never_sent_again_without_its_login() -> None:
    async with conversation() as talk:
        client = await talk.client()
        client.send(request("Authorization: Negotiate abc="))
        server = await talk.upstream.accept()
        await server.head()
        server.send(OK)
        await client.until(b"ok")
        client.send(request())
        await server.head()
        server.close()
        assert await client.rest() == b""
        assert len(talk.upstream.wires) == 1 or not talk.upstream.wires[-1]._buffer
        await until(lambda: len(talk.finished()) == 2)
        assert talk.finished()[-1].error == "login-lost"


async def test_a_login_that_begins_on_a_dead_connection_begins_anew_on_another() -> None:
    async with conversation() as talk:
        client = await talk.client()
        client.send(request())
        server = await talk.upstream.accept()
        await server.head()
        server.send(OK)
        await client.until(b"ok")
        client.send(request("Authorization: NTLM abc="))
        await server.head()
        server.reset()
        other = await talk.upstream.accept()
        assert b"Authorization: NTLM abc=" in await other.head()
        other.send(OK)
        await client.until(b"ok")
        client.send(request())
        await other.head()
        other.send(OK)
        await client.until(b"ok")


async def test_a_login_outlives_the_time_for_idle_connections() -> None:
    async with conversation(upstream=Upstream(name="backend", servers=(), idle_timeout_s=0.1)) as talk:
        client = await talk.client()
        client.send(request("Authorization: NTLM abc="))
        server = await talk.upstream.accept()
        await server.head()
        server.send(OK)
        await client.until(b"ok")
        assert await server.is_silent(1.2)
        client.send(request())
        await server.head()
        server.send(OK)
        await client.until(b"ok")


@pytest.mark.parametrize("sticky", list(Sticky))
async def test_among_several_servers_too(sticky: Sticky) -> None:
    async with ntlm_server() as one, ntlm_server() as two:
        servers = (address_of(one.port), address_of(two.port))
        upstream = Upstream(name="backend", servers=servers, sticky=sticky)
        async with running(config_for((), upstream=upstream), ScriptedUpstream()) as talk:
            for name in ("alice", "bob", "carol"):
                client = await talk.client()
                head, _ = await answer_to(client, request(f"Authorization: NTLM {token('hello')}"))
                proof = token(f"proof {name} {challenge_in(head, 'NTLM')}")
                for line in (f"Authorization: NTLM {proof}", "", "", ""):
                    _, body = await answer_to(client, request(line))
                    assert body.startswith(name.encode() + b"@")


async def test_a_client_that_uses_its_login_no_more_holds_up_nobody() -> None:
    """Those who come after get connections of their own, kept and shared as ever."""
    async with behind() as (talk, server):
        alice = await talk.client()
        await log_in(alice, "alice")
        before = server.connections
        for _ in range(5):
            client = await talk.client()
            assert (await answer_to(client, request()))[1].startswith(b"nobody@")
            client.close()
        assert server.connections <= before + 1
