"""``devproxy check``: is the configuration right? Every problem with its place."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from devproxy.cli.loading import Refused, find, load_file
from devproxy.config import Config, warnings


def run(options: argparse.Namespace) -> int:
    """Run ``devproxy check``; return 0, or 2 when a file has a problem."""
    named = [*options.paths, *([options.config] if options.config else [])]
    code = 0
    results: list[dict[str, object]] = []
    for path in [Path(name) for name in named] or [find(None)]:
        try:
            config = load_file(path)
        except Refused as refusal:
            sys.stderr.write(refusal.text)
            results.append({"file": str(path), "ok": False, "report": refusal.text})
            code = refusal.exit_code
            continue
        notices = warnings(config)
        results.append({"file": str(path), "ok": True, "warnings": list(notices)})
        if not options.json:
            sys.stderr.writelines(f"warning: {notice}\n" for notice in notices)
            sys.stdout.write(f"ok: {path}: {_summary(config)}\n")
    if options.json:
        import json

        sys.stdout.write(json.dumps(results, indent=2) + "\n")
    return code


def _summary(config: Config) -> str:
    return f"{_count(len(config.routes), 'route')}, {_count(len(config.upstreams), 'upstream')}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
