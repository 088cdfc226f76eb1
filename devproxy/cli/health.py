"""``devproxy health``: ask a running devproxy whether it is up, over a plain socket, as quickly as can be.

A container engine runs this every few seconds. So the usual case neither builds an argument parser nor checks the
configuration, which the devproxy that runs has done; whatever is unusual goes the usual way of the other commands.
"""

from __future__ import annotations

import os
import socket
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING

from devproxy.authority.hosts import DEFAULT_PORTS, MAX_PORT, authority
from devproxy.cli.files import ENVIRONMENT, find_upward, read
from devproxy.cli.refusal import FAILED, FINE, Refused, put
from devproxy.gateway.system.files import reason_of
from devproxy.http.own import HEALTH_PATH

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Sequence

    Options = Namespace | SimpleNamespace

TIMEOUT_S = 2.0
PAUSE_S = 0.2
"""How long after one attempt of ``--wait`` the next one comes."""
MAX_WAIT_S = 86_400.0
_MAX_ANSWER_BYTES = 8192
_LISTEN = "DEVPROXY_SERVER_LISTEN"
_DEFAULT = ("localhost", 8080)
_EVERY_ADDRESS = ("", "0.0.0.0", "::")
_HELP = "start it with devproxy up, or say where it listens: devproxy health http://localhost:8080/"


def quick_options(arguments: Sequence[str]) -> SimpleNamespace | None:
    """Return the options if they are written plainly as ``--name VALUE``; else None, for argparse to judge."""
    options = SimpleNamespace(
        command="health", url=None, listen=None, config=None, where=None, wait=None, upstreams=False, env_file=[]
    )
    for name, value in zip(arguments[::2], [*arguments[1::2], None], strict=False):
        if name not in ("--url", "--listen", "--config") or value is None or value.startswith("-"):
            return None
        setattr(options, name[2:], value)
    return options


def run(
    options: Options, *, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
) -> int:
    """Return 0 when devproxy answers that it is up and, with ``--upstreams``, every server behind it can be reached.

    Raises :class:`Refused`: with exit code 1 for what does not answer, with ``--wait`` not within that many seconds;
    with 2 for what waiting would not change.
    """
    if options.where is not None and options.url not in (None, options.where):
        raise Refused(f"two addresses are given: {options.where} and {options.url}", "leave one of them out")
    wait_s = _seconds(options.wait)
    until = clock() + wait_s
    while True:
        try:
            put("".join(f"ok: {line}\n" for line in _ask(options)))
            return FINE
        except Refused as refusal:
            if refusal.exit_code != FAILED or (left_s := until - clock()) <= 0:
                if refusal.exit_code != FAILED or not wait_s:
                    raise
                raise Refused(
                    f"{refusal.what} (asked for {wait_s:g} s)", *refusal.help, exit_code=refusal.exit_code
                ) from None
        sleep(min(PAUSE_S, left_s))


def _seconds(text: str | None) -> float:
    """Return how long ``--wait`` says to wait: seconds, with or without an ``s``; without it, not at all."""
    if text is None:
        return 0.0
    try:
        seconds = float(text.removesuffix("s"))
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= MAX_WAIT_S:
        raise Refused(f"--wait: {text[:60]} is not a number of seconds from 0 to {MAX_WAIT_S:.0f}", "--wait 30")
    return seconds


def _ask(options: Options) -> list[str]:
    """Return a sentence for each that answers. Raises :class:`Refused` where one does not."""
    host, port = _address(options)
    if not port:
        raise Refused("the configuration lets the system choose the port", "name it with --listen or --url")
    answered = f"devproxy answers on {_ask_devproxy(host, port)}"
    if not options.upstreams:
        return [answered]
    from devproxy.cli.upstream_health import ask_upstreams

    return [answered, *ask_upstreams(options, host, port)]


def _ask_devproxy(host: str, port: int) -> str:
    """Return the address on which devproxy says that it is up. Raises :class:`Refused` with exit code 1."""
    # Who listens on every address listens on the loopback one too.
    hosts = ("127.0.0.1", "::1") if host == "localhost" or host in _EVERY_ADDRESS else (host,)
    failures = []
    for one in hosts:
        shown = authority(one, port)
        try:
            answer = _answer(one, port)
        except UnicodeError:
            raise Refused(f"{one[:60]} is not a host name") from None
        except OSError as error:
            failures.append(f"{shown}: {reason_of(error)}")
            continue
        if not answer.startswith(b"HTTP/1.1 200 ") or b'"status":"ok"' not in answer.replace(b" ", b""):
            raise Refused(f"{shown} answers, but it is not devproxy", _HELP, exit_code=FAILED)
        return shown
    raise Refused(f"devproxy does not answer ({', '.join(failures)})", _HELP, exit_code=FAILED)


