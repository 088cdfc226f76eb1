"""What people type who know other programs -> the line of this one, with everything else that they typed.

Pure, and imported only when it is wanted. Start at :func:`without_command`, :func:`meant_option`,
:func:`other_way` and :func:`listening_on`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from shlex import join
from typing import Final

_COMMANDS: Final = (
    dict.fromkeys(("start", "run", "serve", "dev", "proxy"), "up")
    | dict.fromkeys(("validate", "test", "lint"), "check")
    | dict.fromkeys(("ps", "ls", "status"), "list")
    | dict.fromkeys(("setup", "new", "create", "configure", "generate"), "init")
    | dict.fromkeys(("ping", "wait"), "health")
)
_OPTIONS: Final = (
    dict.fromkeys(("--target", "--proxy", "--upstream", "--api", "--server", "--to"), "--backend")
    | dict.fromkeys(("--vite", "--web", "--client", "--dev", "--app"), "--frontend")
    | dict.fromkeys(("-p", "-l", "--bind", "--address"), "--listen")
    | dict.fromkeys(("-c", "-f", "--file", "--conf"), "--config")
    | dict.fromkeys(("--https", "--ssl", "--secure"), "--tls")
    | dict.fromkeys(("-v", "--debug"), "--verbose")
    | dict.fromkeys(("-q", "--silent"), "--quiet")
    | dict.fromkeys(("--path", "--api-path", "--prefix"), "--backend-path")
)


def without_command(arguments: Sequence[str], commands: Iterable[str]) -> str:
    """Return the line that `arguments`, which begin with no command, may mean; empty: nothing is near.

    ``start --frontend 5173`` is ``devproxy up --frontend 5173``; ``5173 3001`` is ``devproxy up 5173 3001``.
    """
    from difflib import get_close_matches

    name = arguments[0]
    if is_server(name):
        return line("up", arguments)
    if name in _COMMANDS:
        rest = list(arguments[1:])
        starts_program = _COMMANDS[name] == "up" and rest and not rest[0].startswith("-") and not is_server(rest[0])
        return line(_COMMANDS[name], ["--", *rest] if starts_program else rest)
    near = get_close_matches(name, list(commands), 1)
    return line(near[0], arguments[1:]) if near else ""


def meant_option(unknown: str, known: Iterable[str]) -> str:
    """Return which of the options `known` is meant by `unknown`, such as ``--fronted`` or ``-p``; empty: none is."""
    from difflib import get_close_matches

    name, known = unknown.partition("=")[0], list(known)
    if _OPTIONS.get(name) in known:
        return _OPTIONS[name]
    near = get_close_matches(name[2:], [one[2:] for one in known], 1) if name.startswith("--") else []
    return f"--{near[0]}" if near else ""


def other_way(command: str, arguments: Sequence[str], message: str) -> str:
    """Return what to type for what cannot be written as it was; empty: nothing is known. `message`: argparse's."""
    unknown = message.removeprefix("unrecognized arguments: ").split(" ") if "unrecognized" in message else [""]
    if command == "up" and unknown[0].partition("=")[0] in ("--host", "--hostname"):
        kept = [text for text in arguments if text not in unknown and text not in ("0.0.0.0", "::")]
        return f"for every address of this machine:  {line('up', [*kept, '--listen', ':8080'])}"
    if command == "routes" and is_server(unknown[0]):
        rest = [text for text in arguments if text not in unknown]
        named = [
            part for name, server in zip(("--frontend", "--backend"), unknown, strict=False) for part in (name, server)
        ]
        return line("routes", [*named, *rest])
    if command == "routes" and message.startswith("argument --test: expected"):
        return "a method and a path:  devproxy routes --test GET /api/"
    return ""


def with_option(arguments: Sequence[str], unknown: str, option: str) -> list[str]:
    """Return `arguments` with `option` in place of `unknown`, which may have its value behind ``=``."""
    name, separator, value = unknown.partition("=")
    return [option + separator + value if text == unknown else option if text == name else text for text in arguments]


def with_one(arguments: Sequence[str], option: str, value: str) -> list[str]:
    """Return `arguments` with `option` once, and with `value`, instead of several times, each with its own."""
    kept: list[str] = []
    is_value = is_there = False
    for text in arguments:
        name, separator, _ = text.partition("=")
        if is_value:
            is_value = False
        elif name != option:
            kept.append(text)
        else:
            is_value = not separator
            kept += [] if is_there else [option, value]
            is_there = True
    return kept


def listening_on(arguments: Sequence[str], listens: Iterable[str]) -> str:
    """Return the line that was typed as `arguments`, a command first, but listening on `listens`."""
    kept: list[str] = []
    is_value = False
    at = arguments.index("--") if "--" in arguments else len(arguments)
    for text in arguments[1:at]:
        name, separator, _ = text.partition("=")
        if is_value:
            is_value = False
        elif name in ("--listen", "--port"):
            is_value = not separator
        else:
            kept.append(text)
    listening = [part for listen in listens for part in ("--listen", listen)]
    return line(arguments[0], [*kept, *listening, *arguments[at:]])


def line(command: str, arguments: Sequence[str]) -> str:
    """Return what to type in a shell for `command` with `arguments`."""
    return join(["devproxy", command, *arguments])


def is_server(text: str) -> bool:
    """Tell whether `text` names a server: a port, ``host:port`` or a URL."""
    return text.rpartition(":")[2].rstrip("/").isdecimal() or text.startswith(("http://", "https://"))
