"""``devproxy schema``: the JSON Schema of ``devproxy.toml``."""

from __future__ import annotations

import argparse
import json

from devproxy.cli.refusal import FINE, put
from devproxy.config import schema


def run(options: argparse.Namespace) -> int:
    """Print the schema as it is in the repository."""
    put(json.dumps(schema(), indent=2, ensure_ascii=False) + "\n")
    return FINE
