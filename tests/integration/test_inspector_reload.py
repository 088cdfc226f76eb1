"""What the inspector says of the file: one that does not load, and the one that stays in force."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from tests.support.gateway_process import GatewayProcess
from tests.support.processes import wait_for

GOOD = '[upstreams]\nbackend = "http://127.0.0.1:9"\n[[routes]]\npath = "/"\nupstream = "backend"\n'


def test_a_file_that_does_not_load_is_there_with_its_report_until_one_does(tmp_path: Path) -> None:
    file = tmp_path / "devproxy.toml"
    file.write_text(GOOD)
    gateway = GatewayProcess("--config", file)

    def configuration() -> Any:
        with urlopen(f"{gateway.url}__devproxy/api/configuration") as answer:
            return json.load(answer)

    try:
        assert configuration()["rejected"] is None
        file.write_text(GOOD.replace('upstream = "backend"', 'upstream = "bakend"'))
        rejected = wait_for(lambda: configuration()["rejected"], "the report")
        assert rejected["problems"] == 1
        assert 'did you mean "backend"?' in rejected["report"]
        assert "bakend" not in configuration()["text"], "the file in force is shown"
        file.write_text(GOOD + "# again\n")
        wait_for(lambda: configuration()["rejected"] is None, "the file that loads")
    finally:
        gateway.stop()
