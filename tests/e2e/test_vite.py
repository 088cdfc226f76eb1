"""The real Vite dev server and a Socket.IO server on one origin: modules, HMR and chat side by side."""

from __future__ import annotations

import http.client
import re

from tests.e2e.harness import ChatExample, StartGateway, node_command
from tests.support.gateway_process import GatewayProcess
from tests.support.processes import Json, Program


def fetch(gateway: GatewayProcess, target: str, **headers: str) -> tuple[http.client.HTTPResponse, str]:
    connection = http.client.HTTPConnection("localhost", gateway.port, timeout=60)
    try:
        connection.request("GET", target, headers=headers)
        response = connection.getresponse()
        return response, response.read().decode()
    finally:
        connection.close()


def test_the_page_and_every_module_it_imports_load(chat_example: ChatExample, devproxy: StartGateway) -> None:
    gateway = devproxy(cwd=chat_example.folder)

    page, html = fetch(gateway, "/", Accept="text/html")
    assert page.status == 200
    assert '<script type="module" src="/@vite/client">' in html

    waiting, seen = ["/src/main.js", "/@vite/client"], set[str]()
    while waiting:
        target = waiting.pop()
        module, source = fetch(gateway, target, Accept="*/*")
        assert (target, module.status) == (target, 200)
        assert module.headers.get_content_type() == "text/javascript"
        seen.add(target)
        waiting += [found for found in re.findall(r'(?:from|import) "(/[^"]+)"', source) if found not in seen]

    assert any(target.startswith("/node_modules/.vite/deps/socket__io-client.js?v=") for target in seen)
    assert any(target.startswith("/src/greeting.js") for target in seen)


def test_a_module_that_did_not_change_is_answered_with_304(chat_example: ChatExample, devproxy: StartGateway) -> None:
    gateway = devproxy(cwd=chat_example.folder)

    first, _ = fetch(gateway, "/src/main.js")
    etag = first.headers["Etag"]
    again, body = fetch(gateway, "/src/main.js", **{"If-None-Match": etag})

    assert (again.status, body) == (304, "")


def test_an_edit_arrives_over_the_hmr_websocket_while_chat_messages_flow(
    chat_example: ChatExample, devproxy: StartGateway
) -> None:
    gateway = devproxy(cwd=chat_example.folder)
    fetch(gateway, "/src/main.js")  # Vite announces changes of modules that somebody has loaded
    fetch(gateway, "/src/greeting.js")

    with Program(node_command("clients", "vite_hmr", {"url": gateway.url}), name="HMR and chat client") as client:
        connected = client.json_line(lambda said: said.get("event") == "hmr", "that HMR is connected")
        assert connected["protocol"] == "vite-hmr"
        assert connected["message"] == {"type": "connected"}
        client.json_line(
            lambda said: said.get("event") == "said" and said["transport"] == "websocket", "a message over WebSocket"
        )

        before = len(client.out)
        chat_example.edit_greeting("another text")
        update = client.json_line(is_update, "an HMR update", start=before)
        (announced,) = update["message"]["updates"]
        assert announced["acceptedPath"] == "/src/greeting.js"
        _, source = fetch(gateway, f"/src/greeting.js?t={announced['timestamp']}")
        assert "another text" in source

        after = len(client.out)
        client.json_line(lambda said: said.get("event") == "said", "a message after the update", start=after)
        assert not any("closed" in line or "disconnected" in line for line in client.out)

    tunnels = {tunnel["upstream"]: tunnel for tunnel in gateway.events("tunnel_opened")}
    assert set(tunnels) == {"page", "chat"}


def is_update(said: Json) -> bool:
    return said.get("event") == "hmr" and said["message"]["type"] == "update"
