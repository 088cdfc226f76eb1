"""Pieces of configuration files, and how tests ask for what is wrong with one."""

from __future__ import annotations

import pytest
from devproxy.config import ConfigError, Problem, load

UPSTREAMS = '[upstreams]\nbackend = "http://localhost:3001"\nfrontend = "http://localhost:5173"\n'
ROUTE = '[[routes]]\npath = "/"\nupstream = "backend"\n'


def problems_of(text: str | bytes) -> list[Problem]:
    """Every problem of a file that has some."""
    octets = text.encode() if isinstance(text, str) else text
    with pytest.raises(ConfigError) as caught:
        load(octets, source="devproxy.toml")
    return list(caught.value.problems)


def route_problems(lines: str) -> list[Problem]:
    """Every problem of `lines`, which stand from line 5 on below the ``[[routes]]`` of an otherwise good file."""
    return problems_of(f"{UPSTREAMS}[[routes]]\n{lines}\n")
