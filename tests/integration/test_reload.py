"""The configuration follows its file, and nothing that a change does not touch notices."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from devproxy.events import (
    ConfigApplied,
    ConfigMissing,
    ConfigRejected,
    Trouble,
    TunnelClosed,
)
from devproxy.gateway.system import watch as reload
from tests.support.gateway_process import GatewayProcess
from tests.support.processes import wait_for
from tests.support.reloading import ConfigurationFile, Following, following, toml
from tests.support.wire import WAY, ScriptedUpstream, Wire, soon, until

pytestmark = pytest.mark.both_versions

UPGRADE = b"GET %b HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"


def get(path: bytes = b"/") -> bytes:
    return b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % path


def ok(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


@pytest.fixture
def file(tmp_path: Path) -> ConfigurationFile:
    return ConfigurationFile(tmp_path / "project")


async def asked(client: Wire, upstream: ScriptedUpstream, path: bytes = b"/") -> Wire:
    """Send a request that a new connection to `upstream` answers; return that connection."""
    client.send(get(path))
    server = await upstream.accept()
    await server.head()
    server.send(ok(b"!"))
    await client.head()
    await client.read(1)
    return server


async def tunnel(gateway: Following, upstream: ScriptedUpstream, path: bytes) -> tuple[Wire, Wire]:
    client = await gateway.talk.client()
    client.send(UPGRADE % path)
    server = await upstream.accept()
    await server.head()
    server.send(SWITCH)
    await client.head()
    return client, server


async def is_joined(client: Wire, server: Wire) -> bool:
    client.send(b"\x82\x82\0\0\0\0hi")
    server.send(b"\x82\x02ho")
    return await server.read(8) == b"\x82\x82\0\0\0\0hi" and await client.read(4) == b"\x82\x02ho"


# The file


@pytest.mark.http1_only("it is about the file")
async def test_an_edit_is_live_within_300_ms(file: ConfigurationFile) -> None:
    text = toml(("backend", 9))
    async with following(file, text) as gateway:
        taken: list[float] = []
        for number in range(9):
            edited = text.replace("drain_s = 3.0", f"drain_s = {number + 4}")
            written_at = time.perf_counter()
            file.write(edited)
            await gateway.next(ConfigApplied)
            taken.append(time.perf_counter() - written_at)
        assert median(taken) < 0.3  # of several: a machine that runs tests has more to do than a developer's
        assert gateway.talk.seen(ConfigRejected) == []


@pytest.mark.http1_only("it is about the file")
async def test_a_file_that_does_not_load_changes_nothing_and_is_shown_whole_and_once(file: ConfigurationFile) -> None:
    good = toml(("backend", 9))
    async with following(file, good) as gateway:
        file.write(good.replace("upstream =", "upstraem ="))
        rejected = await gateway.next(ConfigRejected)
        assert rejected.problems == 1
        assert f"--> {file}:9:1" in rejected.report
        assert "did you mean `upstream`?" in rejected.report
        file.touch()
        file.replace(good.replace("upstream =", "upstraem ="))
        file.replace(good)
        healed = await gateway.next(ConfigApplied)
        assert healed.changes == ()
        assert len(gateway.talk.seen(ConfigRejected)) == 1


@pytest.mark.http1_only("it is about the file")
async def test_a_file_that_is_gone_is_told_once_and_changes_nothing(file: ConfigurationFile) -> None:
    upstream = ScriptedUpstream()
    text = toml(("backend", upstream.port))
    async with following(file, text, upstream) as gateway:
        client = await gateway.talk.client()
        server = await asked(client, upstream)
        file.remove()
        assert (await gateway.next(ConfigMissing)).reason == "no such file or directory"
        client.send(get())
        await server.head()
        server.send(ok(b"?"))
        assert (await client.head()).startswith(b"HTTP/1.1 200")
        file.write(text)
        assert (await gateway.next(ConfigApplied)).changes == ()
        assert len(gateway.talk.seen(ConfigMissing)) == 1


async def test_a_file_that_is_written_in_two_goes_counts_when_it_is_whole(file: ConfigurationFile) -> None:
    text = toml(("backend", 9), ("other", 9), routes=(("/", "backend"), ("/other/", "other")))
    async with following(file, toml(("backend", 9))) as gateway:
        file.write_in_two(text)
        applied = await gateway.next(ConfigApplied)
        assert applied.routes == ("/", "/other/")
        assert gateway.talk.seen(ConfigRejected) == []


@pytest.mark.http1_only("it is about the file")
async def test_a_directory_that_vanishes_and_comes_back_is_followed_on(file: ConfigurationFile) -> None:
    text = toml(("backend", 9))
    async with following(file, text) as gateway:
        await until(lambda: gateway.reloader._watch._events is not None)
        file.remove_directory()
        await gateway.next(ConfigMissing)
        file.make_directory()
        for drain_s in (5, 6):
            file.write(text.replace("drain_s = 3.0", f"drain_s = {drain_s}"))
            assert (await gateway.next(ConfigApplied)).drain_s == drain_s


@pytest.mark.http1_only("it is about the file")
async def test_a_symbolic_link_that_is_turned_to_another_file_is_followed(
    file: ConfigurationFile, tmp_path: Path
) -> None:
    text = toml(("backend", 9))
    async with following(file, text) as gateway:
        for drain_s in (5, 6):  # as a mounted ConfigMap is updated: a link to a directory is replaced
            version = ConfigurationFile(tmp_path / f"version-{drain_s}")
            version.write(text.replace("drain_s = 3.0", f"drain_s = {drain_s}"))
            file.link_to(version.path)
            assert (await gateway.next(ConfigApplied)).drain_s == drain_s
        version.write(text)
        assert (await gateway.next(ConfigApplied)).drain_s == 3


async def test_an_edit_that_keeps_size_and_time_is_seen(file: ConfigurationFile) -> None:
    text = toml(("backend", 9))
    async with following(file, text) as gateway:
        file.write_secretly(text.replace("drain_s = 3.0", "drain_s = 5.0"))
        assert (await gateway.next(ConfigApplied)).drain_s == 5


@pytest.mark.http1_only("it is about the file")
async def test_without_events_the_sweep_alone_finds_every_edit(
    file: ConfigurationFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reload, "EVENTS_DELAY_S", 1e9)
    text = toml(("backend", 9))
    async with following(file, text) as gateway:
        for drain_s in range(4, 9):
            file.replace(text.replace("drain_s = 3.0", f"drain_s = {drain_s}"))
            assert (await gateway.next(ConfigApplied)).drain_s == drain_s


# What runs


async def test_connections_to_an_unchanged_upstream_serve_on_and_others_do_not(file: ConfigurationFile) -> None:
    kept, changed, moved = ScriptedUpstream(), ScriptedUpstream(), ScriptedUpstream()
    routes = (("/kept/", "kept"), ("/changed/", "changed"))
    async with following(file, toml(("kept", kept.port), ("changed", changed.port), routes=routes)) as gateway:
        client = await gateway.talk.client()
        server = await asked(client, kept, b"/kept/")
        old = await asked(client, changed, b"/changed/")
        file.write(toml(("kept", kept.port), ("changed", moved.port), routes=(*routes, ("/new/", "kept"))))
        applied = await gateway.next(ConfigApplied)
        assert [(change.what, change.kind) for change in applied.changes] == [
            ("upstream changed", "changed"),
            ("route /new/", "added"),
        ]
        assert await old.is_ended()
        client.send(get(b"/new/"))
        await server.head()
        server.send(ok(b"?"))
        await client.head()
        await client.read(1)
        await asked(client, moved, b"/changed/")
    for upstream in (kept, changed, moved):
        upstream.close()


async def test_exchanges_end_as_they_began_even_if_their_route_is_gone(file: ConfigurationFile) -> None:
    old, new = ScriptedUpstream(), ScriptedUpstream()
    async with following(file, toml(("backend", old.port), routes=(("/a/", "backend"),)), old) as gateway:
        stream, upload = await gateway.talk.client(), await gateway.talk.client()
        stream.send(get(b"/a/events"))
        events = await old.accept()
        await events.head()
        events.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\ndata: 1\n\n")
        await stream.until(b"data: 1\n\n")
        upload.send(b"POST /a/upload HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nhal")
        taker = await old.accept()
        await taker.until(b"hal")
        file.write(toml(("other", new.port), routes=(("/b/", "other"),)))
        await gateway.next(ConfigApplied)
        events.send(b"data: 2\n\n")
        await stream.until(b"data: 2\n\n")
        upload.send(b"ves")
        await taker.until(b"ves")
        taker.send(ok(b"saved"))
        assert (await upload.head()).startswith(b"HTTP/1.1 200")
        assert await upload.read(5) == b"saved"
        assert await taker.is_ended()  # nobody will ask that server again
        upload.send(get(b"/a/"))
        assert (await upload.head()).startswith(b"HTTP/1.1 404")
        events.close()
        assert await (stream.is_ended() if WAY.version == b"1.1" else stream.until(b"0\r\n\r\n"))
        await until(lambda: not gateway.gateway._retired)
    new.close()


async def test_a_request_that_waits_for_its_server_goes_through_though_the_upstream_changes(
    file: ConfigurationFile,
) -> None:
    upstream = ScriptedUpstream()
    port = upstream.port
    async with following(file, toml(("backend", port)), upstream) as gateway:
        client = await gateway.talk.client()
        server = await asked(client, upstream)
        upstream.listener.close()
        server.close()
        client.send(get(b"/waits"))
        await until(gateway.gateway._pools["backend"]._room.is_used)
        file.write(toml(("backend", "http://127.0.0.1:9")))
        await gateway.next(ConfigApplied)
        back = ScriptedUpstream(port=port)
        returned = await back.accept()
        assert (await returned.head()).startswith(b"GET /waits ")
        returned.send(ok(b"!"))
        assert (await client.head()).startswith(b"HTTP/1.1 200")
        back.close()


async def test_sessions_stay_with_their_server_though_the_upstream_changes(file: ConfigurationFile) -> None:
    one, two = ScriptedUpstream(), ScriptedUpstream()
    text = """\
