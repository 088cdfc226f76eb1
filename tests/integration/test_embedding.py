"""A gateway in another program's loop: what it serves, what it tells, and that it leaves nothing behind."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import threading
from pathlib import Path

import devproxy
import pytest
from devproxy.embedding.configuration import Source
from devproxy.events import ConfigApplied, Event, ExchangeFinished, ExchangeStarted, Ready, UpstreamState
from tests.support.small_server import fetch, small_server
from tests.support.wire import soon, until

pytestmark = pytest.mark.both_loops


def everything_to(port: int, **route: object) -> dict[str, object]:
    """Return a configuration, as a program writes it, that sends everything to `port`."""
    return {
        "upstreams": {"backend": f"http://127.0.0.1:{port}"},
        "routes": [{"path": "/", "upstream": "backend", **route}],
    }


def of(kind: type[Event], events: list[Event]) -> list[Event]:
    return [event for event in events if isinstance(event, kind)]


# -- configurations ------------------------------------------------------------------------------------------------


async def test_a_mapping_is_served_on_a_port_of_its_own() -> None:
    async with small_server("a") as port, devproxy.Gateway(everything_to(port)) as gateway:
        assert gateway.url.startswith("http://localhost:")
        assert await fetch(gateway.url, "/x") == (200, "a /x")


async def test_a_file_is_served_with_what_lies_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with small_server("a") as port:
        file = tmp_path / "devproxy.toml"
        file.write_text(f'[upstreams]\na = "http://127.0.0.1:{port}"\n[[routes]]\npath = "/"\nupstream = "a"\n')
        monkeypatch.chdir(tmp_path)
        async with devproxy.Gateway("devproxy.toml") as gateway, devproxy.Gateway(Path("devproxy.toml")) as other:
            assert gateway.config.source == str(file)
            assert gateway.url != other.url
            assert await fetch(other.url, "/x") == await fetch(gateway.url, "/x") == (200, "a /x")


async def test_text_and_servers_are_served_like_a_file() -> None:
    async with small_server("front") as front, small_server("back") as back:
        text = f'upstreams.a = "http://127.0.0.1:{front}"\nroutes = [{{ path = "/", upstream = "a" }}]\n'
        async with devproxy.Gateway(devproxy.loads(text)) as gateway:
            assert await fetch(gateway.url) == (200, "front /")
        async with devproxy.Gateway.to(frontend=front, backend=f"127.0.0.1:{back}") as gateway:
            assert await fetch(gateway.url) == (200, "front /")
            assert await fetch(gateway.url, "/api/x") == (200, "back /api/x")


async def test_it_listens_where_the_configuration_says_unless_it_is_told_otherwise() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        free = taken.getsockname()[1]
    written = everything_to(9) | {"server": {"listen": f"127.0.0.1:{free}"}}
    async with devproxy.Gateway(written) as gateway:
        assert gateway.url == f"http://localhost:{free}"
        async with devproxy.Gateway(written, listen=0) as other:
            assert other.url != gateway.url
        async with devproxy.Gateway(written, listen=["127.0.0.1:0", "127.0.0.1:0"]) as other:
            assert len(other.urls) == 2
    default = everything_to(9) | {"server": {"listen": "localhost:8080"}}
    assert [listen.port for listen in devproxy.Gateway(default).config.server.listen] == [8080]


def test_a_configuration_that_cannot_be_used_is_reported_whole(tmp_path: Path) -> None:
    file = tmp_path / "devproxy.toml"
    file.write_text('[upstreams]\na = "http://localhost:3001"\n[[routes]]\npth = "/"\nupstream = "b"\n')
    with pytest.raises(devproxy.ConfigurationError) as caught:
        devproxy.Gateway(file)
    report = str(caught.value)
    assert f"{file}:4:1" in report
    assert "did you mean `path`?" in report
    assert f"{file}:5:12" in report
    assert caught.value.source == str(file)
    assert len(caught.value.problems) == report.count("error: ")


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"upstreams": {"a": "http://localhost:1"}, "routes": [{"path": "/", "upstream": "b"}]}, "routes[0].upstream"),
        ({"upstreams": {"a": 5 + 1j}, "routes": []}, "upstreams.a: expected a string"),
        ({"upstreams": {"a": {"servers": ("htp://x",)}}}, "upstreams.a.servers[0]: "),
        ({"servers": {}}, "servers: unknown key `servers`"),
        ({3: 4}, "the keys of a table are text, got 3"),
        ({"\ud800": 4}, "the keys of a table are text, got '\\ud800'"),
        ({"upstreams": {"a": "\ud800"}}, '"\\ud800" has half a surrogate pair'),
        ({"upstreams": {"a": "unix:/\udcff"}}, '"unix:/\\udcff" has bytes that are not UTF-8'),
        ({}, "there is no upstream"),
        ({"upstreams": {"a": {"servers": ["https://localhost:1"], "tls_ca": "no.pem"}}} | {
            "routes": [{"path": "/", "upstream": "a"}]}, "upstreams.a.tls_ca[0]: "),
        ("no/devproxy.toml", "cannot read no/devproxy.toml: no such file or directory"),
        ("a\0b", "this is not the name of a file"),
    ],
    ids="upstream type server unknown key half-key half socket empty file missing nul".split(),
)  # fmt: skip
def test_what_is_wrong_in_a_mapping_is_named_by_its_path(config: Source, words: str) -> None:
    with pytest.raises(devproxy.ConfigurationError) as caught:
        devproxy.Gateway(config)
    assert words in str(caught.value)


def test_no_address_to_listen_on_is_refused() -> None:
    with pytest.raises(devproxy.ConfigurationError, match="there is no address to listen on"):
        devproxy.Gateway.to(frontend=5173, listen=[])


def test_a_mapping_that_contains_itself_is_refused() -> None:
    endless: dict[str, object] = {}
    endless["server"] = endless
    with pytest.raises(devproxy.ConfigurationError, match="nested too deeply"):
        devproxy.Gateway(endless)


def test_what_is_no_configuration_is_a_mistake_of_the_program() -> None:
    with pytest.raises(TypeError, match=r"a path, a mapping or a devproxy\.Config, not bytes"):
        devproxy.Gateway(b"devproxy.toml")  # type: ignore[arg-type]


def test_a_mapping_may_hold_what_python_has_for_the_same() -> None:
    written = everything_to(9, methods=("GET",), cors={"mode": "strip", "origins": None})
    route = devproxy.load(written).routes[0]
    assert (route.methods, route.cors.mode) == (("GET",), "strip")


def test_warnings_name_the_key() -> None:
    gateway = devproxy.Gateway(everything_to(9) | {"server": {"listen": ":0"}})
    assert any(sentence.startswith("server.listen: ") for sentence in gateway.warnings)


# -- several -------------------------------------------------------------------------------------------------------


async def test_gateways_in_one_loop_share_nothing() -> None:
    async with small_server("a") as one, small_server("b") as two:
        first = devproxy.Gateway(everything_to(one) | {"server": {"trusted_proxies": ["loopback"]}})
        second = devproxy.Gateway(everything_to(two, cors="strip") | {"server": {"trusted_proxies": []}})
        told: tuple[list[Event], list[Event]] = ([], [])
        first.observe(told[0].append)
        second.observe(told[1].append)
        async with first, second:
            assert await fetch(first.url) == (200, "a /")
            assert await fetch(second.url) == (200, "b /")
            await first.reload(everything_to(two))
            assert await fetch(first.url) == (200, "b /")
            assert await fetch(second.url) == (200, "b /")
            assert await fetch(first.url) == (200, "b /")
        ends = [[event.exchange_id for event in one if isinstance(event, ExchangeFinished)] for one in told]
        assert ends == [[1, 2, 3], [1, 2]]
        assert (len(of(ConfigApplied, told[0])), len(of(ConfigApplied, told[1]))) == (1, 0)


async def test_what_a_gateway_trusts_is_nothing_to_another() -> None:
    """Both see the same peer, and of the address that it says its client has they make different things."""
    said: dict[str, bytes] = {}

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        said[head.split(b" ")[1].decode()] = head
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(note, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        trusting = devproxy.Gateway(everything_to(port) | {"server": {"trusted_proxies": ["loopback"]}})
        wary = devproxy.Gateway(everything_to(port) | {"server": {"trusted_proxies": []}})
        async with trusting, wary:
            for number in range(3):
                await fetch(trusting.url, f"/trusting{number}", "X-Forwarded-For: 192.0.2.7")
                await fetch(wary.url, f"/wary{number}", "X-Forwarded-For: 192.0.2.7")
    assert {path: b"192.0.2.7" in head for path, head in said.items() if len(path) > 1} == {
        f"/{name}{number}": name == "trusting" for number in range(3) for name in ("trusting", "wary")
    }


def test_gateways_in_several_threads_serve_at_once() -> None:
    failures: list[BaseException] = []

    async def serve(name: str) -> None:
        async with small_server(name) as port, devproxy.Gateway(everything_to(port)) as gateway:
            for number in range(20):
                assert await fetch(gateway.url, f"/{number}", f"X-{name}: {number}") == (200, f"{name} /{number}")

    def run(name: str) -> None:
        try:
            asyncio.run(serve(name))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(name,)) for name in ("a", "b", "c")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


# -- what is left --------------------------------------------------------------------------------------------------


def open_sockets() -> set[str]:
    """Return the sockets of this process."""
    found = set()
    for number in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{number}")
        except OSError:
            continue
        if target.startswith("socket:"):
            found.add(target)
    return found


@pytest.fixture
def others() -> None:
    """Leave nothing of other tests to be collected while this one counts."""
    gc.collect()


@pytest.mark.usefixtures("others")
@pytest.mark.parametrize("way", ["done", "raises", "cancelled", "aborted"])
async def test_nothing_is_left_when_the_block_ends(way: str) -> None:
    async with small_server() as port:
        sockets, tasks, threads = open_sockets(), asyncio.all_tasks(), set(threading.enumerate())
        clients: list[socket.socket] = []

        async def body() -> None:
            async with devproxy.Gateway(everything_to(port) | {"server": {"drain_s": 0.1}}) as gateway:
                where = ("127.0.0.1", int(gateway.url.rpartition(":")[2]))
                for path in ("/slow", "/socket", "/fast", None):
                    clients.append(client := socket.create_connection(where))
                    upgrade = "Upgrade: websocket\r\nConnection: upgrade\r\n" if path == "/socket" else ""
                    if path is not None:
                        client.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{upgrade}\r\n".encode())
                await until(lambda: sum(server.running for server in gateway.servers()) == 2)
                if way == "raises":
                    raise ZeroDivisionError
                if way == "aborted":
                    gateway.abort()
                if way == "cancelled":
                    await asyncio.Event().wait()

        running = asyncio.create_task(body())
        if way == "cancelled":
            await until(lambda: len(clients) == 4)
            await asyncio.sleep(0.05)
            running.cancel()
        await asyncio.wait((running,))
        assert running.cancelled() or isinstance(running.exception(), ZeroDivisionError | None)
        left = asyncio.all_tasks() - tasks
        assert all("small_server" in repr(task) for task in left), left
        assert set(threading.enumerate()) == threads
        for client in clients:
            client.close()
        await until(lambda: open_sockets() <= sockets)


@pytest.mark.usefixtures("others")
async def test_a_stop_that_is_cancelled_cuts_everything() -> None:
    async with small_server() as port:
        sockets = open_sockets()
        gateway = devproxy.Gateway(everything_to(port) | {"server": {"drain_s": 3600}})
        await gateway.start()
        asking = asyncio.create_task(fetch(gateway.url, "/slow"))
        await until(lambda: gateway.servers()[0].running)
        stopping = asyncio.create_task(gateway.stop())
        await asyncio.sleep(0.01)
        assert not stopping.done()
        stopping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stopping
        with pytest.raises((IndexError, ConnectionError)):
            await soon(asking)
        await until(lambda: open_sockets() <= sockets)
        assert await gateway.stop() == 0


@pytest.mark.usefixtures("others")
async def test_a_start_that_fails_leaves_nothing_open() -> None:
    sockets, tasks = open_sockets(), asyncio.all_tasks()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        gateway = devproxy.Gateway(everything_to(9), listen=["127.0.0.1:0", f"127.0.0.1:{port}"])
        with pytest.raises(devproxy.BindError, match=f"cannot listen on 127.0.0.1:{port}: the port is taken by "):
            await gateway.start()
        with pytest.raises(RuntimeError, match="make another one"):
            await gateway.start()
    assert (open_sockets(), asyncio.all_tasks()) == (sockets, tasks)


@pytest.mark.usefixtures("others")
async def test_certificates_that_cannot_be_had_are_a_problem_of_the_configuration(tmp_path: Path) -> None:
    sockets = open_sockets()
    tls = {"server": {"tls": {"cert": str(tmp_path / "no.pem"), "key": str(tmp_path / "no.key")}}}
    with pytest.raises(devproxy.ConfigurationError, match=r"(?s)error: .*no\.pem.*help: "):
        await devproxy.Gateway(everything_to(9) | tls).start()
    async with devproxy.Gateway(everything_to(9)) as gateway:
        with pytest.raises(devproxy.ConfigurationError, match=r"no\.pem"):
            await gateway.reload(everything_to(9) | tls)
        assert gateway.config.server.tls is False
    assert open_sockets() == sockets


# -- reloading -----------------------------------------------------------------------------------------------------


async def test_a_reload_keeps_the_address_and_what_runs() -> None:
    async with small_server("a") as one, small_server("b") as two:
        async with devproxy.Gateway(everything_to(one)) as gateway:
            url = gateway.url
            applied = await gateway.reload(everything_to(two))
            assert [change.what for change in applied.changes] == ["upstream backend"]
            assert await fetch(gateway.url) == (200, "b /")
            assert gateway.url == url
            with pytest.raises(devproxy.ConfigurationError, match=r"routes\[0\]\.pth"):
                await gateway.reload({"upstreams": {"a": "http://localhost:1"}, "routes": [{"pth": "/"}]})
            with socket.create_server(("127.0.0.1", 0)) as taken:
                listen = f"127.0.0.1:{taken.getsockname()[1]}"
                with pytest.raises(devproxy.BindError, match="the port is taken"):
                    await gateway.reload(everything_to(one) | {"server": {"listen": listen}})
            assert (gateway.url, await fetch(gateway.url)) == (url, (200, "b /"))


async def test_reloads_at_once_are_done_one_after_the_other() -> None:
    async with small_server("a") as one, small_server("b") as two:
        async with devproxy.Gateway(everything_to(9)) as gateway:
            await asyncio.gather(*(gateway.reload(everything_to(port)) for port in (one, two) * 5))
            assert await fetch(gateway.url) == (200, "b /")


@pytest.mark.usefixtures("others")
async def test_a_reload_that_is_cancelled_leaves_all_as_it_was() -> None:
    async with small_server("a") as one, small_server("b") as two:
        here = everything_to(one) | {"upstreams": {"backend": {"servers": one, "idle_timeout_s": 0}}}
        async with devproxy.Gateway(here) as gateway:
            await fetch(gateway.url)
            await until(lambda: gateway.servers()[0].running == 0)
            url, sockets = gateway.url, open_sockets()
            for turns in range(12):
                elsewhere = everything_to(two) | {"server": {"listen": ["127.0.0.1:0", "localhost:0"]}}
                reloading = asyncio.create_task(gateway.reload(elsewhere))
                for _ in range(turns):
                    await asyncio.sleep(0.0005)
                reloading.cancel()
                await asyncio.wait((reloading,))
                if not reloading.cancelled():
                    break
                assert (gateway.url, await fetch(gateway.url)) == (url, (200, "a /"))
                await until(lambda: open_sockets() <= sockets)


async def test_what_does_not_serve_says_so() -> None:
    gateway = devproxy.Gateway(everything_to(9))
    assert repr(gateway) == "<devproxy.Gateway, not started>"
    with pytest.raises(RuntimeError, match="has not been started"):
        _ = gateway.url
    with pytest.raises(RuntimeError, match="does not serve yet"):
        await gateway.reload(everything_to(9))
    assert await gateway.stop() == 0
    async with gateway:
        assert repr(gateway) == f"<devproxy.Gateway at {gateway.url}>"
    with pytest.raises(RuntimeError, match="any more"):
        gateway.servers()
    assert repr(gateway) == "<devproxy.Gateway, stopped>"


# -- observers -----------------------------------------------------------------------------------------------------


async def test_an_observer_from_before_the_start_misses_nothing() -> None:
    events: list[Event] = []
    async with small_server() as port:
        gateway = devproxy.Gateway(everything_to(port))
        gateway.observe(events.append, devproxy.Wants.PROGRESS | devproxy.Wants.ENDS)
        async with gateway:
            await fetch(gateway.url, "/x")
    kinds = [type(event).__name__ for event in events if not isinstance(event, UpstreamState)]
    assert kinds == [
        "Ready",
        "ExchangeStarted",
        "RequestSent",
        "ResponseBegun",
        "ExchangeFinished",
        "Stopping",
        "Stopped",
    ]
    assert isinstance(events[0], Ready)


async def test_events_can_be_awaited_through_a_queue() -> None:
    async with small_server() as port, devproxy.Gateway(everything_to(port)) as gateway:
        queue: asyncio.Queue[Event] = asyncio.Queue()
        asking = asyncio.create_task(fetch(gateway.url, "/slow"))
        await until(lambda: gateway.servers()[0].running)
        with gateway.observe(queue.put_nowait, devproxy.Wants.PROGRESS):  # late: it is told what runs
            event = await soon(queue.get())
        assert isinstance(event, ExchangeStarted)
        assert event.target == b"/slow"
        count = queue.qsize()
        await fetch(gateway.url, "/x")
        assert queue.qsize() == count
        gateway.abort()
        with pytest.raises((IndexError, ConnectionError)):
            await soon(asking)


@pytest.mark.parametrize("kind", [ZeroDivisionError, pytest.fail.Exception])
async def test_an_observer_that_raises_is_told_of_once_and_hurts_nothing(kind: type[BaseException]) -> None:
    contexts: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: contexts.append(context))
    seen: list[Event] = []

    def fail(event: Event) -> None:
        raise kind("no")

    async with small_server() as port:
        gateway = devproxy.Gateway(everything_to(port))
        gateway.observe(fail)
        gateway.observe(seen.append)
        async with gateway:
            for _ in range(3):
                assert await fetch(gateway.url) == (200, "ok /")
    assert len(of(ExchangeFinished, seen)) == 3
    assert [context["message"] for context in contexts] == ["an observer has failed"]
    assert isinstance(contexts[0]["exception"], Exception)


async def test_an_observer_that_would_never_run_is_refused() -> None:
    async def later(event: Event) -> None:
        """Never awaited."""

    with pytest.raises(TypeError, match=r"put_nowait of an asyncio\.Queue"):
        devproxy.Gateway(everything_to(9)).observe(later)  # type: ignore[arg-type]
