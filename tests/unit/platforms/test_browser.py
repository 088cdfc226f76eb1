"""Which program shows a page, and why none does."""

from __future__ import annotations

import pytest
from devproxy.platforms.browser import way_to_open

URL = "http://localhost:8080/"
DISPLAY = {"DISPLAY": ":0"}

WAYS = {
    "Linux": (DISPLAY, "linux", False, ("xdg-open", URL)),
    "Wayland": ({"WAYLAND_DISPLAY": "x"}, "linux", False, ("xdg-open", URL)),
    "macOS": ({}, "darwin", False, ("open", URL)),
    "Windows": ({}, "win32", False, ("rundll32", "url.dll,FileProtocolHandler", URL)),
    "WSL": ({"WSL_DISTRO_NAME": "Ubuntu"}, "linux", False, ("wslview", URL)),
    "a choice": ({"BROWSER": "firefox -P dev"}, "linux", True, ("firefox", "-P", "dev", URL)),
    "a place for the address": ({"BROWSER": "open-url --to=%s:chromium"}, "linux", False, ("open-url", f"--to={URL}")),
}


@pytest.mark.parametrize(("environment", "platform", "in_container", "command"), WAYS.values(), ids=WAYS)
def test_a_page_is_opened(
    environment: dict[str, str], platform: str, in_container: bool, command: tuple[str, ...]
) -> None:
    way = way_to_open(URL, environment, platform, in_container=in_container, is_there=lambda _: True)
    assert way.command == command


WHYS = {
    "no display": ({}, False, "there is no display here"),
    "CI": (DISPLAY | {"CI": "true"}, False, "this is CI"),
    "a container": (DISPLAY, True, "devproxy runs in a container"),
    "none": (DISPLAY | {"BROWSER": "none"}, False, "BROWSER=none"),
    "no command": ({"BROWSER": "'"}, False, "BROWSER is no command"),
}


@pytest.mark.parametrize(("environment", "in_container", "why"), WHYS.values(), ids=WHYS)
def test_where_nothing_can_show_it_that_is_said(environment: dict[str, str], in_container: bool, why: str) -> None:
    way = way_to_open(URL, environment, "linux", in_container=in_container, is_there=lambda _: True)
    assert (way.command, way.why) == ((), why)


def test_without_any_browser_that_is_said() -> None:
    way = way_to_open(URL, DISPLAY, "linux", in_container=False, is_there=lambda _: False)
    assert "neither xdg-open" in way.why


def test_without_wslview_powershell_does_it() -> None:
    way = way_to_open(URL, {"WSL_DISTRO_NAME": "x"}, "linux", in_container=False, is_there=lambda _: False)
    assert way.command[0] == "powershell.exe"
