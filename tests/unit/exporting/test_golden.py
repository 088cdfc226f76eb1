"""What ``devproxy export`` writes, whole: a change of it is seen in the difference of a file.

``python -m tests.unit.exporting.test_golden`` writes the files again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest
from devproxy import __version__, config
from devproxy.exporting import TARGETS, Wanted, export, parse_web_origin

HERE: Final = Path(__file__).parent / "golden"
SUFFIXES: Final = {
    "caddy": "Caddyfile",
    "haproxy": "cfg",
    "kubernetes": "yml",
    "nginx": "conf",
    "socketio": "md",
    "traefik": "yml",
    "vite": "js",
}
SITES: Final = {
    "plain": Wanted(),
    "full": Wanted(origins=(parse_web_origin("https://app.example.com"), parse_web_origin("https://www.example.com"))),
}


def written(site: str, target: str) -> str:
    text = (HERE / f"{site}.toml").read_bytes()
    return export(config.load(text, source="devproxy.toml"), target, SITES[site]).replace(__version__, "VERSION")


def file_of(site: str, target: str) -> Path:
    return HERE / f"{site}.{target}.{SUFFIXES[target]}"


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("site", SITES)
def test_what_is_written_is_what_was_agreed(site: str, target: str) -> None:
    assert written(site, target) == file_of(site, target).read_text(encoding="utf-8")


def write_files() -> None:
    for site in SITES:
        for target in TARGETS:
            file_of(site, target).write_text(written(site, target), encoding="utf-8")


if __name__ == "__main__":
    write_files()