[server]
listen = "127.0.0.1:0"
[upstreams.backend]
servers = ["http://127.0.0.1:{}", "http://127.0.0.1:{}"]
sticky = "socketio"
hold_s = {}
[[routes]]
path = "/"
upstream = "backend"
"""
    poll = b"GET /socket.io/?EIO=4&transport=polling%b HTTP/1.1\r\nHost: localhost\r\n\r\n"
    async with following(file, text.format(one.port, two.port, 1)) as gateway:
        client = await gateway.talk.client()
        client.send(poll % b"")
        accepting = {asyncio.create_task(upstream.accept()): upstream for upstream in (one, two)}
        done, waiting = await soon(asyncio.wait(accepting, return_when=asyncio.FIRST_COMPLETED))
        creator, server = accepting[done.copy().pop()], done.pop().result()
        waiting.pop().cancel()
        server.send(ok(b'0{"sid":"abc","upgrades":[],"pingInterval":1,"pingTimeout":1,"maxPayload":1}'))
        await client.until(b"}")
        file.write(text.format(two.port, one.port, 2))  # the other way round
        await gateway.next(ConfigApplied)
        for _ in range(3):
            other = await gateway.talk.client()
            other.send(poll % b"&sid=abc")
            assert b"sid=abc" in await (await creator.accept()).head()
    one.close()
    two.close()


async def test_only_tunnels_of_removed_and_retargeted_routes_are_closed_and_cleanly(file: ConfigurationFile) -> None:
    one, two = ScriptedUpstream(), ScriptedUpstream()
    servers = (("one", one.port), ("two", two.port))
    before = (("/stays/", "one"), ("/goes/", "one"), ("/moves/", "one"))
    after = (("/stays/", "one"), ("/moves/", "two"))
    async with following(file, toml(*servers, routes=before, drain_s=0.2), one) as gateway:
        stays = await tunnel(gateway, one, b"/stays/")
        gone = [await tunnel(gateway, one, path) for path in (b"/goes/", b"/moves/")]
        file.write(toml(*servers, routes=after, drain_s=0.2, more="strip_prefix = true"))
        assert (await gateway.next(ConfigApplied)).departing_tunnels == 2
        for client, server in gone:
            assert await client.read(2 + 2 + 21) == b"\x88\x17\x03\xe9its route has changed"
            assert (await server.read(2))[:1] == b"\x88"
            client.close()
            server.close()
        await until(lambda: len(gateway.talk.seen(TunnelClosed)) == 2)
        assert {event.closed_by for event in gateway.talk.seen(TunnelClosed)} == {"devproxy"}
        assert await is_joined(*stays)
    two.close()


async def test_a_tunnel_whose_route_comes_back_in_time_stays(file: ConfigurationFile) -> None:
    upstream = ScriptedUpstream()
    with_route = toml(("backend", upstream.port), routes=(("/", "backend"), ("/ws/", "backend")), drain_s=0.6)
    without = toml(("backend", upstream.port), drain_s=0.6)
    async with following(file, with_route, upstream) as gateway:
        pair = await tunnel(gateway, upstream, b"/ws/")
        file.write(without)
        assert (await gateway.next(ConfigApplied)).departing_tunnels == 1
        file.write(with_route)
        assert (await gateway.next(ConfigApplied)).departing_tunnels == 0
        assert await pair[0].is_silent(for_s=0.8)
        assert await is_joined(*pair)


async def test_a_tunnel_that_opens_after_its_route_has_gone_is_closed_too(file: ConfigurationFile) -> None:
    upstream = ScriptedUpstream()
    routes = (("/", "backend"), ("/ws/", "backend"))
    async with following(file, toml(("backend", upstream.port), routes=routes, drain_s=0.0), upstream) as gateway:
        client = await gateway.talk.client()
        client.send(UPGRADE % b"/ws/")
        server = await upstream.accept()
        await server.head()
        file.write(toml(("backend", upstream.port), drain_s=0.0))
        await gateway.next(ConfigApplied)
        server.send(SWITCH)
        await client.head()
        assert (await client.read(2))[:1] == b"\x88"


# Where it listens


def port_of(gateway: Following) -> int:
    return int(gateway.gateway.urls[0].rsplit(":", 1)[1].rstrip("/"))


async def test_a_new_address_is_listened_on_and_open_connections_of_the_old_one_live_on(
    file: ConfigurationFile,
) -> None:
    upstream = ScriptedUpstream()
    async with following(file, toml(("backend", upstream.port)), upstream) as gateway:
        client = await gateway.talk.client()
        server = await asked(client, upstream)
        old = port_of(gateway)
        file.write(toml(("backend", upstream.port), listen="localhost:0"))
        applied = await gateway.next(ConfigApplied)
        assert applied.urls == gateway.gateway.urls
        assert port_of(gateway) != old
        client.send(get())
        await server.head()
        server.send(ok(b"?"))
        assert (await client.head()).startswith(b"HTTP/1.1 200")
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", old))
        for host in ("127.0.0.1", "::1"):
            socket.create_connection((host, port_of(gateway))).close()


async def test_a_name_that_is_given_up_is_no_name_of_this_devproxy_any_more(
    file: ConfigurationFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = socket.getaddrinfo

    def resolver(host: str, *args: Any, **kwargs: Any) -> Any:
        return ask("127.0.0.1" if host == "devbox.lan" else host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", resolver)

    def text(listen: str) -> str:
        return toml(("backend", 9), listen=listen).replace('allowed_hosts = ["*"]\n', "")

    async def status_for(host: str) -> bytes:
        client = await gateway.talk.client()
        client.send(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        return (await client.head())[9:12]  # 503: past the guard, to a server that is not there

    async with following(file, text("devbox.lan:0")) as gateway:
        assert await status_for("devbox.lan") == b"503"
        file.write(text("127.0.0.1:0"))
        await gateway.next(ConfigApplied)
        gateway.talk.port = port_of(gateway)
        assert await status_for("127.0.0.1") == b"503"
        assert await status_for("devbox.lan") == b"421"
        file.write(text("devbox.lan:0"))
        await gateway.next(ConfigApplied)
        gateway.talk.port = port_of(gateway)
        assert await status_for("devbox.lan") == b"503"


async def test_an_address_that_overlaps_with_the_old_one_is_taken_without_a_gap(file: ConfigurationFile) -> None:
    upstream = ScriptedUpstream()
    async with following(file, toml(("backend", upstream.port)), upstream) as gateway:
        port = port_of(gateway)
        gateway.talk.port = port
        for listen in (f"127.0.0.1:{port}", f":{port}", f"localhost:{port}", f"127.0.0.1:{port}"):
            waiting = [await gateway.talk.client() for _ in range(8)]
            file.write(toml(("backend", upstream.port), listen=listen))
            await gateway.next(ConfigApplied)
            for client in waiting:
                client.send(b"GET /__devproxy/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
                assert (await client.head()).startswith(b"HTTP/1.1 200")
        assert not [event for event in gateway.talk.seen(Trouble) if "cannot listen" in event.what]
        holder = socket.socket()
        with pytest.raises(OSError, match="in use"):
            holder.bind(("127.0.0.1", port))
        holder.close()


async def test_an_address_that_cannot_be_had_keeps_the_old_one_and_the_rest_is_applied(file: ConfigurationFile) -> None:
    upstream, holder = ScriptedUpstream(), ScriptedUpstream()
    async with following(file, toml(("backend", upstream.port)), upstream) as gateway:
        urls = gateway.gateway.urls
        routes = (("/", "backend"), ("/new/", "backend"))
        taken = toml(("backend", upstream.port), routes=routes, listen=f"127.0.0.1:{holder.port}")
        file.write(taken)
        trouble = await gateway.next(Trouble)
        assert f"cannot listen on 127.0.0.1:{holder.port}: the port is taken by " in trouble.what
        assert urls[0] in trouble.what
        applied = await gateway.next(ConfigApplied)
        assert applied.routes == ("/", "/new/")
        assert applied.urls == ()
        assert gateway.gateway.urls == urls
        await asked(await gateway.talk.client(), upstream, b"/new/")
        holder.close()
        file.write(taken + "# again\n")
        assert (await gateway.next(ConfigApplied)).urls == (f"http://localhost:{holder.port}/",)


# The process

PLAIN = """\
[upstreams]
backend = "http://localhost:9"
[[routes]]
path = "/"
upstream = "backend"
"""


@pytest.mark.http1_only("it is about the file")
def test_sighup_reads_the_file_at_once_and_says_so_even_if_nothing_has_changed(file: ConfigurationFile) -> None:
    file.write(PLAIN)
    gateway = GatewayProcess("--config", file.path)
    try:
        # The signal is ignored until the file is followed, which begins right after «ready».
        def is_told() -> bool:
            os.kill(gateway.program.pid, signal.SIGHUP)
            return bool(gateway.events("config_applied"))

        wait_for(is_told, "that it has read the file")
        os.kill(gateway.program.pid, signal.SIGHUP)
        told = len(gateway.events("config_applied"))
        wait_for(lambda: len(gateway.events("config_applied")) > told, "that it has read the file again")
        assert gateway.events("config_applied")[0]["changes"] == []
    finally:
        gateway.stop()


@pytest.mark.http1_only("it is about the file")
def test_the_listen_option_holds_over_the_file_after_every_edit(file: ConfigurationFile) -> None:
    file.write(PLAIN)
    gateway = GatewayProcess("--config", file.path)
    try:
        file.write(PLAIN.replace(":9", ":10") + '[server]\nlisten = "127.0.0.1:1"\n')
        event = gateway.event("config_applied", lambda event: True, "that it follows its file")
        assert event["urls"] == []
        assert [change["what"] for change in event["changes"]] == ["upstream backend"]
        assert event["changes"][0]["detail"] == "servers: http://localhost:9 -> http://localhost:10"
    finally:
        gateway.stop()
