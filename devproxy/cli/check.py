"""``devproxy check``: everything that is wrong with a configuration, where, and what to type."""

from __future__ import annotations

import argparse

from devproxy.cli.environment import Surrounding, read_environment
from devproxy.cli.files import distrust, find, is_named, read
from devproxy.cli.hot_reload import note_on
from devproxy.cli.loading import BadConfiguration, load_file, notices_on, warnings
from devproxy.cli.refusal import FINE, MISUSED, Refused, put, say, warn
from devproxy.config import Config, Problem
from devproxy.config.places import variables_in
from devproxy.console.text import counted
from devproxy.plan import compile_snapshot
from devproxy.running.asking import Running, running_with
from devproxy.text.safe import visible


def run(options: argparse.Namespace) -> int:
    """Run ``devproxy check``; return 0, or 2 when there is a problem in one of the files."""
    named = [*options.paths, *([options.config] if options.config else [])]
    paths = named or [find(None, "check")]
    surrounding = read_environment(options.env_file)
    doubts = () if named or is_named(None) else distrust(paths[0])
    results = [_checked(path, surrounding) for path in paths]
    doubts += notices_on(surrounding.environment, *(one for one in results if isinstance(one, Config)))
    if options.json:
        import json

        documents = [_document(path, result, doubts) for path, result in zip(paths, results, strict=True)]
        put(json.dumps(documents, indent=2) + "\n")
    else:
        for sentence in doubts:
            warn(sentence, options.color)
        for path, result in zip(paths, results, strict=True):
            _show(path, result, options.color)
    return MISUSED if any(isinstance(result, Refused) for result in results) else FINE


def _checked(path: str, surrounding: Surrounding) -> Config | Refused:
    try:
        return load_file(path, surrounding)
    except Refused as refusal:
        return refusal


def _show(path: str, result: Config | Refused, colour: str) -> None:
    if isinstance(result, Refused):
        say(result, colour)
        return
    for sentence in warnings(result):
        warn(sentence, colour)
    if variables := variables_in(result):
        put(
            f"note: {visible(path)}: {', '.join(variables)} {'goes' if len(variables) == 1 else 'go'} before the file\n"
        )
    if note := _note(result):
        put(f"note: {visible(path)}: {note}\n")
    if one := running_with(path):
        put(f"note: {visible(path)}: {_running_note(one, path)}\n")
    counts = f"{counted(len(result.routes), 'route')}, {counted(len(result.upstreams), 'upstream')}"
    put(f"ok: {visible(path)}: {counts}\n")


def _document(path: str, result: Config | Refused, doubts: tuple[str, ...]) -> dict[str, object]:
    """Return what ``--json`` says about one file. Places are 1-based; 0 means none. `doubts`: whose file it is."""
    if isinstance(result, Refused):
        return {"file": path, "ok": False, "problems": _problems(result)}
    return {
        "file": path,
        "ok": True,
        "routes": len(result.routes),
        "upstreams": len(result.upstreams),
        "running": list(one.urls) if (one := running_with(path)) else [],
        "warnings": [*doubts, *warnings(result)],
        **({"variables": list(variables)} if (variables := variables_in(result)) else {}),
        **({"notes": [note]} if (note := _note(result)) else {}),
    }


def _note(result: Config) -> str:
    """Return what is right in `result` and yet good to know."""
    return note_on(compile_snapshot(result, "check"))


def _running_note(one: Running, path: str) -> str:
    """Return that a devproxy is running with the file at `path`, and whether it has what the file says now."""
    try:
        text = one.ask("configuration")["text"]
        is_same = isinstance(text, str) and text.encode() == read(path)
    except (OSError, KeyError, Refused):
        is_same = True
    where = f"devproxy at {one.urls[0]} (pid {one.pid})"
    return f"{where} runs with this file" if is_same else f"{where} runs with an earlier version of this file"


def _problems(refusal: Refused) -> list[dict[str, object]]:
    alone = (Problem(what=refusal.what, help=" ".join(refusal.help)),)
    problems = refusal.error.problems if isinstance(refusal, BadConfiguration) else alone
    return [problem._asdict() for problem in problems]