def _answer(host: str, port: int) -> bytes:
    request = (
        f"GET {HEALTH_PATH} HTTP/1.1\r\nHost: localhost:{port}\r\nAccept: application/json\r\nConnection: close\r\n\r\n"
    )
    answer = b""
    until = time.monotonic() + TIMEOUT_S
    with socket.create_connection((host, port), timeout=TIMEOUT_S) as sock:
        sock.sendall(request.encode())
        while len(answer) < _MAX_ANSWER_BYTES and (data := sock.recv(_MAX_ANSWER_BYTES)):
            answer += data
            if (left_s := until - time.monotonic()) <= 0:  # what comes byte by byte has no more time than the rest
                raise TimeoutError("timed out")
            sock.settimeout(left_s)
    return answer


def _address(options: Options) -> tuple[str, int]:
    if (url := options.url or options.where) is not None:
        return _of_url(url)
    if options.listen is not None:
        return _of_text(options.listen, "--listen")
    if said := _said(options):
        return _of_variable(said)
    path = options.config or os.environ.get(ENVIRONMENT) or find_upward()
    if path is None:
        return _DEFAULT
    return _configured(path, options)


def _of_url(url: str) -> tuple[str, int]:
    """Return host and port of `url`. Health is asked for in plain HTTP, which is spoken where HTTPS is, too."""
    scheme, separator, rest = url.partition("://")
    default = DEFAULT_PORTS.get(scheme.lower()) if separator else 80
    if default is None:
        raise Refused("--url: devproxy speaks http and https", _HELP)
    place = (rest if separator else url).partition("/")[0]
    has_port = place.rpartition(":")[2].isdigit() and not place.endswith("]")
    return _of_text(place if has_port else f"{place}:{default}", "--url")


def _of_text(text: str, option: str) -> tuple[str, int]:
    """Return host and port of an address in the forms of ``--listen``."""
    host, colon, port = text.rpartition(":")
    if port.isascii() and port.isdigit() and len(port) <= 5 and int(port) <= MAX_PORT and not {":", "/"} & {*host}:
        return (host if colon else "localhost"), int(port)
    from devproxy.config.addresses import parse_listen
    from devproxy.text.bad import BadText

    try:
        listen = parse_listen(text)
    except BadText as error:
        raise Refused(f"{option}: {error.what}", error.help or _HELP) from None
    return listen.host, listen.port


def _said(options: Options) -> str:
    """Return what the variable for ``listen`` says; empty: it is not set."""
    if not options.env_file:
        return os.environ.get(_LISTEN, "")
    from devproxy.cli.environment import read_environment

    variable = read_environment(options.env_file).environment.get(_LISTEN)
    return "" if variable is None else variable.value


def _of_variable(said: str) -> tuple[str, int]:
    """Return the first address that the variable for ``listen`` names."""
    if "," not in said and not said.startswith("["):
        return _of_text(said, _LISTEN)
    from devproxy.config.overlay import SERVER, converted
    from devproxy.text.bad import BadText

    try:
        listens = converted(said, SERVER[_LISTEN], takes_toml=True)
    except BadText as error:
        raise Refused(f"{_LISTEN}: {error.what}", error.help or _HELP) from None
    return _of_text(str(listens[0] if isinstance(listens, list) and listens else listens), _LISTEN)


def _configured(path: str, options: Options) -> tuple[str, int]:
    """Return the first address that the file at `path` names; only a file that is odd is checked as a whole."""
    import tomli

    text = read(path)
    try:
        listen = tomli.loads(text.decode()).get("server", {}).get("listen", _DEFAULT[0] + f":{_DEFAULT[1]}")
        first = listen[0] if isinstance(listen, list) else listen
        if "${" in str(first):
            raise ValueError(first)
        return _of_text(str(first), path)
    except (ValueError, AttributeError, LookupError, TypeError, RecursionError):
        from devproxy.cli.environment import read_environment
        from devproxy.cli.loading import load_file

        listens = load_file(path, read_environment(options.env_file)).server.listen
        return listens[0].host, listens[0].port
