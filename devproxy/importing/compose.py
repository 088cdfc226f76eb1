"""A compose file: which services publish a port of this machine, and what each of them probably is.

A compose file says where servers are, and nothing of which requests go where: that is proposed by names, and the
comments say so. Start at :func:`draft`; :func:`read` is the only part that does I/O.
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from devproxy.config.arguments import DEFAULT_BACKEND_PATHS
from devproxy.config.drafts import Draft
from devproxy.importing.asked import Asked, Failed
from devproxy.importing.dev_servers import listening_beside
from devproxy.importing.drafting import draft_of
from devproxy.importing.rules import EVERY_PATH, Kind, Leftover, Match, Rule, Target
from devproxy.importing.sources import FILES

_FRONTEND: Final = re.compile(r"front|web|client|ui\b|spa|vite|next|nuxt|angular|react|vue|svelte|astro|site|www", re.I)
_NO_HTTP: Final = re.compile(
    r"postgres|postgis|timescale|mysql|maria|mongo|redis|valkey|memcache|rabbit|kafka|zookeeper|nats|mqtt|mosquitto"
    r"|cassandra|clickhouse|sqlserver|mssql|oracle|etcd|mailpit|mailhog|smtp|dockerize|localstack|otel|jaeger",
    re.IGNORECASE,
)
_PROXY: Final = re.compile(r"devproxy|traefik|caddy|haproxy|envoy|nginx-proxy", re.IGNORECASE)
_NO_HTTP_PORTS: Final = (22, 25, 53, 1025, 1433, 1521, 2181, 3306, 4222, 5432, 5672, 6379, 9042, 9092, 11211, 27017)
_FRONTEND_PORTS: Final = (3000, 4173, 4200, 4321, 5173, 8080)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Service:
    """A service: ``published``: its port of this machine, 0 for none; ``inner``: that in its container."""

    name: str
    published: int
    inner: int
    hint: str
    address: str = "localhost"


def read(asked: Asked) -> dict[str, Any]:
    """Return what the compose file says. Raises :class:`Failed`."""
    file = asked.file or _found(asked.folder)
    return {"file": str(file), "document": _by_docker(file, asked) or _by_yaml(file)}


def _found(folder: Path) -> Path:
    for name in FILES["compose"]:
        if (folder / name).is_file():
            return folder / name
    raise Failed("there is no compose.yaml in this folder", "name it:  devproxy import compose PATH")


def _by_docker(file: Path, asked: Asked) -> dict[str, Any] | None:
    """Return what ``docker compose`` makes of `file`, variables and all; None where there is no such command."""
    from shutil import which

    from devproxy.importing.running import output_of, read_facts

    docker = which("docker")
    if docker is None:
        return None
    try:
        output_of([docker, "compose", "version"], asked.folder, asked.limit_s)
    except Failed:
        return None
    command = [docker, "compose", "--file", str(file), "config", "--format", "json"]
    return read_facts(output_of(command, asked.folder, asked.limit_s).encode())


def _by_yaml(file: Path) -> dict[str, Any]:
    from devproxy.importing.running import content_of

    if find_spec("yaml") is None:
        help_ = f"{shlex.quote(sys.executable)} -m pip install PyYAML"
        raise Failed("neither docker compose nor PyYAML is there to read it", help_)
    yaml: Any = import_module("yaml")
    try:
        document = yaml.safe_load(content_of(file))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise Failed(f"{file} is not YAML", f"it says: {' '.join(str(error).split())}") from None
    if not isinstance(document, dict):
        raise Failed(f"{file} is no compose file", "it has to have `services:`")
    return document


def draft(facts: dict[str, Any]) -> Draft:
    """Return the draft for `facts`. Raises :class:`Failed` where no service can be reached from here."""
    services, lost = _services(facts["document"].get("services"))
    if not services:
        raise Failed(
            f"no service in {facts['file']} publishes a port that devproxy could send requests to",
            'publish it:  ports: ["3001:3001"]',
        )
    front = _frontend(services)
    backends = [one for one in services if one is not front]
    rules: list[Rule] = []
    tail: list[str] = []
    for place, one in enumerate(backends):
        target = Target(servers=(f"http://{one.address}:{one.published}",), name=one.name)
        if place == 0:
            comment = "A proposal: a compose file does not say which requests are whose."
            paths = DEFAULT_BACKEND_PATHS if front is not None else ("/",)
            for path in paths:
                match = Match(Kind.SEGMENTS, path.rstrip("/"))
                rules.append(Rule(label=f"{one.name} {path}", match=match, target=target, comments=(comment,)))
            continue
        comment = f"A proposal: requests for {one.name}, cut off its name. Change the path to what your pages ask for."
        match = Match(Kind.SEGMENTS, f"/{one.name}")
        rules.append(Rule(label=one.name, match=match, target=target, rewrite="/", comments=(comment,)))
    if front is not None:
        target = Target(servers=(f"http://{front.address}:{front.published}",), name=front.name)
        rules.append(Rule(label=front.name, match=EVERY_PATH, target=target))
    tail.append(
        "In a container of the same compose file, devproxy reaches them by their names and inner ports instead: "
        + ", ".join(f"{one.name} = http://{one.name}:{one.inner}" for one in services)
        + "."
    )
    head = [f"Made by `devproxy import compose` of {facts['file']}: where the services are, as seen from this machine."]
    server = listening_beside([one.published for one in services], head)
    return draft_of(rules, lost, head=head, server=server, tail=["", *tail] if lost else tail)


def _services(found: Any) -> tuple[list[_Service], list[Leftover]]:
    services: list[_Service] = []
    lost: list[Leftover] = []
    for name, service in found.items() if isinstance(found, dict) else ():
        label = f"service {name}"
        if not isinstance(service, dict):
            continue
        build = service.get("build")
        context = build.get("context") if isinstance(build, dict) else build
        written = (*map(service.get, ("image", "command", "container_name")), context)
        hint = " ".join(text for text in written if isinstance(text, str))
        image = service.get("image")
        kind = f"{name} {image}" if isinstance(image, str) else str(name)
        ports = [port for one in _listed(service.get("ports")) if (port := _port(one)) is not None]
        usable = [port for port in ports if port[2] not in _NO_HTTP_PORTS]
        if _NO_HTTP.search(kind) or (ports and not usable):
            lost.append(Leftover(label, "It does not look like a server of HTTP."))
        elif _PROXY.search(kind):
            lost.append(Leftover(label, "It is a proxy itself: devproxy takes its place."))
        elif not ports:
            exposed = [number for one in _listed(service.get("expose")) if (number := _number(one))]
            known = f" It listens at {exposed[0]} in its container." if exposed else ""
            why = f'It publishes no port, so nothing outside its network reaches it. Write ports: ["3001:3001"].{known}'
            lost.append(Leftover(label, why))
        elif not usable[0][1]:
            why = "Its port of this machine is chosen when it starts, or by a variable: publish a fixed one."
            lost.append(Leftover(label, why))
        else:
            address, published, inner = usable[0]
            services.append(_Service(name=str(name), published=published, inner=inner, hint=hint, address=address))
            if others := ", ".join(str(one[1]) for one in usable[1:] if one[1]):
                lost.append(Leftover(label, f"It publishes other ports, too: {others}."))
    return services, lost


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else []


def _number(value: Any) -> int:
    if not isinstance(value, str | int):
        return 0  # as text, lists made of each other (YAML's `*name`) would have no end
    text = str(value).split("/")[0].split("-")[0]
    return int(text) if text.isascii() and text.isdigit() and int(text) < 65536 else 0


def _port(written: Any) -> tuple[str, int, int] | None:
    """Return address and port of this machine, and the port in the container; None for UDP and what cannot be read."""
    if isinstance(written, Mapping):
        if str(written.get("protocol", "tcp")) != "tcp":
            return None
        address = str(written.get("host_ip") or "")
        published, inner = _number(written.get("published") or 0), _number(written.get("target") or 0)
    elif not isinstance(written, str | int):
        return None
    else:
        text = re.sub(r"\$\{[^}]*?:?-(\d+)\}", r"\1", str(written))  # the default of a variable
        if text.endswith("/udp"):
            return None
        *before, last = re.findall(r"\[[^\]]*\]|[^:\[\]]+", text) or [""]
        inner = _number(last)
        published = _number(before[-1]) if before else 0
        address = before[0] if len(before) > 1 else ""
    if not inner:
        return None
    is_own = address in ("", "0.0.0.0", "::", "[::]", "127.0.0.1", "[::1]", "::1")
    return "localhost" if is_own else address, published, inner


def _frontend(services: Sequence[_Service]) -> _Service | None:
    """Return the service that serves pages, by its name, then by what it is made of, then by its port."""
    by_name = [one for one in services if _FRONTEND.search(one.name)]
    by_hint = [one for one in services if _FRONTEND.search(one.hint)]
    if found := by_name or by_hint:
        return found[0]
    return next((one for one in services if one.inner in _FRONTEND_PORTS and len(services) > 1), None)
