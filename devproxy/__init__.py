"""devproxy: one origin in front of a frontend dev server and a Socket.IO/REST backend.

The map, from the top down (each floor imports only from those below it)::

    cli          The command line: the composition root, the only place that knows every part
    pytest_plugin Fixtures for pytest: a gateway in front of an ASGI application or a URL, stopped after the test
    init         What `devproxy init` finds: what runs, what the files say, and a ``devproxy.toml`` with a reason [...]
    inspector    The inspector: what happens, kept, explained, and shown at ``/__devproxy/``
    doctor       Which of the usual failures a server has, found from the wire alone
    importing    What other tools' configurations say of proxying, as a ``devproxy.toml``: ``devproxy import``
    testing      Gateways for tests: in front of an application in this process or of a URL, with their events
    exporting    The routes of a configuration as files for other programs: production proxies, Vite, Socket.IO, [...]
    demo         What `devproxy demo` shows: a page and a Socket.IO backend on ports of their own, and devproxy in front
    console      What the terminal shows: the banner, a line for each exchange, warnings; or the same as lines of JSON
    trust        Whom this system trusts: its stores of authorities, and the commands that put one in or take it out
    running      How a running devproxy is found: by a socket that only its own user can reach
    embedding    devproxy within another program: a gateway in its event loop, which changes nothing of its process
    programs     The programs that ``devproxy up`` starts: their processes, what they write, the ports they take
    gateway      The only code that does network I/O for traffic
    certificates Certificates for HTTPS on this machine: which names they carry, who signs them, and the contexts [...]
    platforms    What differs between Linux, macOS and Windows, and between event loops; no other part asks which [...]
    ──────────────────────── from here down: no I/O, no clock
    plan         The heart: what happens to a request, and to the response to it
    answers      What devproxy answers itself: errors that say what was tried and what to do, and its own small pages
    policy       Rules over fields: the guard, CORS, cookies, redirects, what a gateway must drop, add or change
    routing      Which route takes a request, and which server of its upstream gets it
    config       The configuration: TOML text or command-line options as values, or every problem at once
    recordings   Recorded sessions as backends: HAR files read, and which recorded answer a request gets
    realtime     What browsers keep open: WebSocket frames, Engine.IO sessions, the sockets of hot reload
    http2        HTTP/2 on the wire (RFC 9113, RFC 7541), without I/O: frames, compressed heads, a server's connection
    http1        HTTP/1.1 on the wire (RFC 9112), without I/O: strict heads and framing
    authority    Web origins and hosts: what a name or an address says on its own
    text         Text that people write or read
    events       What happened, as records: the gateway emits them, the console and others listen
    http         Heads and what they state, whichever version of HTTP carries them, and what is remembered of them
    errors       What can go wrong, by whose fault and in which phase

Start reading at :mod:`devproxy.plan`. What other programs may use is named in ``__all__`` (``docs/embedding.md``), and
imported when it is asked for: ``import devproxy`` alone loads none of it.
"""

TYPE_CHECKING = False  # typing's own would cost as much as all the rest
if TYPE_CHECKING:
    from devproxy.config.model import Config
    from devproxy.embedding.configuration import ConfigurationError, load, loads
    from devproxy.embedding.gateway import Gateway
    from devproxy.errors import BindError, DevproxyError
    from devproxy.events import Observer, Wants

__version__ = "0.1.0"

__all__ = [
    "BindError",
    "Config",
    "ConfigurationError",
    "DevproxyError",
    "Gateway",
    "Observer",
    "Wants",
    "load",
    "loads",
]

_MODULES = {
    "BindError": "errors",
    "Config": "config.model",
    "ConfigurationError": "embedding.configuration",
    "DevproxyError": "errors",
    "Gateway": "embedding.gateway",
    "Observer": "events",
    "Wants": "events",
    "load": "embedding.configuration",
    "loads": "embedding.configuration",
}


if not TYPE_CHECKING:  # to a type checker, a name that is not there shall be a mistake

    def __getattr__(name: str) -> object:
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        value = globals()[name] = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
